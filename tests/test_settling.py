"""Stand-ins become accounts, lists tell countries, and tables made anew are the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import NOW

from igtool.cli import main
from igtool.consent.records import Given, grant
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.rebuild import rebuild, table_hash
from igtool.schema import TABLES
from igtool.session import Session, open_session
from igtool.settings import load
from igtool.settling import settle
from igtool.stages.base import Stage
from igtool.stages.normalize import Normalize
from igtool.stages.resolve import Resolve
from igtool.vocabulary import tags

DERIVED = ("account_states", "accounts", "content_items", "metric_snapshots")
POST = "instagram:2317006284167526179"


@pytest.fixture
def session(tmp_path: Path, empty_lake: Path) -> Iterator[Session]:
    """An empty workspace opened for writing."""
    shutil.copytree(empty_lake, tmp_path / "data")
    with open_session(load(tmp_path), "test", lambda: False) as opened:
        yield opened


def web(days: int, **fields: Any) -> dict[str, Any]:
    """A profile with the platform's id, so many days after the first."""
    user = {"id": "305", "username": "lola", "is_verified": True, "edge_followed_by": {"count": 7}, **fields}
    return answer(f"web{days}", {"data": {"user": user}}, days)


def graph(days: int, handle: str = "lola", **fields: Any) -> dict[str, Any]:
    """A profile and a post without it."""
    media = {"permalink": "https://www.instagram.com/p/CAnqPB-Jzcj/", "like_count": 5}
    told = {"id": "178", "username": handle, "followers_count": 10 + days, "biography": f"as of {days}", **fields}
    return answer(f"graph{days}", {"business_discovery": {**told, "media": {"data": [media]}}}, days, handle)


def answer(number: str, body: Any, days: int, subject: str = "lola") -> dict[str, Any]:
    """A row of ``raw_responses``."""
    known = {"answer_id": number, "source": "instagram_web", "endpoint": "profile", "status": 200, "outcome": "ok"}
    return {**known, "subject": subject, "body": json.dumps(body), "fetched_at": NOW + timedelta(days=days)}


def run(session: Session, *answers: dict[str, Any], stages: Sequence[Stage] = ()) -> None:
    """Store answers and bring the tables up to date."""
    with session.lake.transaction():
        session.lake.merge("raw_responses", answers)
    session.runner().run([Normalize(), *stages])


def watch(session: Session, **row: str) -> None:
    """Put ``lola`` on a list with that row."""
    watched = {"watch_id": "mine:lola", "list_name": "mine", "platform": "instagram", "handle": "lola", "line": 2}
    with session.lake.transaction():
        session.lake.merge("watchlist", [{**watched, "row": json.dumps(row)}])


def accounts(session: Session) -> list[dict[str, Any]]:
    """All rows of ``accounts``."""
    return session.lake.rows("from accounts order by account_id")


def test_a_stand_in_is_moved_when_the_id_is_learnt(session: Session) -> None:
    """No table names the stand-in any more; the creator keeps its id."""
    run(session, graph(0), stages=[Resolve()])
    creator = session.lake.value("select creator_id from creators")
    assert [row["account_id"] for row in accounts(session)] == ["instagram:@lola"]
    run(session, web(1), stages=[Resolve()])
    (account,) = accounts(session)
    assert (account["account_id"], account["platform_user_id"]) == ("instagram:305", "305")
    assert session.lake.rows("select account_id, content_id from content_items") == [
        {"account_id": "instagram:305", "content_id": POST}
    ]
    assert session.lake.value("select creator_id from creators") == creator
    for table in TABLES.values():
        cells = session.lake.rows(f"select to_json(t)::varchar as cells from {table.name} t")
        assert not any("instagram:@lola" in row["cells"] for row in cells), table.name


def speak(session: Session, account: str) -> None:
    """The owner of an account agrees to a category, and a picture of it is there."""
    words = [Given(account, "build", "a form", declared_adult=True)]
    grant(session.lake, tags.shipped(), words, NOW)
    with session.lake.transaction():
        session.lake.merge("media", [{"media_id": "folder:a", "account_id": account}])


