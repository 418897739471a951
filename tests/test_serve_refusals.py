"""What the server refuses: bad input, foreign pages, too much, too long; always JSON, never a path of the machine."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import pytest
from click.testing import CliRunner
from fastapi import APIRouter
from hypothesis import given, settings
from hypothesis import strategies as st
from served_people import make_workspace
from serving import Serving, serving

from igtool.cli import main
from igtool.errors import LockedError
from igtool.files import WriterLock
from igtool.search.folder import current_index
from igtool.searching import Searcher
from igtool.serve.api.search import Asked
from igtool.serve.app import ROUTERS
from igtool.serve.errors import without_paths
from igtool.serve.guarding import HEADERS
from igtool.settings import load

extra = APIRouter()
enough = threading.Event()
SEARCH = "/api/v1/search"


@extra.get("/slow")
def slow() -> dict[str, str]:
    """Takes longer than the server allows."""
    enough.wait(20)
    return {}


@extra.get("/broken")
def broken() -> None:
    """A bug."""
    raise ZeroDivisionError("in /root/secret/place.py")


@extra.get("/locked")
def locked() -> None:
    """A lake that somebody else holds."""
    raise LockedError("/somewhere/data is locked by another process: run the same command again later")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace that no test changes."""
    return make_workspace(tmp_path_factory.mktemp("refusing"), empty_lake)


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Serving]:
    """It is served, with routes that misbehave."""
    limits = {"serve_max_body_mb": 0.1, "serve_requests_per_second": 10_000}
    with serving(place, routers=[*ROUTERS, extra], **limits) as opened:
        for _ in range(2):
            opened.get(SEARCH, query="trains")
        yield opened


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/creators/list?limit=0", "limit"),
        ("/api/creators/list?limit=1001", "1000"),
        ("/api/creators/list?limit=many", "'many'"),
        ("/api/creators/list?limit=1.5", "integer"),
        ("/api/creators/list?limt=5", "did you mean limit"),
        ("/api/creators/list?sort=size", "followers, handle"),
        ("/api/creators/list?fields=handel", "did you mean handle"),
        ("/api/creators/list?platform=tiktok", "instagram, youtube"),
        ("/api/creators/list?niche=travle", "did you mean travel"),
        ("/api/creators/list?cursor=x", "cursor"),
        ("/api/creators/list?cursor=W10", "cursor"),
        ("/api/creators/list?cursor=%C3%A9", "cursor"),
        ("/api/style/creators?style=vlogs", "did you mean vlog"),
        ("/api/style/creators?match=some", "any"),
        ("/api/creators/bea?platform=tiktok", "instagram"),
        (f"{SEARCH}?limit=0", "limit"),
        (f"{SEARCH}?followers=many", "10k..500k"),
        (f"{SEARCH}?followers=500k..10k", "swap the two"),
        (f"{SEARCH}?min_followers=NaN", "10k..500k"),
        (f"{SEARCH}?engagement=inf..", "2%..8%"),
        (f"{SEARCH}?sort=size", "relevance, quality"),
        (f"{SEARCH}?activity=", "active, dormant"),
        (f"{SEARCH}?platform=", "instagram, youtube"),
        (f"{SEARCH}?country=Spian", "did you mean ES"),
        (f"{SEARCH}?verified=perhaps", "boolean"),
        (f"{SEARCH}?lists=none", "list"),
        (f"{SEARCH}?like=@nobody", "no creator @nobody"),
        (f"{SEARCH}?image=x.png", "no field 'image'"),
        (f"{SEARCH}?query=%ff", "UTF-8"),
        ("/api/creators/%ff", "UTF-8"),
        ("/api/creators/a%00", "NUL"),
        ("/api/style/creators?style=%00", "NUL"),
    ],
)
def test_bad_parameters_are_told(served: Serving, path: str, words: str) -> None:
    """400 with a sentence that helps."""
    answer = served.client.get(path)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "details"}
    assert words in answer.json()["details"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Missing body"),
        (b"{", "no JSON"),
        (b"[]", "dictionary"),
        (b'"text"', "dictionary"),
        (b"\xff\xfe", "no JSON"),
        (b'{"query": "\xff"}', "UTF-8"),
        (b'{"query": "\\ud800"}', "query: "),
        (b'{"query": 5}', "query: "),
        (b'{"limit": 0}', "limit"),
        (b'{"limit": 1e999}', "limit"),
        (b'{"limit": "ten"}', "'ten'"),
        (b'{"min_followers": NaN}', "10k..500k"),
        (b'{"min_followers": 1e400}', "min_followers"),
        (b'{"niche": "travel", "niches": []}', "did you mean niche"),
        (b'{"niche": [[]]}', "niche"),
        (b"[" * 50_000, "cannot be read"),
        (b'{"limit": ' + b"9" * 5_000 + b"}", "the body"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_bodies_are_told(served: Serving, body: bytes, words: str) -> None:
    """400, whatever the framework makes of it."""
    answer = served.client.post(SEARCH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in ("invalid_schema", "invalid_request")
    assert words in answer.json()["details"]


def test_a_body_without_its_type_is_refused(served: Serving) -> None:
    """What a form of a foreign page could send is no JSON document."""
    assert served.client.post(SEARCH, content=b'{"query": "x"}').status_code == 400
    answer = served.client.post(f"{SEARCH}/similar", json={"creator": "@bea", "text": "x"})
    assert answer.json() == {"error": "invalid_schema", "details": "give either creator (a handle) or text"}


def test_bodies_that_are_too_large(served: Serving) -> None:
    """413 by what is announced and by what comes; the sender gets to read it."""
    for content in (b"x" * 10_000_000, (b"x" * 50_000 for _ in range(6))):
        with httpx2.Client(base_url=served.address) as client:
            answer = client.post(SEARCH, content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json() == {
            "error": "too_large",
            "details": "the body is too large: it may have 100,000 bytes",
        }


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0", "", "[::", "10.0.0.1:8700"])
def test_other_names_are_refused(served: Serving, host: str) -> None:
    """A name that was made to lead here (DNS rebinding) is not ours."""
    answer = served.client.get("/health", headers={"host": host})
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_host"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8700", "LOCALHOST"])
def test_names_of_this_machine_are_taken(served: Serving, host: str) -> None:
    """Loopback by any of its names."""
    assert served.client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_foreign_pages_change_nothing(served: Serving, headers: dict[str, str]) -> None:
    """What is not GET has to come from a page of this server, or from no page."""
    assert served.client.post(SEARCH, json={}, headers=headers).status_code == 403
    assert served.client.delete(SEARCH, headers=headers).status_code == 403
    assert served.client.post(SEARCH, json={}, headers={"origin": served.address}).status_code == 200


def test_every_answer_has_the_headers(served: Serving) -> None:
    """Also refusals; the policy allows no inline script, and nothing tells what serves."""
    answers = [
        served.get("/health"),
        served.get("/nothing"),
        served.client.delete("/health"),
        served.client.get("/health", headers={"host": "x.example"}),
        served.get("/broken"),
    ]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    assert [answer.status_code for answer in answers] == [200, 404, 405, 400, 500]
    assert answers[2].headers["allow"] == "GET"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_a_bug_tells_nothing_of_the_machine(served: Serving, caplog: pytest.LogCaptureFixture) -> None:
    """500 without a trace, which the log has; errors of ours come without paths."""
    answer = served.get("/broken")
    assert answer.json()["error"] == "internal_error"
    assert "place.py" not in answer.text
    assert "ZeroDivisionError" in caplog.text
    answer = served.get("/locked")
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "locked",
        "details": "data is locked by another process: run the same command again later",
    }


def test_paths_are_taken_out_of_messages(place: Path) -> None:
    """Those of the workspace are told as seen from there, others by their last part; addresses stay."""
    text = f"{place.resolve()}/data/index is damaged, see /etc/ssl/openssl.cnf, http://a.example/b/c and 1/2"
    found = without_paths(text, load(place))
    assert found == "data/index is damaged, see openssl.cnf, http://a.example/b/c and 1/2"


def test_what_takes_too_long_is_given_up(place: Path) -> None:
    """503 in time, and the server answers on."""
    with serving(place, routers=[*ROUTERS, extra], serve_timeout_s=0.2) as opened:
        answer = opened.get("/slow")
        assert answer.status_code == 503
        assert answer.json()["error"] == "timeout"
        assert opened.get("/health").status_code == 200
        enough.set()


def test_too_many_requests_of_one_address(place: Path) -> None:
    """429 with the seconds to wait, in the body and the header; what watches the server is not limited."""
    with serving(place, serve_requests_per_second=0.01) as opened:
        answers = [opened.get("/nothing") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 429, 429]
        told = answers[-1].json()
        assert told["error"] == "rate_limit_exceeded"
        assert 0 < told["retry_after"] <= 101
        assert answers[-1].headers["retry-after"] == str(told["retry_after"])
        assert opened.get("/health").status_code == 200


def test_raw_nonsense_is_refused(served: Serving) -> None:
    """What is no HTTP, has two hosts or none, gets 400 and nothing breaks."""
    port = urlsplit(served.address).port
    for request in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /health HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            assert b" 400 " in connection.recv(1_000)
    assert served.get("/health").status_code == 200


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)


@settings(max_examples=12, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Asked.model_fields)), VALUES, max_size=5))
def test_no_document_breaks_a_search(served: Serving, document: dict[str, Any]) -> None:
    """Any values under the names of the contract: an answer or 400."""
    body = json.dumps(document).encode()
    answer = served.client.post(SEARCH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400), (document, answer.text)


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["/api/creators/list", "/api/style/creators", SEARCH, "/api/creators/"]),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(["limit", "cursor", "sort", "fields", "niche", "query", "followers"]), st.text()),
)
def test_no_address_breaks_a_route(served: Serving, path: str, end: str, parameters: dict[str, str]) -> None:
    """Any text in path and parameters: an answer or a refusal that is the client's fault."""
    whole = quote(path + (end.replace("/", "") if path.endswith("/") else ""))
    url = f"{whole}?{urlencode(parameters)}"
    assert served.client.get(url).status_code in (200, 400, 404), url


