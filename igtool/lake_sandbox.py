"""Queries of strangers over the lake, in a process of their own: this module run as a program.

It reads one JSON document from stdin and prints another one. Four things stand between a query and what it must not
see, each of which would do for most:

1. the query is parsed before anything is opened: one SELECT, over the tables and views of `SEEN` alone, without table
   functions but `_TABLE_FUNCTIONS` and without functions that read catalog or settings;
2. the lake is attached read-only; the plan that DuckDB makes may scan no other table, views included; of the files of
   the machine only those of these tables and the catalog can be opened; extensions cannot be loaded, and no setting
   can be changed any more;
3. the process has no environment, little memory, one thread, a limit of processor time, and may not write files;
4. the process that started it reads so many bytes and waits so many seconds, and then ends it (`igtool.guarded_sql`).
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

import duckdb

from igtool.errors import IgtoolError, UsageError
from igtool.lake import Lake
from igtool.lake_sql import literal
from igtool.schema import TABLES
from igtool.views import VIEWS

SEEN = (
    *("accounts", "content_items", "metric_snapshots", "creators", "creator_links", "profiles", "niches", "media"),
    *("creator_tags", "embeddings", "embedding_models", "engagement", "posting", "content_mix", "growth"),
    *("growth_windows", "handle_history", "creator_overview", "current_embeddings", "coverage"),
)
"""What a query may name: what is public of creators, and what was made of it. Not what people typed, searched or
agreed to, not conversations, not raw answers or those of language models, not what runs did."""
_BENEATH = ("account_states",)
"""What views of `SEEN` read besides."""
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree"})
_SOURCES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "TABLE_FUNCTION", "EXPRESSION_LIST"})
_NOT_CALLED = frozenset(
    {
        "col_description",
        "current_catalog",
        "current_database",
        "current_query",
        "current_query_id",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_user",
        "currval",
        "format_pg_type",
        "format_type",
        "get_block_size",
        "getenv",
        "getvariable",
        "in_search_path",
        "json_deserialize_sql",
        "json_serialize_plan",
        "json_serialize_sql",
        "map_to_pg_oid",
        "nextval",
        "obj_description",
        "parse_duckdb_log_message",
        "session_user",
        "setseed",
        "shobj_description",
        "sleep_ms",
        "txid_current",
        "user",
        "write_log",
    }
)
_NOT_CALLED_AS = ("pg_", "has_", "inet_", "duckdb_", "pragma_", "ducklake_", "sqlite_", "read_", "json_execute", "__")
LONGEST = 20_000
"""Characters of a query."""
_BESIDE = 2
"""The process may map so many times the memory of a query besides what it has when the lake is open: rows on their way
out, and what the system rounds up."""


def checked(query: str) -> str:
    """``query`` if it is one that may run. Raises UsageError that says what may not be in it."""
    if "\0" in query:
        raise UsageError("the query holds a NUL character")
    if len(query) > LONGEST:
        raise UsageError(f"the query is too long: it may have {LONGEST:,} characters")
    with duckdb.connect() as parser:
        row = parser.execute("select json_serialize_sql(?)", [query]).fetchone()
        taken = {name.lower() for (name,) in parser.execute("select view_name from duckdb_views()").fetchall()}
    found: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if found["error"]:
        raise UsageError(f"only one SELECT can be asked: {found.get('error_message', '')}")
    if len(found["statements"]) != 1:
        raise UsageError("only one SELECT can be asked: there are several statements")
    nodes = list(_nodes(found["statements"]))
    hidden = taken | ({*TABLES, *VIEWS} - set(SEEN))
    named = {str(name).lower() for node in nodes for name in _own_names(node)}
    for name in sorted(named):
        if not name.isidentifier() or name in hidden or name.startswith("_"):  # it may be asked for out of its scope
            raise UsageError(f"a WITH may not be named {name[:60]!r}")
    for node in nodes:
        _check(node, named)
    return query


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a parsed query, without recursion: a query may nest deeper than Python does."""
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _own_names(node: Mapping[str, Any]) -> list[str]:
    """Names that a query gives to its own parts with WITH."""
    return [entry["key"] for entry in (node.get("cte_map") or {}).get("map", ())]


def _check(node: Mapping[str, Any], named: set[str]) -> None:
    """Raises UsageError for what may not be in a query."""
    kind = node.get("type")
    if "from_table" in node:
        _check_source(node["from_table"])
    if kind == "JOIN" and "join_type" in node:
        _check_source(node["left"])
        _check_source(node["right"])
    if kind == "SHOW_REF":
        raise UsageError("SHOW, DESCRIBE and SUMMARIZE cannot be asked: docs/tables.md tells of the tables")
    if kind == "BASE_TABLE" and "table_name" in node:
        _check_table(node, named)
    if "function_name" in node:
        _check_function(node)
    if kind == "TABLE_FUNCTION" and "function" in node:
        name = str(node["function"].get("function_name", "")).lower()
        if name not in _TABLE_FUNCTIONS:
            raise UsageError(f"there is no table function {name[:60]!r} here: {', '.join(sorted(_TABLE_FUNCTIONS))}")


def _check_source(source: Any) -> None:
    kind = source.get("type") if isinstance(source, dict) else None
    if kind is not None and kind not in _SOURCES:
        raise UsageError(f"{str(kind).lower()} cannot be asked from: ask from tables, sub-queries and VALUES")


