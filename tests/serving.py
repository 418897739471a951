"""A server on loopback in a thread, over a workspace of invented creators."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from igtool.serve.app import ROUTERS, Server, create_server
from igtool.serve.running import Announced
from igtool.settings import load


class Serving:
    """A running server and a client of it."""

    def __init__(self, server: Server, address: str) -> None:
        self.server = server
        self.address = address
        self.client = httpx2.Client(base_url=address, timeout=30)

    def get(self, path: str, **parameters: Any) -> httpx2.Response:
        """The answer to a GET."""
        return self.client.get(path, params=parameters or None)

    def settle(self) -> None:
        """Let the index come up to date now, and not within a second."""
        self.server.services.desk.refresh()


@contextmanager
def serving(folder: Path, routers: Sequence[Any] = ROUTERS, **flags: Any) -> Iterator[Serving]:
    """The workspace in ``folder`` served on a free port, with ``flags`` as settings."""
    server = create_server(load(folder, **flags), routers=routers)
    # With the protocol named, as `igtool serve` does: else asyncio leaves Nagle's algorithm on, 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        is_ready = threading.Event()
        running = Announced(server, is_ready.set)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        try:
            assert is_ready.wait(20)
            opened = Serving(server, f"http://127.0.0.1:{listening.getsockname()[1]}")
            with opened.client:
                opened.settle()
                yield opened
        finally:
            running.should_exit = True
            thread.join()
