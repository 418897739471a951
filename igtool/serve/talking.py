"""What the server does with conversations besides answering: they are accepted and read while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from igtool.conversations.reception import Reception
from igtool.conversations.worker import Worker
from igtool.serve.errors import LOG
from igtool.serve.standing import WorkerStanding


@contextmanager
def talking(app: FastAPI) -> Iterator[None]:
    """Accepts conversations at ``app.state.reception``, and reads them in threads of its own, while the block runs."""
    with Reception(app.state.services.settings) as reception:
        worker = Worker(reception.settings, reception.shelf, told=LOG.warning)
        reception.arrived = worker.wake
        app.state.reception = reception
        standing = WorkerStanding(worker.figures.busy_s)
        app.state.services.meter.registry.register(standing)
        worker.start()
        try:
            yield
        finally:
            worker.stop()
            app.state.services.meter.registry.unregister(standing)
