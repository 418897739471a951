"""Batches of both hosted providers, through their real packages against a scripted server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from llm_server import KEY, LlmServer
from llm_server.prompts import prompt

from igtool.llms.base import BatchProvider, Completion, ProviderError, ProviderOptions
from igtool.llms.gemini import Gemini
from igtool.llms.openai import OpenAI

PROMPTS = {f"q{number}": prompt(f"bio number {number}\nwith “quotes” and ünïcode  ") for number in range(5)}


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A server without scripts that takes only the right key."""
    with LlmServer(key=KEY) as opened:
        yield opened


@pytest.fixture(params=[OpenAI, Gemini])
def provider(request: pytest.FixtureRequest, server: LlmServer) -> Iterator[BatchProvider]:
    """Each of the providers that take batches."""
    url = server.gemini_url if request.param is Gemini else server.url
    made: BatchProvider = request.param(
        "some-model", ProviderOptions(api_key=KEY, base_url=url, timeout_s=5, max_answer_bytes=200_000)
    )
    yield made
    made.close()


def ended(provider: BatchProvider, label: str = "a-label") -> str:
    """The id of a batch of all prompts that has ended."""
    batch_id = provider.submit(PROMPTS, label)
    while provider.state(batch_id) == "under_way":
        pass
    return batch_id


def test_a_batch_answers_like_single_calls(server: LlmServer, provider: BatchProvider) -> None:
    """Every prompt by its name, with text and usage; the batch is under way first."""
    batch_id = provider.submit(PROMPTS, "a-label")
    assert [provider.state(batch_id) for _ in range(3)] == ["under_way", "ended", "ended"]
    results = provider.results(batch_id)
    assert list(results) == list(PROMPTS)
    for name, asked in PROMPTS.items():
        answer, alone = results[name], provider.complete(asked)
        assert isinstance(answer, Completion)
        assert (answer.text, answer.finish) == (alone.text, alone.finish)
        assert (answer.input_tokens, answer.output_tokens) == (alone.input_tokens, alone.output_tokens)
    assert set(server.paid.values()) == {2}


def test_a_batch_is_found_by_its_label(server: LlmServer, provider: BatchProvider) -> None:
    """Also on a later page, and only by the whole label."""
    server.batches.page = 2
    made = [provider.submit({"q": prompt()}, f"label-{number}") for number in range(5)]
    assert [provider.find(f"label-{number}") for number in range(5)] == made
    assert provider.find("label") is None


def test_a_batch_whose_id_was_lost_is_found(server: LlmServer, provider: BatchProvider) -> None:
    """The line broke after the provider took it: nothing has to be handed in twice."""
    server.batches.is_lost = True
    with pytest.raises(ProviderError) as lost:
        provider.submit(PROMPTS, "a-label")
    assert lost.value.outcome == "transient"
    found = provider.find("a-label")
    assert found is not None
    while provider.state(found) == "under_way":
        pass
    assert set(provider.results(found)) == set(PROMPTS)
    assert set(server.paid.values()) == {1}


def test_lines_fail_one_by_one(server: LlmServer, provider: BatchProvider) -> None:
    """Each as a single call would; what expired is missing."""
    for number, behaviour in enumerate(["ok", "too_long", "server_error", "hang", "refusal"]):
        server.script([behaviour], containing=f"number {number}")
    results = provider.results(ended(provider))
    assert set(results) == {"q0", "q1", "q2", "q4"}
    told = {name: one.outcome if isinstance(one, ProviderError) else one.finish for name, one in results.items()}
    assert told == {"q0": "stop", "q1": "too_long", "q2": "transient", "q4": "refusal"}


@pytest.mark.parametrize(
    ("ends", "openai", "gemini"),
    [("expired", "ended", "failed"), ("cancelled", "ended", "failed"), ("failed", "failed", "failed")],
)
def test_how_a_batch_can_end(server: LlmServer, provider: BatchProvider, ends: str, openai: str, gemini: str) -> None:
    """What OpenAI did until then is there and paid; Gemini gives nothing."""
    server.batches.ends = ends  # type: ignore[assignment]
    batch_id = ended(provider)
    assert provider.state(batch_id) == (gemini if isinstance(provider, Gemini) else openai)
    if ends != "failed" and isinstance(provider, OpenAI):
        assert set(provider.results(batch_id)) == set(PROMPTS)


