"""How active each account is, how often it is looked at, and which accounts are due.

Nothing here is stored: tier, posting rate and cadence come from the publishing times of the stored content items
each time, so a changed setting or a new item counts at once.

The cadence within a tier follows the square-root rule: with a fixed number of looks to give away, the items that
are seen late add up to the least when an account is looked at in proportion to the square root of its posting
rate (the same rule as for lot sizes and for the polling of feeds).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from igtool.errors import ConfigError
from igtool.known_handles import accounts_meant
from igtool.lake import Reader
from igtool.settings.live import LiveSettings

TIERS = ("active", "semi_active", "long_tail")
PRIORITY: Mapping[str, int] = {"active": 30, "semi_active": 20, "long_tail": 10, "backfill": 0}
"""Priority of a job by its tier where the user has set none; a higher one goes first."""
RATE_DAYS = 90.0
"""How far back items count for the posting rate."""
_LEAST_RATE_DAYS = 7.0
"""A rate never rests on a shorter time than this, so that one new item is not a torrent."""
_TYPICAL_ITEMS = 2.0
"""Items within the days of its tier at which an account has the tier's own cadence."""


@dataclass(frozen=True)
class Tiers:
    """The limits of the tiers in days since the newest item, and the hours between two looks.

    Raises ConfigError when the numbers are not in order.
    """

    active_days: float = 7.0
    semi_active_days: float = 30.0
    active_every_h: float = 24.0
    semi_active_every_h: float = 72.0
    long_tail_every_h: float = 168.0

    def __post_init__(self) -> None:
        if not 0 < self.active_days < self.semi_active_days:
            raise ConfigError(
                f"active_days ({self.active_days:g}) must be above 0 and below semi_active_days "
                f"({self.semi_active_days:g}): change one of them"
            )
        if not 0 < self.active_every_h <= self.semi_active_every_h <= self.long_tail_every_h:
            raise ConfigError(
                f"active_every_h ({self.active_every_h:g}), semi_active_every_h ({self.semi_active_every_h:g}) and "
                f"long_tail_every_h ({self.long_tail_every_h:g}) must be above 0 and in rising order"
            )

    @classmethod
    def of(cls, settings: LiveSettings) -> Tiers:
        """The tiers as the user has set them."""
        return cls(
            settings.active_days,
            settings.semi_active_days,
            settings.active_every_h,
            settings.semi_active_every_h,
            settings.long_tail_every_h,
        )

    @property
    def every_h(self) -> tuple[float, float, float]:
        """The hours between two looks, in the order of ``TIERS``."""
        return self.active_every_h, self.semi_active_every_h, self.long_tail_every_h

    @property
    def bounds_h(self) -> tuple[tuple[float, float], ...]:
        """Shortest and longest cadence of each tier: half to twice its own, never reaching into another tier's.

        By default 12-48, 48-144 and 144-336 hours.
        """
        active, semi_active, long_tail = self.every_h
        first = min(2 * active, semi_active)
        second = min(2 * semi_active, long_tail)
        return (
            (active / 2, first),
            (max(semi_active / 2, first), second),
            (max(long_tail / 2, second), 2 * long_tail),
        )

    @property
    def typical_rates(self) -> tuple[float, ...]:
        """Items a week at which an account has its tier's own cadence: two within the days of the tier."""
        days = (self.active_days, self.semi_active_days, max(RATE_DAYS, self.semi_active_days))
        return tuple(_TYPICAL_ITEMS * 7 / each for each in days)


def tier_of(newest_at: datetime | None, now: datetime, tiers: Tiers) -> str:
    """The tier of a creator whose newest item, on any platform, is from ``newest_at``; None: no item is known."""
    if newest_at is None:
        return "long_tail"
    age = (now - newest_at).total_seconds() / 86_400
    return "active" if age <= tiers.active_days else "semi_active" if age <= tiers.semi_active_days else "long_tail"


def cadence_h(tier: str, items_per_week: float | None, tiers: Tiers, every_h: float | None = None) -> float:
    """Hours between two looks at an account: the tier's own times √(typical rate ÷ its rate), within the bounds.

    An account without items in the window has the longest cadence of its tier, one whose rate is unknown (None)
    the tier's own. ``every_h``, set by the user, goes before all of it.
    """
    if every_h is not None:
        return every_h
    place = TIERS.index(tier)
    if items_per_week is None:
        return tiers.every_h[place]
    least, most = tiers.bounds_h[place]
    if items_per_week <= 0:
        return most
    return max(least, min(most, tiers.every_h[place] * math.sqrt(tiers.typical_rates[place] / items_per_week)))


def cadence_sql(tiers: Tiers) -> str:
    """``cadence_h`` as an SQL expression over the columns tier, items_per_week and every_h."""
    cases = []
    for tier, every, (least, most), typical in zip(
        TIERS, tiers.every_h, tiers.bounds_h, tiers.typical_rates, strict=True
    ):
        own = f"{every!r}::double * sqrt({typical!r}::double / items_per_week)"
        cases.append(
            f"when tier = '{tier}' then case when items_per_week is null then {every!r}::double "
            f"when items_per_week <= 0 then {most!r}::double "
            f"else greatest({least!r}::double, least({most!r}::double, {own})) end"
        )
    return f"case when every_h is not null then every_h {' '.join(cases)} end"


