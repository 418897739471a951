"""What a language model is asked about a creator, and which items it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from statistics import median
from typing import Any

from igtool import vocabulary
from igtool.description.answer import BriefAnswer, BriefLabelledAnswer, LabelledAnswer, ProfileAnswer, Shown
from igtool.llms import fencing
from igtool.llms.base import Message, Prompt, Provider
from igtool.llms.questions import Question, schema_of
from igtool.vocabulary import Vocabulary

Facts = Mapping[str, Any]
"""A row of `igtool.facts.FACTS`."""

PROFILE, LABELS = "profile", "profile_labels"
"""Kinds of question: for prose, and for prose, niche and style."""
VERSION = "2"
"""Of instruction and schema; a change of either asks again."""

Form = type[ProfileAnswer | BriefAnswer]
_FORMS: dict[tuple[bool, bool], Form] = {
    (False, False): ProfileAnswer,
    (True, False): LabelledAnswer,
    (False, True): BriefAnswer,
    (True, True): BriefLabelledAnswer,
}
"""By whether labels are asked for, and whether the answer is to be brief."""

_BIO_CHARACTERS = 600
_NAMES = 3
"""At most so many accounts are shown, the largest ones."""
_MAX_TOKENS = 700
_CLASSES = {"reel": "short", "short": "short", "video": "long"}
"""Forms that a sample mixes; pictures are the third."""

_TASK = """You describe creators of social media for a database. {fence}
Answer with one JSON object, in plain English, whatever the language of the data. Say only what the data shows.
Never mention health, religion, politics of a person, ethnicity, orientation, age or looks, and give no figures.
{labels}tone: one to three of: {tones}.
{topics}persona: two or three short sentences: who this is, what they make, for whom.
summary: one sentence of about twenty words: what the creator offers.{kinds}"""

_TOPICS = """topics: what the posts are about. interests: what the creator cares about. audience: one, who it is for.
brands: kinds of brands that fit. Each as {"is": one to four words, "of": the numbers of the lines that show it, or
words copied from them}; leave out what no line shows.
"""
_TOPICS_BRIEF = """topics: what the posts are about: two to five, each one to three words copied from a line.
"""
_KINDS = "\nkinds: for each line that is a post, in order, one of: {kinds}."

_LAST = "\n\nAnswer now with the JSON object about this creator, in English."
_LABELS = """niche: the main niche, also: up to three more, of: {niches}.
style: how it is told, of: {styles}.
"""


@dataclass(frozen=True)
class PromptOptions:
    """How much of a creator a prompt shows: ``items``, half of them the newest, half the best; characters of each.

    ``is_brief`` asks for a shorter answer, see `BriefAnswer`.
    """

    items: int = 12
    item_characters: int = 280
    is_brief: bool = False

    @classmethod
    def of(cls, provider: Provider, items: int | None = None, item_characters: int | None = None) -> PromptOptions:
        """What suits ``provider``, but for what is given."""
        return cls(items or provider.items, item_characters or provider.item_characters, provider.is_small)

    @property
    def smaller(self) -> PromptOptions | None:
        """With half the items, then with half the text; None when there is nothing left to leave out."""
        if self.items > 1:
            return replace(self, items=self.items // 2)
        return replace(self, item_characters=80) if self.item_characters > 80 else None


def question_for(facts: Facts, options: PromptOptions, *, labelled: bool) -> Question:
    """The question about one creator; ``labelled`` asks for niche and style too."""
    words = vocabulary.load()
    own = [text for account in (facts["accounts"] or [])[:_NAMES] for text in _own(account)]
    items = [
        (item["content_id"], _shown(item["text"], options.item_characters)) for item in sample(facts, options.items)
    ]
    parts = [*own, *(("post", text) for _, text in items)]
    instruction, form, schema = _task(labelled=labelled, brief=options.is_brief)
    if "kinds" in schema["properties"]:
        kinds = {**schema["properties"]["kinds"], "minItems": len(items), "maxItems": len(items)}
        schema = {**schema, "properties": {**schema["properties"], "kinds": kinds}}
    asked = Prompt(
        (Message("system", instruction), Message("user", fencing.fenced(parts) + _LAST)),
        LABELS if labelled else PROFILE,
        schema,
        _MAX_TOKENS,
    )
    shown = Shown(instruction, [text for _, text in own], items, words, form)

    def shorter() -> Question | None:
        smaller = options.smaller
        return None if smaller is None else question_for(facts, smaller, labelled=labelled)

    return Question(asked.schema_name, facts["item_id"], VERSION, asked, shown.check, shorter)


@lru_cache(maxsize=4)
def _task(*, labelled: bool, brief: bool) -> tuple[str, Form, dict[str, Any]]:
    """Instruction, form of the answer and its schema, the same for all creators."""
    words: Vocabulary = vocabulary.load()
    labels = _LABELS.format(niches=", ".join(words.niches), styles=", ".join(words.styles)) if labelled else ""
    instruction = _TASK.format(
        fence=fencing.INSTRUCTION,
        labels=labels,
        tones=", ".join(words.tones),
        topics=_TOPICS_BRIEF if brief else _TOPICS,
        kinds="" if brief else _KINDS.format(kinds=", ".join(words.kinds)),
    )
    enums = {
        "niche": words.niches,
        "also": words.niches,
        "style": words.styles,
        "tone": words.tones,
        "kinds": words.kinds,
    }
    form = _FORMS[labelled, brief]
    return instruction, form, schema_of(form, enums)


def _own(account: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an account says of itself, by what it is."""
    told = {"name": account["display_name"], "category": account["category"], "bio": account["bio"]}
    return [(name, text) for name, value in told.items() if (text := _shown(value, _BIO_CHARACTERS))]


def _shown(text: str | None, limit: int) -> str:
    return fencing.plain(text or "", limit)


def sample(facts: Facts, size: int) -> list[Mapping[str, Any]]:
    """At most ``size`` items that say something, newest first: half of them the newest, the rest those that did best.

    Short videos, long ones and pictures take turns. Best: most likes and comments, of views where neither is known,
    over the median of the creator's items.
    """
    told = [item for item in facts["texts"] or [] if (item["text"] or "").strip()]
    newest = _mixed(told)[: (size + 1) // 2]
    usual = [value for item in told if (value := _reactions(item)) is not None]
    middle = median(usual) if usual else 0
    ranked = sorted(told, key=lambda item: -((_reactions(item) or 0) / (middle or 1)))
    chosen = {item["content_id"] for item in newest}
    best = [item for item in _mixed(ranked) if item["content_id"] not in chosen][: size - len(newest)]
    chosen |= {item["content_id"] for item in best}
    return [item for item in told if item["content_id"] in chosen]


def _reactions(item: Mapping[str, Any]) -> int | None:
    known = [int(item[name]) for name in ("like_count", "comment_count") if item[name] is not None]
    if known:
        return sum(known)
    views = [int(item[name]) for name in ("view_count", "play_count") if item[name] is not None]
    return max(views) if views else None


def _mixed(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """``items`` in their order, but forms taking turns."""
    forms: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        forms.setdefault(_CLASSES.get(item["type"], "picture"), []).append(item)
    turns = zip_longest(*forms.values())
    return [item for turn in turns for item in turn if item is not None]
