"""One workspace on its way from a fault to its end: what was asked and kept on the way, and what came out."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

from benchmarks.faults.judge import Tally
from benchmarks.faults.stage import Ended, Stage
from benchmarks.faults.tables import State

KILLED = -signal.SIGKILL


class Attempt:
    """A copy of the prepared workspace of ``stage``, whose faults go to ``tally``.

    ``tables``: only these are compared; ``counts_questions``: whether asking again is counted.
    """

    def __init__(self, stage: Stage, tally: Tally) -> None:
        self.stage, self.tally = stage, tally
        self.workspace = stage.copied()
        self.what = f"{stage.scene.name}, {tally.kind}"
        self.tables: tuple[str, ...] | None = None
        self.counts_questions = True
        self._before = stage.servers.asked()
        self._breaks = 0
        self._known: set[str] = set()
        self._since: Counter[str] = Counter()

    def kill(self, end: dict[str, Any] | None, watch: dict[str, Any] | None, what: str) -> Ended:
        """Run it to be killed, by a signal or at a step; it counts as injected if it was."""
        (ended,) = self.stage.run([self.workspace], [end], watch=watch)
        self.what = f"{self.stage.scene.name}, {what}"
        if ended.code == KILLED:
            self.broke()
        else:
            self.tally.missed += 1
            self.tally.count_exit(ended.code, ended.said, self.stage.scene.exits, self.what)
        return ended

    def broke(self, count: int = 1) -> None:
        """A fault was injected: what is stored now must never be asked for again."""
        self.tally.injected += count
        self.died(count)

    def died(self, count: int = 1) -> None:
        """A process ended in the midst: what was under way then may be asked again, what is stored may not."""
        self._breaks += count
        if self.stage.scene.asks_model:
            self._count_paid_twice()
            self._known, self._since = self.stage.stored(self.workspace), self.stage.servers.asked()

    def finish(self, *, repairs: bool = False) -> None:
        """Run it undisturbed to its end; compare and count."""
        if not self.stage.recover(self.workspace, self.tally, self.what, repairs=repairs):
            return
        self._count_paid_twice()
        expected = self.stage.expected
        if self.tables is not None:
            tables = {name: expected["tables"][name] for name in self.tables}
            expected = State(tables=tables, wrong=expected["wrong"])
        self.tally.compare(expected, self.stage.state(self.workspace), self.what)
        if not self.counts_questions:
            return
        asked = self.stage.servers.asked() - self._before
        allowed = self._breaks * self.stage.scene.in_flight
        self.tally.count_questions(self.stage.questions, asked, allowed, self.what)

    def _count_paid_twice(self) -> None:
        """Of the answers that were stored at the last fault."""
        if self._known:
            again = self._known.intersection(self.stage.servers.asked() - self._since)
            self.tally.paid_twice += len(again)
            if again:
                self.tally.details.append(f"{self.what}: {len(again)} stored answers were paid for again")
