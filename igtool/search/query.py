"""Answers a search: filters, candidates of every leg, exact scores of every candidate, reasons."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.encoders.base import Encoder
from igtool.errors import ConfigError, UsageError
from igtool.search.answer import Hit, Query, SearchResult
from igtool.search.columns import Columns, Scope, age_days, facts_asked
from igtool.search.filters import Filters
from igtool.search.folder import checked_manifest, current_index
from igtool.search.grammar import parse_query
from igtool.search.keywords import KeywordQuery, Keywords
from igtool.search.reasons import reasons
from igtool.search.score import PARTS, VECTOR_FIELDS, combine, cosine_input, keyword_input, quality_input
from igtool.search.vectors import VectorLeg
from igtool.search.words import normalized

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]
Vector = NDArray[np.float32]

MAX_QUERY_CHARACTERS = 1_000
MAX_LIMIT = 1_000
CANDIDATES = 150
"""Best rows that each leg brings in, at least; ``limit`` when that is more."""
SCORE_ALL = 3_000
"""Up to so many creators that meet the filters are all scored exactly, without asking the legs first."""
LOGGED = 100
"""Best candidates that a search remembers for learning weights."""
SORTS = ("relevance", "quality", "followers", "growth")
_ALIKE_IN = (*VECTOR_FIELDS, "image")
_ALIKE = {"ig_bio": "yt_bio", "yt_bio": "ig_bio", "ig_captions": "yt_content", "yt_content": "ig_captions"}


@dataclass(frozen=True)
class _Asked:
    """The question as each leg asks it: the keyword leg not at all if it asks nothing; vectors by field.

    ``alike``: how near every row is in style to a picture, None where none was given.
    """

    keywords: KeywordQuery
    vectors: dict[str, Vector]
    left_out: Rows
    alike: Numbers | None = None

    @property
    def asks(self) -> bool:
        return self.keywords.asks or bool(self.vectors) or self.alike is not None


class Index:
    """The index in use, open for any number of searches; it stays usable when a newer one is switched to.

    Raises UsageError when there is none, IntegrityError when it is damaged; both name the fix.
    """

    def __init__(self, folder: Path) -> None:
        path = current_index(folder)
        manifest = checked_manifest(path)
        self.version: str = manifest["version"]
        self.snapshot: int = manifest["snapshot"]
        self.model: str | None = manifest["model"]
        self.dimension: int | None = manifest["dimension"]
        self.columns = Columns(path)
        self.keywords = Keywords(path, self.columns.alive)
        self.legs = {name: VectorLeg(path, name, self.columns.alive) for name in manifest["vectors"]}
        self._quality = _quality(self.columns.scope(None))
        self._other = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._counting = threading.Lock()
        self._searches = 0

    def inputs(
        self, query: Query, encoder: Encoder | None, judged: Collection[str] = ()
    ) -> tuple[list[str], dict[str, Numbers]]:
        """The candidates of ``query``, with those ``judged`` besides, by creator_id, and every part of each on 0-1."""
        said = normalized(query.text[:MAX_QUERY_CHARACTERS]).strip()
        rest, parsed, _ = (said, Filters(), []) if query.literal else parse_query(said)
        wanted = query.filters.over(parsed).resolved(self._known(parsed, query))
        asked = self._asked(rest, query, encoder)
        rows = self._rows(asked, self._allowed(wanted, query, asked), query, facts_asked(wanted))
        rows = np.union1d(rows, self.columns.rows_of(judged))
        return self.columns.ids(rows), self._inputs(asked, rows)

    def search(self, query: Query, *, encoder: Encoder | None, now: datetime) -> SearchResult:
        """The best creators for ``query`` among those that meet every filter.

        Without an ``encoder`` only words and quality count, without text only quality. The same index and query give
        the same answer. ``now`` dates the age of the data. Raises UsageError (unknown filter value, limit or order) and
        ConfigError (another encoder than the index was made with).
        """
        if not 1 <= query.limit <= MAX_LIMIT:
            raise UsageError(f"a search gives 1 to {MAX_LIMIT:,} results, not {query.limit:,}")
        if query.sort not in SORTS:
            raise UsageError(f"a search is not sorted by {query.sort!r}; there are: {', '.join(SORTS)}")
        said = normalized(query.text[:MAX_QUERY_CHARACTERS]).strip()
        rest, parsed, spans = (said, Filters(), []) if query.literal else parse_query(said)
        wanted = query.filters.over(parsed).resolved(self._known(parsed, query))
        asked = self._asked(rest, query, encoder)
        allowed = self._allowed(wanted, query, asked)
        with self._counted():
            rows = self._rows(asked, allowed, query, facts_asked(wanted))
            inputs = self._inputs(asked, rows)
        parts, final = combine(inputs, query.weights)
        order = self._order(rows, final, query)
        best = order[: query.limit]
        scores = {name: (parts[name][best], inputs[name][best]) for name in PARTS}
        logged = order[: max(LOGGED, query.limit)]
        ids = self.columns.ids(rows[logged])
        ranked = [(one, {name: float(parts[name][at]) for name in PARTS}) for one, at in zip(ids, logged, strict=True)]
        return SearchResult(
            query=said,
            text=rest,
            filters=wanted,
            understood=spans,
            corrected=asked.keywords.corrected,
            notes=self._notes(query, wanted, asked, found=bool(len(rows))),
            results=self._hits(asked.keywords, rows[best], scores, now),
            candidates=len(rows),
            weights=query.weights,
            index={"version": self.version, "snapshot": self.snapshot, "model": self.model},
            ranked=ranked,
        )

    def _known(self, parsed: Filters, query: Query) -> dict[str, set[str]]:
        """Values that exist. The words that the grammar knows are always valid."""
        known = {name: set(values) for name, values in self.columns.known.items()}
        known["lists"] = set(query.members) or {"no list yet: `igtool list add NAME HANDLE…`"}
        if not known["tags"]:
            known["tags"] = {"no tags yet"}
        if self.columns.count:
            for name, value in parsed.as_dict().items():
                if name in known:
                    known[name].add(str(value))
        return known

    def _asked(self, text: str, query: Query, encoder: Encoder | None) -> _Asked:
        asked = self._asked_in_words(text, query, encoder)
        return asked if query.alike is None else replace(asked, alike=self.columns.by_creator(query.alike))

    def _asked_in_words(self, text: str, query: Query, encoder: Encoder | None) -> _Asked:
        none = np.empty(0, dtype=np.int64)
        keywords = self.keywords.query(text)
        if query.like is not None and query.like.startswith("@"):
            row = self._row_of(query.like[1:])
            return _Asked(keywords, self._vectors_like(row), np.asarray([row]))
        said = query.like if query.like is not None else text
        if encoder is None or not self.legs or not said.strip():
            return _Asked(keywords, {}, none)
        if encoder.model != self.model:
            raise ConfigError(
                f"the index was made with {self.model}, the encoder is {encoder.model}: set the encoder back, or "
                "run `igtool run embed index --force`"
            )
        vector = encoder.encode([said], is_query=query.like is None)[0]
        return _Asked(keywords, dict.fromkeys(self.legs, vector), none)

    def _row_of(self, handle: str) -> int:
        """The creator with this handle; of several the one with most followers."""
        rows = np.asarray(list(self.keywords.query(f"@{handle}").named), dtype=np.int64)
        if not len(rows):
            raise UsageError(f"there is no creator @{handle} in the index to be like")
        followers = np.nan_to_num(self.columns.scope(None).followers[rows], nan=-1.0)
        return int(rows[np.argmax(followers)])

    def _vectors_like(self, row: int) -> dict[str, Vector]:
        """What each field is compared with: the same one of the creator, else its counterpart on the other platform."""
        own = {name: vector for name, leg in self.legs.items() if (vector := leg.of(row)) is not None}
        if not own:
            raise UsageError("this creator has no vectors to be like: run `igtool run embed index`")
        nearest = {name: own.get(name, own.get(_ALIKE.get(name, ""))) for name in self.legs}
        return {name: vector for name, vector in nearest.items() if vector is not None}

    def _allowed(self, wanted: Filters, query: Query, asked: _Asked) -> Mask:
        allowed = self.columns.mask(wanted)
        if wanted.lists:
            on = np.zeros_like(allowed)
            for name in wanted.lists:
                on[self.columns.rows_of(query.members[name])] = True
            allowed &= on
        if wanted.note is not None:
            on = np.zeros_like(allowed)
            on[self.columns.rows_of(query.noted)] = True
            allowed &= on
        if query.hidden:
            allowed[self.columns.rows_of(query.hidden)] = False
        allowed[asked.left_out] = False
        if asked.alike is not None and not asked.keywords.asks and not asked.vectors:
            allowed &= asked.alike > 0
        return self.keywords.with_phrases(asked.keywords, allowed)

    def _notes(self, query: Query, wanted: Filters, asked: _Asked, *, found: bool) -> list[str]:
        notes = []
        if len(query.text) > MAX_QUERY_CHARACTERS:
            notes.append(f"the query was cut at {MAX_QUERY_CHARACTERS:,} characters")
        if not found and self.columns.count:
            for name in wanted.as_dict():
                others = replace(wanted, **{name: getattr(Filters(), name)})
                if count := int(np.count_nonzero(self._allowed(others, query, asked))):
                    notes.append(f"without {name} there would be {count:,}")
            if asked.keywords.phrases:
                notes.append("nobody says the quoted words one after the other")
        return notes

    def _rows(self, asked: _Asked, allowed: Mask, query: Query, facts: Sequence[Sequence[str]]) -> Rows:
        """The candidates, ascending: of few creators all, else the union of the best of every leg."""
        if np.count_nonzero(allowed) <= SCORE_ALL:
            few: Rows = np.flatnonzero(allowed)
            return few
        k = max(query.limit, CANDIDATES)
        if not asked.asks:
            values = self._sorted_by(query)
            rows = np.flatnonzero(allowed)
            return rows if query.sort != "relevance" else np.sort(_best(values, rows, max(k, LOGGED)))
        found = self._side_by_side(
            [
                lambda: self.keywords.top(asked.keywords, allowed, k, facts),
                *(partial(_nearest, self.legs[name], vector, allowed, k) for name, vector in asked.vectors.items()),
            ]
        )
        if asked.alike is not None:
            found.append(_best(asked.alike, np.flatnonzero(allowed), k))
        if query.sort != "relevance":
            matching = self.keywords.matching(asked.keywords)
            found.append(matching[allowed[matching]])
        return np.unique(np.concatenate(found))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """While the block runs, other searches know that they are not alone."""
        with self._counting:
            self._searches += 1
        try:
            yield
        finally:
            with self._counting:
                self._searches -= 1

    def _side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of ``tasks``, which this thread and another one take in turn; more threads are no faster.

        Beside another search this thread does all of them: handing over costs more than it gains then. A task may give
        what is left of it, to be done last by whoever is free.
        """
        waiting = deque(enumerate(tasks))
        results: dict[int, Any] = {}

        def work() -> None:
            while True:
                try:
                    place, task = waiting.popleft()
                except IndexError:
                    return
                result = task()
                if callable(result):
                    waiting.append((place, result))
                else:
                    results[place] = result

        other = self._other.submit(work) if self._searches <= 1 else None
        work()
        if other is not None and not other.cancel():  # it may not have begun, busy with the search of another caller
            other.result()
        return [results[place] for place in range(len(tasks))]

    def _inputs(self, asked: _Asked, rows: Rows) -> dict[str, Numbers]:
        """Every part of every candidate on 0-1; NaN where the creator lacks it or nothing was asked."""
        nothing = np.full(len(rows), np.nan)
        inputs = dict.fromkeys(PARTS, nothing)
        inputs["quality"] = self._quality[rows]
        if asked.alike is not None:
            inputs["image"] = asked.alike[rows]
        cosines = [
            lambda leg=self.legs[name], vector=vector: leg.exact(vector, rows) for name, vector in asked.vectors.items()
        ]
        halves = np.array_split(rows, 2) if asked.keywords.asks else []
        scores = [lambda half=half: self.keywords.exact(asked.keywords, half) for half in halves]
        found = self._side_by_side([*cosines, *scores])
        for name, cosine in zip(asked.vectors, found, strict=False):
            inputs[name] = cosine_input(cosine, self.model)
        if halves:
            inputs["keyword"] = keyword_input(np.concatenate(found[len(cosines) :]))
        return inputs

    def _sorted_by(self, query: Query) -> Numbers:
        whole = self.columns.scope(query.filters.platform)
        return {"followers": whole.followers, "growth": whole.growth}.get(query.sort, self._quality)

    def _order(self, rows: Rows, final: Numbers, query: Query) -> Rows:
        """Places in ``rows``, best first; equals by creator_id."""
        values = final if query.sort == "relevance" else np.nan_to_num(self._sorted_by(query)[rows], nan=-np.inf)
        order = np.lexsort((-final, -values))[: max(LOGGED, query.limit) + 50]
        ids = self.columns.ids(rows[order])
        ranked = sorted(zip((-values[order]).tolist(), (-final[order]).tolist(), ids, order.tolist(), strict=True))
        return np.asarray([place for *_, place in ranked], dtype=np.int64)

    def _hits(
        self, keywords: KeywordQuery, rows: Rows, scores: dict[str, tuple[Numbers, Numbers]], now: datetime
    ) -> list[Hit]:
        words = self.keywords.matched(keywords, rows) if len(rows) else {}
        whole = self.columns.scope(None)
        hits = []
        for place, (row, creator) in enumerate(zip(rows.tolist(), self.columns.shown(rows), strict=True)):
            parts = {name: float(given[place]) for name, (given, _) in scores.items()}
            inputs = {name: _known(float(given[place])) for name, (_, given) in scores.items()}
            numbers = {
                "followers": float(whole.followers[row]),
                "posts_per_week": float(whole.posts_per_week[row]),
                "silent_days": float(whole.silent_days[row]),
                "growth": float(whole.growth[row]),
            }
            hits.append(
                Hit(
                    creator_id=creator["creator_id"],
                    handle=creator["handle"],
                    name=creator["name"],
                    final_score=sum(parts.values()),
                    parts=parts,
                    reasons=reasons({name: inputs[name] or 0.0 for name in _ALIKE_IN}, words[row], numbers),
                    data_age_days=age_days(creator["observed_at"], now),
                    platforms=creator["platforms"] or [],
                    followers_count=creator["followers_count"],
                    growth=_known(numbers["growth"]),
                    primary_niche=creator["primary_niche"],
                    summary=creator["summary"],
                    inputs=inputs,
                )
            )
        return hits


def _nearest(leg: VectorLeg, vector: Vector, allowed: Mask, k: int) -> Callable[[], Rows]:
    """The scan, which is most of the work; what it gives scores what it found."""
    return partial(leg.best, vector, leg.scanned(vector, allowed), k)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def _quality(scope: Scope) -> Numbers:
    return quality_input(scope.followers, scope.engagement_rate, scope.silent_days)


def _best(values: Numbers, rows: Rows, k: int) -> Rows:
    order = np.argsort(-np.nan_to_num(values[rows], nan=-1.0), kind="stable")
    return rows[order[:k]]
