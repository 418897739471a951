"""The files of the lake: forced to disk and hashed after each commit, made fewer and larger, deleted when unneeded."""

from __future__ import annotations

import hashlib
import os
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb

from igtool.errors import IntegrityError, LockedError
from igtool.files import fsync, held, replaced, storage_error
from igtool.journal import LakeFile, compact
from igtool.journal.sqlite_files import alone, seal, seal_state, sealed_as
from igtool.lake_migrations import KEPT
from igtool.lake_sql import META, literal
from igtool.lake_tables import LakeTables

CATALOG = "catalog.sqlite"
COPY = "catalog.copy.sqlite"
"""The catalog as its last writer left it, byte for byte: all files that it names are still there for days."""
FILES_LOCK = "files.lock"
"""Held, shared, by who needs files that may be deleted any time; deleting takes it alone."""
SNAPSHOT_DAYS = 30
_CLEANUP_MARGIN_DAYS = 1
_UPKEEP_COMMITS = 32
_PATIENCE_S = 600.0
_COARSE_S = 2.0
"""Times of change lag behind the clock by a tick, on some file systems by so much."""
_SNAPSHOT = "select max(snapshot_id) as snapshot from ducklake_snapshot"


class LakeFiles(LakeTables):
    """What happens to data files and the catalog, over a connection that its subclass has."""

    folder: Path
    lake_id: str
    _connection: duckdb.DuckDBPyConnection
    _on_files: Callable[[str, list[LakeFile]], None] | None
    _synced: frozenset[Path] = frozenset()
    """Data files of the last moments, which are never changed, that are on disk."""
    snapshot_days: int = SNAPSHOT_DAYS
    """Days for which older snapshots stay."""

    @property
    def catalog(self) -> Path:
        """The file of the catalog."""
        return self.folder / CATALOG

    @property
    @abstractmethod
    def snapshot(self) -> int:
        """Number of the newest commit."""

    @abstractmethod
    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The result of ``query`` as dicts by column name."""

    @abstractmethod
    def reconnect(self) -> None:
        """Open the catalog again after it was closed."""

    @abstractmethod
    def _committed(self) -> AbstractContextManager[None]:
        """One commit, which names no file that is not on disk."""

    def _sync_since(self, began: float) -> None:
        """Force the data files that were written since then (seconds since 1970), and their names, to disk.

        DuckLake writes them within the transaction and syncs none. Raises StorageError.
        """
        since, seen = began - _COARSE_S, set()
        for name, _, files in os.walk(self.folder / "main"):
            folder = Path(name)
            try:
                if folder.stat().st_mtime < since:
                    continue
                new = [path for path in (folder / file for file in files) if path.stat().st_mtime >= since]
                seen.update(new)
                if unsynced := [path for path in new if path not in self._synced]:
                    for path in unsynced:
                        fsync(path)
                    fsync(folder)
                    fsync(folder.parent)
            except OSError as error:
                raise storage_error(error, folder) from error
        self._synced = frozenset(seen)

    def _call(self, call: str) -> None:
        """A call of DuckLake that writes files, as one commit."""
        with self._committed():
            self.execute(f"call {call}")

    def _settle(self, before: int) -> None:
        """Hand on the checksums of the files of the commits after ``before``, and make sure that they are on disk."""
        paths = [
            self.folder / "main" / row["table_path"] / row["path"]
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {META}.{kind} f join {META}.ducklake_table t "
                "using (table_id) where f.begin_snapshot > ? and f.end_snapshot is null",
                (before,),
            )
        ]
        self._record(paths)

    def _settle_others(self, known: set[str]) -> None:
        """As `_settle`, for all files but those ``known``: a flush gives its files the number of an older commit."""
        self._record(self.folder / name for name in self.live_files() if name not in known)

    def _record(self, paths: Iterable[Path]) -> None:
        files = []
        for path in paths:
            if path not in self._synced:
                fsync(path)
                fsync(path.parent)
            files.append(described(self.folder, path))
        if files and self._on_files:
            self._on_files(self.lake_id, files)

    def upkeep(self, *, least_commits: int = _UPKEEP_COMMITS) -> None:
        """Fewer, larger files: flush inlined rows, merge files, drop old snapshots and their files.

        Does nothing while few commits were made since the last time: it takes longer than a small run. Files stay
        while a backup is being made.
        """
        known = set(self.live_files())
        last = self.value(
            f"select coalesce(max(snapshot_id), 0) from {META}.ducklake_snapshot_changes "
            "where regexp_matches(changes_made, 'inline_flush|merge_adjacent|compacted')"
        )
        if self.snapshot - last < least_commits:
            return
        expiry = f"older_than => now() - interval {int(self.snapshot_days)} days"
        self._call("ducklake_flush_inlined_data('lake')")
        self._call("ducklake_merge_adjacent_files('lake')")
        self.execute(f"call ducklake_expire_snapshots('lake', {expiry})")
        with held(self.folder / FILES_LOCK, shared=False) as is_mine:
            if is_mine:
                margin = f"older_than => now() - interval {_CLEANUP_MARGIN_DAYS} days"
                self.execute(f"call ducklake_cleanup_old_files('lake', {margin})")
        self._settle_others(known)

    def purge(self, tables: Sequence[str]) -> bool:
        """Take what was deleted from ``tables`` off the disk: their files and the catalog are written anew.

        All older snapshots and copies of the catalog go. False when other processes read the catalog, which then keeps
        unused pages until the next time. A query of theirs that is under way may fail. Source of the steps: DESIGN §1,
        Forget. Raises LockedError while a backup is being made.
        """
        known = set(self.live_files())
        with held(self.folder / FILES_LOCK, shared=False, patience_s=_PATIENCE_S) as is_mine:
            if not is_mine:
                raise LockedError("a backup or a check is under way and needs older files: run the same command later")
            self._call("ducklake_flush_inlined_data('lake')")
            for name in sorted({Path(file).parts[1] for file in self.live_files()}.intersection(tables)):
                self._call(f"ducklake_rewrite_data_files('lake', {literal(name)}, delete_threshold => 0)")
            self.execute("call ducklake_expire_snapshots('lake', older_than => now())")
            self.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
            for path in self.orphans():
                path.unlink(missing_ok=True)
        self._settle_others(known)
        ids = f"select table_id from {META}.ducklake_table where table_name in (select unnest(?::varchar[]))"
        # Least and greatest values of columns; DuckLake has none in memory after it is opened again.
        self.execute(f"delete from {META}.ducklake_table_column_stats where table_id in ({ids})", (list(tables),))
        self._connection.close()
        try:
            (self.folder / COPY).unlink(missing_ok=True)
            shutil.rmtree(self.folder / KEPT, ignore_errors=True)
            with alone(self.catalog, own=1) as is_alone:
                return is_alone and compact(self.catalog)
        finally:
            self.reconnect()

    def orphans(self) -> list[Path]:
        """Data files that the catalog does not name, of what was never committed; for who alone writes."""
        named = {
            f"main/{row['table_path']}{row['path']}"
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {META}.{kind} f "
                f"join {META}.ducklake_table t using (table_id)"
            )
        }
        named |= {row["path"] for row in self.rows(f"select path from {META}.ducklake_files_scheduled_for_deletion")}
        there = (self.folder / "main").rglob("*.parquet")  # the folder of the lake also holds exports
        return sorted(path for path in there if path.relative_to(self.folder).as_posix() not in named)

    def live_files(self) -> list[str]:
        """Paths, relative to the lake, of the files that hold the newest snapshot."""
        return [
            f"main/{row['table_path']}{row['path']}"
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {META}.{kind} f join {META}.ducklake_table t "
                "using (table_id) where f.end_snapshot is null and t.end_snapshot is null order by all"
            )
        ]


def described(folder: Path, path: Path) -> LakeFile:
    """A file of the lake in ``folder`` with its size and SHA-256: 1.5 GB/s."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return LakeFile(path.relative_to(folder).as_posix(), path.stat().st_size, digest)


def seal_catalog(folder: Path) -> None:
    """Seal the catalog that was closed, and keep a copy of it. Raises StorageError."""
    path = folder / CATALOG
    if seal(path, told=_SNAPSHOT) or (not (folder / COPY).exists() and seal_state(path) == "sealed"):
        with replaced(folder / COPY) as copy, path.open("rb") as file:
            shutil.copyfileobj(file, copy)


def check_age(folder: Path, snapshot: int) -> None:
    """Raises IntegrityError where the catalog, which is at ``snapshot``, is older than when it was sealed."""
    told = sealed_as(folder / CATALOG) or {}
    if snapshot < int(told.get("snapshot", snapshot)):
        raise IntegrityError(
            f"the catalog {folder / CATALOG} is an older one (commit {snapshot}, there were {told['snapshot']}): "
            "`igtool verify --repair` puts the copy of the newest in place"
        )
