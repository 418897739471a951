"""A language model as a judge of sentiment: log-probabilities of the three labels beside those of the head.

The model leans to negative whatever the text; a constant, chosen on the development split, is taken away. Its average
over texts without content (Zhao et al. 2021) or over our own examples mends less: see docs/insights.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from igtool.insights.head import CLASSES, Floats
from igtool.insights.words import plain, readable
from igtool.llms.base import Message, Prompt, ProviderOptions
from igtool.llms.local import Local

INSTRUCTION = "You label the sentiment of tweets. Answer with one word: negative, neutral or positive."
SCHEMA = {"enum": list(CLASSES)}
LEAN = (3.5, 0.0, 0.0)
"""What is taken from the log-probabilities of the classes."""
SHARE = 0.5
"""Of the judge's log-probabilities beside the head's: chosen on the development split."""


def label_scores(texts: Sequence[str], models: Path, kept: Path, model: str | None = None) -> Floats:
    """Log-probabilities of the classes for each text, shape (texts, 3), without what the model leans to.

    ``kept`` is a file of answers, one JSON line each: a run that was stopped goes on from there.
    """
    known = _known(kept)
    wanted = [text for text in dict.fromkeys(map(_shown, texts)) if text not in known]
    if wanted:
        judge = Local(model or Local.default_model or "", ProviderOptions(models=models))
        try:
            with kept.open("a", encoding="utf-8") as file:
                for text in wanted:
                    known[text] = _ask(judge, text)
                    print(json.dumps([text, known[text]]), file=file, flush=True)
        finally:
            judge.close()
    freed = np.array([known[_shown(text)] for text in texts]) - LEAN
    scores: Floats = freed - np.log(np.exp(freed).sum(axis=1, keepdims=True))
    return scores


def answered(texts: Sequence[str], kept: Path) -> list[bool]:
    """For which texts ``kept`` holds an answer."""
    known = _known(kept)
    return [_shown(text) in known for text in texts]


def _known(kept: Path) -> dict[str, list[float]]:
    if not kept.exists():
        return {}
    return dict(json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines())


def _shown(text: str) -> str:
    return plain(readable(text))


def combine(head: Floats, judge: Floats, share: float = SHARE) -> Floats:
    """Probabilities from the head's probabilities and the judge's scores."""
    powers = np.exp(np.log(np.maximum(head, 1e-9)) + share * judge)
    chances: Floats = powers / powers.sum(axis=1, keepdims=True)
    return chances


def _ask(judge: Local, text: str) -> list[float]:
    """Log-probabilities of the labels: the likely beginnings of the answer that tell which label follows."""
    prompt = Prompt(
        (Message("system", INSTRUCTION), Message("user", f"Tweet: {text}")), "sentiment", SCHEMA, 1, alternatives=40
    )
    masses = [1e-9] * len(CLASSES)
    for token, value in judge.complete(prompt).tokens[0][1].items():
        word = token.strip('" ').lower()
        for place, name in enumerate(CLASSES):
            if len(word) > 2 and name.startswith(word):  # "ne" begins two labels and tells nothing
                masses[place] += float(np.exp(value))
    return [float(np.log(mass / sum(masses))) for mass in masses]
