"""From raw rows to committed tables: speed and memory of the stage ``normalize`` beside others; prints one JSON line.

    python -m benchmarks.normalize [--profiles 100000] [--peers PYTHON] [--curve 10000,100000,1000000] [--quick]

Invented profiles (``benchmarks.normalize_bodies``) are put into a lake as raw rows; that is not measured. Then, each
in processes of its own on two cores: igtool from raw row to commit; decoding only with msgspec, in one process and
in two, and with Python's json; DuckDB's JSON functions, written for speed and with a path for each column; and, where
``--peers`` names an interpreter that has them, orjson, pandas.json_normalize and dlt. The slow ones get fewer profiles.

``wall_s`` is the whole process with its start, ``work_s`` begins after the imports; rates and ratios are of
``work_s``, so that no peer pays for its start. CPU seconds are those of all processes from their start on; on a
machine that others use too they say more than the clock. ``peak_mb`` is the largest sum of the proportional set
sizes in samples four times a second. It ends with 1 when an answer or a post did not become a row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.normalize_measure import measured
from benchmarks.normalize_raw import Raw, prepare
from benchmarks.results import Peer, emit, installed

ROOT = Path(__file__).parents[1]
CORES = 2
TABLES = ("accounts", "content_items", "metric_snapshots")
OWN = {"igtool": 2, "msgspec_decode_1": 1, "msgspec_decode_2": 2, "json_loads_2": 2, "duckdb_json": 2}
PEERS = {
    "orjson_loads_2": 2,
    "duckdb_paths": 2,
    "pandas_json_normalize_1": 1,
    "pandas_json_normalize_2": 2,
    "dlt_payloads": 2,
    "dlt_selected": 2,
}
"""Contestants and on how many cores; those with a number in the name run in that many processes. PEERS are slow."""
FAST = {"orjson_loads_2"}
"""PEERS that get all profiles, in the short form too: they are there for their packages alone."""
FLOORS = {
    "msgspec_decode_2": 0.4,
    "duckdb_json": 3.0,
    "pandas_json_normalize_2": 20.0,
    "dlt_payloads": 20.0,
}
"""Least ratios of igtool's rate to theirs, on equally many cores."""


@dataclass(frozen=True)
class Options:
    """What is run. ``peers`` is the interpreter with pandas and dlt; ``PEERS`` get about ``peer_profiles``."""

    folder: Path
    profiles: int
    peer_profiles: int
    body_kb: tuple[float, float]
    curve: tuple[int, ...]
    curve_kb: tuple[float, float]
    rounds: int
    seed: int
    peers: str | None
    keep: bool
    quick: bool


def contestants(options: Options) -> tuple[dict[str, int], dict[str, str]]:
    """Who runs, with the number of cores, and who does not, with the reason."""
    runs, skipped = dict(OWN), {}
    for name, cores in PEERS.items():
        module = name.partition("_")[0]
        python = _python(name, options)
        if options.quick and name not in FAST:
            skipped[name] = "--quick"
        elif python is None:
            skipped[name] = "no --peers"
        elif subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            skipped[name] = f"the interpreter of --peers has no {module}"
        else:
            runs[name] = cores
    return runs, skipped


def _python(name: str, options: Options) -> str | None:
    return options.peers if name.startswith(("pandas", "dlt", "orjson")) else sys.executable


def run(name: str, cores: int, raw: Raw, options: Options) -> dict[str, Any]:
    """One contestant once, over a copy of the raw lake or the raw files: what it took and what it made."""
    files, profiles = raw.first(options.peer_profiles) if name in PEERS.keys() - FAST else (raw.files, raw.profiles)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="run-") as out:
        if name == "igtool":
            raw.copy(Path(out))
        job = {"files": files, "profiles": profiles, "processes": cores, "out": out, "workspace": out}
        python = _python(name, options) or sys.executable
        contestant = name.rstrip("_12")
        result = measured([python, "-m", "benchmarks.normalize_peers", contestant, json.dumps(job)], ROOT)
        if name == "igtool":
            result |= {"rows": rows(Path(out)), "disk_bytes": _size(Path(out)) - raw.disk_bytes}
        elif name.startswith("duckdb"):
            result["rows"] = {table: _parquet_rows(Path(out, table)) for table in TABLES}
    work_s = result["work_s"]
    result["profiles_per_s"] = round(profiles / work_s, 1)
    result["profiles_per_cpu_s"] = round(profiles / result["cpu_s"], 1)
    result["json_mb_per_s"] = round(profiles * raw.json_bytes / raw.profiles / work_s / 1e6, 1)
    return result | {"cores": cores}


