"""Counts as people and platforms write them, as exact whole numbers."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

BIGINT = 2**63 - 1
"""The largest number a ``_count`` column holds."""

_LONGEST = 60
_SCALES = {
    1_000: "k mil tsd thousand",
    1_000_000: "m mm mn mio mln mill million millions millon millones",
    1_000_000_000: "b bn mrd billion billions",
}
_SCALE = {word: scale for scale, words in _SCALES.items() for word in words.split()}
_UNIT_WORDS = """
    subscriber subscribers follower followers following view views like likes comment comments post posts video
    videos play plays fan fans suscriptor suscriptores seguidor seguidores seguidos visualizacion visualizaciones
    vistas reproducciones publicaciones comentarios
"""
_UNITS = frozenset(_UNIT_WORDS.split())
_COUNT = re.compile(r"(?P<digits>\d[\d.,'’ _]*?(?:e\+?\d{1,2})?) ?\+? ?(?P<words>[a-z]*(?: [a-z]+)*) ?\+?")
_GROUPS = {
    ",": re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}"),  # the second is the Indian way: 12,34,567
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+"),
    " ": re.compile(r"\d{1,3}(?:[ '’_]\d{3})+(?:[.,]\d+)?"),
}


def parse_count(text: object) -> int | None:
    """The whole number that ``text`` means: ``72M``, ``0.89k``, ``1,234``, ``1.234.567``, ``451K views``, ``3.0``.

    None when there is no number, or one that cannot be a count: negative, not whole, over BIGINT. Numbers are
    taken as they are. A lone separator before three digits groups thousands (``1.234`` is 1234), but a point
    before K, M or B is a decimal point (``1.234K`` is 1234).
    """
    if isinstance(text, bool) or text is None:
        return None
    if isinstance(text, int | float | Decimal):
        return _whole(Decimal(text))
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    match = _COUNT.fullmatch(_plain(text))
    if match is None:
        return None
    scale = _scale(match["words"])
    number = None if scale is None else _number(match["digits"], scaled=scale > 1)
    return None if number is None or scale is None else _whole(number * scale)


def _plain(text: str) -> str:
    """Lower case without accents, quotes around and odd spaces."""
    letters = unicodedata.normalize("NFD", text).lower()
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(kept.split()).strip("\"' ")


def _scale(words: str) -> int | None:
    """What the words after the digits multiply by; None when one of them is neither a scale nor a unit."""
    scale = 1
    for place, word in enumerate(words.split()):
        if word in _UNITS:
            continue
        if word not in _SCALE and not (word == "de" and place):
            return None
        scale *= _SCALE.get(word, 1)
    return scale


def _number(digits: str, *, scaled: bool) -> Decimal | None:
    """The digits with their separators read as thousands or as a decimal point."""
    if _GROUPS[" "].fullmatch(digits):
        digits = re.sub(r"[ '’_]", "", digits).replace(",", ".")
    elif "," in digits and "." in digits:
        point = max(",.", key=digits.rfind)
        whole, _, fraction = digits.rpartition(point)
        group = "," if point == "." else "."
        if not _GROUPS[group].fullmatch(whole):
            return None
        digits = f"{whole.replace(group, '')}.{fraction}"
    elif _GROUPS[","].fullmatch(digits):
        digits = digits.replace(",", "")
    elif _GROUPS["."].fullmatch(digits) and not (scaled and digits.count(".") == 1) and digits[:2] != "0.":
        digits = digits.replace(".", "")
    else:
        digits = digits.replace(",", ".")
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None


def _whole(number: Decimal) -> int | None:
    if not number.is_finite() or not 0 <= number <= BIGINT or number != number.to_integral_value():
        return None
    return int(number)


def format_count(value: float | None) -> str:
    """``value`` in three or fewer digits, as in 940, 12.4k, 1.2M, 3B; a dash when unknown."""
    if value is None:
        return "–"
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * unit:
            scaled = value / unit
            digits = 0 if abs(scaled) >= 99.95 else 1
            return f"{scaled:.{digits}f}".removesuffix(".0") + letter
    return f"{round(value)}"
