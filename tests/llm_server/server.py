"""The server: a loop on a thread of its own, scripts, and a record of every request."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import embeddings, pictures
from .asks import Ask, understand
from .batches import Batches
from .behaviours import Made, play
from .connection import Connection
from .instances import instance
from .lacks import KNOWN, refusal
from .refusals import GEMINI, OPENAI
from .replies import Reply, of, tokens
from .scripts import Script, Scripts

KEY = "invented-key-0123456789"
_KEPT_RECORDS = 200_000
_CACHE_STEP = 128


@dataclass(frozen=True)
class Record:
    """One request for one answer, or one line of a batch, as it came in.

    ``at``: monotonic seconds, the same in all processes of this machine. ``prompt``: tells prompts apart whatever
    their instruction. ``data``: the body. ``is_paid``: a model worked for it. ``pictures``: SHA-256 of those shown.
    """

    at: float
    endpoint: str
    dialect: str
    model: str
    prompt: str
    behaviour: str
    status: int
    is_paid: bool
    key: str
    data: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """How a server behaves as a whole.

    ``latency_s``: until an answer of a model is sent. ``key``: the only one that opens it; None takes any. ``lacks``:
    what it does not understand (`lacks.KNOWN`). ``log``: a file to which each record is appended as a line of JSON
    without its body. ``hang_s``: after so many seconds a request that is never answered loses its connection.
    ``is_packed``: answers come in gzip.
    """

    latency_s: float = 0.0
    key: str | None = None
    lacks: Collection[str] = ()
    log: Path | None = None
    hang_s: float = 60.0
    is_packed: bool = False
    port: int = 0


class LlmServer:
    """Plays OpenAI under ``url`` and the Gemini API under ``gemini_url`` until it is closed.

    Answers are instances of the schema that was sent, the same for the same prompt. ``requests`` has a Record of each
    request; ``paid`` counts the answers that cost something by prompt, vectors by
    text; ``delivered`` those that were sent whole.
    ``latency_s`` may be changed at any time. Leaving the ``with`` block raises what went wrong inside the server.
    """

    def __init__(self, options: Options | None = None, **more: Any) -> None:
        self.options = options or Options(**more)
        unknown = set(self.options.lacks) - KNOWN
        if unknown:
            raise ValueError(f"nothing is known that is called {sorted(unknown)}")
        self.latency_s = self.options.latency_s
        self.lacks: Collection[str] = self.options.lacks
        self.answer: Callable[[Ask], Any] | None = None
        self.errors: list[BaseException] = []
        self.records: deque[Record] = deque(maxlen=_KEPT_RECORDS)
        self.paid: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.most_at_once = 0
        self.batches = Batches(self._line)
        self._at_once = 0
        self._instructions: set[str] = set()
        self._scripts = Scripts()
        self._log = os.open(self.options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if self.options.log else None
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="llm server", daemon=True)
        self._thread.start()
        self._ready.wait()

    def __enter__(self) -> LlmServer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if self.errors and error is None:
            raise RuntimeError("the server of language models failed") from self.errors[0]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The base URL for what speaks like OpenAI."""
        return f"{self.origin}/v1"

    @property
    def gemini_url(self) -> str:
        """The base URL for the Gemini API."""
        return self.origin

    @property
    def requests(self) -> list[Record]:
        """All requests for answers so far, lines of batches included, in the order in which they came in."""
        return list(self.records)

    @property
    def connection_count(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    def script(self, behaviours: Sequence[str], **how: Any) -> None:
        """Play ``behaviours`` in order for requests that match; see Script. Raises ValueError for unknown names."""
        self._scripts.add(Script(tuple(behaviours), **how))

    def reset(self) -> None:
        """Forget scripts, records and counts."""
        self._scripts.clear()
        self.records.clear()
        self.paid.clear()
        self.delivered.clear()

    def summary(self) -> dict[str, Any]:
        """Counts: requests by endpoint and behaviour, prompts, answers paid, prompts that were paid more than once."""
        counts = Counter(f"{one.endpoint}/{one.behaviour}" for one in self.requests)
        twice = sum(count > 1 for count in self.paid.values())
        return {
            "counts": dict(counts),
            "prompts": len(self.paid),
            "paid": sum(self.paid.values()),
            "paid_twice": twice,
            "most_at_once": self.most_at_once,
        }

    def close(self) -> None:
        """End everything: connections, the loop, its thread, the log."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(10)
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = self._loop.create_server(
            lambda: Connection(self._respond, self._connections, self.options.hang_s),
            "127.0.0.1",
            self.options.port,
            backlog=512,
        )
        listener = self._loop.run_until_complete(start)
        self._port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            listener.close()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _stop(self) -> None:
        for connection in list(self._connections):
            connection.drop()
        self._loop.call_soon(self._loop.stop)

    def _respond(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, float, Callable[[], None]]:
        """The reply to a request, when it is sent, and what is done then."""
        try:
            ask = understand(method, target, headers, body)
            if ask.endpoint == "control":
                return self._controlled(ask), 0.0, _nothing
            if self.options.key not in (None, ask.key) and "upload_id" not in ask.query:
                return (GEMINI if ask.dialect == "gemini" else OPENAI)["wrong_key"](ask), 0.0, _nothing
            if ask.is_single:
                reply, wait_s, sent = self._answered(ask)
                return reply.packed() if self.options.is_packed else reply, wait_s, sent
            if ask.endpoint == "models":
                return of({"object": "list", "data": [{"id": "invented", "object": "model"}]}), 0.0, _nothing
            return self._managed(ask), 0.0, _nothing
        except Exception as error:  # noqa: BLE001 - the loop has nobody above it; __exit__ raises it
            self.errors.append(error)
            return Reply(500), 0.0, _nothing

    def _answered(self, ask: Ask) -> tuple[Reply, float, Callable[[], None]]:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        reply = self._line(ask)
        self._loop.call_later(self.latency_s, self._one_less)

        def sent() -> None:
            if reply.is_paid:
                self.delivered[ask.prompt] += 1

        return reply, self.latency_s, sent

    def _one_less(self) -> None:
        self._at_once -= 1

    def _managed(self, ask: Ask) -> Reply:
        """The reply to a request about files and batches, scripted or decent."""
        name = self._scripts.next(ask)
        if name == "ok":
            return self.batches.reply(ask)
        reply = play(name, Made(ask, {}))
        self._note(ask, name, reply)
        return reply

    def _line(self, ask: Ask) -> Reply:
        """The reply to one prompt, recorded."""
        lacking = refusal(ask, self.lacks)
        name = "lacking" if lacking else self._scripts.next(ask)
        if ask.endpoint == "embed" and name in embeddings.PLAYS:
            reply = embeddings.PLAYS[name](ask)
        else:
            reply = lacking or play(name, Made(ask, self._value(ask), self._cached(ask)))
        self._note(ask, name, reply)
        return reply

    def _value(self, ask: Ask) -> Any:
        if self.answer is not None:
            return self.answer(ask)
        if ask.pictures and pictures.are_asked(ask.schema):
            return pictures.seen(ask.schema or {}, ask.pictures[0])
        return instance(ask.schema, ask.prompt, ask.text) if ask.schema else {"answer": ask.prompt}

    def _cached(self, ask: Ask) -> int:
        """Tokens of the instruction that an earlier request had as well, in whole blocks."""
        if ask.system in self._instructions:
            return tokens(ask.system) // _CACHE_STEP * _CACHE_STEP
        self._instructions.add(ask.system)
        return 0

    def _note(self, ask: Ask, behaviour: str, reply: Reply) -> None:
        record = Record(
            time.monotonic(),
            ask.endpoint,
            ask.dialect,
            ask.model,
            ask.prompt,
            behaviour,
            reply.status,
            reply.is_paid,
            ask.key,
            ask.data,
            ask.headers,
            tuple(hashlib.sha256(one).hexdigest() for one in ask.pictures),
        )
        self.records.append(record)
        if reply.is_paid:
            self.paid.update(ask.data["input"] if ask.endpoint == "embed" else [ask.prompt])
        if self._log is not None:
            told = {name: value for name, value in asdict(record).items() if name not in ("data", "headers", "key")}
            os.write(self._log, json.dumps(told, separators=(",", ":")).encode() + b"\n")

    def _controlled(self, ask: Ask) -> Reply:
        """``GET counts``, ``POST scripts`` (arguments of ``script``), ``POST reset``, ``POST set`` under /_control."""
        if ask.path.endswith("/counts"):
            return of(self.summary())
        if ask.method == "POST" and ask.path.endswith("/reset"):
            self.reset()
            return of({})
        try:
            if ask.method == "POST" and ask.path.endswith("/scripts"):
                self.script(**ask.data)
                return of({})
            if ask.method == "POST" and ask.path.endswith("/set"):
                self.latency_s = float(ask.data.get("latency_s", self.latency_s))
                self.lacks = ask.data.get("lacks", self.lacks)
                return of({})
        except (TypeError, ValueError) as error:
            return of({"error": str(error)}, 400)
        return of({}, 404)


def _nothing() -> None:
    """Nobody waits for it."""
