"""What tests of the live commands share: a workspace whose sources are the platform server, and its command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from platform_server import PlatformServer

from igtool.cli import main
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pacing import Limit, Policy

IGTOOL = (sys.executable, "-c", "from igtool.cli import main; main()")
HURRIED = Policy(limits=(Limit(6000, 60),), jitter_s=(0.0, 0.0), batch_size=0)
"""A pace for tests in this process: no pauses."""


@dataclass
class Desk:
    """A workspace whose igtool.toml leads to ``server``; ``settings`` replace those it has."""

    server: PlatformServer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.set()

    def set(self, **settings: Any) -> None:
        """Write igtool.toml anew with these values as well; None takes a setting away."""
        self.settings |= settings
        values = self.server.settings() | {"rate_limit": 6000, "timeout_s": 20.0} | self.settings
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
        self.folder.mkdir(exist_ok=True)
        (self.folder / "igtool.toml").write_text("\n".join(lines))

    def run(self, *arguments: str | Path) -> Result:
        """One command, in this process."""
        given = ["--workspace", str(self.folder), *map(str, arguments)]
        return CliRunner().invoke(main, given, catch_exceptions=False)

    def document(self, *arguments: str | Path, code: int = 0) -> Any:
        """What one command prints with ``--json``."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    @contextmanager
    def process(self, *arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """One command as a process of its own, ended with the block. ``options``: of Popen."""
        given = [*IGTOOL, "--workspace", str(self.folder), *map(str, arguments)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(given, text=True, **(pipes | options)) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of the lake."""
        with Lake(self.folder / "data", writable=False) as lake:
            return lake.rows(query)

    def journal(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the journal."""
        with Journal(self.folder / "cache", writable=False) as journal:
            return list(journal.read(query))

    def change_journal(self, statement: str) -> None:
        """Change the journal by hand."""
        with Journal(self.folder / "cache", writable=True) as journal, journal.transaction() as cursor:
            cursor.execute(statement)

    def write_list(self, text: str) -> Path:
        """A creator list in the workspace."""
        path = self.folder / "list.csv"
        path.write_text(text)
        return path

    def asked(self) -> list[str]:
        """Whom the server was asked for, in order."""
        return [one.handle for one in self.server.requests]


def cells(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def wait_until(is_so: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until ``is_so``; fails after a minute, or once ``process`` has ended before."""
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, "it did not happen within a minute"
        assert process is None or process.poll() is None, "the process has ended"
        time.sleep(0.02)


__all__ = ["HURRIED", "IGTOOL", "Desk", "cells", "wait_until"]
