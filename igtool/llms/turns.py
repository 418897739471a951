"""The turns of a prompt as a server takes them: with the schema in the instruction, or without an instruction."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import msgspec

from igtool.llms.base import Message, ShownPicture

Made = TypeVar("Made")

_DEMAND = "Answer with one JSON object that fits this JSON schema, and with nothing else:"
_MOST_KEPT = 64


def with_schema(messages: Sequence[Message], schema: Mapping[str, Any]) -> list[Message]:
    """``messages`` with ``schema`` at the end of the instruction, which stays the same for all prompts of a kind."""
    demand = f"{_DEMAND}\n{msgspec.json.encode(schema).decode()}"
    if messages and messages[0].role == "system":
        return [replace(messages[0], content=f"{messages[0].content}\n\n{demand}"), *messages[1:]]
    return [Message("system", demand), *messages]


def without_instruction(messages: Sequence[Message]) -> list[Message]:
    """``messages`` with the instruction at the start of the first question, for models that know no other turns."""
    instruction = [one.content for one in messages if one.role == "system"]
    turns = [one for one in messages if one.role != "system"]
    first = [turns[0].content] if turns else []
    shown = tuple(picture for one in messages if one.role == "system" for picture in one.pictures)
    shown += turns[0].pictures if turns else ()
    return [Message("user", "\n\n".join([*instruction, *first]), shown), *turns[1:]]


def as_data_url(picture: ShownPicture) -> dict[str, Any]:
    """``picture`` as a part of a message in chat completions."""
    return {"type": "image_url", "image_url": {"url": f"data:{picture.media_type};base64,{in_base64(picture)}"}}


def in_base64(picture: ShownPicture) -> str:
    """The bytes of ``picture`` as text that JSON can hold."""
    return base64.b64encode(picture.data).decode("ascii")


def sendable(text: str) -> str:
    """``text`` without halves of characters, which no request can hold: they become question marks."""
    return text.encode("utf-8", "replace").decode()


class OfSchemas(Generic[Made]):
    """What was made of schemas, by their identity and a key: prompts of a kind share one. Used by many threads.

    A schema is kept beside what was made of it, so that no other one gets its identity.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, object], tuple[Mapping[str, Any], Made]] = {}
        self._lock = threading.Lock()

    def find(self, schema: Mapping[str, Any], key: object) -> Made | None:
        """What was kept for ``schema`` under ``key``."""
        known = self._kept.get((id(schema), key))
        return known[1] if known else None

    def keep(self, schema: Mapping[str, Any], key: object, made: Made) -> Made:
        """Keep ``made`` and give it back; the oldest are forgotten."""
        with self._lock:
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[id(schema), key] = (schema, made)
        return made
