"""What a language model is asked about a conversation, and what is left of its answer after checking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from igtool import vocabulary
from igtool.insights import taxonomy
from igtool.llms import fencing
from igtool.llms.base import Message, Prompt
from igtool.llms.questions import Question, cut_at, read_model, schema_of, text_of
from igtool.llms.sieve import Sieve
from igtool.text import one_line
from igtool.vocabulary import fold

CONVERSATION = "conversation"
VERSION = "1"
"""Of instruction and schema; a change of either asks again."""
_CHARACTERS = 1_200
_SHORTER = 300
_MAX_TOKENS = 160
_CLUSTERS, _PROPOSED = 3, 2

_TASK = """You read what people write to and about brands and creators. {fence}
Answer with one JSON object, in English.
sentiment: of the writer: negative, neutral or positive; neutral for questions and plain facts without feeling.
score: from -1 (very negative) to 1 (very positive).
clusters: what it is about, at most three of: {clusters}.
new: a topic that none of these covers, in one to three words; mostly none.
why: one short sentence that names the words on which this rests."""


class ConversationAnswer(BaseModel):
    """What a model answers about one conversation."""

    model_config = ConfigDict(extra="ignore")

    sentiment: Literal["negative", "neutral", "positive"]
    score: float = Field(ge=-1, le=1)
    clusters: Annotated[list[str], cut_at(_CLUSTERS)] = Field(max_length=_CLUSTERS)
    new: Annotated[list[text_of(40)], cut_at(_PROPOSED)] = Field(max_length=_PROPOSED)  # type: ignore[valid-type]
    why: text_of(200)  # type: ignore[valid-type]


@dataclass(frozen=True)
class Reading:
    """A model's reading of a conversation. ``score`` is -1 to 1 and never contradicts ``sentiment``."""

    sentiment: str
    score: float
    clusters: tuple[str, ...]
    proposed: tuple[str, ...]
    why: str | None


def question_about(conversation_id: str, text: str, characters: int = _CHARACTERS) -> Question:
    """The question about one conversation."""
    instruction, schema = _task()
    shown = fencing.plain(text, characters)
    messages = (Message("system", instruction), Message("user", fencing.fenced([("text", shown)])))

    def check(answer: str) -> Reading:
        return _reading(read_model(ConversationAnswer, answer), instruction, shown)

    def shorter() -> Question | None:
        return question_about(conversation_id, text, _SHORTER) if characters > _SHORTER else None

    prompt = Prompt(messages, CONVERSATION, schema, _MAX_TOKENS)
    return Question(CONVERSATION, conversation_id, VERSION, prompt, check, shorter)


def _reading(answer: ConversationAnswer, instruction: str, shown: str) -> Reading:
    known = taxonomy.load()
    sieve = Sieve(instruction, [shown], vocabulary.load().is_denied)
    slugs = dict.fromkeys("_".join(fold(name).split()) for name in answer.clusters)
    return Reading(
        sentiment=answer.sentiment,
        score=_agreeing(answer.sentiment, answer.score),
        clusters=tuple(slug for slug in slugs if slug in known.labels),
        proposed=_proposed(answer.new, known, sieve),
        why=sieve.prose(answer.why),
    )


def _agreeing(sentiment: str, score: float) -> float:
    """``score`` in the third of the scale that ``sentiment`` names."""
    low, high = {"negative": (-1.0, -1 / 3), "neutral": (-1 / 3, 1 / 3), "positive": (1 / 3, 1.0)}[sentiment]
    return round(min(max(score, low), high), 4)


def _proposed(names: Sequence[str], known: taxonomy.Taxonomy, sieve: Sieve) -> tuple[str, ...]:
    """Topics that the taxonomy does not have; never a new name for one that it has."""
    labels = {fold(label.label) for label in known.labels.values()} | {slug.replace("_", " ") for slug in known.labels}
    named = dict.fromkeys(one_line(fold(name), 40) for name in names)
    return tuple(name for name in named if len(name.split()) <= 3 and name not in labels and sieve.lets(name))


@lru_cache(maxsize=1)
def _task() -> tuple[str, dict[str, Any]]:
    """Instruction and schema, the same for all conversations."""
    slugs = taxonomy.load().slugs
    schema = schema_of(ConversationAnswer, {"clusters": slugs})
    return _TASK.format(fence=fencing.INSTRUCTION, clusters=", ".join(slugs)), schema
