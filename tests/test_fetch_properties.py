"""Whatever the platform does and wherever the process dies: nothing is lost, doubled, or asked too fast."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from fetch_world import FINAL, PACE, Deed, PostsPage, ScriptedSource, SecondSource, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.errors import BudgetError, RateLimitedError
from igtool.journal.queue import ENDED

ANSWERS = [
    "ok",
    "ok",
    "404",
    "429",
    "429 45",
    "429 0",
    "500",
    "network",
    "html",
    "invalid",
    "private",
    "refused",
    "empty",
]
DEATHS = [*("",) * 8, "before", "asked", "inside", "recorded"]
HANDLES = ["ann", "bob", "cy", "dee"]

deeds = st.builds(Deed, st.sampled_from(ANSWERS), st.sampled_from(DEATHS))
bursts = st.builds(lambda deed, times: [deed] * times, deeds, st.sampled_from([1, 1, 1, 2, 3, 6]))
scripts = st.lists(bursts, max_size=12).map(lambda parts: [deed for part in parts for deed in part])
cursors = st.sampled_from([None, "a", "b", "c", "d"])
post_pages = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.builds(
        PostsPage,
        st.lists(st.sampled_from([f"p{n}" for n in range(8)]), max_size=3).map(tuple),
        cursors,
        st.sampled_from([None, True, False]),
        st.lists(st.sampled_from(["b", "c", "e"]), max_size=2).map(tuple),
    ),
)
seeds = st.integers(0, 999)
small = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the system has such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


def check(world: World) -> None:
    """What holds of every world in which every job has ended."""
    jobs = world.jobs()
    assert {(handle, "profile") for handle in HANDLES} <= jobs.keys()
    assert set(jobs.values()) <= set(ENDED) - {"failed"}
    recorded = {
        (one.handle, one.kind, one.cursor) for one in world.asked if one.answer in ("ok", "private") and one.is_recorded
    }
    assert world.outbox() == dict.fromkeys(recorded, 1)
    for handle in HANDLES:
        if jobs[handle, "profile"] == "done":
            assert (handle, "profile", "") in recorded
    check_asked_once(world)
    for source in {one.source for one in world.asked}:
        check_pace(world, source)


def check_asked_once(world: World) -> None:
    """What was answered for good, and recorded, is not asked again of the same source."""
    ended = set()
    for one in world.asked:
        what = (one.source, one.handle, one.kind, one.cursor)
        assert what not in ended
        if one.is_recorded and one.answer in FINAL:
            ended.add(what)


def check_pace(world: World, source: str) -> None:
    """No window holds more than allowed, every pause and every rest is kept."""
    arrivals = [one.at for one in world.asked if one.source == source]
    for limit in world.policy.limits:
        for early, late in zip(arrivals, arrivals[limit.requests :], strict=False):
            assert late - early >= limit.window_s - 1e-6
    events = [(what, at) for what, name, at in world.events if name == source]
    least, _ = world.policy.jitter_s
    for (_, before), (what, later) in pairwise(events):
        assert what == "end" or later - before >= least - 1e-6
    claims = [at for what, at in events if what == "claim"]
    together = 1
    for before, later in pairwise(claims):
        together = 1 if later - before >= world.policy.batch_pause_s - 1e-6 else together + 1
        assert together <= world.policy.batch_size


@small
@given(script=scripts, pages=post_pages, latency=st.sampled_from([0.0, 0.5, 30.0]), seed=seeds)
@pytest.mark.slow
def test_whatever_happens_every_account_ends_once(
    script: list[Deed], pages: dict[str, PostsPage], latency: float, seed: int
) -> None:
    """With one source: any answers, any deaths, any restarts, the list in any order."""
    with folder() as place:
        world = World(place, script, pages, latency, seed=seed)
        world.until_ended(HANDLES)
        check(world)


@small
@given(script=scripts, pages=post_pages, latency=st.sampled_from([0.5, 30.0]), seed=seeds)
@pytest.mark.slow
def test_a_second_source_takes_over_and_nothing_is_asked_twice(
    script: list[Deed], pages: dict[str, PostsPage], latency: float, seed: int
) -> None:
    """With two sources: what the first does not find the second is asked for, and not the first again."""
    with folder() as place:
        world = World(place, script, pages, latency, source_types=(ScriptedSource, SecondSource), seed=seed)
        world.until_ended(HANDLES)
        check(world)


@settings(max_examples=25, deadline=None)
@given(script=scripts, cents=st.integers(0, 6))
def test_the_money_limit_holds_in_every_run(script: list[Deed], cents: int) -> None:
    """However often tries are repeated: no run spends more, and it says so when it stops."""
    with folder() as place:
        world = World(place, [Deed(one.answer) for one in script], max_cost_usd=cents / 100)
        world.run(HANDLES)
        assert len(world.asked) <= cents
        if world.waiting() and not any(isinstance(one, RateLimitedError) for one in world.troubles):
            assert any(isinstance(one, BudgetError) for one in world.troubles) or "failed" in world.jobs().values()


@pytest.mark.parametrize("usual", ["429", "429 20000", "500", "html"])
@pytest.mark.parametrize("count", [1, 7])
def test_a_platform_that_stays_bad_does_not_hold_a_run_for_ever(tmp_path: Path, usual: str, count: int) -> None:
    """Nine runs in a row end by themselves, within the wait that the user allows each, and lose no account."""
    world = World(tmp_path, usual=usual)
    handles = [f"h{number}" for number in range(count)]
    for _ in range(9):
        before = world.clock.now()
        world.run(handles)
        assert world.clock.now() - before < 14_400 + 3_600
        assert {handle for handle, _ in world.jobs()} == set(handles)
        assert "leased" not in world.jobs().values()
        world.clock.time += 7 * 3_600
    check_pace(world, "first")


def test_good_answers_only_take_one_run_and_one_request_each(tmp_path: Path) -> None:
    """The profile and then the pages, in order; a second run asks nothing."""
    pages = {"a": PostsPage(("p1",), "b", more=True), "b": PostsPage(("p2",), None, more=False)}
    world = World(tmp_path, pages=pages)
    world.run(HANDLES)
    asked = defaultdict(list)
    for one in world.asked:
        asked[one.handle].append(one.cursor)
    assert asked == {handle: ["", "a", "b"] for handle in HANDLES}
    world.run(HANDLES)
    assert len(world.asked) == 3 * len(HANDLES)
    assert world.policy == PACE
