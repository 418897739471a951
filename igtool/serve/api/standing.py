"""Is the server alive, can it answer, and what it counts."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from igtool.errors import IgtoolError
from igtool.serve.api.base import as_json, documented, services_of
from igtool.serve.errors import without_paths

router = APIRouter(tags=["standing"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Whether creators and searches can be answered; ``missing`` says what stands in the way."""

    status: Literal["ready", "not_ready"]
    missing: list[str] = Field(description="one sentence for each store that is not there or cannot be read")


_HEALTHY = {"status": "ok"}
_READY = {"status": "ready", "missing": []}
_NOT_READY = {"status": "not_ready", "missing": ["there is no creator database yet: make one with `igtool enrich CSV`"]}
_METRICS = 'igtool_http_requests_total{method="GET",route="/health",status="200"} 1.0\n'


@router.get("/health", response_model=Health, responses=documented(_HEALTHY))
async def health() -> Response:
    """The process is alive; nothing is looked at. Answered by the loop itself, also when every thread is busy."""
    return as_json(_HEALTHY)


@router.get(
    "/ready",
    response_model=Ready,
    responses={
        **documented(_READY),
        503: {"model": Ready, "description": "not ready", "content": {"application/json": {"example": _NOT_READY}}},
    },
)
def ready(request: Request) -> Response:
    """Lake and index are there and can be read: 200, or 503 with what is missing."""
    services = services_of(request)
    missing = []
    try:
        services.readers.read(lambda lake: lake.value("select count(*) from creators"))
    except IgtoolError as error:
        missing.append(without_paths(str(error), services.settings))
    if services.desk.standing.index is None:
        missing.append(without_paths(str(services.desk.no_index()), services.settings))
    missing = list(dict.fromkeys(missing))
    state = {"status": "not_ready" if missing else "ready", "missing": missing}
    return as_json(state, 503 if missing else 200)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    # Its refusals are put in with those of the guard: here the framework would call them plain text.
    responses={200: documented(_METRICS, media="text/plain")[200]},
)
def metrics(request: Request) -> Response:
    """Counters of the server and gauges of the workspace, as Prometheus reads them."""
    return Response(generate_latest(services_of(request).meter.registry), media_type=CONTENT_TYPE_LATEST)
