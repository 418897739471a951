"""What a payload gives, as rows of the tables: what tests of shapes look at."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from igtool.platforms.base import Parsed, parse
from igtool.platforms.rows import tables
from igtool.schema import TABLES

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Read:
    """``Parsed`` with its rows as dicts by column name; the answer's id is ``an-answer``."""

    outcome: str
    accounts: list[dict[str, Any]]
    content_items: list[dict[str, Any]]
    metric_snapshots: list[dict[str, Any]]
    lost: list[str]
    reason: str | None
    detail: str
    shape: str | None


def read(body: bytes | str, subject: str | None = None, observed_at: datetime = WHEN) -> Read:
    """``body`` parsed and made into rows that fit the schema."""
    parsed = parse(body, subject=subject, observed_at=observed_at)
    made = rows_of(parsed, observed_at)
    return Read(
        parsed.outcome,
        made["accounts"],
        made["content_items"],
        made["metric_snapshots"],
        parsed.lost,
        parsed.reason,
        parsed.detail,
        parsed.shape,
    )


def rows_of(parsed: Parsed, observed_at: datetime = WHEN) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, checked against the schema."""
    moment = pa.array([observed_at], type=pa.timestamp("us", tz="UTC"))
    made = tables([parsed], pa.array(["an-answer"]), moment)
    for name, table in made.items():
        assert tuple(table.column_names) == TABLES[TABLES[name].states or name].column_names
        assert all(table.column(key).null_count == 0 for key in TABLES[name].key)
    return {name: table.to_pylist() for name, table in made.items()}


def golden(found: Read) -> str:
    """What a reviewer reads: the outcome, what was lost, the shape, and of each row the cells that hold something."""
    shown = asdict(found)
    for name in ("accounts", "content_items", "metric_snapshots"):
        shown[name] = [{column: cell for column, cell in row.items() if cell is not None} for row in shown[name]]
    shown["metric_snapshots"].sort(key=lambda row: (row["subject_id"], row["metric"]))
    return json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"
