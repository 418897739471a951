"""Whole runs against a platform that misbehaves: all sources, the lake, a plan for each account, what comes after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_runs import SECRETS, House, asks, instagram, questions_twice, youtube
from platform_server import PlatformServer

from igtool.errors import ConfigError, RateLimitedError
from igtool.importing import import_source
from igtool.pipeline import run_stages

ALL = "instagram_graph,instagram_web,tikhub,youtube"


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """One server for all tests of this module, empty at each test's start."""
    with PlatformServer() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _empty(server: PlatformServer) -> None:
    server.reset()


def test_a_limited_source_stops_no_other(server: PlatformServer, tmp_path: Path) -> None:
    """Instagram's web answers 429 for ever: YouTube and the Graph API come to their end, and exit 4 is for the rest."""
    server.script(["status-429"], platform="web", forever=True)
    house = House(server, tmp_path, {"max_wait_s": 600})
    names = [f"posts3_n{number}" for number in range(6)]
    channels = [f"posts3_y{number}" for number in range(6)]
    wanted = instagram(*names, "private_one", "private_two") + youtube(*channels)
    report = house.fetch("instagram_graph,instagram_web,youtube", wanted)
    jobs = house.jobs()
    ended = Counter((job["source"], job["state"]) for job in jobs.values())
    assert ended["instagram_web", "waiting"] == 2
    assert ended["instagram_graph", "done"] == 6
    assert {state for (source, state) in ended if source == "youtube"} == {"done"}
    assert isinstance(report.error, RateLimitedError)
    assert [one.endpoint for one in server.requests if one.platform == "youtube"].count("profile") == 6
    assert {(one["subject"], one["outcome"]) for one in house.rows("from raw_responses where source = 'youtube'")} == {
        (name, "ok") for name in channels
    }


def test_three_sources_take_over_from_each_other(server: PlatformServer, tmp_path: Path) -> None:
    """What the Graph API does not know, the web is asked for; while that is limited for hours, TikHub answers."""
    server.script(["status-429"], platform="web", forever=True)
    house = House(server, tmp_path)
    report = house.fetch(ALL, instagram("posts3_one", "private_two", "missing_three") + youtube("posts3_four"))
    assert report.error is None
    ended = {(handle, kind): (job["source"], job["state"]) for (handle, kind), job in house.jobs().items()}
    assert ended["private_two", "profile"] == ("tikhub", "private")
    assert ended["missing_three", "profile"] == ("tikhub", "not_found")
    assert set(report.states) == {"done", "not_found", "private"}


@pytest.mark.parametrize("wall", ["graph-190-expired", "graph-368-blocked"])
def test_a_shut_source_hands_over(server: PlatformServer, tmp_path: Path, wall: str) -> None:
    """A refused token or a block is told with exit 3; the accounts are asked from the next source in the same run."""
    server.script([wall], platform="graph", forever=True)
    house = House(server, tmp_path)
    report = house.fetch("instagram_graph,instagram_web", instagram("posts3_one", "posts3_two", "private_three"))
    assert isinstance(report.error, ConfigError)
    assert "instagram_graph was stopped" in str(report.error)
    assert {job["source"] for job in house.jobs().values()} == {"instagram_web"}
    assert report.states == {"done": 2, "private": 1}
    assert len([one for one in server.requests if one.platform == "graph"]) == 1


def test_lists_that_were_begun_are_not_handed_over(server: PlatformServer, tmp_path: Path) -> None:
    """When a source shuts us out within a list, its lists wait for it, and only profiles go to the next source."""
    server.script(["graph-368-blocked"], platform="graph", endpoint="posts", forever=True)
    house = House(server, tmp_path, {"post_pages": 3})
    report = house.fetch("instagram_graph,tikhub", instagram("posts90_one", "posts90_two", "private_three"))
    assert isinstance(report.error, ConfigError)
    ended = {(handle, kind): (job["source"], job["state"]) for (handle, kind), job in house.jobs().items()}
    assert ended["posts90_one", "posts"] == ended["posts90_two", "posts"] == ("instagram_graph", "waiting")
    assert ended["private_three", "profile"] == ("tikhub", "private")
    assert "dead" not in report.states


