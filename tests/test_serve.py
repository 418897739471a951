"""What the server answers: each route, lists to their end, caching, the contract, while the lake is written too."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from fastapi import APIRouter
from fastapi.routing import APIRoute
from served_people import PEOPLE, add_people, make_workspace
from serving import Serving, serving

from igtool.cli import main
from igtool.errors import IntegrityError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.serve.api.creators import CreatorDocument, Creators
from igtool.serve.api.search import SearchDocument
from igtool.serve.app import ROUTERS
from igtool.serve.errors import Unavailable
from igtool.serve.readers import Readers
from igtool.session import open_session
from igtool.settings import load


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace that no test changes but for its journal."""
    return make_workspace(tmp_path_factory.mktemp("served"), empty_lake)


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Serving]:
    """It is served."""
    with serving(place, serve_requests_per_second=10_000) as opened:
        yield opened


@pytest.fixture
def own(tmp_path: Path, empty_lake: Path) -> Iterator[Serving]:
    """A server of a workspace of its own, which a test may change."""
    with serving(make_workspace(tmp_path, empty_lake)) as opened:
        yield opened


def handles(answer: httpx2.Response) -> list[str]:
    """Handles of a list or a search, in order."""
    document = answer.json()
    return [one["handle"] for one in document.get("creators", document.get("results", []))]


def test_health_ready_and_metrics(served: Serving) -> None:
    """The three that watchers ask; routes are counted by their template, never by what was asked for."""
    assert served.get("/health").json() == {"status": "ok"}
    assert served.get("/ready").json() == {"status": "ready", "missing": []}
    served.get("/api/creators/bea")
    served.get("/api/v1/search", query="trains")
    served.get("/secret-in-an-address")
    text = served.get("/metrics").text
    assert 'igtool_http_requests_total{method="GET",route="/api/creators/{username}",status="200"} 1.0' in text
    assert 'route="unmatched",status="404"} 1.0' in text
    assert "secret" not in text
    assert "igtool_search_seconds_count 1.0" in text
    assert f"igtool_creators {len(PEOPLE)}.0" in text
    assert 'igtool_accounts{tier="long_tail"} 6.0' in text
    assert 'igtool_coverage_share{field="bio",platform="instagram"} 1.0' in text
    assert 'igtool_readable{store="journal"} 1.0' in text


@pytest.mark.parametrize("sort", ["followers", "handle", "name", "first_seen"])
def test_a_cursor_walks_everything_once(served: Serving, sort: str) -> None:
    """Also where creators are equal in what they are sorted by: the second page begins among equals."""
    found: list[str] = []
    cursor = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = served.get("/api/creators/list", limit=2, sort=sort, fields="creator_id", **more).json()
        found += [one["creator_id"] for one in page["creators"]]
        assert page["returned_count"] == 2
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(found) == len(PEOPLE)
    assert sorted(found) == sorted(f"c_{one.get('on', 'instagram')[:2]}_{one['handle']}" for one in PEOPLE)
    whole = served.get("/api/creators/list", sort=sort).json()["creators"]
    assert [one["creator_id"] for one in whole] == found


def test_lists_are_narrowed(served: Serving) -> None:
    """By platform, niche, style and interest; fields are those that were asked for, in that order."""
    assert handles(served.get("/api/creators/list", platform="yt")) == ["anna"]
    assert handles(served.get("/api/creators/list", niche="travel,fashion")) == ["bea", "cleo", "anna"]
    page = served.get("/api/creators/list", fields="handle,followers_count", niche="fashion").json()
    assert page["creators"] == [{"handle": "bea", "followers_count": 70_000}]
    assert handles(served.get("/api/style/creators", style="vlog", interest="trains")) == ["bea", "anna"]
    assert handles(served.get("/api/style/creators", interest="Trains,hats", match="all")) == ["bea"]
    assert served.get("/api/style/creators", interest="hats").json()["creators"][0]["interests"] == ["Hats", "Trains"]


