"""What was known of a creator at an earlier time, from the snapshots and states that are dated at or before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from igtool.engagement import content_mix_of, engagement_of, posting_of
from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.views import growth_windows_of

Row = dict[str, Any]

COUNTS = {
    "followers": "followers_count",
    "following": "following_count",
    "posts": "posts_count",
    "views": "view_count",
}
"""Metric of an account to its column in ``accounts``."""

NOT_KNOWN_THEN = ("niche", "profile", "links between accounts")
"""What igtool keeps no history of: the first two are left out, accounts are linked as they are now."""

_FOUND = """
    select distinct account_id from account_states where handle = $name
    union select account_id from accounts
    where handle = $name or lower(platform_user_id) = $name or account_id = $name
    union select account_id from creator_links where creator_id = $name
"""

# Who had the handle at the moment goes before everyone who had it at another time; an id is always meant.
_CREATORS = f"""
    with found as ({_FOUND}),
    told as (
        select account_id, arg_max(handle, row(observed_at, answer_id)) as handle
        from account_states semi join found using (account_id)
        where handle is not null and observed_at <= $moment group by account_id
    ),
    ranked as (
        select l.creator_id, coalesce(t.handle = $name, false) as had_it,
               l.creator_id = $name or lower(a.platform_user_id) = $name or account_id = $name as is_id
        from found join creator_links l using (account_id)
        left join accounts a using (account_id) left join told t using (account_id)
    )
    select distinct creator_id from ranked
    where had_it or is_id or not exists (select 1 from ranked where had_it or is_id) order by 1
"""

_FIRST = """
    select min(observed_at) from (
        select observed_at from account_states where list_contains($accounts, account_id)
        union all
        select observed_at from metric_snapshots where list_contains($accounts, subject_id)
        union all
        select s.observed_at from metric_snapshots s join content_items c on c.content_id = s.subject_id
        where list_contains($accounts, c.account_id)
    )
"""

_KNOWN = """
    with known as (
        select * from metric_snapshots where observed_at <= $moment and list_contains($accounts, subject_id)
    )
"""

# A column that the newest answer lacks is that of the newest answer of another shape, as in the table accounts.
_STATES = """
    with told as (
        select *, row(coalesce(is_profile, false), observed_at, answer_id) as age
        from account_states where observed_at <= $moment and list_contains($accounts, account_id)
        qualify row_number() over (partition by account_id, shape order by age desc) = 1
    ),
    known as (
        select account_id, any_value(platform) as platform,
               arg_max(handle, row(observed_at, answer_id)) filter (handle is not null) as handle,
               arg_max(display_name, age) filter (display_name is not null) as display_name,
               arg_max(bio, age) filter (bio is not null) as bio,
               arg_max(category, age) filter (category is not null) as category,
               arg_max(is_verified, age) filter (is_verified is not null) as is_verified,
               arg_max(answer_id, age) as answer_id, arg_max(observed_at, age) as observed_at
        from told group by account_id
    )
    select k.*, r.source, r.endpoint as answer_path from known k left join raw_responses r using (answer_id)
    order by account_id
"""

_SNAPSHOTS = (
    _KNOWN
    + """
    select k.subject_id, k.metric, k.value, k.observed_at, k.answer_id, r.source
    from known k left join raw_responses r using (answer_id)
    qualify row_number() over (partition by subject_id, metric order by observed_at desc, k.answer_id desc) = 1
    order by subject_id, metric
"""
)

_ITEMS = """
    with owned as materialized (select * from content_items where list_contains($accounts, account_id)),
    counted as (
        select s.subject_id as content_id, s.metric, arg_max(s.value, row(s.observed_at, s.answer_id)) as value,
               max(s.observed_at) as observed_at
        from metric_snapshots s join owned on owned.content_id = s.subject_id
        where s.observed_at <= $moment group by all
    ),
    counts as (
        select content_id, max(value) filter (metric = 'likes') as like_count,
               max(value) filter (metric = 'comments') as comment_count,
               max(value) filter (metric = 'views') as view_count,
               max(value) filter (metric = 'plays') as play_count,
               coalesce(min(observed_at) filter (metric in ('likes', 'comments')), min(observed_at)) as observed_at
        from counted group by content_id
    ),
    followed as (
        select subject_id as account_id, arg_max(value, row(observed_at, answer_id)) as followers_count
        from metric_snapshots
        where metric = 'followers' and observed_at <= $moment and list_contains($accounts, subject_id)
        group by subject_id
    ),
    items as materialized (
        select o.account_id, split_part(o.account_id, ':', 1) as platform, f.followers_count, o.content_id, o.type,
               o.published_at, o.title_or_caption, o.url, c.* exclude (content_id)
        from owned o left join counts c using (content_id) left join followed f using (account_id)
        where coalesce(o.published_at <= $moment, c.observed_at is not null)
    )
"""

_OF_ITEMS = f"""{_ITEMS}
    select (select count(*) from items) as item_count,
           (select list(e order by account_id) from ({engagement_of("items")}) e) as engagement,
           (select list(p order by account_id) from ({posting_of("items")}) p) as posting,
           (select list(m order by account_id, type) from ({content_mix_of("items")}) m) as content_mix,
           (select list(n order by published_at desc nulls last, content_id) from (
               select content_id, type, published_at, title_or_caption, like_count, comment_count, view_count,
                      play_count, url, observed_at
               from items order by published_at desc nulls last, content_id limit 5
           ) n) as newest_items
