"""A few readers of the lake, shared by the threads that answer requests.

A connection of DuckDB serves one thread at a time: a second query would take the result of the first. Opening one takes
0.2 s, so they stay open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, LifoQueue
from typing import TypeVar

from igtool.errors import IgtoolError, UsageError
from igtool.lake import Lake
from igtool.serve.errors import Unavailable
from igtool.settings import Settings

MOST = 4
"""More than the two cores that a query takes turns on; each holds about 8 MB."""
_WAIT_S = 10.0
Answer = TypeVar("Answer")


class Readers:
    """At most ``most`` open readers of the lake of a workspace."""

    def __init__(self, settings: Settings, most: int = MOST) -> None:
        self._settings = settings
        self._limit = _TimeLimit(settings.serve_timeout_s)
        self._places: LifoQueue[tuple[Lake, object] | None] = LifoQueue()
        self._is_closed = threading.Event()
        for _ in range(most):
            self._places.put(None)
        self._most = most

    def read(self, ask: Callable[[Lake], Answer]) -> Answer:
        """What ``ask`` says of one commit of the lake, with a reader that no other thread has meanwhile.

        A reader that fails is opened anew, once: files of an old snapshot go when a creator is forgotten. Raises
        Unavailable (no lake yet, all readers busy, nobody waits any more) and what ``ask`` raises.
        """
        try:
            with self._reader() as lake, self._limit.kept(lake):
                return _at_one_commit(lake, ask)
        except (UsageError, Unavailable):
            raise
        except IgtoolError:
            with self._reader(anew=True) as lake, self._limit.kept(lake):
                return _at_one_commit(lake, ask)

    @contextmanager
    def _reader(self, *, anew: bool = False) -> Iterator[Lake]:
        try:
            kept = self._places.get(timeout=_WAIT_S)
        except Empty:
            raise Unavailable("busy", "all readers of the database are busy: ask again in a few seconds") from None
        try:
            identity = self.identity()
            if kept is not None and (anew or kept[1] != identity):
                kept[0].close()
                kept = None
            if kept is None:
                kept = (self._opened(), identity)
            yield kept[0]
        except UsageError:
            raise
        except BaseException:
            if kept is not None:
                kept[0].close()
                kept = None
            raise
        finally:
            if self._is_closed.is_set() and kept is not None:
                kept[0].close()
                kept = None
            self._places.put(kept)

    def _opened(self) -> Lake:
        if not self._settings.lake.is_made:
            raise Unavailable("no_database", "there is no creator database yet: make one with `igtool enrich CSV`")
        lake = Lake(self._settings.lake, writable=False, offline=self._settings.offline)
        lake.execute("set threads = 1")  # readers work side by side: twice as many answers a second as with two each
        return lake

    def identity(self) -> object:
        """What is another one when a backup took the place of the lake."""
        try:
            state = self._settings.lake.marker.stat()
        except OSError:
            return None
        return state.st_dev, state.st_ino

    def warm(self) -> None:
        """Open one reader, so that the first request does not wait for it."""
        self.read(lambda lake: lake.snapshot)

    def close(self) -> None:
        """Close every reader; one in use is closed by its user."""
        self._is_closed.set()
        self._limit.close()
        for _ in range(self._most):
            try:
                kept = self._places.get_nowait()
            except Empty:
                return
            if kept is not None:
                kept[0].close()


class _TimeLimit:
    """Interrupts queries whose asker has had the answer that it took too long."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._ends: dict[Lake, float] = {}
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, lake: Lake) -> Iterator[None]:
        """What the block asks ``lake`` ends in time. Raises Unavailable where it does not."""
        end = time.monotonic() + self._limit_s
        with self._lock:
            self._ends[lake] = end
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="time-limit", daemon=True)
                self._thread.start()
        try:
            yield
        except Exception as error:
            if time.monotonic() >= end:
                raise Unavailable("timeout", f"this took longer than {self._limit_s:g} s") from error
            raise
        finally:
            with self._lock:  # so that nothing is interrupted that the next one asks
                self._ends.pop(lake, None)

    def _watch(self) -> None:
        while not self._is_closed.wait(min(1.0, self._limit_s)):
            now = time.monotonic()
            with self._lock:
                for lake, end in self._ends.items():
                    if now >= end:  # again and again: one answer may take several queries
                        lake.interrupt()

    def close(self) -> None:
        """Watch no more."""
        self._is_closed.set()
        if self._thread is not None:
            self._thread.join(timeout=5)


def _at_one_commit(lake: Lake, ask: Callable[[Lake], Answer]) -> Answer:
    """What ``ask`` says, all of whose queries see the same commit, whatever a run writes meanwhile."""
    lake.execute("begin")
    try:
        return ask(lake)
    finally:
        with suppress(IgtoolError):  # else closing it ends the process: DuckDB cannot take a second failure
            lake.execute("rollback")
