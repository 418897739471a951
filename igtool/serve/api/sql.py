"""SQL over HTTP, where the setting ``serve_sql`` allows it: what is public of creators, in a sandbox."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from igtool.guarded_sql import MOST_ROWS, USUAL_ROWS, QueryTooSlow, ask
from igtool.journal.tenants import CURATE
from igtool.lake_sandbox import LONGEST
from igtool.serve.api.base import Strict, Whole, as_json, documented, services_of
from igtool.serve.callers import check, who_of
from igtool.serve.errors import Unavailable

router = APIRouter(tags=["sql"])

_QUERY: dict[str, Any] = {
    "query": "select handle, followers_count from accounts order by 2 desc nulls last",
    "limit": 1,
}
_ROWS: dict[str, Any] = {
    "columns": ["handle", "followers_count"],
    "rows": [["imogensaltmarch", 41200]],
    "returned_count": 1,
    "is_truncated": True,
    "seconds": 0.52,
}


class QueryAsked(Strict):
    """One SELECT over what is public of creators; docs/server.md names the tables."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [_QUERY]})

    query: str = Field(min_length=1, max_length=LONGEST)
    limit: Whole = Field(USUAL_ROWS, ge=1, le=MOST_ROWS, description="rows at most")


class Rows(BaseModel):
    """What a query found."""

    columns: list[str]
    rows: list[list[Any]]
    returned_count: int
    is_truncated: bool = Field(description="there are more rows than were asked for, or than fit into an answer")
    seconds: float


@router.post("/api/v1/sql", response_model=Rows, responses=documented(_ROWS, 403, 413))
def query(request: Request, asked: QueryAsked) -> Response:
    """The rows of a query of a curator, which sees public tables alone and is ended when it takes long."""
    check(who_of(request), CURATE)
    try:
        return as_json(asdict(ask(services_of(request).settings, asked.query, asked.limit)))
    except QueryTooSlow as error:
        raise Unavailable("query_timeout", str(error)) from error
