"""The changes that the samples of the lake show, week by week."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igtool.drift.compare import CHANCE, NEW, UNKNOWN, Change, Field, Sample, chance, compare, share, span
from igtool.drift.reading import fields_read
from igtool.errors import UsageError
from igtool.lake import Lake

WINDOW = 8
"""A week is compared with so many weeks before it, at most."""

Weeks = Sequence[tuple[str, Sequence[str]]]
"""Each week to look at with those that it is compared with."""


@dataclass
class History:
    """The changes, and what was looked at for them: ``answers`` of ``shapes`` (source and shape) in ``weeks``.

    ``alone`` are the shapes that have one week only, so that there is nothing to compare them with.
    """

    changes: list[Change] = field(default_factory=list)
    answers: int = 0
    shapes: set[tuple[str, str]] = field(default_factory=set)
    alone: set[tuple[str, str]] = field(default_factory=set)
    weeks: set[str] = field(default_factory=set)


def history(lake: Lake, *, source: str | None = None, since: str | None = None) -> History:
    """What changed in the newest week of each shape, or in every week from ``since`` (``2026-W40``) on.

    Raises UsageError when nothing of ``source`` was sampled.
    """
    rows = lake.rows(
        "select distinct source, shape, week from drift where source = coalesce(?, source) order by all", (source,)
    )
    if source is not None and not rows:
        known = [row["source"] for row in lake.rows("select distinct source from drift order by 1")]
        raise UsageError(f"no answers of {source!r} were sampled; there are: {', '.join(known) or 'none'}")
    found = History()
    found.changes += unread(lake, source=source, since=since)
    by_shape: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        by_shape[row["source"], row["shape"]].append(row["week"])
    for (name, shape), weeks in by_shape.items():
        _look(lake, found, name, shape, windows(weeks, since))
    return found


def windows(weeks: Sequence[str], since: str | None = None) -> Weeks:
    """The newest of ``weeks`` (sorted), or all from ``since`` on, each with the weeks before it."""
    first = len(weeks) - 1 if since is None else 0
    return [
        (week, weeks[max(0, place - WINDOW) : place])
        for place, week in enumerate(weeks)
        if place >= first and (since is None or week >= since)
    ]


def _look(lake: Lake, found: History, source: str, shape: str, wanted: Weeks) -> None:
    """Add to ``found`` what changed in the answers of one shape; those that none reads have nothing in common."""
    if not wanted:
        return
    needed = sorted({week for newest, before in wanted for week in (newest, *before)})
    samples = _samples(lake, source, shape, needed)
    found.weeks |= set(samples)
    found.answers += sum(sample.answers for sample in samples.values())
    found.shapes.add((source, shape))
    if len(needed) == 1:
        found.alone.add((source, shape))
    if shape != UNKNOWN:
        read = fields_read(shape)
        for week, before in wanted:
            found.changes += compare([samples[each] for each in before], samples[week], read)


def _samples(lake: Lake, source: str, shape: str, weeks: Sequence[str]) -> dict[str, Sample]:
    rows = lake.rows(
        "select week, path, types, seen_count, answer_count, example_answer_id from drift "
        "where source = ? and shape = ? and week between ? and ?",
        (source, shape, weeks[0], weeks[-1]),
    )
    return samples_of(source, shape, rows)


def samples_of(source: str, shape: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Sample]:
    """Week to its sample, from the rows of ``drift`` of one source and shape."""
    fields: dict[str, dict[str, Field]] = defaultdict(dict)
    answers: dict[str, int] = {}
    for row in rows:
        answers[row["week"]] = row["answer_count"]
        fields[row["week"]][row["path"]] = Field(row["seen_count"], json.loads(row["types"]), row["example_answer_id"])
    return {week: Sample(source, shape, week, answers[week], fields[week]) for week in answers}


def unread(lake: Lake, *, source: str | None = None, since: str | None = None) -> Iterator[Change]:
    """The sources of which a larger share of the answers cannot be read than before."""
    rows = lake.rows(
        "select source, week, sum(row_count - filled_count)::bigint as unread, sum(row_count)::bigint as answers "
        "from column_fill where table_name = 'raw_responses' and source = coalesce(?, source) "
        "group by all order by source, week",
        (source,),
    )
    by_source: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        by_source[row["source"]][row["week"]] = (row["unread"], row["answers"])
    for name, counts in by_source.items():
        for week, before in windows(list(counts), since):
            was = sum(counts[each][0] for each in before)
            of = sum(counts[each][1] for each in before)
            now, out_of = counts[week]
            if of and now / out_of - was / of >= NEW and chance(was, of, now, out_of) <= CHANCE:
                yield Change(
                    source=name,
                    shape=UNKNOWN,
                    week=week,
                    change="unread",
                    path="$",
                    before=share(was, of),
                    after=share(now, out_of),
                    weeks=span(before),
                    matters=True,
                )
