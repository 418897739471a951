"""When a source may be asked again: pure decisions over what the ledger remembers.

Times are seconds since 1970. A window is true and sliding: of ``requests`` answers the oldest must lie ``window_s``
behind. The ledger counts a request from the moment its answer was complete, so that the platform never sees more
in any window than allowed, however long answers take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

RETRY_WAIT_S = 60.0
"""How long a rate limit without Retry-After is waited for."""
MAX_RETRY_AFTER_S = 86_400.0
"""A platform that asks for more than a day means something else."""
STRIKES = 5
"""So many rate limits, or failed items, in a row open the breaker."""
BREAKER_S = 1_800.0
"""The first planned wake; each further one waits twice as long."""
RECOVERED = 50
"""After so many good answers in a row the pace is the full one again."""
USAGE_MAX_AGE_S = 3_600.0
_NEAR = 0.8
_USAGE_GAPS = ((0.95, 300.0), (0.9, 60.0), (0.8, 20.0), (0.7, 5.0))
_PACIFIC = ZoneInfo("America/Los_Angeles")

Why = Literal["free", "window", "pause", "rest", "near_limit", "rate_limit", "breaker", "quota"]


@dataclass(frozen=True)
class Limit:
    """At most ``requests`` within any ``window_s`` seconds: per key, or per key and ``endpoint``."""

    requests: int
    window_s: float
    endpoint: str | None = None


@dataclass(frozen=True)
class Quota:
    """At most ``units`` a day per key (or per key and ``endpoint``); the day begins at midnight Pacific time."""

    units: int
    endpoint: str | None = None


@dataclass(frozen=True)
class Policy:
    """The pace of a source. The user's settings replace single values of a source's own.

    ``jitter_s``: least and greatest pause after an answer. After ``batch_size`` requests the source rests for
    ``batch_pause_s``; 0 means no rests.
    """

    limits: tuple[Limit, ...] = (Limit(10, 60),)
    quotas: tuple[Quota, ...] = ()
    jitter_s: tuple[float, float] = (2.0, 4.0)
    batch_size: int = 100
    batch_pause_s: float = 1800.0

    def adjusted(self, rate_limit: float | None, batch_size: int | None, batch_pause_s: float | None) -> Policy:
        """This policy with the user's values; ``rate_limit`` is in requests a minute."""
        limits = self.limits
        if rate_limit is not None:
            whole = Limit(int(rate_limit), 60.0) if rate_limit >= 1 else Limit(1, 60.0 / rate_limit)
            limits = (whole, *(limit for limit in limits if limit.endpoint is not None))
        return replace(
            self,
            limits=limits,
            batch_size=self.batch_size if batch_size is None else batch_size,
            batch_pause_s=self.batch_pause_s if batch_pause_s is None else batch_pause_s,
        )


@dataclass(frozen=True)
class Pace:
    """What the ledger remembers of one source and key besides its requests.

    ``next_at``: not before (pause or rest). ``limited_until``: a rate limit, or the planned wake of an open breaker;
    ``is_quota``: the end of the quota's day. ``limited_at``: since when nothing but limits came. ``level``: how often
    the breaker opened without recovery.
    """

    next_at: float = 0.0
    last_at: float = 0.0
    batch_count: int = 0
    is_rest: bool = False
    strikes: int = 0
    faults: int = 0
    good_count: int = 0
    level: int = 0
    limited_at: float | None = None
    limited_until: float = 0.0
    is_quota: bool = False
    reason: str = ""
    usage_score: float | None = None

    @property
    def factor(self) -> float:
        """Share of the full pace: half of it while the breaker has not recovered."""
        return 0.5 if self.level else 1.0


@dataclass(frozen=True)
class WindowUse:
    """How full a limit's window is: requests in it, the oldest of them, and the one that must leave first."""

    limit: Limit
    count: int
    oldest_at: float
    blocking_at: float | None


@dataclass(frozen=True)
class QuotaUse:
    """Units of a quota's day that are used."""

    quota: Quota
    used: int


@dataclass(frozen=True)
class Decision:
    """When the next request may be made, and what it waits for. ``is_limited``: the platform's doing, not ours."""

    at: float
    why: Why = "free"

    @property
    def is_limited(self) -> bool:
        """Whether the wait counts against the user's greatest wait."""
        return self.why in ("rate_limit", "breaker", "quota")


def effective(limit: Limit, factor: float) -> Limit:
    """``limit`` at a share of its pace."""
    if limit.requests * factor >= 1:
        return replace(limit, requests=int(limit.requests * factor))
    return replace(limit, requests=1, window_s=limit.window_s / (limit.requests * factor))


