"""What people say of tags, checked and written down."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from igtool.changes import store
from igtool.errors import UsageError
from igtool.journal.said import Change
from igtool.lake import Lake
from igtool.lists.strict_csv import is_yes, read_rows
from igtool.notes import worded
from igtool.vision.guard import UNSAID, Standing
from igtool.vocabulary.categories import Category, TagVocabulary

Answer = Literal["approve", "edit", "flag"]
ANSWERS: tuple[Answer, ...] = ("approve", "edit", "flag")
NOBODY = "local"
"""Who said it where nobody is named."""
_COLUMNS = {
    "account": ("account", "handle", "account_id", "creator"),
    "category": ("category",),
    "tag": ("tag", "value"),
    "right": ("right", "is_right", "correct"),
}


@dataclass(frozen=True)
class Word:
    """What a person says of a tag.

    ``approve``: ``tag`` is right, or, where it is None, none of the category is. ``edit``: ``corrected`` is right
    instead, None for none of the category. ``flag``: ``tag`` is wrong. ``sha256`` None: of the creator, not of a
    picture. ``is_own``: the creator's own word. ``sampled``: how it came up, ``queue`` or ``random``.
    """

    creator_id: str
    category: str
    tag: str | None
    answer: Answer
    sha256: str | None = None
    corrected: str | None = None
    reviewer: str = NOBODY
    is_own: bool = False
    sampled: str = "queue"
    confidence: float | None = None
    model: str | None = None
    where: str = ""


def say(lake: Lake, vocabulary: TagVocabulary, words: Sequence[Word], now: datetime) -> int:
    """Write down all of ``words`` in one commit; how many are new. The stage ``tag`` obeys them when it runs next.

    Raises UsageError for an unknown category, tag or picture, and for a person's tag of somebody of whom none may be
    given (docs/ethics.md): then nothing is written.
    """
    return store(lake, [saying(lake, vocabulary, words, now)])


def saying(lake: Lake, vocabulary: TagVocabulary, words: Sequence[Word], now: datetime) -> Change:
    """As `say`, but nothing is written: what ``words`` change."""
    return Change("reviews", [_row(lake, vocabulary, word, now) for word in words])


def read_corrections(path: Path, reviewer: str = NOBODY) -> list[tuple[str, Word]]:
    """Creators' own corrections in a CSV file, each with its account: columns account, category, tag, right (yes, no).

    The account has yet to become ``creator_id``. Raises UsageError naming file and line.
    """
    found = []
    for told, where in read_rows(path, _COLUMNS):
        answer: Answer = "approve" if is_yes(told["right"] or "yes", "right", where) else "flag"
        word = Word("", told["category"], told["tag"], answer, reviewer=reviewer, is_own=True, where=where)
        found.append((told["account"], word))
    return found


def _row(lake: Lake, vocabulary: TagVocabulary, word: Word, now: datetime) -> dict[str, Any]:
    try:
        category, tag, corrected = _checked(lake, vocabulary, word)
    except UsageError as error:
        raise UsageError(f"{word.where}{str(error).rstrip('.')}; nothing was recorded") from error
    told = (word.creator_id, word.sha256 or "", category.slug, tag or "", word.reviewer, now.isoformat())
    return {
        "review_id": hashlib.sha256("|".join(told).encode()).hexdigest()[:16],
        "creator_id": word.creator_id,
        "sha256": word.sha256,
        "category": category.slug,
        "tag": tag,
        "decision": word.answer,
        "corrected_tag": corrected,
        "confidence_score": word.confidence,
        "model_used": word.model,
        "reviewer": worded(word.reviewer, "name of the reviewer"),
        "is_own_correction": word.is_own,
        "sampled": word.sampled,
        "reviewed_at": now,
    }


def _checked(lake: Lake, vocabulary: TagVocabulary, word: Word) -> tuple[Category, str | None, str | None]:
    category = vocabulary.category(word.category)
    tag = vocabulary.tag(word.category, word.tag).slug if word.tag is not None else None
    corrected = vocabulary.tag(word.category, word.corrected).slug if word.corrected is not None else None
    if word.answer not in ANSWERS or (word.answer != "edit" and corrected is not None):
        raise UsageError(f"{word.answer!r} is no answer here: approve, flag, or edit with the right tag")
    if word.answer == "flag" and tag is None:
        raise UsageError("there is no tag to flag: say edit with the right tag, or approve that there is none")
    if corrected is not None and corrected == tag:
        raise UsageError(f"{corrected} is the tag that was shown: approve it")
    shown = "select 1 from media m join creator_links l using (account_id) where m.sha256 = ? and l.creator_id = ?"
    if word.sha256 is not None and not lake.rows(shown, (word.sha256, word.creator_id)):
        raise UsageError(f"the creator {word.creator_id} has no picture {word.sha256:.16}")
    _check_allowed(lake, category, word)
    return category, tag, corrected


def _check_allowed(lake: Lake, category: Category, word: Word) -> None:
    """Raises UsageError where nobody may be given a tag of the category."""
    rows = lake.rows("select categories from consent_standing where creator_id = ?", (word.creator_id,))
    said = Standing.of(rows[0]["categories"]) if rows else UNSAID
    if category.needs_consent and category.slug not in said.consented:
        raise UsageError(
            f"{category.slug} needs the creator's consent: `igtool consent grant HANDLE --category {category.slug}`"
        )
    of_picture = word.sha256 is not None  # a picture in the queue was let through by the guard
    if category.about == "person" and not (of_picture or word.is_own or said.is_declared_adult):
        raise UsageError(
            f"{category.slug} is about a person, and this one did not declare to be an adult: "
            "`igtool consent declare HANDLE --field adult …`, or --own if it is the creator's own word"
        )
