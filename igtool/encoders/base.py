"""The contract of every encoder: texts in, unit vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.inference import Device

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class EncoderOptions:
    """What an encoder is made with, from the settings.

    ``folder``: of an encoder that is a folder. ``name``, ``api_key``, ``base_url``, ``dimension``: of a model behind a
    network, None where the user gave none. ``allow_loopback``: reach this machine although the base URL does not name
    it (tests).
    """

    folder: Path = Path("models/encoder")
    device: Device = "cpu"
    threads: int = 2
    name: str | None = None
    dimension: int | None = None
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    timeout_s: float = 120.0
    allow_loopback: bool = False


class Encoder(ABC):
    """Texts to unit vectors. A subclass writes ``embed``; the base cleans, cuts and embeds equal texts once.

    ``model`` is stored beside each vector: vectors of two models are never compared. Making an encoder is cheap and
    tells its ``model``; what is heavy is loaded by the first text.
    """

    model: str
    dimension: int
    max_characters = 1500
    """Longer texts are cut: about 512 tokens, the window of E5."""

    def __init__(self, options: EncoderOptions | None = None) -> None:
        self.options = options or EncoderOptions()

    @abstractmethod
    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), dimension) for clean, non-empty, distinct texts."""

    def encode(self, texts: Sequence[str], *, is_query: bool = False) -> Vectors:
        """Unit vectors of shape (len(texts), dimension), float32, in the order of ``texts``.

        A search text is encoded with ``is_query``, a document without, as E5 was trained (arXiv 2212.03533).
        """
        cleaned = [_clean(text)[: self.max_characters] or " " for text in texts]
        distinct = list(dict.fromkeys(cleaned))
        if not distinct:
            return np.empty((0, self.dimension), dtype=np.float32)
        vectors = self.embed(distinct, is_query=is_query)
        position = {text: row for row, text in enumerate(distinct)}
        return vectors[[position[text] for text in cleaned]]


def _clean(text: str) -> str:
    """``text`` without NUL and lone surrogates, which tokenizers written in C do not survive."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def unit(vectors: Any) -> Vectors:
    """Rows scaled to length 1; a zero row stays zero."""
    array = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(array, axis=-1, keepdims=True)
    scaled: Vectors = np.divide(array, length, out=np.zeros_like(array), where=length > 0)
    return scaled
