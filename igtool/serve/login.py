"""What every page needs: who looks, and that a change comes from a page of this server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from igtool.serve.callers import Caller, Callers, to_login, who_of
from igtool.serve.errors import Forbidden
from igtool.serve.sessions import cookie

_SAFE = ("GET", "HEAD", "OPTIONS")
_MOST_FORM_BYTES = 1_000_000
_MOST_FIELDS = 10_000


def csrf_token(request: Request) -> str:
    """The token for the forms of a page (field ``csrf_token`` or header ``X-CSRF-Token``); sets a cookie if need be."""
    callers: Callers = request.app.state.callers
    return callers.sessions.csrf(session_of(request))


def page_caller(request: Request) -> Caller:
    """Who looks at a page; a dependency. Raises HTTPException 303 that leads to the log-in."""
    who = who_of(request)
    if not who.tenant_id:
        raise HTTPException(303, headers={"Location": to_login(request.scope).headers["location"]})
    session_of(request)
    return who


async def page_guard(request: Request) -> None:
    """What every router of pages depends on (`PAGE`): a caller, and the token with whatever may change anything."""
    page_caller(request)
    if request.method not in _SAFE:
        await check_token(request)


PAGE = (Depends(page_guard),)
"""``APIRouter(dependencies=PAGE, include_in_schema=False)``."""


async def check_token(request: Request) -> None:
    """Raises Forbidden for a change whose token is not that of its session."""
    given = request.headers.get("x-csrf-token") or (await form_of(request)).get("csrf_token", "")
    callers: Callers = request.app.state.callers
    if not callers.sessions.is_csrf(request.state.session, given):
        raise Forbidden("this page is out of date, or was not made by this server: load it again")


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form, of several with one name the last. Raises what `pairs_of` raises."""
    return dict(await pairs_of(request))


async def pairs_of(request: Request) -> Sequence[tuple[str, str]]:
    """Names and values of a form in their order. Raises HTTPException 413 for a large one, 400 for no text."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return []
    body = await request.body()
    if len(body) > _MOST_FORM_BYTES:
        raise HTTPException(413, f"a form may have {_MOST_FORM_BYTES:,} bytes")
    try:
        text = body.decode()
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400) from error


def local_path(text: str | None) -> str:
    """``text`` if it is an address on this server, else the first page."""
    given = text or "/"
    is_plain = (
        given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable() and "\\" not in given
    )
    parts = urlsplit(given) if is_plain else None
    return given if parts is not None and not parts.scheme and not parts.netloc and len(given) <= 2_000 else "/"


def session_of(request: Request) -> str:
    """The cookie of a request; a new one is set where there is none."""
    if request.state.session is None:
        set_session(request, secrets.token_urlsafe(32))
    found: str = request.state.session
    return found


def set_session(request: Request, token: str) -> None:
    """Give the browser the cookie ``token``; an empty one takes it away."""
    request.state.session = token or None
    request.state.set_cookies.append(cookie(token, is_https=request.state.is_https))
