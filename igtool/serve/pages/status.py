"""The page of how the workspace stands: runs, index, coverage, freshness, spend, rejects, queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.fetching.status import live_status
from igtool.files import is_locked
from igtool.health import forgetting, progress_of, stored
from igtool.journal import Journal
from igtool.journal.conversations import ConversationQueue
from igtool.journal.models import ModelLedger
from igtool.journal.tenants import CURATE
from igtool.lake import Lake
from igtool.report import texts
from igtool.serve.api.base import Services, services_of
from igtool.serve.callers import check, who_of
from igtool.serve.errors import without_paths
from igtool.serve.login import PAGE
from igtool.serve.pages.frame import page
from igtool.settings import Settings
from igtool.tiers import Tiers, freshness

router = APIRouter(dependencies=PAGE, include_in_schema=False)

_SPENT_S = 30 * 86_400.0
_TIERS = {"active": "active", "semi_active": "less active", "long_tail": "quiet"}
_CONVERSATIONS = ("waiting", "unsure", "done", "moving", "dead", "deletions")

Row = dict[str, Any]


@router.get("/status")
def status_page(request: Request) -> Response:
    """What is stored, under way, spent and refused; for curators, since it tells of everybody's work and money."""
    check(who_of(request), CURATE)
    services = services_of(request)
    troubles: list[str] = []
    tables: Row | None = None
    ledgers: Row | None = None
    try:
        tables = services.readers.read(lambda lake: _of_tables(lake, services.settings))
    except IgtoolError as error:
        troubles.append(without_paths(str(error), services.settings))
    try:
        ledgers = _of_journal(services.settings)
    except IgtoolError as error:
        troubles.append(without_paths(str(error), services.settings))
    return page(
        request,
        "status.html",
        troubles=troubles,
        tables=tables,
        journal=ledgers,
        now=_now(services),
        index=_of_index(services),
        reason=texts.reason,
    )


def _of_tables(lake: Lake, settings: Settings) -> Row:
    tiers = freshness(lake, Clock().moment(), Tiers.of(settings))
    return {
        **stored(lake),
        "coverage": [_shares(row) for row in lake.rows("from coverage order by platform")],
        "freshness": [(_TIERS.get(one.tier, one.tier), one) for one in tiers],
    }


def _shares(row: Row) -> Row:
    """A row of the view ``coverage``, with its shares by field."""
    shares = {name.removesuffix("_score"): share for name, share in row.items() if name.endswith("_score")}
    return {"platform": row["platform"], "accounts": row["accounts"], "shares": shares}


def _of_journal(settings: Settings) -> Row:
    clock = Clock()
    live = live_status(settings, clock)
    with Journal(settings.cache, writable=False) as journal:
        calls = ModelLedger(journal).usage(clock.now() - _SPENT_S)
        conversations = ConversationQueue(journal).counts()
    return {
        "sources": live["sources"],
        "jobs": live["jobs"],
        "answers": live["answers_on_their_way"],
        "requests": _requests(live["last_day"]),
        "calls": calls,
        "cost_usd": sum(row["cost_usd"] for row in calls),
        "conversations": [(name, conversations[name]) for name in _CONVERSATIONS] if conversations else [],
    }


def _requests(rows: Sequence[Row]) -> list[Row]:
    """Requests of the last day by source and outcome; keys are nobody's business here."""
    requests, cost = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in rows:
        requests[row["source"], row["outcome"]] += row["requests"]
        cost[row["source"], row["outcome"]] += row["cost_usd"]
    return [
        {"source": source, "outcome": outcome, "requests": count, "cost_usd": cost[source, outcome]}
        for (source, outcome), count in sorted(requests.items())
    ]


def _now(services: Services) -> Row:
    """Whether a run writes now, and what it says of itself."""
    progress = progress_of(services.settings)
    is_running = is_locked(services.settings.data / "lake.lock")
    told = progress if isinstance(progress, dict) and progress.get("status") == "running" else {}
    return {
        "forgetting": forgetting(services.settings),
        "is_running": is_running,
        "was_killed": bool(told) and not is_running,
        "stage": told.get("stage"),
        "done": told.get("done", 0),
        "total": told.get("total"),
    }


def _of_index(services: Services) -> Row:
    """The index that searches use, and whether it is the newest that can be made."""
    standing = services.desk.standing
    if standing.index is None:
        said = without_paths(str(services.desk.no_index()), services.settings)
        return {"is_current": False, "version": None, "said": said}
    trouble = standing.trouble
    return {
        "is_current": trouble is None,
        "version": standing.index.version,
        "creators": int(standing.index.columns.alive.sum()),
        "model": standing.index.model,
        "said": without_paths(str(trouble), services.settings) if trouble is not None else None,
    }
