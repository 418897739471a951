"""How long accepting a conversation takes, on disk and alone or with others, and how many a second a worker reads."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import emit
from igtool.conversations.reception import Reception
from igtool.conversations.worker import Worker
from igtool.settings import load

_WORDS = (
    "my order never came and nobody answers thank you so much that was quick the app crashed again on my phone why is "
    "the flight late I love this store when do you open on Sunday refund please it is what it is worst service ever"
)


def texts(count: int, seed: int = 1) -> list[str]:
    """Invented messages of 8 to 30 words, all different."""
    chance, words = random.Random(seed), _WORDS.split()
    return [" ".join(chance.choices(words, k=chance.randint(8, 30))) + f" {number}" for number in range(count)]


def accepting(reception: Reception, given: list[str], clients: int, per_second: float | None) -> dict[str, Any]:
    """Latencies of ``accept`` from so many threads, at a pace or as fast as it goes."""
    times: list[float] = []
    began = time.perf_counter()

    def client(own: int) -> None:
        for place in range(own, len(given), clients):
            if per_second is not None:
                time.sleep(max(0.0, began + place / per_second - time.perf_counter()))
            start = time.perf_counter()
            reception.accept({"text": given[place], "author": "bench"})
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(own,)) for own in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    pace = "as fast as it goes" if per_second is None else f"{per_second:g} a second"
    data = f"{clients} clients, {pace}"
    if per_second is None:
        emit("conversations accepted", len(times) / seconds, "a second", n=len(times), better="higher", data=data)
    emit("accept, p95", float(np.percentile(times, 95)) * 1e3, "ms", n=len(times), better="lower", data=data)
    p50, p95, p99 = (round(float(value) * 1e3, 2) for value in np.percentile(times, [50, 95, 99]))
    return {
        "n": len(times),
        "clients": clients,
        "pace": per_second,
        "per_second": round(len(times) / seconds, 1),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
    }


def main() -> None:
    """Measure and print a line of JSON for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--folder", type=Path, help="where the journal is made [the folder of temporary files]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name, Reception(load(Path(name))) as reception:
        made = texts(6 * given.count)
        reception.accept({"text": "first"})
        cases: list[tuple[int, float | None]] = [(1, None), (8, None), (4, 100.0)]
        for place, (clients, pace) in enumerate(cases):
            part = made[place * given.count : (place + 1) * given.count]
            print(json.dumps({"benchmark": "accept", **accepting(reception, part, clients, pace)}), flush=True)
        worker = Worker(reception.settings, reception.shelf)
        began, count = time.perf_counter(), reception.counts()["waiting"]
        worker.finish_all()
        seconds = time.perf_counter() - began
        data = "without a language model"
        emit("conversations read", count / seconds, "a second", n=count, better="higher", data=data)
        print(json.dumps({"benchmark": "read", "n": count, "per_second": round(count / seconds, 1)}), flush=True)
        began = time.perf_counter()
        worker.move(least=1)
        print(json.dumps({"benchmark": "move", "n": count, "per_second": round(count / (time.perf_counter() - began))}))
        worker.start()
        reception.arrived = worker.wake
        found = accepting(reception, made[3 * given.count : 4 * given.count], 4, 100.0)
        worker.stop()
        print(json.dumps({"benchmark": "accept while a worker reads", **found, "left": reception.counts()["waiting"]}))


if __name__ == "__main__":
    main()
