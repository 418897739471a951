"""How live data stands: jobs, pace, waits, the time of finish; and what is wrong enough to tell somebody."""

from __future__ import annotations

import shlex
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from igtool import registry
from igtool.clock import Clock
from igtool.errors import ConfigError, IgtoolError
from igtool.fetching.plan import duration_s
from igtool.fetching.sources import policy_of
from igtool.http import Client, NetworkError, RefusedAnswer
from igtool.journal import Journal
from igtool.journal.ledger import Ledger
from igtool.journal.queue import DEAD, ENDED, WAITING, Queue
from igtool.lake import Reader
from igtool.settings import Settings
from igtool.tiers import Tiers, freshness

_RECENT_S = 60.0
_DAY_S = 86_400.0
_FAILED = frozenset({"transient", "rate_limited", "auth", "blocked", "invalid", "lost"})
_LEAST_REQUESTS = 20
"""Fewer requests say nothing about a share of errors."""
_COMMAND_S = 30.0
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class SourceStatus:
    """One source: its jobs, its requests of the last minute, and when it goes on.

    ``next_wake_at`` is a planned wake after rate limits, with ``reason``; ``finish_at`` supposes that the jobs wait
    for this source alone, at its full pace.
    """

    source: str
    done: int
    failed: int
    waiting: int
    requests_per_minute: float
    next_wake_at: datetime | None
    reason: str
    finish_at: datetime | None


@dataclass(frozen=True)
class Alert:
    """Something that a person should know: the ``rule`` that it breaks, and a sentence."""

    rule: str
    detail: str


def source_statuses(settings: Settings, journal: Journal, clock: Clock) -> list[SourceStatus]:
    """Every source that has jobs or made requests."""
    now = clock.now()
    ledger, queue = Ledger(journal), Queue(journal)
    jobs: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in queue.counts():
        jobs[row["source"]][row["state"]] += row["jobs"]
    recent: dict[str, int] = defaultdict(int)
    for row in ledger.usage(now - _RECENT_S):
        recent[row["source"]] += row["requests"]
    paces = ledger.paces()
    names = sorted({*jobs, *recent, *(source for source, _ in paces)})
    found = []
    for name in names:
        own = [pace for (source, _), pace in paces.items() if source == name]
        wake = min((pace.limited_until for pace in own), default=0.0)
        states = jobs[name]
        waiting = states[WAITING]
        found.append(
            SourceStatus(
                source=name,
                done=sum(states[state] for state in ENDED if state not in (DEAD, "failed")),
                failed=states[DEAD] + states["failed"],
                waiting=waiting,
                requests_per_minute=round(recent[name] * 60 / _RECENT_S, 1),
                next_wake_at=_moment(wake) if wake > now else None,
                reason=next((pace.reason for pace in own if pace.limited_until > now), ""),
                finish_at=_finish(settings, name, waiting, max(now, wake)) if waiting else None,
            )
        )
    return found


def _finish(settings: Settings, name: str, waiting: int, begins: float) -> datetime | None:
    try:
        source = registry.load("sources", name)(settings)
        keys = len(source.keys())
    except ConfigError:
        return None
    return _moment(begins + duration_s(waiting, waiting, policy_of(source, settings), keys))


def alerts(settings: Settings, lake: Reader | None, journal: Journal, clock: Clock) -> list[Alert]:
    """What breaks a rule of the settings: stale tiers, dead letters, share of errors of the last day."""
    now = clock.now()
    found = []
    if lake is not None:
        for tier in freshness(lake, _moment(now), Tiers.of(settings)):
            stale = 1 - (tier.fresh_share if tier.fresh_share is not None else 1.0)
            if stale > settings.alert_stale_share:
                found.append(
                    Alert(
                        "stale_tier",
                        f"{stale:.0%} of the {tier.accounts} accounts of the tier {tier.tier} are overdue, more than "
                        f"{settings.alert_stale_share:.0%}: `igtool schedule run --once`",
                    )
                )
    dead = sum(row["jobs"] for row in Queue(journal).counts() if row["state"] == DEAD)
    if dead > settings.alert_dead_letters:
        found.append(
            Alert("dead_letters", f"{dead} dead letters, more than {settings.alert_dead_letters}: `igtool queue list`")
        )
    return found + _error_alerts(settings, Ledger(journal), now)


def _error_alerts(settings: Settings, ledger: Ledger, now: float) -> list[Alert]:
    asked: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in ledger.usage(now - _DAY_S):
        asked[row["source"]][0] += row["requests"]
        asked[row["source"]][1] += row["requests"] if row["outcome"] in _FAILED else 0
    return [
        Alert(
            "errors",
            f"{failed / total:.0%} of the {total} requests of the last day to {source} failed, more than "
            f'{settings.alert_error_share:.0%}: `igtool sql "select endpoint, status, outcome, count(*) from '
            f"raw_responses where ends_with(endpoint, '_error') group by all\"`",
        )
        for source, (total, failed) in sorted(asked.items())
        if total >= _LEAST_REQUESTS and failed / total > settings.alert_error_share
    ]


def tell(settings: Settings, found: Sequence[Alert]) -> list[str]:
    """Hand alerts to the command and the webhook of the settings; what did not work, one sentence each."""
    if not found:
        return []
    document = msgspec.json.encode({"alerts": [asdict(alert) for alert in found]})
    troubles = []
    if settings.alert_command:
        troubles += _run(settings.alert_command.get_secret_value(), document)
    if settings.alert_webhook:
        troubles += _post(settings, settings.alert_webhook.get_secret_value(), document)
    return troubles


def _run(command: str, document: bytes) -> list[str]:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the user's own setting
            shlex.split(command), input=document, capture_output=True, timeout=_COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"the alert command did not end within {_COMMAND_S:g} s"]
    except (OSError, ValueError) as error:
        return [f"the alert command could not be run: {error}"]
    return [f"the alert command ended with code {done.returncode}"] if done.returncode else []


def _post(settings: Settings, url: str, document: bytes) -> list[str]:
    try:
        with Client(timeout_s=_COMMAND_S, allow_loopback=settings.allow_loopback, secrets=[url]) as client:
            answer = client.post(url, document, {"content-type": "application/json"})
    except (NetworkError, RefusedAnswer, IgtoolError) as error:
        return [f"the alert could not be posted: {error}"]
    return [f"the alert was answered with status {answer.status}"] if answer.status >= 300 else []


def live_status(settings: Settings, clock: Clock) -> dict[str, Any]:
    """Sources, jobs and the last day's requests, for people and programs."""
    with Journal(settings.cache, writable=False) as journal:
        return {
            "sources": [asdict(one) for one in source_statuses(settings, journal, clock)],
            "jobs": Queue(journal).counts(),
            "last_day": Ledger(journal).usage(clock.now() - _DAY_S),
            "answers_on_their_way": Ledger(journal).answer_count(),
        }


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(int(min(at, _LATEST)), UTC)
