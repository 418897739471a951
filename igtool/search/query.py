"""Answers a search: filters, candidates of every leg, exact scores of every candidate, reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.encoders.base import Encoder
from igtool.errors import ConfigError, UsageError
from igtool.search.build import checked_manifest, current_index
from igtool.search.columns import Columns, age_days
from igtool.search.filters import Filters, Span, parse_query
from igtool.search.keywords import Keywords, normalized
from igtool.search.score import (
    PARTS,
    VECTOR_FIELDS,
    Weights,
    combine,
    cosine_input,
    keyword_input,
    quality_input,
    reasons,
)
from igtool.search.vectors import VectorLeg

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

MAX_QUERY_CHARACTERS = 1_000
MAX_LIMIT = 1_000
CANDIDATES = 200
"""Best rows that each leg brings in, at least; ``limit`` when that is more."""
SCORE_ALL = 3_000
"""Up to so many creators that meet the filters are all scored exactly, without asking the legs first."""


@dataclass(frozen=True)
class Hit:
    """One creator found. ``parts`` are weighted contributions that add up to ``final_score`` exactly."""

    creator_id: str
    handle: str | None
    name: str | None
    final_score: float
    parts: dict[str, float]
    reasons: list[str]
    data_age_days: int | None
    platforms: list[str]
    followers_count: int | None
    primary_niche: str | None
    summary: str | None


@dataclass(frozen=True)
class SearchResult:
    """Ranked creators, with the filters that were applied and the pieces of the text they were read from.

    ``text`` is what was searched for besides the filters; ``candidates`` counts the creators scored exactly.
    """

    query: str
    text: str
    filters: Filters
    understood: list[Span]
    results: list[Hit]
    candidates: int

    def document(self) -> dict[str, Any]:
        """The JSON document of DESIGN §11."""
        return {
            "command": "search",
            "query": self.query,
            "text": self.text,
            "filters": self.filters.as_dict(),
            "understood": [{"text": span.text, "means": span.means.as_dict()} for span in self.understood],
            "results": [dict(vars(hit)) for hit in self.results],
        }


@dataclass(frozen=True)
class _Asked:
    """The free text as each leg asks for it; None where a leg is not asked."""

    keywords: Any | None
    vector: NDArray[np.float32] | None


class Index:
    """The index in use, open for any number of searches; it stays usable when a newer one is switched to.

    Raises UsageError when there is none, IntegrityError when it is damaged; both name the fix.
    """

    def __init__(self, folder: Path) -> None:
        path = current_index(folder)
        manifest = checked_manifest(path)
        self.version: str = manifest["version"]
        self.model: str | None = manifest["model"]
        self.dimension: int | None = manifest["dimension"]
        self.columns = Columns(path)
        self.keywords = Keywords(path / "keywords")
        self.legs = {name: VectorLeg(path, name) for name in VECTOR_FIELDS if name in manifest["vectors"]}
        whole = self.columns.scope(None)
        self._quality = quality_input(whole.followers, whole.engagement_rate, whole.silent_days)

    def search(
        self,
        text: str,
        *,
        filters: Filters | None = None,
        limit: int = 10,
        encoder: Encoder | None,
        now: datetime,
        weights: Weights | None = None,
        literal: bool = False,
    ) -> SearchResult:
        """The ``limit`` best creators for ``text`` among those that meet every filter; see ``search``."""
        if not 1 <= limit <= MAX_LIMIT:
            raise UsageError(f"a search gives 1 to {MAX_LIMIT:,} results, not {limit}")
        query = normalized(text[:MAX_QUERY_CHARACTERS]).strip()
        rest, parsed, spans = (query, Filters(), []) if literal else parse_query(query)
        asked_filters = (filters or Filters()).over(parsed)
        # The words that the grammar knows are always valid; only an empty index cannot judge the others.
        wanted = asked_filters.resolved(self._known(parsed))
        allowed = self.columns.mask(wanted)
        asked = self._asked(rest, encoder)
        rows = self._candidates(asked, allowed, max(limit, CANDIDATES))
        inputs = self._inputs(asked, rows)
        parts, final = combine(inputs, weights or Weights())
        # Rows ascend by creator_id, and a stable sort keeps that order among equals.
        best = np.argsort(-final, kind="stable")[:limit]
        hits = self._hits(rest, rows[best], {name: (parts[name][best], inputs[name][best]) for name in PARTS}, now)
        return SearchResult(query, rest, wanted, spans, hits, len(rows))

    def _known(self, parsed: Filters) -> dict[str, set[str]]:
        known = {name: set(values) for name, values in self.columns.known.items()}
        if self.columns.count:
            for name, value in parsed.as_dict().items():
                if name in known:
                    known[name].add(str(value))
        return known

    def _asked(self, text: str, encoder: Encoder | None) -> _Asked:
        query = self.keywords.query(text)
        if encoder is None or not self.legs or not text:
            return _Asked(query, None)
        if encoder.model != self.model:
            raise ConfigError(
                f"the index was made with {self.model}, the encoder is {encoder.model}: set the encoder back, or "
                "run `igtool run embed index --force`"
            )
        return _Asked(query, encoder.encode([text], is_query=True)[0])

    def _candidates(self, asked: _Asked, allowed: NDArray[np.bool_], k: int) -> Rows:
        """Union of the best rows of every leg among the allowed ones, ascending."""
        rows: Rows = np.flatnonzero(allowed)
        if len(rows) <= SCORE_ALL:
            return rows
        found = [_best(self._quality, rows, k)]
        if asked.keywords is not None:
            found.append(self.keywords.top(asked.keywords, allowed, k))
        if asked.vector is not None:
            found += [leg.top(asked.vector, allowed, k) for leg in self.legs.values()]
        return np.unique(np.concatenate(found))

    def _inputs(self, asked: _Asked, rows: Rows) -> dict[str, Numbers]:
        """Every part of every candidate on 0-1; NaN where the creator lacks it or nothing was asked."""
        nothing = np.full(len(rows), np.nan)
        inputs = dict.fromkeys(PARTS, nothing)
        inputs["quality"] = self._quality[rows]
        if asked.keywords is not None:
            inputs["keyword"] = keyword_input(self.keywords.exact(asked.keywords, rows))
        if asked.vector is not None:
            for name, leg in self.legs.items():
                inputs[name] = cosine_input(leg.exact(asked.vector, rows), self.model)
        return inputs

    def _hits(self, text: str, rows: Rows, scores: dict[str, tuple[Numbers, Numbers]], now: datetime) -> list[Hit]:
        words = self.keywords.matched(text, rows) if len(rows) else {}
        whole = self.columns.scope(None)
        hits = []
        for place, row in enumerate(rows.tolist()):
            creator = self.columns.creator(row)
            parts = {name: float(given[place]) for name, (given, _) in scores.items()}
            close = {name: float(np.nan_to_num(scores[name][1][place])) for name in VECTOR_FIELDS}
            numbers = {
                "followers": float(whole.followers[row]),
                "posts_per_week": float(whole.posts_per_week[row]),
                "silent_days": float(whole.silent_days[row]),
            }
            hits.append(
                Hit(
                    creator_id=creator["creator_id"],
                    handle=creator["handle"],
                    name=creator["name"],
                    final_score=sum(parts.values()),
                    parts=parts,
                    reasons=reasons(close, words[row], numbers),
                    data_age_days=age_days(creator["observed_at"], now),
                    platforms=creator["platforms"] or [],
                    followers_count=creator["followers_count"],
                    primary_niche=creator["primary_niche"],
                    summary=creator["summary"],
                )
            )
        return hits


def _best(values: Numbers, rows: Rows, k: int) -> Rows:
    order = np.argsort(-np.nan_to_num(values[rows], nan=-1.0), kind="stable")
    return rows[order[:k]]


def search(
    folder: Path,
    text: str,
    *,
    filters: Filters | None = None,
    limit: int = 10,
    encoder: Encoder | None,
    now: datetime,
    weights: Weights | None = None,
    literal: bool = False,
) -> SearchResult:
    """The ``limit`` best creators for ``text`` in the index in use below ``folder`` (``data/index``).

    Filters written in the text ("under 500k followers in Spain") are applied too, unless ``literal``; ``filters``
    overrides them. Without an ``encoder`` only words and quality count, without text only quality. The text is
    cut at 1,000 characters. The same index and text give the same answer. ``now`` dates the age of the data.

    Raises UsageError (no index, unknown filter value, limit not in 1-1,000), IntegrityError (damaged index),
    ConfigError (another encoder than the index was made with).
    """
    return Index(folder).search(
        text, filters=filters, limit=limit, encoder=encoder, now=now, weights=weights, literal=literal
    )
