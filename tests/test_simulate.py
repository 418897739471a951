"""The simulation of the schedule: against an exact one event by event, and against sums done by hand."""

from __future__ import annotations

import heapq
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.schedule.calendar import Calendar
from igtool.schedule.plot import plot
from igtool.schedule.population import NEVER, PLATFORMS, Population, cadences_h, tiers_at
from igtool.schedule.scenario import INSTAGRAM_WEB, TIKHUB, YOUTUBE, Scenario, SourcePace
from igtool.schedule.simulate import CLASSES, Server, capacity, simulate
from igtool.tiers import TIERS, Tiers, cadence_h

TICK_H = 1 / 6


@dataclass
class ExactServer:
    """A source, request by request; a look takes whole numbers of requests and units."""

    pace: SourcePace
    free_h: float = 0.0
    requests: int = 0
    units: float = 0.0
    day: int = -1

    def begin(self, now_h: float) -> bool:
        """Begin a look now, if it is allowed now; else note when to ask again."""
        if now_h < self.free_h:
            return False
        if int(now_h // 24) != self.day:
            self.day, self.units = int(now_h // 24), (self.pace.units_per_day or float("inf")) * self.pace.keys
        if self.units < self.pace.units_per_look:
            self.free_h = (self.day + 1) * 24.0
            return False
        self.units -= self.pace.units_per_look
        self.free_h = now_h + self.pace.look_s / 3600
        self.requests += int(self.pace.requests_per_look)
        if self.pace.batch_size and self.requests >= self.pace.batch_size:
            self.requests -= self.pace.batch_size
            self.free_h += self.pace.batch_pause_s / 3600
        return True


@dataclass
class Exact:
    """The schedule event by event: no ticks, one heap of events, one heap of those who wait for each platform."""

    scenario: Scenario
    looks: Counter[str] = field(default_factory=Counter)
    lateness_h: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in CLASSES})
    looks_at: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.people = Population(self.scenario, np.random.default_rng(self.scenario.seed))
        self.end_h = self.scenario.days * 24.0
        self.servers = [
            [ExactServer(s) for s in self.scenario.sources if s.platform == platform] for platform in PLATFORMS
        ]
        self.waiting: list[list[tuple[int, float, int]]] = [[] for _ in PLATFORMS]
        self.events: list[tuple[float, int, int]] = []
        self.due_h: dict[int, float] = {}

    def schedule(self, account: int) -> None:
        """Work out anew when an account is due."""
        cadence = float(self.people.cadence_h[self.people.tier[self.people.creator[account]], account])
        self.due_h[account] = float(self.people.observed_h[account]) + cadence
        heapq.heappush(self.events, (self.due_h[account], 1, account))

    def run(self) -> Exact:
        """From the start to the end."""
        for account in range(len(self.people.creator)):
            self.schedule(account)
        for hour in range(int(self.end_h)):
            heapq.heappush(self.events, (float(hour), 0, hour))
        while self.events and self.events[0][0] < self.end_h:
            now_h, kind, number = heapq.heappop(self.events)
            now_h = max(now_h, 0.0)
            if kind == 0:
                for account in self.people.grow_old(now_h).tolist():
                    self.schedule(account)
                continue
            if kind == 1 and self.due_h[number] <= now_h:
                tier = int(self.people.tier[self.people.creator[number]])
                heapq.heappush(self.waiting[self.people.platform[number]], (tier, self.due_h[number], number))
            for platform in (self.people.platform[number],) if kind == 1 else (number,):
                self.serve(int(platform), now_h)
        return self

    def serve(self, platform: int, now_h: float) -> None:
        """Begin what can begin now; come back when a source is free again."""
        queue = self.waiting[platform]
        while queue:
            tier, due_h, account = queue[0]
            if due_h != self.due_h[account] or tier != self.people.tier[self.people.creator[account]]:
                heapq.heappop(queue)  # it was looked at, or has another tier by now
                continue
            if not any(server.begin(now_h) for server in self.servers[platform]):
                for server in self.servers[platform]:
                    heapq.heappush(self.events, (server.free_h, 2, platform))
                return
            heapq.heappop(queue)
            self.look(account, tier, now_h - due_h, now_h)

    def look(self, account: int, tier: int, lateness_h: float, now_h: float) -> None:
        """One look, and what follows for its creator's other account."""
        one = np.array([account], np.int32)
        changed = self.people.look(one, np.array([now_h]))
        self.looks[TIERS[tier]] += 1
        self.looks_at[account] += 1
        self.lateness_h[TIERS[tier]].append(lateness_h)
        self.schedule(account)
        for sibling in self.people.seen(self.people.sibling[changed]).tolist():
            self.schedule(sibling)


