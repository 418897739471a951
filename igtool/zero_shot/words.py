"""Words of the vocabulary in what a creator writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from igtool.vocabulary import Label, tokens
from igtool.zero_shot.head import Scores

CATEGORY_NATS = 3.0
"""Evidence of a specific platform category that names the label: the creator chose it from a list."""
BIO_NATS = 1.5
"""Evidence of the first vocabulary word in name or biography; each further one adds less."""
ITEMS_NATS = 3.0
"""Evidence when every item names the label; a share of the items gives that share of it."""


class WordIndex:
    """Finds the vocabulary words of a set of labels in texts; a longer phrase goes before the words in it."""

    def __init__(self, labels: Mapping[str, Label]) -> None:
        self.slugs = tuple(labels)
        self._phrases: dict[tuple[str, ...], frozenset[str]] = {}
        for slug, label in labels.items():
            for phrase in label.words:
                for form in (phrase, *_plurals(phrase)):
                    self._phrases[form] = self._phrases.get(form, frozenset()) | {slug}
        self._first: dict[str, tuple[int, ...]] = {}
        for phrase in self._phrases:
            sizes = {*self._first.get(phrase[0], ()), len(phrase)}
            self._first[phrase[0]] = tuple(sorted(sizes, reverse=True))
        self._glued = {"".join(phrase): slugs for phrase, slugs in self._phrases.items()}
        self.in_hashtag = lru_cache(maxsize=100_000)(self._in_hashtag)

    def find(self, words: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
        """Label to the phrases that name it in ``words`` (folded), in order of appearance."""
        found: dict[str, list[tuple[str, ...]]] = {}
        place = 0
        while place < len(words):
            sizes = self._first.get(words[place])
            step = 1
            for size in sizes or ():
                phrase = tuple(words[place : place + size])
                if slugs := self._phrases.get(phrase):
                    for slug in slugs:
                        found.setdefault(slug, []).append(phrase)
                    step = size
                    break
            place += step
        return found

    def _in_hashtag(self, hashtag: str) -> frozenset[str]:
        """Labels named by a hashtag: whole, or by its longest beginning or end of at least four letters."""
        word = "".join(tokens(hashtag))
        if word in self._glued:
            return self._glued[word]
        for size in range(len(word) - 1, 3, -1):
            slugs = self._glued.get(word[:size], frozenset()) | self._glued.get(word[-size:], frozenset())
            if slugs:
                return slugs
        return frozenset()

    def in_item(self, words: Sequence[str], hashtags: Iterable[str]) -> set[str]:
        """Labels named by one content item."""
        named = set(self.find(words))
        return named.union(*(self.in_hashtag(hashtag) for hashtag in hashtags))

    def evidence(self, category: Iterable[str], bio: Mapping[str, int], items: Mapping[str, int], n: int) -> Scores:
        """Word evidence of each label, shape (labels,).

        ``category`` holds the labels that a specific platform category or a creator list names, ``bio`` the number of
        distinct words in name and biography by label, ``items`` the number of items that name a label, out of ``n``.
        The biography adds ``BIO_NATS * (1 + 1/2 + 1/3 …)``. The share of items is taken of n + 2: one item proves
        little.
        """
        nats = dict.fromkeys(self.slugs, 0.0)
        for slug in category:
            nats[slug] += CATEGORY_NATS
        for slug, count in bio.items():
            nats[slug] += BIO_NATS * sum(1 / rank for rank in range(1, count + 1))
        for slug, count in items.items():
            nats[slug] += ITEMS_NATS * count / (n + 2)
        return np.array(list(nats.values()), dtype=np.float64)


def _plurals(phrase: tuple[str, ...]) -> list[tuple[str, ...]]:
    """English and Spanish plurals of a phrase's last word, where it is long enough to have one."""
    *rest, last = phrase
    if len(last) < 3 or last.endswith("s"):
        return []
    forms = [last + "s"]
    if last.endswith("y"):
        forms.append(last[:-1] + "ies")
    elif last[-1] not in "aeiou":
        forms.append(last + "es")
    return [(*rest, form) for form in forms]


@dataclass(frozen=True)
class Words:
    """What the vocabulary words of one set of labels say about a creator."""

    category: frozenset[str]
    """Labels that a specific platform category names."""
    bio: dict[str, list[str]]
    """Label to distinct phrases in name and biography."""
    items: dict[str, list[int]]
    """Label to the positions of the items that name it."""
    listed: frozenset[str]
    """Labels that a creator list names."""
    scores: Scores
    """`WordIndex.evidence` of these; a label that category and list name counts once, for a list may repeat it."""

    def __bool__(self) -> bool:
        return bool(self.written or self.listed)

    @property
    def written(self) -> bool:
        """Whether the creator's own words say anything."""
        return bool(self.category or self.bio or self.items)


def read_words(
    index: WordIndex,
    categories: Iterable[str],
    bios: Iterable[str],
    items: Sequence[tuple[Sequence[str], Sequence[str]]],
    listed: Iterable[str] = (),
) -> Words:
    """Vocabulary words in specific categories, in names and biographies, and in items (folded words, hashtags).

    ``listed`` are the labels that a creator list names.
    """
    named = frozenset(slug for category in categories for slug in index.find(tokens(category)))
    bio: dict[str, list[str]] = {}
    for text in bios:
        for slug, phrases in index.find(tokens(text)).items():
            bio[slug] = list(dict.fromkeys([*bio.get(slug, []), *(" ".join(phrase) for phrase in phrases)]))
    mentions: dict[str, list[int]] = {}
    for position, (words, hashtags) in enumerate(items):
        for slug in index.in_item(words, hashtags):
            mentions.setdefault(slug, []).append(position)
    counts = {slug: len(phrases) for slug, phrases in bio.items()}
    told = frozenset(listed)
    scores = index.evidence(named | told, counts, {slug: len(at) for slug, at in mentions.items()}, len(items))
    return Words(named, bio, mentions, told, scores)
