"""SQL of strangers: what it may see, and that nothing else gets out, in or on for ever."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from served_people import NOW, make_workspace
from serving import Serving, serving

from igtool import guarded_sql, lake_sandbox
from igtool.errors import IntegrityError, UsageError
from igtool.guarded_sql import QueryTooSlow, ask
from igtool.lake import Lake
from igtool.schema import TABLES
from igtool.settings import load
from igtool.views import VIEWS

SECRET = "a-word-of-somebody-else"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """A workspace in which every table of people holds `SECRET`, inlined and in files."""
    folder = make_workspace(tmp_path_factory.mktemp("sandbox"), empty_lake)
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        for number in range(30):
            row = {"tenant_id": "other", "creator_id": f"c{number}", "note": SECRET, "noted_at": NOW}
            lake.merge("tenant_notes", [row])
        lake.merge("conversations", [{"conversation_id": "x", "text": SECRET, "tenant_id": "other", "said_at": NOW}])
        lake.merge("search_log", [{"search_id": "s", "tenant_id": "other", "query": SECRET, "searched_at": NOW}])
    with Lake(folder / "data", writable=True) as lake:
        lake.execute("call ducklake_flush_inlined_data('lake', table_name => 'tenant_notes')")
    (folder / "secret.csv").write_text(f"a\n{SECRET}\n")
    return folder


@pytest.fixture(scope="module")
def served(place: Path) -> Iterator[Serving]:
    """It is served, with SQL."""
    with serving(place, serve_sql=True, sql_timeout_s=60, serve_timeout_s=90) as opened:
        yield opened


def post(served: Serving, query: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Status and document."""
    answer = served.client.post("/api/v1/sql", json={"query": query, **more})
    assert "Traceback" not in answer.text
    return answer.status_code, answer.json()


def test_rows_of_public_tables(served: Serving) -> None:
    """Columns and rows; more than were asked for are told of, and kinds of values are as JSON has them."""
    status, found = post(served, "select handle, followers_count from accounts order by 2 desc nulls last, 1", limit=2)
    assert status == 200
    assert found.pop("seconds") > 0
    assert found == {
        "columns": ["handle", "followers_count"],
        "rows": [["anna", 90_000], ["bea", 70_000]],
        "returned_count": 2,
        "is_truncated": True,
    }
    values = (
        "select 1.5::decimal(4, 1), date '2026-01-31', [1], {'a': 'nan'::double}, 'x'::blob, interval 1 day, uuid()"
    )
    row = post(served, f"with own as ({values}) from own")[1]["rows"][0]
    assert row[:6] == [1.5, "2026-01-31", [1], {"a": None}, "78", 86_400.0]


def test_all_that_may_be_seen_can_be_read(place: Path) -> None:
    """Views too, with the tables beneath them, and rows that lie in files: in one process, and none of them fails."""
    with Lake(place / "data", writable=True) as lake:
        lake.execute("call ducklake_flush_inlined_data('lake')")
    assert set(lake_sandbox.SEEN) <= {*TABLES, *VIEWS}
    counts = " union all ".join(f"select '{name}', count(*) from (select * from {name})" for name in lake_sandbox.SEEN)
    found = dict(map(tuple, ask(load(place), counts).rows))
    assert found["accounts"] == found["creator_overview"] == 6
    assert len(ask(load(place), "select a.*, g.* from lake.main.accounts a, growth g").columns) > 20


