"""The loop that asks, with the real provider against a scripted server: nothing twice, and every failure its end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llm_runs import INSTRUCTION, RawServer, Room, asked_for, emptied, question, questions, stores
from llm_server import KEY
from llm_server.behaviours import Made, play
from llm_server.replies import of

from igtool.errors import BudgetError, ConfigError, IgtoolError, RateLimitedError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.llms.base import Completion, Prompt, Provider, ProviderError, ProviderOptions


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RawServer]:
    """One server for the module; each test finds it without scripts and records."""
    with RawServer(key=KEY) as opened:
        yield opened


@pytest.fixture
def server(shared_server: RawServer) -> RawServer:
    """A server without scripts that takes only the right key."""
    shared_server.reset()
    shared_server.raw = lambda _: None
    shared_server.latency_s = 0.0
    return shared_server


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


# --- nothing twice -------------------------------------------------------------------------------------------------


def test_what_is_answered_is_stored_with_its_charge_and_never_asked_again(room: Room) -> None:
    """A second run takes every answer from the store: equal values, no request, nothing charged."""
    first = room.ask(questions(20))
    assert None not in first.answered
    assert (first.tally.asked, first.tally.cached, first.trouble) == (20, 0, None)
    rows = room.rows()
    assert len(rows) == 20
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(first.spent) == pytest.approx(first.tally.cost_usd)
    assert sum(row["input_tokens_count"] + row["output_tokens_count"] for row in rows) == sum(
        tokens for _, tokens, _ in first.calls
    )
    again = room.ask(questions(20))
    assert again.answered == first.answered
    assert (again.tally.asked, again.tally.cached, again.calls) == (0, 20, [])
    assert len(room.told()) == 20
    assert room.rows() == rows


def test_an_answer_counts_before_it_is_in_the_lake(room: Room) -> None:
    """What is still in the journal, as after a crash, is found too, and moves to the lake with the next call."""
    asker = room.asker()
    asker.ask(questions(5))
    assert room.rows() == []
    again = room.ask(questions(7))
    assert (again.tally.asked, again.tally.cached) == (2, 5)
    assert len(room.rows()) == 7
    assert room.journal.read("select count(*) from llm_answers") == [(0,)]
    asker.close()


def test_whatever_makes_another_question_is_asked(room: Room) -> None:
    """Another model, version, text, limit of tokens or number of alternatives each has an answer of its own."""
    one = question("the same text")
    room.ask([one])
    others = [
        question("the same text", version="2"),
        question("the same text ", item="the same text"),
        question("the same text", max_tokens=65),
        question("the same text", alternatives=3),
    ]
    assert room.ask([one, *others]).tally.asked == 4
    room.model = "gpt-4o"
    assert room.ask([one]).tally.asked == 1
    assert len({row["answer_id"] for row in room.rows()}) == 6


def test_equal_prompts_are_asked_once(room: Room) -> None:
    """Creators of whom the same is known share one answer, also when it had to be repaired or asked for again."""
    room.server.script(["server_error", "prose"], containing="twin")
    room.server.script(["too_long"], containing="long words that", forever=True)
    twins = [question("a twin", item=f"c{number}") for number in range(5)]
    longs = [question("long words that fail", item=f"l{number}", shorter=True) for number in range(3)]
    asked = room.ask([*twins, *questions(3), *longs])
    assert None not in asked.answered
    assert len({repr(value) for value in asked.answered[:5]}) == 1
    texts = [asked_for(record) for record in room.told() if record.is_paid]
    assert [texts.count(text) for text in ("a twin", "long words")] == [2, 1]
    assert asked.tally.cached == 4 + 4 + 2
    assert len(asked.results) == 11


@pytest.mark.parametrize("behaviour", ["bad_request", "server_error"])
def test_what_fails_for_one_fails_for_its_twins(room: Room, behaviour: str) -> None:
    """Equal prompts that cannot be answered end alike, after the tries of one."""
    room.server.script([behaviour], containing="twin", forever=True)
    asked = room.ask([*questions(1), *(question("a twin", item=f"c{number}") for number in range(3))], concurrency=1)
    reason = "llm-not-taken" if behaviour == "bad_request" else None
    assert asked.reasons == [None, reason, reason, reason]
    assert asked.answered[1:] == [None] * 3
    assert len([1 for record in room.told() if asked_for(record) == "a twin"]) == (1 if reason else 6)


# --- rate limits, quota, keys --------------------------------------------------------------------------------------


def test_a_wave_of_limits_brings_one_pause(room: Room) -> None:
    """Of many calls that are refused together only the first makes the wait longer; then all are answered."""
    room.server.latency_s = 0.02
    room.server.script(["rate_limited_empty"] * 24)
    asked = room.ask(questions(30), concurrency=12)
    assert None not in asked.answered
    assert asked.waits == pytest.approx([1, 2], abs=0.1)
    assert asked.outcomes.count("rate_limited") == 24
    assert all(cost == 0 for outcome, _, cost in asked.calls if outcome == "rate_limited")


def test_after_five_pauses_the_rest_waits_for_the_next_run(room: Room) -> None:
    """1, 2, 4, 8 and 16 seconds, then exit 4; what was answered stays, and the next run asks only what is left."""
    room.server.script(["rate_limited_empty"], skip=10, forever=True)
    asked = room.ask(questions(40))
    assert asked.waits == pytest.approx([1, 2, 4, 8, 16], abs=0.1)
    assert isinstance(asked.trouble, RateLimitedError)
    assert asked.trouble.exit_code == 4
    assert "llm_requests_per_minute" in str(asked.trouble)
    assert asked.pending == 30
    assert len(room.told()) <= 10 + 6 * 4
    room.server.reset()
    rest = room.ask(questions(40))
    assert (rest.tally.asked, rest.tally.cached, rest.trouble) == (30, 10, None)


def test_retry_after_goes_before_shorter_waits(room: Room) -> None:
    """The provider's own wait is kept where it is the longer one."""
    room.server.script(["rate_limited", "rate_limited_soon"])
    asked = room.ask(questions(1))
    assert asked.waits == pytest.approx([20, 2], abs=0.1)
    assert None not in asked.answered


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_is_too_long_is_not_begun(room: Room, status: int) -> None:
    """A provider that asks for hours ends the run at once, resumable, whatever the status it asks with."""
    room.server.raw = lambda _: of({"error": {"message": "Come back later."}}, status, ("retry-after", "7200"))
    asked = room.ask(questions(3), max_wait_s=3_600.0)
    assert isinstance(asked.trouble, RateLimitedError)
    assert "7200 s" in str(asked.trouble)
    assert (asked.waits, asked.pending) == ([], 3)


