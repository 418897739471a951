"""Which accounts to ask for now, and what that will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from igtool.errors import UsageError
from igtool.fetching.paging import Bounds
from igtool.journal.queue import DEAD, DONE, FAILED, LEASED, NOT_FOUND, PRIVATE, WAITING, Queue, Standing, Wanted
from igtool.pacing import Policy
from igtool.platforms.live import POSTS, PROFILE, REELS, SEARCH, Source, Task
from igtool.settings import Settings

Handle = tuple[str, str]
"""(platform, handle)."""

Step = Literal["ask", "go_on", "again", "fresh", "known", "not_found", "failed", "dead", "no_source"]
"""What becomes of a wanted account; the first three are asked for, the others are left and say why."""

ASKED: frozenset[Step] = frozenset({"ask", "go_on", "again"})


@dataclass(frozen=True)
class FetchOptions:
    """What a run is asked to fetch: ``sources`` in the user's order.

    ``only_new``: only accounts of which nothing is known. ``force``: all of them, and ``force_handles``: those, even if
    what is stored is young enough. ``retry_failed``: also what was not found, failed or is a dead letter.
    ``searches``: words to look for where a platform has a search; what is found is asked for too.
    """

    sources: tuple[str, ...]
    since: datetime | None = None
    only_new: bool = False
    force: bool = False
    force_handles: frozenset[str] = frozenset()
    retry_failed: bool = False
    searches: tuple[str, ...] = ()
    search_pages: int = 1

    def bounds(self, settings: Settings) -> dict[str, Bounds]:
        """How far each wanted kind goes, from the settings."""
        pages = {POSTS: settings.post_pages, REELS: settings.reel_pages}
        bounds = {kind: Bounds(most, settings.items_limit, self.since) for kind, most in pages.items() if most}
        return bounds | ({SEARCH: Bounds(self.search_pages, settings.items_limit)} if self.searches else {})


@dataclass
class Plan:
    """The steps of all wanted accounts, each account once, in the order of the list.

    ``priorities``: of those that do not have the usual one, 0; a higher one goes first.
    """

    steps: dict[Handle, Step] = field(default_factory=dict)
    priorities: Mapping[Handle, int] = field(default_factory=dict)

    @property
    def asked(self) -> list[Handle]:
        """Those that are asked for."""
        return [handle for handle, step in self.steps.items() if step in ASKED]

    def counts(self) -> dict[str, int]:
        """Accounts by step."""
        return dict(sorted(Counter(self.steps.values()).items()))


def make_plan(
    wanted: Iterable[Handle],
    platforms: frozenset[str],
    standings: Mapping[Handle, Standing],
    fresh_until: Mapping[Handle, float],
    options: FetchOptions,
    *,
    now: float,
    default_every_s: float,
) -> Plan:
    """What becomes of each wanted account.

    ``standings``: how earlier profile jobs stand. ``fresh_until``: until when what is stored of an account counts as
    fresh (its observation plus its cadence); an answer that has not become an account yet counts as fresh for
    ``default_every_s``.
    """
    plan = Plan()
    for handle in wanted:
        if handle[0] not in platforms:
            plan.steps[handle] = "no_source"
        else:
            before, until = standings.get(handle), fresh_until.get(handle)
            if until is None and before is not None and before.state in (DONE, PRIVATE) and before.ended_at:
                until = before.ended_at + default_every_s
            plan.steps[handle] = _step(handle, before, until, options, now)
    return plan


def _step(
    handle: Handle, before: Standing | None, fresh_until: float | None, options: FetchOptions, now: float
) -> Step:
    if options.force or handle[1].lower() in options.force_handles:
        return "ask"
    if before is not None and before.state in (WAITING, LEASED):
        return "go_on"
    if options.only_new and (before is not None or fresh_until is not None):
        return "known"
    if before is None:
        return "fresh" if fresh_until is not None and fresh_until > now else "ask"
    if before.state == FAILED:
        return "again" if options.retry_failed or before.due_at <= now else "failed"
    if before.state == DEAD:
        return "again" if options.retry_failed else "dead"
    if before.state == NOT_FOUND:
        return "ask" if options.retry_failed or before.due_at <= now else "not_found"
    return "fresh" if fresh_until is not None and fresh_until > now else "ask"


def enqueue(queue: Queue, plan: Plan, sources: Sequence[Source], *, run: str, now: float, retry_failed: bool) -> None:
    """Make the plan's jobs wait for ``run``, and take over what earlier runs left of the wanted accounts."""
    first: dict[str, str] = {}
    for source in sources:
        first.setdefault(source.platform, source.name)
    known = [handle for handle, step in plan.steps.items() if step != "no_source"]
    ask = [handle for handle, step in plan.steps.items() if step == "ask"]
    queue.enqueue((Wanted(*one, PROFILE, first[one[0]], plan.priorities.get(one, 0)) for one in ask), run=run, now=now)
    queue.revive(known, run=run, now=now, everything=retry_failed)
    queue.adopt(known, run=run, first=first, asked=[source.name for source in sources])


