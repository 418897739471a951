"""A creator's row of ``profiles`` and of ``niches`` from what is known about its accounts and items."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from igtool import calibration, genres, topics, vocabulary, zero_shot
from igtool.description import Description
from igtool.engagement import engagement_style
from igtool.lists.columns import genre_text
from igtool.portrait.prose import EVIDENCE, MODEL, Sheet, describe_sheet
from igtool.portrait.spaces import Spaces, quote_of
from igtool.topics import Sentence
from igtool.zero_shot import Scores, Words

Facts = dict[str, Any]
"""A row of `igtool.facts.FACTS` without its vectors."""

SECONDARY_SCORE = 0.1
"""A secondary niche has at least this score."""
RULE_SCORE = 0.45
"""Brands and audience are named from a primary niche of at least this confidence."""
MODEL_NATS = 3.0
"""Evidence of a niche or style that a language model names; a further niche counts a third of it."""
LANGUAGES = {
    "ar": "Arabic", "ca": "Catalan", "de": "German", "en": "English", "es": "Spanish", "eu": "Basque",
    "fr": "French", "gl": "Galician", "hi": "Hindi", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "tr": "Turkish",
}  # fmt: skip
_RESPONSES = ("engagement_rate", "median_likes", "median_comments", "median_views", "median_plays")


class Portrait:
    """What can be said about one creator. ``niche_z`` and ``style_z`` are None without a vector.

    ``described``: what a language model said of it, if one was asked.
    """

    def __init__(
        self,
        facts: Facts,
        spaces: Spaces,
        niche_z: Scores | None,
        style_z: Scores | None,
        described: Description | None = None,
    ) -> None:
        self._facts = facts
        self._spaces = spaces
        self._accounts: list[Facts] = facts["accounts"] or []
        self._items: list[Facts] = facts["texts"] or []
        self._niche_z = niche_z
        self._style_z = style_z
        self._described = described

    @property
    def facts(self) -> Facts:
        """What it was made from."""
        return self._facts

    @property
    def certainty(self) -> float:
        """Confidence in the primary niche, 0-1; 0 where there is nothing to go by."""
        return self._sure or 0.0

    @cached_property
    def _sure(self) -> float | None:
        """Calibrated confidence in the primary niche."""
        if not self._ranked:
            return None
        return calibration.niche_confidence(self._ranked[0][1], has_items=bool(self._items))

    @property
    def says_something(self) -> bool:
        """Whether there is any text that a person could judge the creator by."""
        return any((text or "").strip() for text in (*self._own_texts, *(item["text"] for item in self._items)))

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
        said = self._described
        named = [said.niche, *said.also] if said is not None and said.niche else []
        return _rank(self._spaces.niches.slugs, self._niche_z, self._niche_words, named)

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
        said = self._described
        primary, score = (self._ranked[0][0] if self._ranked else None), self._sure
        style_words = self._words(self._spaces.style_words)
        named = [said.style] if said is not None and said.style else []
        styles = _rank(self._spaces.styles.slugs, self._style_z, style_words, named)
        style, style_score = next(iter(styles), (None, None))
        summary = topics.joined(self._summary)
        methods = {
            "primary_niche": self._niche_method([primary] if primary else []),
            "secondary_niches": self._niche_method(self._secondary),
            "content_style": _method([style] if style else [], self._style_z, style_words, named),
            "llm_summary": "extraction" if summary else "none",
        }
        if said is not None and said.summary:
            summary, methods["llm_summary"] = said.summary, MODEL
        return {
            "creator_id": self._facts["item_id"],
            "primary_niche": primary,
            "secondary_niches": self._secondary if primary else None,
            "content_style": style,
            "llm_summary": summary,
            "confidence_score": score,
            "style_confidence_score": style_score,
            "methods": _json(methods),
        }

    def _niche_method(self, slugs: list[str]) -> str:
        said = self._described
        named = [said.niche, *said.also] if said is not None and said.niche else []
        return _method(slugs, self._niche_z, self._niche_words, named)

    def profile(self) -> Facts:
        """The row of ``profiles``, without ``model``."""
        sheet = self._sheet()
        if self._described is not None:
            describe_sheet(sheet, self._described)
        values = sheet.values
        style = {name: values[f"user_style.{name}"] for name in ("persona", "tone", "interests")}
        return {
            "creator_id": self._facts["item_id"],
            "user_style": _json(style),
            "content_topics": values["content_topics"],
            "posting_pattern": _json(values["posting_pattern"]),
            "engagement": _json(values["engagement"]),
            "audience_type": values["audience_type"],
            "engagement_style": values["engagement_style"],
            "brand_fit": values["brand_fit"],
            "evidence": _json(sheet.evidence),
            "confidence": _json(sheet.confidence),
            "methods": _json(sheet.methods),
            "prompt_version": None,
        }

    def _sheet(self) -> Sheet:
        """Every field of the profile without a language model."""
        found, listed = self._topics, self._listed_topics
        persona = self._bio[:3]
        values = {
            "user_style.persona": topics.joined(persona),
            "user_style.tone": None,
            "user_style.interests": self._interests,
            "content_topics": [*found, *listed],
            "posting_pattern": self._posting_pattern,
            "engagement": self._engagement,
            "audience_type": self._audience,
            "engagement_style": self._engagement_style,
            "brand_fit": self._brands,
        }
        method = {
            "user_style.persona": "extraction",
            "user_style.interests": "words",
            "content_topics": "+".join(name for name, part in (("words", found), ("list", listed)) if part),
            "posting_pattern": "sql",
            "engagement": "sql",
            "audience_type": "rule",
            "engagement_style": "sql",
            "brand_fit": "rule",
        }
        methods = {name: method[name] if value and name in method else "none" for name, value in values.items()}
        sure = {name: self.certainty for name in ("audience_type", "brand_fit") if values[name]}
        return Sheet(values, methods, self._evidence(persona), sure)

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
        return self._ranked[0][0] if self.certainty >= RULE_SCORE else None

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
            "content_kinds": self._content_kinds,
            "items": facts["item_count"],
            "from": facts["since"],
            "to": facts["until"],
        }

    @property
    def _content_kinds(self) -> dict[str, float]:
        """Shares of the items that a label names: a language model's, else the words of the vocabulary."""
        if self._described is not None and self._described.kinds:
            kinds = list(self._described.kinds.values())
        else:
            index = self._spaces.kind_words
            found = [index.find(words) for words, _ in self._item_words]
            kinds = [max(named, key=lambda kind: len(named[kind])) for named in found if named]
        return {kind: round(count / len(kinds), 4) for kind, count in sorted(Counter(kinds).items())}

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


def _rank(slugs: tuple[str, ...], z: Scores | None, words: Words, named: Sequence[str] = ()) -> list[tuple[str, float]]:
    """Labels with their scores, best first; ``named`` are those of a language model, the main one first."""
    if z is None and not words and not named:
        return []
    evidence = words.scores.copy()
    for place, slug in enumerate(named):
        if slug in slugs:
            evidence[slugs.index(slug)] += MODEL_NATS if place == 0 else MODEL_NATS / 3
    scores = zero_shot.combine(z if z is not None else np.zeros_like(evidence), evidence).round(4).tolist()
    return sorted(zip(slugs, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))


def _method(slugs: Sequence[str], z: Scores | None, words: Words, named: Sequence[str]) -> str:
    """What labels rest on, joined by ``+``; ``none`` without any."""
    if not slugs:
        return "none"
    used = {
        "zero-shot": z is not None,
        "words": words.written,
        "list": not words.listed.isdisjoint(slugs),
        MODEL: bool(named),
    }
    return "+".join(name for name, is_used in used.items() if is_used)


def _quoted(sentences: list[Sentence]) -> Facts:
    return {"quotes": [sentence.quote for sentence in sentences[:EVIDENCE]]} if sentences else {}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
