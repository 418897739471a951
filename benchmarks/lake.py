"""Rows into the lake: many at once, and a few by key into many; beside a table of DuckDB and one of SQLite.

    python -m benchmarks.lake [--rows 1000000] [--rounds 5]

All three get the same accounts (16 columns) and have a key; what has to be on disk when it returns is on disk: igtool
forces its files there and hashes them, DuckDB and SQLite (``synchronous=FULL``) write their logs. igtool keeps older
snapshots, so that its merge writes new files; the others overwrite. A JSON line for each, times in seconds.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.results import Peer, emit
from igtool.arrow import arrow_schema
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.schema import TABLES

TABLE = "content_items"
COLUMNS = (
    "content_id", "platform", "account_id", "type", "url", "title_or_caption", "published_at", "like_count",
    "comment_count", "view_count", "is_sponsored", "language", "answer_id", "shape", "parser_version", "observed_at",
)  # fmt: skip
NOW = datetime(2026, 10, 1, tzinfo=UTC)
_COMMIT = 100_000
_MERGED = (100, 20_000)
"""Rows of a merge."""


def items(numbers: np.ndarray[Any, Any], seen: datetime) -> pa.Table:
    """Invented content items of these numbers, twelve an account, as they were at ``seen``."""
    known: dict[str, Any] = {
        "content_id": [f"instagram:{number}" for number in numbers.tolist()],
        "platform": ["instagram"] * len(numbers),
        "account_id": [f"instagram:a{number // 12}" for number in numbers.tolist()],
        "type": ["post"] * len(numbers),
        "url": [f"https://example.org/p/{number}" for number in numbers.tolist()],
        "title_or_caption": [
            f"Number {number}: trains, tea and huts {number * 7919 % 99991}" for number in numbers.tolist()
        ],
        "published_at": [seen - timedelta(hours=int(number) % 20_000) for number in numbers.tolist()],
        **dict.fromkeys(("like_count", "comment_count", "view_count"), numbers % 100003),
        "is_sponsored": (numbers % 10 == 0).tolist(),
        "language": ["en"] * len(numbers),
        "answer_id": [f"{number // 12:064x}" for number in numbers.tolist()],
        "shape": ["instagram_user"] * len(numbers),
        "parser_version": [100] * len(numbers),
        "observed_at": [seen] * len(numbers),
    }
    schema = arrow_schema(TABLES[TABLE])
    empty = pa.nulls(len(numbers))
    columns = [pa.array(known[f.name], f.type) if f.name in known else empty.cast(f.type) for f in schema]
    return pa.table(columns, schema=schema)


class Ours:
    """igtool's lake, as a session opens it."""

    def __init__(self, folder: Path) -> None:
        self._journal = Journal(folder / "cache", writable=True)
        self._lake = Lake(folder / "data", writable=True, on_files=self._journal.record_lake_files)

    def insert(self, rows: pa.Table) -> None:
        """Rows whose keys are new."""
        with self._lake.transaction():
            self._lake.append(TABLE, rows)

    def merge(self, rows: pa.Table) -> None:
        """Rows by key."""
        with self._lake.transaction():
            self._lake.merge(TABLE, rows)

    def count(self) -> int:
        """Rows."""
        return int(self._lake.value(f"select count(*) from {TABLE}"))

    def close(self) -> None:
        """Release both stores."""
        self._lake.close()
        self._journal.close()


