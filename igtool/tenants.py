"""Tenants of a workspace: added, given new keys, removed with everything that they kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from igtool.auditing import adopt_head
from igtool.journal import Journal
from igtool.journal.audit import Entry
from igtool.journal.conversations import ConversationQueue
from igtool.journal.said import Change, SaidLog
from igtool.journal.tenants import LOCAL, TenantBook
from igtool.lake import Lake
from igtool.outbox import hand_over_now
from igtool.schema import TABLES
from igtool.settings import Settings

KEPT = ("tenant_lists", "tenant_notes", "tenant_hidden", "tenant_searches", "search_log")
"""Tables with rows of tenants that go with them; conversations besides, and the audit log stays."""
_AT_ONCE = 1_000


@contextmanager
def open_book(settings: Settings) -> Iterator[TenantBook]:
    """The tenants, for changes that a running server sees within a second and that no run has to wait for."""
    with Journal(settings.cache, writable=False, shared=True) as journal:
        adopt_head(settings, journal)
        yield TenantBook(journal)


def remove_tenant(settings: Settings, name: str, *, now: float) -> bool:
    """Remove the tenant ``name`` and what it kept; False where a run writes the lake, whose rows go at its end.

    Raises UsageError.
    """
    with Journal(settings.cache, writable=False, shared=True) as journal:
        adopt_head(settings, journal)
        TenantBook(journal).remove(name, now=now)
        journal.drop_searches_of(name)
        waiting = _waiting(journal, name)  # before the lake, so that none is missed that is moved meanwhile
        queue = ConversationQueue(journal)
        if not settings.lake.is_made:
            queue.delete_all(name, (), now=now)
            return True
        with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
            rows = lake.rows("select conversation_id from conversations where tenant_id = ?", (name,))
            kept = {table: _keys(lake, table, name) + waiting.get(table, []) for table in KEPT}
        queue.delete_all(name, [row["conversation_id"] for row in rows], now=now)
        gone = [
            Change(table, keys[first : first + _AT_ONCE], is_gone=True)
            for table, keys in kept.items()
            for first in range(0, len(keys), _AT_ONCE)
        ]
        counts = {table: len(keys) for table, keys in kept.items() if keys}
        entry = Entry(name, LOCAL, "tenant.erase", {"tenant": name, "rows": counts, "conversations": len(rows)})
        SaidLog(journal).say(gone, entry, now=now)
    return hand_over_now(settings)


def _keys(lake: Lake, table: str, tenant: str) -> list[dict[str, Any]]:
    """Keys of the rows of a tenant."""
    rows = lake.rows(f"select {', '.join(TABLES[table].key)} from {table} where tenant_id = ?", (tenant,))
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in rows
    ]


def _waiting(journal: Journal, tenant: str) -> dict[str, list[dict[str, Any]]]:
    """Keys of the rows of a tenant that are on their way to the lake, by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for said in SaidLog(journal).waiting(most=-1):
        if said.tenant_id == tenant and said.change.table in KEPT:
            key = TABLES[said.change.table].key
            rows = [{name: row[name] for name in key if name in row} for row in said.change.rows]
            found.setdefault(said.change.table, []).extend(rows)
    return found
