"""What stands before every route: who may ask, how much, how long; and headers that browsers obey.

A page of somebody else in the user's browser must not reach it: the Host header has to name this machine, or a name
that it was given (one that was made to lead here afterwards is neither), and what changes anything has to come from a
page of this server, or from no page. Who asks is for `igtool.serve.callers` to tell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from igtool.serve.addresses import Headers, address_of, headers_of, is_loopback, name_in
from igtool.serve.callers import Callers
from igtool.serve.errors import LOG, Refusal, Shown, as_it_is, refusal, too_many
from igtool.serve.metrics import UNMATCHED, Meter

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OPEN = frozenset({"/health", "/ready", "/metrics"})
"""Asked by what watches the server: no limit by address, so that a busy client does not make it look dead."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_DRAINED = 4
"""A body that is too large is read up to so many times the limit, so that its sender gets to read the answer."""
_MOST_AT_ONCE = 64
_MOST_ADDRESSES = 4_096


@dataclass(frozen=True)
class Limits:
    """``hosts``: names and addresses by which the server may be asked, besides loopback."""

    requests_per_second: float = 200.0
    timeout_s: float = 30.0
    max_body_bytes: int = 8_000_000
    hosts: frozenset[str] = field(default_factory=frozenset)


class Guard:
    """An ASGI application around another one; every request that it refuses is answered and counted here.

    ``shown`` makes of a refusal what fits the request.
    """

    def __init__(self, app: ASGIApp, limits: Limits, meter: Meter, callers: Callers, shown: Shown = as_it_is) -> None:
        self._app = app
        self._callers = callers
        self._limits = limits
        self._meter = meter
        self._shown = shown
        self._buckets: dict[str, tuple[float, float]] = {}
        self._under_way = 0
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        outbox = _Outbox(send, scope)
        self._under_way += 1
        try:
            if (refused := self._refusal(scope)) is not None:
                shown = self._shown(scope, refused) if isinstance(refused, Refusal) else refused
                await shown(scope, receive, outbox)
            else:
                await self._answer(scope, receive, outbox)
        finally:
            self._under_way -= 1
            route = getattr(scope.get("route"), "path", None) or UNMATCHED
            self._meter.answered(scope["method"], route, outbox.status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further."""
        headers = headers_of(scope)
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return refusal(400, "invalid_host", "the Host header does not name this server: use the address it printed")
        if scope["method"] not in _SAFE and not _is_from_here(headers, hosts[0]):
            return refusal(403, "foreign_origin", "a page of another origin may not send this request")
        if not _is_text(scope.get("raw_path") or scope["path"].encode(), scope["query_string"]):
            return refusal(400, "invalid_schema", "the address is not valid UTF-8, or holds NUL")
        who = self._callers.let_in(scope, headers)
        if (wait_s := self._wait_s(scope, address_of(scope) if isinstance(who, Response) else who.name)) > 0:
            return too_many(max(1, round(wait_s + 0.5)))
        if isinstance(who, Response):
            return who
        if self._under_way > _MOST_AT_ONCE:
            return refusal(503, "busy", f"{_MOST_AT_ONCE} requests are under way: ask again in a few seconds")
        return None

    def _is_ours(self, host: str) -> bool:
        name = name_in(host)
        return is_loopback(name) or name in self._limits.hosts

    def _wait_s(self, scope: Scope, name: str) -> float:
        """0 where ``name`` (a key, or an address) may ask now; else the seconds until it may."""
        if scope["path"] in OPEN:
            return 0.0
        rate, now = self._limits.requests_per_second, time.monotonic()
        most = max(2 * rate, 1.0)
        left, at = self._buckets.get(name, (most, now))
        left = min(most, left + (now - at) * rate)
        if len(self._buckets) >= _MOST_ADDRESSES and name not in self._buckets:
            self._buckets.clear()  # as many addresses as that are one client who plays with them
        if left < 1:
            return (1 - left) / rate
        self._buckets[name] = (left - 1, now)
        return 0.0

    async def _answer(self, scope: Scope, receive: Receive, outbox: _Outbox) -> None:
        """Let the routes answer, in time. A thread that is late goes on by itself, and nobody hears what it says."""
        body = _Body(receive, self._limits.max_body_bytes)
        task = asyncio.ensure_future(self._routes(scope, body, outbox))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._limits.timeout_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done or outbox.status:
            await task
            return
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        heard, outbox.send = outbox.send, _nobody
        late = _Outbox(heard, scope)
        detail = f"this took longer than {self._limits.timeout_s:g} s: ask for less, or again later"
        await self._shown(scope, refusal(503, "timeout", detail))(scope, receive, late)
        outbox.status = late.status

    async def _routes(self, scope: Scope, body: _Body, outbox: _Outbox) -> None:
        if body.says_too_large(headers_of(scope)):
            await body.drain()
            refused = refusal(413, "too_large", too_large(self._limits.max_body_bytes))
            await self._shown(scope, refused)(scope, body, outbox)
            return
        try:
            await self._app(scope, body, outbox)
        except Exception:  # noqa: BLE001 - the handler of errors has answered 500, and it is raised again
            if not outbox.status:
                LOG.exception("a request was not answered, a bug")
                refused = refusal(500, "internal_error", "an error that igtool did not expect, a bug")
                await self._shown(scope, refused)(scope, body, outbox)


class _Outbox:
    """``send`` with our headers and cookies; remembers the status, 0 before there is one."""

    def __init__(self, send: Send, scope: Scope) -> None:
        self.send = send
        self._scope = scope
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
            for text in self._scope.get("state", {}).get("set_cookies", ()):
                headers.append("Set-Cookie", text)
        with suppress(OSError):  # the client is gone
            await self.send(message)


class _Body:
    """``receive`` that counts the bytes of a body. Raises HTTPException 413 for one that is too large."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._count = 0

    def says_too_large(self, headers: Headers) -> bool:
        return any(one.isdigit() and int(one[:20]) > self._most for one in headers.get("content-length", []))

    async def __call__(self) -> Message:
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self._count > self._most:
            if message.get("more_body", False):
                await self.drain()
            raise HTTPException(413, too_large(self._most))
        return message

    async def drain(self) -> None:
        """Read on, as long as that is bearable."""
        while self._count <= _DRAINED * self._most:
            message = await self._receive()
            self._count += len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def too_large(most: int) -> str:
    """What is said of a body with more than ``most`` bytes."""
    return f"the body is too large: it may have {most:,} bytes"


def _is_text(*parts: bytes) -> bool:
    """Whether the parts of an address are UTF-8 without NUL, at which DuckLake ends the texts of its queries."""
    try:
        return not any("\0" in unquote_to_bytes(part).decode() for part in parts)
    except UnicodeDecodeError:
        return False


def _is_from_here(headers: Headers, host: str) -> bool:
    """Whether a request that may change something comes from a page of this server, or from no page."""
    origins = headers.get("origin", [])
    if origins:
        return len(origins) == 1 and origins[0].lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
    return headers.get("sec-fetch-site", ["none"])[0] in ("none", "same-origin")


async def _nobody(_: Message) -> None:
    return
