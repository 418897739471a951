"""What is known of accounts only when all answers are read together.

- A stand-in ``platform:@handle`` becomes the account with that handle, in every table that names it and in one commit.
- A country that no answer tells is taken from the lists that the account is on.

Both are functions of what is stored: doing them again changes nothing.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa

from igtool.journal import Journal
from igtool.known_handles import accounts_meant
from igtool.lake import Lake
from igtool.lists.columns import header_key
from igtool.platforms import countries, values
from igtool.search import places

_COUNTRY_HEADERS = frozenset({"country", "countrycode", "pais", "pays", "paese", "land"})

# Of the accounts that were seen under a handle, the one seen last before a row was true, else the first one after.
_SIGHTED = """
    create or replace temp table sighted as
    select platform || ':@' || handle as stand_in, account_id as real_id, platform_user_id, observed_at as seen_at
    from account_states
    where platform_user_id is not null and handle is not null
      and platform || ':@' || handle in (
          select account_id from account_states where account_id like '%:@%'
          union select account_id from content_items where account_id like '%:@%'
      )
"""

_MOVED = """
    create or replace temp table moved as
    with named as (
        select rowid as place, {key} as stand_in, observed_at from {table} where {key} like '%:@%' {only}
    ),
    before as (
        select n.place, s.real_id, s.platform_user_id
        from named n asof join sighted s on n.stand_in = s.stand_in and n.observed_at >= s.seen_at
    ),
    after as (
        select n.place, arg_min(s.real_id, s.seen_at) as real_id, arg_min(s.platform_user_id, s.seen_at) as user_id
        from named n join sighted s on n.stand_in = s.stand_in group by n.place
    )
    select place, coalesce(b.real_id, a.real_id) as real_id, coalesce(b.platform_user_id, a.user_id) as user_id
    from after a left join before b using (place)
"""


_READS = frozenset({"account_states", "content_items", "watchlist"})


def settle(lake: Lake, journal: Journal, now: datetime) -> None:
    """Settle what can be settled since the last time; each of the two is one commit."""
    state = journal.stage_state(lake.lake_id, "settle")
    if state is not None and state[1] <= lake.snapshot and not lake.changed_since(state[1]) & _READS:
        return
    _move_stand_ins(lake, now)
    _fill_countries(lake)
    journal.record_stage(lake.lake_id, "settle", "", lake.snapshot)


def _move_stand_ins(lake: Lake, now: datetime) -> None:
    lake.execute(_SIGHTED)
    if lake.value("select count(*) from temp.sighted"):
        with lake.transaction():
            _move_states(lake)
            _move_rows(lake, "content_items", "account_id")
            _move_rows(lake, "metric_snapshots", "subject_id", keys="metric, observed_at")
            _move_owners(lake, now)


def _move_states(lake: Lake) -> None:
    """What was told of a stand-in is told of the account; both are summed up anew."""
    lake.execute(_MOVED.format(table="account_states", key="account_id", only=""))
    lake.execute(
        "create or replace temp table touched as "
        "select real_id as account_id from temp.moved union "
        "select account_id from account_states where rowid in (select place from temp.moved)"
    )
    lake.execute(
        "update account_states t set account_id = m.real_id, platform_user_id = m.user_id "
        "from temp.moved m where t.rowid = m.place"
    )
    lake.sum_up("accounts")


def _move_rows(lake: Lake, table: str, key: str, keys: str = "") -> None:
    """Rows of ``table`` get the account's id; where the account has a row of the same ``keys`` it stays alone."""
    lake.execute(_MOVED.format(table=table, key=key, only=""))
    if keys:
        others = " and ".join(f"o.{name} = t.{name}" for name in keys.split(", "))
        lake.execute(
            f"delete from {table} where rowid in (select t.rowid from {table} t join temp.moved m on t.rowid = m.place "
            f"join {table} o on o.{key} = m.real_id and {others})"
        )
    lake.execute(f"update {table} t set {key} = m.real_id from temp.moved m where t.rowid = m.place")


