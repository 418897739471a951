"""Chat completions, the interface of OpenAI that many servers speak: a prompt as a body, a body as a completion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from igtool.llms.base import Completion, Finish, Message, Prompt
from igtool.llms.manner import Manner
from igtool.llms.refusals import inside, unreadable
from igtool.llms.strict_schema import strict
from igtool.llms.turns import OfSchemas, as_data_url, sendable, with_schema, without_instruction
from igtool.llms.usage import counted, guessed

MOST_ALTERNATIVES = 20
"""https://platform.openai.com/docs/api-reference/chat/create#chat_create-top_logprobs"""
_FEW_ALTERNATIVES = 5  # what vLLM allows unless it is told otherwise

Limit = Literal["max_completion_tokens", "max_tokens"]
_FORMATS = ("strict", "strict without bounds", "json_object", "words")
_FINISHES: dict[str | None, Finish] = {"length": "length", "max_tokens": "length", "content_filter": "refusal"}


@dataclass(frozen=True)
class Ways:
    """What a server is asked with at first, and with what instead.

    ``limits``: names of the limit on tokens. ``efforts``: values of ``reasoning_effort``, None for leaving it out.
    """

    limits: tuple[Limit, ...]
    efforts: tuple[str | None, ...] = (None,)

    @property
    def steps(self) -> dict[str, int]:
        """How many lower steps each matter of a manner has."""
        return {
            "format": len(_FORMATS) - 1,
            "temperature": 1,
            "limit": len(self.limits) - 1,
            "alternatives": 2,
            "thinking": len(self.efforts) - 1,
            "instruction": 1,
        }


class Bodies:
    """Makes the bodies of requests for ``model``; used by many threads. What prompts of a kind share is made once."""

    def __init__(self, model: str, ways: Ways) -> None:
        self._model = model
        self._ways = ways
        self._formats: OfSchemas[msgspec.Raw] = OfSchemas()

    def body(self, prompt: Prompt, manner: Manner) -> bytes:
        """``prompt`` as JSON, asked in ``manner``."""
        form = _FORMATS[manner.format]
        messages: tuple[Message, ...] | list[Message] = prompt.messages
        body: dict[str, Any] = {"model": self._model, self._ways.limits[manner.limit]: prompt.max_tokens}
        if form.startswith("strict"):
            body["response_format"] = self._format(prompt, has_bounds=form == "strict")
        else:
            messages = with_schema(messages, strict(prompt.schema))
            if form == "json_object":
                body["response_format"] = {"type": "json_object"}
        if manner.instruction:
            messages = without_instruction(messages)
        body["messages"] = [{"role": one.role, "content": _content(one)} for one in messages]
        if manner.temperature == 0:
            body["temperature"] = 0
        if prompt.alternatives and manner.alternatives <= 1:
            most = MOST_ALTERNATIVES if manner.alternatives == 0 else _FEW_ALTERNATIVES
            body |= {"logprobs": True, "top_logprobs": min(prompt.alternatives, most)}
        effort = self._ways.efforts[manner.thinking]
        if effort is not None:
            body["reasoning_effort"] = effort
        return msgspec.json.encode(body)

    def _format(self, prompt: Prompt, *, has_bounds: bool) -> msgspec.Raw:
        """The field ``response_format``."""
        key = (prompt.schema_name, has_bounds)
        known = self._formats.find(prompt.schema, key)
        if known is not None:
            return known
        schema = strict(prompt.schema, has_bounds=has_bounds)
        wanted = {"name": prompt.schema_name, "strict": True, "schema": schema}
        made = msgspec.Raw(msgspec.json.encode({"type": "json_schema", "json_schema": wanted}))
        return self._formats.keep(prompt.schema, key, made)


def _content(message: Message) -> str | list[dict[str, Any]]:
    """A text; with pictures a list of parts.

    https://platform.openai.com/docs/guides/images-vision
    """
    text = sendable(message.content)
    if not message.pictures:
        return text
    return [*map(as_data_url, message.pictures), {"type": "text", "text": text}]


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class Answer(msgspec.Struct):
    """The body of an answer, as far as it is read."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(Answer, strict=False)


def completion(body: bytes | msgspec.Raw, prompt_characters: int, who: str) -> Completion:
    """The completion that ``body`` holds; ``who``: the provider and its model, for messages.

    Where a server gives no usage, tokens are estimated as a quarter of the characters; ``prompt_characters``: of the
    prompt. Raises ProviderError for a body that is none.
    """
    try:
        answer = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(who, str(error)) from error
    if answer.error:
        raise inside(answer.error).error(who)
    if not answer.choices:
        raise unreadable(who, "it holds no choice")
    choice = answer.choices[0]
    text = _text(choice.message.content)
    finish = _FINISHES.get(choice.finish_reason, "stop")
    if choice.message.refusal:
        text, finish = choice.message.refusal, "refusal"
    taken, made, cached = _usage(answer.usage, prompt_characters, len(text))
    told = choice.logprobs.content if choice.logprobs else None
    return Completion(text, finish, taken, made, cached, _tokens(told or [], text))


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _usage(usage: _Usage | None, prompt_characters: int, characters: int) -> tuple[int, int, int]:
    """Tokens taken, made and cached. What is in the total beside the prompt was made too: xAI counts thought so."""
    taken = counted(usage.prompt_tokens) if usage else None
    if usage is None or taken is None:
        return guessed(prompt_characters), guessed(characters), 0
    made, total = counted(usage.completion_tokens), counted(usage.total_tokens)
    if made is None and total is None:
        return taken, guessed(characters), 0
    cached = counted(usage.prompt_tokens_details.cached_tokens) if usage.prompt_tokens_details else None
    return taken, max(made or 0, (total or 0) - taken), min(cached or 0, taken)


def _tokens(told: list[_Token], text: str) -> tuple[tuple[str, Mapping[str, float]], ...]:
    """The tokens with their alternatives; none where they do not join to ``text``.

    A token may be a part of a character. Such ones are one here, with the alternatives of the first.
    """
    if "".join(one.token for one in told) == text:
        return tuple((one.token, _alternatives(one)) for one in told)
    whole: list[tuple[str, Mapping[str, float]]] = []
    pending, first = b"", None
    for one in told:
        pending += bytes(one.bytes) if one.bytes is not None else one.token.encode()
        first = first or one
        try:
            whole.append((pending.decode(), _alternatives(first)))
        except UnicodeDecodeError:
            continue
        pending, first = b"", None
    return tuple(whole) if not pending and "".join(token for token, _ in whole) == text else ()


def _alternatives(one: _Token) -> dict[str, float]:
    return {one.token: one.logprob} | {other.token: other.logprob for other in one.top_logprobs or ()}
