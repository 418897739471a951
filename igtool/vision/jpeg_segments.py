"""A JPEG file, segment by segment (ITU-T T.81, annex B): what is needed of it, and the rest left out."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from igtool.vision.content import MOST_PARTS, MOST_PROFILE, Content, broken, cut_off, orientation_of
from igtool.vision.kinds import NotAPicture

_START, _END, _SCAN, _SINGLE = 0xD8, 0xD9, 0xDA, 0x01
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_DECODED = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive, all with Huffman codes: what decoders are built with."""
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""FF 00 is a coded FF, and D0 to D7 stand between coded data. It begins with one certain byte, which is looked for at
2 GB/s; with any number of them it would take as long as decoding."""
_JFIF = bytes.fromhex("ffe0 0010 4a46494600 0101 00 0001 0001 00 00")
"""Tells decoders that the colours are YCbCr: without preview and resolution."""
_ADOBE = bytes.fromhex("ffee 000e 41646f6265 0064 0000 0000")
"""The same for other colours, which one byte behind it tells."""
_ICC = b"ICC_PROFILE\0"
_MOST_SCANS = 100
"""Each costs a pass over all pixels; encoders that search for the best write up to 64."""


def read_jpeg(data: bytes) -> Content:
    """What is needed of the JPEG ``data``; of an MPO, its first picture. Raises NotAPicture, struct.error."""
    parts = _Parts()
    for number, (marker, payload, coded) in enumerate(_segments(data)):
        if number > MOST_PARTS:
            raise broken("a JPEG of impossibly many parts")
        if marker >= _APP0:
            parts.application(marker, payload)
        else:
            parts.picture(marker, payload, coded)
    return parts.content(data)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """(marker, payload, coded data behind it) of each segment up to the end of the first picture."""
    view = memoryview(data)
    found = _MARKER.search(data, 2)
    while found and found[1][0] not in (_START, _END):
        marker, start = found[1][0], found.end()
        if marker == _SINGLE:
            found = _MARKER.search(data, start)
            continue
        length = int(struct.unpack_from(">H", data, start)[0])
        end = start + length
        if length < 2:
            raise broken("a part of the JPEG has an impossible length")
        if end > len(data):
            raise cut_off()
        found = _MARKER.search(data, end)
        yield marker, data[start + 2 : end], view[end : found.start()] if found and marker == _SCAN else view[:0]
    if not found or found[1][0] == _START:
        raise cut_off()


class _Parts:
    """What is gathered from the segments."""

    def __init__(self) -> None:
        self._kept: list[bytes | memoryview] = []
        self._size: tuple[int, int, int] | None = None
        self._scans = 0
        self._orientation: int | None = None
        self._profile: dict[int, bytes] = {}
        self._is_several = False
        self._colours: dict[int, bytes] = {}

    def picture(self, marker: int, payload: bytes, coded: memoryview) -> None:
        """Keep a segment that the picture is made of."""
        if marker in _FRAMES:
            self._frame(marker, payload)
        elif marker == _SCAN:
            self._scans += 1
            if self._scans > _MOST_SCANS:
                raise NotAPicture("decompression-bomb", f"a JPEG of more than {_MOST_SCANS} passes over its pixels")
        self._kept += [bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload, coded]

    def application(self, marker: int, payload: bytes) -> None:
        """Learn from a segment of metadata or a comment, and keep no more of it than the meaning of the colours.

        Decoders look for that before the first scan, in the last segment of its kind that is long enough.
        """
        if marker == _APP0 and payload.startswith(b"JFIF\0") and len(payload) >= 14 and not self._scans:
            self._colours[marker] = _JFIF
        elif marker == _APP14 and payload.startswith(b"Adobe") and len(payload) >= 12 and not self._scans:
            self._colours[marker] = _ADOBE + payload[11:12]
        elif marker == _APP1 and payload.startswith(b"Exif\0\0") and self._orientation is None:
            self._orientation = orientation_of(payload)
        elif marker == _APP2 and payload.startswith(_ICC) and len(payload) > len(_ICC) + 2:
            self._profile.setdefault(payload[len(_ICC)], payload[len(_ICC) + 2 :])
        elif marker == _APP2 and payload.startswith(b"MPF\0"):
            self._is_several = True

    def content(self, data: bytes) -> Content:
        """All of it. Raises NotAPicture where there is no picture."""
        if not self._size or not self._scans:
            raise broken("a JPEG without a picture in it")
        width, height, channels = self._size
        profile = b"".join(self._profile[number] for number in sorted(self._profile))
        return Content(
            kind="mpo" if self._is_several else "jpeg",
            width=width,
            height=height,
            data=data,
            pieces=[
                b"\xff\xd8",
                *(self._colours[marker] for marker in sorted(self._colours)),
                *self._kept,
                b"\xff\xd9",
            ],
            orientation=self._orientation or 1,
            profile=profile if 0 < len(profile) <= MOST_PROFILE else None,
            channels=channels,
        )

    def _frame(self, marker: int, payload: bytes) -> None:
        precision, height, width, channels = struct.unpack_from(">BHHB", payload)
        if marker not in _DECODED or precision != 8:
            raise NotAPicture("unsupported-kind", "a JPEG of a rare coding: lossless, arithmetic, or 12 bits a colour")
        if self._size:
            raise broken("a JPEG with two headers")
        self._size = (width, height, channels)
