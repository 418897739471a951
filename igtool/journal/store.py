"""The file of the journal, and what it knows about files.

It remembers which source files are imported, up to which lake snapshot each stage is complete, and the SHA-256 of
every lake file. All of that belongs to one lake (``lake_id``): with another lake nothing of it counts. The tables of
requests, jobs and answers belong to the platforms' keys and stay whatever happens to the lake.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igtool.errors import IntegrityError, LockedError, StorageError
from igtool.files import WriterLock, storage_error

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
create table if not exists requests (
    request_id integer primary key, source text not null, key text not null, endpoint text not null,
    at real not null, units integer not null, cost_usd real not null, run text not null, owner text not null,
    outcome text, status integer
) strict;
create index if not exists requests_by_time on requests (source, key, at);
create index if not exists requests_by_run on requests (run, cost_usd);
create table if not exists paces (
    source text not null, key text not null, pace text not null, primary key (source, key)
) strict, without rowid;
create table if not exists jobs (
    job_id integer primary key, platform text not null, handle text not null, kind text not null,
    priority integer not null, source text not null, state text not null, due_at real not null,
    target text, progress text not null, rounds integer not null, run text not null, owner text, leased_until real,
    reason text not null, added_at real not null, ended_at real, unique (platform, handle, kind)
) strict;
create index if not exists jobs_by_run on jobs (run, source, state, priority desc, job_id);
create table if not exists answers (
    answer_id text primary key, platform text not null, source text not null, endpoint text not null, subject text,
    status integer not null, outcome text not null, body blob not null, sha256 text not null, fetched_at real not null
) strict;
create table if not exists llm_calls (
    call_id integer primary key, provider text not null, model text not null, at real not null,
    tokens integer not null, cost_usd real not null, run text not null, outcome text
) strict;
create index if not exists llm_calls_by_time on llm_calls (provider, at);
create index if not exists llm_calls_by_run on llm_calls (run, cost_usd);
create table if not exists llm_answers (answer_id text primary key, row text not null) strict;
create table if not exists searches (search_number integer primary key, row text not null) strict;
create table if not exists llm_batches (
    label text primary key, provider text not null, model text not null, batch_id text, asked text not null,
    submitted_at real not null
) strict;
create table if not exists text_vectors (
    model text not null, text_sha256 text not null, vector blob not null, primary key (model, text_sha256)
) strict;
create table if not exists llm_under_way (
    call_id integer primary key, answer_id text not null, item_id text not null, owner text not null
) strict;
create index if not exists llm_under_way_by_item on llm_under_way (item_id);
create table if not exists conversations (
    number integer primary key, conversation_id text not null unique, tenant_id text not null, said_at integer not null,
    row text not null, state text not null, due_at real not null, owner text, crashes integer not null default 0,
    tries integer not null default 0, reason text not null default '', accepted_at real not null, ended_at real,
    sentiment text, confidence real, result text
) strict;
create index if not exists conversations_by_state on conversations (state, number);
create index if not exists conversations_by_time on conversations (tenant_id, said_at);
create table if not exists conversation_keys (
    key_sha256 blob primary key, body_sha256 blob not null, conversation_id text not null, used_at real not null
) strict, without rowid;
create index if not exists conversation_keys_by_id on conversation_keys (conversation_id);
create table if not exists conversation_deletions (
    conversation_id text primary key, asked_at real not null
) strict, without rowid;
create table if not exists conversation_counters (name text primary key, count integer not null) strict, without rowid;
"""
_VERSION = 5


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
        self._writes = writable or shared
        self._lock = WriterLock(folder / "journal.lock", "the journal", briefly=briefly) if writable else None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if not self._writes and not self.path.exists():
            self._connection = sqlite3.connect(":memory:")
        else:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, self.path.parent) from error
            with _translated(self.path):
                self._connection = sqlite3.connect(self.path, timeout=30)
        with _translated(self.path):
            if self._writes:
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

    def read(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; for the modules of this package."""
        with _translated(self.path):
            return self._connection.execute(query, parameters).fetchall()

    def version(self) -> int:
        """A number that changes when another connection has written: cheaper to ask for than any table."""
        return int(self.read("pragma data_version")[0][0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read in the block is all of one moment; for the modules of this package."""
        with _translated(self.path):
            self._connection.execute("begin")
            try:
                yield
            finally:
                self._connection.rollback()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """All or nothing, with no other writer in between; for the modules of this package."""
        with _translated(self.path):
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
        with _translated(self.path), self._connection:
            self._connection.executemany(query, rows)

    def compact(self) -> bool:
        """As `compact`, for the journal."""
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


def compact(path: Path) -> bool:
    """Write an SQLite file anew, so that nothing deleted is left in it; False while other processes read it."""
    with suppress(LockedError), _translated(path), closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("vacuum")
        is_busy, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        return not is_busy
    return False


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
            f"{path} is damaged ({error}): move it away and run the same command again; the lake stays, finished work "
            "is found anew, and only answers that were not yet in the lake are asked for again"
        ) from error
