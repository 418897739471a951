"""What calls to a language model cost, by the price table that comes with igtool or by the user's own prices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

from igtool.errors import ConfigError
from igtool.llms.base import Completion, Prompt, Provider

_MILLION = 1_000_000
_USUAL = 10_000
"""Tokens of a call for which prices are read: some models charge more for prompts from 200,000 tokens on."""
_TABLE_NAMES = {"openai": "openai", "grok": "x-ai", "gemini": "google"}
"""Provider to its name in the price table."""

OVERHEAD_TOKENS = 16
"""Tokens that a message takes besides its text: role and marks; more than any known chat template."""
_WORDS_OF_SCHEMA = 400
"""Bytes around a schema that is sent as words, and those that making it strict adds for each object."""
CHARACTERS_PER_TOKEN = (3.0, 4.5)
"""Low and high, for estimates: captions with emoji and Spanish are at the low end, English prose at the high one."""


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens. ``cached``: of a prompt's tokens that the provider had kept.

    ``source``: where the prices are from, with their date, for people.
    """

    input: float
    cached: float
    output: float
    source: str

    def of(self, completion: Completion) -> float:
        """What a completion costs, in US dollars."""
        fresh = max(0, completion.input_tokens - completion.cached_tokens)
        return self.total(fresh, completion.output_tokens, completion.cached_tokens)

    def total(self, input_tokens: float, output_tokens: float, cached_tokens: float = 0) -> float:
        """What so many tokens cost, in US dollars."""
        return (input_tokens * self.input + cached_tokens * self.cached + output_tokens * self.output) / _MILLION

    @property
    def is_free(self) -> bool:
        """Whether nothing is paid."""
        return not (self.input or self.cached or self.output)

    def times(self, factor: float) -> Price:
        """The same at another rate, for batches."""
        return Price(self.input * factor, self.cached * factor, self.output * factor, self.source)


FREE = Price(0, 0, 0, "this machine")


def most_tokens(prompt: Prompt, picture_tokens: int) -> int:
    """A bound on the tokens of a call, prompt and answer: no tokenizer makes more tokens than bytes of a text.

    The schema counts: some servers are sent it as words, and others count it as a part of the prompt. A picture takes
    at most ``picture_tokens``, which its provider tells.
    """
    sent = sum(len(message.content.encode()) + OVERHEAD_TOKENS for message in prompt.messages)
    sent += len(prompt.pictures) * picture_tokens
    return sent + len(json.dumps(prompt.schema)) + _WORDS_OF_SCHEMA + prompt.max_tokens


def most_cost(price: Price, prompt: Prompt, picture_tokens: int) -> float:
    """A bound on what a call costs, in US dollars; ``picture_tokens`` as of `most_tokens`."""
    return price.total(most_tokens(prompt, picture_tokens) - prompt.max_tokens, prompt.max_tokens)


def bound_of(provider: Provider, price: Price, prompt: Prompt) -> tuple[int, float]:
    """The most tokens that a call takes, and the most US dollars."""
    shown = provider.picture_tokens
    return most_tokens(prompt, shown), most_cost(price, prompt, shown)


@lru_cache(maxsize=1)
def table_version() -> str:
    """Version of the price table and the newest change of a price in it: all that it tells of its age."""
    from genai_prices.data_snapshot import get_snapshot

    prices = [m.prices for provider in get_snapshot().providers for m in provider.models if isinstance(m.prices, list)]
    dates = [getattr(price.constraint, "start_date", None) for listed in prices for price in listed]
    newest = max((day for day in dates if day is not None and day <= datetime.now(UTC).date()), default=None)
    return f"genai-prices {version('genai-prices')}" + (f", newest change {newest:%Y-%m-%d}" if newest else "")


@lru_cache(maxsize=64)
def from_table(provider: str, model: str) -> Price | None:
    """The price of a model by the table; None for one that is not in it."""
    from genai_prices import Usage, calc_price

    name = _TABLE_NAMES.get(provider)
    if name is None:
        return None

    def cost(**usage: int) -> float:
        priced = calc_price(Usage(**usage), model_ref=model, provider_id=name)
        return float(priced.total_price) * _MILLION / _USUAL

    try:
        full = cost(input_tokens=_USUAL)
        cached = cost(input_tokens=_USUAL, cache_read_tokens=_USUAL)
        output = cost(output_tokens=_USUAL)
    except (LookupError, ValueError):
        return None
    return Price(full, cached, output, table_version())


def price_of(
    provider: str,
    model: str,
    *,
    is_paid: bool,
    own: tuple[float | None, float | None],
    names: tuple[str, str] = ("llm_input_price", "llm_output_price"),
) -> Price:
    """The price of a model. ``own``: what the user set for prompts and answers, which goes first, as ``names``.

    Raises ConfigError for a model that costs money and whose price nobody knows.
    """
    given_input, given_output = own
    if given_input is not None and given_output is not None:
        return Price(given_input, given_input, given_output, f"settings {names[0]} and {names[1]}")
    if not is_paid:
        return FREE
    if (known := from_table(provider, model)) is not None:
        return known
    raise ConfigError(
        f"the price of {model} at {provider} is not in the price table ({table_version()}): set {names[0]} and "
        f"{names[1]} in igtool.toml, US dollars a million tokens (0 for a server of your own)"
    )
