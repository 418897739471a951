"""The schedule at work: one cycle, or cycle after cycle until somebody stops it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from igtool.clock import Clock
from igtool.errors import BudgetError, ConfigError, LockedError, RateLimitedError
from igtool.fetching.plan import FetchOptions, duration_s
from igtool.fetching.run import Fetcher, FetchReport
from igtool.fetching.sources import policy_of, sources_of
from igtool.journal.queue import Queue
from igtool.pipeline import run_stages
from igtool.platforms.live import Source
from igtool.schedule.plan import due_now, left_alone, next_due
from igtool.session import Session, open_session
from igtool.settings import Settings
from igtool.tiers import Tiers

CYCLE_S = 3_600.0
"""The daemon plans anew at least this often, so that what becomes due with a high priority does not wait for all."""
_LOOK_AGAIN_S = 900.0
_LEAST = 20
_PROBE = 10_000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cycle:
    """What one cycle did: what was due, what the fetch came to, and when the next account is due."""

    due: int
    report: FetchReport | None
    next_due_at: datetime | None


def run_cycle(session: Session, sources: Sequence[Source], *, limit: int | None, backfill: int, clock: Clock) -> Cycle:
    """Fetch what is due, then bring tables, index and exports up to date; analysis rides on what was fetched."""
    tiers = Tiers.of(session.settings)
    now = _moment(clock)
    platforms = sorted({source.platform for source in sources})
    left = left_alone(Queue(session.journal), now)
    due = due_now(session.lake, now, tiers, limit=limit, backfill=backfill, platforms=platforms, left=left)
    report = None
    if due:
        fetcher = Fetcher(session, sources, FetchOptions(tuple(source.name for source in sources)), clock)
        wanted = [(one.platform, one.handle) for one in due]
        report = fetcher.run(wanted, {(one.platform, one.handle): one.priority for one in due})
        session.stop_if_asked("fetch")
        run_stages(session)
    return Cycle(len(due), report, next_due(session.lake, _moment(clock), tiers))


@dataclass
class Daemon:
    """Runs cycles until ``stopping``; other commands may use the workspace between two of them."""

    settings: Settings
    names: Sequence[str]
    backfill: int
    stopping: Callable[[], bool]
    told: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)

    def run(self) -> None:
        """Cycle after cycle. Raises ConfigError when no source lets us in any more, IntegrityError, StorageError."""
        self.sources = sources_of(self.settings, self.names)
        limit = max(_LEAST, sum(per_cycle(source, self.settings) for source in self.sources))
        while not self.stopping():
            try:
                with open_session(self.settings, "schedule run", self.stopping) as session:
                    cycle = run_cycle(session, self.sources, limit=limit, backfill=self.backfill, clock=self.clock)
            except LockedError as error:
                self._rest(60.0, str(error))
                continue
            self._after(cycle)

    def _after(self, cycle: Cycle) -> None:
        error = cycle.report.error if cycle.report else None
        if isinstance(error, (RateLimitedError, BudgetError)):
            self._rest(_LOOK_AGAIN_S, str(error))
        elif isinstance(error, ConfigError) and cycle.report is not None:
            shut = {name for name, why in cycle.report.troubles.items() if isinstance(why, ConfigError)}
            self.sources = [source for source in self.sources if source.name not in shut]
            if not self.sources:
                raise error
            self.told(f"{error}\ngoing on without it, until the daemon is started again")
        elif error is not None:
            raise error
        elif cycle.report is None or not cycle.report.requests:
            now = self.clock.now()
            wait = _LOOK_AGAIN_S if cycle.next_due_at is None else max(1.0, cycle.next_due_at.timestamp() - now)
            self._rest(min(wait, _LOOK_AGAIN_S), f"nothing is due before {_shown(cycle.next_due_at)}")
        else:
            self.told(f"{cycle.due} accounts were due; the next one is at {_shown(cycle.next_due_at)}")

    def _rest(self, seconds: float, why: str) -> None:
        _LOG.info("the schedule rests %.0f s: %s", seconds, why)
        self.told(why)
        self.clock.sleep(seconds, self.stopping)


def per_cycle(source: Source, settings: Settings) -> int:
    """How many accounts a source serves in one cycle at its pace, profiles and the wanted pages."""
    bounds = FetchOptions((source.name,)).bounds(settings)
    each = 1 + sum(source.requests_for(kind, bound.pages) for kind, bound in bounds.items() if kind in source.kinds)
    seconds = duration_s(_PROBE, 0, policy_of(source, settings), len(source.keys()))
    return int(_PROBE / each * CYCLE_S / seconds)


def _moment(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now(), UTC)


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "the first account is stored"
