"""The server put together: services, routes, what stands before them, and the description of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp

from igtool import __version__
from igtool.serve.api import conversations, creators, search, standing
from igtool.serve.api.base import Services, as_json
from igtool.serve.desk import Desk
from igtool.serve.errors import answer_errors
from igtool.serve.guarding import Guard, Limits
from igtool.serve.metrics import Meter
from igtool.serve.readers import Readers
from igtool.serve.standing import WorkspaceStanding
from igtool.serve.talking import talking
from igtool.settings import Settings

Part = Callable[[FastAPI], AbstractContextManager[Any]]
ROUTERS: tuple[APIRouter, ...] = (standing.router, creators.router, search.router, conversations.router)
"""Every family of routes; a new one is a file of ``api/`` and a name here."""
PARTS: tuple[Part, ...] = (talking,)
"""What runs while the server does, for routes that need more than `Services`."""
THREADS_A_CORE, LEAST_THREADS = 2, 4
"""Requests that are worked on side by side. More threads only wait for each other: of 8 clients that search among
100,000 creators on two cores, 4 threads answer a fifth more in a second than 8."""
_ABOUT = """Creators of the user's own disk: lists, everything about one, ranked searches with reasons.

Refusals are `{"error": …, "details": …}`. Without API keys the server answers on this machine only. What the data
may be used for is between its user and the platforms that it is from: their terms are the user's duty."""


class Server:
    """The application and what it holds open. ``asgi`` is what a web server runs."""

    def __init__(self, settings: Settings, routers: Sequence[APIRouter], parts: Sequence[Part], limits: Limits) -> None:
        meter, readers = Meter(), Readers(settings)
        self.services = Services(settings, readers, Desk(settings, readers, meter), meter)
        meter.registry.register(WorkspaceStanding(settings, readers, self.services.desk))
        self._parts = parts
        self._threads = max(LEAST_THREADS, THREADS_A_CORE * settings.processes)
        self.app = _application(self._lifespan)
        self.app.state.services = self.services
        answer_errors(self.app, settings)
        for router in routers:
            self.app.include_router(router)
        self.app.add_api_route("/", _home, include_in_schema=False)
        self.asgi: ASGIApp = Guard(self.app, limits, meter)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = self._threads
        with ExitStack() as stack:
            stack.callback(self.services.readers.close)
            stack.callback(self.services.desk.close)
            self.services.desk.start()
            for part in self._parts:
                stack.enter_context(part(app))
            yield


def create_server(
    settings: Settings,
    *,
    hosts: Sequence[str] = (),
    routers: Sequence[APIRouter] = ROUTERS,
    parts: Sequence[Part] = PARTS,
) -> Server:
    """A server over the workspace of ``settings``; there need not be a lake yet.

    ``hosts``: names by which it may be asked besides loopback. ``parts`` are entered when it starts and left when it
    stops, for what routes need besides `Services`.
    """
    limits = Limits(
        requests_per_second=settings.serve_requests_per_second,
        timeout_s=settings.serve_timeout_s,
        max_body_bytes=int(settings.serve_max_body_mb * 1_000_000),
        hosts=frozenset(host.strip("[]").lower() for host in hosts),
    )
    return Server(settings, routers, parts, limits)


def _application(lifespan: Any) -> FastAPI:
    """FastAPI without pages that load scripts from elsewhere, and without its telemetry."""
    app = FastAPI(
        title="igtool",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=_operation_id,
    )
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return _without_422(described())

    vars(app)["openapi"] = openapi
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _without_422(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` without the refusal that FastAPI describes and this server never sends."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(name, None)
    return document


async def _home() -> Response:
    return as_json({"name": "igtool", "version": __version__, "openapi": "/openapi.json", "health": "/health"})
