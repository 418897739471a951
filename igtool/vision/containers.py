"""What a picture file says of itself, read before anything is decoded and without believing a length in it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from igtool.vision.content import MOST_PARTS, MOST_PROFILE, Content, broken, cut_off, orientation_of
from igtool.vision.jpeg_segments import read_jpeg
from igtool.vision.kinds import NotAPicture, readable

_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_SPATIAL_EXTENT = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)
_ALPHA, _ANIMATION = 0x10, 0x02
_BMP_PLAIN = frozenset({0, 3, 6})
"""Codings of a BMP: as it is, and with masks."""


def read_content(data: bytes) -> Content:
    """What is needed of the file ``data``. Raises NotAPicture."""
    kind = readable(data)
    readers = {"jpeg": read_jpeg, "png": _png, "webp": _webp, "gif": _gif, "avif": _avif, "bmp": _bmp}
    try:
        content = readers[kind](data)
    except (struct.error, IndexError) as error:
        raise cut_off() from error
    if content.width < 1 or content.height < 1:
        raise broken(f"a picture of {content.width} × {content.height} pixels")
    return content


# PNG -------------------------------------------------------------------------------------------------------------


def _png(data: bytes) -> Content:
    """Of an animated one the picture that viewers show that know no animation."""
    kept, orientation, profile = [data[:8]], 1, None
    for kind, start, end in _png_chunks(data):
        if kind in _PNG_KEPT:
            kept.append(data[start - 8 : end + 4])
        elif kind == b"eXIf":
            orientation = orientation_of(data[start:end])
        elif kind == b"iCCP" and profile is None:
            profile = _unpacked_profile(data[start:end])
    width, height = struct.unpack_from(">II", data, 16)
    return Content("png", width, height, data, kept, orientation, profile, is_lossless=True)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the content of each chunk, up to the last."""
    place = 8
    for number in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            raise cut_off()
        if (number == 0) != (kind == b"IHDR"):
            raise broken("a PNG whose header is not where it belongs")
        yield kind, place + 8, end
        if kind == b"IEND":
            return
        place = end + 4
    raise broken("a PNG of impossibly many parts")


def _unpacked_profile(packed: bytes) -> bytes | None:
    """The colour profile of an iCCP chunk; None for one that does not unpack to a reasonable size."""
    _, _, behind = packed.partition(b"\0")
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(behind[1:], MOST_PROFILE)
    except zlib.error:
        return None
    return profile if profile and unpacking.eof else None


# WebP ------------------------------------------------------------------------------------------------------------


def _webp(data: bytes) -> Content:
    """A still picture without the chunks that are no picture; an animated one as it is."""
    chunks: dict[bytes, bytes] = {}
    for kind, start, end in _webp_chunks(data):
        chunks.setdefault(kind, data[start:end])
    extended = chunks.get(b"VP8X")
    exif, profile = chunks.get(b"EXIF", b""), chunks.get(b"ICCP") or None
    profile = profile if profile and len(profile) <= MOST_PROFILE else None
    found = Content("webp", 0, 0, data, orientation=orientation_of(exif), profile=profile)
    if extended and (extended[0] & _ANIMATION or b"ANMF" in chunks):
        width, height = (1 + int.from_bytes(extended[at : at + 3], "little") for at in (4, 7))
        return replace(found, width=width, height=height)
    if b"VP8L" in chunks:
        (bits,) = struct.unpack_from("<xI", chunks[b"VP8L"])
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        kept = _riff(b"VP8L", chunks[b"VP8L"])
        return replace(found, width=width, height=height, pieces=[_webp_file(kept)], is_lossless=True)
    if b"VP8 " not in chunks:
        raise broken("a WebP without a picture in it")
    width, height = (size & 0x3FFF for size in struct.unpack_from("<6xHH", chunks[b"VP8 "]))
    kept = _riff(b"VP8 ", chunks[b"VP8 "])
    if extended and b"ALPH" in chunks:
        size = b"".join((length - 1).to_bytes(3, "little") for length in (width or 1, height or 1))
        kept = _riff(b"VP8X", bytes((_ALPHA, 0, 0, 0)) + size) + _riff(b"ALPH", chunks[b"ALPH"]) + kept
    return replace(found, width=width, height=height, pieces=[_webp_file(kept)])


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the content of each chunk."""
    whole = 8 + int(struct.unpack_from("<I", data, 4)[0])
    if whole > len(data):
        raise cut_off()
    place = 12
    for _ in range(MOST_PARTS):
        if place + 8 > whole:
            return
        kind, length = struct.unpack_from("<4sI", data, place)
        if place + 8 + length > whole:
            raise cut_off()
        yield kind, place + 8, place + 8 + length
        place += 8 + length + length % 2
    raise broken("a WebP of impossibly many parts")


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _webp_file(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


# Kinds that are always decoded and kept in another form ----------------------------------------------------------


def _gif(data: bytes) -> Content:
    """The size is that of the screen, or of the first frame where that reaches beyond."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place = 13 + _palette(flags)
    for _ in range(MOST_PARTS):
        mark = data[place]
        if mark == 0x2C:
            left, top, across, down = struct.unpack_from("<HHHH", data, place + 1)
            size = max(width, left + across), max(height, top + down)
            return Content("gif", *size, data, is_lossless=True)
        if mark != 0x21:
            break
        place += 2
        while data[place]:
            place += 1 + data[place]
        place += 1
    raise broken("a GIF without a picture in it")


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _avif(data: bytes) -> Content:
    """The size is the largest of those that the file tells of its pictures.

    EXIF is made unfindable for the decoder, at the same length: the format turns a picture by properties of its own
    (ISO/IEC 23008-12, 6.5.10), and the decoder would only warn of what is wrong in it.
    """
    pieces, place = [], 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
        end = place + length if length else len(data)
        if end < place + 8:
            raise broken("an AVIF with a part of an impossible length")
        if end > len(data):
            raise cut_off()
        box = data[place:end]
        pieces.append(box.replace(b"Exif", b"none") if kind == b"meta" else box)
        place = end
    sizes = [struct.unpack(">II", found[1]) for box in pieces for found in _SPATIAL_EXTENT.finditer(box)]
    if not sizes:
        raise broken("an AVIF that does not tell its size")
    width, height = (max(lengths) for lengths in zip(*sizes, strict=True))
    return Content("avif", width, height, b"".join(pieces))


def _bmp(data: bytes) -> Content:
    header = int(struct.unpack_from("<I", data, 14)[0])
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
        return Content("bmp", width, height, data, is_lossless=True)
    width, height, bits, coding = struct.unpack_from("<ii2xHI", data, 18)
    if coding not in _BMP_PLAIN:
        raise NotAPicture("unsupported-kind", "a packed BMP: save it as PNG first")
    width, height = abs(width), abs(height)
    if len(data) < 54 + (width * bits + 31) // 32 * 4 * height:
        raise cut_off()
    return Content("bmp", width, height, data, is_lossless=True)
