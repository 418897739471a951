"""A search over a workspace: the index is brought up to date, own lists and hidden creators count, and it is noted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import NOW

from igtool.cli import main
from igtool.errors import IntegrityError
from igtool.files import WriterLock
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.search.answer import Query
from igtool.search.folder import current_index, current_name
from igtool.session import open_session
from igtool.settings import load
from igtool.workspace import Workspace

PEOPLE = {"anna": "trains and tea", "bea": "trains and hats", "cleo": "mountain huts"}


def add(lake: Lake, **bios: str) -> None:
    """Creators with one account each, named by handle; each has ten times the followers of the one before."""
    with lake.transaction():
        for number, (handle, bio) in enumerate(bios.items()):
            account = f"instagram:{handle}"
            lake.execute(
                "insert into creators by name select ? as creator_id, ? as canonical_handle, ? as name, "
                "'ES' as country, ['instagram'] as platforms, 1 as account_count, ?::bigint as total_followers_count",
                (f"c_{handle}", handle, handle.title(), 1_000 * 10 ** (number % 5)),
            )
            lake.execute(
                "insert into creator_links by name select ? as account_id, ? as creator_id", (account, f"c_{handle}")
            )
            lake.execute(
                "insert into accounts by name select ? as account_id, 'instagram' as platform, ? as handle, ? as bio, "
                "?::bigint as followers_count, ? as observed_at, true as is_profile",
                (account, handle, bio, 1_000 * 10 ** (number % 5), NOW),
            )


@pytest.fixture
def there(lake: Lake, journal: Journal, tmp_path: Path) -> Path:
    """A workspace with three creators and no index."""
    add(lake, **PEOPLE)
    lake.close()
    journal.close()
    return tmp_path


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace with the same creators that no test changes."""
    place = tmp_path_factory.mktemp("settled")
    shutil.copytree(empty_lake, place / "data")
    with Lake(place / "data", writable=True) as lake:
        add(lake, **PEOPLE)
    return place


@pytest.fixture
def told(there: Path) -> tuple[Workspace, list[str]]:
    """The workspace opened for searching, and what it said."""
    said: list[str] = []
    return Workspace(load(there), said.append), said


def handles(result: Any) -> list[str]:
    """Handles of the results in order."""
    return [hit.handle for hit in result.results]


def call(there: Path, *arguments: str) -> Result:
    """What a command prints."""
    return CliRunner().invoke(main, ["--workspace", str(there), *arguments])


def grow(there: Path, handle: str, bio: str) -> None:
    """One creator more, written by another process."""
    with open_session(load(there), "test", lambda: False) as session:
        add(session.lake, **{handle: bio})


def test_missing_and_stale_indexes_are_said_and_made(told: tuple[Workspace, list[str]], there: Path) -> None:
    """The first search makes the index, a later one finds what was added, and each says what it did."""
    workspace, said = told
    assert set(handles(workspace.search("trains"))) == set(PEOPLE)
    assert said == ["the search index is missing: it is made anew"]
    workspace.search("hats")
    assert len(said) == 1
    grow(there, "dora", "trains, always trains")
    assert "dora" in handles(workspace.search("trains"))
    assert said[1:] == ["the search index is older than the tables: it is made anew"]


def harm(path: Path) -> None:
    """The index is not what was built."""
    (current_index(path) / "creators.arrow").write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [harm, lambda path: (path / "current").write_text("nothing\n")], ids=["file", "gone"]
)
def test_damaged_index_is_said_and_made(
    told: tuple[Workspace, list[str]], there: Path, damage: Callable[[Path], object]
) -> None:
    """A damaged index is never searched."""
    told[0].search("trains")
    damage(there / "data" / "index")
    said: list[str] = []
    with Workspace(load(there), said.append).searcher as searcher:
        assert searcher.search(Query("trains")).results
    assert "is made anew" in said[0]
    assert "of no use" in said[0]


def test_a_run_that_is_going_on_renews_the_index_itself(told: tuple[Workspace, list[str]], there: Path) -> None:
    """While another process writes, the older index answers, and the answer says so."""
    workspace, said = told
    workspace.search("trains")
    grow(there, "dora", "trains, always trains")
    before = current_name(there / "data" / "index")
    lock = WriterLock(there / "data" / "lake.lock", "the lake")
    try:
        assert "dora" not in handles(workspace.search("trains"))
    finally:
        lock.release()
    assert "the run that is going on renews it" in said[-1]
    assert current_name(there / "data" / "index") == before
    assert "dora" in handles(workspace.search("trains"))


def test_another_process_renews_the_index(told: tuple[Workspace, list[str]], there: Path) -> None:
    """Two renewals at once are not done: the second answers from the index before."""
    workspace, said = told
    workspace.search("trains")
    grow(there, "dora", "trains, always trains")
    lock = WriterLock(there / "data" / "index" / "index.lock", "the search index")
    try:
        assert "dora" not in handles(workspace.search("trains"))
    finally:
        lock.release()
    assert "another process" in said[-1]


def test_no_creators_is_said(tmp_path: Path, lake: Lake, journal: Journal) -> None:
    """An empty database is no error of ours: the message says what to run."""
    lake.close()
    journal.close()
    shown = call(tmp_path, "search", "x")
    assert shown.exit_code == 2
    assert "igtool enrich" in shown.stderr


