"""``igtool backup``: a copy of the workspace as it is at one moment, while runs write and a server reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from igtool import __version__
from igtool.backups.manifest import NAME, SETTINGS, Entry, Manifest, opened, place_of, write
from igtool.errors import IntegrityError, LockedError, UsageError
from igtool.files import WriterLock, fsync, held, storage_error
from igtool.integrity.catalog import catalog_files, catalog_snapshot
from igtool.journal import Journal
from igtool.journal.sqlite_files import copy_database
from igtool.lake_catalogs import CATALOG
from igtool.lake_files import FILES_LOCK
from igtool.lake_migrations import read_marker
from igtool.search.folder import checked_manifest, current_name
from igtool.settings import Settings

_PATIENCE_S = 60.0
_STEP = 1 << 20
_COPYING = ".copying-"
ELSEWHERE = "use pg_dump for the catalog and versions or copies of the bucket for the files (docs/postgres-s3.md)"
_KEYS = ("data/lake.json", "data/tombstones.key")
ALWAYS_LEFT_OUT = (
    ".env (keys: keep them elsewhere)",
    "models (`igtool models add` gets them again)",
    "data/export (every run writes it)",
)
IMAGES = "cache/images (--with-images)"


@dataclass(frozen=True)
class Made:
    """A backup that was made: what is in it, and what of that was copied now."""

    folder: Path
    manifest: Manifest
    copied_files: int
    copied_bytes: int
    removed_files: int


@dataclass
class _Copier:
    """Puts files into a backup, each once."""

    folder: Path
    files: dict[str, Entry] = field(default_factory=dict)
    copied_files: int = 0
    copied_bytes: int = 0

    def add(self, name: str, path: Path, sha256: str | None = None) -> None:
        """Take the file at ``path`` in as ``name``; bytes that are there, by the ``sha256`` they must have, stay.

        Raises IntegrityError where it has other bytes, FileNotFoundError, OSError.
        """
        state = path.stat()
        if sha256 is not None and self._has(sha256, state.st_size):
            self.files[name] = Entry(state.st_size, sha256, state.st_mtime_ns)
            return
        found, size = self._copied(path, sha256)
        if sha256 is not None and found != sha256:
            raise IntegrityError(f"{path} is damaged (SHA-256) and was not backed up: `igtool verify` says what to do")
        self.files[name] = Entry(size, found, state.st_mtime_ns)

    def _has(self, sha256: str, size: int) -> bool:
        place = place_of(self.folder, sha256)
        return place.is_file() and place.stat().st_size == size

    def _copied(self, path: Path, sha256: str | None) -> tuple[str, int]:
        """SHA-256 and size of a file whose bytes are in the backup now, on disk; of other bytes than wanted not."""
        summed, size = hashlib.sha256(), 0
        with (
            path.open("rb") as source,
            tempfile.NamedTemporaryFile(dir=self.folder, prefix=_COPYING, delete=False) as target,
        ):
            copy = Path(target.name)
            try:
                while piece := source.read(_STEP):
                    summed.update(piece)
                    target.write(piece)
                    size += len(piece)
                target.flush()
                os.fsync(target.fileno())
                found = summed.hexdigest()
                if sha256 in (None, found) and not self._has(found, size):
                    place = place_of(self.folder, found)
                    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    copy.replace(place)  # it is readable by its owner alone, as temporary files are
                    self.copied_files += 1
                    self.copied_bytes += size
            finally:
                copy.unlink(missing_ok=True)
        return found, size


def make_backup(
    settings: Settings, folder: Path, *, with_images: bool = False, told: Callable[[str], None] = lambda _: None
) -> Made:
    """Bring the backup in ``folder`` up to date. Only what is new is copied; nothing is deleted here meanwhile.

    Raises UsageError (no lake, a folder of something else), LockedError (another backup to it), IntegrityError (a file
    is not what was written: the backup before stays), StorageError.
    """
    settings.lake.check_usual("`igtool backup`", ELSEWHERE)
    data = settings.data.resolve()
    if not (data / "lake.json").exists():
        raise UsageError(f"there is no creator database in {data.parent}: there is nothing to back up")
    lake_id = str(read_marker(data)["lake_id"])
    target = _checked_target(settings, folder, lake_id)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.chmod(0o700)
        (target / "files").mkdir(mode=0o700, exist_ok=True)
        lock = WriterLock(target / "backup.lock", f"the backup {target}")
        try:
            with held(data / FILES_LOCK, shared=True, patience_s=_PATIENCE_S) as is_mine:
                if not is_mine:
                    raise LockedError("old files of the lake are being deleted: run the same command again")
                return _made(settings, target, with_images=with_images, told=told)
        finally:
            lock.release()
    except OSError as error:
        raise storage_error(error, target) from error


def _checked_target(settings: Settings, folder: Path, lake_id: str) -> Path:
    """The folder, if a backup of this lake may lie there. Raises UsageError."""
    target, workspace = folder.expanduser().resolve(), settings.workspace.resolve()
    inside = [settings.data.resolve(), settings.cache.resolve(), workspace / "models"]
    if target == workspace or any(target == one or target.is_relative_to(one) for one in inside):
        raise UsageError(f"{target} is a folder that is backed up: name one elsewhere, best on another disk")
    if not target.exists():
        return target
    if not target.is_dir():
        raise UsageError(f"{target} is no folder")
    if (target / NAME).exists():
        other = opened(target).manifest.lake_id
        if other != lake_id:
            raise UsageError(f"{target} holds the backup of another workspace (lake {other[:8]}): name another folder")
    elif {path.name for path in target.iterdir() if not path.name.startswith(".")} - {"files", "backup.lock"}:
        raise UsageError(f"{target} holds something else: name an empty folder")
    return target


def _made(settings: Settings, target: Path, *, with_images: bool, told: Callable[[str], None]) -> Made:
    for left in target.glob(".making-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in target.glob(f"{_COPYING}*"):
        left.unlink(missing_ok=True)
    data, copier = settings.data.resolve(), _Copier(target)
    with tempfile.TemporaryDirectory(dir=target, prefix=".making-") as building:
        catalog = _databases(settings, copier, Path(building))
        for name in (*_KEYS, *SETTINGS):
            if (settings.workspace / name).is_file():
                copier.add(name, settings.workspace / name)
        for name, path, sha256 in _data_files(settings, catalog):
            copier.add(name, path, sha256)
        snapshot = catalog_snapshot(catalog)
    _index(settings, copier, told)
    if with_images:
        for path in sorted((settings.cache / "images").glob("??/*")):
            if not path.name.startswith("."):
                copier.add(f"cache/images/{path.parent.name}/{path.name}", path, path.name)
    marker, now = read_marker(data), datetime.now(UTC).isoformat(timespec="seconds")
    left_out = (*ALWAYS_LEFT_OUT, *(() if with_images else (IMAGES,)))
    version = int(marker["schema_version"])
    manifest = Manifest(str(marker["lake_id"]), snapshot, version, __version__, now, copier.files, left_out)
    for folder in {place_of(target, entry.sha256).parent for entry in copier.files.values()}:
        fsync(folder)
    write(target, manifest)
    return Made(target, manifest, copier.copied_files, copier.copied_bytes, _prune(target, copier.files))


def _databases(settings: Settings, copier: _Copier, building: Path) -> Path:
    """Take in the journal, then the catalog: an answer that moves from one to the other meanwhile is in both."""
    journal, catalog = building / "journal.sqlite", building / CATALOG
    if (settings.cache / "journal.sqlite").exists():
        copy_database(settings.cache / "journal.sqlite", journal)
        copier.add("cache/journal.sqlite", journal)
    copy_database(settings.data / CATALOG, catalog)
    copier.add(f"data/{CATALOG}", catalog)
    return catalog


def _data_files(settings: Settings, catalog: Path) -> Iterator[tuple[str, Path, str | None]]:
    """Name, path and noted SHA-256 of every file that the copied catalog reads; those of older snapshots if there."""
    data = settings.data.resolve()
    with Journal(settings.cache, writable=False) as journal:
        recorded = journal.lake_files(str(read_marker(data)["lake_id"]))
    for file in catalog_files(data, catalog):
        path = data / file.path
        if not path.exists():
            if file.is_live:
                raise IntegrityError(f"{path} is missing: `igtool verify` says what to do")
            continue
        known = recorded.get(file.path)
        yield f"data/{file.path}", path, known.sha256 if known is not None else None


def _index(settings: Settings, copier: _Copier, told: Callable[[str], None]) -> None:
    """Take in the search index in use, unless it is replaced meanwhile or damaged: it can be made again."""
    folder = settings.data / "index"
    name, before = current_name(folder), dict(copier.files)
    if name is None:
        return
    try:
        for file, entry in checked_manifest(folder / name)["files"].items():
            copier.add(f"data/index/{name}/{file}", folder / name / file, str(entry["sha256"]))
        for file in (f"{name}/manifest.json", "current"):
            copier.add(f"data/index/{file}", folder / file)
    except (FileNotFoundError, IntegrityError):
        copier.files = before
        told("the search index is being changed, or is damaged, and is left out: `igtool run index` makes it")


def _prune(target: Path, files: Mapping[str, Entry]) -> int:
    """Delete bytes that no file of the backup has any more; how many files."""
    used, count = {entry.sha256 for entry in files.values()}, 0
    for path in (target / "files").glob("??/*"):
        if path.name not in used:
            path.unlink()
            count += 1
    return count
