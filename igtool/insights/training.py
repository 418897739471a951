"""Fits a sentiment head: a weighted softmax regression with a quadratic penalty, in numpy alone."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from igtool.encoders.base import Vectors, unit
from igtool.insights.head import CLASSES, DENSE_SCALE, TERM_SCALE, Floats, Head
from igtool.insights.words import DENSE, dense, ngrams, plain, readable, tokens, valences

MIN_TEXTS = 4
"""A term has to be in so many training texts."""
PENALTY = 8.0
"""Of the squared weights over the summed loss of texts of weight 1: chosen on the development split, see docs."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """One source of training texts; ``vectors`` are those of ``words.plain`` of each.

    ``weight`` is that of a text where the classes are equally frequent.
    """

    name: str
    texts: Sequence[str]
    labels: Sequence[str]
    vectors: Vectors
    weight: float = 1.0


@dataclass(frozen=True)
class _Terms:
    """Rows of term ids, one after another: row i is ``ids[starts[i]:starts[i + 1]]``."""

    ids: Ints
    starts: Ints
    scale: Floats
    count: int
    """Terms that there are."""

    def times(self, weights: Floats) -> Floats:
        gathered = np.concatenate([weights[self.ids], np.zeros((1, weights.shape[1]))])
        sums = np.add.reduceat(gathered, self.starts[:-1], axis=0)
        sums[self.starts[:-1] == self.starts[1:]] = 0
        result: Floats = sums * self.scale[:, None]
        return result

    def transposed_times(self, values: Floats) -> Floats:
        rows = np.repeat(values * self.scale[:, None], np.diff(self.starts), axis=0)
        return np.stack([np.bincount(self.ids, rows[:, k], self.count) for k in range(values.shape[1])], axis=1)


def is_held_out(text: str) -> bool:
    """One text in eight, by its SHA-256: they choose the temperature and never fit weights."""
    return hashlib.sha256(text.encode()).hexdigest()[0] in "ef"


def fit(
    sources: Sequence[Texts], lexicon: Mapping[str, float], encoder: str, notes: Sequence[str], penalty: float = PENALTY
) -> Head:
    """The head for ``sources``; equal input gives an equal head. ``notes``: what is told of the sources.

    Within a source the classes weigh the same, so that the head knows no class to be more frequent. The temperature
    is chosen on the held-out eighth (Guo et al. 2017).
    """
    held = np.array([is_held_out(text) for source in sources for text in source.texts])
    read = [_read(text, lexicon) for source in sources for text in source.texts]
    sums = np.stack([row for _, row in read]).astype(np.float64)
    counts = Counter(name for (names, _), out in zip(read, held, strict=True) if not out for name in set(names))
    terms = {name: place for place, name in enumerate(sorted(n for n, c in counts.items() if c >= MIN_TEXTS))}
    centre = np.mean([source.vectors.mean(axis=0) for source in sources], axis=0).astype(np.float32)
    nothing = np.zeros((len(DENSE), len(CLASSES)))
    empty = Head(
        encoder, terms, np.zeros((len(terms), len(CLASSES))), dict(lexicon), sums[~held].mean(axis=0),
        sums[~held].std(axis=0) + 1e-6, nothing, centre, np.zeros((len(centre), len(CLASSES))),
        np.zeros(len(CLASSES)), 1.0, tuple(notes),
    )  # fmt: skip
    return adapt(empty, sources, notes, penalty)


def adapt(head: Head, sources: Sequence[Texts], notes: Sequence[str], penalty: float = PENALTY) -> Head:
    """``head`` moved towards ``sources``: the penalty is on the squared distance from its weights.

    Words that ``head`` does not know stay unknown. So a user's few hundred labels mend what the shipped head sees
    differently and forget nothing of it.
    """
    texts = [text for source in sources for text in source.texts]
    read = [_read(text, head.lexicon) for text in texts]
    vectors = unit(np.concatenate([source.vectors for source in sources]) - head.centre).astype(np.float64)
    sums = DENSE_SCALE * (np.stack([row for _, row in read]) - head.dense_mean) / head.dense_spread
    columns = np.hstack([np.ones((len(texts), 1)), vectors, sums])
    rows = [[head.terms[name] for name in names if name in head.terms] for names, _ in read]
    labels = np.array([CLASSES.index(label) for source in sources for label in source.labels])
    weights = _weights(sources, labels)
    held = np.array([is_held_out(text) for text in texts])
    wide = np.vstack([head.bias[None], head.vector_weights, head.dense_weights])
    kept, out = np.flatnonzero(~held), np.flatnonzero(held)
    now = columns @ wide + _terms(rows, np.arange(len(texts)), len(head.terms)).times(head.term_weights)
    moved, long = _solve(
        columns[kept], _terms(rows, kept, len(head.terms)), now[kept], labels[kept], weights[kept], penalty
    )
    wide = wide + moved
    logits = now[out] + columns[out] @ moved + _terms(rows, out, len(head.terms)).times(long)
    cut = 1 + vectors.shape[1]
    return replace(
        head,
        term_weights=head.term_weights + long,
        vector_weights=wide[1:cut],
        dense_weights=wide[cut:],
        bias=wide[0],
        temperature=_temperature(logits, labels[out], weights[out]),
        sources=tuple(notes),
    )


def _read(text: str, lexicon: Mapping[str, float]) -> tuple[list[str], NDArray[np.float32]]:
    text = plain(readable(text))
    found = tokens(text)
    return [name for name, _ in ngrams(found)], dense(text, found, valences(text, found, lexicon))


def _weights(sources: Sequence[Texts], labels: Ints) -> Floats:
    weights = np.empty(len(labels))
    start = 0
    for source in sources:
        own = labels[start : start + len(source.labels)]
        counts = np.bincount(own, minlength=len(CLASSES))
        present = int((counts > 0).sum())
        weights[start : start + len(own)] = source.weight * len(own) / (present * counts[own])
        start += len(own)
    return weights


def _terms(rows: Sequence[Sequence[int]], chosen: Ints, count: int) -> _Terms:
    sizes = np.array([len(rows[row]) for row in chosen])
    ids = np.array([term for row in chosen for term in rows[row]], dtype=np.int64)
    scale = TERM_SCALE / np.sqrt(np.maximum(sizes, 1))
    return _Terms(ids, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), scale, count)


def _solve(
    columns: Floats, terms: _Terms, now: Floats, labels: Ints, weights: Floats, penalty: float
) -> tuple[Floats, Floats]:
    """What to add to the weights of the columns and of the terms so that the penalised loss is least.

    ``now`` are the scores without it. The first column, the constant, has no penalty.
    """
    width, classes = columns.shape[1], len(CLASSES)
    truth = np.eye(classes)[labels]

    def loss(flat: Floats) -> tuple[float, Floats]:
        wide, long = flat[: width * classes].reshape(width, classes), flat[width * classes :].reshape(-1, classes)
        logits = now + columns @ wide + terms.times(long)
        logits -= logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits).sum(axis=1))
        error = (np.exp(logits - total[:, None]) - truth) * weights[:, None]
        value = float((weights * (total - (logits * truth).sum(axis=1))).sum())
        shrunk = flat.copy()
        shrunk[:classes] = 0
        gradient = np.concatenate([(columns.T @ error).ravel(), terms.transposed_times(error).ravel()])
        return value + penalty / 2 * float(shrunk @ shrunk), gradient + penalty * shrunk

    flat = minimise(loss, np.zeros((width + terms.count) * classes))
    return flat[: width * classes].reshape(width, classes), flat[width * classes :].reshape(-1, classes)


def minimise(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, steps: int = 300, memory: int = 10
) -> Floats:
    """Where ``loss`` (value and gradient) is least, by L-BFGS with halved steps (Nocedal & Wright 2006, 7.4)."""
    at = start
    value, gradient = loss(at)
    past: deque[tuple[Floats, Floats, float]] = deque(maxlen=memory)
    first = float(np.abs(gradient).max())
    for _ in range(steps):
        if float(np.abs(gradient).max()) <= 1e-4 * first:
            break
        way = -_curved(gradient, past)
        slope = float(way @ gradient)
        size = 1.0 if past else 1.0 / first
        for _ in range(30):
            ahead, steeper = loss(at + size * way)
            if ahead <= value + 1e-4 * size * slope:
                break
            size /= 2
        moved, changed = size * way, steeper - gradient
        if (product := float(moved @ changed)) > 1e-10:
            past.append((moved, changed, product))
        at, value, gradient = at + moved, ahead, steeper
    return at


def _curved(gradient: Floats, past: Sequence[tuple[Floats, Floats, float]]) -> Floats:
    """The gradient times the approximate inverse of the curvature."""
    way = gradient.copy()
    shares = []
    for moved, changed, product in reversed(past):
        share = float(moved @ way) / product
        shares.append(share)
        way -= share * changed
    if past:
        _, changed, product = past[-1]
        way *= product / float(changed @ changed)
    for (moved, changed, product), share in zip(past, reversed(shares), strict=True):
        way += (share - float(changed @ way) / product) * moved
    return way


def _temperature(logits: Floats, labels: Ints, weights: Floats) -> float:
    """The temperature with the least loss on held-out texts."""

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((weights * (total - scaled[np.arange(len(labels)), labels])).sum())

    grid = np.geomspace(0.3, 3, 93)
    return float(grid[int(np.argmin([loss(t) for t in grid]))]) if len(labels) else 1.0
