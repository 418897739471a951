"""Pace, breaker, quota days and Retry-After: decisions that are made from remembered figures alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.pacing import (
    BREAKER_S,
    MAX_RETRY_AFTER_S,
    RECOVERED,
    Limit,
    Pace,
    Policy,
    Quota,
    QuotaUse,
    WindowUse,
    answered,
    day_start,
    decide,
    effective,
    exhausted,
    faulted,
    limited,
    next_midnight,
    opened,
    reserved,
    retry_after_s,
    succeeded,
)

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()
PACIFIC = ZoneInfo("America/Los_Angeles")


def pacific(*parts: int, fold: int = 0) -> float:
    """A time of the clock in Los Angeles."""
    return datetime(*parts, tzinfo=PACIFIC, fold=fold).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("999999999", MAX_RETRY_AFTER_S),
        ("9" * 400, None),
        ("Thu, 01 Oct 2026 12:02:00 GMT", 120.0),
        ("Thu, 01 Oct 2026 14:02:00 +0200", 120.0),
        ("Thursday, 01-Oct-26 12:02:00 GMT", 120.0),
        ("Thu Oct  1 12:02:00 2026", 120.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
        ("Thu, 01 Oct 2026 11:59:59 GMT", None),
        ("Thu, 32 Oct 2026 12:02:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_every_form(value: str | None, seconds: float | None) -> None:
    """Seconds and all three date forms of HTTP; what says nothing usable is None, never a negative wait."""
    assert retry_after_s(value, NOW) == seconds


@given(st.one_of(st.text(max_size=40), st.datetimes(timezones=st.just(UTC)).map(format_datetime)))
def test_no_retry_after_is_negative_endless_or_raises(value: str) -> None:
    """Any text gives None or a wait of at most a day."""
    found = retry_after_s(value, NOW)
    assert found is None or 0 < found <= MAX_RETRY_AFTER_S


def test_four_rate_limits_wait_and_the_fifth_opens_the_breaker() -> None:
    """A minute, or as long as asked; then half an hour at half pace."""
    pace = Pace()
    for strike in range(1, 5):
        pace = limited(pace, NOW, None, "slow down")
        assert (pace.strikes, pace.level, pace.limited_until, pace.factor) == (strike, 0, NOW + 60, 1.0)
        assert decide(pace, (), (), units=1, now=NOW).why == "rate_limit"
    pace = limited(pace, NOW + 1, 5.0, "slow down")
    assert (pace.strikes, pace.level, pace.limited_until, pace.factor) == (0, 1, NOW + 1 + BREAKER_S, 0.5)
    assert decide(pace, (), (), units=1, now=NOW + 1).why == "breaker"
    assert pace.limited_at == NOW


def test_the_breaker_doubles_after_each_wake_without_a_good_answer_up_to_a_day() -> None:
    """Half an hour, one hour, two …; one good answer between gives five new strikes, at the same level."""
    pace, now, waits = opened(Pace(), NOW, "shut"), NOW, []
    for _ in range(8):
        waits.append(pace.limited_until - now)
        now = pace.limited_until
        pace = limited(pace, now, None, "shut")
    assert waits == [1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]
    now = pace.limited_until
    woken = limited(succeeded(pace, now), now, None, "shut")
    assert (woken.level, woken.strikes) == (pace.level, 1)


def test_the_breaker_never_wakes_before_retry_after() -> None:
    """A platform that asks for more than half an hour gets it, as far as a day."""
    assert limited(Pace(strikes=4), NOW, 7200.0, "").limited_until == NOW + 7200
    assert limited(Pace(), NOW, 1e9, "").limited_until == NOW + MAX_RETRY_AFTER_S


def test_five_failed_items_open_the_breaker_and_a_good_answer_between_them_does_not() -> None:
    """Faults count in a row only."""
    pace = Pace()
    for _ in range(4):
        pace = faulted(pace, NOW, "down")
    assert faulted(pace, NOW, "down").level == 1
    assert faulted(succeeded(pace, NOW), NOW, "down").level == 0
    assert faulted(opened(Pace(), NOW, "down"), NOW + BREAKER_S, "down").level == 2


def test_fifty_good_answers_bring_the_full_pace_back() -> None:
    """Not one fewer."""
    pace = opened(Pace(), NOW, "shut")
    assert succeeded(pace, NOW) == pace, "it was asked before the breaker opened"
    for _ in range(RECOVERED - 1):
        pace = succeeded(pace, NOW + BREAKER_S)
    assert (pace.factor, pace.limited_at) == (0.5, None)
    assert succeeded(pace, NOW + BREAKER_S).factor == 1.0


@given(st.integers(1, 1000), st.floats(0.1, 86_400), st.sampled_from([1.0, 0.5]))
def test_half_pace_is_at_most_half_of_the_requests(requests: int, window_s: float, factor: float) -> None:
    """Also where the limit is one request: then its window is twice as long."""
    found = effective(Limit(requests, window_s, "x"), factor)
    assert found.requests >= 1
    assert found.endpoint == "x"
    assert found.requests / found.window_s <= factor * requests / window_s * (1 + 1e-9)


def test_a_full_window_waits_until_its_oldest_needed_request_has_left() -> None:
    """The blocking request plus the window, and it is not the platform's doing."""
    limit = Limit(10, 60)
    found = decide(Pace(), [WindowUse(limit, 10, NOW - 50, NOW - 50)], (), units=1, now=NOW)
    assert (found.at, found.why, found.is_limited) == (NOW + 10, "window", False)


