"""``igtool gc``: what is past its time goes, what is made of it stays, and what nothing needs is deleted."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from stored_people import NOW, answer_row

from igtool.cli import main
from igtool.disposal import collect
from igtool.errors import ConfigError, LockedError, UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pipeline import run_stages
from igtool.rebuild import rebuild
from igtool.retention import TIMES, days_of
from igtool.schema import TABLES
from igtool.session import open_session
from igtool.settings import Settings, load

OLD, NEW = NOW - timedelta(days=400), NOW - timedelta(days=3)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An old and a new account, read; answers are kept for 180 days."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "igtool.toml").write_text('retention = { raw_responses = "180d", search_log = "1y" }\n')
    settings = load(tmp_path / "w", processes=1)
    with open_session(settings, "test", lambda: False) as session:
        with session.lake.transaction():
            session.lake.append_new("raw_responses", [answer_row(1, OLD), answer_row(2, NEW)])
            searches = [{"search_id": f"s{at:%Y}", "query": "bread", "searched_at": at} for at in (OLD, NEW)]
            session.lake.append_new("search_log", searches)
        run_stages(session, ["normalize", "drift"])
    return settings


def counts(settings: Settings, *tables: str) -> list[int]:
    """Rows of each table."""
    with Lake(settings.data, writable=False) as lake:
        return [lake.value(f"select count(*) from {name}") for name in tables]


def test_ages_are_told_by_columns_that_exist() -> None:
    """Every table that may have a time has the column its age is told by."""
    assert all(any(c.name == column for c in TABLES[name].columns) for name, column in TIMES.items())


@pytest.mark.parametrize(("text", "days"), [("180d", 180), ("26w", 182), ("1y", 365)])
def test_a_time_is_days_weeks_or_years(text: str, days: int) -> None:
    """The three ways to write it."""
    assert days_of(text) == days


@pytest.mark.parametrize("wrong", ['{ reviews = "1y" }', '{ raw_responses = "soon" }', '{ raw_responses = "0d" }'])
def test_what_is_always_kept_cannot_be_given_a_time(tmp_path: Path, wrong: str) -> None:
    """Words of people and proofs have no age, and a time that is none is refused by name."""
    (tmp_path / "igtool.toml").write_text(f"retention = {wrong}\n")
    with pytest.raises(ConfigError, match="retention"):
        load(tmp_path)


def test_old_answers_go_and_what_was_made_of_them_stays(settings: Settings) -> None:
    """Also in later runs; their bytes are off the disk; made anew it would be lost, which is refused."""
    tables = ("accounts", "account_states", "content_items", "metric_snapshots", "drift")
    before = counts(settings, *tables)
    found = {one.what: one.items for one in collect(settings, now=NOW)}
    assert (found["rows of raw_responses"], found["rows of search_log"]) == (1, 1)
    assert counts(settings, "raw_responses", "search_log") == [1, 1]
    with open_session(settings, "test", lambda: False) as session:
        run_stages(session, ["normalize", "drift"])
        assert all(count.new + count.updated == 0 for count in session.progress.counts.values())
        with pytest.raises(UsageError, match="would be lost"):
            rebuild(session)
    assert counts(settings, *tables) == before
    assert not [one for one in collect(settings, now=NOW) if one.what.startswith("rows")]


def test_a_dry_run_says_the_same_and_deletes_nothing(settings: Settings) -> None:
    """Rows and files are counted; every file stays."""
    litter(settings)
    before = sorted(settings.workspace.rglob("*"))
    said = {one.what: one.items for one in collect(settings, dry_run=True, now=NOW)}
    assert sorted(path for path in settings.workspace.rglob("*") if "sqlite-" not in path.name) == [
        path for path in before if "sqlite-" not in path.name
    ]
    done = {one.what: one.items for one in collect(settings, now=NOW) if one.items}
    assert done == said


def litter(settings: Settings) -> list[Path]:
    """One file of each kind that nothing needs, older than a month."""
    data, cache = settings.data, settings.cache
    names = ["main/accounts/ducklake-lost.parquet", ".lake.json.9.tmp", "spill/block", "upgrades/schema-1/lake.json"]
    paths = [*(data / name for name in names), cache / "pieces" / "p1", cache / "images" / "ab" / ("ab" + "0" * 62)]
    paths += [data / "index" / "old-1" / "manifest.json", settings.workspace / ".restoring" / "data" / "x"]
    long_ago = time.time() - 40 * 86_400
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (long_ago, long_ago))
        os.utime(path.parent, (long_ago, long_ago))
    return paths


def test_files_that_nothing_needs_go(settings: Settings) -> None:
    """Each kind of them; the report says how many bytes."""
    paths = litter(settings)
    result = CliRunner().invoke(main, ["--workspace", str(settings.workspace), "gc", "--json"])
    assert result.exit_code == 0, result.output
    assert not [path for path in paths if path.exists()]
    assert json.loads(result.stdout)["bytes"] >= 100 * len(paths)
    with Lake(settings.data, writable=False) as lake:
        assert lake.value("select count(*) from accounts") == 2


def test_gc_waits_for_no_writer_and_makes_no_lake(settings: Settings, tmp_path: Path) -> None:
    """Exit codes 7 and 2."""
    with Journal(settings.cache, writable=True), pytest.raises(LockedError):
        collect(settings)
    with pytest.raises(UsageError, match="no creator database"):
        collect(load(tmp_path))
