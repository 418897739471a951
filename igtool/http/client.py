"""GET with bounds: bytes, time, redirects and addresses."""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Self, cast

import httpcore2
import httpx2

from igtool import __version__
from igtool.errors import ConfigError
from igtool.http.answers import NetworkError, RefusedAnswer, Response, redacted
from igtool.http.bodies import read_body, too_large
from igtool.http.connections import Backend, Deadline

for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below it they log addresses and headers, keys included

_OWN_HEADERS = {
    "user-agent": ("User-Agent", f"igtool/{__version__} (creator database; polite)"),
    "accept": ("Accept", "*/*"),
    "accept-encoding": ("Accept-Encoding", "gzip, deflate"),
}
"""By lower-case name: the name as sent, and the value. A redirect to another origin gets no others."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~]([ \t!-~]*[!-~])?)?")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_LONGEST_HOST = 253
_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS = 429
_FIRST_FINAL = 200
_KEEP_ALIVE_S = 60.0
_WORDS = 200
_FOREIGN = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)

_Headers = dict[str, tuple[str, str]]


class Client:
    """The answers to requests; used by one thread. A context manager that closes its connections.

    ``timeout_s``: until an answer is complete, from looking up the name to the last byte, redirects included.
    ``max_bytes``: of one body, unpacked. ``allow_loopback``: also reach this machine, for tests. ``private_urls``:
    addresses that the user set; exactly their hosts and ports may lie on this machine or in a private network.
    ``secrets``: texts that must not show in an address or message. No proxy, cookie or setting is taken from the
    environment. Raises ConfigError for one of ``private_urls`` that cannot be asked.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 60,
        max_bytes: int = 32 << 20,
        max_redirects: int = 5,
        allow_loopback: bool = False,
        private_urls: Sequence[str] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._max_redirects = max_redirects
        self._secrets = tuple(secrets)
        self._deadline = Deadline()
        origins = [_origin(self._first(url)) for url in private_urls]
        private = frozenset((host.decode("ascii"), port) for _, host, port in origins)
        self._backend = Backend(self._deadline, allow_loopback=allow_loopback, private=private)
        self._pools: dict[str, httpcore2.ConnectionPool] = {}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """The answer at ``url``, of whatever status, redirects followed.

        To another origin a redirect takes none of ``headers``, keys included. An answer 429 is complete without
        its body. Raises NetworkError (worth another try), RefusedAnswer (not), and ConfigError for a URL or a
        header that cannot be sent.
        """
        began = time.monotonic()
        self._deadline.start(self._timeout_s)
        target = self._first(url)
        fields = _fields(headers or {})
        for _ in range(self._max_redirects + 1):
            with self._translated(target), self._asked(target, fields) as answer:
                location = self._location(answer)
                if location is None:
                    return self._response(target, answer, began)
            following = self._following(target, location)
            if _origin(following) != _origin(target):
                fields = {name: field for name, field in fields.items() if name in _OWN_HEADERS}
            target = following
        raise RefusedAnswer("too-many-redirects", f"{self._shown(url)} leads on after {self._max_redirects} redirects")

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to ``body`` sent to ``url``. A redirect is refused; raises what ``get`` raises."""
        began = time.monotonic()
        self._deadline.start(self._timeout_s)
        target = self._first(url)
        with self._translated(target), self._asked(target, _fields(headers or {}), body) as answer:
            if self._location(answer) is not None:
                raise RefusedAnswer("bad-redirect", "what is sent there is not sent anywhere else")
            return self._response(target, answer, began)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _asked(self, target: httpx2.URL, fields: _Headers, body: bytes | None = None) -> Iterator[httpcore2.Response]:
        """The answer to one request, as far as its headers; what is left unread of it closes the connection."""
        length = [] if body is None else [(b"Content-Length", str(len(body)).encode())]
        request = httpcore2.Request(
            b"GET" if body is None else b"POST",
            httpcore2.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path),
            headers=[(b"Host", target.netloc), *((n.encode(), v.encode()) for n, v in fields.values()), *length],
            content=body,
        )
        answer = self._pool(target.scheme).handle_request(request)
        try:
            if answer.status < _FIRST_FINAL:
                raise NetworkError(f"status {answer.status} is no end of an answer")
            yield answer
        finally:
            answer.close()

    def _pool(self, scheme: str) -> httpcore2.ConnectionPool:
        """The connections of ``scheme``: apart, so that certificates are loaded only where they are needed."""
        if scheme not in self._pools:
            self._pools[scheme] = httpcore2.ConnectionPool(
                ssl_context=_certificates() if scheme == "https" else None,
                keepalive_expiry=_KEEP_ALIVE_S,
                network_backend=self._backend,
            )
        return self._pools[scheme]

    @contextmanager
    def _translated(self, target: httpx2.URL) -> Iterator[None]:
        """Turns what httpcore2 raises into NetworkError and says which address was asked."""
        try:
            yield
        except httpcore2.TimeoutException as error:
            raise NetworkError(f"{self._shown(target)}: no complete answer within {self._timeout_s:g} s") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise NetworkError(f"{self._shown(target)}: {self._shown(error) or type(error).__name__}") from error
        except NetworkError as error:
            raise NetworkError(f"{self._shown(target)}: {error}") from error
        except RefusedAnswer as refusal:
            raise RefusedAnswer(refusal.reason, f"{self._shown(target)}: {refusal}") from refusal

    def _response(self, target: httpx2.URL, answer: httpcore2.Response, began: float) -> Response:
        headers = self._headers(answer)
        try:
            body = self._body(answer, headers)
        except (*_FOREIGN, NetworkError, RefusedAnswer):
            if answer.status != _TOO_MANY_REQUESTS:
                raise
            body = b""  # the status says all; without it a rate limit would pass for a broken line
        seconds = time.monotonic() - began
        return Response(answer.status, headers, body, redacted(str(target), self._secrets), seconds)

    def _headers(self, answer: httpcore2.Response) -> dict[str, str]:
        """By lower-case name; without cookies, which are credentials of a kind and are never sent back."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in answer.headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name not in ("set-cookie", "set-cookie2"):
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return {name: redacted(value, self._secrets) for name, value in headers.items()}

    def _body(self, answer: httpcore2.Response, headers: Mapping[str, str]) -> bytes:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise too_large(self._max_bytes)
        chunks = cast("Iterable[bytes]", answer.stream)
        return read_body(chunks, headers.get("content-encoding", ""), self._max_bytes, self._deadline.left)

    def _first(self, url: str) -> httpx2.URL:
        """``url`` as it was given by settings or a source."""
        try:
            return _checked(httpx2.URL(url))
        except (httpx2.InvalidURL, ValueError) as error:
            words = f"{self._shown(url)!r} is no address that can be asked: {self._shown(error)}"
            raise ConfigError(f"{words}. It must begin with https:// and name a host") from error

    @staticmethod
    def _location(answer: httpcore2.Response) -> bytes | None:
        """Where a redirect leads; None where the answer is none."""
        if answer.status not in _REDIRECTS:
            return None
        named = {value for name, value in answer.headers if name.lower() == b"location"}
        if len(named) != 1:
            raise RefusedAnswer("bad-redirect", f"status {answer.status} with {len(named) or 'no'} addresses to go to")
        return named.pop()

    def _following(self, target: httpx2.URL, location: bytes) -> httpx2.URL:
        """The address that a redirect from ``target`` leads to."""
        try:
            given = httpx2.URL(location.decode())
            following = target.join(given)
        except (httpx2.InvalidURL, ValueError) as error:
            raise self._astray("bad-redirect", target, "an address that cannot be read") from error
        if given.scheme in _DEFAULT_PORTS and not given.host:  # joined, it would pass for a path on the same host
            raise self._astray("bad-redirect", target, "an address without a host")
        if following.scheme not in _DEFAULT_PORTS:
            raise self._astray("forbidden-address", target, f"{following.scheme[:20]!r}, which is not the web")
        try:
            checked = _checked(following)
        except ValueError as error:
            raise self._astray("bad-redirect", target, f"an address that cannot be asked ({error})") from error
        if (target.scheme, following.scheme) == ("https", "http"):
            raise self._astray("bad-redirect", target, "an unencrypted address")
        return checked

    def _astray(self, reason: str, target: httpx2.URL, where: str) -> RefusedAnswer:
        return RefusedAnswer(reason, f"{self._shown(target)} redirects to {where}")

    def _shown(self, text: object) -> str:
        """``text`` for a message: without secrets, of bounded length."""
        return redacted(str(text), self._secrets)[:_WORDS]


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """The certificates that this system trusts; loading them takes a while, so once a process."""
    return httpx2.create_ssl_context(trust_env=False)


