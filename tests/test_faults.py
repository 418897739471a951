"""The fault campaign itself: it notices what it is there to notice, and dies where it is told to."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.faults.judge import Tally
from benchmarks.faults.kinds import chosen
from benchmarks.faults.steps import Step, steps_of
from benchmarks.faults.table import BEGIN, END, markdown, write
from benchmarks.faults.tables import State
from benchmarks.faults.torn import lose_unsynced

ROOT = Path(__file__).parents[1]
EXPECTED = State(tables={"accounts": [("a", "a, 1"), ("b", "b, 2")]}, wrong=[])
_APPEND = """
import sys
from pathlib import Path
from benchmarks.faults.steps import Watch, watch
from igtool.lake import Lake
watch(Watch(Path(sys.argv[2]), int(sys.argv[3]), before=False))
with Lake(Path(sys.argv[1]), writable=True) as lake, lake.transaction():
    lake.append("watchlist", [{"watch_id": f"w{n}", "handle": "somebody"} for n in range(100)])
"""


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ([("a", "a, 1")], "lost"),
        ([("a", "a, 1"), ("b", "b, 2"), ("b", "b, 2")], "doubled"),
        ([("a", "a, 1"), ("b", "b, 3")], "silent"),
        ([("a", "a, 1"), ("b", "b, 2"), ("c", "c, 3")], "silent"),
    ],
)
def test_a_wrong_row_is_noticed(rows: list[tuple[str, str]], column: str) -> None:
    """A row that is lost, there twice, changed or invented is counted once, in its column."""
    tally = Tally("scene", "kill")
    tally.compare(EXPECTED, State(tables={"accounts": rows}, wrong=[]), "here")
    assert {name: getattr(tally, name) for name in ("lost", "doubled", "silent")} == {
        "lost": 0,
        "doubled": 0,
        "silent": 0,
    } | {column: 1}
    assert not tally.is_clean
    assert tally.details


def test_equal_tables_are_clean_and_damage_is_not() -> None:
    """The same rows in the same number are no finding; what `igtool verify` names after a run is."""
    tally = Tally("scene", "kill")
    tally.compare(EXPECTED, EXPECTED, "here")
    assert tally.is_clean
    tally.compare(EXPECTED, {**EXPECTED, "wrong": ["verify: a file is torn"]}, "here")
    assert tally.silent == 1


def test_a_question_that_was_paid_twice_is_noticed() -> None:
    """Only questions that can have been under way may be asked again."""
    tally = Tally("scene", "kill")
    tally.count_questions(Counter("ab"), Counter("aab"), 1, "here")
    assert (tally.asked_again, tally.paid_twice) == (1, 0)
    tally.count_questions(Counter("ab"), Counter("aabb"), 1, "here")
    assert (tally.asked_again, tally.paid_twice) == (2, 1)


@pytest.mark.parametrize(("code", "said"), [(1, ""), (-11, ""), (0, "x\nTraceback (most recent call last):")])
def test_an_end_without_a_name_is_noticed(code: int, said: str) -> None:
    """Exit code 1, a crash of the interpreter and a traceback are bugs, whatever the fault was."""
    tally = Tally("scene", "kill")
    assert not tally.count_exit(code, said, frozenset({0, 8}), "here")
    assert tally.unexpected == 1
    assert tally.count_exit(8, "3 items were rejected", frozenset({0, 8}), "here")


def test_every_place_is_died_at_before_any_is_died_at_twice() -> None:
    """With as many kills as there are places each has its turn; with enough of them every step has both of its own."""
    steps = [Step(number, "fsync", f"files.py:{number % 5}") for number in range(1, 41)]
    first = chosen(steps, 5, random.Random(1))
    assert {step.place for step, _ in first} == {step.place for step in steps}
    assert len(set(chosen(steps, 1_000, random.Random(1)))) == 80


def test_what_was_never_synced_is_lost(tmp_path: Path) -> None:
    """A power cut takes bytes and names that were not synced, and none that were."""
    before, after, log = tmp_path / "before", tmp_path / "after", tmp_path / "log"
    for folder in (before, after):
        folder.mkdir()
    for name in ("synced", "unsynced"):
        (after / name).write_bytes(name.encode() * 100)
    state = (after / "synced").stat()
    seen = {"kind": "fsync", "path": str(after / "synced"), "inode": state.st_ino}
    seen |= {"size": state.st_size, "changed_ns": state.st_mtime_ns}
    folder = {"kind": "fsync", "path": str(after), "inode": 0, "size": 0, "changed_ns": 0}
    log.write_text("\n".join(json.dumps(one) for one in (seen, folder)))
    done = [one for seed in range(20) for one in lose_unsynced(before, after, log, random.Random(seed))]
    assert done
    assert all(one.endswith("unsynced") for one in done)
    assert (after / "synced").read_bytes() == b"synced" * 100


def _append(tmp_path: Path, name: str, kill_at: int) -> tuple[int, Path, Path]:
    """Append to a new lake, killed after a step; exit code, lake and log."""
    folder, log = tmp_path / name, tmp_path / f"{name}.log"
    command = [sys.executable, "-c", _APPEND, str(folder), str(log), str(kill_at)]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    return run.returncode, folder, log


def test_a_commit_names_no_file_that_a_power_cut_can_take(tmp_path: Path) -> None:
    """Killed right after a commit of the lake, at a step found from outside: every data file is on disk by then."""
    code, _, log = _append(tmp_path, "whole", 0)
    assert code == 0
    last = [step for step in steps_of(log) if step.kind == "duckdb commit"][-1]
    code, folder, log = _append(tmp_path, "killed", last.number)
    assert code == -signal.SIGKILL
    assert list(folder.rglob("*.parquet"))
    (tmp_path / "nothing").mkdir()
    done = [one for seed in range(5) for one in lose_unsynced(tmp_path / "nothing", folder, log, random.Random(seed))]
    assert not [one for one in done if one.endswith(".parquet")]


def test_the_table_has_its_place_in_the_docs(tmp_path: Path) -> None:
    """The page has the markers, and only what is between them is written."""
    page = tmp_path / "page.md"
    text = (ROOT / "docs" / "reliability.md").read_text()
    page.write_text(text)
    write(markdown([Tally("llm", "kill", injected=3), Tally("llm", "clock", skipped="needs root")], "today"), page)
    found = page.read_text()
    assert "| llm | kill | 3 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in found
    assert "Left out: clock in llm: needs root." in found
    assert found.partition(BEGIN)[0] == text.partition(BEGIN)[0]
    assert found.partition(END)[2] == text.partition(END)[2]
