"""What a server does not understand, and how it refuses a request that asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from .asks import Ask
from .replies import Reply, gemini_error, openai_error

_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "pattern", "minimum", "maximum")


def refusal(ask: Ask, lacks: Collection[str]) -> Reply | None:
    """The answer to a request that uses something in ``lacks``; None where it uses nothing of that."""
    if not ask.is_single or not isinstance(ask.data, dict):
        return None
    known = _GEMINI if ask.dialect == "gemini" else _OPENAI
    for name in sorted(lacks):
        uses, reply = known.get(name, (_never, None))
        if reply is not None and uses(ask.data):
            return reply
    return None


def _never(_: Any) -> bool:
    return False


def _has(name: str) -> Callable[[Any], bool]:
    return lambda data: data.get(name) is not None


def _format(kind: str) -> Callable[[Any], bool]:
    return lambda data: (data.get("response_format") or {}).get("type") == kind


def _bounded(data: Any) -> bool:
    config = data.get("generationConfig") or {}
    schema = json.dumps([data.get("response_format"), config.get("responseJsonSchema")])
    return any(f'"{name}"' in schema for name in _BOUNDS)


def _gemini(*path: str) -> Callable[[Any], bool]:
    def uses(data: Any) -> bool:
        for part in path:
            data = data.get(part) if isinstance(data, dict) else None
        return data is not None

    return uses


def _no_thinking_off(data: Any) -> bool:
    config = (data.get("generationConfig") or {}).get("thinkingConfig") or {}
    return config.get("thinkingBudget", config.get("thinking_budget")) == 0


def _bad(message: str, **more: Any) -> Reply:
    return openai_error(400, message, **more)


def _invalid(message: str) -> Reply:
    return gemini_error(400, "INVALID_ARGUMENT", message)


_OPENAI: dict[str, tuple[Callable[[Any], bool], Reply]] = {
    "json_schema": (
        _format("json_schema"),
        _bad(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
            param="response_format",
        ),
    ),
    "bounds": (
        _bounded,
        _bad("Invalid schema for response_format 'x': In context=('properties', 'a'), 'maxLength' is not permitted."),
    ),
    "grammar": (_format("json_schema"), _bad("Failed to initialize samplers: failed to parse grammar")),
    "json_object": (_format("json_object"), _bad("response_format.type must be 'text'", param="response_format.type")),
    "any_format": (_has("response_format"), openai_error(422, "Unprocessable Entity")),
    "system": (
        lambda data: any(one.get("role") == "system" for one in data.get("messages", ())),
        _bad("System role not supported"),
    ),
    "grammar_500": (_format("json_schema"), openai_error(500, "invalid JSON schema in format", "api_error")),
    "temperature": (
        _has("temperature"),
        _bad(
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported.",
            code="unsupported_value",
            param="temperature",
        ),
    ),
    "max_tokens": (
        _has("max_tokens"),
        _bad(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            code="unsupported_parameter",
            param="max_tokens",
        ),
    ),
    "max_completion_tokens": (
        _has("max_completion_tokens"),
        _bad("Unrecognized request argument supplied: max_completion_tokens"),
    ),
    "logprobs": (
        _has("logprobs"),
        openai_error(403, "You are not allowed to request logprobs from this model."),
    ),
    "many_logprobs": (
        lambda data: (data.get("top_logprobs") or 0) > 5,
        _bad("Requested sample logprobs of 20, which is greater than max allowed: 5"),
    ),
    "reasoning_effort": (
        _has("reasoning_effort"),
        _bad("Unrecognized request argument supplied: reasoning_effort", param="reasoning_effort"),
    ),
    "minimal_effort": (
        lambda data: data.get("reasoning_effort") == "minimal",
        _bad(
            "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: "
            "'none', 'low', 'medium', 'high'.",
            code="unsupported_value",
            param="reasoning_effort",
        ),
    ),
}

_GEMINI: dict[str, tuple[Callable[[Any], bool], Reply]] = {
    "json_schema": (
        _gemini("generationConfig", "responseJsonSchema"),
        _invalid("Invalid JSON payload received. Unknown name \"responseJsonSchema\" at 'generation_config'."),
    ),
    "bounds": (_bounded, _invalid("Unable to submit request because the schema has the unknown field maxLength.")),
    "states": (
        _gemini("generationConfig", "responseJsonSchema"),
        _invalid("The specified schema produces a constraint that has too many states for serving."),
    ),
    "json_object": (
        _gemini("generationConfig", "responseMimeType"),
        _invalid("JSON mode is not enabled for models/gemma-3-27b-it"),
    ),
    "system": (
        _gemini("systemInstruction"),
        _invalid("Developer instruction is not enabled for models/gemma-3-27b-it"),
    ),
    "thinking_off": (_no_thinking_off, _invalid("Budget 0 is invalid. This model only works in thinking mode.")),
    "thinking": (
        _gemini("generationConfig", "thinkingConfig"),
        _invalid("Thinking budget is not supported for this model."),
    ),
    "thinking_unnamed": (_no_thinking_off, _invalid("Request contains an invalid argument.")),
    "logprobs": (
        _gemini("generationConfig", "responseLogprobs"),
        _invalid("Unable to submit request because Logprobs is not supported for this model."),
    ),
}

KNOWN = frozenset(_OPENAI) | frozenset(_GEMINI)
