"""The page of one creator: everything about it, each value with its source and age."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from igtool import charts
from igtool.history import handles_close_to
from igtool.lake import Lake
from igtool.report.rhythm import rhythm_of
from igtool.serve.api.base import services_of
from igtool.serve.api.creators import choices, named
from igtool.serve.callers import Caller, public_to, shown_to, who_of
from igtool.serve.errors import NotThere
from igtool.serve.listing import platform_of
from igtool.serve.login import PAGE
from igtool.serve.pages.frame import page
from igtool.serve.pages.own import own_of
from igtool.serve.pages.telling import courses_of, hour_rows, hours_of, items_of, topics_of
from igtool.serve.pages.values import Row, older_answers, parsed, values_of
from igtool.workspace import about

router = APIRouter(dependencies=PAGE, include_in_schema=False)

_CLOSE = 6


@router.get("/creator/{creator_id}")
def creator_page(
    request: Request,
    creator_id: Annotated[str, Path(max_length=200)],
    platform: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """A creator by id or handle; where several have the handle a choice, and names that come close where none has."""
    on, who = platform_of(platform) if platform else None, who_of(request)

    def ask(lake: Lake) -> tuple[str, int, Row]:
        try:
            found = named(lake, creator_id, on)
        except NotThere:
            close = handles_close_to(lake, creator_id.strip().removeprefix("@").lower(), _CLOSE)
            return "nobody.html", 404, {"name": creator_id[:60], "close": close}
        if len(found) > 1:
            return "choices.html", 300, {"name": creator_id[:60], **choices(lake, creator_id, found)}
        return "creator.html", 200, whole(lake, found[0], who)

    template, status, told = services_of(request).readers.read(ask)
    if status == 200:
        told = {**told, "own": own_of(request, told["creator"]["creator_id"])}
    return page(request, template, status=status, **told)


def whole(lake: Lake, creator_id: str, who: Caller) -> Row:
    """All that the page shows ``who`` of a creator."""
    creator = shown_to(who, about(lake, creator_id))
    profile = creator["profiles"] or {}
    answers = older_answers(lake, creator["accounts"])
    items, hours = items_of(lake, creator_id), hours_of(lake, creator_id)
    newest = max((one["observed_at"] for one in creator["accounts"] if one["observed_at"]), default=None)
    return {
        "creator": creator,
        "niches": creator["niches"] or {},
        "profile": profile,
        "style": parsed(profile.get("user_style")),
        "topics": topics_of(profile, items),
        "quotes": quotes_of(profile),
        "rhythm": rhythm_of(parsed(profile.get("posting_pattern"))),
        "courses": courses_of(lake, creator),
        "hours": charts.heatmap("hours", "Posts by weekday and hour (UTC)", hours) if hours else None,
        "hour_rows": hour_rows(hours),
        "values": values_of(creator, {one: public_to(who, row) for one, row in answers.items()}),
        "age_days": None if newest is None else max(0, (datetime.now(UTC) - newest).days),
    }


def quotes_of(profile: Row) -> dict[str, list[Any]]:
    """The words that fields rest on, by field."""
    evidence = parsed(profile.get("evidence"))
    return {name: list(one.get("quotes") or []) for name, one in evidence.items() if isinstance(one, dict)}
