"""The command line with a language model, played by a scripted server: what it says and costs, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from live_commands import IGTOOL, wait_until
from llm_people import Creator, creators, decent
from llm_runs import RawServer, quick
from llm_server import KEY

from igtool.cli import main
from igtool.lake import Lake

PEOPLE = 9


def dump(one: Creator) -> dict[str, Any]:
    """A profile with its posts, in the shape of Instagram's web_profile_info."""
    posts = [
        {
            "node": {
                "__typename": "GraphImage",
                "id": f"{one.number}{place:03}",
                "shortcode": f"C{one.number}_{place}",
                "taken_at_timestamp": 1_788_000_000 + 86_400 * place,
                "edge_media_to_caption": {"edges": [{"node": {"text": caption}}]},
                "edge_liked_by": {"count": 10 + place},
                "edge_media_to_comment": {"count": place},
                "owner": {"id": str(one.number + 100), "username": one.handle},
            }
        }
        for place, caption in enumerate(one.captions)
    ]
    user = {
        "id": str(one.number + 100),
        "username": one.handle,
        "full_name": one.name,
        "biography": f"{one.bio} Mail nora{one.number}@example.org, phone +34 612 345 67{one.number}",
        "edge_followed_by": {"count": 1_200 + one.number},
        "edge_follow": {"count": 3},
        "is_private": False,
        "edge_owner_to_timeline_media": {"count": len(posts), "edges": posts},
    }
    return {"data": {"user": user}, "status": "ok"}


def write_inputs(folder: Path, count: int) -> None:
    """A creator list and a dump of each creator on it."""
    (folder / "raw").mkdir(parents=True)
    people = creators(count)
    for one in people:
        (folder / "raw" / f"{one.handle}.json").write_text(json.dumps(dump(one)))
    lines = ["Name,Handle,GENRE,Summary", *(f"{one.name},@{one.handle},," for one in people)]
    (folder / "list.csv").write_text("\n".join(lines) + "\n")


@dataclass
class Office:
    """A workspace whose igtool.toml leads to ``server``, and its command line."""

    server: RawServer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def set(self, **settings: Any) -> None:
        """Write igtool.toml anew with these values; None takes a setting away."""
        self.settings |= settings
        usual = {"openai_base_url": self.server.url, "llm_concurrency": 4}
        values = {name: value for name, value in (usual | self.settings).items() if value is not None}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        (self.folder / "igtool.toml").write_text("\n".join(lines))

    def run(self, *arguments: str | Path, code: int = 0, key: str | None = KEY) -> Result:
        """One command, in this process."""
        given = ["--workspace", str(self.folder), *map(str, arguments)]
        result = CliRunner().invoke(main, given, catch_exceptions=False, env={"OPENAI_API_KEY": key})
        assert result.exit_code == code, result.output
        assert KEY not in result.output
        return result

    def document(self, *arguments: str | Path, code: int = 0) -> Any:
        """What one command prints with ``--json``."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def enrich(self, *arguments: str, code: int = 0) -> Result:
        """The main job."""
        given = ("enrich", self.folder / "list.csv", "--fill", "GENRE=primary_niche", "--fill", "Summary=llm_summary")
        return self.run(*given, *arguments, code=code)

    def cells(self) -> list[dict[str, str]]:
        """The filled list."""
        with (self.folder / "data/export/creators_enriched.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def value(self, query: str) -> Any:
        """The first cell of a query."""
        with Lake(self.folder / "data", writable=False) as lake:
            return lake.value(query)


MODEL = ("--provider", "openai", "--model", "gpt-4o-mini")


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RawServer]:
    """One server for the module."""
    with RawServer(key=KEY) as opened:
        yield opened


@pytest.fixture(scope="module")
def enriched(shared_server: RawServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after the main job without a language model."""
    folder = tmp_path_factory.mktemp("enriched") / "workspace"
    write_inputs(folder, PEOPLE)
    office = Office(shared_server, folder)
    office.set()
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        office.enrich()
    return folder


