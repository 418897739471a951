"""The view growth_windows over invented snapshots: gaps are told, nothing is made up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from igtool.lake import Lake

LATEST = datetime(2026, 6, 30, 12, tzinfo=UTC)
Windows = dict[int, dict[str, object]]


@pytest.fixture
def growth(lake: Lake) -> Callable[..., Windows]:
    """Stores snapshots of one series, ``(days before the latest, value)``, and gives its windows by their days."""

    def measure(*points: tuple[float, int], subject: str = "instagram:1", metric: str = "followers") -> Windows:
        rows = [
            {
                "subject_id": subject,
                "subject_type": "account",
                "metric": metric,
                "value": value,
                "answer_id": "an-answer",
                "observed_at": LATEST - timedelta(days=age),
            }
            for age, value in points
        ]
        with lake.transaction():
            lake.merge("metric_snapshots", rows)
        found = lake.rows("from growth_windows where subject_id = ? and metric = ?", (subject, metric))
        return {row["window_days"]: row for row in found}

    return measure


def test_daily_snapshots_have_growth_in_every_window(growth: Callable[..., Windows]) -> None:
    """With a snapshot a day the change is that of exactly 7, 30 and 90 days, and there is no gap."""
    windows = growth(*((age, 1000 - age) for age in range(100)))
    assert {days: row["change"] for days, row in windows.items()} == {7: 7, 30: 30, 90: 90}
    assert {days: row["observation_count"] for days, row in windows.items()} == {7: 8, 30: 31, 90: 91}
    assert all(row["has_gap"] is False and row["longest_gap_days"] == 1 for row in windows.values())
    assert windows[7]["baseline_at"] == LATEST - timedelta(days=7)
    assert (windows[7]["latest_value"], windows[7]["latest_at"]) == (1000, LATEST)
    assert windows[90]["change_share"] == pytest.approx(90 / 910)


def test_weekly_snapshots_are_no_gap(growth: Callable[..., Windows]) -> None:
    """The long tail is looked at every week, a little early or late: that is its cadence, not a gap."""
    windows = growth(*((7.3 * n, 500 - n) for n in range(15)))
    assert {days: row["has_gap"] for days, row in windows.items()} == {7: False, 30: False, 90: False}
    assert windows[7]["baseline_at"] == LATEST - timedelta(days=7.3)
    assert windows[30]["change"] == 5


def test_the_baseline_is_a_snapshot_not_an_interpolation(growth: Callable[..., Windows]) -> None:
    """Between snapshots 20 and 2 days ago, growth over 7 days rests on the older one and is flagged as a gap."""
    row = growth((20, 100), (2, 300), (0, 310))[7]
    assert (row["baseline_value"], row["change"], row["longest_gap_days"]) == (100, 210, 18)
    assert row["observation_count"] == 2
    assert row["has_gap"] is True


@pytest.mark.parametrize(("age", "has_gap"), [(7, False), (7.99, False), (8, False), (8.01, True)])
def test_a_missed_weekly_look_is_a_gap(growth: Callable[..., Windows], age: float, has_gap: bool) -> None:
    """Over 8 days between neighbours, from the baseline to the latest, are a gap; older ones do not count."""
    row = growth((age + 200, 1), (age, 5), (0, 9))[7]
    assert (row["change"], row["has_gap"]) == (4, has_gap)


@pytest.mark.parametrize(("age", "has_gap"), [(9.7, False), (9.8, True), (14, True)])
def test_an_old_baseline_is_a_gap(growth: Callable[..., Windows], age: float, has_gap: bool) -> None:
    """A baseline older than 1.25 windows and a day does not speak for the window, however close its neighbours."""
    row = growth((age, 4), (6.5, 5), (0, 6))[7]
    assert (row["baseline_value"], row["change"]) == (4, 2)
    assert row["longest_gap_days"] < 8
    assert row["has_gap"] is has_gap


def test_without_a_baseline_the_change_is_unknown(growth: Callable[..., Windows]) -> None:
    """A series younger than the window has no change and a gap, never a change since its first snapshot."""
    windows = growth((10, 100), (5, 105), (0, 110))
    assert (windows[7]["change"], windows[7]["baseline_value"]) == (10, 100)
    for days in (30, 90):
        row = windows[days]
        assert (row["baseline_value"], row["baseline_at"], row["change"], row["change_share"]) == (None,) * 4
        assert (row["has_gap"], row["observation_count"], row["longest_gap_days"]) == (True, 3, 5)


def test_a_single_snapshot_is_no_growth(growth: Callable[..., Windows]) -> None:
    """One snapshot gives its value in each window and nothing else."""
    for row in growth((0, 7)).values():
        assert (row["latest_value"], row["change"], row["longest_gap_days"], row["has_gap"]) == (7, None, None, True)


def test_growth_from_nothing_has_no_share(growth: Callable[..., Windows]) -> None:
    """From zero the change is known and its share is not; a loss is negative."""
    row = growth((7, 0), (0, 12))[7]
    assert (row["change"], row["change_share"], row["has_gap"]) == (12, None, False)
    row = growth((7, 40), (0, 30), metric="posts")[7]
    assert (row["change"], row["change_share"]) == (-10, -0.25)


def test_series_do_not_mix(growth: Callable[..., Windows], lake: Lake) -> None:
    """Each subject and metric is a series of its own, and its own latest snapshot ends its windows."""
    growth((7, 1), (0, 2))
    growth((7, 10), (0, 30), metric="posts")
    growth((27, 100), (20, 150), subject="instagram:2")
    rows = lake.rows("select subject_id, metric, change from growth_windows where window_days = 7 order by all")
    assert [tuple(row.values()) for row in rows] == [
        ("instagram:1", "followers", 1),
        ("instagram:1", "posts", 20),
        ("instagram:2", "followers", 50),
    ]


def test_of_two_answers_at_one_moment_one_counts(lake: Lake) -> None:
    """Two answers seen at the same time are one snapshot: the later answer id, whatever the order of the rows."""
    row = {"subject_id": "youtube:v", "subject_type": "content", "metric": "views", "observed_at": LATEST}
    before = {**row, "observed_at": LATEST - timedelta(days=8), "value": 10, "answer_id": "a"}
    for both in (("b", 50), ("c", 60)), (("c", 60), ("b", 50)):
        with lake.transaction():
            lake.merge("metric_snapshots", [before, *({**row, "answer_id": a, "value": v} for a, v in both)])
        (found,) = lake.rows("from growth_windows where window_days = 7")
        assert (found["latest_value"], found["change"], found["observation_count"]) == (60, 50, 1)


def test_the_zone_of_the_session_changes_nothing(growth: Callable[..., Windows], lake: Lake) -> None:
    """A window is 24 hours times its days, also over the night when clocks are set."""
    lake.execute("set TimeZone = 'Europe/Madrid'")
    expected = (LATEST - timedelta(days=93), 5)
    row = growth((93, 5), (90 - 1 / 48, 6), (0, 9))[90]
    assert (row["baseline_at"], row["baseline_value"]) == expected
