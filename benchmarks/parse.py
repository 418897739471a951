"""How fast raw profiles become rows; prints one JSON line.

    .venv/bin/python benchmarks/parse.py [--profiles 3000] [--seed 1]

Profiles of about 3 KB (no posts) and 80 KB (12 posts) are invented in the web_profile_info shape. In the same
run: decoding only, with json and with msgspec untyped; language identification alone; reading the same profiles
from a file of lines.
"""

from __future__ import annotations

import argparse
import json
import random
import string
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from igtool.language import MAX_CHARACTERS, identify
from igtool.platforms.base import parse
from igtool.platforms.files import read_documents

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = (  # noqa: SIM905 - sentences read better than a list
    "belleza moda viajes cocina sana deporte familia y amor por la vida en Madrid colaboraciones por correo "
    "I share easy recipes travel stories and honest reviews of things that I use every day with my family"
).split()


def text(rng: random.Random, words: int) -> str:
    """A caption of that many words, with a tag and a mention."""
    return " ".join(rng.choices(WORDS, k=words)) + f" #{rng.choice(WORDS)} @{rng.choice(WORDS)}.es ✨"


def url(rng: random.Random) -> str:
    """An address as long as those of picture servers."""
    return "https://pictures.example/v/" + "".join(rng.choices(string.ascii_letters + string.digits, k=260))


def post(rng: random.Random, number: int, user: dict[str, Any]) -> dict[str, Any]:
    """One post of about 6.5 KB, three quarters of it pictures in other sizes, as in real answers."""
    return {
        "node": {
            "__typename": rng.choice(["GraphImage", "GraphVideo", "GraphSidecar"]),
            "id": str(2**60 + number),
            "shortcode": f"C{number:010d}",
            "dimensions": {"height": 1350, "width": 1080},
            "display_url": url(rng),
            "media_preview": "".join(rng.choices(string.ascii_letters, k=900)),
            "owner": {"id": user["id"], "username": user["username"]},
            "is_video": False,
            "edge_media_to_caption": {"edges": [{"node": {"text": text(rng, 30)}}]},
            "edge_media_to_comment": {"count": rng.randrange(10**4)},
            "taken_at_timestamp": 1_700_000_000 + number,
            "edge_liked_by": {"count": rng.randrange(10**6)},
            "edge_media_preview_like": {"count": rng.randrange(10**6)},
            "thumbnail_resources": [
                {"src": url(rng), "config_width": size, "config_height": size}
                for size in (150, 240, 320, 480, 640, 750, 1080) * 2
            ],
        }
    }


def profile(rng: random.Random, number: int, posts: int) -> bytes:
    """One invented answer."""
    user: dict[str, Any] = {
        "biography": text(rng, 14),
        "external_url": f"https://creator{number}.example/",
        "bio_links": [{"title": "shop", "url": f"https://shop{number}.example/", "link_type": "external"}],
        "edge_followed_by": {"count": rng.randrange(10**7)},
        "edge_follow": {"count": rng.randrange(10**3)},
        "full_name": f"Creator {number}",
        "id": str(10**9 + number),
        "is_business_account": True,
        "is_professional_account": True,
        "is_private": False,
        "is_verified": False,
        "category_name": "Digital creator",
        "profile_pic_url": url(rng),
        "profile_pic_url_hd": url(rng),
        "username": f"creator.{number}",
        **{f"flag_{letter}": False for letter in string.ascii_letters},
    }
    edges = [post(rng, number * 100 + place, user) for place in range(posts)]
    user["edge_felix_video_timeline"] = {"count": 0, "page_info": {"has_next_page": False}, "edges": []}
    user["edge_owner_to_timeline_media"] = {"count": 300, "page_info": {"has_next_page": True}, "edges": edges}
    return json.dumps({"data": {"user": user}, "status": "ok"}, separators=(",", ":")).encode()


def rate(work: Callable[[bytes], object], bodies: Sequence[bytes]) -> dict[str, float]:
    """The best of three passes: items and megabytes a second, microseconds an item."""
    best = min(_timed(work, bodies) for _ in range(3))
    size = sum(map(len, bodies))
    return {
        "per_s": round(len(bodies) / best),
        "mb_per_s": round(size / best / 1e6, 1),
        "us": round(best / len(bodies) * 1e6, 1),
    }


def _timed(work: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    start = time.perf_counter()
    for body in bodies:
        work(body)
    return time.perf_counter() - start


def measure(bodies: Sequence[bytes]) -> dict[str, Any]:
    """All rates over one kind of profile."""
    texts = [json.loads(body)["data"]["user"]["biography"].encode() for body in bodies]
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "profiles.jsonl"
        lines.write_bytes(b"\n".join(bodies))
        start = time.perf_counter()
        read = sum(1 for _ in read_documents(lines))
        seconds = time.perf_counter() - start
    return {
        "profiles": len(bodies),
        "kb": round(sum(map(len, bodies)) / len(bodies) / 1000, 1),
        "parse": rate(lambda body: parse(body, answer_id="a", observed_at=WHEN), bodies),
        "json_decode_only": rate(json.loads, bodies),
        "msgspec_untyped_decode_only": rate(msgspec.json.decode, bodies),
        f"language_of_{MAX_CHARACTERS}_characters": rate(lambda body: identify(body.decode()), texts),
        "read_lines": {
            "per_s": round(read / seconds),
            "mb_per_s": round(sum(map(len, bodies)) / seconds / 1e6, 1),
        },
    }


def main() -> None:
    """Generate, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profiles", type=int, default=3000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    rng = random.Random(chosen.seed)
    small = [profile(rng, number, 0) for number in range(chosen.profiles)]
    large = [profile(rng, number, 12) for number in range(chosen.profiles // 10)]
    identify("Loading the identifier takes most of a second, which no profile should pay for.")
    print(json.dumps({"benchmark": "parse", "without_posts": measure(small), "with_12_posts": measure(large)}))


if __name__ == "__main__":
    main()
