"""The colours of what somebody wears above and below the hips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igtool.vision.boxes import Floats, Mask, Pixels
from igtool.vision.cielab import Colour, colour_of, lab
from igtool.vision.landmarks import Pose
from igtool.vision.regions import cut, in_picture, polygon

_SIZE = 256
_SEEN = 0.5
_INSIDE = 0.8
_LEAST_PIXELS = 200
"""Of the 65,536 pixels of the square around a person."""
_LEAST_SHARE = 0.35
_MOST_SPREAD = 30.0
_INSET = 0.12
"""Of the way to the middle line: how far from shoulders and hips the part is looked at, to leave out arms and edges."""
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE = 11, 12, 23, 24, 25, 26


@dataclass(frozen=True)
class Garments:
    """Colours of the upper and of the lower garment, each None where it is hidden, cut off, or of many colours."""

    upper: Colour | None
    lower: Colour | None


def garments_of(pixels: Pixels, pose: Pose) -> Garments:
    """The colours between shoulders and hips, and between hips and knees."""
    values = lab(cut(pixels, pose.region, _SIZE))
    shown = in_picture(pixels, pose.region, _SIZE)
    person = (pose.outline.cut(pose.region, _SIZE) >= _INSIDE) & shown
    points = pose.region.inside(pose.points[:, :2]) * _SIZE
    seen = pose.visibility >= _SEEN
    upper = lower = None
    if seen[[LEFT_SHOULDER, RIGHT_SHOULDER]].all():
        upper = _colour(values, person, _torso(points) & shown)
    if seen[[LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE]].all():
        lower = _colour(values, person, _thighs(points) & shown)
    return Garments(upper, lower)


def _colour(values: Floats, person: Mask, part: Mask) -> Colour | None:
    colour = colour_of(values, part, part & person)
    if colour is None or (part & person).sum() < _LEAST_PIXELS:
        return None
    return colour if colour.share >= _LEAST_SHARE and colour.spread <= _MOST_SPREAD else None


def _torso(points: Floats) -> Mask:
    """Between the shoulders and the hips, without the neck and the arms."""
    corners = points[[LEFT_SHOULDER, RIGHT_SHOULDER, RIGHT_HIP, LEFT_HIP]]
    middle = (corners + corners[[1, 0, 3, 2]]) / np.float32(2)
    corners = corners + (middle - corners) * np.float32(2 * _INSET)
    down = (corners[2:].mean(axis=0) - corners[:2].mean(axis=0)) * _INSET
    corners[:2] += down
    return polygon(corners, _SIZE)


def _thighs(points: Floats) -> Mask:
    """Both legs from below the hips to above the knees, each a third of the hips' width wide."""
    width = float(np.hypot(*(points[LEFT_HIP] - points[RIGHT_HIP]))) / 3
    part = np.zeros((_SIZE, _SIZE), dtype=np.bool_)
    for hip, knee in ((LEFT_HIP, LEFT_KNEE), (RIGHT_HIP, RIGHT_KNEE)):
        along = points[knee] - points[hip]
        length = float(np.hypot(*along))
        if length > 1:
            across = np.array([-along[1], along[0]], dtype=np.float32) * np.float32(width / length)
            start, end = points[hip] + along * _INSET, points[hip] + along * (1 - _INSET)
            corners = np.stack([start - across, start + across, end + across, end - across])
            part |= polygon(corners, _SIZE)
    return part
