"""The lake: all tables as Parquet under a DuckLake catalog in SQLite. Only this file touches data files.

What is particular to DuckLake in DuckDB 1.5 lives here and nowhere else: it never fsyncs Parquet, has no keys,
and lets duplicate or NULL merge keys through. See DESIGN §1 for the measurements behind each rule.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from igtool.errors import ConfigError, IntegrityError, UsageError
from igtool.extensions import load_extension
from igtool.files import WriterLock, fsync, replaced
from igtool.journal import LakeFile, compact
from igtool.lake_errors import translated
from igtool.lake_sql import literal, quote
from igtool.lake_tables import LakeTables
from igtool.schema import SCHEMA_VERSION, TABLES
from igtool.views import VIEWS

_META = "__ducklake_metadata_lake"
_DATA_CHANGE = re.compile(r"(?:inserted_into_table|deleted_from_table|inlined_insert|inlined_delete):(\d+)")
_SNAPSHOT_RETENTION_DAYS = 30
_CLEANUP_MARGIN_DAYS = 1
_UPKEEP_COMMITS = 32
_STREAMED_ROWS = 64
_BATCH_ROWS = 8_192


class Reader(Protocol):
    """Whatever answers queries over the tables and views of ``igtool.schema`` by their plain names."""

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of ``query`` with bound ``parameters``."""
        ...

    def batches(self, query: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The same part by part, so that it need not fit into memory; others may be asked side by side."""
        ...


class Lake(LakeTables):
    """The tables of one workspace, opened for reading by anyone or for writing by one process.

    ``on_files`` receives the new files of each commit, fsynced and hashed, before the commit counts as done;
    ``briefly`` is for `igtool.files.WriterLock`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        writable: bool,
        offline: bool = True,
        on_files: Callable[[str, list[LakeFile]], None] | None = None,
        briefly: bool = False,
    ) -> None:
        """Raises UsageError (nothing there to read), LockedError, ConfigError, IntegrityError, StorageError."""
        self.folder = folder.resolve()
        self._on_files = on_files
        self.is_writable = writable
        if not writable and not (self.folder / "lake.json").exists():
            raise UsageError(f"there is no creator database in {self.folder.parent}: make one with `igtool enrich CSV`")
        self._lock = WriterLock(self.folder / "lake.lock", "the lake", briefly=briefly) if writable else None
        self._offline = offline
        try:
            self._connect(offline)
            self.lake_id = self._prepare()
        except BaseException:
            self.close()
            raise

    def _connect(self, offline: bool) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'")
        # The system keeps files in memory already; of small row groups this would keep hundreds of megabytes more.
        self._connection.execute("set enable_external_file_cache = false")
        for name in ("sqlite_scanner", "ducklake"):
            load_extension(self._connection, name, offline=offline)
        path = str(self.folder).replace("'", "''")
        self._connection.execute(f"set temp_directory = '{path}/spill'")
        options = f"DATA_PATH '{path}/', OVERRIDE_DATA_PATH true, META_BUSY_TIMEOUT 30000"
        options += ", META_JOURNAL_MODE 'WAL'" if self.is_writable else ", READ_ONLY"
        with translated(self.folder):
            self._connection.execute(f"attach 'ducklake:sqlite:{path}/catalog.sqlite' as lake ({options})")
            self._connection.execute("use lake")

    def _prepare(self) -> str:
        """Create or widen tables until they match `igtool.schema`; the id of this lake."""
        marker = self.folder / "lake.json"
        if not marker.exists():
            known: dict[str, Any] = {"lake_id": uuid.uuid4().hex, "schema_version": 0}
        else:
            try:
                known = json.loads(marker.read_bytes())
                version = int(known["schema_version"])
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise IntegrityError(f"{marker} is damaged: restore it from a backup of data/ ({error})") from error
            if version > SCHEMA_VERSION:
                newer = f"was written by a newer igtool (schema {version}, this one has {SCHEMA_VERSION})"
                raise ConfigError(f"{self.folder} {newer}: upgrade igtool")
        if known["schema_version"] < SCHEMA_VERSION:
            if not self.is_writable:
                raise ConfigError(
                    f"{self.folder} is of an older igtool (schema {known['schema_version']}, this one has "
                    f"{SCHEMA_VERSION}): run `igtool run` once to bring it up to date; no data is lost"
                )
            self._migrate()
            known["schema_version"] = SCHEMA_VERSION
            with replaced(marker) as file:
                file.write(json.dumps(known).encode())
        return str(known["lake_id"])

    def _migrate(self) -> None:
        with self.transaction():
            rows = self.rows("select table_name, column_name from duckdb_columns() where database_name = 'lake'")
            there: dict[str, set[str]] = {}
            for row in rows:
                there.setdefault(row["table_name"], set()).add(row["column_name"])
            for table in TABLES.values():
                name = quote(table.name)
                if table.name not in there:
                    columns = ", ".join(f"{quote(column.name)} {column.type}" for column in table.columns)
                    self.execute(f"create table {name} ({columns})")
                    if table.partition:
                        self.execute(f"alter table {name} set partitioned by ({table.partition})")
                    continue
                for column in table.columns:
                    if column.name not in there[table.name]:
                        self.execute(f"alter table {name} add column {quote(column.name)} {column.type}")
            if "accounts" in there and "account_states" not in there:  # what was known before states were kept
                old = "select * exclude (filled_from, is_profile), true as is_profile from accounts"
                self.execute(f"insert into account_states by name {old}")
            if "embeddings" in there and "text_vectors" not in there:  # when their ids did not tell the model
                self.execute("update embeddings set embedding_id = concat_ws('|', owner_id, field, model)")
                self.execute(
                    "update stage_rows s set item_id = e.embedding_id from embeddings e "
                    "where s.stage in ('embed', 'embed_style') and s.item_id = concat_ws('|', e.owner_id, e.field)"
                )
            for view, query in VIEWS.items():
                self.execute(f"create or replace view {quote(view)} as {query}")
        for table in TABLES.values():
            if table.row_group:
                option = f"'parquet_row_group_size', '{table.row_group}', table_name => '{table.name}'"
                self.execute(f"call lake.set_option({option})")

    def close(self) -> None:
        """Release the files and the lock."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading ---

    def execute(self, query: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        """The connection after running ``query``, with its whole result."""
        with translated(self.folder):
            return self._connection.execute(query, list(parameters))

    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of ``query`` as an Arrow table."""
        with translated(self.folder):
            return self._connection.execute(query, list(parameters)).to_arrow_table()

    def batches(self, query: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The result of ``query`` part by part; others may be asked side by side."""
        cursor = self._connection.cursor()
        try:
            with translated(self.folder):
                cursor.execute("use lake")
                # Not sql(), which makes Python values of the whole result where there are parameters.
                yield from cursor.execute(query, list(parameters)).to_arrow_reader(_BATCH_ROWS)
        finally:
            cursor.close()

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The result of ``query`` as dicts by column name."""
        result: list[dict[str, Any]] = self.arrow(query, parameters).to_pylist()
        return result

    @contextmanager
    def stream(self, query: str, *, batch: str) -> Iterator[Iterator[pa.RecordBatch]]:
        """The result of ``query`` part by part, as the tables are now, while others may be written.

        ``batch`` (SQL over tables of ``memory``) is what the name ``batch`` stands for in ``query``.
        """
        cursor = self._connection.cursor()
        try:
            with translated(self.folder):
                cursor.execute("use lake")
                cursor.execute(f"create temp view batch as select * {batch}")
                # Both count rows and not the texts in them: answers would be held by the gigabyte.
                cursor.execute("set streaming_buffer_size = '1KB'")
                cursor.execute("set enable_caching_operators = false")
                yield iter(cursor.sql(query).to_arrow_reader(_STREAMED_ROWS))  # execute() would hold the whole result
        finally:
            cursor.close()

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """DuckDB keeps to one core while the block runs; its idle threads would take those of other processes."""
        before = self.value("select current_setting('threads')")
        self.execute("set threads = 1")
        try:
            yield
        finally:
            self.execute(f"set threads = {before}")

    def value(self, query: str, parameters: Sequence[object] = ()) -> Any:
        """The first cell of the result of ``query``."""
        row = self.execute(query, parameters).fetchone()
        return row[0] if row else None

    def query(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a query that a user wrote. Raises UsageError with DuckDB's own words when it is wrong."""
        try:
            return self._connection.execute(query, list(parameters)).to_arrow_table()
        except duckdb.Error as error:
            if str(self.folder) in str(error):  # one of our own files, not one that the query names
                with translated(self.folder):
                    raise
            raise UsageError(f"the query does not run: {error}") from error

    @property
    def snapshot(self) -> int:
        """Number of the newest commit."""
        return int(self.value(f"select max(snapshot_id) from {_META}.ducklake_snapshot"))

    def changed_since(self, snapshot: int) -> set[str]:
        """Tables whose rows changed after ``snapshot``; all of them where the commits since are no longer listed."""
        if int(self.value(f"select min(snapshot_id) from {_META}.ducklake_snapshot")) > snapshot + 1:
            return set(TABLES)
        changes = self.rows(
            f"select changes_made from {_META}.ducklake_snapshot_changes where snapshot_id > ?", (snapshot,)
        )
        ids = {int(number) for row in changes for number in _DATA_CHANGE.findall(row["changes_made"] or "")}
        names = self.rows(f"select table_id, table_name from {_META}.ducklake_table where end_snapshot is null")
        return {row["table_name"] for row in names if row["table_id"] in ids}

    # --- writing ---

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block in one commit, on disk when this returns; none of them if the block fails."""
        before = self.snapshot
        self.execute("begin")
        try:
            yield
            with translated(self.folder):
                self._connection.execute("commit")
        except BaseException:
            self._rollback()
            raise
        if self.snapshot != before:
            self._settle(before)

    def _rollback(self) -> None:
        try:
            self._connection.execute("rollback")
        except duckdb.TransactionException:
            return  # the failed commit has already ended the transaction

    def _settle(self, before: int) -> None:
        """Force the files of the commits after ``before`` to disk and hand on their checksums."""
        paths = [
            self.folder / "main" / row["table_path"] / row["path"]
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {_META}.{kind} f join {_META}.ducklake_table t "
                "using (table_id) where f.begin_snapshot > ? and f.end_snapshot is null",
                (before,),
            )
        ]
        self._record(paths)

    def _record(self, paths: Iterable[Path]) -> None:
        files = []
        for path in paths:
            fsync(path)
            files.append(self._describe(path))
        for parent in {self.folder / Path(file.path).parent for file in files}:
            fsync(parent)
        if files and self._on_files:
            self._on_files(self.lake_id, files)

    def _describe(self, path: Path) -> LakeFile:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LakeFile(path.relative_to(self.folder).as_posix(), path.stat().st_size, digest)

    def _name_incoming(self, rows: pa.Table | None) -> None:
        if rows is None:
            self._connection.unregister("incoming")
        else:
            self._connection.register("incoming", rows)

    # --- upkeep ---

    def upkeep(self, *, least_commits: int = _UPKEEP_COMMITS) -> None:
        """Fewer, larger files: flush inlined rows, merge files, drop old snapshots and their files.

        Does nothing while few commits were made since the last time: it takes longer than a small run.
        """
        before = self.snapshot
        last = self.value(
            f"select coalesce(max(snapshot_id), 0) from {_META}.ducklake_snapshot_changes "
            "where regexp_matches(changes_made, 'inline_flush|merge_adjacent|compacted')"
        )
        if before - last < least_commits:
            return
        expiry = f"older_than => now() - interval {_SNAPSHOT_RETENTION_DAYS} days"
        cleanup = f"older_than => now() - interval {_CLEANUP_MARGIN_DAYS} days"
        for call in (
            "ducklake_flush_inlined_data('lake')",
            "ducklake_merge_adjacent_files('lake')",
            f"ducklake_expire_snapshots('lake', {expiry})",
            f"ducklake_cleanup_old_files('lake', {cleanup})",
        ):
            self.execute(f"call {call}")
        if self.snapshot != before:
            self._settle(before)

    def purge(self, tables: Sequence[str]) -> bool:
        """Take what was deleted from ``tables`` off the disk: their files and the catalog are written anew.

        All older snapshots go. False when other processes read the catalog, which then keeps unused pages until the
        next time. A query of theirs that is under way may fail. Source of the steps: DESIGN §1, Forget.
        """
        before = self.snapshot
        for name in map(literal, tables):
            self.execute(f"call ducklake_flush_inlined_data('lake', table_name => {name})")
            self.execute(f"call ducklake_rewrite_data_files('lake', {name}, delete_threshold => 0)")
        self.execute("call ducklake_expire_snapshots('lake', older_than => now())")
        self.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
        orphans = self.rows("call ducklake_delete_orphaned_files('lake', cleanup_all => true, dry_run => true)")
        for path in (Path(row["path"]) for row in orphans):
            if path.is_relative_to(self.folder / "main"):  # the folder of the lake also holds exports
                path.unlink(missing_ok=True)
        if self.snapshot != before:
            self._settle(before)
        ids = f"select table_id from {_META}.ducklake_table where table_name in (select unnest(?::varchar[]))"
        # Least and greatest values of columns; DuckLake has none in memory after it is opened again.
        self.execute(f"delete from {_META}.ducklake_table_column_stats where table_id in ({ids})", (list(tables),))
        self._connection.close()
        try:
            return compact(self.folder / "catalog.sqlite")
        finally:
            self._connect(self._offline)

    def live_files(self) -> list[str]:
        """Paths, relative to the lake, of the files that hold the newest snapshot."""
        return [
            f"main/{row['table_path']}{row['path']}"
            for kind in ("ducklake_data_file", "ducklake_delete_file")
            for row in self.rows(
                f"select t.path as table_path, f.path from {_META}.{kind} f join {_META}.ducklake_table t "
                "using (table_id) where f.end_snapshot is null and t.end_snapshot is null order by all"
            )
        ]

    def verify(self, recorded: dict[str, LakeFile]) -> list[str]:
        """What is wrong with the lake's files, one sentence each: missing, changed, or unreadable."""
        problems = []
        for name in self.live_files():
            path = self.folder / name
            if not path.exists():
                problems.append(f"{name} is missing")
            elif name in recorded and self._describe(path) != recorded[name]:
                problems.append(f"{name} differs from what was written (SHA-256)")
            elif name not in recorded:
                problems.extend(self._adopt(path))
        return problems

    def _adopt(self, path: Path) -> list[str]:
        """Check a file whose checksum was lost to a crash by reading it, and record it."""
        try:
            self._connection.execute("select count(columns(*)) from read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error as error:
            return [f"{path.name} cannot be read: {error}"]
        if self._on_files:
            self._on_files(self.lake_id, [self._describe(path)])
        return []
