"""Every request and what it cost, the pace of each source and key, and answers until they are in the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from igtool.errors import ConfigError
from igtool.journal import queue
from igtool.journal.queue import Change, Job, Wanted
from igtool.journal.store import Journal
from igtool.pacing import Decision, Limit, Pace, Policy, QuotaUse, WindowUse, day_start, decide, effective, reserved

MAX_SET_BACK_S = 86_400.0
"""A clock that is so far behind what was already done is wrong, or was."""

_PACE = msgspec.json.Decoder(Pace)
_ANSWER = "answer_id, platform, source, endpoint, subject, status, outcome, body, sha256, fetched_at"


@dataclass(frozen=True)
class Price:
    """What a request is in the ledger: its name, its quota units, its cost."""

    endpoint: str
    units: int
    cost_usd: float


@dataclass(frozen=True)
class Grant:
    """The right to make one request for leased ``jobs``."""

    request_id: int
    jobs: tuple[Job, ...]
    key: str


@dataclass(frozen=True)
class Wait:
    """Nothing may be asked before ``decision.at``."""

    decision: Decision


@dataclass(frozen=True)
class Nothing:
    """No job is due; ``next_due`` says when one will be, None when none waits."""

    next_due: float | None


@dataclass(frozen=True)
class Spent:
    """The next request would go over the money limit."""

    spent_usd: float


@dataclass(frozen=True)
class StoredAnswer:
    """A row of ``raw_responses`` on its way to the lake; ``platform`` says where its subject is at home."""

    answer_id: str
    platform: str
    source: str
    endpoint: str
    subject: str | None
    status: int
    outcome: str
    body: bytes
    sha256: str
    fetched_at: float


@dataclass(frozen=True)
class Claimant:
    """Who asks: a process, for a run, from one source under its policy; ``max_cost_usd`` bounds the run."""

    source: str
    policy: Policy
    run: str
    owner: str
    max_cost_usd: float | None = None


class Ledger:
    """The requests of a journal. Each method that changes anything is one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def claim(
        self,
        claimant: Claimant,
        price: Callable[[Sequence[Job], str], Price],
        keys: Sequence[str],
        *,
        now: float,
        jitter_s: float,
        jobs: Callable[[Any], Sequence[Job]],
    ) -> Grant | Wait | Nothing | Spent:
        """Lease jobs and enter their request, both or neither; the first key that may ask now is taken.

        ``jobs`` picks them within the transaction (``next_jobs``, or those that are leased already).
        """
        with self._journal.transaction() as cursor:
            chosen = jobs(cursor)
            if not chosen:
                row = cursor.execute(
                    "select min(due_at) from jobs where run = ? and source = ? and state = 'waiting'",
                    (claimant.run, claimant.source),
                ).fetchone()
                return Nothing(row[0])
            waits = []
            for key in keys:
                cost = price(chosen, key)
                pace = _pace(cursor, claimant.source, key)
                decision = self._decide(cursor, claimant, key, pace, cost, now)
                if decision.at > now:
                    waits.append(decision)
                    continue
                if claimant.max_cost_usd is not None:
                    spent = spent_in(cursor, claimant.run)
                    if spent + cost.cost_usd > claimant.max_cost_usd + 1e-9:
                        return Spent(spent)
                queue.lease(cursor, chosen, owner=claimant.owner, now=now)
                _save(cursor, claimant.source, key, reserved(pace, claimant.policy, now, jitter_s))
                cursor.execute(
                    "insert into requests (source, key, endpoint, at, units, cost_usd, run, owner) "
                    "values (?, ?, ?, ?, ?, ?, ?, ?)",
                    (claimant.source, key, cost.endpoint, now, cost.units, cost.cost_usd, claimant.run, claimant.owner),
                )
                return Grant(int(cursor.lastrowid or 0), tuple(chosen), key)
            return Wait(min(waits, key=lambda one: one.at))

    @staticmethod
    def _decide(cursor: Any, claimant: Claimant, key: str, pace: Pace, cost: Price, now: float) -> Decision:
        windows = [
            _window(cursor, claimant.source, key, effective(limit, pace.factor), now)
            for limit in claimant.policy.limits
            if limit.endpoint in (None, cost.endpoint)
        ]
        quotas = []
        for quota in claimant.policy.quotas:
            if quota.endpoint in (None, cost.endpoint):
                used = cursor.execute(
                    "select coalesce(sum(units), 0) from requests where source = ? and key = ? and at >= ? "
                    "and (? is null or endpoint = ?)",
                    (claimant.source, key, day_start(now), quota.endpoint, quota.endpoint),
                ).fetchone()
                quotas.append(QuotaUse(quota, used[0]))
        return decide(pace, windows, quotas, units=cost.units, now=now)

    def record(
        self,
        claimant: Claimant,
        grant: Grant,
        *,
        outcome: str,
        status: int | None,
        now: float,
        pace: Callable[[Pace], Pace],
        answer: StoredAnswer | None = None,
        changes: Iterable[Change] = (),
        follow_ups: Iterable[Wanted] = (),
    ) -> None:
        """Answer, ledger entry, new pace and the jobs' next states: all of it or nothing."""
        with self._journal.transaction() as cursor:
            cursor.execute(
                "insert or replace into request_times select request_id, max(0.0, ? - at) from requests "
                "where request_id = ? and outcome is null",
                (now, grant.request_id),
            )
            cursor.execute(
                "update requests set at = max(at, ?), outcome = ?, status = ? where request_id = ?",
                (now, outcome, status, grant.request_id),
            )
            _save(cursor, claimant.source, grant.key, pace(_pace(cursor, claimant.source, grant.key)))
            if answer is not None:
                cursor.execute(
                    f"insert or ignore into answers ({_ANSWER}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    tuple(getattr(answer, name) for name in _ANSWER.split(", ")),
                )
            queue.apply(cursor, changes, owner=claimant.owner, now=now)
            queue.add(cursor, follow_ups, run=claimant.run, now=now)

    def change_pace(self, source: str, key: str, change: Callable[[Pace], Pace]) -> None:
        """Replace what is remembered of a source and key."""
        with self._journal.transaction() as cursor:
            _save(cursor, source, key, change(_pace(cursor, source, key)))

    def paces(self) -> dict[tuple[str, str], Pace]:
        """(source, key) to its pace."""
        rows = self._journal.read("select source, key, pace from paces order by 1, 2")
        return {(source, key): _PACE.decode(text) for source, key, text in rows}

    def run_totals(self, run: str) -> tuple[int, float]:
        """How many requests a run made, and what they cost in US dollars."""
        ((count, cost),) = self._journal.read(
            "select count(*), coalesce(sum(cost_usd), 0) from requests where run = ?", (run,)
        )
        return int(count), float(cost)

    def usage(self, since: float) -> list[dict[str, Any]]:
        """Requests since a time, by source, key, endpoint and outcome: how many, units and cost."""
        rows = self._journal.read(
            "select source, key, endpoint, coalesce(outcome, 'under way'), count(*), sum(units), sum(cost_usd) "
            "from requests where at >= ? group by 1, 2, 3, 4 order by 1, 2, 3, 4",
            (since,),
        )
        names = ("source", "key", "endpoint", "outcome", "requests", "units", "cost_usd")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def seconds(self, since: float) -> list[dict[str, Any]]:
        """Seconds that answers since a time took, by source: ``median``, and ``p95``, of which 5 in 100 took longer."""
        if not self._journal.read("select 1 from sqlite_master where name = 'request_times'"):
            return []  # of an older igtool, and nobody wrote to it since
        rows = self._journal.read(
            "with timed as (select source, seconds, "
            "percent_rank() over (partition by source order by seconds) as place "
            "from requests join request_times using (request_id) where at >= ?) "
            "select source, max(seconds) filter (where place <= 0.5), max(seconds) filter (where place <= 0.95) "
            "from timed group by 1 order by 1",
            (since,),
        )
        return [dict(zip(("source", "median", "p95"), row, strict=True)) for row in rows]

    def answers(self, *, most: int, most_bytes: int) -> list[StoredAnswer]:
        """The oldest answers that are not in the lake yet, at least one if there is any."""
        rows = self._journal.read(
            f"select {_ANSWER} from answers where rowid in (select rowid from (select rowid, "
            "sum(length(body)) over (order by rowid) as size, row_number() over (order by rowid) as number "
            "from (select rowid, body from answers order by rowid limit ?)) where size <= ? or number = 1) "
            "order by rowid",
            (most, most_bytes),
        )
        return [StoredAnswer(*row) for row in rows]

    def answer_count(self) -> int:
        """How many answers are not in the lake yet."""
        return int(self._journal.read("select count(*) from answers")[0][0])

    def delete_answers(self, answer_ids: Iterable[str]) -> None:
        """Forget answers that are in the lake."""
        with self._journal.transaction() as cursor:
            cursor.executemany("delete from answers where answer_id = ?", ((one,) for one in answer_ids))

    def check_clock(self, now: float) -> None:
        """Treat what lies in the future as just done. Raises ConfigError when it lies more than a day ahead."""
        ((newest,),) = self._journal.read("select max(at) from requests")
        if newest is not None and newest - now > MAX_SET_BACK_S:
            shown = [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC" for at in (now, newest)]
            raise ConfigError(
                f"the clock says {shown[0]}, but the newest request was made at {shown[1]}: set the clock; "
                "if it is right now, `igtool queue accept-clock` makes the ledger agree with it"
            )
        self.accept_clock(now)

    def accept_clock(self, now: float) -> None:
        """Move everything that lies in the future to ``now``, waits that were counted from there included."""
        ((newest,),) = self._journal.read("select max(at) from requests")
        ahead = max(0.0, (newest or 0.0) - now)
        if not ahead:
            return
        with self._journal.transaction() as cursor:
            cursor.execute("update requests set at = ? where at > ?", (now, now))
            cursor.execute("update jobs set ended_at = ? where ended_at > ?", (now, now))
            cursor.execute("update jobs set due_at = due_at - ? where due_at > ?", (ahead, now))
            for source, key, text in cursor.execute("select source, key, pace from paces").fetchall():
                _save(cursor, source, key, _earlier(_PACE.decode(text), ahead, now))

    def prune(self, before: float) -> None:
        """Forget requests before a time."""
        with self._journal.transaction() as cursor:
            cursor.execute(
                "delete from request_times where request_id in (select request_id from requests where at < ?)",
                (before,),
            )
            cursor.execute("delete from requests where at < ?", (before,))


def next_jobs(claimant: Claimant, now: float, together: Callable[[Job], int]) -> Callable[[Any], Sequence[Job]]:
    """Picks the next jobs of a claimant's source, for ``claim``."""
    return lambda cursor: queue.due(cursor, run=claimant.run, source=claimant.source, now=now, together=together)


def _window(cursor: Any, source: str, key: str, limit: Limit, now: float) -> WindowUse:
    """How full a window is. What is still under way has yet to reach the platform: it counts as made now."""
    seen = (
        "from (select case when outcome is null then max(at, ?) else at end as seen from requests "
        "where source = ? and key = ? and at > ? and (? is null or endpoint = ?)) where seen > ?"
    )
    since = now - limit.window_s
    values = (now, source, key, min(since, now - queue.LEASE_S), limit.endpoint, limit.endpoint, since)
    count, oldest = cursor.execute(f"select count(*), min(seen) {seen}", values).fetchone()
    blocking = None
    if count >= limit.requests:
        row = cursor.execute(f"select seen {seen} order by seen desc limit 1 offset ?", (*values, limit.requests - 1))
        (blocking,) = row.fetchone()
    return WindowUse(limit, count, oldest or now, blocking)


def _earlier(pace: Pace, ahead: float, now: float) -> Pace:
    moved = asdict(pace)
    for name in ("next_at", "last_at", "limited_until", "limited_at"):
        if moved[name] is not None and moved[name] > now:
            moved[name] = max(now, moved[name] - ahead)
    return Pace(**moved)


def _pace(cursor: Any, source: str, key: str) -> Pace:
    row = cursor.execute("select pace from paces where source = ? and key = ?", (source, key)).fetchone()
    return _PACE.decode(row[0]) if row else Pace()


def _save(cursor: Any, source: str, key: str, pace: Pace) -> None:
    text = msgspec.json.encode(pace).decode()
    cursor.execute("insert or replace into paces values (?, ?, ?)", (source, key, text))


def spent_in(cursor: Any, run: str) -> float:
    """US dollars that a run spent, on platforms and on language models, calls under way at their highest price."""
    both = "select cost_usd from requests where run = ?1 union all select cost_usd from llm_calls where run = ?1"
    (spent,) = cursor.execute(f"select coalesce(sum(cost_usd), 0) from ({both})", (run,)).fetchone()
    return float(spent)
