"""Sentiment and topics of short texts without a language model: a trained head, a taxonomy, and reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from igtool import vocabulary
from igtool.encoders.base import Encoder, Vectors, unit
from igtool.insights import head as heads
from igtool.insights import taxonomy as taxonomies
from igtool.insights.clusters import Cluster, ClusterSpace, Floats, Hits
from igtool.insights.head import CLASSES, Head
from igtool.insights.prototypes import sentences
from igtool.insights.taxonomy import Taxonomy
from igtool.insights.wording import cluster_reason, nearest, quotes, sentiment_reason, telling_spans
from igtool.insights.words import plain, readable
from igtool.topics import topics

__all__ = ["CLASSES", "VERSION", "Analyzer", "Cluster", "Insight", "Proposal", "analyze_texts", "propose"]

VERSION = 1
"""Bumped when the same text gets another insight."""

DOUBTFUL = 0.6
"""Confidence below which the reasoning also tells what speaks against."""


@dataclass(frozen=True)
class Insight:
    """What one text says: a pure function of the text, the encoder, and the files of the vocabulary.

    ``sentiment_score``: probability of positive minus that of negative, −1 to 1. ``probabilities``: in the order of
    ``CLASSES``, calibrated. ``confidence``: the probability of ``sentiment``. ``clusters``: none or several, the most
    confident first. ``quotes``: parts of the text on which the sentiment rests. ``methods``: field to what made it.
    """

    sentiment_score: float
    sentiment: str
    probabilities: tuple[float, float, float]
    clusters: tuple[Cluster, ...]
    confidence: float
    reasoning: str
    quotes: tuple[str, ...]
    methods: dict[str, str]


@dataclass(frozen=True)
class Proposal:
    """A topic that the taxonomy lacks: a phrase of several texts that belong to no cluster."""

    phrase: str
    rows: tuple[int, ...]
    """Positions of these texts."""


class Analyzer:
    """Everything that is read once: head, taxonomy, vectors of our own sentences.

    Raises ConfigError where the encoder is not the head's, or a file of the vocabulary is broken. ``head`` is a file
    that the user trained; without it, the one that ships.
    """

    def __init__(self, encoder: Encoder, head: Path | None = None, taxonomy: Taxonomy | None = None) -> None:
        self._encoder = encoder
        self._head: Head = heads.load(head or heads.FILE)
        self._head.check(encoder)
        taxonomy = taxonomy or taxonomies.load()
        shown, named = sentences(taxonomy, encoder)
        self.space = ClusterSpace(taxonomy, named, shown)
        centred = unit(shown.vectors - self._head.centre).astype(np.float64)
        labels = np.array(shown.labels)
        self._examples = [
            ([text for text, label in zip(shown.texts, labels, strict=True) if label == name], centred[labels == name])
            for name in CLASSES
        ]

    def analyze(self, texts: Sequence[str]) -> list[Insight]:
        """The insight of each text, in their order; an empty text is neutral with confidence 0."""
        seen = [readable(text) for text in texts]
        vectors = self._encoder.encode([plain(text) for text in seen])
        hits = [self.space.find(text) for text in seen]
        chances = self.space.confidences(hits, vectors) if texts else np.empty((0, 0))
        return [
            self._insight(original, plain(text), vector, found, row)
            for original, text, vector, found, row in zip(texts, seen, vectors, hits, chances, strict=True)
        ]

    def _insight(self, original: str, text: str, vector: Vectors, hits: Hits, chances: Floats) -> Insight:
        clusters = self.space.assigned(hits, vector, chances)
        if not text:
            reason = f"the text holds no words; {cluster_reason(clusters)}."
            return Insight(0.0, "neutral", (0.0, 1.0, 0.0), clusters, 0.0, reason, (), {"sentiment": "none"})
        evidence = self._head.read(text)
        chance = self._head.probabilities(self._head.logits(evidence, vector))
        order = np.argsort(-chance, kind="stable")
        chosen = int(order[0])
        said = quotes(self._head, text, telling_spans(self._head, evidence, chosen), original)
        against = quotes(self._head, text, telling_spans(self._head, evidence, int(order[1])), original)
        against = [part for part in against if part not in said and chance[chosen] < DOUBTFUL]
        texts, vectors = self._examples[chosen]
        example = nearest(vectors, unit(vector - self._head.centre).astype(np.float64), texts)
        negative, neutral, positive = (round(float(value), 4) for value in chance)
        return Insight(
            round(positive - negative, 4),
            CLASSES[chosen],
            (negative, neutral, positive),
            clusters,
            round(float(chance[chosen]), 4),
            f"{sentiment_reason(CLASSES[chosen], said, against, example)}; {cluster_reason(clusters)}.",
            tuple(said),
            {"sentiment": "head: words and vector" if said else "head: vector", **_cluster_methods(clusters)},
        )


def _cluster_methods(clusters: Sequence[Cluster]) -> dict[str, str]:
    used = list(dict.fromkeys(cluster.method for cluster in clusters))
    return {"clusters": "taxonomy: " + ", ".join(used)} if used else {"clusters": "none"}


def analyze_texts(texts: Sequence[str], encoder: Encoder, head: Path | None = None) -> list[Insight]:
    """The insight of each of ``texts``; who calls more than once keeps an `Analyzer`. Raises ConfigError."""
    return Analyzer(encoder, head).analyze(texts)


def propose(texts: Sequence[str], insights: Sequence[Insight], limit: int = 10) -> list[Proposal]:
    """Topics that may be missing from the taxonomy: phrases that several texts without a cluster share.

    They are proposals for a person and never become clusters by themselves; no stored label changes by them.
    """
    vocab = vocabulary.load()
    lonely = [row for row, insight in enumerate(insights) if not insight.clusters]
    items = [
        (str(row), readable(texts[row]), [part[1:].lower() for part in texts[row].split() if part.startswith("#")])
        for row in lonely
    ]
    found = topics(items, vocab.is_denied, limit)
    return [Proposal(phrase, tuple(int(row) for row in rows)) for phrase, rows in found.items()]
