"""Every route of the contract, asked by two tenants and by nobody: what belongs to one never shows for the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from serving import Serving, serving
from tenant_world import HIDDEN, MAIL, WORDS, World, headers, make_world

from igtool.journal.tenants import LOCAL
from igtool.serve import lockout
from igtool.serve.app import ROUTERS
from igtool.serve.callers import ANYBODY, ASSETS
from igtool.serve.sessions import COOKIE

LIST = "/api/v1/lists/{name}"
CONVERSATION = "/api/v1/conversations/{conversation_id}"
OTHERS = f"conv_{'acme':0>24}"
PERIOD = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z"}
DAY = {"start_time": "2026-10-01T00:00:00Z", "end_time": "2026-10-02T00:00:00Z"}
JSONL = {"content-type": "application/x-ndjson"}

# What each operation is asked with; {} stands for the word of the tenant `acme`, whom the others are not to see.
ASKED: dict[str, list[dict[str, Any]]] = {
    "GET /health": [{}],
    "GET /ready": [{}],
    "GET /metrics": [{}],
    "GET /api/creators/list": [{}, {"params": {"limit": 2}}],
    "GET /api/style/creators": [{}],
    "GET /api/creators/{username}": [{"path": {"username": name}} for name in ("bea", "anna")],
    "GET /api/v1/search": [
        {"params": {"query": "trains", "explain": True}},
        {"params": {"query": "ACMESECRET"}},
        {"params": {"lists": "list ACMESECRET"}},
        {"params": {"lists": "night LOCALSECRET"}},
        {"params": {"note": "SECRET"}},
    ],
    "POST /api/v1/search": [{"json": {"query": "trains", "lists": ["none"]}}, {"json": {"note": ""}}],
    "POST /api/v1/search/similar": [{"json": {"text": "trains"}}],
    "POST /api/v1/conversations": [{"json": {"text": "hello"}, "headers": {"Idempotency-Key": "of a tenant"}}],
    "POST /api/v1/conversations/bulk": [{"content": b'{"text": "hello", "idempotency_key": "x"}', "headers": JSONL}],
    "GET /api/v1/insights": [{"params": PERIOD}],
    "GET /api/v1/insights/trends": [{"params": DAY}],
    f"GET {CONVERSATION}": [{"path": {"conversation_id": OTHERS}}],
    "GET /api/v1/lists": [{}],
    "GET /api/v1/lists/{name}": [{"path": {"name": "list ACMESECRET"}}, {"path": {"name": "night LOCALSECRET"}}],
    "POST /api/v1/lists/{name}": [{"path": {"name": "both"}, "json": {"add": ["bea"]}}],
    "DELETE /api/v1/lists/{name}": [{"path": {"name": "of nobody"}}],
    "GET /api/v1/lists/{name}/export": [{"path": {"name": "list ACMESECRET"}}],
    "GET /api/v1/notes": [{}, {"params": {"creator": "cleo"}}],
    "POST /api/v1/notes": [{"json": {"creator": "cleo", "note": "mine"}}],
    "DELETE /api/v1/notes/{note_id}": [{"path": {"note_id": "of nobody"}}],
    "GET /api/v1/hidden": [{}],
    "POST /api/v1/hidden": [{"json": {"creator": "eva"}}],
    "DELETE /api/v1/hidden/{username}": [{"path": {"username": "cleo"}}],
    "GET /api/v1/searches": [{}],
    "PUT /api/v1/searches/{name}": [{"path": {"name": "both"}, "json": {"query": "trains"}}],
    "GET /api/v1/searches/{name}/results": [{"path": {"name": "ACMESECRET"}}],
    "DELETE /api/v1/searches/{name}": [{"path": {"name": "of nobody"}}],
    "GET /api/v1/reviews": [{}],
    "POST /api/v1/reviews/{review_item}": [{"path": {"review_item": "x"}, "json": {"answer": "approve"}}],
    "GET /api/v1/links/waiting": [{}],
    "POST /api/v1/links/{pair_id}": [{"path": {"pair_id": "x"}, "json": {"verdict": "apart"}}],
    "GET /api/v1/pictures/{sha256}": [{"path": {"sha256": "0" * 64}}],
    f"DELETE {CONVERSATION}": [{"path": {"conversation_id": "conv_of_nobody"}}],
}
JUDGING = {"POST /api/v1/reviews/{review_item}", "POST /api/v1/links/{pair_id}"}
"""For curators, who neither of the two is."""
PAGES = ("/", "/?query=trains", "/?note=SECRET", "/?lists=nothing", "/creator/c_in_bea", "/creator/anna", "/creator/x")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_lake: Any) -> World:
    """Two tenants and the owner."""
    return make_world(tmp_path_factory.mktemp("tenants"), empty_lake)


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Serving]:
    """It is served, and locks nobody out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lockout, "FAILURES", 100_000)
        with serving(world.folder, serve_requests_per_second=10_000) as opened:
            yield opened


