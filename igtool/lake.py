"""The lake: all tables as Parquet under a DuckLake catalog. Only `lake*.py` touch data files and catalog.

What is particular to DuckLake in DuckDB 1.5 lives here and nowhere else: it never fsyncs Parquet, has no keys,
and lets duplicate or NULL merge keys through. See DESIGN §1 for the measurements behind each rule.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from igtool.errors import ConfigError, UsageError
from igtool.extensions import load_extension
from igtool.files import WriterLock
from igtool.journal import LakeFile
from igtool.lake_catalogs import catalog_of
from igtool.lake_errors import translated
from igtool.lake_files import LakeFiles
from igtool.lake_migrations import widen
from igtool.lake_sql import META, literal
from igtool.lake_stores import check_data_path, store_of
from igtool.places import LakePlace
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
        place: LakePlace | Path,
        *,
        writable: bool,
        offline: bool = True,
        on_files: Callable[[str, list[LakeFile]], None] | None = None,
        briefly: bool = False,
    ) -> None:
        """``place``: of a lake that is all in one folder the folder will do.

        Raises UsageError (nothing there to read), LockedError, ConfigError, IntegrityError, StorageError,
        RateLimitedError (a catalog or a store on the network does not answer).
        """
        place = place if isinstance(place, LakePlace) else LakePlace(place)
        self.place = replace(place, folder=place.folder.resolve())
        self.folder = self.place.folder
        self._on_files = on_files
        self.is_writable = writable
        if not writable and not self.place.is_made:
            raise self._is_absent()
        self._lock = WriterLock(self.folder / "lake.lock", "the lake", briefly=briefly) if writable else None
        self._offline = offline
        self._seals = False
        self.catalog = catalog_of(self.place, writable=writable)
        self.store = store_of(self.place)
        try:
            self._connect()
            self._open()
            self._seals = writable and not briefly
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        with self.catalog.opening() as is_alone:
            known = self._known(is_alone=is_alone)
        with self.catalog.writing() if known["schema_version"] < SCHEMA_VERSION else nullcontext():
            if known["schema_version"] < SCHEMA_VERSION and not self.place.is_usual:
                known = self._known_elsewhere()
            self.lake_id = str(known["lake_id"])
            self.store.claim(self.lake_id, is_new=known["schema_version"] == 0)
            self._attach()
            if known["schema_version"] < SCHEMA_VERSION:
                self._migrate()
                self.catalog.note(self.lake_id, SCHEMA_VERSION)
        if self.is_writable:
            self.catalog.check_after(self.snapshot)
            if self.place.is_usual:
                check_data_path(self.value(f"select value from {META}.ducklake_metadata where key = 'data_path'"))

    def _known(self, *, is_alone: bool) -> dict[str, Any]:
        """Which lake this is, before anything of it is opened; of an older one a copy is kept."""
        known = self.catalog.known()
        version = known["schema_version"]
        if not self.is_writable and version == 0 and not self.place.is_usual:
            raise self._is_absent()
        if not self.is_writable and version < SCHEMA_VERSION:
            raise ConfigError(
                f"{self.folder} is of an older igtool (schema {version}, this one has "
                f"{SCHEMA_VERSION}): run `igtool run` once to bring it up to date; no data is lost"
            )
        self.catalog.check_before(version, is_alone=is_alone)
        return known

    def _known_elsewhere(self) -> dict[str, Any]:
        """As `_known`, when nobody else can make the lake; its id is noted before its place has files."""
        known = self.catalog.known()
        if known["schema_version"] == 0:
            self.catalog.note(str(known["lake_id"]), 0)
        return known

    def _is_absent(self) -> UsageError:
        return UsageError(f"there is no creator database in {self.folder.parent}: make one with `igtool enrich CSV`")

    def reconnect(self) -> None:
        """Open the catalog again after it was closed."""
        self._connect()
        self._attach()

    def _connect(self) -> None:
        """A DuckDB that can open the lake."""
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'")
        # The system keeps files in memory already; of small row groups this would keep hundreds of megabytes more.
        self._connection.execute("set enable_external_file_cache = false")
        for name in (*self.catalog.extensions, *self.store.extensions, "ducklake"):
            load_extension(self._connection, name, offline=self._offline)
        self._connection.execute(f"set temp_directory = {literal(f'{self.folder}/spill')}")
        self.catalog.prepare(self._connection)
        self.store.prepare(self._connection)

    def _attach(self) -> None:
        options = f"DATA_PATH {literal(self.store.url)}, OVERRIDE_DATA_PATH true{self.catalog.options}"
        options += "" if self.is_writable else ", READ_ONLY"
        with translated(self.folder):
            self._connection.execute(f"attach {literal(f'ducklake:{self.catalog.address}')} as lake ({options})")
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
        if self.store.largest:
            self.execute(f"call lake.set_option('target_file_size', '{self.store.largest}')")

    def close(self) -> None:
        """Release the files and the lock. Who writes for long seals the catalog."""
        if hasattr(self, "_connection"):
            self._connection.close()
        self.catalog.close(is_done=self._seals)
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
            # One of our own files, not one that the query names.
            if any(place in str(error) for place in (str(self.folder), self.store.url)):
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
        with self.catalog.writing():
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
            self.store.sync_since(began)
            self.catalog.check_writing()
            with translated(self.folder):
                self._connection.execute("commit")
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        try:
            self._connection.execute("rollback")
        except duckdb.Error:
            return  # the failed commit has already ended the transaction, or its catalog is gone

    def _name_incoming(self, rows: pa.Table | None) -> None:
        if rows is None:
            self._connection.unregister("incoming")
        else:
            self._connection.register("incoming", rows)
