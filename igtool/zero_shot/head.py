"""Weights that were trained for one encoder: from vectors to niches, and to the categories of videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool import vocabulary
from igtool.encoders.base import Vectors
from igtool.errors import ConfigError
from igtool.files import replaced
from igtool.weights import BROKEN, read_arrays

FILE = Path(vocabulary.__file__).parent / "niches.npz"
_VERSION = 1

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """Weighs what tells a vector from the mean one."""

    mean: Scores
    """Shape (dimension,)."""
    weights: Scores
    """Shape (dimension, outputs)."""

    def __call__(self, vectors: Vectors) -> Scores:
        """One row of outputs a vector, rounded.

        The last bits of a matrix product depend on how many rows it has, and a creator's row must not depend on its
        batch.
        """
        product: Scores = ((vectors - self.mean) @ self.weights).round(9)
        return product


@dataclass(frozen=True)
class Head:
    """What benchmarks/train_niches.py learnt; used only with the encoder it learnt from."""

    encoder: str
    """Model whose vectors it reads."""
    slugs: tuple[str, ...]
    """Niches that it knows."""
    categories: tuple[str, ...]
    """YouTube's categories, in its own words."""
    niches: Linear = field(repr=False)
    """Learnt from example texts of each niche."""
    niche_bias: Scores = field(repr=False)
    names: Linear = field(repr=False)
    """Names and biographies to categories; learnt from names of channels."""
    content: Linear = field(repr=False)
    """The newest texts to categories; learnt from titles of the same channels."""
    category_bias: Scores = field(repr=False)
    shares: Scores = field(repr=False)
    """Of the channels of a niche, the share that chooses each category, shape (niches, categories)."""
    sources: tuple[str, ...]
    """What it was trained on, with licences."""

    def near(self, vectors: Vectors) -> Scores:
        """Standardised score of each niche for each vector, shape (vectors, niches)."""
        return standardised(self.niches(vectors) + self.niche_bias)

    def category_shares(self, vectors: Vectors, owners: Any, is_content: Any, rows: int) -> Scores:
        """Probability of each category for each of ``rows`` creators, shape (rows, categories).

        ``owners`` is the creator of each vector, ``is_content`` whether it stands for items rather than for name and
        biography. Vectors of a kind are averaged, and a kind that is missing says nothing.
        """
        logits = np.tile(self.category_bias, (rows, 1))
        for chosen, linear in ((~is_content, self.names), (is_content, self.content)):
            total = np.zeros_like(logits)
            np.add.at(total, owners[chosen], linear(vectors[chosen]))
            count = np.bincount(owners[chosen], minlength=rows)
            logits += total / np.maximum(count, 1)[:, None]
        return softmax(logits)

    def places(self, slugs: Sequence[str]) -> NDArray[np.int64]:
        """Where each of ``slugs`` stands in `slugs`, -1 for one that is not there."""
        at = {slug: place for place, slug in enumerate(self.slugs)}
        return np.array([at.get(slug, -1) for slug in slugs], dtype=np.int64)

    def save(self, path: Path) -> None:
        """Write the head as one file, replaced as a whole; 16-bit weights. Raises StorageError."""
        meta = {
            "version": _VERSION,
            "encoder": self.encoder,
            "slugs": self.slugs,
            "categories": self.categories,
            "sources": self.sources,
        }
        arrays: dict[str, Any] = {
            "meta": np.frombuffer(json.dumps(meta, ensure_ascii=False).encode(), dtype=np.uint8),
            "niche_bias": self.niche_bias,
            "category_bias": self.category_bias,
            "shares": self.shares,
        }
        for name in ("niches", "names", "content"):
            linear: Linear = getattr(self, name)
            arrays[f"{name}_mean"] = linear.mean.astype(np.float32)
            arrays[f"{name}_weights"] = linear.weights.astype(np.float16)
        with replaced(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


@lru_cache(maxsize=4)
def load_head(encoder: str, path: Path = FILE) -> Head | None:
    """The head in ``path`` if it was trained for vectors of ``encoder``, else None. Raises ConfigError."""
    head = _read(path)
    return head if head.encoder == encoder else None


def _read(path: Path) -> Head:
    try:
        values = read_arrays(path)
        meta = json.loads(values["meta"].tobytes())
        if meta["version"] != _VERSION:
            raise ConfigError(f"{path.name} is of another version of igtool; train it again, see docs/benchmarks.md")
        niches, names, content = (
            Linear(values[f"{name}_mean"].astype(np.float64), values[f"{name}_weights"].astype(np.float64))
            for name in ("niches", "names", "content")
        )
        return Head(
            meta["encoder"],
            tuple(meta["slugs"]),
            tuple(meta["categories"]),
            niches,
            values["niche_bias"].astype(np.float64),
            names,
            content,
            values["category_bias"].astype(np.float64),
            values["shares"].astype(np.float64),
            tuple(meta["sources"]),
        )
    except BROKEN as error:
        raise ConfigError(f"{path} is no niche head: {error}; reinstall igtool or train it again") from error


def standardised(scores: Scores) -> Scores:
    """Mean 0 and standard deviation 1 along the last axis; a row without differences becomes 0."""
    centred = scores - scores.mean(axis=-1, keepdims=True)
    spread = scores.std(axis=-1, keepdims=True)
    scaled: Scores = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    return scaled


def softmax(logits: Scores) -> Scores:
    """Scores that sum to 1 along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores: Scores = powers / powers.sum(axis=-1, keepdims=True)
    return scores
