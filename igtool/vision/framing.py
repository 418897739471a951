"""How much of a person a picture shows, and how sharp, bright and colourful it is."""

from __future__ import annotations

from typing import Literal

import numpy as np

from igtool.vision.boxes import Floats, Pixels, Rectangle
from igtool.vision.cielab import lab, lightness
from igtool.vision.landmarks import Face, Pose

Framing = Literal["full_body", "three_quarter", "half_body", "portrait", "close_up", "none"]

_SEEN = 0.5
"""Visibility from which a landmark counts as shown."""
_FILLS = 0.4
"""Of the picture's height: a face box that is higher makes a close-up."""
_FRAMINGS: tuple[tuple[Framing, tuple[int, ...]], ...] = (
    ("full_body", (27, 28, 29, 30, 31, 32)),
    ("three_quarter", (25, 26)),
    ("half_body", (23, 24)),
    ("portrait", (11, 12)),
)
"""The lowest part that is shown, by landmarks: ankles and feet, knees, hips, shoulders."""
_BELOW_CHIN: tuple[tuple[Framing, float], ...] = (
    ("full_body", 9.0),
    ("three_quarter", 6.0),
    ("half_body", 3.0),
    ("portrait", 0.4),
)
"""Heights of a face box that are shown below it. A standing adult is seven and a half heads high, and a face box 0.7 of
a head: from the chin it is 9.3 to the ankles, 6.6 to the knees, 4 to the hips."""
_SHARP_SIDE = 512
_SHARP_HALF = 100.0
"""Variance of the Laplacian of grey values 0 to 255 that counts as half sharp: the limit that is customary for telling
blurred photographs (Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000, for the measure)."""


def framing_of(height: int, width: int, face: Face | None, pose: Pose | None, box: Rectangle | None = None) -> Framing:
    """How much of the person is shown, by pose where there is one, else by how much of them is below the face.

    ``height`` and ``width`` are the picture's. ``none``: nobody, or only parts without head and shoulders.
    """
    if face is not None and face.box.bottom - face.box.top >= _FILLS * height:
        return "close_up"
    if pose is not None:
        return _of_pose(height, width, face, pose)
    if face is None:
        return "none"
    end = min(height, box.bottom) if box is not None else height
    below = (end - face.box.bottom) / (face.box.bottom - face.box.top)
    return next((name for name, least in _BELOW_CHIN if below >= least), "close_up")


def _of_pose(height: int, width: int, face: Face | None, pose: Pose) -> Framing:
    x, y = pose.points[:, 0], pose.points[:, 1]
    shown = (pose.visibility >= _SEEN) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    if face is None and not shown[[0, 11, 12]].any():
        return "none"
    return next((name for name, points in _FRAMINGS if shown[list(points)].any()), "close_up")


def sharpness(pixels: Pixels, box: Rectangle | None = None) -> float:
    """How sharp the picture is, or what is in ``box``, 0 (one tone) to 1; 0.5 is where a photograph looks blurred.

    The variance v of the Laplacian as v / (v + 100), of grey values of the picture made smaller until its longer side
    is 512 pixels; smaller ones are taken as they are.
    """
    from PIL import Image

    if box is not None:
        left, top, right, bottom = (max(0, round(edge)) for edge in (box.left, box.top, box.right, box.bottom))
        pixels = pixels[top:bottom, left:right] if bottom - top > 2 and right - left > 2 else pixels
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    image.thumbnail((_SHARP_SIDE, _SHARP_SIDE), Image.Resampling.BOX)
    grey = np.asarray(image, dtype=np.float32)
    if min(grey.shape) <= 2:
        return 0.0
    sides = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    variance = float((sides - 4 * grey[1:-1, 1:-1]).var())
    return round(variance / (variance + _SHARP_HALF), 4)


def brightness(pixels: Pixels) -> float:
    """How light the picture is on the whole: the mean L* of every fourth pixel each way, 0 (black) to 1 (white)."""
    step = 4 if min(pixels.shape[:2]) >= 64 else 1
    shown: Floats = lightness(pixels[::step, ::step])
    return round(float(shown.mean()) / 100, 4)


def chroma(pixels: Pixels) -> float:
    """How colourful the picture is on the whole: mean distance from grey (CIELAB) of every eighth pixel each way."""
    step = 8 if min(pixels.shape[:2]) >= 64 else 1
    colours = lab(pixels[::step, ::step])
    return round(float(np.hypot(colours[..., 1], colours[..., 2]).mean()), 2)
