"""``igtool init``: what it makes, that all of it is true, and that it touches nothing that is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from igtool.cli import main
from igtool.settings import environment_names, load
from igtool.settings.sample import EXAMPLES, KEYS

FILES = ["igtool.toml", ".env", ".gitignore"]


def uncommented(path: Path) -> int:
    """Take away the # of every setting of a file; how many there are."""
    text, count = re.subn(r"^#(?=\w+ ?=)", "", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    return count


def test_every_line_counts_once_its_mark_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As made nothing is set; with all lines in use every setting is, to its default where the line says so."""
    for name in [one for setting in (*EXAMPLES, *KEYS) for one in environment_names(setting)]:
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(main, ["init", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "new"
    assert [(folder / name).stat().st_mode & 0o777 for name in FILES] == [0o600] * 3
    untouched = load(folder)
    assert not untouched.model_fields_set & (EXAMPLES.keys() | KEYS.keys())
    assert uncommented(folder / "igtool.toml") == len(EXAMPLES)
    (folder / ".env").write_text((folder / ".env").read_text().replace("=\n", "=some-key\n"))
    assert uncommented(folder / ".env") == len(KEYS)
    settings = load(folder)
    assert settings.model_fields_set >= EXAMPLES.keys() | KEYS.keys()
    same = [getattr(settings, name) == getattr(untouched, name) for name in EXAMPLES]
    assert same == [example is None for example in EXAMPLES.values()]
    assert f"#{environment_names('youtube_api_keys')[0]}=" not in (folder / ".env").read_text()
    assert all("some-key" in str(getattr(settings, name).get_secret_value()) for name in KEYS if name.endswith("key"))


def test_what_is_there_is_left_and_named(tmp_path: Path) -> None:
    """A file of the user stays to the byte, what is missing is made, and an open .env is said."""
    (tmp_path / ".env").write_text("YOUTUBE_API_KEY=mine\n")
    (tmp_path / ".env").chmod(0o644)
    (tmp_path / ".gitignore").symlink_to(tmp_path / "nowhere")
    result = CliRunner().invoke(main, ["--workspace", str(tmp_path), "init", "--json"])
    rows = {Path(row["file"]).name: row["state"] for row in json.loads(result.stdout)["rows"]}
    assert rows == {"igtool.toml": "made", ".env": "left as it was", ".gitignore": "left as it was"}
    assert (tmp_path / ".env").read_text() == "YOUTUBE_API_KEY=mine\n"
    assert not (tmp_path / "nowhere").exists()
    assert "others may read" in result.stderr
    assert "enrich creators.csv" in result.stderr
    again = CliRunner().invoke(main, ["init", str(tmp_path / ".env")])
    assert again.exit_code == 2
