"""Words of texts as numbers: cutting, accents, stems, and which words of the index a word of a query stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

Ids = NDArray[np.uint32]
Hashes = NDArray[np.uint64]

MOST_BYTES = 40
"""Longer words are left out, as tantivy's own chain of filters does."""
FORMS = ("plain", "english", "spanish")
"""A word without accents, and its stems (Snowball). Two words with one of these in common are taken for one."""
_MOST_VARIANTS = 24
_NOT_IN_WORDS = r"[^\p{L}\p{N}\p{M} ]"
_BLANKED = np.asarray([byte if byte > 127 or chr(byte).isalnum() else ord(" ") for byte in range(256)], dtype=np.uint8)
_FACTORS = np.random.default_rng(0).integers(1, 1 << 63, MOST_BYTES, dtype=np.uint64) * 2 + 1


def normalized(text: str) -> str:
    """``text`` in Unicode NFKC (styled letters become plain ones), without NUL and lone surrogates."""
    clean = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFKC", clean)


def spaced(texts: Any) -> Any:
    """The words of each of ``texts`` (Arrow strings or NULL) in lower case, with spaces between."""
    lower = pc.utf8_lower(pc.utf8_normalize(pc.fill_null(texts, ""), "NFKC"))
    # Most separators are ASCII, and looking a byte up is many times as fast as a regular expression.
    known, offsets, content = lower.buffers()
    blanked = pa.py_buffer(_BLANKED[np.frombuffer(content, np.uint8)]) if content else content
    plain = pa.StringArray.from_buffers(len(lower), offsets, blanked, known, lower.null_count, lower.offset)
    return pc.replace_substring_regex(plain, _NOT_IN_WORDS, " ")


@cache
def analyzer(name: str) -> Any:
    """Each cuts at spaces and rewrites every word to one, ``spaces`` none; ``telling`` leaves out "the" and "de"."""
    one = TextAnalyzerBuilder(Tokenizer.whitespace())
    if name == "spaces":
        return one.build()
    if name == "plain":
        return one.filter(Filter.ascii_fold()).build()
    if name == "english":
        return one.filter(Filter.ascii_fold()).filter(Filter.stemmer("english")).build()
    if name == "spanish":  # accents matter to its stemmer, so they are folded after it
        return one.filter(Filter.stemmer("spanish")).filter(Filter.ascii_fold()).build()
    return (  # telling
        one.filter(Filter.stopword("english")).filter(Filter.stopword("spanish")).filter(Filter.ascii_fold()).build()
    )


def words_of(text: str) -> list[str]:
    """The words of ``text``, normalised, in their order: what a text of the index is cut into, for a short text.

    Arrow needs 0.5 ms for any text, however short.
    """
    words = "".join(_letter(one) for one in text).split()
    return [word for word in words if _is_word(word)]


def _letter(one: str) -> str:
    """A character in lower case, as one character; a space for what stands between words."""
    return one.lower()[0] if one.isalnum() or unicodedata.category(one)[0] == "M" else " "


def _is_word(word: str) -> bool:
    return any(map(str.isalnum, word)) and len(word.encode()) <= MOST_BYTES


def rewritten(words: Sequence[str], form: str) -> list[str]:
    """Each of ``words`` in the given one of FORMS."""
    made: list[str] = analyzer(form).analyze(" ".join(words)) if words else []
    return made


def hashes(words: Sequence[str]) -> Hashes:
    """A 64-bit number for each word: the sum of its bytes, each times an odd random factor of its place.

    Two given words have the same one with a probability below 2**-56 (multilinear hashing, Carter and Wegman 1979).
    """
    cells = np.array([word.encode() for word in words], dtype=f"S{MOST_BYTES}")
    view = cells.view(np.uint8).reshape(len(words), MOST_BYTES)
    total: Hashes = view.astype(np.uint64) @ _FACTORS
    return total


@dataclass(frozen=True)
class Cut:
    """Texts as the ids of their words, one after the other, and how many words each has."""

    ids: Ids
    lengths: NDArray[np.int64]


