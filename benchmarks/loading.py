"""Requests to a server on loopback from a process of its own, and what they took: cheap, as it shares the machine.

Each connection is kept and has a thread, which sends bytes made beforehand and reads the answer up to the end that its
``Content-Length`` tells. At a pace (``per_second``) every request has a time at which it is due, and what is measured
begins there, also where all connections are busy then. Without a pace each connection asks as soon as it is answered.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MOST = 1 << 20
ACCEPTED = 202


@dataclass(frozen=True)
class Load:
    """What to ask for: ``requests`` one after the other, from the first again at their end unless ``once``.

    A request is a path, or (path, JSON body, headers) to be posted.
    """

    address: str
    requests: Sequence[Any]
    clients: int
    seconds: float
    per_second: float | None = None
    once: bool = False
    log: str | None = None
    """File to which the ids of accepted conversations are added as they are, a line each."""
    sources: Sequence[str] = ()
    """Addresses of this machine from which connections are made in turn: a server that counts by address takes each for
    another client."""


class Gone(Exception):  # noqa: N818 - the server went away
    """The connection ended before the answer did."""


class Connection:
    """One kept connection, which is made anew where the server closed it."""

    def __init__(self, address: str, source: str | None = None) -> None:
        self._place = urlsplit(address)
        self._source = (source, 0) if source else None
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises Gone."""
        try:
            if self._socket is None:
                place = (self._place.hostname or "", self._place.port or 80)
                self._socket = socket.create_connection(place, timeout=60, source_address=self._source)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(request)
            return self._answer(self._socket)
        except OSError as error:
            self.close()
            raise Gone(str(error)) from error

    def answer(self, request: bytes) -> tuple[int, bytes]:
        """The same; the status is 0 where none came."""
        try:
            return self.ask(request)
        except Gone:
            return 0, b""

    def _answer(self, asked: socket.socket) -> tuple[int, bytes]:
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += _received(asked)
        found = _LENGTH.search(got, 0, end + 2)
        missing = (int(found[1]) if found else 0) - (len(got) - end - 4)
        parts = [got[end + 4 :]]
        while missing > 0:
            parts.append(_received(asked))
            missing -= len(parts[-1])
        return int(got[9:12]), b"".join(parts)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _received(asked: socket.socket) -> bytes:
    some = asked.recv(_MOST)
    if not some:
        raise ConnectionResetError("the server closed the connection")
    return some


def request_bytes(host: str, request: Any) -> bytes:
    """A request as it goes over the wire."""
    if isinstance(request, str):
        return f"GET {request} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    path, document, headers = request
    body = json.dumps(document).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


Seen = dict[int, list[float]]
"""Seconds of every answer by status (0: none came)."""


def load(given: Load) -> dict[str, Any]:
    """Ask, and what came of it; in this process."""
    host = urlsplit(given.address).netloc
    made = [request_bytes(host, one) for one in given.requests]
    seen: list[Seen] = [defaultdict(list) for _ in range(given.clients)]
    turns, lock = _turns(given), threading.Lock()
    log = os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if given.log is not None else None
    before = os.times()
    began = time.perf_counter()

    def client(number: int) -> None:
        connection = Connection(given.address, given.sources[number % len(given.sources)] if given.sources else None)
        while True:
            with lock:
                turn = next(turns, None)
            if turn is None or (turn[1] is None and time.perf_counter() - began >= given.seconds):
                break
            due = time.perf_counter() if turn[1] is None else began + turn[1]
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            status, body = connection.answer(made[turn[0]])
            seen[number][status].append(time.perf_counter() - due)
            if log is not None and status == ACCEPTED:
                os.write(log, f"{json.loads(body)['conversation_id']}\n".encode())
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(given.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken, after = time.perf_counter() - began, os.times()
    cpu = after.user + after.system - before.user - before.system
    return _told(seen, taken) | {"loader_cpu_share": round(cpu / taken, 3)}


def _turns(given: Load) -> Iterator[tuple[int, float | None]]:
    """Which request is next, and when it is due."""
    count = len(given.requests)
    if given.per_second is not None:
        for number in range(int(given.seconds * given.per_second)):
            yield number % count, number / given.per_second
        return
    number = 0
    while number < count or not given.once:
        yield number % count, None
        number += 1


def _told(seen: Sequence[Seen], taken: float) -> dict[str, Any]:
    by_status: Seen = defaultdict(list)
    for own in seen:
        for status, seconds in own.items():
            by_status[status] += seconds
    everything = [one for seconds in by_status.values() for one in seconds]
    found: dict[str, Any] = {"n": len(everything), "per_s": round(len(everything) / taken, 1)}
    found |= {"statuses": {str(status): len(seconds) for status, seconds in sorted(by_status.items())}}
    found |= percentiles(everything)
    if len(by_status) > 1:
        found["by_status"] = {str(status): percentiles(seconds) for status, seconds in sorted(by_status.items())}
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds."""
    if not seconds:
        return {}
    values = np.percentile(np.asarray(seconds) * 1000, [50, 95, 99])
    return {f"p{name}_ms": round(float(value), 1) for name, value in zip((50, 95, 99), values, strict=True)}


def load_beside(given: Load) -> dict[str, Any]:
    """The same from another process; with its share of a core."""
    command = [sys.executable, "-m", "benchmarks.loading"]
    done = subprocess.run(command, input=json.dumps(asdict(given)).encode(), check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cpu_seconds(process: int) -> float:
    """Processor time that a process took so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    print(json.dumps(load(Load(**json.load(sys.stdin)))))
