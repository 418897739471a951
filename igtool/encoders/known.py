"""An encoder that knows some texts: their vectors were made where encoding is charged, and travel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from igtool.encoders.base import Encoder, EncoderOptions, Vectors
from igtool.errors import ConfigError


@dataclass(frozen=True)
class Texts:
    """Vectors of ``model`` by (is a search text, text)."""

    model: str
    dimension: int
    max_characters: int
    vectors: Mapping[tuple[bool, str], Vectors] = field(repr=False)


class Known(Encoder):
    """Gives the vectors of ``texts`` and asks nobody. Raises ConfigError for any other text."""

    def __init__(self, texts: Texts) -> None:
        super().__init__(EncoderOptions())
        self.model, self.dimension, self.max_characters = texts.model, texts.dimension, texts.max_characters
        self._vectors = texts.vectors

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), dimension)."""
        try:
            return np.stack([self._vectors[is_query, text] for text in texts])
        except KeyError as error:
            raise ConfigError(f"{self.model} is not asked here, and {error.args[0][1]!r:.60} is not known") from error


class Noting(Encoder):
    """``encoder``, with note of all that it was asked."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder.options)
        self.model, self.dimension, self.max_characters = encoder.model, encoder.dimension, encoder.max_characters
        self._encoder = encoder
        self._vectors: dict[tuple[bool, str], Vectors] = {}

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """What the encoder gives."""
        found = self._encoder.embed(texts, is_query=is_query)
        self._vectors |= {(is_query, text): row for text, row in zip(texts, found, strict=True)}
        return found

    def noted(self) -> Texts:
        """All of it."""
        return Texts(self.model, self.dimension, self.max_characters, self._vectors)
