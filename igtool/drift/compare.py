"""What is different between the answers of two times: fields gone, new, emptied, of another type, rarer.

A sample is small and fields are optional, so a change counts only when chance is a bad explanation for it, and the
share of a field is taken of those answers that have an object where it would stand: when no video is posted, no
field of a video has vanished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

Fields = frozenset[tuple[str, ...]]
"""Fields that are read: ``(name,)``, or ``(key above, name)`` for a name like ``count`` that says nothing alone."""

UNKNOWN = "unknown"
"""The shape of answers that no shape read."""
CHANCE = 1e-4
"""Splits that are likelier than this in unchanged answers are no change. 600 fields are compared at once, so one
shape in 17 would show one by chance, were there not the least shares as well. It takes 8 answers on both sides, or 3
against 40."""
COMMON = 0.6
"""A field that was in this share of the answers is missed when it is in none."""
NEW = 0.2
"""A field that was in none is new when it is in this share of the answers."""
SHIFT = 0.4
"""So much the share has to move for a field to be called rarer or more frequent."""

_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|\[\]|\{\}|[^.\[\]{}"]+')
_EMPTY = frozenset({"null", "empty_list", "empty_object"})
_FEWEST_OF_A_WEEK = 5


@dataclass(frozen=True, slots=True)
class Field:
    """One path in the sample of one week: how many answers have it, and with which JSON types."""

    seen: int
    types: Mapping[str, int]
    example: str = ""

    @property
    def filled(self) -> int:
        """Answers that have it neither null nor empty, at least."""
        return max((count for kind, count in self.types.items() if kind not in _EMPTY), default=0)


@dataclass(frozen=True)
class Sample:
    """The fields of one shape from one source in one week."""

    source: str
    shape: str
    week: str
    answers: int
    fields: Mapping[str, Field]

    @cached_property
    def complete_to(self) -> int:
        """How deep every path is listed; what stands deeper may be there without being listed."""
        if "…" not in self.fields:
            return 1_000
        return max(map(depth, self.fields)) - 1

    @cached_property
    def maps(self) -> set[str]:
        """The paths below which all keys are data."""
        keyed = {parent(path) for path in self.fields if path.endswith("{}")}
        return keyed - {parent(path) for path in self.fields if not path.endswith(("{}", "[]"))}

    def seen(self, path: str) -> tuple[int, int]:
        """In how many answers the path is, and in how many it could be; (0, 0) where that is not known."""
        found = self.fields.get(path)
        above = self.fields.get(parent(path))
        if above is None or (found is None and (depth(path) > self.complete_to or parent(path) in self.maps)):
            return 0, 0
        return (found.seen if found else 0), above.types.get("list" if path.endswith("[]") else "object", 0)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different in ``week``, with shares of before and after.

    ``change``: vanished, emptied (now always null or empty), new, type, rarer, more frequent, or unread (answers
    that cannot be read). ``weeks``: those it is compared with. ``below``: changed fields under this one.
    ``matters``: igtool reads this field, or one below it.
    """

    source: str
    shape: str
    week: str
    change: str
    path: str
    before: str
    after: str
    weeks: str
    matters: bool = False
    below: int = 0
    example_answer_id: str = ""


def depth(path: str) -> int:
    """How many keys and lists lead to ``path``."""
    return 0 if path in ("$", "…") else len(_STEP.findall(path))


def parent(path: str) -> str:
    """The path above; ``$`` is above all."""
    start = 0
    for step in _STEP.finditer(path):
        start = step.start()
    return path[:start].removesuffix(".") or "$"


def names(path: str) -> tuple[str, ...]:
    """The keys on the way to ``path``, its own last; lists and keys that are data left out."""
    steps = (step for step in _STEP.findall(path) if step not in ("[]", "{}", "$", "…"))
    return tuple(json.loads(step) if step.startswith('"') else step for step in steps)


def chance(few: int, of: int, many: int, out_of: int) -> float:
    """How often unchanged answers split so, or further apart: ``few`` of ``of`` here, ``many`` of ``out_of`` there.

    Fisher's exact test, one-sided (R. A. Fisher, "The Logic of Inductive Inference", 1935).
    """
    have, total = few + many, of + out_of
    ways = sum(comb(have, k) * comb(total - have, of - k) for k in range(max(0, of - (total - have)), few + 1))
    return ways / comb(total, of)


