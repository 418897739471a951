"""A fetch from beginning to end: workers side by side, and their answers into the lake as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from igtool.clock import Clock
from igtool.errors import IgtoolError, first_of
from igtool.fetching.keeping import RawFolder, raw_row
from igtool.fetching.outlook import Outlook
from igtool.fetching.plan import (
    ASKED,
    FetchOptions,
    Handle,
    Plan,
    enqueue,
    enqueue_searches,
)
from igtool.fetching.recorder import Recorder
from igtool.fetching.sources import check_address, policy_of, reach_of
from igtool.fetching.worker import Worker
from igtool.forgotten.tombstones import Tombstones
from igtool.http import Client
from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Ledger
from igtool.journal.queue import ENDED, Queue, owner_name
from igtool.platforms.live import Source
from igtool.session import Session

_COMMIT_ANSWERS = 100
_COMMIT_BYTES = 8 << 20
_COMMIT_EVERY_S = 300.0
_SHOW_EVERY_S = 2.0
_SHOWING_SHARE = 50
"""Counting a long queue takes at most 1/50 of the time."""
_LOOK_S = 1.0
_REMEMBERED_S = 40 * 86_400.0
"""Requests older than any window, quota day or question of ``status`` are forgotten."""
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The pace may be set so low that the end lies beyond the calendar."""


@dataclass
class FetchReport:
    """What a fetch did: accounts by step of the plan, jobs by state, answers stored, and why which source stopped."""

    steps: dict[str, int]
    states: dict[str, int] = field(default_factory=dict)
    answers: int = 0
    requests: int = 0
    cost_usd: float = 0.0
    troubles: dict[str, IgtoolError] = field(default_factory=dict)

    @property
    def error(self) -> IgtoolError | None:
        """The trouble that needs a person first (DESIGN §11); None when every source came to its end."""
        return first_of(list(self.troubles.values()))


@dataclass
class Fetcher:
    """Asks live sources for accounts, in one session.

    ``after_answers`` is called after each commit to the lake, ``told`` with what a person should know meanwhile.
    """

    session: Session
    sources: Sequence[Source]
    options: FetchOptions
    clock: Clock = field(default_factory=Clock)
    raw_folder: RawFolder | None = None
    after_answers: Callable[[], None] = lambda: None
    told: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.queue = Queue(self.session.journal)
        self.ledger = Ledger(self.session.journal)
        self.run_id = self.session.progress.run_id
        self.owner = owner_name()
        self.stored = 0
        self.wake = threading.Event()
        self.tombstones = Tombstones(self.session.lake)

    def plan(self, wanted: Iterable[Handle]) -> Plan:
        """What becomes of the wanted accounts now; those of people who were forgotten are not among them."""
        stores = (self.session.lake, self.session.journal)
        allowed = [one for one in wanted if not self.tombstones.has(*one)]
        return Outlook(self.session.settings, *stores, self.sources, self.options, self.clock).plan(allowed)

    def run(self, wanted: Iterable[Handle], priorities: Mapping[Handle, int] | None = None) -> FetchReport:
        """Fetch what is due of the wanted accounts, those with a higher priority (else 0) first.

        Everything that came is stored when this returns, also when sources stopped: see the report's ``error``.
        Raises ConfigError for a clock that was set back, StorageError, IntegrityError.
        """
        now = self.clock.now()
        self.ledger.check_clock(now)
        self.queue.release_dead(now=now)
        self.drain()
        plan = self.plan(wanted)
        plan.priorities = priorities or {}
        report = FetchReport(plan.counts())
        retry_failed = self.options.retry_failed
        enqueue(self.queue, plan, self.sources, run=self.run_id, now=now, retry_failed=retry_failed)
        enqueue_searches(self.queue, self.sources, self.options, run=self.run_id, now=now)
        counts = self.session.progress.of("fetch")
        counts.skipped = sum(step not in ASKED for step in plan.steps.values())
        with self.session.progress.stage("fetch", sum(self.queue.states(self.run_id).values())):
            self._work(report)
        report.requests, report.cost_usd = self.ledger.run_totals(self.run_id)
        report.states = dict(sorted(self.queue.states(self.run_id).items()))
        report.answers = self.stored
        self.ledger.prune(now - _REMEMBERED_S)
        counts.new = report.states.get("done", 0) + report.states.get("private", 0)
        counts.failed = report.states.get("dead", 0) + report.states.get("failed", 0)
        return report

    # -- workers ------------------------------------------------------------------------------------------------

    def _work(self, report: FetchReport) -> None:
        """Run one thread a source, again if another source hands over to it, until nothing is left to ask."""
        crew = _Crew(self, report)
        committed_at = time.monotonic()
        shows_at = committed_at + _SHOW_EVERY_S
        shown, seen = 0, -1
        try:
            while crew.is_at_work():
                self.wake.wait(_LOOK_S)
                self.wake.clear()
                version = self.session.journal.version()
                if version == seen and time.monotonic() - committed_at <= _COMMIT_EVERY_S:
                    continue
                seen = version
                if self.ledger.answer_count() >= _COMMIT_ANSWERS or time.monotonic() - committed_at > _COMMIT_EVERY_S:
                    if self.drain():
                        self.after_answers()
                    committed_at = time.monotonic()
                if (now := time.monotonic()) > shows_at:
                    shown = self._show(shown)
                    took_s = time.monotonic() - now
                    shows_at = now + max(_SHOW_EVERY_S, _SHOWING_SHARE * took_s)
        except KeyboardInterrupt:  # the second one: what is under way is asked again by the next run
            crew.dismiss(waits=False)
            raise
        finally:
            crew.dismiss()
            self.drain()
            self._show(shown)

    def _show(self, shown: int) -> int:
        states = self.queue.states(self.run_id)
        ended = sum(count for state, count in states.items() if state in ENDED)
        self.session.progress.expect(sum(states.values()))
        if ended > shown:
            self.session.progress.advance(ended - shown)
        return max(ended, shown)

    def others(self, source: Source) -> list[Source]:
        """The sources of the same platform that come after ``source``."""
        after = list(self.sources)[[one.name for one in self.sources].index(source.name) + 1 :]
        return [one for one in after if one.platform == source.platform]

    # -- answers ------------------------------------------------------------------------------------------------

    def drain(self) -> int:
        """Move answers from the journal to the lake, where absent; deleted from the journal once they are committed."""
        moved = 0
        while answers := self.ledger.answers(most=_COMMIT_ANSWERS, most_bytes=_COMMIT_BYTES):
            with self.session.lake.transaction():
                screened = [self.tombstones.screened(raw_row(answer)) for answer in answers]
                self.session.lake.append_new("raw_responses", [row for row in screened if row is not None])
            if self.raw_folder is not None:
                self.raw_folder.write(one for one, row in zip(answers, screened, strict=True) if row is not None)
            self.ledger.delete_answers(answer.answer_id for answer in answers)
            moved += len(answers)
        self.stored += moved
        return moved