def test_a_used_up_quota_stops_at_once(room: Room) -> None:
    """No call is tried again, what is under way is still taken, and the exit code is that of money."""
    room.server.script(["quota"], skip=6, forever=True)
    asked = room.ask(questions(40))
    assert isinstance(asked.trouble, BudgetError)
    assert asked.trouble.exit_code == 6
    assert (asked.waits, asked.pending, asked.tally.asked) == ([], 34, 6)
    assert len(room.told()) <= 6 + 4


@pytest.mark.parametrize("behaviour", ["wrong_key", "forbidden"])
def test_a_refused_key_names_where_it_is_set(room: Room, behaviour: str) -> None:
    """Exit 3 with the name of the environment variable, and never the key."""
    room.server.script([behaviour], forever=True)
    asked = room.ask(questions(20))
    assert isinstance(asked.trouble, ConfigError)
    assert "OPENAI_API_KEY" in str(asked.trouble)
    assert KEY not in str(asked.trouble)
    assert len(room.told()) <= 4


def test_an_unknown_model_stops_at_once(room: Room) -> None:
    """What the provider says of it is told, with the settings that mend it."""
    room.server.script(["no_model"], forever=True)
    asked = room.ask(questions(20))
    assert isinstance(asked.trouble, ConfigError)
    assert "--model" in str(asked.trouble)
    assert "gpt-4o-mini" in str(asked.trouble)
    assert asked.pending == 20


