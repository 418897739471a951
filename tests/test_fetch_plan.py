"""What becomes of each wanted account, and what asking will take: pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.fetching.paging import Bounds
from igtool.fetching.plan import FetchOptions, Step, duration_s, estimate, make_plan
from igtool.journal.queue import DEAD, DONE, FAILED, LEASED, NOT_FOUND, PRIVATE, WAITING, Standing
from igtool.pacing import Limit, Policy, Quota
from igtool.platforms.live import POSTS, REELS
from igtool.platforms.tikhub import TikHub
from igtool.platforms.youtube import YouTube
from igtool.settings import Settings

NOW = 1_000_000.0
HANDLE = ("instagram", "anna")
DAY = 86_400.0


def step(before: Standing | None = None, fresh_until: float | None = None, **options: bool) -> Step:
    """What becomes of the one account."""
    force = frozenset({"anna"}) if options.pop("force_handle", False) else frozenset()
    plan = make_plan(
        [HANDLE],
        frozenset({"instagram"}),
        {HANDLE: before} if before else {},
        {} if fresh_until is None else {HANDLE: fresh_until},
        FetchOptions((), force_handles=force, **options),
        now=NOW,
        default_every_s=7 * DAY,
    )
    return plan.steps[HANDLE]


@pytest.mark.parametrize(
    ("before", "fresh_until", "expected"),
    [
        (None, None, "ask"),
        (None, NOW + 1, "fresh"),
        (None, NOW - 1, "ask"),
        (Standing(WAITING, 0, None), None, "go_on"),
        (Standing(LEASED, 0, None), NOW + 1, "go_on"),
        (Standing(DONE, 0, NOW - DAY), None, "fresh"),
        (Standing(DONE, 0, NOW - 8 * DAY), None, "ask"),
        (Standing(DONE, 0, NOW - DAY), NOW - 1, "ask"),
        (Standing(PRIVATE, 0, NOW - DAY), None, "fresh"),
        (Standing(FAILED, NOW + 1, NOW), None, "failed"),
        (Standing(FAILED, NOW - 1, NOW), None, "again"),
        (Standing(NOT_FOUND, NOW + 1, NOW), None, "not_found"),
        (Standing(NOT_FOUND, NOW - 1, NOW), None, "ask"),
        (Standing(DEAD, 0, NOW - 999 * DAY), None, "dead"),
    ],
)
def test_steps(before: Standing | None, fresh_until: float | None, expected: Step) -> None:
    """Each end of an earlier job, before and after its delay."""
    assert step(before, fresh_until) == expected
    assert step(before, fresh_until, force=True) == "ask"
    assert step(before, fresh_until, force_handle=True) == "ask"


@pytest.mark.parametrize(("state", "expected"), [(FAILED, "again"), (DEAD, "again"), (NOT_FOUND, "ask")])
def test_retry_failed(state: str, expected: Step) -> None:
    """--retry-failed asks before the delay is over."""
    assert step(Standing(state, NOW + DAY, NOW), retry_failed=True) == expected


def test_only_new() -> None:
    """--only-new leaves everybody of whom anything is known, but goes on with what waits."""
    assert step(only_new=True) == "ask"
    assert step(fresh_until=NOW - DAY, only_new=True) == "known"
    assert step(Standing(DONE, 0, NOW - 99 * DAY), only_new=True) == "known"
    assert step(Standing(NOT_FOUND, NOW - 1, NOW), only_new=True) == "known"
    assert step(Standing(WAITING, 0, None), only_new=True) == "go_on"


def test_a_platform_without_a_source() -> None:
    """Its accounts are told apart, and the others keep their order; each is there once."""
    wanted = [("youtube", "b"), HANDLE, ("instagram", "c"), HANDLE]
    plan = make_plan(wanted, frozenset({"instagram"}), {}, {}, FetchOptions(()), now=NOW, default_every_s=1)
    assert plan.asked == [HANDLE, ("instagram", "c")]
    assert plan.counts() == {"ask": 2, "no_source": 1}


def test_estimates() -> None:
    """A profile with its first posts is one request; further pages and reels come on top, at most."""
    settings = Settings(tikhub_api_token="x" * 20, youtube_api_keys="y" * 39)
    handles = [("instagram", f"h{n}") for n in range(10)]
    found = estimate(TikHub(settings), handles, {POSTS: Bounds(3), REELS: Bounds(2)}, TikHub.policy)
    assert (found.accounts, found.requests, found.cost_usd) == (10, 50, pytest.approx(0.05))
    names = [("youtube", f"name{n}") for n in range(3)]
    ids = [("youtube", "UC" + f"{n:022d}") for n in range(120)]
    assert estimate(YouTube(settings), names, {}, YouTube.policy).requests == 3
    assert estimate(YouTube(settings), ids, {}, YouTube.policy).requests == 3
    assert estimate(YouTube(settings), [*names, *ids], {POSTS: Bounds(1)}, YouTube.policy).requests == 6 + 123 * 2
    nobody = estimate(YouTube(settings), [], {POSTS: Bounds(1)}, YouTube.policy)
    assert (nobody.requests, nobody.seconds, nobody.shown_duration) == (0, 0, "0 min")


def test_durations() -> None:
    """The slowest of pause and window counts; rests, days of quota and several keys change it."""
    policy = Policy((Limit(10, 60),), jitter_s=(2, 4), batch_size=100, batch_pause_s=1_800)
    assert duration_s(100, 100, policy, 1) == 600
    assert duration_s(101, 101, policy, 1) == 606 + 1_800
    assert duration_s(101, 101, policy, 2) == 303 + 900
    fast = Policy((Limit(6_000, 60),), jitter_s=(2, 4), batch_size=0)
    assert duration_s(100, 100, fast, 1) == 300
    quota = Policy((Limit(6_000, 60),), (Quota(1_000),), jitter_s=(0, 0), batch_size=0)
    assert duration_s(1_000, 1_000, quota, 1) == 10
    assert duration_s(2_001, 2_001, quota, 1) == 2 * DAY
    assert duration_s(2_001, 2_001, quota, 3) == pytest.approx(20.01 / 3)


@given(st.integers(0, 10**6), st.integers(1, 50), st.integers(0, 500), st.floats(0.01, 6_000))
def test_durations_grow(requests: int, keys: int, batch: int, rate: float) -> None:
    """More requests never take less time, and more keys never more."""
    policy = Policy(batch_size=batch).adjusted(rate, None, None)
    took = duration_s(requests, requests, policy, keys)
    assert 0 <= took <= duration_s(requests + 1, requests + 1, policy, keys)
    assert duration_s(requests, requests, policy, keys + 1) <= took


def test_bounds_from_settings() -> None:
    """Kinds of which no page is wanted are not asked for; limits travel along."""
    since = datetime(2026, 9, 1, tzinfo=UTC)
    options = FetchOptions((), since=since)
    assert options.bounds(Settings(post_pages=3, items_limit=7)) == {POSTS: Bounds(3, 7, since)}
    assert options.bounds(Settings(post_pages=0, reel_pages=2)) == {REELS: Bounds(2, None, since)}
