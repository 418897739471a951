"""``igtool link``: what people decide holds in every later run, can be taken back exactly, and bad input is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from igtool.cli import main
from igtool.linking import ask_each, waiting
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import load

ROWS = [
    ("twitter", "solveig", "Solveig Ruizlopez", "https://solveig.example"),
    ("tiktok", "solveig.ruizlopez", "Solveig Ruizlopez", "https://solveig.example"),
    ("twitter", "sensolveigruizlopez", "Solveig Ruizlopez", ""),
    ("facebook", "other.person", "Karl Nobody", ""),
    ("tiktok", "solveig.updates", "Solveig updates", ""),
    ("facebook", "lone", "Lone Account", ""),
    ("twitter", "lone", "Lone Account", ""),
]
TABLES = ("creators", "creator_links", "creator_forwards")

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a list of accounts in it, resolved."""
    folder = tmp_path_factory.mktemp("link")
    lines = ["platform,handle,display_name,website", *(",".join(row) for row in ROWS)]
    (folder / "accounts.csv").write_text("\n".join(lines))
    result = CliRunner().invoke(main, ["--workspace", str(folder), "import", str(folder / "accounts.csv")])
    assert result.exit_code == 0, result.output
    with open_session(load(folder), "test", lambda: False) as session:
        run_stages(session, ["resolve"])
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(filled, tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def call(folder: Path) -> Callable[..., Result]:
    """Runs ``igtool link …`` in this process."""
    return lambda *words: CliRunner().invoke(main, ["--workspace", str(folder), "link", *words])


@pytest.fixture
def run(call: Callable[..., Result]) -> Run:
    """The JSON document of ``igtool link …``."""

    def run(*words: str) -> Any:
        result = call(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def members(run: Run, handle: str) -> set[str]:
    """The accounts shown with a handle."""
    return {row["account_id"] for row in run("show", handle)["rows"]}


def contents(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The tables that undo must restore."""
    with open_session(load(folder), "test", lambda: False) as session:
        return {name: session.lake.rows(f"from {name} order by all") for name in TABLES}


def test_a_list_of_accounts_becomes_creators_with_reasons(run: Run) -> None:
    """Accounts of any platform are linked, and each link says why and how sure it is."""
    rows = run("show", "solveig")["rows"]
    assert {row["account_id"] for row in rows} == {"twitter:solveig", "tiktok:solveig.ruizlopez"}
    assert {row["rule"] for row in rows} == {"same_website"}
    assert all(0.9 < row["confidence_score"] <= 1 and "solveig.example" in row["evidence"] for row in rows)


def test_what_is_uncertain_waits_with_reasons_for_and_against(run: Run) -> None:
    """The account that names a post waits for a person; the one about her does not even wait."""
    rows = run("review")["rows"]
    assert {(row["account_a"], row["account_b"]) for row in rows} == {
        ("tiktok:solveig.ruizlopez", "twitter:sensolveigruizlopez")
    }
    assert rows[0]["doubt"] == "only one names a post"
    assert rows[0]["evidence"]


def test_a_pin_is_undone_exactly(run: Run, folder: Path) -> None:
    """Creators, links and forwards are the same rows afterwards; a merged id leads to the survivor meanwhile."""
    before = contents(folder)
    (old,) = {row["creator_id"] for row in run("show", "other.person")["rows"]}
    log_id = run("pin", "twitter:solveig", "other.person", "--reason", "she told me", "--by", "ana")["log_id"]
    assert members(run, "other.person") == {"twitter:solveig", "tiktok:solveig.ruizlopez", "facebook:other.person"}
    pinned = [row for row in run("show", old)["rows"] if row["rule"] == "pinned"]
    assert {(row["decided_by"], row["evidence"], row["confidence_score"]) for row in pinned} == {
        ("ana", "she told me", 1.0)
    }
    run("undo", log_id)
    assert contents(folder) == before
    assert [row["action"] for row in run("log")["rows"]].count("undo") == 1


def test_a_split_holds_when_everything_is_resolved_again(run: Run, folder: Path) -> None:
    """A decision binds later runs, also forced ones; undoing it brings the link back."""
    before = contents(folder)
    log_id = run("split", "tiktok:solveig.ruizlopez")["log_id"]
    assert members(run, "twitter:solveig") == {"twitter:solveig"}
    with open_session(load(folder), "test", lambda: False) as session:
        run_stages(session, ["resolve"], force=True)
    assert members(run, "twitter:solveig") == {"twitter:solveig"}
    (own,) = {row["creator_id"] for row in run("show", "twitter:solveig")["rows"]}
    run("undo", log_id)
    after = contents(folder)
    assert (after["creators"], after["creator_links"]) == (before["creators"], before["creator_links"])
    assert members(run, own) == {"twitter:solveig", "tiktok:solveig.ruizlopez"}  # the id it had meanwhile leads on


def test_a_pair_of_the_review_is_accepted_or_rejected_once(run: Run, call: Callable[..., Result]) -> None:
    """A rejected pair waits no longer; accepting it afterwards is the newer word."""
    (row,) = run("review")["rows"]
    run("reject", row["pair_id"])
    assert run("review")["rows"] == []
    again = call("reject", row["pair_id"])
    assert again.exit_code == 2
    assert "already" in again.stderr
    run("accept", row["pair_id"])
    assert "twitter:sensolveigruizlopez" in members(run, "solveig.ruizlopez")


def test_answers_of_a_terminal_are_decisions(folder: Path) -> None:
    """Yes, no, skip and quit: what was said before quitting is kept."""
    with open_session(load(folder), "test", lambda: False) as session:
        said = ask_each(session, waiting(session.lake), lambda row: "no", by="ana")
        assert said == {"yes": 0, "no": 1, "skip": 0}
        assert waiting(session.lake) == []
        assert session.lake.value("select verdict from link_decisions") == "apart"


@pytest.mark.slow
def test_what_a_rule_merged_can_be_undone(run: Run, call: Callable[..., Result]) -> None:
    """A merge by rule is taken back by a decision that says so."""
    run("split", "facebook:lone")
    log_id = run("log")["rows"]
    split_id = next(row["log_id"] for row in log_id if row["action"] == "apart")
    run("undo", split_id)
    merge = next(row for row in run("log")["rows"] if row["action"] == "merge")
    run("undo", merge["log_id"])
    assert members(run, "facebook:lone") == {"facebook:lone"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pin", "solveigh", "lone"), "no account 'solveigh'; close are: solveig"),
        (("pin", "lone", "other.person"), "handle of 2 accounts"),
        (("pin", "twitter:solveig", "@twitter:solveig"), "no account"),
        (("pin", "twitter:solveig", "twitter:solveig"), "same account"),
        (("split", "other.person"), "only account"),
        (("split", "twitter:solveig", "other.person"), "are not linked"),
        (("split", "twitter:solveig", "twitter:solveig"), "same account"),
        (("undo", "ffffffff"), "no entry 'ffffffff'"),
        (("undo", ""), "no entry ''"),
        (("accept", "'; drop table accounts"), "no pair"),
        (("accept", ""), "no pair"),
        (("show", "nobodyhere"), "no creator 'nobodyhere'"),
        (("show", "%"), "no creator"),
    ],
)
def test_bad_input_is_said_and_changes_nothing(
    call: Callable[..., Result], words: tuple[str, ...], message: str
) -> None:
    """Each error names the item and what to do, with the exit code of a wrong use."""
    result = call(*words)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


@pytest.mark.slow
def test_undoing_twice_and_deciding_twice_are_said(run: Run, call: Callable[..., Result]) -> None:
    """Neither is done silently again; an undo is not undone, and a pin against a decision names it."""
    log_id = run("pin", "facebook:lone", "other.person")["log_id"]
    assert f"link undo {log_id}" in call("pin", "facebook:lone", "other.person").stderr
    entry = run("undo", log_id)["log_id"]
    assert "undone already" in call("undo", log_id).stderr
    assert "an undo itself" in call("undo", entry).stderr
    apart = run("split", "facebook:lone", "twitter:lone")["log_id"]
    run("pin", "facebook:lone", "other.person")
    assert f"link undo {apart}" in call("pin", "twitter:lone", "other.person").stderr
