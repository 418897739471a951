"""The figures of the main job: whole processes, wall clock and peak memory.

Each part prints one line per figure. ``--quick`` runs small sizes in about a minute; without it the sizes are
those of the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import Peer, emit
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pipeline import stages_of
from igtool.progress import Progress
from igtool.runner import Runner, signature, wanted_query
from igtool.settings import Settings
from igtool.stages.base import Context

ROOT = Path(__file__).parents[1]
IGTOOL = [sys.executable, "-c", "from igtool.cli import main; main()"]
NOW = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass
class Measured:
    """One process: seconds of wall clock, peak resident megabytes, exit code."""

    seconds: float
    megabytes: float
    code: int


def measure(*arguments: str, command: list[str] = IGTOOL) -> Measured:
    """Run igtool, or another ``command``, once."""
    began = time.monotonic()
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 8}:
        raise SystemExit(f"igtool {' '.join(arguments)} ended with {code}: {errors.decode()}")
    return Measured(time.monotonic() - began, usage.ru_maxrss / 1024, code)


def show(name: str, runs: list[Measured], extra: str = "", data: str = "", peers: Sequence[Peer] = ()) -> None:
    """One line: median and range of seconds, largest memory."""
    seconds = [run.seconds for run in runs]
    emit(name, statistics.median(seconds), "s", n=len(runs), better="lower", data=data, peers=peers)
    emit(f"{name}, memory", max(run.megabytes for run in runs), "MB", n=len(runs), better="lower", data=data)
    print(
        f"{name}: {statistics.median(seconds):.2f} s (min {min(seconds):.2f}, max {max(seconds):.2f}, "
        f"n = {len(runs)}), {max(run.megabytes for run in runs):.0f} MB {extra}",
        flush=True,
    )


def profile(number: int) -> bytes:
    """An invented profile in the shape of Instagram's web_profile_info, about 2 KB."""
    user = {
        "id": str(10_000_000 + number),
        "username": f"invented_{number}",
        "full_name": f"Invented Creator {number}",
        "biography": f"Number {number} on trains, tea and mountain huts. Films every week.",
        "external_url": f"https://site{number}.example",
        "edge_followed_by": {"count": number * 7 % 5_000_000},
        "edge_follow": {"count": number % 900},
        "edge_owner_to_timeline_media": {
            "count": number % 3000,
            "edges": [],
            "page_info": {"end_cursor": "x" * 80},
        },
        "category_name": ["Artist", "Athlete", "Chef", "Writer"][number % 4],
        "is_private": False,
        "is_verified": number % 10 == 0,
        "is_business_account": number % 2 == 0,
        "profile_pic_url": f"https://images.example/{number}.jpg?{'k' * 300}",
        "profile_pic_url_hd": f"https://images.example/{number}_hd.jpg?{'k' * 300}",
        **{f"viewer_field_{n}": False for n in range(30)},
    }
    return json.dumps({"data": {"user": user}, "status": "ok"}).encode()


def write_profiles(path: Path, count: int) -> None:
    """``count`` profiles, one a line."""
    with path.open("wb") as file:
        for number in range(count):
            file.write(profile(number) + b"\n")


def bench_start(repeat: int) -> None:
    """The time to the first help line."""
    bare = [measure("-c", "pass", command=[sys.executable]) for _ in range(repeat)]
    peer = Peer("Python that does nothing", platform.python_version(), statistics.median(one.seconds for one in bare))
    show("igtool --help", [measure("--help") for _ in range(repeat)], data="whole process", peers=[peer])


def bench_example(folder: Path) -> None:
    """The example from nothing, and again with nothing to do."""
    arguments = ["--workspace", str(folder / "example"), "enrich", str(ROOT / "examples" / "creators.csv")]
    data = "examples/creators.csv, 95 answers, whole process"
    show("example, first run", [measure(*arguments)], data=data)
    show("example, second run", [measure(*arguments) for _ in range(3)], data=data)


def bench_import(folder: Path, count: int) -> None:
    """Raw profiles to committed accounts and metric snapshots."""
    source = folder / "profiles.jsonl"
    write_profiles(source, count)
    places = [folder / f"import{n}" for n in range(5)]
    runs = [measure("--workspace", str(place), "import", str(source)) for place in places]
    rate = count / statistics.median(run.seconds for run in runs)
    data = f"{count:,} invented profiles of 2 KB, a file of JSON lines"
    show(f"import of {count} profiles", runs, f"= {rate:.0f} profiles/s with the start of the process", data)
    seconds = []
    for place in places:
        with Lake(place / "data", writable=False) as lake:
            seconds.append(lake.value("select epoch(finished_at - started_at) from runs"))
    rate = count / statistics.median(seconds)
    emit("import to committed tables", rate, "profiles/s", n=len(seconds), better="higher", data=data)
    print(f"  of which reading, normalising and committing: {rate:.0f} profiles/s")


