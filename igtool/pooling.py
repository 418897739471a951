"""Vectors of items pooled to one: the newer an item, and the better it did for its account, the more it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_DAYS = 180.0
"""An item counts half as much as one that is so much newer. Age is taken from the newest of the items and not from
today: an account that is silent keeps its vector."""
BOUNDS = (0.5, 2.0)
"""An item counts at least and at most so many times for how it did: one hit does not become the account."""
_DAY_US = 86_400e6

Numbers = NDArray[np.float64]


def item_weights(
    at_us: Sequence[int | None], reactions: Sequence[float | None], views: Sequence[float | None]
) -> Numbers:
    """The weight of each of an account's items, shape (items,); greater than 0, and 1 for the only one.

    ``0.5 ** (age / half-life) * bounded(sqrt(reactions / median of the account))``. ``at_us``: microseconds since
    1970. Where reactions (likes and comments) are not known, views stand for them; what is not known is neutral: an
    item without a time is as old as the middle one, one without counts did as usual.
    """
    if len(at_us) == 1:
        return np.ones(1)
    times = _numbers(at_us)
    age_days = (_most(times) - times) / _DAY_US
    recency = 0.5 ** (_filled(age_days, _middle(age_days, 0.0)) / HALF_LIFE_DAYS)
    ratio = _filled(_to_median(_numbers(reactions)), _filled(_to_median(_numbers(views)), 1.0))
    weights: Numbers = recency * np.clip(np.sqrt(ratio), *BOUNDS)
    return weights


def pooled(vectors: Any, weights: Numbers) -> Any:
    """The weighted mean of ``vectors``, shape (items, dimension), as a unit vector, float32, shape (dimension,)."""
    mean = weights @ np.asarray(vectors, dtype=np.float64)
    return (mean / (np.linalg.norm(mean) or 1.0)).astype(np.float32)


def content_vector(items: Any, weights: Numbers, together: Any = None) -> Any:
    """The unit vector of an account's items, float32, shape (dimension,).

    ``items``: their vectors; ``together``: that of all of them in one text, as much as all items, which tells more of
    what they have in common than their mean does (docs/benchmarks.md).
    """
    mean = pooled(items, weights)
    return mean if together is None else pooled([mean, together], np.ones(2))


def _numbers(values: Sequence[float | None]) -> Numbers:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _filled(values: Numbers, instead: Any) -> Numbers:
    return np.where(np.isnan(values), instead, values)


def _most(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if len(known) else np.nan


def _middle(values: Numbers, default: float) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else default


def _to_median(values: Numbers) -> Numbers:
    """``values`` over their median; NaN where that is not known or is 0."""
    return values / (_middle(values, np.nan) or np.nan)
