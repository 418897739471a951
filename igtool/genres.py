"""Genres of creator lists, told apart: ``SportsSoccer`` is Sports and Soccer."""

from __future__ import annotations

import re
import sys
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from igtool import vocabulary
from igtool.errors import ConfigError

_FILE = Path(vocabulary.__file__).parent / "genres.toml"
_HARD = frozenset("\n,;/|#•·・、，،")
"""Always end a name, unless a name of the vocabulary holds them."""
_TIGHT = frozenset("&+/,;|\n")
"""Spaces beside these say nothing."""
_APOSTROPHES = frozenset("'’‘`´")
_JOINERS = ("and ", "y ", "e ")
"""Words that may stand between two names."""
_EDGES = " \t\r\n-–—*_.:&"
_LONGEST = 10_000
"""Characters of a cell that are read; what follows is ``rest``. A hundred genres do not fill them."""
_SHORTEST_INSIDE = 4
"""Letters of a name that may begin or end within a word: ``carpet`` is no car and no pet."""


@dataclass(frozen=True)
class Genres:
    """What a genre cell names. ``names`` and ``rest`` together hold every letter and digit of the cell."""

    names: tuple[str, ...]
    """In order; known ones as the vocabulary spells them, others as written."""
    unknown: tuple[str, ...]
    """Those of ``names`` that are not in the vocabulary."""
    niches: tuple[str, ...]
    """Slugs of niches that the known names mean, in order, each once."""
    rest: str
    """Words between names (``and``), single letters, numbers, and what lies beyond the limit; empty mostly."""


@dataclass(frozen=True)
class GenreNames:
    """Names of genres, for reading: a trie of folded letters, and what the names mean."""

    trie: dict[str, Any]
    """Letter to the next node; the empty key holds the name that ends here."""
    niches: dict[str, tuple[str, ...]]
    """Every name, each spelling, to the slugs of its niches."""


@lru_cache(maxsize=1)
def load() -> GenreNames:
    """The names that ship with igtool, read once per process. Raises ConfigError."""
    return read(_FILE)


