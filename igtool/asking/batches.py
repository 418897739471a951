"""Questions handed in together, at a lower price; a batch outlives the process that handed it in."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from igtool.asking.answers import Answers
from igtool.asking.crew import Job
from igtool.asking.pauses import Pauses
from igtool.clock import Clock
from igtool.errors import IgtoolError, RateLimitedError
from igtool.journal.models import Batch, Bound, CallLimits, ModelLedger
from igtool.llms.base import BatchProvider, Completion, Prompt, ProviderError
from igtool.llms.prices import Price, bound_of, most_tokens
from igtool.llms.questions import Question

POLL_S = 30.0
"""Between two looks at a batch that is under way."""
_ROOM = 3
"""A prompt takes at most so many times the bytes of its text once it is JSON with its schema."""
_PATIENCE = 20
"""So many failures to look in a row end the waiting; the batch goes on at the provider."""
_NOTHING = Question("", "", "", Prompt((), "", {}), lambda text: text)
"""The question of an answer that nobody asks any more: it was paid for and is kept."""


@dataclass
class Batches:
    """The batches of one provider. ``trouble`` says why there will be no more of them in this run."""

    provider: BatchProvider
    price: Price
    ledger: ModelLedger
    answers: Answers
    pauses: Pauses
    run: str
    limits: CallLimits
    clock: Clock
    stopping: Callable[[], bool]
    told: Callable[[str], None]
    poll_s: float = POLL_S
    trouble: IgtoolError | None = None

    @property
    def _name(self) -> tuple[str, str]:
        return self.provider.name, self.provider.model

    @property
    def are_under_way(self) -> bool:
        """Whether there are batches whose answers are not stored yet, of this run or an earlier one."""
        return bool(self.ledger.batches(self._name))

    def finish(self, jobs: Sequence[Job]) -> None:
        """Wait for the batches that are under way and store their answers."""
        by_key = {job.key: job for job in jobs}
        for batch in self.ledger.batches(self._name):
            if self.trouble is None and not self.stopping():
                self._finish(batch, by_key)

    def hand_in(self, jobs: Sequence[Job]) -> int:
        """Hand in ``jobs``, the first of them that money and the size of a batch allow, as one batch; how many."""
        jobs = self._fitting(jobs)
        label = f"igtool-{uuid.uuid4().hex}"
        price = self.price.times(self.provider.batch_price)
        bounds = [Bound(*bound_of(self.provider, price, job.prompt)) for job in jobs]
        now = self.clock.now()
        asked = {f"q{place}": (job.key, 0) for place, job in enumerate(jobs)}
        batch = Batch(label, *self._name, None, asked, now)
        entered = self.ledger.enter(self._name, bounds, run=self.run, limits=self.limits, now=now, label=batch)
        if not entered.call_ids:
            return 0
        prompts = {name: job.prompt for name, job in zip(asked, jobs, strict=True)}
        sent = dict(list(prompts.items())[: len(entered.call_ids)])
        try:
            self.ledger.name_batch(label, self.provider.submit(sent, label))
        except ProviderError as error:
            self._not_taken(label, error)
        return len(sent)

    def _not_taken(self, label: str, error: ProviderError) -> None:
        """A batch that was refused costs nothing; one that may have arrived is looked for by the next run."""
        trouble = self.pauses.refused(error)
        if error.outcome != "transient":
            (batch,) = [one for one in self.ledger.batches(self._name) if one.label == label]
            self._drop(batch, error.outcome)
        self.trouble = trouble or RateLimitedError(
            f"{self.pauses.shown} did not take the batch ({error}): the same command goes on later"
        )

    def _drop(self, batch: Batch, outcome: str) -> None:
        for _, call_id in batch.asked.values():
            self.answers.failed(call_id, outcome)
        self.answers.store(self.clock.now(), batch=batch.label)

    def _finish(self, batch: Batch, jobs: dict[str, Job]) -> None:
        try:
            batch_id = batch.batch_id or self.provider.find(batch.label)
        except ProviderError as error:
            self.trouble = self._unseen(error)
            return
        if batch_id is None:
            self._drop(batch, "lost")
            return
        self.told(f"{self.pauses.shown}: waiting for a batch of {len(batch.asked)} questions ({batch_id})")
        self._await(batch, batch_id, jobs)

    def _await(self, batch: Batch, batch_id: str, jobs: dict[str, Job]) -> None:
        failures = 0
        while not self.stopping():
            try:
                state = self.provider.state(batch_id)
                if state == "ended":
                    self._take(batch, self.provider.results(batch_id), jobs)
                    return
                if state != "under_way":
                    self._drop(batch, state)
                    words = f"{self.pauses.shown}: the batch {batch_id} is {state} there; the same command asks again"
                    self.trouble = RateLimitedError(words)
                    return
                failures = 0
            except ProviderError as error:
                failures += 1
                self.trouble = self.pauses.refused(error) if error.outcome in ("auth", "quota") else None
                if failures == _PATIENCE:
                    self.trouble = self._unseen(error)
                if self.trouble is not None:
                    return
            self.clock.sleep(self.poll_s, self.stopping)

    def _unseen(self, error: ProviderError) -> RateLimitedError:
        return RateLimitedError(
            f"{self.pauses.shown}: the batch cannot be looked at ({error}); it goes on there, and the same command "
            "collects its answers"
        )

    def _take(self, batch: Batch, results: dict[str, Completion | ProviderError], jobs: dict[str, Job]) -> None:
        price = self.price.times(self.provider.batch_price)
        now = self.clock.now()
        for name, (key, call_id) in batch.asked.items():
            result = results.get(name)
            if not isinstance(result, Completion):
                self.answers.failed(call_id, "expired" if result is None else result.outcome)
                continue
            job = jobs.get(key) or Job(-1, _NOTHING, _NOTHING.prompt, key)
            job.call_id = call_id
            self.answers.came(self.provider, job, result, now - batch.submitted_at, price, now)
        self.answers.store(now, batch=batch.label)

    def _fitting(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """The first of ``jobs`` that fit one batch, at least one."""
        sizes = accumulate(_ROOM * most_tokens(job.prompt, 0) for job in jobs[: self.provider.most_batch_prompts])
        return jobs[: max(1, sum(size <= self.provider.most_batch_bytes for size in sizes))]
