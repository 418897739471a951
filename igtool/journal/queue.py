"""Jobs: one kind of data of one account to ask a source for, under a lease, until it has ended.

A job is ``waiting`` (until ``due_at``), ``leased`` by a process, or has ended: ``done``, ``private``, ``not_found``,
``failed`` (three tries in vain; a later run tries again) or ``dead`` (asking again as it is does not help).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from igtool.journal.store import Journal

WAITING, LEASED, DONE, PRIVATE, NOT_FOUND, FAILED, DEAD = (
    "waiting",
    "leased",
    "done",
    "private",
    "not_found",
    "failed",
    "dead",
)
ENDED = (DONE, PRIVATE, NOT_FOUND, FAILED, DEAD)
LEASE_S = 1_800.0
"""Far longer than an answer with all its tries takes; a dead owner is noticed earlier, by its process."""

_JOB = "job_id, platform, handle, kind, priority, source, target, progress, rounds"
_ENTRY = (
    *("job_id", "platform", "handle", "kind", "source", "state", "priority"),
    *("rounds", "reason", "due_at", "ended_at"),
)


@dataclass(frozen=True)
class Job:
    """A job as its worker sees it; ``progress`` is the fetcher's own text."""

    job_id: int
    platform: str
    handle: str
    kind: str
    priority: int
    source: str
    target: str | None
    progress: str
    rounds: int


@dataclass(frozen=True)
class Wanted:
    """A job that should exist; a higher ``priority`` goes first. ``reopens``: also when it has ended before."""

    platform: str
    handle: str
    kind: str
    source: str
    priority: int = 0
    target: str | None = None
    progress: str = ""
    reopens: bool = True


@dataclass(frozen=True)
class Change:
    """What becomes of a leased job. A ``progress`` or ``source`` of None leaves it as it is."""

    job_id: int
    state: str
    reason: str = ""
    due_at: float = 0.0
    progress: str | None = None
    source: str | None = None
    rounds: int | None = None


@dataclass(frozen=True)
class Standing:
    """How a job of an earlier run stands: its state, until when it rests (``due_at``), and when it ended."""

    state: str
    due_at: float
    ended_at: float | None


