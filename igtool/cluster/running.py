"""Ray for the length of a run: one of our own on this machine, or a cluster that is there already."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from igtool.errors import ConfigError
from igtool.files import WriterLock, is_locked

NEEDED = "the engine ray misses its package: `pip install 'igtool[ray]'`, or --engine local works without it"
_PREFIX = "igtool-ray-"
_LONGEST_FOLDER = 40
"""Characters: names of Unix sockets, which Ray makes deep inside of the folder, end at 107."""
_LEAST_MEMORY = 80 << 20
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # What Ray tells of processes that died it prints to standard output, where results are: every line is left out.
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
}
_ALONE = {
    # This machine is all there is: servers listen on the loopback address then, on any system.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Other users of the machine are kept out, and Ray writes no token into the home folder.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
"""Of a Ray of our own. One token a process: Ray reads it once."""


def check_installed() -> None:
    """Raises ConfigError naming the extra where Ray is not installed."""
    try:
        is_there = find_spec("ray") is not None
    except ValueError:
        is_there = False
    if not is_there:
        raise ConfigError(NEEDED)


@contextmanager
def running(address: str | None, *, processors: int, memory_mb: int, gpus: int | None = None) -> Iterator[Any]:
    """The module ``ray``, connected.

    Without ``address`` Ray is started on this machine, reachable from here alone, with its files in a folder that is
    gone afterwards; that of a run that was killed is removed by the next one. Without ``gpus`` Ray counts them. Where
    this process is connected already, that is used and left. Raises ConfigError where Ray is not installed or does not
    start.
    """
    check_installed()
    with ExitStack() as stack:
        stack.enter_context(_environment(_QUIET if address else _QUIET | _ALONE))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"ray\.")  # they tell how to tune its datasets
        import ray
        import ray.data

        for handler in logging.getLogger("ray.data").handlers:
            handler.setLevel(logging.ERROR)  # it tells of every dataset
        if ray.is_initialized():
            yield ray
            return
        where = {"address": address} if address else stack.enter_context(_own(processors, memory_mb, gpus))
        stack.callback(ray.shutdown)
        try:
            with _signals_kept(), _hushed():
                ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # what Ray raises has no common class but this one
            place = f"at {address}" if address else "on this machine"
            raise ConfigError(f"there is no Ray {place} ({str(error).strip()[:300]}): see docs/scale.md") from error
        yield ray


@contextmanager
def _own(processors: int, memory_mb: int, gpus: int | None) -> Iterator[dict[str, Any]]:
    """How to start a Ray of our own."""
    with _folder() as folder:
        memory, place = _memory(memory_mb, folder)
        yield {
            "address": "local",
            "num_cpus": processors,
            "num_gpus": gpus,
            "include_dashboard": False,
            "object_store_memory": memory,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(folder),
            **({"_plasma_directory": str(place)} if place else {}),
        }


def _memory(wanted_mb: int, folder: Path) -> tuple[int, Path | None]:
    """Bytes of the object store, and where it lies if there is no shared memory for that."""
    try:
        free = shutil.disk_usage("/dev/shm").free  # noqa: S108 - where Linux keeps shared memory
    except OSError:
        return wanted_mb << 20, None
    most = free // 2
    return (min(wanted_mb << 20, most), None) if most >= _LEAST_MEMORY else (wanted_mb << 20, folder)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder of this run alone for Ray's sockets, logs and spilled pieces. Those of dead runs are removed."""
    base = Path(tempfile.gettempdir())
    base = base if len(str(base)) <= _LONGEST_FOLDER - len(_PREFIX) else Path("/tmp")  # noqa: S108 - a name that is short
    for left in base.glob(f"{_PREFIX}*"):
        if left.stat().st_uid == os.getuid() and not is_locked(left / "lock"):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    lock = WriterLock(folder / "lock", "Ray's folder")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself: the run keeps its own way to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _hushed() -> Iterator[None]:
    """What is written to standard error while Ray starts, by its own processes later too, goes nowhere."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stderr.flush()
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """``values`` in the environment while the block runs, for Ray's processes."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
