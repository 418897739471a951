"""A picture drawn in a terminal: two pixels a character, in 24-bit colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igtool.vision.boxes import Pixels

_UPPER_HALF = "▀"


def drawn(pixels: Pixels, columns: int = 64, rows: int = 24) -> str:
    """Lines of half blocks, ending with a reset of colours; at most so many columns and rows."""
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = min(columns / width, 2 * rows / height)
    size = max(1, round(width * scale)), max(2, round(height * scale) // 2 * 2)
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX)).tolist()
    lines = []
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        pairs = zip(map(_codes, upper), map(_codes, lower), strict=True)
        lines.append("".join(f"\x1b[38;2;{top};48;2;{bottom}m{_UPPER_HALF}" for top, bottom in pairs) + "\x1b[0m")
    return "\n".join(lines)


def _codes(colour: Sequence[int]) -> str:
    return ";".join(map(str, colour))