def test_a_model_that_is_gone_in_the_middle_costs_four_items_and_not_all(room: Room) -> None:
    """Five refusals in a row are the provider's doing: the rest stays pending."""
    room.server.script(["no_model"], skip=10, forever=True)
    asked = room.ask(questions(60), concurrency=1)
    assert isinstance(asked.trouble, ConfigError)
    assert asked.reasons.count("llm-not-taken") == 4
    assert asked.pending == 46


# --- failures that pass --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    ["server_error", "overloaded", "bad_gateway", "reset", "half_body", "not_json", "no_choices", "conflict"],
)
def test_a_passing_failure_is_tried_again(room: Room, behaviour: str) -> None:
    """It costs a wait and nothing else."""
    room.server.script([behaviour, behaviour])
    asked = room.ask(questions(1))
    assert None not in asked.answered
    assert asked.outcomes == ["transient", "transient", "stop"]
    assert asked.waits == pytest.approx([1, 2], abs=0.1)
    assert asked.trouble is None


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_provider_that_hangs_is_left_and_asked_again(room: Room, behaviour: str) -> None:
    """The time-out holds for the whole answer, also for one that comes drop by drop; others are answered meanwhile."""
    room.timeout_s = 0.3
    room.server.script([behaviour], containing="number 2 ")
    asked = room.ask(questions(4))
    assert None not in asked.answered
    assert sorted(map(str, asked.outcomes)) == ["stop"] * 4 + ["transient"]


def test_one_question_that_never_gets_through_holds_up_nobody(room: Room) -> None:
    """It is left for the next run, which is told with exit 4; all others are answered, and not asked again."""
    room.server.script(["server_error"], containing="number 3 ", forever=True)
    asked = room.ask(questions(30))
    assert [place for place, result in enumerate(asked.results) if result is None] == [3]
    assert isinstance(asked.trouble, RateLimitedError)
    assert "1 questions" in str(asked.trouble)
    assert "500" in str(asked.trouble)
    assert asked.outcomes.count("transient") == 6
    room.server.reset()
    rest = room.ask(questions(30))
    assert (rest.tally.asked, rest.trouble) == (1, None)


def test_a_provider_that_is_down_is_left_after_five_lost_questions(room: Room) -> None:
    """Six tries each and no more: a thousand questions do not wait for an hour."""
    room.server.script(["server_error"], skip=8, forever=True)
    asked = room.ask(questions(100))
    assert isinstance(asked.trouble, RateLimitedError)
    assert "does not answer" in str(asked.trouble)
    assert asked.tally.asked == 8
    assert asked.pending == 92
    assert len(room.told()) <= 8 + 6 * 12


def test_a_provider_that_never_answered_is_left_after_the_first_question(room: Room) -> None:
    """Nothing listens: the user hears of it after half a minute."""
    room.server.script(["reset"], forever=True)
    asked = room.ask(questions(100), concurrency=1)
    assert isinstance(asked.trouble, RateLimitedError)
    assert sum(asked.waits) <= 31.5
    assert asked.pending == 100


def test_asking_stops_when_the_user_asks_to(room: Room) -> None:
    """Calls under way are still taken and stored; what is left is pending, and that is no trouble."""
    room.server.latency_s = 0.02
    asked = room.ask(questions(60), stopping=lambda: len(room.told()) >= 12)
    assert asked.trouble is None
    assert 12 <= asked.tally.asked <= 16
    assert asked.pending == 60 - asked.tally.asked
    assert len(room.rows()) == asked.tally.asked
    assert set(asked.outcomes) == {"stop"}


# --- prompts that are too long -------------------------------------------------------------------------------------


