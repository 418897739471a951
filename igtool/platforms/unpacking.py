"""Packed files as streams of what was packed, within bounds that hold whatever the file says of itself."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from typing import IO, Any

import zstandard

from igtool.platforms.documents import too_large
from igtool.platforms.json_text import Malformed

BROKEN = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zstandard.ZstdError,
    NotImplementedError,  # a zip method that Python cannot unpack
    RuntimeError,  # a member that is encrypted though its header in the directory says no
    struct.error,
    UnicodeDecodeError,  # a name in a directory that says it is UTF-8 and is not
)
"""What unpacking a damaged or hostile file raises."""

MAX_DIRECTORY = 32 * 2**20
"""Bytes of a zip's directory, which is held in memory: 250,000 members with names of usual length."""

_BUFFER = 2**18
_MEMORY = 256 * 2**20
"""What unpacking xz may take: the strongest preset needs 65 MiB."""
_END = b"PK\x05\x06"
_END_SIZE = 22
_LOCATOR_SIZE = 20
_END_64 = b"PK\x06\x06"
_END_64_SIZE = 56
_COMMENT = 2**16


class Allowance:
    """Bytes that the members of one archive may still come to, all together: they may lie over each other in it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def take(self, count: int) -> None:
        """Use up ``count`` bytes. Raises Malformed where there are none left."""
        self._left -= count
        self.check()

    def check(self) -> None:
        """Raises Malformed where more was taken than there was."""
        if self._left < 0:
            raise too_large("unpacked archive", self._most)


class _Counted(io.RawIOBase):
    """A stream whose bytes are taken from an allowance."""

    def __init__(self, stream: Any, left: Allowance) -> None:
        self._stream = stream
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._left.take(count)
        return count


class _Xz(io.RawIOBase):
    """An unpacked xz file of one stream or several. Its header names the memory to use, which is bounded here."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder: lzma.LZMADecompressor | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decoder is None:
                packed = self._file.read(_BUFFER)
                if not packed:
                    return 0
                self._decoder = _decoder()
            elif self._decoder.eof:
                packed = self._next_stream(self._decoder.unused_data)
                if not packed:
                    return 0
                self._decoder = _decoder()
            else:
                packed = self._file.read(_BUFFER) if self._decoder.needs_input else b""
                if not packed and self._decoder.needs_input:
                    raise EOFError("it ends before its end marker")
            found = self._decoder.decompress(packed, len(buffer))
            if found:
                buffer[: len(found)] = found
                return len(found)

    def _next_stream(self, rest: bytes) -> bytes:
        """What follows a stream, without the zeros that pad it; nothing at the end of the file."""
        rest = rest.lstrip(b"\0")
        while not rest and (more := self._file.read(_BUFFER)):
            rest = more.lstrip(b"\0")
        return rest


def _decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_MEMORY)


def unpacked(file: IO[bytes], packing: str, left: Allowance | None) -> io.BufferedReader[Any]:
    """``file`` as it was before it was packed (.gz, .xz, .zst, or not at all); the caller closes what it opened.

    What comes out is taken from ``left``, if it is in an archive. Reading raises one of BROKEN, or Malformed.
    """
    stream: Any = file
    if packing == ".gz":
        stream = gzip.GzipFile(fileobj=file)
    elif packing == ".xz":
        stream = _Xz(file)
    elif packing == ".zst":  # frames that ask for more than 128 MiB are refused by default
        stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
    if left is not None:
        stream = _Counted(stream, left)
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, _BUFFER)


def checked_archive(file: IO[bytes]) -> IO[bytes]:
    """``file``, a zip whose directory is small enough to be read into memory. Raises Malformed."""
    size = file.seek(0, io.SEEK_END)
    start = file.seek(max(0, size - _COMMENT - _END_SIZE - _LOCATOR_SIZE - _END_64_SIZE))
    tail = file.read()
    end = tail.rfind(_END)
    if end >= 0 and end + _END_SIZE <= len(tail):
        (directory,) = struct.unpack_from("<I", tail, end + 12)
        before = end - _LOCATOR_SIZE - _END_64_SIZE
        if before >= 0 and tail.startswith(_END_64, before):
            (directory,) = struct.unpack_from("<Q", tail, before + 40)
        if min(directory, start + end) > MAX_DIRECTORY:
            raise Malformed("too-large", f"its directory is larger than {MAX_DIRECTORY // 2**20} MiB: unpack it first")
    file.seek(0)
    return file