def test_a_batch_that_nobody_knows_is_gone(provider: BatchProvider) -> None:
    """Deleted, or of another account."""
    assert provider.state("batches/nothing" if isinstance(provider, Gemini) else "batch_nothing") == "gone"


@pytest.mark.parametrize(
    ("behaviour", "outcome"), [("quota", "quota"), ("wrong_key", "auth"), ("overloaded", "transient")]
)
@pytest.mark.parametrize("endpoint", ["upload", "submit", "batches", "batch"])
def test_trouble_with_a_batch_has_its_outcome(
    server: LlmServer, provider: BatchProvider, behaviour: str, outcome: str, endpoint: str
) -> None:
    """At each step, without the key in the message."""
    batch_id = ended(provider)
    server.script([behaviour], endpoint=endpoint)
    steps: dict[str, Callable[[], object]] = {
        "upload": lambda: provider.submit(PROMPTS, "another"),
        "submit": lambda: provider.submit(PROMPTS, "another"),
        "batches": lambda: provider.find("another"),
        "batch": lambda: provider.state(batch_id),
    }
    with pytest.raises(ProviderError) as error:
        steps[endpoint]()
    assert error.value.outcome == outcome
    assert KEY not in str(error.value)


@pytest.mark.parametrize("behaviour", ["not_json", "half_body", "reset"])
def test_results_that_do_not_arrive_can_be_fetched_again(
    server: LlmServer, provider: BatchProvider, behaviour: str
) -> None:
    """Half a file is no file."""
    batch_id = ended(provider)
    server.script([behaviour], endpoint="batch")
    with pytest.raises(ProviderError) as error:
        provider.results(batch_id)
    assert error.value.outcome == "transient"
    assert set(provider.results(batch_id)) == set(PROMPTS)


def test_a_line_that_cannot_be_read_is_missing(server: LlmServer, provider: BatchProvider) -> None:
    """The others are there."""
    batch_id = ended(provider)
    for name, content in list(server.batches.files.items()):
        lines = content.splitlines()
        server.batches.files[name] = b"\n".join([lines[0][:-5], b"", b"[]", *lines[1:]])
    assert set(provider.results(batch_id)) == {"q1", "q2", "q3", "q4"}


def test_what_a_server_lacks_is_learnt_from_the_lines(server: LlmServer, provider: BatchProvider) -> None:
    """The lines failed for the way they were asked: they may be asked again, and the next batch is asked otherwise."""
    server.lacks = ("thinking_off",) if isinstance(provider, Gemini) else ("bounds",)
    results = provider.results(ended(provider))
    assert {one.outcome for one in results.values() if isinstance(one, ProviderError)} == {"transient"}
    assert len(results) == len(PROMPTS)
    again = provider.results(ended(provider, "another"))
    assert all(isinstance(one, Completion) for one in again.values())


def test_a_batch_has_bounds(server: LlmServer, provider: BatchProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent of one that the provider would not take."""
    monkeypatch.setattr(type(provider), "most_batch_prompts", 4)
    with pytest.raises(ProviderError, match="at most 4 prompts") as error:
        provider.submit(PROMPTS, "a-label")
    monkeypatch.setattr(type(provider), "most_batch_prompts", 5)
    monkeypatch.setattr(type(provider), "most_batch_bytes", 1000)
    with pytest.raises(ProviderError, match="and 1000 bytes"):
        provider.submit(PROMPTS, "a-label")
    assert error.value.outcome == "invalid"
    assert server.batches.files == {}


def test_a_large_batch_comes_back_whole(server: LlmServer, provider: BatchProvider) -> None:
    """More bytes than a single answer may have."""
    many = {f"q{number}": prompt(f"bio {number} " + "with many words " * 200) for number in range(600)}
    batch_id = provider.submit(many, "large")
    assert min(map(len, server.batches.files.values())) > 200_000
    while provider.state(batch_id) == "under_way":
        pass
    results = provider.results(batch_id)
    assert len(results) == 600
    assert all(isinstance(one, Completion) and json.loads(one.text) for one in results.values())
