"""Streamed stages in other processes: the same rows, whatever happens to the processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import NOW, contents
from streamed_stage import Capitals, CapitalsAsDicts

from igtool import workers
from igtool.encoders.base import Encoder
from igtool.errors import Interrupted, UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.base import Context, Output, Stage
from igtool.stages.normalize import Normalize
from igtool.workers import HEAD, Workers

pytestmark = pytest.mark.slow  # each starts processes

PAYLOADS = Path(__file__).parent / "payloads"

Run = Callable[..., None]
"""Runs a stage over a lake in so many processes, with pieces and commits of so many items (ten)."""


def no_encoder() -> Encoder:
    """Nothing here embeds."""
    raise AssertionError("no text was to be embedded")


CONTEXT = Context(encoder=no_encoder, clock=lambda: NOW)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find the stages of tests, and are used however few items there are."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[1]}:{Path(__file__).parent}")
    monkeypatch.setattr("igtool.runner._ALONE", 0)


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    """The folder that workers exchange files in."""
    return tmp_path / "cache" / "pieces"


@pytest.fixture
def run(journal: Journal, tmp_path: Path, pieces: Path) -> Run:
    """See ``Run``."""

    def run(
        lake: Lake, stage: Stage, processes: int, size: int = 10, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        progress = Progress(tmp_path / "progress.json", "test", bars=False)
        runner = Runner(lake, journal, CONTEXT, progress, batch_size=size, scratch=pieces, processes=processes)
        runner.stopping = stopping
        runner.run([stage])

    return run


def store(lake: Lake, bodies: list[str]) -> None:
    """Raw answers with those bodies, ids in their order."""
    rows = [
        {
            "answer_id": f"{number:04}",
            "source": "test",
            "body": body,
            "sha256": body,
            "fetched_at": NOW + timedelta(seconds=number % 7),
        }
        for number, body in enumerate(bodies)
    ]
    with lake.transaction():
        lake.append("raw_responses", rows)


def made(lake: Lake) -> dict[str, str]:
    """What ``Capitals`` made, by item."""
    return {row["creator_id"]: row["name"] for row in lake.rows("select creator_id, name from creators order by 1")}


def test_any_number_of_processes_gives_the_same_tables(tmp_path: Path, run: Run) -> None:
    """Real payloads, some broken, give equal tables, rejects and stage_rows here and in others, however cut."""
    bodies = [path.read_text() for path in sorted(PAYLOADS.rglob("*.json")) if not path.name.endswith(".rows.json")]
    tables = []
    for processes, size in ((1, 100), (2, 30)):
        with Lake(tmp_path / f"lake{processes}", writable=True) as lake:
            store(lake, [*bodies, "", "{", "[]"])
            run(lake, Normalize(), processes, size)
            tables.append(contents(lake))
    for name in (*Normalize.writes, "rejects", "stage_rows"):
        assert len(tables[0][name]) > 10
        assert tables[0][name] == tables[1][name]
    assert tables[0] == tables[1]


def test_rows_as_dicts_come_back_whole(lake: Lake, run: Run) -> None:
    """A stage in another process may give dicts too: columns that they do not name are NULL, and none is no harm."""
    store(lake, [*["empty"] * 30, *["a"] * 30])
    run(lake, CapitalsAsDicts(), 2)
    assert list(made(lake).values()) == ["A"] * 30


def test_the_work_is_done_elsewhere(lake: Lake, run: Run) -> None:
    """Rows come from as many other processes as were asked for."""
    store(lake, ["where"] * 100)
    run(lake, Capitals(), 2)
    processes = set(made(lake).values())
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


def test_little_work_is_done_here(lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the limit no process is started."""
    monkeypatch.setattr("igtool.runner._ALONE", 6)
    store(lake, ["where"] * 5)
    run(lake, Capitals(), 2)
    assert set(made(lake).values()) == {str(os.getpid())}


def test_a_killed_worker_loses_nothing(lake: Lake, run: Run) -> None:
    """Of a worker that is killed in the middle all pieces are done here, those given ahead too; the other goes on."""
    bodies = [f"text {number}" for number in range(95)]
    store(lake, [*bodies, "where"])
    deadly = {"answer_id": "0033x", "body": f"die {os.getpid()}", "sha256": "die", "fetched_at": NOW}
    with lake.transaction():
        lake.append("raw_responses", [deadly])
    run(lake, Capitals(), 2)
    names = made(lake)
    assert names.pop("0033x") == f"DIE {os.getpid()}"
    assert list(names.values())[:95] == [body.upper() for body in bodies]
    assert lake.value("select count(*) from stage_rows") == 97


def test_workers_leave_ctrl_c_to_the_run(lake: Lake, run: Run) -> None:
    """The signal reaches every process of the terminal: workers go on, and the run decides when to stop."""
    store(lake, [*[f"interrupt {os.getpid()}"] * 40, *["where"] * 40])
    run(lake, Capitals(), 2)
    processes = set(made(lake).values()) - {f"INTERRUPT {os.getpid()}"}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


def test_workers_that_all_die_leave_the_work_here(lake: Lake, run: Run) -> None:
    """A stage that kills each process that runs it is finished here; nothing is lost."""
    store(lake, [f"die {os.getpid()}"] * 80)
    run(lake, Capitals(), 2)
    assert len(made(lake)) == 80