def test_a_prompt_that_is_too_long_is_asked_with_less(room: Room) -> None:
    """Shorter and shorter, until it fits; the same is found again by the next run."""
    text = "one two three four five six seven eight"
    for part in ("five", "three"):
        room.server.script(["too_long"], containing=part, forever=True)
    asked = room.ask([question(text, item="c1", shorter=True)])
    assert None not in asked.answered
    assert [asked_for(record) for record in room.told()] == [text, "one two three four", "one two"]
    assert asked.outcomes == ["too_long", "too_long", "stop"]
    (row,) = room.rows()
    assert (row["item_id"], "one two" in row["prompt"]) == ("c1", True)
    assert room.ask([question(text, item="c1", shorter=True)]).tally.cached == 1


def test_a_prompt_that_cannot_be_shorter_is_a_reject(room: Room) -> None:
    """With its own slug and the provider's words; others are answered."""
    room.server.script(["too_long_vllm"], containing="very", forever=True)
    asked = room.ask([question("a very long text", shorter=True), *questions(2), question("very short")])
    assert asked.reasons == [None, None, None, "llm-too-long"]
    assert None not in asked.answered[:3]


# --- answers that are wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["fenced", "chatty", "extra_field", "no_usage", "wrong_charset"])
def test_an_answer_in_an_odd_wrapping_is_taken(room: Room, behaviour: str) -> None:
    """No repair is paid for what can be read."""
    room.server.script([behaviour], forever=True)
    asked = room.ask(questions(2))
    assert None not in asked.answered
    assert (asked.tally.asked, asked.tally.repaired) == (2, 0)
    assert all(tokens > 0 and cost > 0 for _, tokens, cost in asked.calls)


@pytest.mark.parametrize(
    ("behaviour", "reason", "calls"),
    [
        ("prose", "llm-invalid-json", 2),  # the same words twice: the second repair would be the first
        ("broken_json", "llm-invalid-json", 3),
        ("empty", "llm-empty", 2),
        ("null_content", "llm-empty", 2),
        ("unknown_enum", "llm-unknown-label", 3),
        ("missing_field", "llm-wrong-fields", 3),
        ("truncated", "llm-truncated", 3),
    ],
)
def test_a_wrong_answer_is_repaired_at_most_twice(room: Room, behaviour: str, reason: str, calls: int) -> None:
    """Then it is a reject with its slug; every answer is stored and charged, and the next run pays for none again."""
    room.server.raw = _differently(behaviour)
    asked = room.ask([question("a text")])
    assert asked.reasons == [reason]
    assert len(asked.calls) == len(room.rows()) == calls
    assert all(cost > 0 for _, _, cost in asked.calls)
    assert sum(row["cost_usd"] for row in room.rows()) == pytest.approx(asked.spent)
    again = room.ask([question("a text")])
    assert (again.reasons, again.calls) == ([reason], [])


def _differently(behaviour: str) -> Any:
    """Plays ``behaviour`` with answers of which no two are alike."""
    numbers = itertools.count()

    def raw(ask: Any) -> Any:
        number = next(numbers)
        return play(behaviour, Made(ask, {"word": f"word{number}", "mood": "glad", "sure": number}))

    return raw


@pytest.mark.parametrize("behaviour", ["refusal", "filtered", "moderated"])
def test_a_refusal_is_not_argued_with(room: Room, behaviour: str) -> None:
    """It is a reject at once; its tokens are charged where it has any."""
    room.server.script([behaviour], containing="number 1 ", forever=True)
    asked = room.ask(questions(3))
    assert asked.reasons == [None, "llm-refused", None]
    assert len(asked.calls) == 3
    assert room.ask(questions(3)).calls == []


