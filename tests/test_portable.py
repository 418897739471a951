"""One DuckDB file: tables and indexes answer the example queries in a DuckDB of its own; nothing private is in it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from test_searching import add, call

from igtool.extensions import load_extension
from igtool.journal import Journal
from igtool.lake import Lake


@pytest.fixture
def there(lake: Lake, journal: Journal, tmp_path: Path) -> Path:
    """A workspace with three creators, one of them with an e-mail address, and their vectors."""
    add(lake, anna="vegan recipes by train", bea="trains and hats", cleo="mountain huts")
    vectors = {"anna": [1.0, 0, 0, 0], "bea": [0.8, 0.6, 0, 0], "cleo": [0, 0, 1.0, 0]}
    with lake.transaction():
        lake.execute("update accounts set emails = ['anna@invented.example'] where handle = 'anna'")
        for handle, vector in vectors.items():
            lake.execute(
                "insert into embeddings by name select ? as embedding_id, ? as owner_id, 'ig_captions' as field, "
                "'m' as model, ?::float[] as vector",
                (handle, f"instagram:{handle}", vector),
            )
    lake.close()
    journal.close()
    return tmp_path


def opened(path: Path) -> duckdb.DuckDBPyConnection:
    """The file as a user opens it."""
    connection = duckdb.connect(str(path), read_only=True)
    for name in ("fts", "vss"):
        load_extension(connection, name)
    return connection


@pytest.mark.parametrize("hnsw", [True, False])
def test_example_queries_run(there: Path, hnsw: bool) -> None:
    """Every query of the file runs; with --hnsw the plan of the second one uses the index."""
    path = there / "out" / "creators.duckdb"
    shown = call(there, "export", "--duckdb", str(path), *(["--hnsw"] if hnsw else []))
    assert shown.exit_code == 0, shown.stderr
    connection = opened(path)
    queries = dict(connection.execute("from example_queries").fetchall())
    answers = {name: connection.execute(query).fetchall() for name, query in queries.items()}
    assert [row[0] for row in answers["words"]] == ["anna"]
    assert answers["like"][0][0] == "cleo"
    assert {row[0] for row in answers["both"]} == {"cleo"}
    plan = "".join(map(str, connection.execute(f"explain {queries['like'].split(';')[1]}").fetchall()))
    assert ("HNSW_INDEX_SCAN" in plan) is hnsw
    assert connection.execute("select count(*) from creator_overview").fetchone() == (3,)
    connection.close()
    assert b"anna@invented.example" not in path.read_bytes()
    assert [one.name for one in path.parent.iterdir()] == ["creators.duckdb"]


def test_a_file_that_is_there_is_kept(there: Path) -> None:
    """A file is replaced only when asked, and --hnsw without a file is a usage error."""
    path = there / "mine.duckdb"
    path.write_text("mine")
    shown = call(there, "export", "--duckdb", str(path))
    assert (shown.exit_code, path.read_text()) == (2, "mine")
    assert "--yes" in shown.stderr
    assert call(there, "export", "--duckdb", str(path), "--yes").exit_code == 0
    assert call(there, "export", "--hnsw").exit_code == 2
    assert call(there, "export", "--duckdb", str(there / "mine.duckdb" / "x.duckdb")).exit_code == 9


def test_without_vectors(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """A database without vectors still gives texts and tables."""
    add(lake, anna="vegan recipes")
    lake.close()
    journal.close()
    path = tmp_path / "out.duckdb"
    assert call(tmp_path, "export", "--duckdb", str(path), "--hnsw").exit_code == 0
    assert opened(path).execute("select count(*) from creator_texts").fetchone() == (1,)
