"""A client made from the description alone does all that the API offers; every example fits its own schema."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generated_client import Client, Described, generated
from served_people import PEOPLE, make_workspace
from serving import Serving, serving

pytest.importorskip("jsonschema")
DAY = {"start_time": "2026-01-05T00:00:00Z", "end_time": "2026-01-06T00:00:00Z"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[Serving]:
    """A server over invented creators."""
    place = make_workspace(tmp_path_factory.mktemp("described"), empty_lake)
    with serving(place, serve_sql=True) as opened:
        yield opened


@pytest.fixture
def client(served: Serving) -> Iterator[Any]:
    """A client of it."""
    with generated(served.address)() as made:
        yield made


def test_creators_page_by_page_and_one_by_one(client: Any) -> None:
    """Lists go on by their cursors, nothing is sent again that did not change, one of several is chosen."""
    found, more = [], {}
    while True:
        page = client.list_creators(limit=4, fields=["handle"], **more)
        found += [one["handle"] for one in page.document["creators"]]
        if page.document["next_cursor"] is None:
            break
        more = {"cursor": page.document["next_cursor"]}
    assert sorted(found) == sorted(one["handle"] for one in PEOPLE)
    assert client.list_creators(limit=4, fields=["handle"], **more, if_none_match=page.headers["etag"]).status == 304
    styled = client.style_creators(style=["vlog"], interest=["trains"], match="all").document["creators"]
    assert [one["handle"] for one in styled] == ["bea", "anna"]
    choices = client.creator(username="anna")
    assert choices.status == 300
    chosen = client.creator(username=choices.document["choices"][0]["creator_id"])
    assert chosen.document["canonical_handle"] == "anna"
    assert client.creator(username=PEOPLE[1]["handle"], if_none_match=chosen.headers["etag"]).status == 200
    assert client.creator(username="nobody").status == 404


def test_searches(client: Any) -> None:
    """By address and by document they give the same; near in meaning to a text."""
    asked = {"query": "trains", "niche": ["travel", "fashion"], "limit": 2, "explain": True}
    assert client.search(**asked).document == client.search_by_document(body=asked).document
    assert len(client.search_similar(body={"text": "trains", "limit": 2}).document["results"]) == 2
    assert client.search(query="x", country=["Spian"]).document["error"] == "invalid_request"


def test_a_conversation_from_beginning_to_end(client: Any) -> None:
    """Submitted, told of, found, counted, deleted; many at once."""
    given = {"text": "Worst customer service ever, on hold for two hours", "timestamp": "2026-01-05T12:00:00Z"}
    name = client.accept(body=given, idempotency_key="one").document["conversation_id"]
    assert client.accept(body=given, idempotency_key="one").document["conversation_id"] == name
    lines = client.accept_lines(body='{"text": "On hold again", "timestamp": "2026-01-05T13:00:00Z"}\n{}').document
    assert (lines["accepted"], lines["refused"]) == (1, 1)
    deadline = time.monotonic() + 60
    while client.insights(**DAY).document["metadata"]["total_count"] < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.status(conversation_id=name).document["status"] == "analyzed"
    insights = client.insights(**DAY, limit=10, min_confidence=0.1, sentiment="negative").document["insights"]
    assert name in [one["conversation_id"] for one in insights]
    assert [one["count"] for one in client.trends(**DAY).document["trends"]] == [1, 1]
    assert client.delete(conversation_id=name).document["status"] == "deleted"
    assert client.status(conversation_id=name).status == 404


def test_what_is_kept(client: Any) -> None:
    """Lists, notes, hidden creators and saved searches, from nothing to nothing."""
    assert client.change_list(name="short", body={"add": ["bea", "cleo"]}).document["added"] == 2
    assert client.lists().document["lists"] == [{"name": "short", "creators_count": 2}]
    assert client.list_members(name="short", fields=["handle"], limit=1).document["next_cursor"]
    assert "bea" in client.export_list(name="short", fields=["handle"]).document
    assert client.delete_list(name="short").document == {"status": "done"}
    (note,) = client.add_note(body={"creator": "bea", "note": "answers at night"}).document["notes"]
    assert client.notes(creator="bea").document["notes"] == [note]
    assert client.delete_note(note_id=note["note_id"]).status == 200
    assert client.hide(body={"creator": "bea", "reason": "busy"}).document["hidden"][0]["reason"] == "busy"
    assert client.unhide(username="bea").status == 200
    assert client.hidden().document == {"hidden": []}
    saved = client.save_search(name="trains", body={"query": "trains", "limit": 3}).document
    assert client.searches().document["searches"] == [saved]
    assert len(client.run_search(name="trains").document["results"]) == 3
    assert client.delete_search(name="trains").status == 200


def test_what_waits_for_a_person(client: Any) -> None:
    """Nothing waits here; what is asked for is told to be missing."""
    assert client.reviews().document["waiting"] == []
    assert client.review(review_item="none", body={"answer": "approve"}).status == 404
    assert client.link_reviews().document == {"waiting": []}
    assert client.link_review(pair_id="none", body={"verdict": "apart"}).status == 400
    assert client.picture(sha256="0" * 64).status == 404


def test_the_rest(client: Any) -> None:
    """What watchers ask, and a query; no operation is left that was not used here."""
    assert client.health().document == {"status": "ok"}
    assert client.ready().document["status"] == "ready"
    assert "igtool_creators" in client.metrics().document
    answer = client.query(body={"query": "select handle from accounts order by 1", "limit": 2}).document
    assert answer["rows"] == [["anna"], ["anna"]]
    assert answer["is_truncated"]
    source = "".join(inspect.getsource(one) for name, one in globals().items() if name.startswith("test_"))
    names = [name for name, one in vars(type(client)).items() if callable(one) and not name.startswith("_")]
    assert [name for name in names if f"client.{name}(" not in source] == []


def test_the_client_refuses_what_does_not_fit(client: Client) -> None:
    """Before it is sent: the description says enough to tell."""
    asked: Any = client
    with pytest.raises(ValueError, match="limit"):
        asked.list_creators(limit=1001)
    with pytest.raises(ValueError, match="body"):
        asked.search_similar(body={"creator": "@bea", "text": "trains"})
    with pytest.raises(TypeError, match="conversation_id"):
        asked.status()
    with pytest.raises(TypeError, match="colour"):
        asked.search(colour="red")


def test_every_example_fits_its_own_schema(served: Serving) -> None:
    """Of every answer that has a body, every body that is taken, every parameter and every model."""
    described = Described(served.get("/openapi.json").json())
    wrong, without = [], []
    for name, (_, _, operation) in described.operations().items():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for part in [*operation["responses"].values(), *bodies]:
            for told in part.get("content", {}).values():
                shown = _examples(described, told)
                without += [name] if not shown else []
                wrong += [(name, fault) for one in shown for fault in described.faults(told["schema"], one)]
        for parameter in operation.get("parameters", ()):
            for one in _examples(described, {**parameter, "examples": parameter["schema"].get("examples", [])}):
                wrong += [(name, parameter["name"], fault) for fault in described.faults(parameter["schema"], one)]
    assert wrong == []
    assert without == []


def _examples(described: Described, told: dict[str, Any]) -> list[Any]:
    """The examples of something, or those of the model that it names."""
    if "example" in told:
        return [told["example"]]
    model = told.get("schema", {}).get("$ref", "").rpartition("/")[2]
    own = described.document["components"]["schemas"].get(model, {}).get("examples", [])
    return [*told.get("examples", []), *own]
