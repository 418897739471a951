"""Live commands as a user meets them: what they ask, what they print and write, and how they stop and go on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import contents
from live_commands import HURRIED, IGTOOL, Desk, cells, wait_until
from live_runs import questions_twice
from platform_server import PlatformServer

from igtool.lake import Lake
from igtool.platforms.instagram_web import InstagramWeb
from igtool.platforms.youtube import YouTube
from igtool.session import open_session
from igtool.settings import load

FETCH = ("fetch", "--source", "tikhub")
PROFILE = {
    "data": {
        "user": {
            "id": "7",
            "username": "dumped_one",
            "full_name": "Ivo Invented",
            "biography": "sourdough bread every day",
            "category_name": "Chef",
            "edge_followed_by": {"count": 1200},
            "edge_follow": {"count": 3},
            "is_private": False,
        }
    }
}


@pytest.fixture
def desk(platform: PlatformServer, tmp_path: Path) -> Desk:
    """A workspace that asks the platform server."""
    return Desk(platform, tmp_path / "workspace")


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instagram's web and YouTube without their pauses."""
    monkeypatch.setattr(InstagramWeb, "policy", HURRIED)
    monkeypatch.setattr(YouTube, "policy", HURRIED)


def test_fetch_by_handles(desk: Desk) -> None:
    """Every kind of account ends in its state, and the document says so; asked again, nothing is."""
    handles = ("anna_one", "private_two", "missing_three", "empty_four", "Anna_One", "https://instagram.com/anna_one/")
    found = desk.document(*FETCH, *handles)
    assert found["accounts"] == {"ask": 4}
    assert {row["state"]: row["jobs"] for row in found["rows"]} == {"done": 2, "private": 1, "not_found": 1}
    assert (found["requests"], found["answers"], found["stopped"]) == (4, 4, [])
    assert found["cost_usd"] == pytest.approx(0.004)
    again = desk.document(*FETCH, *handles)
    assert again["accounts"] == {"fresh": 3, "not_found": 1}
    assert (again["requests"], again["rows"]) == (0, [])
    assert len(desk.asked()) == 4
    known = {row["handle"] for row in desk.rows("from accounts")}
    assert known == {"anna_one", "private_two", "empty_four"}


def test_resume_by_handle(desk: Desk) -> None:
    """A list that was cut off, re-sorted, extended and edited asks only for what has not been answered."""
    first = desk.write_list("Name,Handle\nA,anna_one\nB,bert_two\nC,carla_three\nD,dora_four\n")
    assert desk.run(*FETCH, first, "--limit", "2").exit_code == 0
    assert desk.asked() == ["anna_one", "bert_two"]
    second = desk.write_list("Handle;Name;Notes\n@Emil_five;E;new\ncarla_three;C;\nBERT_TWO;B;edited\nanna_one;A;\n")
    assert desk.run(*FETCH, second).exit_code == 0
    assert desk.asked() == ["anna_one", "bert_two", "emil_five", "carla_three"]


@pytest.mark.slow
def test_choosing_who_is_asked(desk: Desk) -> None:
    """--only-new, --force-handle, --force and --retry-failed each ask for those that they name."""
    assert desk.run(*FETCH, "anna_one", "missing_two").exit_code == 0
    desk.server.reset()
    everybody = ("anna_one", "missing_two", "carla_three")
    assert desk.document(*FETCH, *everybody, "--only-new")["accounts"] == {"ask": 1, "known": 2}
    assert desk.asked() == ["carla_three"]
    assert desk.run(*FETCH, *everybody, "--force-handle", "@Anna_One").exit_code == 0
    assert desk.asked()[1:] == ["anna_one"]
    assert desk.run(*FETCH, *everybody, "--retry-failed").exit_code == 0
    assert desk.asked()[2:] == ["missing_two"]
    assert desk.run(*FETCH, *everybody, "--force").exit_code == 0
    assert sorted(desk.asked()[3:]) == sorted(everybody)


def test_dead_letters(desk: Desk) -> None:
    """An answer that cannot be used ends with code 8; `queue` lists it, lets it wait again, or forgets it."""
    desk.server.script(["status-400"], handle="anna_one")
    result = desk.run(*FETCH, "anna_one", "bert_two")
    assert result.exit_code == 8
    assert "igtool queue list" in result.output
    (row,) = desk.document("queue", "list")["rows"]
    assert (row["handle"], row["state"], bool(row["reason"])) == ("anna_one", "dead", True)
    assert desk.document(*FETCH, "anna_one", "bert_two")["accounts"] == {"dead": 1, "fresh": 1}
    assert "1 jobs wait again" in desk.run("queue", "retry", str(row["job_id"])).output
    assert desk.document(*FETCH, "anna_one", "bert_two")["accounts"] == {"fresh": 1, "go_on": 1}
    assert desk.asked() == ["anna_one", "bert_two", "anna_one"]
    desk.server.script(["status-400"], handle="carla_three")
    assert desk.run(*FETCH, "carla_three").exit_code == 8
    assert "1 jobs are forgotten" in desk.run("queue", "drop", "--all", "--yes").output
    assert desk.document("queue", "list")["rows"] == []


