"""The scripted server of language models does what it says; nothing of igtool's own client is used to look at it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from llm_server import KEY, LlmServer, instance, prompt_id
from llm_server.behaviours import PLAYS
from llm_server.prompts import SCHEMA
from llm_server.refusals import GEMINI, OPENAI
from pydantic import BaseModel, Field


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A server without scripts."""
    with LlmServer() as opened:
        yield opened


class Evidence(BaseModel):
    """A claim with what it rests on."""

    claim: str = Field(min_length=3, max_length=40)
    ids: list[str] = Field(min_length=1, max_length=3)
    score: float = Field(ge=0, le=1)


class Everything(BaseModel):
    """All that a schema of pydantic can say."""

    kind: Literal["a", "b"]
    only: Literal["one"]
    count: int = Field(ge=3, le=5)
    step: int = Field(gt=0, lt=100, multiple_of=7)
    share: float = Field(gt=0, lt=1)
    yes: bool
    perhaps: str | None
    word: str = Field(pattern=r"^[a-z]{2}$")
    best: Evidence
    all: list[Evidence] = Field(max_length=2)
    either: int | Evidence
    optional: list[Literal["x", "y", "z"]] = Field(default_factory=list, max_length=3)
    deep: dict[str, int] = Field(default_factory=dict)


@pytest.mark.parametrize("seed", range(40))
def test_an_instance_fits_its_schema(seed: int) -> None:
    """Of models with enums, bounds, definitions, unions and nothing."""
    schema = Everything.model_json_schema()
    made = instance(schema, f"seed {seed}", "words of a prompt to quote from")
    Everything.model_validate(made)
    assert made == instance(schema, f"seed {seed}", "words of a prompt to quote from")


def test_texts_are_quoted_from_the_prompt() -> None:
    """So that a claim can be found in what was sent; different prompts get different answers."""
    text = "I bake sourdough bread in Lisbon every single morning"
    made = [instance(SCHEMA, str(number), text) for number in range(30)]
    assert all(one["persona"] in text for one in made)
    assert len({json.dumps(one) for one in made}) > 10


def body_of(text: str, dialect: str = "openai") -> dict[str, Any]:
    """A request for one answer about ``text``."""
    if dialect == "gemini":
        config = {"responseJsonSchema": SCHEMA}
        return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    return {"model": "m", "messages": [{"role": "user", "content": text}], "response_format": wanted}


def ask(server: LlmServer, text: str, dialect: str = "openai", timeout_s: float = 5) -> tuple[int, bytes]:
    """Status and body of one request on a connection of its own."""
    path = "/v1beta/models/m:generateContent" if dialect == "gemini" else "/v1/chat/completions"
    return send(server.origin, "POST", path, body_of(text, dialect), timeout_s)


