"""The loop that asks: what is stored is taken, the rest is sent side by side, repaired, tried again or left pending."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igtool.asking.answers import Answers, Stored
from igtool.asking.batches import Batches
from igtool.asking.crew import Crew, Job, Reply
from igtool.asking.leaving import check_may_be_shown
from igtool.asking.pauses import USUAL_SETTINGS, WAITS_S, Pauses
from igtool.clock import Clock
from igtool.errors import BudgetError, IgtoolError
from igtool.journal.models import Bound, CallLimits, ModelLedger
from igtool.journal.queue import is_alive, owner_name
from igtool.llms.base import BatchProvider, Completion, Prompt, Provider, ProviderError
from igtool.llms.prices import Price, bound_of
from igtool.llms.questions import Answered, Question, Result, Unusable, WrongAnswer, answer_key, longer, repaired
from igtool.throttle import SlidingWindow

REPAIRS = 2
"""At most so many times a model is shown what is wrong with its answer."""
_LOOK_S = 0.5


@dataclass
class Asker:
    """Asks one provider, in one run. ``blocked`` says why nothing more can be asked, if that is so.

    Calls are made by ``concurrency`` threads; all else happens in the thread that calls ``ask``. An answer and its
    charge are one transaction of the journal, before anything is made of it. Equal prompts are asked once.

    ``may_show_elsewhere``: pictures may be shown to a model that is not on this machine, but for prompts that stay
    here. Prompts with pictures are never handed in as batches: the file of a batch lies at the provider afterwards.
    ``settings_named``: what to look at when the provider takes no call.

    ``asks_lost``: a question that was under way when its process was killed is asked again, although it may have been
    paid for; else it is unusable (``llm-lost``), and left for later while another process is at it. ``throttle`` bounds
    the calls a second besides the limits of the ledger.
    """

    provider: Provider
    price: Price
    ledger: ModelLedger
    lake: Stored
    run: str
    limits: CallLimits = field(default_factory=CallLimits)
    concurrency: int = 1
    max_wait_s: float = 14_400.0
    in_batches: bool = False
    may_show_elsewhere: bool = False
    asks_lost: bool = True
    throttle: SlidingWindow | None = None
    settings_named: str = USUAL_SETTINGS
    clock: Clock = field(default_factory=Clock)
    stopping: Callable[[], bool] = lambda: False
    told: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        self.blocked: IgtoolError | None = None
        self.answers = Answers(self.ledger, self.lake)
        self.tally = self.answers.tally
        self.pauses = Pauses(self.provider, self.clock, self.max_wait_s, self.settings_named)
        self._crew: Crew | None = None
        self._ready: deque[Job] = deque()
        self._delayed: list[tuple[float, int, Job]] = []
        self._twins: dict[str, list[Job]] = {}
        self._under_way = 0
        self._lost = 0
        self._broken: IgtoolError | None = None
        self._results: list[Result] = []

    @property
    def trouble(self) -> IgtoolError | None:
        """Why questions were left without an answer, if any were; None also where the user asked to stop."""
        if self.blocked is None and self._lost:
            return self.pauses.lost(self._lost)
        return self.blocked

    def ask(self, questions: Sequence[Question]) -> list[Result]:
        """What came of each question, in order. Where asking has to stop, ``blocked`` is set and the rest is None.

        Raises what the stores raise, and an IgtoolError that the provider raised, once the answers of the calls beside
        it are stored. Raises ConfigError, before anything is sent, for a prompt that this provider must not be shown.
        """
        self.answers.drain()
        self._results = [None] * len(questions)
        for left in (self._ready, self._delayed, self._twins):
            left.clear()
        try:
            self._ask_all([self._job(place, question, question.prompt) for place, question in enumerate(questions)])
        except BaseException:
            self._crew, self._under_way = None, 0  # what is still under way must not answer other questions
            raise
        if self._broken is not None:
            raise self._broken
        self.tally.postponed += sum(result is None for result in self._results)
        return self._results

    def _ask_all(self, jobs: Sequence[Job]) -> None:
        self._take_stored(jobs)
        if isinstance(self.provider, BatchProvider):
            self._ask_in_batches(self.provider)
        while self._ready or self._delayed or self._under_way:
            self._turn()
            if self._is_stopped() and not self._under_way:
                break

    def close(self) -> None:
        """Store what is left, and give back threads and connections."""
        try:
            self.answers.drain()
        finally:
            if self._crew is not None:
                self._crew.dismiss()
            self.provider.close()

    # -- sending --------------------------------------------------------------------------------------------------

    def _job(self, place: int, question: Question, prompt: Prompt) -> Job:
        check_may_be_shown(self.provider, prompt, elsewhere=self.may_show_elsewhere)
        key = answer_key(self.provider.name, self.provider.model, question, prompt)
        return Job(place, question, prompt, key)

    def _is_stopped(self) -> bool:
        return self.blocked is not None or self._broken is not None or self.stopping()

    def _take_stored(self, jobs: Sequence[Job], *, is_new: bool = False) -> None:
        """Take the answers that are stored; what has to be sent is ready, of equal prompts the first.

        ``is_new``: only what came in this call can have been asked before.
        """
        while jobs:
            rows = self.answers.stored([job.key for job in jobs], is_new=is_new)
            asked = {} if self.asks_lost else self.ledger.under_way([job.key for job in jobs])
            known: list[Job] = []
            for job in jobs:
                if job.key in rows:
                    known.append(job)
                elif (owner := asked.get((job.key, job.question.item_id))) is not None:
                    if owner == owner_name() or not is_alive(owner):
                        self._unusable(job, "llm-lost", "the process was killed while it was asked")
                elif job.key in self._twins:
                    self._twins[job.key].append(job)
                else:
                    self._twins[job.key] = []
                    self._ready.append(job)
            self.tally.cached += 0 if is_new else len(known)
            jobs = [again for job in known if (again := self._judge(job, rows[job.key])) is not None]

    def _with_twins(self, job: Job) -> list[Job]:
        """``job`` and those that wait for the answer to the same prompt."""
        return [job, *self._twins.pop(job.key, ())]

    def _ask_in_batches(self, provider: BatchProvider) -> None:
        """Have what is ready answered in batches; what these leave without a usable answer is asked one by one.

        Batches of an earlier run are waited for in any case: their questions would be paid for twice.
        """
        batches = Batches(
            provider,
            self.price,
            self.ledger,
            self.answers,
            self.pauses,
            self.run,
            self.limits,
            self.clock,
            self.stopping,
            self.told,
        )
        sent: set[str] = set()
        while not self._is_stopped():
            if batches.are_under_way:
                jobs = [one for job in self._ready for one in self._with_twins(job)]
                batches.finish(jobs)
                self._ready.clear()
                self._take_stored(jobs, is_new=True)
            fresh = [job for job in self._ready if self._is_for_batch(job) and job.key not in sent]
            count = batches.hand_in(fresh) if fresh and batches.trouble is None and not self.stopping() else 0
            self.blocked = batches.trouble
            if not count:
                return
            sent.update(job.key for job in fresh[:count])

    def _is_for_batch(self, job: Job) -> bool:
        return self.in_batches and not job.repairs and not job.prompt.pictures

    def _turn(self) -> None:
        """Send what may be sent, and deal with what came."""
        while self._delayed and self._delayed[0][0] <= self.clock.now():
            self._ready.append(heapq.heappop(self._delayed)[2])
        if not self._is_stopped():
            self._send()
        if not self._under_way:
            if not self._is_stopped():
                self._rest()
            return
        crew = self._crew
        ended = crew.take(self._patience_s()) if crew is not None else []
        self._under_way -= len(ended)
        landed = [(job, reply, self._land(job, reply, latency_s)) for job, reply, latency_s in ended]
        self.answers.store(self.clock.now())
        repairs: list[Job] = []
        shorter: list[Job] = []
        for job, reply, row in landed:
            if isinstance(reply, Completion):
                repairs += self._came(job, row)
            elif isinstance(reply, ProviderError):
                shorter += self._failed(job, reply)
        self._take_stored(repairs, is_new=True)
        self._take_stored(shorter)

    def _send(self) -> None:
        """Hand the next jobs to the crew, as many as the limits allow."""
        size = min(len(self._ready), self.concurrency - self._under_way)
        if size <= 0 or self.pauses.is_waiting():
            return
        now = self.clock.now()
        if self.throttle is not None:
            size = min(size, self.throttle.room(now))
            if not size:
                self.pauses.until = self.throttle.free_at(now)
                return
        chosen = [self._ready[place] for place in range(size)]
        bounds = [Bound(*bound_of(self.provider, self.price, job.prompt), self._asked(job)) for job in chosen]
        name = (self.provider.name, self.provider.model)
        entered = self.ledger.enter(name, bounds, run=self.run, limits=self.limits, now=now)
        if entered.wait_until is not None:
            self.pauses.until = max(self.pauses.until, entered.wait_until)
        if entered.spent_usd is not None and not entered.call_ids and not self._under_way:
            self.blocked = self._over_budget(entered.spent_usd)
        crew = self._crew = self._crew or Crew(self.provider, self.concurrency)
        for call_id in entered.call_ids:
            job = self._ready.popleft()
            job.call_id, job.began_at = call_id, now
            crew.give(job)
        self._under_way += len(entered.call_ids)
        if self.throttle is not None:
            self.throttle.take(now, len(entered.call_ids))

    def _asked(self, job: Job) -> tuple[str, str] | None:
        """What is to be known of a call if no answer comes."""
        return None if self.asks_lost else (job.key, job.question.item_id)

    def _over_budget(self, spent_usd: float) -> BudgetError:
        return BudgetError(
            f"{self.pauses.shown}: the next call could go over the {self.limits.max_cost_usd:g} US dollars of this run "
            f"({spent_usd:.4f} are spent); the same command with a higher --max-cost goes on"
        )

    def _patience_s(self) -> float:
        """Seconds to wait for an answer before looking whether something else can be done."""
        wakes = [at for at, _, _ in self._delayed[:1]]
        if self._ready and self.pauses.is_waiting():
            wakes.append(self.pauses.until)
        return min([_LOOK_S, *(max(0.001, at - self.clock.now()) for at in wakes)])

    def _rest(self) -> None:
        """Nothing is under way: wait until something may be sent."""
        wakes = [at for at, _, _ in self._delayed[:1]] if not self._ready else []
        wake = max([self.pauses.until, *wakes])
        seconds = wake - self.clock.now()
        if seconds > WAITS_S[-1]:
            self.told(f"{self.pauses.shown} asks to wait: going on in {seconds:.0f} s")
        if seconds > 0:
            self.clock.sleep(seconds, self.stopping)

    # -- what came ------------------------------------------------------------------------------------------------

    def _land(self, job: Job, reply: Reply, latency_s: float) -> Mapping[str, Any]:
        """Note how a call ended, for the next transaction; the row of its answer."""
        if isinstance(reply, ProviderError):
            self.answers.failed(job.call_id, reply.outcome)
            return {}
        if isinstance(reply, IgtoolError):
            self.answers.failed(job.call_id, "broken")
            self._broken = self._broken or reply
            return {}
        self.pauses.answered(job.began_at)
        return self.answers.came(self.provider, job, reply, latency_s, self.price, self.clock.now())

    def _came(self, job: Job, row: Mapping[str, Any]) -> list[Job]:
        """Take the answer to a prompt; the jobs that ask for a better one."""
        same = self._with_twins(job)
        self.tally.cached += len(same) - 1
        return [again for one in same if (again := self._judge(one, row)) is not None]

    def _judge(self, job: Job, row: Mapping[str, Any]) -> Job | None:
        """Take an answer; the job that asks for a better one, if it cannot be used and may be asked again."""
        try:
            if row["outcome"] == "refusal":
                self._unusable(job, "llm-refused", "the model refused to answer")
                return None
            value = job.question.check(row["answer"])
        except WrongAnswer as error:
            cut_off = row["outcome"] == "length"
            if job.repairs == REPAIRS:
                reason = "llm-truncated" if cut_off else error.reason
                self._unusable(job, reason, f"after {REPAIRS} repairs: {error}")
                return None
            prompt = longer(job.prompt) if cut_off else repaired(job.question.prompt, row["answer"], error)
            again = self._job(job.place, job.question, prompt)
            again.repairs = job.repairs + 1
            self.tally.repaired += 1
            return again
        except Exception as error:  # noqa: BLE001 - like any stage's: it costs this item, and no other
            self._unusable(job, "stage-error", f"{type(error).__name__}: {error}"[:400])
            return None
        self._results[job.place] = Answered(job.question, value, row)
        return None

    def _unusable(self, job: Job, reason: str, detail: str) -> None:
        self._results[job.place] = Unusable(reason, f"{self.pauses.shown}: {detail}")
        self.tally.unusable += 1

    def _failed(self, job: Job, error: ProviderError) -> list[Job]:
        """Deal with a call without an answer; the jobs that are asked in its place at once."""
        if error.outcome == "rate_limited":
            self.blocked = self.blocked or self.pauses.rate_limited(error, job.began_at)
            self._ready.appendleft(job)
        elif error.outcome == "transient":
            self._try_later(job, error)
        elif error.outcome == "too_long":
            return [again for one in self._with_twins(job) if (again := self._shorter(one, error)) is not None]
        elif (trouble := self.pauses.refused(error)) is not None:
            self.blocked = self.blocked or trouble
        else:
            for one in self._with_twins(job):
                self._unusable(one, "llm-not-taken", str(error))
        return []

    def _try_later(self, job: Job, error: ProviderError) -> None:
        """Have ``job`` asked again after a while; after the last try it is left for the next run."""
        self.blocked = self.blocked or self.pauses.failed(error, job.began_at)
        if job.tries == len(WAITS_S) or self.pauses.is_too_long(error):
            self.blocked = self.blocked or self.pauses.given_up(error)
            self._lost += len(self._with_twins(job))
            return
        wait_s = max(WAITS_S[job.tries], error.retry_after_s or 0.0)
        job.tries += 1
        heapq.heappush(self._delayed, (self.clock.now() + wait_s, job.call_id, job))

    def _shorter(self, job: Job, error: ProviderError) -> Job | None:
        """The job with less text in its prompt."""
        shorter = job.question.shorter()
        if shorter is None:
            self._unusable(job, "llm-too-long", f"the shortest prompt does not fit the model: {error}")
            return None
        return self._job(job.place, shorter, shorter.prompt)