def tier_query(now: datetime, tiers: Tiers) -> str:
    """SQL with one row per account that is looked at; only names and numbers, so it can stand inside another query.

    Columns: account_id, platform, handle, creator_id, tier, priority (the user's, else the tier's), newest_at (the
    newest item of any account of its creator), items_per_week (its own, NULL when no item is known), observed_at,
    cadence_h, due_at, overdue_h (negative: not due yet; NULL: never observed, so due). Items that claim to be
    published after ``now`` are left out: one wrong date would keep an account active for ever. What the user set for a
    handle holds for the account that has it, or had it.
    """
    at_s = f"{_seconds(now)!r}::double"  # seconds, because arithmetic with intervals takes ten times as long
    priorities = " ".join(f"when '{tier}' then {PRIORITY[tier]}" for tier in TIERS)
    return f"""
        with posting as (
            select account_id, epoch(max(published_at)) as newest_s, epoch(min(published_at)) as oldest_s,
                   count(*) filter (published_at >= to_timestamp({at_s} - {RATE_DAYS * 86_400!r}::double)) as recent
            from content_items where published_at <= to_timestamp({at_s}) group by account_id
        ), known as (
            select a.account_id, a.platform, a.handle, l.creator_id, a.observed_at, p.newest_s as own_newest_s,
                   p.recent * 7 / greatest({_LEAST_RATE_DAYS!r}::double, least({RATE_DAYS!r}::double,
                       ({at_s} - p.oldest_s) / 86400)) as items_per_week
            from accounts a left join posting p using (account_id) left join creator_links l using (account_id)
            where coalesce(a.is_profile, true)  -- whom a post only names is looked at when the user asks for it
               or (a.platform, a.handle) in (select (platform, handle) from watchlist)
        ), overrides as (
            select m.account_id, o.every_h, o.priority as own_priority,
                   coalesce(bool_or(not o.is_watched) over (partition by m.account_id), false) as is_left_alone
            from ({accounts_meant("from schedule_overrides")}) m
            join schedule_overrides o using (platform, handle)
            qualify row_number() over (partition by account_id order by is_former, o.set_at desc nulls last) = 1
        ), newest as (
            select creator_id, max(own_newest_s) as newest_s from known
            where creator_id is not null group by creator_id
        ), tiered as (
            select k.*, case when k.creator_id is null then k.own_newest_s else n.newest_s end as last_s,
                   case when {at_s} - last_s <= {tiers.active_days * 86_400!r}::double then 'active'
                        when {at_s} - last_s <= {tiers.semi_active_days * 86_400!r}::double then 'semi_active'
                        else 'long_tail' end as tier,
                   o.every_h, o.own_priority
            from known k left join newest n using (creator_id) left join overrides o using (account_id)
            where o.is_left_alone is not true
        ), paced as (
            select *, {cadence_sql(tiers)} as cadence_h from tiered
        )
        select account_id, platform, handle, creator_id, tier,
               coalesce(own_priority, case tier {priorities} end)::bigint as priority,
               to_timestamp(last_s) as newest_at, items_per_week, observed_at, cadence_h,
               to_timestamp(epoch(observed_at) + cadence_h * 3600) as due_at,
               ({at_s} - epoch(observed_at)) / 3600 - cadence_h as overdue_h
        from paced
    """


def due_accounts(
    lake: Reader, now: datetime, tiers: Tiers, limit: int | None = None, platforms: Sequence[str] | None = None
) -> pa.Table:
    """The accounts that are due, columns as in ``tier_query``; the first is to be looked at first.

    Highest priority first, then what was never observed, then the longest overdue. ``limit``: at most so many;
    ``platforms``: only those.
    """
    few = "" if limit is None else f" limit {int(limit)}"
    return lake.arrow(
        f"select * from ({tier_query(now, tiers)}) where (overdue_h >= 0 or overdue_h is null) "
        "and (?::varchar[] is null or list_contains(?::varchar[], platform)) "
        f"order by priority desc, overdue_h desc nulls first, account_id{few}",
        (platforms, platforms),
    )


@dataclass(frozen=True)
class Freshness:
    """How a tier stands: its ``accounts``, those of them that are not overdue, and how overdue the others are."""

    tier: str
    accounts: int
    fresh: int
    overdue_median_h: float | None

    @property
    def fresh_share(self) -> float | None:
        """Share that was looked at within its cadence; None in an empty tier."""
        return self.fresh / self.accounts if self.accounts else None


def freshness(lake: Reader, now: datetime, tiers: Tiers) -> tuple[Freshness, ...]:
    """One row for every tier, in the order of ``TIERS``."""
    rows = lake.arrow(
        "select tier, count(*) as accounts, count(*) filter (overdue_h < 0) as fresh, "
        "median(overdue_h) filter (overdue_h >= 0) as overdue_median_h "
        f"from ({tier_query(now, tiers)}) group by tier"
    ).to_pylist()
    found = {row["tier"]: Freshness(**row) for row in rows}
    return tuple(found.get(tier, Freshness(tier, 0, 0, None)) for tier in TIERS)


def tier_counts(lake: Reader, now: datetime, tiers: Tiers) -> dict[str, int]:
    """How many accounts each tier has."""
    return {row.tier: row.accounts for row in freshness(lake, now, tiers)}


def _seconds(now: datetime) -> float:
    if now.tzinfo is None:
        raise ValueError("a time without a zone cannot be compared with stored times")
    return now.timestamp()
