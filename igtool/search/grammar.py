"""Filters that people write into a search: "under 500k followers", "on YouTube", "de España"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from igtool.counts import parse_count
from igtool.search.filters import PLATFORM_WORDS, Filters
from igtool.search.places import COUNTRIES, LANGUAGES, folded


@dataclass(frozen=True)
class Span:
    """A piece of the query that was read as a filter: ``text[start:end]`` and what it means."""

    start: int
    end: int
    text: str
    means: Filters


# A count as people type it: 500k, 1.5M, 10,000, 20 mil, 2 million.
_COUNT = r"(?<![\w$€£.])\d[\d.,]*(?:\s?(?:k|m|mil|thousand|millones|mill[oó]n|millions?)\b)?"
_SHORT = r"(?<![\w$€£.])\d[\d.,]*\s?(?:k|m|mil|thousand|millones|mill[oó]n|millions?)\b"
_FOLLOWERS = r"\s*(?:de\s+)?(?:followers|follower|subscribers|subs|fans|seguidores|suscriptores)\b"
# Without a noun "over 10k" is followers, but "over 10k views" or "moms over 30" are not.
_NO_NOUN = r"(?=\s*(?:$|[,.;)!?]|(?:in|on|from|and|with|who|en|de|del|con|y|que)\b))"
_MORE = r"(?:over|above|more\s+than|at\s+least|from|m[aá]s\s+de|al\s+menos|desde)"
_LESS = r"(?:under|below|less\s+than|fewer\s+than|up\s+to|at\s+most|menos\s+de|hasta|por\s+debajo\s+de)"
_NAMES = sorted(COUNTRIES, key=len, reverse=True)
_TONGUES = sorted(LANGUAGES, key=len, reverse=True)


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_RULES = (
    _rule(rf"\b(?:between|from|entre|de)\s+(?P<low>{_COUNT})\s*(?:and|to|y|a|-|–)\s*(?P<high>{_COUNT}){_FOLLOWERS}"),
    _rule(rf"\b(?:between|entre)\s+(?P<low>{_SHORT})\s*(?:and|y)\s*(?P<high>{_SHORT}){_NO_NOUN}"),
    _rule(rf"(?P<low>{_COUNT})\s*(?:-|–|to|a)\s*(?P<high>{_COUNT}){_FOLLOWERS}"),
    _rule(rf"\b{_MORE}\s+(?P<low>{_COUNT}){_FOLLOWERS}"),
    _rule(rf"\b{_LESS}\s+(?P<high>{_COUNT}){_FOLLOWERS}"),
    _rule(rf"\b{_MORE}\s+(?P<low>{_SHORT}){_NO_NOUN}"),
    _rule(rf"\b{_LESS}\s+(?P<high>{_SHORT}){_NO_NOUN}"),
    _rule(r"\b(?:on|en)\s+(?P<platform>youtube|yt|instagram|insta|ig)\b"),
    _rule(r"\b(?P<verified>verified|verificad[oa]s?)\b"),
    _rule(rf"\b(?P<language>{'|'.join(_TONGUES)})[- ]speaking\b"),
    _rule(
        rf"\b(?:in|en|(?:que\s+)?hablan?(?:\s+en)?|(?:who\s+)?speaks?(?:ing)?)\s+(?P<language>{'|'.join(_TONGUES)})\b"
    ),
    _rule(rf"\b(?:in|from|based\s+in|en|de|desde)\s+(?:the\s+|los\s+|el\s+|la\s+)?(?P<country>{'|'.join(_NAMES)})\b"),
)


def parse_query(text: str) -> tuple[str, Filters, list[Span]]:
    """The text without its filters, the filters, and where each stood.

    Reads follower ranges, platforms, countries and languages in English and Spanish ("under 500k followers",
    "on YouTube", "de España", "Spanish-speaking") by fixed rules; the first of two that speak of the same thing
    counts. What is not understood stays text. Offsets count characters of ``text``.
    """
    # Same length as ``text``, so that offsets hold: accents are folded only where that keeps one character.
    flat = "".join(one if len(one := folded(letter)) == 1 else letter for letter in text)
    spans = sorted(_spans(text, flat), key=lambda span: span.start)
    found = Filters()
    kept: list[Span] = []
    for span in spans:
        if not set(span.means.as_dict()) & set(found.as_dict()):
            found = found.over(span.means)
            kept.append(span)
    rest, end = [], 0
    for span in kept:
        rest.append(text[end : span.start])
        end = span.end
    rest.append(text[end:])
    return _tidy(rest), found, kept


def _spans(text: str, flat: str) -> Iterator[Span]:
    taken: list[tuple[int, int]] = []
    for rule in _RULES:
        for match in rule.finditer(flat):
            start, end = match.span()
            means = _meaning(match.groupdict())
            if means is None or any(start < right and left < end for left, right in taken):
                continue
            taken.append((start, end))
            yield Span(start, end, text[start:end], means)


def _meaning(groups: Mapping[str, str | None]) -> Filters | None:
    """The filters that a match asks for; None when its numbers are none."""
    low, high = groups.get("low"), groups.get("high")
    if low and high and low[-1].isdigit():
        low += high.lstrip("0123456789.,")  # "10-50k": the unit is said once
    counts: dict[str, int | None] = {}
    for name, cell in (("min_followers", low), ("max_followers", high)):
        if cell is not None:
            counts[name] = parse_count(cell.strip(" .,"))
            if counts[name] is None:
                return None
    if low and high and (counts["min_followers"] or 0) > (counts["max_followers"] or 0):
        return None
    platform, language, country = (groups.get(name) for name in ("platform", "language", "country"))
    return Filters(
        min_followers=counts.get("min_followers"),
        max_followers=counts.get("max_followers"),
        platform=PLATFORM_WORDS[platform.lower()] if platform else None,
        verified=groups.get("verified") is not None,
        language=(LANGUAGES[language.lower()],) if language else (),
        country=(COUNTRIES[country.lower()],) if country else (),
    )


_LOOSE = re.compile(r"(?:\s|^)(?:and|with|who|have|has|y|con|que|tienen|tiene)\s*$", re.IGNORECASE)


def _tidy(pieces: list[str]) -> str:
    """The pieces as one text, without the joining words a filter leaves hanging ("travel with | in Spain")."""
    ends = [_hanging(piece) for piece in pieces[:-1]] + pieces[-1:]
    joined = " ".join(" ".join(ends).split())
    return joined.strip(" ,;")


def _hanging(piece: str) -> str:
    while (shorter := _LOOSE.sub("", piece)) != piece:
        piece = shorter
    return piece
