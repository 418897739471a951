"""Thresholds and temperatures of tags, fitted to what people said of them, and how much better they are then.

The temperature is the one with the least log loss (C. Guo et al., "On Calibration of Modern Neural Networks", 2017);
the threshold that with the highest F1 afterwards. Both are found on one part of the labels and measured on another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.files import replaced
from igtool.lake import Lake
from igtool.tagging.deciding import DOUBT
from igtool.tagging.scores import log_odds
from igtool.vocabulary.categories import Key, Tag, TagVocabulary

LEAST = 30
"""Labels that each part needs: of fewer nothing is fitted, and no share is told."""
_TEMPERATURES = np.geomspace(0.05, 50.0, 241)
_DIGITS = 3


@dataclass(frozen=True)
class Label:
    """Whether a tag is right for a picture, by a person, with its score before calibration.

    ``is_random``: nobody chose the picture for it.
    """

    key: Key
    creator_id: str
    score: float
    is_right: bool
    is_random: bool


@dataclass(frozen=True)
class Quality:
    """How many of the assigned tags are right, and of the right ones assigned."""

    right: int
    assigned: int
    wanted: int

    @property
    def precision(self) -> float | None:
        """Share of right ones among those assigned; None of fewer than `LEAST`."""
        return self.right / self.assigned if self.assigned >= LEAST else None

    @property
    def recall(self) -> float | None:
        """Share of assigned ones among the right ones; None of fewer than `LEAST`."""
        return self.right / self.wanted if self.wanted >= LEAST else None


@dataclass(frozen=True)
class Fit:
    """What was found for a tag; ``reason`` says why nothing was. Quality is on the validation labels."""

    key: Key
    calibration: int
    validation: int
    before: Quality
    after: Quality | None = None
    temperature: float | None = None
    threshold: float | None = None
    reason: str | None = None


_LABELS = """
    with said as (
        select coalesce(f.survivor_id, r.creator_id) as creator_id, r.sha256, r.category, r.tag, r.decision,
               r.corrected_tag, r.sampled
        from reviews r left join creator_forwards f using (creator_id)
        where r.sha256 is not null
        qualify row_number() over (
            partition by coalesce(f.survivor_id, r.creator_id), r.sha256, r.category, r.tag
            order by r.is_own_correction desc, r.reviewed_at desc
        ) = 1
    )
    select distinct t.creator_id, t.category, t.tag, t.score, s.sampled = 'random' as is_random, case
               when s.tag = t.tag then s.decision = 'approve'
               when s.corrected_tag = t.tag then s.decision = 'edit'
               when s.tag is null then false
           end as is_right
    from image_tags t join said s using (creator_id, sha256, category)
    where t.score is not null and is_right is not null
    order by all
"""


def labels(lake: Lake) -> list[Label]:
    """Every tag of a picture that people said is right or wrong; of tags that they did not speak of nothing is told."""
    return [
        Label((row["category"], row["tag"]), row["creator_id"], row["score"], row["is_right"], row["is_random"])
        for row in lake.rows(_LABELS)
    ]


def fit(vocabulary: TagVocabulary, given: Iterable[Label]) -> list[Fit]:
    """What the labels say of each tag that has any, in the order of the vocabulary."""
    by_key: dict[Key, list[Label]] = {}
    for label in given:
        by_key.setdefault(label.key, []).append(label)
    return [_fit(tag, by_key[key]) for key, tag in vocabulary.tags.items() if key in by_key]


def split(given: Sequence[Label]) -> tuple[list[Label], list[Label]]:
    """Labels for calibration and for validation; no creator is in both.

    Random ones validate, where there are enough: nobody chose them, so what they say holds of all pictures. Else half
    of the creators does.
    """
    random = {label.creator_id for label in given if label.is_random}
    if sum(label.is_random for label in given) >= LEAST:
        validation = [label for label in given if label.is_random]
        return [label for label in given if label.creator_id not in random], validation
    halves: tuple[list[Label], list[Label]] = ([], [])
    for label in given:
        halves[hashlib.sha256(label.creator_id.encode()).digest()[0] % 2].append(label)
    return halves


def write(path: Path, fits: Iterable[Fit]) -> int:
    """Put what was found into the vocabulary of the workspace, the file ``path``; of how many tags.

    What else stands there stays as it is. Raises StorageError.
    """
    import tomlkit

    found = [one for one in fits if one.reason is None]
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    for one in found:
        table: Any = document
        for name in (one.key[0], "tags", one.key[1]):
            if name not in table:
                table.add(name, tomlkit.table(is_super_table=name != one.key[1]))
            table = table[name]
        table["temperature"] = one.temperature
        table["threshold"] = one.threshold
    if found:
        with replaced(path) as file:
            file.write(tomlkit.dumps(document).encode())
    return len(found)


def _fit(tag: Tag, given: Sequence[Label]) -> Fit:
    calibration, validation = split(given)
    before = _quality(tag, validation)
    none = Fit(tag.key, len(calibration), len(validation), before)
    for part, name in ((calibration, "calibration"), (validation, "validation")):
        if len(part) < LEAST:
            return replace(none, reason=f"{len(part)} labels for {name} where {LEAST} are needed")
    right = np.array([label.is_right for label in calibration])
    if right.all() or not right.any():
        return replace(none, reason=f"all labels for calibration are {'right' if right.all() else 'wrong'}")
    odds = np.array([log_odds(label.score) for label in calibration])
    temperature = _temperature(odds, right)
    threshold = _threshold(1 / (1 + np.exp(-odds / temperature)), right)
    fitted = replace(tag, temperature=temperature, threshold=threshold)
    return replace(none, after=_quality(fitted, validation), temperature=temperature, threshold=threshold)


def _temperature(odds: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """That of the least log loss, among values from 0.05 to 50 that are 3 % apart."""
    signed = np.where(right, odds, -odds)
    losses = [float(np.logaddexp(0.0, -signed / temperature).mean()) for temperature in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), _DIGITS)


def _threshold(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Half-way between neighbours in confidence, where the F1 of what is above is highest; not below `DOUBT`."""
    levels = np.unique(confidences)
    middles = (levels[1:] + levels[:-1]) / 2
    candidates = [DOUBT, *(float(one) for one in middles if DOUBT < one < 1)]
    best = max(candidates, key=lambda one: (_f1(confidences >= one, right), one))
    return round(best, _DIGITS)


def _f1(assigned: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    both = int((assigned & right).sum())
    return 2 * both / max(1, int(assigned.sum()) + int(right.sum()))


def _quality(tag: Tag, given: Sequence[Label]) -> Quality:
    confidence = [1 / (1 + np.exp(-log_odds(label.score) / tag.temperature)) for label in given]
    assigned = np.array([one >= tag.threshold for one in confidence], dtype=bool)
    right = np.array([label.is_right for label in given], dtype=bool)
    return Quality(int((assigned & right).sum()), int(assigned.sum()), int(right.sum()))
