"""Accepted conversations into the journal, as long as there is room: what comes together goes into one commit."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from igtool.errors import IgtoolError, RateLimitedError
from igtool.journal import Journal
from igtool.journal.conversations import ConversationQueue, NewConversation, Taken

_MOST = 1_000
"""Conversations of a commit, or one more than these with those that came together."""

FULL_S = 5
"""Who was told that there is no room may come again after so many seconds."""
_COUNTED_S = 1.0

_Given = tuple[Sequence[NewConversation], "Future[list[Taken]]"]


class QueueFull(RateLimitedError):  # noqa: N818 - what clients are told
    """So many conversations wait to be analysed that no more are accepted; ``retry_after`` is in seconds."""

    retry_after = FULL_S


class Room:
    """How many conversations may be accepted before ``most`` wait to be analysed; for any number of threads.

    What waits is counted when what was free then is used up, and at most once a second. Other processes that accept
    are seen only then, so that a few more than ``most`` may wait.
    """

    def __init__(self, cache: Path, most: int) -> None:
        """``cache``: the folder of the journal."""
        self._cache = cache
        self._most = most
        self._free = 0
        self._counted_at = -_COUNTED_S
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Use room for ``count``. Raises QueueFull."""
        with self._lock:
            if self._free < count and time.monotonic() - self._counted_at >= _COUNTED_S:
                with Journal(self._cache, writable=False) as journal:
                    self._free = self._most - ConversationQueue(journal).left()
                self._counted_at = time.monotonic()
            if self._free < count:
                raise QueueFull(f"{self._most:,} conversations wait to be analysed: send this again later")
            self._free -= count


class Intake:
    """Takes conversations of any number of threads; one thread of its own writes. Close it in the end."""

    def __init__(self, cache: Path, now: Callable[[], float]) -> None:
        """``cache``: the folder of the journal."""
        self._cache = cache
        self._now = now
        self._given: queue.SimpleQueue[_Given | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, given: Sequence[NewConversation]) -> list[Taken]:
        """What became of each; when this returns they are on disk. Raises LockedError, StorageError, IntegrityError."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="intake", daemon=True)
                self._thread.start()
        future: Future[list[Taken]] = Future()
        self._given.put((given, future))
        return future.result()

    def close(self) -> None:
        """End the thread, after what was put before."""
        with self._lock:
            if self._thread is not None:
                self._given.put(None)
                self._thread.join()
                self._thread = None

    def _write(self) -> None:
        journal: Journal | None = None
        try:
            while (first := self._given.get()) is not None:
                batch, ends = self._together(first)
                try:
                    journal = journal or Journal(self._cache, writable=False, shared=True)
                    _accept(ConversationQueue(journal), batch, self._now())
                except Exception as error:  # noqa: BLE001 - those who wait get it, and raise it
                    _refuse(batch, error)
                    if journal is not None and not isinstance(error, IgtoolError):
                        journal.close()
                        journal = None
                if ends:
                    return
        finally:
            if journal is not None:
                journal.close()

    def _together(self, first: _Given) -> tuple[list[_Given], bool]:
        """``first`` and what came meanwhile; whether that was all."""
        batch, size = [first], len(first[0])
        while size < _MOST:
            try:
                following = self._given.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return batch, True
            batch.append(following)
            size += len(following[0])
        return batch, False


def _accept(conversations: ConversationQueue, batch: Sequence[_Given], now: float) -> None:
    taken = iter(conversations.accept([one for given, _ in batch for one in given], now=now))
    for given, future in batch:
        future.set_result([next(taken) for _ in given])


def _refuse(batch: Sequence[_Given], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
