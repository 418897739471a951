"""Rows of the tables of ``igtool.schema`` as Arrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from igtool.schema import Table

pa.set_memory_pool(pa.system_memory_pool())  # gives back what it frees: 8 MB less over a night of small commits

_TYPES = {
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    "VARCHAR[]": pa.list_(pa.string()),
    "BIGINT[]": pa.list_(pa.int64()),
    "BLOB": pa.binary(),
    "FLOAT[]": pa.list_(pa.float32()),
}

Rows: TypeAlias = Sequence[dict[str, Any]] | pa.Table
"""Rows of a table: dicts by column name (a missing column is NULL), or Arrow with the columns of ``arrow_schema``."""


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow types of ``table``; JSON is text."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in table.columns])


def arrow_table(table: Table, rows: Rows) -> pa.Table:
    """``rows`` with the columns and types of ``table``."""
    if isinstance(rows, pa.Table):
        return rows
    return pa.Table.from_pylist(list(rows), schema=arrow_schema(table))


def joined(table: Table, parts: Sequence[Rows]) -> pa.Table:
    """All rows of ``parts``, in order."""
    return pa.concat_tables([arrow_schema(table).empty_table(), *(arrow_table(table, part) for part in parts)])
