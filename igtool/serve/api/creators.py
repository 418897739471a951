"""Creators: lists with cursors, and everything about one."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from igtool import __version__
from igtool.errors import UsageError
from igtool.history import close_to
from igtool.lake import Lake
from igtool.notes import creators_named
from igtool.serve.api.base import Strict, as_json, documented, services_of, several
from igtool.serve.callers import Caller, shown_to, who_of
from igtool.serve.errors import NotThere
from igtool.serve.listing import COLUMNS, Page, Wanted, fields_of, page, platform_of
from igtool.workspace import about

router = APIRouter(tags=["creators"])

LISTED = tuple(name for name in COLUMNS if name not in ("persona", "tone", "interests"))
"""What a list shows of a creator by default."""
STYLED = (
    *("creator_id", "handle", "name", "platforms", "followers_count", "primary_niche", "content_style"),
    *("persona", "tone", "interests", "topics"),
)
Words = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)]


class Listed(BaseModel):
    """A creator in a list; only the fields that were asked for are there."""

    model_config = ConfigDict(extra="forbid")

    creator_id: str | None = None
    handle: str | None = Field(None, description="handle of the largest account")
    name: str | None = None
    platforms: list[str] | None = None
    account_count: int | None = None
    followers_count: int | None = Field(None, description="over all accounts; null when unknown")
    country: str | None = Field(None, description="ISO 3166-1 alpha-2")
    language: str | None = Field(None, description="ISO 639-1")
    profile_image_url: str | None = None
    first_seen_at: datetime | None = None
    primary_niche: str | None = None
    secondary_niches: list[str] | None = None
    content_style: str | None = None
    summary: str | None = None
    topics: list[str] | None = None
    persona: str | None = None
    tone: str | None = None
    interests: list[str] | None = None


class Creators(BaseModel):
    """A page of creators; the next one is asked for with ``cursor`` = ``next_cursor``, until that is null."""

    creators: list[Listed]
    returned_count: int
    next_cursor: str | None


class Paged(Strict):
    """What every list takes."""

    limit: int = Field(50, ge=1, le=1000, description="creators of a page")
    cursor: str | None = Field(None, max_length=4096, description="the next_cursor of the page before")
    fields: Words = Field([], description="only these, with commas between", examples=[["handle,followers_count"]])
    sort: str = Field("followers", description="followers (largest first), handle, name or first_seen", max_length=40)
    platform: str | None = Field(None, description="only creators with an account there", max_length=40)


class ListAsked(Paged):
    """A list of creators."""

    niche: Words = Field([], description="primary or secondary niche; one of several is enough")


class StyleAsked(Paged):
    """A list of creators by what they are like."""

    style: Words = Field([], description="content style; one of several is enough")
    interest: Words = Field([], description="an interest or topic, in any case")
    match: Literal["any", "all"] = Field("any", description="any or all of the interests")


class Choice(BaseModel):
    """One of several creators with a handle."""

    creator_id: str
    name: str | None
    platforms: list[str]
    followers_count: int | None
    href: str


class Choices(BaseModel):
    """Several creators have the handle: ask for one by its id."""

    error: Literal["multiple_choices"]
    details: str
    choices: list[Choice]


class CreatorDocument(BaseModel):
    """A creator as ``igtool show --json`` prints it: columns of ``creators``, and what belongs to it."""

    model_config = ConfigDict(extra="allow")

    creator_id: str
    name: str | None
    accounts: list[dict[str, Any]] = Field(description="rows of accounts, with the rule and the answer of each")
    tags: list[dict[str, Any]]
    niches: dict[str, Any] | None
    profiles: dict[str, Any] | None
    engagement: list[dict[str, Any]]
    posting: list[dict[str, Any]]
    growth: list[dict[str, Any]]
    newest_items: list[dict[str, Any]]


_ONE: dict[str, Any] = {
    "creator_id": "c_5f0c2b7a91d34e6a",
    "handle": "imogensaltmarch",
    "name": "Imogen Saltmarch",
    "platforms": ["instagram"],
    "followers_count": 41200,
    "primary_niche": "travel",
}
_LISTED = {"creators": [_ONE], "returned_count": 1, "next_cursor": "WyI5ZjM4YzEiLDQxMjAwLCJjXzVmMGMiXQ"}
_STYLE = {"content_style": "vlog", "persona": "a slow traveller", "tone": "warm", "interests": ["trains"]}
_STYLED = {**_LISTED, "creators": [{**_ONE, **_STYLE}]}
_CREATOR = {
    "creator_id": "c_5f0c2b7a91d34e6a",
    "name": "Imogen Saltmarch",
    "canonical_handle": "imogensaltmarch",
    "total_followers_count": 41200,
    "accounts": [{"account_id": "instagram:990001", "handle": "imogensaltmarch", "followers_count": 41200}],
    "tags": [],
    "niches": {"primary_niche": "travel", "confidence_score": 0.81},
    "profiles": {"content_topics": ["trains", "slow travel"]},
    "engagement": [],
    "posting": [],
    "growth": [],
    "newest_items": [],
}
_CHOICES = {
    "error": "multiple_choices",
    "details": "2 creators have the handle 'anna': ask for one by its id",
    "choices": [
        {
            "creator_id": "c_1",
            "name": "Anna",
            "platforms": ["instagram"],
            "followers_count": 900,
            "href": "/api/creators/c_1",
        }
    ],
}
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "for If-None-Match; another one after every commit"}}
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "nothing changed since the answer with this ETag", "headers": _ETAG}
}


def _kept(example: Any, *more: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of answers that have an ETag."""
    found = {**documented(example, *more), **_UNCHANGED}
    found[200]["headers"] = _ETAG
    return found


