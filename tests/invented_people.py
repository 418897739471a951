"""Invented people for tests: heads of known colours, and bodies of known proportions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from igtool.vision.boxes import Box, Floats, Pixels
from igtool.vision.landmarks import Face, Pose
from igtool.vision.regions import Outline, Region

SKIN, BACKGROUND, SHIRT = (205, 160, 135), (90, 140, 90), (40, 60, 120)
UNIT = 40
"""Pixels from the eyes to the mouth of an invented head."""
CENTRE = (200, 200)
"""Of its eyes, in a picture of `SIZE` pixels a side."""
SIZE = 400
SWAPPED = {1: 4, 2: 5, 3: 6, 7: 8, 9: 10} | {point: point + 1 for point in range(11, 33, 2)}
"""Landmarks of the left that the mirror makes those of the right."""


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Pixels inside an ellipse around a place that is told in units from the eyes, up and right."""
    down, across = np.mgrid[:SIZE, :SIZE] + 0.5
    across, down = (across - CENTRE[0]) / UNIT - x, (CENTRE[1] - down) / UNIT - y
    return (across / width) ** 2 + (down / height) ** 2 <= 1


def head(
    hair: tuple[int, int, int] | None, hat: tuple[int, int, int] | None = None, skin: tuple[int, int, int] = SKIN
) -> tuple[Pixels, Face, Outline]:
    """A head from the front: hair down to the chin, a hat down to the brows; its face and its outline.

    Without ``hair`` the skull is skin. Each pixel has a little noise, as in a photograph.
    """
    down = (CENTRE[1] - np.mgrid[:SIZE, :SIZE][0]) / UNIT
    pixels = np.empty((SIZE, SIZE, 3), dtype=np.int16)
    pixels[:] = BACKGROUND
    person = np.zeros((SIZE, SIZE), dtype=np.bool_)
    shoulders = ellipse(0, -4.2, 4, 2)
    scalp = ellipse(0, 0.1, 1.65, 2.0) if hair or hat else ellipse(0, 0.1, 1.2, 1.8)
    for part, colour in ((shoulders, SHIRT), (scalp, hair or skin)):
        pixels[part] = colour
        person |= part
    if hat:
        pixels[scalp & (down > 0.6)] = hat
    face = ellipse(0, -0.3, 1.05, 1.5)
    pixels[face & ((down < 0.6) | (hat is None))] = skin
    person |= face
    pixels += np.random.default_rng(3).integers(-6, 7, pixels.shape, dtype=np.int16)
    places = np.array([[-0.48, 0], [0.48, 0], [0, -0.55], [0, -1], [-1, -0.1], [1, -0.1]])
    points = (np.array(CENTRE) + places * [UNIT, -UNIT]).astype(np.float32)
    x, y = CENTRE
    box = Box(x - 1.1 * UNIT, y - 0.6 * UNIT, x + 1.1 * UNIT, y + 1.7 * UNIT, 0.9)
    outline = Outline(person.astype(np.float32), Region(SIZE / 2, SIZE / 2, SIZE))
    return pixels.clip(0, 255).astype(np.uint8), Face(box, points), outline


def mirrored_face(face: Face, width: int) -> Face:
    """The same face in the mirrored picture."""
    points = face.points[[1, 0, 2, 3, 5, 4]].copy()
    points[:, 0] = width - points[:, 0]
    box = Box(width - face.box.right, face.box.top, width - face.box.left, face.box.bottom, face.box.score)
    return Face(box, points)


def mirrored_outline(outline: Outline, width: int) -> Outline:
    """The same outline in the mirrored picture."""
    region = outline.region
    return Outline(outline.values[:, ::-1].copy(), replace(region, x=width - region.x, angle=-region.angle))


def mirrored_pose(pose: Pose, width: int) -> Pose:
    """The same pose in the mirrored picture: what was left is right."""
    order = np.arange(33)
    for left, right in SWAPPED.items():
        order[left], order[right] = right, left
    points = pose.points[order].copy()
    points[:, 0] = width - points[:, 0]
    return Pose(points, pose.visibility[order].copy(), pose.score, mirrored_outline(pose.outline, width))


@dataclass(frozen=True)
class Body:
    """A body of known widths and lengths in pixels, upright in a picture of 512 pixels a side."""

    shoulders: float = 90
    waist: float = 60
    hips: float = 84
    torso: float = 120
    leg: float = 180
    arm_gap: float = 40
    """From the hips' edge to the wrists."""
    depth: float = 0
    """How much nearer the left side is than the right."""
    soft: float = 0
    """Pixels over which the outline's edge goes from inside to outside."""

    def pose(self) -> Pose:
        """Its landmarks, all visible, and its outline."""
        top, middle = 120.0, 256.0
        hip, knee, ankle = top + self.torso, top + self.torso + self.leg / 2, top + self.torso + self.leg
        places = {0: (middle, top - 50), 11: (middle + self.shoulders / 2, top), 23: (middle + 22, hip)}
        places |= {25: (middle + 22, knee), 27: (middle + 22, ankle), 29: (middle + 22, ankle + 8)}
        wrist = middle + self.hips / 2 + self.arm_gap
        places |= {13: ((middle + self.shoulders / 2 + wrist) / 2, top + 60), 15: (wrist, hip), 19: (wrist, hip + 20)}
        places |= {31: (middle + 26, ankle + 10), 7: (middle + 18, top - 50), 17: (wrist, hip + 15), 21: (wrist, hip)}
        points = np.zeros((33, 3), dtype=np.float32)
        points[:, :2] = middle, top - 50
        for point, (x, y) in places.items():
            points[point] = x, y, -self.depth / 2
            if point:
                points[point + 1] = 2 * middle - x, y, self.depth / 2
        return Pose(points, np.full(33, 0.99, np.float32), 1.0, Outline(self._outline(top, hip), Region(256, 256, 512)))

    def _outline(self, top: float, hip: float) -> Floats:
        """The torso narrows from the shoulders to the waist and widens to the hips; below are two legs."""
        rows = np.arange(512) + 0.5
        waist = top + 0.7 * self.torso
        half = np.interp(
            rows, [top - 20, top, waist, hip, hip + 40], [20, 50, self.waist / 2, self.hips / 2, self.hips / 2 - 4]
        )
        half[(rows < top - 20) | (rows > hip + self.leg + 20)] = -100
        off = half[:, None] - np.abs(np.arange(512)[None] + 0.5 - 256)
        edge = np.clip(off / max(self.soft, 1e-6) + 0.5, 0, 1)
        return edge.astype(np.float32)