def test_close_to_a_limit_the_rest_of_it_is_spread_over_the_rest_of_the_window() -> None:
    """From 80 % on: two left of ten and 30 s to go means one every 10 s."""
    use = WindowUse(Limit(10, 60), 8, NOW - 30, None)
    found = decide(Pace(last_at=NOW), [use], (), units=1, now=NOW)
    assert (found.at, found.why) == (NOW + 10, "near_limit")
    assert decide(Pace(last_at=NOW), [replace(use, count=7)], (), units=1, now=NOW).why == "free"


@pytest.mark.parametrize(("score", "gap"), [(0.69, 0), (0.7, 5), (0.8, 20), (0.9, 60), (0.95, 300), (1.5, 300)])
def test_the_platforms_own_usage_slows_us_down_while_it_is_news(score: float, gap: float) -> None:
    """The fuller, the slower; after an hour the figure says nothing."""
    pace = Pace(last_at=NOW, usage_score=score)
    assert decide(pace, (), (), units=1, now=NOW).at == NOW + gap
    assert decide(pace, (), (), units=1, now=NOW + 3600).at == NOW + 3600


def test_a_quota_that_does_not_hold_the_next_request_waits_for_midnight_pacific() -> None:
    """Units count, not requests; the last unit may be used."""
    quota = Quota(100)
    assert decide(Pace(), (), [QuotaUse(quota, 99)], units=1, now=NOW).at == NOW
    found = decide(Pace(), (), [QuotaUse(quota, 99)], units=2, now=NOW)
    assert (found.at, found.why, found.is_limited) == (pacific(2026, 10, 2), "quota", True)
    assert exhausted(Pace(), NOW, "quotaExceeded").limited_until == pacific(2026, 10, 2)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (pacific(2026, 3, 8, 0), 23),
        (pacific(2026, 3, 8, 1, 59), 23),
        (pacific(2026, 3, 8, 3), 23),
        (pacific(2026, 3, 8, 23, 59), 23),
        (pacific(2026, 11, 1, 0), 25),
        (pacific(2026, 11, 1, 1, 30), 25),
        (pacific(2026, 11, 1, 1, 30, fold=1), 25),
        (pacific(2026, 11, 1, 23, 59), 25),
        (pacific(2026, 10, 1, 12), 24),
        (pacific(2026, 12, 31, 23), 24),
    ],
)
def test_quota_days_have_23_or_25_hours_when_the_clocks_change(now: float, hours: int) -> None:
    """Each moment of such a day has the same beginning and end."""
    assert day_start(now) <= now < next_midnight(now)
    assert next_midnight(now) - day_start(now) == hours * 3600
    assert day_start(next_midnight(now)) == next_midnight(now)


@given(st.floats(0, 4e9))
def test_every_moment_has_its_quota_day(now: float) -> None:
    """Midnights follow each other: the end of one day is the beginning of the next."""
    assert day_start(now) <= now < next_midnight(now)
    assert day_start(next_midnight(now) - 1) == day_start(now)


