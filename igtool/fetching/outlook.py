"""What a fetch would do: whom it would ask, what that takes, and when it would end. Nothing is asked or written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from igtool.clock import Clock
from igtool.errors import UsageError
from igtool.fetching.plan import Estimate, FetchOptions, Handle, Plan, estimate, make_plan
from igtool.fetching.sources import policy_of
from igtool.journal import Journal
from igtool.journal.ledger import Ledger
from igtool.journal.queue import ENDED, Queue
from igtool.known_handles import GIVEN, accounts_meant
from igtool.lake import Lake, Reader
from igtool.platforms.live import PROFILE, Source
from igtool.settings import Settings
from igtool.tiers import Tiers, tier_query

_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The pace may be set so low that the end lies beyond the calendar."""


@dataclass(frozen=True)
class Outlook:
    """The stores as they are now, seen with the user's sources and options; ``lake`` is None where there is none."""

    settings: Settings
    lake: Reader | None
    journal: Journal
    sources: Sequence[Source]
    options: FetchOptions
    clock: Clock = field(default_factory=Clock)

    def plan(self, wanted: Iterable[Handle]) -> Plan:
        """What becomes of each wanted account now; one that was renamed is asked for by the handle that it has."""
        now = self.clock.now()
        handles, options = list(wanted), self.options
        former = {} if self.lake is None else _renamed(self.lake, handles)
        if former:
            handles = list(dict.fromkeys((one[0], former.get(one, one[1])) for one in handles))
            forced = {name for (_, was), name in former.items() if was.lower() in options.force_handles}
            options = replace(options, force_handles=options.force_handles | forced)
        return make_plan(
            handles,
            frozenset(source.platform for source in self.sources),
            Queue(self.journal).standings(handles, PROFILE),
            {} if self.lake is None else _fresh_until(self.lake, self.settings, handles, now),
            options,
            now=now,
            default_every_s=self.settings.long_tail_every_h * 3_600,
        )

    def estimates(self, plan: Plan) -> list[Estimate]:
        """What each source that is asked first will take."""
        found = []
        taken: set[str] = set()
        for source in self.sources:
            if source.platform not in taken:
                taken.add(source.platform)
                handles = [handle for handle in plan.asked if handle[0] == source.platform]
                bounds, searches = self.options.bounds(self.settings), len(self.options.searches)
                policy = policy_of(source, self.settings)
                found.append(estimate(source, handles, bounds, policy, searches))
        return found

    def finish_at(self, found: Estimate) -> datetime:
        """When an estimate's last answer would come, if it began now; known waits are counted."""
        now = self.clock.now()
        paces = [pace for (source, _), pace in Ledger(self.journal).paces().items() if source == found.source]
        begins = max([now, *(max(pace.limited_until, pace.next_at) for pace in paces)])
        return datetime.fromtimestamp(int(min(begins + found.seconds, _LATEST)), UTC)

    def expected_coverage(self) -> list[dict[str, Any]]:
        """By platform: share of the accounts of earlier runs that were found, and of those with each field."""
        if self.lake is None:
            return []
        found: list[dict[str, Any]] = self.lake.arrow("from coverage order by platform").to_pylist()
        ended = Counter[tuple[str, str]]()
        for row in Queue(self.journal).counts():
            if row["kind"] == PROFILE and row["state"] in ENDED:
                ended[row["platform"], "found" if row["state"] in ("done", "private") else "lost"] += row["jobs"]
        for row in found:
            asked = ended[row["platform"], "found"] + ended[row["platform"], "lost"]
            row["found_score"] = ended[row["platform"], "found"] / asked if asked else None
        return found


@contextmanager
def outlook(settings: Settings, sources: Sequence[Source], options: FetchOptions) -> Iterator[Outlook]:
    """An outlook on a workspace that is opened for reading only, also while a run is writing to it."""
    with ExitStack() as opened:
        journal = opened.enter_context(Journal(settings.cache, writable=False))
        lake: Lake | None = None
        try:
            lake = opened.enter_context(Lake(settings.lake, writable=False, offline=settings.offline))
        except UsageError:  # nothing is stored yet
            lake = None
        yield Outlook(settings, lake, journal, sources, options)


def _fresh_until(lake: Reader, settings: Settings, handles: Sequence[Handle], now: float) -> dict[Handle, float]:
    """Until when what is stored of each account is young enough for its tier (DESIGN: tiers and cadences)."""
    tiers = tier_query(datetime.fromtimestamp(now, UTC), Tiers.of(settings))
    rows = lake.arrow(
        f"""
        with wanted as (
            select unnest(from_json(?, '["varchar"]')) as platform, unnest(from_json(?, '["varchar"]')) as handle
        ),
        timed as materialized ({tiers}),
        named as (
            select platform, handle as name, due_at from timed
            union all select platform, a.platform_user_id, t.due_at from timed t
            join accounts a using (account_id, platform) where platform = 'youtube'
        )
        select w.platform, w.handle, max(epoch(n.due_at)) as until from wanted w
        join named n on n.platform = w.platform and n.name in (w.handle, lower(w.handle))
        where n.due_at is not null group by all
        """,
        [json.dumps(column) for column in zip(*handles, strict=True)] or ("[]", "[]"),
    ).to_pylist()
    return {(row["platform"], row["handle"]): row["until"] for row in rows}


def _renamed(lake: Reader, handles: Sequence[Handle]) -> dict[Handle, str]:
    """Those of ``handles`` that are former ones, with the handle that the account has now."""
    query = f"""
        select m.platform, m.handle, a.handle as handle_now from ({accounts_meant(GIVEN)}) m
        join accounts a using (account_id) where m.is_former and a.handle is not null
    """
    columns = [list(column) for column in zip(*handles, strict=True)] or [[], []]
    rows = lake.arrow(query, columns).to_pylist()
    return {(row["platform"], row["handle"]): row["handle_now"] for row in rows}
