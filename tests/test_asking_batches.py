"""Batches, with the real provider against a scripted server: half the price, and nothing paid twice when one dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_runs import Asked, RawServer, Room, emptied, question, questions, stores
from llm_server import KEY

from igtool.asking.asker import Asker
from igtool.errors import BudgetError, ConfigError, RateLimitedError
from igtool.journal import Journal
from igtool.journal.models import CallLimits, ModelLedger
from igtool.lake import Lake
from igtool.llms.openai import OpenAI
from igtool.llms.prices import Price


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server that takes only the right key; its batches have ended when they are first looked at."""
    with RawServer(key=KEY) as opened:
        opened.batches.polls = 0
        yield opened


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[tuple[Journal, Lake]]:
    """The stores of this module."""
    with stores(tmp_path_factory.mktemp("kept"), empty_lake) as opened:
        yield opened


@pytest.fixture
def room(server: RawServer, kept: tuple[Journal, Lake]) -> Room:
    """An empty journal and lake, and the server."""
    emptied(*kept)
    return Room(server, *kept)


def under_way(room: Room) -> list[str]:
    """The labels of batches that are known and not done with."""
    return [one.label for one in ModelLedger(room.journal).batches(("openai", "gpt-4o-mini"))]


def batch(room: Room, asked: Any, limits: CallLimits | None = None, **more: Any) -> Asked:
    """A run that uses batches."""
    return room.ask(asked, limits, in_batches=True, **more)


def test_a_batch_costs_half(room: Room) -> None:
    """The same questions one by one cost twice as much; answers, ledger and tally agree."""
    room.price = Price(1.0, 1.0, 4.0, "invented")
    run = batch(room, questions(12))
    assert None not in run.answered
    assert len(room.server.batches.batches) == 1
    assert under_way(room) == []
    other = Room(room.server, room.journal, room.lake, price=room.price, model="gpt-4o")
    full = other.ask(questions(12))
    assert run.spent == pytest.approx(full.spent / 2)
    halves = [row["cost_usd"] for row in room.rows() if row["model"] == "gpt-4o-mini"]
    assert sum(halves) == pytest.approx(run.spent) == pytest.approx(run.tally.cost_usd)
    assert batch(room, questions(12)).calls == []


def test_a_batch_is_looked_at_until_it_has_ended(room: Room) -> None:
    """Every half minute, and the user hears of it once."""
    room.server.batches.polls = 3
    heard: list[str] = []
    run = batch(room, questions(3), told=heard.append)
    assert None not in run.answered
    assert run.waits == pytest.approx([30, 30, 30], abs=0.1)
    assert len(heard) == 1
    assert "3 questions" in heard[0]


def test_the_user_may_stop_waiting(room: Room) -> None:
    """The batch goes on at the provider; the next run collects it and asks nothing again."""
    room.server.batches.polls = 5
    waited: list[float] = getattr(room.clock, "slept", [])
    run = batch(room, questions(4), stopping=lambda: len(waited) >= 2)
    assert (run.pending, run.trouble) == (4, None)
    assert len(under_way(room)) == 1
    again = batch(room, questions(4))
    assert None not in again.answered
    assert len(room.server.batches.batches) == 1
    assert room.server.summary()["paid_twice"] == 0


class Killed(BaseException):
    """In place of SIGKILL: nothing of igtool catches it."""


def kill(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, before: bool) -> None:
    """Let the process die once, right before or right after ``owner.name``."""
    real = getattr(owner, name)
    left = [1]

    def dying(*given: Any, **named: Any) -> Any:
        if not left:
            return real(*given, **named)
        left.pop()
        if not before:
            real(*given, **named)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


STEPS = [
    (ModelLedger, "enter", True),
    (ModelLedger, "enter", False),
    (OpenAI, "submit", False),
    (ModelLedger, "name_batch", False),
    (OpenAI, "state", False),
    (OpenAI, "results", False),
    (ModelLedger, "end", True),
    (ModelLedger, "end", False),
    (Lake, "append_new", False),
    (ModelLedger, "delete_answers", True),
]


