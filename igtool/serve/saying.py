"""What people say through the server: on disk when they are told so, seen at once, in the lake as soon as it is free.

A run may hold the lake for a night. What is said meanwhile waits in the journal, and every answer has it laid over what
the lake holds (`igtool.changes.overlaid`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.journal import Journal
from igtool.journal.audit import Entry
from igtool.journal.said import Change, Said, SaidLog
from igtool.outbox import hand_over_now
from igtool.serve.errors import LOG
from igtool.settings import Settings

EVERY_S = 1.0
_SAID_AGAIN_S = 600.0


class Saying:
    """Takes what is said, from any thread; one thread of its own moves it. Close it in the end.

    ``waiting`` is what the lake may not have yet: take it before the lake is read. ``moved`` is called when the lake
    has it and before it waits no more, for those who keep what they read.
    """

    def __init__(self, settings: Settings) -> None:
        self.waiting: tuple[Said, ...] = ()
        self.moved: Callable[[], None] = lambda: None
        self._settings = settings
        self._clock = Clock()
        self._lock = threading.Lock()
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: tuple[str, float] = ("", -_SAID_AGAIN_S)

    def say(self, changes: Sequence[Change], entry: Entry) -> None:
        """Make ``changes``, and note who did; on disk when this returns. Raises what the journal raises."""
        with self._lock, Journal(self._settings.cache, writable=False, shared=True) as journal:
            SaidLog(journal).say(changes, entry, now=self._clock.now())
            self.waiting = tuple(SaidLog(journal).waiting())

    def refresh(self) -> None:
        """Move what waits to the lake if nobody else writes it, and look what still waits."""
        if self.waiting or self._look():
            if hand_over_now(self._settings):
                self.moved()
            self._look()

    def _look(self) -> bool:
        with self._lock, Journal(self._settings.cache, writable=False) as journal:
            self.waiting = tuple(SaidLog(journal).waiting())
        return bool(self.waiting)

    def start(self) -> None:
        """Refresh once a second in a thread, until `close`."""
        with suppress(IgtoolError):
            self._look()
        self._thread = threading.Thread(target=self._go_on, name="saying", daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._is_ending.wait(EVERY_S):
            try:
                self.refresh()
            except IgtoolError as error:
                self._tell(str(error))
            except Exception:  # noqa: BLE001 - the boundary of the thread, which has to go on
                LOG.exception("moving what people said failed, a bug")

    def _tell(self, text: str) -> None:
        now = time.monotonic()
        if text != self._trouble[0] or now - self._trouble[1] >= _SAID_AGAIN_S:
            self._trouble = (text, now)
            LOG.warning("what people said waits in the journal: %s", text)

    def close(self) -> None:
        """End the thread."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
