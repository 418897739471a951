"""An overnight fetch at a fast clock against the platform server: what it takes.

``night``: 4,000 profiles from one process; ``pages``: the same with two pages of posts; ``naive``: the loop that people
write instead; ``true``: what a request and a rest cost at the true clock. `benchmarks.torture` kills such a fetch.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.overnight import handles
from benchmarks.results import Peer, emit, installed
from igtool.lake import Lake

ROOT = Path(__file__).parents[1]
FACTOR = 1_000.0
LIMIT, WINDOW_S = 10, 60.0
REST_S = 18.0
"""Seconds of rest for each request of a night: 1,800 after each 100."""
_UNTIL_QUIET_S = 35.0
"""By then the last answers of a batch are in the lake."""


@dataclass(frozen=True)
class Server:
    """The platform server as a process: its address, and the file with a line for each request."""

    url: str
    log: Path

    def requests(self, skip: int = 0) -> list[dict[str, Any]]:
        """What was asked, in order, without the first ``skip``."""
        with self.log.open() as lines:
            return [json.loads(line) for line in lines][skip:]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server that runs while the block does."""
    log = folder / "requests.jsonl"
    command = [sys.executable, "-m", "tests.platform_server", "--log", str(log), "--scale", str(FACTOR)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip(), log)
        finally:
            process.terminate()


@dataclass(frozen=True)
class Job:
    """A fetch in a workspace of its own: how many handles, how many pages of posts, at which clock."""

    workspace: Path
    server: Server
    handles: int
    pages: int = 0
    factor: float = FACTOR
    epoch: float = 0.0

    def start(self, *more: str) -> subprocess.Popen[str]:
        """The process; the same job again goes on where the last one was."""
        values = {"url": self.server.url, "handles": self.handles, "pages": self.pages, "factor": self.factor}
        flags = [f"--{name}={value}" for name, value in values.items()]
        command = [sys.executable, "-m", "benchmarks.overnight", str(self.workspace), *flags, f"--epoch={self.epoch}"]
        return subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *more: str) -> dict[str, Any]:
        """The figures of a run to its end."""
        process = self.start(*more)
        output, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"the fetch ended with {process.returncode}: {errors}")
        figures: dict[str, Any] = json.loads(output)
        return figures


def question(record: dict[str, Any]) -> tuple[Any, ...]:
    """What a line of the server's log asked for."""
    return record["platform"], record["endpoint"], tuple(record["subjects"]), record["cursor"]


def asked_twice(records: list[dict[str, Any]]) -> int:
    """Questions beyond the first of their kind; the second look at a page that says nothing is no duplicate."""
    counts = Counter(question(record) for record in records)
    return sum(count - (2 if name[2] and name[2][0].startswith("html_") else 1) for name, count in counts.items())


def tightest_s(times: list[float]) -> float:
    """The shortest time in which one request more than allowed came, in seconds of the fetch's clock."""
    ordered = sorted(times)
    return min((b - a for a, b in zip(ordered, ordered[LIMIT:], strict=False)), default=float("inf"))


def ledger_times(workspace: Path) -> list[float]:
    """When each request counts from, as the ledger has it."""
    connection = sqlite3.connect(f"file:{workspace}/cache/journal.sqlite?mode=ro", uri=True)
    try:
        return [at for (at,) in connection.execute("select at from requests")]
    finally:
        connection.close()


def windows(workspace: Path, records: list[dict[str, Any]]) -> str:
    """Both views of the window: 60 s or more between a request and the tenth after it."""
    arrived = tightest_s([record["at"] * FACTOR for record in records])
    entered = tightest_s(ledger_times(workspace))
    return f"{LIMIT + 1} requests never within {entered:.3f} s (ledger), {arrived:.3f} s (server)"


def losses(workspace: Path, count: int) -> int:
    """Handles of which no answer is in the lake."""
    with Lake(workspace / "data", writable=False) as lake:
        found = {row["subject"] for row in lake.rows("select distinct subject from raw_responses")}
    return len(set(handles(count)) - found)