def test_the_next_run_goes_on(server: PlatformServer, tmp_path: Path) -> None:
    """After exit 4 the same command asks what is left, once the wake has come, and nothing twice."""
    server.script(["ok"] * 4 + ["status-429"] * 6, platform="web")
    house = House(server, tmp_path, {"max_wait_s": 600})
    wanted = instagram(*(f"posts30_n{number}" for number in range(5)))
    house.settings["post_pages"] = 2
    before = house.fetch("instagram_web", wanted)
    assert isinstance(before.error, RateLimitedError)
    assert before.states["waiting"] > 0
    house.settings["max_wait_s"] = 14_400
    after = house.fetch("instagram_web", list(reversed(wanted)) + instagram("posts3_new"))
    assert after.error is None
    assert set(after.states) == {"done"}
    good = [one.question for one in server.requests if one.behaviour == "ok"]
    assert len(good) == len(set(good)) == 5 * 2 + 1
    limits = [one["at"] for one in house.requests() if one["outcome"] == "rate_limited"]
    assert limits[5] - limits[4] >= 1_800
    answers = house.rows("from raw_responses")
    assert len({row["answer_id"] for row in answers}) == len(good) + 6


def test_answers_and_errors_reach_the_lake_without_secrets(server: PlatformServer, tmp_path: Path) -> None:
    """Data and errors are rows of ``raw_responses`` with their status; keys that an error repeats are gone."""
    server.script(["echo-key-400"], handle="posts3_one", platform="tikhub", forever=True)
    server.script(["echo-key-500", "echo-key-429"], handle="posts3_two", platform="tikhub")
    house = House(server, tmp_path)
    report = house.fetch("tikhub", instagram("posts3_one", "posts3_two", "gone_three"))
    assert report.states == {"dead": 1, "done": 1, "not_found": 1}
    rows = house.rows("from raw_responses")
    told = sorted((row["subject"], row["status"], row["outcome"], row["endpoint"].endswith("_error")) for row in rows)
    assert told == [
        ("gone_three", 404, "not_found", True),
        ("posts3_one", 400, "invalid", True),
        ("posts3_two", 200, "ok", False),
        ("posts3_two", 429, "rate_limited", True),
        ("posts3_two", 500, "transient", True),
    ]
    assert sum("***" in row["body"] for row in rows) == 3
    places = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(places) > 3
    for secret in SECRETS:
        assert not [path for path in places if secret.encode() in path.read_bytes()]


def steps(house: House, sources: str, wanted: list[tuple[str, str]], **options: object) -> dict[str, int]:
    """What a run would do with ``wanted``, without asking anything."""
    from igtool.fetching.plan import FetchOptions
    from igtool.fetching.run import Fetcher
    from igtool.fetching.sources import sources_of

    names = tuple(sources.split(","))
    with house.session() as session:
        chosen = FetchOptions(names, **options)  # type: ignore[arg-type]
        return Fetcher(session, sources_of(session.settings, names), chosen, house.clock).plan(wanted).counts()


