"""Requests a second of `igtool serve` on loopback, with start-up time and memory: a JSON line for each, then a table.

    python -m benchmarks.serve [--creators 100000 1000000] [--clients 4] [--seconds 10] [--data DIR]

Workspaces: the example (``examples/creators.csv``, enriched here) and invented creators of `benchmarks.search_corpus`.
They are made and indexed in ``--data`` where they are not there (100,000 take a minute and 2 GB, a million ten minutes
and 10 GB), without it in a folder of temporary files. The server is a process of its own with the default settings but
for the limit by address. What loads it is another process (`benchmarks.loading`), which shares the machine;
``loader_cpu_share`` says how much of a core it takes. What is timed is what a client waits for.

Searches are for the first five words of sentences, in two ways: ``no repeat``, where no text is asked twice, and
``zipf``, drawn from 2,000 texts of which the r-th comes 1/r times as often as the first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from benchmarks.loading import Connection, Load, cpu_seconds, load_beside, request_bytes
from benchmarks.results import emit
from benchmarks.search import report
from benchmarks.search_corpus import fill, sentences
from igtool.lake import Lake
from igtool.search.build import renew_index

ROOT = Path(__file__).parents[1]
IGTOOL = [sys.executable, "-c", "from igtool.cli import main; main()"]
WARM_UP = 20
REPEATED, DRAWN = 2_000, 5_000
"""Texts of the searches with repeats, and how many searches are drawn from them."""
_MOST_START_S = 120
_MOST_A_SECOND = 400
"""No text is asked twice in a run as long as not more than this are answered."""


@dataclass(frozen=True)
class Served:
    """A server: its address, its process, and seconds until it answered /health and /ready with 200."""

    address: str
    process: int
    health_s: float
    ready_s: float


@contextmanager
def served(workspace: Path, **environment: str) -> Iterator[Served]:
    """A server over ``workspace``, with settings as environment variables."""
    began = time.perf_counter()
    command = [*IGTOOL, "--workspace", str(workspace), "serve", "--port", "0"]
    given = {**os.environ, **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=given, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            health_s = _seconds_until(address, "/health", began)
            yield Served(address, process.pid, health_s, _seconds_until(address, "/ready", began))
        finally:
            process.terminate()


def _seconds_until(address: str, path: str, began: float) -> float:
    while fetch(address, path) != 200:
        if time.perf_counter() - began > _MOST_START_S:
            raise TimeoutError(f"{path} is not answered with 200 after {_MOST_START_S} s")
        time.sleep(0.01)
    return round(time.perf_counter() - began, 2)


def fetch(address: str, path: str) -> int:
    """The status of an answer, all of which is read."""
    connection = Connection(address)
    status, _ = connection.ask(request_bytes(urlsplit(address).netloc, path))
    connection.close()
    return status


def _cases(workspace: Path, texts: Sequence[str], seconds: float) -> Iterator[tuple[str, list[str]]]:
    """What is measured, and the paths of it."""
    with Lake(workspace / "data", writable=False) as lake:
        found = [row["creator_id"] for row in lake.rows("select creator_id from creators order by 1 limit 200")]
    yield "/health", ["/health"]
    yield "list of 50", ["/api/creators/list?limit=50"]
    yield "list of 50, two fields", ["/api/creators/list?limit=50&fields=handle,followers_count"]
    yield "creator", [f"/api/creators/{one}" for one in found]
    paths = [f"/api/v1/search?query={quote(text)}" for text in texts]
    shares = 1 / np.arange(1, REPEATED + 1)
    drawn = np.random.default_rng(31).choice(REPEATED, DRAWN, p=shares / shares.sum())
    yield "search, zipf", [paths[place % len(paths)] for place in drawn.tolist()]
    rest = paths[REPEATED:]
    half = int(seconds * _MOST_A_SECOND)
    yield "search, no repeat", rest[: 2 * half]


def measure(name: str, workspace: Path, texts: Sequence[str], options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All results of one workspace."""
    with served(workspace, IGTOOL_SERVE_REQUESTS_PER_SECOND="100000") as server:
        yield {"of": name, "case": "start", "health_s": server.health_s, "ready_s": server.ready_s}
        for case, paths in _cases(workspace, texts, options.seconds):
            if options.only and not case.startswith(options.only):
                continue
            for path in paths[-WARM_UP:]:
                fetch(server.address, path)
            for number, clients in enumerate((1, options.clients)):
                asked = paths[number::2] if case == "search, no repeat" else paths
                yield {"of": name, "case": case, "clients": clients} | _loaded(server, asked, clients, options.seconds)
        yield {"of": name, "case": "memory", **memory_of(server.process)}


