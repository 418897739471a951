"""``igtool show``: one creator on one screen, as it is or as it was known earlier."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from igtool.console import cell, make_console, print_rows
from igtool.counts import format_count
from igtool.text import harmless, one_line

Row = dict[str, Any]

_GROWN = ("followers", "posts", "views")


def print_creator(creator: Row) -> None:
    """Name and niche first, then accounts with their source, numbers, profile and newest items."""
    from igtool.report.rhythm import rhythm_of

    _print_name(creator)
    niches, profile = creator["niches"] or {}, creator["profiles"] or {}
    _line("followers", format_count(creator["total_followers_count"]))
    niche = niches.get("primary_niche")
    if niche:
        others = cell(niches.get("secondary_niches"))
        _line("niche", f"{niche} ({niches['confidence_score']:.2f})" + (f", also {others}" if others else ""))
    _line("style", niches.get("content_style"))
    _line("summary", niches.get("llm_summary"))
    style = json.loads(profile.get("user_style") or "null") or {}
    for name in ("persona", "tone", "interests"):
        _line(name, cell(style.get(name)))
    _line("audience", profile.get("audience_type"))
    _line("topics", cell(profile.get("content_topics")))
    pattern = json.loads(profile.get("posting_pattern") or "null") or {}
    for label, told in rhythm_of(pattern):
        _line(label, told)
    _print_engagement(creator)
    _line("engagement style", profile.get("engagement_style"))
    _line("brand fit", cell(profile.get("brand_fit")))
    _line("said by", _makers(niches, profile))
    _line("tags", ", ".join(f"{one['category']}:{one['tag']}" for one in creator["tags"]))
    _print_growth(creator)
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
    _print_bios(creator)
    _print_items(creator)


def _makers(niches: Row, profile: Row) -> str:
    """Which method made which of the fields above."""
    methods = json.loads(profile.get("methods") or "{}") | json.loads(niches.get("methods") or "{}")
    fields: dict[str, list[str]] = {}
    for name, method in methods.items():
        if method != "none":
            fields.setdefault(method, []).append(name.removeprefix("user_style.").replace("_", " "))
    model = profile.get("model") if profile.get("prompt_version") else None
    parts = [
        f"{model if model and method == 'model' else method}: {', '.join(names)}" for method, names in fields.items()
    ]
    return "; ".join(sorted(parts))


def print_earlier(creator: Row) -> None:
    """What ``igtool.history`` found: each number with the time of the snapshot that it is from."""
    _print_name(creator)
    _line("as of", f"{creator['as_of']:%Y-%m-%d %H:%M} UTC, first seen {creator['first_observed_at']:%Y-%m-%d %H:%M}")
    _line("followers", format_count(creator["total_followers_count"]))
    _print_engagement(creator)
    for rhythm in creator["posting"]:
        pace = rhythm["items_per_week"]
        _line("items a week", f"{rhythm['account_id']} {'unknown' if pace is None else f'{pace:.1f}'}")
    for part in creator["content_mix"]:
        _line("content", f"{part['account_id']} {part['type']}: {part['items']} ({part['share']:.0%})")
    _print_growth(creator)
    print_rows(
        [
            {
                "account": account["account_id"],
                "handle": account["handle"],
                "metric": metric,
                "count": snapshot["value"],
                "observed": snapshot["observed_at"],
                "source": snapshot["source"],
            }
            for account in creator["accounts"]
            for metric, snapshot in account["snapshots"].items()
        ],
        title="counts by snapshot",
    )
    _print_bios(creator)
    _print_items(creator)
    _line("items until then", creator["item_count"])
    _line("not known then", f"{', '.join(creator['not_known_then'])}: accounts are linked as they are now")


def _line(label: str, value: Any) -> None:
    from rich.markup import escape

    if value not in (None, "", [], "null"):
        make_console().print(f"  [dim]{label:<17}[/dim] {escape(harmless(one_line(str(value), 400)))}")


def _print_name(creator: Row) -> None:
    from rich.markup import escape

    make_console().print(
        f"[bold]{escape(harmless(one_line(creator['name'] or '', 80)))}[/bold]  {creator['creator_id']}"
    )


def _print_engagement(creator: Row) -> None:
    """Of each account its rate, and of what it is a share; ``unknown`` where it has items without one."""
    for row in creator["engagement"]:
        of = "views" if row["platform"] == "youtube" else "followers"
        rate = row["engagement_rate"]
        told = "unknown" if rate is None else f"{rate:.2%} of {of}, median of {row['rated_items']} items"
        _line("engagement rate", f"{row['account_id']} {told}")


def _print_growth(creator: Row) -> None:
    """Changes over 7, 30 and 90 days that two snapshots tell."""
    for row in creator["growth"]:
        if row["change"] is not None and row["metric"] in _GROWN and not row["has_gap"]:
            share = f" ({row['change_share']:+.1%})" if row["change_share"] is not None else ""
            told = f"{row['subject_id']} {row['metric']} {row['change']:+d}{share} in {row['window_days']} days"
            _line("growth", f"{told}, until {row['latest_at']:%Y-%m-%d}")


def _print_bios(creator: Row) -> None:
    for account in creator["accounts"]:
        _line(f"bio @{account['handle']}", account["bio"])


def _print_items(creator: Row) -> None:
    items: list[dict[str, str | datetime | None]] = [
        {
            "published": item["published_at"],
            "type": item["type"],
            "likes": format_count(item["like_count"]),
            "comments": format_count(item["comment_count"]),
            "views": format_count(item["view_count"]),
            **({"observed": item["observed_at"]} if "observed_at" in item else {}),
            "text": one_line(item["title_or_caption"] or "", 70),
        }
        for item in creator["newest_items"]
    ]
    print_rows(items, title="\nnewest items")
