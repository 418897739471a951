"""The server: sockets, threads, records of what was asked, and a door for whoever runs it as a process."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import instagram, youtube
from .catalogue import BEHAVIOURS
from .exchange import Ended, Exchange, Origins
from .population import Person, Population
from .real import answers_of, behaviours_of
from .requests import PLATFORMS, Ask, Reply, understand
from .scripts import Limiter, Script, Scripts

KEYS: dict[str, tuple[str, ...]] = {
    "graph": ("graph-token-invented",),
    "tikhub": ("tikhub-token-invented",),
    "youtube": ("youtube-key-invented-1", "youtube-key-invented-2"),
}
"""Which keys open which platform; nothing but these."""

_CONNECTIONS = 64
_LONGEST_HEAD = 65_536
_KEPT_RECORDS = 200_000
_IDLE_S = 120


@dataclass(frozen=True)
class Record:
    """One request as it came in. ``at``: monotonic seconds, the same in all processes of this machine."""

    at: float
    wall: float
    platform: str
    endpoint: str
    handles: tuple[str, ...]
    subjects: tuple[str, ...]
    cursor: str | None
    key: str
    secrets: tuple[str, ...]
    behaviour: str
    is_elsewhere: bool
    headers: Mapping[str, str] = field(repr=False)

    @property
    def handle(self) -> str:
        """The first handle that it was about, empty where only an id is known."""
        return self.handles[0] if self.handles else ""

    @property
    def question(self) -> tuple[Any, ...]:
        """What was asked, without when and by which key: two equal ones are a duplicate."""
        return self.platform, self.endpoint, self.subjects, self.cursor


@dataclass(frozen=True)
class Options:
    """How a server behaves as a whole.

    ``limit``: requests and seconds per key (429 above). ``scale``: seconds of the client's clock in a real one.
    ``quota``: units per YouTube key, then 403. ``log``: a file to which each record is appended as a line of JSON.
    ``realdata``: folder of saved payloads that are served too.
    """

    limit: tuple[int, float] | None = None
    scale: float = 1.0
    quota: int | None = None
    log: Path | None = None
    realdata: Path | None = None
    port: int = 0


class PlatformServer:
    """Plays Instagram's web and Graph API, TikHub and YouTube under ``url(platform)`` until it is closed.

    ``requests`` has a Record of each request. Leaving the ``with`` block raises what went wrong inside the server.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.population = Population()
        self.errors: list[BaseException] = []
        self.records: deque[Record] = deque(maxlen=_KEPT_RECORDS)
        self.counts: Counter[str] = Counter()
        self.units: Counter[str] = Counter()
        real = self.options.realdata
        self.behaviours = BEHAVIOURS | (behaviours_of(real) if real else {})
        self._saved = answers_of(real) if real else {}
        self._scripts = Scripts(self.behaviours)
        self.limiter = Limiter(*self.options.limit, self.options.scale) if self.options.limit else None
        self._log = os.open(self.options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if self.options.log else None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._places = threading.Semaphore(_CONNECTIONS)
        self._connections: set[socket.socket] = set()
        self._acceptors: list[threading.Thread] = []
        self._threads: list[threading.Thread] = []
        self._listeners = [socket.create_server(("127.0.0.1", port), backlog=256) for port in (self.options.port, 0)]
        self.origins = Origins(*(f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._listeners))
        for listener, is_elsewhere in zip(self._listeners, (False, True), strict=True):
            thread = threading.Thread(target=self._accept, args=(listener, is_elsewhere), daemon=True)
            thread.start()
            self._acceptors.append(thread)

    def __enter__(self) -> PlatformServer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()
        if self.errors and error is None:
            raise RuntimeError("the platform server failed") from self.errors[0]

    @property
    def requests(self) -> list[Record]:
        """All requests so far, in the order in which they came in."""
        with self._lock:
            return list(self.records)

    def url(self, platform: str) -> str:
        """The base address of ``platform``: web, graph, tikhub or youtube."""
        if platform not in PLATFORMS:
            raise ValueError(f"no platform is called {platform!r}")
        return f"{self.origins.home}/{platform}"

    def person(self, handle: str) -> Person:
        """Who is called ``handle``: ids, counts, posts."""
        return self.population.by_handle(handle)

    def settings(self) -> dict[str, Any]:
        """The settings of igtool under which it asks this server."""
        return {
            "instagram_web_url": self.url("web"),
            "instagram_graph_url": self.url("graph"),
            "tikhub_base_url": self.url("tikhub"),
            "youtube_url": self.url("youtube"),
            "instagram_graph_token": KEYS["graph"][0],
            "instagram_graph_user_id": "17841400000000001",
            "tikhub_api_token": KEYS["tikhub"][0],
            "youtube_api_keys": ",".join(KEYS["youtube"]),
            "allow_loopback": True,
            "timeout_s": 1.0,
            "max_answer_mb": 8,
        }

    def script(
        self,
        behaviours: Sequence[str],
        *,
        handle: str | None = None,
        platform: str | None = None,
        endpoint: str | None = None,
        skip: int = 0,
        forever: bool = False,
    ) -> None:
        """Play ``behaviours`` in order for requests that match; see Script. Raises ValueError for unknown names."""
        user_id = self.person(handle).user_id if handle is not None else ""
        script = Script(tuple(behaviours), platform, endpoint, handle, None, skip, forever, _user_id=user_id)
        self._scripts.add(script)

    def reset(self) -> None:
        """Forget scripts, records, counts and used quota."""
        self._scripts.clear()
        with self._lock:
            self.records.clear()
            self.counts.clear()
            self.units.clear()
        if self.limiter:
            self.limiter.violations = 0

    def summary(self) -> dict[str, Any]:
        """Counts of requests by platform, endpoint and behaviour; violations of the limit; units by key."""
        with self._lock:
            counts, units, connections = dict(self.counts), dict(self.units), len(self._connections)
        violations = self.limiter.violations if self.limiter else 0
        return {"counts": counts, "units": units, "connections": connections, "violations": violations}

    def close(self) -> None:
        """End everything: listeners, connections, threads, the log."""
        self._stopping.set()
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            open_ones = list(self._connections)
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._places.release(_CONNECTIONS)
        for group in (self._acceptors, self._threads):  # nothing joins the second once the first has ended
            for thread in group:
                thread.join(10)
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def _accept(self, listener: socket.socket, is_elsewhere: bool) -> None:
        while True:
            self._places.acquire()
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._converse, args=(connection, is_elsewhere), daemon=True)
            with self._lock:
                self._connections.add(connection)
                self._threads = [one for one in self._threads if one.is_alive() or one.ident is None] + [thread]
            thread.start()

    def _converse(self, connection: socket.socket, is_elsewhere: bool) -> None:
        """All requests of one connection."""
        rest = b""
        try:
            connection.settimeout(_IDLE_S)
            while not self._stopping.is_set():
                start, rest = _head(connection, rest)
                line, headers = _parsed(start)
                body, rest = _body(connection, rest, int(headers.get("content-length", "0")))
                exchange = self._exchange(connection, line, headers, body, is_elsewhere)
                if not exchange.keep or headers.get("connection", "").lower() == "close":
                    return
        except (Ended, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it; __exit__ raises it
            self.errors.append(error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            self._places.release()

    def _exchange(
        self, connection: socket.socket, line: str, headers: Mapping[str, str], body: bytes, is_elsewhere: bool
    ) -> Exchange:
        """Answer one request."""
        at, wall = time.monotonic(), time.time()
        method, target, *_ = [*line.split(" "), "", ""]
        ask = understand(target, headers, self.population, is_elsewhere=is_elsewhere)
        if target.startswith("/_control/"):
            exchange = Exchange(ask, connection, lambda _: self._controlled(method, target, body))
            exchange.answer(exchange.plain(ask))
            return exchange
        name, turn = ("ok", 0) if is_elsewhere else self._scripts.next(ask)
        exchange = Exchange(ask, connection, self._plain, turn)
        exchange.origins, exchange.stopping = self.origins, self._stopping
        refusal = self._refusal(ask, at) if method == "GET" else Reply(405, {})
        self._note(ask, "refused" if refusal else name, at, wall)
        if refusal:
            exchange.answer(refusal)
        else:
            self.behaviours[name].play(exchange)
        return exchange

    def _refusal(self, ask: Ask, at: float) -> Reply | None:
        """An answer in place of the script's, where the key is wrong, the limit is exceeded or the quota is used."""
        if ask.is_elsewhere or ask.platform not in PLATFORMS:
            return None
        if ask.key not in KEYS.get(ask.platform, (ask.key,)):
            return _WRONG_KEY[ask.platform](ask)
        wait = self.limiter.refuse(ask, at) if self.limiter else None
        if wait is not None:
            words = {"message": "Please wait a few minutes before you try again.", "status": "fail"}
            return Reply(429, words, headers={"retry-after": str(math.ceil(wait))})
        if ask.platform == "youtube":
            with self._lock:
                self.units[ask.key] += youtube.UNITS.get(ask.endpoint, 0)
                is_over = self.options.quota is not None and self.units[ask.key] > self.options.quota
            if is_over:
                return Reply(403, youtube.google_error(403, "quotaExceeded", "Quota exceeded.", "youtube.quota"))
        return None

    def _plain(self, ask: Ask) -> Reply:
        """The decent answer."""
        for subject in ask.subjects if self._saved else ():
            saved = self._saved.get((ask.platform, ask.endpoint, subject.lstrip("@")))
            if saved is not None:
                return Reply(200, json.loads(saved), saved)
        if ask.platform == "youtube":
            return youtube.youtube(ask, self.population)
        players: dict[str, Callable[[Ask], Reply]] = {
            "web": instagram.web,
            "graph": instagram.graph,
            "tikhub": instagram.tikhub,
        }
        return players[ask.platform](ask) if ask.platform in players else instagram.page_of(404)

    def _note(self, ask: Ask, behaviour: str, at: float, wall: float) -> None:
        record = Record(
            at,
            wall,
            ask.platform,
            ask.endpoint,
            ask.handles,
            ask.subjects,
            ask.cursor,
            ask.key,
            ask.secrets,
            behaviour,
            ask.is_elsewhere,
            ask.headers,
        )
        with self._lock:
            self.records.append(record)
            self.counts[f"{ask.platform}/{ask.endpoint}/{behaviour}"] += 1
            if self._log is not None:
                os.write(self._log, json.dumps(asdict(record), separators=(",", ":")).encode() + b"\n")

    def _controlled(self, method: str, target: str, body: bytes) -> Reply:
        """``GET /_control/counts``, ``POST /_control/scripts`` (arguments of ``script``), ``POST /_control/reset``."""
        if target == "/_control/counts":
            return Reply(200, self.summary())
        if (method, target) == ("POST", "/_control/reset"):
            self.reset()
            return Reply(200, {})
        if (method, target) == ("POST", "/_control/scripts"):
            try:
                self.script(**json.loads(body))
            except (TypeError, ValueError) as error:
                return Reply(400, {"error": str(error)})
            return Reply(200, {})
        return Reply(404, {})


_WRONG_KEY: dict[str, Callable[[Ask], Reply]] = {
    "graph": lambda ask: Reply(401, instagram.graph_error(190, "Invalid OAuth access token.")),
    "tikhub": lambda ask: Reply(401, {"detail": {"code": 401, "message": "Invalid API token", "router": ask.path}}),
    "youtube": lambda ask: Reply(400, youtube.google_error(400, "keyInvalid", "API key not valid.")),
}


def _head(connection: socket.socket, rest: bytes) -> tuple[bytes, bytes]:
    """The head of the next request and what came after it. Raises Ended at the end, or when it is too long."""
    while b"\r\n\r\n" not in rest:
        if len(rest) > _LONGEST_HEAD:
            connection.sendall(b"HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            raise Ended
        more = connection.recv(65_536)
        if not more:
            raise Ended
        rest += more
    start, _, rest = rest.partition(b"\r\n\r\n")
    return start, rest


def _body(connection: socket.socket, rest: bytes, length: int) -> tuple[bytes, bytes]:
    while len(rest) < length:
        more = connection.recv(65_536)
        if not more:
            raise Ended
        rest += more
    return rest[:length], rest[length:]


def _parsed(start: bytes) -> tuple[str, dict[str, str]]:
    """The request line, and the headers with their names in lower case."""
    line, *fields = start.decode("latin-1").split("\r\n")
    pairs = (one.partition(":") for one in fields)
    return line, {name.strip().lower(): value.strip() for name, _, value in pairs}
