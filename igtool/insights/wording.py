"""The reasons of an insight in words: each quote is an exact part of the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igtool.insights.clusters import Cluster
from igtool.insights.head import CLASSES, Evidence, Floats, Head
from igtool.insights.words import Span, tokens
from igtool.topics import content_words

MAX_QUOTES = 3
_MIN_SHARE = 0.02
"""A word that moves the scores by less is no reason."""


def telling_spans(head: Head, evidence: Evidence, chosen: int) -> list[tuple[Span, float]]:
    """Places of the words that speak for the class ``chosen`` against the others, and how much, strongest first.

    An n-gram counts with its weight, a word of the lexicon with the share that the lexicon's sums have in the scores
    if it points the same way. Overlapping places are one.
    """
    against = head.term_weights.sum(axis=1)
    share = head.share(evidence)
    spans: dict[Span, float] = {}
    for term, span in evidence.terms:
        own = head.term_weights[term, chosen]
        spans[span] = spans.get(span, 0.0) + share * float(own - (against[term] - own) / (len(CLASSES) - 1))
    direction = chosen - 1
    for value, span in evidence.valences:
        if value * direction > 0:
            spans[span] = spans.get(span, 0.0) + abs(value) / 4
    ranked = sorted(((span, size) for span, size in spans.items() if size > _MIN_SHARE), key=lambda s: (-s[1], s[0]))
    kept: list[tuple[Span, float]] = []
    for span, size in ranked:
        if all(span[1] <= other[0] or span[0] >= other[1] for other, _ in kept):
            kept.append((span, size))
    return kept


def quotes(head: Head, text: str, spans: Sequence[tuple[Span, float]], original: str) -> list[str]:
    """Up to three parts of ``text`` that stand word for word in ``original`` and tell something by themselves."""
    found = dict.fromkeys(text[start:end].strip() for (start, end), _ in spans)
    return [part for part in found if part in original and _tells(head, part)][:MAX_QUOTES]


def _tells(head: Head, part: str) -> bool:
    """Whether a part holds a word with a valence, a word that is no stop word, a picture, a smiley, ``!`` or ``?``."""
    return any(
        token.kind in ("picture", "smile", "mark")
        or token.name in head.lexicon
        or (token.kind in ("word", "tag") and content_words(token.name))
        for token in tokens(part)
    )


def sentiment_reason(label: str, said: Sequence[str], against: Sequence[str], example: str) -> str:
    """Why a text has its sentiment: its words, or the example that it resembles most."""
    if not said:
        return f"{label}: no single word decides it, as a whole the text resembles “{example}”"
    reason = f"{label} for {_listed(said)}"
    return f"{reason}, although {_listed(against[:1])}" if against else reason


def cluster_reason(clusters: Sequence[Cluster]) -> str:
    """Why a text belongs to its clusters: words of the taxonomy, or the prototype that it resembles most."""
    if not clusters:
        return "no topic of the list"
    parts = [f"{c.slug} ({_listed(c.quotes) if c.quotes else f'resembles “{c.nearest}”'})" for c in clusters[:4]]
    return "about " + ", ".join(parts)


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(f"“{part}”" for part in parts)


def nearest(vectors: Floats, vector: Floats, texts: Sequence[str]) -> str:
    """The text whose vector is nearest to ``vector``."""
    return texts[int(np.argmax((vectors @ vector).round(9)))]
