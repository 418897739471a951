"""One request to a source that shows whether it answers, and whether a rate limit has cleared."""

from __future__ import annotations

import random
from dataclasses import replace

from igtool import pacing
from igtool.clock import Clock
from igtool.errors import ConfigError, IgtoolError, RateLimitedError
from igtool.fetching.sources import check_address, policy_of
from igtool.http import Client, NetworkError, RefusedAnswer, redacted
from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Grant, Ledger, Price, Wait
from igtool.journal.queue import Job, owner_name
from igtool.pacing import Pace
from igtool.platforms.live import Source
from igtool.settings import Settings

_LONGEST_PAUSE_S = 10.0


def probe(source: Source, settings: Settings, clock: Clock) -> str:
    """What the first key of a source gets for one small request, in a sentence.

    The request is counted and paced like every other, but a rate limit is not waited for: that it has cleared is
    what is looked at. If it has, the next run asks again at once. Raises ConfigError (key, address),
    RateLimitedError (limited, unreachable, or no room in the window now).
    """
    check_address(source, settings)
    key = source.keys()[0]
    task = source.probe()
    call = source.call([task], key)
    claimant = Claimant(source.name, policy_of(source, settings), "probe", owner_name())
    job = Job(0, source.platform, task.handle, task.kind, 0, source.name, None, "", 0)
    with Journal(settings.cache, writable=False, shared=True) as journal:
        ledger = Ledger(journal)
        before = ledger.paces().get((source.name, key.name), Pace())
        ledger.change_pace(source.name, key.name, lambda pace: replace(pace, limited_until=0.0))
        try:
            grant = _granted(ledger, claimant, job, key.name, Price(call.endpoint, call.units, call.cost_usd), clock)
            with Client(
                timeout_s=settings.timeout_s, allow_loopback=settings.allow_loopback, secrets=[key.secret]
            ) as client:
                response = client.get(call.url, call.headers)
            verdict = source.judge(response)
        except (NetworkError, RefusedAnswer, IgtoolError) as error:
            ledger.change_pace(source.name, key.name, lambda pace: _as_before(pace, before))
            if isinstance(error, ConfigError):
                raise
            words = redacted(str(error), [key.secret])
            if isinstance(error, RefusedAnswer):
                raise ConfigError(f"its answer is not taken, is its base address right? {words}") from error
            raise RateLimitedError(words) from error
        answers = verdict.outcome in ("ok", "private", "not_found")
        now = clock.now()
        ledger.record(
            claimant,
            grant,
            outcome=verdict.outcome,
            status=response.status,
            now=now,
            pace=lambda pace: pacing.succeeded(pace, now) if answers else _as_before(pace, before),
        )
    if answers:
        cleared = "; the rate limit has cleared" if before.limited_until > now else ""
        return f"answers ({verdict.outcome}, {response.seconds:.2f} s){cleared}"
    if verdict.outcome in ("auth", "blocked"):
        raise ConfigError(f"{verdict.outcome}: {redacted(verdict.words, [key.secret])}")
    raise RateLimitedError(f"{verdict.outcome}: {redacted(verdict.words, [key.secret])}")


def _granted(ledger: Ledger, claimant: Claimant, job: Job, key: str, price: Price, clock: Clock) -> Grant:
    """The right to ask; a short pause is waited for."""
    for _ in range(3):
        jitter_s = random.SystemRandom().uniform(*claimant.policy.jitter_s)
        found = ledger.claim(
            claimant, lambda _jobs, _key: price, [key], now=clock.now(), jitter_s=jitter_s, jobs=lambda _: [job]
        )
        if isinstance(found, Grant):
            return found
        wait_s = found.decision.at - clock.now() if isinstance(found, Wait) else _LONGEST_PAUSE_S
        if wait_s > _LONGEST_PAUSE_S:
            break
        clock.sleep(max(wait_s, 0.001))
    raise RateLimitedError("no request is free at its pace now: its own requests count first; try again later")


def _as_before(pace: Pace, before: Pace) -> Pace:
    return replace(
        pace, limited_until=before.limited_until, limited_at=before.limited_at, reason=before.reason, level=before.level
    )
