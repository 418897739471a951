"""Colours as people see them: CIELAB, and the colour of a part of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.vision.boxes import Floats, Mask, Pixels

_TO_XYZ = np.array(
    [
        [0.4123907993, 0.3575843394, 0.1804807884],
        [0.2126390059, 0.7151686788, 0.0721923154],
        [0.0193308187, 0.1191947798, 0.9505321522],
    ]
)
"""Linear sRGB to XYZ: IEC 61966-2-1, with the digits of CSS Color 4, section 18."""
_WHITE = _TO_XYZ.sum(axis=1)
"""XYZ of D65, which is what R = G = B = 1 comes to."""
_DARK, _SLOPE = (6 / 29) ** 3, 841 / 108


@dataclass(frozen=True)
class Colour:
    """The colour of a part of a picture in CIELAB under D65.

    ``lightness`` 0 (black) to 100 (white); ``a`` green to red and ``b`` blue to yellow, about -100 to 100, the median
    pixel's. ``share``: how much of the part it was taken from, 0 to 1. ``spread``: half of the pixels are nearer to it
    than this (CIE 1976 colour difference).
    """

    lightness: float
    a: float
    b: float
    share: float
    spread: float

    @property
    def chroma(self) -> float:
        """How colourful it is, 0 for grey."""
        return float(np.hypot(self.a, self.b))

    @property
    def hue(self) -> float:
        """Degrees, -180 to 180: 0 is crimson, 90 yellow, 180 green, -90 blue."""
        return float(np.degrees(np.arctan2(self.b, self.a)))


def lab(pixels: Pixels) -> Floats:
    """CIELAB of sRGB pixels, the same shape: lightness, a, b.

    The transfer function of IEC 61966-2-1, and L*, a*, b* of CIE 15:2004, section 8.2.1.
    """
    xyz = _linear()[pixels] @ (_TO_XYZ / _WHITE[:, None]).T
    bent = np.where(xyz > _DARK, np.cbrt(xyz), xyz * _SLOPE + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def lightness(pixels: Pixels) -> Floats:
    """L* of sRGB pixels, 0 to 100, without the last axis."""
    y = _linear()[pixels] @ _TO_XYZ[1]
    bent = np.where(y > _DARK, np.cbrt(y), y * _SLOPE + 4 / 29)
    return np.asarray(116 * bent - 16, dtype=np.float32)


def colour_of(values: Floats, part: Mask, used: Mask) -> Colour | None:
    """The colour of the pixels ``used`` of ``part`` of a picture in CIELAB; None where there are none."""
    found = values[used]
    if not len(found):
        return None
    middle = np.median(found, axis=0)
    spread = float(np.median(distance(found, middle)))
    share = float(used.sum() / max(1, part.sum()))
    light, a, b = (round(float(value), 2) for value in middle)
    return Colour(light, a, b, round(share, 4), round(spread, 2))


def distance(values: NDArray[Any], other: NDArray[Any]) -> Floats:
    """CIE 1976 colour difference along the last axis."""
    return np.asarray(np.linalg.norm(values - other, axis=-1), dtype=np.float32)


@cache
def _linear() -> NDArray[np.float64]:
    """The light of each of the 256 values of a channel, 0 to 1."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