@pytest.mark.parametrize(("owner", "name", "before"), STEPS, ids=[f"{a.__name__}.{b}-{c}" for a, b, c in STEPS])
def test_a_kill_at_any_step_pays_for_nothing_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, before: bool
) -> None:
    """The next run finds the batch by its id or its label, and every prompt is paid for once."""
    kill(monkeypatch, owner, name, before=before)
    with pytest.raises(Killed):
        batch(room, questions(6))
    run = batch(room, questions(6))
    assert None not in run.answered
    assert run.trouble is None
    assert len(room.server.batches.batches) == 1
    assert set(room.server.paid.values()) == {1}
    assert len(room.rows()) == 6
    assert under_way(room) == []


def test_a_batch_whose_id_never_arrived_is_found_by_its_label(room: Room) -> None:
    """The line broke after the provider had taken it: exit 4, and the next run collects it."""
    room.server.batches.is_lost = True
    first = batch(room, questions(6))
    assert isinstance(first.trouble, RateLimitedError)
    assert first.pending == 6
    run = batch(room, questions(6))
    assert None not in run.answered
    assert set(room.server.paid.values()) == {1}


def test_a_batch_under_way_is_waited_for_also_without_batches(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked one by one, its questions would be paid for twice; further ones are asked at once."""
    kill(monkeypatch, OpenAI, "state", before=True)
    with pytest.raises(Killed):
        batch(room, questions(6))
    run = room.ask(questions(8))
    assert None not in run.answered
    assert (run.tally.asked, len(room.server.batches.batches)) == (8, 1)
    assert set(room.server.paid.values()) == {1}


def test_answers_that_nobody_asks_for_any_more_are_kept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are paid for: charged, stored, and found when somebody does ask."""
    kill(monkeypatch, OpenAI, "state", before=True)
    with pytest.raises(Killed):
        batch(room, questions(6))
    run = batch(room, questions(2, 100))
    assert None not in run.answered
    assert len(room.rows()) == 8
    assert all(row["cost_usd"] > 0 and row["answer"] for row in room.rows())
    late = room.ask(questions(6))
    assert (late.tally.cached, late.calls) == (6, [])


@pytest.mark.parametrize("ends", ["expired", "cancelled"])
def test_what_expired_is_asked_again_and_the_rest_is_kept(room: Room, ends: Any) -> None:
    """Lines that the provider never came to cost nothing; they are asked one by one."""
    room.server.batches.ends = ends
    room.server.script(["hang"], one_in=2)
    room.server.script(["hang"], one_in=3)
    run = batch(room, questions(12))
    assert None not in run.answered
    assert run.outcomes.count("expired") == 2
    assert run.outcomes.count("stop") == 12
    answered = [record.prompt for record in room.server.requests if record.behaviour == "ok"]
    assert len(answered) == len(set(answered)) == 12


def test_a_failed_batch_costs_nothing_and_is_asked_again_by_the_next_run(room: Room) -> None:
    """The provider did not take the file: exit 4, nothing is charged, and no label is left behind."""
    room.server.batches.ends = "failed"
    first = batch(room, questions(5))
    assert isinstance(first.trouble, RateLimitedError)
    assert "failed" in str(first.trouble)
    assert (first.spent, first.pending) == (0, 5)
    assert under_way(room) == []
    room.server.batches.ends = "completed"
    assert None not in batch(room, questions(5)).answered


def test_a_batch_that_is_gone_is_asked_again_by_the_next_run(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers delete old batches."""
    kill(monkeypatch, OpenAI, "state", before=True)
    with pytest.raises(Killed):
        batch(room, questions(5))
    room.server.batches.batches.clear()
    first = batch(room, questions(5))
    assert isinstance(first.trouble, RateLimitedError)
    assert None not in batch(room, questions(5)).answered


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("wrong_key", ConfigError),
        ("quota", BudgetError),
        ("rate_limited", RateLimitedError),
        ("bad_request", ConfigError),
    ],
)
def test_a_batch_that_is_not_taken_leaves_nothing_behind(room: Room, behaviour: str, kind: type[Exception]) -> None:
    """Exit codes as for single calls; nothing is charged, and the next run hands it in."""
    room.server.script([behaviour], endpoint="upload")
    run = batch(room, questions(5))
    assert isinstance(run.trouble, kind)
    assert (run.spent, run.pending) == (0, 5)
    assert under_way(room) == []
    assert None not in batch(room, questions(5)).answered


def test_a_provider_that_cannot_be_seen_for_a_while_loses_nothing(room: Room) -> None:
    """Looking again costs nothing: after twenty failures in a row the run ends, and the next one collects."""
    room.server.script(["server_error"] * 3, endpoint="batch")
    assert None not in batch(room, questions(4)).answered
    room.server.script(["server_error"] * 20, endpoint="batch")
    run = batch(room, questions(4, 50))
    assert isinstance(run.trouble, RateLimitedError)
    assert "goes on there" in str(run.trouble)
    assert None not in batch(room, questions(4, 50)).answered
    assert set(room.server.paid.values()) == {1}


def test_a_wrong_answer_of_a_batch_is_repaired_one_by_one(room: Room) -> None:
    """A repair is worth its full price: it would wait for another day."""
    room.server.script(["prose"], one_in=3)
    run = batch(room, questions(9))
    assert None not in run.answered
    assert run.tally.repaired == 1
    assert len(room.server.batches.batches) == 1


def test_a_line_that_failed_is_asked_one_by_one(room: Room) -> None:
    """A rate limit or an error inside a batch is no end of it."""
    room.server.script(["rate_limited"], one_in=2)
    room.server.script(["server_error"], one_in=3)
    run = batch(room, questions(12))
    assert None not in run.answered
    assert run.outcomes.count("stop") == 12
    assert set(room.server.paid.values()) == {1}


def test_equal_prompts_are_one_line_of_a_batch(room: Room) -> None:
    """As for single calls."""
    twins = [question("a twin", item=f"c{number}") for number in range(4)]
    run = batch(room, [*twins, *questions(2)])
    assert None not in run.answered
    assert len(run.calls) == 3


def test_the_money_of_a_run_bounds_its_batches(room: Room) -> None:
    """A batch holds what can be paid for in any case, the next one what is then left; never more."""
    run = batch(room, questions(30), CallLimits(max_cost_usd=0.001))
    assert isinstance(run.trouble, BudgetError)
    assert 0 < run.spent <= 0.001
    assert len(room.server.batches.batches) > 1
    rest = batch(room, questions(30))
    assert None not in rest.answered
    assert set(room.server.paid.values()) == {1}


@pytest.mark.parametrize(("name", "most"), [("most_batch_prompts", 5), ("most_batch_bytes", 20_000)])
def test_a_batch_is_no_larger_than_its_provider_takes(
    room: Room, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    """Many prompts, or long ones, become several batches."""
    monkeypatch.setattr(OpenAI, name, most)
    run = batch(room, questions(12))
    assert None not in run.answered
    assert len(room.server.batches.batches) > 1
    assert sum(one.lines for one in room.server.batches.batches.values()) == 12


def test_a_provider_without_batches_is_asked_one_by_one(room: Room) -> None:
    """--batch is a wish."""
    from igtool.llms.openai import Ollama

    room.kind = Ollama
    run = batch(room, questions(3))
    assert None not in run.answered
    assert room.server.batches.batches == {}


def test_nothing_is_asked_of_batches_by_a_run_that_has_none(room: Room) -> None:
    """Without batches under way no list of them is fetched."""
    asker: Asker = room.asker()
    asker.ask(questions(2))
    asker.close()
    assert {record.endpoint for record in room.server.requests} == {"chat"}
