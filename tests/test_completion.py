"""``igtool completion`` and ``igtool explain``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from igtool import errors
from igtool.cli import main
from igtool.commands.completion import STAGES
from igtool.explaining import CODE, explain, explanations
from igtool.lake import Lake
from igtool.pipeline import NAMES
from igtool.report import texts


def offered(*words: str, incomplete: str = "") -> list[str]:
    """What a key press after ``words`` offers."""
    shell = ShellComplete(main, {}, "igtool", "_IGTOOL_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), incomplete)]


def test_commands_options_and_choices_are_offered() -> None:
    """Commands, those of groups, options, and the values of an option that has a few."""
    assert {"enrich", "demo", "explain", "completion"} <= set(offered())
    assert offered("list", incomplete="a") == ["add"]
    assert "--only-new" in offered("enrich", incomplete="--only")
    assert offered("enrich", "--platform", incomplete="you") == ["youtube"]


def test_stages_are_offered_as_they_are() -> None:
    """The names that a key press offers are those of the pipeline."""
    assert STAGES == NAMES
    assert offered("run", "normalize", incomplete="emb") == ["embed", "embed_style"]
    assert offered("rejects", "--stage", incomplete="res") == ["resolve"]


def test_lists_are_offered_from_the_workspace(lake: Lake, tmp_path: Path) -> None:
    """Own lists and given ones, of the workspace before the command; nothing where there is no workspace."""
    row = {"tenant_id": "local", "list_name": "shortlist", "creator_id": "c1", "changed_at": datetime.now(UTC)}
    named = {name: value for name, value in row.items() if name in lake.query("from tenant_lists").column_names}
    lake.append("tenant_lists", [named])
    lake.append("tenant_lists", [named | {"list_name": "other", "tenant_id": "acme"}])
    place = ("--workspace", str(tmp_path))
    assert offered(*place, "search", "--list") == ["shortlist"]
    assert offered(*place, "list", "show", incomplete="sh") == ["shortlist"]
    assert offered(*place, "list", "show", incomplete="x") == []
    assert offered("--workspace", str(tmp_path / "nowhere"), "search", "--list") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_its_script(shell: str) -> None:
    """The script says where to put it, and the shell reads it where it is here."""
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_IGTOOL_COMPLETE" in result.stdout
    assert f"igtool completion {shell}" in result.stdout.splitlines()[-1]
    assert shell != "zsh" or result.stdout.startswith("#compdef igtool")
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=result.stdout, text=True, check=True)


def test_every_code_error_and_slug_is_explained() -> None:
    """All of the tree and of the texts, each with a sentence; and whatever is given is found again."""
    known = list(explanations())
    assert all(one.meaning.endswith(".") and "``" not in one.meaning for one in known), known
    codes = {int(one.name) for one in known if one.kind == CODE}
    assert codes == {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130, 143}
    names = {one.name for one in known}
    tree = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert tree | set(texts.REASONS) | set(texts.ODD) | set(texts.STATUSES) | set(texts.RULES) <= names
    assert all(one in explain(one.name.upper()) for one in known)


def test_explain_says_what_to_do_and_names_what_comes_close() -> None:
    """In words, as JSON, and for a slip of the finger."""
    told = CliRunner().invoke(main, ["explain", "7"])
    assert "LockedError" not in told.stdout
    assert re.search(r"Another process.*same command again", told.stdout, re.DOTALL)
    told = CliRunner().invoke(main, ["explain", "no_handle", "--json"])
    assert json.loads(told.stdout)["rows"][0]["name"] == "no-handle"
    told = CliRunner().invoke(main, ["explain", "brokenjson"])
    assert told.exit_code == errors.UsageError.exit_code
    assert "broken-json" in told.stderr
    assert CliRunner().invoke(main, ["explain", "--json"]).exit_code == 0
