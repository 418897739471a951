"""Words and signs of a short text as features: n-grams with their places, and sums over a lexicon of valences."""

from __future__ import annotations

import html
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool import vocabulary
from igtool.errors import ConfigError

Span = tuple[int, int]
Row = NDArray[np.float32]

MAX_CHARACTERS = 4000
"""Longer texts are cut: the first of them tell the sentiment, and the work stays bounded."""

_PICTURE = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2764\u2639\u263a]"
_TOKEN = re.compile(
    r"(?P<url>https?://\S+|www\.\S+)|(?P<user>(?<!\w)@\w+)|(?P<tag>#\w+)"
    r"|(?P<smile>[:;=]['’]?-?[)(dDpPoO/\\|*3\]\[](?!\w)|<3|[xX]D\b)"
    r"|(?P<word>[^\W_]+(?:['’][^\W_]+)*)|(?P<mark>[!?]+|\.{2,}|…)"
    rf"|(?P<picture>{_PICTURE})|(?P<stop>[.,;])"
)
_LONG = re.compile(r"(\w)\1{2,}")
_LINK = re.compile(r"https?://\S+|\bhttp\b")
_MENTION = re.compile(r"(?<!\w)@\w+")
_MENTIONS = re.compile(r"(?:@user\s*){2,}")
_SPACES = re.compile(r"\s+")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")

_FILE = Path(vocabulary.__file__).parent / "sentiment_signs.toml"


def _signs() -> dict[str, Any]:
    try:
        return tomllib.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{_FILE.name}: cannot be read as TOML: {error}") from error


_SIGNS = _signs()
NEGATIONS, _MORE, _LESS, _TURNS = (
    frozenset(str(_SIGNS.get(name, "")).split()) for name in ("negations", "intensifiers", "dampers", "turns")
)
PICTURES = {sign: float(value) for value, signs in _SIGNS.get("pictures", {}).items() for sign in signs}
"""Pictures with their valence, −1 to 1: part of the lexicon of a head."""
_REACH = 3
"""Words after a negation that it turns round (Hutto & Gilbert 2014)."""

DENSE = (
    "positive", "negative", "balance", "positive_words", "negative_words", "highest", "lowest", "after_turn", "last",
    "smiles", "exclamations", "questions", "dots", "capitals", "stretched", "links", "mentions", "hashtags",
    "negations", "length", "numbers", "quotes",
)  # fmt: skip


@dataclass(frozen=True)
class Token:
    """One word or sign: ``name`` is its normal form, ``start`` and ``end`` its place in the text."""

    kind: str
    name: str
    start: int
    end: int


def readable(text: str) -> str:
    """``text`` with HTML entities and escapes of characters that an export left in it resolved."""
    if "&" in text:
        text = html.unescape(text)
    if "\\u" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text[:MAX_CHARACTERS].replace("\0", " ").replace('\\"', '"')


def plain(text: str) -> str:
    """``text`` without links and on one line, people's names as ``@user``: what is encoded and weighed."""
    text = _MENTION.sub("@user", _LINK.sub("", text))
    return _SPACES.sub(" ", _MENTIONS.sub("@user ", text)).strip()


def tokens(text: str) -> list[Token]:
    """The words and signs of ``text`` in order, addresses and names reduced to their kind."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind in ("url", "user"):
            name = f"<{kind}>"
        elif kind == "mark":
            name = "…" if match.group()[0] in ".…" else ("?" if "?" in match.group() else "!")
        elif kind == "tag":
            name = match.group()[1:].lower()
        elif kind == "word":
            name = "<number>" if match.group().isdigit() else _shortened(match.group())
        else:
            name = match.group()
        found.append(Token(kind, name, match.start(), match.end()))
    return found


def _shortened(word: str) -> str:
    return _LONG.sub(r"\1\1", word.lower().replace("’", "'"))


def ngrams(found: list[Token]) -> Iterator[tuple[str, Span]]:
    """Words, words behind a negation (``~word``) and pairs of neighbours, each with its place."""
    reach = 0
    for token in found:
        if token.kind == "stop" or token.name in _TURNS:
            reach = 0
        yield token.name, (token.start, token.end)
        if reach and token.kind in ("word", "tag") and token.name not in NEGATIONS:
            yield "~" + token.name, (token.start, token.end)
        reach = _REACH if token.name in NEGATIONS else max(0, reach - 1)
    for one, other in pairwise(found):
        if one.kind != "stop" and other.kind != "stop":
            yield f"{one.name} {other.name}", (one.start, other.end)


def valences(text: str, found: list[Token], lexicon: Mapping[str, float]) -> list[tuple[float, Span]]:
    """What each word of the lexicon says here, −1 to 1 and beyond, with the words that change it in its place.

    A negation up to three words before turns a word round and weakens it; an intensifier before it, capitals and a
    stretched word strengthen it. Factors after Hutto & Gilbert 2014 (VADER).
    """
    said = []
    negated_from = -1
    shouting = text.isupper()
    for place, token in enumerate(found):
        if token.name in NEGATIONS:
            negated_from = place
            continue
        value = lexicon.get(token.name)
        if value is None:
            continue
        start = token.start
        before = found[place - 1].name if place else ""
        if before in _MORE or before in _LESS:
            value *= 1.3 if before in _MORE else 0.7
            start = found[place - 1].start
        if token.kind == "word" and not shouting and text[token.start : token.end].isupper() and len(token.name) > 2:
            value *= 1.3
        gap = found[negated_from + 1 : place] if negated_from >= 0 and place - negated_from <= _REACH else None
        if gap is not None and all(other.kind != "stop" for other in gap):
            value *= -0.6
            start = found[negated_from].start
        said.append((value, (start, token.end)))
    return said


def dense(text: str, found: list[Token], said: list[tuple[float, Span]]) -> Row:
    """The features named in ``DENSE``; counts are damped so that a long text is no other kind of text."""
    values = [value for value, _ in said]
    turn = max((token.start for token in found if token.name in _TURNS), default=-1)
    kinds = [token.kind for token in found]
    names = [token.name for token in found]
    words = [text[token.start : token.end] for token in found if token.kind == "word"]
    up = sum(v for v in values if v > 0)
    down = -sum(v for v in values if v < 0)
    row = (
        np.tanh(up), np.tanh(down), np.tanh(up - down), sum(v > 0 for v in values), sum(v < 0 for v in values),
        max(values, default=0.0), min(values, default=0.0),
        sum(v for v, (start, _) in said if 0 <= turn < start), values[-1] if values else 0.0,
        kinds.count("smile") + kinds.count("picture"), names.count("!"), names.count("?"), names.count("…"),
        sum(w.isupper() and len(w) > 2 for w in words) / (len(words) or 1), bool(_LONG.search(text)),
        kinds.count("url"), kinds.count("user"), kinds.count("tag"), sum(n in NEGATIONS for n in names),
        np.log1p(len(words)) / 3, names.count("<number>"), text.count('"') + text.count("“"),
    )  # fmt: skip
    return np.clip(np.array(row, dtype=np.float32), -3, 3)
