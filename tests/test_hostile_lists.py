"""Each status and error body in the middle of a list of posts: no page is lost, and none is asked for twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_runs import Bench, asks
from platform_server import PlatformServer, statuses
from platform_server.requests import POSTS

from igtool.errors import ConfigError

CASES = [
    (name, platform)
    for name, behaviour in statuses.BEHAVIOURS.items()
    for platform in behaviour.platforms
    if POSTS in behaviour.endpoints
]
HANDLE = "posts300_one"


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """One server for all behaviours; each test starts with an empty one."""
    with PlatformServer() as opened:
        yield opened


@pytest.mark.parametrize(("name", "platform"), CASES, ids=["-".join(case) for case in CASES])
def test_played_within_a_list(server: PlatformServer, tmp_path: Path, name: str, platform: str) -> None:
    """The account is done whatever happens to its list, and a list that goes on does so where it was."""
    server.reset()
    server.script([name], handle=HANDLE, platform=platform, endpoint=POSTS, skip=1)
    settings = {"post_pages": 40, "max_wait_s": 200_000, "page_size": 50, "items_limit": None}
    bench = Bench(server, tmp_path, platform, settings)
    ran = bench.work([HANDLE])
    expected = statuses.BEHAVIOURS[name].expected
    is_closed = expected.outcome == "auth" and platform == "web"
    if expected.source == "stops" and not is_closed:
        assert isinstance(ran.trouble, ConfigError)
        assert ran.state(HANDLE, POSTS) == "waiting"
        ran = bench.work()
    assert ran.trouble is None
    assert ran.state(HANDLE) == "done"
    if expected.outcome == "invalid" or is_closed:
        assert ran.state(HANDLE, POSTS) == "dead"
        assert ran.reason(HANDLE, POSTS)
    else:
        is_whole = expected.outcome not in ("private", "not_found") or expected.once == "done"
        reason = "end" if is_whole else "gone" if expected.outcome == "not_found" else expected.outcome
        assert (ran.state(HANDLE, POSTS), ran.reason(HANDLE, POSTS)) == ("done", reason)
    good = [one.question for one in server.requests if one.behaviour == "ok"]
    assert len(good) == len(set(good))
    bad = [one for one in asks(server, HANDLE, POSTS) if one.behaviour == name]
    assert len(bad) == 1
    if ran.reason(HANDLE, POSTS) == "end" and platform != "youtube":
        assert bad[0].question in good or expected.outcome == "ok"
