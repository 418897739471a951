"""A question to a language model: what is sent, how its answer is checked, and what came of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from igtool.llms.base import Message, Prompt
from igtool.text import one_line

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)(?:```|\Z)", re.DOTALL)
_SHOWN_ERRORS = 3


class WrongAnswer(Exception):  # noqa: N818 - the model's, not ours
    """An answer that cannot be used; ``reason`` is a slug for ``rejects``, the message tells the model why."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True)
class Question:
    """One question. ``check`` gives the answer as an object, or raises WrongAnswer.

    ``kind`` and ``item_id`` say what for and about whom; ``version`` is that of instruction and schema. ``shorter``
    is the same question with less text, or None when nothing can be left out.
    """

    kind: str
    item_id: str
    version: str
    prompt: Prompt
    check: Callable[[str], Any]
    shorter: Callable[[], Question | None] = lambda: None


@dataclass(frozen=True)
class Answered:
    """A checked answer. ``row`` is that of ``llm_answers`` it was read from, ``question`` what was asked in the end."""

    question: Question
    value: Any
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Unusable:
    """A question without a usable answer after all repairs: a slug and a sentence for ``rejects``."""

    reason: str
    detail: str


Result: TypeAlias = Answered | Unusable | None
"""None: not asked, because asking had to stop; it stays pending."""


def answer_key(provider: str, model: str, question: Question, prompt: Prompt) -> str:
    """What an answer is stored under: SHA-256 of provider, model, version and prompt, ``max_tokens`` included."""
    parts = [provider, model, question.version, prompt.schema_name, prompt.max_tokens, prompt.alternatives]
    text = json.dumps([*parts, messages_of(prompt)], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def messages_of(prompt: Prompt) -> list[dict[str, Any]]:
    """The messages as they are stored and shown; pictures by their SHA-256 alone, where a message has any."""
    return [
        {"role": message.role, "content": message.content}
        | ({"pictures": [one.sha256 for one in message.pictures]} if message.pictures else {})
        for message in prompt.messages
    ]


def repaired(prompt: Prompt, answer: str, error: WrongAnswer) -> Prompt:
    """The prompt that shows the model its answer and what is wrong with it."""
    said = Message("assistant", one_line(answer, 2000) or "(nothing)")
    told = Message("user", f"That answer cannot be used: {error}. Answer again, with the JSON object only.")
    return replace(prompt, messages=(*prompt.messages, said, told))


def longer(prompt: Prompt) -> Prompt:
    """The prompt with twice the room for the answer, for one that was cut off."""
    return replace(prompt, max_tokens=2 * prompt.max_tokens)


def read_json(text: str) -> Any:
    """The JSON object in an answer: bare, in a code fence, or with words around it. Raises WrongAnswer."""
    if not text.strip():
        raise WrongAnswer("llm-empty", "it is empty")
    inside = _FENCE.search(text)
    for candidate in filter(None, (text, inside and inside.group(1), _braced(text))):
        try:
            found = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
        raise WrongAnswer("llm-invalid-json", "it is not a JSON object")
    raise WrongAnswer("llm-invalid-json", "it is not JSON")


def _braced(text: str) -> str | None:
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else None


def read_model(model: type[BaseModel], text: str) -> Any:
    """The answer as an object of ``model``. Raises WrongAnswer that names the fields that do not fit."""
    found = read_json(text)
    try:
        return model.model_validate(found)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:_SHOWN_ERRORS]]
        raise WrongAnswer("llm-wrong-fields", one_line("; ".join(wrong), 400)) from error


def text_of(limit: int) -> Any:
    """The type of a text on one line, cut at ``limit``: too long a text is no reason to pay for another answer."""
    cut = BeforeValidator(lambda value: one_line(value, limit) if isinstance(value, str) else value)
    return Annotated[str, cut, Field(max_length=limit)]


def cut_at(limit: int) -> BeforeValidator:
    """Leaves out what a list holds beyond ``limit``."""
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, list) else value)


def schema_of(model: type[BaseModel], enums: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The JSON schema of ``model`` as it is sent, with the labels that the vocabulary has in ``enums``."""
    schema: dict[str, Any] = _bare(model.model_json_schema(by_alias=True))
    for name, labels in enums.items():
        if name in schema["properties"]:
            place = schema["properties"][name]
            (place["items"] if place.get("type") == "array" else place)["enum"] = list(labels)
    return schema


def _bare(schema: Any) -> Any:
    """``schema`` without titles and descriptions: a model pays for each word of it."""
    if isinstance(schema, dict):
        return {
            key: {name: _bare(one) for name, one in value.items()} if key in ("properties", "$defs") else _bare(value)
            for key, value in schema.items()
            if key not in ("title", "description")
        }
    return [_bare(one) for one in schema] if isinstance(schema, list) else schema
