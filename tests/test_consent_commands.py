"""``igtool consent``: what it writes down, what it refuses and why, and that revoking leaves nothing behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from consent_world import MARK, derive, files_with, holders

from igtool.cli import main
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import load

ACCOUNTS = """platform,handle,display_name
instagram,anna.invented,Anna Example
instagram,bea,Bea Sample
tiktok,bea,Somebody Else
tiktok,cleo.invented,Cleo Example
"""
HEADER = "handle,category,adult,evidence,granted_at\n"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with four accounts, each a creator."""
    folder = tmp_path_factory.mktemp("consent")
    (folder / "accounts.csv").write_text(ACCOUNTS)
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
    """Runs ``igtool consent …`` in this process."""
    return lambda *words: CliRunner().invoke(main, ["--workspace", str(folder), "consent", *words])


@pytest.fixture
def run(call: Callable[..., Result]) -> Run:
    """The JSON document of ``igtool consent …``."""

    def run(*words: str) -> Any:
        result = call(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def anna(folder: Path) -> str:
    """The id of Anna's creator."""
    with open_session(load(folder), "test", lambda: False) as session:
        return str(session.lake.value("select creator_id from creators where canonical_handle = 'anna.invented'"))


def fill(folder: Path) -> str:
    """Derive a body build and a hair colour of Anna; her id."""
    creator = anna(folder)
    with open_session(load(folder), "test", lambda: False) as session:
        for category, tag in (("build", "slim"), ("hair", "blonde")):
            derive(session.lake, creator, "instagram:anna.invented", category, tag)
    return creator


def held(folder: Path, creator: str, category: str) -> set[str]:
    """The tables that hold something of the category."""
    with open_session(load(folder), "test", lambda: False) as session:
        return holders(session.lake, creator, category)


def grant(run: Run, *more: str) -> Any:
    """Anna agrees to the category build."""
    return run("grant", "anna.invented", "--category", "build", "--adult", "--evidence", "e-mail of 3 May", *more)


@pytest.mark.slow
def test_a_consent_is_written_down_listed_and_taken_back(run: Run, folder: Path) -> None:
    """From the grant to the revocation, with evidence and times, and nothing derived is left in any file."""
    document = grant(run, "--category", "age_band", "--granted-at", YESTERDAY)
    assert document["recorded"] == 2
    assert {(row["category"], row["state"], row["evidence"]) for row in document["rows"]} == {
        ("build", "stands", "e-mail of 3 May"),
        ("age_band", "stands", "e-mail of 3 May"),
    }
    creator = fill(folder)
    removed = run("revoke", "anna.invented", "--category", "build", "--yes")
    assert (removed["words"], removed["is_clean"]) == (1, True)
    assert held(folder, creator, "build") == set()
    assert "creator_tags" in held(folder, creator, "hair")
    listed = run("list")
    assert {row["category"]: row["state"] for row in listed["rows"]} == {"build": "revoked", "age_band": "stands"}
    assert {row["field"] for row in listed["declarations"]} == {"adult"}
    run("revoke", "anna.invented", "--yes")
    assert {row["state"] for row in run("list", "anna.invented")["rows"]} == {"revoked", "refused"}
    assert run("list", "cleo.invented")["rows"] == []


@pytest.mark.slow
def test_a_revocation_leaves_no_byte_in_the_workspace(run: Run, folder: Path) -> None:
    """Tables, older versions of them, catalog, journal, exports and index: no file holds what was inferred."""
    grant(run)
    creator = anna(folder)
    with open_session(load(folder), "test", lambda: False) as session:
        derive(session.lake, creator, "instagram:anna.invented", "build", MARK)
        run_stages(session, ["index", "export"])
    assert any(name.startswith("data/index") for name in files_with(folder))
    run("revoke", "anna.invented", "--category", "build", "--yes")
    assert files_with(folder) == []
    found = CliRunner().invoke(main, ["--workspace", str(folder), "search", "anna", "--json"])
    assert (found.exit_code, creator in found.stdout) == (0, True)


@pytest.mark.slow
def test_a_merge_by_hand_suspends_the_consent_at_once(run: Run, folder: Path) -> None:
    """Pinned together with an account that nobody spoke for, nothing derived is left; the list says why."""
    grant(run)
    creator = fill(folder)
    words = ["link", "pin", "anna.invented", "cleo.invented", "--json"]
    assert CliRunner().invoke(main, ["--workspace", str(folder), *words]).exit_code == 0
    (row,) = run("list", "anna.invented")["rows"]
    assert row["state"] == "suspended: does not cover tiktok:cleo.invented"
    assert held(folder, creator, "build") == {"reviews"}
    assert held(folder, row["creator_id"], "build") <= {"reviews"}
    run("grant", "cleo.invented", "--category", "build", "--adult", "--evidence", "she wrote")
    assert {row["state"] for row in run("list", "anna.invented")["rows"]} == {"stands"}


@pytest.mark.slow
def test_a_file_of_consents_is_taken_once_and_never_brings_back_what_was_revoked(
    run: Run, call: Callable[..., Result], folder: Path
) -> None:
    """Semicolons, a byte order mark and capitals are read; importing it every night changes nothing."""
    path = folder / "forms.csv"
    row = f"@Anna.Invented;build;Yes;form 12;{YESTERDAY}\n"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER.replace(",", ";") + row).encode())
    assert run("import", str(path))["recorded"] == 1
    assert run("import", str(path))["recorded"] == 0
    run("revoke", "anna.invented", "--yes")
    again = run("import", str(path))
    assert (again["recorded"], {row["state"] for row in again["rows"]} & {"stands"}) == (0, set())
    assert "do not stand" in call("import", str(path)).stderr


