"""Damage everywhere: every store changed in every way, and each time `igtool verify` must say so, or nothing differs.

    python -m benchmarks.torture --faults corruption touched --mutations 10000

A small workspace is made, of which each worker has a copy. A mutation changes one file: a flipped bit, several, zeros,
noise, a stretch taken from elsewhere, bytes cut off or added, the file deleted, or swapped with its neighbour. The time
of change stays, as it does when a disk fails; with ``touched`` it is a new one, as another program
would leave it. Outcomes:

- ``named``: verify names damage, or raises one of igtool's own errors.
- ``harmless``: verify finds nothing, and every row of every table, the queue and the answer to a search are the same.
- ``silent``: verify finds nothing and something differs. Must be 0.
- ``crash``: any other exception, or the process died. Must be 0.

Every tenth mutation is also read without verify, as `sql` and `search` do: that may fail with a named error only.
It does not show two faults at a time, or damage while a run writes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.faults.judge import Tally
from igtool.errors import IgtoolError
from igtool.integrity.catalog import catalog_files
from igtool.integrity.checking import verify
from igtool.journal.sqlite_files import rows_of
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES
from igtool.search.answer import Query
from igtool.search.query import Index
from igtool.settings import Settings, load

TESTS = Path(__file__).parents[2] / "tests"
KINDS = ("bit", "bits", "zeros", "noise", "copied", "cut", "added", "deleted", "swapped")
STORES = {"lake": 60, "catalog": 16, "journal": 8, "marker": 4, "index": 6, "models": 3, "pictures": 2, "seals": 1}
"""How often each store is chosen, in parts of their sum."""
_READ_EACH = 10


@dataclass(frozen=True)
class Mutation:
    """One change of one file, drawn from ``seed``."""

    seed: int
    store: str
    path: Path
    kind: str


def files_of(settings: Settings) -> dict[str, list[Path]]:
    """The files of each store."""
    data, cache = settings.data, settings.cache
    index = sorted(path for path in (data / "index").rglob("*") if path.is_file() and path.suffix != ".lock")
    return {
        "lake": [data / file.path for file in catalog_files(data.resolve()) if file.is_live],
        "catalog": [data / "catalog.sqlite"],
        "journal": [cache / "journal.sqlite"],
        "marker": [data / "lake.json"],
        "index": index,
        "models": sorted((settings.workspace / "models").glob("*.*")),
        "pictures": sorted((cache / "images").glob("??/*")),
        "seals": [data / "catalog.sqlite.seal", cache / "journal.sqlite.seal", data / "catalog.copy.sqlite"],
    }


def drawn(seed: int, files: dict[str, list[Path]]) -> Mutation:
    """The mutation of ``seed``."""
    chance = random.Random(seed)
    store = chance.choices(list(STORES), list(STORES.values()))[0]
    return Mutation(seed, store, chance.choice(files[store]), chance.choice(KINDS))


def mutated(mutation: Mutation, content: bytes, neighbour: bytes) -> bytes | None:
    """``content`` after the mutation; None for a deleted file."""
    chance, changed = random.Random(mutation.seed + 1), bytearray(content)
    at, length = chance.randrange(max(1, len(changed))), chance.choice((1, 4, 16, 64, 512))
    match mutation.kind:
        case "bit" if changed:
            changed[at] ^= 1 << chance.randrange(8)
        case "bits" if changed:
            for _ in range(8):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        case "zeros":
            changed[at : at + length] = bytes(len(changed[at : at + length]))
        case "noise":
            changed[at : at + length] = chance.randbytes(len(changed[at : at + length]))
        case "copied":
            other = chance.randrange(max(1, len(changed)))
            piece = changed[other : other + length]
            changed[at : at + len(piece)] = piece
        case "cut":
            del changed[at:]
        case "added":
            changed += chance.randbytes(length)
        case "deleted":
            return None
        case _:
            return neighbour
    return bytes(changed)


def answers(settings: Settings) -> str:
    """A hash of everything that a user can be shown: all rows of all tables, the queue, and a search."""
    digest = hashlib.sha256()
    with Lake(settings.lake, writable=False) as lake:
        for name in TABLES:
            for row in sorted(map(repr, lake.rows(f"from {quote(name)}"))):
                digest.update(row.encode())
    for table in ("tenants", "jobs", "requests", "answers", "llm_answers", "said", "conversations"):
        digest.update(repr(sorted(rows_of(settings.cache / "journal.sqlite", f'select * from "{table}"'))).encode())
    digest.update(searched(settings).encode())
    return digest.hexdigest()


def searched(settings: Settings) -> str:
    """What the index answers, whole."""
    found = Index(settings.data / "index").search(Query("bread"), encoder=None, now=datetime(2026, 10, 2, tzinfo=UTC))
    return repr((found.index, found.results))


def outcome_of(settings: Settings, mutation: Mutation, before: str) -> tuple[str, str]:
    """The outcome, and what was said."""
    try:
        if mutation.seed % _READ_EACH == 0:
            with suppress(IgtoolError):
                answers(settings)
        report = verify(settings)
        if report.damage:
            return "named", report.damage[0].problem
        return ("harmless", "") if answers(settings) == before else ("silent", "")
    except IgtoolError as error:
        return "named", str(error)
    except Exception as error:  # noqa: BLE001 - what the campaign is for
        return "crash", f"{type(error).__name__}: {error}"


def work(folder: Path, first: int, last: int, *, touched: bool) -> None:
    """Do the mutations ``first`` to ``last`` on the workspace in ``folder``; one line of JSON for each."""
    connect = duckdb.connect  # it would hash 100 MB of extensions for each connection
    config = {"allow_unsigned_extensions": "true", "threads": "1"}
    duckdb.connect = lambda *arguments, **more: connect(*arguments, **{"config": config, **more})
    settings = load(folder, processes=1)
    files, before = files_of(settings), answers(settings)
    for seed in range(first, last):
        mutation = drawn(seed, files)
        path, state = mutation.path, mutation.path.stat()
        content = path.read_bytes()
        beside = files[mutation.store]
        neighbour = beside[(beside.index(path) + 1) % len(beside)].read_bytes()
        changed = mutated(mutation, content, neighbour)
        print(json.dumps({"seed": seed, "began": True}), flush=True)
        if changed == content:
            outcome, said = "no change", ""
        else:
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
                if not touched:
                    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
            outcome, said = outcome_of(settings, mutation, before)
            path.write_bytes(content)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        told = {"seed": seed, "store": mutation.store, "kind": mutation.kind, "outcome": outcome, "said": said[:200]}
        print(json.dumps(told | {"file": path.name}), flush=True)


def make(folder: Path) -> Settings:
    """The workspace that is damaged: that of the tests, with a model that the user added and a job that waits."""
    sys.path.insert(0, str(TESTS))
    from stored_people import make_workspace

    from igtool.journal import Journal

    os.environ["IGTOOL_EMBEDDING_ITEMS"] = "3"
    settings = make_workspace(folder)
    content = random.Random(1).randbytes(5_000)
    (folder / "models" / "mine.onnx").write_bytes(content)
    entry = f'kind = "age"\nfile = "mine.onnx"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\nsize = 5000\n'
    (folder / "models" / "models.local.toml").write_text(f'["mine"]\n{entry}licence = "MIT"\n')
    with Journal(settings.cache, writable=True) as journal, journal.transaction() as cursor:
        cursor.execute("insert into tenants values ('north', 'read', 1.0)")
    return settings


def run(
    folder: Path, count: int, workers: int, *, touched: bool, first: int, minutes: float
) -> Iterator[dict[str, Any]]:
    """What became of each mutation; a worker that dies is a crash, and another one goes on behind it."""
    ends = time.monotonic() + minutes * 60
    share = -(-count // workers)
    spans = [(first + number * share, first + min(count, (number + 1) * share)) for number in range(workers)]
    logs = [folder / f"log{number}.jsonl" for number in range(workers)]
    running = {number: _started(folder, number, *span, logs[number], touched) for number, span in enumerate(spans)}
    while running and time.monotonic() < ends:
        time.sleep(1)
        for number, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[number]
            last = [json.loads(line) for line in logs[number].read_text().splitlines()][-1:]
            if process.returncode and last and "began" in last[0]:
                with logs[number].open("a") as log:
                    crashed = {"store": "?", "kind": "?", "outcome": "crash", "said": f"died: {process.returncode}"}
                    log.write(json.dumps({"seed": last[0]["seed"], **crashed}) + "\n")
                shutil.rmtree(folder / f"w{number}")
                shutil.copytree(folder / "made", folder / f"w{number}")
                span = (last[0]["seed"] + 1, spans[number][1])
                running[number] = _started(folder, number, *span, logs[number], touched)
    for process in running.values():
        process.terminate()
        process.wait()
    for log in logs:
        yield from (told for line in log.read_text().splitlines() if "began" not in (told := json.loads(line)))


def _started(folder: Path, number: int, first: int, last: int, log: Path, touched: bool) -> subprocess.Popen[bytes]:
    copy = folder / f"w{number}"
    if not copy.exists():
        shutil.copytree(folder / "made", copy)
    command = [sys.executable, "-m", "benchmarks.faults.corruption", "--work", str(copy), "--first", str(first)]
    command += ["--last", str(last), *(["--touched"] if touched else [])]
    with log.open("ab") as output, (folder / f"errors{number}.txt").open("ab") as errors:
        return subprocess.Popen(command, stdout=output, stderr=errors)


def tallied(told: list[dict[str, Any]], kind: str) -> list[Tally]:
    """What became of the mutations, by store."""
    found = {store: Tally(f"store: {store}", kind) for store in STORES}
    for one in told:
        tally = found.setdefault(one["store"], Tally(f"store: {one['store']}", kind))
        tally.injected += one["outcome"] != "no change"
        tally.missed += one["outcome"] == "no change"
        tally.silent += one["outcome"] == "silent"
        tally.unexpected += one["outcome"] == "crash"
        if one["outcome"] in {"silent", "crash"}:
            tally.details.append(json.dumps(one))
    return [tally for tally in found.values() if tally.injected or tally.missed]


def campaign(folder: Path, count: int, *, touched: bool, first: int, minutes: float) -> list[Tally]:
    """Do ``count`` mutations from the seed ``first`` on; ``touched``: changed files have a new time of change."""
    make(folder / "made")
    told = list(run(folder, count, 2, touched=touched, first=first, minutes=minutes))
    return tallied(told, "touched" if touched else "corruption")


def main() -> None:
    """The part of one worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touched", action="store_true", help="changed files have a new time of change")
    parser.add_argument("--first", type=int, default=0, help="seed of the first mutation")
    parser.add_argument("--last", type=int, default=0, help="seed behind the last")
    parser.add_argument("--work", type=Path, required=True, help="the workspace to damage")
    given = parser.parse_args()
    work(given.work, given.first, given.last, touched=given.touched)


if __name__ == "__main__":
    main()
