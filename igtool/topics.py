"""Topics, sentences and summaries taken from texts as they stand: nothing is written that was not there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from igtool.text import one_line
from igtool.vocabulary import stop_words, tokens

STOP_WORDS = stop_words()
"""Words that name no topic."""

_MAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.]{1,64}")
_TAG = re.compile(r"https?://\S+|www\.\S+|(?<!\w)[@#]\w+(?:\.\w+)*")
_NUMBER = re.compile(r"(?<!\d)\+?\d[\d\s().-]{7,20}\d")
_DOMAIN = re.compile(r"\.(?:com|net|org|es|io|ly|me|tv|co)\b")
_SITE = re.compile(r"\b\w{1,64}\.(?:com|net|org|es|io|ly|me|tv|co)\b\S*")
_PICTURES = re.compile(r"[\U0001f000-\U0001faff\u2190-\u2bff\u3030\ufe0f\u200d\u20e3\u202a-\u202e\u2066-\u2069]+")
_BREAKS = r".!?…\n|•·\U0001f000-\U0001faff\u2190-\u2bff"
_SENTENCE = re.compile(rf"[^{_BREAKS}]+(?:[.!?…]+(?=\s|$)|[.](?=\S)[^{_BREAKS}]*)*")
_EDGES = " \t\r\n-–—_,;:|•·*/\\~"


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text: ``quote`` is the exact substring, ``text`` the same for reading."""

    source: str
    """Account or content item it stands in."""
    quote: str
    text: str


def without_noise(text: str) -> str:
    """``text`` without addresses, numbers to call, handles and hashtags."""
    if "@" in text:
        text = _MAIL.sub(" ", text)
    plain = _NUMBER.sub(" ", _TAG.sub(" ", text))
    return _SITE.sub(" ", plain) if _DOMAIN.search(plain) else plain


def clean(text: str) -> str:
    """``text`` on one line without noise and pictures."""
    plain = _PICTURES.sub(" ", without_noise(text))
    return one_line(re.sub(r"\s+([.,;:!?])", r"\1", plain).strip(_EDGES), len(plain) + 1).strip(_EDGES)


def sentences(source: str, text: str) -> list[Sentence]:
    """The sentences of ``text`` that hold at least two words, one of them telling, after cleaning, in order."""
    found = []
    for match in _SENTENCE.finditer(text):
        quote = match.group().strip()
        readable = clean(quote)
        if without_noise(quote) != quote:
            readable = _without_loose_end(readable)
        if len(tokens(readable)) >= 2 and content_words(readable):
            found.append(Sentence(source, quote, readable))
    return found


def _without_loose_end(text: str) -> str:
    """``text`` without the words before a removed address: "write to" says nothing."""
    words = text.split()
    while words and not content_words(words[-1]):
        words.pop()
    return " ".join(words)


def content_words(text: str) -> list[str]:
    """Folded words of three letters and more that are neither stop words nor numbers."""
    return [word for word in tokens(text) if _tells(word)]


def _tells(word: str) -> bool:
    return len(word) > 2 and word not in STOP_WORDS and not word.isdigit()


def topics(
    items: Sequence[tuple[str, str, Sequence[str]]], refused: Callable[[str], bool], limit: int = 10
) -> dict[str, list[str]]:
    """Hashtags and two-word phrases that at least two items hold, most frequent first: topic to item ids.

    ``items`` are (id, text, hashtags). A single word counts if it is in three items, for alone it says less.
    What ``refused`` names is left out. Ties go by the topic's own order; a word inside a chosen topic is not
    repeated.
    """
    where: dict[str, list[str]] = {}
    for item_id, text, hashtags in items:
        words = tokens(without_noise(text))
        named = {hashtag for hashtag in hashtags if len(hashtag) > 2 and hashtag not in STOP_WORDS}
        telling = [_tells(word) for word in words]
        named |= {word for word, tells in zip(words, telling, strict=True) if tells}
        named |= {f"{words[at]} {words[at + 1]}" for at, pair in enumerate(pairwise(telling)) if all(pair)}
        for topic in named:
            where.setdefault(topic, []).append(item_id)
    tags = {hashtag for _, _, hashtags in items for hashtag in hashtags}
    enough = {t: ids for t, ids in where.items() if len(ids) >= (2 if t in tags or " " in t else 3)}
    chosen: dict[str, list[str]] = {}
    for topic in sorted(enough, key=lambda t: (-len(enough[t]), " " not in t, t)):
        inside = {word for name in chosen for word in name.split()}
        if len(chosen) < limit and not set(topic.split()) & inside and not refused(topic):
            chosen[topic] = enough[topic]
    return chosen


def summary(bio: Sequence[Sentence], posted: Sequence[Sentence], limit: int = 22) -> list[Sentence]:
    """The sentences, in their order, that say most of what all of them say, of about ``limit`` words together.

    Extractive: the score is the frequency of a sentence's content words over all sentences (Nenkova & Vanderwende
    2005, SumBasic) over the square root of their number. Biography sentences are added while they fit, for
    there people say what they do; content stands in only for a missing biography. A single longer sentence is cut
    with ``…``.
    """
    words = {sentence: frozenset(content_words(sentence.text)) for sentence in (*bio, *posted)}
    frequency = Counter(word for found in words.values() for word in found)

    def score(sentence: Sentence) -> float:
        found = words[sentence]
        return sum(frequency[word] for word in found) / math.sqrt(len(found) or 1)

    pool = [sentence for sentence in words if sentence in set(bio)] or list(words)
    ranked = sorted(pool, key=score, reverse=True)
    chosen: list[Sentence] = []
    left = limit
    for sentence in ranked if bio else ranked[:1]:
        size = len(sentence.text.split())
        if size <= left or not chosen:
            chosen.append(sentence)
            left -= size
    return [_cut(sentence, limit) for sentence in pool if sentence in chosen]


def _cut(sentence: Sentence, limit: int) -> Sentence:
    spoken = sentence.text.split()
    if len(spoken) <= limit:
        return sentence
    return Sentence(sentence.source, sentence.quote, " ".join(spoken[:limit]).rstrip(_EDGES) + "…")


def joined(chosen: Sequence[Sentence]) -> str | None:
    """The sentences as one line of prose, or None without any."""
    ended = [s.text if s.text[-1] in ".!?…" else s.text + "." for s in chosen]
    return " ".join(ended) or None
