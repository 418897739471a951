"""Counts as people and platforms write them, as exact whole numbers."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

BIGINT = 2**63 - 1
"""The largest number a ``_count`` column holds."""

MOST = {
    "followers": 2_000_000_000,
    "following": 10_000_000,
    "posts": 10_000_000,
    "likes": 1_000_000_000,
    "comments": 1_000_000_000,
    "views": 1_000_000_000_000,
    "plays": 1_000_000_000_000,
}
"""The most that each metric can be; what is over it is an error of unit (``29.0b`` followers).

At least three times the records, after Wikipedia's lists as of 2025: most-followed Instagram accounts (0.7 billion),
most-subscribed YouTube channels (0.4 billion), most-liked Instagram posts (75 million) and YouTube videos
(60 million), most-viewed YouTube channels (0.3 trillion over all videos) and videos (16 billion). Channels of
generated videos hold some millions of them; Instagram lets an account follow 7,500.
"""

_LONGEST = 60
_SCALES = {
    1_000: "k mil mila tsd thousand tys 千 천",
    10_000: "万 만",
    100_000: "lakh lakhs lac",
    1_000_000: "m mm mi mn mio mln mill million millions millon millones milhao milhoes milioni milione millionen",
    10_000_000: "crore crores cr",
    100_000_000: "億 亿 억",
    1_000_000_000: "b bn mrd billion billions bilhao bilhoes miliardi milliarden milliards",
}
_UNIT_WORDS = """
    subscriber subscribers follower followers following view views like likes comment comments post posts video
    videos short shorts play plays fan fans suscriptor suscriptores subscriptor subscriptors seguidor seguidores
    seguidors seguidos visualizacion visualizaciones vistas reproducciones publicaciones comentarios inscritos
    visualizacao visualizacoes publicacoes curtidas abonne abonnes vues visualizzazioni iscritti abonnenten aufrufe
    abonnees weergaven me gusta
"""
_UNITS = frozenset(_UNIT_WORDS.split())
_NONE = frozenset({"no", "sin", "sem", "nenhum", "nenhuma", "aucun", "aucune", "keine", "nessun", "nessuna", "geen"})
"""Before a unit they are YouTube's words for zero: ``No videos``."""
_PLAIN = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,18})(?: views| subscribers| videos| followers)?", re.ASCII)
_COUNT = re.compile(
    r"(?P<digits>\d[\d.,'’ _]*?(?:e\+?\d{1,2})?) ?\+? ?(?P<words>[^\W\d_]*\.?(?: (?:d['’])?[^\W\d_]+)*) ?\+?"
)
_SHARE = re.compile(r"(\d{1,9}(?:[.,]\d{1,12})?)\s?[%٪％]")
_GROUPS = {
    ",": re.compile(r"\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})*,\d{3}"),  # the second is the Indian way: 12,34,567
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+"),
    " ": re.compile(r"\d{1,3}(?:[ '’_]\d{3})+(?:[.,]\d+)?"),
}


def parse_count(text: object) -> int | None:
    """The whole number that ``text`` means: ``72M``, ``1,234``, ``1.234.567``, ``451K views``, ``3.0``, ``1,5 mil``.

    None when there is no number, or one that cannot be a count: negative, not whole, a percentage, over BIGINT.
    Numbers are taken as they are. A lone separator before three digits groups thousands (``1.234`` is 1234), but a
    point before K, M or B is a decimal point (``1.234K`` is 1234). ``No videos`` is 0.
    """
    if isinstance(text, bool) or text is None:
        return None
    if isinstance(text, int):
        return text if 0 <= text <= BIGINT else None
    if isinstance(text, float | Decimal):
        return _whole(Decimal(text))
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    exact = _PLAIN.fullmatch(text)
    if exact:
        return int(exact[1].replace(",", ""))
    plain = _plain(text)
    match = _COUNT.fullmatch(plain)
    if match is None:
        return 0 if _is_none(plain.split()) else None
    scale = _scale(match["words"])
    number = None if scale is None else _number(match["digits"], scaled=scale > 1)
    return None if number is None or scale is None else _whole(number * scale)


def parse_share(text: object) -> float | None:
    """The part of one that a percentage means: ``2.67%`` is 0.0267; None for what has no percent sign.

    A bare 2.67 is not read: lists write shares both as 2.67 and as 0.0267.
    """
    match = _SHARE.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= _LONGEST else None
    return float(Decimal(match[1].replace(",", ".")) / 100) if match else None


def _is_none(words: list[str]) -> bool:
    """Whether the words are ``no`` and a unit."""
    return len(words) == 2 and words[0] in _NONE and words[1] in _UNITS


def _plain(text: str) -> str:
    """Lower case without accents, quotes around and odd spaces."""
    if text.isascii():
        return " ".join(text.lower().split()).strip("\"' ")
    letters = unicodedata.normalize("NFD", text).lower()
    kept = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(kept.split()).strip("\"' ")


_SCALE = {_plain(word): scale for scale, words in _SCALES.items() for word in words.split()}


def _scale(words: str) -> int | None:
    """What the words after the digits multiply by; None when one of them is neither a scale nor a unit."""
    scale = 1
    for place, named in enumerate(words.split()):
        word = named.rstrip(".").removeprefix("d'").removeprefix("d’")
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
