"""``igtool search``: ranked creators with their reasons."""

from __future__ import annotations

from typing import Any

from igtool.console import print_json, print_rows, say
from igtool.counts import format_count
from igtool.workspace import Workspace


def print_search(workspace: Workspace, query: str, chosen: dict[str, Any], *, limit: int, as_json: bool) -> None:
    """Search and print. Raises UsageError for a filter that does not fit."""
    from igtool.search.filters import make_filters

    document = workspace.search(query, make_filters(**chosen), limit=limit).document()
    if as_json:
        print_json(document)
        return
    used = ", ".join(f"{name} = {value}" for name, value in document["filters"].items())
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
