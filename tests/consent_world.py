"""A workspace of invented creators, and what was derived of them, for tests of consent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from conftest import NOW

from igtool.consent.records import Declared, Given, declare, grant
from igtool.lake import Lake
from igtool.vocabulary import tags

MARK = "QQXSECRETVALUEXQQ"
"""Stands in every value that was derived: after a revocation no file may hold it."""
CONSENT = ("build", "age_band")


def people(lake: Lake, **accounts: Sequence[str]) -> None:
    """Creators ``c_NAME`` with these accounts (``platform:handle``)."""
    with lake.transaction():
        for name, owned in accounts.items():
            lake.merge("creators", [{"creator_id": f"c_{name}", "canonical_handle": name, "first_seen_at": NOW}])
            for account in owned:
                platform, handle = account.split(":")
                row = {"account_id": account, "platform": platform, "platform_user_id": handle, "handle": handle}
                lake.execute(
                    "insert into accounts by name select ? as account_id, ? as platform, ? as platform_user_id, "
                    "? as handle, ?::timestamptz as observed_at",
                    (*row.values(), NOW),
                )
            link(lake, f"c_{name}", owned)


def link(lake: Lake, creator: str, accounts: Sequence[str]) -> None:
    """Make these accounts the creator's, whoever's they were."""
    rows = [{"account_id": one, "creator_id": creator, "rule": "pinned"} for one in accounts]
    lake.merge("creator_links", rows)


def agree(lake: Lake, account: str, *categories: str, days: float = 0, **changed: Any) -> None:
    """The owner of an account agrees, so many days after the start."""
    at = NOW + timedelta(days=days)
    words = {"evidence": "a form", "declared_adult": True, "granted_at": at, **changed}
    grant(lake, tags.shipped(), [Given(account, one, **words) for one in categories or ("build",)], at)


def say_adult(lake: Lake, account: str, days: float = 0) -> None:
    """The owner of an account declares to be an adult."""
    at = NOW + timedelta(days=days)
    declare(lake, tags.shipped(), Declared(account, "adult", "yes", "a form"), at)


def derive(
    lake: Lake, creator: str, account: str, category: str, tag: str, *, minor: bool | None = False, picture: str = ""
) -> None:
    """One tag of a creator in every table that can hold it, with `MARK` in every text."""
    sha = picture or f"sha_{creator}_{category}"
    key = {"creator_id": creator, "category": category, "tag": tag}
    made = {"reasoning": MARK, "model_used": MARK, "analyzed_at": NOW}
    with lake.transaction():
        lake.merge("media", [{"media_id": f"folder:{sha}", "account_id": account, "sha256": sha, "fetched_at": NOW}])
        lake.merge("image_facts", [{"sha256": sha, "persons_count": 1, "may_be_minor": minor}])
        lake.merge("image_tags", [{**key, **made, "sha256": sha, "state": "assigned", "score": 0.9}])
        lake.merge("creator_tags", [{**key, **made, "images_analyzed": 3, "confidence_score": 0.9}])
        changed = {"changed_at": NOW, "reason": MARK, "state_after": json.dumps({"tag": MARK})}
        lake.merge("creator_tag_history", [{**key, **changed}])
        asked = {"answer_id": f"{creator}{category}", "kind": f"tag:{category}", "item_id": f"{creator}|{sha}"}
        lake.merge("llm_answers", [{**asked, "answer": MARK, "prompt": json.dumps([MARK])}])
        review = {"review_id": f"{creator}{category}", "sha256": sha, "decision": "edit", "corrected_tag": MARK}
        lake.merge("reviews", [{**key, **review, "reviewer": "ana", "is_own_correction": False}])
        found = {"search_id": f"{creator}{category}", "filters": json.dumps({"tags": [f"{category}:any"]})}
        found["candidates"] = json.dumps([{"creator_id": creator, "parts": {MARK: 1.0}}])
        lake.merge("search_log", [{**found, "request": "{}", "weights": "{}"}])
        if category == "build":
            facts = {"creator_id": creator, "sha256": sha, "shoulder_to_hip": 1.2, "silhouette": MARK}
            lake.merge("body_facts", [facts])


def holders(lake: Lake, creator: str, category: str) -> set[str]:
    """The tables that hold something of the category about the creator."""
    found = {
        name
        for name in ("image_tags", "creator_tags", "creator_tag_history", "reviews")
        if lake.value(f"select exists (from {name} where creator_id = ? and category = ?)", (creator, category))
    }
    kind = "select exists (from llm_answers where kind = ? and starts_with(item_id, ?))"
    if lake.value(kind, (f"tag:{category}", f"{creator}|")):
        found.add("llm_answers")
    log = "select exists (from search_log where contains(filters::varchar, ?) and contains(candidates::varchar, ?))"
    if lake.value(log, (f'"{category}:', f'"{creator}"')):
        found.add("search_log")
    if category == "build" and lake.value("select exists (from body_facts where creator_id = ?)", (creator,)):
        found.add("body_facts")
    return found


ALL = {"image_tags", "creator_tags", "creator_tag_history", "reviews", "llm_answers", "search_log"}
"""Tables that `derive` fills for any category."""


def files_with(folder: Path, text: str = MARK) -> list[str]:
    """The files below ``folder`` that hold ``text`` in plain bytes."""
    sought = text.encode()
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and sought in path.read_bytes()
    )
