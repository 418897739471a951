"""Clocks: they only go forward, a sleeper can be woken, and a scaled one is the same in every process."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from igtool.clock import Clock, ScaledClock


def test_setting_the_wall_clock_changes_nothing_inside_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year forward or an hour back: now goes on as it did."""
    clock = Clock()
    before = clock.now()
    real = time.time
    for jump in (-3600.0, 3600.0, -3.15e7, 3.15e7):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        after = clock.now()
        assert 0 <= after - before < 600
        before = after


def test_a_new_process_follows_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier process thought does not matter to it."""
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert 1e9 <= Clock().now() < 1e9 + 600


def test_a_moment_is_utc_in_whole_seconds() -> None:
    """As it is stored."""
    moment = Clock().moment()
    assert moment.tzinfo is UTC
    assert moment.microsecond == 0


def test_a_sleeper_sleeps_no_less_and_a_stopped_one_returns() -> None:
    """The wait is kept; nothing is waited for once it should stop, nor for a time that is over."""
    clock = Clock()
    before = clock.now()
    clock.sleep(0.05)
    assert clock.now() - before >= 0.05
    asked = []
    clock.sleep(3600, lambda: asked.append(1) or len(asked) > 2)
    assert len(asked) == 3
    clock.sleep(-5, lambda: pytest.fail("it looked"))


def test_a_scaled_clock_runs_faster_from_the_same_moment() -> None:
    """Two of them agree, and a scaled hour passes at once."""
    epoch = time.time()
    one, other = ScaledClock(100_000, epoch), ScaledClock(100_000, epoch)
    before = one.now()
    one.sleep(3600)
    assert other.now() - before >= 3600
    assert datetime.fromtimestamp(one.now(), UTC) > datetime.fromtimestamp(epoch, UTC)
