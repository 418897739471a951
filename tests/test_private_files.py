"""What igtool writes is for its owner alone, also where umask leaves everything open."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from igtool.cli import main
from igtool.commands.base import report_bug
from igtool.files import make_folder, replaced
from igtool.health import doctor
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.settings import load

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """Files are made for everybody unless somebody sees to it; the mask is as before afterwards."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What lies in ``folder``, itself included, and is not for its owner alone."""
    found = [folder, *folder.rglob("*")]
    assert len(found) > 2
    return [f"{stat.S_IMODE(path.lstat().st_mode):o} {path}" for path in found if path.lstat().st_mode & 0o077]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """One command in this process, in a workspace that it makes."""

    def ran(*arguments: str | Path) -> Result:
        os.umask(0)
        result = CliRunner().invoke(main, ["--workspace", str(tmp_path / "place"), *map(str, arguments)])
        assert result.exit_code in (0, 8), result.output
        return result

    return ran


@pytest.mark.slow
def test_all_that_commands_write_is_for_its_owner(run: Callable[..., Result], tmp_path: Path) -> None:
    """Tables, journal, index, exports, logs, keys, backups, portable files: no file and no folder is open to others."""
    raw = sorted((EXAMPLES / "raw" / "instagram").glob("web_profile_info([tz]*.json"))[:3]
    (tmp_path / "raw").mkdir()
    for path in raw:
        (tmp_path / "raw" / path.name).write_bytes(path.read_bytes())
    place = tmp_path / "place"
    (tmp_path / "list.csv").write_text("Handle,GENRE\nzoraidaquelmar,\n")
    (tmp_path / "out").mkdir(mode=0o700)
    for words in (
        ("enrich", tmp_path / "list.csv", "--source", tmp_path / "raw", "--log-file", tmp_path / "out" / "log"),
        ("search", "food"),
        ("tenant", "add", "acme"),
        ("list", "add", "own", "zoraidaquelmar"),
        ("export", "--duckdb", tmp_path / "out" / "all.duckdb"),
        ("backup", tmp_path / "backup"),
        ("backup", tmp_path / "backup"),
        ("restore", tmp_path / "backup", "--to", tmp_path / "again"),
    ):
        run(*words)
    for folder in (place, tmp_path / "out", tmp_path / "backup", tmp_path / "again"):
        assert open_to_others(folder) == []


def test_stores_of_a_library_are_for_their_owner(tmp_path: Path) -> None:
    """Without the command line too: the journal, the catalog and what SQLite puts beside them."""
    place = tmp_path / "place"
    with Journal(place / "cache", writable=True) as journal, Lake(place / "data", writable=True):
        journal.forget_stages()
        files = {path.name for path in place.rglob("*") if path.is_file()}
        assert {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "catalog.sqlite"} <= files
        assert open_to_others(place) == []
    assert open_to_others(place) == []


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Who opened a folder to others meant it; what is put into it is still for its owner."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    make_folder(shared / "deep" / "er")
    with replaced(shared / "file") as file:
        file.write(b"x")
    modes = [stat.S_IMODE((shared / name).stat().st_mode) for name in ("", "deep", "deep/er", "file")]
    assert modes == [0o755, 0o700, 0o700, 0o600]


def test_reports_of_errors_are_for_their_owner(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A report may quote what was at hand."""
    error = ZeroDivisionError("x")
    report_bug(type(error), error, None)
    path = Path(capsys.readouterr().err.rpartition(" ")[2].strip())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()


def test_doctor_tells_what_others_can_read(tmp_path: Path) -> None:
    """Keys in a file that an editor made for everybody are named with the way to close it."""
    env = tmp_path / ".env"
    env.write_text("OPENAI_API_KEY=x\n")
    tmp_path.chmod(0o755)

    def told() -> str:
        (check,) = [check for check in doctor(load(tmp_path)) if check.name == "private"]
        return f"{check.detail}; {check.fix}"

    assert told() == "others on this machine can read .env; chmod go-rwx on them"
    env.chmod(0o600)
    assert "for their owner alone" in told()