class Queue:
    """The jobs of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def standings(self, handles: Iterable[tuple[str, str]], kind: str) -> dict[tuple[str, str], Standing]:
        """(platform, handle) to how its job of ``kind`` stands, for those of ``handles`` that have one."""
        rows = self._journal.read(
            "select platform, handle, state, due_at, ended_at from json_each(?) asked join jobs "
            "on platform = asked.value ->> 0 and handle = asked.value ->> 1 where kind = ?",
            (msgspec.json.encode(list(handles)).decode(), kind),
        )
        return {(platform, handle): Standing(*rest) for platform, handle, *rest in rows}

    def enqueue(self, wanted: Iterable[Wanted], *, run: str, now: float) -> None:
        """Make the jobs wait for ``run``: new ones, and ended ones once more; one under way keeps its progress."""
        with self._journal.transaction() as cursor:
            add(cursor, wanted, run=run, now=now)

    def adopt(
        self,
        handles: Iterable[tuple[str, str]],
        *,
        run: str,
        first: Mapping[str, str],
        asked: Collection[str] | None = None,
    ) -> None:
        """Give ``run`` what an earlier run left waiting for these (platform, handle) pairs.

        ``first``: the source of each platform that takes jobs whose own source is none of those ``asked`` (default:
        the first ones). A job that was handed on to a later source stays there.
        """
        known = sorted(first.values() if asked is None else asked)
        places = ", ".join("?" * len(known))
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update jobs set run = ? where platform = ? and handle = ? and state = 'waiting'",
                ((run, *handle) for handle in handles),
            )
            for platform, source in first.items():
                cursor.execute(
                    "update jobs set source = ?, progress = '', target = null, due_at = 0 "
                    "where run = ? and platform = ? and state = 'waiting' "
                    f"and kind = 'profile' and source not in ({places})",
                    (source, run, platform, *known),
                )

    def revive(self, handles: Iterable[tuple[str, str]], *, run: str, now: float, everything: bool) -> None:
        """Make failed jobs of these accounts wait again where they were, once they are due.

        With ``everything``: all of them, and dead letters too.
        """
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update jobs set state = 'waiting', run = ?, due_at = 0, reason = '', ended_at = null "
                "where platform = ? and handle = ? and ((state = 'failed' and due_at <= ?) "
                "or (? and state in ('failed', 'dead')))",
                ((run, *handle, now, everything) for handle in handles),
            )

    def reroute(self, run: str, source: str, other: str | None, kinds: Sequence[str]) -> int:
        """Hand the waiting jobs of a source to another that knows these ``kinds``; how many there were."""
        if other is None:
            return 0
        marks = ", ".join("?" * len(kinds))
        with self._journal.transaction() as cursor:
            cursor.execute(
                f"update jobs set source = ?, progress = '', target = null, due_at = 0 "
                f"where run = ? and source = ? and state = 'waiting' and kind in ({marks})",
                (other, run, source, *kinds),
            )
            return cursor.rowcount

    def release(self, jobs: Sequence[Job], *, owner: str) -> None:
        """Give leases back: the jobs wait as they did."""
        with self._journal.transaction() as cursor:
            apply(cursor, [Change(job.job_id, WAITING) for job in jobs], owner=owner, now=0.0)

    def close_kind(self, run: str, source: str, kind: str, reason: str, now: float) -> int:
        """Make dead letters of what waits of a kind that a source refuses us; how many."""
        with self._journal.transaction() as cursor:
            cursor.execute(
                "update jobs set state = 'dead', reason = ?, ended_at = ? "
                "where run = ? and source = ? and kind = ? and state = 'waiting'",
                (reason, now, run, source, kind),
            )
            return cursor.rowcount

    def next_due(self, run: str, source: str) -> float | None:
        """When the next waiting job of a source is due; None when none waits."""
        ((due,),) = self._journal.read(
            "select min(due_at) from jobs where run = ? and source = ? and state = 'waiting'", (run, source)
        )
        return None if due is None else float(due)

    def under_way(self, run: str) -> int:
        """How many jobs of ``run`` are leased."""
        ((count,),) = self._journal.read("select count(*) from jobs where run = ? and state = 'leased'", (run,))
        return int(count)

    def counts(self, run: str | None = None) -> list[dict[str, Any]]:
        """Jobs by platform, kind, source and state."""
        rows = self._journal.read(
            "select platform, kind, source, state, count(*) from jobs where ? is null or run = ? "
            "group by 1, 2, 3, 4 order by 1, 2, 3, 4",
            (run, run),
        )
        names = ("platform", "kind", "source", "state", "jobs")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def states(self, run: str) -> Counter[str]:
        """Jobs of ``run`` by state."""
        rows = self._journal.read("select state, count(*) from jobs where run = ? group by 1", (run,))
        return Counter(dict(rows))

    def entries(self, states: Sequence[str] = (), reason: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Jobs for a person to look at, those with the highest priority first."""
        marks = ", ".join("?" * len(states)) or "state"
        rows = self._journal.read(
            f"select {', '.join(_ENTRY)} from jobs where state in ({marks}) and (? is null or reason like ?) "
            "order by priority desc, job_id limit ?",
            (*states, reason, f"%{reason}%", limit),
        )
        return [dict(zip(_ENTRY, row, strict=True)) for row in rows]

    def retry(self, job_ids: Sequence[int], *, now: float) -> int:
        """Make ended jobs wait again, until ``now``, where they were; how many."""
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update jobs set state = 'waiting', due_at = ?, rounds = 0, reason = '', ended_at = null "
                "where job_id = ? and state not in ('waiting', 'leased')",
                ((now, job_id) for job_id in job_ids),
            )
            return cursor.rowcount

    def drop(self, job_ids: Sequence[int]) -> int:
        """Forget jobs that nobody is working on; how many."""
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "delete from jobs where job_id = ? and state <> 'leased'", ((job_id,) for job_id in job_ids)
            )
            return cursor.rowcount

    def release_dead(self, *, now: float) -> int:
        """Take leases back from processes that are gone, and count what they had in flight as asked until now."""
        owners = self._journal.read(
            "select owner from jobs where state = 'leased' union select owner from requests where outcome is null"
        )
        gone = [owner for (owner,) in owners if not is_alive(owner)]
        with self._journal.transaction() as cursor:
            cursor.executemany(
                "update requests set at = max(at, ?), outcome = 'lost' where outcome is null and owner = ?",
                ((now, owner) for owner in gone),
            )
            cursor.executemany(
                "update jobs set state = 'waiting', owner = null, leased_until = null "
                "where state = 'leased' and (owner = ? or leased_until < ?)",
                ((owner, now) for owner in gone),
            )
            return cursor.rowcount


