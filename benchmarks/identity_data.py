"""Accounts with known owners for measuring identity: those of legislators, split by person, and an invented world.

A person is of the test split when SHA-256 of their id ends in an even digit; else of the dev split, on which all
weights and thresholds are fitted. The split is fixed: nothing of the test split is looked at but its final figures.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.identity_world import SEEN_AT, lookalikes_of
from igtool.platforms.base import parse
from igtool.platforms.rows import tables

PLATFORMS = ("instagram", "youtube", "twitter", "facebook")
_LETTERS = re.compile(r"[\w.\-]{3,40}")


@dataclass
class Labelled:
    """Accounts as rows of ``accounts``, their owners, and the look-alikes among them with their kind."""

    accounts: list[dict[str, Any]] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    lookalikes: dict[str, str] = field(default_factory=dict)


def is_test(person: str) -> bool:
    """Whether a person is of the test split."""
    return int(hashlib.sha256(person.encode()).hexdigest()[-1], 16) % 2 == 0


def account_of(row: dict[str, Any]) -> dict[str, Any]:
    """The account that `igtool import` makes of a row of a list."""
    parsed = parse(json.dumps(row), observed_at=SEEN_AT)
    if not parsed.accounts:
        raise ValueError(f"{row}: {parsed.reason} {parsed.detail}")
    import pyarrow as pa

    stamp = pa.array([SEEN_AT], pa.timestamp("us", "UTC"))
    (made,) = tables([parsed], pa.array([hashlib.sha256(str(row).encode()).hexdigest()]), stamp)["accounts"].to_pylist()
    return dict(made)


def legislators(folder: Path, split: str, *, lookalikes: bool = True) -> Labelled:
    """The accounts of one split (``dev``, ``test`` or ``all``), with look-alikes of them beside."""
    found = Labelled()
    owners = {
        row[platform]: row["bioguide"]
        for row in csv.DictReader((folder / "legislator_truth.csv").open(encoding="utf-8"))
        for platform in PLATFORMS
        if row[platform]
    }
    rows = [
        json.loads(line) for line in (folder / "legislator_accounts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kept = []
    for row in rows:
        owner = owners.get(row["account_key"], row["account_key"])
        if split == "all" or is_test(owner) == (split == "test"):
            kept.append(row)
            account = account_of(row)
            found.accounts.append(account)
            found.owners[account["account_id"]] = owner
    if lookalikes:
        made = [*_false_friends(folder), *lookalikes_of(kept, seed=7)]
        for row, kind in made:
            account = account_of(row)
            if account["account_id"] not in found.owners:
                found.accounts.append(account)
                found.owners[account["account_id"]] = f"{kind}:{account['handle']}"  # one organisation, one handle
                found.lookalikes[account["account_id"]] = kind
    return found


def _false_friends(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The patterns that are handles, as accounts; shown with the handle's words as name, as such pages are."""
    for row in csv.DictReader((folder / "legislator_false_friends.csv").open(encoding="utf-8")):
        handle = row["pattern"].strip("^$")
        if _LETTERS.fullmatch(handle):
            words = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", handle))
            yield {"platform": row["service"], "handle": handle, "display_name": words or handle}, "false friend"
