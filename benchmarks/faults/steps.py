"""The durable steps of a process, found without hooks in the product: counted, written down, and places to die at.

`watch` wraps the calls by which a process makes something last or tells somebody else: fsync, rename, link, delete,
the close of a file that was written, commits of SQLite and of DuckDB, and the sending of bytes over a socket. A step
belongs to the nearest line of igtool on the stack; calls that do not come from igtool are no steps.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import re
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PRODUCT = str(Path(__file__).parents[2] / "igtool") + os.sep
_LASTING = re.compile(r"\s*(commit|call|copy|attach|vacuum|checkpoint|pragma wal_checkpoint)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One step of a run: its ``number`` from 1, kind, and the line of igtool that makes it."""

    number: int
    kind: str
    place: str


@dataclass
class Watch:
    """What to do at the steps: write them to ``log``, and die at number ``kill_at``, before or after it is done."""

    log: Path
    kill_at: int = 0
    before: bool = True


class _Watcher:
    """Counts steps of all threads."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.number = 0
        self._lock = threading.Lock()
        self._log = os.open(watch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._inside = threading.local()

    def step(self, kind: str, act: Callable[[], Any], **about: Any) -> Any:
        """Do ``act`` as a step of ``kind``, or die around it."""
        place = None if getattr(self._inside, "is_set", False) else _place()
        if place is None:
            return act()
        with self._lock:
            self.number += 1
            number = self.number
        if number == self.watch.kill_at and self.watch.before:
            self._die(number, kind, place)
        self._inside.is_set = True
        try:
            result = act()
        finally:
            self._inside.is_set = False
        self._say({"number": number, "kind": kind, "place": place, **about})
        if number == self.watch.kill_at:
            self._die(number, kind, place)
        return result

    def _die(self, number: int, kind: str, place: str) -> None:
        self._say({"died": number, "of": kind, "place": place})
        os.kill(os.getpid(), signal.SIGKILL)

    def _say(self, what: dict[str, Any]) -> None:
        os.write(self._log, json.dumps(what).encode() + b"\n")


def watch(how: Watch) -> None:
    """Wrap the calls of this process; for a child that does nothing else."""
    watcher = _Watcher(how)
    _watch_files(watcher)
    _watch_writing(watcher)
    _watch_databases(watcher)
    _watch_sending(watcher)


def steps_of(log: Path) -> list[Step]:
    """The steps that a log tells of, in order; none without a log."""
    lines = map(json.loads, log.read_text().splitlines()) if log.exists() else iter(())
    found = [Step(one["number"], one["kind"], one["place"]) for one in lines if "number" in one]
    return sorted(found, key=lambda one: one.number)


def _place() -> str | None:
    """File and line of the nearest caller in igtool."""
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PRODUCT):
            return f"{name[len(_PRODUCT) :]}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


# --- files ---------------------------------------------------------------------------------------------------------


def _watch_files(watcher: _Watcher) -> None:
    real_fsync = os.fsync

    def fsync(file: Any) -> None:
        number = file if isinstance(file, int) else file.fileno()
        state = os.fstat(number)
        about = {"path": str(Path(f"/proc/self/fd/{number}").readlink()), "inode": state.st_ino, "size": state.st_size}
        watcher.step("fsync", lambda: real_fsync(number), **about, changed_ns=state.st_mtime_ns)

    os.fsync = fsync
    for name in ("replace", "rename", "link"):
        real = getattr(os, name)

        def moved(source: Any, target: Any, *given: Any, _real: Any = real, _name: str = name, **named: Any) -> Any:
            about = {"path": str(Path(target).absolute()), "source": str(Path(source).absolute())}
            return watcher.step(_name, lambda: _real(source, target, *given, **named), **about)

        setattr(os, name, moved)
    for name in ("unlink", "remove"):
        real = getattr(os, name)

        def gone(path: Any, *given: Any, _real: Any = real, **named: Any) -> Any:
            return watcher.step("unlink", lambda: _real(path, *given, **named), path=str(path))

        setattr(os, name, gone)


class _Written:
    """A file opened for writing, whose close is a step."""

    def __init__(self, file: Any, watcher: _Watcher) -> None:
        self.__dict__.update(_file=file, _watcher=watcher)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._file, name, value)

    def __enter__(self) -> Any:
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Any:
        return iter(self._file)

    def close(self) -> None:
        """Close it, once."""
        if not self._file.closed:
            self._watcher.step("close", self._file.close, path=str(self._file.name))


def _watch_writing(watcher: _Watcher) -> None:
    real = io.open

    def opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        made = real(file, mode, *given, **named)
        is_ours = mode[:1] in "wax" and not str(file).endswith(".lock") and _place() is not None
        return _Written(made, watcher) if is_ours else made

    builtins.open = io.open = opened  # type: ignore[assignment]


# --- databases and sockets -----------------------------------------------------------------------------------------


def _watch_databases(watcher: _Watcher) -> None:
    import duckdb

    class Watched(sqlite3.Connection):
        def commit(self) -> None:
            watcher.step("sqlite commit", super().commit)

        def execute(self, query: str, *given: Any) -> Any:
            act = super().execute
            if _LASTING.match(query):
                return watcher.step("sqlite commit", lambda: act(query, *given))
            return act(query, *given)

        def __exit__(self, *error: Any) -> Any:
            act = super().__exit__
            return watcher.step("sqlite commit", lambda: act(*error))

    real_sqlite, real_duckdb = sqlite3.connect, duckdb.connect
    sqlite3.connect = lambda *given, **named: real_sqlite(*given, factory=Watched, **named)  # type: ignore[assignment]
    duckdb.connect = lambda *given, **named: _Duck(real_duckdb(*given, **named), watcher)  # type: ignore[assignment]


class _Duck:
    """A connection of DuckDB whose commits and calls are steps."""

    def __init__(self, connection: Any, watcher: _Watcher) -> None:
        self._connection, self._watcher = connection, watcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def execute(self, query: Any, *given: Any) -> Any:
        """The statement; a step where it makes something last."""
        if isinstance(query, str) and _LASTING.match(query):
            return self._watcher.step("duckdb commit", lambda: self._connection.execute(query, *given))
        return self._connection.execute(query, *given)


def _watch_sending(watcher: _Watcher) -> None:
    for name in ("send", "sendall"):
        real = getattr(socket.socket, name)

        def sent(self: Any, data: Any, *given: Any, _real: Any = real) -> Any:
            return watcher.step("send", lambda: _real(self, data, *given))

        setattr(socket.socket, name, sent)