def rows(workspace: Path) -> dict[str, int]:
    """How many rows the tables have, and how many answers were rejected."""
    from igtool.lake import Lake
    from igtool.lake_sql import quote

    with Lake(workspace / "data", writable=False) as lake:
        return {table: lake.value(f"select count(*) from {quote(table)}") for table in (*TABLES, "rejects")}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _parquet_rows(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(path).num_rows) for path in folder.iterdir())


def compare(options: Options) -> dict[str, Any]:
    """All contestants in turn, ``rounds`` times; of each the run with the middle rate."""
    raw = prepare(options.folder, options.profiles, options.body_kb, options.seed)
    runs, skipped = contestants(options)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, cores in runs.items():
            rounds[name].append(run(name, cores, raw, options))
            _say(name, rounds[name][-1])
    middle = {name: sorted(each, key=lambda one: one["work_s"])[len(each) // 2] for name, each in rounds.items()}
    for name, each in rounds.items():
        middle[name]["rounds_per_s"] = [one["profiles_per_s"] for one in each]
    rate, ratios = middle["igtool"]["profiles_per_s"], _ratios(middle, "profiles_per_s")
    made = middle["igtool"]["rows"]
    return {
        "raw": raw.described(),
        "runs": middle,
        "igtool_to": ratios,
        "igtool_to_by_cpu": _ratios(middle, "profiles_per_cpu_s"),
        "floors_met": {name: ratios[name] >= floor for name, floor in FLOORS.items() if name in ratios}
        | {
            "profiles_per_s": rate >= 6000,
            "json_mb_per_s": middle["igtool"]["json_mb_per_s"] >= 300,
            "memory": middle["igtool"]["peak_mb"] < 1000,
        },
        "complete": made["accounts"] == raw.profiles and made["content_items"] == raw.posts and not made["rejects"],
        "skipped": skipped,
    }


def _ratios(runs: dict[str, dict[str, Any]], rate: str) -> dict[str, float]:
    return {name: round(runs["igtool"][rate] / one[rate], 2) for name, one in runs.items() if name != "igtool"}


def curve(options: Options) -> list[dict[str, Any]]:
    """Time and memory of igtool alone at each size; one that the disk has no room for is named with what it needs."""
    points: list[dict[str, Any]] = []
    per_profile = statistics.mean(options.curve_kb) * 1000  # as if nothing of a body were compressed
    for profiles in options.curve:
        free = shutil.disk_usage(options.folder).free
        if profiles * per_profile > free:
            needed = f"needs about {profiles * per_profile / 1e9:.0f} GB of disk, {free / 1e9:.0f} are free"
            points.append({"profiles": profiles, "skipped": needed})
            continue
        raw = prepare(options.folder, profiles, options.curve_kb, options.seed)
        point = run("igtool", CORES, raw, options)
        per_profile = (raw.disk_bytes + point.pop("disk_bytes")) / profiles * 1.2
        _say(f"igtool, {profiles} profiles", point)
        points.append({"profiles": profiles, "us_per_profile": round(point["work_s"] / profiles * 1e6, 1)} | point)
        if not options.keep and profiles != options.profiles:
            shutil.rmtree(raw.folder)
    return points


def tell(result: dict[str, Any], options: Options) -> None:
    """The figures for a results file: each of the others beside igtool, whatever of the work it leaves out."""
    raw, runs = result["raw"], result["runs"]
    mean_kb = raw["json_mb"] * 1000 / raw["profiles"]
    data = f"{raw['profiles']:,} invented answers of {mean_kb:.0f} KB, stored, to committed tables; two cores"
    peers = [
        Peer(f"{name} ({WORK[name.rstrip('_12')]})", _version(name, options), one["profiles_per_s"])
        for name, one in runs.items()
        if name != "igtool"
    ]
    rate, own = runs["igtool"]["profiles_per_s"], runs["igtool"]
    emit("normalize", rate, "answers/s", n=options.rounds, better="higher", data=data, peers=peers)
    emit("normalize, JSON", own["json_mb_per_s"], "MB/s", n=options.rounds, better="higher", data=data)
    emit("normalize, processor", own["cpu_s"] / raw["profiles"] * 1e3, "ms/answer", n=1, better="lower", data=data)
    emit("normalize, memory", own["peak_mb"], "MB", n=options.rounds, better="lower", data=data)


WORK = {
    "msgspec_decode": "decodes only, typed",
    "json_loads": "decodes only",
    "orjson_loads": "decodes only",
    "duckdb_json": "tables without languages, links and checks",
    "duckdb_paths": "the same, a path a column",
    "pandas_json_normalize": "flat tables",
    "dlt_payloads": "tables of the payloads",
    "dlt_selected": "tables of the same fields",
}
"""What each of the others does of the work."""


def _version(name: str, options: Options) -> str:
    package = name.partition("_")[0]
    if package == "json":
        return f"of Python {platform.python_version()}"
    if _python(name, options) == sys.executable:
        return installed(package)
    command = [str(options.peers), "-c", f"from importlib.metadata import version; print(version({package!r}))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _say(name: str, result: dict[str, Any]) -> None:
    shown = {key: result[key] for key in ("profiles_per_s", "json_mb_per_s", "work_s", "cpu_s", "peak_mb")}
    print(f"{name}: {shown}", file=sys.stderr, flush=True)


@contextmanager
def _folder(parent: Path | None, *, keep: bool) -> Iterator[Path]:
    """Where the lakes are: ``parent`` itself where it is kept, else a folder in it that goes at the end."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
        if keep:
            yield parent
            return
    with tempfile.TemporaryDirectory(dir=parent, prefix="normalize-") as folder:
        yield Path(folder)


def _range(text: str) -> tuple[float, float]:
    low, high = (float(part) for part in text.split("-"))
    return low, high


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, help="100,000; with --quick 2,000")
    parser.add_argument("--peer-profiles", type=int, default=5_000, help="how many the slow peers get at least")
    parser.add_argument("--body-kb", type=_range, default=(50.0, 80.0), help="range of sizes of the answers, in kB")
    parser.add_argument("--curve", default="", help="sizes with commas between them, for igtool alone")
    parser.add_argument("--curve-kb", type=_range, help="sizes of answers for the curve; by default --body-kb")
    parser.add_argument("--rounds", type=int, default=1, help="how often all run in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", help="interpreter that has pandas, pyarrow and dlt")
    parser.add_argument("--folder", type=Path, help="where the lakes are made; by default a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the raw lakes in --folder for the next run")
    parser.add_argument("--quick", action="store_true", help="2,000 profiles, without the slow peers")
    given = vars(parser.parse_args())
    given["profiles"] = given["profiles"] or (2_000 if given["quick"] else 100_000)
    given["curve"] = tuple(int(size) for size in given["curve"].split(",") if size)
    given["curve_kb"] = given["curve_kb"] or given["body_kb"]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # all that is started inherits it
    with _folder(given["folder"], keep=given["keep"]) as folder:
        options = Options(**given | {"folder": folder})
        result: dict[str, Any] = {"benchmark": "normalize", "cores": CORES, "load_before": round(os.getloadavg()[0], 2)}
        result |= compare(options)
        for one in result["runs"].values():
            one.pop("disk_bytes", None)
        tell(result, options)
        if options.curve:
            result["curve"] = curve(options)
    print(json.dumps(result))
    sys.exit(0 if result["complete"] else 1)


if __name__ == "__main__":
    main()
