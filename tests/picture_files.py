"""Small picture files of every kind, made when they are asked for."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

PIXELS = np.zeros((48, 64, 3), np.uint8)
PIXELS[..., 0] = np.linspace(0, 255, 64, dtype=np.uint8)
PIXELS[..., 1] = np.linspace(0, 255, 48, dtype=np.uint8)[:, None]
PIXELS[4:20, 6:26] = (230, 40, 90)
"""A picture that is equal to none of its turned and mirrored copies."""


def picture_file(form: str, pixels: Any = PIXELS, mode: str = "RGB", **options: Any) -> bytes:
    """``pixels`` as a file of the format ``form`` of Pillow."""
    file = BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form, **options)
    return file.getvalue()


def turned(orientation: int) -> Any:
    """`PIXELS` as a camera stores it that was held so that this EXIF orientation is to be undone."""
    image = Image.fromarray(PIXELS)
    if orientation > 1:
        ways = Image.Transpose
        undone = {
            2: ways.FLIP_LEFT_RIGHT,
            3: ways.ROTATE_180,
            4: ways.FLIP_TOP_BOTTOM,
            5: ways.TRANSPOSE,
            6: ways.ROTATE_90,
            7: ways.TRANSVERSE,
            8: ways.ROTATE_270,
        }
        image = image.transpose(undone[orientation])
    return np.asarray(image)


def exif(orientation: int, place: bool = True) -> bytes:
    """EXIF with an orientation, and a place on earth."""
    made = Image.Exif()
    made[0x0112] = orientation
    made[0x010F] = "A camera of somebody"
    if place:
        made.get_ifd(0x8825)[1] = "N"
    return made.tobytes()


def frames() -> dict[str, Any]:
    """Options that make Pillow write an animation of three frames."""
    others = [Image.fromarray(255 - PIXELS), Image.fromarray(PIXELS[::-1])]
    return {"save_all": True, "append_images": others, "duration": 100, "loop": 0}


def srgb() -> bytes:
    """The colour profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """A colour profile of a device whose red is blue, and whose blue is red."""
    return srgb().replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that says it has so many pixels, and holds few of them."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    end = png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that says it has so many pixels, and holds few of them."""
    whole = picture_file("JPEG")
    place = whole.index(b"\xff\xc0") + 5
    return whole[:place] + struct.pack(">HH", height, width) + whole[place + 4 :]


EVERY_KIND: dict[str, bytes] = {
    "jpeg": picture_file("JPEG", exif=exif(6), comment=b"made by somebody"),
    "progressive": picture_file("JPEG", progressive=True),
    "grey jpeg": picture_file("JPEG", mode="L"),
    "cmyk": picture_file("JPEG", mode="CMYK"),
    "mpo": picture_file("MPO", **frames()),
    "png": picture_file("PNG", exif=exif(3)),
    "palette": picture_file("PNG", mode="P", transparency=3),
    "16 bits": picture_file("PNG", pixels=PIXELS[..., 0].astype(np.uint16) * 257, mode="I;16"),
    "apng": picture_file("PNG", **frames()),
    "webp": picture_file("WEBP", exif=exif(8)),
    "lossless webp": picture_file("WEBP", lossless=True, mode="RGBA"),
    "animated webp": picture_file("WEBP", **frames()),
    "gif": picture_file("GIF", **frames()),
    "avif": picture_file("AVIF", exif=exif(5), icc_profile=srgb()),
    "bmp": picture_file("BMP"),
}
