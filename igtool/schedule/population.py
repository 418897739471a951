"""Invented creators for the simulation: their accounts, what they post, and what the schedule knows of it.

Times are hours since the start. Posts are Poisson processes that are drawn only when somebody looks: the newest
post before a moment lies an exponential time back, and if that is before the last moment drawn, nothing was posted
in between. This is exact, because the process has no memory, and needs no list of posts.
"""

from __future__ import annotations

import numpy as np

from igtool.schedule.calendar import Hours, Index, Numbers
from igtool.schedule.scenario import Scenario
from igtool.tiers import RATE_DAYS, TIERS, Tiers

PLATFORMS = ("instagram", "youtube")
NEVER = -np.inf
_SILENT_H = 1e12
"""Mean hours between the posts of an account that posts nothing any more."""
_DORMANT_DAYS = (30.0, 1000.0)
"""How long ago dormant accounts posted last, evenly spread."""


def tiers_at(age_h: Numbers, tiers: Tiers) -> Numbers:
    """Places in ``TIERS`` for ages in hours of the newest item; the same limits as ``tiers.tier_of``."""
    return (age_h > tiers.active_days * 24).astype(np.int8) + (age_h > tiers.semi_active_days * 24)


def cadences_h(items_per_week: Numbers, tiers: Tiers) -> Numbers:
    """``tiers.cadence_h`` for many accounts: one row for each tier."""
    rows = []
    with np.errstate(divide="ignore", over="ignore"):  # without posts: an endless cadence, cut at the longest
        for every, (least, most), typical in zip(tiers.every_h, tiers.bounds_h, tiers.typical_rates, strict=True):
            rows.append(np.clip(every * np.sqrt(typical / items_per_week), least, most).astype(np.float32))
    return np.stack(rows)


class Population:
    """Accounts by number: first one on Instagram for every creator, then the channels.

    ``creator``, ``sibling`` (-1: none), ``platform`` (place in ``PLATFORMS``) and ``cadence_h`` (by tier) of each
    account stay as they are; ``newest_h`` is its truly newest post as of ``drawn_h``. What the schedule knows:
    ``observed_h`` of each account, ``known_newest_h`` and ``tier`` of each creator.
    """

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self._rng, self.tiers = rng, scenario.tiers
        count = scenario.creators
        with_channel = np.flatnonzero(rng.random(count) < scenario.youtube_share).astype(np.int32)
        self.creators = count
        self.creator = np.concatenate([np.arange(count, dtype=np.int32), with_channel])
        total = len(self.creator)
        self.sibling = np.full(total, -1, np.int32)
        self.sibling[with_channel] = np.arange(count, total, dtype=np.int32)
        self.sibling[count:] = with_channel
        self.platform = (np.arange(total) >= count).astype(np.int8)
        self._draw_posts(scenario)
        self._draw_state(scenario)

    def _draw_posts(self, scenario: Scenario) -> None:
        rng, total = self._rng, len(self.creator)
        rates = rng.lognormal(np.log(scenario.posts_per_week), scenario.posting_sigma, self.creators)
        rates[rng.random(self.creators) < scenario.dormant_share] = 0
        rates = rates[self.creator] * np.where(self.platform == 1, scenario.youtube_rate, 1.0)
        dormant = rates == 0
        self._gap_h = np.where(dormant, _SILENT_H, 168 / np.where(dormant, 1, rates))
        since = rng.standard_exponential(total) * self._gap_h
        since[dormant] = rng.uniform(*_DORMANT_DAYS, int(dormant.sum())) * 24
        self.newest_h = -since
        self.drawn_h = np.zeros(total)
        weeks = RATE_DAYS / 7
        seen = np.maximum(rng.poisson(rates * weeks), since <= RATE_DAYS * 24) / weeks
        seen[since > RATE_DAYS * 24] = 0
        self.cadence_h = cadences_h(seen, self.tiers)

    def _draw_state(self, scenario: Scenario) -> None:
        """Accounts known at the start were looked at within their cadence, all moments equally likely."""
        total = len(self.creator)
        known = self._rng.random(total) < scenario.known_share
        self.known_newest_h = np.full(self.creators, NEVER)
        np.maximum.at(self.known_newest_h, self.creator[known], self.newest_h[known])
        self.tier = tiers_at(-self.known_newest_h, self.tiers)
        phase = self._rng.random(total)
        self.observed_h = np.where(known, -phase * self.cadence_of(np.arange(total, dtype=np.int32)), NEVER)

    def cadence_of(self, accounts: Index) -> Numbers:
        """Hours between two looks at ``accounts`` as the schedule knows their tiers."""
        cadence: Numbers = self.cadence_h[self.tier[self.creator[accounts]], accounts]
        return cadence

    def draw(self, accounts: Index | slice, now_h: Hours | float) -> None:
        """Let ``accounts`` post up to ``now_h``."""
        gap = self._gap_h[accounts]
        since = self._rng.standard_exponential(len(gap)) * gap
        newest = self.newest_h[accounts]
        self.newest_h[accounts] = np.where(since < now_h - self.drawn_h[accounts], now_h - since, newest)
        self.drawn_h[accounts] = now_h

    def look(self, accounts: Index, now_h: Hours) -> Index:
        """The schedule sees ``accounts`` (each of another creator); those whose creators changed tier by it."""
        self.draw(accounts, now_h)
        self.observed_h[accounts] = now_h
        creators = self.creator[accounts]
        newest = np.maximum(self.known_newest_h[creators], self.newest_h[accounts])
        self.known_newest_h[creators] = newest
        before, after = self.tier[creators], tiers_at(now_h - newest, self.tiers)
        self.tier[creators] = after
        changed: Index = accounts[before != after]
        return changed

    def grow_old(self, now_h: float) -> Index:
        """Tiers as they are now without new looks; the accounts, looked at before, whose tier is another one."""
        tier = tiers_at(now_h - self.known_newest_h, self.tiers)
        changed = np.flatnonzero(tier != self.tier).astype(np.int32)
        self.tier = tier
        accounts = np.concatenate([changed, self.sibling[changed]])
        return self.seen(accounts)

    def seen(self, accounts: Index) -> Index:
        """Those of ``accounts`` that exist (not -1) and were looked at before."""
        there = accounts[accounts >= 0]
        seen: Index = there[self.observed_h[there] > NEVER]
        return seen

    def true_tiers(self, now_h: float) -> Numbers:
        """The tier that each account truly has, whether or not anybody has looked."""
        self.draw(slice(None), now_h)
        newest = self.newest_h[: self.creators].copy()
        channels = self.creator[self.creators :]
        newest[channels] = np.maximum(newest[channels], self.newest_h[self.creators :])
        tiers: Numbers = tiers_at(now_h - newest, self.tiers)[self.creator]
        return tiers

    def true_tiers_of(self, accounts: Index, now_h: Hours) -> Numbers:
        """The same for ``accounts`` that were just looked at, with their siblings as last drawn."""
        sibling = self.sibling[accounts]
        other = np.where(sibling >= 0, self.newest_h[sibling], NEVER)
        return tiers_at(now_h - np.maximum(self.newest_h[accounts], other), self.tiers)


__all__ = ["NEVER", "PLATFORMS", "TIERS", "Population", "cadences_h", "tiers_at"]
