"""The page of conversations: how many came when, of which sentiment, about what, and the newest with their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from igtool import charts
from igtool.charts import Stack
from igtool.conversations.checking import MOST_TREND, SENTIMENTS, shown_time
from igtool.conversations.reception import Reception
from igtool.errors import UsageError
from igtool.serve.callers import who_of
from igtool.serve.errors import NotThere
from igtool.serve.login import PAGE
from igtool.serve.pages.forms import Filled, back
from igtool.serve.pages.frame import href, page

router = APIRouter(prefix="/conversations", dependencies=PAGE, include_in_schema=False)

Row = dict[str, Any]

SPANS: Mapping[str, tuple[str, timedelta]] = {
    "day": ("last day", timedelta(days=1)),
    "week": ("last week", timedelta(days=7)),
    "month": ("last 30 days", timedelta(days=30)),
}
_BY_HOUR = timedelta(days=2)
"""Up to so long a time is told by the hour, a longer one by the day."""
_SHOWN, _MOST_SHOWN = 25, 1_000
_CLUSTERS = 30
_TICKS = 6
"""Columns with a time below them, so that there is room on a phone."""


@dataclass(frozen=True)
class Asked:
    """What of the conversations is shown. ``span`` is empty where days were given; ``trouble``: why they are none."""

    span: str
    since: str
    until: str
    sentiment: str
    sure: str
    limit: int
    start: datetime
    end: datetime
    trouble: str = ""

    @property
    def period(self) -> dict[str, str]:
        """The time, as the reception takes it."""
        return {"start_time": shown_time(self.start), "end_time": shown_time(self.end)}

    @property
    def filters(self) -> dict[str, str]:
        """What the newest ones are narrowed to, as the reception takes it."""
        given = {"sentiment": self.sentiment, "min_confidence": self.sure}
        return {name: value for name, value in given.items() if value}

    def address(self, **more: Any) -> str:
        """The page with these parameters, ``more`` instead of its own."""
        given = {"span": self.span, "from": self.since, "to": self.until}
        return href("/conversations", {**given, "sentiment": self.sentiment, "sure": self.sure, **more})


def asked(
    span: Annotated[str, Query(max_length=10)] = "",
    since: Annotated[str, Query(alias="from", max_length=40)] = "",
    until: Annotated[str, Query(alias="to", max_length=40)] = "",
    sentiment: Annotated[str, Query(max_length=20)] = "",
    sure: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=_MOST_SHOWN)] = _SHOWN,
) -> Asked:
    """The parameters of the page; a dependency."""
    now = datetime.now(UTC).replace(microsecond=0)
    chosen = span if span in SPANS else "week"
    usual = Asked(chosen, "", "", sentiment, sure, limit, now - SPANS[chosen][1], now)
    if span in SPANS or not (since or until):
        return usual
    try:
        first, last = _days(since, until, now.date())
    except (UsageError, OverflowError) as error:
        return replace(usual, since=since, until=until, trouble=str(error))
    start, end = datetime.combine(first, time(), UTC), datetime.combine(last, time.max, UTC)
    return Asked("", first.isoformat(), last.isoformat(), sentiment, sure, limit, start, end)


def _days(since: str, until: str, today: date) -> tuple[date, date]:
    """The first and the last day, of which one may be missing. Raises UsageError, OverflowError."""
    last = _day(until, "to") if until else today
    first = _day(since, "from") if since else last - timedelta(days=30)
    if not timedelta(0) <= last - first < MOST_TREND:
        raise UsageError(f"the days go from an earlier to a later one, {MOST_TREND.days} of them at most")
    return first, last


@router.get("")
def conversations(request: Request, asked: Annotated[Asked, Depends(asked)]) -> Response:
    """Trend, sentiments, clusters and the newest conversations of a time."""
    reception, tenant = _reception(request), who_of(request).tenant_id
    trends: Row = {"trends": [], "metadata": {"total_count": 0}}
    found: Row = {"insights": [], "metadata": {"total_count": 0}}
    trouble, newest = asked.trouble, None
    try:
        if not trouble:
            trends = reception.trends(asked.period, tenant_id=tenant)
            wanted = {**asked.period, **asked.filters, "limit": str(asked.limit)}
            found = reception.insights(wanted, tenant_id=tenant)
            newest = None if trends["trends"] else _newest(reception, tenant, asked.end)
    except UsageError as error:
        trouble = str(error)
    stacks = stacks_of(trends["trends"], asked.start, asked.end) if trends["trends"] else []
    more = len(found["insights"]) < found["metadata"]["total_count"] and asked.limit < _MOST_SHOWN
    return page(
        request,
        "conversations.html",
        status=400 if trouble else 200,
        asked=asked,
        trouble=trouble,
        spans=[(name, words, href("/conversations", {"span": name})) for name, (words, _) in SPANS.items()],
        sentiments=SENTIMENTS,
        total=trends["metadata"]["total_count"],
        counts={name: sum(row["sentiments"][name] for row in trends["trends"]) for name in SENTIMENTS},
        chart=charts.timeline("trend", "Conversations by sentiment", stacks) if stacks else None,
        stacks=[one for one in stacks if sum(one.parts.values())],
        clusters=clusters_of(trends["trends"]),
        insights=[{**one, "said_at": datetime.fromisoformat(one["timestamp"])} for one in found["insights"]],
        matching=found["metadata"]["total_count"],
        more=asked.address(limit=min(asked.limit * 2, _MOST_SHOWN)) if more else None,
        newest=newest,
        newest_at=href("/conversations", {"from": newest - timedelta(days=30), "to": newest}) if newest else None,
    )


@router.post("/delete")
def delete(request: Request, form: Filled) -> Response:
    """Deletes a conversation. Raises NotThere."""
    conversation_id = form.text("conversation_id")
    if _reception(request).delete(conversation_id, tenant_id=who_of(request).tenant_id) is None:
        raise NotThere(f"there is no conversation {conversation_id[:60]!r}")
    return back(form.get("next"), "unsaid")


def _reception(request: Request) -> Reception:
    """Where conversations are kept; the one place of the pages that says so."""
    reception: Reception = request.app.state.reception
    return reception


def _newest(reception: Reception, tenant: str, end: datetime) -> date | None:
    """The day of the newest conversation of a tenant until ``end``, if it has any."""
    ever = {"start_time": "1970-01-01T00:00:00Z", "end_time": shown_time(end), "limit": "1"}
    found = reception.insights(ever, tenant_id=tenant)["insights"]
    return datetime.fromisoformat(found[0]["timestamp"]).date() if found else None


def stacks_of(trends: Sequence[Row], start: datetime, end: datetime) -> list[Stack]:
    """Conversations by sentiment of every hour or, of more than two days, of every day; also of those without any."""
    is_by_hour = end - start <= _BY_HOUR
    step = timedelta(hours=1) if is_by_hour else timedelta(days=1)
    counts: dict[datetime, dict[str, int]] = {}
    for row in trends:
        at = _begin(datetime.fromisoformat(row["hour"]), is_by_hour=is_by_hour)
        of = counts.setdefault(at, dict.fromkeys(SENTIMENTS, 0))
        for name in SENTIMENTS:
            of[name] += row["sentiments"][name]
    first = _begin(start, is_by_hour=is_by_hour)
    places = [first + number * step for number in range((end - first) // step + 1)]
    every = -(-len(places) // _TICKS)
    return [
        Stack(
            f"{at:%Y-%m-%d %H:%M}" if is_by_hour else f"{at:%Y-%m-%d}",
            counts.get(at, {}),
            "" if number % every else (f"{at:%H:%M}" if is_by_hour else f"{at.day} {at:%b}"),
        )
        for number, at in enumerate(places)
    ]


def _begin(at: datetime, *, is_by_hour: bool) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0, hour=at.hour if is_by_hour else 0)


def clusters_of(trends: Sequence[Row]) -> list[Row]:
    """cluster, count, sentiment_score (a mean) of the clusters of all hours, the largest first."""
    counts: dict[str, int] = {}
    sums: dict[str, float] = {}
    for row in trends:
        for one in row["clusters"]:
            counts[one["cluster"]] = counts.get(one["cluster"], 0) + one["count"]
            sums[one["cluster"]] = sums.get(one["cluster"], 0.0) + one["sentiment_score"] * one["count"]
    ordered = sorted(counts, key=lambda name: (-counts[name], name))[:_CLUSTERS]
    return [{"cluster": one, "count": counts[one], "sentiment_score": sums[one] / counts[one]} for one in ordered]


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{name}: {text[:40]!r} is no day: write it as 2026-01-31") from error
