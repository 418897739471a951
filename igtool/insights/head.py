"""The trained sentiment head: weights over words, lexicon sums and the vector of a text, in one small file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool import vocabulary
from igtool.encoders.base import Encoder, Vectors, unit
from igtool.errors import ConfigError
from igtool.files import replaced
from igtool.insights.words import DENSE, Span, dense, ngrams, tokens, valences
from igtool.weights import BROKEN, read_arrays

FILE = Path(vocabulary.__file__).parent / "sentiment.npz"
CLASSES = ("negative", "neutral", "positive")
DENSE_SCALE = 0.2
"""Of the standardised lexicon sums beside a vector of length 1: chosen on the development split, see docs."""
TERM_SCALE = 0.5
"""Of the n-grams, which together have length 1."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What the words of one text say: n-grams that have weights, lexicon words, and sums of these."""

    terms: list[tuple[int, Span]]
    valences: list[tuple[float, Span]]
    dense: NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Weights of a softmax over ``CLASSES``; immutable, the same answer for a text in any batch."""

    encoder: str
    """Model whose vectors it was trained on."""
    terms: dict[str, int] = field(repr=False)
    term_weights: Floats = field(repr=False)
    """Shape (terms, 3)."""
    lexicon: dict[str, float] = field(repr=False)
    dense_mean: Floats = field(repr=False)
    dense_spread: Floats = field(repr=False)
    dense_weights: Floats = field(repr=False)
    centre: Vectors = field(repr=False)
    """Mean vector of the training texts: E5's common direction."""
    vector_weights: Floats = field(repr=False)
    bias: Floats
    temperature: float
    sources: tuple[str, ...]
    """What it was trained on, with licences."""

    def read(self, text: str) -> Evidence:
        """The evidence in ``text``, which ``words.plain`` has made; spans are places in it."""
        found = tokens(text)
        said = valences(text, found, self.lexicon)
        known = [(self.terms[name], span) for name, span in ngrams(found) if name in self.terms]
        return Evidence(known, said, dense(text, found, said))

    def logits(self, evidence: Evidence, vector: Vectors) -> Floats:
        """Unscaled scores of the classes for one text, shape (3,)."""
        scaled = DENSE_SCALE * (evidence.dense - self.dense_mean) / self.dense_spread
        total = self.bias + scaled @ self.dense_weights + self.from_vector(vector)
        if evidence.terms:
            total = total + self.term_weights[[term for term, _ in evidence.terms]].sum(axis=0) * self.share(evidence)
        result: Floats = total
        return result

    def from_vector(self, vector: Vectors) -> Floats:
        """What the vector of a text adds to the scores, shape (3,)."""
        said: Floats = unit(vector - self.centre).astype(np.float64) @ self.vector_weights
        return said

    @staticmethod
    def share(evidence: Evidence) -> float:
        """The weight of one n-gram among those of its text."""
        return TERM_SCALE / math.sqrt(len(evidence.terms) or 1)

    def probabilities(self, logits: Floats) -> Floats:
        """Calibrated probabilities of the classes, the last axis sums to 1."""
        powers = np.exp((logits - logits.max(axis=-1, keepdims=True)) / self.temperature)
        chances: Floats = powers / powers.sum(axis=-1, keepdims=True)
        return chances

    def check(self, encoder: Encoder) -> None:
        """Raises ConfigError where the vectors of ``encoder`` are not those that the head was trained on."""
        if encoder.model != self.encoder:
            raise ConfigError(
                f"the sentiment head was trained on vectors of {self.encoder}, the encoder is {encoder.model}: "
                "train one with `python -m benchmarks.train_sentiment`, or choose that encoder"
            )

    def save(self, path: Path) -> None:
        """Write the head as one file, replaced as a whole; 16-bit weights. Raises StorageError."""
        meta = {"encoder": self.encoder, "temperature": self.temperature, "sources": self.sources, "dense": DENSE}
        arrays: dict[str, Any] = {
            "meta": _bytes(meta),
            "terms": _bytes(list(self.terms)),
            "lexicon": _bytes(self.lexicon),
            "term_weights": self.term_weights.astype(np.float16),
            "vector_weights": self.vector_weights.astype(np.float16),
            "centre": self.centre.astype(np.float32),
            "dense": np.stack([self.dense_mean, self.dense_spread, *self.dense_weights.T]),
            "bias": self.bias,
        }
        with replaced(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


def _bytes(value: Mapping[str, Any] | Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), dtype=np.uint8)


@lru_cache(maxsize=2)
def load(path: Path = FILE) -> Head:
    """The head in ``path``, read once per process. Raises ConfigError."""
    try:
        values = read_arrays(path)
        meta, terms, lexicon = (json.loads(values[name].tobytes()) for name in ("meta", "terms", "lexicon"))
        if tuple(meta["dense"]) != DENSE:
            raise ConfigError(f"{path.name} is of another version of igtool; train it again, see docs/insights.md")
        sums = values["dense"].astype(np.float64)
        return Head(
            meta["encoder"],
            {term: place for place, term in enumerate(terms)},
            values["term_weights"].astype(np.float64),
            lexicon,
            sums[0],
            sums[1],
            sums[2:].T,
            values["centre"].astype(np.float32),
            values["vector_weights"].astype(np.float64),
            values["bias"].astype(np.float64),
            float(meta["temperature"]),
            tuple(meta["sources"]),
        )
    except BROKEN as error:
        raise ConfigError(f"{path} is no sentiment head: {error}; reinstall igtool or train it again") from error
