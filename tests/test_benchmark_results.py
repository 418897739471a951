"""Benchmarks as a product: lines of figures, their comparison, the page, the curves and the arithmetic of growth."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import curves, scale, suite, unit_costs
from benchmarks.page import page
from benchmarks.plots import standing_alone
from benchmarks.results import ENTRY, FILE, Measurement, Peer, Skipped, changes, emit, measurements, read

FASTER = Measurement("search, p50", 10.0, "ms", 60, "lower", "10,000 creators", peer=Peer("other", "1.0", 40.0))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results file that the environment names."""
    monkeypatch.setenv(FILE, str(tmp_path / "bench" / "results.jsonl"))
    monkeypatch.setenv(ENTRY, "entry")
    return tmp_path / "bench" / "results.jsonl"


def test_a_figure_is_a_line_with_versions_machine_and_a_ratio_to_each_peer(file: Path) -> None:
    """Rates and times: above 1 igtool is better; what was emitted is what is read."""
    peers = [Peer("fast", "2", 400.0), Peer("slow", "3", 50.0)]
    emit("rate", 100.0, "rows/s", n=3, better="higher", data="rows", peers=peers, packages=["tantivy"])
    emit("time", 2.0, "s", n=1, better="lower", peers=[Peer("slow", "3", 5.0)])
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["ratio"] for line in told] == [0.25, 2.0, 2.5]
    assert {"python", "igtool", "duckdb", "tantivy"} <= told[0]["versions"].keys()
    assert {"cpu", "cores", "memory_gb", "os", "load"} <= told[0]["machine"].keys()
    assert [(one.name, one.n, one.entry, one.ratio) for one in measurements(file)] == [
        ("rate", 3, "entry", 0.25),
        ("rate", 3, "entry", 2.0),
        ("time", 1, "entry", 2.5),
    ]


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark that is run alone leaves no file behind."""
    monkeypatch.delenv(FILE, raising=False)
    monkeypatch.chdir(tmp_path)
    emit("rate", 1.0, "rows/s", n=1, better="higher")
    assert not list(tmp_path.iterdir())


def test_a_line_that_is_no_figure_is_named(tmp_path: Path) -> None:
    """A results file that was edited by hand says where it is wrong."""
    path = tmp_path / "results.jsonl"
    path.write_text(f'{FASTER.line()}\n{{"name": "x"}}\n')
    with pytest.raises(ValueError, match="line 2"):
        list(read(path))


def test_changes_are_flagged_from_a_fifth_on_in_the_direction_that_counts() -> None:
    """Figures meet their namesakes alone; a time that grew is worse, a rate that grew is better."""
    rate = Measurement("rate", 100.0, "rows/s", 1, "higher")
    before = [FASTER, rate, replace(rate, data="other rows", value=1.0)]
    slower, better = replace(FASTER, value=13.0), replace(rate, value=110.0)
    found = {one.now.name: one for one in changes([slower, better, replace(rate, name="new")], before)}
    assert {name: (round(one.times, 2), one.is_flagged) for name, one in found.items()} == {
        "search, p50": (0.77, True),
        "rate": (1.1, False),
    }


def test_the_page_shows_every_figure_ratio_change_and_gap_and_escapes_them() -> None:
    """No script, nothing from a network, texts of benchmarks as they are."""
    odd = replace(FASTER, name="<script>alert(1)</script>", size=100)
    lines: list[Measurement | Skipped] = [FASTER, odd, replace(odd, size=1000), Skipped("pictures", "needs <models>")]
    text = page(lines, changes([replace(FASTER, value=30.0)], [FASTER]))
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "&lt;script&gt;" in text
    assert "4 ×" in text
    assert "0.33 ×" in text
    assert "needs &lt;models&gt;" in text


def test_an_entry_that_lacks_something_is_skipped_with_the_reason_and_one_that_fails_says_so(tmp_path: Path) -> None:
    """Neither stops the others, and both are lines of the file."""
    options = suite.Options(tmp_path, quick=True, peers=None)
    entries = [
        suite.Entry("missing", "genres", (), (), lambda _: "needs data that are not there"),
        suite.Entry("failing", "lake", ("--no-such-option",), ()),
    ]
    lines = suite.run_all(entries, options)
    assert lines[0] == Skipped("missing", "needs data that are not there")
    assert isinstance(lines[1], Skipped)
    assert lines[1].failed
    assert "--no-such-option" in lines[1].why


def test_every_entry_of_the_suite_has_a_module_and_peers_are_left_out_where_there_are_none(tmp_path: Path) -> None:
    """A renamed benchmark cannot fall out of the suite unnoticed."""
    assert all(find_spec(f"benchmarks.{entry.module}") for entry in suite.ENTRIES)
    assert len({entry.name for entry in suite.ENTRIES}) == len(suite.ENTRIES)
    without = suite.Options(tmp_path, quick=False, peers=None)
    assert without.filled(("--creators", "9", "--peer", "{peers}", "--quick")) == ["--creators", "9", "--quick"]
    assert replace(without, peers="/other/python").filled(("--peer", "{peers}")) == ["--peer", "/other/python"]


@pytest.mark.slow
def test_a_benchmark_of_the_suite_adds_its_figures_and_the_suite_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real entry, as `make bench-quick ARGS="--only start"` runs it."""
    monkeypatch.setattr(sys, "argv", ["suite", "--quick", "--only", "start", "--folder", str(tmp_path)])
    assert suite.main() == 0
    (first, *_) = measurements(tmp_path / "results.jsonl")
    assert (first.entry, first.name, first.unit) == ("start", "igtool --help", "s")
    assert first.value > 0
    assert first.peer is not None
    assert "igtool --help" in (tmp_path / "results.html").read_text()