def contract(served: Serving, world: World) -> dict[str, Any]:
    """What OpenAPI says."""
    found: dict[str, Any] = ask(served, "GET /openapi.json", {}, world.acme).json()
    return found


def operations(served: Serving, world: World) -> list[str]:
    """Every operation of the contract."""
    paths = contract(served, world)["paths"]
    return [f"{method.upper()} {path}" for path, found in paths.items() for method in found]


def ask(served: Serving, operation: str, how: dict[str, Any], key: str | None) -> httpx2.Response:
    """The answer to an operation, asked with ``key``."""
    method, _, path = operation.partition(" ")
    sent = {name: value for name, value in how.items() if name not in ("path", "headers")}
    more = {**how.get("headers", {}), **(headers(key) if key is not None else {})}
    return served.client.request(method, path.format(**how.get("path", {})), headers=more, **sent)


def test_every_route_is_in_the_matrix(served: Serving, world: World) -> None:
    """A new route is asked in these tests, or they fail."""
    assert set(operations(served, world)) == set(ASKED)


def test_what_is_not_in_the_contract_is_closed_as_well(served: Serving) -> None:
    """Pages too: without a key or a session nothing but the log-in is answered, also where there is no such address."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    assert len(routes) > len(ASKED)
    asked = [(method, route.path) for route in routes for method in route.methods] + [("GET", "/"), ("GET", "/nothing")]
    for method, path in asked:
        if path in (*ANYBODY, "/metrics") or path.startswith(ASSETS):
            continue
        for accept in ("text/html", "*/*"):
            answer = served.client.request(method, path, headers={"accept": accept})
            is_page = accept == "text/html" and method == "GET" and "/api/" not in path
            assert answer.status_code == (303 if is_page else 401), (method, path)
            assert not is_page or answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("operation", list(ASKED))
def test_nobody_gets_in_without_a_key(served: Serving, world: World, operation: str) -> None:
    """No key, wrong, revoked and expired ones: 401 with a challenge, whatever is asked."""
    path = operation.partition(" ")[2]
    wrong = world.acme[:-1] + ("A" if world.acme[-1] != "A" else "B")
    unknown = f"igt_{'0' * 12}_{'A' * 43}"
    for key in (None, wrong, unknown, world.revoked, world.expired, "x", "x" * 5_000):
        answer = ask(served, operation, ASKED[operation][0], key)
        if path in ANYBODY or (path == "/metrics" and key is None):
            assert answer.status_code == 200
            continue
        assert answer.status_code == 401, (operation, key)
        assert set(answer.json()) == {"error", "details"}
        assert answer.json()["error"] == "unauthorized"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert not any(word in answer.text for word in WORDS.values())


@pytest.mark.parametrize("operation", list(ASKED))
def test_nobody_sees_what_another_one_keeps(served: Serving, world: World, operation: str) -> None:
    """In no answer to a tenant there is a word of another one or of the owner, but where it gave the word itself."""
    for name, key in (("acme", world.acme), ("blue", world.blue)):
        for how in ASKED[operation]:
            answer = ask(served, operation, how, key)
            assert (answer.status_code == 403) == (operation in JUDGING), answer.text
            assert answer.status_code not in (401, 429, 500), answer.text
            for other, word in WORDS.items():
                if other != name and word not in str(how):
                    assert word not in answer.text, (operation, how)
            assert MAIL not in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_pages_show_nothing_of_others(served: Serving, world: World, path: str) -> None:
    """The same for browsers, each in the session of a tenant."""
    for name, key in (("acme", world.acme), ("blue", world.blue)):
        cookie = served.server.callers.sessions.open(name, key.split("_")[1])
        answer = served.client.get(path, headers={"accept": "text/html", "cookie": f"{COOKIE}={cookie}"})
        served.client.cookies.clear()
        assert answer.status_code in (200, 300, 400, 404)
        assert answer.headers["content-type"].startswith("text/html")
        assert not any(word in answer.text for other, word in WORDS.items() if other != name)
        assert MAIL not in answer.text


def test_what_is_kept_counts_for_its_owner_alone(served: Serving, world: World) -> None:
    """Lists, notes, hidden creators, conversations: there for one, 400 or 404 or nothing for the other."""

    def found(key: str, **parameters: Any) -> Any:
        answer = ask(served, "GET /api/v1/search", {"params": parameters}, key)
        return [one["creator_id"] for one in answer.json()["results"]] if answer.status_code == 200 else answer

    two = (("acme", world.acme), ("blue", world.blue))
    for (name, key), (other, owner) in (two, two[::-1]):
        assert found(key, lists=f"list {WORDS[name]}") == ["c_in_bea"]
        refused = found(key, lists=f"list {WORDS[other]}")
        assert refused.status_code == 400
        assert WORDS[LOCAL] not in refused.text
        assert found(key, note=WORDS[name]) == ["c_in_cleo"]
        assert found(key, note=WORDS[other]) == []
        shown = found(key)
        assert HIDDEN[name] not in shown
        assert {HIDDEN[other], HIDDEN[LOCAL]} <= set(shown)
        insights = ask(served, "GET /api/v1/insights", {"params": DAY}, key).json()
        assert [one["text"] for one in insights["insights"]] == [f"{WORDS[name]} on hold"]
        trends = ask(served, "GET /api/v1/insights/trends", {"params": DAY}, key).json()
        assert trends["metadata"]["total_count"] == 1
        one = {"conversation_id": f"conv_{other:0>24}", "name": f"list {WORDS[other]}"}
        for operation in (f"GET {CONVERSATION}", f"DELETE {CONVERSATION}", f"GET {LIST}", f"DELETE {LIST}"):
            assert ask(served, operation, {"path": one}, key).status_code == 404
        one["name"] = WORDS[other]
        for operation in ("GET /api/v1/searches/{name}/results", "DELETE /api/v1/searches/{name}"):
            assert ask(served, operation, {"path": one}, key).status_code == 404
        (note,) = ask(served, "GET /api/v1/notes", {"params": {"creator": "cleo"}}, owner).json()["notes"][-1:]
        assert note["note"] == f"{WORDS[other]} said so"
        assert ask(served, "DELETE /api/v1/notes/{note_id}", {"path": note}, key).status_code == 404


def test_how_data_was_come_by_is_for_curators(served: Serving, world: World) -> None:
    """E-mail addresses, names of the owner's lists and files and typed reasons are left out of what others get."""
    how, operation = {"path": {"username": "bea"}}, "GET /api/creators/{username}"
    seen, whole = (ask(served, operation, how, key).json() for key in (world.acme, world.curator))
    assert whole["accounts"][0]["emails"] == [MAIL]
    assert whole["accounts"][0]["answer_path"] == f"{WORDS[LOCAL]}.json"
    assert whole["country_source"] == f"list:{WORDS[LOCAL]}"
    assert seen["accounts"][0]["country_source"] == seen["country_source"] == "list"
    assert set(whole["accounts"][0]) - set(seen["accounts"][0]) == {"emails", "answer_path"}