WIDE = Tiers(200, 500, 6, 12, 24)
"""Dormant creators (silent for 30-1,000 days) are in all three of these tiers and grow old into the next."""
STILL = Scenario(creators=300, days=6, dormant_share=1, known_share=1, tiers=WIDE, sample_h=1)
"""Nobody posts: nothing is random but the start, which both simulations share."""
FAST = SourcePace("web", "instagram", 60, 0, 0, batch_size=0)


def sources(minutes: float, batch: int = 0, units: float | None = None) -> tuple[SourcePace, ...]:
    """A look every so many minutes on each platform, the second with a quota."""
    web = SourcePace("web", "instagram", 1 / minutes, 0, 0, batch_size=batch, batch_pause_s=5_000)
    tube = SourcePace("tube", "youtube", 1 / minutes, 0, 0, 0, units_per_day=units, units_per_look=2)
    return web, tube


@pytest.mark.parametrize("minutes", [0.01, 0.5, 1.0])
def test_light_load_equals_the_exact_simulation_but_for_the_ticks(minutes: float) -> None:
    """Without a backlog every look is up to one tick later than in the exact one, so that few are missing."""
    scenario = replace(STILL, sources=sources(minutes), days=5)
    exact, ticked = Exact(scenario).run(), simulate(scenario)
    longest = max(TICK_H / least for least, _ in WIDE.bounds_h)
    for tier in ticked.tiers[:3]:
        assert 0 <= exact.looks[tier.tier] - tier.attained <= longest * exact.looks[tier.tier] + 3
        late = np.mean(exact.lateness_h[tier.tier])
        assert -0.02 <= (tier.overdue_mean_h or 0) - late <= TICK_H + 0.1 * late


@pytest.mark.parametrize(("minutes", "batch", "units"), [(4.0, 0, None), (2.0, 20, 120.0), (10.0, 7, 40.0)])
def test_heavy_load_equals_the_exact_simulation(minutes: float, batch: int, units: float | None) -> None:
    """With a backlog, rests and quotas: the same number of looks by tier, the same lateness, to a few parts in 100."""
    scenario = replace(STILL, sources=sources(minutes, batch, units))
    exact, ticked = Exact(scenario).run(), simulate(scenario)
    total = exact.looks.total()
    assert sum(tier.attained for tier in ticked.tiers) == pytest.approx(total, rel=0.01, abs=2)
    served = {tier.tier: tier for tier in ticked.tiers}
    for kind in TIERS:
        assert served[kind].attained == pytest.approx(exact.looks[kind], rel=0.03, abs=0.01 * total)
    busiest = exact.looks.most_common(1)[0][0]
    assert served[busiest].overdue_mean_h == pytest.approx(np.mean(exact.lateness_h[busiest]), rel=0.05, abs=TICK_H)
    assert served[busiest].overdue_p95_h == pytest.approx(
        np.quantile(exact.lateness_h[busiest], 0.95), rel=0.05, abs=2 * TICK_H
    )


@pytest.mark.parametrize("minutes", [0.5, 6.0])
@pytest.mark.slow
def test_creators_who_post_come_out_as_in_the_exact_simulation(minutes: float) -> None:
    """With random posts both agree within the noise between two seeds."""
    scenario = Scenario(creators=500, days=8, known_share=1, sources=sources(minutes), sample_h=24)
    exact, ticked = Exact(scenario).run(), simulate(scenario)
    assert sum(tier.attained for tier in ticked.tiers) == pytest.approx(exact.looks.total(), rel=0.04)
    truly = exact.people.true_tiers(exact.end_h)
    fresh = exact.people.observed_h + np.choose(truly, exact.people.cadence_h) > exact.end_h
    for place, tier in enumerate(TIERS):
        assert ticked.fresh_share[tier][-1] == pytest.approx(fresh[truly == place].mean(), abs=0.1)
    for kind in TIERS:
        waiting = sum(
            TIERS[exact.people.tier[exact.people.creator[account]]] == kind
            for account, due_h in exact.due_h.items()
            if due_h <= exact.end_h
        )
        assert ticked.waiting[kind][-1] == pytest.approx(waiting, abs=0.05 * len(truly))


