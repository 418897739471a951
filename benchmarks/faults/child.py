"""The process that is broken: one program of igtool, watched, slowed or starved as its job says.

``python -m benchmarks.faults.child --forks`` reads jobs from its standard input, a line of JSON each, and forks a
process for each: what is loaded once costs nothing again, so that a kill takes a tenth of a second and not two.
``python -m benchmarks.faults.child JOB`` runs one job in this process, for faults that have to be there from its start.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import re
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.faults.steps import Watch, watch

LOADED = (
    *("openai", "duckdb", "pyarrow.parquet", "tantivy", "uvicorn", "fastapi", "jinja2", "httpx2", "splink", "pandas"),
    *("igtool.pipeline", "igtool.session", "igtool.enrich", "igtool.commands.enrich", "igtool.stages.insights"),
    *("igtool.search.build", "igtool.search.query", "igtool.report", "igtool.export", "igtool.portrait"),
    *("igtool.erase", "igtool.backups.making", "igtool.backups.restoring", "igtool.integrity.checking"),
    *("igtool.integrity.repair", "igtool.disposal", "igtool.serve.app", "igtool.serve.running", "igtool.importing"),
    *("igtool.conversations.worker", "igtool.conversations.reception", "igtool.llms.openai", "igtool.fetching.run"),
    *("benchmarks.faults.programs", "benchmarks.faults.tables", "benchmarks.faults.scenes", "benchmarks.overnight"),
)
"""What takes long to load."""
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class Job:
    """One process: a ``program`` of `benchmarks.faults.programs` with what it is ``given``.

    ``said``: file for all that it prints; ``environment``: variables besides the usual; ``watch``: what to do at its
    durable steps; ``failing``: failure points of libfiu with their probabilities.
    """

    program: str
    given: dict[str, Any]
    said: str
    environment: dict[str, str] = field(default_factory=dict)
    watch: dict[str, Any] | None = None
    failing: dict[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def run(job: Job) -> None:
    """Do the job and end this process with its exit code, which is 1 for an error that igtool does not name."""
    said = os.open(job.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(said, number)
    os.environ.update(job.environment)
    code = 1
    try:
        from benchmarks.faults import programs

        if job.watch is not None:
            watch(Watch(**{**job.watch, "log": Path(job.watch["log"])}))
        if job.failing:
            _fail(job.failing)
        code = getattr(programs, job.program)(**job.given) or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - what the campaign is for
        traceback.print_exc()
    finally:
        with suppress(OSError):  # the file that takes it may be what fails
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _name_all_points(preloaded: str) -> None:
    """Let libfiu know each of its failure points, none of which fails yet; for a process with one thread.

    It looks up a point that it does not know under a lock, for which it waits for the dynamic linker: two threads, one
    of which loads a library, would wait for each other for ever.
    """
    found = (re.findall(rb"(?:posix|libc|linux)/[a-z0-9_/]+", Path(one).read_bytes()) for one in preloaded.split(":"))
    _fail({name.decode(): 0.0 for name in chain.from_iterable(found)})


def _fail(points: dict[str, float]) -> None:
    """Let system calls fail at random: libfiu was preloaded by who started this process."""
    library = ctypes.CDLL("libfiu.so.0")
    library.fiu_enable_random.argtypes = [
        *(ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_float)
    ]
    for name, probability in points.items():
        wanted = name.partition("=")
        number = int(wanted[2] or "5")
        library.fiu_enable_random(wanted[0].encode(), 1, ctypes.c_void_p(number), 0, probability)


# --- the process that forks ----------------------------------------------------------------------------------------


def load() -> None:
    """Load what all programs need, and replace the encoder by one that costs nothing.

    Nothing here may start a thread: a child would wait for ever for what a thread held.
    """
    import duckdb

    from igtool import registry
    from igtool.asking import asker
    from igtool.asking.batches import Batches
    from igtool.language import identify
    from igtool.llms.prices import from_table
    from igtool.portrait import spaces_of
    from igtool.stages.insights import _analyzer
    from tests.llm_people import Cheap

    for name in LOADED:
        importlib.import_module(name)
    asker.Batches = partial(Batches, poll_s=0.02)
    cheap = Cheap()
    registry.encoder = lambda *_: cheap
    spaces_of(cheap)
    _analyzer(cheap)
    from_table("openai", "gpt-4o-mini")
    identify("whatever is loaded here is not loaded by each child")
    connect = duckdb.connect
    trusting = {"allow_unsigned_extensions": "true", "threads": "1"}  # else 100 MB are hashed for each connection
    duckdb.connect = lambda *given, config=None, **more: connect(*given, config=trusting | (config or {}), **more)


def serve_forks() -> None:
    """A process for each job of a line, all at once; each line is answered with how they ended."""
    load()
    threads = len(list(Path("/proc/self/task").iterdir()))
    print(json.dumps({"threads": threads}), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        children = []
        for job, end in zip(wanted["jobs"], wanted["ends"], strict=True):
            child = os.fork()
            if child == 0:
                os.setpgid(0, 0)
                run(Job(**job))
            children.append((child, end))
        print(json.dumps(awaited(children)), flush=True)


def awaited(children: list[tuple[int, dict[str, Any] | None]]) -> dict[str, Any]:
    """How children ended, and after how many seconds; ``end`` says when to send one which signal.

    A status is the exit code, negative for a signal; a child that does not end is ended and told apart in ``hung``.
    """
    began = time.monotonic()
    ended: dict[int, tuple[int, float]] = {}
    sent: set[int] = set()
    hung: list[int] = []
    while len(ended) < len(children):
        for place, (child, end) in enumerate(children):
            if place in ended:
                continue
            done, status = os.waitpid(child, os.WNOHANG)
            took = time.monotonic() - began
            if done:
                ended[place] = (os.waitstatus_to_exitcode(status), took)
                _end_group(child)
            elif end is not None and took >= end["after_s"] and place not in sent:
                sent.add(place)
                os.kill(child, end["signal"])
            elif took >= _PATIENCE_S and place not in hung:
                hung.append(place)
                os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    order = [ended[place] for place in range(len(children))]
    return {"statuses": [one for one, _ in order], "seconds": [took for _, took in order], "hung": hung}


def _end_group(child: int) -> None:
    """End what a child that died left running: nothing that it started may go on with its work."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Serve forks, or run one job."""
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    preloaded = os.environ.get("LD_PRELOAD", "")
    if "fiu" in preloaded:
        _name_all_points(preloaded)
    if "faketime" in preloaded:  # it refuses sleeps until a moment, which Python's are
        time.sleep = lambda seconds: select.select([], [], [], seconds)  # type: ignore[assignment]
    if sys.argv[1] == "--forks":
        serve_forks()
        return
    load()
    run(Job(**json.loads(sys.argv[1])))


if __name__ == "__main__":
    main()
