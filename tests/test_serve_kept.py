"""Lists, notes, hidden creators and saved searches over HTTP: seen at once, moved to the lake, never lost."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from served_people import make_workspace
from serving import Serving, serving

from igtool.changes import store, store_said
from igtool.cli import main
from igtool.journal import Journal
from igtool.journal.audit import Entry
from igtool.journal.said import Change, SaidLog
from igtool.lake import Lake
from igtool.notes import kept
from igtool.session import open_session
from igtool.settings import load

BY = Entry("local", "local", "test")


@pytest.fixture
def place(tmp_path: Path, empty_lake: Path) -> Path:
    """A workspace of its own."""
    return make_workspace(tmp_path, empty_lake)


@pytest.fixture
def served(place: Path) -> Iterator[Serving]:
    """It is served."""
    with serving(place) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[Serving]:
    """A server whose workspace no test changes."""
    with serving(make_workspace(tmp_path_factory.mktemp("kept"), empty_lake)) as opened:
        yield opened


def handles(answer: httpx2.Response) -> list[str]:
    """Handles of what was found, in order."""
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [one["handle"] for one in found.get("creators", found.get("results", []))]


def settled(served: Serving) -> None:
    """What was said is in the lake."""
    for _ in range(100):
        served.server.services.saying.refresh()
        if not served.server.services.saying.waiting:
            return
        time.sleep(0.05)
    pytest.fail("what was said never came into the lake")


def use_everything(served: Serving) -> None:
    """Keep something of every kind, change it, and look at it after each word."""
    client = served.client
    said = client.post("/api/v1/lists/short", json={"add": ["@bea", "c_in_cleo", "dora"]})
    assert said.json() == {"name": "short", "added": 3, "removed": 0, "creators_count": 3}
    assert client.post("/api/v1/lists/short", json={"add": ["bea"], "remove": ["dora"]}).json()["added"] == 0
    assert served.get("/api/v1/lists").json() == {"lists": [{"name": "short", "creators_count": 2}]}
    assert handles(served.get("/api/v1/lists/short", sort="handle")) == ["bea", "cleo"]
    assert handles(served.get("/api/v1/search", query="trains", lists="short")) == ["bea", "cleo"]
    client.post("/api/v1/notes", json={"creator": "cleo", "note": "Answers at night"})
    noted = client.post("/api/v1/notes", json={"creator": "cleo", "note": "asks 200 €"}).json()["notes"]
    assert [one["note"] for one in noted] == ["asks 200 €", "Answers at night"]
    assert client.delete(f"/api/v1/notes/{noted[0]['note_id']}").json() == {"status": "done"}
    assert handles(served.get("/api/v1/search", query="huts", note="NIGHT")) == ["cleo"]
    client.post("/api/v1/hidden", json={"creator": "bea", "reason": "competitor"})
    assert "bea" not in handles(served.get("/api/v1/search", query="trains"))
    client.put("/api/v1/searches/huts", json={"query": "huts", "limit": 1})
    assert handles(served.get("/api/v1/searches/huts/results")) == ["cleo"]
    assert client.put("/api/v1/searches/gone", json={"query": "tea"}).status_code == 200
    assert client.delete("/api/v1/searches/gone").status_code == 200
    assert [one["name"] for one in served.get("/api/v1/searches").json()["searches"]] == ["huts"]


def what_is_kept(served: Serving) -> dict[str, Any]:
    """Every answer about what is kept."""
    asked = ("lists", "lists/short", "notes", "hidden", "searches", "lists/short/export")
    return {path: served.get(f"/api/v1/{path}").text for path in asked}


def test_while_a_run_writes_everything_is_seen_at_once_and_kept_afterwards(served: Serving, place: Path) -> None:
    """Held by a run, the lake gets nothing; answers are as if it did, and stay the same when it does."""
    with Lake(place / "data", writable=True):
        use_everything(served)
        time.sleep(1.3)
        before = what_is_kept(served)
        assert served.server.services.saying.waiting
    settled(served)
    assert what_is_kept(served) == before
    with Lake(place / "data", writable=False) as lake:
        assert kept(lake).lists == {"short": ["c_in_bea", "c_in_cleo"]}
        assert [row["action"] for row in lake.rows("select count(*) as action from tenant_searches")] == [1]
    shown = CliRunner().invoke(main, ["--workspace", str(place), "list", "show", "--json"])
    assert '"creators": 2' in shown.stdout


@pytest.mark.slow
def test_with_a_free_lake_the_same_answers_come(served: Serving) -> None:
    """Moved in between or not, nobody can tell."""
    use_everything(served)
    settled(served)
    assert "bea" not in handles(served.get("/api/v1/search", query="trains"))
    assert served.client.delete("/api/v1/hidden/bea").status_code == 200
    assert "bea" in handles(served.get("/api/v1/search", query="trains"))
    assert served.client.delete("/api/v1/lists/short").status_code == 200
    assert served.get("/api/v1/lists").json() == {"lists": []}
    settled(served)
    assert served.get("/api/v1/lists").json() == {"lists": []}


def test_what_was_said_survives_the_server(place: Path) -> None:
    """It is in the journal when the answer comes; whoever opens the workspace for writing next has it in the lake."""
    with serving(place) as served, Lake(place / "data", writable=True):
        served.client.post("/api/v1/lists/short", json={"add": ["bea"]})
    with open_session(load(place), "test", lambda: False) as session:
        assert kept(session.lake).lists == {"short": ["c_in_bea"]}
        assert SaidLog(session.journal).waiting() == []


def test_making_changes_twice_is_making_them_once(place: Path) -> None:
    """As after a death between the lake's commit and the journal's; in the order in which they were said."""
    row = {"tenant_id": "local", "list_name": "l", "creator_id": "c_in_bea"}
    later = "2026-01-02T03:04:05+00:00"
    changes = [
        Change("tenant_lists", [row | {"added_at": later}]),
        Change("tenant_lists", [row], is_gone=True),
        Change("tenant_lists", [row | {"creator_id": "c_in_cleo", "added_at": later}]),
    ]
    with (
        Journal(place / "cache", writable=True) as journal,
        Lake(place / "data", writable=True) as lake,
    ):
        SaidLog(journal).say(changes, BY, now=1.0)
        store(lake, [one.change for one in SaidLog(journal).waiting()])
        assert store_said(lake, journal) == 3
        assert kept(lake).lists == {"l": ["c_in_cleo"]}
        assert store_said(lake, journal) == 0


def test_what_is_kept_follows_merged_creators(served: Serving, place: Path) -> None:
    """What names a creator who was merged is about the survivor, and can be taken back."""
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        for table, more in (("tenant_lists", "'l' as list_name,"), ("tenant_notes", "'n' as note, now() as noted_at,")):
            lake.execute(f"insert into {table} by name select 'local' as tenant_id, {more} 'c_old' as creator_id")
        old = "by name select 'c_old' as creator_id"
        lake.execute(f"insert into tenant_hidden {old}, 'local' as tenant_id, now() as hidden_at")
        lake.execute(f"insert into creator_forwards {old}, 'c_in_bea' as survivor_id, [] as account_ids")
    served.settle()
    assert handles(served.get("/api/v1/lists/l")) == ["bea"]
    assert [one["creator_id"] for one in served.get("/api/v1/notes", creator="bea").json()["notes"]] == ["c_in_bea"]
    assert "bea" not in handles(served.get("/api/v1/search", query="trains"))
    assert served.client.post("/api/v1/lists/l", json={"remove": ["bea"]}).json()["creators_count"] == 0
    assert served.client.delete("/api/v1/hidden/bea").status_code == 200
    settled(served)
    assert "bea" in handles(served.get("/api/v1/search", query="trains"))
    with Lake(place / "data", writable=False) as lake:
        assert kept(lake).lists == {}


def test_a_list_as_csv_holds_no_formulas(served: Serving, place: Path) -> None:
    """What a spreadsheet would work out begins with an apostrophe; the columns are those asked for."""
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        lake.execute("update creators set name = '=HYPERLINK(\"http://x\")' where creator_id = 'c_in_bea'")
    served.client.post("/api/v1/lists/short", json={"add": ["bea", "cleo"]})
    answer = served.get("/api/v1/lists/short/export", fields="handle,name,platforms")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows == [
        ["handle", "name", "platforms"],
        ["bea", '\'=HYPERLINK("http://x")', "instagram"],
        ["cleo", "Cleo", "instagram"],
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "lists/l", {"add": ["nobody"]}, 404, "no creator 'nobody'"),
        ("POST", "lists/l", {"add": ["be\0a"]}, 404, "no creator"),
        ("POST", "lists/l", {"add": ["anna"]}, 400, "2 creators have the handle 'anna'"),
        ("POST", "lists/l", {"remove": ["bea"]}, 404, "there is no list 'l'"),
        ("POST", "lists/l", {"ad": ["bea"]}, 400, "did you mean add"),
        ("POST", f"lists/{'x' * 201}", {"add": ["bea"]}, 400, "name"),
        ("POST", "lists/%20", {"add": ["bea"]}, 400, "1 to 200 characters"),
        ("GET", "lists/none", None, 404, "there is no list 'none'"),
        ("DELETE", "lists/none", None, 404, "there is no list 'none'"),
        ("POST", "notes", {"creator": "bea", "note": "  "}, 400, "note"),
        ("POST", "notes", {"creator": "bea"}, 400, "Missing required field: note"),
        ("DELETE", "notes/0123", None, 404, "no note"),
        ("DELETE", "hidden/bea", None, 404, "not hidden"),
        ("PUT", "searches/s", {"query": "x", "followers": "many.."}, 400, "many"),
        ("PUT", "searches/s", {"limit": 0}, 400, "limit"),
        ("GET", "searches/s/results", None, 404, "no saved search 's'"),
        ("DELETE", "searches/s", None, 404, "no saved search 's'"),
    ],
)
def test_bad_input_is_said_and_changes_nothing(
    shared: Serving, method: str, path: str, body: Any, status: int, said: str
) -> None:
    """A status, a sentence, and nothing said."""
    answer = shared.client.request(method, f"/api/v1/{path}", json=body)
    assert (answer.status_code, said in answer.json()["details"]) == (status, True), answer.text
    assert shared.server.services.saying.waiting == ()


def test_a_list_that_a_run_was_asked_for_stays(served: Serving, place: Path) -> None:
    """The list of `igtool enrich` is a list of the command line; deleting it is refused with the reason."""
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        lake.execute(
            "insert into watchlist by name select 'bea' as handle, 'instagram' as platform, 'given' as list_name"
        )
    assert served.get("/api/v1/lists").json() == {"lists": [{"name": "given", "creators_count": 1}]}
    refused = served.client.delete("/api/v1/lists/given")
    assert (refused.status_code, "igtool enrich" in refused.json()["details"]) == (400, True)
