"""The vector legs: one faiss index a field, exact for small sets, compressed with exact re-scoring above."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from igtool.errors import IntegrityError, StorageError

faiss: Any = untyped_faiss
"""Its stubs know nothing of the keyword arguments its Python layer adds."""

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

FLAT_LIMIT = 20_000
"""From so many vectors on a field is compressed: below, scanning all of them takes milliseconds."""
_TRAINING_VECTORS = 10_000
"""More than the 4,096 points that faiss uses to place 16 centroids."""
_BLOCK = 256
"""Rows multiplied at once: stays in the cache and below the size at which BLAS starts threads (2,500 rows of 384
in 0.4 ms instead of 12 on a busy machine)."""
_RESCORED = 3_000
"""Candidates of the compressed scan that are scored exactly (DESIGN §6: recall@100 0.998 with 1,000)."""


def write_vectors(folder: Path, field: str, rows: Rows, vectors: Vectors) -> None:
    """Store the unit ``vectors`` of ``rows`` (ascending) as ``<field>.faiss`` and ``<field>.rows.npy``.

    Raises StorageError when they cannot be written.
    """
    try:
        np.save(folder / f"{field}.rows.npy", rows)
        faiss.write_index(_index(vectors), str(folder / f"{field}.faiss"))
    except (OSError, RuntimeError) as error:
        raise StorageError(
            f"cannot write the vectors of {field} in {folder}: {error}; check space and permissions, "
            "then run `igtool run index`"
        ) from error


def _one_thread() -> None:
    """OpenMP threads wait for each other by spinning: beside another busy process that costs seconds."""
    faiss.omp_set_num_threads(1)


def _index(vectors: Vectors) -> Any:
    _one_thread()
    count, dimension = vectors.shape
    metric = faiss.METRIC_INNER_PRODUCT
    if count < FLAT_LIMIT or dimension % 4:
        index = faiss.IndexFlatIP(dimension)
    else:
        # One list, because a flat fast-scan index takes no selector and many lists fail when the filter goes
        # with the topic (DESIGN §6).
        scan = faiss.index_factory(dimension, f"IVF1,PQ{dimension // 4}x4fs", metric)
        codes = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, metric)
        index = faiss.IndexRefine(scan, codes)
        chosen = np.random.default_rng(0).permutation(count)[:_TRAINING_VECTORS]
        index.train(vectors[np.sort(chosen)])
    index.add(vectors)
    return index


class VectorLeg:
    """The vectors of one field, for reading. Rows are positions in the index metadata."""

    def __init__(self, folder: Path, field: str) -> None:
        try:
            self.rows: Rows = np.load(folder / f"{field}.rows.npy")
            self._index = faiss.read_index(str(folder / f"{field}.faiss"), faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError) as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({field}: {error}): run `igtool run index`"
            ) from error
        self._refined = isinstance(self._index, faiss.IndexRefine)
        self._exact = faiss.downcast_index(self._index.refine_index) if self._refined else self._index

    def top(self, query: Vectors, allowed: NDArray[np.bool_], k: int) -> Rows:
        """The ``k`` rows nearest to ``query`` (a unit vector) among the allowed ones, nearest first."""
        mine = allowed[self.rows]
        k = min(k, int(mine.sum()))
        if k == 0:
            return np.empty(0, dtype=np.int64)
        bits = np.packbits(mine, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)
        if self._refined:
            scan = faiss.IVFSearchParameters(nprobe=1, sel=selector)
            parameters = faiss.IndexRefineSearchParameters(k_factor=_RESCORED / k, base_index_params=scan)
        else:
            parameters = faiss.SearchParameters(sel=selector)
        _one_thread()
        _, found = self._index.search(query[None, :], k, params=parameters)
        nearest: Rows = self.rows[found[0][found[0] >= 0]]
        return nearest

    def exact(self, query: Vectors, rows: Rows) -> NDArray[np.float64]:
        """Cosine of ``query`` with the stored vector of each of ``rows``; NaN where a row has none."""
        cosine = np.full(len(rows), np.nan)
        if not len(self.rows):
            return cosine
        place = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        there = np.flatnonzero(self.rows[place] == rows)
        _one_thread()
        for start in range(0, len(there), _BLOCK):
            block = there[start : start + _BLOCK]
            cosine[block] = self._exact.reconstruct_batch(place[block]) @ query
        return cosine
