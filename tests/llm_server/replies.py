"""Bodies in the words of the two interfaces, and how they go over the wire."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .asks import Ask

JSON = ("content-type", "application/json")
_CHARACTERS_A_TOKEN = 4
_TOKEN = re.compile(r"\s*[^\s]{1,4}|\s+", re.DOTALL)


@dataclass(frozen=True)
class Reply:
    """An answer and the way it is sent.

    ``sent``: the share of the body that arrives before the connection closes. ``is_silent``: nothing is sent.
    ``is_reset``: the connection breaks instead. ``drip_s``: seconds between single bytes. ``is_paid``: a model worked
    for it, so that it costs tokens.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = (JSON,)
    sent: float = 1.0
    is_silent: bool = False
    is_reset: bool = False
    drip_s: float = 0.0
    is_paid: bool = False

    def packed(self) -> Reply:
        """The same in gzip."""
        return replace(self, body=gzip.compress(self.body), headers=(*self.headers, ("content-encoding", "gzip")))


def of(data: object, status: int = 200, *headers: tuple[str, str], is_paid: bool = False) -> Reply:
    """``data`` as JSON."""
    return Reply(status, json.dumps(data, ensure_ascii=False).encode(), (JSON, *headers), is_paid=is_paid)


def openai_error(
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    code: str | int | None = None,
    param: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> Reply:
    """An error as OpenAI words it."""
    return of({"error": {"message": message, "type": kind, "param": param, "code": code}}, status, *headers)


def gemini_error(status: int, name: str, message: str, *details: Mapping[str, Any]) -> Reply:
    """An error as Google words it."""
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    return of({"error": error | ({"details": list(details)} if details else {})}, status)


def tokens(text: str) -> int:
    """How many tokens ``text`` counts as here."""
    return -(-len(text) // _CHARACTERS_A_TOKEN)


def completion(
    ask: Ask,
    content: str | None,
    *,
    finish: str = "stop",
    refusal: str | None = None,
    has_usage: bool = True,
    cached: int = 0,
) -> dict[str, Any]:
    """A complete answer with ``content``, in the interface of ``ask``. ``finish``: stop, length or filtered."""
    body = (
        _gemini(ask, content, finish, refusal, cached)
        if ask.dialect == "gemini"
        else _openai(ask, content, finish, refusal, cached)
    )
    if not has_usage:
        body.pop("usage", None)
        body.pop("usageMetadata", None)
    return body


def _openai(ask: Ask, content: str | None, finish: str, refusal: str | None, cached: int) -> dict[str, Any]:
    taken, made = tokens(ask.system) + tokens(ask.text), tokens(content or refusal or "")
    reason = "content_filter" if finish == "filtered" else finish
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    if ask.alternatives and content:
        choice["logprobs"] = {
            "content": [_openai_token(*one) for one in _told(content, ask.alternatives)],
            "refusal": None,
        }
    return {
        "id": f"chatcmpl-{ask.prompt}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": ask.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": taken,
            "completion_tokens": made,
            "total_tokens": taken + made,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }


def _gemini(ask: Ask, content: str | None, finish: str, refusal: str | None, cached: int) -> dict[str, Any]:
    usage = {
        "promptTokenCount": tokens(ask.system) + tokens(ask.text),
        "candidatesTokenCount": tokens(content or ""),
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": cached,
    }
    usage["totalTokenCount"] = sum(usage.values()) - cached
    body: dict[str, Any] = {"usageMetadata": usage, "modelVersion": ask.model, "responseId": ask.prompt}
    if refusal is not None:
        return body | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    reason = {"length": "MAX_TOKENS", "filtered": "SAFETY"}.get(finish, "STOP")
    candidate: dict[str, Any] = {"finishReason": reason, "index": 0}
    if content is not None:
        candidate["content"] = {"parts": [{"text": content}], "role": "model"}
    if ask.alternatives and content:
        told = _told(content, ask.alternatives)
        candidate["logprobsResult"] = {
            "chosenCandidates": [{"token": token, "logProbability": others[0][1]} for token, others in told],
            "topCandidates": [
                {"candidates": [{"token": other, "logProbability": one} for other, one in others]} for _, others in told
            ],
        }
    return body | {"candidates": [candidate]}


def _told(content: str, alternatives: int) -> list[tuple[str, list[tuple[str, float]]]]:
    """Each token of ``content`` with its likeliest alternatives, itself first."""
    return [
        (token, [(token, -0.105), *((f"{token}{number}", -3.0 - number) for number in range(1, alternatives))])
        for token in _TOKEN.findall(content)
    ]


def _openai_token(token: str, others: Sequence[tuple[str, float]]) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": others[0][1],
        "bytes": list(token.encode()),
        "top_logprobs": [{"token": other, "logprob": one, "bytes": list(other.encode())} for other, one in others],
    }
