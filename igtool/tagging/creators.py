"""From tags of pictures to tags of their creator, and what changed in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from igtool.tagging.deciding import Decision, Spoken
from igtool.vocabulary.categories import Key, TagVocabulary

Row = dict[str, Any]

_STATE = ("confidence_score", "approved_by", "model_used", "images_analyzed", "reasoning", "analysis_version")
"""Columns of ``creator_tags`` whose change is a change of the tag."""
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class CreatorTag:
    """A tag of a creator: how sure, on how many pictures it rests, what made it (None: a person), who approved it."""

    key: Key
    confidence: float
    pictures: int
    model: str | None
    reasoning: str
    approved_by: str | None = None


def tags_of(
    vocabulary: TagVocabulary, pictures: Mapping[str, Sequence[Decision]], spoken: Spoken
) -> dict[Key, CreatorTag]:
    """The tags of a creator, from those of each of their ``pictures`` by SHA-256 and what people said of the creator.

    A tag needs ``least_pictures``, or one where a person said so. Its confidence is the sum of its pictures' by the
    number of pictures that speak of it: its own, and those that have a tag instead with which it never goes together.
    Of tags that never go together the surest stays.
    """
    given = {
        sha256: {one.key: one for one in decisions if one.state == "assigned"} for sha256, decisions in pictures.items()
    }
    found = {}
    for key, tag in vocabulary.tags.items():
        having = {sha256: tags[key] for sha256, tags in given.items() if key in tags}
        approved = next((one.approved_by for one in having.values() if one.approved_by), None)
        if not having or (len(having) < tag.least_pictures and approved is None):
            continue
        instead = sum(1 for tags in given.values() if key not in tags and tag.conflicts & tags.keys())
        total = sum(one.confidence for one in having.values())
        best = max(having, key=lambda sha256: (having[sha256].confidence, sha256))
        told = f"{len(having)} of {len(pictures)} pictures"
        told += f", {instead} speak against it" if instead else ""
        told += f"; the surest is {best[:_SHOWN_DIGITS]} ({having[best].confidence:.2f})"
        model = next((one.model for one in having.values() if one.model), None)
        found[key] = CreatorTag(key, round(total / (len(having) + instead), 4), len(having), model, told, approved)
    return _told(vocabulary, _surest(vocabulary, found), spoken)


def _surest(vocabulary: TagVocabulary, found: Mapping[Key, CreatorTag]) -> dict[Key, CreatorTag]:
    """Without tags that never go together with a surer one; one that a person approved is surer than others."""
    kept: dict[Key, CreatorTag] = {}
    for key in sorted(found, key=lambda key: (found[key].approved_by is None, -found[key].confidence, key)):
        if not vocabulary.tags[key].conflicts & kept.keys():
            kept[key] = found[key]
    return kept


def _told(vocabulary: TagVocabulary, found: dict[Key, CreatorTag], spoken: Spoken) -> dict[Key, CreatorTag]:
    """With what people said of the creator, which goes before all pictures; the last word before earlier ones."""
    for key in spoken.wrong:
        found.pop(key, None)
    for key, who in spoken.right.items():
        if key not in vocabulary.tags:
            continue
        for other in vocabulary.tags[key].conflicts:
            found.pop(other, None)
        known = found.get(key) or CreatorTag(key, 1.0, 0, None, "")
        found[key] = replace(known, confidence=1.0, model=None, reasoning=f"{who} said so", approved_by=who)
    return found


def changes(before: Iterable[Row], after: Iterable[Row], now: datetime, spoken: Spoken) -> list[Row]:
    """Rows of ``creator_tag_history``: what came, went or changed between rows of ``creator_tags`` of one creator.

    ``spoken``: what people said of the creator, the reason why some tags go.
    """
    old = {(row["category"], row["tag"]): row for row in before}
    new = {(row["category"], row["tag"]): row for row in after}
    found = []
    for category, tag in sorted(old.keys() | new.keys()):
        was, becomes = _state(old.get((category, tag))), _state(new.get((category, tag)))
        if was == becomes:
            continue
        creator = (new.get((category, tag)) or old[category, tag])["creator_id"]
        found.append(
            {
                "creator_id": creator,
                "category": category,
                "tag": tag,
                "state_before": _json(was),
                "state_after": _json(becomes),
                "reason": becomes["reasoning"] if becomes else _why_gone((category, tag), spoken),
                "changed_at": now,
            }
        )
    return found


def _why_gone(key: Key, spoken: Spoken) -> str:
    who = spoken.wrong.get(key)
    return f"{who} said that it is wrong" if who else "the pictures do not say so any more, or something surer does"


def _state(row: Row | None) -> Row | None:
    return None if row is None else {name: row[name] for name in _STATE}


def _json(state: Row | None) -> str | None:
    return None if state is None else json.dumps(state, ensure_ascii=False)
