"""What every creator says, word by word in order: exact keyword scores and phrases for any set of creators."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from igtool.search.words import Ids

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

FIELDS = {"handle": 3, "name": 3, "category": 1, "topics": 2, "bio": 2, "captions": 1}
"""Text field to its weight: a word in a handle says more than one among many captions."""
MOST_WORDS = {"handle": 100, "name": 100, "category": 50, "topics": 200, "bio": 1_000, "captions": 3_000}
"""So many words of a field are searched at most."""
_AT_ONCE = 1_000
"""Rows whose words are looked through together: so many stay in the cache."""
K1, B = 1.2, 0.75
"""Saturation and length normalisation of BM25, at the values that Lucene and tantivy use."""


@dataclass(frozen=True)
class Sought:
    """A word of a query: the words of the index that count as it, and how much it tells."""

    text: str
    ids: Ids
    weight: float


class TextWriter:
    """Writes the texts of creators: word ids in ``tokens.u32``, where each begins, how long each field is."""

    def __init__(self, folder: Path, before: Texts | None = None) -> None:
        self._folder = folder
        self._starts: list[NDArray[np.uint64]] = []
        self._lengths: list[NDArray[np.uint16]] = []
        self._rows: list[Rows] = []
        self._before = before
        self._file = (folder / "tokens.u32").open("ab")
        self._written = self._file.tell() // 4

    def add(self, rows: Rows, ids: Ids, lengths: NDArray[np.uint16]) -> None:
        """Texts of ``rows``: ``ids`` of one creator after the other, ``lengths`` of their fields (rows, FIELDS)."""
        totals = lengths.sum(axis=1, dtype=np.uint64)
        self._starts.append(self._written + np.cumsum(totals) - totals)
        self._lengths.append(lengths)
        self._rows.append(rows)
        self._file.write(np.ascontiguousarray(ids, dtype=np.uint32).tobytes())
        self._written += len(ids)

    def finish(self, count: int) -> None:
        """Store starts and lengths for ``count`` rows; those of an index before stay where none were added."""
        self._file.close()
        starts, lengths = np.zeros(count, dtype=np.uint64), np.zeros((count, len(FIELDS)), dtype=np.uint16)
        if self._before is not None:
            known = len(self._before.starts)
            starts[:known], lengths[:known] = self._before.starts, self._before.lengths
        for rows, start, length in zip(self._rows, self._starts, self._lengths, strict=True):
            starts[rows], lengths[rows] = start, length
        np.save(self._folder / "starts.npy", starts)
        np.save(self._folder / "lengths.npy", lengths)


class Texts:
    """The texts of an index, for reading. ``alive``: the rows in use, over which mean lengths are taken."""

    def __init__(self, folder: Path, words: int, alive: NDArray[np.bool_]) -> None:
        # Plain arrays over mapped files: numpy's own class for them costs 0.2 ms a look.
        self.starts: NDArray[np.uint64] = np.asarray(np.load(folder / "starts.npy", "r"))
        self.lengths: NDArray[np.uint16] = np.asarray(np.load(folder / "lengths.npy", "r"))
        size = (folder / "tokens.u32").stat().st_size // 4
        self._tokens: Ids = (
            np.asarray(np.memmap(folder / "tokens.u32", np.uint32, "r")) if size else np.empty(0, dtype=np.uint32)
        )
        self._words = words
        self._mean = np.maximum(self.lengths[alive].mean(axis=0) if alive.any() else np.ones(len(FIELDS)), 1e-9)
        self.mean_words = float(self._mean.sum())
        self._kept = threading.local()

    def tokens(self, rows: Rows) -> tuple[Ids, NDArray[np.int64]]:
        """The word ids of ``rows`` one after the other, and where each row ends among them."""
        totals = self.lengths[rows].sum(axis=1, dtype=np.int64)
        ends = np.cumsum(totals)
        shift = self.starts[rows].astype(np.int64) - (ends - totals)
        return self._tokens[np.arange(int(ends[-1]) if len(rows) else 0) + np.repeat(shift, totals)], ends

    def frequencies(self, sought: Sequence[Sought], rows: Rows) -> NDArray[np.int64]:
        """How often each sought word stands in each field of each row: (rows, sought, FIELDS)."""
        shape = (len(rows), len(sought), len(FIELDS))
        if not all(shape):
            return np.zeros(shape, dtype=np.int64)
        tokens, ends = self.tokens(rows)
        table = self._table()
        for word in sought:
            table[word.ids] = True
        hits = np.flatnonzero(table[tokens])
        found = tokens[hits]
        for word in sought:
            table[word.ids] = False
        owner = np.searchsorted(ends, hits, side="right")
        cells = owner * (shape[1] * shape[2]) + self._field_of(hits, rows, owner, ends)
        counts = np.zeros(int(np.prod(shape)), dtype=np.int64)
        for place, word in enumerate(sought):
            mine = cells[np.isin(found, word.ids)] + place * shape[2]
            counts += np.bincount(mine, minlength=len(counts))
        return counts.reshape(shape)

    def _field_of(
        self, places: NDArray[np.int64], rows: Rows, owner: Rows, ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The field in which each of ``places`` among the tokens of ``rows`` lies."""
        bounds = np.cumsum(self.lengths[rows[owner]], axis=1, dtype=np.int64)
        within = places - (ends[owner] - bounds[:, -1])
        field: NDArray[np.int64] = (within[:, None] >= bounds).sum(axis=1)
        return field

    def _table(self) -> NDArray[np.bool_]:
        """One cell a word of the index, all False; each thread has its own."""
        table: NDArray[np.bool_] | None = getattr(self._kept, "table", None)
        if table is None:
            table = self._kept.table = np.zeros(self._words, dtype=bool)
        return table

    def scores(self, sought: Sequence[Sought], rows: Rows, counts: NDArray[np.int64] | None = None) -> Numbers:
        """BM25F of ``rows`` (Robertson, Zaragoza and Taylor 2004): fields are weighted and summed before saturation."""
        if counts is None and len(rows) > _AT_ONCE:
            parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
            return np.concatenate([self.scores(sought, part) for part in parts])
        if counts is None:
            counts = self.frequencies(sought, rows)
        norm = 1 - B + B * self.lengths[rows] / self._mean
        weighted = (counts * (np.asarray(list(FIELDS.values())) / norm)[:, None, :]).sum(axis=2)
        score: Numbers = (weighted / (K1 + weighted) * (K1 + 1)) @ np.asarray([word.weight for word in sought])
        return score

    def with_phrase(self, words: Sequence[Ids], rows: Rows) -> Rows:
        """Those of ``rows`` in which the words stand one after the other, within one field.

        ``words`` holds for each word of the phrase the ids that count as it.
        """
        tokens, ends = self.tokens(rows)
        table = self._table()
        there = np.ones(max(len(tokens) - len(words) + 1, 0), dtype=bool)
        for offset, ids in enumerate(words):
            table[ids] = True
            there &= table[tokens[offset : offset + len(there)]]
            table[ids] = False
        first = np.flatnonzero(there)
        last = first + len(words) - 1
        owner, owner_of_last = (np.searchsorted(ends, places, side="right") for places in (first, last))
        inside = owner == owner_of_last
        inside &= self._field_of(first, rows, owner, ends) == self._field_of(last, rows, owner, ends)
        found: Rows = rows[np.unique(owner[inside])]
        return found


def flat_texts(documents: Mapping[str, Any]) -> Any:
    """The Arrow texts of all fields as one, creator by creator in the order of FIELDS."""
    width, count = len(FIELDS), len(documents["name"])
    order = np.arange(count * width).reshape(width, count).T.ravel()
    return pa.concat_arrays([documents[name] for name in FIELDS]).take(pa.array(order))
