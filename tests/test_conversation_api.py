"""Conversations over HTTP on a real server: bodies to the letter, limits, and files sent to it."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conversation_runs import one_encoder
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from live_runs import JumpingClock

from igtool.cli import main
from igtool.conversations.intake import FULL_S, Room
from igtool.conversations.reception import Reception
from igtool.conversations.sending import Sender
from igtool.conversations.worker import Worker
from igtool.errors import ConfigError, RateLimitedError, UsageError
from igtool.serve.api import conversations
from igtool.settings import load
from igtool.throttle import Throttle

uvicorn = pytest.importorskip("uvicorn")

BAD, WHEN = "Worst customer service ever, on hold for two hours", "2026-01-05T10:30:00Z"
DAY = "start_time=2026-01-05T00:00:00Z&end_time=2026-01-06T00:00:00Z"


@dataclass
class Served:
    """A running server, its reception, and what it is told to answer instead (status, Retry-After), if anything."""

    port: int
    reception: Reception
    workspace: Path
    instead: list[tuple[int, str]]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        found = json.loads(answer.read())
        connection.close()
        return answer.status, found, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture(scope="module", autouse=True)
def _one_encoder() -> Iterator[None]:
    """One engine for the module."""
    with one_encoder():
        yield


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[Served]:
    """The routes alone in an app, on loopback."""
    workspace = tmp_path_factory.mktemp("served")
    shutil.copytree(empty_lake, workspace / "data")
    with Reception(load(workspace)) as reception:
        app, instead = FastAPI(), []
        conversations.install(app, reception)

        @app.middleware("http")
        async def scripted(request: Request, call_next: Any) -> Any:
            if instead:
                status, retry_after = instead.pop(0)
                return JSONResponse({}, status, {"Retry-After": retry_after} if retry_after else {})
            request.state.caller = request.headers.get("x-caller", "")
            return await call_next(request)

        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield Served(server.servers[0].sockets[0].getsockname()[1], reception, workspace, instead)
        server.should_exit = True
        thread.join()


@pytest.fixture(autouse=True)
def _no_limit(served: Served) -> None:
    """Tests do not slow each other down."""
    served.reception.throttle = Throttle(100_000)
    served.instead.clear()


def test_a_conversation_from_beginning_to_end(served: Served) -> None:
    """Accepted, told of, found, counted by hour, deleted, gone."""
    status, accepted, _ = served.ask(
        "POST", "/api/v1/conversations", {"text": BAD, "timestamp": WHEN}, Idempotency_Key="x"
    )
    assert status == 202
    one = accepted["conversation_id"]
    assert accepted == {"status": "accepted", "conversation_id": one, "message": "Conversation accepted for analysis"}
    assert (
        served.ask("POST", "/api/v1/conversations", {"text": BAD, "timestamp": WHEN}, Idempotency_Key="x")[1]
        == accepted
    )
    assert served.ask("GET", f"/api/v1/conversations/{one}")[1]["status"] == "accepted"
    Worker(served.reception.settings, served.reception.shelf).finish_all()
    standing = served.ask("GET", f"/api/v1/conversations/{one}")[1]
    (found,) = served.ask("GET", f"/api/v1/insights?{DAY}&sentiment=negative&limit=1000")[1]["insights"]
    assert found == {"conversation_id": one, "timestamp": WHEN, "text": BAD, "grok_analysis": standing["grok_analysis"]}
    assert served.ask("GET", f"/api/v1/insights/trends?{DAY}")[1]["trends"][0]["count"] == 1
    assert served.ask("DELETE", f"/api/v1/conversations/{one}")[:2] == (
        200,
        {"status": "deleted", "conversation_id": one, "message": "Conversation deleted"},
    )
    for method in ("GET", "DELETE"):
        assert served.ask(method, f"/api/v1/conversations/{one}")[:2] == (
            404,
            {"error": "not_found", "details": f"There is no conversation {one}"},
        )


@pytest.mark.parametrize(
    ("body", "details"),
    [
        (b"{}", "Missing required field: text"),
        (b'{"text": "x", "colour": 1}', "Unknown field: colour"),
        (b"", "The body is not JSON: Input data was truncated"),
        (b"\xff\xfe", "The body is not JSON: JSON is malformed: invalid character (byte 0)"),
        (b'{"text": "\xff"}', None),
        (b'{"text": NaN}', None),
        (b'{"text": "\\u001c \\u0085\\ufeff"}', "Field text must not be empty"),
        (b"[" * 100_000, None),
    ],
)
def test_bodies_that_are_refused(served: Served, body: bytes, details: str | None) -> None:
    """Each is a 400 of the documented shape, never another error."""
    status, found, _ = served.ask("POST", "/api/v1/conversations", body)
    assert (status, found["error"], set(found)) == (400, "invalid_schema", {"error", "details"})
    assert found["details"] == (details or found["details"])
    assert served.ask("POST", "/api/v1/conversations/bulk", b"")[0] == 400


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("insights", "Missing required parameter: start_time"),
        (f"insights?{DAY}&limit=0", "Parameter limit must be a whole number from 1 to 1000"),
        (f"insights?{DAY}&limit=1001", "Parameter limit must be a whole number from 1 to 1000"),
        (f"insights?{DAY}&limit=ten", "Parameter limit must be a whole number from 1 to 1000"),
        (f"insights?{DAY}&limit=1&limit=2", "Parameter limit is there more than once"),
        ("insights/trends?start_time=2026-01-01T00:00:00Z", "Missing required parameter: end_time"),
    ],
)
def test_questions_that_are_refused(served: Served, path: str, details: str) -> None:
    """A 400 that names the parameter, never the framework's own."""
    assert served.ask("GET", f"/api/v1/{path}")[:2] == (400, {"error": "invalid_schema", "details": details})


