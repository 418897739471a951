"""The ledger of calls to language models: limits of rate and money hold whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_runs import RawServer, Room, emptied, question, questions, stores
from llm_server import KEY
from llm_server.replies import completion, of

from igtool.errors import BudgetError
from igtool.journal import Journal
from igtool.journal.models import Batch, Bound, CallLimits, Ended, Entered, ModelLedger
from igtool.lake import Lake
from igtool.llms.prices import Price, most_cost

NAME = ("openai", "some-model")
START = 1_790_000_000.0


@pytest.fixture
def ledger(journal: Journal) -> ModelLedger:
    """An empty ledger."""
    return ModelLedger(journal)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """One journal for all examples of a property."""
    with Journal(tmp_path_factory.mktemp("journal"), writable=True) as opened:
        opened._connection.execute("pragma synchronous = off")  # nobody pulls the plug here
        yield opened


def enter(
    ledger: ModelLedger, count: int, *, now: float = START, tokens: int = 10, cost: float = 0.0, **how: Any
) -> Entered:
    """Enter ``count`` equal calls."""
    run, label = how.pop("run", "r"), how.pop("label", None)
    bounds = [Bound(tokens, cost)] * count
    return ledger.enter(how.pop("name", NAME), bounds, run=run, limits=CallLimits(**how), now=now, label=label)


def row(key: str) -> dict[str, Any]:
    """A row of ``llm_answers``, as far as the journal is concerned."""
    return {"answer_id": key, "answer": "é" * 10}


# --- one transaction -----------------------------------------------------------------------------------------------


def test_an_answer_and_its_charge_are_stored_together_or_not_at_all(ledger: ModelLedger, journal: Journal) -> None:
    """What cannot be stored as a whole leaves the call under way, at its highest price."""
    (first, second) = enter(ledger, 2, cost=0.5).call_ids
    ended = [Ended(first, "stop", 7, 0.1, "a", row("a")), Ended(second, "stop", 7, 0.1, "b", {"x": object()})]
    with pytest.raises(TypeError):
        ledger.end(ended, now=START)
    assert ledger.answers(["a", "b"]) == {}
    assert ledger.spent("r") == 1.0
    ledger.end([Ended(first, "stop", 7, 0.1, "a", row("a"))], now=START + 1)
    assert ledger.answers(["a", "b"]) == {"a": row("a")}
    assert ledger.spent("r") == pytest.approx(0.6)
    assert journal.read("select outcome, tokens, at from llm_calls order by call_id") == [
        ("stop", 7, START + 1),
        (None, 10, START),
    ]


def test_an_answer_that_is_there_is_not_replaced(ledger: ModelLedger) -> None:
    """The first answer to a prompt is the answer."""
    ids = enter(ledger, 2).call_ids
    ledger.end([Ended(ids[0], "stop", 1, 0.0, "a", row("a"))], now=START)
    ledger.end([Ended(ids[1], "stop", 1, 0.0, "a", row("a") | {"answer": "another"})], now=START)
    assert ledger.answers(["a"])["a"]["answer"] == row("a")["answer"]


def test_answers_leave_in_the_order_in_which_they_came(ledger: ModelLedger) -> None:
    """Oldest first, a part at a time; what is deleted is gone and the rest stays."""
    keys = [f"{'zyxab'[number % 5]}{number}" for number in range(12)]
    ids = enter(ledger, 12).call_ids
    ledger.end([Ended(one, "stop", 1, 0.0, key, row(key)) for one, key in zip(ids, keys, strict=True)], now=START)
    assert [one["answer_id"] for one in ledger.oldest_answers(5)] == keys[:5]
    ledger.delete_answers(keys[:5])
    assert [one["answer_id"] for one in ledger.oldest_answers(100)] == keys[5:]


def test_thousands_of_keys_are_looked_up_at_once(ledger: ModelLedger) -> None:
    """More than SQLite takes as parameters."""
    (one,) = enter(ledger, 1).call_ids
    ledger.end([Ended(one, "stop", 1, 0.0, "k7", row("k7"))], now=START)
    assert list(ledger.answers(f"k{number}" for number in range(50_000))) == ["k7"]


# --- money ---------------------------------------------------------------------------------------------------------


def test_as_many_calls_as_the_money_allows(ledger: ModelLedger) -> None:
    """Each counts with the most it can cost; what it did cost makes room for more."""
    entered = enter(ledger, 5, cost=0.3, max_cost_usd=1.0)
    assert len(entered.call_ids) == 3
    assert entered.spent_usd == pytest.approx(0.9)
    assert enter(ledger, 1, cost=0.3, max_cost_usd=1.0).call_ids == ()
    ledger.end([Ended(one, "stop", 5, 0.1) for one in entered.call_ids], now=START)
    assert len(enter(ledger, 5, cost=0.3, max_cost_usd=1.0).call_ids) == 2


def test_a_call_under_way_counts_also_when_its_process_was_killed(ledger: ModelLedger) -> None:
    """It may have been paid for; and a run has its own money."""
    enter(ledger, 2, cost=0.4, max_cost_usd=1.0)
    assert enter(ledger, 1, cost=0.4, max_cost_usd=1.0).call_ids == ()
    assert len(enter(ledger, 1, cost=0.4, max_cost_usd=1.0, run="another").call_ids) == 1


def test_requests_to_platforms_are_of_the_same_money(ledger: ModelLedger, journal: Journal) -> None:
    """One limit for a run, whatever it is spent on."""
    with journal.transaction() as cursor:
        cursor.execute(
            "insert into requests (source, key, endpoint, at, units, cost_usd, run, owner) "
            "values ('tikhub', 'k', 'e', 1, 1, 0.8, 'r', 'o')"
        )
    assert len(enter(ledger, 5, cost=0.1, max_cost_usd=1.0).call_ids) == 2


def test_nothing_to_spend_is_a_limit_and_free_calls_pass_it(ledger: ModelLedger) -> None:
    """--max-cost 0 asks only what costs nothing."""
    assert enter(ledger, 1, cost=0.001, max_cost_usd=0.0).call_ids == ()
    assert len(enter(ledger, 3, cost=0.0, max_cost_usd=0.0).call_ids) == 3


# --- rates ---------------------------------------------------------------------------------------------------------


def test_requests_a_minute(ledger: ModelLedger) -> None:
    """The window slides: a call counts for a minute from when its answer came."""
    entered = enter(ledger, 5, requests_per_minute=3)
    assert len(entered.call_ids) == 3
    assert entered.wait_until == START + 60
    ledger.end([Ended(entered.call_ids[0], "stop", 1, 0.0)], now=START + 20)
    again = enter(ledger, 5, now=START + 61, requests_per_minute=3)
    assert len(again.call_ids) == 2
    assert again.wait_until == START + 80


def test_tokens_a_minute(ledger: ModelLedger) -> None:
    """Counted with the most they can be until the provider tells."""
    entered = enter(ledger, 5, tokens=40, tokens_per_minute=100)
    assert len(entered.call_ids) == 2
    assert entered.wait_until == START + 60
    ledger.end([Ended(one, "stop", 10, 0.0) for one in entered.call_ids], now=START + 1)
    assert len(enter(ledger, 5, now=START + 2, tokens=40, tokens_per_minute=100).call_ids) == 2


def test_a_call_that_is_larger_than_the_limit_goes_alone(ledger: ModelLedger) -> None:
    """It would never go otherwise."""
    assert len(enter(ledger, 2, tokens=500, tokens_per_minute=100).call_ids) == 1
    assert enter(ledger, 1, now=START + 59, tokens=500, tokens_per_minute=100).wait_until == START + 60
    assert len(enter(ledger, 1, now=START + 60, tokens=500, tokens_per_minute=100).call_ids) == 1


def test_a_limit_is_of_a_provider_and_outlives_the_process(tmp_path: Path) -> None:
    """All models of a provider share its minute; another provider and another process do not change that."""
    with Journal(tmp_path, writable=True) as journal:
        enter(ModelLedger(journal), 3, requests_per_minute=3)
    with Journal(tmp_path, writable=True) as journal:
        ledger = ModelLedger(journal)
        assert enter(ledger, 1, now=START + 5, requests_per_minute=3, name=("openai", "other")).call_ids == ()
        assert len(enter(ledger, 1, now=START + 5, requests_per_minute=3, name=("gemini", "g")).call_ids) == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_limits_hold_in_any_order_of_events(kept: Journal, seed: int) -> None:
    """However calls come, end and fail: no minute has more calls or tokens, and no run has spent more, than allowed."""
    with kept.transaction() as cursor:
        cursor.execute("delete from llm_calls")
    chance = random.Random(seed)
    ledger = ModelLedger(kept)
    limits = CallLimits(chance.randint(1, 6), chance.randint(20, 200), chance.uniform(0.1, 3))
    now = START
    under_way: list[tuple[int, Bound]] = []
    made: dict[int, tuple[float, int]] = {}
    for _ in range(chance.randint(5, 25)):
        now += chance.choice([0.0, 0.5, 7.0, 31.0])
        if under_way and chance.random() < 0.5:
            call_id, bound = under_way.pop(chance.randrange(len(under_way)))
            tokens, cost = chance.randint(0, bound.tokens), chance.uniform(0, bound.cost_usd)
            made[call_id] = (made[call_id][0], tokens)
            ledger.end([Ended(call_id, "stop", tokens, cost)], now=now)
            continue
        bounds = [Bound(chance.randint(1, 60), chance.uniform(0, 0.6)) for _ in range(4)]
        entered = ledger.enter(NAME, bounds, run="r", limits=limits, now=now)
        under_way += zip(entered.call_ids, bounds, strict=False)
        made |= {one: (now, bound.tokens) for one, bound in zip(entered.call_ids, bounds, strict=False)}
        if len(entered.call_ids) < len(bounds):
            assert (entered.wait_until or 0) > now or entered.spent_usd is not None
        last_minute = [tokens for at, tokens in made.values() if at > now - 60]
        assert len(last_minute) <= (limits.requests_per_minute or 0)
        assert len(last_minute) <= 1 or sum(last_minute) <= (limits.tokens_per_minute or 0)
        assert ledger.spent("r") <= (limits.max_cost_usd or 0) + 1e-6


# --- batches -------------------------------------------------------------------------------------------------------


def batch(label: str, keys: str, at: float = START) -> Batch:
    """A batch of prompts with these keys."""
    return Batch(label, *NAME, None, {f"q{place}": (key, 0) for place, key in enumerate(keys)}, at)


def test_a_batch_is_entered_with_its_calls_and_known_after_a_crash(tmp_path: Path) -> None:
    """Label first, id later; both and the calls outlive the process; the oldest comes first."""
    with Journal(tmp_path, writable=True) as journal:
        ledger = ModelLedger(journal)
        ids = enter(ledger, 3, cost=0.1, label=batch("second", "abc", START + 1)).call_ids
        enter(ledger, 1, label=batch("first", "d"))
        ledger.name_batch("second", "batch_7")
    with Journal(tmp_path, writable=True) as journal:
        ledger = ModelLedger(journal)
        first, second = ledger.batches(NAME)
        assert (first.label, first.batch_id) == ("first", None)
        assert (second.batch_id, second.submitted_at) == ("batch_7", START + 1)
        assert second.asked == {"q0": ("a", ids[0]), "q1": ("b", ids[1]), "q2": ("c", ids[2])}
        assert ledger.batches(("openai", "another")) == []
        ledger.end([Ended(ids[0], "stop", 3, 0.05, "a", row("a"))], now=START + 9, batch="second")
        assert [one.label for one in ledger.batches(NAME)] == ["first"]
        assert list(ledger.answers("abc")) == ["a"]


def test_a_batch_holds_what_the_money_allows_and_no_rate_holds_it_up(ledger: ModelLedger) -> None:
    """The provider paces a batch itself."""
    entered = enter(ledger, 4, cost=0.4, label=batch("b", "abcd"), max_cost_usd=1.0, requests_per_minute=1)
    assert len(entered.call_ids) == 2
    (known,) = ledger.batches(NAME)
    assert [key for key, _ in known.asked.values()] == ["a", "b"]
    assert enter(ledger, 1, cost=0.4, label=batch("c", "e"), max_cost_usd=1.0).call_ids == ()
    assert len(ledger.batches(NAME)) == 1


# --- what people see -----------------------------------------------------------------------------------------------


def test_usage_is_told_by_provider_model_and_outcome(ledger: ModelLedger) -> None:
    """Calls under way are told apart, and only what is new enough counts."""
    ids = enter(ledger, 3, cost=1.0, now=START).call_ids
    enter(ledger, 1, cost=9.0, now=START - 100)
    ledger.end([Ended(ids[0], "stop", 5, 0.25), Ended(ids[1], "transient", 0, 0.0)], now=START)
    told = {one["outcome"]: (one["calls"], one["tokens"], one["cost_usd"]) for one in ledger.usage(START - 50)}
    assert told == {"stop": (1, 5, 0.25), "transient": (1, 0, 0.0), "under way": (1, 10, 1.0)}


# --- whole runs ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    """One server for the module."""
    with RawServer(key=KEY) as opened:
        yield opened


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Iterator[tuple[Journal, Lake]]:
    """The stores of this module."""
    with stores(tmp_path_factory.mktemp("both"), empty_lake) as opened:
        yield opened


@pytest.fixture
def room(server: RawServer, both: tuple[Journal, Lake]) -> Room:
    """An empty journal and lake, and the server."""
    server.reset()
    server.raw = lambda _: None
    emptied(*both)
    return Room(server, *both)


def test_max_cost_stops_before_it_is_passed_and_a_higher_one_goes_on(room: Room) -> None:
    """Exit 6 with what was spent; the next run asks only what is left."""
    first = room.ask(questions(80), CallLimits(max_cost_usd=0.002))
    assert isinstance(first.trouble, BudgetError)
    assert "--max-cost" in str(first.trouble)
    assert 0 < first.spent <= 0.002
    assert 0 < first.tally.asked < 80
    assert first.pending == 80 - first.tally.asked
    rest = room.ask(questions(80), CallLimits(max_cost_usd=1.0))
    assert (rest.trouble, rest.tally.cached) == (None, first.tally.asked)
    assert len(room.told()) == 80


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_no_run_spends_more_than_it_may(server: RawServer, both: tuple[Journal, Lake], seed: int) -> None:
    """Whatever prices, prompts, answers and calls at a time: charges stay in the limit, and nothing is paid twice."""
    server.reset()
    chance = random.Random(seed)
    dice = random.Random(seed + 1)
    server.raw = lambda ask: dice.choice([None, None, None, "no JSON", "x" * 4 * ask.data.get("max_tokens", 64)])
    price = Price(chance.uniform(0, 30), 0.0, chance.uniform(0, 120), "invented")
    room = Room(server, *both, price=price)
    asked = [
        question(f"{seed} {number} " + "wörter 🙂 " * chance.randint(0, 60), max_tokens=chance.randint(30, 90))
        for number in range(12)
    ]
    one = most_cost(price, asked[0].prompt, 0)
    paid = 0
    for _ in range(4):
        limit = one * chance.uniform(0, 12)
        run = room.ask(asked, CallLimits(max_cost_usd=limit), concurrency=chance.choice([1, 3, 8]))
        assert run.spent <= limit + 1e-9
        assert run.spent == pytest.approx(run.tally.cost_usd)
        assert run.pending == 0 or isinstance(run.trouble, BudgetError)
        paid += run.tally.asked
    assert paid == sum(record.is_paid for record in server.requests)
    assert max(server.paid.values(), default=0) <= 3  # the prompt, and twice with more room for the answer
    assert len({row["answer_id"] for row in room.rows()}) == len(room.rows())


def test_an_answer_that_cost_more_than_it_could_is_charged_as_it_was(room: Room) -> None:
    """The ledger tells the truth about what a provider counts, and the limit holds for what follows."""
    room.server.raw = lambda ask: of(completion_of(ask, 100_000))
    run = room.ask(questions(20), CallLimits(max_cost_usd=0.5), concurrency=1)
    assert run.tally.asked == 2
    assert run.spent == pytest.approx(0.8, rel=0.01)
    assert isinstance(run.trouble, BudgetError)


def completion_of(ask: Any, tokens: int) -> dict[str, Any]:
    """A decent answer that claims to have taken so many tokens."""
    body = completion(ask, '{"word": "a", "mood": "glad", "sure": 1}')
    body["usage"] |= {"completion_tokens": tokens, "total_tokens": body["usage"]["prompt_tokens"] + tokens}
    return body


@pytest.mark.parametrize("limits", [CallLimits(requests_per_minute=7), CallLimits(tokens_per_minute=1_000)])
def test_the_pace_holds_over_runs(room: Room, limits: CallLimits) -> None:
    """Two runs, one right after the other, of which the second begins with a minute that is used up."""
    room.ask(questions(20), limits)
    room.ask(questions(40), limits)
    rows = room.journal.read("select at, tokens from llm_calls order by at")
    assert len(rows) == 40
    for at, _ in rows:
        minute = [tokens for other, tokens in rows if at <= other < at + 60 - 1e-3]
        assert len(minute) <= (limits.requests_per_minute or 40)
        assert sum(minute) <= (limits.tokens_per_minute or 10**6)
    assert rows[-1][0] - rows[0][0] >= 60
