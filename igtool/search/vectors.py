"""The vector legs: one a field, exact for small sets; above, a compressed scan and exact re-scoring.

The scan keeps 4 bits for every three of the axes of `_bases` (product quantisation). For re-scoring a vector is stored
as its part along the field's mean direction, exactly (``along``), and in 8 bits a number what is left of it, divided by
its largest number (``scale``). Its cosine with a query q is ``along * (q·direction) + scale * (q across·codes)``. New
vectors are added at the end, with rows of their own: a creator that is written again gets a new row, and the old one is
no longer in use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from igtool.errors import IntegrityError

faiss: Any = untyped_faiss
"""Its stubs know nothing of the keyword arguments its Python layer adds."""

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]

FLAT_LIMIT = 20_000
"""From so many vectors on a field is compressed: below, scanning all of them takes milliseconds."""
_TRAINING_VECTORS = 20_000
"""More than the 4,096 points that faiss uses to place 16 centroids; the mean is taken over them too."""
_BLOCK = 4_000
_DOT_ROWS = 256
"""Rows multiplied at once: stays in the cache and below the size at which BLAS starts threads (2,500 rows of 384
in 0.4 ms instead of 12 on a busy machine)."""
_RESCORED, _RESCORED_OF_FEW, _FEW = 3_000, 2_000, 300_000
"""Candidates of the compressed scan that are scored exactly; fewer are needed among few allowed rows."""
_SCORED_ALL = 12_000
"""Up to so many allowed rows are scored exactly without a scan, which takes longer than that."""


def _one_thread() -> None:
    """OpenMP threads wait for each other by spinning: beside another busy process that costs seconds."""
    faiss.omp_set_num_threads(1)


def write_vectors(folder: Path, field: str, rows: Rows, vectors: Vectors) -> None:
    """Store the unit ``vectors`` of ``rows`` as the files ``<field>.*`` of ``folder``."""
    np.save(folder / f"{field}.rows.npy", rows.astype(np.int32))
    parts = 7 * vectors.shape[1] // 48 * 2
    if len(rows) < FLAT_LIMIT or not parts:
        np.save(folder / f"{field}.vectors.npy", vectors)
        return
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:_TRAINING_VECTORS])
    sample = vectors[chosen]
    bases = _bases(sample, parts)
    # One list, because a flat fast-scan index takes no selector and many lists fail when the filter goes with the
    # topic (DESIGN §6).
    scan = faiss.index_factory(bases.shape[2], f"IVF1,PQ{parts}x4fs", faiss.METRIC_INNER_PRODUCT)
    _one_thread()
    scan.train(sample @ bases[0])
    mean = sample.mean(axis=0)
    np.save(folder / f"{field}.direction.npy", mean / np.linalg.norm(mean))
    np.save(folder / f"{field}.bases.npy", bases)
    _append(folder, field, scan, vectors)


def _bases(sample: Vectors, parts: int) -> Vectors:
    """Two matrices, for vectors and for queries, with ``(x @ bases[0]) · (q @ bases[1])`` close to ``x · q``.

    What queries look at should be coded well (Guo et al. 2016): space is stretched by the fourth root of the second
    moment of queries, taken to be half that of the vectors, half the same in every direction. There the least of the
    principal axes, an eighth, are left out, and the others are dealt to the ``parts`` so that the product of variances
    is about the same in each (Ge et al. 2013).
    """
    size = sample.shape[1]
    moment = sample.T.astype(np.float64) @ sample
    values, axes = np.linalg.eigh(0.5 * moment / np.trace(moment) + 0.5 * np.eye(size) / size)
    stretch, shrink = ((axes * values**power) @ axes.T for power in (0.25, -0.25))
    variances, axes = np.linalg.eigh(stretch @ np.cov(sample.T) @ stretch)
    order = size - 1 - _dealt(np.maximum(variances[::-1], 1e-12), parts)
    chosen = np.zeros((size, parts, 4))  # the fourth of each part stays empty: faiss codes four faster than three
    chosen[:, :, :3] = axes[:, order].reshape(size, parts, 3)
    return np.stack([one @ chosen.reshape(size, -1) for one in (stretch, shrink)]).astype(np.float32)


def _dealt(variances: NDArray[np.float64], parts: int) -> Rows:
    """Axes (by falling variance), three for each part: the next one goes to the part with the least product so far."""
    dealt: list[list[int]] = [[] for _ in range(parts)]
    products = np.zeros(parts)
    weights = np.log(variances) - np.log(variances[3 * parts - 1])
    for axis in range(3 * parts):
        part = min((one for one in range(parts) if len(dealt[one]) < 3), key=products.__getitem__)
        dealt[part].append(axis)
        products[part] += weights[axis]
    return np.concatenate(dealt).astype(np.int64)


def add_vectors(folder: Path, field: str, rows: Rows, vectors: Vectors) -> None:
    """Add ``vectors`` of ``rows``, all of them new, to the files of ``folder``."""
    known = np.load(folder / f"{field}.rows.npy")
    np.save(folder / f"{field}.rows.npy", np.concatenate([known, rows.astype(np.int32)]))
    if (folder / f"{field}.vectors.npy").exists():
        before = np.load(folder / f"{field}.vectors.npy")
        np.save(folder / f"{field}.vectors.npy", np.concatenate([before, vectors]))
    else:
        _append(folder, field, faiss.read_index(str(folder / f"{field}.faiss")), vectors)


def _append(folder: Path, field: str, scan: Any, vectors: Vectors) -> None:
    direction = np.load(folder / f"{field}.direction.npy")
    stored_base = np.load(folder / f"{field}.bases.npy")[0]
    with (folder / f"{field}.codes.i8").open("ab") as codes, (folder / f"{field}.terms.f32").open("ab") as terms:
        for start in range(0, len(vectors), _BLOCK):
            block = vectors[start : start + _BLOCK]
            along = block @ direction
            across = block - along[:, None] * direction
            scale = np.maximum(np.abs(across).max(axis=1), 1e-12) / 127
            codes.write(np.rint(across / scale[:, None]).astype(np.int8).tobytes())
            terms.write(np.stack([along, scale], axis=1).astype(np.float32).tobytes())
            scan.add(block @ stored_base)
    faiss.write_index(scan, str(folder / f"{field}.faiss"))


class VectorLeg:
    """The vectors of one field over an index of ``count`` rows, for reading. ``alive``: the rows in use."""

    def __init__(self, folder: Path, field: str, alive: Mask) -> None:
        try:
            rows = np.load(folder / f"{field}.rows.npy").astype(np.int64)
            self._scan: Any = None
            if (folder / f"{field}.vectors.npy").exists():
                self._vectors: Vectors = np.asarray(np.load(folder / f"{field}.vectors.npy", "r"))
            else:
                self._scan = faiss.read_index(str(folder / f"{field}.faiss"))
                self._direction: Vectors = np.load(folder / f"{field}.direction.npy")
                self._asked_base: Vectors = np.load(folder / f"{field}.bases.npy")[1]
                terms = np.fromfile(folder / f"{field}.terms.f32", np.float32).reshape(-1, 2)
                self._along, self._scales = terms[:, 0].copy(), terms[:, 1].copy()
                shape = (len(rows), len(self._direction))
                codes = np.memmap(folder / f"{field}.codes.i8", np.int8, "r", shape=shape)
                self._codes = np.asarray(codes)  # a plain array: numpy's own class costs 0.2 ms a look
        except (OSError, ValueError, RuntimeError) as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({field}: {error}): run `igtool run index`"
            ) from error
        # A place that no longer counts is that of a row after all others, which no mask allows.
        rows[~alive[rows]] = len(alive)
        self._rows = rows
        self._place = np.full(len(alive) + 1, -1, dtype=np.int64)
        self._place[rows] = np.arange(len(rows))
        self._place[len(alive)] = -1
        self._in_order = bool((rows == np.arange(len(alive))).all()) if len(rows) == len(alive) else False

    def top(self, query: Vectors, allowed: Mask, k: int) -> Rows:
        """The ``k`` rows nearest to ``query`` (a unit vector) among the allowed ones."""
        return self.best(query, self.scanned(query, allowed), k)

    def best(self, query: Vectors, places: Rows, k: int) -> Rows:
        """The rows of the ``k`` of ``places`` that are nearest to ``query``."""
        if len(places) > k:
            places = places[np.argpartition(-self._cosines(query, places), k)[:k]]
        rows: Rows = self._rows[places]
        return rows

    def scanned(self, query: Vectors, allowed: Mask) -> Rows:
        """Places of the allowed rows among which the nearest to ``query`` are."""
        mine = allowed if self._in_order else np.append(allowed, False)[self._rows]
        count = int(np.count_nonzero(mine))
        if self._scan is None or count <= _SCORED_ALL:
            return np.flatnonzero(mine)
        selector = None if count == len(mine) else faiss.IDSelectorBitmap(np.packbits(mine, bitorder="little"))
        parameters = faiss.IVFSearchParameters(nprobe=1, sel=selector)
        _one_thread()
        rescored = _RESCORED if count > _FEW else _RESCORED_OF_FEW
        _, found = self._scan.search((query @ self._asked_base)[None, :], rescored, params=parameters)
        places: Rows = found[0][found[0] >= 0]
        return places

    def _cosines(self, query: Vectors, places: Rows) -> NDArray[np.float32]:
        stored = self._vectors if self._scan is None else self._codes
        along = 0.0 if self._scan is None else float(query @ self._direction)
        across = query if self._scan is None else query - along * self._direction
        cosines = np.empty(len(places), dtype=np.float32)
        for start in range(0, len(places), _DOT_ROWS):
            block = stored.take(places[start : start + _DOT_ROWS], axis=0).astype(np.float32, copy=False)
            cosines[start : start + _DOT_ROWS] = block @ across
        if self._scan is not None:
            cosines *= self._scales[places]
            cosines += along * self._along[places]
        return cosines

    def exact(self, query: Vectors, rows: Rows) -> NDArray[np.float64]:
        """Cosine of ``query`` with the stored vector of each of ``rows``; NaN where a row has none."""
        cosine = np.full(len(rows), np.nan)
        places = self._place[rows]
        there = places >= 0
        cosine[there] = self._cosines(query, places[there])
        return cosine

    def of(self, row: int) -> Vectors | None:
        """The stored vector of ``row``, to about 1 % of its length; None if it has none."""
        place = int(self._place[row])
        if place < 0:
            return None
        if self._scan is None:
            return np.asarray(self._vectors[place], dtype=np.float32)
        vector: Vectors = self._along[place] * self._direction + self._scales[place] * self._codes[place]
        return vector
