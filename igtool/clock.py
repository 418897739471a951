"""Time for everything that waits: never runs backwards inside a process, and may run faster in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

_LOOK_S = 1.0
"""A sleeper looks this often (in real seconds) whether it was asked to stop."""


class Clock:
    """Seconds since 1970 (UTC): the wall time at the start plus monotonic time since.

    A wall clock that is set while the process runs changes nothing here; between processes the wall time counts.
    """

    def __init__(self) -> None:
        self._began = time.time() - _steady()

    def now(self) -> float:
        """Seconds since 1970; time in suspend counts."""
        return self._began + _steady()

    def moment(self) -> datetime:
        """``now`` as a UTC time in whole seconds."""
        return datetime.fromtimestamp(int(self.now()), UTC)

    def sleep(self, seconds: float, stopping: Callable[[], bool] = lambda: False) -> None:
        """Wait; returns early, within a fraction of a second, once ``stopping`` says so."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0 and not stopping():
            self._wait(min(left, self._look_s))

    _look_s = _LOOK_S

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)


class ScaledClock(Clock):
    """A clock that runs ``factor`` times as fast since ``epoch``, the same in every process that is given both."""

    def __init__(self, factor: float, epoch: float) -> None:
        super().__init__()
        self.factor, self.epoch = factor, epoch
        self._look_s = _LOOK_S * factor

    def now(self) -> float:
        """Scaled seconds since 1970."""
        return self.epoch + (super().now() - self.epoch) * self.factor

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds / self.factor)


def _steady() -> float:
    """Seconds that only grow: since boot with suspend where the system tells, else ``time.monotonic``."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boot) if boot is not None else time.monotonic()
