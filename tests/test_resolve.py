"""Accounts become creators by exact rules, with stable ids and a log."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import NOW

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.resolve import Resolve


def account(platform: str, number: str, handle: str, **columns: object) -> dict[str, object]:
    """A row of ``accounts``."""
    base = {
        "account_id": f"{platform}:{number}",
        "platform": platform,
        "platform_user_id": number,
        "handle": handle,
    }
    return {**base, "observed_at": NOW, "answer_id": "x", **columns}


@pytest.fixture
def resolve(lake: Lake, journal: Journal, tmp_path: Path):
    """Store accounts, resolve, and return account id to (creator, rule)."""

    def run(*accounts: dict[str, object]) -> dict[str, tuple[str, str]]:
        with lake.transaction():
            lake.merge("accounts", accounts)
        context = Context(encoder=lambda: pytest.fail("no encoder"), clock=lambda: NOW)
        Runner(lake, journal, context, Progress(tmp_path / "p.json", "t", bars=False)).run([Resolve()])
        rows = lake.rows("select account_id, creator_id, rule from creator_links order by 1")
        return {row["account_id"]: (row["creator_id"], row["rule"]) for row in rows}

    return run


def test_exact_rules_join_and_everything_else_stays_apart(resolve, lake: Lake) -> None:
    """Same handle, mutual links, link plus name, own website; a shared host or a one-sided link is no evidence."""
    links = resolve(
        account("instagram", "1", "ana.invented", followers_count=10, display_name="Ana"),
        account("youtube", "UC1", "ana.invented", followers_count=90, display_name="Ana TV"),
        account("instagram", "2", "bo_pics", bio="films: youtube.com/@bofilms"),
        account("youtube", "UC2", "bofilms", bio="pictures https://www.instagram.com/bo_pics/"),
        account("instagram", "3", "cy_one", external_url="https://cy.example/"),
        account("youtube", "UC3", "cychannel", links=["http://www.cy.example"]),
        account("instagram", "4", "fan_of_di", bio="fan of youtube.com/@di", display_name="Di fans"),
        account("youtube", "UC4", "di", display_name="Di"),
        account("instagram", "5", "ed", external_url="https://linktr.ee/same"),
        account("youtube", "UC5", "edvideo", external_url="https://linktr.ee/same"),
        account("instagram", "6", "flo", bio="youtube.com/channel/UC6", display_name="Flo Invented"),
        account("youtube", "UC6", "flovlogs", display_name="flo invented"),
    )
    together = {n: links[f"instagram:{n}"][0] == links[f"youtube:UC{n}"][0] for n in "123456"}
    assert together == {"1": True, "2": True, "3": True, "4": False, "5": False, "6": True}
    rules = {n: links[f"youtube:UC{n}"][1] for n in "123456"}
    assert rules == {
        "1": "same_handle",
        "2": "linked_profile",
        "3": "same_website",
        "4": "only_account",
        "5": "only_account",
        "6": "linked_profile",
    }
    (ana,) = lake.rows("from creators where creator_id = ?", (links["instagram:1"][0],))
    assert (ana["name"], ana["total_followers_count"], ana["platforms"]) == (
        "Ana TV",
        100,
        ["instagram", "youtube"],
    )


def test_a_merge_keeps_the_older_creator_and_a_split_keeps_its_id(resolve, lake: Lake) -> None:
    """Ids are stable, and the log tells who went where."""
    before = resolve(account("instagram", "1", "gil"), account("youtube", "UC1", "gilvideo"))
    merged = resolve(account("youtube", "UC1", "gil"))
    assert merged["instagram:1"][0] == merged["youtube:UC1"][0]
    assert merged["instagram:1"][0] in {creator for creator, _ in before.values()}
    (entry,) = lake.rows("from link_log")
    assert (entry["action"], entry["creator_id"]) == ("merge", merged["instagram:1"][0])
    split = resolve(account("youtube", "UC1", "gilvideo"))
    assert split["instagram:1"][0] != split["youtube:UC1"][0]
    assert merged["instagram:1"][0] in {creator for creator, _ in split.values()}
    assert {row["action"] for row in lake.rows("from link_log")} == {"merge", "split"}
    assert lake.value("select count(*) from creators") == 2


@pytest.mark.parametrize("gone", [["instagram:1"], ["instagram:1", "youtube:UC1"]])
def test_a_creator_whose_accounts_are_gone_goes_too(resolve, lake: Lake, gone: list[str]) -> None:
    """Deleting one account or all of them is noticed although no account is new or changed."""
    resolve(account("instagram", "1", "hal", followers_count=5), account("youtube", "UC1", "other", followers_count=7))
    with lake.transaction():
        lake.delete("accounts", "account_id", gone)
    left = {"instagram:1", "youtube:UC1"} - set(gone)
    assert set(resolve()) == left
    assert lake.value("select count(*) from creators") == len(left)


def test_another_run_over_the_same_accounts_changes_nothing(resolve, lake: Lake) -> None:
    """Row order and repetition do not matter."""
    accounts = [account("instagram", str(n), f"h{n}") for n in range(20)]
    first = resolve(*accounts)
    snapshot = lake.snapshot
    assert resolve(*reversed(accounts)) == first
    assert lake.changed_since(snapshot) <= {"accounts", "account_states"}
