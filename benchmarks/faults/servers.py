"""The scripted servers of a scene, what they were asked, and the process that forks its children."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults.child import Job
from benchmarks.faults.picture_scene import photographs
from benchmarks.faults.scenes import ROOT, World
from tests.picture_server import PictureServer

_COMMANDS = {
    "platform": ("tests.platform_server", "--scale", "1000"),
    "people": ("tests.llm_people", "--latency", "0.02"),
    "model": ("tests.llm_server", "--latency", "0.01"),
}

_PATIENCE_S = 300.0
"""Longer than the process that forks waits for its children."""
_STARTS, _START_S = 6, 60.0
_OWN_THREADS = 3
"""Those that allocators of DuckDB and Arrow start when they are loaded; they hold nothing that a child would miss."""


class Forks:
    """The process that forks; for one thread of the campaign."""

    def __init__(self, errors: Path, environment: dict[str, str]) -> None:
        for _ in range(_STARTS):  # libfiu locks up now and then while libraries are loaded
            if self._is_started(errors, environment):
                return
        raise RuntimeError("the process that forks does not start; its errors are in the folder of the campaign")

    def _is_started(self, errors: Path, environment: dict[str, str]) -> bool:
        command = [sys.executable, "-m", "benchmarks.faults.child", "--forks"]
        variables = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | environment
        with errors.open("ab") as said:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )
        told = self._line(_START_S)
        if told is None:
            self._process.kill()
            self._process.wait()
            return False
        if told["threads"] > _OWN_THREADS:
            raise RuntimeError(f"the process that forks has {told['threads']} threads: something it loads starts them")
        return True

    def run(self, jobs: Sequence[Job], ends: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
        """How the jobs ended, which run at once: see `benchmarks.faults.child.awaited`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jobs": [asdict(one) for one in jobs], "ends": list(ends)}) + "\n")
        self._process.stdin.flush()
        told = self._line(_PATIENCE_S)
        if told is None:
            self._process.kill()
            raise RuntimeError("the process that forks died or hangs; its errors are in the folder of the campaign")
        return told

    def _line(self, patience_s: float) -> dict[str, Any] | None:
        """What it says next; None if it says nothing."""
        assert self._process.stdout is not None
        is_there, _, _ = select.select([self._process.stdout], [], [], patience_s)
        line = self._process.stdout.readline() if is_there else ""
        told: dict[str, Any] | None = json.loads(line) if line else None
        return told

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Servers:
    """Those that a scene needs, each a process but that of pictures."""

    def __init__(self, names: Sequence[str], folder: Path, script: str | None = None) -> None:
        """``script``: a behaviour that each of them plays for the first request of its kind."""
        self._stack = ExitStack()
        self._logs: dict[str, Path] = {}
        self._pictures: PictureServer | None = None
        self.world: World = {"epoch": str(time.time()), "shared": str(folder.parent / "enriched")}
        for name in names:
            if name == "pictures":
                self._pictures = self._stack.enter_context(PictureServer())
                for path, content in photographs().items():
                    self._pictures.answers[path] = (200, content, {"Content-Type": "image/jpeg"})
                self.world[name] = self._pictures.url
                continue
            self._logs[name] = folder / f"{name}{script or ''}.asked"
            command = [*_COMMANDS[name], "--log", str(self._logs[name]), *(["--script", script] if script else [])]
            self.world[name] = self._stack.enter_context(process(*command))

    def asked(self) -> Counter[str]:
        """What each question was asked or paid for until now, by name."""
        found: Counter[str] = Counter()
        for name, log in self._logs.items():
            lines = log.read_text().splitlines() if log.exists() else []
            records = [json.loads(line) for line in lines]
            if name == "platform":
                found.update(f"{r['platform']} {r['endpoint']} {r['subjects']} {r['cursor']}" for r in records)
            else:
                found.update(record["prompt"] for record in records if record["is_paid"])
        if self._pictures is not None:
            found.update({f"picture {path}": count for path, count in self._pictures.asked.items()})
        return found

    def close(self) -> None:
        """End them."""
        self._stack.close()


@contextmanager
def process(*arguments: str) -> Iterator[str]:
    """A server that runs while the block does; its address."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdin is not None
        address = started.stdout.readline().strip()
        rest = threading.Thread(target=started.stdout.read, daemon=True)
        rest.start()
        try:
            yield address
        finally:
            started.stdin.close()
