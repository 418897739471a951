"""``igtool search``: ranked creators with their reasons."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from igtool.console import print_json, print_rows, say
from igtool.counts import format_count
from igtool.workspace import Workspace


def print_search(workspace: Workspace, query: str, chosen: dict[str, Any], *, limit: int, as_json: bool) -> None:
    """Search and print. Raises UsageError for a filter that does not fit."""
    from igtool.search.filters import make_filters

    result = workspace.search(query, make_filters(**chosen), limit=limit)
    document = result.document() if hasattr(result, "document") else result
    if as_json:
        print_json(document)
        return
    filters = document["filters"]
    if is_dataclass(filters) and not isinstance(filters, type):
        filters = asdict(filters)
    used = ", ".join(f"{name} = {value}" for name, value in filters.items() if value not in (None, [], ()))
    if used:
        say(f"filters: {used}")
    print_rows(
        [
            {
                "score": round(found["final_score"], 3),
                "handle": found["handle"],
                "name": found["name"],
                "followers": format_count(found["followers_count"]),
                "niche": found["primary_niche"],
                "because": "; ".join(found["reasons"]),
            }
            for found in document["results"]
        ],
        title="" if document["results"] else "creators that match",
    )