def enqueue_searches(queue: Queue, sources: Sequence[Source], options: FetchOptions, *, run: str, now: float) -> None:
    """Make the searches wait for ``run`` at the first source that can search. Raises UsageError when none can."""
    if not options.searches:
        return
    able = next((source for source in sources if SEARCH in source.kinds), None)
    if able is None:
        raise UsageError("none of the sources can search: add youtube to --source")
    queue.enqueue((Wanted(able.platform, words, SEARCH, able.name) for words in options.searches), run=run, now=now)


@dataclass(frozen=True)
class Estimate:
    """What asking one source for ``accounts`` will take, as far as earlier runs tell."""

    source: str
    accounts: int
    requests: int
    units: int
    cost_usd: float
    seconds: float

    @property
    def shown_duration(self) -> str:
        """The duration for a person."""
        hours, rest = divmod(math.ceil(self.seconds / 60), 60)
        return f"{hours} h {rest} min" if hours else f"{rest} min"


def estimate(
    source: Source, handles: Sequence[Handle], bounds: Mapping[str, Bounds], policy: Policy, searches: int = 0
) -> Estimate:
    """Requests, quota units, money and time for ``handles`` and ``searches``: every account found, every page full.

    What a search will find is not known, and so not counted.
    """
    keys = source.keys()
    requests = units = 0
    cost = 0.0
    groups = Counter(source.together(Task(handle, PROFILE)) for _, handle in handles)
    for together, count in groups.items():
        requests += math.ceil(count / together)
    sample = source.call([Task(handles[0][1], PROFILE)], keys[0]) if handles else None
    if sample is not None:
        units, cost = requests * sample.units, requests * sample.cost_usd
    for kind, bound in bounds.items():
        if kind in source.kinds and kind != SEARCH:
            further = len(handles) * source.requests_for(kind, bound.pages)
            requests += further
            units += further
            cost += further * (sample.cost_usd if sample else 0.0)
    if searches and SEARCH in source.kinds:
        asked = searches * bounds[SEARCH].pages
        requests += asked
        units += asked * source.call([Task("words", SEARCH)], keys[0]).units
    return Estimate(source.name, len(handles), requests, units, cost, duration_s(requests, units, policy, len(keys)))


def duration_s(requests: int, units: int, policy: Policy, keys: int) -> float:
    """Seconds that ``requests`` take at a policy's pace, rests and quota days included."""
    each = max(
        [sum(policy.jitter_s) / 2, *(limit.window_s / limit.requests for limit in policy.limits if not limit.endpoint)]
    )
    rests = (requests - 1) // policy.batch_size if policy.batch_size and requests else 0
    days = max(
        (math.ceil(units / (quota.units * keys)) - 1 for quota in policy.quotas if not quota.endpoint), default=0
    )
    return max(requests * each / keys + rests * policy.batch_pause_s / keys, max(days, 0) * 86_400.0)