def compare(before: Sequence[Sample], after: Sample, read: Fields = frozenset()) -> list[Change]:
    """What is different in ``after``: samples of one shape and source, those in ``before`` of earlier weeks.

    ``read`` names the fields that igtool reads (``reading.fields_read``). What is gone, or new, with everything
    below it is one change.
    """
    found = []
    paths = {path for sample in (*before, after) for path in sample.fields} - {"$", "…"}
    for path in sorted(paths):
        change = _change(before, after, path)
        if change is None:
            continue
        kind, was, now = change
        under = [other for other in paths if other.startswith(path) and other[len(path) :][:1] in (".", "[")]
        touched = [path] if kind in ("rarer", "more frequent") else [path, *under]
        found.append(
            Change(
                source=after.source,
                shape=after.shape,
                week=after.week,
                change=kind,
                path=path,
                before=was,
                after=now,
                weeks=span(sample.week for sample in before),
                matters=any(is_read(other, read) for other in touched),
                below=len(under) if kind in ("vanished", "new") else 0,
                example_answer_id=next(s.fields[path].example for s in (after, *reversed(before)) if path in s.fields),
            )
        )
    return found


def is_read(path: str, read: Fields) -> bool:
    """Whether a field of ``read`` stands at ``path``: by its name, or by its name below one of the two keys above."""
    keys = names(path)
    if not keys or path.endswith("{}"):
        return False
    return (keys[-1],) in read or any((above, keys[-1]) in read for above in keys[-3:-1])


def _change(before: Sequence[Sample], after: Sample, path: str) -> tuple[str, str, str] | None:
    """Kind, before and after of what changed at ``path``."""
    counted = [sample.seen(path) for sample in before]
    seen, could = sum(seen for seen, _ in counted), sum(could for _, could in counted)
    seen_now, could_now = after.seen(path)
    if not could or not could_now:
        return None
    if not seen or not seen_now:
        return None if path.endswith("{}") else _there_or_not(seen, could, seen_now, could_now)
    return _content(before, after, path) or _frequency(counted, seen_now, could_now)


def _there_or_not(seen: int, could: int, seen_now: int, could_now: int) -> tuple[str, str, str] | None:
    shares = share(seen, could), share(seen_now, could_now)
    if not seen_now and seen >= COMMON * could and chance(0, could_now, seen, could) <= CHANCE:
        return ("vanished", *shares)
    if not seen and seen_now >= NEW * could_now and chance(0, could, seen_now, could_now) <= CHANCE:
        return ("new", *shares)
    return None


def _content(before: Sequence[Sample], after: Sample, path: str) -> tuple[str, str, str] | None:
    """Another type, or nothing any more in a field that is still there."""
    fields = [sample.fields[path] for sample in before if path in sample.fields]
    now = after.fields[path]
    seen, filled = sum(field.seen for field in fields), sum(field.filled for field in fields)
    if not now.filled:
        was_filled = filled >= COMMON * seen and chance(0, now.seen, filled, seen) <= CHANCE
        return ("emptied", share(filled, seen), share(0, seen)) if was_filled else None
    known = {_plain(kind) for field in fields for kind in field.types} - {"null"}
    others = {kind: count for kind, count in now.types.items() if kind != "null" and _plain(kind) not in known}
    changed = min(sum(others.values()), now.seen)
    if not known or changed < COMMON * now.filled or chance(0, seen, changed, now.seen) > CHANCE:
        return None
    kinds = sorted({_plain(kind) for kind in now.types} - {"null"})
    return "type", " or ".join(sorted(known)), " or ".join(kinds)


def _frequency(counted: Sequence[tuple[int, int]], seen_now: int, could_now: int) -> tuple[str, str, str] | None:
    """Rarer or more frequent than in any week before; a share that always moves is no change."""
    seen, could = sum(seen for seen, _ in counted), sum(could for _, could in counted)
    was, now = seen / could, seen_now / could_now
    usual = [seen / could for seen, could in counted if could >= _FEWEST_OF_A_WEEK]
    if abs(now - was) < SHIFT or not usual or min(usual) <= now <= max(usual):
        return None
    if now < was:
        kind, by_chance = "rarer", chance(seen_now, could_now, seen, could)
    else:
        kind, by_chance = "more frequent", chance(seen, could, seen_now, could_now)
    return (kind, share(seen, could), share(seen_now, could_now)) if by_chance <= CHANCE else None


def _plain(kind: str) -> str:
    return kind.removeprefix("empty_")


def share(part: int, whole: int) -> str:
    """``25 %``."""
    return f"{part / whole:.0%}".replace("%", " %")


def span(weeks: Iterable[str]) -> str:
    """``2026-W40``, or ``2026-W40 to 2026-W47``; nothing for no week."""
    ordered = sorted(set(weeks))
    return " to ".join(dict.fromkeys((ordered[0], ordered[-1]))) if ordered else ""
