"""A search as an address: filters as people type them, so that every chip and every facet is a plain link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igtool.counts import format_count
from igtool.report import texts
from igtool.search.answer import SearchResult
from igtool.search.filters import Filters
from igtool.search.grammar import Span
from igtool.serve.pages.frame import href

MANY = ("niche", "style", "language", "country", "tags", "lists")
RANGES = ("followers", "engagement", "growth")
LABELS = {
    "tags": "tag",
    "lists": "list",
    "match": "tags",
    "approved": "tags",
    "literal": "words",
    "verified": "only",
}
_SAID = {
    "verified": "verified accounts",
    "approved": "approved by a person",
    "match": "any of them is enough",
    "literal": "taken as they are",
}


@dataclass(frozen=True)
class Chip:
    """A filter in use. ``read_from``: the words of the text that it was read from, None for one that was chosen."""

    label: str
    value: str
    href: str
    read_from: str | None = None


def typed(filters: Filters) -> dict[str, list[str]]:
    """``filters`` as parameters that `make_filters` reads back to the same."""
    found: dict[str, list[str]] = {}
    asked = filters.as_dict()
    for name in RANGES:
        ends = [asked.pop(f"{end}_{name}", None) for end in ("min", "max")]
        if ends != [None, None]:
            found[name] = ["..".join("" if end is None else _number(name, end) for end in ends)]
    for name, value in asked.items():
        cells = value if isinstance(value, list) else [value]
        found[name] = ["true" if cell is True else str(cell) for cell in cells]
    return found


def _number(name: str, value: float) -> str:
    if name != "followers":
        shown = f"{value * 100:.10g}"
        return f"{shown}%" if float(shown) / 100 == value else repr(value)
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if value and value % unit == 0:
            return f"{int(value) // unit}{letter}"
    return str(int(value))


def shown_value(name: str, value: str) -> str:
    """A filter's value as people say it."""
    if name in _SAID:
        return _SAID[name]
    if name == "language":
        return texts.language(value)
    if name == "country":
        return texts.country(value)
    return texts.words(value) if name in ("niche", "style", "platform") else value


def chosen_chips(given: Mapping[str, Sequence[str]]) -> list[Chip]:
    """A chip for each filter of the parameters ``given``; its address is that of the search without it."""
    chips = []
    for name, values in given.items():
        if name in ("query", "sort", "limit"):
            continue
        for place, value in enumerate(values):
            rest = [*values[:place], *values[place + 1 :]]
            less = href("/", {**given, name: rest})
            chips.append(Chip(LABELS.get(name, texts.words(name).lower()), shown_value(name, value), less))
    return chips


def read_chips(result: SearchResult, own: Mapping[str, Any], given: Mapping[str, Sequence[str]]) -> list[Chip]:
    """A chip for each piece of the text that was read as a filter; its address is that of the text without it.

    ``own``: filters that were chosen, which go before those of the text.
    """
    chips = []
    for span in result.understood:
        means = {name: value for name, value in span.means.as_dict().items() if name not in own}
        if means:
            less = href("/", {**given, "query": _without(result.query, span)})
            name, value = _meaning(means)
            chips.append(Chip(name, value, less, span.text))
    return chips


def _meaning(means: Mapping[str, Any]) -> tuple[str, str]:
    low, high = means.get("min_followers"), means.get("max_followers")
    if low is not None or high is not None:
        if low is not None and high is not None:
            return "followers", f"{format_count(low)} to {format_count(high)}"
        return "followers", f"from {format_count(low)}" if high is None else f"up to {format_count(high)}"
    name, value = next(iter(means.items()))
    return LABELS.get(name, name), shown_value(name, str(value))


def _without(text: str, span: Span) -> str:
    return " ".join(f"{text[: span.start]} {text[span.end :]}".split())


def parts_in_thousandths(parts: Mapping[str, float], total: float) -> dict[str, int]:
    """``parts`` in whole thousandths that add up to ``total`` as it is shown, however each is rounded.

    The largest remainders are rounded up (Hamilton's method).
    """
    whole = {name: int(value * 1_000) for name, value in parts.items()}
    missing = round(total * 1_000) - sum(whole.values())
    by_remainder = sorted(parts, key=lambda name: whole[name] - parts[name] * 1_000)
    for name in by_remainder[: max(0, missing)]:
        whole[name] += 1
    return whole
