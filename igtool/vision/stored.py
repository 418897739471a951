"""What is kept of a picture on disk: the picture and nothing else."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import NamedTuple

from igtool.vision.colour import transform_of
from igtool.vision.containers import read_content
from igtool.vision.content import Content
from igtool.vision.kinds import PictureKind
from igtool.vision.pictures import DEFAULT_LIMITS, Limits, Pixels, checked, need_packages, read_picture

QUALITY = 92
"""Of a JPEG that is written anew, its colours at full resolution: 45 to 50 dB of photographs of a phone."""
_MODES = {3: "RGB", 4: "CMYK"}


class Stored(NamedTuple):
    """A file to be kept: its bytes, their SHA-256 in hexadecimal, and their kind: jpeg, png or webp."""

    content: bytes
    sha256: str
    kind: PictureKind


def stored_form(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Stored:
    """What is kept of the picture file ``data``: upright, without EXIF, GPS, XMP, comments, previews and profile.

    An upright JPEG, PNG or still WebP in sRGB keeps its coded pixels as they are; the file is not decoded for that, so
    read the picture from what is kept. All else is decoded and written anew: what was coded without loss (GIF, BMP,
    PNG) as PNG, the rest as JPEG of quality 92; of animations the first frame; colours of a profile as sRGB. The same
    bytes give the same file with the same versions of the packages, and what is kept has itself as its stored form.
    Raises NotAPicture; ConfigError where the packages are missing.
    """
    need_packages()
    content = checked(data, limits)
    if content.pieces and content.orientation == 1 and not _has_own_colours(content):
        return _stored(content.bare(), "jpeg" if content.kind == "mpo" else content.kind)
    pixels = read_picture(data, limits).pixels
    return _png(pixels) if content.is_lossless else _jpeg(pixels)


def stored_still(pixels: Pixels) -> Stored:
    """What is kept of a still of a video, in sRGB and upright: a JPEG of quality 92."""
    need_packages()
    return _jpeg(pixels)


def _has_own_colours(content: Content) -> bool:
    """Whether dropping the colour profile would change colours."""
    mode = _MODES.get(content.channels, "RGB")
    return content.profile is not None and transform_of(content.profile, mode) is not None


def _jpeg(pixels: Pixels) -> Stored:
    import simplejpeg

    return _stored(read_content(simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "444")).bare(), "jpeg")


def _png(pixels: Pixels) -> Stored:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=6)
    return _stored(read_content(file.getvalue()).bare(), "png")


def _stored(content: bytes, kind: PictureKind) -> Stored:
    return Stored(content, hashlib.sha256(content).hexdigest(), kind)
