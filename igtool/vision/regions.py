"""Turned squares of a picture: cut out for a model, and what the model says put back into the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from igtool.vision.boxes import Floats, Mask, Pixels, Rectangle

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Region:
    """A square of a picture: its centre and side in pixels, turned clockwise by ``angle`` radians.

    It may reach over the edge of the picture. Coordinates are continuous: the first pixel covers 0 to 1.
    """

    x: float
    y: float
    side: float
    angle: float = 0.0

    def points(self, inside: NDArray[np.floating[Any]]) -> Floats:
        """Points (n, 2) that are 0 to 1 inside the square, as pixels of the picture.

        As LandmarkProjectionCalculator does it (mediapipe/calculators/util/landmark_projection_calculator.cc).
        """
        offset = (np.asarray(inside, dtype=np.float64) - 0.5) * self.side
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = offset @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned + np.array([self.x, self.y]), dtype=np.float32)

    def inside(self, points: NDArray[np.floating[Any]]) -> Floats:
        """Pixels of the picture (n, 2) as points that are 0 to 1 inside the square: ``points`` the other way."""
        offset = np.asarray(points, dtype=np.float64) - np.array([self.x, self.y])
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = offset @ np.array([[cos, -sin], [sin, cos]])
        return np.asarray(turned / self.side + 0.5, dtype=np.float32)


def whole(pixels: Pixels) -> Region:
    """The smallest square around the whole picture: what a model sees that wants one with bars at the sides."""
    height, width = pixels.shape[:2]
    return Region(width / 2, height / 2, max(width, height))


def around(box: Rectangle, scale: float = 1.0) -> Region:
    """The square with the centre of ``box`` and ``scale`` times its longer side, at least a pixel."""
    side = max(1.0, max(box.right - box.left, box.bottom - box.top) * scale)
    return Region((box.left + box.right) / 2, (box.top + box.bottom) / 2, side)


def cut(pixels: Pixels, region: Region, size: int, *, repeat_edges: bool = False) -> Pixels:
    """The square ``region`` as a picture of ``size`` pixels a side.

    Where there is no picture it is black, or with ``repeat_edges`` as the nearest pixel. What is made smaller by more
    than two is averaged first, so that fine patterns do not turn into coarse ones.
    """
    return _cut(pixels, region, size, repeat_edges=repeat_edges).astype(np.uint8, copy=False)


def _cut(values: NDArray[Any], region: Region, size: int, *, repeat_edges: bool) -> NDArray[Any]:
    from PIL import Image

    left, top, right, bottom = _bounds(region, values, margin=2)
    if right <= left or bottom <= top:
        return np.zeros((size, size, *values.shape[2:]), dtype=values.dtype)
    image = Image.fromarray(np.ascontiguousarray(values[top:bottom, left:right]))
    factor = max(1, int(region.side / size))
    if factor > 1:
        image = image.reduce(factor)
    x, y = (region.x - left) / factor, (region.y - top) / factor
    if repeat_edges:
        reach = math.ceil(_reach(region) / factor) + 1
        missing = [max(0, math.ceil(edge)) for edge in (reach - x, reach - y, x + reach, y + reach)]
        after = [max(0, missing[2] - image.width), max(0, missing[3] - image.height)]
        image = Image.fromarray(
            np.pad(np.asarray(image), ((missing[1], after[1]), (missing[0], after[0]), (0, 0)), "edge")
        )
        x, y = x + missing[0], y + missing[1]
    step = region.side / size / factor
    cos, sin = math.cos(region.angle) * step, math.sin(region.angle) * step
    half = size / 2
    matrix = (cos, -sin, x - (cos - sin) * half, sin, cos, y - (sin + cos) * half)
    return np.asarray(image.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def polygon(corners: Floats, size: int) -> Mask:
    """What of a square with ``size`` pixels a side is inside the corners (n, 2), which may lie outside it."""
    from PIL import Image, ImageDraw

    image = Image.new("1", (size, size))
    ImageDraw.Draw(image).polygon([(x - 0.5, y - 0.5) for x, y in corners.tolist()], fill=1)
    return np.asarray(image, dtype=np.bool_)


def in_picture(pixels: Pixels, region: Region, size: int) -> Mask:
    """Where in the square ``region`` there is a picture."""
    height, width = pixels.shape[:2]
    offset = ((np.arange(size) + 0.5) / size - 0.5) * region.side
    cos, sin = math.cos(region.angle) * offset, math.sin(region.angle) * offset
    x, y = region.x + cos[None, :] - sin[:, None], region.y + sin[None, :] + cos[:, None]
    return np.asarray((x >= 0) & (x < width) & (y >= 0) & (y < height))


@dataclass(frozen=True, eq=False)
class Outline:
    """How surely each part of a square belongs to a person: ``values`` (n, n), 0 to 1, of the square ``region``."""

    values: Floats
    region: Region

    def mask(self, height: int, width: int) -> Floats:
        """The values of each pixel of a picture of that size, 0 outside the square."""
        from PIL import Image

        found = np.zeros((height, width), dtype=np.float32)
        left, top, right, bottom = _bounds(self.region, found, margin=0)
        if right <= left or bottom <= top:
            return found
        step = self.values.shape[0] / self.region.side
        cos, sin = math.cos(self.region.angle) * step, math.sin(self.region.angle) * step
        x, y = left - self.region.x, top - self.region.y
        half = self.values.shape[0] / 2
        matrix = (cos, sin, cos * x + sin * y + half, -sin, cos, -sin * x + cos * y + half)
        size = (right - left, bottom - top)
        turned = self._image().transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        found[top:bottom, left:right] = np.asarray(turned, dtype=np.float32)
        return found

    def cut(self, region: Region, size: int) -> Floats:
        """The values in another square, ``size`` a side, 0 outside this one."""
        from PIL import Image

        angle = region.angle - self.region.angle
        step = region.side / self.region.side * self.values.shape[0] / size
        cos, sin = math.cos(angle) * step, math.sin(angle) * step
        x, y = (self.region.inside(np.array([[region.x, region.y]]))[0] * self.values.shape[0]).tolist()
        half = size / 2
        matrix = (cos, -sin, x - (cos - sin) * half, sin, cos, y - (sin + cos) * half)
        turned = self._image().transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        return np.asarray(turned, dtype=np.float32)

    def _image(self) -> Image.Image:
        from PIL import Image

        return Image.fromarray(np.ascontiguousarray(self.values, dtype=np.float32))


def _bounds(region: Region, pixels: NDArray[Any], margin: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the picture that the turned square touches."""
    height, width = pixels.shape[:2]
    half = _reach(region) + margin
    left, right = (round(max(0, min(width, edge))) for edge in (region.x - half - 0.5, region.x + half + 0.5))
    top, bottom = (round(max(0, min(height, edge))) for edge in (region.y - half - 0.5, region.y + half + 0.5))
    return left, top, right, bottom


def _reach(region: Region) -> float:
    """From the centre of the turned square to the sides of the upright one around it."""
    return region.side / 2 * (abs(math.cos(region.angle)) + abs(math.sin(region.angle)))
