"""Lists, notes, hidden creators and saved searches: what a person keeps, by creator_id.

What changes it is a `Change`, for `igtool.changes` to store or lay over what is read. Everything belongs to a tenant;
the command line and Python are the tenant `local`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from igtool import history
from igtool.changes import overlaid
from igtool.errors import UsageError
from igtool.forgotten.tombstones import Tombstones
from igtool.journal.said import Change, Said
from igtool.journal.tenants import LOCAL as LOCAL
from igtool.known_handles import GIVEN, accounts_meant
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.lists.handles import SITES

LONGEST = 10_000
"""Characters of a note."""
NAME = 200
"""Characters of the name of a list or a saved search."""

_NUL = "\0"
"""In no name: DuckLake writes values into the SQL of its catalog, where it ends the text."""

_NAMED = """
    select distinct creator_id from creator_links
    where account_id in (select account_id from accounts where handle = ? or lower(platform_user_id) = ?)
        or creator_id = ? or creator_id in (select survivor_id from creator_forwards where creator_id = ?) order by 1
"""

_RENAMED = f"""
    select m.handle as name, m.platform, a.handle, a.account_id, l.creator_id from ({accounts_meant(GIVEN)}) m
    join accounts a using (account_id) left join creator_links l using (account_id) order by all
"""

# Parts of a name: as it is, its platform (empty for any), its handle or the platform's id.
_ACCOUNTS = """
    with named as (
        select unnest(?::varchar[]) as name, unnest(?::varchar[]) as platform, unnest(?::varchar[]) as handle
    ),
    found as (
        select n.name, a.account_id, true as is_exact from named n join accounts a on a.account_id = n.name
        union select n.name, a.account_id, false from named n join accounts a
            on a.handle = n.handle and n.platform in ('', a.platform)
        union select n.name, a.account_id, false from named n join accounts a
            on a.platform = n.platform and lower(a.platform_user_id) = n.handle
        union select n.name, l.account_id, false from named n
            left join creator_forwards f on f.creator_id = n.name
            join creator_links l on l.creator_id = coalesce(f.survivor_id, n.name)
    )
    select f.name, f.account_id, any_value(a.platform) as platform, any_value(a.handle) as handle,
           false as is_former
    from found f join accounts a using (account_id)
    group by f.name, f.account_id, f.is_exact
    qualify row_number() over (partition by f.name, f.account_id order by f.is_exact desc) = 1
        and f.is_exact = max(f.is_exact) over (partition by f.name)
    order by all
"""

# The lists that were given to `enrich` are lists of the command line.
_GIVEN = f"""
    select distinct w.list_name, l.creator_id from watchlist w
    join ({accounts_meant("from watchlist")}) m using (platform, handle) join creator_links l using (account_id)
"""


@dataclass(frozen=True)
class Kept:
    """What a tenant keeps that bears on a search: hidden creators, and the creators of each list."""

    hidden: list[str]
    lists: dict[str, list[str]]


def creators_named(lake: Lake, handle: str, told: Callable[[str], None] = lambda _: None) -> list[str]:
    """Ids of the creators with this handle or id; a merged one leads to the survivor.

    A handle that nobody has now means who had it last, which ``told`` hears. Raises UsageError, with handles that come
    close, if there is none.
    """
    name = handle.strip().removeprefix("@").lower()
    if _NUL in name:
        raise UsageError(f"there is no creator {handle[:60]!r}")
    found = [row["creator_id"] for row in lake.rows(_NAMED, (name, name, name, name))]
    if not found:
        renamed = [row for row in _renamed(lake, [("", name)]) if row["creator_id"]]
        found = list(dict.fromkeys(row["creator_id"] for row in renamed))
        for row in renamed:
            told(now_named(name, row))
    if not found:
        raise UsageError(f"there is no creator {handle!r}{history.close_to(lake, name)}")
    return found


def now_named(name: str, account: dict[str, Any]) -> str:
    """What to say of a former handle, whose ``account`` has another name."""
    return f"{name} is now {account['handle'] or account['account_id']} on {account['platform']}"


def _renamed(lake: Lake, asked: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Accounts, each with its ``name``, that had the handles of ``asked``, after a platform or ''; '' is any.

    The name of somebody who was forgotten means nobody, and not who had it before them.
    """
    places = [(platform, handle) for given, handle in asked for platform in ([given] if given else SITES)]
    rows = lake.rows(_RENAMED, [[place[part] for place in places] for part in (0, 1)]) if places else []
    gone = Tombstones(lake) if rows else None
    return [row for row in rows if gone is None or not gone.has(row["platform"], row["name"])]


