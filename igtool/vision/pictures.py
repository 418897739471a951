"""Bytes to a checked picture: nothing is decoded before its size is known, and what is no picture is told why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from igtool.errors import ConfigError
from igtool.vision.colour import in_srgb
from igtool.vision.containers import read_content
from igtool.vision.content import Content, broken, cut_off, orientation_of
from igtool.vision.kinds import NotAPicture, PictureKind

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]
"""RGB, shape (height, width, 3), upright."""

_BOMB = 1000
"""Pixels a byte. A photograph has 2 to 20, a JPEG of one colour about 200: what has more was made to swell."""
_MOST_PIXELS = 89_000_000
"""Pillow warns of more."""
_QUICK = (4, 3, 2, 1, 7, 6, 5)
"""Eighths of its size in which a JPEG is decoded, the best first: beyond four the decoder is slower than for all."""
_FORMATS = {"jpeg": "JPEG", "mpo": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF", "bmp": "BMP"}
_SIMPLE_CHANNELS = (1, 3)

_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}
"""What undoes each EXIF orientation."""


@dataclass(frozen=True)
class Limits:
    """What is still taken for a picture. ``max_side``: of the longer side. ``max_other_pixels``: of what is no JPEG.

    50 megapixels are more than phones and platforms give. Other kinds are always decoded whole, at up to 21 bytes of
    memory a pixel (measured): with these limits half a gigabyte for the time of decoding. A JPEG takes 9 bytes a pixel
    (CMYK 14), and where a part of its size is wanted 6 if it is progressive, else next to nothing. More than 89
    million pixels are never decoded.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_other_pixels: int = 25_000_000
    max_side: int = 19_999


@dataclass(frozen=True, eq=False)
class Picture:
    """``pixels`` in sRGB, upright, read-only. ``width`` and ``height``: of the whole picture, upright."""

    pixels: Pixels
    width: int
    height: int
    kind: PictureKind


DEFAULT_LIMITS = Limits()


def read_picture(data: bytes, limits: Limits = DEFAULT_LIMITS, *, at_most: int | None = None) -> Picture:
    """The picture in the file ``data``: of an animation its first frame, transparency on white, colours as sRGB.

    ``at_most``: the longest side that is wanted. The result has at most that, and at least two thirds of it where the
    picture is as large; a JPEG is then decoded at a fraction of its size. Raises NotAPicture; ConfigError where the
    packages are missing.
    """
    content = checked(data, limits)
    pixels, orientation = _decoded(content, limits, at_most)
    if orientation in _UPRIGHT:
        pixels = _UPRIGHT[orientation](pixels)
    pixels = np.ascontiguousarray(pixels)
    pixels.setflags(write=False)
    width, height = (content.width, content.height) if orientation < 5 else (content.height, content.width)
    return Picture(pixels, width, height, content.kind)


