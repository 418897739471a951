"""What asking a language model takes of this machine, against the scripted server: one line of JSON for each figure.

``rate``: creators a second and the share of the cores, with an answer after 50 ms and 64 calls at a time. ``again``: a
re-run with nothing pending, and one by force that takes every answer from the store. Every run is the command in a
process of its own. What kills cost is measured by `benchmarks.torture`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.servers import process
from benchmarks.results import emit
from igtool import registry
from igtool.lake import Lake
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import load
from tests.llm_people import Cheap, creators, store

IGTOOL = (sys.executable, "-c", "from igtool.cli import main; main()")
CORES = len(os.sched_getaffinity(0))
LATENCY_S = 0.05
CONCURRENCY = 64


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall clock and of all cores, peak resident megabytes."""

    wall_s: float
    cpu_s: float
    megabytes: float

    def shown(self) -> dict[str, float]:
        """For a line of JSON."""
        return {"wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2), "megabytes": round(self.megabytes)}


def igtool(workspace: Path, *arguments: str) -> Run:
    """Run a command to its end."""
    began = time.monotonic()
    command = [*IGTOOL, "--workspace", str(workspace), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:
        assert started.stderr is not None
        errors = started.stderr.read()
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode not in {0, 8}:
        raise SystemExit(f"igtool {' '.join(arguments)} ended with {started.returncode}: {errors.decode()}")
    return Run(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def prepare(workspace: Path, count: int) -> None:
    """A workspace in which every stage is done that needs no model, with vectors that cost nothing."""
    cheap = Cheap()
    usual, registry.encoder = registry.encoder, lambda *_: cheap  # type: ignore[assignment]
    try:
        with open_session(load(workspace), "prepare", lambda: False) as session:
            store(session.lake, creators(count))
            run_stages(session)
    finally:
        registry.encoder = usual


def show(benchmark: str, **figures: Any) -> None:
    """One line."""
    print(json.dumps({"benchmark": f"asking {benchmark}", **figures}), flush=True)


def bench_rate(workspace: Path, log: Path, count: int) -> None:
    """Everybody is asked about, once; the rate is that between the first and the last request."""
    run = igtool(workspace, "run", "describe")
    times = [record["at"] for record in map(json.loads, log.read_text().splitlines())]
    seconds = max(times) - min(times)
    with Lake(workspace / "data", writable=False) as lake:
        described = lake.value("select count(*) from descriptions")
    data = f"{count:,} invented creators, a server on loopback that answers after {LATENCY_S * 1000:g} ms"
    emit("describe, rate", count / seconds, "creators/s", n=count, better="higher", data=data)
    emit("describe, processor", 1_000 * run.cpu_s / count, "ms/creator", n=count, better="lower", data=data)
    show(
        "rate",
        creators=count,
        described=described,
        requests=len(times),
        creators_per_s=round(count / seconds, 1),
        cpu_ms_per_creator=round(1_000 * run.cpu_s / count, 2),
        cpu_share_at_200_per_s=round(200 * run.cpu_s / count / CORES, 3),
        cores=CORES,
        latency_s=LATENCY_S,
        concurrency=CONCURRENCY,
        **run.shown(),
    )


def bench_again(workspace: Path, log: Path, count: int) -> None:
    """The same again: with nothing pending, and by force."""
    before = len(log.read_text().splitlines())
    igtool(workspace, "run")  # what the answers changed: profiles, vectors of style, the index
    for name, arguments in (("nothing pending", ("run",)), ("by force", ("run", "describe", "--force"))):
        run = igtool(workspace, *arguments)
        asked = len(log.read_text().splitlines()) - before
        show("again", what=name, creators=count, requests=asked, **run.shown())


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creators", type=int, default=10_000)
    parser.add_argument("--only", choices=["rate"], help="only this part")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        _measure(Path(name), given.creators, again=given.only is None)


def _measure(folder: Path, count: int, *, again: bool) -> None:
    workspace, log = folder / "workspace", folder / "log"
    prepare(workspace, count)
    with process("tests.llm_people", "--latency", str(LATENCY_S), "--log", str(log)) as address:
        settings = {
            "provider": "openai",
            "chat_model": "gpt-4o-mini",
            "openai_base_url": f"{address}/v1",
            "openai_api_key": "invented-key",
            "llm_concurrency": CONCURRENCY,
        }
        (workspace / "igtool.toml").write_text(
            "\n".join(f"{name} = {json.dumps(one)}" for name, one in settings.items())
        )
        bench_rate(workspace, log, count)
        if again:
            bench_again(workspace, log, count)
    shutil.rmtree(workspace)


if __name__ == "__main__":
    main()
