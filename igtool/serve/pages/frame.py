"""How every page is made: templates that escape all they show, and one function that renders them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from igtool import __version__, charts
from igtool.counts import format_count
from igtool.journal.tenants import LOCAL
from igtool.report import texts
from igtool.report.page import initials, safe_url, tone
from igtool.serve.callers import Caller
from igtool.serve.login import csrf_token
from igtool.serve.pages.forms import DONE, SAID, here
from igtool.serve.pages.static import address_of

NAVIGATION = (
    ("/", "Search"),
    ("/compare", "Compare"),
    ("/lists", "Lists"),
    ("/review", "Review"),
    ("/conversations", "Conversations"),
    ("/status", "Status"),
)
"""Address and name of what every page leads to."""
_HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "historyCacheSize": 0,  # no page of people's data is left in the browser's storage
    "includeIndicatorStyles": False,
    "refreshOnHistoryMiss": True,
    "selfRequestsOnly": True,
}


def page(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """The page that ``template`` makes of ``context`` and of what all pages show."""
    text = environment().get_template(template).render(shared(request) | context)
    kept = {"Cache-Control": "private, no-cache", "Vary": "Accept, HX-Request"} if status < 400 else {}
    return HTMLResponse(text.encode("utf-8", "replace"), status, {**kept, **(headers or {})})


def shared(request: Request) -> dict[str, Any]:
    """What every template gets, whatever the page: also that of a refusal, which no route has seen."""
    who: Caller | None = getattr(request.state, "who", None)
    is_inside = who is not None and bool(who.tenant_id)
    has_session = "app" in request.scope and hasattr(request.state, "session")
    token = csrf_token(request) if has_session else ""
    return {
        "path": request.scope["path"],
        "version": __version__,
        "here": here(request),
        "done": DONE.get(request.query_params.get(SAID, "")),
        "csrf_token": token,
        "is_inside": who is None or is_inside,
        "tenant": who.tenant_id if who is not None and is_inside and who.actor != LOCAL and token else "",
    }


@cache
def environment() -> Environment:
    """The templates. A name that a page was not given is an error."""
    made = Environment(
        loader=PackageLoader("igtool.serve", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        age=age,
        compact=format_count,
        country=texts.country,
        day=day,
        grouped=charts.grouped,
        host=host,
        hours=hours,
        initials=initials,
        language=texts.language,
        moment=moment,
        percent=charts.percent,
        profile_href=profile_href,
        sure=sure,
        words=words,
    )
    made.globals.update(
        asset=address_of,
        creator_href=creator_href,
        host=host,
        htmx=json.dumps(_HTMX),
        list_href=list_href,
        navigation=NAVIGATION,
        country=texts.country,
        language=texts.language,
        rules=texts.RULES,
        safe_url=safe_url,
        tone=tone,
        words=words,
    )
    return made


def creator_href(creator_id: str) -> str:
    """Address of the page of a creator."""
    return f"/creator/{quote(creator_id, safe='')}"


def list_href(name: str) -> str:
    """Address of the page of a list."""
    return f"/lists/{quote(name, safe='', errors='replace')}"


def profile_href(account: Mapping[str, Any]) -> str | None:
    """Public address of an account; None where its platform or its name is unknown."""
    if account["platform"] == "youtube" and account["platform_user_id"]:
        return f"https://www.youtube.com/channel/{quote(account['platform_user_id'], safe='')}"
    if account["platform"] == "instagram" and account["handle"]:
        return f"https://www.instagram.com/{quote(account['handle'], safe='')}/"
    return None


def href(path: str, parameters: Mapping[str, Any]) -> str:
    """``path`` with those ``parameters`` that have a value."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", [], ())}
    return f"{path}?{urlencode(given, doseq=True, errors='replace')}" if given else path


def host(url: str) -> str:
    """The host of an address, as people say it."""
    return (urlsplit(url).hostname or url).removeprefix("www.")


def age(days: int | None) -> str:
    """How old data is, in words."""
    if days is None:
        return "age unknown"
    return {0: "from today", 1: "1 day old"}.get(days, f"{days:,} days old")


def day(when: datetime | None) -> str:
    """A date, as in 1 Oct 2026 (UTC); a dash when unknown."""
    if when is None:
        return "–"
    utc = when.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def moment(when: datetime | None) -> str:
    """A time to the minute, as ``igtool show`` writes it (UTC); a dash when unknown."""
    return "–" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M}"


def sure(score: float | None) -> str:
    """A confidence (0-1) as ``igtool show`` writes it, but never 1.00 for what is not certain; a dash when unknown."""
    if score is None:
        return "–"
    return "> 0.99" if 0.995 <= score < 1 else f"{score:.2f}"


def hours(count: float | None) -> str:
    """A time in hours, or in days from two days on; a dash when unknown."""
    if count is None:
        return "–"
    return f"{count:.0f} h" if count < 48 else f"{count / 24:.0f} days"


def words(slug: str | None) -> str:
    """A slug as words, as in Vegan cooking; a dash when unknown."""
    return texts.words(slug) if slug else "–"
