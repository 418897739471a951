"""Vectors of texts from OpenAI, and from every server that answers ``/v1/embeddings`` like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import httpx2
import msgspec
import numpy as np
from numpy.typing import NDArray

from igtool.llms.base import ProviderOptions
from igtool.llms.hosted import who
from igtool.llms.openai import ChatProvider
from igtool.llms.refusals import said, unanswered, unreadable
from igtool.llms.usage import counted, guessed


@dataclass(frozen=True)
class Embedded:
    """What came for some texts: vectors, shape (texts, numbers), and the tokens that are paid for.

    ``trouble``: what is wrong with the answer; it was paid for all the same, and its vectors are not to be used.
    """

    vectors: NDArray[np.float32]
    input_tokens: int
    trouble: str | None = None


class Embeddings(ChatProvider):
    """One embedding model, asked as the chat models of OpenAI are: same key, address guard and bounds."""

    name = "openai"
    key_names = ("OPENAI_API_KEY",)
    own_url = "https://api.openai.com/v1"
    keys_at = "https://platform.openai.com/api-keys"
    native: ClassVar[dict[str, int]] = {
        "text-embedding-3-small": 1536,
        "text-embedding-3-large": 3072,
        "text-embedding-ada-002": 1536,
    }
    """Dimensions of OpenAI's models; https://platform.openai.com/docs/guides/embeddings"""

    def __init__(self, model: str, options: ProviderOptions, dimension: int) -> None:
        super().__init__(model, options)
        self._dimension = dimension
        self._body: dict[str, object] = {"model": model}
        if self.native.get(model, dimension) != dimension:
            self._body["dimensions"] = dimension  # many servers refuse what they do not know, so only where needed

    def vectors(self, texts: Sequence[str]) -> Embedded:
        """One call. Raises ProviderError for one without an answer."""
        import openai

        body = msgspec.json.encode({**self._body, "input": list(texts)})
        try:
            answer = self._sdk().post("/embeddings", cast_to=httpx2.Response, content=body)
        except openai.APIStatusError as error:
            raise said(error.status_code, error.response.headers, error.response.content).error(who(self)) from error
        except openai.APIConnectionError as error:
            raise unanswered(who(self), error) from error
        return self._read(answer.content, texts)

    def _read(self, content: bytes, texts: Sequence[str]) -> Embedded:
        try:
            answer = _ANSWER.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(who(self), str(error)) from error
        told = counted(answer.usage.prompt_tokens) if answer.usage else None
        tokens = guessed(sum(map(len, texts))) if told is None else told
        nothing = np.empty((0, self._dimension), dtype=np.float32)
        if sorted(each.index for each in answer.data) != list(range(len(texts))):
            return Embedded(nothing, tokens, f"answered {len(answer.data)} vectors for {len(texts)} texts")
        rows = [each.embedding for each in sorted(answer.data, key=lambda each: each.index)]
        if sizes := {len(row) for row in rows} - {self._dimension}:
            return Embedded(
                nothing,
                tokens,
                f"answers vectors of {min(sizes)} numbers where {self._dimension} are wanted: set embedding_dimension",
            )
        with np.errstate(over="ignore"):
            vectors = np.array(rows, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            return Embedded(nothing, tokens, "answered a vector that has no length")
        return Embedded(vectors / lengths[:, None], tokens)


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
