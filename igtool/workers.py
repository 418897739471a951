"""Other processes that run a streamed stage over pieces of its input: Python reads JSON on one core at a time.

A worker is this module run as a program. It is told where a piece lies (an Arrow file), leaves what the stage made
of it beside it, and says so. Workers hold nothing: when one dies its pieces are done here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NoReturn

import pyarrow as pa

from igtool.arrow import arrow_table
from igtool.schema import written
from igtool.stages.base import BatchStage, Context, Output, Reject

_WAITING = 8
"""Pieces given to each worker ahead of time, so that it has work while a commit keeps this process busy."""

_PIPE_BYTES = 1 << 20
"""Room for the answers on all waiting pieces, some 40 KB each: a worker waits while its pipe is full."""

HEAD = ["item_id", "fingerprint", "known"]
"""The columns of a streamed stage that the runner needs to book what was done."""


@dataclass
class _Sent:
    """A piece on its way to ``worker``: its columns but the bodies, and where it lies."""

    head: pa.Table
    path: Path
    worker: _Worker


class _Worker:
    """One process; requests are answered in order."""

    def __init__(self, stage: BatchStage) -> None:
        command = [sys.executable, "-P", "-m", "igtool.workers"]  # -P: no module from the folder one happens to be in
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, pipesize=_PIPE_BYTES)  # noqa: S603 - ourselves
        self.is_alive = True
        self.send((type(stage).__module__, type(stage).__qualname__, stage.options))

    def send(self, message: object) -> None:
        """Tell it something; a process that died is noticed."""
        try:
            pickle.dump(message, self._stdin)
            self._stdin.flush()
        except OSError:
            self.is_alive = False

    def receive(self) -> Any:
        """Its next answer, or None when it died."""
        if not self.is_alive:
            return None
        try:
            return pickle.load(self.process.stdout) if self.process.stdout else None  # noqa: S301 - our own process
        except (OSError, EOFError, pickle.UnpicklingError):
            self.is_alive = False
            return None

    @property
    def _stdin(self) -> IO[bytes]:
        if self.process.stdin is None:
            raise BrokenPipeError
        return self.process.stdin

    def close(self) -> None:
        """End it: it stops at the end of its input."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.terminate()
        self.process.wait()


class Workers:
    """``count`` processes that run ``stage``; use it as a context manager. ``folder`` is theirs alone."""

    def __init__(self, stage: BatchStage, folder: Path, count: int) -> None:
        self._stage = stage
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # what a run that was killed left there
        folder.mkdir(mode=0o700, parents=True)
        self._workers = [_Worker(stage) for _ in range(count)]
        self._number = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def map(self, pieces: Iterable[pa.Table], context: Context) -> Iterator[tuple[pa.Table, Output]]:
        """``HEAD`` of each piece with what the stage made of it, in order."""
        waiting: deque[_Sent] = deque()
        for piece in pieces:
            waiting.append(self._send(piece))
            if len(waiting) > _WAITING * len(self._workers):
                yield self._result(waiting.popleft(), context)
        while waiting:
            yield self._result(waiting.popleft(), context)

    def _send(self, piece: pa.Table) -> _Sent:
        worker = self._workers[self._number % len(self._workers)]
        path = self._folder / f"{self._number}.arrow"
        self._number += 1
        _write(path, piece)
        worker.send(str(path))
        return _Sent(head_of(piece), path, worker)

    def _result(self, sent: _Sent, context: Context) -> tuple[pa.Table, Output]:
        answer = sent.worker.receive()
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            output = process(self._stage, _read(sent.path), context)
        else:
            output = answer
            output.tables = {name: _read(_beside(sent.path, name)) for name in output.tables}
            for name in output.tables:
                _beside(sent.path, name).unlink()
        sent.path.unlink()
        return sent.head, output


def head_of(piece: pa.Table) -> pa.Table:
    """A copy of ``HEAD``: columns from DuckDB share one memory, and a view of one of them would keep the bodies."""
    return piece.select(HEAD).take(pa.array(range(piece.num_rows)))


def process(stage: BatchStage, rows: pa.Table, context: Context) -> Output:
    """The stage's output; a batch that fails is tried item by item, so that one bad item costs only itself."""
    from igtool.errors import IgtoolError

    try:
        return stage.process(rows, context)
    except (IgtoolError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - the boundary of an item: it becomes a reject
        if rows.num_rows == 1:
            item = rows.column("item_id")[0].as_py()
            return Output(rejects=[Reject(item, "stage-error", f"{type(error).__name__}: {error}"[:500])])
    output = Output()
    for number in range(rows.num_rows):
        output.add(process(stage, rows.slice(number, 1), context))
    return output


def _beside(path: Path, table: str) -> Path:
    return path.with_name(f"{path.stem}-{table}.arrow")


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _read(path: Path) -> pa.Table:
    """The table in a file, as it lies there: nothing is copied, and the file may be unlinked."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _no_encoder() -> NoReturn:
    raise RuntimeError("a streamed stage has no encoder")


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Work until there are no more requests."""
    module, name, options = pickle.load(requests)  # noqa: S301 - from the process that started this one
    stage = getattr(importlib.import_module(module), name)(options)
    context = Context(encoder=_no_encoder, clock=lambda: datetime.now(UTC))
    while True:
        try:
            path = Path(pickle.load(requests))  # noqa: S301 - as above
        except EOFError:
            return
        pickle.dump(_answer(stage, path, context), answers)
        answers.flush()


def _answer(stage: BatchStage, path: Path, context: Context) -> Output | Exception:
    try:
        output = process(stage, _read(path), context)
        for table, rows in output.tables.items():
            _write(_beside(path, table), arrow_table(written(table), rows))
        output.tables = dict.fromkeys(output.tables, ())
    except Exception as error:  # noqa: BLE001 - it is raised again where the piece came from
        return error
    return output


def main() -> None:
    """Be a worker: requests on standard input, answers on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    gc.freeze()  # what is loaded stays; rows are in no circles, and looking for some took a sixteenth of the time
    gc.set_threshold(200_000, 50, 50)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but answers goes to the pipe
    with contextlib.suppress(BrokenPipeError):
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
