"""Conversations sent to a real `igtool serve`: at the pace that it takes, and at four times that of one client.

    python -m benchmarks.conversation_load [--seconds 120] [--data DIR]

Over the example (made in ``--data`` where it is not there), with the default settings. First 100 a second by two
clients (addresses) with 50 each, a tenth of them with an idempotency key, then 400 a second by one, of which 100 are to
be accepted and the others told to come later. Measured from when a request was due. In the end the server is stopped,
what is left is read, and every id that was given out has to have one insight. A JSON line and a table; exit 1 where
something was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.conversations import texts
from benchmarks.loading import Load, cpu_seconds, load_beside
from benchmarks.results import emit
from benchmarks.serve import Served, example, memory_of, served
from igtool.conversations.reception import Reception
from igtool.conversations.worker import Worker
from igtool.lake import Lake
from igtool.settings import load

_PATH = "/api/v1/conversations"
_CLIENTS = 16


def requests(count: int, seed: int) -> list[Any]:
    """Conversations to be sent, every tenth with a key."""
    keyed = [{"Idempotency-Key": f"load-{seed}-{number}"} if number % 10 == 0 else {} for number in range(count)]
    return [
        (_PATH, {"text": text, "author": "bench"}, key) for text, key in zip(texts(count, seed), keyed, strict=True)
    ]


def sent(server: Served, log: Path, per_second: float, seconds: float, sources: list[str], seed: int) -> dict[str, Any]:
    """What came of conversations at a pace, with what the server and the sender took of a core."""
    asked = requests(int(per_second * seconds), seed)
    before = cpu_seconds(server.process)
    found = load_beside(Load(server.address, asked, _CLIENTS, seconds, per_second, log=str(log), sources=sources))
    share = (cpu_seconds(server.process) - before) / seconds
    return {"pace": per_second, **found, "server_cpu_share": round(share, 2), "load": os.getloadavg()[0]}


def came_to(workspace: Path, log: Path) -> dict[str, int]:
    """What is in the stores once everything is read, held against the ids that were given out."""
    given = Counter(log.read_text().split())
    settings = load(workspace)
    with Reception(settings) as reception:
        waiting = reception.counts()["waiting"]
        worker = Worker(settings, reception.shelf)
        worker.finish_all()
        while worker.move(least=1):
            pass
    with Lake(workspace / "data", writable=False) as lake:
        insights = Counter(row["conversation_id"] for row in lake.rows("select conversation_id from insights"))
    return {
        "accepted": given.total(),
        "waited_at_the_end": waiting,
        "lost": sum(insights[one] == 0 for one in given),
        "twice": sum(count - 1 for count in [*insights.values(), *given.values()]),
        "unknown": len(set(insights) - set(given)),
    }


def tell(steady: dict[str, Any], found: dict[str, Any]) -> None:
    """The figures for a results file."""
    data = "a real server, 100 conversations a second by two clients"
    for name in ("p50", "p95", "p99"):
        emit(f"accept over HTTP, {name}", steady[f"{name}_ms"], "ms", n=steady["n"], better="lower", data=data)
    lost = found["lost"] + found["twice"]
    emit("conversations lost or twice", lost, "conversations", n=found["accepted"], better="lower", data=data)


def main() -> None:
    """Send, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--data", type=Path, help="folder in which the example is kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        base = options.data or Path(place)
        base.mkdir(parents=True, exist_ok=True)
        shutil.copytree(example(base / "example"), Path(place) / "workspace")
        workspace, log = Path(place) / "workspace", Path(place) / "accepted"
        with served(workspace) as server:
            steady = sent(server, log, 100, options.seconds, ["127.0.0.2", "127.0.0.3"], 1)
            pressed = sent(server, log, 400, options.seconds / 4, ["127.0.0.4"], 2)
            memory = memory_of(server.process)
        print(
            json.dumps({"steady": steady, "pressed": pressed}), file=sys.stderr, flush=True
        )  # the rest may take minutes
        found = {"steady": steady, "pressed": pressed, **came_to(workspace, log), "memory": memory}
    print(json.dumps({"benchmark": "conversation load", **found}))
    tell(steady, found)
    print(f"{'a second':>10}{'status':>8}{'n':>8}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'server':>8}{'sender':>8}")
    for one in (steady, pressed):
        for status, count in one["statuses"].items():
            times = one.get("by_status", {}).get(status, one)
            shares = f"{one['server_cpu_share']:8}{one['loader_cpu_share']:8}"
            print(
                f"{one['pace']:10}{status:>8}{count:8}", *(f"{times[f'p{name}_ms']:7}" for name in (50, 95, 99)), shares
            )
    print(f"lost {found['lost']}, twice {found['twice']}, unknown {found['unknown']}")
    sys.exit(bool(found["lost"] or found["twice"] or found["unknown"]))


if __name__ == "__main__":
    main()
