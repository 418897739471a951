"""Resolve run over accounts that a test makes up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conftest import NOW

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context
from igtool.stages.resolve import Resolve


def account(platform: str, number: str, handle: str | None, **columns: Any) -> dict[str, Any]:
    """A row of ``accounts``."""
    base = {"account_id": f"{platform}:{number}", "platform": platform, "platform_user_id": number, "handle": handle}
    return {**base, "observed_at": NOW, "answer_id": "x", **columns}


def resolve(lake: Lake, journal: Journal, folder: Path, accounts: Iterable[dict[str, Any]] = ()) -> dict[str, str]:
    """Store accounts, run the stage, and return account id to creator id."""
    rows = list(accounts)
    if rows:
        with lake.transaction():
            lake.merge("accounts", rows)
    context = Context(encoder=lambda: NotImplemented, clock=lambda: NOW)
    Runner(lake, journal, context, Progress(folder / "p.json", "t", bars=False)).run([Resolve()])
    links = lake.rows("select account_id, creator_id from creator_links")
    return {row["account_id"]: row["creator_id"] for row in links}


def groups(creators: dict[str, str]) -> set[frozenset[str]]:
    """Which accounts are together."""
    return {frozenset(a for a, c in creators.items() if c == creator) for creator in creators.values()}
