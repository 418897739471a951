"""What a schedule reaches under given quotas: a queue simulation of creators who post and sources that rest.

Accounts fall due by their cadence, wait by tier, oldest due first, and are served in the moments at which a source
is free: its pace, its rests after a batch, and its units a day leave so many. Time goes in ticks (10 minutes): an
account can be served from the first tick after it fell due, so a look is up to one tick late and never early; the
moments of service are exact. Failures, retries and platforms that limit earlier than promised are not simulated:
what comes out is the most that a schedule can reach.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from igtool.schedule.calendar import Calendar, Hours, Index, Numbers
from igtool.schedule.population import NEVER, PLATFORMS, TIERS, Population
from igtool.schedule.scenario import Scenario, Simulated, SourcePace, SourceResult, TierResult

CLASSES = (*TIERS, "backfill")
_DAY_H = 24.0
_RETIER_H = 1.0
"""Hours after which tiers are worked out anew for all, as each plan does."""
_OVERDUE_STEP_H = 0.05
_OVERDUE_BINS = 40_000
_EPSILON = 1e-9


class Server:
    """One source: the moments at which it can begin a look."""

    def __init__(self, pace: SourcePace) -> None:
        self.pace = pace
        self.looks = 0
        self._look_h = pace.look_s / 3600
        self._free_h = self._first_h = 0.0
        self._since_rest = 0.0
        self._day = -1
        self._units = 0.0

    def room(self, start_h: float, end_h: float) -> int:
        """How many looks can begin within [start_h, end_h), which lies within a day."""
        day = int((start_h + _EPSILON) // _DAY_H)
        if day != self._day:
            self._day, self._units = day, (self.pace.units_per_day or 0) * self.pace.keys
        self._first_h = max(self._free_h, start_h)
        most = max(0, int((end_h - self._first_h) / self._look_h) + 1)
        if self.pace.units_per_day is not None and self.pace.units_per_look:
            most = min(most, int(self._units / self.pace.units_per_look + _EPSILON))
        return bisect_left(range(most), end_h - _EPSILON, key=self._moment)

    def _moment(self, look: int) -> float:
        """When the look of this number since the start of the tick can begin."""
        return self._first_h + look * self._look_h + self._rests(look) * self.pace.batch_pause_s / 3600

    def _rests(self, looks: int) -> int:
        """How many rests come before so many further looks are over."""
        if not self.pace.batch_size:
            return 0
        return int((self._since_rest + looks * self.pace.requests_per_look) / self.pace.batch_size + _EPSILON)

    def moments(self, count: int) -> Hours:
        """The first ``count`` moments of the tick that ``room`` was asked about last."""
        looks = np.arange(count, dtype=np.float64)
        moments: Hours = self._first_h + looks * self._look_h
        if self.pace.batch_size:
            requests = self._since_rest + looks * self.pace.requests_per_look
            moments += np.floor(requests / self.pace.batch_size + _EPSILON) * (self.pace.batch_pause_s / 3600)
        return moments

    def use(self, count: int) -> None:
        """The first ``count`` moments are used."""
        if count:
            rests = self._rests(count)
            self._free_h = self._first_h + count * self._look_h + rests * self.pace.batch_pause_s / 3600
            self._since_rest += count * self.pace.requests_per_look - rests * self.pace.batch_size
            self._units -= count * self.pace.units_per_look
            self.looks += count


def capacity(pace: SourcePace, days: int, tick_h: float = 1 / 6) -> int:
    """Looks that a source can begin within ``days`` when it is never idle."""
    server = Server(pace)
    for tick in range(round(days * _DAY_H / tick_h)):
        server.use(server.room(tick * tick_h, (tick + 1) * tick_h))
    return server.looks


class _Measures:
    """What is counted on the way."""

    def __init__(self) -> None:
        self.at_h: list[float] = []
        self.fresh: list[Numbers] = []
        self.accounts: list[Numbers] = []
        self.creators: list[Numbers] = []
        self.wanted: list[Numbers] = []
        self.waiting: list[Numbers] = []
        self.attained = np.zeros(len(CLASSES), np.int64)
        self.overdue_h = np.zeros(len(CLASSES))
        self.served = np.zeros(len(CLASSES), np.int64)
        self._overdue = np.zeros((len(CLASSES), _OVERDUE_BINS), np.int64)

    def served_as(self, kind: int, overdue_h: Numbers) -> None:
        """Looks made at accounts that waited in a class, so late."""
        if not len(overdue_h):
            return
        self.served[kind] += len(overdue_h)
        self.overdue_h[kind] += overdue_h.sum()
        bins = np.clip(overdue_h / _OVERDUE_STEP_H, 0, _OVERDUE_BINS - 1).astype(np.int64)
        counts = np.bincount(bins)
        self._overdue[kind, : len(counts)] += counts

    def overdue(self, kind: int, share: float) -> float | None:
        """The lateness in hours that so large a share of the looks did not pass."""
        if not self.served[kind]:
            return None
        passed = np.searchsorted(self._overdue[kind].cumsum(), share * self.served[kind])
        return float((passed + 0.5) * _OVERDUE_STEP_H)


class _Run:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self.scenario = scenario
        self.tick_h = scenario.tick_s / 3600
        self.ticks = round(scenario.days * _DAY_H / self.tick_h)
        self.people = Population(scenario, rng)
        people = self.people
        accounts = np.arange(len(people.creator), dtype=np.int32)
        self.due_h = np.where(people.observed_h > NEVER, people.observed_h + people.cadence_of(accounts), 0.0)
        self.calendar = Calendar(self.due_h, len(PLATFORMS) * len(CLASSES), self.ticks, self.tick_h)
        self.calendar.put(accounts, self._classes(accounts))
        self.servers = {
            place: [Server(pace) for pace in scenario.sources if pace.platform == platform]
            for place, platform in enumerate(PLATFORMS)
        }
        never = people.platform[people.observed_h == NEVER]
        self.backfills = np.bincount(never, minlength=len(PLATFORMS))
        self._allowance = dict.fromkeys(self.servers, 0.0)
        self.measures = _Measures()

    def _classes(self, accounts: Index) -> Numbers:
        """The class in the calendar: platform, then tier; what was never looked at is a backfill."""
        tier = self.people.tier[self.people.creator[accounts]]
        tier = np.where(self.people.observed_h[accounts] > NEVER, tier, len(TIERS))
        return self.people.platform[accounts] * len(CLASSES) + tier

    def go(self) -> None:
        """From the first tick to the last."""
        retier, sample = (max(1, round(h / self.tick_h)) for h in (_RETIER_H, self.scenario.sample_h))
        for tick in range(self.ticks):
            if tick % retier == 0:
                self._reschedule(self.people.grow_old(tick * self.tick_h))
            if tick % sample == 0:
                self._sample(tick * self.tick_h)
            for platform, servers in self.servers.items():
                self._serve(platform, servers, tick)
        self._sample(self.ticks * self.tick_h)

    def _reschedule(self, accounts: Index) -> None:
        self.due_h[accounts] = self.people.observed_h[accounts] + self.people.cadence_of(accounts)
        self.calendar.put(accounts, self._classes(accounts))

    def _serve(self, platform: int, servers: list[Server], tick: int) -> None:
        """Give the moments of this tick to those who wait."""
        rooms = [server.room(tick * self.tick_h, (tick + 1) * self.tick_h) for server in servers]
        waiting = self._next(platform, sum(rooms), tick)
        accounts = np.concatenate(waiting)
        if not len(accounts):
            return
        offers = [server.moments(min(room, len(accounts))) for server, room in zip(servers, rooms, strict=True)]
        owners = np.repeat(np.arange(len(offers)), [len(offer) for offer in offers])
        moments = np.concatenate(offers)
        order = np.argsort(moments, kind="stable")[: len(accounts)]
        for server, count in zip(servers, np.bincount(owners[order], minlength=len(servers)).tolist(), strict=True):
            server.use(count)
        moments = moments[order]
        lateness = moments - self.due_h[accounts]
        changed = self.people.look(accounts, moments)
        self._count(waiting, lateness, self.people.true_tiers_of(accounts, moments))
        self._reschedule(np.concatenate([accounts, self.people.seen(self.people.sibling[changed])]))

    def _next(self, platform: int, room: int, tick: int) -> list[Index]:
        """Those to look at in this tick, in order, one array for each class."""
        self._allowance[platform] = min(1.0, self._allowance[platform]) + self.scenario.backfill_share * room
        found = []
        for kind in range(len(CLASSES)):
            if kind == len(TIERS):
                room = min(room, int(self._allowance[platform]))
            found.append(self.calendar.take(platform * len(CLASSES) + kind, room, tick))
            room -= len(found[-1])
        self._allowance[platform] -= len(found[-1])
        return found

    def _count(self, waiting: list[Index], lateness_h: Hours, truly: Numbers) -> None:
        """Note looks that were made: lateness by class; how many by true tier, backfills apart."""
        start = 0
        for kind, accounts in enumerate(waiting):
            self.measures.served_as(kind, lateness_h[start : start + len(accounts)])
            start += len(accounts)
        backfills = len(waiting[-1])
        self.measures.attained += np.bincount(truly[: start - backfills], minlength=len(CLASSES))
        self.measures.attained[-1] += backfills

    def _sample(self, now_h: float) -> None:
        """How things stand now, by true tier, and who waits, by class."""
        people, measures = self.people, self.measures
        tier = people.true_tiers(now_h)
        cadence = np.choose(tier, people.cadence_h)
        fresh = people.observed_h + cadence > now_h
        size = len(TIERS)
        measures.at_h.append(now_h)
        measures.accounts.append(np.bincount(tier, minlength=size))
        measures.creators.append(np.bincount(tier[: people.creators], minlength=size))
        measures.fresh.append(np.bincount(tier[fresh], minlength=size))
        cell = people.platform * size + tier
        wanted = np.bincount(cell, weights=1 / cadence, minlength=size * len(PLATFORMS))
        measures.wanted.append(wanted.reshape(len(PLATFORMS), size))
        waiting = np.flatnonzero(self.due_h <= now_h).astype(np.int32)
        classes = self._classes(waiting) % len(CLASSES)
        measures.waiting.append(np.bincount(classes, minlength=len(CLASSES)))


def simulate(scenario: Scenario) -> Simulated:
    """What the schedule reaches in ``scenario``; the same seed gives the same result."""
    run = _Run(scenario, np.random.default_rng(scenario.seed))
    run.go()
    measures = run.measures
    wanted, attainable = _attainable(run)
    shares = np.array(measures.fresh) / np.maximum(1, np.array(measures.accounts))
    return Simulated(
        scenario=scenario,
        tiers=tuple(_tier(run, kind, wanted, attainable, shares) for kind in range(len(CLASSES))),
        sources=tuple(_source(server, scenario, run.tick_h) for servers in run.servers.values() for server in servers),
        at_days=tuple(hour / _DAY_H for hour in measures.at_h),
        fresh_share={tier: tuple(shares[:, place].tolist()) for place, tier in enumerate(TIERS)},
        waiting={kind: tuple(int(row[place]) for row in measures.waiting) for place, kind in enumerate(CLASSES)},
    )


def _attainable(run: _Run) -> tuple[Numbers, Numbers]:
    """Looks wanted and looks attainable, by class: each platform's room goes to the tiers in order, then backfills."""
    scenario = run.scenario
    platforms = range(len(PLATFORMS))
    room = [sum(capacity(server.pace, scenario.days, run.tick_h) for server in run.servers[p]) for p in platforms]
    tiers = np.mean(run.measures.wanted, axis=0) * scenario.days * _DAY_H
    wanted = np.column_stack([tiers, run.backfills])
    before = np.cumsum(wanted, axis=1) - wanted
    attainable = np.clip(np.minimum(wanted, np.array(room)[:, None] - before), 0, None)
    attainable[:, -1] = np.minimum(attainable[:, -1], np.array(room) * scenario.backfill_share)
    return wanted.sum(axis=0), attainable.sum(axis=0)


