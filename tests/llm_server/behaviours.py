"""All the ways in which a request can be answered, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import embeddings
from .asks import Ask
from .refusals import GEMINI, OPENAI, Form
from .replies import JSON, Reply, completion, of, openai_error

HUGE_BYTES = 16 << 20
_ELSEWHERE = "这是用另一种语言写的答案"
_INVENTED = "nobody ever wrote this sentence"


@dataclass(frozen=True)
class Made:
    """A request with the decent answer to it: ``value`` as JSON, ``cached`` tokens of its instruction."""

    ask: Ask
    value: Any
    cached: int = 0

    @property
    def content(self) -> str:
        """The decent answer as text."""
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":"))

    def reply(self, content: str | None, **how: Any) -> Reply:
        """A paid answer with ``content``."""
        return of(completion(self.ask, content, cached=self.cached, **how), is_paid=True)


Play = Callable[[Made], Reply]


def enums(schema: Any) -> set[str]:
    """Every text that ``schema`` names as a choice."""
    if isinstance(schema, Mapping):
        own = {one for one in [*schema.get("enum", ()), schema.get("const")] if isinstance(one, str)}
        return own.union(*(enums(part) for part in schema.values()))
    if isinstance(schema, list):
        return set().union(*(enums(part) for part in schema))
    return set()


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with every text in it changed."""
    if isinstance(value, dict):
        return {name: _changed(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [_changed(part, change) for part in value]
    return change(value) if isinstance(value, str) else value


def _with_texts(made: Made, text: str) -> Reply:
    """The decent answer with ``text`` wherever the model writes freely."""
    fixed = enums(made.ask.schema or {})
    changed = _changed(made.value, lambda one: one if one in fixed else text)
    return made.reply(json.dumps(changed, ensure_ascii=False))


def _unknown_enum(made: Made) -> Reply:
    fixed = enums(made.ask.schema or {})
    changed = _changed(made.value, lambda one: "no-such-choice" if one in fixed else one)
    return made.reply(json.dumps(changed, ensure_ascii=False))


def _extra_field(made: Made) -> Reply:
    value = {**made.value, "not_asked_for": 1} if isinstance(made.value, dict) else made.value
    return made.reply(json.dumps(value, ensure_ascii=False))


def _missing_field(made: Made) -> Reply:
    value = dict(list(made.value.items())[1:]) if isinstance(made.value, dict) else made.value
    return made.reply(json.dumps(value, ensure_ascii=False))


def _truncated(made: Made) -> Reply:
    return made.reply(made.content[: max(1, len(made.content) * 2 // 3)], finish="length")


def _huge(made: Made) -> Reply:
    return Reply(200, b'{"choices":[{"message":{"content":"' + b"x" * HUGE_BYTES + b'"}}]}', (JSON,), is_paid=True)


def _ok(made: Made) -> Reply:
    return made.reply(made.content)


def _lossy(**how: Any) -> Play:
    return lambda made: replace(_ok(made), **how)


PLAYS: dict[str, Play] = {
    "ok": _ok,
    "fenced": lambda made: made.reply(f"```json\n{made.content}\n```"),
    "chatty": lambda made: made.reply(f"Sure! Here is the JSON you asked for:\n\n{made.content}\n\nAnything else?"),
    "prose": lambda made: made.reply("I would say that this creator bakes bread and is quite friendly."),
    "broken_json": lambda made: made.reply(made.content[:-1].replace('"', "'")),
    "truncated": _truncated,
    "refusal": lambda made: made.reply(None, refusal="I'm sorry, but I can't help with that."),
    "filtered": lambda made: made.reply(None, finish="filtered"),
    "empty": lambda made: made.reply(""),
    "null_content": lambda made: made.reply(None),
    "unknown_enum": _unknown_enum,
    "extra_field": _extra_field,
    "missing_field": _missing_field,
    "other_language": lambda made: _with_texts(made, _ELSEWHERE),
    "invented": lambda made: _with_texts(made, _INVENTED),
    "no_usage": lambda made: made.reply(made.content, has_usage=False),
    "huge": _huge,
    "no_choices": lambda made: of({"object": "chat.completion", "choices": [], "candidates": []}),
    "not_json": lambda _: Reply(200, b"upstream connect error", (("content-type", "text/plain"),)),
    "wrong_charset": lambda made: replace(_ok(made), headers=(("content-type", "application/json; charset=utf-16"),)),
    "deep": lambda _: Reply(500, b"[" * 50_000),
    "hang": _lossy(is_silent=True),
    "reset": _lossy(is_reset=True),
    "half_body": _lossy(sent=0.5),
    "drip": _lossy(drip_s=0.02),
    "moderated": lambda _: openai_error(403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"),
    "redirect": lambda _: Reply(307, b"", (("location", "http://127.0.0.1:9/elsewhere"),)),
}
"""Those in which a model answers, or the connection misbehaves."""


def _refused(form: Form) -> Play:
    return lambda made: form(made.ask)


def known(name: str) -> bool:
    """Whether a behaviour is called ``name``."""
    return name in PLAYS or name in embeddings.PLAYS or name in OPENAI or name in GEMINI


def play(name: str, made: Made) -> Reply:
    """The answer to a request under the behaviour ``name``. Raises KeyError where its interface has none such."""
    if name in PLAYS:
        return PLAYS[name](made)
    return _refused((GEMINI if made.ask.dialect == "gemini" else OPENAI)[name])(made)
