"""The schedule at work: what is due is fetched in its order, again and again, and counts become growth."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from live_commands import HURRIED, Desk, wait_until
from live_runs import JumpingClock
from platform_server import PlatformServer

from igtool.errors import ConfigError
from igtool.platforms.youtube import YouTube
from igtool.schedule.run import Daemon
from igtool.session import open_session
from igtool.settings import load

SOURCES = ("--source", "tikhub,youtube")
TIKHUB = ("--source", "tikhub")


@pytest.fixture
def desk(platform: PlatformServer, tmp_path: Path) -> Desk:
    """A workspace that asks the platform server."""
    return Desk(platform, tmp_path / "workspace")


def change(desk: Desk, *statements: str) -> None:
    """Change the lake by hand."""
    with open_session(load(desk.folder), "test", lambda: False) as session, session.lake.transaction():
        for statement in statements:
            session.lake.execute(statement)


def age(desk: Desk) -> None:
    """Let everything that is stored be twenty days old, with 100 fewer of everything."""
    change(
        desk,
        "update accounts set observed_at = observed_at - interval 20 day",
        "update metric_snapshots set observed_at = observed_at - interval 20 day, value = value - 100",
    )
    desk.change_journal("update jobs set ended_at = ended_at - 20 * 86400")


def watch(desk: Desk, *handles: str) -> None:
    """Put Instagram accounts on a list."""
    rows = [
        {"watch_id": h, "list_name": "l", "line": n, "platform": "instagram", "handle": h}
        for n, h in enumerate(handles)
    ]
    with open_session(load(desk.folder), "test", lambda: False) as session, session.lake.transaction():
        session.lake.merge("watchlist", rows)


@pytest.mark.slow
def test_a_cycle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due by priority, channels together by id, backfill last and bounded; then nothing is due any more."""
    monkeypatch.setattr(YouTube, "policy", HURRIED)
    assert desk.run("fetch", *TIKHUB, "anna_one", "bert_two", "carla_three").exit_code == 0
    channels = ("kanal_one", "kanal_two", "kanal_three")
    assert desk.run("fetch", "--source", "youtube", "--platform", "youtube", *channels).exit_code == 0
    age(desk)
    watch(desk, "new_one", "new_two", "new_three", "anna_one")
    assert desk.run("schedule", "set", "carla_three", "--priority", "50").exit_code == 0
    desk.server.reset()
    plan = desk.document("schedule", "plan", *SOURCES, "--backfill", "2")
    assert {(row["tier"], row["platform"]): row["due"] for row in plan["rows"]} == {
        ("long_tail", "instagram"): 3,
        ("long_tail", "youtube"): 3,
        ("backfill", "instagram"): 2,
    }
    costs = {row["source"]: row for row in plan["sources"]}
    assert (costs["tikhub"]["requests"], costs["youtube"]["accounts"]) == (5, 3)
    assert {row["tier"] for row in plan["tiers"]} == {"active", "semi_active", "long_tail"}
    assert desk.server.requests == []

    done = desk.document("schedule", "run", "--once", *SOURCES, "--backfill", "2")
    assert done["accounts"] == {"ask": 8}
    instagram = [one.handle for one in desk.server.requests if one.platform == "tikhub"]
    assert instagram[0] == "carla_three"
    assert instagram[3:] == ["new_one", "new_two"]
    profiles = [one for one in desk.server.requests if (one.platform, one.endpoint) == ("youtube", "profile")]
    assert [sorted(one.subjects) for one in profiles] == [
        sorted(desk.server.person(name).channel_id for name in channels)
    ]
    assert {row["handle"] for row in desk.rows("from accounts")} >= {"new_one", "new_two"}
    again = desk.document("schedule", "run", "--once", *SOURCES, "--backfill", "0")
    assert (again["rows"], bool(again["next_due_at"])) == ([], True)
    assert len(desk.rows("from creators")) > 0


def test_growth(desk: Desk) -> None:
    """Two fetches at different times are two snapshots, and the growth of all windows that they span is told."""
    assert desk.run("fetch", *TIKHUB, "anna_one").exit_code == 0
    age(desk)
    assert desk.run("fetch", *TIKHUB, "anna_one").exit_code == 0
    followers = "subject_type = 'account' and metric = 'followers'"
    rows = desk.rows(f"select value from metric_snapshots where {followers} order by observed_at")
    (before, after) = [row["value"] for row in rows]
    assert after - before == 100
    windows = {row["window_days"]: row["change"] for row in desk.rows(f"from growth_windows where {followers}")}
    assert windows == {7: 100, 30: None, 90: None}
    assert all(row["has_gap"] for row in desk.rows("from growth_windows where metric = 'followers'"))


