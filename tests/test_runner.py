"""The runner does what is pending, all of it, once, and loses no item."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from conftest import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.encoders.base import Encoder
from igtool.errors import IgtoolError, Interrupted
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pieces import cut
from igtool.progress import Progress
from igtool.runner import Runner, in_order, next_size
from igtool.stages.base import BatchStage, Context, Output, Reject
from igtool.stages.normalize import Normalize
from igtool.stages.resolve import Resolve


class Shout(BatchStage):
    """A real, small stage: account names in capitals, as creators."""

    name: ClassVar[str] = "shout"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("accounts",)
    writes: ClassVar[tuple[str, ...]] = ("creators",)
    key: ClassVar[str] = "creator_id"
    keys: ClassVar[str] = "select account_id as item_id, md5(display_name) as fingerprint from accounts"
    rows: ClassVar[str] = (
        "select account_id as item_id, display_name from accounts join batch on item_id = account_id order by 1"
    )
    batch_size: ClassVar[int] = 2

    def process(self, batch: pa.Table, context: Context) -> Output:
        """Names in capitals; `empty` is a reject, `crash` an error, `lose` a bug."""
        output = Output(tables={"creators": []})
        rows = []
        for row in batch.to_pylist():
            if row["display_name"] == "empty":
                output.rejects.append(Reject(row["item_id"], "empty-name", "it has no name"))
            elif row["display_name"] == "crash":
                raise ValueError("a poisoned row")
            elif row["display_name"] != "lose":
                rows.append({"creator_id": row["item_id"], "name": row["display_name"].upper()})
                output.done.append(row["item_id"])
        output.tables["creators"] = rows
        return output


def no_encoder() -> Encoder:
    """Nothing here embeds."""
    raise AssertionError("no text was to be embedded")


@pytest.fixture
def runner(lake: Lake, journal: Journal, tmp_path: Path) -> Runner:
    """A runner over an empty lake."""
    context = Context(encoder=no_encoder, clock=lambda: NOW)
    return Runner(lake, journal, context, Progress(tmp_path / "data" / "progress.json", "test", bars=False))


def store(lake: Lake, names: dict[str, str]) -> None:
    """Accounts with these display names."""
    rows = [
        {"account_id": key, "display_name": name, "observed_at": NOW, "answer_id": "x"} for key, name in names.items()
    ]
    with lake.transaction():
        lake.merge("accounts", rows)


def made(lake: Lake) -> dict[str, str]:
    """What the stage made, by id."""
    return {row["creator_id"]: row["name"] for row in lake.rows("from creators order by 1")}


def counts(runner: Runner) -> tuple[int, int, int, int]:
    """New, updated, skipped and failed of the last run."""
    count = runner.progress.counts.pop("shout")
    return count.new, count.updated, count.skipped, count.failed


def test_a_second_run_changes_nothing_and_a_changed_row_is_done_again(runner: Runner, lake: Lake) -> None:
    """Only what is pending is done, and the counts say so."""
    store(lake, {"1": "a", "2": "b", "3": "c"})
    runner.run([Shout()])
    assert made(lake) == {"1": "A", "2": "B", "3": "C"}
    assert counts(runner) == (3, 0, 0, 0)
    snapshot = lake.snapshot
    runner.run([Shout()])
    assert (lake.snapshot, counts(runner)) == (snapshot, (0, 0, 3, 0))
    store(lake, {"2": "changed", "4": "new"})
    runner.run([Shout()])
    assert made(lake)["2"] == "CHANGED"
    assert counts(runner) == (1, 1, 2, 0)


def test_a_higher_version_does_everything_again(runner: Runner, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is part of what is remembered."""
    store(lake, {"1": "a"})
    runner.run([Shout()])
    counts(runner)
    monkeypatch.setattr(Shout, "version", 2)
    runner.run([Shout()])
    assert counts(runner) == (0, 1, 0, 0)


def test_a_bad_item_costs_only_itself(runner: Runner, lake: Lake) -> None:
    """Rejects and errors are rows with a reason; the others of the batch are stored; a mended row leaves rejects."""
    store(lake, {"1": "a", "2": "crash", "3": "empty", "4": "d"})
    runner.run([Shout()])
    assert made(lake) == {"1": "A", "4": "D"}
    rejects = {row["item_id"]: row["reason"] for row in lake.rows("from rejects where stage = 'shout'")}
    assert rejects == {"2": "stage-error", "3": "empty-name"}
    assert counts(runner) == (2, 0, 0, 2)
    store(lake, {"2": "mended", "1": "empty"})
    runner.run([Shout()])
    assert made(lake) == {"2": "MENDED", "4": "D"}
    assert [row["item_id"] for row in lake.rows("from rejects order by item_id")] == ["1", "3"]


