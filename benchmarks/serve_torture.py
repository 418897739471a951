"""Kills of a real `igtool serve` under load: SIGKILL at random moments, then it is started again.

    python -m benchmarks.serve_torture [--kills 20] [--per-second 50]

Four clients send conversations at a pace, two thirds of them with an idempotency key: such a one is sent again until it
is answered, another one that got no answer is not. A language model (the scripted server) reads those of which the head
is unsure. After the last kill the server reads what is left and is stopped. Every conversation of which a client was
told 202 is then in the lake once and was analysed once, no key led to two, and no prompt was paid for twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.conversation_torture import BAD, held
from benchmarks.llm_torture import ROOT, process, told
from benchmarks.loading import ACCEPTED, Connection, request_bytes
from benchmarks.serve import IGTOOL
from igtool.conversations.reception import Reception
from igtool.conversations.worker import Worker
from igtool.lake import Lake
from igtool.settings import load

_SAID = ("Thank you, great job", "On hold for two hours and nobody answers", "When do you open", "It is what it is")
_PATH = "/api/v1/conversations"
_CLIENTS = 4
_UNTIL_S = 120.0


@dataclass
class Sent:
    """What clients were told: by conversation the ids that were given out for it, and answers by status (0: none)."""

    ids: dict[int, set[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)


def send(address: str, per_second: float, stop: threading.Event, into: Sent) -> list[threading.Thread]:
    """Threads that send until ``stop``, and then what has a key and no answer yet."""
    began = time.monotonic()
    host = address.removeprefix("http://")

    def client(own: int) -> None:
        connection = Connection(address)
        number = own
        while not stop.is_set():
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            key = {"Idempotency-Key": f"k{number}"} if number % 3 else {}
            request = request_bytes(host, (_PATH, {"text": f"{_SAID[number % 4]}, number {number}"}, key))
            until = time.monotonic() + _UNTIL_S
            while True:
                status, body = connection.answer(request)
                into.statuses[status] += 1
                if status == ACCEPTED:
                    into.ids.setdefault(number, set()).add(json.loads(body)["conversation_id"])
                if status == ACCEPTED or not key or time.monotonic() > until:
                    break
                time.sleep(0.05)
            number += _CLIENTS
        connection.close()

    threads = [threading.Thread(target=client, args=(own,)) for own in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def started(workspace: Path, port: int, log: Any) -> subprocess.Popen[bytes]:
    """A server that takes requests on ``port``, or soon will."""
    command = [*IGTOOL, "--workspace", str(workspace), "serve", "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd=ROOT)


def killed(workspace: Path, port: int, kills: int, chance: random.Random, log: Any) -> Counter[str]:
    """Start and kill servers; whether each was hit while it started or later. The last one is left to live."""
    moments: Counter[str] = Counter()
    for _ in range(kills):
        with started(workspace, port, log) as server:
            late = chance.random() < 0.8
            if late:
                _listening(port)
            time.sleep(chance.uniform(0.0, 4.0 if late else 1.0))
            server.send_signal(signal.SIGKILL)
            moments["under load" if late else "while starting"] += server.wait() == -signal.SIGKILL
    return moments


def _listening(port: int) -> None:
    until = time.monotonic() + _UNTIL_S
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("the server does not listen")


def campaign(kills: int, per_second: float, seed: int) -> dict[str, Any]:
    """Kill a server ``kills`` times under load; what it came to."""
    chance, sent, stop = random.Random(seed), Sent(), threading.Event()
    with (
        tempfile.TemporaryDirectory() as name,
        process("tests.llm_server", "--latency", "0.01", "--log", f"{name}/asked") as model,
    ):
        workspace, asked = Path(name) / "workspace", Path(name) / "asked"
        settings = {"provider": "openai", "chat_model": "gpt-4o-mini", "openai_base_url": f"{told(model)}/v1"}
        settings |= {"openai_api_key": "invented-key", "conversation_calls_per_second": "1000", "llm_concurrency": "8"}
        os.environ.update({f"IGTOOL_{key.upper()}": value for key, value in settings.items()})
        Lake(workspace / "data", writable=True).close()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with (Path(name) / "said").open("wb") as log:
            threads = send(f"http://127.0.0.1:{port}", per_second, stop, sent)
            try:
                moments = killed(workspace, port, kills, chance, log)
                with started(workspace, port, log) as server:
                    _listening(port)
                    time.sleep(1.0)
                    stop.set()
                    for thread in threads:
                        thread.join()
                    seconds = _read(workspace)
                    server.terminate()
            finally:
                stop.set()
        _moved(workspace)
        said = [line for line in (Path(name) / "said").read_text().splitlines() if "bug" in line or "Traceback" in line]
        given = {one for ids in sent.ids.values() for one in ids}
        return {
            "kills": moments.total(),
            "at": dict(moments),
            "seed": seed,
            "told_202": len(given),
            "answers": {str(status): count for status, count in sorted(sent.statuses.items())},
            **held(workspace, asked, given),
            "key_led_to_two": sum(len(ids) - 1 for ids in sent.ids.values()),
            "seconds_until_all_was_read": round(seconds, 1),
            "wrong": said,
        }


def _read(workspace: Path) -> float:
    """Seconds until the server has read everything."""
    began = time.monotonic()
    with Reception(load(workspace)) as reception:
        while (counts := reception.counts())["waiting"] + counts["unsure"] and time.monotonic() < began + _UNTIL_S:
            time.sleep(0.1)
    return time.monotonic() - began


def _moved(workspace: Path) -> None:
    """Take what is done to the lake, as the next session would."""
    with Reception(load(workspace)) as reception:
        worker = Worker(reception.settings, reception.shelf)
        while reception.counts()["done"] + reception.counts()["moving"]:
            worker.move(least=1)


def main() -> None:
    """Run a campaign and print what it came to as a line of JSON; exit 1 if anything was lost, done or paid twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--seed", type=int, default=20261122)
    given = parser.parse_args()
    found = campaign(given.kills, given.per_second, given.seed)
    print(json.dumps({"benchmark": "serve torture", **found}))
    sys.exit(any(found[name] for name in (*BAD, "key_led_to_two")))


if __name__ == "__main__":
    main()
