"""What a fault did: two workspaces compared row for row, questions counted, exit codes held against what is allowed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.tables import State

MUST_BE_ZERO = ("lost", "doubled", "paid_twice", "silent", "unexpected")
_BUGS = re.compile(r"^Traceback|an error it did not expect|Fatal Python error|FATAL Error|INTERNAL Error", re.MULTILINE)


@dataclass
class Tally:
    """What came of the faults of one kind in one scene. All counts but the first three must be 0.

    ``injected``: faults that hit a process at work; ``missed``: those that came when it had ended; ``asked_again``:
    questions that were under way. ``silent``: rows that differ, or damage that nobody named; ``unexpected``: processes
    that ended with a code or an error which igtool does not name. ``details`` says what was wrong, and where.
    """

    scene: str
    kind: str
    injected: int = 0
    missed: int = 0
    asked_again: int = 0
    lost: int = 0
    doubled: int = 0
    paid_twice: int = 0
    silent: int = 0
    unexpected: int = 0
    skipped: str = ""
    places: set[str] = field(default_factory=set)
    details: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything is 0 that must be."""
        return not any(getattr(self, name) for name in MUST_BE_ZERO)

    def compare(self, expected: State, found: State, what: str) -> None:
        """Count what of ``expected`` is not in ``found``, what is twice in it, and what differs."""
        for name, rows in expected["tables"].items():
            self._compare_table(name, rows, found["tables"].get(name, []), what)
        for problem in found["wrong"]:
            if problem not in expected["wrong"]:
                self.silent += 1
                self.details.append(f"{what}: {problem}")

    def _compare_table(self, name: str, expected: Any, found: Any, what: str) -> None:
        wanted, there = Counter(key for key, _ in expected), Counter(key for key, _ in found)
        lost, more = (wanted - there).total(), there - wanted
        doubled = sum(count for key, count in more.items() if key in wanted)
        contents = Counter(map(tuple, expected)) - Counter(map(tuple, found))
        silent = max(0, contents.total() - lost) + more.total() - doubled
        self.lost, self.doubled, self.silent = self.lost + lost, self.doubled + doubled, self.silent + silent
        if lost or doubled or silent:
            self.details.append(f"{what}: {name}: {lost} lost, {doubled} doubled, {silent} differ")

    def count_questions(self, expected: Counter[str], asked: Counter[str], allowed: int, what: str) -> None:
        """Count questions that were asked more often than undisturbed, beyond the ``allowed`` that were under way."""
        again = sum(max(0, count - expected.get(name, 1)) for name, count in asked.items())
        self.asked_again += min(again, allowed)
        if again > allowed:
            self.paid_twice += again - allowed
            self.details.append(f"{what}: {again} questions asked again, {allowed} at most were under way")

    def count_exit(self, code: int, said: str, allowed: frozenset[int], what: str) -> bool:
        """Whether a process ended as it may."""
        bug = _BUGS.search(said)
        if code in allowed and bug is None:
            return True
        self.unexpected += 1
        self.details.append(f"{what}: exit {code}: {said[-1500:] if bug is None else said[bug.start() :][:3000]}")
        return False

    def shown(self) -> dict[str, Any]:
        """For a line of JSON."""
        counts = {name: value for name, value in vars(self).items() if name not in {"places", "details"}}
        return counts | {"places": len(self.places), "details": self.details}