def test_a_repair_shows_the_answer_and_what_is_wrong(room: Room) -> None:
    """The model sees the question, its answer and the reason; the better answer is taken."""
    room.server.script(["unknown_enum"], per_prompt=False)
    asked = room.ask([question("a text")])
    assert None not in asked.answered
    assert asked.tally.repaired == 1
    turns = room.told()[1].data["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert (turns[0]["content"], turns[1]["content"]) == (INSTRUCTION, "a text")
    assert "no-such-choice" in turns[2]["content"]
    assert "is not one of: glad, sad, angry" in turns[3]["content"]


def test_an_answer_that_was_cut_off_gets_more_room(room: Room) -> None:
    """The same prompt with twice the tokens, and no word about what is wrong."""
    room.server.script(["truncated", "truncated"])
    asked = room.ask([question("a text")])
    assert None not in asked.answered
    limits = [record.data.get("max_completion_tokens", record.data.get("max_tokens")) for record in room.told()]
    assert limits == [64, 128, 256]
    assert {len(record.data["messages"]) for record in room.told()} == {2}


def test_an_answer_beyond_all_bounds_is_not_read(room: Room) -> None:
    """Sixty-four megabytes cost one item, and no memory."""
    room.server.script(["huge"], containing="number 2 ", forever=True)
    asked = room.ask(questions(4), concurrency=1)
    assert asked.reasons == [None, None, "llm-not-taken", None]


def test_a_check_that_breaks_costs_one_item(room: Room) -> None:
    """Whatever a model writes, the answers beside it are taken."""

    def broken(text: str) -> Any:
        raise KeyError(text[:5])

    odd = replace(question("odd"), check=broken)
    asked = room.ask([*questions(5), odd, *questions(5, 10)])
    assert [one for one in asked.reasons if one] == ["stage-error"]
    assert asked.answered.count(None) == 1


# --- providers that break ------------------------------------------------------------------------------------------


class Breaking(Provider):
    """Answers well, but for the questions that are in ``faults``."""

    name = "breaking"

    def __init__(self, faults: dict[str, Exception]) -> None:
        super().__init__("some-model", ProviderOptions())
        self.faults = faults

    def check(self) -> None:
        """Nothing is needed."""

    def complete(self, prompt: Prompt) -> Completion:
        """The same answer to all."""
        fault = self.faults.get(prompt.messages[1].content)
        if fault is not None:
            raise fault
        return Completion('{"word": "a", "mood": "glad", "sure": 1}', "stop", 10, 10)


def test_a_bug_in_a_provider_costs_one_item_and_is_not_repeated(room: Room) -> None:
    """What a plugin raises by mistake is named in the reject."""
    asked = room.ask([*questions(20), question("odd")], provider=Breaking({"odd": TypeError("no such thing")}))
    assert asked.reasons[-1] == "llm-not-taken"
    assert "TypeError: no such thing" in asked.results[-1].detail  # type: ignore[union-attr]
    assert asked.answered.count(None) == 1
    assert len(asked.calls) == 21


def test_an_error_of_igtool_ends_the_run_with_all_answers_stored(room: Room) -> None:
    """A provider that cannot go on says so; what was answered beside it is paid for and kept."""
    faults = {"odd": ConfigError("the model file is gone")}
    with pytest.raises(IgtoolError, match="the model file is gone"):
        room.ask([*questions(6), question("odd"), *questions(30, 10)], provider=Breaking(faults))
    stored = len(room.rows())
    assert stored >= 6
    assert room.journal.read("select count(*) from llm_calls where outcome is null") == [(0,)]
    assert room.ask([*questions(6), *questions(30, 10)], provider=Breaking({})).tally.cached == stored


def test_what_is_under_way_when_a_store_fails_answers_no_other_question(room: Room) -> None:
    """After an error the same asker goes on, and late answers do not land on the questions of the next call."""
    room.server.latency_s = 0.05
    asker = room.asker()
    real = asker.answers.store

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    asker.answers.store = full  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no space"):
        asker.ask(questions(8))
    asker.answers.store = real  # type: ignore[method-assign]
    results = asker.ask(questions(4, 100))
    assert [one.question.item_id for one in results] == [one.item_id for one in questions(4, 100)]  # type: ignore[union-attr]
    asker.close()


def test_provider_errors_are_a_closed_set() -> None:
    """The message of an error is for a person; what follows is in its outcome."""
    error = ProviderError("rate_limited", "slow down", 3.0)
    assert (str(error), error.outcome, error.retry_after_s) == ("slow down", "rate_limited", 3.0)
