"""``igtool show``: one creator on one screen."""

from __future__ import annotations

import json
from typing import Any

from igtool.console import cell, make_console, print_rows
from igtool.counts import format_count
from igtool.text import one_line


def print_creator(creator: dict[str, Any]) -> None:
    """Name and niche first, then accounts with their source, numbers, profile and newest items."""
    from rich.markup import escape

    console = make_console()

    def line(label: str, value: Any) -> None:
        if value not in (None, "", [], "null"):
            console.print(f"  [dim]{label:<17}[/dim] {escape(one_line(str(value), 400))}")

    console.print(f"[bold]{escape(one_line(creator['name'] or '', 80))}[/bold]  {creator['creator_id']}")
    niches, profile = creator["niches"] or {}, creator["profiles"] or {}
    line("followers", format_count(creator["total_followers_count"]))
    niche = niches.get("primary_niche")
    if niche:
        others = cell(niches.get("secondary_niches"))
        line("niche", f"{niche} ({niches['confidence_score']:.2f})" + (f", also {others}" if others else ""))
    line("style", niches.get("content_style"))
    line("summary", niches.get("llm_summary"))
    line("topics", cell(profile.get("content_topics")))
    pattern = json.loads(profile.get("posting_pattern") or "null") or {}
    for name, value in pattern.items():
        line(name.replace("_", " "), json.dumps(value) if isinstance(value, (dict, list)) else value)
    line("engagement style", profile.get("engagement_style"))
    line("brand fit", cell(profile.get("brand_fit")))
    accounts = [
        {
            "account": account["account_id"],
            "handle": account["handle"],
            "followers": format_count(account["followers_count"]),
            "category": account["category"],
            "linked by": account["rule"],
            "observed": account["observed_at"],
            "answer": f"{account['source']}:{account['answer_path']}",
        }
        for account in creator["accounts"]
    ]
    print_rows(accounts)
    for account in creator["accounts"]:
        line(f"bio @{account['handle']}", account["bio"])
    items = [
        {
            "published": item["published_at"],
            "type": item["type"],
            "likes": format_count(item["like_count"]),
            "comments": format_count(item["comment_count"]),
            "views": format_count(item["view_count"]),
            "text": one_line(item["title_or_caption"] or "", 70),
        }
        for item in creator["newest_items"]
    ]
    print_rows(items, title="\nnewest items")
