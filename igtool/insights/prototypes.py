"""Vectors of our own sentences: the examples of each sentiment and the prototypes of each cluster.

They are encoded once and stored beside the vocabulary; who edits a sentence or chooses another encoder gets them
encoded again, once per process.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from igtool import vocabulary
from igtool.encoders.base import Encoder, Vectors
from igtool.errors import ConfigError
from igtool.files import replaced
from igtool.insights.head import CLASSES
from igtool.insights.taxonomy import Taxonomy
from igtool.weights import BROKEN, read_arrays

FOLDER = Path(vocabulary.__file__).parent
FILE = FOLDER / "insight_vectors.npz"
EXAMPLES = FOLDER / "sentiment.toml"


@dataclass(frozen=True)
class Sentences:
    """Sentences with what they stand for: a class of sentiment or the slug of a cluster."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    vectors: Vectors
    """Shape (sentences, dimension)."""


def examples(path: Path = EXAMPLES) -> list[tuple[str, str]]:
    """Class and sentence of every example of a sentiment. Raises ConfigError."""
    try:
        tables: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        found = [(label, text) for label in CLASSES for text in tables[label]["examples"]]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path.name} needs a list of examples for each of {', '.join(CLASSES)}: {error}") from error
    if not all(isinstance(text, str) for _, text in found):
        raise ConfigError(f"{path.name}: examples must be texts")
    return found


def sentences(taxonomy: Taxonomy, encoder: Encoder, stored: Path = FILE) -> tuple[Sentences, Sentences]:
    """The examples of sentiments and the prototypes of clusters; encoded where ``stored`` holds others."""
    shown, named = examples(), taxonomy.sentences
    texts = [text for _, text in (*shown, *named)]
    vectors = _stored(stored, digest(texts, encoder))
    if vectors is None:
        vectors = encode(texts, encoder)
    cut = len(shown)
    return (
        Sentences(tuple(texts[:cut]), tuple(label for label, _ in shown), vectors[:cut]),
        Sentences(tuple(texts[cut:]), tuple(slug for slug, _ in named), vectors[cut:]),
    )


def encode(texts: Sequence[str], encoder: Encoder) -> Vectors:
    """Vectors with the precision in which they are stored, so that it does not matter where they come from."""
    return encoder.encode(texts).astype(np.float16).astype(np.float32)


def digest(texts: Sequence[str], encoder: Encoder) -> str:
    """What tells whether stored vectors are those of ``texts``."""
    return hashlib.sha256(json.dumps([encoder.model, *texts]).encode()).hexdigest()


def save(path: Path, texts: Sequence[str], vectors: Vectors, encoder: Encoder) -> None:
    """Store the vectors of ``texts``. Raises StorageError."""
    with replaced(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            digest=np.frombuffer(digest(texts, encoder).encode(), dtype=np.uint8),
            vectors=vectors.astype(np.float16),
        )


def _stored(path: Path, wanted: str) -> Vectors | None:
    try:
        stored = read_arrays(path)
        is_current = stored["digest"].tobytes().decode() == wanted
        return np.asarray(stored["vectors"], dtype=np.float32) if is_current else None
    except BROKEN:
        return None
