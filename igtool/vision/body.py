"""Proportions of a body, of the class ``consent``: measured only for whom the caller is allowed to, and off by default.

Ratios only: nothing here has a unit of length, and height is never told. They are of the outline of a clothed person in
a picture, so wide clothes make them wrong by more than the uncertainty says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igtool.vision.boxes import Box, Floats, Pixels, Rectangle, area, common_area
from igtool.vision.landmarks import Pose

Unmeasured = Literal[
    "not_allowed",
    "no_subject",
    "no_pose",
    "cut_off",
    "hidden",
    "not_standing",
    "not_frontal",
    "overlapped",
    "arms_at_body",
    "outline_unsure",
]

Silhouette = Literal["straight", "wider_above", "wider_below", "narrow_waist"]
"""What the ratios make of an outline, in words of geometry: see `silhouette_of`."""

_SHOULDERS, _HIPS, _KNEES, _ANKLES = (11, 12), (23, 24), (25, 26), (27, 28)
_NEEDED = (*_SHOULDERS, *_HIPS, *_KNEES, *_ANKLES)
_ARMS = ((11, 13, 15, 19), (12, 14, 16, 20))
"""Shoulder, elbow, wrist, index finger."""
_SEEN = 0.8
_MOST_LEAN, _MOST_TURN = math.radians(12), math.radians(25)
_STRAIGHT = math.radians(155)
"""Of a knee, and between torso and thigh."""
_MOST_OVERLAP = 0.02
_EDGE = (0.25, 0.75)
"""Of the outline's certainty: the pixels between are its soft edge."""
_MOST_EDGE = 0.25
"""Of a width: an outline that is less sharp says nothing."""
_ARM_DISTANCE = 0.06
"""Of the torso's length: an arm that is nearer to the edge of the torso may be taken for it."""
LANDMARK_ERROR = 0.09
"""Standard deviation along a line of a visible shoulder, hip, knee or ankle, in lengths of the torso: half of them are
within 0.11 of where people put them (benchmarks.vision_quality, part pose), and 0.11 / 1.18 is that of a normal error.
"""

_WIDER = 1.25
"""A width that is a quarter more than another, or is a quarter less where that is a quarter more."""
_SURE = 0.75


@dataclass(frozen=True)
class Ratio:
    """A ratio of two lengths with one standard deviation."""

    value: float
    error: float


@dataclass(frozen=True)
class BodyFacts:
    """Proportions of one body, all None where ``unmeasured`` says why.

    ``shoulder_to_hip``: between the shoulder joints by the widest at the hips; ``waist_to_hip``: the narrowest between
    ribs and hips by that; ``leg_to_torso``: hip to ankle by shoulder to hip. ``silhouette`` is None also where the
    errors are too large for it.
    """

    shoulder_to_hip: Ratio | None = None
    waist_to_hip: Ratio | None = None
    leg_to_torso: Ratio | None = None
    silhouette: Silhouette | None = None
    unmeasured: Unmeasured | None = None


@dataclass(frozen=True)
class _Length:
    """A length with one standard deviation, in the same unit as others of its body."""

    value: float
    error: float

    def by(self, other: _Length) -> Ratio:
        """The ratio of two lengths that err independently, to first order."""
        value = self.value / other.value
        relative = math.hypot(self.error / self.value, other.error / other.value)
        return Ratio(round(value, 3), round(value * relative, 3))


def body_facts(pixels: Pixels, pose: Pose, others: Sequence[Rectangle] = (), *, allowed: bool) -> BodyFacts:
    """The proportions of a person who stands upright, faces the camera or away from it, and is hidden by nothing.

    ``others``: the boxes of other people. ``allowed`` is what consent and declared adulthood give; without it nothing
    is computed.
    """
    if allowed is not True:
        return BodyFacts(unmeasured="not_allowed")
    height, width = pixels.shape[:2]
    why = _obstacle(pose, height, width, others)
    if why is not None:
        return BodyFacts(unmeasured=why)
    points = pose.region.inside(pose.points[:, :2]) * pose.outline.values.shape[0]
    torso = _torso(points, pose.visibility)
    waist = _width(pose.outline.values, points, torso.value, (0.5, 0.95), widest=False)
    hips = _width(pose.outline.values, points, torso.value, (0.85, 1.2), widest=True)
    if isinstance(waist, str) or isinstance(hips, str):
        return BodyFacts(unmeasured=waist if isinstance(waist, str) else hips if isinstance(hips, str) else None)
    shoulders = _between(points, pose.visibility, *_SHOULDERS, torso.value).by(hips)
    return BodyFacts(
        shoulder_to_hip=shoulders,
        waist_to_hip=waist.by(hips),
        leg_to_torso=_leg(points, pose.visibility, torso.value).by(torso),
        silhouette=silhouette_of(shoulders, waist.by(hips)),
    )


