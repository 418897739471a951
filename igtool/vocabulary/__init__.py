"""Niches, styles, tones, kinds of content, generic and denied words: TOML beside this file, checked when loaded."""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from igtool.errors import ConfigError

_FOLDER = Path(__file__).parent
_WORD = re.compile(r"\w+")
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u20d0-\u20ff\ufe20-\ufe2f]+")
_LISTS = ("related", "conflicts", "words", "words_es", "prototypes", "brands")
_OF_OTHERS = ("clusters", "sentiment", "tags")
"""Beginnings of the names of files that tell nothing of what creators are about: of conversations, and of pictures."""
_FIELDS = frozenset({"label", "label_es", "parent", *_LISTS})


def fold(text: str) -> str:
    """``text`` in lower case without accents; ``ñ`` stays, since ``uñas`` (nails) is not ``unas`` (some)."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return _ACCENTS.sub("", apart.replace("n\u0303", "ñ"))


def tokens(text: str) -> list[str]:
    """The folded words of ``text``, in order."""
    return _WORD.findall(fold(text))


@dataclass(frozen=True)
class Label:
    """One niche or content style."""

    slug: str
    label: str
    label_es: str
    words: tuple[tuple[str, ...], ...]
    """Folded phrases, English and Spanish, each as its words."""
    prototypes: tuple[str, ...]
    """Sentences that are embedded and stand for the label."""
    parent: str | None = None
    related: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Every label by slug, in the order of the files, and what is never said."""

    niches: dict[str, Label]
    styles: dict[str, Label]
    tones: dict[str, Label]
    kinds: dict[str, Label]
    generic_categories: frozenset[str]
    """Folded platform categories that say nothing."""
    background: tuple[str, ...]
    """Sentences that any profile could hold."""
    denied: frozenset[tuple[str, ...]] = field(repr=False)
    """Folded phrases of inferences that are never made (DESIGN §8)."""

    def is_generic(self, category: str) -> bool:
        """Whether a platform category says nothing about the content."""
        return " ".join(tokens(category)) in self.generic_categories

    def family(self, slug: str) -> frozenset[str]:
        """``slug`` with its ancestors and descendants: niches that name the same content more or less widely."""
        up = {slug}
        parent = self.niches[slug].parent
        while parent is not None:
            up.add(parent)
            parent = self.niches[parent].parent
        down = {slug}
        grown = True
        while grown:
            below = {name for name, niche in self.niches.items() if niche.parent in down}
            grown = not below <= down
            down |= below
        return frozenset(up | down)

    def conflict(self, one: str, other: str) -> bool:
        """Whether two niches are never listed together; holds in both directions."""
        return other in self.niches[one].conflicts or one in self.niches[other].conflicts

    def is_denied(self, text: str) -> bool:
        """Whether ``text`` names something that is never inferred about a person."""
        return _hits(tokens(text), self.denied)


def _hits(words: list[str], phrases: frozenset[tuple[str, ...]]) -> bool:
    longest = max(map(len, phrases), default=0)
    return any(
        tuple(words[start : start + size]) in phrases
        for size in range(1, longest + 1)
        for start in range(len(words) - size + 1)
    )


@lru_cache(maxsize=1)
def load() -> Vocabulary:
    """The vocabulary that ships with igtool, read once per process. Raises ConfigError."""
    return read(_FOLDER)


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """SHA-256 of the files that tell what creators are about: who edits them gets everything analysed again."""
    digest = hashlib.sha256()
    for path in sorted([*_FOLDER.glob("*.toml"), _FOLDER / "niches.npz"]):
        if not path.name.startswith(_OF_OTHERS):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def stop_words(folder: Path = _FOLDER) -> frozenset[str]:
    """Words that name no topic, English and Spanish. Raises ConfigError."""
    return frozenset(str(_toml(folder / "stop_words.toml").get("words", "")).split())


def read(folder: Path) -> Vocabulary:
    """The vocabulary in ``folder``: niches, styles, tones, kinds, generic_categories and denied, each ``.toml``.

    Raises ConfigError naming the file, the label and the fix: an unknown field or reference, a circle of
    parents, a label without prototypes, or one that names a denied inference.
    """
    never = [table for table in _toml(folder / "denied.toml").values() if isinstance(table, dict)]
    denied = frozenset(tuple(tokens(word)) for table in never for word in table.get("words", []))
    generic = _toml(folder / "generic_categories.toml")
    niches = _labels(folder / "niches.toml", denied)
    for niche in niches.values():
        _check_references(niche, niches)
    return Vocabulary(
        niches,
        _labels(folder / "styles.toml", denied),
        _labels(folder / "tones.toml", denied, embedded=False),
        _labels(folder / "kinds.toml", denied, embedded=False),
        frozenset(" ".join(tokens(name)) for name in generic.get("categories", [])),
        tuple(generic.get("background", [])),
        denied,
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as TOML: {error}") from error


def _labels(path: Path, denied: frozenset[tuple[str, ...]], *, embedded: bool = True) -> dict[str, Label]:
    tables = _toml(path)
    labels = {
        slug: read_label(f"{path.name}: [{slug}]", slug, table, _FIELDS, lambda text: _hits(tokens(text), denied))
        for slug, table in tables.items()
    }
    for slug, label in labels.items():
        if embedded and not label.prototypes:
            raise ConfigError(f"{path.name}: [{slug}] needs at least one prototype sentence")
    return labels


def read_label(where: str, slug: str, table: Any, fields: frozenset[str], is_denied: Callable[[str], bool]) -> Label:
    """The label that ``table``, the part ``where`` of a file, describes in ``fields``. Raises ConfigError."""
    if not isinstance(table, dict) or not isinstance(table.get("label"), str):
        raise ConfigError(f"{where} needs a label")
    if unknown := sorted(set(table) - fields):
        raise ConfigError(f"{where} has the unknown field {unknown[0]!r}; known are {', '.join(sorted(fields))}")
    for name in _LISTS:
        values = table.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{where}: {name} must be a list of texts")
    words = [*table.get("words", []), *table.get("words_es", [])]
    for text in [slug.replace("_", " "), table["label"], str(table.get("label_es", "")), *words]:
        if is_denied(text):
            raise ConfigError(f"{where}: {text!r} names an inference that igtool never makes; remove it (DESIGN §8)")
    return Label(
        slug,
        table["label"],
        str(table.get("label_es", table["label"])),
        tuple(dict.fromkeys(tuple(tokens(word)) for word in words)),
        tuple(table.get("prototypes", [])),
        table.get("parent"),
        tuple(table.get("related", [])),
        tuple(table.get("conflicts", [])),
        tuple(table.get("brands", [])),
    )


def _check_references(niche: Label, niches: dict[str, Label]) -> None:
    parents = () if niche.parent is None else (niche.parent,)
    named = {"parent": parents, "related": niche.related, "conflicts": niche.conflicts}
    for name, slugs in named.items():
        for slug in slugs:
            if slug not in niches or slug == niche.slug:
                raise ConfigError(f"niches.toml: [{niche.slug}]: {name} {slug!r} is not another niche of the file")
    seen = {niche.slug}
    parent = niche.parent
    while parent is not None and parent in niches:
        if parent in seen:
            raise ConfigError(f"niches.toml: [{niche.slug}] is its own ancestor; change a parent")
        seen.add(parent)
        parent = niches[parent].parent
