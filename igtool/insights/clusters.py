"""Which clusters a short text belongs to: words of the taxonomy, and a ridge regression on its prototypes.

Both kinds of evidence become one calibrated confidence per cluster by a logistic regression. It is fitted on our own
sentences alone, each scored by a regression that has not seen it (leave one out), the examples of sentiments being
texts that belong to no cluster. Nothing is learnt from the texts that are analysed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igtool.encoders.base import Vectors, unit
from igtool.insights.prototypes import Sentences
from igtool.insights.taxonomy import GROUPS, Taxonomy
from igtool.vocabulary import fold
from igtool.zero_shot import WordIndex

ASSIGNED = 0.2
"""Confidence from which a text counts as belonging to a cluster: best F1 on the development split, see docs."""
RIDGE = 1.0
_WORD = re.compile(r"\w+")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cluster:
    """A cluster of one text: ``confidence`` is a calibrated probability, ``quotes`` are the words that name it."""

    slug: str
    confidence: float
    quotes: tuple[str, ...]
    nearest: str
    """The prototype sentence that is nearest to the text."""
    method: str
    """``words``, ``vectors`` or ``words+vectors``: what the confidence rests on."""


@dataclass(frozen=True)
class Hits:
    """Words of the taxonomy in one text: slug to exact substrings, in order, equal phrases once."""

    quotes: dict[str, tuple[str, ...]]


class ClusterSpace:
    """Scores texts against a taxonomy. Immutable; a text has the same clusters in any batch."""

    def __init__(self, taxonomy: Taxonomy, prototypes: Sentences, others: Sentences) -> None:
        self.taxonomy = taxonomy
        self._index = WordIndex(taxonomy.labels)
        self._prototypes = prototypes
        self._owner = np.array([taxonomy.slugs.index(slug) for slug in prototypes.labels])
        means = [prototypes.vectors[self._owner == place].mean(axis=0) for place in range(len(taxonomy.slugs))]
        self._centre = ((np.mean(means, axis=0) + others.vectors.mean(axis=0)) / 2).astype(np.float32)
        self._known = self._columns(prototypes.vectors)
        columns = np.concatenate([self._known, self._columns(others.vectors)])
        truth = np.zeros((len(columns), len(means)))
        truth[np.arange(len(self._owner)), self._owner] = 1
        self._weights, unseen = ridge(columns, truth, RIDGE)
        counts = np.stack([self._counts(self.find(text)) for text in (*prototypes.texts, *others.texts)])
        self._group = np.array([GROUPS.index(taxonomy.groups[slug]) for slug in taxonomy.slugs])
        made = features(unseen, counts)
        self._logistic = [
            logistic(made[:, self._group == group].reshape(-1, made.shape[2]), truth[:, self._group == group].ravel())
            for group in range(len(GROUPS))
        ]

    def find(self, text: str) -> Hits:
        """The words of the taxonomy in ``text``."""
        places = [(fold(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]
        words = [word for word, _, _ in places]
        quotes = {}
        for slug, phrases in self._index.find(words).items():
            spans = []
            for phrase in dict.fromkeys(phrases):
                starts = range(len(words) - len(phrase) + 1)
                at = next(start for start in starts if tuple(words[start : start + len(phrase)]) == phrase)
                spans.append(text[places[at][1] : places[at + len(phrase) - 1][2]])
            quotes[slug] = tuple(spans)
        return Hits(quotes)

    def confidences(self, hits: Sequence[Hits], vectors: Vectors) -> Floats:
        """Calibrated probability of each cluster for each text, shape (texts, clusters).

        A wider cluster is at least as likely as its narrower one. Scores are rounded, for the last bits of a matrix
        product depend on how many rows it has.
        """
        scores = (self._columns(vectors) @ self._weights).round(9)
        made = features(scores, np.stack([self._counts(found) for found in hits]))
        logits = np.empty(scores.shape)
        for group, weights in enumerate(self._logistic):
            chosen = self._group == group
            logits[:, chosen] = (made[:, chosen] * weights[:-1]).sum(axis=2) + weights[-1]
        chances: Floats = 1 / (1 + np.exp(-logits))
        slugs = self.taxonomy.slugs
        for narrow, wide in self.taxonomy.wider.items():
            place = slugs.index(wide)
            chances[:, place] = np.maximum(chances[:, place], chances[:, slugs.index(narrow)])
        return chances

    def assigned(self, hits: Hits, vector: Vectors, chances: Floats) -> tuple[Cluster, ...]:
        """The clusters of one text, the most confident first; ties go by the order of the taxonomy."""
        likeness = (self._columns(vector[None])[:, :-1] @ self._known[:, :-1].T)[0].round(9)
        found = []
        for place in np.argsort(-chances, kind="stable"):
            if chances[place] < ASSIGNED:
                break
            slug = self.taxonomy.slugs[place]
            own = np.flatnonzero(self._owner == place)
            nearest = self._prototypes.texts[own[int(likeness[own].argmax())]]
            quotes = hits.quotes.get(slug, ())
            alone = self._logistic[self._group[place]]
            by_words = alone[-1] + alone[2] * bool(quotes) + alone[3] * (len(quotes) > 1) >= np.log(ASSIGNED / 0.8)
            method = "vectors" if not quotes else "words" if by_words else "words+vectors"
            found.append(Cluster(slug, round(float(chances[place]), 4), quotes, nearest, method))
        return tuple(found)

    def _counts(self, hits: Hits) -> Floats:
        return np.array([len(hits.quotes.get(slug, ())) for slug in self.taxonomy.slugs], dtype=np.float64)

    def _columns(self, vectors: Vectors) -> Floats:
        directions = unit(vectors - self._centre).astype(np.float64)
        return np.hstack([directions, np.ones((len(directions), 1))])


def ridge(columns: Floats, truth: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Weights of a ridge regression, and for each row what the regression without that row says of it.

    The last column, the constant, has no penalty. Leaving one out in closed form: Hastie et al. 2009, 7.64.
    """
    shrink = penalty * np.eye(columns.shape[1])
    shrink[-1, -1] = 1e-6
    inverse = np.linalg.inv(columns.T @ columns + shrink)
    weights = inverse @ columns.T @ truth
    leverage = ((columns @ inverse) * columns).sum(axis=1)[:, None]
    return weights, (columns @ weights - leverage * truth) / (1 - leverage)


def features(scores: Floats, counts: Floats) -> Floats:
    """Per text and cluster: the score, its lead over the best other cluster, one word found, more words found."""
    best = np.sort(scores, axis=1)[:, -2:]
    lead = scores - np.where(scores == best[:, 1:], best[:, :1], best[:, 1:])
    return np.stack([scores, lead, counts >= 1, counts >= 2], axis=2)


def logistic(columns: Floats, truth: Floats, penalty: float = 1e-3) -> Floats:
    """Weights and constant of a logistic regression, by Newton's method."""
    wide = np.hstack([columns, np.ones((len(columns), 1))])
    weights = np.zeros(wide.shape[1])
    for _ in range(50):
        chances = 1 / (1 + np.exp(-wide @ weights))
        gradient = wide.T @ (chances - truth) + penalty * weights
        curvature = (wide * (chances * (1 - chances))[:, None]).T @ wide + penalty * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if float(np.abs(step).max()) < 1e-10:
            break
    return weights
