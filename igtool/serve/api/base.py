"""What every family of routes has in common: where its parts are, strict input, JSON out, documented refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from igtool.console import plain
from igtool.journal.audit import Entry
from igtool.search.answer import Query, SearchResult
from igtool.serve.callers import Caller, Callers, who_of
from igtool.serve.desk import Desk
from igtool.serve.errors import no_such
from igtool.serve.metrics import Meter
from igtool.serve.readers import Readers
from igtool.serve.saying import Saying
from igtool.settings import Settings

Part = TypeVar("Part")
_MOST_SAID = 1_000
"""Characters of a search in the audit log."""


@dataclass(frozen=True)
class Services:
    """What routes work with: readers of the lake, the desk that searches, what people say, and the counters."""

    settings: Settings
    readers: Readers
    desk: Desk
    saying: Saying
    meter: Meter


def services_of(request: Request) -> Services:
    """The services of the server that took ``request``."""
    found: Services = request.app.state.services
    return found


def search_for(request: Request, query: Query) -> SearchResult:
    """The best creators for ``query`` of whoever sent ``request``; with tenants it is in the audit log.

    Raises what `Desk.search` raises.
    """
    who = who_of(request)
    result = services_of(request).desk.search(query, who.tenant_id)
    callers: Callers = request.app.state.callers
    if callers.has_tenants:
        callers.trail.note(searched(who, query, result))
    return result


def searched(who: Caller, query: Query, result: SearchResult) -> Entry:
    """What the audit log says of a search."""
    said = {"query": result.query[:_MOST_SAID], "filters": result.filters.as_dict(), "count": len(result.results)}
    said |= {"like": query.like[:_MOST_SAID]} if query.like is not None else {}
    return Entry(who.tenant_id, who.actor, "search", plain(said))


class Strict(BaseModel):
    """Input in which every name is known: an unknown one is refused, with those that come close."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            names = [info.alias or name for name, info in cls.model_fields.items()]
            unknown = next((str(name) for name in given if name not in names), None)
            if unknown is not None:
                raise PydanticCustomError("unknown_field", "{said}", {"said": no_such("field", unknown, names)})
        return given


def _whole(given: Any) -> Any:
    return int(given) if isinstance(given, float) and given.is_integer() else given


Whole = Annotated[int, BeforeValidator(_whole)]
"""A number of a JSON document without a fraction, of which JSON Schema says that 5.0 is one."""


class Refused(BaseModel):
    """Any refusal."""

    error: str = Field(description="what kind of refusal, in one word", examples=["invalid_request"])
    details: str = Field(description="what failed, on which item, and what to do")


class TooMany(BaseModel):
    """One request too many."""

    error: str = Field(examples=["rate_limit_exceeded"])
    retry_after: int = Field(description="seconds until the next one is taken", examples=[1])


_REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_schema", "limit: Input should be less than or equal to 1000 (given: '1001')"),
    403: ("foreign_origin", "a page of another origin may not send this request"),
    404: ("not_found", "there is no creator 'imogensaltmarsh'; close are: imogensaltmarch"),
    413: ("too_large", "the body is too large: it may have 8,000,000 bytes"),
    500: ("internal_error", "an error that igtool did not expect, a bug; the server's log tells more"),
    503: ("no_index", "there is no search index yet: it is being made, ask again"),
}
_ALWAYS = (400, 500, 503)


def documented(example: Any, *more: int, media: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route's answers: an example of the good one, and its refusals (``more`` besides)."""
    shape = {} if media == "application/json" else {"schema": {"type": "string"}}
    found: dict[int | str, dict[str, Any]] = {200: {"content": {media: {**shape, "example": example}}}}
    for status in sorted({*_ALWAYS, *more}):
        error, details = _REFUSALS[status]
        shown = {"application/json": {"example": {"error": error, "details": details}}}
        found[status] = {"model": Refused, "description": error, "content": shown}
    found[429] = {
        "model": TooMany,
        "description": "rate_limit_exceeded",
        "content": {"application/json": {"example": {"error": "rate_limit_exceeded", "retry_after": 1}}},
    }
    return found


def guarded(*, is_change: bool) -> dict[str, dict[str, Any]]:
    """What OpenAPI says of the refusals that may meet a request before its route (`igtool.serve.guarding`)."""
    told = documented(None, *((403, 413) if is_change else ()))
    del told[200]
    found = {}
    for status, one in told.items():
        model = one.pop("model")
        one["content"]["application/json"]["schema"] = {"$ref": f"#/components/schemas/{model.__name__}"}
        found[str(status)] = one
    return found


def as_json(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``document`` as a response, in the forms that ``--json`` prints."""
    text = json.dumps(plain(document), ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, media_type="application/json")


def several(cells: Sequence[str]) -> list[str]:
    """Values that were given one by one, or with commas between them."""
    return [part.strip() for cell in cells for part in cell.split(",") if part.strip()]