def silhouette_of(shoulder_to_hip: Ratio, waist_to_hip: Ratio) -> Silhouette | None:
    """The shape for which three chances in four speak, if the errors are normal and independent; else None.

    ``wider_above``: the shoulders are a quarter wider than the hips, or more; ``wider_below``: the hips are a quarter
    wider than the shoulders; of what is neither, ``narrow_waist``: the hips are a quarter wider than the waist, and
    ``straight``: they are not. The shoulders are measured between their joints, which lie inside the outline.
    """
    above = 1 - _chance_below(_WIDER, shoulder_to_hip)
    below = _chance_below(1 / _WIDER, shoulder_to_hip)
    narrow = _chance_below(1 / _WIDER, waist_to_hip)
    even = 1 - above - below
    chances: dict[Silhouette, float] = {"wider_above": above, "wider_below": below}
    chances |= {"narrow_waist": even * narrow, "straight": even * (1 - narrow)}
    return next((shape for shape, chance in chances.items() if chance >= _SURE), None)


def _chance_below(limit: float, ratio: Ratio) -> float:
    return (1 + math.erf((limit - ratio.value) / (max(ratio.error, 1e-6) * math.sqrt(2)))) / 2


def _obstacle(pose: Pose, height: int, width: int, others: Iterable[Rectangle]) -> Unmeasured | None:
    """Why this pose cannot be measured."""
    points = pose.points[list(_NEEDED), :2]
    if (points < 0).any() or (points >= (width, height)).any():
        return "cut_off"
    if pose.visibility[list(_NEEDED)].min() < _SEEN:
        return "hidden"
    body = Box(*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    if any(common_area(body, other) > _MOST_OVERLAP * area(body) for other in others):
        return "overlapped"
    if not _is_standing(pose.points[:, :2]):
        return "not_standing"
    return None if _is_frontal(pose.points) else "not_frontal"


def _is_standing(points: Floats) -> bool:
    shoulders, hips = points[list(_SHOULDERS)].mean(axis=0), points[list(_HIPS)].mean(axis=0)
    x, y = hips - shoulders
    if y <= 0 or abs(math.atan2(x, y)) > _MOST_LEAN:
        return False
    straight = (
        _angle(points[first], points[middle], points[last]) >= _STRAIGHT
        for side in (0, 1)
        for first, middle, last in (
            (_HIPS[side], _KNEES[side], _ANKLES[side]),
            (_SHOULDERS[side], _HIPS[side], _KNEES[side]),
        )
    )
    return all(straight) and bool((points[list(_ANKLES), 1] > points[list(_KNEES), 1]).all())


def _is_frontal(points: Floats) -> bool:
    """Whether shoulders and hips are about as far from the camera on both sides."""
    turns = []
    for first, second in (_SHOULDERS, _HIPS):
        x, _, depth = (points[first] - points[second]).tolist()
        turns.append(math.atan2(abs(depth), abs(x)))
    return max(turns) <= _MOST_TURN


def _angle(first: Floats, middle: Floats, last: Floats) -> float:
    one, other = first - middle, last - middle
    scale = float(np.hypot(*one) * np.hypot(*other))
    return math.acos(max(-1.0, min(1.0, float(one @ other) / scale))) if scale > 0 else 0.0


def _between(points: Floats, visibility: Floats, first: int, second: int, torso: float) -> _Length:
    """From one landmark to another; each errs by `LANDMARK_ERROR` of the torso, more where it is seen less surely."""
    errors = [LANDMARK_ERROR * torso / max(float(visibility[point]), 0.1) for point in (first, second)]
    return _Length(float(np.hypot(*(points[first] - points[second]))), math.hypot(*errors))


def _torso(points: Floats, visibility: Floats) -> _Length:
    """From the middle of the shoulders to the middle of the hips: the mean of both sides errs by half of both."""
    middle = float(np.hypot(*(points[list(_SHOULDERS)].mean(axis=0) - points[list(_HIPS)].mean(axis=0))))
    sides = [_between(points, visibility, _SHOULDERS[side], _HIPS[side], middle) for side in (0, 1)]
    return _Length(middle, math.hypot(*(side.error for side in sides)) / 2)


def _leg(points: Floats, visibility: Floats, torso: float) -> _Length:
    """From hip over knee to ankle, the mean of both legs."""
    parts = [
        _between(points, visibility, first[side], second[side], torso)
        for side in (0, 1)
        for first, second in ((_HIPS, _KNEES), (_KNEES, _ANKLES))
    ]
    return _Length(sum(part.value for part in parts) / 2, math.hypot(*(part.error for part in parts)) / 2)


def _width(
    outline: Floats, points: Floats, torso: float, rows: tuple[float, float], *, widest: bool
) -> _Length | Unmeasured:
    """The widest or narrowest of the torso between two heights, in torsos below the shoulders, with its soft edge.

    ``arms_at_body``: an arm is so near that it may be a part of the width.
    """
    shoulders, hips = points[list(_SHOULDERS)].mean(axis=0), points[list(_HIPS)].mean(axis=0)
    found: list[tuple[float, float]] = []
    for row in range(round(float(shoulders[1]) + rows[0] * torso), round(float(shoulders[1]) + rows[1] * torso) + 1):
        if not 0 <= row < outline.shape[0]:
            return "cut_off"
        middle = float(np.interp(row, [shoulders[1], hips[1]], [shoulders[0], hips[0]]))
        edges = _edges(outline[row], middle)
        if edges is None:
            return "outline_unsure"
        left, right, soft = edges
        if any(left - _ARM_DISTANCE * torso < x < right + _ARM_DISTANCE * torso for x in _arms_at(points, row)):
            return "arms_at_body"
        found.append((right - left, soft))
    if not found:
        return "outline_unsure"
    value, soft = max(found) if widest else min(found)
    return _Length(value, soft) if value > 0 and soft < _MOST_EDGE * value else "outline_unsure"


def _edges(row: NDArray[Any], middle: float) -> tuple[float, float, float] | None:
    """Left and right edge of what holds ``middle`` in a row of the outline, and one standard deviation of the width.

    An edge lies where the certainty is one half; how far it is from a quarter to three quarters is how unsure its place
    is, and no edge is surer than a half pixel.
    """
    start = int(middle)
    if not 0 <= start < len(row) or row[start] < _EDGE[1]:
        return None
    places, unsure = [], []
    for side in (row[start::-1], row[start:]):
        crossed = [_crossing(side, level) for level in (_EDGE[1], 0.5, _EDGE[0])]
        if any(math.isinf(place) for place in crossed):
            return None
        places.append(crossed[1])
        unsure.append(max(0.5, (crossed[2] - crossed[0]) / 2))
    return start + 0.5 - places[0], start + 0.5 + places[1], math.hypot(*unsure)


def _crossing(values: NDArray[Any], level: float) -> float:
    """How many pixels from the first the values fall below ``level``, infinite where they never do."""
    below = np.flatnonzero(values < level)
    if not len(below):
        return math.inf
    end = int(below[0])
    before, after = float(values[end - 1]), float(values[end])
    return end - 1 + (before - level) / (before - after)


def _arms_at(points: Floats, row: float) -> list[float]:
    """Where both arms are at a height, from the shoulder to the finger."""
    found = []
    for arm in _ARMS:
        for first, last in pairwise(arm):
            (x, y), (end_x, end_y) = points[first].tolist(), points[last].tolist()
            if min(y, end_y) <= row <= max(y, end_y) and y != end_y:
                found.append(x + (end_x - x) * (row - y) / (end_y - y))
    return found
