"""How far a run is: bars on a terminal, ``data/progress.json`` for everyone else."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igtool.files import replaced

_LOG = logging.getLogger(__name__)
_WRITE_EVERY_S = 0.5
_ESTIMATE_S = 300
"""Time left is estimated from so many seconds: batches of a language model take a while each."""


@dataclass
class StageCounts:
    """What a stage did with its items."""

    stage: str
    new: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0


class Progress:
    """Counts of a run as it goes. The file is replaced atomically, at most twice a second and at each end."""

    def __init__(self, path: Path, run_id: str, *, bars: bool | None = None) -> None:
        self.path = path
        self.run_id = run_id
        self.counts: dict[str, StageCounts] = {}
        self._bars = sys.stderr.isatty() if bars is None else bars
        self._state: dict[str, Any] = {}
        self._written = 0.0
        self._began = 0.0
        self._advance: Any = None
        self._set_total: Any = None

    def of(self, stage: str) -> StageCounts:
        """The counts of ``stage``, made when first asked for."""
        return self.counts.setdefault(stage, StageCounts(stage))

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Progress]:
        """Show ``name`` with ``total`` items (None: not known yet) while the block runs."""
        self.of(name)
        self._began = time.monotonic()
        self._state = {"stage": name, "done": 0, "total": total}
        self._write(force=True)
        if not self._bars:
            yield self
        else:
            with self._bar(name, total):
                yield self
        self._write(force=True)

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        with Bars(*columns, console=console, transient=True, speed_estimate_period=_ESTIMATE_S) as bars:
            task = bars.add_task(name, total=total, rate="")

            def advance(items: int) -> None:
                elapsed = max(time.monotonic() - self._began, 1e-6)
                bars.update(task, advance=items, rate=f"{self._state['done'] / elapsed:,.0f}/s")

            self._advance = advance
            self._set_total = lambda items: bars.update(task, total=items)
            try:
                yield
            finally:
                self._advance = self._set_total = None

    def advance(self, items: int) -> None:
        """``items`` more are done and committed."""
        self._state["done"] += items
        _LOG.info("%s: %s of %s", self._state["stage"], self._state["done"], self._state["total"] or "?")
        if self._advance:
            self._advance(items)
        self._write()

    def expect(self, total: int) -> None:
        """The stage at hand has ``total`` items by now: it found more while it ran."""
        if total != self._state["total"]:
            self._state["total"] = total
            if self._set_total:
                self._set_total(total)

    def finish(self, status: str) -> None:
        """The run ended as ``status``: finished, interrupted or failed."""
        self._state = {"stage": None, "status": status}
        self._write(force=True)

    def _write(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._written < _WRITE_EVERY_S:
            return
        self._written = now
        state = {"run_id": self.run_id, "status": "running", **self._state}
        done, total, elapsed = state.get("done"), state.get("total"), now - self._began
        if done and elapsed > 0:
            rate = done / elapsed
            state["items_per_s"] = round(rate, 1)
            state["seconds_left"] = round((total - done) / rate) if total else None
        state["stages"] = [asdict(counts) for counts in self.counts.values()]
        with replaced(self.path) as file:
            file.write(json.dumps(state).encode())
