"""What people see of a refusal, and who is one: routes of pages, and browsers that ask for what there is not."""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from igtool.serve.errors import Refusal
from igtool.serve.pages.frame import page

_FOR_PROGRAMS = frozenset({"api", "health", "ready", "metrics", "openapi.json"})
_TITLES = {
    400: "This cannot be read",
    403: "Not allowed",
    404: "Not found",
    413: "Too large",
    429: "One moment",
    500: "Something broke",
    503: "Not now",
}


class Families:
    """Which addresses are for people: those of ``routers``, by the first part of their paths."""

    def __init__(self, routers: Collection[APIRouter]) -> None:
        paths = [str(getattr(route, "path", "")) for router in routers for route in router.routes]
        self._pages = frozenset(_family(path) for path in paths)

    def shown(self, scope: Scope, refused: Refusal) -> Response:
        """``refused`` as a page for people, with the same status, and as it is for programs."""
        return shown_to_people(scope, refused) if self.is_for_people(scope) else refused

    def is_for_people(self, scope: Scope) -> bool:
        """Whether a page is to answer. Of the home and of what no route has, the Accept header decides."""
        family = _family(scope["path"])
        if family in _FOR_PROGRAMS:
            return False
        return wants_page(scope) if family == "" or family not in self._pages else True


def wants_page(scope: Scope) -> bool:
    """Whether the Accept header names HTML, as that of every browser does, or htmx asks, which names nothing."""
    headers = Headers(scope=scope)
    return "hx-request" in headers or "text/html" in headers.get("accept", "").lower()


def shown_to_people(scope: Scope, refused: Refusal) -> Response:
    """``refused`` as a page."""
    status = refused.status_code
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    return page(
        Request(scope),
        "refused.html",
        status=status,
        headers=refused.more_headers,
        title=title,
        status_code=status,
        details=refused.details,
    )


def _family(path: str) -> str:
    return path.lstrip("/").split("/", 1)[0]
