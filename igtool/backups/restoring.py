"""``igtool restore``: a workspace as it was when a backup was made. What is there is moved aside and not deleted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from igtool.backups.manifest import Backup, Manifest, opened
from igtool.errors import ConfigError, IgtoolError, IntegrityError, UsageError
from igtool.files import WriterLock, fsync, storage_error
from igtool.integrity.catalog import check_paths
from igtool.journal import Journal, LakeFile
from igtool.journal.sqlite_files import change
from igtool.lake import Lake
from igtool.lake_catalogs import CATALOG, seal_catalog
from igtool.schema import SCHEMA_VERSION, TABLES

_STAGING = ".restoring"
_TOMBSTONES = "tombstones"
_TOMBSTONE_KEY = "tombstones.key"


@dataclass(frozen=True)
class Restored:
    """What was put back, and where what was there lies now; None where nothing was."""

    workspace: Path
    manifest: Manifest
    moved_to: Path | None
    tombstones: int


def restore(folder: Path, workspace: Path, *, may_replace: bool, offline: bool = True) -> Restored:
    """Make ``workspace`` what it was at the backup in ``folder``, after every byte of that was checked.

    A killed call leaves what was there, in its place or moved aside, and is done again by the same command. Raises
    UsageError (no backup; something is there and may not be replaced), IntegrityError (the backup is damaged: nothing
    was changed), LockedError (something writes to the workspace), ConfigError (a backup of a newer igtool).
    """
    backup = opened(folder.expanduser().resolve())
    if backup.manifest.schema_version > SCHEMA_VERSION:
        raise ConfigError(f"the backup {folder} was made by a newer igtool: upgrade igtool")
    workspace = workspace.expanduser().resolve()
    there = [workspace / name for name in ("data/lake.json", f"data/{CATALOG}", "cache/journal.sqlite")]
    if any(path.exists() for path in there) and not may_replace:
        raise UsageError(f"{workspace} holds a creator database: --yes moves it aside and puts the backup in its place")
    with ExitStack() as locks:
        for name, what in (("data/lake.lock", "the lake"), ("cache/journal.lock", "the journal")):
            locks.callback(WriterLock(workspace / name, what).release)
        try:
            staging = _staged(backup, workspace)
            _finish_stores(staging, backup, offline=offline)
            tombstones = _keep_forgotten(workspace / "data", staging / "data", offline=offline)
            moved_to = _swap(workspace, staging, backup)
        except OSError as error:
            raise storage_error(error, workspace) from error
    return Restored(workspace, backup.manifest, moved_to, tombstones)


def _staged(backup: Backup, workspace: Path) -> Path:
    """A folder in the workspace with every file of the backup, checked and on disk."""
    if problems := backup.damaged():
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise IntegrityError(f"the backup {backup.folder} is damaged, nothing was changed: {problems[0]}{more}")
    staging = workspace / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    for name in ("data", "cache"):
        (staging / name).mkdir(mode=0o700, parents=True)
    for name in backup.manifest.files:
        backup.copy_out(name, staging / name)
    return staging


def _finish_stores(staging: Path, backup: Backup, *, offline: bool) -> None:
    """Check where the catalog leads, note the SHA-256 of the data files in the journal, and seal both stores.

    What waited to be deleted is in no backup, and its paths are those of another place: that list goes.
    """
    check_paths(staging / "data" / CATALOG)
    change(staging / "data" / CATALOG, [("delete from ducklake_files_scheduled_for_deletion", ())])
    data = [
        LakeFile(name.removeprefix("data/"), entry.bytes, entry.sha256)
        for name, entry in backup.manifest.files.items()
        if name.startswith("data/main/")
    ]
    with Journal(staging / "cache", writable=True) as journal:
        journal.record_lake_files(backup.manifest.lake_id, data)
    if backup.manifest.schema_version == SCHEMA_VERSION:
        with Lake(staging / "data", writable=True, offline=offline) as lake:
            lake.rows("select count(*) from accounts")
    else:
        seal_catalog(staging / "data")


def _keep_forgotten(present: Path, restored: Path, *, offline: bool) -> int:
    """Who was forgotten since the backup stays forgotten: tombstones of both; how many were added.

    The one place where a restore knows of forgotten people. Where what is there cannot be read, its tombstones cannot
    be taken over: the moved data still holds them.
    """
    if _TOMBSTONES not in TABLES or not (present / "lake.json").exists():
        return 0
    try:
        with Lake(present, writable=False, offline=offline) as lake:
            rows = lake.rows(f"from {_TOMBSTONES}")
    except IgtoolError:
        return 0
    if not rows:
        return 0
    if (present / _TOMBSTONE_KEY).exists() and not (restored / _TOMBSTONE_KEY).exists():
        shutil.copyfile(present / _TOMBSTONE_KEY, restored / _TOMBSTONE_KEY)
        (restored / _TOMBSTONE_KEY).chmod(0o600)
    with Lake(restored, writable=True, offline=offline) as lake, lake.transaction():
        return lake.append_new(_TOMBSTONES, rows)


def _swap(workspace: Path, staging: Path, backup: Backup) -> Path | None:
    """Move what is there aside and what was staged into its place; the folder of what was there."""
    aside = workspace / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    loose = [name for name in backup.manifest.files if not name.startswith(("data/", "cache/"))]
    aside.mkdir(mode=0o700)
    for name in ("data", "cache"):
        _move(workspace / name, aside / name)
        _move(staging / name, workspace / name)
    for name in loose:
        _move(workspace / name, aside / name)
        _move(staging / name, workspace / name)
    if not any(name.startswith("cache/images/") for name in backup.manifest.files):
        _move(aside / "cache" / "images", workspace / "cache" / "images")
    for name in ("data", "cache"):
        _keep_notes(aside / name, workspace / name)
    shutil.rmtree(staging)
    if not _holds_anything(aside):
        shutil.rmtree(aside)
        return None
    return aside


def _move(source: Path, target: Path) -> None:
    """Rename, if it is there; the entries of both folders are on disk afterwards."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        for folder in {source.parent, target.parent}:
            fsync(folder)


def _keep_notes(before: Path, now: Path) -> None:
    """Read-me files that came with the workspace are no data."""
    for path in before.glob("README*"):
        _move(path, now / path.name)


def _holds_anything(aside: Path) -> bool:
    """Whether there is more than locks in what was moved."""
    names: Sequence[str] = [path.name for path in aside.rglob("*") if path.is_file()]
    return any(not name.endswith(".lock") for name in names)
