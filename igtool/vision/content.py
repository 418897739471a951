"""What is needed of a picture file: size, orientation, colour profile, and the bytes of its first picture."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from igtool.vision.kinds import NotAPicture, PictureKind

MOST_PROFILE = 4 << 20
"""Bytes. Larger colour profiles are ignored; those of printing presses have up to 3 MB."""
MOST_PARTS = 100_000
"""Of a file: to walk as many takes a tenth of a second."""

_ORIENTATION = 0x0112
_FORMS = {1: "B", 3: "H", 4: "I"}


@dataclass(frozen=True)
class Content:
    """What is needed of a file. ``width`` and ``height`` are as coded, before ``orientation`` (1 to 8) is applied.

    ``pieces``: the file with nothing but its first picture in it: no EXIF, GPS, XMP, comments, previews, further
    frames, or what hangs behind the end. Empty where only a decoded copy leaves all of that behind. ``channels``: of a
    JPEG, else 0. ``is_lossless``: the coding keeps every pixel.
    """

    kind: PictureKind
    width: int
    height: int
    data: bytes
    pieces: Sequence[bytes | memoryview] = ()
    orientation: int = 1
    profile: bytes | None = None
    channels: int = 0
    is_lossless: bool = False

    def bare(self) -> bytes:
        """The file with nothing but its first picture in it, if it can be had without decoding; else the file."""
        return b"".join(self.pieces) or self.data


def cut_off() -> NotAPicture:
    """The file ends too early."""
    return NotAPicture("truncated", "the file ends in the middle of its picture")


def broken(what: str) -> NotAPicture:
    """The file contradicts its own format."""
    return NotAPicture("broken", what)


def orientation_of(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1 where none can be read."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(f"{order}I", exif, 4)[0]
        count = struct.unpack_from(f"{order}H", exif, start)[0]
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, form = struct.unpack_from(f"{order}HH", exif, place)
            if tag == _ORIENTATION:
                value = int(struct.unpack_from(order + _FORMS.get(form, "H"), exif, place + 8)[0])
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
