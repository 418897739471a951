"""The journal: what is under way and what is known about files, in SQLite. Only this file touches it.

It remembers which source files are imported, up to which lake snapshot each stage is complete, and the SHA-256 of
every lake file. All of it belongs to one lake (``lake_id``): with another lake nothing of it counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from igtool.errors import IntegrityError, LockedError, StorageError
from igtool.files import WriterLock

_SCHEMA = """
create table if not exists source_files (
    lake_id text not null, source text not null, path text not null, size integer not null,
    mtime_ns integer not null, primary key (lake_id, source, path)
) strict, without rowid;
create table if not exists stage_states (
    lake_id text not null, stage text not null, signature text not null, snapshot integer not null,
    primary key (lake_id, stage)
) strict, without rowid;
create table if not exists lake_files (
    lake_id text not null, path text not null, size integer not null, sha256 text not null,
    primary key (lake_id, path)
) strict, without rowid;
"""
_VERSION = 1


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of the lake as it was when committed; ``path`` is relative to the lake."""

    path: str
    size: int
    sha256: str


class Journal:
    """``cache/journal.sqlite`` in WAL mode with ``synchronous=FULL``: a commit survives a power cut."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        """Raises LockedError (another writer), StorageError, IntegrityError (damaged file)."""
        self.path = folder / "journal.sqlite"
        self._lock = WriterLock(folder / "journal.lock", "the journal") if writable else None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if self._lock is None and not self.path.exists():
            self._connection = sqlite3.connect(":memory:")
        else:
            with _translated(self.path):
                self._connection = sqlite3.connect(self.path, timeout=30)
        with _translated(self.path):
            if self._lock is not None:
                self._connection.execute("pragma journal_mode = wal")
                self._connection.execute("pragma synchronous = full")
            (version,) = self._connection.execute("pragma user_version").fetchone()
            if version > _VERSION:
                raise IntegrityError(f"{self.path} was written by a newer igtool: upgrade igtool")
            if version < _VERSION:
                self._connection.executescript(_SCHEMA + f"pragma user_version = {_VERSION};")

    def close(self) -> None:
        """Release the file and the lock."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, query: str, parameters: tuple[object, ...]) -> list[tuple[object, ...]]:
        with _translated(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def _write(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        with _translated(self.path), self._connection:
            self._connection.executemany(query, rows)

    def imported_files(self, lake_id: str, source: str) -> dict[str, tuple[int, int]]:
        """Path to (size in bytes, mtime in ns) of the files of ``source`` that are wholly in the lake."""
        rows = self._read(
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
        rows = self._read(
            "select signature, snapshot from stage_states where lake_id = ? and stage = ?", (lake_id, stage)
        )
        return (str(rows[0][0]), int(str(rows[0][1]))) if rows else None

    def record_stage(self, lake_id: str, stage: str, signature: str, snapshot: int) -> None:
        """Remember that ``stage`` has nothing pending at ``snapshot``."""
        self._write("insert or replace into stage_states values (?, ?, ?, ?)", [(lake_id, stage, signature, snapshot)])

    def forget_stages(self) -> None:
        """Drop what is remembered about finished stages: the next run asks the tables themselves."""
        self._write("delete from stage_states", [()])

    def lake_files(self, lake_id: str) -> dict[str, LakeFile]:
        """Path to recorded size and checksum of every lake file."""
        rows = self._read("select path, size, sha256 from lake_files where lake_id = ?", (lake_id,))
        return {str(path): LakeFile(str(path), int(str(size)), str(sha)) for path, size, sha in rows}

    def record_lake_files(self, lake_id: str, files: Iterable[LakeFile]) -> None:
        """Remember the checksums of files that a lake commit added."""
        self._write(
            "insert or replace into lake_files values (?, ?, ?, ?)",
            ((lake_id, file.path, file.size, file.sha256) for file in files),
        )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise LockedError(f"{path} is locked by another process: run the same command again later") from error
        if "full" in text or "disk I/O" in text or "readonly" in text or "unable to open" in text:
            raise StorageError(f"cannot write {path} ({text}): check free space and permissions") from error
        raise
    except sqlite3.DatabaseError as error:
        raise IntegrityError(
            f"{path} is damaged ({error}): move it away and run the same command again; "
            "the lake stays, only the list of finished work is read anew"
        ) from error