def send(origin: str, method: str, path: str, data: Any = None, timeout_s: float = 5) -> tuple[int, bytes]:
    """Status and body of any request."""
    host = urlsplit(origin)
    with closing(http.client.HTTPConnection(host.hostname or "", host.port, timeout=timeout_s)) as connection:
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        connection.request(method, path, json.dumps(data) if data is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
def test_decent_answers_fit_and_are_counted(server: LlmServer, dialect: str) -> None:
    """By prompt, whatever was asked before it."""
    for text in ("one", "two", "one"):
        status, body = ask(server, text, dialect)
        said = json.loads(body)
        content = (
            said["candidates"][0]["content"]["parts"][0]["text"]
            if dialect == "gemini"
            else said["choices"][0]["message"]["content"]
        )
        assert (status, json.loads(content)["niche"] in ("food", "travel", "games")) == (200, True)
    assert server.paid == {prompt_id("one"): 2, prompt_id("two"): 1} == server.delivered
    assert server.summary()["paid_twice"] == 1


@pytest.mark.parametrize(
    ("dialect", "behaviour"),
    [("openai", name) for name in [*PLAYS, *OPENAI] if name != "drip"]
    + [("gemini", name) for name in [*PLAYS, *GEMINI] if name != "drip"],
)
def test_every_behaviour_has_an_end(dialect: str, behaviour: str) -> None:
    """An answer, a broken connection, or silence until the client goes; the server is well afterwards."""
    with LlmServer() as server:
        server.script([behaviour])
        try:
            status, _ = ask(server, "text", dialect, timeout_s=0.2 if behaviour == "hang" else 5)
            assert 200 <= status < 600
        except (OSError, http.client.HTTPException):
            assert behaviour in ("hang", "reset", "half_body")
        assert server.requests[0].behaviour == behaviour
        assert ask(server, "text", dialect)[0] == 200


def test_a_dripping_answer_comes_byte_by_byte(server: LlmServer) -> None:
    """It takes seconds, and breaks off without harm when the client goes."""
    server.script(["drip"])
    host = urlsplit(server.origin)
    body = json.dumps(body_of("text")).encode()
    with socket.create_connection((host.hostname, host.port), timeout=5) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert [connection.recv(100) for _ in range(4)] == [b"H", b"T", b"T", b"P"]
    assert ask(server, "text")[0] == 200


def test_scripts_are_played_in_order_for_whom_they_are_for(server: LlmServer) -> None:
    """By text, by prompt, after some, for ever, for a share of the prompts."""
    server.script(["server_error", "quota"], containing="first")
    server.script(["overloaded"], containing="second", per_prompt=True)
    server.script(["balance"], containing="third", skip=1, forever=True)

    def statuses(*texts: str) -> list[int]:
        return [ask(server, text)[0] for text in texts]

    assert statuses("first", "first", "first") == [500, 429, 200]
    assert statuses("second a", "second b", "second a", "second b") == [503, 503, 200, 200]
    assert statuses("third", "third", "third") == [200, 402, 402]
    server.reset()
    server.script(["conflict"], one_in=4, forever=True)
    refused = [text for text in map(str, range(80)) if ask(server, text)[0] == 409]
    assert 5 <= len(refused) <= 40
    assert [ask(server, text)[0] for text in refused] == [409] * len(refused)
    with pytest.raises(ValueError, match="no behaviour is called 'nonsense'"):
        server.script(["nonsense"])
    with pytest.raises(ValueError, match="nothing is known that is called"):
        LlmServer(lacks=("nonsense",))


def test_answers_can_be_given(server: LlmServer) -> None:
    """By a test that needs to know them."""
    server.answer = lambda asked: {"echo": asked.text}
    said = json.loads(ask(server, "hello")[1])
    assert json.loads(said["choices"][0]["message"]["content"]) == {"echo": "hello"}


def test_many_at_once_wait_side_by_side(server: LlmServer) -> None:
    """64 calls of 50 ms take little longer than one."""
    server.latency_s = 0.05
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda number: ask(server, str(number)), range(64)))
        began = time.monotonic()
        list(pool.map(lambda number: ask(server, str(number)), range(256)))
        assert time.monotonic() - began < 5
    assert 32 <= server.most_at_once <= 64


def test_a_wrong_key_opens_nothing() -> None:
    """In the words of each provider."""
    with LlmServer(key="another") as server:
        assert ask(server, "x")[0] == 401
        assert ask(server, "x", "gemini")[0] == 400
        assert server.requests == []


def test_the_server_runs_as_a_process_and_remembers(tmp_path: Path) -> None:
    """It tells its address, is scripted from outside, keeps a log, and ends with its standard input."""
    log = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "tests.llm_server", "--latency", "0.01", "--log", str(log)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        origin = process.stdout.readline().strip()
        script = {"behaviours": ["quota"], "containing": "poor"}
        assert send(origin, "POST", "/_control/scripts", script)[0] == 200
        assert send(origin, "POST", "/_control/scripts", {"behaviours": ["x"]})[0] == 400
        assert send(origin, "POST", "/v1/chat/completions", body_of("poor"))[0] == 429
        assert send(origin, "POST", "/v1/chat/completions", body_of("rich"))[0] == 200
        assert send(origin, "POST", "/_control/set", {"lacks": ["json_schema"]})[0] == 200
        assert send(origin, "POST", "/v1/chat/completions", body_of("rich"))[0] == 400
        counts = json.loads(send(origin, "GET", "/_control/counts")[1])
        process.stdin.close()
        assert process.wait(10) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["behaviour"] for line in lines] == ["quota", "ok", "lacking"]
    assert [line["is_paid"] for line in lines] == [False, True, False]
    assert (counts["paid"], counts["paid_twice"]) == (1, 0)
    assert "rich" not in log.read_text()