"""


def moment_of(as_of: str | date | datetime) -> datetime:
    """The moment that is meant, in UTC: the end of the UTC day for a date; a time without a zone is UTC.

    Raises UsageError for a text that is neither ``2026-01-31`` nor ``2026-01-31T18:00``, with or without a zone.
    """
    try:
        given: date = _parsed(as_of) if isinstance(as_of, str) else as_of
        if not isinstance(given, datetime):
            return datetime.combine(given, time.max, UTC)
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{as_of!r} is no date: write it as 2026-01-31 or 2026-01-31T18:00+01:00") from error


def _parsed(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return datetime.fromisoformat(text.strip())


def as_of(lake: Lake, handle: str, moment: datetime) -> list[Row]:
    """The creators whose account had this handle at ``moment``, one dict each, as they were known then.

    Every count comes with the snapshot it is from: the newest at or before ``moment``. Without an account that had
    the handle then, those that had it at any time count; a creator id or a platform's id does as well. Raises
    UsageError when there is no such creator, or when nothing was known of it yet, with the first date.
    """
    bound: Row = {"name": handle.strip().removeprefix("@").lower(), "moment": moment}
    creators = [row["creator_id"] for row in _rows(lake, _CREATORS, bound)]
    if not creators:
        raise UsageError(f"there is no creator {handle!r}, now or earlier{close_to(lake, bound['name'])}")
    found, firsts = [], []
    for creator_id in creators:
        links = _rows(
            lake, "select account_id from creator_links where creator_id = $id order by 1", {"id": creator_id}
        )
        accounts = [row["account_id"] for row in links]
        first = lake.value(*_bound(_FIRST, {"accounts": accounts}))
        firsts += [first] if first is not None else []
        if first is not None and first <= moment:
            found.append(_then(lake, creator_id, accounts, moment) | {"first_observed_at": first})
    if not found:
        raise UsageError(_too_early(handle, moment, min(firsts, default=None)))
    return found


def close_to(lake: Lake, name: str) -> str:
    """The end of a message that ``name`` was not found: three handles that come close."""
    close = handles_close_to(lake, name)
    return f"; close are: {', '.join(close)}" if close else "; the database is empty"


def handles_close_to(lake: Lake, name: str, most: int = 3) -> list[str]:
    """The handles that come closest to ``name``, the nearest first."""
    rows = lake.rows(
        "select distinct handle, jaro_winkler_similarity(handle, ?) as likeness from accounts "
        "where handle is not null order by likeness desc, handle limit ?",
        (name, most),
    )
    return [row["handle"] for row in rows]


def _too_early(handle: str, moment: datetime, first: datetime | None) -> str:
    if first is None:
        return f"no answer that tells of {handle!r} is dated: there is nothing to look back on"
    first = first.astimezone(UTC)
    near = first.date() == moment.date()
    return (
        f"nothing was known of {handle!r} at {moment:%Y-%m-%d %H:%M} UTC: the first snapshot is of "
        f"{first:%Y-%m-%d %H:%M} UTC; use --as-of {first.isoformat() if near else first.date()} or later"
    )


def _then(lake: Lake, creator_id: str, accounts: Sequence[str], moment: datetime) -> Row:
    bound = {"accounts": list(accounts), "moment": moment}
    states = {row["account_id"]: row for row in _rows(lake, _STATES, bound)}
    snapshots: dict[str, dict[str, Row]] = {}
    for row in _rows(lake, _SNAPSHOTS, bound):
        snapshots.setdefault(row.pop("subject_id"), {})[row.pop("metric")] = row
    known = [
        _account(one, states.get(one, {}), snapshots.get(one, {})) for one in accounts if one in states | snapshots
    ]
    known.sort(key=lambda account: (-(account["followers_count"] or -1), account["account_id"]))
    totals = [account["followers_count"] for account in known if account["followers_count"] is not None]
    return {
        "creator_id": creator_id,
        "as_of": moment,
        "name": next((account["display_name"] for account in known if account["display_name"]), None),
        "total_followers_count": sum(totals) if totals else None,
        "accounts": known,
        **_of_items(lake, bound, known),
        "growth": _rows(lake, f"{_KNOWN} select * from ({growth_windows_of('known')}) order by all", bound),
        "not_known_then": list(NOT_KNOWN_THEN),
    }


def _of_items(lake: Lake, bound: Row, accounts: Sequence[Row]) -> Row:
    """What the items published by then tell: engagement, posting, content mix, and the newest of them."""
    (told,) = _rows(lake, _OF_ITEMS, bound)
    named = {a["account_id"]: {"handle": a["handle"], "followers_count": a["followers_count"]} for a in accounts}
    for name in ("engagement", "posting", "content_mix"):
        rows = told[name] or []
        told[name] = [
            {"platform": row["account_id"].split(":")[0], **named.get(row["account_id"], {}), **row} for row in rows
        ]
    told["newest_items"] = told["newest_items"] or []
    return told


def _account(account_id: str, state: Row, snapshots: dict[str, Row]) -> Row:
    """State and counts of one account; the snapshot of each known count in ``snapshots``."""
    told: Row = {"account_id": account_id, "platform": account_id.split(":")[0]}
    for name in ("handle", "display_name", "bio", "category", "is_verified", "observed_at"):
        told[name] = state.get(name)
    counts = {column: snapshots.get(metric, {}).get("value") for metric, column in COUNTS.items()}
    origin = {name: state.get(name) for name in ("answer_id", "source", "answer_path")}
    return {**told, **counts, **origin, "snapshots": snapshots}


def _rows(lake: Lake, query: str, bound: Row) -> list[Row]:
    return lake.rows(*_bound(query, bound))


def _bound(query: str, bound: Row) -> tuple[str, list[object]]:
    """``query`` with its names as numbers, and their values in order: the lake binds by place."""
    names = [name for name in bound if f"${name}" in query]
    for place, name in enumerate(names, 1):
        query = query.replace(f"${name}", f"${place}")
    return query, [bound[name] for name in names]
