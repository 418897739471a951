"""The server as a process of its own: prints its address, and runs until its standard input ends."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from .server import LlmServer, Options


def _until_input_ends(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def main() -> None:
    """Read the options, serve, end on a signal or with the process that started it."""
    parser = argparse.ArgumentParser(prog="python -m tests.llm_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds until an answer is sent")
    parser.add_argument("--log", type=Path, help="file to which each request is appended as a line of JSON")
    parser.add_argument("--key", help="the only key that is taken")
    parser.add_argument("--lacks", nargs="*", default=[], help="what it does not understand, such as json_schema")
    parser.add_argument("--detached", action="store_true", help="do not end with the standard input")
    given = parser.parse_args()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    options = Options(given.latency, given.key, given.lacks, given.log, port=given.port)
    server = LlmServer(options)
    sys.stdout.write(server.origin + "\n")
    sys.stdout.flush()
    if not given.detached:
        threading.Thread(target=_until_input_ends, args=(ending,), daemon=True).start()
    ending.wait()
    server.close()
    if server.errors:
        raise SystemExit(f"the server failed: {server.errors[0]!r}")


if __name__ == "__main__":
    main()
