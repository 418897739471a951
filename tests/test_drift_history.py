"""Samples in a lake: which answers they are of, what changed in them, what doctor says, and `igtool drift`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from drift_answers import SHAPE, Body, context, many, raw

import igtool.commands.drift  # noqa: F401 - registers its command
from igtool.cli import main
from igtool.drift.coverage import ENOUGH, coverage, troubles
from igtool.drift.history import history
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.stages.drift import SAMPLE, Drift


@pytest.fixture
def keep(lake: Lake, journal: Journal, tmp_path: Path) -> Callable[..., Progress]:
    """Puts raw rows into the lake and runs the stage over it."""

    def kept(rows: Sequence[dict[str, Any]]) -> Progress:
        if rows:
            lake.merge("raw_responses", rows)
        progress = Progress(tmp_path / "progress.json", "run", bars=False)
        Runner(lake, journal, context(), progress).run([Drift()])
        return progress

    return kept


def test_the_sample_is_bounded_and_stays(lake: Lake, keep: Callable[..., Progress]) -> None:
    """Of each source, endpoint and week the answers with the smallest ids are counted, the same ones every time."""
    rows = raw(many(SAMPLE + 9), "2026-W30") + raw(many(3), "2026-W30", endpoint="timeline")
    rows += raw(many(2), "2026-W30", endpoint="timeline_error") + raw(many(2), "2026-W30", outcome="auth")
    rows += raw(many(SAMPLE), "2026-W53", "files", endpoint="a/b_error")
    keep(rows)
    counts = lake.rows("select source, week, answer_count from drift where path = '$' order by 1")
    assert [tuple(row.values()) for row in counts] == [
        ("files", "2026-W53", SAMPLE),
        ("instagram_web", "2026-W30", SAMPLE + 3),
    ]
    before = lake.rows("from drift order by drift_id")
    smallest = min(row["answer_id"] for row in rows if row["source"] == "files")
    assert {row["example_answer_id"] for row in before if row["source"] == "files" and row["path"] == "$"} == {smallest}
    assert keep([]).of("drift").new == 0
    late = raw(many(1), "2026-W30", answer_id="g", endpoint="timeline")  # greater than any hexadecimal id
    keep([*late, *raw(many(1), "2026-W30", answer_id="h")])
    counts = lake.rows("select answer_count from drift where path = '$' and source = 'instagram_web'")
    assert [row["answer_count"] for row in counts] == [SAMPLE + 4]
    lake.delete("raw_responses", "source", ["files"])
    keep([])
    assert lake.value("select count(*) from drift where source = 'files'") == 0


def test_history_by_source_and_week(lake: Lake, keep: Callable[..., Progress]) -> None:
    """The newest week is compared with those before; from a week on, each is; an unknown source is refused."""
    gone = many(10, lambda user: user.pop("biography"))
    for source in ("instagram_web", "files"):
        keep(raw(many(10), "2026-W30", source) + raw(gone, "2026-W31", source) + raw(gone, "2026-W32", source))
    keep(raw(gone, "2026-W33", "files"))
    newest = history(lake)
    assert {(c.source, c.week, c.path) for c in newest.changes} == set()  # a third of the weeks had it: no more missed
    every = history(lake, since="2026-W31")
    assert {(c.source, c.week) for c in every.changes} == {("files", "2026-W31"), ("instagram_web", "2026-W31")}
    assert (every.answers, sorted(every.weeks)[0]) == (70, "2026-W30")
    assert {c.source for c in history(lake, source="files", since="2026-W30").changes} == {"files"}
    with pytest.raises(UsageError, match="files, instagram_web"):
        history(lake, source="nowhere")


def test_a_shape_below_its_floor(lake: Lake, keep: Callable[..., Progress]) -> None:
    """A shape that fills far fewer columns, or one no longer, is a trouble that names the columns and their shares."""
    keep(raw(many(20), "2026-W30") + raw(many(20, lambda user: user.pop("edge_followed_by")), "2026-W31"))
    (judged,) = coverage(lake)
    assert not judged.ok
    assert judged.fallen == ("accounts.followers_count 100 % → 0 %",)
    ((name, detail),) = troubles(lake)
    assert (name, "2026-W31" in detail, "accounts.followers_count" in detail) == (f"shape {SHAPE}", True, True)

    def bare(user: Body) -> None:
        for field in ("full_name", "biography", "category_name", "edge_follow", "edge_owner_to_timeline_media"):
            user.pop(field)

    keep(raw(many(20, bare), "2026-W32"))
    (judged,) = coverage(lake)
    assert not judged.ok
    assert "content_items.like_count 100 % → 0 %" in judged.fallen


def test_shapes_that_are_in_order(lake: Lake, keep: Callable[..., Progress]) -> None:
    """The first week has no measure, few answers are not judged, and what some accounts lack is no trouble."""
    keep(raw(many(20), "2026-W30"))
    assert [(each.ok, each.usual) for each in coverage(lake)] == [(True, None)]
    keep(raw(many(ENOUGH - 1, lambda user: user.pop("biography")), "2026-W31"))
    assert [(each.ok, each.usual) for each in coverage(lake)] == [(True, None)]
    keep(raw(many(20, lambda user: user.pop("biography") if user["fbid"] % 2 else None), "2026-W32"))
    assert all(each.ok and each.usual for each in coverage(lake))
    assert list(troubles(lake)) == []


def test_answers_of_a_new_shape_are_a_trouble_of_live_sources(lake: Lake, keep: Callable[..., Progress]) -> None:
    """A live source whose answers no shape reads any more is out of order; files of an unknown shape are not."""
    for source in ("instagram_web", "files"):
        keep(raw(many(10), "2026-W30", source) + raw([{"profile": {"n": n}} for n in range(10)], "2026-W31", source))
    assert {(c.source, c.change, c.before, c.after) for c in history(lake).changes} == {
        ("files", "unread", "0 %", "100 %"),
        ("instagram_web", "unread", "0 %", "100 %"),
    }
    assert [name for name, _ in troubles(lake)] == ["answers of instagram_web"]


# --- the command ---


def drift(workspace: Path, *arguments: str) -> Result:
    """``igtool drift`` in a workspace."""
    given = ["--workspace", str(workspace), "drift", *arguments]
    return CliRunner().invoke(main, given, catch_exceptions=False)


@pytest.fixture
def workspace(lake: Lake, keep: Callable[..., Progress], tmp_path: Path) -> Path:
    """A workspace with one week of ten answers."""
    keep(raw(many(10), "2026-W30"))
    return tmp_path


def test_the_command_when_nothing_changed(workspace: Path, keep: Callable[..., Progress]) -> None:
    """It says how much it looked at, also when there is nothing to compare yet."""
    assert "10 answers of 1 shape in week 2026-W30; 1 shape is of one week only" in drift(workspace).stderr
    keep(raw(many(10), "2026-W31"))
    result = drift(workspace)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "nothing changed: 20 answers of 1 shape in weeks 2026-W30 to 2026-W31\n"


def test_the_command_tells_changes(workspace: Path, keep: Callable[..., Progress]) -> None:
    """A line in plain words for people, the same as one document for programs; rates only on request."""

    def now(user: Body) -> None:
        user.pop("biography")
        user["category_name"] = None
        user["fbid"] = str(user["fbid"])
        user["extra"] = {"a": 1}

    keep(raw(many(10, now), "2026-W31"))
    result = drift(workspace)
    shown = " ".join(result.stdout.split())
    for words in (
        "vanished (was in 100 % of the answers)",
        "was int, is str",
        "always null or empty now",
        "new, in 100 %",
    ):
        assert words in shown
    document = json.loads(drift(workspace, "--json").stdout)
    assert (document["command"], document["answers"], document["weeks"]) == ("drift", 20, ["2026-W30", "2026-W31"])
    assert {row["path"]: row["matters"] for row in document["rows"]} == {
        "data.user.biography": True,
        "data.user.category_name": True,
        "data.user.extra": False,
        "data.user.fbid": False,
    }
    assert json.loads(drift(workspace, "--json", "--since", "2026-08-05").stdout)["rows"] == []
    assert json.loads(drift(workspace, "--json", "--since", "2026-07-28").stdout)["rows"] == document["rows"]


def test_rates_of_fields_that_are_not_read(workspace: Path, keep: Callable[..., Progress]) -> None:
    """A field igtool does not read that became rarer is shown with --all only."""
    keep(raw(many(40, lambda user: user["fbid"] % 5 and user.pop("fbid")), "2026-W31"))
    assert drift(workspace).stdout == ""
    assert "rarer: in 20 % of the answers (was 100 %)" in " ".join(drift(workspace, "--all").stdout.split())


@pytest.mark.parametrize("since", ["yesterday", "2026-W54", "2026-W00", "2026-13-01", "0000-W01", "W30", ""])
def test_weeks_that_are_none(tmp_path: Path, since: str) -> None:
    """A --since that is no week ends with code 2 and says what one looks like."""
    result = drift(tmp_path, "--since", since)
    assert result.exit_code == 2
    assert "2026-W40" in result.stderr


def test_a_source_that_is_none_and_no_workspace(workspace: Path, tmp_path: Path) -> None:
    """Code 2 with the sources that there are, and with what makes a database."""
    result = drift(workspace, "--source", "nowhere")
    assert (result.exit_code, "instagram_web" in result.stderr) == (2, True)
    result = drift(tmp_path / "empty")
    assert (result.exit_code, "igtool enrich" in result.stderr) == (2, True)
