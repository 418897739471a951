"""A creator's row of ``profiles`` and of ``niches`` from what is known about its accounts and items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from igtool import genres, topics, vocabulary, zero_shot
from igtool.encoders.base import Encoder
from igtool.lists.columns import genre_text
from igtool.topics import Sentence
from igtool.vocabulary import fold
from igtool.zero_shot import Scores, Words

Facts = dict[str, Any]
"""A row of ``Analyze.rows`` without its vectors."""

SECONDARY_SCORE = 0.1
"""A secondary niche has at least this score."""
RULE_SCORE = 0.3
"""Brands and audience are named from a primary niche with at least this score."""
EVIDENCE = 5
"""At most so many content ids and quotes a field."""
TYPICAL_RATES = ((1_000, 0.1058), (5_000, 0.0426), (20_000, 0.0228), (100_000, 0.0162), (1_000_000, 0.0155))
"""Upper end of a follower band and its average engagement rate on Instagram. Source: HypeAuditor, "What is
Instagram Engagement Rate", 37,000 accounts, 2018."""
TYPICAL_RATE_ABOVE = 0.0154
"""The same above a million followers."""
LOW, HIGH = 0.4, 2.5
"""Times the typical rate: about the quartiles within each band of a 2026 list of 3,075 Spanish accounts
(0.6 %, 1.4 % and 3.3 % from 100,000 followers on)."""
LANGUAGES = {
    "ar": "Arabic", "ca": "Catalan", "de": "German", "en": "English", "es": "Spanish", "eu": "Basque",
    "fr": "French", "gl": "Galician", "hi": "Hindi", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "tr": "Turkish",
}  # fmt: skip
_RESPONSES = ("engagement_rate", "median_likes", "median_comments", "median_views", "median_plays")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Spaces:
    """Prototypes and words of niches and styles."""

    vocabulary: vocabulary.Vocabulary
    niches: zero_shot.Prototypes
    styles: zero_shot.Prototypes
    niche_words: zero_shot.WordIndex
    style_words: zero_shot.WordIndex


@lru_cache(maxsize=2)
def spaces_of(encoder: Encoder) -> Spaces:
    """The vocabulary as this encoder sees it; about 200 short texts are encoded, once per process."""
    words = vocabulary.load()
    return Spaces(
        words,
        zero_shot.prototypes(words.niches, words.background, encoder),
        zero_shot.prototypes(words.styles, words.background, encoder),
        zero_shot.WordIndex(words.niches),
        zero_shot.WordIndex(words.styles),
    )


def quote_of(text: str, phrase: str) -> str | None:
    """The exact part of ``text`` that reads as the folded ``phrase``, or None."""
    wanted = phrase.split()
    matches = list(_WORD.finditer(text))
    folded = [fold(match.group()) for match in matches]
    for start in range(len(folded) - len(wanted) + 1):
        if folded[start : start + len(wanted)] == wanted:
            return text[matches[start].start() : matches[start + len(wanted) - 1].end()]
    return None


def engagement_style(rate: float | None, followers: int | None) -> str | None:
    """``low``, ``typical`` or ``high`` for an Instagram engagement rate (0-1) in its follower band, or None."""
    if rate is None or not followers:
        return None
    typical = next((mean for end, mean in TYPICAL_RATES if followers < end), TYPICAL_RATE_ABOVE)
    if rate < LOW * typical:
        return "low"
    return "high" if rate > HIGH * typical else "typical"


