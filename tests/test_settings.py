"""Settings: defaults < igtool.toml < .env < environment < flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from igtool.errors import ConfigError
from igtool.settings import load


def test_each_place_overrides_the_one_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One setting in all places, removed from the top down."""
    (tmp_path / "igtool.toml").write_text("stage_batch_size = 1\n")
    (tmp_path / ".env").write_text("IGTOOL_STAGE_BATCH_SIZE=2\n")
    monkeypatch.setenv("IGTOOL_STAGE_BATCH_SIZE", "3")
    assert load(tmp_path, stage_batch_size=4).stage_batch_size == 4
    assert load(tmp_path, stage_batch_size=None).stage_batch_size == 3
    monkeypatch.delenv("IGTOOL_STAGE_BATCH_SIZE")
    assert load(tmp_path).stage_batch_size == 2
    (tmp_path / ".env").unlink()
    assert load(tmp_path).stage_batch_size == 1
    (tmp_path / "igtool.toml").unlink()
    assert load(tmp_path).stage_batch_size is None


def test_the_workspace_comes_from_the_environment_and_holds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """data/ and cache/ are looked for in the workspace."""
    monkeypatch.setenv("IGTOOL_WORKSPACE", str(tmp_path))
    settings = load()
    assert (settings.data, settings.cache) == (tmp_path / "data", tmp_path / "cache")


@pytest.mark.parametrize("text", ["stage_batch_size = 0\n", "stage_batch_size = 'many'\n", "stage_batch_size = [\n"])
def test_a_wrong_setting_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    """The message names the setting or the file."""
    (tmp_path / "igtool.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"stage_batch_size|igtool\.toml"):
        load(tmp_path)
