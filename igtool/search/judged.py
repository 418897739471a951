"""How good a ranking is by people's judgements, and the weights that make it best.

nDCG@10 (Järvelin and Kekäläinen 2002): a creator of grade g counts ``2**g - 1``, divided by ``log2(1 + place)``, over
what the best order of the judged ones would give. Creators that nobody judged count nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igtool.errors import UsageError
from igtool.search.score import PARTS, VECTOR_FIELDS, Weights, combine

Numbers = NDArray[np.float64]
Judgements = dict[str, dict[str, float]]

DEPTH = 10
FOLDS = 5
LEAST_QUERIES = 10
_STEPS = 300
_RESAMPLES = 2_000
_GRADES = {"yes": 1.0, "y": 1.0, "true": 1.0, "no": 0.0, "n": 0.0, "false": 0.0}
_COLUMNS = {"query": ("query",), "creator": ("creator_id", "handle", "creator"), "grade": ("grade", "relevant")}


@dataclass(frozen=True)
class Judged:
    """One query with its candidates: inputs on 0-1 by part, and the grade of each (0 where nobody judged)."""

    query: str
    inputs: Mapping[str, Numbers]
    grades: Numbers


@dataclass(frozen=True)
class Measured:
    """A mean over queries with its 95 % interval, by resampling queries."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Tuning:
    """``before`` and ``after``: nDCG@10 on held-out queries with the weights in use and with fitted ones.

    ``gain`` is their difference query by query. ``weights`` are fitted on all queries.
    """

    queries: int
    weights: Weights
    before: Measured
    after: Measured
    gain: Measured


def read_judgements(path: Path) -> Judgements:
    """Query to creator (handle or id, lower case) to grade, from a CSV file.

    Its columns are query, creator_id or handle, and grade (0 and up) or relevant (yes, no). Raises UsageError naming
    the line.
    """
    found: Judgements = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = _columns(reader.fieldnames or (), path)
            for row in reader:
                query, creator, cell = ((row[names[key]] or "").strip() for key in ("query", "creator", "grade"))
                grade = _grade(cell)
                if not query or not creator or grade is None:
                    raise UsageError(
                        f"{path}, line {reader.line_num}: needs a query, a creator and a grade from 0 to 10"
                    )
                found.setdefault(query, {})[creator.removeprefix("@").lower()] = grade
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {error}") from error
    return found


def _columns(header: Sequence[str], path: Path) -> dict[str, str]:
    by_name = {name.strip().lower(): name for name in header}
    chosen = {}
    for key, names in _COLUMNS.items():
        there = [by_name[name] for name in names if name in by_name]
        if not there:
            raise UsageError(f"{path} has no column {' or '.join(names)}; it has: {', '.join(header) or 'none'}")
        chosen[key] = there[0]
    return chosen


def _grade(cell: str) -> float | None:
    if cell.lower() in _GRADES:
        return _GRADES[cell.lower()]
    try:
        grade = float(cell)
    except ValueError:
        return None
    return grade if 0 <= grade <= 10 else None


def ndcg(scores: Numbers, grades: Numbers) -> float:
    """nDCG@10 of the order that ``scores`` give; equal scores keep their order. 0 when nothing is relevant."""
    gains = 2.0**grades - 1
    best = float(_discounted(-np.sort(-gains)))
    return float(_discounted(gains[np.argsort(-scores, kind="stable")])) / best if best > 0 else 0.0


def tune(judged: Sequence[Judged], current: Weights, seed: int = 0) -> Tuning:
    """Weights fitted to the judgements, and what they gain on queries that they were not fitted to.

    Raises UsageError for fewer than 10 queries with a relevant creator.
    """
    usable = [one for one in judged if (one.grades > 0).any()]
    if len(usable) < LEAST_QUERIES:
        raise UsageError(
            f"{len(usable)} queries have a relevant creator in this database: at least {LEAST_QUERIES} are needed"
        )
    pool = _Pool(usable)
    fold = np.random.default_rng(seed).permutation(len(usable)) % FOLDS
    before, after = pool.ndcg(current), np.zeros(len(usable))
    for number in range(FOLDS):
        held_out = fold == number
        after[held_out] = pool.ndcg(_fit(pool, ~held_out, current, seed))[held_out]
    weights = _fit(pool, np.ones(len(usable), dtype=bool), current, seed)
    return Tuning(len(usable), weights, measured(before), measured(after), measured(after - before))


class _Pool:
    """The candidates of all queries, one after the other, so that weights are tried on all of them at once."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        self._inputs = {name: np.concatenate([one.inputs[name] for one in judged]) for name in PARTS}
        sizes = [len(one.grades) for one in judged]
        starts = np.cumsum(sizes) - sizes
        columns = np.arange(max(sizes))
        self._none = columns >= np.asarray(sizes)[:, None]
        self._places = np.where(self._none, 0, starts[:, None] + columns)
        grades = np.where(self._none, 0.0, np.concatenate([one.grades for one in judged])[self._places])
        self._gains = 2.0**grades - 1
        self._best = _discounted(-np.sort(-self._gains, axis=1))

    def ndcg(self, weights: Weights) -> Numbers:
        """nDCG@10 of each query."""
        scores = np.where(self._none, -np.inf, combine(self._inputs, weights)[1][self._places])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        found: Numbers = _discounted(np.take_along_axis(self._gains, order, axis=1)) / self._best
        return found


def _discounted(gains: Numbers) -> Numbers:
    top = gains[..., :DEPTH]
    summed: Numbers = top @ (1 / np.log2(np.arange(2, top.shape[-1] + 2)))
    return summed


def _fit(pool: _Pool, chosen: NDArray[np.bool_], start: Weights, seed: int) -> Weights:
    """The best of many weights, drawn ever closer around the best so far: nDCG has steps and no gradient."""
    random = np.random.default_rng(seed)
    best, reached = start, float(pool.ndcg(start)[chosen].mean())
    for step in range(_STEPS):
        tried = _drawn(best, random, 1.5 * 0.98**step)
        if (found := float(pool.ndcg(tried)[chosen].mean())) > reached:
            best, reached = tried, found
    return best


def _drawn(around: Weights, random: np.random.Generator, width: float) -> Weights:
    legs, shares = ("keyword", "vectors", "quality"), VECTOR_FIELDS

    def scaled(names: Sequence[str]) -> dict[str, float]:
        drawn = {name: (getattr(around, name) + 0.01) * float(np.exp(random.normal(0, width))) for name in names}
        return {name: round(part / sum(drawn.values()), 4) for name, part in drawn.items()}

    return Weights(**scaled(legs), **scaled(shares))


def measured(values: Numbers, seed: int = 0) -> Measured:
    """The mean of ``values`` with its percentile bootstrap interval (2,000 resamples)."""
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Measured(float(values.mean()), float(low), float(high))


def judge(
    judgements: Judgements,
    inputs: Callable[[str, Sequence[str]], tuple[list[str], dict[str, Numbers]]],
    ids: Mapping[str, Sequence[str]],
) -> list[Judged]:
    """The judged queries with the candidates that a search has for each.

    ``inputs`` gives the candidates of a query and the judged creators besides; ``ids`` the creators of each handle.
    """
    found = []
    for query, graded in judgements.items():
        grades = {one: grade for name, grade in graded.items() for one in ids.get(name, ())}
        creators, parts = inputs(query, list(grades))
        found.append(Judged(query, parts, np.asarray([grades.get(one, 0.0) for one in creators])))
    return found


WEIGHT_NAMES = tuple(field.name for field in fields(Weights))