def _curve(name: str, power: float) -> list[Measurement]:
    return [
        Measurement(name, 3 * (size / 1000) ** power, "s", 1, "lower", "d", size) for size in (1000, 10_000, 50_000)
    ]


def test_an_exponent_is_that_of_the_growth_and_more_than_a_straight_line_is_said() -> None:
    """Squares are to be explained, straight lines are not; the plot draws both."""
    figures = [*_curve("one, time", 1.0), *_curve("two, time", 2.0)]
    assert curves.exponent([(1, 5), (10, 500), (100, 50_000)]) == pytest.approx(2)
    one, two = curves.told(figures)
    assert "1.00 in all" in one
    assert one.endswith("linear or less")
    assert "2.00 in all" in two
    assert two.endswith("to be explained")


def test_the_plot_of_curves_is_one_file_with_its_own_colours(tmp_path: Path) -> None:
    """It stands alone: light and dark, a line a stage."""
    curves.plot([*_curve("one, time", 1.0), *_curve("two, time", 2.0), *_curve("disk, index", 1.0)], tmp_path / "c.svg")
    text = (tmp_path / "c.svg").read_text()
    assert text.count("<polyline") == 3
    assert "prefers-color-scheme: dark" in text
    assert standing_alone([]).startswith("<svg")


def test_unit_costs_are_what_a_creator_more_costs_between_the_largest_points(tmp_path: Path) -> None:
    """The fixed start of a process is no cost of a creator; what is written is what is read."""
    unit = unit_costs.Unit(1.0, "ms", "a creator", "", 1, "embed, processor", 1000.0)
    figures = [
        Measurement("embed, processor", 5 + size * 0.002, "s", 1, "lower", "answers, more", size)
        for size in (1000, 10_000, 50_000)
    ]
    units = unit_costs.from_curves({"embed": unit, "other": replace(unit, figure="")}, figures)
    assert (units["embed"].value, units["embed"].n) == (2.0, 50_000)
    assert units["other"].value == 1.0
    path = tmp_path / "units.toml"
    path.write_text("# kept\n")
    unit_costs.save(units, path)
    assert unit_costs.load(path) == units
    assert path.read_text().startswith("# kept\n")


def test_the_page_about_growth_says_what_is_computed() -> None:
    """Refreshed with `python -m benchmarks.scale`; every table of it is on the page."""
    text = scale.PAGE.read_text(encoding="utf-8")
    assert scale.page(text, unit_costs.load()) == text, "run `python -m benchmarks.scale`"
    assert all(f"<!-- computed: {name} -->" in text for name in scale.TABLES)
    assert [name for name, unit in unit_costs.load().items() if not unit.measured] == []


def test_the_arithmetic_of_growth_follows_its_unit_costs() -> None:
    """A unit cost twice as high doubles its line; ten times the creators take ten times of all, but keys a hundred."""
    units = unit_costs.load()
    world = scale.World(1_000_000, units)
    dearer = scale.World(1_000_000, {**units, "text_ms": replace(units["text_ms"], value=2 * units["text_ms"].value)})
    own = world.hours("text_ms", world.texts)
    assert dearer.first_hours["embed"] - world.first_hours["embed"] == pytest.approx(own)
    larger = scale.World(10_000_000, units)
    first = larger.first_hours
    for name, hours in world.first_hours.items():
        assert first[name] == pytest.approx((100 if name == scale.KEYS else 10) * hours)
    for name, value in world.stores.items():
        assert larger.stores[name] == pytest.approx(10 * value)
