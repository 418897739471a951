"""Files on disk: replaced as a whole or not at all, and locked by one writer."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from igtool.errors import IgtoolError, LockedError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def storage_error(error: OSError, path: Path | str) -> IgtoolError:
    """The error to raise instead of ``error``: what failed, on which file, and the fix."""
    name = error.filename or path
    if error.errno in _FULL:
        return StorageError(f"no space left while writing {name}: free some space, then run the same command again")
    if error.errno in _FORBIDDEN:
        return StorageError(f"no permission for {name}: check its owner and mode, then run the same command again")
    return StorageError(f"cannot use {name}: {error.strerror or error}")


@contextmanager
def replaced(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends well; else ``path`` stays as it was.

    The bytes and the folder entry are on disk before this returns. Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
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
    """

    def __init__(self, path: Path, what: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+")
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise LockedError(
                f"{what} is being written by process {holder}: wait until it is done, or stop it (kill {holder})"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

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