_IfNoneMatch = Annotated[str | None, Header(description="ETag of an earlier answer")]


@router.get("/api/creators/list", response_model=Creators, responses=_kept(_LISTED))
def list_creators(
    request: Request, asked: Annotated[ListAsked, Query()], if_none_match: _IfNoneMatch = None
) -> Response:
    """All creators, page by page, narrowed by platform and niche."""
    wanted = Wanted(asked.platform, niche=tuple(several(asked.niche)))
    return _listed(request, asked, wanted, LISTED, if_none_match)


@router.get("/api/style/creators", response_model=Creators, responses=_kept(_STYLED))
def style_creators(
    request: Request, asked: Annotated[StyleAsked, Query()], if_none_match: _IfNoneMatch = None
) -> Response:
    """Creators by content style and interests, page by page."""
    style, interest = tuple(several(asked.style)), tuple(several(asked.interest))
    wanted = Wanted(asked.platform, style=style, interest=interest, match=asked.match)
    return _listed(request, asked, wanted, STYLED, if_none_match)


def _listed(request: Request, asked: Paged, wanted: Wanted, default: tuple[str, ...], known: str | None) -> Response:
    fields, who = fields_of(several(asked.fields), default), who_of(request)

    def ask(lake: Lake) -> tuple[str, Page | None]:
        tag = _tag(lake, who, asdict(wanted), fields, asked.sort, asked.limit, asked.cursor)
        if _is_known(tag, known):
            return tag, None
        return tag, page(lake, wanted, fields, sort=asked.sort, limit=asked.limit, cursor=asked.cursor)

    tag, found = services_of(request).readers.read(ask)
    if found is None:
        return _unchanged(tag)
    document = {"creators": found.creators, "returned_count": len(found.creators), "next_cursor": found.next_cursor}
    return as_json(document, headers=_cached(tag))


@router.get(
    "/api/creators/{username}",
    response_model=CreatorDocument,
    responses={
        **_kept(_CREATOR, 404),
        300: {
            "model": Choices,
            "headers": _ETAG,
            "description": "several creators have the handle",
            "content": {"application/json": {"example": _CHOICES}},
        },
    },
)
def creator(
    request: Request,
    username: Annotated[str, Path(description="a handle, with @ or without, or a creator_id", max_length=200)],
    platform: Annotated[str | None, Query(description="whose handle it is", max_length=40)] = None,
    if_none_match: _IfNoneMatch = None,
) -> Response:
    """Everything about the creator that owns a handle, each value with its source."""
    on = platform_of(platform) if platform is not None else None
    who = who_of(request)

    def ask(lake: Lake) -> tuple[str, Any, int]:
        tag = _tag(lake, who, username, on)
        if _is_known(tag, if_none_match):
            return tag, None, 304
        found = named(lake, username, on)
        if len(found) > 1:
            return tag, choices(lake, username, found), 300
        return tag, shown_to(who, about(lake, found[0])), 200

    tag, document, status = services_of(request).readers.read(ask)
    return _unchanged(tag) if status == 304 else as_json(document, status, _cached(tag))


def named(lake: Lake, username: str, platform: str | None) -> list[str]:
    """Ids of the creators that a handle or id means, on ``platform`` if one is named. Raises NotThere."""
    try:
        found = creators_named(lake, username)
    except UsageError as error:
        raise NotThere(str(error)) from error
    if platform is None and len(found) == 1:
        return found
    name = username.strip().removeprefix("@").lower()
    rows = lake.rows(
        "select distinct l.creator_id, a.handle from creator_links l join accounts a using (account_id) "
        "where l.creator_id in (select unnest(?::varchar[])) and a.platform = coalesce(?, a.platform)",
        (found, platform),
    )
    there = {row["creator_id"] for row in rows}
    owners = {row["creator_id"] for row in rows if row["handle"] == name}
    chosen = [one for one in found if one in (owners or there)]
    if not chosen:
        raise NotThere(f"{username[:60]!r} has no account on {platform}{close_to(lake, name)}")
    return chosen


def choices(lake: Lake, username: str, found: list[str]) -> dict[str, Any]:
    """The document that offers the creators ``found``, who all have the handle."""
    rows = lake.rows(
        "select creator_id, name, platforms, total_followers_count as followers_count, "
        "'/api/creators/' || creator_id as href from creators where creator_id in (select unnest(?::varchar[])) "
        "order by total_followers_count desc nulls last, creator_id",
        (found,),
    )
    said = f"{len(rows)} creators have the handle {username[:60]!r}: ask for one by its id"
    return {"error": "multiple_choices", "details": said, "choices": rows}


def _tag(lake: Lake, who: Caller, *asked: object) -> str:
    """The ETag of what a tenant asked, which is another one after every commit."""
    text = repr((__version__, lake.lake_id, lake.snapshot, who.tenant_id, sorted(who.rights), asked))
    return f'"{hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]}"'


def _is_known(tag: str, known: str | None) -> bool:
    """Whether the client has this answer, by RFC 9110, section 13.1.2: weak comparison."""
    given = [one.strip().removeprefix("W/") for one in (known or "").split(",")]
    return tag in given or given == ["*"]


def _cached(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key, Cookie"}


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers=_cached(tag))