def test_one_creator_as_the_command_line_shows_it(served: Serving, place: Path) -> None:
    """The document of `igtool show --json`; of several with a handle the choices, or the one on a platform."""
    shown = CliRunner().invoke(main, ["--workspace", str(place), "show", "bea", "--json"])
    assert served.get("/api/creators/bea").json() == json.loads(shown.stdout)["rows"][0]
    several = served.get("/api/creators/anna")
    assert several.status_code == 300
    assert [one["href"] for one in several.json()["choices"]] == ["/api/creators/c_yo_anna", "/api/creators/c_in_anna"]
    assert served.get("/api/creators/@anna", platform="youtube").json()["creator_id"] == "c_yo_anna"
    assert served.get("/api/creators/c_in_anna").json()["creator_id"] == "c_in_anna"
    missing = served.get("/api/creators/beatrix")
    assert missing.status_code == 404
    assert "bea" in missing.json()["details"]
    assert served.get("/api/creators/bea", platform="youtube").status_code == 404


def test_nothing_is_sent_again_that_did_not_change(own: Serving, tmp_path: Path) -> None:
    """The ETag of a list and of a creator: 304 until a commit, and not for another question."""
    for path in ("/api/creators/list", "/api/creators/bea"):
        tag = own.get(path).headers["etag"]
        assert own.client.get(path, headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
        assert own.client.get(f"{path}?platform=instagram", headers={"If-None-Match": tag}).status_code == 200
    with Lake(tmp_path / "data", writable=True) as lake:
        add_people(lake, [{**PEOPLE[0], "handle": "new"}])
    changed = own.client.get("/api/creators/list", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert "new" in handles(changed)


def test_searches_are_those_of_the_command_line(served: Serving, place: Path) -> None:
    """GET and POST give the document of `igtool search --json`, with parts that add up."""
    arguments = ("search", "trains", "--niche", "travel,fashion", "--followers", "1k..", "--explain", "--json")
    shown = json.loads(CliRunner().invoke(main, ["--workspace", str(place), *arguments]).stdout)
    asked = {"query": "trains", "niche": ["travel", "fashion"], "followers": "1k..", "explain": True}
    posted = served.client.post("/api/v1/search", json=asked).json()
    assert posted == served.get("/api/v1/search", **asked).json() == shown
    assert all(sum(one["parts"].values()) == one["final_score"] for one in posted["results"])
    assert {one["handle"] for one in posted["results"]} == {"bea", "anna", "cleo"}
    assert served.client.post("/api/v1/search", json={"min_followers": 80_000}).json()["results"][0]["handle"] == "anna"


def test_what_the_user_keeps_counts_in_searches(own: Serving, tmp_path: Path) -> None:
    """Lists, notes and hidden creators that another process keeps, and the search is noted for `igtool tune`."""
    for command in (("list", "add", "night", "bea", "cleo"), ("note", "bea", "rate on Monday"), ("hide", "dora")):
        assert CliRunner().invoke(main, ["--workspace", str(tmp_path), *command]).exit_code == 0
    own.settle()
    assert handles(own.get("/api/v1/search", lists="night", sort="followers")) == ["bea", "cleo"]
    assert handles(own.get("/api/v1/search", note="RATE")) == ["bea"]
    assert "dora" not in handles(own.get("/api/v1/search"))
    own.settle()
    with Journal(tmp_path / "cache", writable=False) as journal:
        assert len(journal.searches()) == 3


def test_similar_to_a_text(served: Serving) -> None:
    """Without vectors in the tables there is nothing to be near to: a creator is refused, a text finds all."""
    assert served.client.post("/api/v1/search/similar", json={"text": "trains", "limit": 2}).json()["query"] == ""
    refused = served.client.post("/api/v1/search/similar", json={"creator": "@bea"})
    assert refused.status_code == 400
    assert "no vectors" in refused.json()["details"]


def test_answers_while_another_process_writes(own: Serving, tmp_path: Path) -> None:
    """Reads and searches never fail during a run, and what it brought is found at its end."""
    writer = (
        "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from igtool.lake import Lake\n"
        "from served_people import PEOPLE, add_people\n"
        "with Lake(Path(sys.argv[1]) / 'data', writable=True) as lake:\n"
        "    for number in range(4): add_people(lake, [{**PEOPLE[0], 'handle': f'w{number}'}])\n"
    )
    run = subprocess.Popen([sys.executable, "-c", writer, str(tmp_path)], cwd=Path(__file__).parents[1])
    seen = set()
    while run.poll() is None:
        for path in ("/api/creators/list?limit=1000", "/api/v1/search?query=trains", "/ready"):
            answer = own.get(path)
            assert answer.status_code == 200, answer.text
            seen.add(len(answer.json().get("creators", [])))
    assert run.returncode == 0
    assert max(seen) <= len(PEOPLE) + 4
    own.settle()
    assert "w3" in handles(own.get("/api/v1/search", query="trains", limit=100))


def test_many_threads_get_their_own_answers(served: Serving) -> None:
    """Requests side by side do not take each other's results."""
    wrong: list[str] = []

    def ask(name: str, interest: str) -> None:
        with httpx2.Client(base_url=served.address, timeout=30) as client:
            for _ in range(3):
                if handles(client.get(f"/api/style/creators?fields=handle&interest={interest}")) != [name]:
                    wrong.append(name)
                if client.get(f"/api/v1/search?query=@{name}&limit=1").json()["results"][0]["handle"] != name:
                    wrong.append(name)

    threads = [threading.Thread(target=ask, args=one) for one in (("bea", "hats"), ("cleo", "hiking")) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_readers_stay_open(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is opened for requests that come one after the other, also where they are refused."""
    opened: list[Readers] = []
    before = Readers._opened
    monkeypatch.setattr(Readers, "_opened", lambda readers: (opened.append(readers), before(readers))[1])
    with serving(place) as server:
        for path in ("/api/creators/list", "/api/creators/nobody", "/api/creators/list?niche=nix", "/api/creators/bea"):
            server.get(path)
    assert len(opened) == 1


def test_a_reader_sees_one_commit(tmp_path: Path, empty_lake: Path) -> None:
    """What is written between two queries of an answer is in neither; a reader that broke is opened anew."""
    make_workspace(tmp_path, empty_lake)
    readers, counts, broken = Readers(load(tmp_path), most=1), [], [IntegrityError("a file is gone")]

    def count(lake: Lake) -> None:
        counts.append(lake.value("select count(*) from creators"))

    def ask(lake: Lake) -> None:
        if broken:
            raise broken.pop()
        count(lake)
        with Lake(tmp_path / "data", writable=True) as writer:
            add_people(writer, [{**PEOPLE[0], "handle": "new"}])
        count(lake)

    readers.read(ask)
    readers.read(count)
    readers.close()
    assert counts == [len(PEOPLE), len(PEOPLE), len(PEOPLE) + 1]


def test_a_query_that_nobody_waits_for_ends(tmp_path: Path, empty_lake: Path) -> None:
    """After the time of a request its query is interrupted, and the reader answers others."""
    make_workspace(tmp_path, empty_lake)
    readers = Readers(load(tmp_path, serve_timeout_s=0.2), most=1)
    endless = "select sum(a.range * b.range) from range(1000000000) a, range(1000000000) b"
    with pytest.raises(Unavailable, match=r"longer than 0\.2 s"):
        readers.read(lambda lake: lake.value(endless))
    assert readers.read(lambda lake: lake.value("select count(*) from creators")) == len(PEOPLE)
    readers.close()


def test_the_contract_holds(served: Serving) -> None:
    """Every operation has an example that its schema takes, known references, its refusals, and no 422."""
    document = served.get("/openapi.json").json()
    text = json.dumps(document)
    names = document["components"]["schemas"]
    assert all(part.split('"')[0] in names for part in text.split("#/components/schemas/")[1:])
    assert "422" not in text
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        status = next(status for status in one["responses"] if status.startswith("2"))
        good = next(iter(one["responses"][status]["content"].values()))
        assert good["example"], one["operationId"]
        assert "429" in one["responses"], one["operationId"]
        assert one["summary"]
        assert one["description"]
    models: dict[str, Any] = {
        "/api/creators/list": Creators,
        "/api/style/creators": Creators,
        "/api/v1/search": SearchDocument,
        "/api/creators/{username}": CreatorDocument,
    }
    for path, model in models.items():
        for operation in document["paths"][path].values():
            model.model_validate(operation["responses"]["200"]["content"]["application/json"]["example"])


def test_answers_are_what_the_contract_says(served: Serving) -> None:
    """Real answers fit the models that describe them."""
    Creators.model_validate(served.get("/api/creators/list").json())
    Creators.model_validate(served.get("/api/style/creators").json())
    CreatorDocument.model_validate(served.get("/api/creators/bea").json())
    SearchDocument.model_validate(served.get("/api/v1/search", query="trains", explain=True).json())


def test_other_families_of_routes_can_be_added(place: Path) -> None:
    """A router that somebody else wrote gets the services, the guard and the errors."""
    router = APIRouter()

    @router.get("/api/v1/other")
    def other() -> dict[str, str]:
        return {"said": "here"}

    with serving(place, routers=[*ROUTERS, router]) as opened:
        answer = opened.get("/api/v1/other")
        assert answer.json() == {"said": "here"}
        assert "content-security-policy" in answer.headers
        assert opened.get("/api/v1/other/more").json()["error"] == "not_found"
        paths = {route.path for route in router.routes if isinstance(route, APIRoute)}
        assert paths <= set(opened.get("/openapi.json").json()["paths"])


def test_a_server_may_start_before_there_is_anything(tmp_path: Path, empty_lake: Path) -> None:
    """503 with what to type, then answers, without being started again."""
    with serving(tmp_path) as opened:
        assert opened.get("/health").status_code == 200
        assert "igtool enrich" in opened.get("/ready").json()["missing"][0]
        for path in ("/api/creators/list", "/api/creators/bea", "/api/v1/search"):
            answer = opened.get(path)
            assert answer.status_code == 503
            assert answer.json()["error"] == "no_database"
            assert answer.headers["retry-after"]
        make_workspace(tmp_path, empty_lake, ())
        opened.settle()
        assert opened.get("/api/v1/search").json()["error"] == "no_index"
        with open_session(load(tmp_path), "test", lambda: False) as session:
            add_people(session.lake, PEOPLE)
        opened.settle()
        assert opened.get("/ready").status_code == 200
        assert len(handles(opened.get("/api/v1/search"))) == len(PEOPLE)


def test_a_conversation_is_accepted_and_read_while_the_server_runs(own: Serving) -> None:
    """The whole way: 202, analysed by the worker of the server, listed among insights; a wrong one is named so."""
    wrong = own.client.post("/api/v1/conversations", json={"author": "x"})
    assert (wrong.status_code, wrong.json()) == (
        400,
        {"error": "invalid_schema", "details": "Missing required field: text"},
    )
    given = {"text": "Worst customer service ever, on hold for two hours", "timestamp": "2026-01-31T12:00:00Z"}
    accepted = own.client.post("/api/v1/conversations", json=given)
    assert accepted.status_code == 202
    name = accepted.json()["conversation_id"]
    deadline = time.monotonic() + 60
    while own.get(f"/api/v1/conversations/{name}").json()["status"] != "analyzed" and time.monotonic() < deadline:
        time.sleep(0.05)
    period = {"start_time": "2026-01-31T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}
    (insight,) = own.get("/api/v1/insights", **period).json()["insights"]
    assert insight["conversation_id"] == name
    assert insight["grok_analysis"]["sentiment_score"] < 0
