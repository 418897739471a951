"""The server on a socket of this machine, until a signal ends it."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import uvicorn

from igtool.errors import Interrupted, StorageError, UsageError
from igtool.journal import Journal
from igtool.journal.tenants import TenantBook
from igtool.serve.addresses import is_loopback
from igtool.serve.app import Server, create_server
from igtool.settings import Settings

_GRACE_S = 10
"""Requests under way have so long to end."""


def serve(settings: Settings, host: str, port: int, ready: Callable[[str], None]) -> NoReturn:
    """Serve the workspace until Ctrl-C or SIGTERM; ``ready`` gets the address once requests are taken.

    Raises UsageError (for other machines without an API key, a port in use), StorageError (a port for administrators),
    and at its end Interrupted with the exit code of the signal.
    """
    _check_keys(settings, host)
    listening = _bound(host, port)
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.WARNING)
    server = create_server(settings, hosts=[host])
    running = Announced(server, lambda: ready(f"http://{shown}:{listening.getsockname()[1]}"))
    with listening:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _ended)
        running.run(sockets=[listening])
    raise Interrupted("the server stopped")


def _check_keys(settings: Settings, host: str) -> None:
    """Raises UsageError where other machines could ask and no key keeps anybody out."""
    outside = [repr(name) for name in (host, *settings.serve_hosts) if not is_loopback(name)]
    if not outside:
        return
    with Journal(settings.cache, writable=False) as journal:
        if TenantBook(journal).has_live_key(time.time()):
            return
    raise UsageError(
        f"{', '.join(outside)}: not of this machine alone, and there are no API keys that would keep others out: "
        "`igtool tenant add NAME` makes one; or serve on 127.0.0.1 and make a tunnel of your own (ssh -L)"
    )


class Announced(uvicorn.Server):
    """uvicorn with what igtool needs of it; calls ``ready`` when it takes requests."""

    def __init__(self, server: Server, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            server.asgi,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody may say by a header that a request comes from elsewhere
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=_GRACE_S,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _ended(number: int, _: FrameType | None) -> NoReturn:
    """What uvicorn hands a signal to when every request is answered."""
    ending = Interrupted("the server stopped; requests under way were answered")
    ending.exit_code = 128 + number
    raise ending


def _bound(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    # With the protocol named, as asyncio turns Nagle's algorithm off only there; else an answer takes 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((name, port))
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} is in use: end what uses it, or take another one (--port 0 finds one)"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise StorageError(f"port {port} is for administrators: take one from 1024 up (--port 8700)") from error
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return found
