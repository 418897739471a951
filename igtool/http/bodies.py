"""The body of an answer, unpacked within bounds: a few bytes on the wire may stand for gigabytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from igtool.http.answers import NetworkError, RefusedAnswer

_PIECE = 256 << 10
"""Bytes unpacked at once; what is not taken yet stays packed."""

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class _Unpacker(Protocol):
    def pieces(self, chunk: bytes) -> Iterable[bytes]: ...
    def finish(self) -> None: ...


def read_body(chunks: Iterable[bytes], encodings: str, max_bytes: int, left: Callable[[], float]) -> bytes:
    """All of ``chunks``, unpacked as the header Content-Encoding (``encodings``) says.

    At most ``max_bytes`` arrive and at most ``max_bytes`` come out of them, else RefusedAnswer ``too-large``.
    ``left`` is asked after each piece and raises when the time is over. Raises RefusedAnswer ``bad-encoding`` for
    an encoding that was not asked for or more than one, NetworkError if the packed body is broken or cut off.
    """
    unpacker = _unpacker(encodings)
    whole = io.BytesIO()  # hands its buffer over without a second copy
    arrived = 0
    for chunk in chunks:
        arrived += len(chunk)
        if arrived > max_bytes:
            raise too_large(max_bytes)
        for piece in unpacker.pieces(chunk):
            if whole.tell() + len(piece) > max_bytes:
                raise too_large(max_bytes)
            whole.write(piece)
            left()
    unpacker.finish()
    return whole.getvalue()


def too_large(max_bytes: int) -> RefusedAnswer:
    """The refusal of an answer of more than ``max_bytes``."""
    return RefusedAnswer("too-large", f"the answer is larger than {max_bytes / (1 << 20):g} MiB; the rest was not read")


def _unpacker(encodings: str) -> _Unpacker:
    encoding = encodings.strip().lower()
    if encoding in ("", "identity"):
        return _Plain()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _Zlib(is_gzip=encoding != "deflate")
    raise RefusedAnswer("bad-encoding", f"the answer is packed as {encoding[:60]!r}; gzip or deflate was asked for")


class _Plain:
    def pieces(self, chunk: bytes) -> Iterable[bytes]:
        """The chunk as it is."""
        return (chunk,)

    def finish(self) -> None:
        """Nothing can be missing."""


class _Zlib:
    """gzip in one or more members, or deflate with or without the header of zlib (servers send both)."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._stream = zlib.decompressobj(_GZIP) if is_gzip else None
        self._waiting = b""
        self._is_empty = True

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What ``chunk`` gives, in pieces of bounded size."""
        self._is_empty = self._is_empty and not chunk
        packed = self._waiting + chunk
        self._waiting = b""
        try:
            yield from self._unpacked(packed)
        except zlib.error as error:
            raise NetworkError(f"the packed body is broken: {error}") from error

    def finish(self) -> None:
        """Raises NetworkError if the end is missing. A body of no bytes at all is empty, whatever the header says."""
        if not self._is_empty and (self._stream is None or not self._stream.eof):
            raise NetworkError("the packed body is cut off")

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        if self._stream is None:
            if len(packed) < 2:  # the header of zlib
                self._waiting = packed
                return
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(packed) else -zlib.MAX_WBITS)
        is_more = True  # a full piece may leave some inside the decompressor
        while packed or is_more:
            if self._stream.eof and not self._next_member(packed):
                return
            piece = self._stream.decompress(packed, _PIECE)
            packed = self._stream.unconsumed_tail or self._stream.unused_data
            is_more = len(piece) == _PIECE
            yield piece

    def _next_member(self, packed: bytes) -> bool:
        """Whether another gzip member begins; anything else after the end is padding and dropped."""
        if self._is_gzip and packed.startswith(_GZIP_MAGIC):
            self._stream = zlib.decompressobj(_GZIP)
            return True
        if self._is_gzip and packed == _GZIP_MAGIC[:1]:
            self._waiting = packed
        return False


def _has_zlib_header(packed: bytes) -> bool:
    """RFC 1950: the method deflate, and a check that makes the first two bytes a multiple of 31."""
    return packed[0] & 0x0F == zlib.DEFLATED and int.from_bytes(packed[:2], "big") % 31 == 0
