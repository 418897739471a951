"""Each hostile behaviour of the platform server against the real client, worker, recorder and journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_runs import SECRETS, Bench, Ran, asks
from platform_server import ANY, BEHAVIOURS, Expected, PlatformServer, wire
from platform_server.requests import POSTS, PROFILE, REELS

from igtool.errors import ConfigError, RateLimitedError
from igtool.pacing import STRIKES
from igtool.platforms.live import PROFILE as PROFILE_JOB

STATES = {"done", "private", "not_found", "failed", "dead", "waiting"}
SLOW = ("hang", "limit-that-hangs", "hang-in-body", "drip-headers", "drip-body")
SPOILING = ("length-too-short",)
"""What is left over on the connection may spoil a try before the server has seen it."""
BEFORE, AFTER = "posts3_before", "posts3_after"


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """One server for all behaviours; each test starts with an empty one."""
    with PlatformServer() as opened:
        yield opened


def places() -> Iterator[tuple[str, str, str]]:
    """(behaviour, platform, endpoint): each behaviour at each platform that it suits, with the profile or its lists.

    What happens below the meaning of an answer is the same for every source, and tried on one, each in its turn.
    """
    for number, (name, behaviour) in enumerate(BEHAVIOURS.items()):
        suited = behaviour.platforms
        turn = number % len(suited)
        for platform in suited[turn : turn + 1] if name in wire.BEHAVIOURS else suited:
            if PROFILE in behaviour.endpoints:
                yield name, platform, PROFILE
            else:
                yield name, platform, POSTS
                if platform == "tikhub":
                    yield name, platform, REELS


CASES = list(places())
REASONS = {
    ("cursor-same", "youtube"): "cursor_cycle",  # a page is two requests, and each other one has the same cursor
    ("cursor-lost", "tikhub"): "no_new_item",  # its cursors are ids of items: the first page asked for is one
}
REFUSED_CURSORS = {("cursor-same", "youtube"), ("cursor-a-b-a", "youtube"), ("page-nothing-new", "youtube")}
"""Once the invented cursor meets a decent server, YouTube's says that it knows no such page."""


def bench(
    server: PlatformServer, folder: Path, name: str, platform: str, endpoint: str, max_wait_s: float = 900
) -> Bench:
    """A worker for one case; only what hangs is given up early."""
    pages = {"post_pages": 6, "reel_pages": 6} if endpoint != PROFILE else {}
    timeout_s = 0.3 if name in SLOW else 20.0
    return Bench(server, folder, platform, {"timeout_s": timeout_s, "max_wait_s": max_wait_s, **pages})


def subject(endpoint: str) -> str:
    """Whom the behaviour is played for: somebody with many posts, where those are asked for."""
    return "posts500_victim" if endpoint != PROFILE else "posts5_victim"


@pytest.mark.parametrize(("name", "platform", "endpoint"), CASES, ids=["-".join(case) for case in CASES])
def test_played_without_end(
    server: PlatformServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    platform: str,
    endpoint: str,
) -> None:
    """The job ends as expected after as many requests as expected, and others are none the worse for it."""
    server.reset()
    server.script([name], handle=subject(endpoint), platform=platform, endpoint=endpoint, forever=True)
    with caplog.at_level(logging.DEBUG):
        ran = bench(server, tmp_path, name, platform, endpoint).work([BEFORE, subject(endpoint), AFTER])
    expected = BEHAVIOURS[name].expected
    kind = PROFILE_JOB if endpoint == PROFILE else endpoint
    state = ran.state(subject(endpoint), kind)
    assert state == expected.always or (expected.always == ANY and state in STATES - {"waiting"})
    assert ran.state(BEFORE) == "done"
    check_source(ran, expected)
    played = asks(server, subject(endpoint), endpoint)
    if endpoint == PROFILE and expected.asks is not None:
        fewest = 1 if name in SPOILING else expected.asks
        assert fewest <= len(played) <= expected.asks
    if expected.outcome != ANY and endpoint == PROFILE and expected.outcome != "ok":
        assert {one["outcome"] for one in ran.requests} == {"ok", expected.outcome}
    if expected.reason and expected.reason != "slower":
        reason = REASONS.get((name, platform), expected.reason) if endpoint == POSTS else expected.reason
        assert ran.reason(subject(endpoint), kind).startswith(reason)
    check_kept(ran, subject(endpoint))
    check_secrets(server, ran, caplog.text)


@pytest.mark.parametrize(("name", "platform", "endpoint"), CASES, ids=["-".join(case) for case in CASES])
def test_played_once(server: PlatformServer, tmp_path: Path, name: str, platform: str, endpoint: str) -> None:
    """One bad answer and decent ones after it: the job ends as expected, and everybody else's is done."""
    server.reset()
    server.script([name], handle=subject(endpoint), platform=platform, endpoint=endpoint)
    ran = bench(server, tmp_path, name, platform, endpoint, max_wait_s=200_000).work([BEFORE, subject(endpoint), AFTER])
    expected = BEHAVIOURS[name].expected
    kind = PROFILE_JOB if endpoint == PROFILE else endpoint
    state = ran.state(subject(endpoint), kind)
    once = "dead" if (name, platform) in REFUSED_CURSORS else expected.once
    assert state == once or (once == ANY and state in STATES - {"waiting"})
    assert ran.state(BEFORE) == "done"
    if expected.source == "stops":
        assert isinstance(ran.trouble, ConfigError)
    else:
        assert (ran.trouble, ran.state(AFTER)) == (None, "done")


def check_source(ran: Ran, expected: Expected) -> None:
    """What became of the source, and of the account after the bad one."""
    if expected.source == "stops":
        assert isinstance(ran.trouble, ConfigError)
        assert ran.state(AFTER) == "waiting"
        assert all(pace.limited_until > 0 for pace in ran.paces.values())
    elif expected.source == "waits":
        assert isinstance(ran.trouble, RateLimitedError)
        assert "the same command goes on then" in str(ran.trouble)
        assert ran.state(AFTER) == "waiting"
        limits = [one for one in ran.requests if one["outcome"] == "rate_limited"]
        assert 1 <= len(limits) <= STRIKES
        assert ran.spent_s <= 900
    else:
        assert ran.trouble is None
        assert ran.state(AFTER) == "done"


def check_kept(ran: Ran, handle: str) -> None:
    """Each answer with a status is kept: data under its endpoint, anything else under ``…_error``."""
    told = sorted((one["outcome"], one["status"]) for one in ran.requests if one["status"] is not None)
    assert sorted((one["outcome"], one["status"]) for one in ran.answers) == told
    for one in ran.answers:
        is_data = one["outcome"] in ("ok", "private") and one["status"] == 200
        assert one["endpoint"].endswith("_error") != is_data
        assert one["status"] >= 200
        if not is_data:
            assert one["subject"] == handle
    assert all(one["outcome"] for one in ran.requests)
    assert not [entry for entry in ran.jobs.values() if entry["state"] == "leased"]


def check_secrets(server: PlatformServer, ran: Ran, logged: str) -> None:
    """No key in an address, a table, a message or the log."""
    assert not [one for one in server.requests if one.secrets or "cookie" in one.headers]
    assert "sid=invented" not in ran.text
    for secret in SECRETS:
        assert secret not in ran.text + logged + str(ran.trouble)
        assert not [one for one in server.requests if one.is_elsewhere and secret in str(one.headers)]