def test_a_key_for_something_else_and_a_bad_key(served: Served) -> None:
    """409 and 400, with the documented bodies."""
    served.ask("POST", "/api/v1/conversations", {"text": "one"}, Idempotency_Key="y")
    assert served.ask("POST", "/api/v1/conversations", {"text": "two"}, Idempotency_Key="y")[:2] == (
        409,
        {"error": "idempotency_conflict", "details": "Idempotency-Key was used before for another conversation"},
    )
    assert served.ask("POST", "/api/v1/conversations", {"text": "two"}, Idempotency_Key="k" * 256)[:2] == (
        400,
        {"error": "invalid_schema", "details": "Idempotency-Key must be 1 to 255 visible ASCII characters"},
    )


def test_who_comes_too_often_is_told_when_to_come_again(served: Served) -> None:
    """429 with the documented body and header, for that caller alone; nothing of it is stored."""
    served.reception.throttle = Throttle(2, 3.0)
    total = served.reception.counts()["total"]["accepted"]
    answers = [served.ask("POST", "/api/v1/conversations", {"text": "x"}, X_Caller="a") for _ in range(3)]
    assert [status for status, _, _ in answers] == [202, 202, 429]
    assert answers[2][1] == {"error": "rate_limit_exceeded", "retry_after": 3}
    assert answers[2][2]["retry-after"] == "3"
    assert served.ask("GET", "/api/v1/conversations/conv_x", X_Caller="b")[0] == 404
    assert served.reception.counts()["total"]["accepted"] == total + 2


def test_too_many_that_wait_are_not_joined_by_more(served: Served) -> None:
    """503 with the documented body and header, one or many, nothing of it stored; until what waits was analysed."""
    served.reception.throttle = Throttle(100_000)
    Worker(served.reception.settings, served.reception.shelf).finish_all()
    served.reception.room = Room(served.reception.settings.cache, 2)
    before = served.reception.counts()["total"]["accepted"]
    lines = b"\n".join(json.dumps({"text": f"{BAD} {number}"}).encode() for number in range(3))
    answers = [served.ask("POST", "/api/v1/conversations/bulk", lines)]
    answers += [served.ask("POST", "/api/v1/conversations", {"text": BAD}) for _ in range(3)]
    assert [status for status, _, _ in answers] == [503, 202, 202, 503]
    for _, document, headers in (answers[0], answers[3]):
        assert (document["error"], document["retry_after"], headers["retry-after"]) == (
            "queue_full",
            FULL_S,
            f"{FULL_S}",
        )
    assert served.reception.counts()["total"]["accepted"] == before + 2
    Worker(served.reception.settings, served.reception.shelf).finish_all()
    served.reception.room = Room(served.reception.settings.cache, 2)
    assert served.ask("POST", "/api/v1/conversations", {"text": BAD})[0] == 202
    served.reception.room = Room(served.reception.settings.cache, 1_000_000)


def test_every_route_has_examples_that_fit(served: Served) -> None:
    """The page of the interface has an example for each body; those that are given are taken."""
    paths = served.ask("GET", "/openapi.json")[1]["paths"]
    routes = [(path, method, route) for path, of in paths.items() for method, route in of.items()]
    assert len(routes) == 6
    for path, method, route in routes:
        assert {"429"} < set(route["responses"]), path
        for status, answer in route["responses"].items():
            assert answer["content"]["application/json"]["example"], (path, status)
        if method == "post":
            ((_, given),) = route["requestBody"]["content"].items()
            body = given["example"] if isinstance(given["example"], str) else json.dumps(given["example"])
            assert served.ask("POST", path, body.encode())[0] == 202


def test_a_file_goes_to_a_server_once(served: Served, tmp_path: Path) -> None:
    """The command sends each row, and none twice; refused rows are told with their lines."""
    path = tmp_path / "said.csv"
    path.write_text("text,author,timestamp\nHello there,ann,2026-02-01T10:00:00Z\n,bob,\nGood bye,ann,soon\nNice,,\n")
    for accepted, known in ((2, 0), (0, 2)):
        command = ["--workspace", str(tmp_path), "insights", "ingest", str(path), "--url", served.url, "--json"]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 8
        (row,) = json.loads(result.stdout)["rows"]
        assert (row["rows"], row["accepted"], row["known"], row["refused_count"]) == (4, accepted, known, 2)
        assert [one["line"] for one in row["refused"]] == [3, 4]
    assert not (tmp_path / "cache").exists()


def test_a_server_that_asks_to_wait_is_waited_for(served: Served) -> None:
    """As long as it says after 429, longer and longer where it fails; then everything is sent."""
    served.instead.extend([(429, "7"), (503, ""), (429, ""), (500, "")])
    clock = JumpingClock()
    sender = Sender(served.url, served.reception.settings, clock)
    (result,) = sender.send([({"text": "x"}, "waited")])
    sender.close()
    assert result["is_new"]
    assert clock.slept == [7.0, 1.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("instead", "error"),
    [
        ([(401, "")], ConfigError),
        ([(404, "")], UsageError),
        ([(200, "")], UsageError),
        ([(503, "")] * 6, RateLimitedError),
        ([(429, "99999")], RateLimitedError),
    ],
)
def test_a_server_that_does_not_take_them(
    served: Served, instead: list[tuple[int, str]], error: type[Exception]
) -> None:
    """Each way of not answering ends with its exit code; what may pass is tried again before."""
    served.instead.extend(instead)
    sender = Sender(served.url, served.reception.settings, JumpingClock())
    with pytest.raises(error):
        sender.send([({"text": "x"}, "k")])
    sender.close()