def _loaded(server: Served, paths: Sequence[str], clients: int, seconds: float) -> dict[str, Any]:
    before = cpu_seconds(server.process)
    found = load_beside(Load(server.address, paths, clients, seconds))
    found["server_cpu_ms"] = round(1000 * (cpu_seconds(server.process) - before) / found["n"], 2)
    return found | {"load": os.getloadavg()[0]}


def memory_of(process: int) -> dict[str, int]:
    """Resident memory of a process: now, at most, and what is not a view of a file."""
    names = {"VmRSS": "resident_mb", "VmHWM": "peak_mb", "RssAnon": "own_mb"}
    lines = [line.split() for line in Path(f"/proc/{process}/status").read_text().splitlines()]
    return {names[line[0][:-1]]: int(line[1]) // 1024 for line in lines if line[0][:-1] in names}


def example(folder: Path) -> Path:
    """The example, enriched."""
    if not (folder / "data" / "lake.json").exists():
        command = [*IGTOOL, "--workspace", str(folder), "enrich", str(ROOT / "examples" / "creators.csv")]
        done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
        assert done.returncode in (0, 8), done.stderr.decode()
    Lake(folder / "data", writable=True).close()  # one that is kept may be of an older schema
    return folder


def invented(base: Path, count: int, source: Any) -> Path:
    """A workspace of ``count`` invented creators, indexed."""
    made = base / f"creators-{count}"
    if not (made / "data" / "lake.json").exists():
        fill(made / "data", count, source)
    with Lake(made / "data", writable=True), Lake(made / "data", writable=False) as lake:  # one of an older schema
        renew_index(lake, made / "data" / "index", label="made")
    return made


def asked_texts(sentences: Sequence[str], count: int) -> list[str]:
    """So many different texts: the first five words of sentences, with a number behind where they are too few."""
    order = np.random.default_rng(21).permutation(len(sentences)).tolist()
    words = [[word for word in sentences[place].split() if word.isalpha()][:5] for place in order]
    found = list(dict.fromkeys(" ".join(some) for some in words if len(some) >= 3))
    return [found[at % len(found)] + (f" {at // len(found)}" if at >= len(found) else "") for at in range(count)]


def tell(result: dict[str, Any]) -> None:
    """The figures for a results file."""
    data = f"{result['of']} creators; {result['case']}"
    packages = ("fastapi", "uvicorn")
    if "per_s" not in result:
        for name, unit in (("ready_s", "s"), ("health_s", "s"), ("peak_mb", "MB")):
            if name in result:
                emit(f"server, {name[:-2].strip('_')}", result[name], unit, n=1, better="lower", data=data)
        return
    data += f", {result['clients']} at once"
    more = {"n": result["n"], "data": data, "packages": packages}
    emit("server, requests", result["per_s"], "requests/s", better="higher", **more)
    emit("server, p95", result["p95_ms"], "ms", better="lower", **more)
    emit("server, processor", result["server_cpu_ms"], "ms/request", better="lower", **more)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Results as lines of text."""
    lines = [f"{'':16}{'case':26}{'clients':>8}{'a second':>10}{'p50 ms':>8}{'p95 ms':>8}{'server cpu ms':>15}"]
    for one in results:
        if "per_s" in one:
            numbers = f"{one['clients']:8}{one['per_s']:10}{one['p50_ms']:8}{one['p95_ms']:8}{one['server_cpu_ms']:15}"
        else:
            numbers = "  " + ", ".join(f"{key} {value}" for key, value in one.items() if key not in ("of", "case"))
        lines.append(f"{one['of']:16}{one['case']:26}{numbers}")
    return "\n".join(lines)


def main() -> None:
    """Make the workspaces, serve and measure them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--creators", type=int, nargs="*", default=[100_000])
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", help="cases whose name begins so, such as search")
    parser.add_argument("--no-example", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sentences", type=int, help="how many sentences the creators say; all of them, 30,402")
    options = parser.parse_args()
    report(machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version(), load=os.getloadavg()[0])
    results = []
    with tempfile.TemporaryDirectory() as place:
        base = options.data or Path(place)
        base.mkdir(parents=True, exist_ok=True)
        source = sentences(base, options.sentences)
        texts = asked_texts(source.texts, REPEATED + int(2 * options.seconds * _MOST_A_SECOND))
        workspaces = [] if options.no_example else [("example", example(base / "example"))]
        workspaces += [(f"{count:,}", invented(base, count, source)) for count in options.creators]
        for name, workspace in workspaces:
            for result in measure(name, workspace, texts, options):
                print(json.dumps(result), file=sys.stderr, flush=True)
                results.append(result)
                tell(result)
    print(json.dumps({"benchmark": "serve", "results": results}))
    print(table(results))


if __name__ == "__main__":
    main()
