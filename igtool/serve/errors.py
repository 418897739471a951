"""How every refusal looks: ``{"error": slug, "details": text}`` with a status, without paths of this machine.

::

    UsageError            400 invalid_request        IntegrityError     503 damaged
    NotThere              404 not_found              LockedError        503 locked
    Forbidden             403 forbidden
    validation            400 invalid_schema         StorageError       503 storage
    RateLimitedError      503 upstream_limited       ConfigError        503 configuration
    BudgetError           503 budget_reached         Unavailable        503 its own slug
    anything else         500 internal_error

429 is ``{"error": "rate_limit_exceeded", "retry_after": seconds}``, with the header. Pages say the same as HTML: see
`igtool.serve.pages.refused`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path
from starlette.types import Scope

from igtool import errors
from igtool.errors import IgtoolError
from igtool.settings import Settings

LOG = logging.getLogger("igtool.serve")

_SLUGS: Sequence[tuple[type[IgtoolError], int, str]] = (
    (errors.UsageError, 400, "invalid_request"),
    (errors.ConfigError, 503, "configuration"),
    (errors.RateLimitedError, 503, "upstream_limited"),
    (errors.IntegrityError, 503, "damaged"),
    (errors.BudgetError, 503, "budget_reached"),
    (errors.LockedError, 503, "locked"),
    (errors.StorageError, 503, "storage"),
)
_HTTP = {
    400: ("invalid_schema", "the body cannot be read: send one JSON document in UTF-8"),
    404: ("not_found", "there is no such address: /openapi.json lists those that there are"),
    405: ("method_not_allowed", "this address does not take this method: /openapi.json lists those that it takes"),
}
_RETRY_AFTER_S = 2
_PATH = re.compile(r"(?<![\w.:/<])/(?:[^\s/'\"():;,]+/)+([^\s/'\"():;,]*)")
_LONGEST = 2_000


class NotThere(errors.UsageError):
    """What an address names does not exist: 404."""


class Forbidden(errors.UsageError):
    """Whoever asks may not do that: 403."""


class Unavailable(IgtoolError):  # noqa: N818 - named for what a client meets
    """The server cannot answer now: 503 with ``slug``."""

    retryable = True

    def __init__(self, slug: str, details: str) -> None:
        super().__init__(details)
        self.slug = slug


class Refusal(JSONResponse):
    """A refusal as programs get it; ``details`` is what to say of it to people."""

    def __init__(self, status: int, body: Mapping[str, object], details: str, headers: Mapping[str, str]) -> None:
        super().__init__(body, status, headers=dict(headers))
        self.details = details
        self.more_headers = headers


Shown = Callable[[Scope, Refusal], Response]
"""What makes of a refusal the response that fits the request: itself, or a page."""


def as_it_is(_: Scope, refused: Refusal) -> Response:
    """The refusal itself."""
    return refused


def refusal(status: int, slug: str, details: str, headers: Mapping[str, str] | None = None) -> Refusal:
    """The response of a refusal."""
    more = {"Retry-After": str(_RETRY_AFTER_S)} if status == 503 else {}
    said = details[:_LONGEST]
    return Refusal(status, {"error": slug, "details": said}, said, {**more, **(headers or {})})


def too_many(retry_after_s: int) -> Refusal:
    """The response to one request too many."""
    body = {"error": "rate_limit_exceeded", "retry_after": retry_after_s}
    said = f"too many requests at once: ask again in {retry_after_s} s"
    return Refusal(429, body, said, {"Retry-After": str(retry_after_s)})


def answer_errors(app: FastAPI, settings: Settings, shown: Shown = as_it_is) -> None:
    """Let ``app`` answer every error as this module says, ``shown`` as fits the request."""

    def of_ours(request: Request, error: Exception) -> Response:
        return shown(request.scope, _of_ours(settings, error))

    def of_validation(request: Request, error: Exception) -> Response:
        return shown(request.scope, _of_validation(error))

    def of_http(request: Request, error: Exception) -> Response:
        return shown(request.scope, _of_http(settings, request, error))

    app.add_exception_handler(IgtoolError, of_ours)
    app.add_exception_handler(Exception, of_ours)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(HTTPException, of_http)


def _of_ours(settings: Settings, error: Exception) -> Refusal:
    status, slug = status_of(error)
    if status == 500:
        LOG.error("an error igtool did not expect, a bug: %s", error, exc_info=error)
        return refusal(500, slug, "an error that igtool did not expect, a bug; the server's log tells more")
    return refusal(status, slug, without_paths(str(error), settings))


def status_of(error: Exception) -> tuple[int, str]:
    """Status and slug of an error."""
    if isinstance(error, Unavailable):
        return 503, error.slug
    if isinstance(error, NotThere):
        return 404, "not_found"
    if isinstance(error, Forbidden):
        return 403, "forbidden"
    for kind, status, slug in _SLUGS:
        if isinstance(error, kind):
            return status, slug
    return 500, "internal_error"


def without_paths(text: str, settings: Settings) -> str:
    """``text`` with paths as seen from the workspace, and of any other path only its last part."""
    for place in dict.fromkeys((settings.workspace.resolve(), settings.workspace)):
        if place != Path():
            text = text.replace(f"{place}/", "").replace(str(place), "the workspace")
    return _PATH.sub(r"\1", text)


def _of_http(settings: Settings, request: Request, error: Exception) -> Refusal:
    """Refusals of the framework, in our words where it has none of its own."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if error.status_code == 405:
        return refusal(405, *_HTTP[405], _methods_of(request, error.headers))
    said = without_paths(str(error.detail), settings)
    slug, details = _HTTP.get(error.status_code, ("too_large" if error.status_code == 413 else "refused", said))
    return refusal(error.status_code, slug, details, error.headers)


def _methods_of(request: Request, known: Mapping[str, str] | None) -> dict[str, str]:
    """``Allow`` with every method of an address (RFC 9110, section 15.5.6): the framework names one route's alone."""
    for path, operations in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.scope["path"]):
            return {"Allow": ", ".join(sorted(name.upper() for name in operations))}
    return dict(known or {})


def _of_validation(error: Exception) -> Refusal:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    return refusal(400, "invalid_schema", validation_details(error.errors()))


def validation_details(found: Sequence[Any]) -> str:
    """What does not fit, a sentence for each of the first five."""
    return "; ".join(dict.fromkeys(_sentence(one) for one in found[:5]))


def _sentence(one: Mapping[str, Any]) -> str:
    where = [str(part) for part in one.get("loc", ())]
    name = ".".join(where[1:]) or "the body"
    if one["type"] == "missing":
        return f"Missing required field: {name}" if len(where) > 1 else "Missing body: send a JSON object"
    if one["type"] == "json_invalid":
        return f"the body is no JSON (position {name}): {one.get('ctx', {}).get('error', 'it cannot be read')}"
    if one["type"] == "string_unicode":
        return f"{name}: this text is not valid Unicode"
    message = str(one["msg"]).removeprefix("Value error, ")
    given = one.get("input")
    shown = f" (given: {str(given)[:60]!r})" if isinstance(given, (str, int, float)) and len(where) > 1 else ""
    return f"{name}: {message}{shown}" if len(where) > 1 else message


def no_such(what: str, name: str, there: Sequence[str]) -> str:
    """The sentence that there is no ``name``, with those that come close, or all."""
    near = get_close_matches(name.lower(), there, n=2, cutoff=0.6)
    offer = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(there)}"
    return f"there is no {what} {name[:60]!r}: {offer}"
