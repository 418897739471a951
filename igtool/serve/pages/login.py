"""The pages where a key is given, and the way out."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from igtool.journal.audit import Entry
from igtool.journal.tenants import LOCAL
from igtool.serve.addresses import address_of
from igtool.serve.callers import LOGIN, Callers, caller_of_key, who_of
from igtool.serve.login import check_token, form_of, local_path, set_session
from igtool.serve.pages.frame import page

router = APIRouter(include_in_schema=False)


@router.get(LOGIN)
def login_page(request: Request) -> Response:
    """Asks for an API key; leads on where none is needed, or one was given."""
    wanted = local_path(request.query_params.get("next"))
    if who_of(request).tenant_id:
        return RedirectResponse(wanted, 303)
    return _page(request, wanted)


@router.post(LOGIN)
async def login(request: Request) -> Response:
    """Opens a session for a right key."""
    await check_token(request)
    form = await form_of(request)
    wanted = local_path(form.get("next"))
    callers: Callers = request.app.state.callers
    if not callers.has_tenants:
        return RedirectResponse(wanted, 303)
    found = caller_of_key(request, form.get("key", ""))
    if isinstance(found, Response):
        problem = "This key is none, or has ended."
        if found.status_code == 429:
            problem = f"Too many wrong keys: try again in {found.headers['retry-after']} seconds."
        kept = {name: value for name, value in found.headers.items() if name in ("retry-after", "www-authenticate")}
        return _page(request, wanted, problem, found.status_code, kept)
    callers.sessions.close(request.state.session)
    set_session(request, callers.sessions.open(found.tenant_id, found.actor))
    callers.trail.note(Entry(found.tenant_id, found.actor, "login", {"address": address_of(request.scope)}))
    return RedirectResponse(wanted, 303)


@router.post("/logout")
async def logout(request: Request) -> Response:
    """Ends the session."""
    await check_token(request)
    who = who_of(request)
    callers: Callers = request.app.state.callers
    callers.sessions.close(request.state.session)
    set_session(request, "")
    if who.tenant_id and who.actor != LOCAL:
        callers.trail.note(Entry(who.tenant_id, who.actor, "logout", {"address": address_of(request.scope)}))
    return RedirectResponse(LOGIN if callers.has_tenants else "/", 303)


def _page(
    request: Request, wanted: str, problem: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return page(
        request,
        "login.html",
        status=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        next=wanted,
        problem=problem,
    )