def test_a_damaged_index_is_made_anew(tmp_path: Path, empty_lake: Path) -> None:
    """While another process makes it there is none: 503; then it answers. Paths stay out of both."""
    make_workspace(tmp_path, empty_lake)
    with Searcher(load(tmp_path)) as searcher:
        searcher.fresh_index()
    (current_index(tmp_path / "data" / "index") / "creators.arrow").write_bytes(b"")
    lock = WriterLock(tmp_path / "data" / "index" / "index.lock", "the search index")
    try:
        with serving(tmp_path) as opened:
            answer = opened.get(SEARCH)
            assert answer.status_code == 503
            assert answer.json()["error"] == "no_index"
            assert str(tmp_path) not in answer.text
            assert opened.get("/ready").status_code == 503
            lock.release()
            opened.settle()
            assert opened.get(SEARCH).status_code == 200
    finally:
        lock.release()


def test_a_damaged_lake_is_told(tmp_path: Path, empty_lake: Path) -> None:
    """503 and what to run, without the path; the process lives on and answers when the lake is whole again."""
    make_workspace(tmp_path, empty_lake)
    catalog = tmp_path / "data" / "catalog.sqlite"
    shutil.copyfile(catalog, tmp_path / "kept")
    catalog.write_bytes(b"no database at all" * 500)
    with serving(tmp_path) as opened:
        answer = opened.get("/api/creators/list")
        assert answer.status_code == 503
        assert answer.json()["error"] == "damaged"
        assert "igtool verify" in answer.json()["details"]
        assert str(tmp_path) not in answer.text
        shutil.copyfile(tmp_path / "kept", catalog)
        assert opened.get("/api/creators/list").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.evil.example", ""])
