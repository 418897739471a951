"""The page that puts up to four creators side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from igtool.console import cell
from igtool.counts import format_count
from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.notes import creators_named
from igtool.report import texts
from igtool.report.rhythm import rhythm_of
from igtool.serve.api.base import services_of, several
from igtool.serve.callers import shown_to, who_of
from igtool.serve.login import PAGE
from igtool.serve.pages.frame import age, href, page
from igtool.serve.pages.values import Row, parsed
from igtool.workspace import about

router = APIRouter(dependencies=PAGE, include_in_schema=False)

MOST = 4
_TOPICS = 8


@dataclass(frozen=True)
class Column:
    """A creator in the comparison; ``less`` is the address without it."""

    creator_id: str
    name: str
    handle: str | None
    platforms: Sequence[str]
    less: str
    values: dict[str, str]


@router.get("/compare")
def compare(
    request: Request,
    creator: Annotated[list[Annotated[str, Field(max_length=200)]], Query(max_length=50)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Creators by id or handle, side by side."""
    names, who = list(dict.fromkeys(several(creator))), who_of(request)

    def ask(lake: Lake) -> tuple[list[str], list[str], list[Row]]:
        ids, said = _ids(lake, names)
        return ids[:MOST], said, [shown_to(who, about(lake, one)) for one in ids[:MOST]]

    ids, said, found = services_of(request).readers.read(ask) if names else ([], [], [])
    columns = [_column(one, [other for other in ids if other != one["creator_id"]]) for one in found]
    labels = list(dict.fromkeys(label for column in columns for label in column.values))
    return page(request, "compare.html", columns=columns, labels=labels, said=said, ids=ids, most=MOST)


def _ids(lake: Lake, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Ids of the creators that ``names`` mean, and sentences about those that mean none or several."""
    ids, said = [], []
    for name in names:
        try:
            found = creators_named(lake, name)
        except UsageError as error:
            said.append(str(error))
            continue
        if len(found) > 1:
            said.append(f"{len(found)} creators are called {name!r}: open its page and choose one")
        else:
            ids += found
    ids = list(dict.fromkeys(ids))
    if len(ids) > MOST:
        said.append(f"only {MOST} creators fit side by side: these are the first of {len(ids)}")
    return ids, said


def _column(creator: Row, others: Sequence[str]) -> Column:
    named = creator["name"] or creator["canonical_handle"] or creator["creator_id"]
    less = href("/compare", {"creator": list(others)})
    values = {label: text for label, text in _values(creator) if text}
    handle = creator["canonical_handle"]
    return Column(creator["creator_id"], named, handle, creator["platforms"] or [], less, values)


def _values(creator: Row) -> list[tuple[str, str]]:
    """What is compared, as label and text; an empty text is unknown."""
    niches, profile = creator["niches"] or {}, creator["profiles"] or {}
    style = parsed(profile.get("user_style"))
    niche, score = niches.get("primary_niche"), niches.get("confidence_score")
    newest = max((one["observed_at"] for one in creator["accounts"] if one["observed_at"]), default=None)
    return [
        ("followers", _followers(creator)),
        ("growth", _growth(creator)),
        ("engagement rate", _engagement(creator)),
        ("niche", (texts.words(niche) + (f" ({score:.2f})" if score is not None else "")) if niche else ""),
        ("also", ", ".join(map(texts.words, niches.get("secondary_niches") or []))),
        ("style", texts.words(niches.get("content_style") or "")),
        ("country", texts.country(creator["country"]) if creator["country"] else ""),
        ("language", texts.language(creator["language"]) if creator["language"] else ""),
        ("summary", niches.get("llm_summary") or ""),
        ("topics", ", ".join((profile.get("content_topics") or [])[:_TOPICS])),
        ("interests", cell(style.get("interests"))),
        ("tone", cell(style.get("tone"))),
        ("audience", profile.get("audience_type") or ""),
        ("brand fit", cell(profile.get("brand_fit"))),
        *rhythm_of(parsed(profile.get("posting_pattern"))),
        ("tags", ", ".join(f"{tag['category']}:{tag['tag']}" for tag in creator["tags"])),
        ("data", age(None if newest is None else max(0, (datetime.now(UTC) - newest).days))),
    ]


def _followers(creator: Row) -> str:
    total = format_count(creator["total_followers_count"])
    parts = [f"{texts.words(one['platform'])} {format_count(one['followers_count'])}" for one in creator["accounts"]]
    return f"{total} ({', '.join(parts)})" if len(parts) > 1 else total


def _engagement(creator: Row) -> str:
    rates = [
        f"{row['engagement_rate']:.2%} of {'views' if row['platform'] == 'youtube' else 'followers'}"
        for row in creator["engagement"]
        if row["engagement_rate"] is not None
    ]
    return ", ".join(rates)


def _growth(creator: Row) -> str:
    told = [
        f"{row['change_share']:+.1%} in {row['window_days']} days"
        for row in creator["growth"]
        if row["metric"] == "followers" and row["change_share"] is not None and not row["has_gap"]
    ]
    return ", ".join(told)
