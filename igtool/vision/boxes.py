"""Rectangles in a picture, in its pixels: x to the right, y down, the left upper corner is 0, 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""A picture: RGB, shape (height, width, 3), upright."""
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Rectangle(Protocol):
    """Anything with four sides: a box of a person, or of a face."""

    @property
    def left(self) -> float: ...  # noqa: D102
    @property
    def top(self) -> float: ...  # noqa: D102
    @property
    def right(self) -> float: ...  # noqa: D102
    @property
    def bottom(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Box:
    """A rectangle that a detector found, and how sure it is, 0 to 1. It may reach over the edge of the picture."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 1.0


def area(box: Rectangle) -> float:
    """Square pixels, 0 for a box that is turned inside out."""
    return max(0.0, box.right - box.left) * max(0.0, box.bottom - box.top)


def common_area(first: Rectangle, second: Rectangle) -> float:
    """Square pixels that both cover."""
    width = min(first.right, second.right) - max(first.left, second.left)
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    return max(0.0, width) * max(0.0, height)


def overlap(first: Rectangle, second: Rectangle) -> float:
    """Intersection over union, 0 to 1."""
    common = common_area(first, second)
    union = area(first) + area(second) - common
    return common / union if union > 0 else 0.0


def overlaps(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of ``box``, its four sides, with each of ``boxes``, (boxes, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    sizes = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    union = sizes + np.clip(box[2:] - box[:2], 0, None).prod() - common
    shares: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares
