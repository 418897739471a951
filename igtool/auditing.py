"""The audit log over both stores: moved to the lake, read as one, verified, and details forgotten.

The journal keeps the newest entry, so that the chain goes on without the lake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from igtool.errors import ConfigError
from igtool.journal import Journal
from igtool.journal.audit import BEGINNING, AuditLog, Entry, Logged
from igtool.journal.tenants import LOCAL
from igtool.lake import Lake
from igtool.settings import Settings

MOST = 1_000
"""Entries of a commit of the lake."""
FORGOTTEN = "audit.forget"
"""Action of the entry that names the entries whose details were forgotten."""
Answer = TypeVar("Answer")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ = (
    "select entry_number, epoch_us(logged_at) as at, tenant_id, actor, action, detail::varchar as detail, salt, "
    "detail_sha256, chain_sha256 from audit_log"
)


@dataclass(frozen=True)
class Verdict:
    """What a verification found: ``problem`` says what is wrong with the first bad ``entry_number``, if any is.

    ``head`` is the hash of the newest entry, hexadecimal: who notes it elsewhere can ask later whether it is in there.
    """

    entries: int
    forgotten: int
    head: str
    entry_number: int | None = None
    problem: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing was changed or taken out, as far as the log can tell."""
        return self.problem is None


def move_entries(lake: Lake, journal: Journal) -> None:
    """Move every entry to ``audit_log``; doing it again changes nothing."""
    log = AuditLog(journal)
    if not log.waiting(1):
        return
    if (head := head_of(lake)) is not None:
        log.go_on_from(head)
    while entries := log.waiting(MOST):
        with lake.transaction():
            lake.append_new("audit_log", [_row(entry) for entry in entries])
        log.moved(entries[-1].number)


def adopt_head(settings: Settings, journal: Journal) -> None:
    """Let a journal without entries go on from the newest one of the lake, if there is one."""
    head = _of_lake(settings, head_of) if AuditLog(journal).is_empty() else None
    if head is not None:
        AuditLog(journal).go_on_from(head)


def head_of(lake: Lake) -> Logged | None:
    """The newest entry of the lake."""
    return next(_logged(lake, f"{_READ} order by entry_number desc limit 1"), None)


def entries_of(lake: Lake | None, journal: Journal) -> Iterator[Logged]:
    """All entries of both stores in order; of two with the same number that differ, both."""
    waiting = AuditLog(journal).entries()  # before the lake, so that none is missed that is moved meanwhile
    by_number = {entry.number: entry for entry in waiting}
    last = 0
    for entry in _logged(lake, f"{_READ} order by entry_number") if lake is not None else ():
        last = entry.number
        yield entry
        there = by_number.get(entry.number)
        if there is not None and there.chain_sha256 != entry.chain_sha256:
            yield there
    yield from (entry for entry in waiting if entry.number > last)


def settings_entries(settings: Settings, journal: Journal) -> list[dict[str, Any]]:
    """The details of all entries about settings, oldest first."""
    here = [one for one in AuditLog(journal).entries() if one.action == "settings"]
    query = f"{_READ} where action = 'settings' order by entry_number"
    there = _of_lake(settings, lambda lake: list(_logged(lake, query))) or []
    found = {one.number: one.detail for one in (*there, *here)}
    return [json.loads(detail) for _, detail in sorted(found.items()) if detail is not None]


def _of_lake(settings: Settings, ask: Callable[[Lake], Answer]) -> Answer | None:
    """What ``ask`` says; None where there is no lake, or one of an older igtool, which has no such log."""
    if not settings.lake.is_made:
        return None
    try:
        with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
            return ask(lake)
    except ConfigError:
        return None


def verify(lake: Lake | None, journal: Journal, head: str | None = None) -> Verdict:
    """Whether the chain is whole, and whether ``head`` (hexadecimal) is the hash of one of its entries."""
    check = _Check(head)
    for entry in entries_of(lake, journal):
        check.take(entry)
    return check.verdict()


