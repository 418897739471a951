"""What the schedule wants looked at now: accounts that are due, and some that were never looked at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from igtool.fetching.plan import Handle
from igtool.journal.queue import DEAD, FAILED, NOT_FOUND, Queue
from igtool.known_handles import accounts_meant
from igtool.lake import Reader
from igtool.platforms.live import PROFILE
from igtool.tiers import PRIORITY, Tiers, due_accounts, tier_query

_CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class Due:
    """An account to look at: how it is asked for, its tier (or ``backfill``), and how late the look is, in hours."""

    platform: str
    handle: str
    tier: str
    priority: int
    overdue_h: float | None


def due_now(
    lake: Reader,
    now: datetime,
    tiers: Tiers,
    *,
    limit: int | None,
    backfill: int,
    platforms: Sequence[str],
    left: frozenset[Handle] = frozenset(),
) -> list[Due]:
    """What is due, the first to be looked at first: at most ``limit`` accounts, then at most ``backfill`` new ones.

    A YouTube channel is named by its id, so that one request serves fifty of them. ``platforms``: those that have a
    source. ``left``: see ``left_alone``;
    those do not take the place of others.
    """
    rows = due_accounts(lake, now, tiers, None if limit is None else limit + len(left), platforms).to_pylist()
    found = [
        Due(row["platform"], name, row["tier"], int(row["priority"]), row["overdue_h"])
        for row in rows
        if (name := _asked_as(row["platform"], row["handle"], row["account_id"]))
        and (row["platform"], name) not in left
    ][:limit]
    room = backfill if limit is None else min(backfill, limit - len(found))
    return found + (_never_seen(lake, room, platforms, left) if room > 0 else [])


def left_alone(queue: Queue, now: datetime) -> frozenset[Handle]:
    """The accounts that no fetch asks for now: not found or failed a short while ago, or a dead letter.

    They stay overdue, and would take the place of others in every cycle.
    """
    at, every = now.timestamp(), 10_000_000
    rows = queue.entries((NOT_FOUND, FAILED, DEAD), limit=every)
    return frozenset(
        (row["platform"], row["handle"])
        for row in rows
        if row["kind"] == PROFILE and (row["state"] == DEAD or row["due_at"] > at)
    )


def _asked_as(platform: str, handle: str | None, account_id: str) -> str | None:
    native = account_id.partition(":")[2]
    return native if platform == "youtube" and _CHANNEL_ID.fullmatch(native) else handle


def _never_seen(lake: Reader, limit: int, platforms: Sequence[str], left: frozenset[Handle]) -> list[Due]:
    """Listed accounts of which nothing is stored, in the order of their lists, without those that are ``left``."""
    rows = lake.arrow(
        "select w.platform, w.handle from (select platform, handle, min((list_name, line)) as place "
        f"from watchlist group by all) w anti join ({accounts_meant('from watchlist')}) m using (platform, handle) "
        "anti join schedule_overrides o on o.platform = w.platform and o.handle = lower(w.handle) and not o.is_watched "
        "anti join (select unnest(?::varchar[]) as platform, unnest(?::varchar[]) as handle) l "
        "on l.platform = w.platform and l.handle = w.handle "
        "where list_contains(?::varchar[], w.platform) order by place, w.handle limit ?",
        ([platform for platform, _ in left], [handle for _, handle in left], platforms, limit),
    ).to_pylist()
    return [Due(row["platform"], row["handle"], "backfill", PRIORITY["backfill"], None) for row in rows]


def next_due(lake: Reader, now: datetime, tiers: Tiers) -> datetime | None:
    """When the next account becomes due that is not due yet; None when there is none."""
    (row,) = lake.arrow(f"select min(due_at) as at from ({tier_query(now, tiers)}) where overdue_h < 0").to_pylist()
    found: datetime | None = row["at"]
    return found


def by_tier(due: Iterable[Due]) -> list[dict[str, object]]:
    """Accounts by tier and platform, and the longest wait among them."""
    counts: Counter[tuple[int, str, str]] = Counter()
    latest: dict[tuple[int, str, str], float] = {}
    for one in due:
        key = (-PRIORITY[one.tier], one.tier, one.platform)
        counts[key] += 1
        latest[key] = max(latest.get(key, 0.0), one.overdue_h or 0.0)
    return [
        {"tier": key[1], "platform": key[2], "due": count, "longest_overdue_h": round(latest[key], 1)}
        for key, count in sorted(counts.items())
    ]
