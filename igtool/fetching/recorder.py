"""What follows from an answer: the ledger entry, the new pace, the job's next state, further jobs. One transaction."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from igtool import pacing
from igtool.clock import Clock
from igtool.errors import ConfigError
from igtool.fetching.paging import Bounds, advance, begin, guess_again, trail_of
from igtool.http import Response, redacted
from igtool.journal.ledger import Claimant, Grant, Ledger, StoredAnswer
from igtool.journal.queue import DEAD, DONE, FAILED, NOT_FOUND, PRIVATE, WAITING, Change, Job, Queue, Wanted
from igtool.pacing import Pace
from igtool.platforms.base import Refused
from igtool.platforms.live import PROFILE, Key, Page, Source, Task
from igtool.platforms.outcomes import Verdict

TRIES = 3
SECOND_LOOK_S = 60.0
"""An HTML page in place of an unknown user is looked at again after this time."""
STOPPED_S = 1_800.0
"""A source that shut us out is left alone for so long, by later runs too."""
_KEPT_ERROR_BYTES = 100_000
_DAY_S = 86_400.0
_QUOTA_WORDS = (b"quotaExceeded", b"dailyLimitExceeded")
_LOG = logging.getLogger(__name__)


class Transient(Exception):  # noqa: N818 - the signal to try again, not a failure that anybody sees
    """An answer that did not come or was none; worth another try."""


@dataclass(frozen=True)
class Reach:
    """How far each further kind of data goes (``bounds``), and how long what did not come is left alone."""

    bounds: dict[str, Bounds]
    not_found_retry_s: float = 30 * _DAY_S
    failed_retry_s: float = 6 * 3_600.0
    max_wait_s: float = 14_400.0


@dataclass(frozen=True)
class Heard:
    """An answer that came, the endpoint that gave it, and whether it holds data if its verdict says so."""

    response: Response
    endpoint: str
    is_data: bool = True


@dataclass
class Recorder:
    """Judges and records the answers of one source.

    ``others``: sources of the same platform that come after this one, in the user's order. ``is_forgotten``: whether
    nobody may be asked about a (platform, handle).
    """

    source: Source
    claimant: Claimant
    ledger: Ledger
    queue: Queue
    clock: Clock
    reach: Reach
    others: Sequence[Source] = ()
    is_forgotten: Callable[[str, str], bool] = lambda _platform, _handle: False
    rng: random.Random = random.SystemRandom()  # noqa: RUF009 - has no state to share

    def __post_init__(self) -> None:
        self.keys: dict[str, Key] = {key.name: key for key in self.source.keys()}  # noqa: SIM118 - not a dict
        self.refused: dict[str, str] = {}
        self.streak: list[int] = []
        self.secrets = [key.secret for key in self.keys.values() if key.secret]

    def open_keys(self) -> list[str]:
        """The names of the keys that were not refused."""
        return [name for name in self.keys if name not in self.refused]

    def jitter(self) -> float:
        """A pause between two requests, in seconds."""
        return self.rng.uniform(*self.claimant.policy.jitter_s)

    def answered(self, grant: Grant, tasks: Sequence[Task], heard: Heard, *, is_last: bool) -> None:
        """Take an answer, whatever it is. Raises Transient (try again), ConfigError (the source shut us out)."""
        verdict = self.source.judge(heard.response)
        verdict = replace(verdict, words=self.clean(verdict.words))
        if verdict.outcome in ("ok", "private"):
            self._took(grant, tasks, heard, verdict)
        elif verdict.outcome == "not_found":
            self._not_found(grant, heard, verdict)
        elif verdict.outcome == "transient":
            self.failed(grant, verdict, heard, is_last=is_last)
        elif verdict.outcome == "rate_limited":
            self._rate_limited(grant, heard, verdict)
        elif verdict.outcome in ("auth", "blocked"):
            self._shut_out(grant, heard, verdict)
        else:
            changes = self.given_up(grant.jobs, f"{verdict.outcome}: {verdict.words}")
            self.record(grant, verdict, heard, changes, pacing.faulted)

    def _took(self, grant: Grant, tasks: Sequence[Task], heard: Heard, verdict: Verdict) -> None:
        try:
            page = self.source.page(tasks[0], heard.response.body)
        except (Refused, msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
            if verdict.outcome == "private":  # told in words, in place of the data
                changes = [
                    Change(job.job_id, PRIVATE if job.kind == PROFILE else DONE, "private") for job in grant.jobs
                ]
                self.record(grant, verdict, replace(heard, is_data=False), changes, _ok)
                return
            verdict = Verdict("invalid", self.clean(f"{getattr(error, 'reason', 'wrong-type')}: {error}"))
            self.record(grant, verdict, heard, self.given_up(grant.jobs, verdict.words), pacing.faulted)
            return
        changes, follow_ups = list[Change](), list[Wanted]()
        for job in grant.jobs:
            self._take(job, page, changes, follow_ups)
        if verdict.outcome == "private" or (page.is_private and page.found is None):
            verdict = Verdict("private", verdict.words)
        self.streak.clear()
        self.record(grant, verdict, heard, changes, _ok, follow_ups=follow_ups)

    def _take(self, job: Job, page: Page, changes: list[Change], follow_ups: list[Wanted]) -> None:
        """What ``page`` means for one job."""
        if page.found is not None and job.handle not in page.found:
            changes.append(self._ended_not_found(job))
        elif job.kind != PROFILE:
            trail = trail_of(job.progress)
            reason = advance(trail, page, self.reach.bounds[job.kind])
            changes.append(Change(job.job_id, DONE if reason else WAITING, reason or "", progress=trail.text()))
            follow_ups += (
                Wanted(job.platform, found, PROFILE, job.source, job.priority, reopens=False)
                for found in page.discovered
                if not self.is_forgotten(job.platform, found)
            )
        elif page.is_private and page.found is None:
            changes.append(Change(job.job_id, PRIVATE))
        else:
            changes.append(Change(job.job_id, DONE))
            follow_ups += self._follow_ups(job, page)

    def _follow_ups(self, job: Job, page: Page) -> list[Wanted]:
        """The further kinds that the user wants of this account, from where the profile left off."""
        starts = page.starts.get(job.handle, {}) if page.found is not None else page.follow
        wanted = []
        for kind, start in starts.items():
            bounds = self.reach.bounds.get(kind)
            if bounds is None or start.is_end:
                continue
            trail = begin(page, start)
            has_enough = trail.pages >= bounds.pages or (bounds.items is not None and trail.items >= bounds.items)
            if not has_enough:
                wanted.append(
                    Wanted(job.platform, job.handle, kind, job.source, job.priority, start.target, trail.text())
                )
        return wanted

    # -- what did not go well -----------------------------------------------------------------------------------

    def _not_found(self, grant: Grant, heard: Heard, verdict: Verdict) -> None:
        changes = []
        for job in grant.jobs:
            trail = trail_of(job.progress)
            if not verdict.is_sure and not trail.looks:
                trail.looks = 1
                due_at = self.clock.now() + SECOND_LOOK_S
                changes.append(Change(job.job_id, WAITING, verdict.words, due_at, progress=trail.text()))
            else:
                changes.append(self._ended_not_found(job))
        self.streak.clear()
        self.record(grant, verdict, heard, changes, _ok)

    def _ended_not_found(self, job: Job) -> Change:
        if job.kind != PROFILE:
            return Change(job.job_id, DONE, "gone")
        other = next((one for one in self.others if job.kind in one.kinds), None)
        if self.source.is_partial and other is not None:
            return Change(job.job_id, WAITING, progress="", source=other.name)
        return Change(job.job_id, NOT_FOUND, due_at=self.clock.now() + self.reach.not_found_retry_s)

    def given_up(self, jobs: Sequence[Job], words: str) -> list[Change]:
        """Asking again does not help: another source, else a dead letter; of several, one may spoil it for all."""
        if len(jobs) > 1:
            return _apart(jobs)
        changes = []
        for job in jobs:
            other = next((one for one in self.others if job.kind in one.kinds), None)
            trail = trail_of(job.progress)
            if trail.guessed:  # a cursor that nobody gave us: that it fails says nothing about the account
                reason = guess_again(trail)
                changes.append(Change(job.job_id, DONE if reason else WAITING, reason or "", progress=trail.text()))
            elif other is not None and job.kind == PROFILE:
                changes.append(Change(job.job_id, WAITING, words, progress="", source=other.name))
            else:
                changes.append(Change(job.job_id, DEAD, words))
        return changes

    def failed(self, grant: Grant, verdict: Verdict, heard: Heard | None, *, is_last: bool) -> None:
        """A try in vain; after the last one the jobs are left to a later run."""
        if not is_last:
            asked_s = self._retry_after_s(heard) if heard else None
            self.record(grant, verdict, heard, (), partial(_paused, wait_s=min(asked_s or 0.0, STOPPED_S)))
            raise Transient
        if len(grant.jobs) > 1:
            self.record(grant, verdict, heard, _apart(grant.jobs), pacing.faulted)
            return
        due_at = self.clock.now() + self.reach.failed_retry_s
        changes = [
            Change(job.job_id, FAILED, f"{TRIES} tries: {verdict.words}", due_at, rounds=job.rounds + 1)
            for job in grant.jobs
        ]
        pace = self.record(grant, verdict, heard, changes, pacing.faulted)
        self.streak += [job.job_id for job in grant.jobs]
        if pace.level and not pace.faults:  # the breaker opened: the trouble was not theirs
            self.queue.retry(self.streak, now=self.clock.now())
            self.streak.clear()

    def _rate_limited(self, grant: Grant, heard: Heard, verdict: Verdict) -> None:
        changes = [Change(job.job_id, WAITING) for job in grant.jobs]
        if self.claimant.policy.quotas and any(word in heard.response.body for word in _QUOTA_WORDS):
            self.record(grant, verdict, heard, changes, pacing.exhausted)
            return
        after = partial(_limited, wait_s=self._retry_after_s(heard))
        before = self.ledger.paces().get((self.source.name, grant.key), Pace()).level
        if self.record(grant, verdict, heard, changes, after).level > before:
            self._hand_over()

    def _retry_after_s(self, heard: Heard) -> float | None:
        return pacing.retry_after_s(heard.response.headers.get("retry-after"), self.clock.now())

    def _shut_out(self, grant: Grant, heard: Heard, verdict: Verdict) -> None:
        """A key that is refused, a kind that is closed to us, or a source that does not want us."""
        words = f"{verdict.outcome}: {verdict.words}"
        has_key = bool(self.keys[grant.key].secret)
        if verdict.outcome == "auth" and grant.jobs[0].kind != PROFILE and not has_key:  # a key is for all kinds
            self.record(grant, verdict, heard, [Change(job.job_id, DEAD, words) for job in grant.jobs])
            self.queue.close_kind(self.claimant.run, self.source.name, grant.jobs[0].kind, words, self.clock.now())
            return
        self.record(grant, verdict, heard, [Change(job.job_id, WAITING) for job in grant.jobs], _shut)
        self.refused[grant.key] = words
        if verdict.outcome == "auth" and self.open_keys():
            return
        self._hand_over()
        fix = "check its key" if has_key else "look at it in a browser"
        raise ConfigError(
            f"{self.source.name} was stopped, {words or 'it shut us out'} (asking for {grant.jobs[0].handle}): "
            f"{fix}; `igtool doctor` tries again, and the same command goes on"
        )

    def _hand_over(self) -> None:
        """Let the next source of this platform have the profiles that wait: this one is closed for a long time.

        Lists that were begun stay here: ids and cursors of one source mean nothing to another.
        """
        if self.others:
            self.queue.reroute(self.claimant.run, self.source.name, self.others[0].name, (PROFILE,))

    # -- recording ----------------------------------------------------------------------------------------------

    def record(
        self,
        grant: Grant,
        verdict: Verdict,
        heard: Heard | None,
        changes: Sequence[Change],
        after: Callable[[Pace, float, str], Pace] = lambda pace, _now, _words: pace,
        *,
        follow_ups: Sequence[Wanted] = (),
    ) -> Pace:
        """Everything that follows from an answer (None: there was none) in one transaction; the new pace."""
        now = self.clock.now()
        usage = self.source.usage_score(heard.response.headers) if heard else None
        made: list[Pace] = []

        def change(pace: Pace) -> Pace:
            paced = pacing.answered(pace, self.claimant.policy, now, self.jitter())
            paced = after(replace(paced, usage_score=paced.usage_score if usage is None else usage), now, verdict.words)
            made.append(paced)
            return paced

        self.ledger.record(
            self.claimant,
            grant,
            outcome=verdict.outcome,
            status=heard.response.status if heard else None,
            now=now,
            pace=change,
            answer=self._answer(grant, heard, verdict) if heard else None,
            changes=changes,
            follow_ups=follow_ups,
        )
        _LOG.debug("%s %s: %s", self.source.name, grant.jobs[0].handle, verdict.outcome)
        return made[0]

    def _answer(self, grant: Grant, heard: Heard, verdict: Verdict) -> StoredAnswer:
        """The answer as it is kept: what is no data is kept for triage, under ``…_error`` and shortened."""
        is_data = heard.is_data and verdict.outcome in ("ok", "private")
        body = heard.response.body if is_data else heard.response.body[:_KEPT_ERROR_BYTES]
        if self.secrets and any(secret.encode() in body for secret in self.secrets):
            body = self.clean(body.decode("utf-8", "replace")).encode()
        subject = grant.jobs[0].handle if len(grant.jobs) == 1 else None
        digest = hashlib.sha256(body).hexdigest()
        fetched_at = int(self.clock.now())
        name = f"{self.source.name}\0{heard.endpoint}\0{subject}\0{fetched_at}\0{grant.request_id}\0{digest}"
        return StoredAnswer(
            answer_id=hashlib.sha256(name.encode()).hexdigest(),
            platform=self.source.platform,
            source=self.source.name,
            endpoint=heard.endpoint if is_data else f"{heard.endpoint}_error",
            subject=subject,
            status=heard.response.status,
            outcome=verdict.outcome,
            body=body,
            sha256=digest,
            fetched_at=fetched_at,
        )

    def clean(self, text: str) -> str:
        """``text`` without the source's secrets."""
        return redacted(text, self.secrets)


def _apart(jobs: Sequence[Job]) -> list[Change]:
    """Each of ``jobs`` is to be asked by itself."""
    changes = []
    for job in jobs:
        trail = trail_of(job.progress)
        trail.alone = True
        changes.append(Change(job.job_id, WAITING, progress=trail.text()))
    return changes


def _ok(pace: Pace, now: float, _words: str) -> Pace:
    return pacing.succeeded(pace, now)


def _limited(pace: Pace, now: float, words: str, *, wait_s: float | None) -> Pace:
    return pacing.limited(pace, now, wait_s, words)


def _paused(pace: Pace, now: float, _words: str, *, wait_s: float) -> Pace:
    return replace(pace, next_at=max(pace.next_at, now + wait_s))


def _shut(pace: Pace, now: float, words: str) -> Pace:
    return replace(pace, limited_at=now, limited_until=now + STOPPED_S, is_quota=False, reason=words)
