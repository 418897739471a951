"""The audit log: entries that each hold the hash of the one before, first in the journal, then in the lake.

An entry's ``chain_sha256`` is SHA-256 over the one of the entry before, its number, time (microseconds since 1970),
tenant, actor, action and ``detail_sha256``, each with its length before it. ``detail_sha256`` is over a random salt and
the detail: both can be forgotten, the chain still holds, and the hash of a short text cannot be guessed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from igtool.journal.store import Journal

BEGINNING = bytes(32)
"""What the first entry has as the hash of the one before."""


@dataclass(frozen=True)
class Entry:
    """Who (``actor``: id of a key, or ``local``) did what, for which tenant; ``detail``: on what."""

    tenant_id: str
    actor: str
    action: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def append(cursor: sqlite3.Cursor, entry: Entry, *, now: float) -> None:
    """Write ``entry`` at the end of the chain, in the transaction of ``cursor``."""
    last = cursor.execute("select number, chain_sha256 from audit order by number desc limit 1").fetchone()
    number, before = (last[0] + 1, last[1]) if last else (1, BEGINNING)
    detail = json.dumps(dict(entry.detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    salt, at = secrets.token_bytes(16), int(now * 1_000_000)
    told = detail_sha256(salt, detail)
    chain = chain_sha256(before, number, at, (entry.tenant_id, entry.actor, entry.action), told)
    cursor.execute(
        "insert into audit (number, logged_at, tenant_id, actor, action, detail, salt, detail_sha256, chain_sha256) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, at, entry.tenant_id, entry.actor, entry.action, detail, salt, told, chain),
    )


def detail_sha256(salt: bytes, detail: str) -> bytes:
    """The hash of a detail."""
    return hashlib.sha256(salt + detail.encode("utf-8", "surrogatepass")).digest()


def chain_sha256(before: bytes, number: int, at: int, words: tuple[str, str, str], detail: bytes) -> bytes:
    """The hash of an entry: ``words`` are tenant, actor and action."""
    digest = hashlib.sha256()
    for part in (before, str(number).encode(), str(at).encode(), *(word.encode() for word in words), detail):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


@dataclass(frozen=True)
class Logged:
    """An entry as it stands in the journal or in the lake; ``detail`` and ``salt`` are None once forgotten.

    ``at`` is in microseconds since 1970.
    """

    number: int
    at: int
    tenant_id: str
    actor: str
    action: str
    detail: str | None
    salt: bytes | None
    detail_sha256: bytes
    chain_sha256: bytes

    def follows(self, before: bytes) -> bool:
        """Whether its hash is the one that it must have after an entry whose hash is ``before``."""
        words = (self.tenant_id, self.actor, self.action)
        return self.chain_sha256 == chain_sha256(before, self.number, self.at, words, self.detail_sha256)

    def holds(self) -> bool:
        """Whether its detail is the one that was logged, or forgotten together with its salt."""
        if self.detail is None or self.salt is None:
            return self.detail is None and self.salt is None
        return self.detail_sha256 == detail_sha256(self.salt, self.detail)


_COLUMNS = "number, logged_at, tenant_id, actor, action, detail, salt, detail_sha256, chain_sha256"


class AuditLog:
    """The entries of a journal: those that the lake does not have yet, and the newest one, on which the next rests."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def write(self, entries: Sequence[tuple[float, Entry]]) -> None:
        """Append ``entries``, each with its time in seconds since 1970, in one transaction; on disk on return."""
        with self._journal.transaction() as cursor:
            for at, entry in entries:
                append(cursor, entry, now=at)

    def is_empty(self) -> bool:
        """Whether there is no entry to go on from."""
        return not self._journal.read("select 1 from audit limit 1")

    def entries(self, after: int = 0, most: int | None = None) -> list[Logged]:
        """The entries with a number above ``after``, in order, those that the lake has as well included."""
        query = f"select {_COLUMNS} from audit where number > ? order by number limit ?"
        return [Logged(*row) for row in self._journal.read(query, (after, -1 if most is None else most))]

    def waiting(self, most: int) -> list[Logged]:
        """The oldest entries that the lake may not have."""
        query = f"select {_COLUMNS} from audit where not is_moved order by number limit ?"
        return [Logged(*row) for row in self._journal.read(query, (most,))]

    def moved(self, up_to: int) -> None:
        """The lake has the entries up to this number; the newest entry of all stays here."""
        with self._journal.transaction() as cursor:
            cursor.execute("update audit set is_moved = 1 where number <= ?", (up_to,))
            cursor.execute("delete from audit where is_moved and number < (select max(number) from audit)")

    def go_on_from(self, head: Logged) -> int:
        """Put ``head``, the newest entry of the lake, before what waits here, which is chained anew; how many waited.

        That is for a journal that is newer than the lake: its entries began a chain of their own. Does nothing where
        the chain goes on from ``head`` already.
        """
        with self._journal.transaction() as cursor:
            known = cursor.execute("select chain_sha256 from audit where number = ?", (head.number,)).fetchone()
            if known is not None and known[0] == head.chain_sha256:
                return 0
            last = cursor.execute("select max(number) from audit where is_moved").fetchone()[0]
            if last is not None and last > head.number:
                return 0  # the lake is older than what it had: `verify` tells of the gap
            query = f"select {_COLUMNS} from audit where not is_moved order by number"
            rows = [Logged(*row) for row in cursor.execute(query).fetchall()]
            if rows and rows[0].number > head.number and rows[0].follows(head.chain_sha256):
                return 0
            cursor.execute("delete from audit")
            _insert(cursor, head, is_moved=True)
            before = head
            for row in rows:
                words = (row.tenant_id, row.actor, row.action)
                number = before.number + 1
                chain = chain_sha256(before.chain_sha256, number, row.at, words, row.detail_sha256)
                before = replace(row, number=number, chain_sha256=chain)
                _insert(cursor, before, is_moved=False)
        return len(rows)

    def forget(self, numbers: Sequence[int]) -> None:
        """Take detail and salt away from entries."""
        with self._journal.transaction() as cursor:
            query = "update audit set detail = null, salt = null where number = ?"
            cursor.executemany(query, ((number,) for number in numbers))


def _insert(cursor: sqlite3.Cursor, entry: Logged, *, is_moved: bool) -> None:
    marks = ", ".join("?" * 10)
    cursor.execute(f"insert into audit ({_COLUMNS}, is_moved) values ({marks})", (*astuple(entry), is_moved))
