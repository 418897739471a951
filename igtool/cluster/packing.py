"""Pieces and answers as bytes: what goes into a block of Ray Data, one row each."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pyarrow as pa

from igtool.arrow import arrow_table
from igtool.schema import written
from igtool.stages.base import Output

PIECES = pa.schema([("piece", pa.int64()), ("content", pa.large_binary())])
"""A block: the number of a piece and its rows, or what was made of them."""


def packed(table: pa.Table) -> pa.Buffer:
    """``table`` as an Arrow stream, without what it is a part of."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpacked(content: pa.Buffer | bytes) -> pa.Table:
    """The table that was `packed`; it lies in ``content``, nothing is copied."""
    return pa.ipc.open_stream(content).read_all()


def block(number: int, content: pa.Buffer | bytes) -> pa.Table:
    """One row of ``PIECES``."""
    held = pa.py_buffer(content)
    offsets = pa.array([0, held.size], type=pa.int64()).buffers()[1]
    cell = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, held])
    return pa.table([pa.array([number], type=pa.int64()), cell], schema=PIECES)


def answer_of(output: Output | Exception) -> bytes:
    """What a stage made of a piece, or why it could not."""
    if isinstance(output, Exception):
        return pickle.dumps(output)
    tables = {name: packed(arrow_table(written(name), rows)).to_pybytes() for name, rows in output.tables.items()}
    return pickle.dumps((replace(output, tables={}), tables), protocol=5)


def output_of(answer: pa.Buffer) -> Output:
    """What the stage made. Raises what it raised."""
    told = pickle.loads(answer)  # noqa: S301 - from a process of our own run
    if isinstance(told, Exception):
        raise told
    output, tables = told
    output.tables = {name: unpacked(content) for name, content in tables.items()}
    made: Output = output
    return made