def test_declarations_are_the_creators_own_words(run: Run) -> None:
    """What igtool never infers can be said by the creator, shown as said, and taken back with its words."""
    run("declare", "anna.invented", "--field", "height", "--text", "1,80 m, says my mother", "--evidence", "her bio")
    (row,) = run("list")["declarations"]
    assert (row["field"], row["text"], row["evidence"]) == ("height", "1,80 m, says my mother", "her bio")
    run("revoke", "anna.invented", "--field", "height", "--yes")
    (row,) = run("list")["declarations"]
    assert (row["text"], row["evidence"], row["withdrawn_at"] is None) == (None, None, False)


GRANT = ("grant", "anna.invented", "--adult", "--evidence", "a form", "--category")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("grant", "anna.invanted", "--category", "build", "--adult", "--evidence", "x"), "close are: anna.invented"),
        (("grant", "bea", "--category", "build", "--adult", "--evidence", "x"), "say which, one of instagram:bea"),
        (("grant", "anna.invented", "--category", "build", "--evidence", "x"), "declared to be an adult"),
        ((*GRANT, "biuld"), "did you mean build"),
        ((*GRANT, "hair"), "hair needs no consent"),
        ((*GRANT, "ethnicity"), "never infers ethnicity"),
        ((*GRANT, "H e i g h t"), "never infers height"),
        ((*GRANT, "build", "--granted-at", "tomorrow"), "is no date"),
        ((*GRANT, "build", "--granted-at", "2999-01-01"), "yet to come"),
        (("grant", "anna.invented", "--category", "build", "--adult", "--evidence", ""), "evidence has 1 to"),
        (("grant", "anna.invented", "--category", "build", "--adult"), "--evidence"),
        (("revoke", "nobody", "--yes"), "there is no account"),
        (("revoke", "anna.invented"), "add --yes"),
        (("revoke", "anna.invented", "--category", "biuld", "--yes"), "did you mean build"),
        (("revoke", "anna.invented", "--category", "hair", "--yes"), "needs no consent"),
        (("revoke", "anna.invented", "--field", "height", "--yes"), "nothing is declared as 'height'"),
        (("list", "nobody"), "there is no account"),
        (
            ("declare", "anna.invented", "--field", "religion", "--text", "x", "--evidence", "y"),
            "adult, ethnicity, height",
        ),
        (("declare", "nobody", "--field", "height", "--text", "x", "--evidence", "y"), "there is no account"),
        (("declare", "anna.invented", "--field", "height", "--text", "", "--evidence", "y"), "text has 1 to"),
        (("import", "nowhere.csv"), "there is no file"),
    ],
)
def test_bad_input_is_said_and_changes_nothing(
    call: Callable[..., Result], run: Run, words: tuple[str, ...], message: str
) -> None:
    """Each error names the item and what to do, with the exit code of a wrong use."""
    result = call(*words)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert run("list") == {"command": "consent list", "rows": [], "declarations": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("handle,category,evidence,granted_at\nanna.invented,build,x,2026-01-01\n", "no column adult"),
        (HEADER + "anna.invented,build,yes,x\n", "line 2: 4 cells where the header has 5"),
        (HEADER + "anna.invented,build,perhaps,x,2026-01-01\n", "line 2: adult is 'perhaps'"),
        (HEADER + "anna.invented,build,yes,x,\n", "line 2: granted_at"),
        (HEADER + "anna.invented,build,no,x,2026-01-01\n", "line 2: consent to build counts only"),
        (
            HEADER + "anna.invented,build,yes,x,2026-01-01\nnobody,build,yes,x,2026-01-01\n",
            "line 3: there is no account",
        ),
        (HEADER + "anna.invented,religion,yes,x,2026-01-01\n", "line 2: igtool never infers religion"),
        (HEADER + 'anna.invented,build,yes,"x,2026-01-01\n', "line 2: stray quote"),
        (HEADER + "anna.invented,build,yes,,2026-01-01\n", "line 2: a evidence"),
    ],
)
def test_a_malformed_file_is_refused_as_a_whole(
    call: Callable[..., Result], run: Run, folder: Path, text: str, message: str
) -> None:
    """The line is named, and no row of the file is recorded."""
    path = folder / "forms.csv"
    path.write_text(text)
    result = call("import", str(path))
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert run("list")["rows"] == []