@dataclass
class _Crew:
    """The threads at work; a source that stopped with a trouble stays closed for this run."""

    fetcher: Fetcher
    report: FetchReport
    closed: set[str] = field(default_factory=set)
    running: list[_Thread] = field(default_factory=list)

    def is_at_work(self) -> bool:
        """Whether any thread is, after those that are needed were started. Raises what is no igtool error."""
        for thread in [thread for thread in self.running if not thread.is_alive()]:
            self._dismissed(thread)
        if not self.fetcher.session.stopping():
            for source in self.fetcher.sources:
                if source.name not in self.closed:
                    self._start(source)
        return bool(self.running)

    def _start(self, source: Source) -> None:
        """One more thread for ``source`` if it has something to do and not all of its threads are running."""
        running = sum(thread.source is source for thread in self.running)
        if running >= source.workers:
            return
        due_at = self.fetcher.queue.next_due(self.fetcher.run_id, source.name)
        if due_at is not None and (not running or due_at <= self.fetcher.clock.now()):
            thread = _Thread(self.fetcher, source)
            self.running.append(thread)
            thread.start()

    def _dismissed(self, thread: _Thread) -> None:
        thread.join()
        self.running.remove(thread)
        if thread.error is None:
            return
        if not isinstance(thread.error, IgtoolError):
            raise thread.error
        if thread.source.name not in self.closed:
            self.closed.add(thread.source.name)
            self.report.troubles[thread.source.name] = thread.error
            self._stop(one for one in self.running if one.source is thread.source)

    def dismiss(self, *, waits: bool = True) -> None:
        """Ask every thread to stop, and wait until it has recorded what is under way and given its lease back."""
        self._stop(self.running)
        if not waits:
            self.running.clear()
        for thread in self.running:
            thread.join()

    @staticmethod
    def _stop(threads: Iterable[_Thread]) -> None:
        for thread in threads:
            thread.stop.set()


class _Thread(threading.Thread):
    """A worker with its own connection to the journal and to its platform."""

    def __init__(self, fetcher: Fetcher, source: Source) -> None:
        super().__init__(name=f"fetch {source.name}", daemon=True)
        self.fetcher, self.source = fetcher, source
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work until nothing is left; what went wrong is kept for the main thread."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - a thread hands every failure on
            self.error = error
        finally:
            self.fetcher.wake.set()

    def _work(self) -> None:
        fetcher, settings = self.fetcher, self.fetcher.session.settings
        secrets = [key.secret for key in self.source.keys() if key.secret]  # noqa: SIM118 - not a dict
        check_address(self.source, settings)
        with (
            Journal(settings.cache, writable=False, shared=True) as journal,
            Client(
                timeout_s=settings.timeout_s,
                max_bytes=settings.max_answer_mb << 20,
                allow_loopback=settings.allow_loopback,
                secrets=secrets,
            ) as client,
        ):
            recorder = Recorder(
                source=self.source,
                claimant=Claimant(
                    self.source.name,
                    policy_of(self.source, settings),
                    fetcher.run_id,
                    fetcher.owner,
                    settings.max_cost_usd,
                ),
                ledger=Ledger(journal),
                queue=Queue(journal),
                clock=fetcher.clock,
                reach=reach_of(settings, fetcher.options),
                others=fetcher.others(self.source),
                is_forgotten=fetcher.tombstones.has,
            )
            stopping = lambda: self.stop.is_set() or fetcher.session.stopping()  # noqa: E731 - one line says it
            Worker(recorder, client, stopping, fetcher.told).run()
