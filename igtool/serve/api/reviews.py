"""What waits for a person: tags of pictures, and pairs of accounts that may be one creator's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from igtool.pictures.store import PictureStore
from igtool.serve.api.base import Strict, as_json, documented, services_of, several
from igtool.serve.callers import who_of
from igtool.serve.errors import NotThere
from igtool.serve.judging import Judge

router = APIRouter(prefix="/api/v1", tags=["reviews"])

_CONTENT = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
}
"""How a file of a picture that browsers draw begins."""
_MOST_BYTES = 40_000_000
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Words = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)]


class QueueAsked(Strict):
    """A part of the queue."""

    category: Words = Field([], description="only these categories")
    limit: int = Field(50, ge=1, le=1000)


class WaitingTag(BaseModel):
    """A tag of a picture that is not sure; the picture is at /api/v1/pictures/{sha256}."""

    id: str
    creator_id: str
    handle: str | None
    sha256: str
    category: str
    tag: str
    confidence_score: float | None
    reasoning: str | None
    model_used: str | None


class WaitingTags(BaseModel):
    """Tags that wait, the most informative first."""

    waiting: list[WaitingTag]
    standing: str = Field(description="how many pictures and tags there are, as a sentence")


class TagWord(Strict):
    """What is right of a tag."""

    answer: Literal["approve", "edit", "flag"]
    to: str | None = Field(None, description="with edit: the right tag of the category, or none", max_length=200)

    model_config = Strict.model_config | {"json_schema_extra": {"examples": [{"answer": "edit", "to": "kitchen"}]}}


class WaitingPair(BaseModel):
    """Two accounts that may be one creator's, what speaks for it and what against."""

    pair_id: str
    account_a: str
    account_b: str
    platform_a: str
    platform_b: str
    handle_a: str | None
    handle_b: str | None
    name_a: str | None
    name_b: str | None
    confidence_score: float | None
    rule: str | None
    evidence: Any
    doubt: str | None


class WaitingPairs(BaseModel):
    """Pairs that wait, the likeliest first."""

    waiting: list[WaitingPair]


class PairWord(Strict):
    """Whether two accounts are one creator's."""

    verdict: Literal["together", "apart"]

    model_config = Strict.model_config | {"json_schema_extra": {"examples": [{"verdict": "together"}]}}


class Recorded(BaseModel):
    """That it is written down, and when it holds."""

    status: str
    message: str


_TAG = {
    "id": "0123456789ab",
    "creator_id": "c_5f0c2b7a91d34e6a",
    "handle": "imogensaltmarch",
    "sha256": _SHA256,
    "category": "setting",
    "tag": "kitchen",
    "confidence_score": 0.52,
    "reasoning": "zero-shot .52",
    "model_used": "nearest prompts",
}
_TAGS = {"waiting": [_TAG], "standing": "12 pictures; in 3 (25%) a tag was not sure; 1 tags wait for a person"}
_PAIR = {
    "pair_id": "0123456789",
    "account_a": "instagram:990001",
    "account_b": "youtube:UCinvented",
    "platform_a": "instagram",
    "platform_b": "youtube",
    "handle_a": "imogensaltmarch",
    "handle_b": "imogen.s",
    "name_a": "Imogen Saltmarch",
    "name_b": "Imogen",
    "confidence_score": 0.62,
    "rule": "splink",
    "evidence": "names are alike",
    "doubt": "too little speaks for it",
}
_SAID = {"status": "recorded", "message": "tags follow when `igtool run tag` runs next"}
_DECIDED = {"status": "recorded", "message": "creators follow when `igtool run resolve` runs next"}


def _judge(request: Request) -> Judge:
    return Judge(services_of(request), who_of(request))


@router.get("/reviews", response_model=WaitingTags, responses=documented(_TAGS))
def reviews(request: Request, asked: Annotated[QueueAsked, Query()]) -> Response:
    """Tags of pictures that wait for a person."""
    judge = _judge(request)
    waiting = judge.tags(several(asked.category), asked.limit)
    return as_json({"waiting": waiting, "standing": judge.standing()["sentence"]})


@router.post("/reviews/{review_item}", response_model=Recorded, responses=documented(_SAID, 403, 404, 413))
def review(request: Request, review_item: Annotated[str, Path(max_length=64)], word: TagWord) -> Response:
    """Say what is right of a tag, by its id in the queue."""
    _judge(request).say(review_item, word.answer, word.to)
    return as_json(_SAID)


@router.get("/links/waiting", response_model=WaitingPairs, responses=documented({"waiting": [_PAIR]}))
def link_reviews(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Response:
    """Pairs of accounts that may be one creator's."""
    return as_json({"waiting": _judge(request).pairs(limit)})


@router.post("/links/{pair_id}", response_model=Recorded, responses=documented(_DECIDED, 403, 404, 413))
def link_review(request: Request, pair_id: Annotated[str, Path(max_length=64)], word: PairWord) -> Response:
    """Decide about a pair, by its id in the queue."""
    _judge(request).decide(pair_id, word.verdict)
    return as_json(_DECIDED)


@router.get(
    "/pictures/{sha256}",
    response_class=Response,
    responses={**documented("bytes of a picture", 404, media="image/jpeg")},
)
def picture(request: Request, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> Response:
    """A picture that igtool keeps, by its SHA-256."""
    path = PictureStore(services_of(request).settings.cache / "images").path(sha256)
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError:
        raise NotThere(f"there is no picture {sha256:.16}") from None
    kind = next((kind for begin, kind in _CONTENT.items() if content.startswith(begin)), None)
    if kind is None or len(content) > _MOST_BYTES:
        raise NotThere(f"there is no picture {sha256:.16}")
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400, immutable"})