class Lexicon:
    """The words of an index while it is written: word to id, and in how many creators each stands."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._terms: list[str] = []
        self._stems: list[str] = []
        self._counts: NDArray[np.int64] = np.zeros(1024, dtype=np.int64)

    @classmethod
    def read(cls, words: Words) -> Lexicon:
        """The words of an index that is there, to add more."""
        lexicon = cls()
        lexicon._terms = words.terms.to_pylist()
        lexicon._ids = {word: number for number, word in enumerate(lexicon._terms)}
        lexicon._counts = np.asarray(words.counts, dtype=np.int64).copy()
        return lexicon

    def cut(self, texts: Any, most: NDArray[np.int64]) -> Cut:
        """``texts`` (Arrow, spaced) as ids, of each as many words as ``most`` says; new words get the next ids."""
        words = pc.ascii_split_whitespace(texts)
        coded = pc.list_flatten(words).dictionary_encode()
        ids = self._numbers(coded.dictionary)[coded.indices.to_numpy()]
        owner = np.repeat(np.arange(len(words)), pc.list_value_length(words).to_numpy())
        owner, ids = owner[ids >= 0], ids[ids >= 0]
        lengths = np.bincount(owner, minlength=len(words))
        if (lengths > most).any():
            keep = np.arange(len(ids)) - (np.cumsum(lengths) - lengths)[owner] < most[owner]
            ids, lengths = ids[keep], np.minimum(lengths, most)
        return Cut(ids.astype(np.uint32), lengths)

    def _numbers(self, words: Any) -> NDArray[np.int64]:
        """The id of each of ``words``, -1 for what is none."""
        spelt = words.to_pylist()
        for word in spelt:
            if word not in self._ids:
                self._ids[word] = len(self._terms) if _is_word(word) else -1
                if self._ids[word] >= 0:
                    self._terms.append(word)
        return np.fromiter(map(self._ids.__getitem__, spelt), dtype=np.int64, count=len(spelt))

    def count(self, rows: NDArray[np.int64], ids: Ids, change: int) -> None:
        """Each word of ``ids`` stands in ``change`` creators more for each of ``rows`` (parallel) that has it."""
        pairs = np.sort(rows.astype(np.uint64) << np.uint64(32) | ids)
        first = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
        counted = np.bincount((pairs[first] & np.uint64(0xFFFFFFFF)).astype(np.int64), minlength=len(self._terms))
        if len(counted) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(len(counted), dtype=np.int64)])
        self._counts[: len(counted)] += change * counted

    def stemmed(self, ids: Ids, lengths: NDArray[np.int64], weights: Sequence[int]) -> Any:
        """Arrow texts of English stems, one a row of ``lengths`` (rows, fields).

        Each word stands in it as often as the weight of its field says.
        """
        self._stems += rewritten(self._terms[len(self._stems) :], "english")
        times = np.repeat(np.tile(weights, len(lengths)), lengths.ravel())
        ends = np.cumsum(lengths @ np.asarray(weights)).astype(np.int32)
        stems = pa.array(self._stems, pa.string()).take(pa.array(np.repeat(ids, times)))
        return pc.binary_join(pa.ListArray.from_arrays(np.append(np.int32(0), ends), stems), " ")

    def write(self, folder: Path) -> None:
        """Store the words as ``words.arrow`` and for each way to look one up its hashes, sorted, with their ids."""
        counts = np.zeros(len(self._terms), dtype=np.int64)
        known = min(len(counts), len(self._counts))
        counts[:known] = self._counts[:known]
        table = pa.table({"term": pa.array(self._terms, pa.string()), "creators": pa.array(counts)})
        with pa.OSFile(str(folder / "words.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        for name in FORMS:
            numbers = hashes(rewritten(self._terms, name))
            order = np.argsort(numbers, kind="stable").astype(np.uint32)
            np.save(folder / f"{name}.hashes.npy", numbers[order])
            np.save(folder / f"{name}.ids.npy", order)


class Words:
    """The words of an index, for reading. Raises OSError, ValueError or pyarrow's errors when a file is not whole."""

    def __init__(self, folder: Path) -> None:
        with pa.memory_map(str(folder / "words.arrow")) as source:
            table = pa.ipc.open_file(source).read_all().combine_chunks()
        self.terms = table["term"]
        self.counts: NDArray[np.int64] = table["creators"].to_numpy()
        self._sorted = {
            name: (np.load(folder / f"{name}.hashes.npy", "r"), np.load(folder / f"{name}.ids.npy", "r"))
            for name in FORMS
        }

    def __len__(self) -> int:
        return len(self.terms)

    def variants(self, word: str) -> Ids:
        """Words of the index that are ``word`` but for accents and endings: the most frequent ones, 24 at most."""
        return self._frequent([self._having(form, rewritten([word], form)) for form in FORMS])

    def beginning(self, prefix: str) -> Ids:
        """Words of the index that begin with ``prefix``: the most frequent ones, 24 at most."""
        return self._frequent([np.flatnonzero(pc.starts_with(self.terms, prefix).to_numpy()).astype(np.uint32)])

    def stems(self, ids: Ids) -> list[str]:
        """The English stems of words, each once: what the keyword index has in their place."""
        return list(dict.fromkeys(rewritten(self.spellings(ids), "english")))

    def same(self, word: str) -> Ids:
        """Words of the index that are ``word`` but for accents."""
        return self._frequent([self._having("plain", rewritten([word], "plain"))])

    def _having(self, name: str, forms: Sequence[str]) -> Ids:
        keys, ids = self._sorted[name]
        wanted = hashes(forms)
        first, last = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
        found = [ids[start:end] for start, end in zip(first.tolist(), last.tolist(), strict=True) if start < end]
        return np.concatenate(found) if found else np.empty(0, dtype=np.uint32)

    def _frequent(self, found: Sequence[Ids]) -> Ids:
        ids: Ids = np.unique(np.concatenate(found))
        ids = ids[self.counts[ids] > 0]
        return ids if len(ids) <= _MOST_VARIANTS else np.sort(self.by_frequency(ids)[:_MOST_VARIANTS])

    def by_frequency(self, ids: Ids) -> Ids:
        """``ids`` with the word of most creators first; of equals in the order of the alphabet."""
        keys = zip((-self.counts[ids]).tolist(), self.spellings(ids), ids.tolist(), strict=True)
        return np.asarray([number for *_, number in sorted(keys)], dtype=np.uint32)

    def spellings(self, ids: Ids) -> list[str]:
        """The words themselves."""
        found: list[str] = self.terms.take(pa.array(ids)).to_pylist()
        return found

    def near(self, word: str) -> Ids:
        """Words of the index that are one letter away: one more, less, other, or two swapped (Damerau)."""
        plain = rewritten([word], "plain")[0]
        letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        splits = [(plain[:at], plain[at:]) for at in range(len(plain) + 1)]
        edits = {left + right[1:] for left, right in splits if right}
        edits |= {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
        edits |= {left + one + right[1:] for left, right in splits if right for one in letters}
        edits |= {left + one + right for left, right in splits for one in letters}
        return self._frequent([self._having("plain", sorted(edits - {plain, ""}))])