def add(cursor: Any, wanted: Iterable[Wanted], *, run: str, now: float) -> None:
    """``Queue.enqueue`` within a transaction."""
    cursor.executemany(
        """
        insert into jobs (platform, handle, kind, source, priority, target, progress, state, due_at, rounds, run,
                          reason, added_at)
        values (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, 0, ?, '', ?)
        on conflict do update set
            run = excluded.run, priority = max(priority, excluded.priority),
            target = case when state in ('waiting', 'leased') and source = excluded.source then target
                          else excluded.target end,
            progress = case when state = 'leased' or (state = 'waiting' and source = excluded.source) then progress
                            else excluded.progress end,
            due_at = case when state in ('waiting', 'leased') then due_at else 0 end,
            rounds = case when state in ('waiting', 'leased', 'failed') then rounds else 0 end,
            reason = case when state in ('waiting', 'leased') then reason else '' end,
            source = case when state = 'leased' then source else excluded.source end,
            ended_at = null,
            state = case when state = 'leased' then state else 'waiting' end
        where ? or state in ('waiting', 'leased')
        """,
        (
            (
                *(one.platform, one.handle, one.kind, one.source, one.priority, one.target, one.progress),
                *(run, now, one.reopens),
            )
            for one in wanted
        ),
    )


def due(cursor: Any, *, run: str, source: str, now: float, together: Callable[[Job], int]) -> list[Job]:
    """The next job of a source, and those like it that one request can serve as well; not leased yet."""
    where = f"select {_JOB} from jobs where run = ? and source = ? and state = 'waiting' and due_at <= ?"
    order = "order by priority desc, job_id"
    row = cursor.execute(f"{where} {order} limit 1", (run, source, now)).fetchone()
    if row is None:
        return []
    first = Job(*row)
    most = together(first)
    if most <= 1:
        return [first]
    rows = cursor.execute(f"{where} and kind = ? {order} limit ?", (run, source, now, first.kind, 4 * most))
    return [job for job in (Job(*row) for row in rows) if together(job) == most][:most]


def lease(cursor: Any, jobs: Sequence[Job], *, owner: str, now: float) -> None:
    """Take ``jobs`` for ``owner``."""
    cursor.executemany(
        "update jobs set state = 'leased', owner = ?, leased_until = ? where job_id = ?",
        ((owner, now + LEASE_S, job.job_id) for job in jobs),
    )


def apply(cursor: Any, changes: Iterable[Change], *, owner: str, now: float) -> None:
    """Give leased jobs their next state, unless somebody else has the lease by now."""
    cursor.executemany(
        """
        update jobs set state = ?, reason = ?, due_at = ?, progress = coalesce(?, progress),
            source = coalesce(?, source), rounds = coalesce(?, rounds), owner = null, leased_until = null, ended_at = ?
        where job_id = ? and state = 'leased' and owner = ?
        """,
        (
            (
                change.state,
                change.reason,
                change.due_at,
                change.progress,
                change.source,
                change.rounds,
                now if change.state in ENDED else None,
                change.job_id,
                owner,
            )
            for change in changes
        ),
    )


def owner_name() -> str:
    """This process, told apart from an earlier one with the same id."""
    return f"{os.getpid()}:{_started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process that called itself ``owner`` still runs on this machine."""
    pid, _, started = owner.partition(":")
    with suppress(ProcessLookupError, ValueError, OverflowError):
        with suppress(PermissionError):  # there is such a process, of another user: the time of its start decides
            os.kill(int(pid), 0)
        return _started(int(pid)) == started
    return False


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
