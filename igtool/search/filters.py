"""What a search may be narrowed to, and the grammar that reads such filters out of free text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches

from igtool.counts import parse_count
from igtool.errors import UsageError
from igtool.search.places import COUNTRIES, LANGUAGES, folded

ACTIVITY = ("active", "slowing", "dormant")
ACTIVE_DAYS = 30
SLOWING_DAYS = 90
"""Days without a post, at the time the account was observed: active up to 30, slowing up to 90, then dormant.

Counted to the observation and not to today, so that an old dump says what was true when it was taken.
"""

_PLATFORM_WORDS = {
    "instagram": "instagram",
    "insta": "instagram",
    "ig": "instagram",
    "youtube": "youtube",
    "yt": "youtube",
}


@dataclass(frozen=True)
class Filters:
    """Conditions that every result meets; None asks for nothing.

    With ``platform`` the follower, activity and engagement conditions speak of the creator's accounts there,
    without it of all accounts together. ``niche`` matches the primary and the secondary niches. ``country`` is
    ISO 3166-1 alpha-2 or a name, ``language`` ISO 639-1 or a name, in English or Spanish. ``min_engagement`` is
    a rate: 0.03 means likes and comments of 3 % of the followers.
    """

    platform: str | None = None
    min_followers: int | None = None
    max_followers: int | None = None
    niche: str | None = None
    style: str | None = None
    language: str | None = None
    country: str | None = None
    activity: str | None = None
    min_engagement: float | None = None

    def over(self, other: Filters) -> Filters:
        """These filters, completed by ``other`` where they ask for nothing."""
        mine = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(other, **mine)

    def as_dict(self) -> dict[str, str | int | float]:
        """Only what is asked for, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def resolved(self, known: Mapping[str, Collection[str]]) -> Filters:
        """The same filters in the words of the index.

        ``known`` gives the values that exist for platform, niche, style, language and country; an empty
        collection accepts any value. Raises UsageError for a value that does not exist, naming the nearest ones,
        and for a range that nothing can meet.
        """
        self._check_numbers()
        country, language = self.country, self.language
        return replace(
            self,
            platform=_one_of("platform", self.platform, known, _PLATFORM_WORDS),
            niche=_one_of("niche", self.niche, known, {}),
            style=_one_of("style", self.style, known, {}),
            language=_one_of("language", language, known, {**LANGUAGES, **_codes(LANGUAGES)}),
            country=_one_of("country", country, known, {**COUNTRIES, **_codes(COUNTRIES)}),
            activity=_one_of("activity", self.activity, {"activity": ACTIVITY}, {}),
        )

    def _check_numbers(self) -> None:
        low, high = self.min_followers, self.max_followers
        for name in ("min_followers", "max_followers", "min_engagement"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise UsageError(f"{name} is {value}: give a number from 0 up")
        if low is not None and high is not None and low > high:
            raise UsageError(f"no creator has at least {low:,} and at most {high:,} followers: swap the two")


def make_filters(**cells: object) -> Filters:
    """Filters from cells as people type them: "10k" for a count, "3%" for an engagement rate; None asks nothing.

    Raises UsageError for an unknown name and for a number that cannot be read.
    """
    read: dict[str, object] = {}
    for name, cell in cells.items():
        if name not in FIELDS:
            raise UsageError(f"there is no filter {name!r}; there are: {', '.join(FIELDS)}")
        if cell is None:
            continue
        value: object = str(cell).strip()
        if name in ("min_followers", "max_followers"):
            value = parse_count(cell)
        elif name == "min_engagement":
            value = _rate(str(cell))
        if value is None:
            raise UsageError(f"{name} is {str(cell)[:60]!r}: give a number, for example 10k, 1.5M or 3%")
        read[name] = value
    return replace(Filters(), **read)  # type: ignore[arg-type]  # checked above, field by field


def _rate(cell: str) -> float | None:
    """``3%`` and ``0.03`` as 0.03; None for anything else."""
    number = cell.strip()
    try:
        return float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None


def _codes(names: Mapping[str, str]) -> dict[str, str]:
    return {code.lower(): code for code in names.values()}


def _one_of(name: str, value: str | None, known: Mapping[str, Collection[str]], words: Mapping[str, str]) -> str | None:
    """``value`` as the index spells it."""
    if value is None:
        return None
    there = known.get(name, ())
    spellings = {**words, **{_plain(item): item for item in there}}
    if found := spellings.get(_plain(value)) or spellings.get(folded(value)):
        return found
    if not there:
        return value
    near = get_close_matches(_plain(value), [*map(_plain, there), *words], n=3, cutoff=0.6)
    nearest = sorted({spellings[item] for item in near})
    offer = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are: {_some(there)}"
    raise UsageError(f"no creator in the index has the {name} {value[:60]!r}: {offer}")


def _plain(value: str) -> str:
    return folded(value).replace("-", "_").replace(" ", "_")


def _some(values: Collection[str], most: int = 20) -> str:
    shown = ", ".join(sorted(values)[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")


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
        platform=_PLATFORM_WORDS[platform.lower()] if platform else None,
        language=LANGUAGES[language.lower()] if language else None,
        country=COUNTRIES[country.lower()] if country else None,
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


FIELDS = tuple(field.name for field in fields(Filters))
"""Names of all filters, in order."""
