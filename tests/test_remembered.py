"""Vectors of texts that were asked for lately: the encoder's own, from memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from llm_people import Cheap

from igtool.encoders.base import Vectors
from igtool.encoders.remembered import Remembered


class Counted(Cheap):
    """Remembers which texts it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Those of the base."""
        self.asked += texts
        return super().embed(texts, is_query=is_query)


def test_a_text_is_encoded_once_and_its_vector_stays_the_encoders_own() -> None:
    """The second time the encoder is not asked; another use, model or letter of it is another text."""
    encoder, other = Counted(), Counted()
    other.model = "another"
    remembered = Remembered()
    for _ in range(2):
        for one in (encoder, other):
            for text, is_query in (("train", True), ("train", False), ("Train", True)):
                own = Cheap().encode([text], is_query=is_query)
                assert np.array_equal(remembered.of(one).encode([text], is_query=is_query), own)
    assert encoder.asked == other.asked == ["train", "train", "Train"]
    assert remembered.of(encoder).model == encoder.model


def test_what_was_asked_for_longest_ago_is_forgotten() -> None:
    """No more than so many are kept, also when many threads ask, and several texts at once are not kept."""
    encoder, remembered = Counted(), Remembered(most=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        remembered.of(encoder).encode([text], is_query=True)
    assert encoder.asked == ["a", "b", "c", "b"]
    remembered.of(encoder).encode(["x", "y"], is_query=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: remembered.of(encoder).encode([str(number % 7)]), range(200)))
    assert len(remembered) == 2
    assert encoder.asked[4:6] == ["x", "y"]
