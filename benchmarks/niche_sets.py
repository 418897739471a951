"""Labelled creators for the niche benchmark, and how the classes of each set are made of our niches.

The data lie in ../shared/realdata and may not be published; nothing of them is stored here.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REALDATA = Path(__file__).parents[2] / "shared" / "realdata"

Classes = Mapping[str, tuple[str, ...]]

SPORTS = ("sports", "soccer", "basketball", "racket_sports", "motorsport", "combat_sports", "endurance")
KIM: Classes = {
    "fashion": ("fashion", "modelling", "luxury", "shopping"),
    "travel": ("travel", "outdoors"),
    "family": ("family", "kids"),
    "food": ("food", "nutrition"),
    "beauty": ("beauty",),
    "fitness": ("fitness", *SPORTS),
    "interior": ("home_interior", "architecture", "diy"),
    "pet": ("pets",),
}
YOUTUBE: Classes = {
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
    "Pets & Animals": ("pets",),
    "Autos & Vehicles": ("cars",),
}
STARNGAGE: Classes = {
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
    """Decides its half; of several examples of one owner all have the same."""
    labels: set[str]
    bio: str
    items: list[str] = field(default_factory=list)

    @property
    def is_dev(self) -> bool:
        """Whether it is in the half on which choices are made: the first digit of the SHA-256 of its key below 8."""
        return hashlib.sha256(self.key.encode()).hexdigest()[0] < "8"


def kim_posts() -> list[Creator]:
    """Labelled Instagram posts: the owner's display name and one caption, one of nine labels."""
    posts = []
    for line in (REALDATA / "labelled_niche/kim2020_posts_graphql_labelled.jsonl").open(encoding="utf-8"):
        post = json.loads(line)
        captions = [edge["node"]["text"] for edge in post["node"]["edge_media_to_caption"]["edges"]]
        posts.append(Creator(post["username"], {post["category"]}, post["node"]["owner"]["full_name"], captions))
    return posts


def kim() -> list[Creator]:
    """Owners of these posts: display name and captions."""
    found: dict[str, Creator] = {}
    for post in kim_posts():
        owner = found.setdefault(post.key, Creator(post.key, post.labels, post.bio))
        owner.items += post.items
    return list(found.values())


def channel_names() -> list[Creator]:
    """YouTube channels of eleven categories: nothing but the name."""
    classes = YOUTUBE.keys() - {"Pets & Animals", "Autos & Vehicles"}
    path = REALDATA / "youtube/channels_labelled/Global_YouTube_Statistics.csv"
    rows = csv.DictReader(path.open(encoding="utf-8"))
    return [Creator(row["Youtuber"], {row["category"]}, row["Youtuber"]) for row in rows if row["category"] in classes]


def category_names() -> dict[str, str]:
    """YouTube's number of a category to its name."""
    names = json.loads((REALDATA / "youtube/trending/US_category_id.json").read_text(encoding="utf-8"))["items"]
    return {item["id"]: item["snippet"]["title"] for item in names}


def trending_channels() -> list[Creator]:
    """Channels with at least three trending titles: name and titles, the most frequent category of the titles."""
    category = category_names()
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


SETS: dict[str, tuple[Callable[[], list[Creator]], Classes]] = {
    "kim2020 owners": (kim, KIM),
    "kim2020 posts": (kim_posts, KIM),
    "youtube channel names": (channel_names, YOUTUBE),
    "youtube trending channels": (trending_channels, YOUTUBE),
    "starngage spain names": (spanish_list, STARNGAGE),
}


def to_class(slug: str, mapping: Classes, truth: set[str], other: str = "other") -> str:
    """The data set's class of a niche; of several that hold it, a true one."""
    names = [name for name, slugs in mapping.items() if slug in slugs]
    return next((name for name in names if name in truth), names[0] if names else other)
