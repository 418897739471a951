"""What a child process does: the command line, or a part of it that has no command of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

_SAID = ("Thank you, great job", "On hold for two hours and nobody answers", "When do you open", "It is what it is")
_SENT_AT = "2024-06-01T12:00:00Z"
_UNTIL_S = 20.0
YEAR_S = 365 * 86_400
"""By so much the campaign sets clocks."""


def igtool(workspace: str, arguments: list[str]) -> int:
    """A command as a user gives it; its exit code."""
    from igtool.cli import main

    main(["--workspace", workspace, *arguments], prog_name="igtool")
    return 0


def prepare(scene: str, workspace: str, world: dict[str, str]) -> int:
    """Make the workspace of a scene."""
    from benchmarks.faults.scenes import SCENES

    Path(workspace).mkdir(parents=True)
    SCENES[scene].prepare(Path(workspace), world)
    return 0


def state(scene: str, workspace: str, into: str) -> int:
    """Write what the workspace of a scene holds to the file ``into``, as `benchmarks.faults.tables.State`."""
    from benchmarks.faults.scenes import SCENES

    Path(into).write_text(json.dumps(SCENES[scene].state(Path(workspace))))
    return 0


def stored(workspace: str, into: str) -> int:
    """Write the names of the prompts whose answers are kept, as the log of the scripted server calls them."""
    from igtool.journal import Journal
    from igtool.journal.models import ModelLedger
    from igtool.lake import Lake
    from tests.llm_server.asks import prompt_id

    with Journal(Path(workspace) / "cache", writable=False) as journal:
        rows = ModelLedger(journal).oldest_answers(1_000_000)
    if (Path(workspace) / "data" / "lake.json").exists():
        with Lake(Path(workspace) / "data", writable=False) as lake:
            rows += lake.rows("select prompt from llm_answers")
    asked = ["\n".join(m["content"] for m in json.loads(row["prompt"]) if m["role"] != "system") for row in rows]
    Path(into).write_text(json.dumps([prompt_id(text) for text in asked]))
    return 0


def fetch(workspace: str, url: str, handles: int, epoch: float) -> int:
    """A night of so many handles with a page of posts each, at a fast clock; the exit code of `igtool fetch`.

    Where somebody set the clock by a year that is a year for the fast clock too, and not a thousand; what is a year
    old is not asked for again, as it else would be.
    """
    from benchmarks.overnight import Night
    from benchmarks.overnight import fetch as fetched
    from igtool.errors import IgtoolError

    began = epoch + round((time.time() - epoch) / YEAR_S) * YEAR_S
    try:
        fetched(Night(Path(workspace), url, handles, 1, 1_000.0, began, None, only_new=True))
    except (IgtoolError, OSError) as error:
        return _named(error)
    return 0


def _named(error: Exception) -> int:
    """The exit code of the command line for an error. Raises those that it does not name."""
    from igtool.errors import IgtoolError
    from igtool.files import is_of_the_machine, storage_error

    if isinstance(error, OSError) and is_of_the_machine(error):
        error = storage_error(error, "a file")
    if not isinstance(error, IgtoolError):
        raise error
    print(error)
    return error.exit_code


def conversations(workspace: str, count: int) -> int:
    """Accept ``count`` conversations under their keys, read them, and take them to the lake, again and again."""
    from igtool.conversations.reception import Reception
    from igtool.conversations.worker import Worker
    from igtool.errors import IgtoolError
    from igtool.settings import load

    stopped = threading.Event()
    log = os.open(Path(workspace) / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        settings = load(Path(workspace))
        with Reception(settings) as reception:
            worker = Worker(settings, reception.shelf)
            reception.arrived = worker.wake
            worker.start()
            for number in range(count):
                given = {"text": f"{_SAID[number % 4]}, number {number}", "timestamp": _SENT_AT}
                taken = reception.accept(given, key=f"k{number}")
                os.write(log, f"{taken['conversation_id']}\n".encode())
                if number % 8 == 7:
                    worker.move(least=1)
            until = time.monotonic() + _UNTIL_S
            while _is_left(reception.counts(), ("waiting", "unsure")) and time.monotonic() < until:
                if stopped.wait(0.01):
                    break
            worker.stop()
            worker.move(least=1)
            is_left = _is_left(reception.counts(), ("waiting", "unsure", "done", "moving"))
    except (IgtoolError, OSError) as error:
        return _named(error)
    if stopped.is_set():
        return 128 + signal.SIGTERM
    return 7 if is_left else 0


def _is_left(counts: dict[str, Any], states: tuple[str, ...]) -> bool:
    return any(counts.get(name) for name in states)  # empty before the first one


def serve(workspace: str, count: int) -> int:
    """A real server, and a client in it that sends ``count`` conversations under their keys and asks for pages.

    Once all are read it is stopped as a user does, and what is left is taken to the lake.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    threading.Thread(target=_client_that_stops, args=(Path(workspace), port, count), daemon=True).start()
    from igtool.cli import main

    try:
        main(["--workspace", workspace, "serve", "--port", str(port)], prog_name="igtool")
    except SystemExit as error:
        if error.code not in {0, None, 130, 143}:
            raise
    return conversations(workspace, 0)


def _client_that_stops(workspace: Path, port: int, count: int) -> None:
    """Be a client, and stop the server at the end, which also comes where this process cannot use a file."""
    from igtool.errors import IgtoolError

    try:
        _client(workspace, port, count)
    except (IgtoolError, OSError) as error:
        with suppress(OSError):
            print(f"the client ended: {error}", flush=True)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _client(workspace: Path, port: int, count: int) -> None:
    """Send, until each is accepted, and wait until all are read."""
    from benchmarks.loading import ACCEPTED, Connection, request_bytes
    from igtool.conversations.reception import Reception
    from igtool.settings import load

    host = f"127.0.0.1:{port}"
    log = os.open(workspace / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    until = time.monotonic() + _UNTIL_S
    with ExitStack() as stack:
        connection = Connection(f"http://{host}")
        stack.callback(connection.close)
        for number in range(count):
            said = {"text": f"{_SAID[number % 4]}, number {number}", "timestamp": _SENT_AT}
            request = request_bytes(host, ("/api/v1/conversations", said, {"Idempotency-Key": f"k{number}"}))
            while time.monotonic() < until:
                status, body = connection.answer(request)
                if status == ACCEPTED:
                    os.write(log, f"{json.loads(body)['conversation_id']}\n".encode())
                    break
                time.sleep(0.05)
            if number % 8 == 0:
                connection.answer(request_bytes(host, "/api/v1/insights/trends"))
        reception = stack.enter_context(Reception(load(workspace)))
        while _is_left(reception.counts(), ("waiting", "unsure")) and time.monotonic() < until:
            time.sleep(0.02)
