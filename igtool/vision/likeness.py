"""Which pictures are copies of each other: perceptual hashes of a picture and of parts of it, and their grouping.

A hash holds the signs of the 64 lowest frequencies of a cosine transform of the picture in grey (pHash: Zauner 2010,
with the sign in place of the comparison with the median). So the hash of the mirrored picture follows from that of the
picture: mirroring turns the sign of every second frequency. benchmarks/likeness.py compares it with other hashes and
says what is found at which distance; ImageHash would bring scipy and PyWavelets for less.

All sums are of whole numbers below 2⁵³, so a picture has the same hash on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from igtool.vision.pictures import Pixels

NEAR = 8
"""Of 64 bits: pictures of which two parts differ in no more are copies.

Of 249,500 pairs of different photographs 2 are that near, and 978 of 1,000 copies that lost a tenth of their width and
height; at 10 it is 13 pairs and 998 copies. Different cards of text on one layout are more alike: 3 to 7 of 100 pairs.
Among very many pictures chance alone brings pairs of whole hashes this near: compare those with a distance of 4."""
BITS = 64
DIGITS = 16
"""Of one hash in hexadecimal; the first of a fingerprint is that of the whole picture."""

Hashes = NDArray[np.uint64]
Matches = NDArray[np.bool_]
Places = NDArray[np.intp]
Window = tuple[float, float, float, float]

_GRID = 128
_SIZE = 9
_FREQUENCIES = [(down, across) for down in range(8) for across in range(8) if down or across] + [(8, 0)]
"""64: the square that pHash takes, and one more in place of the brightness."""
_SCALE = 4096
_FAINT = 2.0
"""Of 255. A part whose 64 frequencies amount to less shows nothing that could be compared."""
_ROWS, _COLUMNS = 128, 4096
"""Compared at once: results stay in the processor's cache."""


def _windows() -> list[Window]:
    """(left, top, right, bottom) as shares of the picture: the whole, then what crops and borders leave of one."""
    places = (0.0, 0.5, 1.0)
    sides = [(side, side, x, y) for side in (0.91, 0.82) for x in places for y in places]
    sides += [(side, 1.0, x, 0.0) for side in (0.87, 0.75) for x in places]
    sides += [(1.0, side, 0.0, y) for side in (0.87, 0.75) for y in places]
    found = [((1 - w) * x, (1 - h) * y, (1 - w) * x + w, (1 - h) * y + h) for w, h, x, y in sides]
    return [(0.0, 0.0, 1.0, 1.0), *found]


_WINDOWS = _windows()
_MIRROR = np.uint64(int("".join("1" if across % 2 else "0" for _, across in _FREQUENCIES), 2))
_MIRRORED = [
    min(
        range(len(_WINDOWS)),
        key=lambda other: sum(
            abs(a - b) for a, b in zip(_WINDOWS[other], (1 - right, top, 1 - left, bottom), strict=True)
        ),
    )
    for left, top, right, bottom in _WINDOWS
]
"""For each window the one that shows the same of the mirrored picture."""


# One picture -----------------------------------------------------------------------------------------------------


def fingerprint(pixels: Pixels) -> str | None:
    """Hashes of the whole picture and of 30 parts of it, 16 hexadecimal digits each; None if it shows next to nothing.

    The first 16 digits are the hash of the whole, and enough to find copies that were not cropped. A part that shows
    next to nothing has the hash 0, which is near to no other.
    """
    from PIL import Image

    image = Image.fromarray(pixels).convert("L").resize((_GRID, _GRID), Image.Resampling.BOX)
    grey = np.asarray(image, dtype=np.float64)
    down, across = _waves()
    found = np.matmul((down @ grey).reshape(len(_WINDOWS), _SIZE, _GRID), across)
    chosen = np.stack([found[:, row, column] for row, column in _FREQUENCIES], axis=1)
    areas = np.array([(right - left) * (bottom - top) for left, top, right, bottom in _WINDOWS])
    strength = np.sqrt((chosen**2).sum(axis=1)) / (areas * (_SCALE * _GRID) ** 2)
    bits = (chosen > 0) & (strength >= _FAINT)[:, None]
    hashes = np.packbits(bits, axis=1)
    return hashes.tobytes().hex() if hashes[0].any() else None


