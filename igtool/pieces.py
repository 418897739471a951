"""The pending rows of a stage in pieces, for processes that work on them side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from igtool.errors import IgtoolError
from igtool.lake import Lake
from igtool.stages.base import BatchStage
from igtool.workers import HEAD, head_of

_PIECE_BYTES = 16 << 20
"""What a process works on at a time."""
_READ_AT_ONCE = 16
"""Batches that one query reads: many a query takes as long for one of them."""


class Piece(NamedTuple):
    """Rows that are worked on together. ``head``: ``HEAD`` of their items, by which the runner books them."""

    head: pa.Table
    rows: pa.Table


def cut(batches: Iterable[pa.RecordBatch], items: int) -> Iterator[pa.Table]:
    """The rows of ``batches`` in pieces of at most ``items`` rows, and of _PIECE_BYTES or a little more."""
    part: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        row_bytes = max(1, batch.nbytes // max(batch.num_rows, 1))
        start = 0
        while start < batch.num_rows:
            step = min(items - rows, max(1, (_PIECE_BYTES - size) // row_bytes), batch.num_rows - start)
            part.append(batch.slice(start, step))
            start, rows, size = start + step, rows + step, size + part[-1].nbytes
            if rows >= items or size >= _PIECE_BYTES:
                yield pa.Table.from_batches(part)
                part, rows, size = [], 0, 0
    if part:
        yield pa.Table.from_batches(part)


def with_heads(pieces: Iterable[pa.Table]) -> Iterator[Piece]:
    """Pieces of a streamed stage, whose rows hold their head."""
    return (Piece(head_of(piece), piece) for piece in pieces)


def read_batches(lake: Lake, stage: BatchStage, total: int, size: int) -> Iterator[Piece]:
    """The ``total`` items of ``memory.pending`` with their rows, ``size`` at a time, read when they are asked for.

    Raises IgtoolError where an item has not one row.
    """
    step = size * _READ_AT_ONCE
    for start in range(0, total, step):
        chosen = f"from memory.pending where number > {start} and number <= {start + step}"
        lake.execute(f"create or replace temp view batch as select item_id, fingerprint {chosen}")
        items = lake.arrow(f"select {', '.join(HEAD)} {chosen} order by item_id")
        rows = lake.arrow(stage.rows)
        places = pc.index_in(items.column("item_id"), value_set=rows.column("item_id").combine_chunks())
        if rows.num_rows != items.num_rows or places.null_count:
            raise IgtoolError(
                f"the stage {stage.name} has {rows.num_rows} rows for {items.num_rows} items: this is a bug in igtool, "
                "nothing of them was stored"
            )
        rows = rows.take(places)
        for first in range(0, items.num_rows, size):
            yield Piece(items.slice(first, size), rows.slice(first, size))
