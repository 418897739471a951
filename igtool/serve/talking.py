"""What the server does with conversations besides answering: they are accepted and read while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from igtool.conversations.desk import Desk
from igtool.conversations.worker import Worker
from igtool.serve.errors import LOG


@contextmanager
def talking(app: FastAPI) -> Iterator[None]:
    """Accepts conversations at ``app.state.desk``, and reads them in threads of its own, while the block runs."""
    with Desk(app.state.services.settings) as desk:
        worker = Worker(desk.settings, desk.shelf, told=LOG.warning)
        desk.arrived = worker.wake
        app.state.desk = desk
        worker.start()
        try:
            yield
        finally:
            worker.stop()