def show_cost(name: str, figures: dict[str, Any]) -> None:
    """One line: processor time and memory of a night."""
    took, requests = figures["fetch"], figures["requests"]
    each_ms = took["cpu_s"] / requests * 1000
    print(
        f"{name}: {requests} requests in {took['wall_s']:.1f} s, {each_ms:.2f} ms CPU a request, "
        f"peak {took['peak_mb']:.0f} MB; start {figures['start']['cpu_s']:.2f} s CPU",
        flush=True,
    )


def bench_night(folder: Path, server: Server, count: int, pages: int) -> None:
    """A whole night, undisturbed."""
    job = Job(folder / f"night{pages}", server, count, pages, epoch=time.time())
    before = len(server.requests())
    figures = job.run()
    records = server.requests(before)
    show_cost(f"{count} handles, {pages} pages", figures)
    after = figures["normalize"]
    data = f"{count:,} invented profiles, {pages} pages of posts each, clock {FACTOR:g} times as fast"
    emit("fetch, memory", figures["fetch"]["peak_mb"], "MB", n=1, better="lower", data=data)
    emit("fetch, wall clock", figures["fetch"]["wall_s"], "s", n=1, better="lower", data=data)
    emit("fetch, asked twice", asked_twice(records), "requests", n=len(records), better="lower", data=data)
    print(
        f"  {figures['virtual_s'] / 3600:.1f} h of its clock, {figures['answers']} answers, {figures['states']}\n"
        f"  asked twice {asked_twice(records)}, lost {losses(job.workspace, count)}\n"
        f"  {windows(job.workspace, records)}\n"
        f"  then normalize: {after['wall_s']:.1f} s, peak {after['peak_mb']:.0f} MB",
        flush=True,
    )


def bench_naive(folder: Path, server: Server, count: int) -> None:
    """The loop with a sleep, and igtool over the same handles."""
    loop = Job(folder / "naive", server, count, epoch=time.time()).run("--naive")
    show_cost("naive loop", loop)
    own = Job(folder / "beside", server, count, epoch=time.time()).run()
    show_cost("igtool, the same handles", own)
    peers = [Peer("a loop with httpx2 and sleep, no ledger, no tables", installed("httpx2"), _cpu_ms(loop))]
    data = f"{count:,} invented profiles, pages of the scripted server, clock {FACTOR:g} times as fast"
    emit("fetch, processor", _cpu_ms(own), "ms/request", n=own["requests"], better="lower", data=data, peers=peers)


def _cpu_ms(figures: dict[str, Any]) -> float:
    spent: float = figures["fetch"]["cpu_s"] / figures["requests"] * 1000
    return spent


def bench_true(folder: Path, server: Server, asked: int, seconds: float) -> None:
    """Processor time at the true clock: of ``asked`` requests with all that lies between them, and of a rest."""
    job = Job(folder / "true", server, 4_000, factor=1.0, epoch=time.time())
    before = len(server.requests())
    process = job.start(f"--batch-size={asked}")
    marks = []
    for least in (1, asked):
        while len(server.requests()) < before + least:
            time.sleep(0.2)
        marks.append(_cpu_s(process.pid))
    time.sleep(_UNTIL_QUIET_S)
    marks.append(_cpu_s(process.pid))
    time.sleep(seconds)
    resting_ms = (_cpu_s(process.pid) - marks[-1]) / seconds * 1000
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    asking_ms = (marks[1] - marks[0]) / (asked - 1) * 1000
    print(
        f"true clock: {asking_ms:.1f} ms CPU a request while asking, {resting_ms:.2f} ms CPU a second of rest: "
        f"{asking_ms + REST_S * resting_ms:.1f} ms a request over a night; after SIGTERM it ended with "
        f"{process.returncode} in {time.monotonic() - began:.2f} s",
        flush=True,
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the named parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=["night", "pages", "naive", "true"])
    parser.add_argument("--handles", type=int, default=4_000)
    given = parser.parse_args()
    count = given.handles
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as server:
        folder = Path(name)
        parts: dict[str, Callable[[], None]] = {
            "night": lambda: bench_night(folder, server, count, 0),
            "pages": lambda: bench_night(folder, server, count, 2),
            "naive": lambda: bench_naive(folder, server, min(count, 1_000)),
            "true": lambda: bench_true(folder, server, 20, 60),
        }
        for part in given.only:
            parts[part]()


if __name__ == "__main__":
    main()
