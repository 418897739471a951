"""The keyword leg: BM25 over tantivy, with every text stemmed in English and in Spanish.

The user's text never reaches tantivy's query parser: it is cut into words by the analyzers of the index, and the
query is built from those words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Filter, Occur, Query, TextAnalyzerBuilder, Tokenizer

from igtool.errors import IntegrityError, StorageError

Rows = NDArray[np.int64]

TEXT_FIELDS = {"handle": 2.0, "name": 2.0, "category": 1.0, "topics": 1.5, "bio": 1.5, "captions": 1.0}
"""Text field to its weight in BM25: a word in a handle says more than one among many captions."""
_STEMMED = ("category", "topics", "bio", "captions")
_OTHER_FIELDS_SHARE = 0.1
_EXACT_HANDLE, _HANDLE_PREFIX = 30.0, 5.0
_MAX_WORDS = 64
_HEAP_BYTES = 128_000_000


@dataclass(frozen=True)
class Word:
    """A word of the query as each analyzer writes it."""

    plain: str
    english: str
    spanish: str

    def copies(self, field: str) -> list[tuple[str, str]]:
        """Index fields that hold the text field, each with the term to look for."""
        if field in _STEMMED:
            return [(f"{field}_en", self.english), (f"{field}_es", self.spanish)]
        return [(field, self.plain)]


def normalized(text: str) -> str:
    """``text`` in Unicode NFKC (styled letters become plain ones), without NUL and lone surrogates."""
    clean = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFKC", clean)


def _analyzers() -> dict[str, Any]:
    """Name to analyzer. The first three keep the same words, so that they can be read side by side."""

    def start() -> Any:
        return TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(40)).filter(Filter.lowercase())

    return {
        "plain": start().filter(Filter.ascii_fold()).build(),
        "english": start().filter(Filter.ascii_fold()).filter(Filter.stemmer("english")).build(),
        # Accents matter to the Spanish stemmer, so they are folded after it.
        "spanish": start().filter(Filter.stemmer("spanish")).filter(Filter.ascii_fold()).build(),
        "telling": start()
        .filter(Filter.stopword("english"))
        .filter(Filter.stopword("spanish"))
        .filter(Filter.ascii_fold())
        .build(),
    }


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", indexed=True, fast=True)
    builder.add_text_field("handle_raw", tokenizer_name="raw", index_option="basic")
    for field in TEXT_FIELDS:
        if field in _STEMMED:
            builder.add_text_field(f"{field}_en", tokenizer_name="english")
            builder.add_text_field(f"{field}_es", tokenizer_name="spanish")
        else:
            builder.add_text_field(field, tokenizer_name="plain")
    return builder.build()


def _registered(index: Any) -> Any:
    for name, analyzer in _analyzers().items():
        index.register_tokenizer(name, analyzer)
    return index


def write_keywords(folder: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Index ``documents``: dicts with ``row``, ``handles`` (list) and any of TEXT_FIELDS but ``handle``.

    Raises StorageError when the index cannot be written.
    """
    try:
        folder.mkdir()
        index = _registered(tantivy.Index(_schema(), path=str(folder)))
        # One thread keeps the documents, and with them equal scores, in the order of their rows.
        writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
        for document in documents:
            writer.add_document(_document(document))
        writer.commit()
        writer.wait_merging_threads()
    except (OSError, ValueError) as error:
        raise StorageError(
            f"cannot write the keyword index in {folder}: {error}; check space and permissions, "
            "then run `igtool run index`"
        ) from error


def _document(document: Mapping[str, Any]) -> Any:
    result = tantivy.Document()
    result.add_unsigned("row", document["row"])
    for handle in document["handles"]:
        clean = normalized(handle)
        result.add_text("handle_raw", clean.lower())
        result.add_text("handle", clean)
    for field in TEXT_FIELDS:
        text = normalized(document.get(field) or "")
        if text.strip():
            for copy in (f"{field}_en", f"{field}_es") if field in _STEMMED else (field,):
                result.add_text(copy, text)
    return result


