"""How live data stands: status and its rules, the ways to tell somebody, and doctor's look at each source."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from live_commands import Desk, wait_until
from live_runs import SECRETS
from platform_server import PlatformServer

FETCH = ("fetch", "--source", "tikhub")


@pytest.fixture
def desk(platform: PlatformServer, tmp_path: Path) -> Desk:
    """A workspace that asks the platform server."""
    return Desk(platform, tmp_path / "workspace")


def test_status_of_sources(desk: Desk) -> None:
    """Done, failed and waiting jobs, the pace, the planned wake with its reason, and the time of finish."""
    desk.server.script(["status-400"], handle="broken_three")
    desk.server.script(["status-429"], handle="limited_four", forever=True)
    handles = ("anna_one", "missing_two", "broken_three", "limited_four", "later_five")
    assert desk.run(*FETCH, *handles, "--max-wait", "0").exit_code == 4
    state = desk.document("status")
    (source,) = state["sources"]
    assert (source["done"], source["failed"], source["waiting"]) == (2, 1, 2)
    assert source["requests_per_minute"] == 4.0
    assert source["reason"]
    assert source["finish_at"] >= source["next_wake_at"]
    assert {(row["state"], row["jobs"]) for row in state["jobs"]} == {
        ("done", 1),
        ("not_found", 1),
        ("dead", 1),
        ("waiting", 2),
    }
    assert sum(row["requests"] for row in state["last_day"]) == 4
    assert state["answers_on_their_way"] == 0
    shown = " ".join(desk.run("status").output.split())
    assert "live sources" in shown
    assert "next_wake_at" in shown


def test_watching(desk: Desk) -> None:
    """`status --watch` looks again and again, and ends with Ctrl-C and code 0."""
    assert desk.run(*FETCH, "anna_one").exit_code == 0
    with desk.process("status", "--watch", "--every", "0.2") as process:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += line.startswith("tikhub")
            if seen == 3:
                break
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (0, "")


def test_all_rules_are_kept(desk: Desk) -> None:
    """In an empty workspace, and after a good run, the code is 0."""
    assert desk.run("status", "--check").exit_code == 0
    assert desk.run(*FETCH, "anna_one").exit_code == 0
    assert desk.document("status", "--check")["rows"] == []


def _rules(desk: Desk) -> set[str]:
    return {row["rule"] for row in desk.document("status", "--check", code=8)["rows"]}


def test_dead_letters_break_a_rule(desk: Desk) -> None:
    """One is enough, unless the settings allow one."""
    desk.server.script(["status-400"], handle="broken_one")
    assert desk.run(*FETCH, "broken_one").exit_code == 8
    assert _rules(desk) == {"dead_letters"}
    desk.set(alert_dead_letters=1)
    assert desk.run("status", "--check").exit_code == 0


def test_stale_tiers_break_a_rule(desk: Desk) -> None:
    """Accounts that should have been looked at long ago, by the cadence of their tier."""
    assert desk.run(*FETCH, "anna_one", "bert_two").exit_code == 0
    desk.set(long_tail_every_h=0.0001, semi_active_every_h=0.0001, active_every_h=0.0001)
    wait_until(lambda: desk.run("status", "--check").exit_code == 8)
    assert _rules(desk) == {"stale_tier"}
    assert "igtool schedule run --once" in " ".join(desk.run("status", "--check").output.split())
    desk.set(alert_stale_share=1.0)
    assert desk.run("status", "--check").exit_code == 0


def test_errors_break_a_rule(desk: Desk) -> None:
    """Too large a share of a day's requests that failed; few requests say nothing."""
    assert desk.run(*FETCH, "anna_one").exit_code == 0
    add = (
        "insert into requests (source, key, endpoint, at, units, cost_usd, run, owner, outcome, status) "
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) "
        "select 'tikhub', 'k', 'e', {at}, 1, 0, 'r', 'o', '{outcome}', 500 from n"
    )
    now = time.time()
    desk.change_journal(add.format(at=now - 60, outcome="transient", count=18))
    assert desk.run("status", "--check").exit_code == 0
    desk.change_journal(add.format(at=now - 60, outcome="invalid", count=10))
    assert _rules(desk) == {"errors"}
    desk.set(alert_error_share=0.99)
    assert desk.run("status", "--check").exit_code == 0
    desk.set(alert_error_share=0.1)
    desk.change_journal(f"update requests set at = {now - 2 * 86_400} where run = 'r'")
    assert desk.run("status", "--check").exit_code == 0