def test_a_vocabulary_that_does_not_load_stops_before_anything_is_written(
    call: Callable[..., Result], folder: Path
) -> None:
    """A denied category in the workspace's own tags.toml ends with the exit code of a wrong configuration."""
    (folder / "tags.toml").write_text('[religion]\nclass = "open"\nlabel = "Faith"\nabout = "person"\n')
    result = call(*GRANT, "build")
    assert result.exit_code == 3
    assert "[religion] is denied" in result.stderr


def test_doctor_names_a_vocabulary_that_does_not_load(folder: Path) -> None:
    """The check of the vocabulary reads the workspace's own file too."""

    def vocabulary() -> dict[str, Any]:
        found = CliRunner().invoke(main, ["--workspace", str(folder), "doctor", "--json"])
        (row,) = (row for row in json.loads(found.stdout)["rows"] if row["name"] == "vocabulary")
        return dict(row)

    assert vocabulary()["ok"]
    (folder / "tags.toml").write_text('[mood]\nclass = "open"\n')
    assert "[mood]: about must be one of" in vocabulary()["detail"]


_READS = """
import sqlite3, sys
reader = sqlite3.connect(sys.argv[1])
reader.execute("begin")
reader.execute("select count(*) from ducklake_snapshot").fetchall()
print("reading", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_reader_that_keeps_bytes_alive_is_told(call: Callable[..., Result], run: Run, folder: Path) -> None:
    """The tables are clean, files may not be: the exit code says to run the command again, and then they are."""
    grant(run)
    creator = fill(folder)
    with subprocess.Popen(
        [sys.executable, "-c", _READS, str(folder / "data" / "catalog.sqlite")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        result = call("revoke", "anna.invented", "--category", "build", "--yes")
        reader.communicate()
    assert (result.exit_code, "run the same command again" in result.stderr) == (7, True)
    assert held(folder, creator, "build") == set()
    assert run("revoke", "anna.invented", "--category", "build", "--yes")["is_clean"]


def test_people_read_tables(call: Callable[..., Result], run: Run) -> None:
    """Without --json there is a table on stdout, and messages on stderr."""
    grant(run)
    shown = call("list")
    assert "instagram:anna.invented" in shown.stdout
    assert "stands" in shown.stdout
    taken = call("revoke", "anna.invented", "--yes")
    assert "2 taken back" in taken.stderr
    assert taken.stdout == ""
