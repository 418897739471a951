"""Who gave too many wrong keys, in bounded memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from igtool.throttle import KEYS, SlidingWindow

FAILURES, WINDOW_S = 10, 60.0
"""So many wrong keys within so many seconds are one too many."""


class Lockout:
    """Failures by name (an address, or a key); for one thread. Names that failed longest ago are forgotten first."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._windows: OrderedDict[str, SlidingWindow] = OrderedDict()

    def locked_s(self, name: str) -> int | None:
        """Seconds, whole and at least one, until ``name`` may try again; None where it may now."""
        window, now = self._windows.get(name), self._now()
        if window is None or window.room(now):
            return None
        return max(1, math.ceil(window.free_at(now) - now))

    def failed(self, name: str) -> None:
        """``name`` gave a wrong key."""
        window = self._windows.setdefault(name, SlidingWindow(FAILURES, WINDOW_S))
        self._windows.move_to_end(name)
        if len(self._windows) > KEYS:
            self._windows.popitem(last=False)
        if window.room(now := self._now()):
            window.take(now)

    def __len__(self) -> int:
        return len(self._windows)
