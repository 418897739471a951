"""Rows of the lake as a stream: as they were when it began, few at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import NOW
from postgres_server import lose

from igtool.errors import IntegrityError
from igtool.lake import Lake

QUERY = "select b.item_id, r.body from raw_responses r join batch b on b.item_id = r.answer_id"


def answers(lake: Lake, start: int, end: int, body: str = "x" * 2000) -> None:
    """Raw answers with those numbers, in one commit."""
    rows = [{"answer_id": f"{n:05}", "body": f"{n} {body}", "fetched_at": NOW} for n in range(start, end)]
    with lake.transaction():
        lake.append("raw_responses", rows)


def pending(lake: Lake, start: int, end: int) -> None:
    """Those numbers as what is to be read."""
    lake.execute(
        "create or replace table memory.pending as "
        f"select lpad(range::varchar, 5, '0') as item_id from range({start}, {end})"
    )


def row_groups(lake: Lake) -> list[int]:
    """Rows of each row group of raw_responses on disk."""
    names = [name for name in lake.live_files() if "/raw_responses/" in name]
    found = []
    for name in names:
        with lake.store.open(name) as opened, pq.ParquetFile(opened) as file:
            found += [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    return found


def test_a_stream_sees_the_lake_as_it_was(lake: Lake) -> None:
    """Rows that are added, changed or deleted after it began do not show; those of the batch all do, once each."""
    answers(lake, 0, 1000)
    pending(lake, 100, 1200)
    with lake.stream(QUERY, batch="from memory.pending") as batches:
        seen = [next(batches)]
        with lake.transaction():
            lake.delete("raw_responses", "answer_id", [f"{n:05}" for n in range(500, 1000)])
        answers(lake, 500, 1100, body="changed")
        pending(lake, 0, 1)
        seen += batches
    table = pa.Table.from_batches(seen)
    assert sorted(table.column("item_id").to_pylist()) == [f"{n:05}" for n in range(100, 1000)]
    assert not any("changed" in body for body in table.column("body").to_pylist())
    assert lake.value("select count(*) from raw_responses where body like '%changed'") == 600


def test_a_stream_is_small_parts_of_small_row_groups(lake: Lake) -> None:
    """Bodies lie and come 64 at a time, so that a reader never holds many; merging files keeps it so."""
    for start in range(0, 1000, 250):
        answers(lake, start, start + 250)
    assert max(row_groups(lake)) <= 64
    pending(lake, 0, 1000)
    with lake.stream(QUERY, batch="from memory.pending") as batches:
        sizes = [batch.num_rows for batch in batches]
    assert sum(sizes) == 1000
    assert max(sizes) <= 64
    lake.upkeep(least_commits=0)
    assert sum(row_groups(lake)) == 1000
    assert max(row_groups(lake)) < 2 * 64  # with one thread the rest of a file joins the first group of the next


def test_a_stream_that_is_left_early_is_closed(lake: Lake) -> None:
    """Whoever stops reading, by choice or by an error, can stream again and write."""
    answers(lake, 0, 300)
    pending(lake, 0, 300)

    def first() -> Iterator[pa.RecordBatch]:
        with lake.stream(QUERY, batch="from memory.pending") as batches:
            yield next(batches)

    for _ in range(3):
        assert next(first()).num_rows > 0
    answers(lake, 300, 310)
    assert lake.value("select count(*) from raw_responses") == 310


def test_a_file_that_is_gone_ends_a_stream_with_the_lake_named(lake: Lake) -> None:
    """Damage that shows while reading is an error of ours that says what to run, and not some library's."""
    answers(lake, 0, 300)
    pending(lake, 0, 300)
    for name in lake.live_files():
        lose(lake.place, name)
    with (
        pytest.raises(IntegrityError, match="igtool verify"),
        lake.stream(QUERY, batch="from memory.pending") as batches,
    ):
        list(batches)


def test_one_thread_while_other_processes_work(lake: Lake) -> None:
    """DuckDB keeps to one core for the block only."""
    before = lake.value("select current_setting('threads')")
    with lake.one_thread():
        assert lake.value("select current_setting('threads')") == 1
    assert lake.value("select current_setting('threads')") == before
