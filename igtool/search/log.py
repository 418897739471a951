"""Searches that were made, for learning weights from them later: noted in the journal, then moved into the lake."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

from igtool.journal import Journal
from igtool.lake import Lake


def row_of(
    document: dict[str, Any], ranked: list[tuple[str, dict[str, float]]], at: datetime, **request: Any
) -> dict[str, Any]:
    """A search as a row of ``search_log``: ``document`` is that of its result, with weights."""
    return {
        "search_id": f"{at:%Y%m%dT%H%M%S.%f}-{os.getpid()}",
        "tenant_id": "local",
        "query": document["query"],
        "filters": json.dumps(document["filters"]),
        "request": json.dumps(request),
        "weights": json.dumps(document["weights"]),
        "candidates": json.dumps([{"creator_id": one, "parts": parts} for one, parts in ranked]),
        "index_version": document["index"]["version"],
        "model": document["index"]["model"],
        "searched_at": at.isoformat(),
    }


def store_searches(lake: Lake, journal: Journal) -> int:
    """Move what was searched from the journal to ``search_log``; how many searches those were."""
    noted = journal.searches()
    if noted:
        rows = [json.loads(row) for _, row in noted]
        for row in rows:
            row["searched_at"] = datetime.fromisoformat(row["searched_at"])
        with lake.transaction():
            lake.append_new("search_log", rows)
        journal.drop_searches([number for number, _ in noted])
    return len(noted)
