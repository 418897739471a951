"""Requests a second of `igtool serve` on loopback, with start-up time and memory. Prints JSON lines.

    python -m benchmarks.serve [--creators 100000] [--clients 4] [--seconds 8] [--folder DIR]

Two workspaces: the example (``examples/creators.csv``, enriched here) and invented creators of
`benchmarks.search_corpus`, made and indexed in ``--folder`` where they are not there. The server is a process of its
own with the default settings but for the limit by address. Clients are threads of another process, each with one
connection, that ask as soon as they are answered; they share the machine with the server. Texts of searches are five
words of sentences and a number, so that hardly one is asked twice. What is timed is what a client waits for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np

from benchmarks.search import queries, report
from benchmarks.search_corpus import fill, sentences
from igtool.lake import Lake
from igtool.search.build import renew_index

ROOT = Path(__file__).parents[1]
IGTOOL = [sys.executable, "-c", "from igtool.cli import main; main()"]
WARM_UP = 10
TEXTS = ("slow travel by train", "vegan recipes at home", "video game reviews", "strength training for runners")


@contextmanager
def served(workspace: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a server over ``workspace``; a line on how long it took to answer."""
    environment = {**os.environ, "IGTOOL_SERVE_REQUESTS_PER_SECOND": "100000"}
    began = time.perf_counter()
    command = [*IGTOOL, "--workspace", str(workspace), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        listening = time.perf_counter() - began
        while fetch(address, "/ready") != 200:
            time.sleep(0.02)
        report(case="start", listening_s=round(listening, 2), ready_s=round(time.perf_counter() - began, 2))
        try:
            yield address, process.pid
        finally:
            process.terminate()


def fetch(address: str, path: str) -> int:
    """The status of an answer, all of which is read."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def load(address: str, paths: Sequence[str], clients: int, seconds: float) -> None:
    """Ask for ``paths`` in turn, from ``clients`` connections, and print a line."""
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        at = number
        while time.perf_counter() < end:
            began = time.perf_counter()
            connection.request("GET", paths[at % len(paths)])
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - began)
            statuses[answer.status] += 1
            at += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p95 = np.percentile(np.asarray(taken) * 1000, [50, 95])
    report(
        case=paths[0].partition("?")[0],
        clients=clients,
        per_s=round(len(taken) / (time.perf_counter() - began), 1),
        p50_ms=round(p50, 1),
        p95_ms=round(p95, 1),
        n=len(taken),
        statuses=dict(statuses),
    )


def load_beside(address: str, paths: Sequence[str], clients: int, seconds: float) -> None:
    """The same from another process."""
    asked = json.dumps({"address": address, "paths": list(paths), "clients": clients, "seconds": seconds})
    subprocess.run([sys.executable, "-m", "benchmarks.serve", "--load"], input=asked.encode(), check=True)


def measure(name: str, workspace: Path, texts: Sequence[str], options: argparse.Namespace) -> None:
    """All lines about one workspace."""
    report(workspace=name)
    with served(workspace) as (address, process):
        searches = [f"/api/v1/search?query={quote(f'{text} {number}')}" for number in range(200) for text in texts]
        with Lake(workspace / "data", writable=False) as lake:
            found = [row["creator_id"] for row in lake.rows("select creator_id from creators order by 1 limit 50")]
        families = (
            ["/health"],
            ["/api/creators/list?limit=50"],
            ["/api/creators/list?limit=50&fields=handle,followers_count"],
            [f"/api/creators/{one}" for one in found],
            searches,
        )
        for paths in families:
            for path in paths[:WARM_UP]:
                fetch(address, path)
            for clients in (1, options.clients):
                load_beside(address, paths, clients, options.seconds)
        report(case="memory", **memory_of(process))


def memory_of(process: int) -> dict[str, int]:
    """Resident memory of a process: now, at most, and what is not a view of a file."""
    names = {"VmRSS": "resident_mb", "VmHWM": "peak_mb", "RssAnon": "own_mb"}
    lines = [line.split() for line in Path(f"/proc/{process}/status").read_text().splitlines()]
    return {names[line[0][:-1]]: int(line[1]) // 1024 for line in lines if line[0][:-1] in names}


def example(folder: Path) -> Path:
    """The example, enriched."""
    if not (folder / "data" / "lake.json").exists():
        command = [*IGTOOL, "--workspace", str(folder), "enrich", str(ROOT / "examples" / "creators.csv")]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode in (0, 8), done.stderr.decode()
    return folder


def main() -> None:
    """Make the workspaces, serve and measure them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--creators", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load(**json.load(sys.stdin))
        return
    report(machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version(), load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory() as place:
        base = options.folder or Path(place)
        base.mkdir(parents=True, exist_ok=True)
        measure("example", example(base / "example"), TEXTS, options)
        if not options.creators:
            return
        source = sentences(base)
        made = base / f"creators-{options.creators}"
        if not (made / "data" / "lake.json").exists():
            fill(made / "data", options.creators, source)
        if not (made / "data" / "index" / "current").exists():
            with Lake(made / "data", writable=False) as lake:
                renew_index(lake, made / "data" / "index", label="made")
        texts = [one.text for one in queries(source, 60)]
        measure(f"{options.creators} creators", made, texts, options)


if __name__ == "__main__":
    main()
