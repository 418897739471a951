"""The platform server as a process of its own: prints its address, and runs until its standard input ends."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from .server import Options, PlatformServer


def _limit(text: str) -> tuple[int, float]:
    requests, _, seconds = text.partition("/")
    return int(requests), float(seconds)


def _until_input_ends(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def main() -> None:
    """Read the options, serve, end on a signal or with the process that started it."""
    parser = argparse.ArgumentParser(prog="python -m tests.platform_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for a free one")
    parser.add_argument("--log", type=Path, help="file to which each request is appended as a line of JSON")
    parser.add_argument("--limit", type=_limit, metavar="N/SECONDS", help="answer 429 above this, per key")
    parser.add_argument("--scale", type=float, default=1.0, help="seconds of the client's clock in a real second")
    parser.add_argument("--quota", type=int, help="units of quota per YouTube key")
    parser.add_argument("--realdata", type=Path, help="folder of saved payloads to serve too")
    parser.add_argument(
        "--script", action="append", default=[], help="behaviour to play once, for the first that suits"
    )
    parser.add_argument("--detached", action="store_true", help="do not end with the standard input")
    given = parser.parse_args()
    options = Options(given.limit, given.scale, given.quota, given.log, given.realdata, given.port)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server = PlatformServer(options)
    for behaviour in given.script:
        server.script([behaviour])
    sys.stdout.write(server.origins.home + "\n")
    sys.stdout.flush()
    if not given.detached:
        threading.Thread(target=_until_input_ends, args=(ending,), daemon=True).start()
    ending.wait()
    server.close()
    if server.errors:
        raise SystemExit(f"the server failed: {server.errors[0]!r}")


if __name__ == "__main__":
    main()
