"""The encoder that the settings name; what one behind a network costs is charged, and its answers are kept."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from igtool import registry
from igtool.asking.pauses import WAITS_S, Pauses
from igtool.clock import Clock
from igtool.encoders.base import Encoder, EncoderOptions, Vectors, unit
from igtool.encoders.openai import OpenAIEncoder
from igtool.errors import BudgetError, ConfigError, IgtoolError, Interrupted, RateLimitedError
from igtool.journal import Journal
from igtool.journal.models import Bound, CallLimits, Ended, ModelLedger
from igtool.lake import Lake
from igtool.llms.base import ProviderError
from igtool.llms.embeddings import Embedded
from igtool.llms.prices import FREE, OVERHEAD_TOKENS, Price, from_table, table_version
from igtool.settings import Settings

_AT_ONCE = 4
_KEPT = 1_000
Reply = Embedded | ProviderError


@dataclass
class Errand:
    """On whose behalf texts are encoded: ``run`` is charged, ``stopping`` says whether the user asked to stop."""

    run: str = field(default_factory=lambda: f"encoding-{uuid.uuid4().hex}")
    stopping: Callable[[], bool] = lambda: False
    told: Callable[[str], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)


class Charged(Encoder):
    """A hosted encoder that pays for each text once.

    A call is entered in the ledger at its highest cost before it is made. Its vectors and what it really cost are one
    transaction of the journal, so a process that is killed has them or has not paid. They stay there until they are
    in ``text_vectors``, those of words of our own and of searches for good. Vectors are rounded to 16 bits, as they
    are kept. Raises ConfigError, RateLimitedError and BudgetError, with all that came stored.
    """

    def __init__(
        self,
        hosted: OpenAIEncoder,
        price: Price,
        cache: Path,
        limits: CallLimits | None = None,
        concurrency: int = _AT_ONCE,
        max_wait_s: float = 14_400.0,
    ) -> None:
        """``cache``: the folder of the journal."""
        super().__init__(hosted.options)
        self.model, self.dimension = hosted.model, hosted.dimension
        self.errand = Errand()
        self._hosted = hosted
        self._price = price
        self._cache = cache
        self._limits = limits or CallLimits()
        self._concurrency = concurrency
        self._max_wait_s = max_wait_s

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:  # noqa: ARG002 - see OpenAIEncoder
        """Vectors of shape (len(texts), dimension), those that are not known asked for."""
        self._hosted.provider.check()
        by_hash = {_sha256(text): text for text in texts}
        with Journal(self._cache, writable=False, shared=True) as journal:
            ledger = ModelLedger(journal)
            known = ledger.vectors(self.model, by_hash)
            new = [text for sha256, text in by_hash.items() if sha256 not in known]
            most = self._hosted.most_texts
            try:
                self._ask_all([new[start : start + most] for start in range(0, len(new), most)], ledger)
            finally:
                self._hosted.provider.close()  # nobody else knows when the last text was asked for
            known |= ledger.vectors(self.model, [_sha256(text) for text in new])
        return unit([np.frombuffer(known[_sha256(text)], dtype="<f2") for text in texts])

    def drain(self, lake: Lake) -> None:
        """Forget vectors that are in the lake."""
        with Journal(self._cache, writable=False, shared=True) as journal:
            ledger, last = ModelLedger(journal), 0
            while found := ledger.vector_hashes(self.model, _KEPT, last):
                last = found[-1][0]
                rows = lake.rows(
                    "select text_sha256 from text_vectors where model = ? "
                    "and text_sha256 in (select unnest(string_split(?, ' ')))",
                    (self.model, " ".join(sha256 for _, sha256 in found)),
                )
                ledger.delete_vectors(self.model, [row["text_sha256"] for row in rows])

    def _ask_all(self, calls: list[list[str]], ledger: ModelLedger) -> None:
        """Make ``calls``, some side by side, until each is answered. Waits where the server asks for it."""
        provider, clock = self._hosted.provider, self.errand.clock
        pauses = Pauses(provider, clock, self._max_wait_s)
        tries: dict[str, int] = {}
        with ThreadPoolExecutor(self._concurrency) as pool:
            while calls:
                self._rest(pauses)
                chosen, ids = self._entered(calls[: self._concurrency], ledger, pauses)
                if not chosen:
                    continue
                began = clock.now()
                replies = list(pool.map(self._call, chosen))
                self._store(chosen, ids, replies, ledger)
                failed = [
                    (texts, reply)
                    for texts, reply in zip(chosen, replies, strict=True)
                    if isinstance(reply, ProviderError)
                ]
                for texts, reply in failed:
                    tries[texts[0]] = tries.get(texts[0], 0) + 1
                    self._deal_with(reply, pauses, began, tries[texts[0]])
                if len(failed) < len(chosen):
                    pauses.answered(began)
                calls = [texts for texts, _ in failed] + calls[len(chosen) :]

    def _call(self, texts: list[str]) -> Reply:
        try:
            return self._hosted.provider.vectors(texts)
        except ProviderError as error:
            return error

    def _entered(
        self, calls: list[list[str]], ledger: ModelLedger, pauses: Pauses
    ) -> tuple[list[list[str]], tuple[int, ...]]:
        """Those of ``calls`` that may be made now, with their numbers in the ledger."""
        tokens = [sum(len(text.encode()) + OVERHEAD_TOKENS for text in texts) for texts in calls]
        bounds = [Bound(most, self._price.total(most, 0)) for most in tokens]
        provider, now = self._hosted.provider, self.errand.clock.now()
        entered = ledger.enter(
            (provider.name, provider.model), bounds, run=self.errand.run, limits=self._limits, now=now
        )
        if entered.wait_until is not None:
            pauses.until = max(pauses.until, entered.wait_until)
        if entered.spent_usd is not None and not entered.call_ids:
            raise BudgetError(
                f"{pauses.shown}: the next texts could go over the {self._limits.max_cost_usd:g} US dollars of this "
                f"run ({entered.spent_usd:.4f} are spent); the same command with a higher --max-cost goes on"
            )
        return calls[: len(entered.call_ids)], entered.call_ids

    def _store(self, calls: list[list[str]], ids: tuple[int, ...], replies: list[Reply], ledger: ModelLedger) -> None:
        """One transaction: how the calls ended, what they cost, what they answered."""
        ended: list[Ended] = []
        vectors: dict[str, bytes] = {}
        trouble = None
        for texts, call_id, reply in zip(calls, ids, replies, strict=True):
            if isinstance(reply, ProviderError):
                ended.append(Ended(call_id, reply.outcome, 0, 0.0))
                continue
            cost = self._price.total(reply.input_tokens, 0)
            ended.append(Ended(call_id, "invalid" if reply.trouble else "stop", reply.input_tokens, cost))
            trouble = trouble or reply.trouble
            if not reply.trouble:
                halves = reply.vectors.astype("<f2")
                vectors |= {_sha256(text): half.tobytes() for text, half in zip(texts, halves, strict=True)}
        ledger.end(ended, now=self.errand.clock.now(), vectors=(self.model, vectors))
        if trouble:
            raise ConfigError(f"the encoder {self.model} {trouble}")

    def _deal_with(self, error: ProviderError, pauses: Pauses, began: float, tries: int) -> None:
        """Pause, or raise what makes going on useless."""
        trouble: IgtoolError | None = None
        if error.outcome == "rate_limited":
            trouble = pauses.rate_limited(error, began)
        elif error.outcome != "transient":
            trouble = pauses.refused(error) or ConfigError(f"{pauses.shown} does not take the texts ({error})")
        elif tries > len(WAITS_S) or pauses.is_too_long(error):
            trouble = RateLimitedError(f"{pauses.shown} does not answer ({error}): the same command goes on later")
        else:
            wait_s = max(WAITS_S[tries - 1], error.retry_after_s or 0.0)
            pauses.until = max(pauses.until, self.errand.clock.now() + wait_s)
        if trouble is not None:
            raise trouble

    def _rest(self, pauses: Pauses) -> None:
        seconds = pauses.until - self.errand.clock.now()
        if seconds > 0:
            if seconds > 1:
                self.errand.told(f"{pauses.shown} asks to wait: going on in {seconds:.0f} s")
            self.errand.clock.sleep(seconds, self.errand.stopping)
        if self.errand.stopping():
            raise Interrupted(f"stopped while {self.model} was asked; all that it answered is stored")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def open_encoder(settings: Settings, errand: Errand | None = None) -> Encoder:
    """The encoder of the settings, made once per process. Raises ConfigError where they do not fit.

    Of one behind a network the calls are charged to ``errand``.
    """
    encoder: Encoder = registry.encoder(settings.encoder, encoder_options(settings))
    if not isinstance(encoder, OpenAIEncoder):
        return encoder
    limits = CallLimits(settings.llm_requests_per_minute, settings.llm_tokens_per_minute, settings.max_cost_usd)
    concurrency = settings.llm_concurrency or _AT_ONCE
    price = _price(encoder, settings.embedding_price)
    charged = _charged(encoder, price, settings.cache, limits, concurrency, settings.max_wait_s)
    charged.errand = errand or Errand()
    return charged


_charged = lru_cache(maxsize=2)(Charged)


def encoder_options(settings: Settings) -> EncoderOptions:
    """What the encoder of the settings is made with."""
    key = settings.openai_api_key
    shared = settings.llm_base_url if settings.provider in (None, "openai") else None
    return EncoderOptions(
        folder=settings.workspace / settings.encoder_folder,
        device=settings.encoder_device,
        threads=settings.processes,
        name=settings.embedding_model,
        dimension=settings.embedding_dimension,
        api_key=(key.get_secret_value() or None) if key is not None else None,
        base_url=settings.embedding_base_url or settings.openai_base_url or shared,
        timeout_s=settings.llm_timeout_s,
        allow_loopback=settings.allow_loopback,
    )


def _price(encoder: OpenAIEncoder, own: float | None) -> Price:
    """What tokens cost. Raises ConfigError for a model that costs money and whose price nobody knows."""
    provider = encoder.provider
    if own is not None:
        return Price(own, own, 0, "setting embedding_price")
    if provider.options.base_url is not None and provider.options.api_key is None:
        return FREE
    if (known := from_table(provider.name, provider.model)) is not None:
        return known
    raise ConfigError(
        f"the price of {provider.model} is not in the price table ({table_version()}): set embedding_price in "
        "igtool.toml, US dollars a million tokens (0 for a server of your own)"
    )