def _move_owners(lake: Lake, now: datetime) -> None:
    """Embeddings, creator and decisions of a stand-in go to the account; where it has its own, these stay."""
    lake.execute(
        "create or replace temp table owners as "
        "select stand_in, arg_max(real_id, seen_at) as real_id from temp.sighted group by stand_in"
    )
    lake.execute(
        "delete from embeddings where embedding_id in (select e.embedding_id from embeddings e "
        "join temp.owners o on e.owner_id = o.stand_in "
        "join embeddings f on f.owner_id = o.real_id and f.field = e.field and f.model = e.model)"
    )
    lake.execute(
        "update embeddings t set owner_id = o.real_id, embedding_id = concat_ws('|', o.real_id, t.field, t.model) "
        "from temp.owners o where t.owner_id = o.stand_in"
    )
    lake.execute(
        "insert into link_log by name select "
        "sha256(concat_ws('|', 'merge', r.creator_id, s.creator_id, o.stand_in, ?)) as log_id, 'merge' as action, "
        "r.creator_id, s.creator_id as other_id, [o.stand_in, o.real_id] as account_ids, 'stand_in' as rule, "
        "?::timestamptz as logged_at from temp.owners o join creator_links s on s.account_id = o.stand_in "
        "join creator_links r on r.account_id = o.real_id where r.creator_id <> s.creator_id",
        (now.isoformat(), now),
    )
    lake.execute(
        "delete from creator_links where account_id in (select o.stand_in from temp.owners o "
        "join creator_links r on r.account_id = o.real_id)"
    )
    for end in ("account_a", "account_b"):
        lake.execute(f"update link_decisions t set {end} = o.real_id from temp.owners o where t.{end} = o.stand_in")
    lake.execute("update link_decisions set account_a = account_b, account_b = account_a where account_a > account_b")
    real = {row["stand_in"]: row["real_id"] for row in lake.rows("from temp.owners")}
    _move_words(lake)
    forwards = lake.rows("from creator_forwards where list_has_any(account_ids, ?::varchar[])", (list(real),))
    for forward in forwards:
        forward["account_ids"] = [real.get(account, account) for account in forward["account_ids"]]
    lake.merge("creator_forwards", forwards)
    lake.execute("update creator_links t set account_id = o.real_id from temp.owners o where t.account_id = o.stand_in")


def _move_words(lake: Lake) -> None:
    """Pictures, consents and declarations of a stand-in are the account's.

    Words of a handle that several accounts had stay where they are, and so cover nobody: whose they are is not known.
    """
    lake.execute(
        "update media t set account_id = c.account_id from content_items c "
        "where t.content_id = c.content_id and t.account_id in (select stand_in from temp.owners)"
    )
    lake.execute("update media t set account_id = o.real_id from temp.owners o where t.account_id = o.stand_in")
    sole = lake.rows(
        "select stand_in, any_value(real_id) as real_id from temp.sighted "
        "group by stand_in having count(distinct real_id) = 1"
    )
    real = {row["stand_in"]: row["real_id"] for row in sole}
    for table in ("consents", "declarations"):
        rows = lake.rows(f"from {table} where list_has_any(account_ids, ?::varchar[])", (list(real),))
        for row in rows:
            row["account_id"] = real.get(row["account_id"], row["account_id"])
            row["account_ids"] = sorted({real.get(account, account) for account in row["account_ids"]})
        lake.merge(table, rows)


def _fill_countries(lake: Lake) -> None:
    """Accounts of a list whose country no answer tells have the one that stands in their row of the list."""
    rows = lake.rows(
        f"select a.account_id, w.list_name, w.row from ({accounts_meant('from watchlist')}) m "
        "join watchlist w using (platform, handle) join accounts a using (account_id) "
        "where a.country is null and w.row is not null order by a.account_id, w.watch_id"
    )
    told: dict[str, dict[str, str]] = {}
    for row in rows:
        code = _listed_country(json.loads(row["row"]))
        if code and row["account_id"] not in told:
            source = f"list:{row['list_name']}"
            told[row["account_id"]] = {"account_id": row["account_id"], "code": code, "source": source}
    if told:
        with lake.transaction(), lake.incoming_rows(pa.Table.from_pylist(list(told.values()))):
            lake.execute(
                "update accounts t set country = s.code, country_source = s.source from incoming s "
                "where t.account_id = s.account_id"
            )


def _listed_country(row: dict[str, Any]) -> str | None:
    """The country in a row of a list: of its first column that is called so."""
    cells = (str(cell) for name, cell in row.items() if header_key(name) in _COUNTRY_HEADERS)
    return next((code for cell in cells if (code := _country(cell))), None)


def _country(cell: str) -> str | None:
    return values.country_code(cell) or countries.code_of(cell) or places.COUNTRIES.get(places.folded(cell))