FORBIDDEN = sorted({*TABLES, *VIEWS} - set(lake_sandbox.SEEN))
TRICKS = [
    "from tenant_notes",
    'select * from "TENANT_NOTES"',
    "from main.tenant_notes",
    "from lake.tenant_notes",
    "from lake.main.tenant_notes",
    'from "lake"."main"."tenant_notes"',
    "table tenant_notes",
    "select (select note from tenant_notes limit 1)",
    "select * from accounts where exists (from tenant_notes)",
    "select * from accounts, lateral (select note from tenant_notes)",
    "with x as (from tenant_notes) from x",
    "with tenant_notes as (select 1) from tenant_notes",
    "with accounts as (from tenant_notes) from accounts",
    "select * from (with tenant_notes as (select 1) select 1), tenant_notes",
    "select * from (with duckdb_tables as (select 1) select 1), duckdb_tables",
    "with \"secret.csv\" as (select 1) from 'secret.csv'",
    "from accounts union all by name select note as handle from tenant_notes",
    "select list_transform([1], x -> (select note from tenant_notes limit 1))",
    "select * from accounts order by (select max(note) from tenant_notes)",
    "from accounts at (version => 1)",
    "from tenant_notes at (version => 2)",
    "from query('from tenant_notes')",
    "from query_table('tenant_notes')",
    "from query_table(['tenant_notes'])",
    "from json_execute_serialized_sql(json_serialize_sql('from tenant_notes'))",
    "select json_serialize_plan('from tenant_notes')",
    "describe tenant_notes",
    "summarize tenant_notes",
    "from (describe tenant_notes)",
    "from (summarize tenant_notes)",
    "from (show all tables)",
    "show tables",
    "explain from tenant_notes",
    "pivot tenant_notes on note using count(*)",
    "from (pivot tenant_notes on note using count(*))",
    "from accounts pivot (count(*) for platform in ('instagram'))",
    "unpivot tenant_notes on note into name n value v",
    "from (unpivot tenant_notes on note into name n value v)",
    "from pragma_table_info('tenant_notes')",
    "from duckdb_tables()",
    "from duckdb_settings()",
    "from duckdb_databases()",
    "from duckdb_columns",
    "from information_schema.tables",
    "from lake.information_schema.tables",
    "from system.information_schema.columns",
    "from pg_catalog.pg_class",
    "from sqlite_master",
    "from __ducklake_metadata_lake.ducklake_table",
    "from __ducklake_metadata_lake.main.ducklake_inlined_data_tables",
    "from ducklake_snapshots('lake')",
    "from ducklake_table_changes('lake', 'main', 'tenant_notes', 0, 99)",
    "from ducklake_list_files('lake', 'tenant_notes')",
    "from lake.snapshots()",
    "from sqlite_scan('data/catalog.sqlite', 'ducklake_table')",
    "select current_setting('allowed_directories')",
    "select getenv('HOME')",
    "select main.current_setting('temp_directory')",
    "select pg_get_viewdef(1)",
    "select current_query()",
]
FILES = [
    "from 'secret.csv'",
    "from '/etc/passwd'",
    "from read_csv('/etc/passwd')",
    "from read_text('/etc/passwd')",
    "from read_blob('data/catalog.sqlite')",
    "from read_parquet('data/main/accounts/*.parquet')",
    "from parquet_metadata('data/main/accounts/*.parquet')",
    "from glob('/*')",
    "from sniff_csv('secret.csv')",
    "from read_json('http://127.0.0.1:1/x')",
    "from 'https://127.0.0.1:1/x.parquet'",
    "copy accounts to 'out.csv'",
    "copy (from tenant_notes) to '/dev/stdout'",
    "export database 'out'",
    "attach 'data/catalog.sqlite' as other",
    "attach ':memory:' as other",
    "detach lake",
    "use memory",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "reset lock_configuration",
    "pragma database_list",
    "call ducklake_snapshots('lake')",
    "create table x as select 1",
    "create macro f() as 1",
    "create secret s (type s3)",
    "insert into accounts by name select 'x' as account_id",
    "delete from accounts",
    "drop table accounts",
    "update accounts set bio = 'x'",
    "begin",
    "prepare p as select 1",
    "execute p",
    "vacuum",
    "checkpoint",
    "select 1; select 2",
    "select 1; drop table accounts",
    "with x as (delete from accounts returning *) from x",
    "",
    "no sql at all",
    "select \0",
    "select $1",
]


NAMED = [f"select * from (with {name} as (select 1) select 1), {name}" for name in FORBIDDEN]


@pytest.mark.parametrize("query", [*TRICKS, *FILES, *(f"from {name}" for name in FORBIDDEN), *NAMED])
def test_what_may_not_be_asked(query: str) -> None:
    """Told apart by its form, before any database is opened; a query with a parameter fails later, for want of one."""
    if query == "select $1":
        return
    with pytest.raises(UsageError):
        lake_sandbox.checked(query)


