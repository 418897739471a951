"""Flat lists of accounts: any platform, ids or stand-ins, duplicates once, and every bad row with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import NOW

from igtool.cli import main
from igtool.platforms.base import parse


def read(**row: Any) -> tuple[str | None, str | None]:
    """The account id, or the reason, of a row."""
    parsed = parse(json.dumps(row), observed_at=NOW)
    return (parsed.accounts[0].account_id if parsed.accounts else None), parsed.reason


@pytest.mark.parametrize(
    ("row", "account_id"),
    [
        (
            {"platform": "twitter", "handle": "RepAna", "platform_user_id": None, "display_name": "Ana"},
            "twitter:repana",
        ),
        ({"platform": "x", "handle": "@RepAna", "platform_user_id": 77, "display_name": "Ana"}, "twitter:77"),
        ({"platform": "Facebook", "handle": "Ana.Ruiz", "display_name": "Ana"}, "facebook:ana.ruiz"),
        ({"platform": "instagram", "handle": "ana", "platform_user_id": None, "website": None}, "instagram:@ana"),
        ({"platform": "ig", "handle": "ana", "platform_user_id": "5", "website": None}, "instagram:5"),
        (
            {"platform": "youtube", "handle": None, "platform_user_id": "UCabcdefghijklmnopqrstuv"},
            "youtube:UCabcdefghijklmnopqrstuv",
        ),
        (
            {"platform": "youtube", "handle": "UCabcdefghijklmnopqrstuv", "display_name": "Ana"},
            "youtube:UCabcdefghijklmnopqrstuv",
        ),
        ({"platform": "mastodon", "username": "ana", "name": "Ana", "followers": "1.5k"}, "mastodon:ana"),
    ],
)
def test_a_row_names_an_account_of_any_platform(row: dict[str, Any], account_id: str) -> None:
    """By its id, else by its handle: as `platform:handle` where nothing but lists tells of the platform."""
    assert read(**row) == (account_id, None)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"platform": "", "handle": "ana", "display_name": "Ana"}, "missing-field"),
        ({"handle": "ana", "platform_user_id": "5", "display_name": "Ana"}, "missing-field"),
        ({"platform": "twitter", "handle": " ", "platform_user_id": None, "display_name": "Ana"}, "missing-field"),
        ({"platform": "two words", "handle": "ana", "display_name": "Ana"}, "wrong-type"),
        ({"platform": "'; drop table accounts", "handle": "ana", "display_name": "Ana"}, "wrong-type"),
        ({"platform": "twitter", "handle": "a" * 300, "display_name": "Ana"}, "wrong-type"),
        ({"platform": "twitter", "handle": "two words", "display_name": "Ana"}, "wrong-type"),
    ],
)
def test_a_row_that_names_no_account_says_why(row: dict[str, Any], reason: str) -> None:
    """Nothing is guessed: no platform, no name, names that no platform has."""
    assert read(**row) == (None, reason)


def imported(folder: Path, name: str, text: str) -> tuple[Result, list[dict[str, Any]]]:
    """A list imported in this process, and the accounts afterwards."""
    (folder / name).write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["--workspace", str(folder / "w"), "import", str(folder / name)])
    query = "select account_id, display_name, external_url, answer_id from accounts order by 1"
    shown = CliRunner().invoke(main, ["--workspace", str(folder / "w"), "sql", query, "--json"])
    return result, json.loads(shown.stdout)["rows"]


def test_a_list_is_imported_with_its_rows_kept(tmp_path: Path) -> None:
    """Doubled rows are one account, a bad row is a reject and stops no other, every account leads to its row."""
    good = {"platform": "twitter", "handle": "Ana", "display_name": "Ana", "website": "https://ana.example"}
    hostile = good | {"handle": "bo", "display_name": "=cmd|' /C calc'!A0", "website": "javascript:alert(1)"}
    lines = [json.dumps(row) for row in (good, good, hostile, good | {"platform": None})]
    result, rows = imported(tmp_path, "list.jsonl", "\n".join(lines))
    assert result.exit_code == 8
    assert [(row["account_id"], row["external_url"]) for row in rows] == [
        ("twitter:ana", "https://ana.example"),
        ("twitter:bo", "javascript:alert(1)"),
    ]
    assert all(row["answer_id"] for row in rows)


def test_a_table_without_rows_is_said(tmp_path: Path) -> None:
    """A header alone gives no account and a reason."""
    result, rows = imported(tmp_path, "list.csv", "platform,handle,platform_user_id,display_name,website\n")
    assert (result.exit_code, rows) == (8, [])