class Keywords:
    """The keyword index of one folder, for reading."""

    def __init__(self, folder: Path) -> None:
        try:
            index = _registered(tantivy.Index.open(str(folder)))
            self._searcher = index.searcher()
        except ValueError as error:
            raise IntegrityError(
                f"the search index in {folder} is damaged ({error}): run `igtool run index`"
            ) from error
        self._schema = index.schema
        self._analyzers = _analyzers()

    def words(self, text: str) -> list[Word]:
        """Distinct words of ``text`` in order, at most 64; "the" or "de" only when there is nothing else.

        In a small database such a word is as rare as any other and would rank by chance.
        """
        clean = normalized(text)
        analyzed = (self._analyzers[name].analyze(clean) for name in ("plain", "english", "spanish"))
        distinct = {plain: Word(plain, english, spanish) for plain, english, spanish in zip(*analyzed, strict=True)}
        telling = set(self._analyzers["telling"].analyze(clean))
        chosen = [word for word in distinct.values() if word.plain in telling] or list(distinct.values())
        return chosen[:_MAX_WORDS]

    def query(self, text: str) -> Any | None:
        """The tantivy query for ``text``: its words, and handles that equal or begin with it. None without words.

        Of the places where a word stands the best counts, the others with a tenth: a creator with all words
        comes before one with a single word everywhere.
        """
        words = self.words(text)
        if not words:
            return None
        clauses = [self._word_query(word) for word in words]
        for handle in _handles(text):
            exact = Query.term_query(self._schema, "handle_raw", handle)
            clauses.append(Query.const_score_query(exact, _EXACT_HANDLE))
            if len(handle) >= 3:
                prefix = Query.fuzzy_term_query(self._schema, "handle_raw", handle, 0, False, True)
                clauses.append(Query.const_score_query(prefix, _HANDLE_PREFIX))
        return Query.boolean_query([(Occur.Should, clause) for clause in clauses])

    def _word_query(self, word: Word) -> Any:
        places = [
            Query.boost_query(Query.term_query(self._schema, copy, term), weight)
            for field, weight in TEXT_FIELDS.items()
            for copy, term in word.copies(field)
        ]
        return Query.disjunction_max_query(places, _OTHER_FIELDS_SHARE)

    def top(self, query: Any, allowed: NDArray[np.bool_], k: int) -> Rows:
        """The ``k`` best rows among the allowed ones: exactly those, however few are allowed."""
        fetch = k
        while True:
            rows, _ = self._run(query, fetch)
            kept = rows[allowed[rows]]
            if len(kept) >= k or len(rows) < fetch:
                return kept[:k]
            fetch *= 8

    def exact(self, query: Any, rows: Rows) -> NDArray[np.float64]:
        """BM25 of each of ``rows``; 0 where nothing matches."""
        scores = np.zeros(len(rows))
        if len(rows):
            found, values = self._run(self._within(query, rows), len(rows))
            place = {int(row): position for position, row in enumerate(rows)}
            scores[[place[int(row)] for row in found]] = values
        return scores

    def matched(self, text: str, rows: Rows) -> dict[int, dict[str, list[str]]]:
        """Row to text field to the words of ``text`` found there; ``handle_exact`` holds an equal handle."""
        fields = list(TEXT_FIELDS)
        result: dict[int, dict[str, list[str]]] = {int(row): {} for row in rows}
        for handle in _handles(text):
            exact = Query.term_query(self._schema, "handle_raw", handle)
            for row in self._run(self._within(exact, rows), len(rows))[0]:
                result[int(row)]["handle_exact"] = [handle]
        for word in self.words(text):
            # The score says where the word stands: one bit a field.
            query = Query.boolean_query(
                [(Occur.Should, self._place(word, field, 2.0**bit)) for bit, field in enumerate(fields)]
            )
            for row, places in zip(*self._run(self._within(query, rows), len(rows)), strict=True):
                for bit, field in enumerate(fields):
                    if int(places) >> bit & 1:
                        result[int(row)].setdefault(field, []).append(word.plain)
        return result

    def _place(self, word: Word, field: str, score: float) -> Any:
        copies = [Query.term_query(self._schema, copy, term) for copy, term in word.copies(field)]
        either = Query.boolean_query([(Occur.Should, copy) for copy in copies])
        return Query.const_score_query(either, score)

    def _within(self, query: Any, rows: Rows) -> Any:
        ids = Query.term_set_query(self._schema, "row", rows.tolist())
        return Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(ids, 0.0))])

    def _run(self, query: Any, limit: int) -> tuple[Rows, NDArray[np.float64]]:
        try:
            hits = self._searcher.search(query, max(limit, 1), count=False).hits
            rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        except (OSError, ValueError) as error:
            raise IntegrityError(f"the search index is damaged ({error}): run `igtool run index`") from error
        scores = [score for score, _ in hits]
        return np.asarray(rows, dtype=np.int64), np.asarray(scores, dtype=np.float64)


def _handles(text: str) -> Sequence[str]:
    """What may be a handle: words that begin with @, or the only word there is."""
    pieces = normalized(text).lower().split()
    named = pieces if len(pieces) == 1 else [piece for piece in pieces if piece.startswith("@")]
    handles = (piece.lstrip("@").rstrip(".,;:!?") for piece in named[:_MAX_WORDS])
    return list(dict.fromkeys(handle for handle in handles if 0 < len(handle) <= 100))
