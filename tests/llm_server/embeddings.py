"""Answers of an embedding model: a vector for each text, the same for the same text, or one that is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from .asks import Ask
from .replies import JSON, Reply, of, tokens

DIMENSION = 8


def vector(text: str, dimension: int = DIMENSION) -> list[float]:
    """The vector of ``text``; not of length 1."""
    numbers = random.Random(text)
    return [numbers.gauss(0, 2) for _ in range(dimension)]


def _answer(ask: Ask) -> dict[str, Any]:
    size = int(ask.data.get("dimensions") or DIMENSION)
    data = [
        {"object": "embedding", "index": place, "embedding": vector(text, size)}
        for place, text in enumerate(ask.data["input"])
    ]
    used = sum(tokens(text) for text in ask.data["input"])
    return {
        "object": "list",
        "data": data[::-1],  # the index tells, and not the order
        "model": ask.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _with(change: Callable[[dict[str, Any]], object]) -> Callable[[Ask], Reply]:
    def play(ask: Ask) -> Reply:
        answer = _answer(ask)
        change(answer)
        return of(answer, is_paid=True)

    return play


def _not_numbers(ask: Ask) -> Reply:
    answer = _answer(ask)
    answer["data"][0]["embedding"][0] = float("nan")
    return Reply(200, json.dumps(answer).encode(), (JSON,), is_paid=True)


PLAYS: dict[str, Callable[[Ask], Reply]] = {
    "ok": _with(lambda answer: None),
    "other_size": _with(lambda answer: [each["embedding"].append(1.0) for each in answer["data"]]),
    "too_few": _with(lambda answer: answer["data"].pop()),
    "same_index": _with(lambda answer: [each.update(index=0) for each in answer["data"]]),
    "no_length": _with(lambda answer: answer["data"][0].update(embedding=[0.0] * DIMENSION)),
    "endless": _with(lambda answer: answer["data"][0].update(embedding=[1e308] * DIMENSION)),
    "no_usage": _with(lambda answer: answer.pop("usage")),
    "not_numbers": _not_numbers,
}
"""Those in which the model answers, well or not."""
