"""What assistants can do with a workspace: the tools of ``igtool mcp``, without the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from igtool.console import plain, say
from igtool.errors import UsageError
from igtool.guarded_sql import ask
from igtool.health import status
from igtool.journal import Journal
from igtool.journal.tenants import CURATE, TenantBook
from igtool.lake_sandbox import LONGEST, SEEN
from igtool.notes import LOCAL
from igtool.search.answer import Query
from igtool.searching import Searcher
from igtool.serve.api.base import Strict, Whole, searched
from igtool.serve.api.search import Asked, SearchDocument
from igtool.serve.api.sql import Rows
from igtool.serve.callers import Caller, check, shown_to
from igtool.serve.errors import no_such, validation_details
from igtool.serve.trail import Trail
from igtool.settings import Settings
from igtool.workspace import Workspace

MOST_BYTES = 100_000
"""Of one answer as JSON: an assistant reads all of it."""
_MOST_RESULTS, _MOST_ROWS, _MOST_CREATORS = 50, 500, 5
_CUTS = ((4_000, 100), (1_000, 25), (200, 5), (60, 2))
"""Characters of a text and items of a list, at most: the first that make an answer small enough."""


class SearchTool(Asked):
    """What is searched for."""

    model_config = ConfigDict(strict=True, json_schema_extra={})

    limit: Whole = Field(10, ge=1, le=_MOST_RESULTS, description="results at most")


class ShowTool(Strict):
    """Whom to show."""

    handle: str = Field(min_length=1, max_length=200, description="a handle, with @ or without, or a creator_id")


class SqlTool(Strict):
    """What to ask."""

    query: str = Field(
        min_length=1, max_length=LONGEST, description=f"one SELECT of DuckDB over these tables: {', '.join(SEEN)}"
    )
    limit: Whole = Field(100, ge=1, le=_MOST_ROWS, description="rows at most")


class StatusTool(Strict):
    """Nothing has to be given."""


class Shown(BaseModel):
    """The creators with a handle, as ``igtool show --json`` prints them."""

    creators: list[dict[str, Any]]
    is_shortened: bool = Field(False, description="long texts and lists were cut, or creators left out")


class Stand(BaseModel):
    """How the workspace stands."""

    tables: dict[str, int] = Field(description="rows of each public table")
    runs: list[dict[str, Any]] = Field(description="the last runs")


class Found(SearchDocument):
    """What a search found."""

    is_shortened: bool = Field(False, description="long texts and lists were cut")


@dataclass(frozen=True)
class Tool:
    """A tool: what it takes, what it gives, and what it is for."""

    name: str
    title: str
    about: str
    takes: type[BaseModel]
    gives: type[BaseModel]


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "search",
            "Search creators",
            "Creators ranked for a free text and filters, each with the parts of its score, reasons and the age of its "
            "data. Without a text, filters alone; without both, everyone by quality.",
            SearchTool,
            Found,
        ),
        Tool(
            "show",
            "Show a creator",
            "Everything about the creators with a handle: accounts, bios, niche, profile, numbers, newest items, each "
            "value with its source.",
            ShowTool,
            Shown,
        ),
        Tool(
            "sql",
            "Query the tables",
            "Rows of one SELECT (DuckDB) over the public tables; reads only. Counts are NULL when unknown, times UTC. "
            "Columns of a table: select * from TABLE limit 1.",
            SqlTool,
            Rows,
        ),
        Tool("status", "Status", "Rows of each table and the last runs.", StatusTool, Stand),
    )
}


class Desk:
    """Answers the calls of one assistant, one after the other. Close it in the end.

    ``tenant_id`` is whose hidden creators, lists and notes count, and whose rights: the scope of every tool is chosen
    here and nowhere else. A tenant's searches are in the audit log, as those over HTTP.
    """

    def __init__(self, settings: Settings, tenant_id: str = LOCAL) -> None:
        """Raises UsageError for a tenant that there is not."""
        rights = frozenset({CURATE})
        if tenant_id != LOCAL:
            with Journal(settings.cache, writable=False) as journal:
                tenants = TenantBook(journal).tenants()
            if tenant_id not in tenants:
                raise UsageError(no_such("tenant", tenant_id, sorted(tenants)))
            rights = tenants[tenant_id].rights
        self._who = Caller(tenant_id, tenant_id, "mcp", rights)
        self._settings = settings
        self._searcher: Searcher | None = None
        self._calls: Mapping[str, Callable[[Any], Any]] = {
            "search": self._search,
            "show": self._show,
            "sql": self._sql,
            "status": self._status,
        }

    def call(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the tool ``name`` says, in at most `MOST_BYTES` of JSON.

        Raises UsageError (no such tool, arguments that do not fit, whatever igtool refuses) and any other IgtoolError.
        """
        tool = TOOLS.get(name)
        if tool is None:
            raise UsageError(f"there is no tool {name[:60]!r}: there are {', '.join(TOOLS)}")
        try:
            asked = tool.takes.model_validate(dict(given))
        except ValidationError as error:
            found = [{**one, "loc": ("arguments", *one["loc"])} for one in error.errors()]
            raise UsageError(validation_details(found)) from error
        return bounded(plain(self._calls[name](asked)))

    def close(self) -> None:
        """Release the lake."""
        if self._searcher is not None:
            self._searcher.close()
        self._searcher = None

    def _search(self, asked: SearchTool) -> Any:
        if self._searcher is None:
            self._searcher = Searcher(self._settings, say, tenant=self._who.tenant_id)
        query = Query(
            asked.query, asked.filters(), asked.limit, literal=asked.literal, like=asked.like, sort=asked.sort
        )
        try:
            result = self._searcher.search(query)
            if self._who.tenant_id != LOCAL:
                trail = Trail(self._settings)
                trail.note(searched(self._who, query, result))
                trail.flush()
            return result.document(explain=asked.explain)
        except UsageError:
            raise
        except BaseException:
            self.close()  # a lake that a backup took the place of is opened anew by the next call
            raise

    def _show(self, asked: ShowTool) -> Any:
        found = [shown_to(self._who, one) for one in Workspace(self._settings).show(asked.handle)]
        return {"creators": found[:_MOST_CREATORS], "is_shortened": len(found) > _MOST_CREATORS}

    def _sql(self, asked: SqlTool) -> Any:
        check(self._who, CURATE)
        return asdict(ask(self._settings, asked.query, asked.limit, MOST_BYTES * 9 // 10))

    def _status(self, _: StatusTool) -> Any:
        check(self._who, CURATE)
        state = status(self._settings)
        return {"tables": {name: n for name, n in state["tables"].items() if name in SEEN}, "runs": state["runs"]}


def bounded(document: dict[str, Any]) -> dict[str, Any]:
    """``document`` in at most `MOST_BYTES` of JSON: where it has more, texts and lists are cut, and it says so."""
    if _size(document) <= MOST_BYTES:
        return document
    for longest, most in _CUTS:
        cut: dict[str, Any] = _cut(document, longest, most)
        cut["is_shortened"] = True
        if _size(cut) <= MOST_BYTES:
            return cut
    raise UsageError("the answer is too large: ask for less")


def _size(document: Any) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def _cut(value: Any, longest: int, most: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(item, longest, most) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, longest, most) for item in value[:most]]
    return f"{value[:longest]}…" if isinstance(value, str) and len(value) > longest else value
