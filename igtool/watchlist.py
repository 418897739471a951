"""Creator lists in the database: the rows that were asked for, those that could not be used, and who is left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from igtool.errors import UsageError
from igtool.forgotten.tombstones import Tombstones
from igtool.journal.said import Change
from igtool.known_handles import GIVEN, accounts_meant
from igtool.lake import Lake
from igtool.lists.creator_list import COMMAND_LINE, CreatorList
from igtool.notes import NAME, worded
from igtool.runner import reject_rows
from igtool.session import Session
from igtool.stages.base import Reject, Row

# What was typed, and everything else in the two tables that means the same account.
_SAME = f"""
    with given as ({GIVEN}),
    known as (from ({accounts_meant("from given union select platform, handle from {table}")})),
    same as (
        select distinct g.handle as given, k.platform, k.handle
        from given g join known m on m.platform = g.platform and m.handle = g.handle
        join known k on k.account_id = m.account_id
        union select handle, platform, handle from given
    )
    select s.given, t.* from {{table}} t join same s on s.platform = t.platform and lower(s.handle) = lower(t.handle)
    order by all
"""

_WATCHED = f"""
    with typed as (
        select platform, handle, list_name from watchlist
        union all select platform, handle, null from schedule_overrides where not is_watched
    ),
    known as (from ({accounts_meant("from typed")})),
    left_alone as (
        select distinct o.platform, coalesce(k.account_id, lower(o.handle)) as who
        from schedule_overrides o left join known k using (platform, handle) where not o.is_watched
    ),
    shown as (
        select t.platform, t.handle, any_value(k.account_id) as account_id,
               coalesce(list(t.list_name order by t.list_name) filter (t.list_name is not null), []) as lists
        from typed t left join known k using (platform, handle) group by t.platform, t.handle
    )
    select s.platform, s.handle, s.lists, l.who is null as is_watched, a.handle as handle_now, a.observed_at as seen_at
    from shown s left join accounts a using (account_id)
    left join left_alone l on l.platform = s.platform and l.who = coalesce(s.account_id, lower(s.handle))
    where ?::varchar is null or list_contains(s.lists, ?::varchar) order by s.platform, s.handle