def test_overrides(desk: Desk) -> None:
    """`schedule set --every` makes an account due early, `--clear` gives it back to its tier."""
    assert desk.run("fetch", *TIKHUB, "anna_one", "bert_two").exit_code == 0
    change(desk, "update accounts set observed_at = observed_at - interval 2 hour")
    assert desk.document("schedule", "plan", *TIKHUB)["rows"] == []
    assert desk.run("schedule", "set", "@Anna_One", "--every", "1h").exit_code == 0
    (row,) = desk.document("schedule", "plan", *TIKHUB)["rows"]
    assert row["due"] == 1
    desk.server.reset()
    assert desk.document("fetch", *TIKHUB, "anna_one", "bert_two")["accounts"] == {"ask": 1, "fresh": 1}
    assert desk.asked() == ["anna_one"]
    assert desk.run("schedule", "set", "anna_one", "--clear").exit_code == 0
    assert desk.document("schedule", "plan", *TIKHUB)["rows"] == []


@pytest.mark.slow
def test_accounts_that_are_gone_do_not_come_up_again(desk: Desk) -> None:
    """One that is not found any more is asked once; it neither stays due nor keeps a new one from its turn."""
    assert desk.run("fetch", *TIKHUB, "anna_one").exit_code == 0
    age(desk)
    watch(desk, "missing_two", "new_three")
    desk.server.script(["status-404"], handle="anna_one", forever=True)
    assert desk.run("schedule", "run", "--once", *TIKHUB, "--backfill", "1").exit_code == 0
    assert desk.asked() == ["anna_one", "anna_one", "missing_two"]
    assert desk.run("schedule", "run", "--once", *TIKHUB, "--backfill", "1").exit_code == 0
    assert desk.asked()[3:] == ["new_three"]
    assert "nothing is due" in desk.run("schedule", "run", "--once", *TIKHUB, "--backfill", "1").output


def test_the_daemon_rests_when_there_is_nothing_to_ask(desk: Desk) -> None:
    """Without a due account, or with one that nobody may be asked for, it sleeps between two looks."""
    assert desk.run("fetch", *TIKHUB, "anna_one").exit_code == 0
    told: list[str] = []
    clock = JumpingClock()
    daemon = Daemon(load(desk.folder), ("tikhub",), 5, lambda: len(told) >= 3, told.append, clock)
    daemon.run()
    assert all(line.startswith("nothing is due before") for line in told)
    assert len(clock.slept) == 2
    assert min(clock.slept) == 900


@pytest.mark.slow
def test_the_daemon(desk: Desk) -> None:
    """It fetches what is due, then waits; meanwhile other commands may write; SIGTERM ends it with 143."""
    assert desk.run("fetch", *TIKHUB, "anna_one", "bert_two").exit_code == 0
    age(desk)
    desk.server.reset()
    with desk.process("schedule", "run", "--daemon", *TIKHUB) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("nothing is due before" in line for line in lines)
        assert sorted(desk.asked()) == ["anna_one", "bert_two"]
        assert desk.run("schedule", "set", "anna_one", "--priority", "9").exit_code == 0
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None)
        assert "stopped" in process.stderr.read()
    assert process.returncode == 143
    assert desk.run("status", "--check").exit_code == 0


@pytest.mark.slow
def test_a_source_that_shuts_us_out_ends_the_cycle(desk: Desk) -> None:
    """Code 3, and the accounts stay due."""
    assert desk.run("fetch", *TIKHUB, "anna_one").exit_code == 0
    age(desk)
    desk.server.script(["status-401"], forever=True)
    result = desk.run("schedule", "run", "--once", *TIKHUB)
    assert result.exit_code == 3
    assert "tikhub was stopped" in result.output
    assert desk.document("schedule", "plan", *TIKHUB)["rows"][0]["due"] == 1


@pytest.mark.slow
def test_the_daemon_goes_on_without_a_source_that_shuts_us_out(desk: Desk) -> None:
    """What the others serve is still fetched; it ends only when no source is left."""
    path = desk.write_list("Handle,Platform\nanna_one,instagram\nfilms.two,youtube\n")
    desk.run("enrich", path, "--limit", "2")
    desk.server.script(["status-401"], platform="tikhub", forever=True)
    told: list[str] = []
    daemon = Daemon(load(desk.folder), ("tikhub", "youtube"), 5, lambda: len(told) >= 3, told.append, JumpingClock())
    daemon.run()
    assert any("tikhub was stopped" in line and "going on without it" in line for line in told)
    assert [source.name for source in daemon.sources] == ["youtube"]
    assert desk.rows("select handle from accounts where platform = 'youtube'")
    alone = Daemon(load(desk.folder), ("tikhub",), 5, lambda: False, told.append, JumpingClock())
    with pytest.raises(ConfigError, match="tikhub was stopped"):
        alone.run()


def test_simulation(desk: Desk) -> None:
    """A small one tells what is attained by tier and source, and draws it."""
    plot = desk.folder / "plot.svg"
    found = desk.document("schedule", "simulate", "--creators", "200", "--days", "2", "--plot", plot)
    assert {"rows", "sources", "attained_share"} <= found.keys()
    assert plot.read_text().startswith("<svg")