def _tier(run: _Run, kind: int, wanted: Numbers, attainable: Numbers, shares: Numbers) -> TierResult:
    measures = run.measures
    is_tier = kind < len(TIERS)
    accounts = float(np.mean(measures.accounts, axis=0)[kind]) if is_tier else float(measures.waiting[0][kind])
    has_any = is_tier and accounts > 0
    served = int(measures.served[kind])
    last_day = max(1, round(_DAY_H / run.scenario.sample_h))
    return TierResult(
        tier=CLASSES[kind],
        creators=float(np.mean(measures.creators, axis=0)[kind]) if is_tier else 0.0,
        accounts=accounts,
        wanted=float(wanted[kind]),
        attainable=float(attainable[kind]),
        attained=int(measures.attained[kind]),
        fresh_end_share=float(shares[-last_day:, kind].mean()) if has_any else None,
        fresh_mean_share=float(shares[:, kind].mean()) if has_any else None,
        overdue_mean_h=float(measures.overdue_h[kind] / served) if served else None,
        overdue_p95_h=measures.overdue(kind, 0.95),
        waiting=int(measures.waiting[-1][kind]),
    )


def _source(server: Server, scenario: Scenario, tick_h: float) -> SourceResult:
    requests = server.looks * server.pace.requests_per_look
    return SourceResult(
        name=server.pace.name,
        looks=server.looks,
        requests=requests,
        units=server.looks * server.pace.units_per_look,
        cost_usd=requests * server.pace.cost_per_request_usd,
        utilisation_share=server.looks / max(1, capacity(server.pace, scenario.days, tick_h)),
    )


__all__ = ["CLASSES", "Scenario", "Server", "Simulated", "capacity", "simulate"]
