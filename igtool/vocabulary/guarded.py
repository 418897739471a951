"""Words that may not be asked of a picture, found whatever their spelling.

Case, accents, invisible characters, signs within words, single letters with spaces between them, digits that stand for
letters, letters many times over: none of it hides a word. What a list of words cannot know is left: other languages,
and other ways to say a thing. Texts in other alphabets are refused, since nothing in them could be found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

_WORD = re.compile(r"[a-z0-9]+")
_CLAUSE_END = re.compile(r"[.,;:!?()\[\]{}/|]+")
_WITHIN = re.compile(r"(?<=[a-z0-9])[^a-z0-9\s](?=[a-z0-9])")
_MANY = re.compile(r"(.)\1\1+")
_STAND_IN = re.compile(r"(?<=[a-z])[0-9@$!]+|[0-9@$!]+(?=[a-z])")
_LETTERS = (str.maketrans("013457@$!", "oieastasi"), str.maketrans("013457@$!", "oleastasl"))
_YEARS = re.compile(r"(?<![0-9])([0-9]{1,2})\s*(?:years?|yrs?|yo|y o|anos?)\b")
_LEAST_JOINED = 6
"""Shorter words are not put together from several: ``but`` and ``t`` are no body part."""
ADULT = 18


class Found(NamedTuple):
    """A guarded word: the category it belongs to, and how it stands in the list."""

    category: str
    word: str


class _Phrase(NamedTuple):
    found: Found
    words: int


@lru_cache(maxsize=16_384)
def plain(text: str) -> str:
    """``text`` in lower case, without accents, marks and invisible characters; ``ñ`` becomes ``n``."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(one for one in apart if unicodedata.category(one) not in {"Mn", "Me", "Cf"})


@lru_cache(maxsize=16_384)
def strange(text: str) -> str | None:
    """The first character of ``text`` that is no Latin letter, digit, space or punctuation mark; None without one."""
    for one in plain(text):
        if not (one.isascii() and one.isprintable()) and unicodedata.category(one)[0] not in "PZ":
            return one
    return None


@lru_cache(maxsize=16_384)
def youngest(text: str) -> int | None:
    """The lowest age in years that ``text`` names; None if it names none."""
    return min((int(years) for years in _YEARS.findall(plain(text).replace("-", " "))), default=None)


@dataclass(frozen=True)
class Guarded:
    """Phrases by category. ``of_people``: words that count where they stand beside one of ``people``."""

    phrases: Mapping[str, _Phrase]
    of_people: Mapping[str, Found]
    people: frozenset[str]
    between: frozenset[str]

    @classmethod
    def of(
        cls,
        words: Mapping[str, Iterable[str]],
        of_people: Mapping[str, Iterable[str]],
        people: Iterable[str],
        between: Iterable[str],
    ) -> Guarded:
        """From phrases as people write them: category to phrases, and to words beside people."""
        phrases: dict[str, _Phrase] = {}
        for category, listed in words.items():
            for word in listed:
                parts = _WORD.findall(plain(word))
                phrases.setdefault("".join(parts), _Phrase(Found(category, word), len(parts)))
        beside = {plain(word): Found(category, word) for category, listed in of_people.items() for word in listed}
        return cls(phrases, beside, frozenset(map(plain, people)), frozenset(map(plain, between)))

    def without(self, category: str) -> Guarded:
        """The same but for the words of ``category``."""
        phrases = {joined: one for joined, one in self.phrases.items() if one.found.category != category}
        beside = {word: one for word, one in self.of_people.items() if one.category != category}
        return replace(self, phrases=phrases, of_people=beside)

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.phrases), default=0)

    def find(self, text: str) -> Found | None:
        """The first guarded word in ``text``; None when there is none."""
        for spelling in _spellings(plain(text)):
            found = self._phrase_in(_WORD.findall(spelling))
            for clause in _CLAUSE_END.split(spelling) if found is None else ():
                found = found or self._beside_people(_WORD.findall(clause))
            if found is not None:
                return found
        return None

    def speaks_of_people(self, text: str) -> str | None:
        """The first word for a person in ``text``; None when there is none."""
        words = _WORD.findall(plain(text))
        return next((word for word in words if self._is_people(word)), None)

    def _phrase_in(self, words: list[str]) -> Found | None:
        longest = self._longest + 2
        for start in range(len(words)):
            joined = ""
            for size, word in enumerate(words[start:], 1):
                joined += word
                if len(joined) > longest:
                    break
                phrase = next((self.phrases[one] for one in _singulars(joined) if one in self.phrases), None)
                if phrase is not None and (size in (1, phrase.words) or _is_spaced_out(joined, size)):
                    return phrase.found
        return None

    def _beside_people(self, words: list[str]) -> Found | None:
        for place, word in enumerate(words):
            found = next((self.of_people[one] for one in _singulars(word) if one in self.of_people), None)
            if found and (self._leads_to_people(words[place + 1 :]) or self._leads_to_people(words[:place][::-1])):
                return found
            glued = self._glued(word)
            if glued is not None:
                return glued
        return None

    def _leads_to_people(self, words: list[str]) -> bool:
        return self._is_people(next((word for word in words if word not in self.between), ""))

    def _is_people(self, word: str) -> bool:
        return any(one in self.people for one in _singulars(word))

    def _glued(self, word: str) -> Found | None:
        """What ``tallman`` and ``mujernegra`` say."""
        for place in range(3, len(word) - 2):
            for one, other in ((word[:place], word[place:]), (word[place:], word[:place])):
                if one in self.of_people and self._is_people(other):
                    return self.of_people[one]
        return None


def _is_spaced_out(joined: str, size: int) -> bool:
    return len(joined) >= _LEAST_JOINED or len(joined) == size >= 3


def _singulars(word: str) -> Iterator[str]:
    yield word
    if word.endswith("s"):
        yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]


@lru_cache(maxsize=16_384)
def _spellings(text: str) -> tuple[str, ...]:
    """``text`` as it stands, then as it is read where signs hide its words."""
    seen: dict[str, None] = {}
    for spelled in (text, *(_read(text, letters) for letters in _LETTERS)):
        for closed in (spelled, _WITHIN.sub("", spelled)):
            seen |= dict.fromkeys((closed, _MANY.sub(r"\1", closed), _MANY.sub(r"\1\1", closed)))
    return tuple(seen)


def _read(text: str, letters: dict[int, int]) -> str:
    return _STAND_IN.sub(lambda match: match[0].translate(letters), text)