class _Board(BaseHTTPRequestHandler):
    """Keeps what is posted; answers with ``status``."""

    posted: ClassVar[list[bytes]] = []
    status: ClassVar[int] = 204

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _webhook() -> Iterator[str]:
    """The address of a server that takes alerts."""
    _Board.posted.clear()
    _Board.status = 204
    with HTTPServer(("127.0.0.1", 0), _Board) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook-secret-invented"
        finally:
            server.shutdown()
            thread.join()


def test_telling_somebody(desk: Desk) -> None:
    """The command gets the findings on its input, the webhook as a request; neither when all is well."""
    told = desk.folder / "told.json"
    script = desk.folder / "tell.py"
    script.write_text(f"import pathlib, sys; pathlib.Path({str(told)!r}).write_text(sys.stdin.read())")
    with _webhook() as address:
        desk.set(alert_command=f"'{sys.executable}' '{script}'", alert_webhook=address)
        assert desk.run("status", "--check").exit_code == 0
        assert (_Board.posted, told.exists()) == ([], False)
        desk.server.script(["status-400"], handle="broken_one")
        assert desk.run(*FETCH, "broken_one").exit_code == 8
        assert desk.run("status", "--check").exit_code == 8
        (alert,) = json.loads(told.read_text())["alerts"]
        assert (alert["rule"], "1 dead letters" in alert["detail"]) == ("dead_letters", True)
        assert [json.loads(one) for one in _Board.posted] == [{"alerts": [alert]}]
        _Board.status = 500
        desk.set(alert_command="false")
        result = desk.run("status", "--check")
        assert "the alert command ended with code 1" in result.output
        assert "answered with status 500" in result.output
    desk.set(alert_command="no-such-program-invented")
    result = desk.run("status", "--check")
    assert result.exit_code == 8
    assert "could not be run" in result.output
    assert "could not be posted" in result.output
    assert "hook-secret-invented" not in result.output


def test_no_secret_is_shown(desk: Desk) -> None:
    """Settings, status, doctor, the queue and the log name no key and no webhook."""
    desk.set(alert_webhook="https://hooks.example/hook-secret-invented")
    log = desk.folder / "fetch.log"
    desk.server.script(["status-401"], handle="bert_two")
    assert desk.run(*FETCH, "anna_one", "bert_two", "-v", "--log-file", log).exit_code == 3
    shown = log.read_text() + repr(desk.journal("select * from requests")) + repr(desk.rows("from raw_responses"))
    for arguments in (("config", "show"), ("config", "show", "--json"), ("status", "--json"), ("queue", "list")):
        shown += desk.run(*arguments).output
    shown += desk.run("doctor", "--source", "tikhub,youtube").output
    assert "tikhub_api_token" in shown
    assert [secret for secret in (*SECRETS, "hook-secret-invented") if secret in shown] == []


def test_doctor_tells_when_a_limit_has_cleared(desk: Desk) -> None:
    """While it lasts the probe says so; once it has cleared, the next fetch asks at once."""
    desk.server.script(["status-429"] * 2)
    assert desk.run(*FETCH, "anna_one", "--max-wait", "0").exit_code == 4
    result = desk.run("doctor", "--source", "tikhub")
    assert result.exit_code == 3
    assert "rate_limited" in result.output
    (source,) = desk.document("status")["sources"]
    assert source["next_wake_at"] is not None
    assert desk.run(*FETCH, "anna_one", "--max-wait", "0").exit_code == 4
    assert len(desk.server.requests) == 2
    result = desk.run("doctor", "--source", "tikhub")
    assert result.exit_code == 0, result.output
    assert "the rate limit has cleared" in " ".join(result.output.split())
    assert desk.run(*FETCH, "anna_one", "--max-wait", "0").exit_code == 0


def test_doctor_looks_at_each_source(desk: Desk) -> None:
    """One small request each; --offline asks nothing, and a server that is not there is told."""
    rows = {row["name"]: row for row in desk.document("doctor", "--source", "tikhub,youtube,instagram_web")["rows"]}
    for name in ("tikhub", "youtube", "instagram_web"):
        assert rows[name]["ok"]
        assert rows[name]["detail"].startswith("answers (")
    assert len(desk.server.requests) == 3
    desk.server.reset()
    rows = {row["name"]: row for row in desk.document("doctor", "--offline", "--source", "tikhub,youtube")["rows"]}
    assert rows["youtube"]["detail"] == "2 key(s) set; not asked"
    assert desk.server.requests == []
    desk.set(tikhub_base_url="http://127.0.0.1:9")
    result = desk.run("doctor", "--source", "tikhub")
    assert result.exit_code == 3
    assert "FAIL" in result.output
