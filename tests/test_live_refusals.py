"""Live commands given what cannot work: the exit code says which kind of trouble it is, the message how to mend it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from live_commands import Desk
from platform_server import PlatformServer

KEYS = {
    "tikhub": ("tikhub_api_token", "TIKHUB_API_TOKEN"),
    "youtube": ("youtube_api_keys", "YOUTUBE_API_KEY"),
    "instagram_graph": ("instagram_graph_token", "INSTAGRAM_GRAPH_TOKEN"),
}
FETCH = ("fetch", "--source", "tikhub")


@pytest.fixture
def desk(platform: PlatformServer, tmp_path: Path) -> Desk:
    """A workspace that asks the platform server."""
    return Desk(platform, tmp_path / "workspace")


@pytest.mark.parametrize("source", KEYS)
def test_no_key(desk: Desk, source: str) -> None:
    """Code 3 before anything is asked or made, and the name of the setting."""
    setting, environment = KEYS[source]
    desk.set(**{setting: None})
    for command in (("fetch", "anna"), ("enrich", "anna"), ("schedule", "run", "--once"), ("schedule", "plan")):
        result = desk.run(*command, "--source", source)
        assert result.exit_code == 3, result.output
        assert source in result.output
        assert environment in result.output
    assert desk.asked() == []
    assert not (desk.folder / "data").exists() or desk.rows("from raw_responses") == []


@pytest.mark.parametrize("source", KEYS)
def test_wrong_key(desk: Desk, source: str) -> None:
    """One request, code 3, the source and the fix by name; both jobs wait, and the right key goes on with them."""
    setting, _ = KEYS[source]
    right = desk.server.settings()[setting]
    desk.set(**{setting: "wrong-key-invented"})
    where = "youtube" if source == "youtube" else "instagram"
    command = ("fetch", "--source", source, "--platform", where, "anna_one", "bert_two")
    result = desk.run(*command)
    assert result.exit_code == 3
    assert f"{source} was stopped" in result.output
    assert "check its key" in result.output
    assert "wrong-key-invented" not in result.output
    assert len(desk.asked()) == 1
    states = [row["state"] for row in desk.document("queue", "list", "--state", "waiting")["rows"]]
    assert states == ["waiting", "waiting"]
    assert desk.run("doctor", "--source", source).exit_code == 3
    if source == "tikhub":  # the pauses of the others are longer
        desk.set(**{setting: right})
        assert desk.run(*command).exit_code == 0


@pytest.mark.parametrize("status", ["status-401", "status-403", "status-402"])
def test_shut_out(desk: Desk, status: str) -> None:
    """A platform that refuses us is asked once, and the run ends with code 3."""
    desk.server.script([status], forever=True)
    result = desk.run(*FETCH, "anna_one", "bert_two", "carla_three")
    assert result.exit_code == 3
    assert "tikhub was stopped" in result.output
    assert result.output.count("tikhub was stopped") == 1
    assert len(desk.asked()) == 1


def test_unknown_source(desk: Desk) -> None:
    """A typo in --source is told with the names that there are."""
    for command, code in (("fetch", 3), ("enrich", 2)):
        result = desk.run(command, "--source", "tikhubb", "anna")
        assert result.exit_code == code
        assert "'tikhubb'" in result.output or "tikhubb:" in result.output
        assert "instagram_graph, instagram_web, tikhub, youtube" in result.output
    result = desk.run("doctor", "--offline", "--source", "tikhubb")
    assert result.exit_code == 3
    assert "there is no source 'tikhubb'" in " ".join(result.output.split())


def test_no_source_and_no_account(desk: Desk) -> None:
    """Both are needed, and the message gives an example."""
    result = desk.run("fetch", "anna")
    assert (result.exit_code, "--source instagram_graph,instagram_web" in result.output) == (2, True)
    result = desk.run(*FETCH)
    assert (result.exit_code, "@name" in result.output) == (2, True)
    result = desk.run(*FETCH, "anna", "--input", "list.csv")
    assert (result.exit_code, "give the list once" in result.output) == (2, True)
    result = desk.run(*FETCH, "nothing_there.csv")
    assert (result.exit_code, "there is no file nothing_there.csv" in result.output) == (2, True)


@pytest.mark.parametrize(
    "handle",
    ["../x", "..%2fx", "a" * 300, "\u0430nna", "an\u0578a", "a\x01b", "a\nb", "a/b", "@", "a b", "\u2024\u2024/x"],
    ids=lambda handle: ascii(handle)[1:20],
)
def test_malformed_handles_are_not_asked(desk: Desk, handle: str) -> None:
    """Traversal, 300 bytes, letters that look like others, control characters: code 2, and no request."""
    result = desk.run(*FETCH, handle)
    assert result.exit_code == 2, result.output
    assert "give @name or a profile address" in result.output
    assert "\x01" not in result.output
    assert desk.server.requests == []


def test_malformed_rows_do_not_keep_the_others_back(desk: Desk) -> None:
    """In a list they are left out, and everybody else is asked."""
    path = desk.write_list("Handle\n../x\nanna_one\n" + "a" * 300 + "\n\u0430nna\nbert_two\n")
    result = desk.run(*FETCH, path)
    assert result.exit_code == 0, result.output
    assert desk.asked() == ["anna_one", "bert_two"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("www.instagram.com", "must begin with https://"),
        ("file:///etc/hostname", "must begin with https://"),
        ("https://user:word@platform.example", "user, password"),
        ("https://platform.example?x=1", "query"),
    ],
)
def test_a_base_address_that_is_none(desk: Desk, address: str, words: str) -> None:
    """Code 3, and what an address looks like."""
    desk.set(tikhub_base_url=address)
    result = desk.run(*FETCH, "anna")
    assert result.exit_code == 3
    assert "tikhub_base_url" in result.output
    assert words in result.output


@pytest.mark.parametrize("address", ["http://192.168.0.1", "http://169.254.169.254", "http://[::1]:8080", None])
def test_a_base_address_that_is_closed(desk: Desk, address: str | None) -> None:
    """Code 3; nothing is asked, the accounts wait, and with the right address the same command goes on."""
    right = desk.server.url("tikhub")
    desk.set(tikhub_base_url=address or right, allow_loopback=False)
    result = desk.run(*FETCH, "anna_one", "bert_two")
    assert result.exit_code == 3, result.output
    assert "its base address is closed" in result.output
    assert "is no public address" in result.output
    assert desk.server.requests == []
    assert desk.journal("select distinct state from jobs") == [("waiting",)]
    assert desk.journal("select * from requests") == []
    if address is None:
        shown = " ".join(desk.run("doctor", "--source", "tikhub").output.split())
        assert "its base address is closed" in shown
        desk.set(allow_loopback=True)
        assert desk.run(*FETCH, "anna_one", "bert_two").exit_code == 0


def test_a_clock_set_back(desk: Desk) -> None:
    """Code 3 and the command that accepts the clock, after which the fetch works."""
    assert desk.run(*FETCH, "anna_one").exit_code == 0
    desk.change_journal(f"update requests set at = {time.time() + 366 * 86_400}")
    result = desk.run(*FETCH, "bert_two")
    assert result.exit_code == 3
    assert "clock" in result.output
    assert "igtool queue accept-clock" in result.output
    assert desk.asked() == ["anna_one"]
    assert desk.run("queue", "accept-clock").exit_code == 0
    assert desk.run(*FETCH, "bert_two").exit_code == 0
    assert desk.asked() == ["anna_one", "bert_two"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--since", value) for value in ("soon", "-5d", "99999999d", "9" * 400 + "d", "2026-99-99", "90 days")),
        *(("--batch-pause", value) for value in ("x", "-1", "9999d", "30 minutes")),
        *(("-r", value) for value in ("0", "-3", "1e9", "99999999", "9" * 400, "1/3", "10/fortnight")),
        *(("--max-wait", value) for value in ("-1", "soon")),
        *(("--max-cost", value) for value in ("-1", "nan", "cheap")),
        *(("--post-pages", value) for value in ("-1", "99999999999", "1.5")),
        *(("--page-size", value) for value in ("0", "51")),
        *(("--limit", value) for value in ("-1", "all")),
        *(("-b", value) for value in ("-1", "99999999")),
        *(("--items-limit", "0"), ("--file-limit", "0"), ("--reel-pages", "-1"), ("--platform", "myspace")),
    ],
    ids=lambda text: text[:12],
)
def test_values_that_do_not_fit(desk: Desk, option: str, value: str) -> None:
    """Code 2 or 3, the option or its setting by name, and nothing is made or asked."""
    result = desk.run(*FETCH, "anna", option, value)
    assert result.exit_code in (2, 3), result.output
    name = {"-r": "rate", "-b": "batch"}.get(option, option.strip("-").partition("-")[0])
    assert name in result.output
    assert not (desk.folder / "data").exists()


@pytest.mark.parametrize(
    "values",
    [("-r", "0.0000000000001"), ("--max-wait", "9" * 400), ("--items-limit", "9" * 30), ("--since", "0001-01-01")],
    ids=lambda values: values[0],
)
def test_values_that_are_odd_and_fit(desk: Desk, values: tuple[str, str]) -> None:
    """The extremes that are allowed make a plan, too."""
    result = desk.run(*FETCH, "anna", "--dry-run", *values)
    assert result.exit_code == 0, result.output
    assert "nothing was asked" in result.output


def test_queue_wants_to_know_which_jobs(desk: Desk) -> None:
    """Retry and drop without a choice, an id that none can be or none has, and an unknown state: code 2."""
    for arguments in (
        *(("retry",), ("drop", "--yes"), ("retry", "--", "-5"), ("retry", "9" * 30), ("retry", "first")),
        ("list", "--state", "lost"),
        ("list", "--limit", "0"),
    ):
        result = desk.run("queue", *arguments)
        assert result.exit_code == 2, arguments
    assert "waiting, leased, done" in desk.run("queue", "list", "--state", "lost").output
    assert "--all" in desk.run("queue", "retry").output
    result = desk.run("queue", "retry", "12345")
    assert (result.exit_code, "there is no such job" in result.output) == (2, True)


def test_schedule_wants_to_know_how(desk: Desk) -> None:
    """None or both of --once and --daemon, no source, and a cadence that is none: code 2 and the choices."""
    for arguments, words in (
        (("run",), "--daemon"),
        (("run", "--once", "--daemon"), "--daemon"),
        (("run", "--once"), "no live source"),
        (("plan",), "no live source"),
        (("set", "anna"), "--every 6h"),
        (("set", "anna", "--every", "6h", "--clear"), "--clear"),
        (("set", "anna", "--every", "0"), "one minute"),
        (("set", "anna", "--every", "9" * 400 + "d"), "one minute"),
        (("set", "../x", "--every", "6h"), "cannot be a handle"),
        (("set", "anna", "--priority", "101"), "priority"),
        (("run", "--once", "--backfill", "-1"), "backfill"),
        (("simulate", "--creators", "0"), "creators"),
    ):
        result = desk.run("schedule", *arguments)
        assert (result.exit_code, words in result.output) == (2, True), result.output
    assert desk.run("schedule", "plan", "--source", "tikhub").exit_code == 2
    assert not (desk.folder / "data").exists()


def test_the_money_limit(desk: Desk) -> None:
    """Code 6 when the next request would go over it; the same command with more goes on, and asks nothing twice."""
    handles = ("anna_one", "bert_two", "carla_three", "dora_four")
    result = desk.run(*FETCH, *handles, "--max-cost", "0.0025")
    assert result.exit_code == 6
    assert "--max-cost" in result.output
    assert desk.asked() == ["anna_one", "bert_two"]
    assert desk.run(*FETCH, *handles, "--max-cost", "0.0025").exit_code == 0
    assert desk.asked() == list(handles)
    assert desk.run(*FETCH, "ernst_five", "--max-cost", "0").exit_code == 6


def test_a_rate_limit_that_is_not_waited_for(desk: Desk) -> None:
    """--max-wait 0 ends with code 4 and the time to go on, which `status` shows as the planned wake."""
    desk.server.script(["status-429"], handle="bert_two")
    result = desk.run(*FETCH, "anna_one", "bert_two", "carla_three", "--max-wait", "0")
    assert result.exit_code == 4, result.output
    assert "tikhub may not be asked before" in result.output
    (source,) = desk.document("status")["sources"]
    assert (source["source"], source["done"], source["waiting"]) == ("tikhub", 1, 2)
    assert source["next_wake_at"] is not None
    assert source["reason"]
    assert source["finish_at"] >= source["next_wake_at"]
    assert desk.asked() == ["anna_one", "bert_two"]


def test_a_raw_folder_that_cannot_be_written(desk: Desk) -> None:
    """Code 9 and its name; the answers are kept and written by the next run."""
    place = desk.folder / "taken"
    place.write_text("a file where a folder should be")
    result = desk.run(*FETCH, "anna_one", "--raw-dir", place / "raw")
    assert result.exit_code == 9, result.output
    assert "taken" in result.output
    assert desk.run(*FETCH, "anna_one").exit_code == 0
    assert desk.asked() == ["anna_one"]
    assert len(desk.rows("from accounts")) == 1
