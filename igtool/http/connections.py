"""Connections that end in time and lead only to checked addresses."""

from __future__ import annotations

import ssl
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore2

from igtool.http.addresses import resolved


class Deadline:
    """The moment at which the request under way must be complete; one for all connections of a client."""

    def __init__(self) -> None:
        self._end = 0.0

    def start(self, seconds: float) -> None:
        """Allow ``seconds`` from now."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises httpcore2.TimeoutException where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore2.TimeoutException("the time is over")
        return left


class Stream(httpcore2.NetworkStream):
    """A connection whose every read, write and handshake gets the time that is left of the whole, not its own."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - ours counts
        """At most ``max_bytes``."""
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of ``buffer``."""
        self._inner.write(buffer, self._deadline.left())

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """The same connection, encrypted; this one is used up."""
        return Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the socket tells about itself."""
        return self._inner.get_extra_info(info)


class Backend(httpcore2.NetworkBackend):
    """Opens connections to the very addresses that were checked: a second look-up could give others.

    ``private``: hosts with their ports that may also lie on this machine or in a private network.
    """

    def __init__(
        self, deadline: Deadline, *, allow_loopback: bool, private: Collection[tuple[str, int]] = frozenset()
    ) -> None:
        self._deadline = deadline
        self._allow_loopback = allow_loopback
        self._private = private
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - ours counts
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to the first address of ``host`` that takes one."""
        addresses = resolved(
            host,
            port,
            self._deadline.left,
            allow_loopback=self._allow_loopback,
            allow_private=(host, port) in self._private,
        )
        failure: Exception | None = None
        for place, address in enumerate(addresses):
            # A share of the time each, so that a first address that swallows packets leaves some for the next.
            share = self._deadline.left() / (len(addresses) - place)
            try:
                inner = self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return Stream(inner, self._deadline)
        raise failure or httpcore2.ConnectError(f"{host} has no address")
