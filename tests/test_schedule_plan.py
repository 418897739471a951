"""Which accounts the schedule wants looked at now, in which order, and which it leaves alone."""

from __future__ import annotations

from datetime import timedelta

from conftest import NOW
from test_schedule_tiers import store

from igtool.journal import Journal
from igtool.journal.queue import DEAD, DONE, FAILED, NOT_FOUND, Queue, Standing, Wanted
from igtool.lake import Lake
from igtool.platforms.live import PROFILE
from igtool.schedule.plan import by_tier, due_now, left_alone, next_due
from igtool.tiers import Tiers

CHANNEL = "UC" + "a" * 22
BOTH = ("instagram", "youtube")


def watch(lake: Lake, *handles: tuple[str, str]) -> None:
    """Put accounts on a list."""
    rows = [
        {
            "watch_id": str(line),
            "list_name": "list",
            "line": line,
            "platform": platform,
            "handle": handle,
            "raw_value": handle,
        }
        for line, (platform, handle) in enumerate(handles)
    ]
    with lake.transaction():
        lake.merge("watchlist", rows)


def names(lake: Lake, limit: int | None = None, backfill: int = 10, left: str = "") -> list[str]:
    """The handles that are due; ``left``: Instagram handles to leave alone."""
    alone = frozenset(("instagram", handle) for handle in left.split())
    return [
        one.handle for one in due_now(lake, NOW, Tiers(), limit=limit, backfill=backfill, platforms=BOTH, left=alone)
    ]


def test_order_of_what_is_due(lake: Lake) -> None:
    """By tier, within a tier the longest overdue; what the user set goes first; backfill comes last."""
    store(
        lake,
        {
            "tail": {"posts": [100], "seen": 2_000},
            "late": {"posts": [1], "seen": 100},
            "later": {"posts": [1], "seen": 200},
            "semi": {"posts": [20], "seen": 2_000},
            "first": {"posts": [100], "seen": 2_000, "priority": 50},
            "fresh": {"posts": [1], "seen": 1},
        },
    )
    watch(lake, ("instagram", "new_b"), ("instagram", "new_a"), ("instagram", "late"))
    assert names(lake) == ["first", "later", "late", "semi", "tail", "new_b", "new_a"]
    found = due_now(lake, NOW, Tiers(), limit=None, backfill=10, platforms=BOTH)
    assert [one.priority for one in found] == [50, 30, 30, 20, 10, 0, 0]
    assert [(row["tier"], row["due"]) for row in by_tier(found)] == [
        ("active", 2),
        ("semi_active", 1),
        ("long_tail", 2),
        ("backfill", 2),
    ]


def test_a_platform_without_a_source_takes_no_place(lake: Lake) -> None:
    """What nobody can be asked for is not due, neither known nor new accounts."""
    store(lake, {"tail": {"posts": [100], "seen": 2_000}})
    watch(lake, ("instagram", "new_a"), ("youtube", "new_b"))
    found = due_now(lake, NOW, Tiers(), limit=1, backfill=5, platforms=("youtube",))
    assert [one.handle for one in found] == ["new_b"]
    assert due_now(lake, NOW, Tiers(), limit=None, backfill=5, platforms=()) == []


def test_limits(lake: Lake) -> None:
    """At most so many accounts, and backfill only in the room that is left, and never above its own limit."""
    store(lake, {f"tail{n}": {"posts": [100], "seen": 2_000 + n} for n in range(3)})
    watch(lake, *(("instagram", f"new{n}") for n in range(5)))
    assert names(lake, limit=2) == ["tail2", "tail1"]
    assert names(lake, limit=4) == ["tail2", "tail1", "tail0", "new0"]
    assert names(lake, backfill=2) == ["tail2", "tail1", "tail0", "new0", "new1"]
    assert names(lake, backfill=0) == ["tail2", "tail1", "tail0"]


def test_a_channel_is_asked_by_its_id(lake: Lake) -> None:
    """A YouTube account whose id is known goes by it; a watched id that is stored is not new."""
    with lake.transaction():
        account = {"account_id": f"youtube:{CHANNEL}", "platform": "youtube", "handle": "name"}
        about = {"platform_user_id": CHANNEL, "observed_at": NOW - timedelta(days=90), "answer_id": "x"}
        lake.merge("accounts", [account | about])
    watch(lake, ("youtube", CHANNEL), ("youtube", "name"), ("youtube", "other"))
    assert names(lake) == [CHANNEL, "other"]


def test_what_is_left_alone_takes_nobodys_place(lake: Lake) -> None:
    """Accounts that are gone, failed or dead neither fill the limit nor the backfill."""
    store(lake, {f"tail{n}": {"posts": [100], "seen": 2_000 + n} for n in range(4)})
    watch(lake, *(("instagram", f"new{n}") for n in range(4)))
    alone = "tail3 tail2 new0 new1"
    assert names(lake, limit=2, left=alone) == ["tail1", "tail0"]
    assert names(lake, limit=3, backfill=2, left=alone) == ["tail1", "tail0", "new2"]


def test_who_is_left_alone(journal: Journal) -> None:
    """What was not found or failed until its own delay is over, and dead letters always; nothing else."""
    now = NOW.timestamp()
    states = {
        "gone": Standing(NOT_FOUND, now + 60, now - 60),
        "gone_long": Standing(NOT_FOUND, now - 60, now - 600),
        "failed": Standing(FAILED, now + 60, now - 60),
        "failed_long": Standing(FAILED, now - 60, now - 600),
        "dead": Standing(DEAD, 0, now - 10**7),
        "done": Standing(DONE, 0, now - 60),
        "done_long": Standing(DONE, 0, now - 10**7),
        "waits": Standing("waiting", 0, None),
    }
    queue = Queue(journal)
    queue.enqueue((Wanted("instagram", handle, PROFILE, "tikhub") for handle in states), run="r", now=now)
    with journal.transaction() as cursor:
        for handle, one in states.items():
            values = (one.state, one.due_at, one.ended_at, handle)
            cursor.execute("update jobs set state = ?, due_at = ?, ended_at = ? where handle = ?", values)
    assert left_alone(queue, NOW) == {("instagram", handle) for handle in ("gone", "failed", "dead")}


def test_next_due(lake: Lake) -> None:
    """The first time in the future at which an account becomes due; None where there is none."""
    assert next_due(lake, NOW, Tiers()) is None
    store(lake, {"late": {"seen": 2_000}, "soon": {"seen": 100}, "then": {"seen": 50}})
    assert next_due(lake, NOW, Tiers()) == NOW + timedelta(hours=68)
