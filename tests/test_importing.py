"""Dumps come in once, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from igtool.errors import Interrupted
from igtool.importing import import_source
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress


def profiles(path: Path, numbers: range) -> None:
    """One invented profile a line."""
    lines = [json.dumps({"data": {"user": {"id": str(n), "username": f"u{n}"}}}) for n in numbers]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def take(lake: Lake, journal: Journal, tmp_path: Path):
    """Import the folder `dumps`; new, skipped and failed."""

    def run(*, stop: bool = False) -> tuple[int, int, int]:
        progress = Progress(tmp_path / "progress.json", "test", bars=False)
        import_source(lake, journal, tmp_path / "dumps", progress, lambda: stop)
        counts = progress.of("import")
        return counts.new, counts.skipped, counts.failed

    (tmp_path / "dumps").mkdir()
    return run


def test_an_answer_is_stored_once_and_a_file_read_once(take, lake: Lake, tmp_path: Path) -> None:
    """The same body in two files is one answer; an unchanged file is not read again; a longer one gives the rest."""
    profiles(tmp_path / "dumps" / "a.jsonl", range(10))
    profiles(tmp_path / "dumps" / "b.jsonl", range(5, 15))
    assert take() == (15, 5, 0)
    assert take() == (0, 2, 0)
    profiles(tmp_path / "dumps" / "b.jsonl", range(5, 20))
    assert take() == (5, 11, 0)
    assert lake.value("select count(*) from raw_responses") == 20


def test_a_mended_file_leaves_the_rejects(take, lake: Lake, tmp_path: Path) -> None:
    """A broken file is a reject with its path; read again and sound, it is none."""
    broken = tmp_path / "dumps" / "one.json"
    broken.write_text('{"data": ')
    assert take() == (0, 0, 1)
    (reject,) = lake.rows("from rejects")
    assert (reject["stage"], reject["reason"], reject["path"]) == ("import", "broken-json", str(broken))
    profiles(broken, range(1))
    os.utime(broken, (1, 1))
    assert take() == (1, 0, 0)
    assert lake.rows("from rejects") == []


def test_a_file_that_the_disk_did_not_give_is_read_again(
    take,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has not changed when the disk, or its mode, is mended: an unreadable file is never done."""
    profiles(tmp_path / "dumps" / "a.jsonl", range(3))
    profiles(tmp_path / "dumps" / "b.jsonl", range(5))
    opened = Path.open

    def refusing(path: Path, *given: Any, **named: Any) -> Any:
        if path.name == "b.jsonl":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opened(path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refusing)
        assert take() == (3, 0, 1)
        assert take() == (0, 1, 1)
        assert [row["reason"] for row in lake.rows("from rejects")] == ["unreadable-file"]
    assert take() == (2, 4, 0)
    assert lake.rows("from rejects") == []


def test_stopping_between_commits_loses_nothing(
    take,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was committed stays, and the next run takes the rest, once."""
    monkeypatch.setattr("igtool.importing._COMMIT_ANSWERS", 7)
    profiles(tmp_path / "dumps" / "a.jsonl", range(20))
    with pytest.raises(Interrupted, match="7 new answers"):
        take(stop=True)
    assert take() == (13, 7, 0)
    assert lake.value("select count(*) from raw_responses") == 20