def bench_stored(folder: Path, count: int) -> None:
    """A list whose every answer is stored and analysed already."""
    source, creators = folder / "stored.jsonl", folder / "stored.csv"
    write_profiles(source, count)
    lines = ["Name,GENRE,Details,Handle", *(f"Creator {n},,,@invented_{n}" for n in range(count))]
    creators.write_text("\n".join(lines) + "\n")
    arguments = ["--workspace", str(folder / "stored"), "enrich", str(creators), "--source", str(source)]
    data = f"a list of {count:,} invented handles and their profiles"
    show("list, first run", [measure(*arguments)], data=data)
    show("list, everything stored", [measure(*arguments) for _ in range(3)], data=data)


def bench_idle(folder: Path, count: int) -> None:
    """Nothing to do over many accounts: with the journal's memory of it, and by asking the tables."""
    workspace = folder / "idle"
    _fill(workspace, count)
    creators = folder / "idle.csv"
    creators.write_text("Handle\n" + "".join(f"@invented_{n}\n" for n in range(1000)))
    arguments = ["--workspace", str(workspace), "enrich", str(creators)]
    measure(*arguments)
    data = f"{count:,} stored accounts, a list of 1,000"
    show("nothing to do", [measure(*arguments) for _ in range(3)], data=data)
    runs = []
    for _ in range(3):
        with Journal(workspace / "cache", writable=True) as journal:
            journal.forget_stages()
        began = time.monotonic()
        with (
            Journal(workspace / "cache", writable=True) as journal,
            Lake(workspace / "data", writable=True) as lake,
        ):
            runner = _runner(lake, journal, workspace)
            runner.run(stages_of(Settings()))
            assert not any(c.new or c.updated or c.failed for c in runner.progress.counts.values())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        runs.append(Measured(time.monotonic() - began, peak, 0))
    show("nothing to do, found by asking every table", runs, data=data)


def _runner(lake: Lake, journal: Journal, workspace: Path) -> Runner:
    def no_encoder() -> None:
        raise AssertionError("nothing was to be embedded")

    context = Context(encoder=no_encoder, clock=lambda: NOW)  # type: ignore[arg-type]
    return Runner(lake, journal, context, Progress(workspace / "progress.json", "bench", bars=False))


def _fill(workspace: Path, count: int) -> None:
    """Accounts, creators and what every stage would have recorded, by SQL: embedding a million takes hours."""
    with (
        Journal(workspace / "cache", writable=True) as journal,
        Lake(workspace / "data", writable=True, on_files=journal.record_lake_files) as lake,
    ):
        with lake.transaction():
            lake.execute(
                "insert into raw_responses by name select md5(i::varchar) as answer_id, 'files' as source, "
                "'x.jsonl' as endpoint, 'ok' as outcome, '{}' as body, now() as fetched_at from range(?) r(i)",
                (count,),
            )
            lake.execute(
                "insert into accounts by name select 'instagram:' || i as account_id, 'instagram' as platform, "
                "i::varchar as platform_user_id, 'invented_' || i as handle, 'Invented ' || i as display_name, "
                "'number ' || i || ' on trains and tea' as bio, 'Artist' as category, i * 7 % 5000000 as "
                "followers_count, md5(i::varchar) as answer_id, now() as observed_at from range(?) r(i)",
                (count,),
            )
            lake.execute(
                "insert into creators by name select 'c_' || i as creator_id, 'Invented ' || i as name, "
                "'invented_' || i as canonical_handle, 1 as account_count, ['instagram'] as platforms "
                "from range(?) r(i)",
                (count,),
            )
            lake.execute(
                "insert into creator_links by name select 'instagram:' || i as account_id, "
                "'c_' || i as creator_id, 'only_account' as rule, 1.0 as confidence_score, 'rule' as decided_by "
                "from range(?) r(i)",
                (count,),
            )
        with lake.transaction():
            for stage in stages_of(Settings()):
                query, parameters = wanted_query(stage)
                lake.execute(
                    "insert into stage_rows by name "
                    f"select ? as stage, item_id, fingerprint, ? as variant from ({query})",
                    (stage.name, min(stage.variants() or [None]), *parameters),
                )
        for stage in stages_of(Settings()):
            journal.record_stage(lake.lake_id, stage.name, signature(stage), lake.snapshot)


def main() -> None:
    """Run every part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=["start", "example", "import", "stored", "idle"])
    given = parser.parse_args()
    quick = given.quick
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = {
            "start": lambda: bench_start(3 if quick else 10),
            "example": lambda: bench_example(folder),
            "import": lambda: bench_import(folder, 1_000 if quick else 10_000),
            "stored": lambda: bench_stored(folder, 100 if quick else 4_000),
            "idle": lambda: bench_idle(folder, 10_000 if quick else 1_000_000),
        }
        for part in given.only:
            parts[part]()


if __name__ == "__main__":
    main()
