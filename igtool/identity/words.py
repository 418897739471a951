"""The words of ``words.toml`` and the regular expressions (RE2) that are made of them, as literals of SQL."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("words.toml")
LEAST = 3
"""Letters that stay of a handle when affixes are taken off: ``therese`` would else be ``se``."""


@lru_cache(maxsize=1)
def load() -> dict[str, Any]:
    """The file as it is."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def literal(text: str) -> str:
    """``text`` as a literal of SQL: for constants of this package, never for values from outside."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """A list of literals."""
    return f"[{', '.join(map(literal, texts))}]"


def _any_of(words: Iterable[str]) -> str:
    """A group that takes the longest word that fits first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word))) + ")"


def affixes(*kinds: str) -> list[str]:
    """The affixes of these kinds, each once."""
    found = load()["affixes"]
    return sorted({word for kind in kinds for word in found[kind].split()})


def front() -> str:
    """Takes the affixes off the front of a handle: group 1 is what stays."""
    return literal(f"^{_any_of(affixes('office', 'official', 'honorific'))}+(.{{{LEAST},}})$")


def back() -> str:
    """Takes the affixes off the end of a handle: group 1 is what stays."""
    return literal(f"^(.{{{LEAST},}}?){_any_of(affixes('office', 'official', 'medium'))}+$")


def office() -> str:
    """A handle that names a post: at its front or end."""
    official, posts = (_any_of(affixes(kind)) for kind in ("official", "office"))
    return literal(f"^{official}?{posts}.{{{LEAST},}}|.{{{LEAST},}}{posts}$")


def marker_in_handle(kind: str) -> str:
    """A handle with a word of the marker: set off by signs, at its end, or, for long words, at its front."""
    words = load()["markers"][kind]["words"].split()
    apart = f"(?:^|[._-]){_any_of(words)}(?:[._-]|\\d*$)"
    ends = f"{_any_of(word for word in words if len(word) >= 4)}\\d*$"
    return literal(f"{apart}|{ends}|^{_any_of(word for word in words if len(word) >= 6)}")


def marker_words(kind: str) -> str:
    """The words of the marker as a list of SQL."""
    return listed(load()["markers"][kind]["words"].split())


def marker_in_text(kind: str) -> str:
    """A text with a phrase of the marker."""
    phrases = load()["markers"][kind]["phrases"].replace("\n", "").split("|")
    return literal(rf"(?i)\b{_any_of(phrases)}\b")


def profiles() -> dict[str, str]:
    """Host to platform, for hosts on which a path is a profile."""
    found: dict[str, str] = load()["profiles"]
    return found


def profile_link() -> str:
    """An address of a profile: group 1 is the host, group 2 the name."""
    hosts = "|".join(re.escape(host) for host in profiles())
    return literal(
        rf"(?i)(?:^|[^\w.\-])(?:(?:https?://)?(?:www\.|m\.|mobile\.)?)({hosts})/"
        r"(?:@|c/|user/|channel/)?([\w.\-]{2,40})"
    )
