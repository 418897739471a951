"""Why a creator is in a result, in words: only what the numbers of the result show."""

from __future__ import annotations

from collections.abc import Mapping

from igtool.counts import format_count
from igtool.search.filters import ACTIVE_DAYS, GROWTH_DAYS

_FIELD_WORDS = {
    "ig_bio": "Instagram bio is",
    "ig_captions": "Instagram captions are",
    "yt_bio": "YouTube description is",
    "yt_content": "YouTube videos are",
    "image": "pictures are",
}
_TEXT_WORDS = {
    "handle": "the handle",
    "name": "the name",
    "category": "the category",
    "topics": "the topics",
    "bio": "the bio",
    "captions": "captions and titles",
}


def reasons(similarity: Mapping[str, float], words: Mapping[str, list[str]], numbers: Mapping[str, float]) -> list[str]:
    """Short true sentences about why a creator is in the result.

    ``similarity``: vector field to its input on 0-1; said from 0.25 up (0.8375 cosine for the default model).
    ``words``: text field to the words of the query found in it. ``numbers``: followers, posts_per_week,
    silent_days, growth; NaN where unknown.
    """
    said = []
    if "handle_exact" in words:
        said.append(f"handle is @{words['handle_exact'][0]}")
    found = [f"{', '.join(items)} in {_TEXT_WORDS[name]}" for name, items in words.items() if name in _TEXT_WORDS]
    if found:
        said.append(f"matched words: {'; '.join(found)}")
    close = sorted((name for name in similarity if similarity[name] >= 0.25), key=lambda n: -similarity[n])
    for name in close:
        very = "very close" if similarity[name] >= 0.6 else "close"
        said.append(f"{_FIELD_WORDS[name]} {very} in {'style' if name == 'image' else 'meaning'}")
    if facts := _facts(numbers):
        said.append(facts)
    return said


def _facts(numbers: Mapping[str, float]) -> str:
    facts = []
    followers, weekly, silent = (numbers[name] for name in ("followers", "posts_per_week", "silent_days"))
    if followers == followers:
        facts.append(f"{format_count(followers)} followers")
    if (growth := numbers["growth"]) == growth:
        facts.append(f"{growth:+.1%} followers in {GROWTH_DAYS} days")
    if silent <= ACTIVE_DAYS and weekly == weekly:
        facts.append(f"posts {_rhythm(weekly)}")
    elif silent == silent:
        days = int(silent)
        facts.append(f"last post {days} day{'s' * (days != 1)} before the data was read")
    return ", ".join(facts)


def _rhythm(weekly: float) -> str:
    if weekly >= 1:
        return f"{weekly:.0f}×/week"
    return f"{weekly * 30 / 7:.0f}×/month" if weekly * 30 / 7 >= 1 else "less than monthly"
