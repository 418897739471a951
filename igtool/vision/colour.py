"""Colours of a picture as sRGB, whatever profile it carries."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageCms

_TOLERANCE = 3
"""Of 255. A profile that moves no colour by more is sRGB under another name, as nearly all are."""
_LEVELS = bytes(range(0, 256, 51))
_SPACES = {"RGB": "RGB ", "CMYK": "CMYK"}


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """``image`` (of mode L, RGB or CMYK) as RGB, its colours taken for those of ``profile``.

    Without a profile, and where it is that of another kind of picture or cannot be used, colours are taken for sRGB,
    as browsers do; so are those of grey pictures.
    """
    transform = transform_of(profile, image.mode) if profile else None
    if transform is None:
        return image.convert("RGB")
    from PIL import ImageCms

    turned = ImageCms.applyTransform(image, transform)
    return image.convert("RGB") if turned is None else turned


@lru_cache(maxsize=8)
def transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What turns colours of ``profile`` into sRGB; None where there is nothing to turn, or no way to."""
    from PIL import Image, ImageCms

    space = _SPACES.get(mode)
    if space is None or profile[16:20] != space.encode():
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            flags=ImageCms.Flags.NOCACHE,  # threads share it
        )
    except Exception:  # noqa: BLE001 - a profile of any bytes: the package raises what it happens to
        return None
    if mode == "CMYK":
        return transform
    colours = bytes(level for r in _LEVELS for g in _LEVELS for b in _LEVELS for level in (r, g, b))
    probe = Image.frombytes("RGB", (len(colours) // 3, 1), colours)
    turned = ImageCms.applyTransform(probe, transform)
    moved = 0 if turned is None else max(abs(a - b) for a, b in zip(colours, turned.tobytes(), strict=True))
    return transform if moved > _TOLERANCE else None
