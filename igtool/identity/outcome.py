"""From pairs to the tables: which accounts are concerned, their groups, and the rows of creators that differ now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from igtool.identity import clusters
from igtool.identity.clusters import ALONE, Decision, Joined, Pair
from igtool.identity.people import Known, People, moves, name_groups
from igtool.lake import Lake
from igtool.lake_sql import quote

_ACTIVE = """
    select account_a, account_b, verdict, reason, decided_by, decided_at, decision_id from link_decisions
    where undone_at is null
    qualify row_number() over (partition by account_a, account_b order by decided_at desc, decision_id desc) = 1
"""


def renew(lake: Lake, now: datetime) -> None:
    """Bring creators, creator_links, creator_forwards and link_log up to date.

    Read are the temporary tables ``focus``, ``stale`` and ``gone``, and the tables as they were.
    """
    lake.execute(f"create or replace temp table decided as {_ACTIVE}")
    _find_scope(lake)
    _find_related(lake)
    platforms, pairs, decisions = _related(lake)
    groups, why = clusters.group(platforms, pairs, decisions)
    known, first_seen = _history(lake)
    free = _free(lake)
    people = name_groups(
        groups, known, first_seen, _split_off(lake), lambda one: one not in free and _is_taken(lake, one)
    )
    lake.execute("create or replace temp table former as select creator_id, first_seen_at from creator_forwards")
    _write_links(lake, people, why)
    _write_forwards(lake, people)
    _write_creators(lake)
    lake.merge("link_log", list(moves(people, known, why, now)))


def _find_scope(lake: Lake) -> None:
    """``scope``: the accounts in focus, what is linked to them by pairs or decisions, and their creators' others."""
    ends = "account_a, account_b"
    lake.execute(
        f"create or replace temp table ties as select {ends} from link_pairs where verdict = 'link' "
        f"union all select account_b, account_a from link_pairs where verdict = 'link' "
        f"union all select {ends} from temp.decided union all select account_b, account_a from temp.decided"
    )
    lake.execute(
        "create or replace temp table scope as from temp.stale union "
        "select unnest([account_a, account_b]) from link_pairs "
        "where account_a in (from temp.stale) or account_b in (from temp.stale)"
    )
    everything = lake.value("select count(*) from account_traits")
    before = 0
    while before < (size := lake.value("select count(*) from temp.scope")) and size < everything:
        before = size
        lake.execute(
            """
            create or replace temp table scope as
            from temp.scope
            union select account_b from temp.ties where account_a in (from temp.scope)
            union select l.account_id from creator_links l where l.creator_id in
                (select creator_id from creator_links where account_id in (from temp.scope))
            """
        )


def _find_related(lake: Lake) -> None:
    """``related``: the accounts of the scope that are linked, decided about, or not alone in their creator.

    All others are creators of their own, whom SQL can name.
    """
    lake.execute(
        """
        create or replace temp table related as
        with present as (select account_id, platform from account_traits where account_id in (from temp.scope)),
        crowded as (
            select account_id from creator_links where creator_id in (
                select creator_id from creator_links where account_id in (from temp.scope)
                group by creator_id having count(*) > 1
            )
        ),
        taken as (
            select account_id from present anti join creator_links using (account_id)
            where 'c_' || left(sha256(account_id), 16) in
                (select creator_id from creators union all select creator_id from creator_forwards)
        ),
        chosen as (
            select account_a as account_id from temp.ties union from crowded union from taken
            union select account_id from creator_links where creator_id in
                (select survivor_id from creator_forwards)
        )
        select * from present where account_id in (from chosen)
        """
    )


def _related(lake: Lake) -> tuple[dict[str, str], list[Pair], list[Decision]]:
    found = lake.arrow("from temp.related order by account_id").to_pydict()
    platforms = dict(zip(found["account_id"], found["platform"], strict=True))
    rows = lake.arrow(
        """
        select account_a, account_b, rule, evidence, weight_bits, confidence_score, is_strong, verdict from link_pairs
        where verdict <> 'apart' and account_a in (select account_id from temp.related)
            and account_b in (select account_id from temp.related)
        """
    )
    pairs = list(map(Pair._make, zip(*(column.to_pylist() for column in rows.columns), strict=True)))
    decisions = [
        Decision(row["account_a"], row["account_b"], row["verdict"] == "together", row["reason"], row["decided_by"])
        for row in lake.rows("from temp.decided order by decided_at desc, decision_id desc")
        if row["account_a"] in platforms and row["account_b"] in platforms
    ]
    return platforms, pairs, decisions


def _history(lake: Lake) -> tuple[dict[str, Known], dict[str, datetime]]:
    """Creator and home of each related account, and since when each of those ids is known."""
    rows = lake.arrow(
        """
        with homes as (
            select unnest(account_ids) as account_id, creator_id as home_id, survivor_id from creator_forwards
        )
        select r.account_id, l.creator_id, coalesce(h.home_id, l.creator_id) as home_id
        from temp.related r left join creator_links l using (account_id)
        left join homes h on h.account_id = r.account_id and h.survivor_id = l.creator_id
        """
    ).to_pydict()
    known = {
        account: Known(creator, home)
        for account, creator, home in zip(rows["account_id"], rows["creator_id"], rows["home_id"], strict=True)
    }
    seen = lake.arrow(
        """
        select creator_id, first_seen_at from creators where creator_id in
            (select creator_id from creator_links where account_id in (select account_id from temp.related))
        union all select creator_id, first_seen_at from creator_forwards
        """
    ).to_pydict()
    return known, dict(zip(seen["creator_id"], seen["first_seen_at"], strict=True))


