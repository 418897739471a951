"""What asking a language model would come to, before it is asked: calls, tokens and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from igtool.arrow import Rows
from igtool.asking.opening import price_for, provider_of
from igtool.description import PromptOptions, question_for
from igtool.encoders.base import Encoder
from igtool.errors import ConfigError
from igtool.lake import Lake
from igtool.llms.base import BatchProvider, Prompt, Provider
from igtool.llms.prices import CHARACTERS_PER_TOKEN, OVERHEAD_TOKENS
from igtool.llms.questions import Question, answer_key
from igtool.pipeline import describe_stage
from igtool.portrait import portraits_of
from igtool.runner import pending_items
from igtool.settings import Settings
from igtool.stages.describe import Describe

ANSWER_TOKENS = (150, 450)
"""Low and high for one description; of 60 by a 1.5B model on real creators nine in ten lie between."""
SAMPLE = 200
"""So many creators' prompts are written to learn how long they are."""
_REPAIRED = 1.1
"""Calls for each question at the high end: some answers have to be repaired."""
_KNOWN_NOTHING = (400, 3_600)
"""Characters about a creator of whom nothing is stored yet: a name and a biography, or twelve long captions too."""


@dataclass(frozen=True)
class Outlay:
    """What is to be expected: ``calls`` at most one and a tenth of ``creators``; tokens and money, low and high.

    ``known``: creators whose prompts could be written; ``stored``: of the sample, answers that are there already;
    ``labelled``: share that is asked for niche and style too.
    """

    provider: str
    model: str
    creators: int
    sampled: int
    stored: int
    labelled_share: float
    calls: tuple[int, int]
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    cost_usd: tuple[float, float]
    prices: str

    def rows(self) -> list[dict[str, object]]:
        """As a table: what, low and high."""
        low_high = {
            "calls": self.calls,
            "tokens of prompts": self.input_tokens,
            "tokens of answers": self.output_tokens,
            "US dollars": self.cost_usd,
        }
        return [{"estimate": name, "low": low, "high": high} for name, (low, high) in low_high.items()]


def outlay(settings: Settings, lake: Lake | None, encoder: Encoder, *, further: int = 0) -> Outlay:
    """What describing everybody who is pending would cost, and ``further`` creators of whom nothing is stored.

    Raises ConfigError when no language model is named, or nobody knows its price.
    """
    provider, stage = provider_of(settings), describe_stage(settings)
    if provider is None or stage is None:
        raise ConfigError("no language model is named: --provider, or provider in igtool.toml")
    price = price_for(settings, provider)
    if settings.llm_batch and isinstance(provider, BatchProvider):
        price = price.times(provider.batch_price)
    pending = pending_items(lake, stage) if lake is not None else []
    questions = _questions(lake, stage, pending[:SAMPLE], encoder) if lake is not None and pending else []
    stored = _stored(lake, provider, questions) if lake is not None else 0
    fresh_share = 1 - stored / len(questions) if questions else 1.0
    creators = round(len(pending) * fresh_share) + further
    calls = (creators, round(creators * _REPAIRED))
    tokens, kept = _prompt_tokens(calls, questions)
    answers = (calls[0] * ANSWER_TOKENS[0], calls[1] * ANSWER_TOKENS[1])
    labelled = sum(question.kind.endswith("labels") for question in questions)
    return Outlay(
        provider=provider.name,
        model=provider.model,
        creators=creators,
        sampled=len(questions),
        stored=stored,
        labelled_share=round(labelled / len(questions), 3) if questions else 1.0,
        calls=calls,
        input_tokens=tokens,
        output_tokens=answers,
        cost_usd=(_cents(price.total(tokens[0] - kept, answers[0], kept)), _cents(price.total(tokens[1], answers[1]))),
        prices=price.source,
    )


def questions_about(lake: Lake, stage: Describe, creators: Sequence[str], encoder: Encoder) -> list[Question]:
    """What would be asked about ``creators`` (ids), in their order, whether or not it is pending."""
    return _questions(lake, stage, creators, encoder)


def _questions(lake: Lake, stage: Describe, creators: Sequence[str], encoder: Encoder) -> list[Question]:
    ids = list(creators)
    lake.execute(
        "create or replace temp table batch as select unnest(?::varchar[]) as item_id, '' as fingerprint", (ids,)
    )
    rows: Rows = lake.arrow(stage.rows)
    portraits = [one for one in portraits_of(rows, encoder) if one.says_something]
    return [question_for(one.facts, stage.options.shown, labelled=stage.labelled(one)) for one in portraits]


def _stored(lake: Lake, provider: Provider, questions: Sequence[Question]) -> int:
    keys = [answer_key(provider.name, provider.model, question, question.prompt) for question in questions]
    query = "select count(*) from llm_answers where answer_id in (select unnest(?::varchar[]))"
    return int(lake.value(query, (keys,)))


def _smallest() -> Question:
    nothing = {"item_id": "", "accounts": [], "texts": []}
    return question_for(nothing, PromptOptions(), labelled=True)


def _prompt_tokens(calls: tuple[int, int], questions: Sequence[Question]) -> tuple[tuple[int, int], int]:
    """Tokens of all prompts, low and high; and those of the low ones that a provider may have kept.

    The instruction is the same for all: at best it is kept from the second call on.
    """
    sizes = [_characters(question.prompt) for question in questions]
    nothing = _smallest().prompt
    known = (sum(sizes) / len(sizes),) * 2 if sizes else tuple(_characters(nothing) + more for more in _KNOWN_NOTHING)
    low = known[0] / CHARACTERS_PER_TOKEN[1] + 2 * OVERHEAD_TOKENS
    high = known[1] / CHARACTERS_PER_TOKEN[0] + 2 * OVERHEAD_TOKENS
    kept = max(0, calls[0] - 1) * len(nothing.messages[0].content) / CHARACTERS_PER_TOKEN[1]
    return (round(calls[0] * low), round(calls[1] * high)), round(kept)


def _cents(dollars: float) -> float:
    return round(dollars, 4)


def _characters(prompt: Prompt) -> int:
    return sum(len(message.content) for message in prompt.messages)
