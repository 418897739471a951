"""A command run as a process of its own: wall clock, CPU seconds and memory of it and of all that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVERY_S = 0.25
"""Between two looks at the memory: a look holds the process up for milliseconds."""


def measured(command: list[str], folder: Path) -> dict[str, Any]:
    """The JSON object that ``command`` prints last, with ``wall_s``, ``cpu_s`` and ``peak_mb``.

    Raises RuntimeError with the end of its output when it fails.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=errors)
        memory = _Memory(process.pid)
        memory.start()
        _, status, used = os.wait4(process.pid, 0)  # unlike Popen.wait it tells the CPU seconds of the tree
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.stop()
        output.seek(0)
        errors.seek(0)
        lines = output.read().strip().splitlines()
        if process.returncode or not lines:
            raise RuntimeError(f"{command[1:4]} ended with {process.returncode}: {errors.read()[-3000:]}")
    result: dict[str, Any] = json.loads(lines[-1])
    result["work_s"] = round(result["work_s"], 3)
    return result | {
        "wall_s": round(wall_s, 3),
        "cpu_s": round(used.ru_utime + used.ru_stime, 3),
        "peak_mb": round(memory.peak_kb / 1000, 1),
    }


class _Memory(threading.Thread):
    """The largest memory of a process and its descendants: proportional set sizes, so that shared pages count once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak_kb = 0

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.peak_kb = max(self.peak_kb, sum(map(_kb, _tree(self._pid))))

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def _tree(pid: int) -> Iterator[int]:
    """The process and its descendants; one that has just ended has none."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _kb(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(text.partition("\nPss:")[2].split()[0])
