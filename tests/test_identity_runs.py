"""Runs of resolve: any order gives the same groups, ids stay, merged ids lead on, nothing else is touched."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from identity_runs import account, groups, resolve

from benchmarks.identity_world import world
from igtool.journal import Journal
from igtool.lake import Lake


@pytest.fixture(scope="module")
def invented() -> list[dict[str, object]]:
    """Some hundred accounts with everything that misleads; crowded on purpose by few surnames."""
    return world(400, seed=5).accounts


@pytest.mark.slow
def test_accounts_in_any_order_and_in_parts_give_the_same_groups(
    lake: Lake, journal: Journal, tmp_path: Path, empty_lake: Path, invented: list[dict[str, object]]
) -> None:
    """Three parts in random order, with accounts that change and go between them, end where one run does."""
    rows = invented[:]
    random.Random(4).shuffle(rows)
    changed = [row | {"handle": f"new{row['handle']}", "bio": "parody"} for row in rows[:30]]
    for part in (changed, rows[30:150], rows[150:200]):
        resolve(lake, journal, tmp_path, part)
    with lake.transaction():
        lake.delete("accounts", "account_id", [str(row["account_id"]) for row in rows[100:120]])
    later = [row | {"observed_at": row["observed_at"].replace(year=2027)} for row in rows[:30]]
    resolve(lake, journal, tmp_path, [*later, *rows[200:]])
    in_parts = resolve(lake, journal, tmp_path, rows[100:120])

    other = tmp_path / "other"
    with Journal(other / "cache", writable=True) as second, Lake(other / "data", writable=True) as whole:
        at_once = resolve(whole, second, tmp_path, [*later, *rows[30:]])
        pairs = whole.rows("select * from link_pairs order by account_a, account_b")
    assert groups(in_parts) == groups(at_once)
    assert lake.rows("select * from link_pairs order by account_a, account_b") == pairs
    assert len(groups(at_once)) < len(rows)


def test_an_increment_changes_no_row_that_it_does_not_concern(
    lake: Lake, journal: Journal, tmp_path: Path, invented: list[dict[str, object]]
) -> None:
    """Rows of creators and links without a key in common with what came are the same rows, and so are their ids."""
    resolve(lake, journal, tmp_path, invented)
    before = lake.rows("select rowid, * from creators order by creator_id")
    links = lake.rows("select rowid, * from creator_links order by account_id")
    resolve(lake, journal, tmp_path, [account("instagram", "new", "xyzzyplugh", display_name="Xyzzy Plugh")])
    assert (
        lake.rows("select rowid, * from creators where canonical_handle <> 'xyzzyplugh' order by creator_id") == before
    )
    kept = lake.rows("select rowid, * from creator_links where account_id <> 'instagram:new' order by account_id")
    assert kept == links


def test_a_merged_id_leads_to_the_survivor_and_comes_back_after_a_split(
    lake: Lake, journal: Journal, tmp_path: Path
) -> None:
    """Both ids live on: the older one stays, the other is forwarded and then its account's again."""
    apart = resolve(lake, journal, tmp_path, [account("instagram", "1", "gil"), account("youtube", "2", "gilvideo")])
    merged = resolve(lake, journal, tmp_path, [account("youtube", "2", "gil")])
    survivor, gone = merged["youtube:2"], (set(apart.values()) - set(merged.values())).pop()
    assert lake.rows("select creator_id, survivor_id from creator_forwards") == [
        {"creator_id": gone, "survivor_id": survivor}
    ]
    assert resolve(lake, journal, tmp_path, [account("youtube", "2", "gilvideo")]) == apart
    assert lake.value("select count(*) from creator_forwards") == 0
    assert [row["action"] for row in lake.rows("from link_log order by action")] == ["merge", "split"]


def test_a_chain_of_merges_is_forwarded_to_its_end(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Three creators become one in two steps; both former ids lead to it, and each remembers its account."""
    rows = [account(platform, "1", handle) for platform, handle in (("x", "pela"), ("y", "quor"), ("z", "zund"))]
    resolve(lake, journal, tmp_path, rows)
    resolve(lake, journal, tmp_path, [account("z", "1", "quor")])
    made = resolve(lake, journal, tmp_path, [account("y", "1", "pela"), account("z", "1", "pela")])
    assert len(set(made.values())) == 1
    forwards = lake.rows("from creator_forwards order by account_ids")
    assert {row["survivor_id"] for row in forwards} == set(made.values())
    assert len(forwards) == 2
    assert all(len(row["account_ids"]) == 1 for row in forwards)
