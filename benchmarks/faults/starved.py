"""Faults of what a process lives on: no space, system calls that fail, and a clock that is wrong.

They need root and the Debian packages fiu-utils and faketime; where these are missing the kind is skipped and says so.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.faults.attempt import Attempt
from benchmarks.faults.judge import Tally
from benchmarks.faults.programs import YEAR_S
from benchmarks.faults.servers import Forks
from benchmarks.faults.stage import Ended, Stage, size_of

_NAMED = frozenset({0, 3, 4, 5, 6, 7, 8, 9})
"""Every exit code of DESIGN but those of bugs and of wrong usage."""
_POINTS = (
    "posix/io/rw/pwrite", "posix/io/rw/write", "posix/io/sync/fsync", "posix/io/sync/fdatasync", "posix/io/oc/open",
    "posix/io/dir/rename", "posix/io/dir/unlink", "posix/io/rw/pread", "posix/io/rw/ftruncate",
)  # fmt: skip
_FIU = ("/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so")
_FAKETIME = tuple(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_ROOM = 64 << 20


# --- no space ------------------------------------------------------------------------------------------------------


def full_disks(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """A file system that is full at some moment of the run; then it gets more space, and the run goes on."""
    if os.geteuid() != 0:
        tally.skipped = "needs root, to mount a small file system"
        return
    start, end = size_of(stage.template), stage.bytes
    for number in range(wanted):
        place = (number + chance.random()) / wanted
        size = int(start + 65_536 + place * max(end - start, 262_144))
        with _mounted(stage.folder / "workspace", size, tally) as mounted:
            if not mounted:
                return
            attempt = Attempt(stage, tally)
            attempt.what = f"{stage.scene.name}, a disk of {size} bytes"
            (ended,) = stage.run([attempt.workspace])
            tally.count_exit(ended.code, ended.said, stage.scene.exits | {7, 9}, attempt.what)
            if ended.code in {7, 9}:  # 7: a server took what it could not work on yet
                attempt.broke()
            else:
                tally.missed += 1
            subprocess.run(["mount", "-o", f"remount,size={end + _ROOM}", str(attempt.workspace)], check=True)
            attempt.finish()


@contextmanager
def _mounted(folder: Path, size: int, tally: Tally) -> Iterator[bool]:
    """A file system in memory of ``size`` bytes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        tally.skipped = f"cannot mount a small file system: {mounted.stderr.strip()}"
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# --- system calls that fail ----------------------------------------------------------------------------------------


def io_errors(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """One kind of system call fails now and then with an I/O error, or as if there were no space."""
    if not all(Path(one).exists() for one in _FIU):
        tally.skipped = "needs libfiu (Debian: fiu-utils)"
        return
    with _other_forks(stage, {"LD_PRELOAD": ":".join(_FIU)}):
        for number in range(wanted):
            attempt = Attempt(stage, tally)
            point, errno = _POINTS[number % len(_POINTS)], chance.choice((5, 5, 28))
            probability = chance.choice((0.002, 0.01, 0.05))
            attempt.what = f"{stage.scene.name}, {point} fails with errno {errno}, probability {probability}"
            (ended,) = stage.run([attempt.workspace], failing={f"{point}={errno}": probability})
            if not _is_duckdb_ended(ended):
                tally.count_exit(ended.code, ended.said, _NAMED | stage.scene.exits, attempt.what)
            if ended.code in stage.scene.exits:
                tally.missed += 1
            else:
                attempt.broke()
            attempt.finish(repairs=True)


def _is_duckdb_ended(ended: Ended) -> bool:
    """Whether DuckDB ended its process itself: in what cleans up it cannot raise an error, so that is as a kill."""
    return ended.code == -signal.SIGABRT and "terminate called after throwing an instance of 'duckdb::" in ended.said


@contextmanager
def _other_forks(stage: Stage, environment: dict[str, str]) -> Iterator[None]:
    """The processes of the stage come from another one, which was started in ``environment``."""
    usual = stage.forks
    stage.forks = Forks(stage.folder / "errors", environment)
    try:
        yield
    finally:
        stage.forks.close()
        stage.forks = usual


# --- the clock -----------------------------------------------------------------------------------------------------


def clocks(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """The clock jumps by a year, forwards or back: after a kill, or while the process runs."""
    if not _FAKETIME:
        tally.skipped = "needs libfaketime (Debian: faketime)"
        return
    if not stage.scene.knows_no_clock:
        tally.skipped = "what it does depends on the date"
        return
    file = stage.folder / "clock"
    file.write_text("+0")
    environment = {"LD_PRELOAD": str(_FAKETIME[0]), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
    environment |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    with ExitStack() as forks:
        forks.enter_context(_other_forks(stage, environment))
        for number in range(wanted):
            file.write_text("+0")
            attempt = Attempt(stage, tally)
            after_s, sent = chance.uniform(0.1, 0.8) * stage.length_s, f"{YEAR_S if number % 2 == 0 else -YEAR_S:+d}"
            attempt.what = f"{stage.scene.name}, the clock goes {sent} s"
            if number % 4 < 2:
                (ended,) = stage.run([attempt.workspace], [{"after_s": after_s, "signal": signal.SIGKILL}])
                forks.close()  # libfaketime shares a semaphore between forks, and the killed one may have held it
                forks.enter_context(_other_forks(stage, environment))
                file.write_text(sent)
            else:
                timer = threading.Timer(after_s, file.write_text, [sent])
                timer.start()
                (ended,) = stage.run([attempt.workspace])
                timer.join()
            tally.count_exit(ended.code, ended.said, stage.scene.exits | {-signal.SIGKILL}, attempt.what)
            attempt.broke()
            attempt.finish()
