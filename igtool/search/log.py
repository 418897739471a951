"""Searches that were made, for learning weights from them later: noted in the journal, then moved into the lake."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

import msgspec

from igtool.forgotten.naming import PLACEHOLDER
from igtool.forgotten.tombstones import Tombstones
from igtool.journal import Journal
from igtool.lake import Lake

_ENCODER = msgspec.json.Encoder()
"""A hundred candidates with their parts take json 0.5 ms, a twentieth of a search."""


def row_of(
    document: dict[str, Any],
    ranked: list[tuple[str, dict[str, float]]],
    at: datetime,
    *,
    tenant_id: str,
    **request: Any,
) -> dict[str, Any]:
    """A search of a tenant as a row of ``search_log``: ``document`` is that of its result, with weights."""
    return {
        "search_id": f"{at:%Y%m%dT%H%M%S.%f}-{os.getpid()}",
        "tenant_id": tenant_id,
        "query": document["query"],
        "filters": json.dumps(document["filters"]),
        "request": json.dumps(request),
        "weights": json.dumps(document["weights"]),
        "candidates": _ENCODER.encode([{"creator_id": one, "parts": parts} for one, parts in ranked]).decode(),
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
        _leave_out_forgotten(lake, rows)
        with lake.transaction():
            lake.append_new("search_log", rows)
        journal.drop_searches([number for number, _ in noted])
    return len(noted)


def _leave_out_forgotten(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Searches that a server had in its memory when somebody was forgotten do not name them."""
    stones = Tombstones(lake)
    if not stones:
        return
    found = {one["creator_id"] for row in rows for one in json.loads(row["candidates"])}
    query = "select creator_id from creators where creator_id in (select unnest(?::varchar[]))"
    there = {row["creator_id"] for row in lake.rows(query, (sorted(found),))}
    for row in rows:
        left = [one for one in json.loads(row["candidates"]) if one["creator_id"] in there]
        words = (PLACEHOLDER if stones.has(None, word.strip("\"',;.")) else word for word in row["query"].split(" "))
        row |= {"candidates": json.dumps(left), "query": " ".join(words)}
