"""Tiers, cadences and what is due, recomputed from publishing times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from conftest import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.errors import ConfigError
from igtool.lake import Lake
from igtool.settings import Settings
from igtool.tiers import (
    TIERS,
    Tiers,
    cadence_h,
    cadence_sql,
    due_accounts,
    freshness,
    tier_counts,
    tier_of,
    tier_query,
)

DAY = timedelta(days=1)


def store(lake: Lake, accounts: dict[str, dict[str, object]]) -> None:
    """Accounts by handle; ``posts``: ages in days; ``seen``: hours since observed; ``creator``; ``every_h``."""
    tables: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("accounts", "content_items", "creator_links", "schedule_overrides")
    }
    for handle, about in accounts.items():
        platform = str(about.get("platform", "instagram"))
        account = f"{platform}:{handle}"
        seen = about.get("seen", 1)
        observed = None if seen is None else NOW - timedelta(hours=seen)  # type: ignore[arg-type]
        tables["accounts"].append(
            {"account_id": account, "platform": platform, "handle": handle, "observed_at": observed, "answer_id": "x"}
        )
        for number, age in enumerate(about.get("posts", ())):  # type: ignore[arg-type, var-annotated]
            tables["content_items"].append(
                {
                    "content_id": f"{account}:{number}",
                    "account_id": account,
                    "published_at": NOW - age * DAY,
                    "observed_at": NOW,
                    "answer_id": "x",
                }
            )
        if creator := about.get("creator"):
            tables["creator_links"].append({"account_id": account, "creator_id": creator})
        if "every_h" in about or "priority" in about:
            tables["schedule_overrides"].append(
                {
                    "platform": platform,
                    "handle": handle,
                    "priority": about.get("priority"),
                    "every_h": about.get("every_h"),
                }
            )
    with lake.transaction():
        for name, rows in tables.items():
            lake.merge(name, rows)


def tiered(lake: Lake) -> dict[str, dict[str, object]]:
    """The rows of ``tier_query`` by handle."""
    return {row["handle"]: row for row in lake.rows(tier_query(NOW, Tiers()))}


def test_tier_follows_the_newest_item_of_any_account_of_the_creator(lake: Lake) -> None:
    """Exactly 7 and 30 days still count, a sister account lifts a silent one, an account alone does not."""
    store(
        lake,
        {
            "edge7": {"posts": [7.0, 20]},
            "past7": {"posts": [7.001]},
            "edge30": {"posts": [30.0]},
            "past30": {"posts": [30.001]},
            "none": {},
            "silent": {"posts": [200], "creator": "c1"},
            "loud": {"posts": [2], "creator": "c1", "platform": "youtube"},
            "stranger": {"posts": [200], "creator": "c2"},
        },
    )
    rows = tiered(lake)
    assert {handle: row["tier"] for handle, row in rows.items()} == {
        "edge7": "active",
        "past7": "semi_active",
        "edge30": "semi_active",
        "past30": "long_tail",
        "none": "long_tail",
        "silent": "active",
        "loud": "active",
        "stranger": "long_tail",
    }
    assert rows["silent"]["newest_at"] == NOW - 2 * DAY
    assert tier_counts(lake, NOW, Tiers()) == {"active": 3, "semi_active": 2, "long_tail": 3}


def test_items_from_the_future_do_not_count(lake: Lake) -> None:
    """An item dated after now makes no account active."""
    store(lake, {"odd": {"posts": [-400, 100]}, "only_odd": {"posts": [-1]}})
    rows = tiered(lake)
    assert rows["odd"]["tier"] == rows["only_odd"]["tier"] == "long_tail"
    assert rows["only_odd"]["items_per_week"] is None


def test_posting_rate_rests_on_the_time_that_the_known_items_cover(lake: Lake) -> None:
    """A first page of a busy account is not spread over 90 days, and a single new item is not a torrent."""
    store(
        lake,
        {
            "busy": {"posts": [number * 0.8 for number in range(1, 13)]},  # 12 items within 9.6 days
            "first": {"posts": [0.1]},
            "slow": {"posts": [10, 40, 80, 120, 500]},
            "asleep": {"posts": [400]},
        },
    )
    rates = {handle: row["items_per_week"] for handle, row in tiered(lake).items()}
    assert rates["busy"] == pytest.approx(12 * 7 / 9.6)
    assert rates["first"] == pytest.approx(1)
    assert rates["slow"] == pytest.approx(3 * 7 / 90)
    assert rates["asleep"] == 0


def test_due_accounts_come_by_priority_then_never_seen_then_oldest(lake: Lake) -> None:
    """The user's priority and cadence go before the tier's; what is not due stays out."""
    twice_a_week = [1 + 3.5 * number for number in range(26)]  # has the active tier's own cadence
    store(
        lake,
        {
            "late": {"posts": twice_a_week, "seen": 30},
            "later": {"posts": twice_a_week, "seen": 50},
            "fresh": {"posts": twice_a_week, "seen": 20},
            "tail": {"posts": [60], "seen": 400},
            "never": {"posts": [60], "seen": None},
            "urgent": {"posts": [60], "seen": 200, "priority": 99, "every_h": 1.0},
            "often": {"posts": twice_a_week, "seen": 3, "every_h": 2.0},
            "seldom": {"posts": twice_a_week, "seen": 300, "every_h": 1000.0},
        },
    )
    due = due_accounts(lake, NOW, Tiers()).to_pylist()
    assert [row["handle"] for row in due] == ["urgent", "later", "late", "often", "never", "tail"]
    by_handle = {row["handle"]: row for row in due}
    assert by_handle["late"]["overdue_h"] == pytest.approx(6, abs=0.5)
    assert by_handle["often"]["due_at"] == NOW - timedelta(hours=1)
    assert by_handle["urgent"]["priority"] == 99
    assert [row["handle"] for row in due_accounts(lake, NOW, Tiers(), limit=2).to_pylist()] == ["urgent", "later"]


def test_freshness_tells_each_tier_even_an_empty_one(lake: Lake) -> None:
    """Share that is not overdue, and the median of the rest."""
    store(
        lake,
        {
            "a": {"posts": [1], "seen": 1},
            "b": {"posts": [1], "seen": 100},
            "c": {"posts": [90], "seen": 1000},
            "d": {"seen": None},
        },
    )
    active, semi_active, long_tail = freshness(lake, NOW, Tiers())
    assert (active.accounts, active.fresh, active.fresh_share) == (2, 1, 0.5)
    assert active.overdue_median_h == pytest.approx(100 - cadence_h("active", 1.0, Tiers()))
    assert (semi_active.accounts, semi_active.fresh_share) == (0, None)
    assert (long_tail.accounts, long_tail.fresh) == (2, 0)


def test_bounds_of_the_default_tiers_meet() -> None:
    """The documented bounds: 12-48, 48-144, 144-336 hours."""
    assert Tiers().bounds_h == ((12, 48), (48, 144), (144, 336))
    assert [cadence_h(tier, None, Tiers()) for tier in TIERS] == [24, 72, 168]
    assert [cadence_h(tier, 0, Tiers()) for tier in TIERS] == [48, 144, 336]
    assert cadence_h("active", 2, Tiers()) == pytest.approx(24)
    assert cadence_h("active", 8, Tiers()) == pytest.approx(12)
    assert cadence_h("long_tail", 9, Tiers(), every_h=3) == 3


some_tiers = st.builds(
    lambda days, every: Tiers(days[0], days[0] + days[1], *sorted(every)),
    st.tuples(st.floats(0.1, 60), st.floats(0.1, 400)),
    st.tuples(*[st.floats(0.5, 2000)] * 3),
)


@given(some_tiers, st.floats(0, 500), st.floats(0, 500))
def test_cadence_keeps_to_its_tier_and_falls_with_the_rate(tiers: Tiers, rate: float, more: float) -> None:
    """For any settings: bounds in order, the base within them, a busier account is never looked at less often."""
    flat = [edge for bounds in tiers.bounds_h for edge in bounds]
    assert flat == sorted(flat)
    for tier, base, (least, most) in zip(TIERS, tiers.every_h, tiers.bounds_h, strict=True):
        assert least <= base <= most
        slow, busy = cadence_h(tier, rate, tiers), cadence_h(tier, rate + more, tiers)
        assert least <= busy <= slow <= most


def test_sql_and_python_agree_on_the_cadence(lake: Lake) -> None:
    """The SQL expression gives what the function gives, for random settings, rates and overrides."""

    @settings(max_examples=60, deadline=None)
    @given(
        some_tiers,
        st.sampled_from(TIERS),
        st.none() | st.floats(0, 1000),
        st.none() | st.floats(0.5, 5000),
    )
    def check(tiers: Tiers, tier: str, rate: float | None, every: float | None) -> None:
        query = (
            f"select {cadence_sql(tiers)} from (select ? as tier, ?::double as items_per_week, ?::double as every_h)"
        )
        assert lake.value(query, (tier, rate, every)) == pytest.approx(cadence_h(tier, rate, tiers, every))

    check()


@given(st.floats(0, 100))
def test_tier_of_agrees_with_the_limits(age: float) -> None:
    """Up to 7 days active, up to 30 semi-active, else long tail."""
    expected = "active" if age <= 7 else "semi_active" if age <= 30 else "long_tail"
    exact = timedelta(microseconds=round(age * 86_400e6))
    if abs(exact / DAY - 7) > 1e-9 and abs(exact / DAY - 30) > 1e-9:
        assert tier_of(NOW - exact, NOW, Tiers()) == expected
    assert tier_of(None, NOW, Tiers()) == "long_tail"


def test_settings_out_of_order_are_refused() -> None:
    """Each wrong pair is named; good settings come through."""
    with pytest.raises(ConfigError, match="active_days"):
        Tiers(active_days=30, semi_active_days=30)
    with pytest.raises(ConfigError, match="rising order"):
        Tiers(active_every_h=100)
    assert Tiers.of(Settings(active_every_h=6)).active_every_h == 6
    with pytest.raises(ValueError, match="zone"):
        tier_query(datetime(2026, 1, 1), Tiers())  # noqa: DTZ001 - that is what is refused
