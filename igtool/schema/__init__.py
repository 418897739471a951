"""Every table of the lake: columns, types, keys and meaning. ``docs/tables.md`` is generated from here.

Conventions: ``_id`` columns are strings, ``_at`` is UTC timestamptz, ``_count`` is BIGINT and NULL when unknown
(never 0 for unknown), ``_score`` is 0-1.
"""

from __future__ import annotations

from igtool.schema import creators, identity, models, people, pictures, platforms, running
from igtool.schema.platforms import PROVENANCE, TOLD_WITH
from igtool.schema.table import Column, Table

__all__ = ["EXPORTED", "PROVENANCE", "SCHEMA_VERSION", "TABLES", "TOLD_WITH", "Column", "Table", "written"]

SCHEMA_VERSION = 12

_TABLES = (
    *platforms.TABLES,
    *creators.TABLES,
    *identity.TABLES,
    *pictures.TABLES,
    *models.TABLES,
    *people.TABLES,
    *running.TABLES,
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}

EXPORTED = (
    "accounts",
    "content_items",
    "creators",
    "creator_links",
    "profiles",
    "niches",
    "metric_snapshots",
    "embeddings",
)
"""Tables written as plain Parquet to ``data/export`` after each run."""


def written(name: str) -> Table:
    """The table whose rows are put in for the table ``name``: that of its states, or itself."""
    return TABLES[TABLES[name].states or name]
