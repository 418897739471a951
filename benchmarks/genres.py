"""How often glued genres are told apart as they should be, on a real list whose topics are known.

``python benchmarks/genres.py`` prints one JSON line: exact matches by half (SHA-256 of the handle, even: dev) and by
how the cell is written, each with its Wilson interval; the vocabulary was written on the dev half. ``same_letters``
are the rows whose cell can be the topics at all: the others are in another language, cut off or changed since.
``capitals`` is the baseline that splits at capitals and signs.

The data lie in ../shared/realdata and may not be published; nothing of them is stored here.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks.results import Peer, emit
from igtool.genres import Genres, split_genres
from igtool.vocabulary import tokens

LISTS = Path(__file__).parents[2] / "shared" / "realdata" / "influencers"
WITH_COMMA = "Film, Music & Books"
"""A topic that holds the comma by which the truth separates topics."""
GLUED = "SportsSoccerEntertainment and MusicHome Brewing"
SIZES = (625, 1_250, 2_500, 5_000, 10_000)
"""Letters of the texts that are timed; longer ones are cut."""


@dataclass(frozen=True)
class Case:
    """A genre cell and the topics of the same handle."""

    text: str
    topics: tuple[str, ...]
    half: str

    @property
    def kind(self) -> str:
        """How the cell is written."""
        return "newlines" if "\n" in self.text else "glued"

    @property
    def same_letters(self) -> bool:
        """Whether the cell holds the topics' letters and no others."""
        return sorted(letters(self.text)) == sorted(letters(" ".join(self.topics)))


def letters(text: str) -> str:
    """Folded letters and digits of ``text``."""
    return "".join(tokens(text))


def cases() -> list[Case]:
    """Every row of the list whose handle has topics, in order."""
    with (LISTS / "starngage_spain_2026.csv").open(encoding="utf-8", newline="") as file:
        truth = {handle(row["handle"]): topics(row["topics"] or "") for row in csv.DictReader(file)}
    found = []
    with (LISTS / "spain_top4000__Influencers.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            name, text = handle(row["Instagram Handle"] or ""), (row["GENRE"] or "").strip()
            if text and truth.get(name):
                half = "test" if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 else "dev"
                found.append(Case(text, truth[name], half))
    return found


def handle(text: str) -> str:
    """A handle for joining."""
    return text.strip().lstrip("@").lower()


def topics(text: str) -> tuple[str, ...]:
    """Topics of the truth, the one with a comma in one piece."""
    kept = text.replace(WITH_COMMA, WITH_COMMA.replace(",", "\0"))
    return tuple(topic.strip().replace("\0", ",") for topic in kept.split(",") if topic.strip())


def capitals(text: str) -> tuple[str, ...]:
    """The baseline: names end at signs and where a capital follows a small letter."""
    parts = re.split(r"[\n,;/]+|(?<=[a-z])(?=[A-Z])", text)
    return tuple(part.strip() for part in parts if part.strip())


def wilson(hits: int, n: int) -> list[float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not n:
        return [0.0, 1.0]
    z, share = 1.96, hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return [round(middle - reach, 4), round(middle + reach, 4)]


def exact(chosen: list[Case], named: list[tuple[str, ...]]) -> dict[str, Any]:
    """Share of cells that give the topics as a list, and as a set; case and accents do not count."""
    said = [[letters(name) for name in names] for names in named]
    pairs = list(zip(said, [[letters(topic) for topic in case.topics] for case in chosen], strict=True))
    as_list, as_set = sum(a == b for a, b in pairs), sum(set(a) == set(b) for a, b in pairs)
    n = len(pairs)
    return {
        "n": n,
        "list": round(as_list / n, 4) if n else None,
        "set": round(as_set / n, 4) if n else None,
        "list_95": wilson(as_list, n),
        "set_95": wilson(as_set, n),
    }


def mistake(case: Case, found: Genres) -> str | None:
    """Why a cell does not give its topics, or None if it does."""
    said, true = [letters(name) for name in found.names], [letters(topic) for topic in case.topics]
    if said == true:
        return None
    if case.same_letters:
        return "order of topics" if set(said) == set(true) else "told apart wrongly"
    if any(character.isalpha() and ord(character) > 0x24F for character in case.text):
        return "cell in another script"
    if set(said) & set(true):
        return "some topics differ"
    return "all topics differ: another language, mostly"


def main() -> None:
    """Print one line."""
    every = cases()
    result: dict[str, Any] = {"benchmark": "genres"}
    for half in ("dev", "test"):
        for kind in ("glued", "newlines", "all"):
            chosen = [c for c in every if c.half == half and kind in (c.kind, "all")]
            same = [c for c in chosen if c.same_letters]
            result[f"{half}_{kind}"] = {
                "every": exact(chosen, [split_genres(c.text).names for c in chosen]),
                "same_letters": exact(same, [split_genres(c.text).names for c in same]),
                "capitals_same_letters": exact(same, [capitals(c.text) for c in same]),
            }
        chosen = [c for c in every if c.half == half]
        wrong = Counter(kind for c in chosen if (kind := mistake(c, split_genres(c.text))))
        result[f"{half}_mistakes"] = dict(wrong.most_common())
    result |= speed([c.text for c in every])
    print(json.dumps(result))
    told = result["test_all"]
    capital = Peer("cut before each capital letter", "", told["capitals_same_letters"]["list"])
    for name, found, peers in (("all cells", told["every"], []), ("same letters", told["same_letters"], [capital])):
        data = f"test half of a real list; {name}"
        emit("genres told apart", found["list"], "share", n=found["n"], better="higher", data=data, peers=peers)
    emit("genres, speed", result["cells_per_s"], "cells/s", n=len(every), better="higher", data="the same list")


def speed(texts: list[str]) -> dict[str, Any]:
    """Cells a second, and microseconds a letter for texts that double in length: even if the time is linear."""
    start = time.perf_counter()
    for text in texts:
        split_genres(text)
    cells_per_s = round(len(texts) / (time.perf_counter() - start))
    spent = [min(seconds((GLUED * size)[:size]) for _ in range(5)) for size in SIZES]
    growth = [round(later / earlier, 2) for earlier, later in pairwise(spent)]
    return {
        "cells_per_s": cells_per_s,
        "growth_at_doubling": growth,
        "us_per_letter": round(spent[-1] / 16_000 * 1e6, 2),
    }


def seconds(text: str) -> float:
    """Processor time that splitting ``text`` takes."""
    start = time.process_time()
    split_genres(text)
    return time.process_time() - start


if __name__ == "__main__":
    main()