def test_lists_notes_and_hidden_creators(there: Path) -> None:
    """What a person keeps narrows searches at once, without a new index."""
    assert call(there, "list", "add", "night", "@anna", "cleo").stderr == "2 added to night\n"
    assert call(there, "list", "add", "night", "anna").stderr == "0 added to night, 1 were on it\n"
    found = call(there, "search", "trains", "--list", "night", "--json")
    assert [row["handle"] for row in json.loads(found.stdout)["results"]] == ["cleo", "anna"]
    assert call(there, "note", "bea", "Asked for a rate on Monday").exit_code == 0
    found = call(there, "search", "--note", "RATE", "--json")
    assert [row["handle"] for row in json.loads(found.stdout)["results"]] == ["bea"]
    assert call(there, "hide", "bea", "--reason", "said no").exit_code == 0
    found = call(there, "search", "trains", "--json")
    assert [row["handle"] for row in json.loads(found.stdout)["results"]] == ["cleo", "anna"]
    assert call(there, "unhide", "bea").exit_code == 0
    assert call(there, "list", "remove", "night", "anna").exit_code == 0
    rows = json.loads(call(there, "list", "show", "--json").stdout)["rows"]
    assert rows == [{"list": "night", "creators": 1}]
    assert "cleo" in call(there, "list", "show", "night").stdout
    found = call(there, "search", "trains", "--json")
    assert len(json.loads(found.stdout)["results"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "add", "x", "nobody"), "no creator 'nobody'"),
        (("list", "add", " ", "anna"), "a list has 1 to"),
        (("note", "anna", ""), "a note has 1 to"),
        (("hide", "ana"), "close are: anna"),
        (("unhide", "nobody"), "no creator"),
        (("list", "show", "x"), "no list 'x'"),
        (("search", "x", "-k", "0"), "1 to 1,000"),
        (("search", "x", "-k", "1000000000"), "1 to 1,000"),
        (("search", "x", "--sort", "size"), "relevance, quality"),
        (("search", "x", "--followers", "many"), "10k..500k"),
        (("search", "x", "--growth", "..x"), "5%.."),
        (("search", "x", "--country", "Spian"), "did you mean ES"),
        (("search", "x", "--list", "nope"), "no list yet"),
        (("search", "x", "--tag", "hair:blonde"), "no tags yet"),
        (("search", "x", "--match", "some"), "any"),
        (("search", "--like", "@nobody"), "no creator @nobody"),
        (("search", "--like", "@anna"), "no vectors"),
    ],
)
def test_bad_input(settled: Path, arguments: tuple[str, ...], words: str) -> None:
    """What does not fit ends with code 2 and says what would."""
    shown = call(settled, *arguments)
    assert shown.exit_code == 2
    assert words in shown.stderr


def test_empty_query_is_everyone_by_quality(there: Path) -> None:
    """Without a text filters decide, and without both everyone is shown."""
    rows = json.loads(call(there, "search", "--json").stdout)["results"]
    assert [row["handle"] for row in rows] == ["cleo", "bea", "anna"]
    rows = json.loads(call(there, "search", "--followers", "..5k", "--sort", "followers", "--json").stdout)["results"]
    assert [row["handle"] for row in rows] == ["anna"]


def test_what_is_left_when_nothing_fits(there: Path) -> None:
    """An answer without results says which filter leaves nothing, and long texts are cut with a word about it."""
    shown = call(there, "search", "trains", "--followers", "1B..", "--country", "ES")
    assert "without min_followers there would be 3" in shown.stderr
    assert "cut at 1,000 characters" in call(there, "search", "trains " * 15_000).stderr


def test_searches_are_noted(there: Path) -> None:
    """A search with its candidates, parts and weights waits in the journal and then is in the lake, once."""
    call(there, "search", "trains", "--sort", "followers")
    call(there, "search", "hats")
    for _ in range(2):
        with open_session(load(there), "test", lambda: False):
            pass
    rows = Workspace(load(there)).table("search_log").to_pylist()
    assert [row["query"] for row in sorted(rows, key=lambda row: row["searched_at"])] == ["trains", "hats"]
    candidates = json.loads(rows[0]["candidates"])
    assert {"creator_id", "parts"} == set(candidates[0])
    assert len(candidates) == 3
    assert json.loads(rows[0]["weights"])["keyword"] == 0.35


def test_searches_can_stay_unnoted(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log off nothing is written; where it cannot be written the search answers and says so."""
    monkeypatch.setenv("IGTOOL_SEARCH_LOG", "false")
    call(there, "search", "trains")
    with Journal(there / "cache", writable=False) as journal:
        assert journal.searches() == []
    monkeypatch.setenv("IGTOOL_SEARCH_LOG", "true")
    monkeypatch.setattr(Journal, "note_searches", _refuse)
    shown = call(there, "search", "trains")
    assert shown.exit_code == 0
    assert "not noted" in shown.stderr


def _refuse(*_: object) -> None:
    raise IntegrityError("the journal is damaged")


def test_weights_come_from_the_settings(there: Path) -> None:
    """Weights in igtool.toml change the score; a part that there is not is a configuration error."""
    settings = there / "igtool.toml"
    settings.write_text("[search_weights]\nkeyword = 0\n")
    rows = json.loads(call(there, "search", "trains", "--json").stdout)["results"]
    assert all(row["parts"]["keyword"] == 0 for row in rows)
    settings.write_text("[search_weights]\nkeywords = 1\n")
    shown = call(there, "search", "trains")
    assert shown.exit_code == 3
    assert "keyword, vectors" in shown.stderr
