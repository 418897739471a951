"""A backup holds what cannot be made again, as it was at one moment, and a restore makes it that again."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from stored_people import answer_row, copied, flip_a_bit, in_place, make_workspace, state

from igtool.backups.making import make_backup
from igtool.backups.manifest import opened
from igtool.backups.restoring import restore
from igtool.cli import main
from igtool.errors import IntegrityError, LockedError, UsageError
from igtool.files import held
from igtool.integrity.checking import verify
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_files import FILES_LOCK
from igtool.pipeline import run_stages
from igtool.schema import TABLES
from igtool.session import open_session
from igtool.settings import Settings, load

EVERYTHING = tuple(name for name in TABLES if name != "runs")

_RUN = """
import sys, threading
from pathlib import Path
from igtool.journal import Journal
from igtool.lake import Lake
sys.path.insert(0, sys.argv[2])
from stored_people import answer_row
folder = Path(sys.argv[1])
with Journal(folder / "cache", writable=True) as journal, Lake(
    folder / "data", writable=True, on_files=journal.record_lake_files
) as lake:
    for number in range(100, 10_000):
        with lake.transaction():
            lake.append_new("raw_responses", [answer_row(number)])
            lake.merge("watchlist", [{"watch_id": f"n:{number}", "list_name": "n", "handle": f"h{number}"}])
        lake.upkeep(least_commits=5)
        print(number, flush=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workspace with something in every store, which tests only copy."""
    return make_workspace(tmp_path_factory.mktemp("made") / "w")


@pytest.fixture
def settings(made: Settings, tmp_path: Path) -> Settings:
    """A copy of it."""
    return copied(made, tmp_path / "w")


def test_a_restored_workspace_is_the_same_and_has_nothing_to_do(settings: Settings, tmp_path: Path) -> None:
    """Every row of every table; verify is clean, and a run makes nothing."""
    made = make_backup(settings, tmp_path / "b")
    done = restore(tmp_path / "b", tmp_path / "new", may_replace=False)
    assert done.moved_to is None
    new = load(tmp_path / "new", processes=1)
    assert verify(new).findings == []
    assert state(new, EVERYTHING) == state(settings, EVERYTHING)
    assert (tmp_path / "new" / "igtool.toml").read_text() == (settings.workspace / "igtool.toml").read_text()
    assert not (new.cache / "images").exists()
    assert any("images" in what for what in made.manifest.left_out)
    with open_session(new, "run", lambda: False) as session:
        run_stages(session)
        assert all(count.new + count.updated == 0 for count in session.progress.counts.values())


def test_a_second_backup_copies_only_what_is_new(settings: Settings, tmp_path: Path) -> None:
    """Files of the lake are the same ones; pictures come when they are asked for."""
    first = make_backup(settings, tmp_path / "b")
    again = make_backup(settings, tmp_path / "b", with_images=True)
    assert again.copied_files <= 3  # the two databases, which are copied as a whole, and the picture
    assert again.manifest.files.keys() - first.manifest.files.keys() == {
        f"cache/images/{path.parent.name}/{path.name}" for path in (settings.cache / "images").glob("??/*")
    }
    assert opened(tmp_path / "b").damaged() == []


def test_everything_in_a_backup_is_for_its_owner_alone(settings: Settings, tmp_path: Path) -> None:
    """Folders 0700, files 0600; keys in .env are not in it."""
    (settings.workspace / ".env").write_text("OPENAI_API_KEY=secret-canary\n")
    make_backup(settings, tmp_path / "b")
    for path in (tmp_path / "b", *(tmp_path / "b").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path.name == "backup.lock", f"{path} {mode:o}"
        assert path.is_dir() or b"secret-canary" not in path.read_bytes()


def test_a_backup_goes_nowhere_it_does_harm(settings: Settings, tmp_path: Path) -> None:
    """Not into the workspace's own folders, not over other files, not over another workspace's backup."""
    for folder in (settings.data / "b", settings.cache, settings.workspace / "models" / "x", settings.workspace):
        with pytest.raises(UsageError, match="backed up"):
            make_backup(settings, folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="something else"):
        make_backup(settings, tmp_path / "mine")
    make_backup(settings, tmp_path / "b")
    (tmp_path / "other").mkdir()
    with Lake(tmp_path / "other" / "data", writable=True):
        pass
    with pytest.raises(UsageError, match="another workspace"):
        make_backup(load(tmp_path / "other"), tmp_path / "b")


def test_a_damaged_file_does_not_get_into_a_backup(settings: Settings, tmp_path: Path) -> None:
    """The backup before stays as it was, and the file is named."""
    make_backup(settings, tmp_path / "b")
    before = (tmp_path / "b" / "igtool-backup.json").read_bytes()
    with Lake(settings.data, writable=True) as lake:
        with lake.transaction():
            lake.append_new("raw_responses", [answer_row(number) for number in range(50, 80)])
        newest = settings.data / [name for name in lake.live_files() if "raw_responses" in name][-1]
    with Journal(settings.cache, writable=True) as journal:
        journal.record_lake_files(lake.lake_id, [])
    verify(settings)
    for path in (settings.data / "main" / "raw_responses").glob("*"):
        in_place(path, flip_a_bit)
    with pytest.raises(IntegrityError, match="raw_responses"):
        make_backup(settings, tmp_path / "b")
    assert newest.exists()
    assert (tmp_path / "b" / "igtool-backup.json").read_bytes() == before
    assert opened(tmp_path / "b").damaged() == []


def test_a_damaged_backup_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    """Every byte is checked before anything is moved; so is the manifest."""
    make_backup(settings, tmp_path / "b")
    before = state(settings, ("accounts",))
    path = max((tmp_path / "b" / "files").glob("??/*"), key=lambda one: one.stat().st_size)
    in_place(path, flip_a_bit)
    with pytest.raises(IntegrityError, match=r"nothing was changed.*SHA-256"):
        restore(tmp_path / "b", settings.workspace, may_replace=True)
    assert state(settings, ("accounts",)) == before
    in_place(tmp_path / "b" / "igtool-backup.json", flip_a_bit)
    with pytest.raises(IntegrityError, match="manifest"):
        opened(tmp_path / "b")


def test_a_manifest_cannot_write_outside_the_workspace(settings: Settings, tmp_path: Path) -> None:
    """A path that leads out is refused, whatever its checksum says."""
    from igtool.backups.manifest import _checksum

    make_backup(settings, tmp_path / "b")
    path = tmp_path / "b" / "igtool-backup.json"
    content = json.loads(path.read_bytes())
    content["files"]["../../outside"] = next(iter(content["files"].values()))
    del content["checksum"]
    path.write_text(json.dumps({**content, "checksum": _checksum(content)}))
    with pytest.raises(IntegrityError, match="leads out"):
        opened(tmp_path / "b")


def test_restoring_over_something_moves_it_aside(settings: Settings, tmp_path: Path) -> None:
    """Without --yes nothing happens; with it what was there is whole beside, and the pictures stay."""
    make_backup(settings, tmp_path / "b")
    with Lake(settings.data, writable=True) as lake, lake.transaction():
        lake.merge("watchlist", [{"watch_id": "later", "list_name": "l", "handle": "later"}])
    run = ["--workspace", str(settings.workspace), "restore", str(tmp_path / "b")]
    refused = CliRunner().invoke(main, run)
    assert (refused.exit_code, "--yes" in refused.output) == (2, True)
    result = CliRunner().invoke(main, [*run, "--yes", "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rows"]
    aside = Path(row["moved_to"])
    with Lake(aside / "data", writable=False) as lake:
        assert lake.value("select count(*) from watchlist") == 51
    with Lake(settings.data, writable=False) as lake:
        assert lake.value("select count(*) from watchlist") == 50
    assert verify(settings).findings == []
    assert list((settings.cache / "images").glob("??/*"))


def test_a_restore_waits_for_no_writer(settings: Settings, tmp_path: Path) -> None:
    """While something writes, the code is 7 and nothing changes."""
    make_backup(settings, tmp_path / "b")
    with Journal(settings.cache, writable=True), pytest.raises(LockedError, match=str(os.getpid())):
        restore(tmp_path / "b", settings.workspace, may_replace=True)
    assert not list(settings.workspace.glob("replaced-*"))


@pytest.mark.slow
def test_a_backup_of_a_run_under_way_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    """A process commits, merges files and cleans up all the while: each answer of the backup has its list row."""
    arguments = [sys.executable, "-c", _RUN, str(settings.workspace), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            for _ in range(4):
                run.stdout.readline()
            make_backup(settings, tmp_path / "b")
        finally:
            run.kill()
    restore(tmp_path / "b", tmp_path / "new", may_replace=False)
    new = load(tmp_path / "new")
    assert verify(new).damage == []
    with Lake(new.data, writable=False) as lake:
        lists = lake.value("select count(*) from watchlist where list_name = 'n'")
        assert lists >= 3
        assert lake.value("select count(*) from raw_responses") == lists + 8


def test_files_stay_while_somebody_copies_them(settings: Settings) -> None:
    """Upkeep leaves old files for later while a backup holds the lock, and purging gives up."""
    with Lake(settings.data, writable=True) as lake:
        with held(settings.data / FILES_LOCK, shared=True) as is_mine:
            assert is_mine
            before = sorted((settings.data / "main").rglob("*.parquet"))
            lake.upkeep(least_commits=0)
            assert set(before) <= set((settings.data / "main").rglob("*.parquet"))
        with held(settings.data / FILES_LOCK, shared=False) as is_mine:
            assert is_mine
