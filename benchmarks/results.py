"""Figures as lines of one file: what was measured, on which machine, with which versions, beside whom.

A benchmark prints its table as it likes and calls `emit` for each figure that counts. Where the environment names a
file (``IGTOOL_BENCH_RESULTS``, as `benchmarks.suite` does) a JSON line is added to it; else nothing is written.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

FILE = "IGTOOL_BENCH_RESULTS"
"""Environment name of the file that lines are added to."""
ENTRY = "IGTOOL_BENCH_ENTRY"
"""Environment name of the entry of the suite that runs."""
Better = Literal["higher", "lower"]
_PACKAGES = ("igtool", "duckdb", "pyarrow", "numpy", "msgspec")
"""Their versions are in every line."""
CHANGED = 0.2
"""From this share on a figure counts as changed: what else runs on a machine moves it less."""


@dataclass(frozen=True)
class Peer:
    """Somebody else doing the same work in the same run: name, version, and the value in the unit of ours."""

    name: str
    version: str
    value: float


@dataclass(frozen=True)
class Measurement:
    """One figure.

    ``n``: how many single measurements (runs, requests, texts) are behind ``value``; ``data``: what it was made on;
    ``size``: how many creators, answers or rows, where a figure belongs to a curve. ``ratio``: how many times better
    than the peer igtool is, so that 2 is always good and 0.5 always bad.
    """

    name: str
    value: float
    unit: str
    n: int
    better: Better
    data: str = ""
    size: int | None = None
    peer: Peer | None = None
    entry: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer; None without one, or where a value is 0."""
        if self.peer is None or not self.value or not self.peer.value:
            return None
        return _times_better(self.value, self.peer.value, self.better)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes figures of two files the same one."""
        return self.entry, self.name, self.unit, self.data, str(self.size), self.peer.name if self.peer else ""

    def line(self) -> str:
        """As a line of the file."""
        told = {key: value for key, value in asdict(self).items() if value not in (None, "")}
        if self.ratio is not None:
            told["ratio"] = float(f"{self.ratio:.3g}")
        return json.dumps(told, ensure_ascii=False)


@dataclass(frozen=True)
class Skipped:
    """An entry of the suite that did not run, or failed, and why."""

    entry: str
    why: str
    failed: bool = False

    def line(self) -> str:
        """As a line of the file."""
        return json.dumps({"entry": self.entry, "failed" if self.failed else "skipped": self.why}, ensure_ascii=False)


@dataclass(frozen=True)
class Change:
    """A figure that both files have: ``times`` better than before (under 1: worse)."""

    now: Measurement
    before: Measurement
    times: float

    @property
    def is_flagged(self) -> bool:
        """Whether it changed by more than `CHANGED`, for better or worse."""
        return not 1 - CHANGED <= self.times <= 1 / (1 - CHANGED)


def emit(
    name: str,
    value: float,
    unit: str,
    *,
    n: int,
    better: Better,
    data: str = "",
    size: int | None = None,
    peers: Iterable[Peer] = (),
    packages: Sequence[str] = (),
) -> None:
    """Add a figure to the file that the environment names, a line for each of ``peers``; without a file nothing."""
    path = os.environ.get(FILE)
    if not path:
        return
    made = Measurement(
        name, float(f"{value:.6g}"), unit, n, better, data, size,
        entry=os.environ.get(ENTRY, ""), versions=versions(packages), machine=machine(),
        time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )  # fmt: skip
    write(Path(path), [replace(made, peer=peer) for peer in peers] or [made])


def write(path: Path, lines: Iterable[Measurement | Skipped]) -> None:
    """Add lines to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line.line()}\n" for line in lines)


def read(path: Path) -> Iterator[Measurement | Skipped]:
    """The lines of a file. Raises ValueError naming the line that is none."""
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            told = json.loads(text)
            why = told.get("failed", told.get("skipped"))
            if why is not None:
                yield Skipped(told["entry"], why, failed="failed" in told)
                continue
            told.pop("ratio", None)
            peer = Peer(**told.pop("peer")) if "peer" in told else None
            yield Measurement(**told, peer=peer)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}, line {number} is no figure: {error}") from error


def measurements(path: Path) -> list[Measurement]:
    """The figures of a file."""
    return [line for line in read(path) if isinstance(line, Measurement)]


def changes(now: Iterable[Measurement], before: Iterable[Measurement]) -> list[Change]:
    """What both have, the largest change first."""
    known = {one.identity: one for one in before}
    pairs = [(one, known[one.identity]) for one in now if one.identity in known and one.value]
    found = [Change(one, old, _times_better(one.value, old.value, one.better)) for one, old in pairs if old.value]
    return sorted(found, key=lambda change: -max(change.times, 1 / change.times))


def _times_better(value: float, other: float, better: Better) -> float:
    return value / other if better == "higher" else other / value


def versions(packages: Sequence[str] = ()) -> dict[str, str]:
    """Versions of Python, of what every line names, and of ``packages``, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in (*_PACKAGES, *packages):
        found |= {name: known} if (known := installed(name)) else {}
    return found


@cache
def installed(package: str) -> str:
    """The version of a package, empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@cache
def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GB, system; and the load as the first figure was made."""
    return {
        "cpu": _told_in("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(int((_told_in("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20, 1),
        "os": _system(),
        "load": round(os.getloadavg()[0], 1),
    }


def _told_in(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = sys.platform
    return f"{name}, {platform.system()} {platform.release()}"