"""


@dataclass(frozen=True)
class Unwatched:
    """An account that is left alone from now on: the lists it went from, and those that are as their files are."""

    handle: str
    off: tuple[str, ...]
    still_on: tuple[str, ...]


def watching(lake: Lake, creators: CreatorList, name: str, now: datetime) -> tuple[int, list[Change]]:
    """How many of ``creators`` are not on the list ``name``, and what puts them there and lets them be looked at again.

    Raises UsageError for the name of a list that is a file, and for who was forgotten.
    """
    name = worded(name, "name of a list", NAME)
    of_a_file = lake.value("select exists (from watchlist where list_name = ? and line is not null)", (name,))
    if of_a_file or name == COMMAND_LINE:
        raise UsageError(f"the list {name!r} is what `igtool enrich` was given last: add to that, or name another list")
    has = Tombstones(lake).has
    for row in creators.rows:
        if has(row.platform, row.handle):
            raise UsageError(f"{row.handle} was forgotten on request (`igtool forget`); nothing was added")
    rows, known = _rows(replace(creators, name=name)), _stored(lake, name)
    new = [row for watch_id, row in rows.items() if watch_id not in known]
    back: list[Row] = []
    gone: list[Row] = []
    for found in _same(lake, "schedule_overrides", creators):
        kept = {key: value for key, value in found.items() if key != "given"} | {"is_watched": None, "set_at": now}
        (gone if kept["every_h"] is None and kept["priority"] is None else back).append(kept)
    changes = [Change("watchlist", new), Change("schedule_overrides", back)]
    return len(new), [one for one in [*changes, Change("schedule_overrides", gone, is_gone=True)] if one.rows]


def unwatching(lake: Lake, creators: CreatorList, now: datetime) -> tuple[list[Unwatched], list[Change]]:
    """What becomes of each account of ``creators``, and what makes the schedule leave them alone.

    A cadence and a priority that were set stay, for when the account is watched again. Raises UsageError for a handle
    that is on no list and means no account.
    """
    listed = _same(lake, "watchlist", creators)
    found, overrides = [], []
    set_before = {(row["platform"], row["handle"]): row for row in lake.rows("from schedule_overrides")}
    stored = {(row["platform"], row["handle"]) for row in lake.rows(accounts_meant(GIVEN), _given(creators))}
    for platform, handle in dict.fromkeys((str(row.platform), str(row.handle)) for row in creators.rows):
        own = [row for row in listed if (row["platform"], row["given"]) == (platform, handle)]
        if not own and (platform, handle) not in stored:
            raise UsageError(f"nobody is watched or stored as {handle} on {platform}: see `igtool watch list`")
        off, still_on = (
            {row["list_name"] for row in own if (row["line"] is None) is is_own} for is_own in (True, False)
        )
        found.append(Unwatched(handle, tuple(sorted(off)), tuple(sorted(still_on))))
        place = (platform, handle.lower())
        row = set_before.get(place, {"platform": platform, "handle": place[1], "priority": None, "every_h": None})
        overrides.append({**row, "is_watched": False, "set_at": now})
    gone = [{"watch_id": row["watch_id"]} for row in listed if row["line"] is None]
    changes = [Change("watchlist", gone, is_gone=True), Change("schedule_overrides", overrides)]
    return found, [one for one in changes if one.rows]


def watched(lake: Lake, name: str | None = None) -> list[Row]:
    """Accounts on lists, and those that are left alone: ``lists``, ``is_watched``, the handle now and when it was seen.

    With ``name`` only those of that list; raises UsageError for one that is not there.
    """
    rows = lake.rows(_WATCHED, (name, name))
    if name is not None and not rows:
        known = lake.rows("select distinct list_name from watchlist order by 1")
        raise UsageError(f"there is no list {name!r}; there are: {', '.join(r['list_name'] for r in known) or 'none'}")
    return rows


def _same(lake: Lake, table: str, creators: CreatorList) -> list[Row]:
    """The rows of ``table`` about accounts of ``creators``, however they name them; ``given`` is how these do."""
    return lake.rows(_SAME.format(table=table), _given(creators))


def _given(creators: CreatorList) -> tuple[list[str | None], list[str | None]]:
    """Platforms and handles, for `GIVEN`."""
    return [row.platform for row in creators.rows], [row.handle for row in creators.rows]


def store_list(session: Session, creators: CreatorList) -> None:
    """Make the stored list equal ``creators``: usable rows in ``watchlist``, the others in ``rejects``."""
    rows = _rows(creators)
    made = reject_rows("list", _rejects(creators))
    known = _stored(session.lake, creators.name)
    changed = [row for watch_id, row in rows.items() if known.get(watch_id) != row["row"]]
    gone = [watch_id for watch_id in known if watch_id not in rows]
    counts = session.progress.of("list")
    counts.failed = len(made)
    counts.new = sum(watch_id not in known for watch_id in rows)
    counts.updated = len(changed) - counts.new
    counts.skipped = len(rows) - len(changed)
    ours = (f"{creators.name}:",)
    refused = session.lake.rows("from rejects where stage = 'list' and starts_with(item_id, ?)", ours)
    same_refused = sorted(map(str, refused)) == sorted(map(str, made))
    if not changed and not gone and same_refused:
        return
    with session.lake.transaction():
        session.lake.merge("watchlist", changed)
        session.lake.delete("watchlist", "watch_id", gone)
        if not same_refused:
            session.lake.execute("delete from rejects where stage = 'list' and starts_with(item_id, ?)", ours)
            session.lake.merge("rejects", made)


def _rows(creators: CreatorList) -> dict[str, Row]:
    """Rows of ``watchlist`` by id; of rows with the same creator the first counts."""
    rows: dict[str, Row] = {}
    for row in creators.rows:
        if row.reason is None:
            watch_id = f"{creators.name}:{row.platform}:{row.handle}"
            rows.setdefault(
                watch_id,
                {
                    "watch_id": watch_id,
                    "list_name": creators.name,
                    "platform": row.platform,
                    "handle": row.handle,
                    "line": row.line,
                    "row": creators.row_json(row),
                },
            )
    return rows


def _rejects(creators: CreatorList) -> list[Reject]:
    path = str(creators.path) if creators.path else None
    return [
        Reject(f"{creators.name}:{row.number}", row.reason, "; ".join(filter(None, row.cells))[:200], path, row.line)
        for row in creators.rows
        if row.reason is not None
    ]


def _stored(lake: Lake, name: str) -> dict[str, str]:
    rows = lake.rows("select watch_id, row::varchar as row from watchlist where list_name = ?", (name,))
    return {row["watch_id"]: row["row"] for row in rows}
