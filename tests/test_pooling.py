"""Weights of items, and the vector they pool to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.pooling import BOUNDS, HALF_LIFE_DAYS, content_vector, item_weights, pooled

DAY_US = 86_400_000_000
COUNTS = st.lists(st.tuples(*(st.none() | st.integers(0, 10**12) for _ in range(3))).map(list), min_size=1, max_size=30)


def test_recency_halves() -> None:
    """An item that is one half-life older counts half; one without a time counts as the middle one."""
    old = int(HALF_LIFE_DAYS * DAY_US)
    assert item_weights([2 * old, old, 0], [None] * 3, [None] * 3) == pytest.approx([1, 0.5, 0.25])
    assert item_weights([2 * old, old, 0, None], [None] * 4, [None] * 4)[3] == pytest.approx(0.5)


def test_engagement_is_to_the_accounts_own_median() -> None:
    """Four times the median counts twice, within bounds; accounts of all sizes alike; unknown counts are neutral."""
    at = [0] * 5
    small = item_weights(at, [10, 10, 40, 0, None], [None] * 5)
    assert small == pytest.approx([1, 1, 2, BOUNDS[0], 1])
    assert item_weights(at, [10_000, 10_000, 40_000, 0, None], [None] * 5) == pytest.approx(small)
    assert item_weights([0] * 3, [1, 1, 10**9], [None] * 3)[2] == BOUNDS[1]


def test_views_stand_for_reactions() -> None:
    """Where reactions are not known, views over their own median count."""
    weights = item_weights([0] * 4, [10, 10, None, None], [None, None, 100, 400])
    assert weights == pytest.approx([1, 1, np.sqrt(100 / 250), np.sqrt(400 / 250)])


@given(COUNTS)
def test_weights_are_sound(rows: list[list[int | None]]) -> None:
    """Whatever is known, weights are finite and above 0, and their order follows the items."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    weights = item_weights(*columns)
    assert weights.shape == (len(rows),)
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    assert item_weights(*(column[::-1] for column in columns)) == pytest.approx(weights[::-1])


def test_pooled_is_a_unit_vector() -> None:
    """The weighted mean has length 1; vectors that cancel out give no NaN."""
    assert pooled([[1, 0], [0, 1]], np.array([3.0, 4.0])).tolist() == pytest.approx([0.6, 0.8])
    assert pooled([[1, 0], [-1, 0]], np.ones(2)).tolist() == [0, 0]


def test_all_items_together_count_as_much_as_each_alone() -> None:
    """The vector lies halfway between the mean of the items and that of their joined text; one item stays itself."""
    items = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    vector = content_vector(items, np.array([1.0, 0.0]), [0.0, 0.0, 1.0])
    assert vector.tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    assert content_vector(items[:1], np.ones(1)).tolist() == [1, 0, 0]
