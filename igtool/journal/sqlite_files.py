"""SQLite files as files: copied while others write, checked, and sealed, so that a flipped bit in them is noticed.

SQLite has no checksums. A seal is a small file beside the database with its size, SHA-256 and time of change as its
last writer left it. Writing changes that time and damage on the disk does not: so a file that has the time of its seal
has the bytes of its seal, or it is damaged.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from igtool.errors import IntegrityError, LockedError, StorageError
from igtool.files import fsync, make_file, make_folder, replaced, storage_error

_SEAL = ".seal"
_PATIENCE_S = 30
_FEW = 5

State = Literal["sealed", "changed", "damaged", "unsealed"]


# One process, several connections --------------------------------------------------------------------------------

_GATE = threading.RLock()
_OPEN: Counter[Path] = Counter()


def entered(path: Path) -> None:
    """Say that this process opens an SQLite file; `left` says that it has closed it."""
    with _GATE:
        _OPEN[path] += 1


def left(path: Path) -> None:
    """See `entered`."""
    with _GATE:
        _OPEN[path] -= 1


@contextmanager
def alone(path: Path, *, own: int = 0) -> Iterator[bool]:
    """Whether nothing in this process has the file open but ``own`` connections; nothing opens it in the block.

    Locks of POSIX belong to the process: whoever closes a file takes those away that another connection in the process
    holds on it, unless both are of one SQLite, and DuckDB brings its own. Source: "How To Corrupt An SQLite Database
    File", sections 2.2 and 2.2.1.
    """
    with _GATE:
        yield _OPEN[path] <= own


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as ours; of the journal they say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise LockedError(f"{path} is locked by another process: run the same command again later") from error
        if "full" in text or "disk I/O" in text or "readonly" in text or "unable to open" in text:
            raise StorageError(f"cannot write {path} ({text}): check free space and permissions") from error
        if any(sign in text for sign in ("malformed", "no such table", "no such column", "Could not decode")):
            raise _damaged(path, error) from error
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # messages quote the file, whatever is in it
        raise _damaged(path, error) from error


def _damaged(path: Path, error: object) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged ({error}): `igtool verify --repair` mends it. Of the journal the lake stays, finished work "
        "is found anew, and only answers that were not yet in the lake are asked for again"
    )


def compact(path: Path) -> bool:
    """Write an SQLite file anew, so that nothing deleted is left in it; False while other processes read it."""
    with suppress(LockedError), translated(path), closing(sqlite3.connect(path, timeout=5)) as connection:
        connection.execute("vacuum")
        is_busy, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        return not is_busy
    return False


def copy_database(path: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, while others read and write; ``target`` is on disk afterwards.

    Raises IntegrityError, LockedError, StorageError.
    """
    try:
        make_folder(target.parent)
        target.unlink(missing_ok=True)
        make_file(target)
        with (
            translated(path),
            closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)  # all pages in one step: a copy in several would begin anew after each commit
            copy.execute("pragma journal_mode = delete")
        fsync(target)
        fsync(target.parent)
    except OSError as error:
        raise storage_error(error, target) from error


def problems_of(path: Path, *, quick: bool = False) -> list[str]:
    """What SQLite finds wrong with its file, five sentences at most; ``quick`` leaves the indexes out."""
    check = "quick_check" if quick else "integrity_check"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as opened:
            found = [str(row[0]) for row in opened.execute(f"pragma {check}({_FEW})")]
    except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
        return [str(error)]
    return [] if found == ["ok"] else found[:_FEW]


def rows_of(path: Path, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """The rows of a query over an SQLite file that is only read. Raises IntegrityError, LockedError, StorageError."""
    with (
        translated(path),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as opened,
    ):
        return opened.execute(query, parameters).fetchall()


def change(path: Path, statements: Iterable[tuple[str, Sequence[object]]]) -> None:
    """Run ``statements`` in one transaction: all of them or none. Raises IntegrityError, LockedError, StorageError."""
    with translated(path), closing(sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)) as opened:
        opened.execute("pragma synchronous = full")
        opened.execute("begin immediate")
        try:
            for query, parameters in statements:
                opened.execute(query, parameters)
        except BaseException:
            opened.execute("rollback")
            raise
        opened.execute("commit")


