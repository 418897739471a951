"""Accounts of one person or brand become one creator: exact rules, then the Splink model, then what people decided.

Only accounts that changed, those that share a key with one of them, and those linked to these are looked at; the rest
keeps its rows. What comes out is what a run over everything would give (`igtool.identity`).
"""

from __future__ import annotations

from typing import ClassVar

from igtool.identity import model, outcome
from igtool.identity.pairs import MOST_OF_A_KEY, find_pairs
from igtool.identity.traits import make_traits
from igtool.lake import Lake
from igtool.stages.base import Context, JointStage


class Resolve(JointStage):
    """Creators from accounts. Ids are stable: a merge keeps the older creator, forwards the other and logs both."""

    name: ClassVar[str] = "resolve"
    version: ClassVar[int] = 3
    reads: ClassVar[tuple[str, ...]] = ("accounts", "link_decisions")
    writes: ClassVar[tuple[str, ...]] = (
        "creators",
        "creator_links",
        "link_log",
        "link_pairs",
        "account_traits",
        "creator_forwards",
    )
    key: ClassVar[str] = "account_id"
    keys = """
        with decided as (
            select account_id, string_agg(decision_id, ' ' order by decision_id) as decisions from (
                select unnest([account_a, account_b]) as account_id, decision_id
                from link_decisions where undone_at is null
            ) group by account_id
        )
        select account_id as item_id,
               md5(concat_ws('|', handle, display_name, bio, external_url, array_to_string(links, ' '),
                   array_to_string(emails, ' '), followers_count, profile_image_url, country, country_source, language,
                   observed_at, decisions)) as fingerprint
        from accounts left join decided using (account_id)
    """

    def relate(self, lake: Lake, context: Context) -> None:
        """Bring traits, pairs, links and creators up to date with the accounts that changed or are gone."""
        weights = model.load()
        _renew_traits(lake)
        _find_focus(lake)
        find_pairs(lake, weights)
        ends = "account_a in (from temp.stale) or account_b in (from temp.stale)"
        lake.execute(f"delete from link_pairs where {ends}")
        lake.execute("insert into link_pairs by name select * from temp.found")
        outcome.renew(lake, context.clock())


def _renew_traits(lake: Lake) -> None:
    """The traits of changed accounts anew; ``touched_keys`` are those that any of them has or had."""
    lake.execute("create or replace temp table changed as select item_id as account_id from memory.pending")
    lake.execute("create or replace temp table gone as select item_id as account_id from memory.gone")
    lake.execute("create or replace temp table altered as from temp.changed union from temp.gone")
    lake.execute("create or replace temp table touched_keys (key varchar)")
    before = "select (select count(*) from memory.pending where known) + (select count(*) from temp.gone)"
    if lake.value(before):
        lake.execute(
            "insert into temp.touched_keys "
            "select distinct unnest(keys) from account_traits semi join temp.altered using (account_id)"
        )
        lake.execute("delete from account_traits where account_id in (from temp.altered)")
    make_traits(lake, "temp.changed")
    lake.execute("insert into account_traits by name select * exclude (handle, display_name) from temp.traits")
    lake.execute("create or replace temp table new_keys as select unnest(keys) as key from temp.traits order by key")


def _find_focus(lake: Lake) -> None:
    """``focus``: changed accounts, and those whose pairs may differ now; ``stale`` has those that are gone too.

    A key over the limit makes no pairs, so its holders are concerned only if it was or is within it.
    """
    (count,) = lake.rows("select count(*) as n, (select count(*) from account_traits) as all_n from temp.changed")
    near = "select null::varchar as account_id where false" if count["n"] == count["all_n"] else _NEAR
    lake.execute(f"create or replace temp table focus as select account_id from temp.changed union all ({near})")
    lake.execute("create or replace temp table focus as select distinct account_id from temp.focus")
    lake.execute("create or replace temp table stale as from temp.focus union from temp.gone")


_NEAR = f"""
        with added as (select key, count(*) as n from temp.new_keys group by key),
        touched as (select key from added union select key from temp.touched_keys),
        holders as (
            select h.key, h.account_id from (select unnest(keys) as key, account_id from account_traits) h
            semi join touched using (key)
        ),
        near as (
            select key from holders left join added using (key) group by key
            having count(*) - coalesce(any_value(n), 0) <= {MOST_OF_A_KEY}
        )
        select account_id from holders semi join near using (key)
"""
