"""What the main job knows about its list, as the report wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from igtool.fill import Cell
from igtool.lists.creator_list import CreatorList
from igtool.report.data import ListSummary, Oddity, ValueOrigin


def list_summary(creators: CreatorList, status: Mapping[str, int]) -> ListSummary:
    """The list as it was read; ``status`` is ``Filling.counts``."""
    return ListSummary(
        path=str(creators.path) if creators.path else creators.name,
        encoding=creators.encoding,
        delimiter=creators.delimiter,
        rows=len(creators.rows),
        status=status,
        odd=tuple(
            Oddity(slug, count, tuple(creators.odd_lines.get(slug, ())))
            for slug, count in sorted(creators.odd.items(), key=lambda item: (-item[1], item[0]))
        ),
    )


def value_origins(cells: Iterable[Cell]) -> tuple[ValueOrigin, ...]:
    """Filled cells by column, field and method, most first within a column."""
    counts = Counter((cell.column, cell.field, cell.method) for cell in cells)
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return tuple(ValueOrigin(column, name, method, count) for (column, name, method), count in ordered)