def test_other_machines_are_not_let_in(tmp_path: Path, host: str) -> None:
    """Without API keys nothing but loopback is listened on."""
    shown = CliRunner().invoke(main, ["--workspace", str(tmp_path), "serve", "--host", host])
    assert shown.exit_code == 2
    assert "API keys" in shown.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """With what to type."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        shown = CliRunner().invoke(main, ["--workspace", str(tmp_path), "serve", "--port", port])
    assert shown.exit_code == 2
    assert "--port 0" in shown.stderr


def test_allow_names_every_method(served: Serving) -> None:
    """Of an address, whichever of its routes is met first; one that is no conversation is none."""
    for path, methods in ((SEARCH, "GET, POST"), ("/api/v1/conversations/conv_x", "DELETE, GET"), ("/", "GET")):
        answer = served.client.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    assert served.client.get("/api/v1/conversations/bulk").status_code == 404


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"limit": 5.0}, 200),
        ({"limit": 5.5}, 400),
        ({"limit": "5"}, 400),
        ({"min_followers": 1}, 200),
        ({"min_followers": "1k"}, 200),
        ({"min_followers": True}, 400),
        ({"verified": "yes"}, 400),
        ({"niche": "travel"}, 400),
    ],
)
def test_a_document_has_the_types_that_are_described(served: Serving, document: dict[str, Any], status: int) -> None:
    """Numbers are numbers, one without a fraction is whole, and true is none."""
    assert served.client.post(SEARCH, json=document).status_code == status