def test_the_same_idempotency_key_of_two_tenants_is_two_keys(served: Serving, world: World) -> None:
    """One does not learn that the other used it, and gets another conversation."""
    given = {"headers": {"Idempotency-Key": "one and the same"}}
    operation = "POST /api/v1/conversations"
    answers = [
        ask(served, operation, {**given, "json": {"text": f"{number}"}}, key)
        for number, key in enumerate((world.acme, world.blue))
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    ids = [answer.json()["conversation_id"] for answer in answers]
    assert ids[0] != ids[1]
    for number, key in enumerate((world.blue, world.acme)):
        how = {"path": {"conversation_id": ids[number]}}
        assert ask(served, f"GET {CONVERSATION}", how, key).status_code == 404


def test_an_etag_is_of_one_tenant(served: Serving, world: World) -> None:
    """What one tenant has is not told to be unchanged to another."""
    how, operation = {"path": {"username": "bea"}}, "GET /api/creators/{username}"
    for _ in range(50):  # until no commit comes in between
        tags = [ask(served, operation, how, key).headers["etag"] for key in (world.acme, world.blue)]
        assert tags[0] != tags[1]
        known = {**how, "headers": {"If-None-Match": tags[0]}}
        assert ask(served, operation, known, world.blue).status_code == 200
        if ask(served, operation, known, world.acme).status_code == 304:
            return
    pytest.fail("what did not change is sent again")


def test_the_contract_tells_of_keys(served: Serving, world: World) -> None:
    """Both ways to send one, and 401 and 429 wherever one is needed."""
    document = contract(served, world)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    for path, found in document["paths"].items():
        for method, operation in found.items():
            assert ("401" in operation["responses"]) == bool(operation["security"]) == (path not in ANYBODY)
            assert method == "get" or "403" in operation["responses"]
