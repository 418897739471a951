"""The lake: all tables as Parquet under a DuckLake catalog in SQLite. Only this file touches data files.

What is particular to DuckLake in DuckDB 1.5 lives here and nowhere else: it never fsyncs Parquet, has no keys,
and lets duplicate or NULL merge keys through. See DESIGN §1 for the measurements behind each rule.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from igtool.errors import ConfigError, UsageError
from igtool.extensions import load_extension
from igtool.files import WriterLock, make_file
from igtool.journal import LakeFile
from igtool.journal.sqlite_files import alone, check_seal, entered, left
from igtool.lake_errors import translated
from igtool.lake_files import CATALOG, LakeFiles, check_age, seal_catalog
from igtool.lake_migrations import keep_before, read_marker, widen, write_marker
from igtool.lake_sql import META
from igtool.schema import SCHEMA_VERSION, TABLES

_DATA_CHANGE = re.compile(r"(?:inserted_into_table|deleted_from_table|inlined_insert|inlined_delete):(\d+)")
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


class Lake(LakeFiles):
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
        self._seals = self._is_entered = False
        try:
            with alone(self.catalog) as is_alone:
                known = self._known(is_alone=is_alone)
                entered(self.catalog)
                self._is_entered = True
            self.lake_id = str(known["lake_id"])
            self.reconnect()
            if known["schema_version"] < SCHEMA_VERSION:
                self._migrate()
                write_marker(self.folder, self.lake_id, SCHEMA_VERSION)
            if writable:
                check_age(self.folder, self.snapshot)
            self._seals = writable and not briefly
        except BaseException:
            self.close()
            raise

    def _known(self, *, is_alone: bool) -> dict[str, Any]:
        """Which lake this is, before anything of it is opened; of an older one a copy is kept."""
        known = read_marker(self.folder)
        version = known["schema_version"]
        if not self.is_writable and version < SCHEMA_VERSION:
            raise ConfigError(
                f"{self.folder} is of an older igtool (schema {version}, this one has "
                f"{SCHEMA_VERSION}): run `igtool run` once to bring it up to date; no data is lost"
            )
        if self.is_writable and version and is_alone:
            check_seal(self.folder / CATALOG)
        if 0 < version < SCHEMA_VERSION:
            keep_before(self.folder, version)
        return known

    def reconnect(self) -> None:
        """Open the catalog, again after it was closed."""
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'")
        # The system keeps files in memory already; of small row groups this would keep hundreds of megabytes more.
        self._connection.execute("set enable_external_file_cache = false")
        for name in ("sqlite_scanner", "ducklake"):
            load_extension(self._connection, name, offline=self._offline)
        path = str(self.folder).replace("'", "''")
        self._connection.execute(f"set temp_directory = '{path}/spill'")
        options = f"DATA_PATH '{path}/', OVERRIDE_DATA_PATH true, META_BUSY_TIMEOUT 30000"
        options += ", META_JOURNAL_MODE 'WAL'" if self.is_writable else ", READ_ONLY"
        with translated(self.folder):
            if self.is_writable:
                make_file(self.catalog)
            self._connection.execute(f"attach 'ducklake:sqlite:{path}/catalog.sqlite' as lake ({options})")
            self._connection.execute("use lake")

    def _migrate(self) -> None:
        """Bring the tables to this version, in one commit."""
        with self.transaction():
            rows = self.rows("select table_name, column_name from duckdb_columns() where database_name = 'lake'")
            there: dict[str, set[str]] = {}
            for row in rows:
                there.setdefault(row["table_name"], set()).add(row["column_name"])
            widen(self, there)
        for table in TABLES.values():
            if table.row_group:
                option = f"'parquet_row_group_size', '{table.row_group}', table_name => '{table.name}'"
                self.execute(f"call lake.set_option({option})")

    def close(self) -> None:
        """Release the files and the lock. Who writes for long seals the catalog."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._is_entered:
            self._is_entered = False
            left(self.catalog)
            with alone(self.catalog) as is_alone:
                if self._seals and is_alone:
                    seal_catalog(self.folder)
            self._seals = False
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

    def interrupt(self) -> None:
        """End the query that another thread runs; not those of `batches` and `stream`."""
        self._connection.interrupt()

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
        return int(self.value(f"select max(snapshot_id) from {META}.ducklake_snapshot"))

    def changed_since(self, snapshot: int) -> set[str]:
        """Tables whose rows changed after ``snapshot``; all of them where the commits since are no longer listed."""
        if int(self.value(f"select min(snapshot_id) from {META}.ducklake_snapshot")) > snapshot + 1:
            return set(TABLES)
        changes = self.rows(
            f"select changes_made from {META}.ducklake_snapshot_changes where snapshot_id > ?", (snapshot,)
        )
        ids = {int(number) for row in changes for number in _DATA_CHANGE.findall(row["changes_made"] or "")}
        names = self.rows(f"select table_id, table_name from {META}.ducklake_table where end_snapshot is null")
        return {row["table_name"] for row in names if row["table_id"] in ids}

    # --- writing ---

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block in one commit, on disk when this returns; none of them if the block fails."""
        before = self.snapshot
        with self._committed():
            yield
        if self.snapshot != before:
            self._settle(before)

    @contextmanager
    def _committed(self) -> Iterator[None]:
        """One commit, which names no file that is not on disk: a power cut leaves all of it or nothing."""
        began = time.time()
        self.execute("begin")
        try:
            yield
            self._sync_since(began)
            with translated(self.folder):
                self._connection.execute("commit")
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        try:
            self._connection.execute("rollback")
        except duckdb.TransactionException:
            return  # the failed commit has already ended the transaction

    def _name_incoming(self, rows: pa.Table | None) -> None:
        if rows is None:
            self._connection.unregister("incoming")
        else:
            self._connection.register("incoming", rows)
