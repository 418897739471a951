"""One connection to the server: requests in, replies out, without a thread or a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import cast

from .replies import Reply

Respond = Callable[[str, str, Mapping[str, str], bytes], tuple[Reply, float, Callable[[], None]]]
"""From method, target, headers and body: the reply, seconds until it is sent, and what to call once it is."""

_LONGEST_HEAD = 65_536


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 with lengths and kept connections; ``respond`` decides what is said.

    ``hang_s``: seconds after which a connection that is left hanging is dropped.
    """

    def __init__(self, respond: Respond, known: set[Connection], hang_s: float) -> None:
        self._respond = respond
        self._known = known
        self._hang_s = hang_s
        self._loop = asyncio.get_running_loop()
        self._arrived = bytearray()
        self._is_busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._known.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._transport = None
        self._known.discard(self)

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        self._arrived += data
        self._next()

    def drop(self) -> None:
        """Break the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Answer the next request if all of it is here."""
        if self._is_busy or self._transport is None:
            return
        end = self._arrived.find(b"\r\n\r\n")
        if end < 0:
            if len(self._arrived) > _LONGEST_HEAD:
                self.drop()
            return
        line, *fields = self._arrived[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        length = end + 4 + int(headers.get("content-length", "0"))
        if len(self._arrived) < length:
            return
        body = bytes(self._arrived[end + 4 : length])
        del self._arrived[:length]
        method, target, *_ = [*line.split(" "), "", ""]
        self._is_busy = True
        reply, wait_s, sent = self._respond(method, target, headers, body)
        if wait_s > 0:
            self._loop.call_later(wait_s, self._say, reply, sent)
        else:
            self._say(reply, sent)

    def _say(self, reply: Reply, sent: Callable[[], None]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if reply.is_silent:
            self._loop.call_later(self._hang_s, self.drop)
            return
        if reply.is_reset:
            self.drop()
            return
        whole = _head(reply) + reply.body
        if reply.drip_s:
            self._drip(whole, reply.drip_s)
            return
        if reply.sent < 1:
            self._transport.write(whole[: len(whole) - int(len(reply.body) * (1 - reply.sent)) - 1])
            self._transport.close()
            return
        sent()
        self._transport.write(whole)
        self._is_busy = False
        if self._arrived:
            self._next()

    def _drip(self, rest: bytes, seconds: float) -> None:
        """Send ``rest`` byte by byte."""
        if self._transport is None or not rest:
            return
        self._transport.write(rest[:1])
        self._loop.call_later(seconds, self._drip, rest[1:], seconds)


def _head(reply: Reply) -> bytes:
    """The status line and headers."""
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "X"
    fields = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    return f"HTTP/1.1 {reply.status} {phrase}\r\n{fields}content-length: {len(reply.body)}\r\n\r\n".encode("latin-1")
