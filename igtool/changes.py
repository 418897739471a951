"""Changes that people make of what is theirs: stored in the lake, or laid over what was read while they wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from igtool.journal import Journal
from igtool.journal.said import Change, Said, SaidLog
from igtool.lake import Lake
from igtool.schema import TABLES

Row = dict[str, Any]

_STAYS = frozenset({"reviews", "tenant_lists"})
"""Tables in which a row that is there is not written again: it is as old as it is."""


def store(lake: Lake, changes: Iterable[Change]) -> int:
    """Make ``changes``, in order and in one commit; how many rows are new, of tables whose rows stay as they are."""
    new = 0
    with lake.transaction():
        for change in changes:
            if change.is_gone:
                lake.delete_rows(change.table, rows_of(change))
            elif change.table in _STAYS:
                new += lake.append_new(change.table, rows_of(change))
            else:
                lake.merge(change.table, rows_of(change))
    return new


def store_said(lake: Lake, journal: Journal) -> int:
    """Make every change that waits in the journal; how many those were. Making one again changes nothing."""
    log, count = SaidLog(journal), 0
    while waiting := log.waiting():
        store(lake, [one.change for one in waiting])
        log.drop(waiting[-1].number)
        count += len(waiting)
    return count


def rows_of(change: Change) -> list[Row]:
    """The rows of a change, with their times as such."""
    times = [column.name for column in TABLES[change.table].columns if column.type == "TIMESTAMPTZ"]
    return [
        dict(row) | {name: _moment(row[name]) for name in times if row.get(name) is not None} for row in change.rows
    ]


def overlaid(rows: Sequence[Row], table: str, tenant_id: str | None, waiting: Iterable[Said]) -> list[Row]:
    """``rows`` of ``table``, with its key, as they are when what ``waiting`` holds of a tenant is made; None: of all.

    Read what waits before the rows: a change that is made in between is laid over itself.
    """
    key = TABLES[table].key
    found = {tuple(row[name] for name in key): row for row in rows}
    for one in waiting:
        if one.change.table != table or tenant_id not in (None, one.tenant_id):
            continue
        for row in rows_of(one.change):
            place = tuple(row[name] for name in key)
            if one.change.is_gone:
                found.pop(place, None)
            else:
                found[place] = {**found.get(place, {}), **row}
    return list(found.values())


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