@pytest.mark.slow
def test_consent_and_pictures_of_a_stand_in_are_the_accounts(session: Session) -> None:
    """Who agreed under a handle has agreed when the id of that account is learnt."""
    run(session, graph(0), stages=[Resolve()])
    speak(session, "instagram:@lola")
    run(session, web(1), stages=[Resolve()])
    assert session.lake.rows("select account_id, account_ids from consents") == [
        {"account_id": "instagram:305", "account_ids": ["instagram:305"]}
    ]
    assert session.lake.rows("select account_id from media") == [{"account_id": "instagram:305"}]
    assert [row["categories"] for row in session.lake.rows("from consent_standing")] == [["build"]]
    for table in TABLES.values():
        cells = session.lake.rows(f"select to_json(t)::varchar as cells from {table.name} t")
        assert not any("instagram:@lola" in row["cells"] for row in cells), table.name


def test_consent_of_a_handle_that_changed_hands_covers_nobody(session: Session) -> None:
    """Two accounts had the handle: which of the two people agreed is not known, so neither did."""
    run(session, graph(0), stages=[Resolve()])
    speak(session, "instagram:@lola")
    run(session, web(1), web(2, id="999"), stages=[Resolve()])
    assert {row["account_id"] for row in accounts(session)} == {"instagram:305", "instagram:999"}
    assert session.lake.rows("from consent_standing") == []


def test_two_creators_become_one_with_a_line_in_the_log(session: Session) -> None:
    """Where both had a creator, the account's stays and the log names the other."""
    run(session, graph(0), web(1, username="other"), stages=[Resolve()])
    both = {row["account_id"]: row["creator_id"] for row in session.lake.rows("from creator_links")}
    run(session, web(2), stages=[Resolve()])
    assert session.lake.rows("select account_id, creator_id from creator_links") == [
        {"account_id": "instagram:305", "creator_id": both["instagram:305"]}
    ]
    (logged,) = session.lake.rows("from link_log")
    assert (logged["action"], logged["rule"]) == ("merge", "stand_in")
    assert (logged["creator_id"], logged["other_id"]) == (both["instagram:305"], both["instagram:@lola"])


def test_a_handle_that_changed_hands_belongs_to_who_had_it_then(session: Session) -> None:
    """What was told of a handle goes to the account that was last seen with it before."""
    later = web(4, id="999", edge_followed_by={"count": 1})
    run(session, web(0), graph(2), later)
    run(session, answer("graph5", json.loads(graph(5)["body"]), 5))
    told = {row["account_id"]: row["followers_count"] for row in accounts(session)}
    assert told == {"instagram:305": 12, "instagram:999": 15}


def test_a_column_that_the_newest_answer_lacks_is_filled_and_says_from_where(session: Session) -> None:
    """The newest answer goes first; what its shape cannot tell comes from the next one, by name."""
    run(session, web(0, biography="old"), graph(1))
    (account,) = accounts(session)
    assert (account["bio"], account["followers_count"], account["is_verified"]) == ("as of 1", 11, True)
    assert account["answer_id"] == "graph1"
    assert json.loads(account["filled_from"])["is_verified"] == "web0"


def test_what_the_same_source_no_longer_tells_is_gone(session: Session) -> None:
    """A website that the newest profile of the same shape lacks is not kept from an older one."""
    run(session, web(0, external_url="https://old.example/"), web(1))
    (account,) = accounts(session)
    assert account["external_url"] is None


@pytest.mark.slow
def test_the_order_in_which_answers_come_does_not_matter(tmp_path: Path, empty_lake: Path) -> None:
    """Every seventh order of four answers, one run each, ends with the same tables."""
    answers = [web(0), graph(1), web(2, username="lola.new"), graph(3, "lola.new")]
    ends = set()
    for number, order in enumerate(permutations(answers)):
        if number % 7:
            continue
        shutil.copytree(empty_lake, tmp_path / str(number) / "data")
        with open_session(load(tmp_path / str(number)), "test", lambda: False) as session:
            for one in order:
                run(session, one)
            ends.add(tuple(table_hash(session.lake, name) for name in DERIVED))
    assert len(ends) == 1


def test_handle_history_tells_from_when_to_when(session: Session) -> None:
    """One row for each unbroken row of answers with the same handle, the last one current."""
    run(session, web(0), web(1), web(2, username="lola.new"), web(3), web(4))
    rows = session.lake.rows("from handle_history order by first_seen_at")
    assert [(row["handle"], row["answers"], row["is_current"]) for row in rows] == [
        ("lola", 2, False),
        ("lola.new", 1, False),
        ("lola", 2, True),
    ]
    assert (rows[0]["first_seen_at"], rows[0]["last_seen_at"]) == (NOW, NOW + timedelta(days=1))