def test_an_item_that_a_stage_loses_stops_the_run_and_stores_nothing(runner: Runner, lake: Lake) -> None:
    """Silent loss is a bug that cannot be committed."""
    store(lake, {"1": "a", "2": "lose"})
    with pytest.raises(IgtoolError, match="lost"):
        runner.run([Shout()])
    assert made(lake) == {}


def test_rows_of_items_that_are_gone_go_too(runner: Runner, lake: Lake) -> None:
    """What was made of a deleted account does not stay behind."""
    store(lake, {"1": "a", "2": "b"})
    runner.run([Shout()])
    with lake.transaction():
        lake.delete("accounts", "account_id", ["1"])
    runner.run([Shout()])
    assert made(lake) == {"2": "B"}
    assert lake.value("select count(*) from stage_rows") == 1


def test_stopping_keeps_every_finished_batch_and_a_second_run_goes_on(runner: Runner, lake: Lake) -> None:
    """Interrupted then resumed equals uninterrupted."""
    store(lake, {str(n): f"n{n}" for n in range(7)})
    runner.stopping = lambda: lake.value("select count(*) from creators") >= 4
    with pytest.raises(Interrupted, match="4 of 7"):
        runner.run([Shout()])
    assert len(made(lake)) == 4
    runner.stopping = lambda: False
    counts(runner)
    runner.run([Shout()])
    assert made(lake) == {str(n): f"N{n}" for n in range(7)}
    assert counts(runner) == (3, 0, 4, 0)


def test_more_items_are_worked_on_at_once_while_that_is_quick(
    runner: Runner, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the stage allows, and as few as it begins with where the work is long; the rows are the same."""
    monkeypatch.setattr(Shout, "most_at_once", 8)
    sizes: list[int] = []
    runner.on_batch = lambda stage: sizes.append(runner.progress.of(stage.name).new - sum(sizes))
    store(lake, {str(n): f"n{n}" for n in range(24)})
    runner.run([Shout()])
    assert sizes == [2, 4, 8, 8, 2]
    assert made(lake) == {str(n): f"N{n}" for n in range(24)}
    monkeypatch.setattr("igtool.runner._BATCH_S", 0.0)
    store(lake, {str(n): f"n{n}" for n in range(24, 30)})
    runner.run([Shout()])
    assert sizes[5:] == [2, 2, 2]
    runner.batch_size = 6
    store(lake, {str(n): f"n{n}" for n in range(30, 42)})
    runner.run([Shout()])
    assert sizes[8:] == [6, 6]


@pytest.mark.parametrize(
    ("size", "seconds", "following"), [(4, 0.1, 8), (8, 0.1, 8), (4, 5.0, 4), (8, 10.1, 4), (2, 99.0, 2), (3, 99.0, 2)]
)
def test_the_size_of_the_following_batch(
    size: int, seconds: float, following: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds of work are wanted, between 2 and 8 items."""
    monkeypatch.setattr(Shout, "most_at_once", 8)
    assert next_size(Shout(), size, seconds) == following


def test_work_of_another_lake_does_not_count(runner: Runner, lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """A journal that outlives its lake does not make a new lake look finished."""
    store(lake, {"1": "a"})
    runner.run([Shout()])
    with Lake(tmp_path / "other", writable=True) as other:
        store(other, {"1": "a"})
        Runner(other, journal, runner.context, runner.progress).run([Shout()])
        assert made(other) == {"1": "A"}


def test_stages_run_in_the_order_of_their_tables() -> None:
    """A stage comes after those that write what it reads, however they are named."""
    assert [stage.name for stage in in_order([Resolve(), Normalize()])] == ["normalize", "resolve"]


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(0, 40), max_size=9), max_size=9),
    items=st.integers(1, 12),
    limit=st.integers(30, 200),
)
def test_pieces_are_bounded_and_hold_every_row_once(sizes: list[list[int]], items: int, limit: int) -> None:
    """However rows come, in order: no piece has too many, none is cut before it is full, none grows far too large."""
    numbers = iter(range(1000))
    schema = pa.schema([("number", pa.int64()), ("body", pa.string())])
    batches = [
        pa.RecordBatch.from_pylist([{"number": next(numbers), "body": "x" * size} for size in batch], schema=schema)
        for batch in sizes
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("igtool.pieces._PIECE_BYTES", limit)
        pieces = list(cut(iter(batches), items))
    assert [n for piece in pieces for n in piece.column("number").to_pylist()] == list(range(sum(map(len, sizes))))
    assert all(0 < piece.num_rows <= items for piece in pieces)
    assert all(piece.num_rows == items or piece.nbytes >= limit for piece in pieces[:-1])
    row = 8 + 40 + 8  # the number, the longest body, its offsets
    assert all(sum(map(len, piece.column("body").to_pylist())) < 2 * limit + 10 * row for piece in pieces)