def _split_off(lake: Lake) -> set[str]:
    """Ids that came into being by a split: they are younger than what they were split from."""
    rows = lake.arrow("select distinct other_id from link_log where action = 'split'")
    return set(rows.column("other_id").to_pylist())


def _free(lake: Lake) -> set[str]:
    """Those ids that the related accounts would give to a new creator and nobody has; others are looked up singly."""
    ids = lake.arrow(
        """
        select 'c_' || left(sha256(account_id), 16) as creator_id from temp.related
        except (select creator_id from creators union all select creator_id from creator_forwards)
        """
    )
    return set(ids.column("creator_id").to_pylist())


def _is_taken(lake: Lake, creator_id: str) -> bool:
    query = "select count(*) from (select creator_id from creators union all select creator_id from creator_forwards)"
    return bool(lake.value(f"{query} where creator_id = ?", (creator_id,)))


def _write_links(lake: Lake, people: People, why: Mapping[str, Joined]) -> None:
    """``new_links`` for the scope, and into creator_links what differs from it."""
    told = [(account, creator, *why.get(account, ALONE)) for account, creator in people.creator_of.items()]
    names = ("account_id", "creator_id", "rule", "evidence", "confidence_score", "decided_by")
    types = (pa.string(), pa.string(), pa.string(), pa.string(), pa.float64(), pa.string())
    columns = list(zip(*told, strict=True)) or [()] * len(names)
    rows = pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})
    with lake.incoming_rows(rows):
        lake.execute(
            f"""
            create or replace temp table new_links as
            select * from incoming union all
            select t.account_id, coalesce(l.creator_id, 'c_' || left(sha256(t.account_id), 16)),
                   '{ALONE.rule}', null, {ALONE.confidence}, '{ALONE.decided_by}'
            from account_traits t left join creator_links l using (account_id)
            where t.account_id in (from temp.scope) and t.account_id not in (select account_id from incoming)
            """
        )
    lake.execute(
        "create or replace temp table old_creators as "
        "select distinct creator_id from creator_links where account_id in (from temp.scope)"
    )
    _write(lake, "creator_links", "account_id in (from temp.scope)", "temp.new_links")


def _write(lake: Lake, table: str, concerned: str, rows: str) -> None:
    """Make the rows of ``table`` for which ``concerned`` holds exactly ``rows``; equal ones stay untouched."""
    key = quote("account_id" if table == "creator_links" else "creator_id")
    if lake.value(f"select count(*) from {quote(table)}"):
        lake.execute(
            f"create or replace temp table kept as select {key} from "
            f"(select * from {quote(table)} where {concerned} intersect select * from {rows})"
        )
        lake.execute(f"delete from {quote(table)} where ({concerned}) and {key} not in (from temp.kept)")
        rows = f"(select * from {rows} where {key} not in (from temp.kept))"
    lake.execute(f"insert into {quote(table)} by name select * from {rows}")


def _write_forwards(lake: Lake, people: People) -> None:
    """Forwards of the ids that these accounts came under; chains are shortened, ends without a creator dropped."""
    former = lake.arrow("select creator_id from temp.former").column("creator_id").to_pylist()
    lake.delete("creator_forwards", "creator_id", sorted(set(former) & set(people.creator_of.values())))
    lake.merge("creator_forwards", people.forwards)
    lake.execute("delete from creator_forwards where survivor_id not in (select creator_id from creator_links)")


def _write_creators(lake: Lake) -> None:
    """Into creators what differs from what the accounts of the scope tell now."""
    lake.execute(f"create or replace temp table new_creators as {_CREATORS}")
    concerned = "creator_id in (select creator_id from temp.old_creators union select creator_id from temp.new_links)"
    _write(lake, "creators", concerned, "temp.new_creators")


def _largest(column: str, of: str | None = None) -> str:
    """The value of ``column`` of the account with most followers that has one (of ``of``, if that is what counts)."""
    return (
        f"first(a.{column} order by coalesce(a.followers_count, 0) desc, a.account_id) "
        f"filter (nullif(a.{of or column}, '') is not null)"
    )


_CREATORS = f"""
    select l.creator_id,
           coalesce({_largest("display_name")}, {_largest("handle")}) as name,
           {_largest("handle")} as canonical_handle,
           {_largest("profile_image_url")} as profile_image_url,
           sum(a.followers_count)::bigint as total_followers_count,
           count(*) as account_count,
           list_sort(list(distinct a.platform)) as platforms,
           {_largest("country")} as country,
           {_largest("country_source", "country")} as country_source,
           {_largest("language")} as language,
           coalesce(any_value(c.first_seen_at), any_value(f.first_seen_at), min(a.observed_at)) as first_seen_at
    from temp.new_links l join accounts a using (account_id)
    left join creators c on c.creator_id = l.creator_id
    left join temp.former f on f.creator_id = l.creator_id
    group by l.creator_id
"""
