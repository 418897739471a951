"""The rows of a creator list: which account each record names, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igtool.lists.columns import HandleColumn
from igtool.lists.csv_text import Oddities
from igtool.lists.handles import (
    NO_HANDLE,
    UNSUPPORTED,
    Account,
    NoAccount,
    cleaned,
    is_profile_address,
    lines_with_handle,
    parse_handle,
    parse_platform,
)


@dataclass(frozen=True)
class ListRow:
    """One record of a list.

    ``number`` counts records from 1; ``line`` is where it starts in the file, None without a file. Either
    ``platform`` and ``handle`` are known, or ``reason`` says why the row cannot be used: ``no-handle``,
    ``bad-handle``, ``unsupported-platform``, ``empty-row``, ``repeated-header``, and in JSON ``not-an-object`` and
    ``bad-json``. ``flags`` tell what was odd: ``duplicate-handle``, ``shifted-row``, ``handle-in-text``,
    ``other-column``, ``too-few-cells``, ``too-many-cells``.
    """

    number: int
    line: int | None
    platform: str | None
    handle: str | None
    cells: tuple[str, ...]
    reason: str | None = None
    flags: tuple[str, ...] = ()


class RowReader:
    """Makes rows of records, in order; ``rows`` holds one for each record that was given.

    ``handles`` are the columns to look for a handle in, best first; ``platform`` holds where a row says none.
    ``header`` is the header record, by which a repetition of it is known; None where there is none.
    """

    def __init__(
        self,
        columns: Sequence[str],
        handles: Sequence[HandleColumn],
        platform_column: int | None,
        platform: str | None,
        odd: Oddities,
    ) -> None:
        self.rows: list[ListRow] = []
        self.handles = handles
        self.odd = odd
        self.header: Sequence[str] | None = None
        self._width = len(columns)
        self._platform_column = platform_column
        self._platform = platform
        self._seen: set[Account] = set()

    def add(self, line: int | None, cells: tuple[str, ...], reason: str | None = None) -> ListRow:
        """The record as a row; ``reason`` says that it is already known to be unusable."""
        flags: list[str] = []
        if len(cells) != self._width:
            flags.append("too-few-cells" if len(cells) < self._width else "too-many-cells")
        found = NoAccount(reason) if reason else self._unusable(cells) or self._account(cells, flags)
        if isinstance(found, Account):
            if found in self._seen:
                flags.append("duplicate-handle")
            self._seen.add(found)
        for flag in flags:
            self.odd.add(flag, line)
        number = len(self.rows) + 1
        if isinstance(found, Account):
            row = ListRow(number, line, found.platform, found.handle, cells, None, tuple(flags))
        else:
            row = ListRow(number, line, None, None, cells, found.reason, tuple(flags))
        self.rows.append(row)
        return row

    def _unusable(self, cells: Sequence[str]) -> NoAccount | None:
        filled = [(place, cell.strip()) for place, cell in enumerate(cells) if cleaned(cell)]
        if not filled:
            return NoAccount("empty-row")
        if self.header is not None:
            names = [name.strip() for name in self.header]
            same = sum(place < len(names) and names[place] == cell for place, cell in filled)
            if same == len(filled) or (same > 1 and 2 * same >= len(filled)):
                return NoAccount("repeated-header")
        return None

    def _account(self, cells: Sequence[str], flags: list[str]) -> Account | NoAccount:
        """The account of a record, from its handle column, another one, or a line ``@handle`` in any cell."""
        stated = self._stated_platform(cells)
        first: NoAccount = NO_HANDLE
        for place, column in enumerate(self.handles):
            cell = cells[column.index] if column.index < len(cells) else ""
            platform = self._platform or column.platform if place == 0 else column.platform or self._platform
            found = _parsed(cell, stated, platform)
            if isinstance(found, Account):
                if place:
                    flags.append("other-column")
                return found
            if place == 0:
                first = found
        if first == UNSUPPORTED:
            return first
        return self._in_text(cells, stated, flags) or first

    def _stated_platform(self, cells: Sequence[str]) -> str | NoAccount | None:
        place = self._platform_column
        return parse_platform(cells[place]) if place is not None and place < len(cells) else None

    def _in_text(self, cells: Sequence[str], stated: str | NoAccount | None, flags: list[str]) -> Account | None:
        for place, cell in enumerate(cells):
            for text in lines_with_handle(cell):
                found = _parsed(text, stated, self._platform or self.handles[0].platform)
                if isinstance(found, Account):
                    flags.append("handle-in-text" if place == self.handles[0].index else "shifted-row")
                    return found
        return None


def _parsed(cell: str, stated: str | NoAccount | None, platform: str | None) -> Account | NoAccount:
    """The account in ``cell``: an address says its platform, then the row's platform cell counts."""
    if isinstance(stated, NoAccount):
        return parse_handle(cell) if is_profile_address(cell) else stated
    return parse_handle(cell, stated or platform)
