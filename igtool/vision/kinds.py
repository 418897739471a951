"""What kind of file some bytes are, by their beginning, and why they are not taken for a picture."""

from __future__ import annotations

from typing import Literal

PictureKind = Literal[
    "jpeg", "mpo", "png", "webp", "gif", "avif", "bmp",
    "heif", "tiff", "ico", "jxl", "jpeg2000", "psd", "svg",
]  # fmt: skip
"""Those of the second line are recognised and not read."""

Reason = Literal[
    "empty",
    "not-a-picture",
    "html",
    "unsupported-kind",
    "truncated",
    "broken",
    "too-large-bytes",
    "too-many-pixels",
    "decompression-bomb",
    "no-still",
    "too-costly",
]
"""Why bytes are not taken for a picture. ``truncated``: the end is missing, another download may bring it.

``no-still``: a video that shows nothing, or only black; ``too-costly``: one that takes too much time or memory.
"""

Container = Literal["mov", "matroska"]
"""Of a video, as FFmpeg calls what reads it: MP4 and QuickTime, or Matroska and WebM."""

READ: frozenset[PictureKind] = frozenset({"jpeg", "mpo", "png", "webp", "gif", "avif", "bmp"})

_BEGINNINGS: tuple[tuple[bytes, PictureKind], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\1\0", "ico"),
    (b"\0\0\2\0", "ico"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"8BPS", "psd"),
)
_BRANDS: dict[bytes, PictureKind] = {
    b"avif": "avif",
    b"avis": "avif",
    b"heic": "heif",
    b"heix": "heif",
    b"hevc": "heif",
    b"hevx": "heif",
    b"heim": "heif",
    b"heis": "heif",
}
_ANY_BRAND = frozenset({b"mif1", b"msf1"})
"""Brands of HEIF that do not tell the coding; those after them do."""
_DIB_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_TEXT = 1024
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta", b"<title", b"<!--")
_MARK = b"\xef\xbb\xbf"
_MATROSKA = b"\x1aE\xdf\xa3"
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide"})
"""How a QuickTime file begins that does not tell its brand."""
_CONTAINERS: dict[Container, str] = {"mov": "MP4 or QuickTime", "matroska": "Matroska or WebM"}
_OTHERS = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip-packed data"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
    (b"<", "a text with markup"),
)
_WANTED = {
    "heif": "HEIC, which needs a decoder that is not free of patents: save it as JPEG first",
    "svg": "SVG, which is a program that draws: save it as PNG first",
}


class NotAPicture(Exception):  # noqa: N818 - a verdict on bytes, not a failure of the program
    """These bytes are not taken for a picture: ``reason`` is a slug for the table of rejects, ``detail`` says it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


def sniff(data: bytes) -> PictureKind | None:
    """The kind of picture that ``data`` begins as, never by its name; None for what begins as no picture.

    ``mpo`` (a JPEG with further pictures behind the first) is told from ``jpeg`` only where all is read.
    """
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _DIB_HEADERS:
        return "bmp"
    if data[4:8] == b"ftyp":
        return _branded(data)
    text = _text(data)
    return "svg" if text.startswith((b"<svg", b"<?xml")) and b"<svg" in text else None


def video_container(data: bytes) -> Container | None:
    """What holds the video that ``data`` begins as, never by its name; None for what begins as no video."""
    if data.startswith(_MATROSKA):
        return "matroska"
    if data[4:8] == b"ftyp":
        return None if _branded(data) else "mov"
    return "mov" if data[4:8] in _OLD_QUICKTIME else None


def readable(data: bytes) -> PictureKind:
    """The kind of ``data`` if it is one that is read. Raises NotAPicture saying what it is instead."""
    if not data:
        raise NotAPicture("empty", "there are no bytes")
    kind = sniff(data)
    if kind is None:
        raise _other(data)
    if kind not in READ:
        raise NotAPicture("unsupported-kind", f"a picture of the kind {_WANTED.get(kind, kind.upper())}")
    return kind


def _branded(data: bytes) -> PictureKind | None:
    """The kind by the brands of an ISO file: the major one first, then the compatible ones."""
    end = min(int.from_bytes(data[:4], "big"), 512)
    brands = [data[8:12], *(data[place : place + 4] for place in range(16, end, 4))]
    named = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
    return named or ("heif" if _ANY_BRAND.intersection(brands) else None)


def _text(data: bytes) -> bytes:
    return data[:_TEXT].removeprefix(_MARK).lstrip().lower()


def _other(data: bytes) -> NotAPicture:
    text = _text(data)
    if text.startswith(_HTML) or (text.startswith(b"<?xml") and b"<html" in text):
        return NotAPicture("html", "a web page came instead of a picture")
    container = video_container(data)
    if container is not None:
        return NotAPicture("not-a-picture", f"it is a video ({_CONTAINERS[container]})")
    what = next((words for beginning, words in _OTHERS if text.startswith(beginning.lower())), "")
    return NotAPicture("not-a-picture", f"it is {what}" if what else "the bytes begin like no picture that is known")
