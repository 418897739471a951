"""What measured facts say of tags: the part of ``said_by = ["rule"]``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from igtool.vocabulary.categories import Key

_FRAMED: Mapping[str, Mapping[str, float]] = {
    "close_up": {"close_up": 0.9, "portrait": 0.7},
    "full_length": {"full_body": 0.9, "three_quarter": 0.3},
}
"""Tag of composition: how likely it is for each framing of a person, else `_UNLIKELY`."""
_GROUP = {2: 0.2, 3: 0.7}
"""How likely a picture with so many people is one of a group; from four on `_LIKELY`."""
_LIKELY, _UNLIKELY = 0.9, 0.05
_GREY_CHROMA, _CHROMA_WIDTH = 4.0, 1.0
"""Mean chroma (CIELAB) at which a picture may as well be black and white as not: grey photographs as JPEG have 0 to 1,
dull ones in colour 6 and more."""


def by_rule(facts: Mapping[str, Any] | None) -> dict[Key, float]:
    """How likely tags are by the row of ``image_facts``, 0-1; only tags that facts speak of.

    These numbers are set by hand, and calibrated with the rest by ``igtool review calibrate``.
    """
    if facts is None:
        return {}
    found: dict[Key, float] = {("hair", tag): score for tag, score in json.loads(facts["hair_scores"] or "{}").items()}
    for tag, likely in _FRAMED.items():
        found["composition", tag] = likely.get(facts["framing"], _UNLIKELY)
    people = facts["persons_count"] or 0
    found["composition", "group"] = _GROUP.get(people, _UNLIKELY) if people < max(_GROUP) + 1 else _LIKELY
    if facts["chroma"] is not None:
        found["composition", "black_and_white"] = _step((_GREY_CHROMA - facts["chroma"]) / _CHROMA_WIDTH)
    return found


def _step(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