@cache
def _waves() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines over each window, as whole numbers: (windows x frequencies, grid) and (windows, grid, frequencies)."""
    down = np.concatenate([_wave(top, bottom) for _, top, _, bottom in _WINDOWS])
    across = np.stack([_wave(left, right).T for left, _, right, _ in _WINDOWS])
    return down, across


def _wave(start: float, end: float) -> NDArray[np.float64]:
    """Cosines of frequency 0 to 8 between ``start`` and ``end`` of the grid, (frequencies, grid)."""
    edges = np.arange(_GRID + 1) / _GRID
    left, right = np.maximum(edges[:-1], start), np.minimum(edges[1:], end)
    covered = np.clip(right - left, 0, None) * _GRID
    place = ((left + right) / 2 - start) / (end - start)
    waves: NDArray[np.float64] = np.cos(np.pi * np.arange(_SIZE)[:, None] * place) * covered * _SCALE
    return np.round(waves)


# Many pictures ---------------------------------------------------------------------------------------------------


def distance(one: str, other: str) -> int:
    """In how many of 64 bits the nearest parts of two fingerprints differ, one of them mirrored or not."""
    first, second = _read([one, other]).T[:, :, None]
    rows, columns = np.array(_compared(len(first))).T
    a = np.stack([first[rows, 0], _mirrored(first)[rows, 0]])
    b = second[columns, 0]
    bits = np.bitwise_count(a ^ b)[(a != 0) & (b != 0)]
    return int(bits.min(initial=BITS))


def near(fingerprints: Sequence[str | None], threshold: int = NEAR) -> list[int]:
    """For each picture the place of the first one that it is a copy of, its own place if of none.

    Best first: what comes first is never called a copy of what comes later, and what is a copy stands for no other.
    ``fingerprints``: all whole, for the pictures of a creator (1,000 take a tenth of a second); or all cut to the
    first 16 digits, which finds no crops and is for many: 100,000 take 5 seconds of one processor, 500,000 two minutes.
    """
    return _first_of_each(len(fingerprints), _Copies(_read(fingerprints), threshold))


def same_scene(vectors: NDArray[np.floating], threshold: float) -> list[int]:
    """Like `near`, for vectors of pictures of length 1 (a row each) whose cosine is ``threshold`` or more.

    A model finds crops and turned copies that no hash finds, and takes two photographs of one moment for the same:
    the threshold is the model's, and has to be measured.
    """
    rows32 = np.asarray(vectors, dtype=np.float32)

    def compare(rows: Places, columns: Places) -> Matches:
        return np.asarray(rows32[rows] @ rows32[columns].T >= threshold)

    return _first_of_each(len(rows32), compare)


def _first_of_each(count: int, compare: Callable[[Places, Places], Matches]) -> list[int]:
    """For each of ``count`` things the first that ``compare`` finds equal and that is equal to none before it."""
    first = np.arange(count)
    kept = np.empty(count, dtype=np.intp)
    kept_count = 0
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        for begin in range(0, kept_count, _COLUMNS):
            columns = kept[begin : min(begin + _COLUMNS, kept_count)]
            matches = compare(rows, columns)
            hit = matches.any(axis=1)
            first[rows[hit]] = columns[matches[hit].argmax(axis=1)]
            rows = rows[~hit]
        matches = compare(rows, rows)
        stands = np.zeros(len(rows), dtype=bool)
        for place, row in enumerate(rows):
            earlier = np.flatnonzero(matches[place, :place] & stands[:place])
            if len(earlier):
                first[row] = rows[earlier[0]]
            else:
                stands[place] = True
                kept[kept_count] = row
                kept_count += 1
    return [int(place) for place in first]


class _Copies:
    """Which pictures are copies of which, told for some of them at a time in memory that is used again."""

    def __init__(self, hashes: Hashes, threshold: int) -> None:
        self._hashes = hashes
        self._threshold = threshold
        self._compared = _compared(len(hashes))
        self._unlike = np.empty(_ROWS * _COLUMNS, dtype=np.uint64)
        self._bits = np.empty(_ROWS * _COLUMNS, dtype=np.uint8)
        self._close = np.empty(_ROWS * _COLUMNS, dtype=bool)

    def __call__(self, rows: Places, columns: Places) -> Matches:
        """(rows, columns): at most so many of both as are compared at once."""
        shape, size = (len(rows), len(columns)), len(rows) * len(columns)
        unlike, bits, close = (part[:size].reshape(shape) for part in (self._unlike, self._bits, self._close))
        ones, others = self._hashes[:, rows], self._hashes[:, columns]
        found = np.zeros(shape, dtype=bool)
        for turned in (ones, _mirrored(ones)):
            for row, column in self._compared:
                one, other = turned[row][:, None], others[column][None, :]
                np.bitwise_xor(one, other, out=unlike)
                np.bitwise_count(unlike, out=bits)
                np.less_equal(bits, self._threshold, out=close)
                if not (one.all() and other.all()):
                    close &= (one != 0) & (other != 0)
                found |= close
        return found


def _compared(parts: int) -> list[tuple[int, int]]:
    """The parts of two pictures that are compared: whole with part, part with whole, and each with the same."""
    views = range(1, parts)
    return [(0, 0), *((0, view) for view in views), *((view, 0) for view in views), *((view, view) for view in views)]


def _mirrored(hashes: Hashes) -> Hashes:
    """The fingerprints of the mirrored pictures."""
    turned = hashes[_MIRRORED[: len(hashes)]]
    return np.where(turned == 0, turned, turned ^ _MIRROR)


def _read(fingerprints: Sequence[str | None]) -> Hashes:
    """(hashes of a fingerprint, pictures); 0 for a picture without one. Raises ValueError for unequal lengths."""
    digits = {len(text) for text in fingerprints if text} or {DIGITS}
    whole = DIGITS * len(_WINDOWS)
    if not digits <= {DIGITS} and not digits <= {whole}:
        raise ValueError(f"fingerprints are of {DIGITS} or of {whole} digits, and all of one length")
    (length,) = digits
    data = bytes.fromhex("".join(text or "0" * length for text in fingerprints))
    hashes = np.frombuffer(data, dtype=">u8").reshape(len(fingerprints), length // DIGITS)
    return np.ascontiguousarray(hashes.T.astype(np.uint64))
