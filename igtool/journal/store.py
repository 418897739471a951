"""The file of the journal, and what it knows about files.

It remembers which source files are imported, up to which lake snapshot each stage is complete, and the SHA-256 of
every lake file. All of that belongs to one lake (``lake_id``): with another lake nothing of it counts. The tables of
requests, jobs and answers belong to the platforms' keys and stay whatever happens to the lake.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igtool.files import WriterLock, make_file, make_folder, storage_error
from igtool.journal import migrations
from igtool.journal.sqlite_files import alone, check_seal, compact, entered, left, seal, translated


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of the lake as it was when committed; ``path`` is relative to the lake."""

    path: str
    size: int
    sha256: str


class Journal:
    """``cache/journal.sqlite`` in WAL mode with ``synchronous=FULL``: a commit survives a power cut.

    One process holds it as ``writable``. Any number may hold it as ``shared`` besides: they write to the queues and
    the ledger only, whose changes are single transactions that cannot come between each other.
    """

    def __init__(self, folder: Path, *, writable: bool, shared: bool = False, briefly: bool = False) -> None:
        """Raises LockedError (another writer), StorageError, IntegrityError (damaged file).

        ``briefly``: as writer, see `igtool.files.WriterLock`.
        """
        self.path = folder / "journal.sqlite"
        self._is_entered = False
        self._writes = writable or shared
        self._seals = writable and not briefly
        self._lock = WriterLock(folder / "journal.lock", "the journal", briefly=briefly) if writable else None
        try:
            with alone(self._real) as is_alone:
                if self._seals and is_alone:
                    check_seal(self.path)
                entered(self._real)
                self._is_entered = True
            self._open()
        except BaseException:
            self._seals = False
            self.close()
            raise

    def _open(self) -> None:
        if not self._writes and not self.path.exists():
            self._connection = sqlite3.connect(":memory:")
        else:
            try:
                make_folder(self.path.parent)
                make_file(self.path)
            except OSError as error:
                raise storage_error(error, self.path.parent) from error
            with translated(self.path):
                self._connection = sqlite3.connect(self.path, timeout=30)
        with translated(self.path):
            if self._writes:
                self._connection.execute("pragma journal_mode = wal")
                self._connection.execute("pragma synchronous = full")
            migrations.upgrade(self._connection, self.path)

    def close(self) -> None:
        """Release the file and the lock. Who alone writes seals the file."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._is_entered:
            self._is_entered = False
            left(self._real)
            with alone(self._real) as is_alone:
                if self._seals and is_alone:
                    seal(self.path)
        if self._lock is not None:
            self._lock.release()

    @property
    def _real(self) -> Path:
        return self.path.resolve()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; for the modules of this package."""
        with translated(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def version(self) -> int:
        """A number that changes when another connection has written: cheaper to ask for than any table."""
        return int(self.read("pragma data_version")[0][0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read in the block is all of one moment; for the modules of this package."""
        with translated(self.path):
            self._connection.execute("begin")
            try:
                yield
            finally:
                self._connection.rollback()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """All or nothing, with no other writer in between; for the modules of this package."""
        with translated(self.path):
            self._connection.execute("begin immediate")
            try:
                cursor = self._connection.cursor()
                yield cursor
                cursor.close()
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def _write(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        with translated(self.path), self._connection:
            self._connection.executemany(query, rows)

    def compact(self) -> bool:
        """As `compact`, for the journal; copies of it from before upgrades go."""
        shutil.rmtree(self.path.parent / migrations.KEPT, ignore_errors=True)
        return compact(self.path)

    def imported_files(self, lake_id: str, source: str) -> dict[str, tuple[int, int]]:
        """Path to (size in bytes, mtime in ns) of the files of ``source`` that are wholly in the lake."""
        rows = self.read(
            "select path, size, mtime_ns from source_files where lake_id = ? and source = ?",
            (lake_id, source),
        )
        return {str(path): (int(str(size)), int(str(mtime))) for path, size, mtime in rows}

    def record_imported(self, lake_id: str, source: str, files: Iterable[tuple[str, int, int]]) -> None:
        """Remember (path, size, mtime_ns) of files whose every document is committed to the lake."""
        self._write(
            "insert or replace into source_files values (?, ?, ?, ?, ?)",
            ((lake_id, source, *file) for file in files),
        )

    def stage_state(self, lake_id: str, stage: str) -> tuple[str, int] | None:
        """(signature, lake snapshot) up to which ``stage`` is complete, or None."""
        rows = self.read(
            "select signature, snapshot from stage_states where lake_id = ? and stage = ?", (lake_id, stage)
        )
        return (str(rows[0][0]), int(str(rows[0][1]))) if rows else None

    def record_stage(self, lake_id: str, stage: str, signature: str, snapshot: int) -> None:
        """Remember that ``stage`` has nothing pending at ``snapshot``."""
        self._write("insert or replace into stage_states values (?, ?, ?, ?)", [(lake_id, stage, signature, snapshot)])

    def forget_files(self) -> None:
        """Drop what is remembered about files that were imported: they are read again."""
        self._write("delete from source_files", [()])

    def forget_stages(self) -> None:
        """Drop what is remembered about finished stages: the next run asks the tables themselves."""
        self._write("delete from stage_states", [()])

    def note_searches(self, rows: Iterable[str]) -> None:
        """Remember searches, as JSON, until they are in the lake."""
        self._write("insert into searches (row) values (?)", ((row,) for row in rows))

    def searches(self) -> list[tuple[int, str]]:
        """Number and JSON of the searches that are not in the lake yet, at most 10,000 at a time."""
        return [(int(n), str(row)) for n, row in self.read("select * from searches order by 1 limit 10000")]

    def drop_searches(self, numbers: Iterable[int]) -> None:
        """Forget searches that are in the lake."""
        self._write("delete from searches where search_number = ?", ((number,) for number in numbers))

    def drop_searches_of(self, tenant_id: str) -> None:
        """Forget the searches of a tenant that are not in the lake."""
        self._write("delete from searches where row ->> 'tenant_id' = ?", [(tenant_id,)])

    def lake_files(self, lake_id: str) -> dict[str, LakeFile]:
        """Path to recorded size and checksum of every lake file."""
        rows = self.read("select path, size, sha256 from lake_files where lake_id = ?", (lake_id,))
        return {str(path): LakeFile(str(path), int(str(size)), str(sha)) for path, size, sha in rows}

    def record_lake_files(self, lake_id: str, files: Iterable[LakeFile]) -> None:
        """Remember the checksums of files that a lake commit added."""
        self._write(
            "insert or replace into lake_files values (?, ?, ?, ?)",
            ((lake_id, file.path, file.size, file.sha256) for file in files),
        )
