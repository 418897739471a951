"""Vectors of single texts that were asked for lately, in memory: people ask for the same things."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from igtool.encoders.base import Encoder, Vectors

MOST = 2_000
"""Texts that are remembered: 3 MB of vectors of the default encoder, 25 MB of the largest hosted one."""


class Remembered:
    """Encoders that answer from memory where they can, for any number of threads. Nothing of it is stored.

    A text is the same one with the same letters, model and use (``is_query``), so an answer never differs from the
    encoder's own.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._vectors: OrderedDict[tuple[str, bool, str], Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def of(self, encoder: Encoder) -> Encoder:
        """``encoder``, asked only for what is not remembered of its model."""
        return _Remembering(encoder, self)

    def vector(self, encoder: Encoder, text: str, *, is_query: bool) -> Vectors:
        """The vector of a text as an array (1, dimension), not to be written to."""
        key = (encoder.model, is_query, text)
        with self._lock:
            known = self._vectors.get(key)
            if known is not None:
                self._vectors.move_to_end(key)
                return known
        found = encoder.embed([text], is_query=is_query)
        found.flags.writeable = False
        with self._lock:
            self._vectors[key] = found
            self._vectors.move_to_end(key)
            if len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
        return found


class _Remembering(Encoder):
    def __init__(self, encoder: Encoder, remembered: Remembered) -> None:
        super().__init__(encoder.options)
        self.model, self.max_characters = encoder.model, encoder.max_characters
        self._encoder, self._remembered = encoder, remembered

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        if len(texts) == 1:
            return self._remembered.vector(self._encoder, texts[0], is_query=is_query)
        return self._encoder.embed(texts, is_query=is_query)
