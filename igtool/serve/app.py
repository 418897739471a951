"""The server put together: services, routes, what stands before them, and the description of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from igtool import __version__
from igtool.serve.addresses import is_loopback
from igtool.serve.api import conversations, creators, kept, reviews, search, sql, standing
from igtool.serve.api.base import Services
from igtool.serve.callers import Callers
from igtool.serve.contract import described
from igtool.serve.desk import Desk
from igtool.serve.errors import answer_errors
from igtool.serve.guarding import Guard, Limits
from igtool.serve.metrics import Meter
from igtool.serve.pages import compare, lists, login, own, review, static
from igtool.serve.pages import conversations as conversations_page
from igtool.serve.pages import creator as creator_page
from igtool.serve.pages import search as search_page
from igtool.serve.pages import status as status_page
from igtool.serve.pages.refused import Families
from igtool.serve.readers import Readers
from igtool.serve.saying import Saying
from igtool.serve.standing import WorkspaceStanding
from igtool.serve.talking import talking
from igtool.serve.trail import Trail
from igtool.settings import Settings

Part = Callable[[FastAPI], AbstractContextManager[Any]]
PAGES: tuple[APIRouter, ...] = (
    *(static.router, login.router, search_page.router, creator_page.router, compare.router, status_page.router),
    *(own.router, lists.router, review.router, conversations_page.router),
)
"""Every family of pages; a new one is a file of ``pages/`` and a name here. What they refuse is told as a page."""
ROUTERS: tuple[APIRouter, ...] = (
    *(standing.router, creators.router, search.router),
    *(kept.router, reviews.router, conversations.router, *PAGES),
)
"""Every family of routes; a new one is a file of ``api/`` and a name here."""
PARTS: tuple[Part, ...] = (talking,)
"""What runs while the server does, for routes that need more than `Services`."""
THREADS_A_CORE, LEAST_THREADS = 2, 8
"""Requests that are worked on side by side; of searches as many as there are cores (`igtool.serve.desk`), so that some
threads are left for what is quick."""
_ABOUT = """Creators of the user's own disk: lists, everything about one, ranked searches with reasons.

Refusals are `{"error": …, "details": …}`. Without tenants the server answers this machine only, and asks for no key;
with tenants everything but /health and /ready needs an API key, and shows nobody what another one keeps. What the data
may be used for is between its user and the platforms that it is from: their terms are the user's duty."""


class Server:
    """The application and what it holds open. ``asgi`` is what a web server runs."""

    def __init__(
        self,
        settings: Settings,
        routers: Sequence[APIRouter],
        parts: Sequence[Part],
        limits: Limits,
        *,
        is_exposed: bool,
    ) -> None:
        meter, readers, saying = Meter(), Readers(settings), Saying(settings)
        self.trail = Trail(settings)
        self.callers = Callers(settings, self.trail, is_exposed=is_exposed)
        self.services = Services(settings, readers, Desk(settings, readers, saying, meter), saying, meter)
        meter.registry.register(WorkspaceStanding(settings, readers, self.services.desk))
        self._parts = parts
        self._threads = max(LEAST_THREADS, THREADS_A_CORE * settings.processes)
        self.app = _application(self._lifespan)
        self.app.state.services = self.services
        self.app.state.callers = self.callers
        families = Families(PAGES)
        answer_errors(self.app, settings, families.shown)
        for router in (*routers, sql.router) if settings.serve_sql else routers:
            self.app.include_router(router)
        self.asgi: ASGIApp = Guard(self.app, limits, meter, self.callers, families.shown)

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = self._threads
        with ExitStack() as stack:
            stack.callback(self.services.readers.close)
            stack.callback(self.services.desk.close)
            stack.callback(self.services.saying.close)
            self.services.saying.moved = self.services.desk.refresh
            self.services.saying.start()
            stack.callback(self.trail.close)
            stack.callback(self.callers.close)
            self.services.desk.start()
            self.trail.start()
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

    ``hosts``: names by which it may be asked besides loopback and those of the settings; with any it answers nobody
    without an API key. ``parts`` are entered when it starts and left when it
    stops, for what routes need besides `Services`.
    """
    names = frozenset(host.strip("[]").lower() for host in (*hosts, *settings.serve_hosts))
    limits = Limits(
        requests_per_second=settings.serve_requests_per_second,
        timeout_s=settings.serve_timeout_s,
        max_body_bytes=int(settings.serve_max_body_mb * 1_000_000),
        hosts=names,
    )
    return Server(settings, routers, parts, limits, is_exposed=not all(map(is_loopback, names)))


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
    made = app.openapi

    def openapi() -> dict[str, Any]:
        return described(made())

    vars(app)["openapi"] = openapi
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
