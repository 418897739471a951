"""One source's loop: claim a job, ask, hand the answer to the recorder; and wait whenever the ledger says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from igtool import pacing
from igtool.errors import BudgetError, ConfigError, IgtoolError, RateLimitedError, UsageError
from igtool.fetching.paging import trail_of
from igtool.fetching.recorder import TRIES, Heard, Recorder, Transient
from igtool.http import Client, NetworkError, RefusedAnswer
from igtool.journal.ledger import Grant, Nothing, Price, Spent, Wait, next_jobs
from igtool.journal.queue import Job
from igtool.pacing import Decision
from igtool.platforms.base import Refused
from igtool.platforms.live import Task
from igtool.platforms.outcomes import Verdict

_LOG = logging.getLogger(__name__)


class _Stopped(Exception):  # noqa: N818 - the user's wish, not a failure
    """The user asked to stop while a job was held."""


@dataclass
class Worker:
    """Works through a source's jobs of one run until none is left, the user stops it, or the source shuts us out.

    ``run`` raises ConfigError (key refused, source shut), RateLimitedError (the wait is too long), BudgetError.
    """

    recorder: Recorder
    client: Client
    stopping: Callable[[], bool] = lambda: False
    told: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.source, self.claimant = self.recorder.source, self.recorder.claimant
        self.ledger, self.clock = self.recorder.ledger, self.recorder.clock
        self.began_at = self.clock.now()

    def run(self) -> None:
        """Until nothing is left to ask of this source."""
        pick = partial(next_jobs, self.claimant, together=self._together)
        while not self.stopping():
            grant = self._claim(pick)
            if grant is None:
                return
            self._serve(grant)

    def _together(self, job: Job) -> int:
        """How many jobs like ``job`` fit into one request; one after such a request went wrong."""
        return 1 if trail_of(job.progress).alone else self.source.together(_task(job))

    def _claim(self, jobs: Callable[[float], Callable[[object], Sequence[Job]]]) -> Grant | None:
        """The next right to ask, after whatever wait it takes; None when no job is left or the user stops."""
        while not self.stopping():
            now = self.clock.now()
            found = self.ledger.claim(
                self.claimant,
                self._price,
                self.recorder.open_keys(),
                now=now,
                jitter_s=self.recorder.jitter(),
                jobs=jobs(now),
            )
            if isinstance(found, Grant):
                return found
            if isinstance(found, Spent):
                limit = self.claimant.max_cost_usd
                raise BudgetError(
                    f"{self.source.name}: ${found.spent_usd:.4f} are spent, and the next request would go over the "
                    f"limit of ${limit:.4f}: the same command with a higher --max-cost goes on"
                )
            if isinstance(found, Nothing):
                if found.next_due is None:
                    return None
                self.clock.sleep(max(found.next_due - now, 0.01), self.stopping)
                continue
            self._wait(found, now)
        return None

    def _wait(self, wait: Wait, now: float) -> None:
        decision = wait.decision
        if decision.is_limited and self._is_too_long(decision, now):
            when = f"{datetime.fromtimestamp(decision.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
            raise RateLimitedError(
                f"{self.source.name} may not be asked before {when} ({self._why(decision)}), which is longer than "
                f"--max-wait allows: the same command goes on then"
            )
        seconds = decision.at - now
        if seconds >= _TELL_S:
            _LOG.info("%s waits %.0f s: %s", self.source.name, seconds, self._why(decision))
        if seconds >= _TELL_PERSON_S:
            when = f"{datetime.fromtimestamp(decision.at, UTC):%H:%M:%S} UTC"
            self.told(f"{self.source.name} waits until {when}: {self._why(decision)}")
        self.clock.sleep(max(decision.at - now, 0.001), self.stopping)

    def _why(self, decision: Decision) -> str:
        """What a limit is, with the platform's own words."""
        paces = [pace for (source, _), pace in self.ledger.paces().items() if source == self.source.name]
        said = next((pace.reason for pace in paces if pace.reason and pace.limited_until >= decision.at), "")
        return f"{_WHY[decision.why]}: {said}" if said else _WHY[decision.why]

    def _is_too_long(self, decision: Decision, now: float) -> bool:
        """Whether the whole time without a good answer, in this run, would be over the limit at its end."""
        since = [pace.limited_at for (source, _), pace in self.ledger.paces().items() if source == self.source.name]
        known = [at for at in since if at is not None]
        began = max(self.began_at, min(known)) if known else now
        return decision.at - began > self.recorder.reach.max_wait_s

    def _price(self, jobs: Sequence[Job], key: str) -> Price:
        try:
            call = self.source.call([_task(job) for job in jobs], self.recorder.keys[key])
        except (Refused, UsageError, ValueError):
            return Price("not_asked", 0, 0.0)
        return Price(call.endpoint, call.units, call.cost_usd)

    def _serve(self, grant: Grant) -> None:
        """Ask for the claimed jobs, three times if need be; each try is claimed, paced and recorded by itself."""
        held = grant

        def attempt(number: int) -> None:
            nonlocal held
            if number > 1:
                again = self._claim(lambda _: lambda _cursor: held.jobs)
                if again is None:
                    raise _Stopped
                held = again
            self._ask(held, is_last=number == TRIES)

        retrying = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=2, max=60) + wait_random(0, 2),
            retry=retry_if_exception_type(Transient),
            sleep=lambda seconds: self.clock.sleep(seconds, self.stopping),
            reraise=True,
        )
        try:
            for one in retrying:
                with one:
                    attempt(one.retry_state.attempt_number)
        except Transient:
            return
        except (_Stopped, IgtoolError):
            self.recorder.queue.release(held.jobs, owner=self.claimant.owner)
            if not self.stopping():
                raise

    def _ask(self, grant: Grant, *, is_last: bool) -> None:
        tasks = [_task(job) for job in grant.jobs]
        key = self.recorder.keys[grant.key]
        try:
            call = self.source.call(tasks, key)
        except (Refused, UsageError, ValueError) as refusal:
            self.recorder.record(
                grant, Verdict("invalid", str(refusal)), None, self.recorder.given_up(grant.jobs, str(refusal))
            )
            return
        try:
            response = self.client.get(call.url, call.headers)
        except ConfigError as error:  # an address or key that cannot be sent: `_serve` gives the lease back
            self.recorder.record(grant, Verdict("invalid", self.recorder.clean(str(error))), None, ())
            raise
        except NetworkError as error:
            verdict = Verdict("transient", self.recorder.clean(str(error)))
            self.recorder.failed(grant, verdict, None, is_last=is_last)
        except RefusedAnswer as refusal:
            words = self.recorder.clean(f"{refusal.reason}: {refusal}")
            self.recorder.record(
                grant, Verdict("invalid", words), None, self.recorder.given_up(grant.jobs, words), pacing.faulted
            )
        else:
            self.recorder.answered(grant, tasks, Heard(response, call.endpoint), is_last=is_last)


_TELL_S = 30.0
_TELL_PERSON_S = 300.0
_WHY: dict[str, str] = {
    "free": "nothing",
    "window": "its requests in the window are used",
    "pause": "the pause between two requests",
    "rest": "the rest after a batch",
    "near_limit": "it is close to its limit",
    "rate_limit": "it asked us to wait",
    "breaker": "it limited us again and again",
    "quota": "the day's quota is used up",
}


def _task(job: Job) -> Task:
    return Task(job.handle, job.kind, job.target, trail_of(job.progress).cursor)
