"""Texts that the shipped sentiment head may be trained on: our own, and two public sets that allow it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from igtool.insights.prototypes import FOLDER, examples

Rows = list[tuple[str, str]]
"""Text and class."""

PHRASES = FOLDER / "sentiment_phrases.toml"
GOEMOTIONS, NEWS = "GoEmotions (Demszky et al. 2020, CC BY 4.0)", "NewsMTSC (Hamborg and Donnay 2021, MIT)"

# Demszky et al. 2020, appendix; confusion, curiosity, realization and surprise say neither and are left out.
_GLAD = frozenset(
    ["admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy", "love", "optimism",
     "pride", "relief"]
)  # fmt: skip
_SORRY = frozenset(
    ["anger", "annoyance", "disappointment", "disapproval", "disgust", "embarrassment", "fear", "grief", "nervousness",
     "remorse", "sadness"]
)  # fmt: skip


def own() -> Rows:
    """The examples of the vocabulary."""
    return [(text, label) for label, text in examples()]


def phrases(path: Path = PHRASES) -> Rows:
    """Every pattern filled with every entry of its longest list, three times with other entries of the others."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    lists = tables.pop("lists")
    found: Rows = []
    for label, table in tables.items():
        turn = 0
        for pattern in table["patterns"]:
            names = re.findall(r"{(\w+)}", pattern)
            longest = max(names, key=lambda name: len(lists[name]))
            for round_ in range(3):
                for place in range(len(lists[longest])):
                    turn += 1
                    text = pattern
                    for at, name in enumerate(names):
                        chosen = place if name == longest else (turn * 7 + at * 3 + round_) % len(lists[name])
                        text = text.replace("{" + name + "}", lists[name][chosen], 1)
                    found.append((re.sub(r"\s+", " ", text).strip(), label))
    return list(dict.fromkeys(found))


def goemotions(folder: Path, limit: int = 12_000) -> Rows:
    """Reddit comments: the emotions of each as a class; comments of both signs are left out.

    ``folder`` holds ``train.tsv``, ``dev.tsv``, ``test.tsv`` and the names of the emotions, as in the authors' public
    repository (google-research, goemotions/data).
    """
    listed = next(path for name in ("emotions.txt", "labels.txt") if (path := folder / name).exists())
    names = listed.read_text(encoding="utf-8").split()
    found: Rows = []
    for part in ("train", "dev", "test"):
        for line in (folder / f"{part}.tsv").read_text(encoding="utf-8").splitlines():
            text, numbers, *_ = line.split("\t")
            said = {names[int(number)] for number in numbers.split(",")}
            glad, sorry = bool(said & _GLAD), bool(said & _SORRY)
            if glad != sorry or said == {"neutral"}:
                found.append((text, "positive" if glad else "negative" if sorry else "neutral"))
    return sample(found, limit)


def news(folder: Path) -> Rows:
    """Sentences of US news on politics: neutral ones, and those whose persons are shown in one light.

    ``folder`` is that of the data set in the authors' public repository (fhamborg/NewsMTSC).
    """
    names = {2.0: "negative", 4.0: "neutral", 6.0: "positive"}
    found: dict[str, str] = {}
    for part in ("train", "devtest_mt", "devtest_rw"):
        for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            coloured = {target["polarity"] for target in row["targets"]} - {4.0}
            if len(coloured) < 2:
                found[row["sentence_normalized"]] = names[next(iter(coloured), 4.0)]
    return list(found.items())


def lexicon(path: Path) -> dict[str, float]:
    """Words with a valence of −1 to 1: ``vader_lexicon.txt`` of vaderSentiment (Hutto & Gilbert 2014, MIT)."""
    return {word: round(value / 4, 2) for word, value in _valued(path)}


def _valued(path: Path) -> Iterator[tuple[str, float]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        word, value, *_ = line.split("\t")
        if not word.startswith("~"):
            yield re.sub(r"(\w)\1{2,}", r"\1\1", word.lower()), float(value)


def sample(rows: Sequence[tuple[str, str]], limit: int) -> Rows:
    """At most ``limit`` rows, chosen by the SHA-256 of their texts: the same ones everywhere."""
    return sorted(rows, key=lambda row: hashlib.sha256(("s" + row[0]).encode()).hexdigest())[:limit]