def test_workers_that_cannot_start_leave_the_work_here(
    lake: Lake, run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stage that workers cannot import is run here, and standard error says why they did not."""
    monkeypatch.delenv("PYTHONPATH")
    store(lake, ["where"] * 50)
    run(lake, Capitals(), 2)
    assert set(made(lake).values()) == {str(os.getpid())}
    assert "streamed_stage" in capfd.readouterr().err


def test_an_error_of_igtool_in_a_worker_is_the_error_of_the_run(lake: Lake, run: Run, pieces: Path) -> None:
    """Its type and words arrive; what was committed before it stays, and no files are left behind."""
    store(lake, ["a"] * 90)
    with lake.transaction():
        lake.append("raw_responses", [{"answer_id": "0085x", "body": "refuse", "sha256": "r", "fetched_at": NOW}])
    with pytest.raises(UsageError, match="this cannot go on: mend it"):
        run(lake, Capitals(), 2)
    assert len(made(lake)) == lake.value("select count(*) from stage_rows")
    assert not pieces.exists()


def test_an_item_that_breaks_costs_only_itself(lake: Lake, run: Run) -> None:
    """The others of its piece are there; it is a reject with the words of the error."""
    store(lake, [["a", "crash", "empty", "b"][number % 4] for number in range(60)])
    run(lake, Capitals(), 2)
    assert sorted(made(lake).values()) == ["A"] * 15 + ["B"] * 15
    rejects = lake.rows(
        "select reason, any_value(detail) as detail, count(*) as items from rejects group by 1 order by 1"
    )
    assert rejects == [
        {"reason": "empty", "detail": "there is nothing in it", "items": 15},
        {"reason": "stage-error", "detail": "ValueError: a poisoned row", "items": 15},
    ]


def test_leftovers_of_a_killed_run_are_removed(lake: Lake, run: Run, pieces: Path) -> None:
    """Files that a killed run left are neither read nor kept, and the folder is gone after the run."""
    pieces.mkdir(parents=True)
    (pieces / "0.arrow").write_bytes(b"torn")
    (pieces / "0-creators.arrow").write_bytes(b"torn")
    (pieces / "999.arrow").write_bytes(b"torn")
    store(lake, ["a"] * 30)
    run(lake, Capitals(), 2)
    assert len(made(lake)) == 30
    assert not pieces.exists()


def test_pieces_do_not_pile_up(pieces: Path) -> None:
    """At no time are more pieces on disk than workers were given ahead, and none once all are done."""
    columns = {"item_id": ["x"], "fingerprint": ["f"], "known": [False], "body": ["a"]}
    piece = pa.table(columns)
    most = 0
    with Workers(Capitals(), pieces, 2) as started:
        for _, output in started.map((piece for _ in range(60)), CONTEXT):
            assert output.done == ["x"]
            most = max(most, len([path for path in pieces.iterdir() if "-" not in path.name]))
        assert list(pieces.iterdir()) == []
    assert 2 <= most <= 2 * workers._WAITING + 1


def test_pieces_come_back_in_order_with_their_head(pieces: Path) -> None:
    """Whichever worker is done first, what comes back is in the order in which it was given."""
    names = [str(number) for number in range(25)]
    given = (pa.table({"item_id": [n], "fingerprint": [n], "known": [False], "body": [f"text {n}"]}) for n in names)
    with Workers(Capitals(), pieces, 3) as started:
        back = [(head.to_pylist(), made_rows(output)) for head, output in started.map(given, CONTEXT)]
    assert back == [
        ([dict(zip(HEAD, [n, n, False], strict=True))], [{"creator_id": n, "name": f"TEXT {n}"}]) for n in names
    ]


def made_rows(output: Output) -> list[dict[str, str]]:
    """Rows of ``Capitals`` that a worker sent back."""
    rows = output.tables["creators"]
    assert isinstance(rows, pa.Table)
    return rows.select(["creator_id", "name"]).to_pylist()


def test_modules_in_the_current_folder_are_not_taken_for_ours(
    lake: Lake, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's `random.py` or folder `igtool` where the command is run does no harm to workers, nor is it run."""
    folder = tmp_path / "elsewhere"
    (folder / "igtool").mkdir(parents=True)
    for name in ("random.py", "json.py", "igtool/__init__.py", "igtool/workers.py"):
        (folder / name).write_text(f"open({str(tmp_path / 'was_run')!r}, 'w'); raise SystemExit(3)")
    monkeypatch.chdir(folder)
    store(lake, ["where"] * 60)
    run(lake, Capitals(), 2)
    assert str(os.getpid()) not in made(lake).values()
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, run: Run, processes: int) -> None:
    """A run that is stopped after each commit and started again ends with the same tables, losing no commit."""
    bodies = [["a", "crash", "empty", "b"][number % 4] + f" {number}" for number in range(25)]
    with Lake(tmp_path / "whole", writable=True) as lake:
        store(lake, bodies)
        run(lake, Capitals(), processes)
        whole = contents(lake)
    with Lake(tmp_path / "parts", writable=True) as lake:
        store(lake, bodies)
        stops = []
        while True:
            try:
                run(lake, Capitals(), processes, stopping=lambda: True)
                break
            except Interrupted:
                stops.append(lake.value("select count(*) from stage_rows"))
        assert contents(lake) == whole
    assert stops == sorted(set(stops))
    assert len(stops) == 2
