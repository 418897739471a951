"""The keyword leg: tantivy finds candidates, and each is scored exactly by `igtool.search.texts`.

The user's text never reaches tantivy's query parser: it is cut into words, and the query is built from the words of
the index that each stands for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import tantivy
from numpy.typing import NDArray
from tantivy import Occur, Query

from igtool.errors import IntegrityError
from igtool.search.texts import FIELDS, MOST_WORDS, Sought, Texts, TextWriter, flat_texts
from igtool.search.words import Lexicon, Words, analyzer, normalized, spaced, words_of

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EXACT_HANDLE, _HANDLE_PREFIX, _HANDLE_TYPO = 30.0, 5.0, 10.0
_MOST_QUERY_WORDS = 64
_MOST_HANDLES = 1_000
"""A beginning that more handles have says nothing about any of them."""
_READ_S, _FETCH_S = 7e-9, 4.5e-7
"""What reading a word of a text costs, and fetching a row from tantivy: says which of the two finds the best rows."""
_NARROWED = 0.05
"""Share of rows above which tantivy is faster without being told of a filter."""
_HEAP_BYTES = 1_000_000_000
_PHRASE = re.compile(r'"([^"]{1,200})"|“([^”]{1,200})”|«([^»]{1,200})»')
_PREFIX = re.compile(r"(\w{2,})\*(?!\w)")


@dataclass
class KeywordQuery:
    """A text as the keyword leg asks for it. ``corrected``: words that no creator uses, to what was taken instead."""

    words: list[Sought] = field(default_factory=list)
    phrases: list[list[NDArray[np.uint32]]] = field(default_factory=list)
    bonus: dict[int, float] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    corrected: dict[str, str] = field(default_factory=dict)
    candidates: Any = None

    @property
    def asks(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.words or self.bonus)


class KeywordWriter:
    """Writes the keyword index of ``folder``, or adds to one that is there already (``before``)."""

    def __init__(self, folder: Path, before: Keywords | None = None) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "tantivy").mkdir(exist_ok=True)
        self._folder = folder
        self._before = before
        self._lexicon = Lexicon.read(before.words) if before else Lexicon()
        self._texts = TextWriter(folder, before.texts if before else None)
        # One thread with much room makes few parts, and each part costs every search.
        path = str(folder / "tantivy")
        index = tantivy.Index.open(path) if before else tantivy.Index(_schema(), path=path)
        self._writer = _registered(index).writer(heap_size=_HEAP_BYTES, num_threads=1)

    def remove(self, rows: Rows) -> None:
        """Forget what ``rows`` said."""
        if self._before is not None and len(rows):
            tokens, ends = self._before.texts.tokens(rows)
            self._lexicon.count(np.repeat(rows, np.diff(ends, prepend=0)), tokens, -1)
            for row in rows.tolist():
                self._writer.delete_documents_by_query(Query.term_query(self._before.schema, "row", row))

    def add(self, rows: Rows, facts: Sequence[Sequence[str]], documents: Mapping[str, Any]) -> None:
        """What ``rows`` can be narrowed by, and an Arrow column for each of FIELDS, NULL where there is nothing.

        ``handle`` is a column of lists, the others are of strings.
        """
        handles = documents["handle"]
        documents = {**documents, "handle": pc.binary_join(handles, " ")}
        texts = {name: spaced(documents[name]) for name in FIELDS}
        most = np.tile(list(MOST_WORDS.values()), len(rows))
        cut = self._lexicon.cut(flat_texts(texts), most)
        lengths = cut.lengths.reshape(len(rows), len(FIELDS))
        self._texts.add(rows, cut.ids, lengths.astype(np.uint16))
        self._lexicon.count(np.repeat(rows, lengths.sum(axis=1)), cut.ids, 1)
        joined = self._lexicon.stemmed(cut.ids, lengths, list(FIELDS.values())).to_pylist()
        named = iter(pc.utf8_lower(pc.utf8_normalize(pc.list_flatten(handles), "NFKC")).to_pylist())
        count = pc.fill_null(pc.list_value_length(handles), 0).to_pylist()
        for row, many, known, text in zip(rows.tolist(), count, facts, joined, strict=True):
            document = tantivy.Document()
            document.add_unsigned("row", row)
            for _ in range(many):
                document.add_text("handle", next(named))
            for fact in known:
                document.add_text("facts", fact)
            document.add_text("text", text)
            self._writer.add_document(document)

    def finish(self, count: int) -> None:
        """Write what is left; the index has ``count`` rows."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        self._texts.finish(count)
        self._lexicon.write(self._folder)


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    builder.add_text_field("handle", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("facts", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name="spaces", index_option="freq")
    return builder.build()


def _registered(index: Any) -> Any:
    index.register_tokenizer("spaces", analyzer("spaces"))
    return index


class Keywords:
    """The keyword index of one folder, for reading. ``alive``: its rows that are in use."""

    def __init__(self, folder: Path, alive: Mask) -> None:
        try:
            index = _registered(tantivy.Index.open(str(folder / "tantivy")))
            self._searcher = index.searcher()
            self.words = Words(folder)
            self.texts = Texts(folder, len(self.words), alive)
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({error}): run `igtool run index`"
            ) from error
        self.schema = index.schema
        self._creators = int(alive.sum())

    def query(self, text: str) -> KeywordQuery:
        """``text`` cut into words, quoted phrases, beginnings (``word*``) and handles."""
        clean = normalized(text)
        query = KeywordQuery()
        words = _telling(list(dict.fromkeys(words_of(_PREFIX.sub(" ", clean)))))
        for word in words[:_MOST_QUERY_WORDS]:
            self._seek(query, word)
        for prefix in _PREFIX.findall(clean):
            self._seek_beginning(query, prefix.lower())
        for found in _PHRASE.findall(clean):
            phrase = words_of(next(filter(None, found)))
            if len(phrase) > 1:
                query.phrases.append([self.words.same(word) for word in phrase])
        for handle in _handles(clean):
            self._name(query, handle)
        if query.words:
            query.candidates = self._candidates(query.words)
        return query

    def _candidates(self, words: Sequence[Sought]) -> Any:
        """A query of the stems of ``words``; a rare ending of a frequent word tells no more than the word."""
        weights: dict[str, float] = {}
        for word in words:
            for stem in self.words.stems(word.ids):
                own = self._rarity(self._searcher.doc_freq("text", stem))
                weights[stem] = max(weights.get(stem, 0.0), word.weight / own)
        terms = ((Query.term_query(self.schema, "text", stem, "freq"), weight) for stem, weight in weights.items())
        return Query.boolean_query([(Occur.Should, Query.boost_query(term, weight)) for term, weight in terms])

    def _seek(self, query: KeywordQuery, word: str) -> None:
        ids = self.words.variants(word)
        if not len(ids) and len(word) > 3 and word.isalpha() and len(ids := self.words.near(word)):
            (query.corrected[word],) = self.words.spellings(self.words.by_frequency(ids)[:1])
        if len(ids):
            query.words.append(Sought(word, ids, self._weight(ids)))

    def _seek_beginning(self, query: KeywordQuery, prefix: str) -> None:
        ids = self.words.beginning(prefix)
        if len(ids):
            query.words.append(Sought(f"{prefix}*", ids, self._weight(ids)))

    def _weight(self, ids: NDArray[np.uint32]) -> float:
        """How much a word tells: its inverse document frequency as in BM25."""
        return self._rarity(int(self.words.counts[ids].sum()))

    def _rarity(self, having: int) -> float:
        having = min(having, self._creators)
        return math.log(1 + (self._creators - having + 0.5) / (having + 0.5))

    def _name(self, query: KeywordQuery, handle: str) -> None:
        """Creators with the handle, or with one that begins so; one letter off when there is none of either."""
        exact = self._rows(Query.term_query(self.schema, "handle", handle), _MOST_HANDLES)
        begins = Query.fuzzy_term_query(self.schema, "handle", handle, 0, False, True)
        prefixed = self._rows(begins, _MOST_HANDLES) if len(handle) >= 3 else exact
        for row in prefixed.tolist():
            query.bonus[row] = max(query.bonus.get(row, 0.0), _HANDLE_PREFIX)
        if not len(prefixed) and len(handle) >= 4:
            distance = 2 if len(handle) >= 8 else 1
            for row in self._rows(Query.fuzzy_term_query(self.schema, "handle", handle, distance), 50).tolist():
                query.bonus[row] = _HANDLE_TYPO
        for row in exact.tolist():
            query.bonus[row], query.named[row] = _EXACT_HANDLE, handle

    def with_phrases(self, query: KeywordQuery, allowed: Mask) -> Mask:
        """Which of the allowed rows hold every phrase of ``query``."""
        for phrase in query.phrases:
            rare = min(phrase, key=lambda ids: int(self.words.counts[ids].sum()))
            rows = self._having(rare)
            rows = np.sort(rows[allowed[rows]])
            allowed = np.zeros_like(allowed)
            if all(len(ids) for ids in phrase) and len(rows):
                allowed[self.texts.with_phrase(phrase, rows)] = True
        return allowed

    def _having(self, ids: NDArray[np.uint32]) -> Rows:
        """Rows with any of the words, and some with another word of the same stem."""
        stems = self.words.stems(ids)
        return self._rows(Query.term_set_query(self.schema, "text", stems), self._creators) if stems else _NONE

    def matching(self, query: KeywordQuery) -> Rows:
        """Every row with any word of ``query``."""
        named = np.fromiter(query.bonus, dtype=np.int64, count=len(query.bonus))
        rows = np.unique(np.concatenate([_NONE, *(self._having(word.ids) for word in query.words)]))
        return np.union1d(named, rows[self.texts.scores(query.words, rows) > 0])

    def top(self, query: KeywordQuery, allowed: Mask, k: int, facts: Sequence[Sequence[str]] = ()) -> Rows:
        """Rows among which the ``k`` best of the allowed ones are, by words or by name.

        ``facts``: of each of these groups every allowed row has one, which lets tantivy pass over the others.
        """
        named = np.fromiter(query.bonus, dtype=np.int64, count=len(query.bonus))
        named = named[allowed[named]]
        if query.candidates is None:
            return named
        count = int(np.count_nonzero(allowed))
        wide, among = self._narrowed(query.candidates, facts)
        fetch = min(int(1.2 * k * max(among, count) / max(count, 1)), self._creators)
        if count * self.texts.mean_words * _READ_S < fetch * _FETCH_S:
            return np.union1d(named, self._best_of(query, np.flatnonzero(allowed), k))
        while True:
            rows = self._rows(wide, fetch)
            kept = rows[allowed[rows]]
            if len(kept) >= k or len(rows) < fetch:
                return np.union1d(named, kept[:k])
            fetch *= 8

    def _narrowed(self, query: Any, facts: Sequence[Sequence[str]]) -> tuple[Any, int]:
        """``query`` among the rows with the ``facts``, where those are few, and about how many they are."""
        sizes = [sum(self._searcher.doc_freq("facts", fact) for fact in group) for group in facts]
        if min(sizes, default=self._creators) > _NARROWED * self._creators:
            return query, self._creators
        among = [
            Query.boolean_query(
                [(Occur.Should, Query.term_query(self.schema, "facts", fact, "basic")) for fact in group]
            )
            for group in facts
        ]
        clauses = [(Occur.Must, query), *((Occur.Must, Query.const_score_query(one, 0.0)) for one in among)]
        return Query.boolean_query(clauses), min(sizes)

    def _best_of(self, query: KeywordQuery, rows: Rows, k: int) -> Rows:
        scores = self.texts.scores(query.words, rows)
        best = np.argpartition(-scores, k)[:k] if len(rows) > k else np.arange(len(rows))
        return rows[best[scores[best] > 0]]

    def exact(self, query: KeywordQuery, rows: Rows) -> Numbers:
        """The score of each of ``rows``: BM25F of its words, more where its handle is named; 0 where nothing is."""
        scores = self.texts.scores(query.words, rows)
        if query.bonus:
            scores += [query.bonus.get(row, 0.0) for row in rows.tolist()]
        return scores

    def matched(self, query: KeywordQuery, rows: Rows) -> dict[int, dict[str, list[str]]]:
        """Row to text field to the words of the query found there; ``handle_exact`` holds an equal handle."""
        counts = self.texts.frequencies(query.words, rows)
        result: dict[int, dict[str, list[str]]] = {}
        for place, row in enumerate(rows.tolist()):
            found = result[row] = {}
            if row in query.named:
                found["handle_exact"] = [query.named[row]]
            for column, name in enumerate(FIELDS):
                if words := [query.words[word].text for word in np.flatnonzero(counts[place, :, column])]:
                    found[name] = words
        return result

    def _rows(self, query: Any, limit: int) -> Rows:
        try:
            hits = self._searcher.search(query, max(limit, 1), count=False).hits
            rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        except (OSError, ValueError) as error:
            raise IntegrityError(f"the search index is damaged ({error}): run `igtool run index`") from error
        return np.asarray(rows, dtype=np.int64)


_NONE: Rows = np.empty(0, dtype=np.int64)


def _telling(words: list[str]) -> list[str]:
    """``words`` without "the" or "de", unless there is nothing else.

    In a small database such a word is as rare as any other and would rank by chance.
    """
    kept = [word for word in words if analyzer("telling").analyze(word)]
    return kept or words


def _handles(text: str) -> Sequence[str]:
    """What may be a handle: words that begin with @, or the only word there is."""
    pieces = text.lower().split()
    named = pieces if len(pieces) == 1 else [piece for piece in pieces if piece.startswith("@")]
    handles = (piece.lstrip("@").rstrip(".,;:!?*").strip("\"'“”«»") for piece in named[:_MOST_QUERY_WORDS])
    return list(dict.fromkeys(handle for handle in handles if 0 < len(handle) <= 100))