def _fields(headers: Mapping[str, str]) -> _Headers:
    """``headers`` over our own. Raises ConfigError naming one that no request can hold, without its value."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigError(
                f"the header {name!r} cannot be sent: its value (a key?) has a space at an end, a line break or a "
                "character outside ASCII. See the setting that it comes from"
            )
    return _OWN_HEADERS | {name.lower(): (name, value) for name, value in headers.items()}


def _checked(url: httpx2.URL) -> httpx2.URL:
    """``url`` without its fragment if it can be asked. Raises ValueError saying what is wrong and repeating nothing."""
    if url.scheme not in _DEFAULT_PORTS:
        raise ValueError("only http and https are spoken")
    if url.userinfo:
        raise ValueError("it holds a user or password")
    host = url.raw_host.decode("ascii")
    if ":" in host:
        if IPv6Address(host).scope_id:
            raise ValueError("its host names a network interface")
    elif len(host) > _LONGEST_HOST or not _HOST.fullmatch(host):
        raise ValueError("its host is no name" if host else "it names no host")
    if url.port is not None and not 0 < url.port < 1 << 16:
        raise ValueError("its port is none")
    return url.copy_with(fragment=None) if url.fragment else url


def _origin(url: httpx2.URL) -> tuple[str, bytes, int]:
    return url.scheme, url.raw_host, url.port or _DEFAULT_PORTS[url.scheme]
