"""Files on disk: replaced as a whole or not at all, and locked by one writer."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from igtool.errors import IgtoolError, LockedError, StorageError, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_OF_THE_MACHINE = _FULL | {errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_BRIEFLY = " briefly"
_PATIENCE_S = 10.0
"""Longer than any brief holder takes."""
_LOOK_S = 0.02


def storage_error(error: OSError, path: Path | str) -> IgtoolError:
    """The error to raise instead of ``error``: what failed, on which file, and the fix."""
    name = error.filename or path
    if error.errno in _FULL:
        return StorageError(f"no space left while writing {name}: free some space, then run the same command again")
    if error.errno in _FORBIDDEN:
        return StorageError(f"no permission for {name}: check its owner and mode, then run the same command again")
    return StorageError(f"cannot use {name}: {error.strerror or error}")


def is_of_the_machine(error: OSError) -> bool:
    """Whether an error comes from the disk or the system wherever a file is used, and is no bug of who used it."""
    return error.errno in _OF_THE_MACHINE


def read_whole(path: Path, most_mb: int) -> bytes:
    """The bytes of a file that a user names. Raises UsageError for one that is not there or larger, StorageError."""
    try:
        with path.open("rb") as file:
            data = file.read(most_mb * 1_000_000 + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if len(data) > most_mb * 1_000_000:
        raise UsageError(f"{path} is larger than {most_mb} MB, and no more is read")
    return data


def make_folder(folder: Path) -> None:
    """Make ``folder``, and those above it that are missing, for their owner alone. Raises OSError.

    One that is there keeps its mode: who opened it to others meant it.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file for its owner alone where none is: what SQLite makes has the mode that umask leaves.

    A file that is there is not opened: closing it would take away locks that this process holds. Raises OSError.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _made(path: Path, flags: int) -> int:
    """A descriptor of a file, which is for its owner alone where it is made now."""
    return os.open(path, flags | os.O_CREAT, 0o600)


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends well; else ``path`` stays as it was.

    It is for its owner alone, whatever the mode of what was there. The bytes and the folder entry are on disk before
    this returns. Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(path.parent)
        with os.fdopen(_made(temporary, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        fsync(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def fsync(path: Path) -> None:
    """Force a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class WriterLock:
    """The right to write to a store, held by one process until it releases it or dies.

    An OS lock (flock): nothing is left behind by a crash. The file holds the process id for the message.
    ``briefly``: it is held for a moment only, which others wait for instead of giving up.
    """

    def __init__(self, path: Path, what: str, *, briefly: bool = False) -> None:
        try:
            make_folder(path.parent)
            self._file = os.fdopen(_made(path, os.O_RDWR | os.O_APPEND), "a+")
        except OSError as error:
            raise storage_error(error, path) from error
        ends = time.monotonic() + _PATIENCE_S
        while (holder := self._taken()) is not None:
            if not holder.endswith(_BRIEFLY) or time.monotonic() > ends:
                self._file.close()
                pid = holder.removesuffix(_BRIEFLY)
                raise LockedError(
                    f"{what} is being written by process {pid}: wait until it is done, or stop it (kill {pid})"
                )
            time.sleep(_LOOK_S)
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}{_BRIEFLY if briefly else ''}")
        self._file.flush()

    def _taken(self) -> str | None:
        """None where the lock is ours now; else what its holder wrote of itself."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            return self._file.read().strip() or "unknown"
        return None

    def release(self) -> None:
        """Let another process write."""
        self._file.close()


def is_locked(path: Path) -> bool:
    """Whether another process holds the ``WriterLock`` of ``path`` now."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise storage_error(error, path) from error
    return False


@contextmanager
def held(path: Path, *, shared: bool, patience_s: float = 0.0) -> Iterator[bool]:
    """Whether the lock of ``path`` is ours while the block runs: alone, or with others that hold it ``shared``.

    It is waited for so long. An OS lock: nothing is left behind by a crash. Raises StorageError.
    """
    try:
        make_folder(path.parent)
        file = os.fdopen(_made(path, os.O_RDWR | os.O_APPEND), "a+")
    except OSError as error:
        raise storage_error(error, path) from error
    with file:
        ends = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < ends:
                    time.sleep(_LOOK_S)
                    continue
                yield False
                return
            yield True
            return