def test_dry_runs_ask_nothing(desk: Desk) -> None:
    """Requests, units, money and the time of finish are told, what earlier runs found too; no request is made."""
    assert desk.run(*FETCH, "anna_one", "missing_two").exit_code == 0
    path = desk.write_list("Handle,GENRE\nanna_one,\ncarla_three,\nyoutube:somebody,\n")
    desk.server.reset()
    found = desk.document("fetch", "--source", "tikhub,youtube", path, "--dry-run", "--post-pages", "3")
    assert found["dry_run"] is True
    assert found["accounts"] == {"ask": 2, "fresh": 1}
    rows = {row["source"]: row for row in found["rows"]}
    assert (rows["tikhub"]["accounts"], rows["tikhub"]["requests"]) == (1, 3)
    assert rows["tikhub"]["cost_usd"] == pytest.approx(0.003)
    assert rows["youtube"]["units"] >= 2
    assert all(row["finish_at"] and row["duration"] for row in rows.values())
    assert found["coverage"][0]["found_score"] == 0.5
    enrich = desk.document("enrich", "--source", "tikhub,youtube", path, "--dry-run")
    assert enrich["accounts"] == {"ask": 2, "fresh": 1}
    assert {row["source"] for row in enrich["requests"]} == {"tikhub", "youtube"}
    assert "nothing was asked" in desk.run("enrich", "--source", "tikhub", path, "--dry-run").output
    assert desk.server.requests == []
    assert desk.rows("from watchlist") == []


def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    """Neither in an empty folder nor beside a run does it leave a trace."""
    before = sorted(str(file) for file in desk.folder.rglob("*"))
    assert desk.run("fetch", "--source", "tikhub", "anna_one", "--dry-run").exit_code == 0
    assert desk.run("enrich", "--source", "tikhub", "anna_one", "--dry-run").exit_code == 0
    assert sorted(str(file) for file in desk.folder.rglob("*")) == before
    with open_session(load(desk.folder), "another run", lambda: False):
        assert desk.run("fetch", "--source", "tikhub", "anna_one", "--dry-run").exit_code == 0


def _values(desk: Desk) -> dict[str, list[str]]:
    """Every row of every table, but for which of two equal answers it came from."""
    with Lake(desk.folder / "data", writable=False) as lake:
        found = contents(lake)
    return {name: [re.sub(r"'answer_id': '\w+'", "", row) for row in rows] for name, rows in found.items()}


def test_raw_folder_and_back(desk: Desk) -> None:
    """--raw-dir writes each answer once, at most --file-limit an account; importing them changes nothing."""
    raw = desk.folder / "answers"
    options = ("--post-pages", "4", "--raw-dir", raw, "--file-limit", "3")
    assert desk.run(*FETCH, "posts60_anna", "missing_two", *options).exit_code == 0
    files = sorted(raw.rglob("*.json"))
    assert {file.parent for file in files} == {raw / "instagram" / "posts60_anna"}
    assert len(files) == 3
    before = _values(desk)
    assert desk.run("import", raw).exit_code == 0
    assert desk.run("run", "normalize").exit_code == 0
    after = _values(desk)
    assert {name for name in before if before[name] != after[name]} == set()


def test_pages(desk: Desk) -> None:
    """--post-pages, --reel-pages and --items-limit bound what is asked; the reason of the end is kept."""
    assert desk.run(*FETCH, "posts60_anna", "--post-pages", "3", "--reel-pages", "1").exit_code == 0
    kinds = [one.endpoint for one in desk.server.requests]
    assert (kinds.count("profile"), kinds.count("posts"), kinds.count("reels")) == (1, 2, 1)
    assert dict(desk.journal("select kind, reason from jobs"))["posts"] == "page_limit"
    assert desk.rows("select count(*) as items from content_items")[0]["items"] >= 36
    assert desk.run(*FETCH, "posts60_bert", "--post-pages", "9", "--items-limit", "20").exit_code == 0
    assert [one.endpoint for one in desk.server.requests][4:] == ["profile", "posts"]