def creators_of_handles(lake: Lake, names: Sequence[str]) -> dict[str, list[str]]:
    """Each of ``names`` (handles, also former ones, or creator ids, lower case) that is known, to its creators."""
    names = [name for name in names if _NUL not in name]
    rows = lake.rows(
        "select distinct n.name, l.creator_id from (select unnest(?::varchar[]) as name) n "
        "join accounts a on n.name in (a.handle, lower(a.platform_user_id)) join creator_links l using (account_id) "
        "union select n.name, c.creator_id from (select unnest(?::varchar[]) as name) n "
        "join creators c on lower(c.creator_id) = n.name order by all",
        (list(names), list(names)),
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row["creator_id"])
    for row in _renamed(lake, [("", name) for name in names if name not in found]):
        if row["creator_id"]:
            found.setdefault(row["name"], []).append(row["creator_id"])
    return {name: list(dict.fromkeys(creators)) for name, creators in found.items()}


def account_named(lake: Lake, name: str) -> str:
    """The account that ``name`` means: an account id, ``platform:handle``, a handle, or the id of a creator.

    Raises UsageError, with what comes close, for a name that means no account or several.
    """
    return only_account(lake, name, accounts_named(lake, [name])[name])


def accounts_named(lake: Lake, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The accounts, with platform and handle, that each of ``names`` means, found together.

    A handle that nobody has now means who had it last (``is_former``).
    """
    parts = [(name.strip(), *_platform_and_handle(name)) for name in dict.fromkeys(names) if _NUL not in name]
    columns = [[part[place] for part in parts] for place in (0, 1, 2)]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in lake.rows(_ACCOUNTS, columns):
        found.setdefault(row["name"], []).append(row)
    renamed: dict[str, list[dict[str, Any]]] = {}
    for row in _renamed(lake, [place for name, *place in parts if name not in found]):
        one = {key: row[key] for key in ("account_id", "platform", "handle")}
        renamed.setdefault(row["name"], []).append(one | {"is_former": True})
    for name, platform, handle in parts:
        if name not in found:
            found[name] = [one for one in renamed.get(handle, []) if platform in ("", one["platform"])]
    return {name: found.get(name.strip(), []) for name in names}


def only_account(lake: Lake, name: str, found: Sequence[dict[str, Any]]) -> str:
    """The one account that `accounts_named` found for ``name``. Raises UsageError as `account_named`."""
    handle = _platform_and_handle(name)[1]
    if not found:
        raise UsageError(f"there is no account {name!r}{history.close_to(lake, handle)}")
    if len(found) > 1:
        means = ", ".join(f"{row['platform']}:{row['handle'] or row['account_id']}" for row in found[:5])
        what = "is the handle of" if found[0]["handle"] == handle else "is a creator with"
        what = "was the handle of" if found[0]["is_former"] else what
        raise UsageError(f"{name!r} {what} {len(found)} accounts: say which, one of {means}")
    return str(found[0]["account_id"])


def _platform_and_handle(name: str) -> tuple[str, str]:
    platform, _, rest = name.strip().lower().partition(":")
    return (platform, rest.removeprefix("@")) if rest else ("", platform.removeprefix("@"))


def kept(lake: Lake, tenant: str = LOCAL, *, with_lists: bool = True, waiting: Sequence[Said] = ()) -> Kept:
    """What ``tenant`` keeps, with what ``waiting`` changes of it.

    Lists only when they are asked for, since those of a night hold a million handles.
    """
    hidden = sorted({row["creator_id"] for row in mine(lake, "tenant_hidden", tenant, waiting)})
    lists: dict[str, dict[str, None]] = {}
    rows = mine(lake, "tenant_lists", tenant, waiting) if with_lists else []
    for row in [*rows, *(lake.rows(_GIVEN) if with_lists and tenant == LOCAL else [])]:
        lists.setdefault(row["list_name"], {})[row["creator_id"]] = None
    return Kept(hidden, {name: sorted(creators) for name, creators in lists.items()})


def list_names(lake: Lake, tenant: str = LOCAL, waiting: Sequence[Said] = ()) -> list[str]:
    """Names of the lists of a tenant, in order."""
    own = {row["list_name"] for row in mine(lake, "tenant_lists", tenant, waiting)}
    given = lake.rows("select distinct list_name from watchlist") if tenant == LOCAL else []
    return sorted(own | {row["list_name"] for row in given if row["list_name"]})


def mine(lake: Lake, table: str, tenant: str = LOCAL, waiting: Sequence[Said] = ()) -> list[dict[str, Any]]:
    """The rows of ``table`` that are a tenant's, with what ``waiting`` changes; merged creators are the survivor."""
    rows = overlaid(lake.rows(f"from {quote(table)} where tenant_id = ?", (tenant,)), table, tenant, waiting)
    creators = {row["creator_id"] for row in rows if "creator_id" in row}
    merged = lake.rows(
        "select creator_id, survivor_id from creator_forwards where creator_id in (select unnest(?::varchar[]))",
        (sorted(creators),),
    )
    survivors = {row["creator_id"]: row["survivor_id"] for row in merged}
    if not survivors:
        return rows
    return [row | {"creator_id": survivors.get(row["creator_id"], row["creator_id"])} for row in rows]


def with_former(lake: Lake, creators: Sequence[str]) -> list[str]:
    """``creators``, and those that were merged into them: rows that name these are about them as well."""
    former = lake.rows(
        "select creator_id from creator_forwards where survivor_id in (select unnest(?::varchar[])) order by 1",
        (list(creators),),
    )
    return list(dict.fromkeys([*creators, *(row["creator_id"] for row in former)]))


def noted(lake: Lake, words: str, tenant: str = LOCAL, waiting: Sequence[Said] = ()) -> list[str]:
    """Ids of the creators with a note that holds ``words``, in any case; any note for an empty text."""
    sought = words.lower()
    return sorted(
        {row["creator_id"] for row in mine(lake, "tenant_notes", tenant, waiting) if sought in row["note"].lower()}
    )


def on_list(name: str, creators: Sequence[str], now: datetime, tenant: str = LOCAL) -> Change:
    """That creators are on the list ``name``, which is made if it is not there."""
    said = worded(name, "list", NAME)
    return Change(
        "tenant_lists",
        [{"tenant_id": tenant, "list_name": said, "creator_id": one, "added_at": now} for one in creators],
    )


def off_list(name: str, creators: Sequence[str], tenant: str = LOCAL) -> Change:
    """That creators are not on the list ``name``."""
    return Change(
        "tenant_lists", [{"tenant_id": tenant, "list_name": name, "creator_id": one} for one in creators], is_gone=True
    )


def noting(creators: Sequence[str], text: str, now: datetime, tenant: str = LOCAL) -> Change:
    """A note about creators."""
    said = worded(text, "note")
    return Change(
        "tenant_notes",
        [{"tenant_id": tenant, "creator_id": one, "note": said, "noted_at": now} for one in creators],
    )


def without_note(creator: str, noted_at: datetime, tenant: str = LOCAL) -> Change:
    """That a note is not there."""
    row = {"tenant_id": tenant, "creator_id": creator, "noted_at": noted_at}
    return Change("tenant_notes", [row], is_gone=True)


def hiding(creators: Sequence[str], reason: str | None, now: datetime, tenant: str = LOCAL) -> Change:
    """That creators appear in no search until they are shown again."""
    said = worded(reason, "reason") if reason else None
    return Change(
        "tenant_hidden",
        [{"tenant_id": tenant, "creator_id": one, "reason": said, "hidden_at": now} for one in creators],
    )


def showing(creators: Sequence[str], tenant: str = LOCAL) -> Change:
    """That hidden creators appear again."""
    return Change("tenant_hidden", [{"tenant_id": tenant, "creator_id": one} for one in creators], is_gone=True)


def saving(name: str, request: dict[str, Any], now: datetime, tenant: str = LOCAL) -> Change:
    """That a search, as POST /api/v1/search takes it, is saved under ``name``."""
    row = {"tenant_id": tenant, "search_name": worded(name, "name of a search", NAME), "saved_at": now}
    return Change("tenant_searches", [{**row, "request": json.dumps(request, ensure_ascii=False)}])


def without_search(name: str, tenant: str = LOCAL) -> Change:
    """That no search is saved under ``name``."""
    return Change("tenant_searches", [{"tenant_id": tenant, "search_name": name}], is_gone=True)


def worded(text: str, what: str, longest: int = LONGEST) -> str:
    """``text`` without spaces around it. Raises UsageError if it is empty, too long or holds NUL."""
    said = text.strip()
    if not said or len(said) > longest or _NUL in said:
        raise UsageError(f"a {what} has 1 to {longest:,} characters, without NUL")
    return said
