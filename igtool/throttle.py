"""At most so many in a second, in this process: calls that are made, and requests that come in, by their key."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

KEYS = 10_000
"""Keys that are kept; of more the one that was used longest ago begins anew."""


class SlidingWindow:
    """At most ``most`` within any ``window_s`` seconds. Times may be of any clock that does not run backwards."""

    def __init__(self, most: int, window_s: float = 1.0) -> None:
        self._most = most
        self._window_s = window_s
        self._taken: deque[float] = deque(maxlen=most)

    def room(self, now: float) -> int:
        """How many may go now."""
        while self._taken and self._taken[0] <= now - self._window_s:
            self._taken.popleft()
        return self._most - len(self._taken)

    def take(self, now: float, count: int = 1) -> None:
        """So many went; no more than there was room for."""
        self._taken.extend([now] * count)

    def free_at(self, now: float) -> float:
        """When the next one may go."""
        return now if self.room(now) else self._taken[0] + self._window_s


class Throttle:
    """The same for each key on its own, in bounded memory; for any number of threads."""

    def __init__(self, most: int, window_s: float = 1.0, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._window_s = window_s
        self._now = now
        self._windows: OrderedDict[str, SlidingWindow] = OrderedDict()
        self._lock = threading.Lock()

    def refused(self, key: str) -> int | None:
        """Seconds, whole and at least one, after which ``key`` may come again; None where it may now, and did."""
        now = self._now()
        with self._lock:
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = SlidingWindow(self._most, self._window_s)
                if len(self._windows) > KEYS:
                    self._windows.popitem(last=False)
            self._windows.move_to_end(key)
            if not window.room(now):
                return max(1, math.ceil(window.free_at(now) - now))
            window.take(now)
            return None

    def __len__(self) -> int:
        return len(self._windows)
