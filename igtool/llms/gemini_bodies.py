"""The Gemini API: a prompt as the body of generateContent, its answer as a completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from igtool.llms.base import Completion, Finish, Message, Prompt
from igtool.llms.manner import Manner
from igtool.llms.refusals import unreadable
from igtool.llms.strict_schema import strict
from igtool.llms.turns import OfSchemas, in_base64, sendable, with_schema, without_instruction
from igtool.llms.usage import counted, guessed

MOST_ALTERNATIVES = 20
"""https://ai.google.dev/api/generate-content#generationconfig"""
_FORMATS = ("schema", "schema without bounds", "json", "words")
_THINKING: tuple[dict[str, Any] | None, ...] = (
    {"thinkingBudget": 0},
    {"thinkingLevel": "minimal"},
    {"thinkingLevel": "low"},
    {"thinkingBudget": 128},
    None,
)
"""As little as a model allows: https://ai.google.dev/gemini-api/docs/thinking"""
STEPS = {"format": len(_FORMATS) - 1, "thinking": len(_THINKING) - 1, "alternatives": 1, "instruction": 1}
"""How many lower steps each matter of a manner has."""
_REFUSALS = frozenset(
    {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION", "MODEL_ARMOR"}
)


def request(prompt: Prompt, manner: Manner, schemas: OfSchemas[dict[str, Any]]) -> dict[str, Any]:
    """The body that asks ``prompt`` in ``manner``; ``schemas``: those that were made ready before."""
    form = _FORMATS[manner.format]
    messages: tuple[Message, ...] | list[Message] = prompt.messages
    config: dict[str, Any] = {"maxOutputTokens": prompt.max_tokens, "temperature": 0}
    if form != "words":
        config["responseMimeType"] = "application/json"
    schema = _ready(prompt.schema, schemas, has_bounds=form != "schema without bounds")
    if form.startswith("schema"):
        config["responseJsonSchema"] = schema
    else:
        messages = with_schema(messages, schema)
    if prompt.alternatives and manner.alternatives == 0:
        config |= {"responseLogprobs": True, "logprobs": min(prompt.alternatives, MOST_ALTERNATIVES)}
    thinking = _THINKING[manner.thinking]
    if thinking is not None:
        config["thinkingConfig"] = thinking
    if manner.instruction:
        messages = without_instruction(messages)
    instruction = [{"text": sendable(one.content)} for one in messages if one.role == "system"]
    body: dict[str, Any] = {"generationConfig": config}
    if instruction:
        body["systemInstruction"] = {"parts": instruction}
    body["contents"] = [_content(one) for one in messages if one.role != "system"]
    return body


def _ready(schema: Mapping[str, Any], schemas: OfSchemas[dict[str, Any]], *, has_bounds: bool) -> dict[str, Any]:
    known = schemas.find(schema, has_bounds)
    return known if known is not None else schemas.keep(schema, has_bounds, strict(schema, has_bounds=has_bounds))


def _content(message: Message) -> dict[str, Any]:
    role = "model" if message.role == "assistant" else "user"
    shown = [{"inlineData": {"mimeType": one.media_type, "data": in_base64(one)}} for one in message.pictures]
    return {"role": role, "parts": [*shown, {"text": sendable(message.content)}]}


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _Step(msgspec.Struct):
    candidates: list[_Token] | None = None


class _Told(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Step] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    logprobs_result: _Told | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None


_DECODER = msgspec.json.Decoder(_Answer, strict=False)


def completion(body: bytes, prompt_characters: int, who: str) -> Completion:
    """The completion that ``body`` holds; ``who``: the provider and its model, for messages.

    Where no usage is told, tokens are guessed from the characters. Raises ProviderError for a body that is none.
    """
    try:
        answer = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(who, str(error)) from error
    if not answer.candidates:
        if answer.prompt_feedback and answer.prompt_feedback.block_reason:
            return Completion("", "refusal", *_usage(answer.usage_metadata, prompt_characters, 0))
        raise unreadable(who, "it holds no candidate")
    best = answer.candidates[0]
    parts = (best.content.parts if best.content else None) or []
    text = "".join(part.text or "" for part in parts if not part.thought)
    taken, made, cached = _usage(answer.usage_metadata, prompt_characters, len(text))
    return Completion(text, _finish(best.finish_reason), taken, made, cached, _tokens(best.logprobs_result, text))


def _usage(usage: _Usage | None, prompt_characters: int, characters: int) -> tuple[int, int, int]:
    """Tokens taken, made and cached; what is not told of the answer of a model that was asked is none."""
    taken = counted(usage.prompt_token_count) if usage else None
    if usage is None or taken is None:
        return guessed(prompt_characters), guessed(characters), 0
    made = (counted(usage.candidates_token_count) or 0) + (counted(usage.thoughts_token_count) or 0)
    return taken, made, min(counted(usage.cached_content_token_count) or 0, taken)


def _finish(reason: str | None) -> Finish:
    if reason == "MAX_TOKENS":
        return "length"
    return "refusal" if reason in _REFUSALS else "stop"


def _tokens(told: _Told | None, text: str) -> tuple[tuple[str, Mapping[str, float]], ...]:
    """The tokens with their alternatives; none where they do not join to ``text``."""
    chosen = (told.chosen_candidates if told else None) or []
    if not chosen or told is None or "".join(one.token for one in chosen) != text:
        return ()
    steps = told.top_candidates or []
    found = []
    for place, one in enumerate(chosen):
        others = (steps[place].candidates if place < len(steps) else None) or []
        likely = {other.token: other.log_probability for other in others}
        found.append((one.token, {one.token: one.log_probability} | likely))
    return tuple(found)
