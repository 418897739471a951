"""Vectors of texts, stored beside a tower: what pictures are compared with, without a model for texts."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from igtool.errors import ConfigError
from igtool.files import replaced, storage_error
from igtool.vision.boxes import Floats
from igtool.vocabulary.categories import TagVocabulary

NEUTRAL = ("a photo", "a picture", "an image")
"""Prompts that are true of every picture."""

_FORMAT = 1
_LARGEST_BYTES = 256 << 20
_MOST_TEXTS, _LONGEST, _MOST_NUMBERS = 50_000, 1000, 8192
_LARGEST_SCALE = 1e4
_NOT_ONE = 0.01
_SHA_DIGITS = 12
_FIELDS = frozenset({"format", "texts", "vectors", "scale", "bias", "weights", "source"})
_BROKEN = (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


@dataclass(frozen=True, eq=False)
class PromptVectors:
    """Texts with their vectors.

    ``texts``: the row of each. ``vectors``: shape (texts, dimension), each of length 1. A picture fits a text as
    ``scale * cosine + bias`` says: of SigLIP that is the logit of yes or no, of CLIP (``bias`` 0) what a softmax over
    texts takes. ``weights``: SHA-256 of the weights of the model, ``source``: what it was exported from.
    ``fingerprint``: the beginning of the SHA-256 of the file. ``path``: the file, for messages.
    """

    texts: Mapping[str, int]
    vectors: Floats
    scale: float
    bias: float
    weights: str
    source: str = ""
    fingerprint: str = ""
    path: Path = Path()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    @classmethod
    def read(cls, path: Path) -> PromptVectors:
        """What the file ``path`` holds. Raises ConfigError where it is missing, damaged or absurd; StorageError."""
        name = path.name.split(".prompts")[0]
        again = f"`igtool models prompts SOURCE --name {name}` writes it, with SOURCE as it was exported from"
        try:
            size = path.stat().st_size
            if size > _LARGEST_BYTES:
                raise ConfigError(f"{path} cannot be used: {size:,} bytes are too many. {again}")
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise ConfigError(f"there is no file {path} with the vectors of texts: {again}") from error
        except OSError as error:
            raise storage_error(error, path) from error
        try:
            found = _arrays(data)
            _check(found)
        except _BROKEN as error:
            raise ConfigError(f"{path} cannot be used: {error!s:.200}. {again}") from error
        return cls(
            {str(text): row for row, text in enumerate(found["texts"])},
            found["vectors"],
            float(found["scale"]),
            float(found["bias"]),
            str(found["weights"]),
            str(found["source"]),
            hashlib.sha256(data).hexdigest()[:_SHA_DIGITS],
            path,
        )

    def write(self, path: Path) -> None:
        """Write it as the file ``path``, as a whole or not at all. Raises StorageError."""
        arrays: dict[str, Any] = {"format": _FORMAT, "texts": np.array(list(self.texts)), "vectors": self.vectors}
        arrays |= {"scale": float(self.scale), "bias": float(self.bias), "weights": self.weights, "source": self.source}
        with replaced(path) as file:
            np.savez(file, allow_pickle=False, **arrays)

    def vectors_of(self, texts: Sequence[str]) -> Floats:
        """The vectors of ``texts``, shape (texts, dimension). Raises ConfigError naming one that is not there."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.texts]
        if missing:
            name, source = self.path.name.split(".prompts")[0], self.source or "SOURCE"
            raise ConfigError(
                f"{self.path} has no vector of {missing[0]!r} and lacks {len(missing)} texts in all: "
                f"`igtool models prompts {source} --name {name}` adds them"
            )
        return self.vectors[[self.texts[text] for text in texts]]


def wanted_prompts(vocabulary: TagVocabulary) -> list[str]:
    """Every text that pictures are compared with, each once: prompts of tags, backgrounds, and what is always true."""
    texts = [text for tag in vocabulary.tags.values() for text in tag.prompts]
    texts += [text for category in vocabulary.categories.values() for text in category.background]
    return list(dict.fromkeys([*texts, *NEUTRAL]))


def _arrays(data: bytes) -> dict[str, Any]:
    """The arrays of the file ``data``, whose sizes are known before one is unpacked."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = {info.filename.removesuffix(".npy") for info in archive.infolist()}
        if names != _FIELDS or len(archive.infolist()) != len(_FIELDS):
            raise ValueError("it is no file of prompts")
        if sum(info.file_size for info in archive.infolist()) > _LARGEST_BYTES:
            raise ValueError("what is packed in it is too much")
    with np.load(BytesIO(data), allow_pickle=False) as opened:
        return {name: opened[name] for name in _FIELDS}


def _check(found: Mapping[str, Any]) -> None:
    """Raises ValueError saying what cannot be."""
    kinds = {"texts": "U", "vectors": "f", "scale": "f", "bias": "f", "weights": "U", "source": "U", "format": "i"}
    ranks = {"texts": 1, "vectors": 2}
    for name, kind in kinds.items():
        if found[name].dtype.kind != kind or found[name].ndim != ranks.get(name, 0):
            raise ValueError(f"what it holds as {name} is not of the form that is read")
    if found["format"] != _FORMAT:
        raise ValueError(f"it is of the format {found['format']}, and {_FORMAT} is read: this igtool is older or newer")
    texts, vectors = found["texts"], found["vectors"]
    if vectors.dtype != np.float32 or not 0 < vectors.shape[1] <= _MOST_NUMBERS:
        raise ValueError(f"its vectors are {vectors.dtype} of {vectors.shape[1]} numbers")
    if len(texts) != len(vectors) or not 0 < len(texts) <= _MOST_TEXTS or len(set(texts.tolist())) != len(texts):
        raise ValueError(f"it has {len(texts)} texts, not all different, and {len(vectors)} vectors")
    if texts.dtype.itemsize > _LONGEST * np.dtype("U1").itemsize:
        raise ValueError("its texts are too long")
    if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < _NOT_ONE).all():  # NaN is not below it either
        raise ValueError("its vectors are no numbers (NaN) or not of length 1")
    if not 0 < found["scale"] <= _LARGEST_SCALE or not abs(found["bias"]) <= _LARGEST_SCALE:
        raise ValueError(f"a scale of {found['scale']} with a bias of {found['bias']} cannot be")