def remove_database(path: Path) -> None:
    """Delete an SQLite file with what lies beside it."""
    for ending in ("", "-wal", "-shm", _SEAL):
        path.with_name(path.name + ending).unlink(missing_ok=True)


# Seals -----------------------------------------------------------------------------------------------------------


def seal(path: Path, *, told: str | None = None) -> bool:
    """Note what the file holds now, and say whether that is new; for who alone writes it.

    The first row of the query ``told`` is noted too. Nothing is done while others read it and pages wait in its log.
    """
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=0)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    if not path.is_file() or _has_log(path):
        return False
    state = path.stat()
    before = sealed_as(path)
    if before is not None and (before["bytes"], before["changed_ns"]) == (state.st_size, state.st_mtime_ns):
        return False
    content = {"bytes": state.st_size, "changed_ns": state.st_mtime_ns, "sha256": _sha256(path)}
    if told is not None:
        with translated(path), closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            content |= dict(connection.execute(told).fetchone())
    if path.stat().st_mtime_ns != state.st_mtime_ns:
        return False
    with replaced(path.with_name(path.name + _SEAL)) as file:
        file.write(json.dumps(content).encode())
    return True


def sealed_as(path: Path) -> dict[str, Any] | None:
    """What the seal of an SQLite file says: ``bytes``, ``changed_ns``, ``sha256`` and what was told; None without."""
    try:
        found: dict[str, Any] = json.loads(path.with_name(path.name + _SEAL).read_bytes())
        return found if {"bytes", "changed_ns", "sha256"} <= found.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def seal_state(path: Path) -> State:
    """How an SQLite file stands to its seal: ``changed`` if it was written since, ``unsealed`` without any."""
    told = sealed_as(path)
    if told is None or not path.is_file():
        return "unsealed"
    if path.stat().st_mtime_ns != told["changed_ns"] or _has_log(path):
        return "changed"
    is_same = path.stat().st_size == told["bytes"] and _sha256(path) == told["sha256"]
    return "sealed" if is_same else "damaged"


def check_seal(path: Path) -> None:
    """Raises IntegrityError where the file is not what its last writer left."""
    if seal_state(path) == "damaged":
        raise _damaged(path, "its SHA-256 differs")


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# What is left of a damaged file ----------------------------------------------------------------------------------


def salvage(damaged: Path, target: Path, keep: Callable[[str, Mapping[str, object]], bool]) -> dict[str, int]:
    """Rows of a damaged SQLite file that can still be read, put into the tables of ``target``; how many, by table.

    ``keep`` says of a row whether it is to be taken. Rows that do not fit, or are there, stay out.
    """
    taken: dict[str, int] = {}
    with (
        closing(sqlite3.connect(f"{damaged.resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target, isolation_level=None)) as into,
    ):
        source.row_factory = sqlite3.Row
        names = [str(row[0]) for row in into.execute("select name from sqlite_master where type = 'table'")]
        into.execute("begin immediate")
        for name in names:  # what cannot be read at all gives no rows
            columns = {str(row[1]) for row in into.execute(f'pragma table_info("{name}")')}
            for row in _readable(source, name):
                fields = [field for field in row.keys() if field in columns]  # noqa: SIM118 - a Row is no dict
                if not fields or not keep(name, dict(row)):
                    continue
                listed = ", ".join(f'"{field}"' for field in fields)
                places = ", ".join("?" for _ in fields)
                with suppress(sqlite3.Error):
                    query = f'insert or ignore into "{name}" ({listed}) values ({places})'
                    taken[name] = taken.get(name, 0) + into.execute(query, [row[f] for f in fields]).rowcount
        into.execute("commit")
    return {name: count for name, count in taken.items() if count}


def _readable(source: sqlite3.Connection, name: str) -> Iterator[sqlite3.Row]:
    """Rows of a table until one cannot be read."""
    with suppress(sqlite3.Error, UnicodeDecodeError, OverflowError):
        yield from source.execute(f'select * from "{name}"')