def test_refusals_over_http(served: Serving, place: Path) -> None:
    """400 with a sentence and no more: a query of each kind that is refused, of which the file system shows nothing."""
    before = sorted(path for path in place.rglob("*") if "cache" not in path.parts and "index" not in path.parts)
    for query in (TRICKS[4], FILES[11], "select $1", "select nothing from accounts"):
        status, found = post(served, query)
        assert (status, set(found)) == (400, {"error", "details"}), query
        assert str(place) not in found["details"]
        assert SECRET not in found["details"]
    after = sorted(path for path in place.rglob("*") if "cache" not in path.parts and "index" not in path.parts)
    assert after == before


def test_the_second_wall_holds_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that got past the parser cannot open files of other tables or of the machine, write, or unlock."""
    monkeypatch.setattr(lake_sandbox, "checked", lambda query: query)
    with Lake(place / "data", writable=True) as lake:
        lake.execute("call ducklake_flush_inlined_data('lake')")
    asked = {"folder": str(place / "data"), "limit": 9, "most_bytes": 9_999, "memory_mb": 512}
    assert lake_sandbox.answer({**asked, "query": "from accounts"})["returned_count"] == 6
    for query in (
        "from tenant_notes",
        f"from read_text('{place}/secret.csv')",
        f"from read_parquet('{place}/data/main/tenant_notes/*.parquet')",
        "from read_csv('/etc/passwd')",
        f"from glob('{place}/*')",
        f"copy (select 1) to '{place}/out.csv'",
        f"attach '{place}/data/catalog.sqlite' as other (type sqlite)",
        "load httpfs",
        "set enable_external_access = true",
        "set memory_limit = '9GB'",
        "insert into accounts by name select 'x' as account_id",
        "create table made as select 1",
    ):
        with pytest.raises((UsageError, duckdb.Error)):
            lake_sandbox.answer({**asked, "query": query})


@pytest.mark.slow
def test_what_never_ends_is_ended(served: Serving, place: Path) -> None:
    """503 that names it, the process is gone, and another query is answered."""
    with serving(place, serve_sql=True, sql_timeout_s=1) as opened:
        for query in (
            "with recursive q as (select 1 as n union all select n + 1 from q) select count(*) from q",
            "select count(*) from range(100000000000) a, range(100000) b where a.range % 7 = b.range % 11",
        ):
            status, found = post(opened, query)
            assert (status, found["error"]) == (503, "query_timeout")
    assert post(served, "select 1")[0] == 200


@pytest.mark.slow
def test_too_large_an_answer(served: Serving) -> None:
    """Of many rows those that fit; a value that fits nowhere, or more memory than there is: told, not tried."""
    status, found = post(served, "select repeat('x', 10000) || range as x from range(5000)", limit=10_000)
    assert (status, found["is_truncated"]) == (200, True)
    assert len(json.dumps(found)) < guarded_sql.MOST_BYTES * 1.1
    for query in (
        "select repeat('x', 1000000) || range as x from range(10000)",
        "select repeat('x', 3000000000)",
    ):
        status, found = post(served, query)
        assert (status, found["error"]) in ((400, "invalid_request"), (503, "query_timeout")), found
    assert post(served, "select " + "(" * 8_000 + "1" + ")" * 8_000)[0] in (200, 400)
    assert post(served, "select 1", limit=10_001)[0] == 400


def test_the_process_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of the user do not get where a query runs."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert set(guarded_sql._environment()) <= {"HOME"}
    assert os.environ["OPENAI_API_KEY"] == SECRET


def test_errors_of_the_lake_come_through(tmp_path: Path, empty_lake: Path) -> None:
    """Those that another process met are raised as what they are."""
    folder = make_workspace(tmp_path, empty_lake)
    (folder / "data" / "lake.json").write_text("{")
    with pytest.raises(IntegrityError):
        ask(load(folder), "select 1")
    with pytest.raises(UsageError, match="igtool enrich"):
        ask(load(tmp_path / "none"), "select 1")
    with pytest.raises(QueryTooSlow):
        guarded_sql._document(b"", is_late=True, status=-9, timeout_s=1)


def test_it_is_off(tmp_path: Path, empty_lake: Path) -> None:
    """Unless it is switched on there is no such route, nor is it told of."""
    with serving(make_workspace(tmp_path, empty_lake)) as opened:
        assert opened.client.post("/api/v1/sql", json={"query": "select 1"}).json()["error"] == "not_found"
        assert "/api/v1/sql" not in opened.get("/openapi.json").text
