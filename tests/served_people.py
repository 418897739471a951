"""Invented creators in every table that the server reads; cheap to import, for a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from igtool.lake import Lake

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
PEOPLE: tuple[dict[str, Any], ...] = (
    {"handle": "anna", "bio": "slow trains and tea", "followers": 5_000, "niche": "travel", "interests": ["Trains"]},
    {
        "handle": "bea",
        "bio": "trains and hats",
        "followers": 70_000,
        "niche": "fashion",
        "interests": ["Hats", "Trains"],
    },
    {"handle": "cleo", "bio": "mountain huts", "followers": 70_000, "niche": "travel", "interests": ["Hiking"]},
    {"handle": "dora", "bio": "bread, trenes y más", "followers": 70_000, "niche": "food", "interests": ["Bread"]},
    {"handle": "eva", "bio": "<script>alert(1)</script>", "followers": None, "niche": None, "interests": []},
    {"handle": "anna", "bio": "cakes", "followers": 90_000, "niche": "food", "interests": ["Bread"], "on": "youtube"},
)


def make_workspace(folder: Path, empty_lake: Path, people: Sequence[dict[str, Any]] = PEOPLE) -> Path:
    """A workspace with ``people``, one account each, and no index."""
    shutil.copytree(empty_lake, folder / "data")
    with Lake(folder / "data", writable=True) as lake:
        add_people(lake, people)
    return folder


def add_people(lake: Lake, people: Sequence[dict[str, Any]]) -> None:
    """Put ``people`` into every table that the server reads."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for person in people:
        platform, handle = person.get("on", "instagram"), person["handle"]
        account, creator = f"{platform}:{handle}", f"c_{platform[:2]}_{handle}"
        shared = {"followers_count": person["followers"], "observed_at": NOW, "is_profile": True}
        named = {"canonical_handle": handle, "name": handle.title(), "country": "ES", "first_seen_at": NOW}
        counts = {"total_followers_count": person["followers"], "account_count": 1, "platforms": [platform]}
        rows = {
            "creators": {"creator_id": creator, **named, **counts},
            "creator_links": {"account_id": account, "creator_id": creator},
            "accounts": {"account_id": account, "platform": platform, "handle": handle, "bio": person["bio"], **shared},
            "niches": {"creator_id": creator, "primary_niche": person["niche"], "content_style": "vlog"},
            "profiles": {"creator_id": creator, "user_style": json.dumps({"interests": person["interests"]})},
        }
        for name, row in rows.items():
            tables.setdefault(name, []).append(row)
    with lake.transaction():
        for name, found in tables.items():
            for row in found:
                columns = ", ".join(f"? as {column}" for column in row)
                lake.execute(f"insert into {name} by name select {columns}", list(row.values()))
