"""What a search is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from igtool.search.filters import Filters
from igtool.search.grammar import Span
from igtool.search.score import Weights


@dataclass(frozen=True)
class Query:
    """What is asked: free ``text``, ``filters``, at most ``limit`` results in the order of ``sort``.

    Filters are also read out of the text, unless ``literal``; ``filters`` goes before them. ``like`` is a text, or a
    creator (``@handle``), that results are to be near in meaning; ``alike`` tells how near in style the pictures of
    each creator are to one that was given, 0-1. ``hidden`` creators never appear; ``members`` gives the creators of
    each list that ``filters.lists`` may name, ``noted`` those that ``filters.note`` speaks of.
    """

    text: str = ""
    filters: Filters = field(default_factory=Filters)
    limit: int = 10
    literal: bool = False
    like: str | None = None
    sort: str = "relevance"
    weights: Weights = field(default_factory=Weights)
    hidden: Collection[str] = ()
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    noted: Collection[str] = ()
    alike: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Hit:
    """One creator found. ``parts`` are weighted contributions that add up to ``final_score`` exactly.

    ``inputs``: what each part rests on, 0-1, and None where the creator lacks it or it was not asked for.
    """

    creator_id: str
    handle: str | None
    name: str | None
    final_score: float
    parts: dict[str, float]
    reasons: list[str]
    data_age_days: int | None
    platforms: list[str]
    followers_count: int | None
    growth: float | None
    primary_niche: str | None
    summary: str | None
    inputs: dict[str, float | None]


@dataclass(frozen=True)
class SearchResult:
    """Ranked creators, with the filters that were applied and the pieces of the text they were read from.

    ``text`` is what was searched for besides the filters; ``corrected`` words were taken for others; ``notes`` say what
    else a user should know. ``candidates`` counts the creators scored exactly, and ``ranked`` holds the ids and parts
    of the best of them. ``index`` tells of which commit of the lake the answer is.
    """

    query: str
    text: str
    filters: Filters
    understood: list[Span]
    corrected: dict[str, str]
    notes: list[str]
    results: list[Hit]
    candidates: int
    weights: Weights
    index: dict[str, Any]
    ranked: list[tuple[str, dict[str, float]]]

    def document(self, *, explain: bool = False) -> dict[str, Any]:
        """The JSON document of DESIGN §11; ``explain`` adds inputs and weights."""
        results = [
            {name: value for name, value in vars(hit).items() if explain or name != "inputs"} for hit in self.results
        ]
        more = {"weights": vars(self.weights), "candidates": self.candidates} if explain else {}
        return {
            "command": "search",
            "query": self.query,
            "text": self.text,
            "filters": self.filters.as_dict(),
            "understood": [{"text": span.text, "means": span.means.as_dict()} for span in self.understood],
            "corrected": self.corrected,
            "notes": self.notes,
            "index": self.index,
            **more,
            "results": results,
        }