def ask(pace: Pace, policy: Policy, now: float, *, is_answered: bool = True) -> Pace:
    """The pace after a request, and after its answer if it came."""
    pace = reserved(pace, policy, now, 2.0)
    return answered(pace, policy, now, 2.0) if is_answered else pace


POLICY = Policy(batch_size=3, batch_pause_s=100)


def test_after_a_batch_comes_a_rest_and_then_a_new_batch() -> None:
    """Three requests, the pause between them, the rest after them."""
    pace, now = Pace(), NOW
    for wait in (2, 2, 100, 2, 2, 100):
        pace = ask(pace, POLICY, now)
        assert pace.next_at == now + wait
        found = decide(pace, (), (), units=1, now=now)
        assert found.why == ("rest" if wait == 100 else "pause")
        now = found.at


def test_a_process_that_dies_at_the_end_of_a_batch_does_not_skip_the_rest() -> None:
    """However often it dies: the request that fills the batch brings the rest by itself."""
    pace = ask(ask(Pace(), POLICY, NOW), POLICY, NOW + 2)
    pace = ask(pace, POLICY, NOW + 4, is_answered=False)
    assert decide(pace, (), (), units=1, now=NOW + 5) == decide(replace(pace), (), (), units=1, now=NOW + 6)
    assert pace.next_at == NOW + 104
    assert ask(pace, POLICY, NOW + 104).batch_count == 1


def test_a_source_that_was_idle_for_as_long_as_a_rest_begins_a_new_batch() -> None:
    """A shorter idle time counts for nothing."""
    pace = ask(ask(Pace(), POLICY, NOW), POLICY, NOW + 2)
    assert ask(pace, POLICY, NOW + 102).batch_count == 1
    assert ask(pace, POLICY, NOW + 101).is_rest


def test_without_a_batch_size_there_is_no_rest() -> None:
    """Zero means never."""
    pace, policy = Pace(), replace(POLICY, batch_size=0)
    for number in range(200):
        pace = ask(pace, policy, NOW + 3 * number)
        assert not pace.is_rest


def test_the_users_values_replace_single_values_of_a_policy() -> None:
    """Zero is a value; limits of single endpoints stay; fewer than one request a minute works."""
    own = Policy(limits=(Limit(200, 3600), Limit(5, 60, "search")), batch_size=100, batch_pause_s=1800)
    assert own.adjusted(None, None, None) == own
    assert own.adjusted(30, 0, 0.0) == replace(
        own, limits=(Limit(30, 60), Limit(5, 60, "search")), batch_size=0, batch_pause_s=0.0
    )
    assert own.adjusted(0.5, None, None).limits[0] == Limit(1, 120)
    assert own.adjusted(0.5, 7, None).batch_size == 7


paces = st.builds(
    Pace,
    next_at=st.floats(0, NOW + 1e5),
    last_at=st.floats(0, NOW),
    batch_count=st.integers(0, 5),
    is_rest=st.booleans(),
    strikes=st.integers(0, 4),
    faults=st.integers(0, 4),
    good_count=st.integers(0, 60),
    level=st.integers(0, 20),
    limited_until=st.floats(0, NOW + 1e5),
    usage_score=st.none() | st.floats(0, 2),
)


@given(paces, st.integers(0, 10), st.integers(0, 200))
def test_no_decision_lies_in_the_past_or_beyond_what_is_known(pace: Pace, count: int, used: int) -> None:
    """Never before now, and never later than the latest of the reasons to wait."""
    limit = Limit(10, 60)
    use = WindowUse(limit, count, NOW - 30, NOW - 30 if count >= 10 else None)
    found = decide(pace, [use], [QuotaUse(Quota(100), used)], units=1, now=NOW)
    assert NOW <= found.at <= max(pace.next_at, pace.limited_until, next_midnight(NOW), NOW + 300)


@given(paces, st.none() | st.floats(-1e9, 1e9))
def test_whatever_was_remembered_a_limit_waits_between_a_second_and_a_day(pace: Pace, wait: float | None) -> None:
    """And five in a row always open the breaker."""
    found = limited(pace, NOW, wait, "x")
    assert 1 <= found.limited_until - NOW <= MAX_RETRY_AFTER_S
    for _ in range(5):
        pace = limited(pace, NOW, wait, "x")
    assert pace.level >= 1
