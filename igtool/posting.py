"""When creators post: the clock of their country, and the weekdays and hours that do best, as SQL."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from igtool.engagement import reactions
from igtool.errors import ConfigError

_FILE = Path(__file__).parent / "vocabulary" / "time_zones.toml"

SLOT_ITEMS = 2
"""Items in an hour of a weekday that make it a slot."""
KNOWN_ITEMS = 3
"""Items of known likes and comments by which a slot or an hour is judged; below, frequency decides."""
BEST_HOURS = 3
"""At most so many hours of the day are named."""


@lru_cache(maxsize=1)
def time_zones() -> dict[str, str]:
    """ISO 3166-1 alpha-2 country to IANA time zone, for countries where one clock serves nearly all people."""
    return read_time_zones(_FILE)


def read_time_zones(path: Path) -> dict[str, str]:
    """The tables of the TOML file as one. Raises ConfigError naming the country whose zone there is not."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as TOML: {error}") from error
    zones: dict[str, str] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path.name}: {name} stands in no table: write it below [single] or [mainland]")
        for country, zone in table.items():
            if not re.fullmatch("[A-Z]{2}", country):
                raise ConfigError(f"{path.name}: {country!r} is no ISO 3166-1 alpha-2 country, two upper-case letters")
            try:
                ZoneInfo(zone)
            except (OSError, TypeError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
                raise ConfigError(f"{path.name}: {country}: there is no time zone {zone!r}") from error
            zones[country] = zone
    return zones


def zones_of_countries() -> str:
    """SQL: the relation of ``country`` and ``time_zone``."""
    rows = ", ".join(f"('{country}', '{zone}')" for country, zone in sorted(time_zones().items()))
    return f"select * from (values {rows}) zones(country, time_zone)"


def slots_of(items: str, key: str) -> str:
    """SQL: one row for each ``key`` of the relation ``items`` with its best ``slot`` and ``best_hours``.

    ``items``: ``local_at`` (published_at on the creator's clock), account_id, content_id, published_at, observed_at and
    the counts. What an item did is its likes and comments over the median of its account, so that accounts of
    different size compare. ``slot``: the hour of a weekday with the highest median of 3 items or more, else the most
    frequent of 2 or more, else NULL. ``best_hours``: up to three hours of the day with 3 items or more, best first.
    """
    return f"""
        with reacted as (select *, {reactions()} as reactions from {items} where local_at is not null),
        compared as (
            select {key}, isodow(local_at) as day, lower(dayname(local_at)) as weekday, hour(local_at) as hour,
                   reactions / nullif(median(reactions) over (partition by account_id), 0) as did
            from reacted
        ),
        slotted as (
            select {key}, day, weekday, hour, count(*) as items, count(did) >= {KNOWN_ITEMS} as judged,
                   median(did) as did
            from compared group by all
        ),
        slots as (
            select {key}, list(struct_pack(
                       weekday, hour, items, basis := if(judged, 'engagement', 'frequency')
                   ) order by judged desc, if(judged, did, 0) desc, items desc, day, hour)[1] as slot
            from slotted where items >= {SLOT_ITEMS} group by {key}
        ),
        hours as (
            select {key}, hour, count(*) as items, median(did) as did
            from compared group by all having count(did) >= {KNOWN_ITEMS}
        ),
        ranked as (
            select {key}, list(hour order by did desc, items desc, hour)[1:{BEST_HOURS}] as best_hours
            from hours group by {key}
        )
        select {key}, slot, best_hours from slots full join ranked using ({key})
    """
