"""Queries of strangers over the lake: each in a process of its own that sees little and ends in time.

What a query may ask is in `igtool.lake_sandbox`, which is what the process runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import igtool
from igtool import errors
from igtool.errors import IgtoolError, StorageError, UsageError
from igtool.settings import Settings

MEMORY_MB = 512
MOST_ROWS = 10_000
USUAL_ROWS = 1_000
MOST_BYTES = 4_000_000
"""Of the rows of one answer as JSON; what is beyond is left out, and the answer says so."""
_AT_ONCE = 2
_AROUND = 100_000
_GRACE_S = 1.0
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from igtool.lake_sandbox import main; main()"
_places = threading.BoundedSemaphore(_AT_ONCE)


class QueryTooSlow(UsageError):  # noqa: N818 - named for what a client meets
    """The query took longer than it may, or those before it did."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query; ``is_truncated`` says that there are more than were asked for, or than fit."""

    columns: list[str]
    rows: list[list[Any]]
    returned_count: int
    is_truncated: bool
    seconds: float


def ask(settings: Settings, query: str, limit: int = USUAL_ROWS, most_bytes: int = MOST_BYTES) -> Answer:
    """The first ``limit`` rows of one SELECT over what is public of creators (`igtool.lake_sandbox.SEEN`).

    Of these as many as are ``most_bytes`` of JSON.

    Raises UsageError for a query that may not or cannot run, QueryTooSlow, and what opening the lake raises.
    """
    began = time.perf_counter()
    if not 1 <= limit <= MOST_ROWS:
        raise UsageError(f"limit must be from 1 to {MOST_ROWS:,}")
    if not _places.acquire(timeout=settings.sql_timeout_s):
        raise QueryTooSlow(f"{_AT_ONCE} other queries take their time: ask again in a few seconds")
    try:
        said = _said(settings, query, limit, min(most_bytes, MOST_BYTES))
    finally:
        _places.release()
    if "refused" in said:
        raise UsageError(said["refused"])
    if "error" in said:
        name, text = said["error"]
        kind = getattr(errors, name, IgtoolError)
        raise kind(text)
    return Answer(**said["answer"], seconds=round(time.perf_counter() - began, 3))


def _said(settings: Settings, query: str, limit: int, most_bytes: int) -> dict[str, Any]:
    """What the process says."""
    settings.lake.check_usual("SQL for others", "ask with `igtool sql` instead")
    asked = {
        "folder": str(settings.data.resolve()),
        "query": query,
        "limit": limit,
        "most_bytes": most_bytes,
        "memory_mb": MEMORY_MB,
        "timeout_s": settings.sql_timeout_s,
    }
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as log:
        given.write(json.dumps(asked).encode("utf-8", "replace"))
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-I", "-c", _PROGRAM, str(Path(igtool.__file__).parents[1])],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(),
            start_new_session=True,
        )
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        late = threading.Timer(settings.sql_timeout_s, process.kill)
        late.start()
        try:
            text = process.stdout.read(MOST_BYTES * 6 + _AROUND)  # a letter may take six bytes
        finally:
            is_late = not late.is_alive()
            late.cancel()
            process.stdout.close()
            status = _ended(process)
    return _document(text, is_late=is_late, status=status, timeout_s=settings.sql_timeout_s)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The status of a process that has said what it had to say, or is made to end."""
    try:
        return process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _document(text: bytes, *, is_late: bool, status: int, timeout_s: float) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(text)
    except ValueError:
        if is_late or status == -24:  # SIGXCPU
            raise QueryTooSlow(f"the query took longer than {timeout_s:g} s: ask for less") from None
        if status < 0:
            raise UsageError(f"the query needs more than {MEMORY_MB} MB of memory: ask for less") from None
        raise StorageError("the query ended without an answer: ask again, or for something else") from None
    return said


def _environment() -> dict[str, str]:
    """Nothing of ours but where the user lives: DuckDB looks for its extensions there."""
    return {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