def test_sources_begin_as_many_looks_as_their_pace_allows() -> None:
    """By hand: 100 in 10 minutes and 30 of rest are 3,600 a day; 10,000 units are 4,950 looks a key."""
    assert capacity(INSTAGRAM_WEB, 1) == 3_600
    assert capacity(INSTAGRAM_WEB, 30) == 108_000
    assert capacity(YOUTUBE, 1) == 4_950
    assert capacity(replace(YOUTUBE, keys=3), 2) == 2 * int(30_000 / 2.02)
    assert capacity(replace(YOUTUBE, keys=100), 1) == pytest.approx(86_400 / (0.7 * 2.02), rel=1e-3)
    assert capacity(TIKHUB, 1) == 72_000


@settings(max_examples=50)
@given(
    pace=st.builds(
        lambda rpm, batch, pause, units: SourcePace("s", "instagram", rpm, 0, 0, batch, pause, 1, units, 1, 2),
        st.floats(0.2, 60),
        st.integers(0, 30),
        st.floats(60, 20_000),
        st.none() | st.integers(0, 2_000),
    ),
    wishes=st.lists(st.integers(0, 200), min_size=300, max_size=300),
)
def test_moments_never_break_the_pace(pace: SourcePace, wishes: list[int]) -> None:
    """Whatever is used of what a source offers: gaps, rests after a batch, and units a day hold."""
    server, used = Server(pace), []
    for tick, wish in enumerate(wishes):
        room = server.room(tick * TICK_H, (tick + 1) * TICK_H)
        moments = server.moments(min(wish, room))
        assert np.all((moments >= tick * TICK_H) & (moments < (tick + 1) * TICK_H))
        server.use(len(moments))
        used += moments.tolist()
    assert np.all(np.diff(used) >= pace.look_s / 3600 - 1e-9)
    if pace.batch_size:
        firsts = used[:: pace.batch_size]
        lasts = used[pace.batch_size - 1 :: pace.batch_size]
        assert all(
            first - last >= pace.batch_pause_s / 3600 - 1e-9 for last, first in zip(lasts, firsts[1:], strict=False)
        )
    if pace.units_per_day is not None:
        assert all(count * 2 <= pace.units_per_day for count in Counter(int(at // 24) for at in used).values())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 2), st.floats(0, 9.9)), max_size=80), st.randoms())
def test_the_calendar_is_a_priority_queue(puts: list[tuple[int, int, float]], chance: object) -> None:
    """Moving accounts about and taking some: always what a sorted list would give, each account once."""
    due = np.zeros(20)
    calendar = Calendar(due, 3, 10, 1.0)
    model: dict[int, tuple[int, int, float]] = {}
    for number, (account, kind, due_h) in enumerate(puts):
        due[account] = due_h
        calendar.put(np.array([account], np.int32), np.array([kind]))
        tick = int(np.ceil(due_h))
        model.pop(account, None)
        if tick < 10:
            model[account] = (kind, tick, due_h)
        if number % 3 == 2:
            taken = calendar.take(kind, 2, tick=5).tolist()
            waiting = sorted((d, a) for a, (k, t, d) in model.items() if k == kind and t <= 5)
            assert [due[a] for a in taken] == [d for d, _ in waiting[:2]]
            for one in taken:
                assert model.pop(one)[0] == kind
    for kind in range(3):
        rest = calendar.take(kind, 100, tick=9).tolist()
        assert sorted(rest) == sorted(a for a, (k, _, _) in model.items() if k == kind)
        assert [due[a] for a in rest] == sorted(due[a] for a in rest)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=20))
def test_cadences_of_many_are_those_of_each(rates: list[float]) -> None:
    """The vectorised cadence gives what the one of the schedule gives."""
    many = cadences_h(np.array(rates), Tiers())
    for row, tier in zip(many, TIERS, strict=True):
        assert row.tolist() == pytest.approx([cadence_h(tier, rate, Tiers()) for rate in rates], rel=1e-6)
    assert tiers_at(np.array([0, 168, 168.1, 720, 721, np.inf]), Tiers()).tolist() == [0, 0, 1, 1, 2, 2]


def test_posts_drawn_on_looking_are_a_poisson_process() -> None:
    """However often one looks, the newest post is as old as posting at that rate makes it."""
    scenario = Scenario(creators=20_000, days=1, dormant_share=0, posting_sigma=1e-9, youtube_share=0)
    people = Population(scenario, np.random.default_rng(5))
    everybody = np.arange(20_000, dtype=np.int32)
    for hour in range(1, 400, 7):
        people.draw(everybody[hour % 3 :: 3], float(hour))
    people.draw(everybody, 400.0)
    ages = 400.0 - people.newest_h
    assert ages.mean() == pytest.approx(168, rel=0.03)  # one post a week
    assert np.median(ages) == pytest.approx(168 * np.log(2), rel=0.03)


def test_ample_sources_keep_everything_fresh_but_what_wakes_up() -> None:
    """Every due look is made within a tick; only accounts that nobody could know to be active are seen late."""
    result = simulate(Scenario(creators=3_000, days=10, sources=(FAST, replace(FAST, name="t", platform="youtube"))))
    active, semi_active, long_tail, backfill = result.tiers
    assert (active.fresh_end_share or 0) > 0.9
    assert (semi_active.fresh_end_share or 0) > 0.97
    assert (long_tail.fresh_end_share or 0) > 0.97
    assert (long_tail.overdue_p95_h or 9) <= 2 * TICK_H
    assert (backfill.attained, backfill.waiting) == (backfill.wanted, 0)
    assert result.attained_share == pytest.approx(1, abs=0.06)


def test_scarce_sources_serve_the_active_first() -> None:
    """With room for a few: no idle moment, the tail starves first, backfills get nothing."""
    result = simulate(Scenario(creators=20_000, days=5, youtube_share=0))
    active, semi_active, long_tail, backfill = result.tiers
    web = result.sources[0]
    assert web.looks == capacity(INSTAGRAM_WEB, 5)
    assert web.utilisation_share == 1
    assert active.attained > 10 * (semi_active.attained + long_tail.attained)
    assert active.attained == pytest.approx(active.attainable, rel=0.05)
    assert result.waiting["long_tail"][-1] > 1_000
    assert (long_tail.attainable, backfill.attainable) == (0, 0)


def test_backfills_are_throttled() -> None:
    """A database that knows nobody fills up at the share of the pace that backfills may take."""
    slow = SourcePace("web", "instagram", 6, 0, 0, batch_size=0)
    result = simulate(Scenario(creators=20_000, days=2, known_share=0, youtube_share=0, sources=(slow,)))
    backfill = result.tiers[3]
    assert backfill.attained == pytest.approx(0.2 * 6 * 1_440 * 2, rel=0.01)
    assert backfill.wanted == 20_000
    assert result.waiting["backfill"][-1] == 20_000 - backfill.attained


def test_the_same_seed_gives_the_same_result() -> None:
    """Two runs agree in every number, another seed does not."""
    scenario = Scenario(creators=2_000, days=3)
    assert simulate(scenario) == simulate(scenario)
    assert simulate(replace(scenario, seed=2)).rows() != simulate(scenario).rows()


def test_more_keys_and_paid_sources_are_counted() -> None:
    """Units, requests and money follow the looks; a second source for a platform shares its queue."""
    scenario = Scenario(creators=60_000, days=2, youtube_share=1, sources=(INSTAGRAM_WEB, TIKHUB, YOUTUBE))
    result = simulate(scenario.with_keys("youtube", 3))
    rows = {row["source"]: row for row in result.source_rows()}
    assert rows["tikhub"]["requests"] == 2 * rows["tikhub"]["looks"]  # type: ignore[operator]
    assert rows["tikhub"]["cost_usd"] == pytest.approx(0.001 * rows["tikhub"]["requests"], abs=0.01)  # type: ignore[operator]
    assert 59_000 < rows["youtube"]["units"] <= 60_000  # type: ignore[operator]
    assert sum(row["looks"] for row in rows.values()) == sum(tier.attained for tier in result.tiers)  # type: ignore[misc]


def test_nobody_is_looked_at_before_being_due() -> None:
    """Lateness is never negative, and no account is observed twice within its shortest cadence."""
    exact = Exact(replace(STILL, sources=sources(1.0))).run()
    assert min(min(late, default=0) for late in exact.lateness_h.values()) >= 0
    assert max(exact.looks_at.values()) <= STILL.days * 24 / 3 + 1
    ticked = simulate(replace(STILL, sources=sources(1.0)))
    assert all((tier.overdue_mean_h or 0) >= 0 for tier in ticked.tiers)
    assert NEVER < 0


def test_the_plot_is_one_readable_svg() -> None:
    """Well-formed, with a title, a description, both diagrams and a line for each series that has anything."""
    result = simulate(Scenario(creators=1_000, days=3))
    root = ET.fromstring(plot(result))
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("viewBox") == "0 0 900 600"
    title = root.find(f"{space}title")
    assert title is not None
    assert title.text == "1,000 creators over 3 days"
    lines = [line.get("class", "") for line in root.iter(f"{space}polyline")]
    assert lines[:3] == ["line active", "line semi_active", "line long_tail"]
    assert len(lines) == 3 + sum(any(values) for values in result.waiting.values())
    for line in root.iter(f"{space}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
        assert len(points) == len(result.at_days)
        assert all(0 <= x <= 900 and 100 <= y <= 600 for x, y in points)