def checked(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Content:
    """What is needed of the file ``data``, within ``limits``. Raises NotAPicture."""
    if len(data) > limits.max_bytes:
        raise NotAPicture("too-large-bytes", f"{len(data):,} bytes; at most {limits.max_bytes:,} are read")
    content = read_content(data)
    _check_size(content, (content.width, content.height), limits)
    return content


def _check_size(content: Content, sides: tuple[int, int], limits: Limits) -> None:
    (width, height), size = sides, len(content.data)
    pixels = width * height
    most = min(limits.max_pixels if content.channels else limits.max_other_pixels, _MOST_PIXELS)
    if pixels <= most and max(width, height) <= limits.max_side:
        return
    told = f"{width:,} × {height:,} pixels in {size:,} bytes"
    if pixels > most and pixels > _BOMB * size:
        raise NotAPicture("decompression-bomb", told)
    raise NotAPicture("too-many-pixels", f"{told}: at most {most:,} are read, and {limits.max_side:,} on a side")


def need_packages() -> None:
    """Raises ConfigError where what decodes pictures is not installed."""
    try:
        import PIL.Image  # noqa: F401
        import simplejpeg  # noqa: F401
    except ImportError as error:
        raise ConfigError("pictures need two packages: pip install 'igtool[vision]'") from error


def _decoded(content: Content, limits: Limits, at_most: int | None) -> tuple[Pixels, int]:
    """The pixels as coded, in sRGB, and the orientation."""
    need_packages()
    try:
        return _from_jpeg(content, at_most) or _from_others(content, limits, at_most)
    except NotAPicture:
        raise
    except Exception as error:  # of any bytes: the packages raise what they happen to
        words = str(error) or type(error).__name__
        if isinstance(error, EOFError) or "truncat" in words.lower():
            raise cut_off() from error
        raise broken(f"the picture cannot be decoded: {words:.200}") from error


# JPEG ------------------------------------------------------------------------------------------------------------


def _from_jpeg(content: Content, at_most: int | None) -> tuple[Pixels, int] | None:
    """A JPEG decoded at the fraction that fits ``at_most``; None for what is none, or is one with a fault."""
    if content.channels not in _SIMPLE_CHANNELS:
        return None
    eighths = _eighths(max(content.width, content.height), at_most)
    size = (-(-content.width * eighths // 8), -(-content.height * eighths // 8)) if eighths < 8 else (0, 0)
    pixels, fault = _faultless(content.data, size)
    if fault:  # perhaps only because of what is not the picture
        pixels, fault = _faultless(content.bare(), size)
    if "remature end" in fault:
        raise cut_off()
    if pixels is None:
        return None
    if content.profile or (at_most is not None and max(pixels.shape) > at_most):
        from PIL import Image

        pixels = np.asarray(in_srgb(_shrunk(Image.fromarray(pixels), at_most), content.profile))
    return pixels, content.orientation


def _faultless(data: bytes, size: tuple[int, int]) -> tuple[Pixels | None, str]:
    """The pixels of a JPEG at the fraction that is nearest to ``size``; or none, and what is at fault.

    simplejpeg is not asked to overlook faults: then it overlooks also those after which there is no picture, and
    gives memory that was never written.
    """
    import simplejpeg

    try:
        return simplejpeg.decode_jpeg(data, "RGB", min_width=size[0], min_height=size[1], strict=True), ""
    except ValueError as error:
        return None, str(error) or "a fault"


def _eighths(side: int, at_most: int | None) -> int:
    """In how many eighths of its size to decode a JPEG with a longest side of ``side``."""
    if at_most is None or side <= at_most:
        return 8
    fitting = (eighths for eighths in _QUICK if 2 * at_most <= 3 * -(-side * eighths // 8) <= 3 * at_most)
    larger = (eighths for eighths in range(1, 8) if side * eighths // 8 >= at_most)
    return next(fitting, None) or next(larger, 8)


# All other kinds, and damage that every viewer gets over ---------------------------------------------------------


def _from_others(content: Content, limits: Limits, at_most: int | None) -> tuple[Pixels, int]:
    from PIL import Image

    with Image.open(BytesIO(content.bare()), formats=(_FORMATS[content.kind],)) as image:
        _check_size(content, image.size, limits)
        if at_most is not None and content.channels:
            image.draft(None, _fitted(image.size, at_most))
        image.load()
        profile, orientation = content.profile, content.orientation
        if content.kind == "avif":
            profile = image.info.get("icc_profile")
            orientation = orientation_of(image.info.get("exif", b""))
        return np.asarray(in_srgb(_opaque(image, at_most), profile)), orientation


def _opaque(image: Image.Image, at_most: int | None) -> Image.Image:
    """``image`` with a longest side of ``at_most``, on white, in mode L, RGB or CMYK."""
    from PIL import Image

    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.has_transparency_data and image.mode != "LA":
        image = image.convert("RGBA")
    elif image.mode not in ("L", "LA", "RGB", "CMYK"):
        image = image.convert("RGB")
    image = _shrunk(image, at_most)
    if image.mode not in ("LA", "RGBA"):
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _shrunk(image: Image.Image, at_most: int | None) -> Image.Image:
    """``image`` with a longest side of ``at_most``, if it has more."""
    from PIL import Image

    if at_most is None or max(image.size) <= at_most:
        return image
    return image.resize(_fitted(image.size, at_most), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _fitted(size: tuple[int, int], at_most: int) -> tuple[int, int]:
    """``size`` with a longest side of ``at_most``."""
    longest = max(size)
    width, height = (max(1, round(side * at_most / longest)) for side in size)
    return width, height
