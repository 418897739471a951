"""What a search may be narrowed to: conditions that every result meets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from igtool.counts import parse_count
from igtool.errors import UsageError
from igtool.search.places import COUNTRIES, LANGUAGES, folded

ACTIVITY = ("active", "slowing", "dormant")
ACTIVE_DAYS = 30
SLOWING_DAYS = 90
"""Days without a post, at the time the account was observed: active up to 30, slowing up to 90, then dormant.

Counted to the observation and not to today, so that an old dump says what was true when it was taken.
"""

GROWTH_DAYS = 30
"""The window of the growth that searches filter and sort by."""

PLATFORM_WORDS = {
    "instagram": "instagram",
    "insta": "instagram",
    "ig": "instagram",
    "youtube": "youtube",
    "yt": "youtube",
}
_RANGES = {"followers": "10k..500k", "engagement": "2%..8%", "growth": "5%.."}
_MANY = ("niche", "style", "language", "country", "tags", "lists")


@dataclass(frozen=True)
class Filters:
    """Conditions that every result meets; None or () asks for nothing.

    With ``platform`` the conditions on followers, activity, engagement, growth and verification speak of the creator's
    accounts there, without it of all accounts together. Of several values of ``niche``, ``style``, ``language`` or
    ``country`` one is enough. ``niche`` matches primary and secondary niches; ``country`` is ISO 3166-1 alpha-2 or a
    name, ``language`` ISO 639-1 or a name, in English or Spanish. Engagement is a rate (0.03: likes and comments of 3 %
    of the followers), growth the share of followers won in 30 days. ``tags`` are ``category:tag``; ``match`` says
    whether ``all`` or ``any`` of them must be there, ``approved`` that a person approved them. ``lists``: names of
    lists, of which a creator is on one; ``note``: a text that a note about the creator holds.
    """

    platform: str | None = None
    min_followers: int | None = None
    max_followers: int | None = None
    niche: tuple[str, ...] = ()
    style: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    activity: str | None = None
    min_engagement: float | None = None
    max_engagement: float | None = None
    min_growth: float | None = None
    max_growth: float | None = None
    verified: bool = False
    tags: tuple[str, ...] = ()
    match: str = "all"
    approved: bool = False
    lists: tuple[str, ...] = ()
    note: str | None = None

    def __post_init__(self) -> None:
        for name in _MANY:
            if isinstance(value := getattr(self, name), str):
                object.__setattr__(self, name, (value,))

    def over(self, other: Filters) -> Filters:
        """These filters, completed by ``other`` where they ask for nothing."""
        mine = {name: getattr(self, name) for name in FIELDS if getattr(self, name) != getattr(_NOTHING, name)}
        return replace(other, **mine)

    def as_dict(self) -> dict[str, Any]:
        """Only what is asked for, by name; several values as a list, a single one alone."""
        asked = {name: value for name, value in asdict(self).items() if value != getattr(_NOTHING, name)}
        return {
            name: (value[0] if len(value) == 1 else list(value)) if isinstance(value, tuple) else value
            for name, value in asked.items()
        }

    def resolved(self, known: Mapping[str, Collection[str]]) -> Filters:
        """The same filters in the words of the index.

        ``known`` gives the values that exist for platform, niche, style, language, country, tags and lists; an empty
        collection accepts any value. Raises UsageError for a value that does not exist, naming the nearest ones,
        and for a range that nothing can meet.
        """
        self._check_ranges()
        words: dict[str, Mapping[str, str]] = {
            "language": {**LANGUAGES, **_codes(LANGUAGES)},
            "country": {**COUNTRIES, **_codes(COUNTRIES)},
        }
        chosen: dict[str, Any] = {
            name: tuple(dict.fromkeys(_one_of(name, one, known, words.get(name, {})) for one in getattr(self, name)))
            for name in _MANY
        }
        return replace(
            self,
            platform=None if self.platform is None else _one_of("platform", self.platform, known, PLATFORM_WORDS),
            activity=None if self.activity is None else _one_of("activity", self.activity, {"activity": ACTIVITY}, {}),
            match=_one_of("match", self.match, {"match": ("all", "any")}, {}),
            **chosen,
        )

    def _check_ranges(self) -> None:
        for name in _RANGES:
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            for end, value in (("min", low), ("max", high)):
                if value is not None and name != "growth" and not value >= 0:
                    raise UsageError(f"{end}_{name} is {value}: give a number from 0 up")
            if low is not None and high is not None and low > high:
                raise UsageError(f"no creator has {name} of at least {low:,} and at most {high:,}: swap the two")


_NOTHING = Filters()
FIELDS = tuple(field.name for field in fields(Filters))
"""Names of all filters, in order."""


def make_filters(**cells: object) -> Filters:
    """Filters from cells as people type them; None asks nothing.

    ``followers``, ``engagement`` and ``growth`` are ranges: ``10k..500k``, ``10k..`` (or ``10k``), ``..2%``. Values
    with commas between, or a list, are several. Raises UsageError for an unknown name and for what cannot be read.
    """
    read: dict[str, Any] = {}
    for name, cell in cells.items():
        if name not in (*FIELDS, *_RANGES):
            near = get_close_matches(name, [*FIELDS, *_RANGES], n=1)
            raise UsageError(
                f"there is no filter {name!r}{f', did you mean {near[0]}?' if near else ''} "
                f"(there are: {', '.join([*_RANGES, *FIELDS])})"
            )
        if cell is None or cell in ((), []):
            continue
        if name in _RANGES:
            read |= _range(name, str(cell))
        elif name in _MANY:
            cells_of = [cell] if isinstance(cell, str) else list(cell)  # type: ignore[call-overload]
            read[name] = tuple(part.strip() for one in cells_of for part in str(one).split(",") if part.strip())
        elif name.startswith(("min_", "max_")):
            read[name] = _number(name, str(cell))
        else:
            read[name] = cell if isinstance(cell, bool) else str(cell).strip()
    return Filters(**read)


def _range(name: str, cell: str) -> dict[str, Any]:
    """The ends of ``low..high``; a number alone is the lower one."""
    low, dots, high = cell.partition("..")
    if not dots and not low.strip():
        raise UsageError(f"{name} is empty: give a range, for example {_RANGES[name]}")
    ends = {f"min_{name}": low, f"max_{name}": high}
    return {end: _number(end, text) for end, text in ends.items() if text.strip()}


def _number(name: str, cell: str) -> int | float:
    value = parse_count(cell) if name.endswith("followers") else _rate(cell)
    if value is None:
        example = _RANGES[name.split("_")[1]]
        raise UsageError(f"{name} is {cell[:60]!r}: give a number, or a range such as {example}")
    return value


def _rate(cell: str) -> float | None:
    """``3%`` and ``0.03`` as 0.03; None for anything else."""
    number = cell.strip()
    try:
        value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _codes(names: Mapping[str, str]) -> dict[str, str]:
    return {code.lower(): code for code in names.values()}


def _one_of(name: str, value: str, known: Mapping[str, Collection[str]], words: Mapping[str, str]) -> str:
    """``value`` as the index spells it."""
    there = known.get(name, ())
    spellings = {**words, **{_plain(item): item for item in there}}
    if found := spellings.get(_plain(value)) or spellings.get(folded(value)):
        return found
    if not there:
        return value
    near = get_close_matches(_plain(value), [*map(_plain, there), *words], n=3, cutoff=0.6)
    nearest = sorted({spellings[item] for item in near})
    offer = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are: {_some(there)}"
    raise UsageError(f"no creator in the index has the {_SHOWN.get(name, name)} {value[:60]!r}: {offer}")


_SHOWN = {"tags": "tag", "lists": "list"}


def _plain(value: str) -> str:
    return folded(value).replace("-", "_").replace(" ", "_")


def _some(values: Collection[str], most: int = 20) -> str:
    shown = ", ".join(sorted(values)[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