def decide(pace: Pace, windows: Sequence[WindowUse], quotas: Sequence[QuotaUse], *, units: int, now: float) -> Decision:
    """The earliest time for a request of ``units``."""
    found = [Decision(now)]
    found.append(Decision(pace.next_at, "rest" if pace.is_rest else "pause"))
    if pace.limited_until > now:
        why: Why = "quota" if pace.is_quota else "breaker" if pace.level else "rate_limit"
        found.append(Decision(pace.limited_until, why))
    for use in windows:
        if use.blocking_at is not None:
            found.append(Decision(use.blocking_at + use.limit.window_s, "window"))
        elif use.count >= _NEAR * use.limit.requests:
            left = use.limit.requests - use.count
            ends = use.oldest_at + use.limit.window_s
            found.append(Decision(pace.last_at + max(0.0, ends - pace.last_at) / (left + 1), "near_limit"))
    found += [Decision(next_midnight(now), "quota") for one in quotas if one.used + units > one.quota.units]
    if pace.usage_score is not None and now - pace.last_at < USAGE_MAX_AGE_S:
        gap = next((gap for share, gap in _USAGE_GAPS if pace.usage_score >= share), 0.0)
        found.append(Decision(pace.last_at + gap, "near_limit"))
    return max(found, key=lambda one: one.at)


def reserved(pace: Pace, policy: Policy, now: float, jitter_s: float) -> Pace:
    """The pace once a request goes out. The last of a batch brings the rest at once: its answer may never be seen."""
    is_rested = pace.is_rest or now - pace.last_at >= policy.batch_pause_s
    count = 1 if is_rested else pace.batch_count + 1
    is_last = 0 < policy.batch_size <= count
    wait = policy.batch_pause_s if is_last else jitter_s
    return replace(pace, batch_count=count, is_rest=is_last, last_at=now, next_at=now + wait)


def answered(pace: Pace, policy: Policy, now: float, jitter_s: float) -> Pace:
    """The pace once its answer is complete, whatever it says: the pause, or the rest after a batch."""
    if policy.batch_size and pace.batch_count >= policy.batch_size:
        return replace(pace, batch_count=0, is_rest=True, last_at=now, next_at=now + policy.batch_pause_s)
    return replace(pace, last_at=now, next_at=now + jitter_s)


def succeeded(pace: Pace, now: float) -> Pace:
    """After an answer that shows that the platform talks to us.

    While a limit is waited for, an answer to what was asked before it shows nothing.
    """
    if pace.limited_until > now:
        return pace
    good = pace.good_count + 1
    return replace(
        pace,
        strikes=0,
        faults=0,
        good_count=good,
        level=0 if good >= RECOVERED else pace.level,
        limited_at=None,
        limited_until=0.0,
        is_quota=False,
        reason="",
    )


def limited(pace: Pace, now: float, retry_after_s: float | None, reason: str) -> Pace:
    """After a rate limit: wait as asked, else a minute; the fifth in a row, or the first after a wake, opens."""
    wait = RETRY_WAIT_S if retry_after_s is None else min(max(retry_after_s, 1.0), MAX_RETRY_AFTER_S)
    strikes = pace.strikes + 1
    if strikes >= STRIKES or (pace.level and not pace.good_count):
        return opened(pace, now, reason, at_least_s=wait)
    return replace(
        pace,
        strikes=strikes,
        good_count=0,
        limited_at=_since(pace, now),
        limited_until=now + wait,
        is_quota=False,
        reason=reason,
    )


def faulted(pace: Pace, now: float, reason: str) -> Pace:
    """After an item whose tries all failed: the fifth in a row, or the first after a wake, opens the breaker."""
    if pace.faults + 1 >= STRIKES or (pace.level and not pace.good_count):
        return opened(pace, now, reason)
    return replace(pace, faults=pace.faults + 1, good_count=0, limited_at=_since(pace, now), reason=reason)


def opened(pace: Pace, now: float, reason: str, *, at_least_s: float = 0.0) -> Pace:
    """The breaker open: half an hour, then twice as long each time it opens without recovery."""
    level = pace.level + 1
    wait = max(at_least_s, min(BREAKER_S * 2 ** (level - 1), MAX_RETRY_AFTER_S))
    return replace(
        pace,
        level=level,
        strikes=0,
        faults=0,
        good_count=0,
        limited_at=_since(pace, now),
        limited_until=now + wait,
        is_quota=False,
        reason=reason,
    )


def exhausted(pace: Pace, now: float, reason: str) -> Pace:
    """After the platform said that the day's quota is used up: nothing before the next day."""
    return replace(pace, limited_at=_since(pace, now), limited_until=next_midnight(now), is_quota=True, reason=reason)


def _since(pace: Pace, now: float) -> float:
    return now if pace.limited_at is None else min(pace.limited_at, now)


def day_start(now: float) -> float:
    """The last midnight Pacific time."""
    local = datetime.fromtimestamp(now, UTC).astimezone(_PACIFIC)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def next_midnight(now: float) -> float:
    """The next midnight Pacific time, also on days of 23 and 25 hours."""
    local = datetime.fromtimestamp(now, UTC).astimezone(_PACIFIC)
    tomorrow = (local + timedelta(days=1)).date()
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=_PACIFIC).timestamp()


def retry_after_s(value: str | None, now: float) -> float | None:
    """A Retry-After header (seconds or an HTTP date) in seconds from ``now``; None when it says nothing usable.

    Source: RFC 9110, section 10.2.3. Negative numbers and past dates say nothing.
    """
    if not value:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until_date(text, now)
    return min(seconds, MAX_RETRY_AFTER_S) if math.isfinite(seconds) and seconds > 0 else None


def _until_date(text: str, now: float) -> float:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
