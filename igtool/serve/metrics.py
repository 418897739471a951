"""What the server counts of itself, for Prometheus; how the workspace stands is in ``standing``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from igtool.encoders.base import Encoder, Vectors
from igtool.search.query import Index

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The route of a request for an address that there is not: labels are routes, never what somebody asked for."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STEPS = {"scanned": "scan", "best": "best", "exact": "score"}


class Meter:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "igtool_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = self._histogram("igtool_http_request_seconds", "Time to the end of an answer.", "route")
        self._searches = self._histogram("igtool_search_seconds", "A search over the index, with its encoder.")
        self._encodings = self._histogram("igtool_search_encode_seconds", "Making a vector of the text of a search.")
        self._legs = self._histogram(
            "igtool_search_vector_leg_seconds",
            "One vector leg: scan, best of what it found, score of all candidates.",
            "field",
            "step",
        )

    def _histogram(self, name: str, what: str, *labels: str) -> Histogram:
        return Histogram(name, what, labels, registry=self.registry, buckets=_SECONDS)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method if method in METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def searched(self, seconds: float) -> None:
        """Count a search."""
        self._searches.observe(seconds)

    def watch(self, index: Index) -> None:
        """Time the vector legs of ``index``, which is not told of it."""
        for field, leg in index.legs.items():
            for name, step in _STEPS.items():
                setattr(leg, name, _timed(getattr(leg, name), self._legs.labels(field, step)))

    def timed(self, encoder: Encoder) -> Encoder:
        """``encoder``, with its time counted."""
        return _Timed(encoder, self._encodings)


def _timed(call: Callable[..., Any], histogram: Histogram) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        with histogram.time():
            return call(*arguments)

    return timed


class _Timed(Encoder):
    def __init__(self, encoder: Encoder, histogram: Histogram) -> None:
        super().__init__(encoder.options)
        self.model, self.max_characters = encoder.model, encoder.max_characters
        self._encoder, self._histogram = encoder, histogram

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        began = time.perf_counter()
        try:
            return self._encoder.embed(texts, is_query=is_query)
        finally:
            self._histogram.observe(time.perf_counter() - began)
