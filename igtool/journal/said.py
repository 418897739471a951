"""What people said through the server: changes of rows, in the journal until they are in the lake.

A change is the rows of a table that are there from now on, or their keys, which are gone. Making it again changes
nothing, so that a process may die between the lake's commit and the journal's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from igtool.journal.audit import Entry, append
from igtool.journal.store import Journal

MOST = 1_000
"""Changes of a commit of the lake."""


@dataclass(frozen=True)
class Change:
    """``rows`` of ``table``, by key, are so from now on; or, ``is_gone``, rows with these keys are not there."""

    table: str
    rows: Sequence[Mapping[str, Any]]
    is_gone: bool = False


@dataclass(frozen=True)
class Said:
    """A change as it waits, and whose it is."""

    number: int
    tenant_id: str
    change: Change


class SaidLog:
    """The changes that wait in a journal, oldest first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def say(self, changes: Sequence[Change], entry: Entry, *, now: float) -> None:
        """Write down ``changes`` and who made them, in one transaction; on disk when this returns."""
        with self._journal.transaction() as cursor:
            for change in changes:
                _insert(cursor, entry.tenant_id, change, now)
            append(cursor, entry, now=now)

    def waiting(self, most: int = MOST) -> list[Said]:
        """Changes that the lake may not have yet."""
        rows = self._journal.read(
            "select number, tenant_id, table_name, is_gone, rows from said order by number limit ?", (most,)
        )
        return [
            Said(number, tenant, Change(table, json.loads(given), bool(is_gone)))
            for number, tenant, table, is_gone, given in rows
        ]

    def drop(self, up_to: int) -> None:
        """The lake has them, up to this number."""
        with self._journal.transaction() as cursor:
            cursor.execute("delete from said where number <= ?", (up_to,))


def _insert(cursor: sqlite3.Cursor, tenant_id: str, change: Change, now: float) -> None:
    rows = json.dumps([dict(row) for row in change.rows], default=_told, ensure_ascii=False, separators=(",", ":"))
    cursor.execute(
        "insert into said (tenant_id, said_at, table_name, is_gone, rows) values (?, ?, ?, ?, ?)",
        (tenant_id, now, change.table, change.is_gone, rows),
    )


def _told(value: Any) -> str:
    """A time as JSON has it."""
    assert isinstance(value, datetime)  # noqa: S101 - rows hold texts, numbers and times
    return value.isoformat()