class Plain:
    """A table of DuckDB with a primary key, in a file."""

    def __init__(self, folder: Path) -> None:
        self._connection = duckdb.connect(str(folder / "plain.duckdb"))
        schema = TABLES[TABLE]
        columns = ", ".join(f"{c.name} {c.type}" for c in schema.columns if c.name in COLUMNS)
        self._connection.execute(f"create table {TABLE} ({columns}, primary key (content_id))")

    def insert(self, rows: pa.Table) -> None:
        """Rows whose keys are new."""
        incoming = rows.select(COLUMNS)  # noqa: F841 - named in the query
        self._connection.execute(f"insert into {TABLE} by name from incoming")

    def merge(self, rows: pa.Table) -> None:
        """Rows by key."""
        incoming = rows.select(COLUMNS)  # noqa: F841 - named in the query
        self._connection.execute(f"insert or replace into {TABLE} by name from incoming")

    def count(self) -> int:
        """Rows."""
        (found,) = self._connection.execute(f"select count(*) from {TABLE}").fetchone() or (0,)
        return int(found)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Small:
    """A table of SQLite with a primary key, in a file, rows from Python."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "small.sqlite")
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute(f"create table {TABLE} ({', '.join(COLUMNS)}, primary key (content_id)) without rowid")

    def insert(self, rows: pa.Table) -> None:
        """Rows whose keys are new."""
        self.merge(rows)

    def merge(self, rows: pa.Table) -> None:
        """Rows by key."""
        texts = rows.select(COLUMNS).to_pylist()
        places = ", ".join("?" for _ in COLUMNS)
        values = [tuple(str(v) if isinstance(v, datetime) else v for v in row.values()) for row in texts]
        with self._connection:
            self._connection.executemany(f"insert or replace into {TABLE} values ({places})", values)

    def count(self) -> int:
        """Rows."""
        return int(self._connection.execute(f"select count(*) from {TABLE}").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


CONTESTANTS: dict[str, tuple[Callable[[Path], Ours | Plain | Small], str]] = {
    "igtool": (Ours, ""),
    "a DuckDB table with a primary key": (Plain, duckdb.__version__),
    "a SQLite table": (Small, sqlite3.sqlite_version),
}


def seconds(work: Callable[[], None]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measured(store: Ours | Plain | Small, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every commit of an insert, and of merges; half of a merge's rows are there already."""
    found: dict[str, list[float]] = {"insert": []}
    for start in range(0, rows, _COMMIT):
        part = items(np.arange(start, min(start + _COMMIT, rows)), NOW)
        found["insert"].append(seconds(lambda part=part: store.insert(part)))
    top = rows
    for size in _MERGED:
        random = np.random.default_rng(size)
        taken = found.setdefault(f"merge of {size:,}", [])
        for turn in range(rounds):
            old = random.choice(rows, min(size // 2, rows), replace=False)
            part = items(np.concatenate([old, np.arange(top, top + size - len(old))]), NOW + timedelta(days=turn + 1))
            top += size - len(old)
            taken.append(seconds(lambda part=part: store.merge(part)))
    assert store.count() == top, "a row was lost or doubled"
    return found


def main() -> None:
    """Everybody in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    results: dict[str, dict[str, list[float]]] = {}
    for name, (make, _) in CONTESTANTS.items():
        with tempfile.TemporaryDirectory() as place:
            store = make(Path(place))
            results[name] = measured(store, given.rows, given.rounds)
            store.close()
        told = {part: round(statistics.median(taken), 4) for part, taken in results[name].items()}
        print(json.dumps({"benchmark": "lake", "name": name, "rows": given.rows, "median_s": told}), flush=True)
    for part, taken in results["igtool"].items():
        others = {name: found[part] for name, found in results.items() if name != "igtool"}
        data = f"{given.rows:,} content items, 16 columns; half of a merge's rows are known"
        if part == "insert":
            peers = [Peer(name, CONTESTANTS[name][1], given.rows / sum(each)) for name, each in others.items()]
            rate = given.rows / sum(taken)
            emit("lake, insert", rate, "rows/s", n=len(taken), better="higher", data=data, peers=peers)
        else:
            peers = [Peer(name, CONTESTANTS[name][1], statistics.median(each)) for name, each in others.items()]
            emit(f"lake, {part}", statistics.median(taken), "s", n=len(taken), better="lower", data=data, peers=peers)


if __name__ == "__main__":
    main()