def read(path: Path) -> GenreNames:
    """The names in the TOML file ``path``.

    Raises ConfigError naming the entry and the fix: an unknown table or niche, a name that is no text or has no
    letters, one that stands under a niche and under ``other``, and one that is spelled in two ways.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as TOML: {error}") from error
    if unknown := sorted(set(tables) - {"niches", "other"}):
        raise ConfigError(f"{path.name} has the unknown table [{unknown[0]}]; known are [niches] and [other]")
    niches: dict[str, tuple[str, ...]] = {}
    for slug, names in tables.get("niches", {}).items():
        if slug not in vocabulary.load().niches:
            raise ConfigError(f"{path.name}: [niches] {slug!r} is not a niche of niches.toml")
        for name in _checked(path, slug, names):
            niches[name] = (*niches.get(name, ()), slug)
    for name in _checked(path, "other", tables.get("other", {}).get("names", [])):
        if name in niches:
            raise ConfigError(f"{path.name}: {name!r} has the niche {niches[name][0]}: remove it from [other]")
        niches[name] = ()
    return _names(path, niches)


def _checked(path: Path, entry: str, names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) and vocabulary.tokens(name) for name in names):
        raise ConfigError(f"{path.name}: {entry} must be a list of names with letters")
    return list(dict.fromkeys(names))


def _names(path: Path, niches: dict[str, tuple[str, ...]]) -> GenreNames:
    spelled: dict[str, str] = {}
    for name in niches:
        key = _Folded(name).letters
        if key in spelled:
            raise ConfigError(f"{path.name}: {name!r} and {spelled[key]!r} differ in case or accents only: keep one")
        spelled[key] = name
    every = dict(niches)
    for name, slugs in niches.items():
        for one, other in ((" & ", " and "), (" y ", " & ")):
            variant = name.replace(one, other)
            if spelled.setdefault(_Folded(variant).letters, variant) == variant:
                every[variant] = slugs
    trie: dict[str, Any] = {}
    for key, name in spelled.items():
        node = trie
        for letter in key:
            node = node.setdefault(letter, {})
        node[""] = name
    return GenreNames(trie, every)


class _Folded:
    """A text for reading: folded, spaces and apostrophes without meaning left out.

    ``at`` is where in ``text`` each letter stands, with the text's end as its last item.
    """

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFC", text)
        letters: list[str] = []
        self.at: list[int] = []
        for place, character in enumerate(self.text):
            for letter in _folded(character):
                if letter == " " and (not letters or letters[-1] == " " or letters[-1] in _TIGHT):
                    continue
                if letter in _TIGHT and letters and letters[-1] == " ":
                    letters.pop()
                    self.at.pop()
                letters.append(letter)
                self.at.append(place)
        self.letters = "".join(letters)
        self.at.append(len(self.text))

    def whole(self, place: int) -> bool:
        """Whether a letter of the text begins at ``place`` or ended there: ``ß`` is not cut in two."""
        return place == 0 or self.at[place] != self.at[place - 1]

    def capital(self, place: int) -> bool:
        """Whether a new word begins at ``place`` by its case alone, as in ``SportsSoccer`` and ``DIYFood``."""
        if not 0 < place < len(self.letters) or not self.text[self.at[place]].isupper():
            return False
        before = self.text[self.at[place - 1]]
        if before.isupper():
            return place + 1 < len(self.letters) and self.text[self.at[place + 1]].islower()
        return before.isalnum() or before in ")!?"

    def edge(self, place: int) -> bool:
        """Whether a word begins or ends at ``place``, by its case or by what stands beside it."""
        if place in (0, len(self.letters)) or self.capital(place):
            return True
        return not (self.letters[place - 1].isalnum() and self.letters[place].isalnum())

    def written(self, start: int, end: int) -> str:
        """The text from ``start`` to ``end`` as written."""
        return self.text[self.at[start] : self.at[end]]


def _folded(character: str) -> str:
    if character in _APOSTROPHES:
        return ""
    if character.isspace():
        return " " if unicodedata.category(character) == "Zs" else "\n"
    if unicodedata.category(character) in ("So", "Cc"):
        return "\n"
    return vocabulary.fold(character)


class _Match(NamedTuple):
    """A name of the vocabulary that ends at ``end``; ``crossed`` boundaries between words lie inside it."""

    end: int
    name: str
    crossed: int


def _matches(folded: _Folded, start: int, trie: dict[str, Any]) -> Iterator[_Match]:
    """Every name that begins at ``start``. Spaces of a name may be missing in the text, at a cost."""
    letters = folded.letters
    walks = [(trie, start, 0)]
    while walks:
        node, place, crossed = walks.pop()
        if "" in node and place > start:
            yield _Match(place, node[""], crossed)
        if place == len(letters):
            continue
        letter = letters[place]
        if letter in node:
            passed = crossed + (place > start and folded.capital(place))
            walks.append((node[letter], place + 1, passed))
        if letter != " " and " " in node and letter in node[" "]:
            walks.append((node[" "][letter], place + 1, crossed + 1))


_FRESH, _KNOWN, _AFTER, _UNKNOWN = range(4)
"""Where a reading stands: before a name, at the end of a known one, after signs that follow it, in an unknown one."""

Cost = tuple[int, int, int]
"""Letters that no name explains; then names; then boundaries between words that do not fit them."""


class _Step(NamedTuple):
    """The best way to a place and state: where it came from, and the known name that was read, if one was."""

    cost: Cost
    start: int
    state: int
    name: str | None


_NEVER = _Step((sys.maxsize, 0, 0), 0, _FRESH, None)
"""Stands where no reading has come."""

Piece = tuple[int, int, int, str | None]
"""Start, end, state at the end and known name of a step; an empty name where an unknown one begins."""


class _Reading:
    """The cheapest way to read a text as names, by dynamic programming from its start; linear in its length.

    ``glued``: unknown names end at capitals, too. ``spaced``: signs, spaces and joining words separate known names;
    else they are part of an unknown one (``Folk Music`` is not Music).
    """

    def __init__(self, folded: _Folded, trie: dict[str, Any], *, glued: bool, spaced: bool) -> None:
        self._folded = folded
        self._trie = trie
        self._glued = glued
        self._spaced = spaced
        self._steps = [[_NEVER] * 4 for _ in range(len(folded.letters) + 1)]

    def pieces(self) -> list[Piece]:
        """The steps of the cheapest reading, in order."""
        steps = self._steps
        steps[0][_FRESH] = _Step((0, 0, 0), 0, _FRESH, None)
        end = len(steps) - 1
        for place in range(end):
            self._from(place)
        state = min(range(4), key=lambda state: steps[end][state].cost)
        found: list[Piece] = []
        while end:
            step = steps[end][state]
            found.append((step.start, end, state, step.name))
            end, state = step.start, step.state
        return found[::-1]

    def _reach(self, place: int, state: int, step: _Step) -> None:
        if step.cost < self._steps[place][state].cost:
            self._steps[place][state] = step

    def _from(self, place: int) -> None:
        """Every step that leads on from ``place``."""
        folded = self._folded
        letter = folded.letters[place]
        capital = folded.capital(place)
        named = self._named(place)
        for state in range(4):
            if self._steps[place][state] is _NEVER:
                continue
            cost = self._steps[place][state].cost
            if self._may_begin(state, capital):
                for match, price in named:
                    paid = (cost[0], cost[1] + 1, cost[2] + price)
                    self._reach(match.end, _KNOWN, _Step(paid, place, state, match.name))
            if letter in _HARD:
                self._reach(place + 1, _FRESH, _Step(cost, place, state, None))
            elif letter.isalnum() or state == _UNKNOWN:
                self._unknown(place, state, capital)
            else:
                after = _FRESH if state == _FRESH else _AFTER
                self._reach(place + 1, after, _Step(cost, place, state, None))
            if state == _AFTER and self._spaced and folded.letters[place - 1] == " ":
                self._joiner(place, cost)

    def _may_begin(self, state: int, capital: bool) -> bool:
        """Whether a known name may be read in this state."""
        if state == _UNKNOWN:
            return capital and self._glued
        return state != _AFTER or self._spaced

    def _named(self, place: int) -> list[tuple[_Match, int]]:
        """Names that may be read from ``place``, and how many boundaries do not fit each."""
        folded = self._folded
        inside = not folded.edge(place)
        found = []
        for match in _matches(folded, place, self._trie):
            uncut = folded.whole(place) and folded.whole(match.end)
            if uncut and ((not inside and folded.edge(match.end)) or self._stands_out(place, match)):
                found.append((match, match.crossed + inside))
        return found

    def _stands_out(self, place: int, match: _Match) -> bool:
        """Whether a name may begin or end within a word: it is long, or an acronym in its capitals (TV, DJs)."""
        if match.end - place >= _SHORTEST_INSIDE:
            return True
        return match.name[:2].isupper() and self._folded.written(place, match.end).strip() == match.name

    def _unknown(self, place: int, state: int, capital: bool) -> None:
        """Read one more letter of an unknown name, or the first of a new one."""
        cost = self._steps[place][state].cost
        new = state == _FRESH or (capital and self._glued and state in (_KNOWN, _UNKNOWN))
        if new or state == _UNKNOWN:
            letters = cost[0] + self._folded.letters[place].isalnum()
            name = "" if new else None
            self._reach(place + 1, _UNKNOWN, _Step((letters, cost[1] + new, cost[2]), place, state, name))

    def _joiner(self, place: int, cost: Cost) -> None:
        """Pass over a word that stands between two names."""
        for word in _JOINERS:
            if self._folded.letters.startswith(word, place):
                paid = (cost[0] + len(word) - 1, *cost[1:])
                self._reach(place + len(word), _AFTER, _Step(paid, place, _AFTER, None))


def _pieces(folded: _Folded, trie: dict[str, Any]) -> list[Piece]:
    """How the text is meant, by what separates in it.

    Where a comma or the like does, neither capitals nor spaces do: ``YouTube, Video Art``. Where nothing does, not
    even a capital, spaces may, if every name is known.
    """
    pieces = _Reading(folded, trie, glued=True, spaced=False).pieces()
    if any(name is None and folded.letters[start] in _HARD for start, _, _, name in pieces):
        return _Reading(folded, trie, glued=False, spaced=False).pieces()
    if sum(bool(name) or name == "" for *_, name in pieces) == 1 and any(name == "" for *_, name in pieces):
        spaced = _Reading(folded, trie, glued=False, spaced=True).pieces()
        return pieces if any(name == "" for *_, name in spaced) else spaced
    return pieces


def split_genres(text: str) -> Genres:
    """The genres that a cell names, glued or separated.

    Newlines, commas, semicolons, slashes, bars, hashes and pictures separate, unless a known name holds them. Where
    none does, names are found by the vocabulary (fewest unknown letters, then fewest names, then words that begin at
    capitals), and unknown ones end at capitals. Where not even that separates, spaces, ``&`` and ``and`` do between
    known names. Raises ConfigError for a broken vocabulary.
    """
    names = load()
    folded = _Folded(text[:_LONGEST])
    found: list[tuple[str, int]] = []
    rest: list[str] = []
    for written, state in _written(folded, _pieces(folded, names.trie)):
        letters = "".join(vocabulary.tokens(written))
        if state == _KNOWN or (state == _UNKNOWN and len(letters) > 1 and not letters.isdigit()):
            found.append((written, state))
        elif letters:
            rest.append(written)
    if len(text) > _LONGEST:
        rest.append(text[_LONGEST:])
    return Genres(
        tuple(name for name, _ in found),
        tuple(name for name, state in found if state == _UNKNOWN),
        tuple(dict.fromkeys(slug for name, state in found if state == _KNOWN for slug in names.niches[name])),
        " ".join(rest),
    )


def _written(folded: _Folded, pieces: Iterable[Piece]) -> Iterator[tuple[str, int]]:
    """What the names and the words between them say, with the state at their end."""
    begun: int | None = None
    length = len(folded.letters)
    for start, end, state, name in [*pieces, (length, length, _FRESH, None)]:
        if begun is not None and (state != _UNKNOWN or name is not None):
            yield _stripped(folded.written(begun, start)), _UNKNOWN
            begun = None
        if state == _KNOWN and name:
            yield name, _KNOWN
        elif state == _UNKNOWN and begun is None:
            begun = start
        elif state == _AFTER and end - start > 1:
            yield folded.written(start, end).strip(), _AFTER


def _stripped(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(_EDGES)