class Portrait:
    """What can be said about one creator. ``niche_z`` and ``style_z`` are None without a vector."""

    def __init__(self, facts: Facts, spaces: Spaces, niche_z: Scores | None, style_z: Scores | None) -> None:
        self._facts = facts
        self._spaces = spaces
        self._accounts: list[Facts] = facts["accounts"] or []
        self._items: list[Facts] = facts["texts"] or []
        self._niche_z = niche_z
        self._style_z = style_z

    @cached_property
    def _categories(self) -> list[str]:
        named = [account["category"] for account in self._accounts if account["category"]]
        return [name for name in named if not self._spaces.vocabulary.is_generic(name)]

    @cached_property
    def _own_texts(self) -> list[str]:
        return [text for account in self._accounts for text in (account["display_name"], account["bio"]) if text]

    @cached_property
    def _item_words(self) -> list[tuple[list[str], list[str]]]:
        return [(vocabulary.tokens(item["text"] or ""), item["hashtags"] or []) for item in self._items]

    @cached_property
    def _listed(self) -> dict[str, tuple[str, ...]]:
        """Known genres that creator lists name, with the niches they mean."""
        known = genres.load().niches
        rows = [json.loads(row) for row in self._facts["listed_rows"] or ()]
        found = [genres.split_genres(genre_text(list(row), list(row.values()))) for row in rows]
        return {name: known.get(name, ()) for genre in found for name in genre.names if name not in genre.unknown}

    def _words(self, index: zero_shot.WordIndex, listed: Iterable[str] = ()) -> Words:
        return zero_shot.read_words(index, self._categories, self._own_texts, self._item_words, listed)

    @cached_property
    def _niche_words(self) -> Words:
        return self._words(self._spaces.niche_words, {slug for slugs in self._listed.values() for slug in slugs})

    @cached_property
    def _bio(self) -> list[Sentence]:
        """Sentences of all biographies, largest account first, each text once."""
        texts = [(account["account_id"], account["bio"] or "") for account in self._accounts]
        said = [sentence for source, bio in texts for sentence in topics.sentences(source, bio)]
        return list({sentence.text: sentence for sentence in reversed(said)}.values())[::-1]

    @cached_property
    def _summary(self) -> list[Sentence]:
        posted: list[Sentence] = []
        if not self._bio:
            posted = [s for item in self._items for s in topics.sentences(item["content_id"], item["text"] or "")]
        return topics.summary(self._bio, posted)

    @cached_property
    def _ranked(self) -> list[tuple[str, float]]:
        """Niches with their scores, best first; empty without text."""
        return _rank(self._spaces.niches.slugs, self._niche_z, self._niche_words)

    @cached_property
    def _secondary(self) -> list[str]:
        words = self._spaces.vocabulary
        chosen = [slug for slug, _ in self._ranked[:1]]
        for slug, score in self._ranked[1:]:
            if score < SECONDARY_SCORE or len(chosen) == 4:
                break
            if all(slug not in words.family(other) and not words.conflict(slug, other) for other in chosen):
                chosen.append(slug)
        return chosen[1:]

    def niche(self) -> Facts:
        """The row of ``niches``, without ``model``."""
        primary, score = self._ranked[0] if self._ranked else (None, None)
        style_words = self._words(self._spaces.style_words)
        style, style_score = next(iter(_rank(self._spaces.styles.slugs, self._style_z, style_words)), (None, None))
        said = topics.joined(self._summary)
        methods = {
            "primary_niche": self._niche_method([primary] if primary else []),
            "secondary_niches": self._niche_method(self._secondary),
            "content_style": _method(style, self._style_z, style_words),
            "llm_summary": "extraction" if said else "none",
        }
        return {
            "creator_id": self._facts["item_id"],
            "primary_niche": primary,
            "secondary_niches": self._secondary if primary else None,
            "content_style": style,
            "llm_summary": said,
            "confidence_score": score,
            "style_confidence_score": style_score,
            "methods": _json(methods),
        }

    def _niche_method(self, slugs: list[str]) -> str:
        listed = not self._niche_words.listed.isdisjoint(slugs)
        return _method(slugs, self._niche_z, self._niche_words, listed=listed)

    def profile(self) -> Facts:
        """The row of ``profiles``, without ``model``."""
        found, listed = self._topics, self._listed_topics
        persona = self._bio[:3]
        interests = self._interests
        audience, brands = self._audience, self._brands
        style = self._engagement_style
        pattern, engagement = self._posting_pattern, self._engagement
        methods = {
            "user_style.persona": "extraction" if persona else "none",
            "user_style.tone": "none",
            "user_style.interests": "words" if interests else "none",
            "content_topics": "+".join(name for name, part in (("words", found), ("list", listed)) if part) or "none",
            "posting_pattern": "sql" if pattern else "none",
            "engagement": "sql" if engagement else "none",
            "audience_type": "rule" if audience else "none",
            "engagement_style": "sql" if style else "none",
            "brand_fit": "rule" if brands else "none",
        }
        confidence = {"brand_fit": self._ranked[0][1], "audience_type": self._ranked[0][1]} if brands else {}
        return {
            "creator_id": self._facts["item_id"],
            "user_style": _json({"persona": topics.joined(persona), "tone": None, "interests": interests}),
            "content_topics": [*found, *listed],
            "posting_pattern": _json(pattern),
            "engagement": _json(engagement),
            "audience_type": audience,
            "engagement_style": style,
            "brand_fit": brands,
            "evidence": _json(self._evidence(persona)),
            "confidence": _json({name: score for name, score in confidence.items() if methods[name] != "none"}),
            "methods": _json(methods),
            "prompt_version": None,
        }

    @cached_property
    def _topics(self) -> dict[str, list[str]]:
        items = [(item["content_id"], item["text"] or "", item["hashtags"] or ()) for item in self._items]
        return topics.topics(items, self._spaces.vocabulary.is_denied)

    @cached_property
    def _listed_topics(self) -> dict[str, str]:
        """Topics that only creator lists name, lower case as the others are, with the name as listed."""
        refused = self._spaces.vocabulary.is_denied
        named = {name.lower(): name for name in self._listed if not refused(name)}
        return {topic: name for topic, name in named.items() if topic not in self._topics}

    @cached_property
    def _interests(self) -> list[str]:
        """Names of up to six niches that category, biography or at least two items name in so many words."""
        words = self._niche_words
        named = words.category | set(words.bio) | {slug for slug, at in words.items.items() if len(at) > 1}
        rank = dict(zip(self._spaces.niche_words.slugs, words.scores.tolist(), strict=True))
        chosen = sorted(named, key=lambda slug: (-rank[slug], slug))[:6]
        return [self._spaces.vocabulary.niches[slug].label for slug in chosen]

    @property
    def _certain(self) -> str | None:
        """The primary niche if rules may rest on it."""
        return self._ranked[0][0] if self._ranked and self._ranked[0][1] >= RULE_SCORE else None

    @property
    def _brands(self) -> list[str] | None:
        return list(self._spaces.vocabulary.niches[self._certain].brands) if self._certain else None

    @property
    def _audience(self) -> str | None:
        """Who can follow the content: the language it is in, and its niche."""
        language = LANGUAGES.get(self._facts["language"] or "")
        if self._certain is None or language is None:
            return None
        return f"{language} speakers interested in {self._spaces.vocabulary.niches[self._certain].label}"

    @property
    def _posting_pattern(self) -> Facts | None:
        facts = self._facts
        if not facts["item_count"]:
            return None
        return {
            "frequency": _rounded(facts["items_per_week"]),
            "median_gap_days": _rounded(facts["median_gap_days"]),
            "best_time_to_post": facts["slot"],
            "best_hours": facts["best_hours"],
            "time_zone": facts["time_zone"],
            "content_mix": {part["type"]: part["share"] for part in facts["content_mix"] or ()},
            "items": facts["item_count"],
            "from": facts["since"],
            "to": facts["until"],
        }

    @property
    def _engagement(self) -> Facts | None:
        """Numbers of the largest account that has a rate; without one, of the largest that has items."""
        numbers = dict(next(iter(self._responses), {}))
        if all(numbers.get(name) is None for name in _RESPONSES):
            return None
        return {name: value for name, value in numbers.items() if name not in ("platform", "followers_count")}

    @cached_property
    def _responses(self) -> list[Facts]:
        return self._facts["responses"] or []

    @property
    def _engagement_style(self) -> str | None:
        """That of the largest Instagram account that has a rate: the typical rates are of Instagram."""
        found = next((one for one in self._responses if one["platform"] == "instagram"), None)
        return engagement_style(found["engagement_rate"], found["followers_count"]) if found else None

    def _evidence(self, persona: list[Sentence]) -> Facts:
        """Field to content ids and exact quotes."""
        shown = self._niche_evidence([slug for slug, _ in self._ranked[:1]])
        topic_items = list(dict.fromkeys(item for ids in self._topics.values() for item in ids))
        found = {
            "primary_niche": shown,
            "secondary_niches": self._niche_evidence(self._secondary),
            "user_style.interests": self._niche_evidence(list(self._niche_words.bio)) if self._interests else {},
            "brand_fit": shown if self._certain else {},
            "llm_summary": _quoted(self._summary),
            "user_style.persona": _quoted(persona),
            "content_topics": {
                "quotes": list(self._listed_topics.values())[:EVIDENCE],
                "content_ids": topic_items[:EVIDENCE],
            },
            "posting_pattern": {"content_ids": [item["content_id"] for item in self._items[:EVIDENCE]]},
        }
        filled = {name: {kind: values for kind, values in value.items() if values} for name, value in found.items()}
        return {name: value for name, value in filled.items() if value}

    def _niche_evidence(self, slugs: Iterable[str]) -> Facts:
        quotes: list[str | None] = []
        ids: list[str] = []
        for slug in slugs:
            words = self._niche_words
            if slug in words.category:
                index = self._spaces.niche_words
                quotes += [name for name in self._categories if slug in index.find(vocabulary.tokens(name))]
            quotes += [name for name, meant in self._listed.items() if slug in meant]
            for phrase in words.bio.get(slug, ()):
                quotes.append(next((q for text in self._own_texts if (q := quote_of(text, phrase))), None))
            ids += [self._items[at]["content_id"] for at in words.items.get(slug, ())]
        found = {
            "quotes": [quote for quote in dict.fromkeys(quotes) if quote],
            "content_ids": list(dict.fromkeys(ids)),
        }
        return {name: values[:EVIDENCE] for name, values in found.items() if values}


def _rank(slugs: tuple[str, ...], z: Scores | None, words: Words) -> list[tuple[str, float]]:
    if z is None and not words:
        return []
    scores = zero_shot.combine(z if z is not None else words.scores * 0, words.scores).round(4).tolist()
    return sorted(zip(slugs, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))


def _method(found: object, z: Scores | None, words: Words, *, listed: bool = False) -> str:
    if not found:
        return "none"
    used = {"zero-shot": z is not None, "words": words.written, "list": listed}
    return "+".join(name for name, is_used in used.items() if is_used)


def _quoted(sentences: list[Sentence]) -> Facts:
    return {"quotes": [sentence.quote for sentence in sentences[:EVIDENCE]]} if sentences else {}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