def _check_table(node: Mapping[str, Any], named: set[str]) -> None:
    name, schema = str(node["table_name"]).lower(), str(node.get("schema_name", "")).lower()
    is_qualified = bool(schema or node.get("catalog_name"))
    is_ours = str(node.get("catalog_name", "")).lower() in ("", "lake") and schema in ("", "main", "lake")
    if node.get("at_clause") is not None:
        raise UsageError("AT cannot be asked: tables are as they are now")
    if (name in SEEN and is_ours) or (name in named and not is_qualified):
        return
    raise UsageError(f"there is no table {name[:60]!r} here: {', '.join(SEEN)}")


def _check_function(node: Mapping[str, Any]) -> None:
    name = str(node["function_name"]).lower()
    is_elsewhere = node.get("catalog") not in (None, "") or node.get("schema") not in (None, "", "main")
    if is_elsewhere or name in _NOT_CALLED or name.startswith(_NOT_CALLED_AS):
        raise UsageError(f"the function {name[:60]} cannot be called here")


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Columns and rows of a query: at most ``limit`` rows, and ``most_bytes`` of them as JSON.

    ``asked`` has ``folder`` (of the lake), ``query``, ``limit``, ``most_bytes``, ``memory_mb``, and ``is_held`` where
    the process is for this alone. Raises UsageError (what may not be asked), DuckDB's errors, and what opening the lake
    raises.
    """
    query = checked(asked["query"])
    with contextlib.closing(_Shut(Path(asked["folder"]), int(asked["memory_mb"]))) as lake:
        if asked.get("is_held") and (mapped := _mapped()) is not None:
            _hold(resource.RLIMIT_AS, mapped + _BESIDE * int(asked["memory_mb"]) * 1_000_000)
        return lake.told(query, int(asked["limit"]), int(asked["most_bytes"]))


class _Shut(Lake):
    """The lake with all taken from its connection that a query does not need, for good."""

    def __init__(self, folder: Path, memory_mb: int) -> None:
        super().__init__(folder, writable=False, offline=True)
        names = [name for name in (*SEEN, *_BENEATH) if name in TABLES]
        places = ", ".join(literal(f"{self.folder}/main/{name}/") for name in names)
        for setting in (
            "threads = 1",
            f"memory_limit = '{memory_mb}MB'",
            "temp_directory = ''",
            "max_expression_depth = 250",
            "python_enable_replacements = false",
            "autoload_known_extensions = false",
            "allow_community_extensions = false",
            f"allowed_directories = [{places}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self.execute(f"set {setting}")

    def told(self, query: str, limit: int, most_bytes: int) -> dict[str, Any]:
        """Columns and rows of ``query``. Raises UsageError where DuckDB finds a table in it that may not be seen."""
        plan = self._connection.execute(f"explain (format json) {query}").fetchall()[0][1]
        scanned = {
            str(node["Table"]).rpartition(".")[2].lower() for node in _nodes(json.loads(plan)) if "Table" in node
        }
        if hidden := scanned - {*SEEN, *_BENEATH}:
            raise UsageError(f"there is no table {min(hidden)!r} here: {', '.join(SEEN)}")
        relation = self._connection.sql(query).limit(limit + 1)
        columns: list[str] = list(relation.columns)
        rows: list[list[Any]] = []
        size = len(json.dumps(columns))
        while (row := relation.fetchone()) is not None:
            shown = [told(value) for value in row]
            size += len(json.dumps(shown)) + 1
            if len(rows) == limit or size > most_bytes:
                return _document(columns, rows, is_truncated=True)
            rows.append(shown)
        return _document(columns, rows, is_truncated=False)


def _document(columns: list[str], rows: list[list[Any]], *, is_truncated: bool) -> dict[str, Any]:
    return {"columns": columns, "rows": rows, "returned_count": len(rows), "is_truncated": is_truncated}


def told(value: Any) -> Any:
    """``value`` of a result in what JSON knows: as ``--json`` prints it."""
    if isinstance(value, dict):
        return {str(key): told(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(item) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _hold(what: int, most: int) -> None:
    """Let the system hold this process to ``most`` of ``what``, where it can."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


def _mapped() -> int | None:
    """Bytes of addresses that this process has; None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return None


def main() -> None:
    """Answer the query on stdin: ``{"answer": …}``, ``{"refused": text}`` or ``{"error": [class, text]}``."""
    asked = json.load(sys.stdin)
    _hold(resource.RLIMIT_CPU, int(asked["timeout_s"]) + 1)
    _hold(resource.RLIMIT_FSIZE, 1_000_000)  # what SQLite maps beside its catalog has 32 kB
    _hold(resource.RLIMIT_CORE, 0)
    try:
        said: dict[str, Any] = {"answer": answer({**asked, "is_held": True})}
    except UsageError as error:
        said = {"refused": str(error)}
    except IgtoolError as error:
        said = {"error": [type(error).__name__, str(error)]}
    except (MemoryError, duckdb.OutOfMemoryException):
        said = {"refused": f"the query needs more than {asked['memory_mb']} MB of memory: ask for less"}
    except (duckdb.Error, RecursionError, ValueError, OverflowError) as error:
        said = {"refused": f"the query does not run: {error}"}
    sys.stdout.write(json.dumps(said))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