def test_what_a_later_run_asks(server: PlatformServer, tmp_path: Path) -> None:
    """A re-sorted and longer list asks only what is new; each option widens or narrows that as it says."""
    server.script(["status-400"], handle="posts3_dead", platform="tikhub")
    server.script(["status-503"] * 3, handle="posts3_failed", platform="tikhub")
    house = House(server, tmp_path, factor=500.0)  # slow enough for the six hours that failed jobs rest
    wanted = instagram("posts3_done", "missing_one", "posts3_dead", "posts3_failed")
    first = house.fetch("tikhub", wanted)
    assert first.states == {"dead": 1, "done": 1, "failed": 1, "not_found": 1}
    asked = len(server.requests)
    longer = [*reversed(wanted), *instagram("posts3_new", "posts3_newer")]
    assert steps(house, "tikhub", wanted) == {"dead": 1, "failed": 1, "fresh": 1, "not_found": 1}
    assert steps(house, "tikhub", longer, only_new=True) == {"ask": 2, "known": 4}
    assert steps(house, "tikhub", longer, force=True) == {"ask": 6}
    forced = steps(house, "tikhub", wanted, force_handles=frozenset({"posts3_done"}))
    assert forced == {"ask": 1, "dead": 1, "failed": 1, "not_found": 1}
    assert steps(house, "tikhub", wanted, retry_failed=True) == {"again": 2, "ask": 1, "fresh": 1}
    assert steps(house, "youtube", wanted) == {"no_source": 4}
    assert len(server.requests) == asked
    second = house.fetch("tikhub", longer)
    assert second.states == {"done": 2}
    assert [one.handle for one in server.requests][asked:] == ["posts3_new", "posts3_newer"]
    third = house.fetch("tikhub", wanted, retry_failed=True)
    assert third.states == {"done": 2, "not_found": 1}
    assert Counter(one.handle for one in server.requests)["posts3_done"] == 1


def test_answers_written_as_files_are_read_back(server: PlatformServer, tmp_path: Path) -> None:
    """``--raw-dir`` gives each answer as a file: read back it changes nothing, and elsewhere it makes the same rows."""
    server.script(["status-503", "echo-key-500"], handle="posts30_one", platform="tikhub")
    house = House(server, tmp_path / "work", {"post_pages": 2})
    wanted = instagram("posts30_one", "posts30_two") + youtube("posts30_one", "posts3_two")
    report = house.fetch("tikhub,youtube", wanted, raw_dir=tmp_path / "raw")
    assert set(report.states) == {"done"}
    files = sorted(path.relative_to(tmp_path / "raw") for path in (tmp_path / "raw").rglob("*.json"))
    assert {path.parts[0] for path in files} == {"instagram", "youtube"}
    assert not [path for path in files if "_error" in path.name]
    keys = {"accounts": "account_id", "content_items": "content_id"}
    with house.session() as session:
        run_stages(session, ["normalize"])
        before = {table: session.lake.rows(f"select {key} from {table} order by 1") for table, key in keys.items()}
        import_source(session.lake, session.journal, tmp_path / "raw", session.progress, lambda: False)
        run_stages(session, ["normalize"])
        after = {table: session.lake.rows(f"select {key} from {table} order by 1") for table, key in keys.items()}
    assert (len(before["accounts"]), len(before["content_items"])) == (4, 2 * 24 + 30 + 3)
    assert after == before
    with House(server, tmp_path / "other").session() as session:
        import_source(session.lake, session.journal, tmp_path / "raw", session.progress, lambda: False)
        run_stages(session, ["normalize"])
        read = {table: session.lake.rows(f"select {key} from {table} order by 1") for table, key in keys.items()}
        assert session.lake.rows("from rejects") == []
        assert session.lake.rows("select count(*) as files from raw_responses") == [{"files": len(files)}]
    assert read == before


def test_force_asks_again_and_keeps_both_answers(server: PlatformServer, tmp_path: Path) -> None:
    """``--force`` brings a second answer of the same account, beside the first."""
    house = House(server, tmp_path)
    house.fetch("instagram_web", instagram("posts3_one"))
    house.fetch("instagram_web", instagram("posts3_one"))
    assert len(asks(server, "posts3_one")) == 1
    house.fetch("instagram_web", instagram("posts3_one"), force=True)
    assert len(asks(server, "posts3_one")) == 2
    assert len(house.rows("from raw_responses")) == 2
    assert questions_twice(server) == [server.requests[0].question]
