"""The files of the lake: forced to disk and hashed after each commit, made fewer and larger, deleted when unneeded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb

from igtool.errors import LockedError
from igtool.files import held
from igtool.journal import LakeFile
from igtool.lake_catalogs import Catalog
from igtool.lake_sql import META, literal
from igtool.lake_stores import Store
from igtool.lake_tables import LakeTables

FILES_LOCK = "files.lock"
"""Held, shared, by who needs files that may be deleted any time; deleting takes it alone."""
SNAPSHOT_DAYS = 30
_FOR_EVER = "9999-12-31"
"""Later than any snapshot, also than those that a clock which was ahead dated."""
_CLEANUP_MARGIN_DAYS = 1
_UPKEEP_COMMITS = 32
_PATIENCE_S = 600.0


class LakeFiles(LakeTables):
    """What happens to data files and the catalog, over a connection that its subclass has."""

    folder: Path
    lake_id: str
    catalog: Catalog
    store: Store
    _connection: duckdb.DuckDBPyConnection
    _on_files: Callable[[str, list[LakeFile]], None] | None
    snapshot_days: int = SNAPSHOT_DAYS
    """Days for which older snapshots stay."""

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

    def _call(self, call: str) -> None:
        """A call of DuckLake that writes files, as one commit."""
        with self._committed():
            self.execute(f"call {call}")

    def _settle(self, before: int) -> None:
        """Hand on the checksums of the files of the commits after ``before``, and make sure that they are on disk."""
        names = [
            f"main/{row['table_path']}{row['path']}"
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {META}.{kind} f join {META}.ducklake_table t "
                "using (table_id) where f.begin_snapshot > ? and f.end_snapshot is null",
                (before,),
            )
        ]
        self._record(names)

    def _settle_others(self, known: set[str]) -> None:
        """As `_settle`, for all files but those ``known``: a flush gives its files the number of an older commit."""
        self._record(name for name in self.live_files() if name not in known)

    def _record(self, names: Iterable[str]) -> None:
        files = self.store.kept(names)
        if files and self._on_files:
            self._on_files(self.lake_id, files)

    def upkeep(self, *, least_commits: int = _UPKEEP_COMMITS) -> None:
        """Fewer, larger files: flush inlined rows, merge files, drop old snapshots and their files.

        Does nothing while few commits were made since the last time: it takes longer than a small run. Files stay
        while a backup is being made.
        """
        with self.catalog.writing():
            self._upkeep(least_commits)

    def _upkeep(self, least_commits: int) -> None:
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
        with (
            self.catalog.writing(),
            held(self.folder / FILES_LOCK, shared=False, patience_s=_PATIENCE_S) as is_mine,
        ):
            if not is_mine:
                raise LockedError("a backup or a check is under way and needs older files: run the same command later")
            self._purge(tables)
        self._connection.close()
        try:
            return self.catalog.compact()
        finally:
            self.reconnect()

    def _purge(self, tables: Sequence[str]) -> None:
        known = set(self.live_files())
        self._call("ducklake_flush_inlined_data('lake')")
        for name in sorted({Path(file).parts[1] for file in self.live_files()}.intersection(tables)):
            self._call(f"ducklake_rewrite_data_files('lake', {literal(name)}, delete_threshold => 0)")
        self.execute(f"call ducklake_expire_snapshots('lake', older_than => timestamptz '{_FOR_EVER}')")
        self.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
        self.store.remove(self.orphans(), self)
        self._settle_others(known)
        ids = f"select table_id from {META}.ducklake_table where table_name in (select unnest(?::varchar[]))"
        # Least and greatest values of columns; DuckLake has none in memory after it is opened again.
        self.execute(f"delete from {META}.ducklake_table_column_stats where table_id in ({ids})", (list(tables),))

    def orphans(self) -> dict[str, int]:
        """Data files that the catalog does not name, of what was never committed, with their bytes; for who writes."""
        there = self.store.sizes()  # before the catalog: what is committed meanwhile is no orphan
        named = {
            f"main/{row['table_path']}{row['path']}"
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {META}.{kind} f "
                f"join {META}.ducklake_table t using (table_id)"
            )
        }
        named |= {row["path"] for row in self.rows(f"select path from {META}.ducklake_files_scheduled_for_deletion")}
        return {name: size for name, size in sorted(there.items()) if name not in named}

    def remove_orphans(self) -> None:
        """Delete what `orphans` tells."""
        with self.catalog.writing():
            self.store.remove(self.orphans(), self)

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
