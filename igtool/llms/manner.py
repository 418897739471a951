"""How a server wants to be asked: found out from its refusals, once, and remembered for all threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from igtool.llms.refusals import Said

_UNNAMED = frozenset({400, 422})
_NAMED = _UNNAMED | {403, 404, 415}
_NAMED_AT_FIRST = _NAMED | {500, 501}


@dataclass(frozen=True)
class Manner:
    """For each matter of a request, how many steps below the best way it is asked.

    ``format``: of the answer. ``temperature``: 0 is sent or not. ``limit``: the name of the limit on tokens.
    ``alternatives``: how many are asked for. ``thinking``: how it is kept short. ``instruction``: in its own field.
    """

    format: int = 0
    temperature: int = 0
    limit: int = 0
    alternatives: int = 0
    thinking: int = 0
    instruction: int = 0

    def below(self, other: Manner) -> Manner:
        """The lower way of the two in each matter."""
        mine, theirs = asdict(self), asdict(other)
        return Manner(**{name: max(step, theirs[name]) for name, step in mine.items()})


MATTERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("alternatives", re.compile(r"log_?probs")),
    ("temperature", re.compile(r"temperature")),
    ("limit", re.compile(r"max_(completion_)?tokens")),
    ("thinking", re.compile(r"reasoning|thinking|budget \d+ is invalid")),
    ("instruction", re.compile(r"developer instruction|system_?instruction|system.{0,3}role|role.{0,3}system")),
    ("format", re.compile(r"response_?format|json|schema|grammar|structured|guided|constraint|response_?mime")),
)
"""What a refusal is about, by its words; the first that matches and has a lower step counts."""


class Manners:
    """The manner of one provider object, shared by its threads.

    ``steps``: how many lower steps each matter has. ``unnamed``: which matters are tried in turn when a request is
    refused without a word about the reason, as long as none has been taken.
    """

    def __init__(self, steps: Mapping[str, int], unnamed: tuple[str, ...] = ("format",)) -> None:
        self._steps = steps
        self._unnamed = unnamed
        self._lock = threading.Lock()
        self._best = Manner()
        self._is_proven = False

    def now(self) -> Manner:
        """How to ask."""
        with self._lock:
            return self._best

    def taken(self, manner: Manner) -> None:
        """Remember that a request in ``manner`` was answered: no call begins above it from now on."""
        with self._lock:
            self._best = self._best.below(manner)
            self._is_proven = True

    def next(self, manner: Manner, refused: Said) -> Manner | None:
        """The manner to try after ``refused``; None where no other is left or it is not about the manner."""
        with self._lock:
            is_proven = self._is_proven
        if refused.status not in (_NAMED if is_proven else _NAMED_AT_FIRST):
            return None
        for matter, words in MATTERS:
            if words.search(refused.text) and self._has_lower(manner, matter):
                return self._lower(manner, matter)
        if is_proven or refused.status not in _UNNAMED:
            return None
        return next((self._lower(manner, matter) for matter in self._unnamed if self._has_lower(manner, matter)), None)

    def _has_lower(self, manner: Manner, matter: str) -> bool:
        return int(getattr(manner, matter)) < self._steps.get(matter, 0)

    @staticmethod
    def _lower(manner: Manner, matter: str) -> Manner:
        return replace(manner, **{matter: getattr(manner, matter) + 1})