@pytest.fixture(scope="module")
def described(shared_server: RawServer, enriched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after everybody was described."""
    folder = tmp_path_factory.mktemp("described") / "workspace"
    shutil.copytree(enriched, folder)
    shared_server.reset()
    shared_server.answer = decent
    office = Office(shared_server, folder)
    office.set()
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        office.run("run", "describe", *MODEL)
    assert len(shared_server.requests) == PEOPLE
    return folder


@pytest.fixture
def known(described: Path, office: Office) -> Office:
    """A workspace in which everybody is described; the server has heard nothing yet."""
    shutil.rmtree(office.folder)
    shutil.copytree(described, office.folder)
    return office


@pytest.fixture
def office(shared_server: RawServer, enriched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A workspace in which nobody was asked yet; waiting takes no time."""
    shared_server.reset()
    shared_server.raw = lambda _: None
    shared_server.answer = decent
    shutil.copytree(enriched, tmp_path / "workspace")
    quick(monkeypatch)
    for name in ("AI_PROVIDER", "CHAT_MODEL", "GEMINI_API_KEY", "GOOGLE_API_KEY", "XAI_API_KEY", "GROK_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = Office(shared_server, tmp_path / "workspace")
    made.set()
    return made


# --- what it says and makes ----------------------------------------------------------------------------------------


def test_enrich_asks_the_model_and_says_what_it_came_to(office: Office) -> None:
    """Answers, money and tokens; the list is filled with what the model said; by force nothing is asked again."""
    first = office.enrich(*MODEL)
    assert f"language model: {PEOPLE} answers for 0.0" in first.output
    assert "0 were there already" in first.output
    assert all(row["Summary"].startswith("A patient maker") for row in office.cells())
    assert all(row["GENRE"] for row in office.cells())
    told = office.document("enrich", office.folder / "list.csv", *MODEL, "--force")["language_model"]
    assert (told["asked"], told["cached"], told["postponed"], told["cost_usd"]) == (0, PEOPLE, 0, 0)
    assert len(office.server.requests) == PEOPLE


def test_run_describe_by_force_takes_answers_from_the_store(known: Office) -> None:
    """And says so."""
    forced = known.run("run", "describe", "--force", *MODEL)
    assert f"0 answers for 0.0000 US dollars (0 tokens of prompts, 0 of answers), {PEOPLE} were there" in forced.output
    assert known.server.requests == []


def test_the_provider_may_be_named_in_settings_and_left_out_for_a_run(office: Office) -> None:
    """Customary names count; --provider none and --llm never ask nobody."""
    office.set(provider="openai", chat_model="gpt-4o-mini")
    for nobody in (("--provider", "none"), ("--llm", "never")):
        office.run("run", "analyze", *nobody)
        assert "--provider" in office.run("run", "describe", *nobody, code=3).output
    assert office.server.requests == []
    office.run("run", "describe")
    assert len(office.server.requests) == PEOPLE


def test_always_asks_for_labels_too(office: Office) -> None:
    """--llm always: niche and style of everybody."""
    office.run("run", "describe", *MODEL, "--llm", "always")
    assert office.value("select count(*) from llm_answers where kind = 'profile_labels'") == PEOPLE


def test_show_prints_what_would_be_sent(office: Office) -> None:
    """The prompt with its schema; contacts are masked."""
    told = office.run("llm", "show", "invented_00003", *MODEL).output
    assert "would be sent to openai gpt-4o-mini" in told
    assert "schema of the answer" in told
    assert "number3." in told
    assert "example.org" not in told
    assert "612" not in told


def test_show_prints_what_was_sent(known: Office) -> None:
    """Prompt and answer with its price, as they are stored."""
    told = known.run("llm", "show", "invented_00003").output
    assert "sent 20" in told
    assert "US dollars" in told
    assert "A patient maker" in told
    (row,) = known.document("llm", "show", "invented_00003")["rows"]
    assert [one["role"] for one in row["messages"]] == ["system", "user"]
    assert "number3." in row["messages"][1]["content"]
    assert row["schema"] is None


def test_status_tells_what_was_spent(known: Office) -> None:
    """By provider, model and outcome."""
    assert "spent on them: 0.0" in known.run("status").output
    (row,) = known.document("status")["language_models"]
    assert (row["provider"], row["model"], row["outcome"], row["calls"]) == ("openai", "gpt-4o-mini", "stop", PEOPLE)


# --- what it would cost --------------------------------------------------------------------------------------------


def test_an_estimate_brackets_what_a_run_takes(office: Office, described: Path) -> None:
    """Calls, tokens and money lie between low and high; the prices have a date; nothing is asked."""
    told = office.document("llm", "estimate", *MODEL)
    assert office.server.requests == []
    office.folder = described
    assert told["creators"] == told["sampled"] == PEOPLE
    assert "newest change" in told["prices"]
    for name, actual in (
        ("calls", "count(*)"),
        ("input_tokens", "sum(input_tokens_count)"),
        ("output_tokens", "sum(output_tokens_count)"),
        ("cost_usd", "sum(cost_usd)"),
    ):
        low, high = told[name]
        assert low <= office.value(f"select {actual} from llm_answers") <= high, name
    after = office.document("llm", "estimate", *MODEL)
    assert (after["creators"], after["cost_usd"]) == (0, [0, 0])


def test_an_estimate_knows_batches(office: Office) -> None:
    """Half the price."""
    full, half = office.document("llm", "estimate", *MODEL), office.document("llm", "estimate", *MODEL, "--batch")
    assert half["cost_usd"] == pytest.approx([one / 2 for one in full["cost_usd"]], rel=0.1)


def test_an_estimate_knows_answers_that_are_there(known: Office) -> None:
    """What has to be described anew costs nothing where its question was answered before."""
    with Lake(known.folder / "data", writable=True) as lake, lake.transaction():
        lake.execute("delete from stage_rows where stage = 'describe'")
        lake.execute("delete from descriptions")
    told = known.document("llm", "estimate", *MODEL)
    assert (told["stored"], told["creators"]) == (PEOPLE, 0)


def test_a_dry_run_asks_and_writes_nothing(office: Office) -> None:
    """Also where nothing is stored yet: then the range is wide, and holds what a run takes."""
    known = office.document("enrich", office.folder / "list.csv", "--dry-run", *MODEL)["language_model"]
    assert known["creators"] == PEOPLE
    fresh = office.folder / "fresh"
    given = ("--workspace", str(fresh), "enrich", str(office.folder / "list.csv"), "--dry-run", "--json", *MODEL)
    result = CliRunner().invoke(main, list(given), catch_exceptions=False, env={"OPENAI_API_KEY": KEY})
    assert result.exit_code == 0, result.output
    unknown = json.loads(result.stdout)["language_model"]
    assert unknown["calls"][0] == PEOPLE
    assert unknown["cost_usd"][0] <= known["cost_usd"][0] <= known["cost_usd"][1] <= unknown["cost_usd"][1]
    assert office.server.requests == []
    assert not (fresh / "data").exists()


# --- how it ends ---------------------------------------------------------------------------------------------------


def test_max_cost_ends_with_6_and_goes_on(office: Office) -> None:
    """What was spent and what to do are said; the next run asks only what is left."""
    ended = office.run("run", "describe", *MODEL, "--max-cost", "0.002", code=6)
    assert "--max-cost" in ended.output
    assert 0 < office.value("select sum(cost_usd) from llm_answers") <= 0.002
    asked = len(office.server.requests)
    assert 0 < asked < PEOPLE
    office.run("run", "describe", *MODEL)
    assert len(office.server.requests) == PEOPLE


def test_a_rate_limit_ends_with_4_and_all_else_is_done(office: Office) -> None:
    """The filled list, the index and the report are there; the next run asks only what is left."""
    office.server.script(["rate_limited_empty"], skip=3, forever=True)
    ended = office.enrich(*MODEL, code=4)
    assert "still limits the rate" in ended.output
    assert f"{PEOPLE - 3} left for the next run" in ended.output
    assert sum(row["Summary"].startswith("A patient maker") for row in office.cells()) == 3
    assert all(row["GENRE"] for row in office.cells())
    assert office.document("search", "bread")["results"]
    office.server.reset()
    office.run("run", "describe", *MODEL)
    assert len(office.server.requests) == PEOPLE - 3


def test_a_wrong_key_ends_with_3(office: Office) -> None:
    """The message names the environment variable and repeats no key, not even the wrong one."""
    given = ("run", "describe", *MODEL)
    ended = office.run(*given, code=3, key="wrong-key-of-the-user")
    assert "OPENAI_API_KEY" in ended.output
    assert "wrong-key" not in ended.output
    assert b"wrong-key" not in everything(office.folder)


def test_an_unknown_model_ends_with_3(office: Office) -> None:
    """With the provider's own words."""
    office.server.script(["no_model"], forever=True)
    ended = office.run("run", "describe", *MODEL, code=3)
    assert "does not exist" in ended.output
    assert "--model" in ended.output


def test_a_quota_that_is_used_up_ends_with_6(office: Office) -> None:
    """At once."""
    office.server.script(["quota"], forever=True)
    assert "quota is used up" in office.run("run", "describe", *MODEL, code=6).output
    assert len(office.server.requests) <= 4


BAD = [
    (("--provider", "openay", "--model", "m"), "there is no provider of language models 'openay'"),
    (("--provider", "openai"), "--model"),
    (("--provider", "openai", "--model", "my-own-model"), "llm_input_price"),
    (("--provider", "grok", "--model", "grok-4"), "XAI_API_KEY"),
    (("--provider", "gemini", "--model", "gemini-2.5-flash"), "GEMINI_API_KEY"),
]


def test_a_bad_set_up_ends_with_3_before_anything_is_done(office: Office) -> None:
    """An unknown provider, no model, no price, no key: said at once, with what mends it."""
    for arguments, words in BAD:
        ended = office.enrich(*arguments, code=3)
        assert words in " ".join(ended.output.split())
        assert "wrote" not in ended.output
    assert office.server.requests == []


def test_without_a_key_the_provider_itself_is_not_asked(office: Office) -> None:
    """At its own address; a server of one's own needs none, and costs nothing."""
    with RawServer() as own:
        own.answer = decent
        office.set(openai_base_url=own.url)
        told = office.run("run", "describe", *MODEL, key="").output
        assert f"{PEOPLE} answers for 0.0000 US dollars" in told
        assert {record.key for record in own.requests} == {""}
    office.set(openai_base_url=None)
    ended = office.run("run", "describe", *MODEL, code=3, key="")
    assert "OPENAI_API_KEY=YOUR-KEY" in ended.output


def test_describe_without_a_provider_says_how_to_name_one(office: Office) -> None:
    """A stage that is asked for by name is not left out in silence."""
    assert "--provider" in office.run("run", "describe", code=3).output
    assert "--provider" in office.run("llm", "estimate", code=3).output


def test_rejects_end_with_8_and_say_why(office: Office) -> None:
    """Refused and charged; the command that lists them is named."""
    office.server.script(["refusal"], containing="number3.", forever=True)
    ended = office.run("run", "describe", *MODEL, code=8)
    assert "1 unusable" in ended.output
    assert "llm-refused" in office.run("rejects").output


def test_commands_that_ask_nobody_need_no_key(office: Office) -> None:
    """A provider in the settings does not stand in the way of imports, searches and exports."""
    office.set(provider="openai", chat_model="gpt-4o-mini", openai_base_url=None)
    (office.folder / "igtool.toml").write_text('provider = "openai"\nchat_model = "gpt-4o-mini"\n')
    for command in (("import", office.folder / "raw"), ("status",), ("search", "bread"), ("export",)):
        office.run(*command, key="")


# --- secrets -------------------------------------------------------------------------------------------------------


def test_keys_and_contacts_are_in_no_file_log_or_output(office: Office) -> None:
    """After a run with failures, verbose, with a log; what was sent holds no contact of anybody."""
    office.server.script(["server_error", "wrong_charset"], per_prompt=True)
    log = office.folder / "igtool.log"
    office.enrich(*MODEL, "--verbose", "--log-file", str(log))
    stored = everything(office.folder)
    assert KEY.encode() not in stored
    assert KEY.encode() not in log.read_bytes()
    sent = json.dumps([record.data for record in office.server.requests], ensure_ascii=False)
    assert len(office.server.requests) >= PEOPLE
    for contact in ("@example.org", "612 345", "61234567"):
        assert contact not in sent
    assert {record.key for record in office.server.requests} == {KEY}
    assert "[e-mail]" in sent


def everything(folder: Path) -> bytes:
    """All bytes of a workspace but the user's own files."""
    parts = [path.read_bytes() for path in folder.rglob("*") if path.is_file() and "raw" not in path.parts]
    return b"".join(parts)


# --- real processes ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_interrupted_run_ends_with_130_and_is_gone_on_with(office: Office) -> None:
    """Ctrl-C in a real process: exit 130, answers kept; the next run pays for none of them again."""
    office.server.latency_s = 0.3
    office.set(provider="openai", chat_model="gpt-4o-mini", llm_concurrency=2)
    given = [*IGTOOL, "--workspace", str(office.folder), "run", "describe"]
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(given, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            wait_until(lambda: len(office.server.requests) >= 3, process)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert KEY not in errors
    office.server.latency_s = 0.0
    office.run("run", "describe")
    assert set(office.server.paid.values()) == {1}
    assert office.value("select count(*) from descriptions") == PEOPLE
