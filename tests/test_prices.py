"""Prices of models, bounds on what a call can cost, and what asking everybody would come to."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_runs import question
from llm_server import Ask
from llm_server.asks import chat
from llm_server.behaviours import Made
from llm_server.replies import completion as completed

from igtool.errors import ConfigError
from igtool.llms.base import Completion, Message, Prompt
from igtool.llms.chat import completion
from igtool.llms.prices import FREE, Price, from_table, most_cost, most_tokens, price_of, table_version
from igtool.llms.turns import with_schema

_NONE = (None, None)


def test_the_table_knows_the_models_that_people_name() -> None:
    """Each with an answer dearer than a prompt, and a kept prompt no dearer than a fresh one."""
    for provider, model in [
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-5-mini"),
        ("grok", "grok-4"),
        ("gemini", "gemini-2.5-flash"),
    ]:
        price = from_table(provider, model)
        assert price is not None, model
        assert 0 < price.cached <= price.input < price.output, model


def test_known_prices_are_read_as_they_are() -> None:
    """US dollars a million tokens; for prompts of the usual size, where long ones cost more."""
    mini, pro = from_table("openai", "gpt-4o-mini"), from_table("gemini", "gemini-2.5-pro")
    assert mini is not None
    assert pro is not None
    assert (mini.input, mini.cached, mini.output) == pytest.approx((0.15, 0.075, 0.6))
    assert (pro.input, pro.output) == pytest.approx((1.25, 10.0))


def test_prices_say_where_they_are_from_and_of_when() -> None:
    """An estimate without a date cannot be judged."""
    assert re.fullmatch(r"genai-prices [\d.]+, newest change \d{4}-\d\d-\d\d", table_version())
    assert price_of("openai", "gpt-4o-mini", is_paid=True, own=_NONE).source == table_version()


def test_an_unknown_model_asks_for_prices() -> None:
    """The message names model, provider, table and both settings."""
    with pytest.raises(ConfigError, match=r"some-model at openai .*llm_input_price and llm_output_price") as caught:
        price_of("openai", "some-model", is_paid=True, own=_NONE)
    assert table_version() in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("own", [(1.0, None), (None, 2.0)])
def test_one_price_is_not_enough(own: tuple[float | None, float | None]) -> None:
    """Half a price would be half the truth."""
    with pytest.raises(ConfigError):
        price_of("openai", "some-model", is_paid=True, own=own)


def test_own_prices_go_first_also_for_what_is_free() -> None:
    """The user knows best: a contract, or the electricity of a server."""
    own = price_of("openai", "gpt-4o-mini", is_paid=True, own=(1.0, 3.0))
    assert (own.input, own.cached, own.output) == (1.0, 1.0, 3.0)
    assert "settings" in own.source
    assert price_of("local", "a.gguf", is_paid=False, own=(0.0, 0.5)).output == 0.5
    assert price_of("local", "a.gguf", is_paid=False, own=_NONE) is FREE
    assert FREE.is_free
    assert not own.is_free


def test_what_a_completion_costs() -> None:
    """Kept tokens at their own price, and never less than nothing."""
    price = Price(2.0, 0.5, 8.0, "invented")
    assert price.of(Completion("", "stop", 1_000, 100, 400)) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)
    assert price.of(Completion("", "stop", 10, 0, 400)) == pytest.approx(400 * 0.5 / 1e6)
    assert price.times(0.5).of(Completion("", "stop", 1_000, 100)) == pytest.approx((1_000 + 400) / 1e6)


@given(
    texts=st.lists(st.text(max_size=60), min_size=1, max_size=4),
    answer=st.text(max_size=200),
    prices=st.tuples(*[st.floats(0, 100)] * 3),
)
def test_no_call_costs_more_than_its_bound(texts: list[str], answer: str, prices: tuple[float, ...]) -> None:
    """For any text in any script: the scripted server's count and one token a byte both stay within it."""
    messages = tuple(Message("user" if place else "system", text) for place, text in enumerate(texts))
    prompt = Prompt(messages, "p", {"type": "object"}, max_tokens=200)
    price = Price(max(prices[0], prices[1]), min(prices[0], prices[1]), prices[2], "invented")
    body = {"model": "m", "messages": [{"role": one.role, "content": one.content} for one in messages]}
    ask = Ask("POST", "/v1/chat/completions", "openai", "chat", data=body, **chat(body))
    counted = completed(ask, answer)["usage"]
    assert counted["total_tokens"] <= most_tokens(prompt, 0)
    worst = Completion(answer, "stop", sum(len(text.encode()) for text in texts), 200)
    usual = Completion(answer, "stop", counted["prompt_tokens"], counted["completion_tokens"])
    assert max(price.of(worst), price.of(usual)) <= most_cost(price, prompt, 0) + 1e-12


def test_the_bound_holds_where_the_schema_is_sent_in_words() -> None:
    """Servers without structured output get the schema as text, and others count it as part of the prompt."""
    prompt = question("a short text").prompt
    messages = with_schema(prompt.messages, prompt.schema)
    assert sum(len(one.content.encode()) for one in messages) + prompt.max_tokens <= most_tokens(prompt, 0)


def test_tokens_are_estimated_where_a_server_does_not_count() -> None:
    """An answer without usage is charged too."""
    made = Made(Ask("POST", "/", "openai", "chat"), {"a": "b" * 100}).reply('{"a": 1}', has_usage=False)
    found = completion(made.body, 400, "who")
    assert (found.input_tokens, found.output_tokens) == (100, 2)
