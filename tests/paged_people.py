"""Invented creators with all that pages show, some of whose texts try to run as script."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from served_people import NOW, make_workspace

from igtool.lake import Lake

ATTACKS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>'",
    "</title></textarea></style><svg onload=alert(3)>",
    "{{ 7 * 7 }}{% raw %}",
    "<a hx-get='/status' hx-trigger='load' hx-on::load='alert(4)' href='javascript:alert(5)'>x</a>",
)
"""Texts that would do something on a page which does not escape them."""
HOSTILE = "c_hostile"
_ALL = " ".join(ATTACKS)
_LINKS = [
    "javascript:alert(6)",
    "https://a.example/\"onmouseover='alert(7)'",
    "data:text/html,<script>alert(8)</script>",
]


def make_paged_workspace(folder: Path, empty_lake: Path) -> Path:
    """A workspace with the people of `served_people`, one told in full, and one who is hostile in every field."""
    make_workspace(folder, empty_lake)
    with Lake(folder / "data", writable=True) as lake, lake.transaction():
        for table, rows in {**_whole(), **{f"{name} ": rows for name, rows in _hostile().items()}}.items():
            for row in rows:
                columns = ", ".join(f"? as {column}" for column in row)
                lake.execute(f"insert into {table.strip()} by name select {columns}", list(row.values()))
    return folder


def _whole() -> dict[str, list[dict[str, Any]]]:
    """Greta, on two platforms, with posts, topics, tags and two looks."""
    return _creator(
        "c_greta",
        "Greta Holmqvist-Ardal",
        {"instagram:greta": "gretaholmqvist", "youtube:UCgreta": "gretaholmqvist"},
        text="Night trains, slow food and a small harmonica",
        topics=["night trains", "harmonica"],
        url="https://www.instagram.com/p/one/",
        link="https://greta.example/about",
        niche="travel",
    )


def _hostile() -> dict[str, list[dict[str, Any]]]:
    accounts = {"instagram:hostile": f"hostile{ATTACKS[1]}"}
    return _creator(HOSTILE, _ALL, accounts, text=_ALL, topics=list(ATTACKS), url=_LINKS[0], link=_LINKS[1], niche=_ALL)


def _creator(
    creator_id: str,
    name: str,
    accounts: dict[str, str],
    *,
    text: str,
    topics: list[str],
    url: str,
    link: str,
    niche: str,
) -> dict[str, list[dict[str, Any]]]:
    first = next(iter(accounts))
    evidence = {
        "content_topics": {"content_ids": [f"{first}:1"], "quotes": [text]},
        "primary_niche": {"quotes": [text]},
    }
    pattern = {"frequency": 2.5, "best_hours": [9], "time_zone": niche, "content_mix": {niche: 1.0}}
    style = {"persona": text, "tone": [text], "interests": [niche]}
    return {
        "creators": [
            {
                "creator_id": creator_id,
                "name": name,
                "canonical_handle": accounts[first],
                "platforms": sorted({one.split(":")[0] for one in accounts}),
                "total_followers_count": 41_250,
                "account_count": len(accounts),
                "country": "SE",
                "language": "en",
                "first_seen_at": NOW,
            }
        ],
        "creator_links": [
            {
                "account_id": one,
                "creator_id": creator_id,
                "rule": "same_website",
                "evidence": text,
                "confidence_score": 0.97,
                "decided_by": "rule",
            }
            for one in accounts
        ],
        "accounts": [
            {
                "account_id": one,
                "platform": one.split(":")[0],
                "platform_user_id": one.split(":")[1],
                "handle": handle,
                "display_name": name,
                "bio": text,
                "category": niche,
                "external_url": link,
                "links": _LINKS,
                "followers_count": 20_000 + place,
                "observed_at": NOW,
                "is_profile": True,
            }
            for place, (one, handle) in enumerate(accounts.items())
        ],
        "metric_snapshots": [
            {
                "subject_id": first,
                "subject_type": "account",
                "metric": "followers",
                "value": 18_000 + 200 * week,
                "observed_at": NOW - timedelta(days=70 - 7 * week),
            }
            for week in range(11)
        ],
        "niches": [
            {
                "creator_id": creator_id,
                "primary_niche": niche,
                "secondary_niches": [niche],
                "content_style": "vlog",
                "llm_summary": text,
                "confidence_score": 0.83,
                "methods": json.dumps({"primary_niche": "zero-shot", "llm_summary": text}),
                "model": text,
            }
        ],
        "profiles": [
            {
                "creator_id": creator_id,
                "user_style": json.dumps(style),
                "content_topics": topics,
                "posting_pattern": json.dumps(pattern),
                "audience_type": text,
                "brand_fit": [text],
                "evidence": json.dumps(evidence),
                "methods": json.dumps({"content_topics": "words", "audience_type": "rule"}),
                "confidence": json.dumps({"audience_type": 0.6}),
            }
        ],
        "content_items": [
            {
                "content_id": f"{first}:{number}",
                "platform": first.split(":")[0],
                "account_id": first,
                "type": "post",
                "url": url,
                "title_or_caption": f"{text} {number}",
                "hashtags": ["nighttrains"],
                "published_at": NOW - timedelta(days=number, hours=number),
                "observed_at": NOW,
                "like_count": 1_200 + number,
                "comment_count": 40,
            }
            for number in range(1, 8)
        ],
        "creator_tags": [
            {
                "creator_id": creator_id,
                "category": "setting",
                "tag": niche,
                "confidence_score": 0.71,
                "model_used": text,
                "images_analyzed": 6,
                "reasoning": text,
                "analyzed_at": NOW,
            }
        ],
        "rejects": [{"stage": "import", "reason": niche}] if creator_id == HOSTILE else [],
        "runs": [{"run_id": creator_id, "command": f"enrich {text}", "status": "finished", "started_at": NOW}],
        "tenant_lists": [
            {"tenant_id": "local", "list_name": niche, "creator_id": creator_id, "added_at": NOW},
        ],
    }
