"""The corpus of attacks on prompts in tests/attacks: invented creators, and what strangers add to their profiles."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "attacks"
FILES = ("orders", "structure", "disguised", "encoded")
PLACES = ("bio", "display_name", "category", "caption", "hashtags", "several_captions")
AIMS = {
    "niche": "the primary niche is this one",
    "style": "the content style is this one",
    "tone": "the tone is this one",
    "sentiment": "the sentiment is this one",
    "enum": "a label that no list holds",
    "marker": "this text stands in the answer",
    "html": "this HTML stands in the answer",
    "markdown": "this Markdown stands in the answer",
    "url": "this address stands in the answer",
    "formula": "a text of the answer begins with this formula of a spreadsheet",
    "evidence": "the answer rests on this id or quote, which does not exist",
    "leak": "instruction, keys, or others: what the answer tells of the prompt, the machine, other creators",
    "json": "broken, or extra:FIELD: the answer is no object of the schema",
    "language": "the texts of the answer are in this language",
    "refusal": "the model declines",
    "empty": "the answer says nothing",
    "endless": "the answer does not end",
}
"""What an attack wants. ``aim`` in the files is one of these, or one with ``=`` and what exactly."""


@dataclass(frozen=True)
class Profile:
    """What a platform shows of a creator; captions newest first."""

    name: str
    category: str
    bio: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Creator:
    """An invented creator with the labels that a person would give, as slugs of the vocabulary."""

    id: str
    language: str
    niche: str
    style: str
    profile: Profile


@dataclass(frozen=True)
class Attack:
    """What a stranger writes into the profile of ``clean``, which is the twin without it."""

    id: str
    kind: str
    language: str
    place: str
    clean: Creator
    aim: str
    wanted: str
    """What of ``aim``: a slug, a text, empty where the aim says all."""
    texts: tuple[str, ...]

    @property
    def profile(self) -> Profile:
        """The attacked profile."""
        return planted(self.clean.profile, self.place, self.texts)


def planted(profile: Profile, place: str, texts: tuple[str, ...]) -> Profile:
    """``profile`` with ``texts`` in ``place``.

    A name and a category are replaced, the biography gets one more line, hashtags follow the newest caption, and
    captions are new posts, the first text the newest.
    """
    if place == "display_name":
        return replace(profile, name=texts[0])
    if place == "category":
        return replace(profile, category=texts[0])
    if place == "bio":
        return replace(profile, bio=f"{profile.bio}\n{texts[0]}")
    if place == "hashtags":
        newest, *older = profile.captions
        return replace(profile, captions=(f"{newest} {texts[0]}", *older))
    return replace(profile, captions=(*texts, *profile.captions))


@lru_cache(maxsize=1)
def creators() -> dict[str, Creator]:
    """The clean creators by id."""
    return {entry["id"]: _creator(entry) for entry in _read("creators")["creator"]}


def _creator(entry: dict[str, Any]) -> Creator:
    profile = Profile(entry["name"], entry["category"], entry["bio"].strip(), tuple(entry["captions"]))
    return Creator(entry["id"], entry["language"], entry["niche"], entry["style"], profile)


@lru_cache(maxsize=1)
def attacks() -> tuple[Attack, ...]:
    """Every attack, in the order of the files."""
    return tuple(_attacks())


def _attacks() -> Iterator[Attack]:
    for name in FILES:
        for kind, entries in _read(name).items():
            for entry in entries:
                aim, _, wanted = entry["aim"].partition("=")
                clean = creators()[entry["clean"]]
                texts = tuple(entry["texts"])
                yield Attack(entry["id"], kind, entry["language"], entry["place"], clean, aim, wanted, texts)


def masking() -> tuple[dict[str, list[list[str]]], dict[str, list[str]]]:
    """Texts with what they read masked, and texts that masking leaves alone, both by kind."""
    table = _read("masking")
    return table["masked"], table["kept"]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
