"""Whether the shapes still fill the columns that they used to fill: what ``igtool doctor`` looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from igtool.drift.compare import CHANCE, COMMON, chance, share, span
from igtool.drift.history import unread, windows
from igtool.lake import Lake

FLOOR = 0.6
"""A shape has to fill this share of what it filled in the weeks before."""
ENOUGH = 8
"""Fewer answers than this are not judged."""

FIX = "the platform changed its answers: see `igtool drift`; igtool needs an update of this shape"

Counts = Mapping[str, tuple[int, int]]
"""Column (``accounts.bio``) to rows with a value and rows."""


_BODY = "raw_responses.body"


@dataclass(frozen=True)
class Coverage:
    """How much of its columns a shape filled in ``week``, and in the ``weeks`` before it (shares of all cells).

    ``fallen``: the columns that are filled less than ``FLOOR`` times as often as before, with both shares. Without
    earlier weeks there is no measure: ``usual`` is None.
    """

    source: str
    shape: str
    week: str
    weeks: str
    filled: float
    usual: float | None
    fallen: tuple[str, ...]
    ok: bool


def coverage(lake: Lake) -> list[Coverage]:
    """Every shape that gave rows, by source, in its newest week.

    It is not ``ok`` below the floor, nor when a column that ``COMMON`` of the rows filled is in none any more.
    """
    rows = lake.rows(
        "select source, shape, week, table_name || '.' || column_name as name, filled_count, row_count "
        "from column_fill where shape in (select shape from column_fill where table_name <> 'raw_responses') "
        "order by all"
    )
    by_shape: dict[tuple[str, str], dict[str, dict[str, tuple[int, int]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        by_shape[row["source"], row["shape"]][row["week"]][row["name"]] = (row["filled_count"], row["row_count"])
    found = []
    for (source, shape), weeks in by_shape.items():
        ((week, before),) = windows(list(weeks))
        found.append(_judged(source, shape, week, weeks[week], [(each, weeks[each]) for each in before]))
    return found


def _judged(source: str, shape: str, week: str, now: Counts, before: Sequence[tuple[str, Counts]]) -> Coverage:
    weeks = span(each for each, _ in before)
    usual: dict[str, tuple[int, int]] = {}
    for _, counts in before:
        for name, (filled, rows) in counts.items():
            sum_filled, sum_rows = usual.get(name, (0, 0))
            usual[name] = (sum_filled + filled, sum_rows + rows)
    (_, answers), (_, usual_answers) = now[_BODY], usual.get(_BODY, (0, 0))
    expected = [name for name, (filled, _) in usual.items() if filled and name != _BODY]
    # A table of which there is no row any more, although each answer gave some, is one whose columns are all empty.
    pairs = {
        name: (now.get(name, (0, answers)), usual[name])
        for name in expected
        if name in now or usual[name][1] >= usual_answers
    }
    if not pairs or answers < ENOUGH or usual_answers < ENOUGH:
        cells = [counts for name, counts in now.items() if name != _BODY]
        return Coverage(source, shape, week, weeks, _mean(cells), None, (), True)
    share_now, share_usual = _mean([new for new, _ in pairs.values()]), _mean([old for _, old in pairs.values()])
    fallen = {name: pair for name, pair in pairs.items() if _ratio(*pair[0]) < FLOOR * _ratio(*pair[1])}
    is_ok = share_now >= FLOOR * share_usual and not any(_is_emptied(*pair) for pair in fallen.values())
    said = tuple(f"{name} {share(*old)} → {share(*new)}" for name, (new, old) in sorted(fallen.items()))
    return Coverage(source, shape, week, weeks, share_now, share_usual, said, is_ok)


def _is_emptied(now: tuple[int, int], usual: tuple[int, int]) -> bool:
    return not now[0] and _ratio(*usual) >= COMMON and chance(*now, *usual) <= CHANCE


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _mean(cells: Sequence[tuple[int, int]]) -> float:
    return sum(_ratio(*cell) for cell in cells) / len(cells) if cells else 0.0


def troubles(lake: Lake) -> Iterator[tuple[str, str]]:
    """A name and a sentence for each shape below its floor, and for each live source whose answers cannot be read.

    Files are what a user has: that some of them are of no known shape is no fault, and ``igtool rejects`` names them.
    """
    for each in coverage(lake):
        if not each.ok and each.usual is not None:
            yield (
                f"shape {each.shape}",
                f"answers of {each.source} in {each.week} fill {each.filled:.0%} of its columns, those of {each.weeks} "
                f"filled {each.usual:.0%}; fallen: {', '.join(each.fallen)}",
            )
    for change in unread(lake):
        if change.source != "files":
            yield (
                f"answers of {change.source}",
                f"{change.after} of those in {change.week} cannot be read, {change.before} of those in {change.weeks}",
            )
