"""From the colour of hair to the tags it makes likely, by reference colours of hair.

The references are not fitted to photographs. Natural hair lies on a line: in 2,057 people of 23 regions lightness and
b* say nearly all about pigmented hair but red (Lozano et al., International Journal of Cosmetic Science 39, 2017,
101-107), and clusters in CIELAB separate well what observers call black, brown, blond and red (Vaughn et al., American
Journal of Physical Anthropology 137, 2008, 91-96). Black hair has L* of 15 to 18 and hardly any colour; hair without
pigment is grey to white; red is what has more a* than brown of the same lightness. The tolerances are those of
photographs: a stop more or less of exposure moves L* by about 10, light between a lamp and shade moves b* by about 7.
"""

from __future__ import annotations

import math
from typing import Literal

from igtool.vision.hair import Hair

HairTag = Literal["black", "brunette", "blonde", "redhead", "grey", "coloured"]

_REFERENCES: tuple[tuple[HairTag, tuple[int, int, int]], ...] = (
    ("black", (14, 1, 1)),
    ("brunette", (24, 6, 8)),
    ("brunette", (36, 8, 15)),
    ("blonde", (52, 7, 20)),
    ("blonde", (66, 5, 21)),
    ("blonde", (80, 1, 14)),
    ("redhead", (28, 18, 16)),
    ("redhead", (40, 21, 25)),
    ("redhead", (52, 19, 33)),
    ("grey", (45, 0, 2)),
    ("grey", (60, 0, 2)),
    ("grey", (78, 0, 3)),
)
"""A tag, and L*, a*, b* of hair that has it."""
_WIDTHS = (9.0, 5.0, 7.0)
"""How far a photograph of such hair may be off: one standard deviation."""
_OTHER = math.exp(-(2.0**2) / 2)
"""What any colour has as a chance to be none of these: that of two standard deviations."""
_DYED_CHROMA, _DYED_WIDTH = 16.0, 3.0
_NATURAL_HUES = (25.0, 95.0)
"""Degrees: melanin is between red-brown and yellow; a colourful pixel elsewhere is dye."""
_HUE_WIDTH = 8.0
_UNCONFIRMED = 0.6
_MOST_SPREAD = 30.0


def hair_tags(hair: Hair) -> dict[HairTag, float]:
    """How sure each tag is, 0 to 1, together at most 1; empty where the colour of the hair is not known.

    All are lower for uneven hair, and where nothing beside the face confirms what is above it.
    """
    colour = hair.colour
    if colour is None:
        return {}
    chances: dict[HairTag, float] = {}
    for tag, reference in _REFERENCES:
        off = zip((colour.lightness, colour.a, colour.b), reference, _WIDTHS, strict=True)
        chance = math.exp(-sum(((found - wanted) / width) ** 2 for found, wanted, width in off) / 2)
        chances[tag] = max(chances.get(tag, 0.0), chance)
    natural = _step(colour.hue - _NATURAL_HUES[0], _HUE_WIDTH) * _step(_NATURAL_HUES[1] - colour.hue, _HUE_WIDTH)
    chances["coloured"] = _step(colour.chroma - _DYED_CHROMA, _DYED_WIDTH) * (1 - natural)
    sure = (1.0 if hair.is_confirmed else _UNCONFIRMED) * max(0.0, 1 - colour.spread / _MOST_SPREAD) ** 0.5
    whole = sum(chances.values()) + _OTHER
    return {tag: round(sure * chance / whole, 4) for tag, chance in chances.items()}


def _step(value: float, width: float) -> float:
    """0 far below nothing, 1 far above, half at 0."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value / width * 3))))
