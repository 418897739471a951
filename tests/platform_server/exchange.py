"""One request and the means to answer it in any way, decent or not."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from .requests import Ask, Reply

MOST_SENT = 300 << 20
"""However endless an answer is, it ends here."""
_LONGEST_HANG_S = 300


class Ended(Exception):  # noqa: N818 - the end of a connection, not a failure
    """The connection is over: the other side left, the server stops, or enough was sent."""


@dataclass
class Origins:
    """Where the server is: ``home`` answers with scripts; ``elsewhere`` is another port that needs no key."""

    home: str
    elsewhere: str


class Exchange:
    """``ask`` and the connection it came on. ``turn``: how often its script has played before.

    ``plain`` makes the decent answer for a request. After an answer the connection stays open if ``keep`` is true.
    """

    def __init__(self, ask: Ask, connection: socket.socket, plain: Callable[[Ask], Reply], turn: int = 0) -> None:
        self.ask, self.plain, self.turn = ask, plain, turn
        self.keep = True
        self.origins = Origins("", "")
        self.stopping = threading.Event()
        self._connection = connection
        self._sent = 0

    def send(self, data: bytes) -> None:
        """Put bytes on the wire as they are."""
        self._sent += len(data)
        if self._sent > MOST_SENT or self.stopping.is_set():
            raise Ended
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise Ended from error

    def answer(self, reply: Reply, *, length: bool = True) -> None:
        """Send ``reply`` decently; without ``length`` the end of the connection ends the body."""
        body = reply.content
        headers = {"content-type": "application/json; charset=utf-8"} | reply.headers
        if length and reply.status not in (204, 304):
            headers.setdefault("content-length", str(len(body)))
        self.keep = self.keep and length
        self.send(head(reply.status, headers.items()) + body)

    def drip(self, data: bytes, pause_s: float = 0.05) -> None:
        """Send byte by byte for as long as somebody listens."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self.stopping.wait(pause_s):
                raise Ended

    def hang(self) -> None:
        """Say nothing until the other side leaves."""
        with suppress(OSError):
            self._connection.settimeout(_LONGEST_HANG_S)
            while self._connection.recv(4096):
                pass
        raise Ended

    def reset(self) -> None:
        """Tear the connection down so that the other side sees a reset."""
        with suppress(OSError):
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._connection.close()
        raise Ended


def head(status: int, headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> bytes:
    """A status line and headers, with the empty line after them."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in pairs), "", ""]
    return "\r\n".join(lines).encode("latin-1")
