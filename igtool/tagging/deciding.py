"""Which tags a picture gets: what is said of each, what speaks against it, and what a model or a person said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from igtool.tagging.scores import Reading
from igtool.vocabulary.categories import Key, Tag, TagVocabulary

State = Literal["assigned", "waiting", "refused"]

SURE = 0.70
"""Confidence from which a tag is not looked at again: nobody is asked, and it does not wait for a person."""
DOUBT = 1 - SURE
"""Confidence below which a tag is surely not there."""
EVEN = 0.50
"""Confidence from which a vision model is asked about a tag that is not sure; what is below is a person's to say."""


@dataclass(frozen=True)
class Opinion:
    """What a vision model said of tags of one category: how likely each is there, 0-1; why; and which model it was."""

    confidences: Mapping[str, float]
    reason: str
    model: str


@dataclass(frozen=True)
class Spoken:
    """What people said of tags: those that are right and those that are wrong, with who said it, the last word last."""

    right: Mapping[Key, str]
    wrong: Mapping[Key, str]

    @classmethod
    def of(cls, reviews: Iterable[Mapping[str, Any]]) -> Spoken:
        """From rows of ``reviews``: of what contradicts itself the last word holds, a creator's own before others'."""
        right: dict[Key, str] = {}
        wrong: dict[Key, str] = {}
        for review in sorted(reviews, key=lambda one: (one["is_own_correction"] is True, one["reviewed_at"])):
            shown = (review["category"], review["tag"])
            corrected = (review["category"], review["corrected_tag"])
            if shown[1] is not None:
                holds, not_now = (right, wrong) if review["decision"] == "approve" else (wrong, right)
                _note(shown, review["reviewer"], holds, not_now)
            if review["decision"] == "edit" and corrected[1] is not None:
                _note(corrected, review["reviewer"], right, wrong)
        return cls(right, wrong)


def _note(key: Key, who: str, holds: dict[Key, str], not_now: dict[Key, str]) -> None:
    """Make it the last word."""
    for known in (holds, not_now):
        known.pop(key, None)
    holds[key] = who


NOTHING_SAID = Spoken({}, {})


@dataclass(frozen=True)
class Decision:
    """What became of a tag in a picture.

    ``first``: confidence before a model or a person spoke. ``is_unsure``: it was neither sure then nor surely not, or
    another tag spoke against it. ``model``: what made it; None for a person.
    """

    key: Key
    score: float | None
    first: float | None
    confidence: float
    is_unsure: bool
    method: str
    model: str | None
    reasoning: str
    state: State
    approved_by: str | None = None


def decide(
    vocabulary: TagVocabulary,
    found: Sequence[Reading],
    model: str,
    opinions: Mapping[str, Opinion],
    spoken: Spoken = NOTHING_SAID,
) -> list[Decision]:
    """What becomes of every tag of a picture that may be there, and of those that a person spoke of.

    ``found`` are the readings of all tags that may be computed, made by ``model``; ``opinions`` are by category. A
    sure tag is assigned, one below `DOUBT` left out. Between them an opinion counts, then the tag's threshold. Of tags
    that never go together the surest keeps its place, the others wait. What a person said goes before everything.
    """
    likely = [one for one in found if one.confidence >= DOUBT]
    against = _against({one.tag.key: (one.tag, one.confidence) for one in likely})
    decisions = {}
    for one in likely:
        unsure = one.confidence < SURE or any(one.tag.key in pair for pair in against.items())
        first = Decision(
            one.tag.key, one.score, one.confidence, one.confidence, unsure, one.method, model, one.reasoning, "waiting"
        )
        decisions[one.tag.key] = _asked(first, opinions.get(one.tag.category))
    decisions = _placed(vocabulary, decisions)
    return list(_told(vocabulary, decisions, {one.tag.key: one for one in found}, spoken).values())


def _against(tags: Mapping[Key, tuple[Tag, float]]) -> dict[Key, Key]:
    """Each tag that has to give way, with the surer one that it never goes with; both reach their threshold."""
    holding = {key: (tag, sure) for key, (tag, sure) in tags.items() if sure >= tag.threshold}
    by_sureness = sorted(holding, key=lambda key: (-holding[key][1], key))
    lost: dict[Key, Key] = {}
    for place, key in enumerate(by_sureness):
        for surer in by_sureness[:place]:
            if surer not in lost and key in holding[surer][0].conflicts:
                lost.setdefault(key, surer)
    return lost


def _asked(decision: Decision, opinion: Opinion | None) -> Decision:
    """With what a vision model said, if it was asked about this tag."""
    first = decision.first or 0.0
    if opinion is None or not decision.is_unsure or first < EVEN or decision.key[1] not in opinion.confidences:
        return decision
    sure = round(opinion.confidences[decision.key[1]], 4)
    told = f"{decision.reasoning}; the model: {opinion.reason or 'no reason'} ({sure:.2f})"
    return replace(decision, confidence=sure, method="model", model=opinion.model, reasoning=told)


def _placed(vocabulary: TagVocabulary, decisions: Mapping[Key, Decision]) -> dict[Key, Decision]:
    """Each with its state."""
    tags = vocabulary.tags
    lost = _against({key: (tags[key], one.confidence) for key, one in decisions.items()})
    placed = {}
    for key, one in decisions.items():
        state: State = "assigned" if one.confidence >= tags[key].threshold else "waiting"
        if one.confidence < DOUBT:
            state = "refused"
        told = one.reasoning
        if key in lost:
            surer = lost[key]
            state, told = "waiting", f"{told}; against it: {':'.join(surer)} ({decisions[surer].confidence:.2f})"
        placed[key] = replace(one, state=state, reasoning=told)
    return placed


def _told(
    vocabulary: TagVocabulary, decisions: dict[Key, Decision], found: Mapping[Key, Reading], spoken: Spoken
) -> dict[Key, Decision]:
    """With what people said: their tags are right, and what never goes together with these is not.

    Of what people said the last word holds.
    """
    tags = vocabulary.tags
    for key, who in spoken.wrong.items():
        if key in decisions:
            decisions[key] = _by_person(decisions[key], f"{who} said that it is wrong", None)
    for key, who in spoken.right.items():
        if key in tags:
            known = decisions.get(key) or _unseen(key, found.get(key))
            decisions[key] = _by_person(known, f"{who} said so", who)
            for other in tags[key].conflicts & decisions.keys():
                against = f"{who} said {':'.join(key)}, which it never goes together with"
                decisions[other] = _by_person(decisions[other], against, None)
    return decisions


def _by_person(decision: Decision, why: str, approved_by: str | None) -> Decision:
    """Assigned where somebody approved it, else refused."""
    is_right = approved_by is not None
    return replace(
        decision,
        confidence=1.0 if is_right else 0.0,
        method="person",
        model=None,
        reasoning=why,
        state="assigned" if is_right else "refused",
        approved_by=approved_by,
    )


def _unseen(key: Key, reading: Reading | None) -> Decision:
    """Of a tag that a person names and that nobody held likely; with what was said of it, to learn from."""
    score, first = (None, None) if reading is None else (reading.score, reading.confidence)
    return Decision(key, score, first, 0.0, False, "person", None, "", "refused")
