"""Lists, notes and hidden creators: what a person keeps about creators, by creator_id.

Everything belongs to a tenant; the command line and Python are the tenant `local`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from igtool import history
from igtool.errors import UsageError
from igtool.lake import Lake

LOCAL = "local"
_LONGEST = 10_000

_NAMED = """
    select distinct l.creator_id from accounts a join creator_links l using (account_id)
    where a.handle = ? or lower(a.platform_user_id) = ? or l.creator_id = ?
        or l.creator_id in (select survivor_id from creator_forwards where creator_id = ?) order by 1
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
    select f.name, f.account_id, any_value(a.platform) as platform, any_value(a.handle) as handle
    from found f join accounts a using (account_id)
    group by f.name, f.account_id, f.is_exact
    qualify row_number() over (partition by f.name, f.account_id order by f.is_exact desc) = 1
        and f.is_exact = max(f.is_exact) over (partition by f.name)
    order by all
"""

# The lists that were given to `enrich` are lists too.
_MEMBERS = """
    select list_name, creator_id from tenant_lists where tenant_id = $tenant
    union
    select w.list_name, l.creator_id from watchlist w
    join accounts a on a.platform = w.platform and w.handle in (a.handle, a.platform_user_id)
    join creator_links l using (account_id)
"""


@dataclass(frozen=True)
class Kept:
    """What a tenant keeps that bears on a search: hidden creators, and the creators of each list."""

    hidden: list[str]
    lists: dict[str, list[str]]


def creators_named(lake: Lake, handle: str) -> list[str]:
    """Ids of the creators with this handle or id; a merged one leads to the survivor.

    Raises UsageError, with handles that come close, if there is none.
    """
    name = handle.strip().removeprefix("@").lower()
    found = [row["creator_id"] for row in lake.rows(_NAMED, (name, name, name, name))]
    if not found:
        raise UsageError(f"there is no creator {handle!r}{history.close_to(lake, name)}")
    return found


def creators_of_handles(lake: Lake, names: Sequence[str]) -> dict[str, list[str]]:
    """Each of ``names`` (handles or creator ids, lower case) that is known, to its creators."""
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
    return found


def account_named(lake: Lake, name: str) -> str:
    """The account that ``name`` means: an account id, ``platform:handle``, a handle, or the id of a creator.

    Raises UsageError, with what comes close, for a name that means no account or several.
    """
    return only_account(lake, name, accounts_named(lake, [name])[name])


def accounts_named(lake: Lake, names: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """The accounts, with platform and handle, that each of ``names`` means; found in one query."""
    parts = [(name, name.strip(), *_platform_and_handle(name)) for name in dict.fromkeys(names)]
    columns = [[part[place] for part in parts] for place in (1, 2, 3)]
    found: dict[str, list[dict[str, str]]] = {}
    for row in lake.rows(_ACCOUNTS, columns):
        found.setdefault(row["name"], []).append(row)
    return {name: found.get(stripped, []) for name, stripped, *_ in parts}


def only_account(lake: Lake, name: str, found: Sequence[dict[str, str]]) -> str:
    """The one account that `accounts_named` found for ``name``. Raises UsageError as `account_named`."""
    handle = _platform_and_handle(name)[1]
    if not found:
        raise UsageError(f"there is no account {name!r}{history.close_to(lake, handle)}")
    if len(found) > 1:
        means = ", ".join(f"{row['platform']}:{row['handle'] or row['account_id']}" for row in found[:5])
        what = "the handle of" if found[0]["handle"] == handle else "a creator with"
        raise UsageError(f"{name!r} is {what} {len(found)} accounts: say which, one of {means}")
    return found[0]["account_id"]


def _platform_and_handle(name: str) -> tuple[str, str]:
    platform, _, rest = name.strip().lower().partition(":")
    return (platform, rest.removeprefix("@")) if rest else ("", platform.removeprefix("@"))


def kept(lake: Lake, tenant: str = LOCAL, *, with_lists: bool = True) -> Kept:
    """What ``tenant`` keeps; lists only when they are asked for, since those of a night hold a million handles."""
    hidden = lake.rows("select creator_id from tenant_hidden where tenant_id = ? order by 1", (tenant,))
    lists: dict[str, list[str]] = {}
    for row in lake.rows(_MEMBERS.replace("$tenant", "?"), (tenant,)) if with_lists else []:
        lists.setdefault(row["list_name"], []).append(row["creator_id"])
    return Kept([row["creator_id"] for row in hidden], lists)


def noted(lake: Lake, words: str, tenant: str = LOCAL) -> list[str]:
    """Ids of the creators with a note that holds ``words``, in any case; any note for an empty text."""
    rows = lake.rows(
        "select distinct creator_id from tenant_notes where tenant_id = ? and contains(lower(note), lower(?))",
        (tenant, words),
    )
    return [row["creator_id"] for row in rows]


def add_to_list(lake: Lake, name: str, creators: Sequence[str], now: datetime, tenant: str = LOCAL) -> int:
    """Put creators on the list ``name``, which is made if it is not there; how many were not on it yet."""
    rows = [
        {"tenant_id": tenant, "list_name": worded(name, "list"), "creator_id": one, "added_at": now} for one in creators
    ]
    with lake.transaction():
        return lake.append_new("tenant_lists", rows)


def remove_from_list(lake: Lake, name: str, creators: Sequence[str], tenant: str = LOCAL) -> None:
    """Take creators off the list ``name``; those that are not on it are left out."""
    with lake.transaction():
        lake.execute(
            "delete from tenant_lists where tenant_id = ? and list_name = ? "
            "and creator_id in (select unnest(?::varchar[]))",
            (tenant, name, list(creators)),
        )


def note(lake: Lake, creators: Sequence[str], text: str, now: datetime, tenant: str = LOCAL) -> None:
    """Note ``text`` about creators."""
    said = worded(text, "note")
    with lake.transaction():
        lake.merge(
            "tenant_notes",
            [{"tenant_id": tenant, "creator_id": one, "note": said, "noted_at": now} for one in creators],
        )


def hide(lake: Lake, creators: Sequence[str], reason: str | None, now: datetime, tenant: str = LOCAL) -> None:
    """Let creators appear in no search until they are shown again."""
    with lake.transaction():
        lake.merge(
            "tenant_hidden",
            [{"tenant_id": tenant, "creator_id": one, "reason": reason, "hidden_at": now} for one in creators],
        )


def unhide(lake: Lake, creators: Sequence[str], tenant: str = LOCAL) -> None:
    """Let hidden creators appear again."""
    with lake.transaction():
        lake.execute(
            "delete from tenant_hidden where tenant_id = ? and creator_id in (select unnest(?::varchar[]))",
            (tenant, list(creators)),
        )


def worded(text: str, what: str) -> str:
    """``text`` without spaces around it. Raises UsageError if it is empty, too long or holds NUL."""
    said = text.strip()
    if not said or len(said) > _LONGEST or "\0" in said:
        raise UsageError(f"a {what} has 1 to {_LONGEST:,} characters, without NUL")
    return said
