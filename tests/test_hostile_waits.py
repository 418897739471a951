"""How long a source is left alone after limits, shut doors and pages that say nothing, on a clock that jumps."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from live_runs import KEYS, Bench, Ran, asks, questions_twice
from platform_server import PlatformServer
from platform_server.server import Options

from igtool import pacing
from igtool.errors import ConfigError, RateLimitedError
from igtool.fetching.plan import FetchOptions
from igtool.fetching.recorder import SECOND_LOOK_S, STOPPED_S


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """One server for all tests of this module, empty at each test's start."""
    with PlatformServer() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _empty(server: PlatformServer) -> None:
    server.reset()


def times(ran: Ran, outcome: str | None = None) -> list[float]:
    """When requests were answered."""
    return [one["at"] for one in ran.requests if outcome in (None, one["outcome"])]


def gaps(moments: list[float]) -> list[float]:
    """Seconds between one moment and the next."""
    return [later - earlier for earlier, later in pairwise(moments)]


def busiest(moments: list[float], window_s: float = 60.0) -> int:
    """The most requests in any window; what leaves it to the millisecond is outside."""
    return max(sum(at <= other < at + window_s - 1e-3 for other in moments) for at in moments)


def test_a_limit_that_stays_opens_the_breaker(server: PlatformServer, tmp_path: Path) -> None:
    """Five limits a minute apart, then 30 minutes, 1 h, 2 h; before it is over 4 h, exit 4 says how to go on."""
    server.script(["status-429"], platform="web", forever=True)
    ran = Bench(server, tmp_path, "web").work(["posts3_one", "posts3_two"])
    assert [int(gap // 60) for gap in gaps(times(ran))] == [1, 1, 1, 1, 30, 60, 120]
    assert isinstance(ran.trouble, RateLimitedError)
    assert ran.trouble.exit_code == 4
    assert "again and again" in str(ran.trouble)
    assert "the same command goes on" in str(ran.trouble)
    assert {ran.state("posts3_one"), ran.state("posts3_two")} == {"waiting"}
    (pace,) = ran.paces.values()
    assert pace.level == 4
    assert pace.limited_until == pytest.approx(times(ran)[-1] + 8 * pacing.BREAKER_S)


def test_the_pace_is_half_until_it_has_recovered(server: PlatformServer, tmp_path: Path) -> None:
    """After the breaker no minute sees more than 5 requests, and 10 again after 50 good answers."""
    server.script(["status-429"] * 5, platform="web")
    settings = {"batch_size": 0}
    ran = Bench(server, tmp_path, "web", settings).work([f"posts3_n{number}" for number in range(80)])
    good = times(ran, "ok")
    assert (len(good), ran.trouble) == (80, None)
    assert busiest(good[: pacing.RECOVERED]) == 5
    assert 5 < busiest(good[pacing.RECOVERED + 5 :]) <= 10


def test_retry_after_is_kept(server: PlatformServer, tmp_path: Path) -> None:
    """Seconds and dates are waited for; what says nothing means a minute; ten years mean a day."""
    expected = {"status-429-seconds": 20, "status-429-date": 20, "status-429-garbage": 60, "status-429-zero": 60}
    expected |= {"status-429-date-past": 60, "status-429-ten-years": 86_400, "status-429-date-ten-years": 86_400}
    for name, seconds in expected.items():
        server.reset()
        server.script([name], platform="web")
        ran = Bench(server, tmp_path / name, "web", {"max_wait_s": 100_000}).work(["posts3_one"])
        assert ran.state("posts3_one") == "done", name
        (gap,) = gaps(times(ran))
        assert seconds - 2 <= gap <= seconds + 6, name


def test_tries_are_spaced(server: PlatformServer, tmp_path: Path) -> None:
    """A server's failure is tried again after growing waits, and not more often than any other request."""
    server.script(["status-503"], handle="posts3_one", platform="tikhub", forever=True)
    ran = Bench(server, tmp_path, "tikhub").work(["posts3_one"])
    first, second = gaps(times(ran))
    assert 2 <= first <= 4.5
    assert 4 <= second <= 6.5
    assert ran.reason("posts3_one").startswith("3 tries: ")


def test_failures_in_a_row_open_the_breaker_and_are_tried_again(server: PlatformServer, tmp_path: Path) -> None:
    """When five accounts fail in a row it is the platform's trouble: all five are asked again after its wake."""
    server.script(["status-503"] * 15, platform="tikhub")
    ran = Bench(server, tmp_path, "tikhub").work([f"posts3_n{number}" for number in range(8)])
    assert {ran.state(f"posts3_n{number}") for number in range(8)} == {"done"}
    assert len(ran.requests) == 15 + 8
    assert max(gaps(times(ran))) >= pacing.BREAKER_S


def test_the_second_look_is_spaced(server: PlatformServer, tmp_path: Path) -> None:
    """A page that says nothing is looked at again after a minute, and others are asked meanwhile."""
    server.script(["html-404-unknown"], handle="posts3_odd", platform="web", forever=True)
    ran = Bench(server, tmp_path, "web").work(["posts3_odd", "posts3_two", "posts3_three"])
    first, second = (one.at for one in asks(server, "posts3_odd"))
    assert ran.state("posts3_odd") == "not_found"
    assert [one.handle for one in server.requests] == ["posts3_odd", "posts3_two", "posts3_three", "posts3_odd"]
    assert first < second
    looks = times(ran, "not_found")
    assert looks[1] - looks[0] >= SECOND_LOOK_S


def test_a_shut_door_is_left_alone(server: PlatformServer, tmp_path: Path) -> None:
    """After a challenge the next run waits out the half hour before it asks again."""
    server.script(["challenge-400"], platform="web")
    bench = Bench(server, tmp_path, "web")
    before = bench.work(["posts3_one"])
    after = bench.work()
    assert isinstance(before.trouble, ConfigError)
    assert "posts3_one" in str(before.trouble)
    assert "challenge_required" in str(before.trouble)
    assert (after.trouble, after.state("posts3_one")) == (None, "done")
    assert gaps(times(after))[0] >= STOPPED_S


def test_near_its_limit_a_platform_is_asked_less(server: PlatformServer, tmp_path: Path) -> None:
    """Usage headers at 95 % stretch the pause to five minutes, and garbage in them changes nothing."""
    server.script(["graph-usage-95", "graph-usage-garbage"], platform="graph")
    ran = Bench(server, tmp_path, "graph").work(["posts3_one", "posts3_two", "posts3_three"])
    assert {ran.state(handle) for handle in ("posts3_one", "posts3_two", "posts3_three")} == {"done"}
    assert gaps(times(ran))[0] >= 300


def test_usage_counts_whatever_the_answer_says(server: PlatformServer, tmp_path: Path) -> None:
    """An account that is not found tells how much of the limit is used as well as one that is."""
    server.script(["graph-usage-95"], platform="graph", handle="missing_one")
    ran = Bench(server, tmp_path, "graph").work(["missing_one", "posts3_two"])
    assert (ran.state("missing_one"), ran.state("posts3_two")) == ("not_found", "done")
    assert gaps(times(ran))[0] >= 300


def test_used_up_quota_goes_on_with_the_next_key_and_the_next_day(tmp_path: Path) -> None:
    """In the middle of a list the other key goes on; with both used up nothing is asked before midnight Pacific."""
    keys = {"youtube_api_keys": ",".join(KEYS["youtube"]), "post_pages": 10, "max_wait_s": 60}
    with PlatformServer(Options(quota=4)) as server:
        bench = Bench(server, tmp_path, "youtube", keys)
        before = bench.work(["posts300_one"])
        used_up = bench.clock.now()
        assert isinstance(before.trouble, RateLimitedError)
        assert before.trouble.exit_code == 4
        assert "Quota exceeded." in str(before.trouble)
        assert before.state("posts300_one", "posts") == "waiting"
        midnight = pacing.next_midnight(used_up)
        assert {pace.limited_until for pace in before.paces.values()} == {midnight}
        assert len(before.paces) == 2
        server.units.clear()
        bench.settings["max_wait_s"] = 100_000
        bench.clock.sleep(midnight - used_up + 1)
        after = bench.work()
        assert (after.trouble, after.state("posts300_one", "posts")) == (None, "done")
        assert after.reason("posts300_one", "posts") == "end"
        answered = [one for one in server.requests if one.behaviour != "refused"]
        assert len(answered) == 1 + 6 + 6
        assert len({one.question for one in answered}) == len(answered)
        refused = [one for one in server.requests if one.behaviour == "refused"]
        assert {one.key for one in refused} == set(KEYS["youtube"])
        assert len(refused) == 2


def test_pages_end_where_they_should(server: PlatformServer, tmp_path: Path) -> None:
    """At the page limit, the item limit, the date and the end, with the reason and no request too many."""
    cases = [
        ({"post_pages": 3}, "page_limit", 2),
        ({"post_pages": 50, "items_limit": 30}, "item_limit", 2),
        ({"post_pages": 50}, "end", 4),
        ({"post_pages": 50}, "since", 2),
    ]
    person = server.person("posts60_one")
    for number, (settings, reason, pages) in enumerate(cases):
        server.reset()
        bench = Bench(server, tmp_path / str(number), "web", settings)
        if reason == "since":
            bench.options = FetchOptions((), since=datetime.fromtimestamp(person.post(30).taken_at, UTC))
        ran = bench.work(["posts60_one"])
        assert ran.reason("posts60_one", "posts") == reason
        assert len(asks(server, "posts60_one", "posts")) == pages
        assert not questions_twice(server)
    server.reset()
    ran = Bench(server, tmp_path / "youtube", "youtube", {"post_pages": 2}).work(["posts300_one"])
    assert ran.reason("posts300_one", "posts") == "page_limit"
    assert [one.endpoint for one in server.requests] == ["profile", "posts", "videos", "posts", "videos"]


def test_withheld_cursors_are_guessed(server: PlatformServer, tmp_path: Path) -> None:
    """Where answers promise more and name no cursor, what is known to serve as one brings every page."""
    for platform in ("web", "tikhub"):
        server.reset()
        server.script(["cursor-withheld"], handle="posts60_one", platform=platform, endpoint="posts", forever=True)
        ran = Bench(server, tmp_path / platform, platform, {"post_pages": 50}).work(["posts60_one"])
        assert (ran.trouble, ran.state("posts60_one", "posts")) == (None, "done")
        ids = {one for answer in ran.answers for one in re.findall(r"\d{10,}", answer["body"].decode())}
        person = server.person("posts60_one")
        assert {str(person.post(index).media_id) for index in range(60)} <= ids, platform


def test_a_source_without_reels_does_not_fail(server: PlatformServer, tmp_path: Path) -> None:
    """Reels that a source does not have are no job and no trouble."""
    ran = Bench(server, tmp_path, "web", {"reel_pages": 3}).work(["posts3_one"])
    assert (ran.trouble, ran.state("posts3_one")) == (None, "done")
    assert {kind for _, kind in ran.jobs} == {"profile"}


def test_a_closed_kind_closes_only_itself(server: PlatformServer, tmp_path: Path) -> None:
    """A login wall before posts makes dead letters of the posts; profiles go on, and the wall is met once."""
    server.script(["html-200-login"], platform="web", endpoint="posts", forever=True)
    handles = ["posts60_one", "posts60_two", "posts60_three"]
    ran = Bench(server, tmp_path, "web", {"post_pages": 3}).work(handles)
    assert ran.trouble is None
    assert {ran.state(handle) for handle in handles} == {"done"}
    assert {ran.state(handle, "posts") for handle in handles} == {"dead"}
    assert all(ran.reason(handle, "posts").startswith("auth: ") for handle in handles)
    assert len([one for one in server.requests if one.endpoint == "posts"]) == 1


def test_a_token_that_expires_within_a_list_stops_its_source(server: PlatformServer, tmp_path: Path) -> None:
    """A key is for every kind: nothing becomes a dead letter, and with a new one the list goes on where it was."""
    server.script(["graph-190-expired"], handle="posts120_one", platform="graph", endpoint="posts", skip=1)
    bench = Bench(server, tmp_path, "graph", {"post_pages": 5})
    before = bench.work(["posts120_one", "posts120_two"])
    assert isinstance(before.trouble, ConfigError)
    assert "Session has expired" in str(before.trouble)
    assert "check its key" in str(before.trouble)
    assert {before.state("posts120_one", "posts"), before.state("posts120_two", "posts")} == {"waiting"}
    after = bench.work()
    assert (after.trouble, after.state("posts120_one", "posts")) == (None, "done")
    good = [one.question for one in server.requests if one.behaviour == "ok"]
    assert len(good) == len(set(good)) == 2 * 5


def test_one_bad_channel_spoils_no_other(server: PlatformServer, tmp_path: Path) -> None:
    """An answer for 50 channels that cannot be read is asked for one by one; only the bad one is lost."""
    for name, state in (("body-null", "dead"), ("status-500", "failed"), ("gzip-bomb", "dead")):
        server.reset()
        people = [server.person(f"posts3_n{number}") for number in range(8)]
        server.script([name], handle="posts3_n4", platform="youtube", forever=True)
        ran = Bench(server, tmp_path / name, "youtube").work([person.channel_id for person in people])
        assert ran.trouble is None
        states = {number: ran.state(person.channel_id) for number, person in enumerate(people)}
        assert states == {number: state if number == 4 else "done" for number in range(8)}, name


def test_a_servers_own_pause_is_kept(server: PlatformServer, tmp_path: Path) -> None:
    """A 503 with Retry-After is tried again no sooner than it says."""
    server.script(["status-503-retry-after"], platform="tikhub")
    ran = Bench(server, tmp_path, "tikhub").work(["posts3_one"])
    assert ran.state("posts3_one") == "done"
    assert gaps(times(ran))[0] >= 30


def test_failures_between_good_answers_are_no_outage(server: PlatformServer, tmp_path: Path) -> None:
    """Accounts that fail among others that are not found keep their three tries when a breaker opens later."""
    handles = [name for number in range(3) for name in (f"posts3_bad{number}", f"gone_{number}")]
    late = [f"posts3_late{number}" for number in range(5)]
    for number in range(3):
        server.script(["status-503"], handle=f"posts3_bad{number}", platform="tikhub", forever=True)
    for handle in late:
        server.script(["status-503"] * 3, handle=handle, platform="tikhub")
    ran = Bench(server, tmp_path, "tikhub").work(handles + late)
    assert {ran.state(handle) for handle in late} == {"done"}
    assert {ran.state(f"posts3_bad{number}") for number in range(3)} == {"failed"}
    assert {len(asks(server, f"posts3_bad{number}")) for number in range(3)} == {3}


def test_another_origin_gets_no_key(server: PlatformServer, tmp_path: Path) -> None:
    """A redirect to another port is followed without the authorisation."""
    for platform in ("graph", "tikhub", "youtube"):
        server.reset()
        server.script(["redirect-elsewhere"], platform=platform)
        ran = Bench(server, tmp_path / platform, platform).work(["posts3_one"])
        assert ran.state("posts3_one") == "done"
        (there,) = [one for one in server.requests if one.is_elsewhere]
        assert not {"authorization", "x-goog-api-key", "cookie"} & there.headers.keys()
        assert there.key == ""


def test_a_bomb_takes_no_memory(server: PlatformServer, tmp_path: Path) -> None:
    """200 MB in 200 KB of gzip are a dead letter, and memory stays near the limit of one answer."""
    server.script(["gzip-bomb"], handle="posts3_one", platform="web")
    bench = Bench(server, tmp_path, "web", {"max_answer_mb": 8})
    bench.work(["posts3_warm"])
    tracemalloc.start()
    try:
        ran = bench.work(["posts3_one", "posts3_two"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (ran.state("posts3_one"), ran.state("posts3_two")) == ("dead", "done")
    assert ran.reason("posts3_one").startswith("too-large")
    assert peak < 32 << 20