@pytest.mark.parametrize("cell", ["Spain", "españa", "ES"])
def test_a_list_tells_the_country_that_no_answer_tells(session: Session, cell: str) -> None:
    """It reaches accounts and creators with its source, in whatever order list and answer come."""
    watch(session, Name="Lola", Country=cell)
    run(session, web(0), stages=[Resolve()])
    for table in ("accounts", "creators"):
        row = session.lake.rows(f"select country, country_source from {table}")
        assert row == [{"country": "ES", "country_source": "list:mine"}]


def test_an_answer_knows_the_country_better_than_a_list(session: Session) -> None:
    """A country that the platform tells is not replaced; one that is none is not taken."""
    watch(session, Country="FR")
    run(session, web(0, business_address_json='{"country_code": "ES"}'))
    assert accounts(session)[0]["country_source"] == "business_address"


def test_settling_again_changes_nothing(session: Session) -> None:
    """A second time there is no commit."""
    watch(session, Country="Spain")
    run(session, web(0), graph(1))
    snapshot = session.lake.snapshot
    settle(session.lake, session.journal, NOW)
    assert session.lake.snapshot == snapshot


@pytest.mark.slow
def test_tables_made_anew_are_the_same(session: Session) -> None:
    """Every table has the hash it had; a row that was tampered with is told, and mended."""
    watch(session, Country="Spain")
    run(session, web(0), graph(1), web(2, username="lola.new"), answer("broken", {"x": 1}, 3))
    raw = table_hash(session.lake, "raw_responses")
    assert all(table.is_same and table.rows for table in rebuild(session))
    assert [table.table for table in rebuild(session)] == sorted(DERIVED)
    assert table_hash(session.lake, "raw_responses") == raw
    session.lake.execute("update accounts set followers_count = 1")
    assert {table.table for table in rebuild(session) if not table.is_same} == {"accounts"}
    assert all(table.is_same for table in rebuild(session))
    assert session.lake.value("select count(*) from rejects") == 1


def test_a_rebuild_that_was_cut_off_goes_on(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that were emptied are filled by the next ordinary run."""
    run(session, web(0), graph(1))
    before = [table_hash(session.lake, name) for name in DERIVED]
    with monkeypatch.context() as patched:
        patched.setattr("igtool.runner.Runner.run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rebuild(session)
    assert session.lake.value("select count(*) from accounts") == 0
    run(session)
    assert [table_hash(session.lake, name) for name in DERIVED] == before


@pytest.mark.parametrize("stages", [[], ["embed"], ["normalize", "embed"]])
def test_only_normalize_can_be_rebuilt(stages: list[str], tmp_path: Path) -> None:
    """Anything else is a usage error that names what to type."""
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "run", *stages, "--rebuild"])
    assert result.exit_code == 2
    assert "igtool run normalize --rebuild" in result.output


def test_what_people_decided_about_a_stand_in_holds_for_the_account(lake: Lake, journal: Journal) -> None:
    """Decisions and forwards name the account as soon as its id is learnt."""
    with lake.transaction():
        lake.merge(
            "accounts",
            [
                {
                    "account_id": "instagram:@ana",
                    "platform": "instagram",
                    "handle": "ana",
                    "observed_at": NOW,
                    "answer_id": "a",
                }
            ],
        )
        lake.merge(
            "link_decisions",
            [
                {
                    "decision_id": "d-0",
                    "account_a": "instagram:@ana",
                    "account_b": "youtube:b",
                    "verdict": "apart",
                    "decided_at": NOW,
                }
            ],
        )
        lake.merge(
            "creator_forwards",
            [
                {
                    "creator_id": "c_1",
                    "survivor_id": "c_2",
                    "first_seen_at": NOW,
                    "account_ids": ["instagram:@ana", "youtube:b"],
                }
            ],
        )
    with lake.transaction():
        lake.merge(
            "accounts",
            [
                {
                    "account_id": "instagram:77",
                    "platform": "instagram",
                    "platform_user_id": "77",
                    "handle": "ana",
                    "observed_at": NOW,
                    "answer_id": "b",
                }
            ],
        )
    settle(lake, journal, NOW)
    (decision,) = lake.rows("select account_a, account_b from link_decisions")
    assert decision == {"account_a": "instagram:77", "account_b": "youtube:b"}
    assert lake.value("select account_ids from creator_forwards") == ["instagram:77", "youtube:b"]
