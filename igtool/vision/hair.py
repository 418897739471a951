"""The colour of somebody's hair: where it is looked for, when it is not told, and the tags that it makes likely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igtool.vision.boxes import Box, Floats, Mask, Pixels
from igtool.vision.cielab import Colour, colour_of, distance, lab
from igtool.vision.landmarks import Face
from igtool.vision.regions import Outline, Region, cut, in_picture

Unsure = Literal["face_too_small", "no_outline", "no_colours", "covered_or_bald", "crown_and_sides_differ", "uneven"]

_SIZE = 128
_SIDE = 5.2
"""Of the square around a head, in distances from eyes to mouth: from above high hair to below the chin."""
_CENTRE = 0.3
"""Of that square, above the eyes, in the same unit."""
_LEAST_UNIT = 8.0
"""Pixels from eyes to mouth; a head is about seven of that high."""
_INSIDE = 0.8
"""A pixel belongs to the person from here."""
_LEAST_PIXELS, _LEAST_SIDES = 150, 40
"""Of the 16,384 pixels of that square."""
_LEAST_OUTLINE = 0.15
_LEAST_SHARE = 0.25
_LIGHT_FALLS = np.array([2, 1, 1], dtype=np.float32)
"""Light comes from above: what is beside a face is darker, so a difference of L* counts half there."""
_UNDER_HATS = 0.3
_MOST_SPREAD = 18.0
_MOST_DIFFERENCE = 22.0
_SKIN_HUES = (5.0, 90.0)
_LEAST_SKIN_CHROMA = 6.0
"""Skin of any tone is orange, hue about 30 to 70 degrees at a chroma of 10 to 30: a face far from that means a picture
without colours, or under coloured light."""
_DARKER, _LIGHTER = 35.0, 20.0
_SKIN_CHROMATICITY = 0.07
"""How much darker and lighter in L* than the middle of the face, and how different in colour, a pixel may be to count
as skin: light falls unevenly on a face, but hardly changes its colour."""


@dataclass(frozen=True)
class Hair:
    """The colour of somebody's hair, or why it is not told: ``colour`` is None where ``unsure`` says something.

    ``is_confirmed``: hair beside the face has the colour of that above it. Where there is none beside it, a hat cannot
    be told from short hair.
    """

    colour: Colour | None
    unsure: Unsure | None = None
    is_confirmed: bool = False


@dataclass(frozen=True)
class HairParts:
    """What was looked at: the square around the head, its pixels in CIELAB, and which are taken for hair."""

    region: Region
    values: Floats
    crown: Mask
    sides: Mask
    hair: Mask


def head_region(face: Face) -> Region | None:
    """The upright square around a head, None for a face that is too small to tell hair from what is around it.

    Its middle is between the ears, so that of a head that is turned the back is in it too. Proportions are of the
    distance between eyes and mouth, about 65 mm of an adult's head.
    """
    eyes, mouth, ears = face.points[:2].mean(axis=0), face.points[3], face.points[4:6].mean(axis=0)
    up = eyes - mouth
    unit = float(np.hypot(*up))
    if unit < _LEAST_UNIT:
        return None
    up /= unit
    right = np.array([-up[1], up[0]])
    x, y = eyes + right * ((ears - eyes) @ right) + up * unit * _CENTRE
    return Region(float(x), float(y), unit * _SIDE, math.atan2(up[0], -up[1]))


def head_box(face: Face) -> Box:
    """The box to give to `igtool.vision.landmarks.Silhouette` for the outline of a head and shoulders.

    The face stands in it as in the portraits that the model was made for.
    """
    width, height = face.box.right - face.box.left, face.box.bottom - face.box.top
    return Box(face.box.left - width, face.box.top - height, face.box.right + width, face.box.bottom + height)


def hair_of(pixels: Pixels, face: Face, outline: Outline) -> Hair:
    """The colour of the hair around ``face``; ``outline`` is that of the person.

    Skin is left out by the colour of the middle of this very face, in this call; nothing of it is kept.
    """
    parts = hair_parts(pixels, face, outline)
    if not isinstance(parts, HairParts):
        return Hair(None, parts)
    area = parts.crown | parts.sides
    colour = colour_of(parts.values, area, parts.hair)
    if colour is None or parts.hair.sum() < _LEAST_PIXELS or colour.share < _LEAST_SHARE:
        return Hair(None, "covered_or_bald")
    difference = _difference(parts)
    if difference is not None and difference > _MOST_DIFFERENCE:
        return Hair(None, "crown_and_sides_differ")
    if colour.spread > _MOST_SPREAD:
        return Hair(None, "uneven")
    return Hair(colour, is_confirmed=difference is not None)


def hair_parts(pixels: Pixels, face: Face, outline: Outline) -> HairParts | Unsure:
    """Which pixels around ``face`` are taken for hair, or why none can be."""
    region = head_region(face)
    if region is None:
        return "face_too_small"
    values = lab(cut(pixels, region, _SIZE))
    person = (outline.cut(region, _SIZE) >= _INSIDE) & in_picture(pixels, region, _SIZE)
    turned = float(region.inside(face.points[[0, 1, 3]])[:, 0].mean() - 0.5) * _SIDE
    crown, sides, cheeks = _areas(round(turned, 1))
    crown, sides = crown & person, sides & person
    if (crown | sides).mean() < _LEAST_OUTLINE * _areas(0.0)[0].mean():
        return "no_outline"
    skin = np.median(values[cheeks], axis=0)
    if not (_SKIN_HUES[0] <= math.degrees(math.atan2(skin[2], skin[1])) <= _SKIN_HUES[1]) or (
        float(np.hypot(skin[1], skin[2])) < _LEAST_SKIN_CHROMA
    ):
        return "no_colours"
    darker = skin[0] - values[..., 0]
    is_skin = (np.abs(darker + (_LIGHTER - _DARKER) / 2) < (_LIGHTER + _DARKER) / 2) & (
        distance(_chromaticity(values), _chromaticity(skin)) < _SKIN_CHROMATICITY
    )
    return HairParts(region, values, crown, sides, (crown | sides) & ~is_skin)


def _chromaticity(values: Floats) -> Floats:
    """a* and b* by L* + 16: what stays of a colour that is lit less: all go with the cube root of light."""
    return np.asarray(values[..., 1:] / (np.maximum(values[..., :1], 0) + 16), dtype=np.float32)


def _difference(parts: HairParts) -> float | None:
    """How different hair above the face and at its sides is, where hats do not reach; None for too little of either."""
    above, beside = (parts.values[parts.hair & part] for part in (parts.crown, parts.sides & _under_hats()))
    if min(len(above), len(beside)) < _LEAST_SIDES:
        return None
    return float(distance(np.median(above, axis=0) / _LIGHT_FALLS, np.median(beside, axis=0) / _LIGHT_FALLS))


@cache
def _areas(turned: float) -> tuple[Mask, Mask, Mask]:
    """Above the face, beside it, and the cheeks with the nose, inside the square around a head.

    ``turned``: how far the face is right of the middle of the head. With 1 from eyes to mouth, a hairline is about 1.2
    above the eyes, the top of a skull 1.8, the chin 1.75 below, an ear 1.0 from the middle (the proportions of
    Farkas, Anthropometry of the Head and Face, 1994); hair is looked for as far as 0.7 above a skull and 0.8 beside.
    """
    step = _SIDE / _SIZE
    down, across = np.mgrid[:_SIZE, :_SIZE]
    x = (across + 0.5) * step - _SIDE / 2
    y = _SIDE / 2 - (down + 0.5) * step + _CENTRE
    head = _ellipse(x, y - 0.3, 1.8, 2.2)
    face = _ellipse(x - turned, y + 0.3, 1.1, 1.55)
    crown = head & ~face & (y > 0.8)
    ears = _ellipse(np.abs(x) - 1.05, y + 0.25, 0.3, 0.5)
    sides = head & ~face & ~ears & (y <= 0.8) & (y > -1.2)
    cheeks = _ellipse(x - turned, y + 0.5, 0.55, 0.4)
    return crown, sides, cheeks


@cache
def _under_hats() -> Mask:
    """What is not higher than a little above the eyes, inside the square around a head."""
    down = np.mgrid[:_SIZE, :_SIZE][0]
    return np.asarray(_SIDE / 2 - (down + 0.5) * _SIDE / _SIZE + _CENTRE < _UNDER_HATS)


def _ellipse(x: NDArray[Any], y: NDArray[Any], width: float, height: float) -> Mask:
    return np.asarray((x / width) ** 2 + (y / height) ** 2 <= 1)