@pytest.mark.usefixtures("_hurried")
def test_enrich_fills_the_list(desk: Desk) -> None:
    """Cells come from the live answer and say so; a dump serves whom it knows, and each row has its status."""
    dumps = desk.folder / "dumps"
    dumps.mkdir()
    (dumps / "one.json").write_text(json.dumps(PROFILE))
    path = desk.write_list(
        "Handle,GENRE,Details\nanna_one,mine,\ndumped_one,,\nmissing_two,,\nprivate_three,,\n../x,,\nlimited_four,,\n"
    )
    desk.server.script(["status-429"], handle="limited_four", forever=True)
    options = ("--source", dumps, "--source", "instagram_web", "--max-wait", "0")
    result = desk.run("enrich", path, *options, "--only-new")
    assert result.exit_code == 4, result.output
    export = desk.folder / "data" / "export"
    filled = {row["Handle"]: row for row in cells(export / "creators_enriched.csv")}
    assert filled["anna_one"]["GENRE"] == "mine"
    assert filled["anna_one"]["Details"] == desk.server.person("anna_one").bio
    assert filled["dumped_one"]["GENRE"] == "Chef"
    told = cells(export / "creators_enriched.provenance.csv")
    statuses = {row["handle"]: row["status"] for row in told if row["handle"]}
    assert statuses | {"../x": "rejected"} == {
        "anna_one": "enriched",
        "dumped_one": "enriched",
        "missing_two": "not_found",
        "private_three": "private",
        "limited_four": "waiting",
        "../x": "rejected",
    }
    sources = {row["source"] for row in told if row["handle"] == "anna_one" and row["column"] == "Details"}
    assert sources == {"instagram_web:web_profile_info"}
    assert "report.html" in {file.name for file in export.iterdir()}


@pytest.mark.usefixtures("_hurried")
def test_enrich_again_asks_nothing(desk: Desk) -> None:
    """The document has its keys; the second run asks nobody and fills the same."""
    path = desk.write_list("Handle,Details\nanna_one,\nbert_two,\n")
    found = desk.document("enrich", path, "--source", "instagram_web")
    assert {"run_id", "rows", "list", "coverage", "files", "notes", "seconds"} <= found.keys()
    assert found["list"] == {"enriched": 2}
    before = (desk.folder / "data/export/creators_enriched.csv").read_bytes()
    assert desk.document("enrich", path, "--source", "instagram_web")["list"] == {"enriched": 2}
    assert len(desk.asked()) == 2
    assert (desk.folder / "data/export/creators_enriched.csv").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_and_gone_on_with(desk: Desk, number: signal.Signals, code: int) -> None:
    """A signal ends a run with its code, another run in the meantime with 7; nothing is lost or asked twice."""
    handles = [f"stopped_{n}" for n in range(40)]
    with desk.process(*FETCH, *handles) as process:
        wait_until(lambda: len(desk.server.requests) >= 3, process)
        if number == signal.SIGTERM:
            busy = desk.run(*FETCH, "anna_one")
            assert busy.exit_code == 7
            assert str(process.pid) in busy.output
            assert desk.run("status").exit_code == 0
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "the same command goes on" in told
    assert 3 <= len(desk.server.requests) < 40
    assert desk.run(*FETCH, *handles).exit_code == 0
    assert sorted(desk.asked()) == sorted(handles)
    assert questions_twice(desk.server) == []
    assert len(desk.rows("from accounts")) == 40


@pytest.mark.slow
def test_without_a_terminal(desk: Desk) -> None:
    """Under cron and nohup, without input, terminal, home or colours: code 0, one document, no control codes."""
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    command = " ".join(f"'{part}'" for part in (*IGTOOL, "--workspace", desk.folder, *FETCH, "anna_one", "--json"))
    closed = subprocess.run(
        f"{command} <&-", shell=True, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert closed.returncode == 0, closed.stderr
    assert json.loads(closed.stdout)["requests"] == 1
    assert "\x1b" not in closed.stdout + closed.stderr
    (desk.folder / "out").touch()
    left = f"nohup {command.replace('anna_one', 'bert_two')} </dev/null >{desk.folder}/out 2>&1 &"
    subprocess.run(left, shell=True, env=environment, check=True, timeout=60)
    wait_until(lambda: '"requests": 1' in (desk.folder / "out").read_text())
    wait_until(lambda: desk.run("fetch", "--source", "tikhub", "bert_two").exit_code == 0)
    assert desk.asked() == ["anna_one", "bert_two"]