@dataclass
class _Check:
    """What is known of a chain so far."""

    wanted: str | None
    before: bytes = BEGINNING
    number: int = 0
    count: int = 0
    has_wanted: bool = False
    bare: list[int] = field(default_factory=list)
    excused: set[int] = field(default_factory=set)
    bad: tuple[int, str] | None = None

    def take(self, entry: Logged) -> None:
        """The next entry."""
        if self.bad is None and (problem := self._problem(entry)) is not None:
            self.bad = (problem[0], problem[1])
        self.before, self.number = entry.chain_sha256, entry.number
        self.count += 1
        self.has_wanted = self.has_wanted or entry.chain_sha256.hex() == self.wanted
        if entry.detail is None:
            self.bare.append(entry.number)
        elif entry.action == FORGOTTEN and entry.holds():
            self.excused.update(json.loads(entry.detail).get("entries", ()))

    def _problem(self, entry: Logged) -> tuple[int, str] | None:
        due = self.number + 1
        if entry.number > due:
            gone = f"entry {due} is" if entry.number == due + 1 else f"entries {due} to {entry.number - 1} are"
            return due, f"{gone} missing"
        if entry.number < due:
            return entry.number, f"there are two entries {entry.number} that differ"
        if not entry.follows(self.before):
            return due, f"entry {due} does not fit the one before: one of the two was changed, put in or moved"
        if not entry.holds():
            return due, f"the detail of entry {due} is not the one that was logged"
        return None

    def verdict(self) -> Verdict:
        """What was found."""
        bare = next((number for number in self.bare if number not in self.excused), None)
        bad = self.bad
        if bare is not None and (bad is None or bare < bad[0]):
            bad = (bare, f"the detail of entry {bare} is gone, and no entry says that it was forgotten")
        if bad is None and self.wanted is not None and not self.has_wanted:
            bad = (self.number, "no entry has the hash given with --head: the log was cut off, or made anew")
        number, problem = bad if bad is not None else (None, None)
        return Verdict(self.count, len(self.bare), self.before.hex(), number, problem)


def forget_details(lake: Lake, journal: Journal, names: Collection[str], *, now: float) -> int:
    """Take the details away of every entry that names one of ``names`` (creator ids, handles); how many those were.

    For whoever writes both stores. That they are gone is an entry as well, by number. The bytes leave the lake with
    `Lake.purge` of ``audit_log``.
    """
    words = sorted({re.escape(name.strip().removeprefix("@").lower()) for name in names} - {""})
    if not words:
        return 0
    named = re.compile(rf"(?<![\w.])(?:{'|'.join(words)})(?![\w]|\.\w)")
    numbers = [one.number for one in entries_of(lake, journal) if one.detail and named.search(_told(one.detail))]
    if not numbers:
        return 0
    log = AuditLog(journal)
    log.write([(now, Entry(LOCAL, LOCAL, FORGOTTEN, {"entries": numbers}))])
    log.forget(numbers)
    with lake.transaction():
        lake.execute(
            "update audit_log set detail = null, salt = null where entry_number in (select unnest(?::bigint[]))",
            (numbers,),
        )
    return len(numbers)


def _told(detail: str) -> str:
    """The texts of a detail, as they read and in lower case."""
    return json.dumps(json.loads(detail), ensure_ascii=False).lower()


def _row(entry: Logged) -> dict[str, Any]:
    return {
        "entry_number": entry.number,
        "logged_at": _EPOCH + timedelta(microseconds=entry.at),
        "tenant_id": entry.tenant_id,
        "actor": entry.actor,
        "action": entry.action,
        "detail": entry.detail,
        "salt": entry.salt.hex() if entry.salt is not None else None,
        "detail_sha256": entry.detail_sha256.hex(),
        "chain_sha256": entry.chain_sha256.hex(),
    }


def _logged(lake: Lake, query: str) -> Iterator[Logged]:
    for batch in lake.batches(query):
        for row in batch.to_pylist():
            yield Logged(
                number=row["entry_number"],
                at=row["at"],
                tenant_id=row["tenant_id"] or "",
                actor=row["actor"] or "",
                action=row["action"] or "",
                detail=row["detail"],
                salt=_bytes(row["salt"]) if row["salt"] is not None else None,
                detail_sha256=_bytes(row["detail_sha256"]),
                chain_sha256=_bytes(row["chain_sha256"]),
            )


def _bytes(text: str | None) -> bytes:
    """What ``text`` says in hexadecimal; a hash that nothing has where it is damaged."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""
