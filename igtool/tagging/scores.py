"""How likely each tag of a category is in a picture: by an image encoder, by measured facts, or by both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igtool.vision.prompts import NEUTRAL, PromptVectors
from igtool.vocabulary.categories import Category, Key, Tag, TagVocabulary

Floats = NDArray[np.floating[Any]]
Method = Literal["zero_shot", "rule", "both"]

_CLOSEST = 1e-6
"""A probability is taken as no nearer to 0 or 1 than this."""


@dataclass(frozen=True)
class Reading:
    """What the methods say of one tag in one picture: ``score`` as it comes, ``confidence`` calibrated, 0-1."""

    tag: Tag
    score: float
    confidence: float
    method: Method
    reasoning: str


class ZeroShot:
    """Compares pictures with the prompts of a vocabulary.

    A tag's vector is the mean of those of its prompts (A. Radford et al., "Learning Transferable Visual Models From
    Natural Language Supervision", 2021, section 3.1.4). What a picture says for a tag is how much nearer it is to it
    than to all that it could be else: the background of the category, and the other tags where it has one of them at
    most.
    """

    def __init__(self, vocabulary: TagVocabulary, prompts: PromptVectors) -> None:
        """Raises ConfigError where ``prompts`` lack one of the vocabulary."""
        self._scale = prompts.scale
        self._tags: dict[str, Floats] = {}
        self._others: dict[str, Floats] = {}
        for category in vocabulary.categories.values():
            spoken = [tag for tag in category.tags.values() if "zero_shot" in tag.said_by]
            means = [_mean(prompts.vectors_of(tag.prompts)) for tag in spoken]
            self._tags[category.slug] = np.stack(means) if means else np.empty((0, 0))
            self._others[category.slug] = prompts.vectors_of(category.background or NEUTRAL)

    def scores(self, category: Category, vector: Floats) -> dict[Key, float]:
        """How likely each tag of the category is by the vector of a picture (length 1), 0-1, not calibrated."""
        tags = self._tags[category.slug]
        if not len(tags):
            return {}
        own = self._scale * (tags @ vector)
        others = self._scale * (self._others[category.slug] @ vector)
        keys = [tag.key for tag in category.tags.values() if "zero_shot" in tag.said_by]
        margins = (
            [own[n] - _log_sum(np.concatenate([np.delete(own, n), others])) for n in range(len(own))]
            if category.one_of
            else own - _log_sum(others)
        )
        return {key: probability(float(margin)) for key, margin in zip(keys, margins, strict=True)}


def readings(category: Category, seen: Mapping[Key, float], ruled: Mapping[Key, float]) -> Iterator[Reading]:
    """What is said of each tag of the category, by what an encoder has ``seen`` and by measured facts (``ruled``).

    Where both speak the score is the mean of their log-odds.
    """
    for tag in category.tags.values():
        parts: dict[Method, float] = {}
        if "zero_shot" in tag.said_by and tag.key in seen:
            parts["zero_shot"] = seen[tag.key]
        if "rule" in tag.said_by and tag.key in ruled:
            parts["rule"] = ruled[tag.key]
        if not parts:
            continue
        odds = sum(log_odds(one) for one in parts.values()) / len(parts)
        method: Method = "both" if len(parts) > 1 else next(iter(parts))
        told = ", ".join(f"{name.replace('_', '-')} {one:.2f}" for name, one in parts.items())
        confidence = probability(odds / tag.temperature)
        yield Reading(tag, round(probability(odds), 6), round(confidence, 4), method, told)


def probability(log_odds: float) -> float:
    """0-1, for the natural logarithm of odds."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, log_odds))))


def log_odds(probability: float) -> float:
    """The natural logarithm of the odds of a probability, which is taken as no nearer to 0 or 1 than a millionth."""
    near = min(max(probability, _CLOSEST), 1 - _CLOSEST)
    return math.log(near / (1 - near))


def _mean(vectors: Floats) -> Floats:
    mean = np.asarray(vectors, dtype=np.float64).mean(axis=0)
    unit: Floats = mean / np.linalg.norm(mean)
    return unit


def _log_sum(logits: Floats) -> float:
    largest = float(np.max(logits))
    return largest + math.log(float(np.exp(logits - largest).sum()))
