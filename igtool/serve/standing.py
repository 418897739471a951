"""How the workspace stands, for Prometheus: freshness, coverage, jobs, requests, calls to language models.

Read from lake and journal when it is asked for, and kept for a quarter of a minute: over a million accounts that takes
seconds. Labels are names of ours or of the settings; keys, handles and texts are none.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.files import is_locked
from igtool.journal import Journal
from igtool.journal.conversations import MOVING, UNSURE, ConversationQueue
from igtool.journal.ledger import Ledger
from igtool.journal.models import ModelLedger
from igtool.journal.queue import DEAD, DONE, LEASED, WAITING, Queue
from igtool.lake import Lake
from igtool.serve.desk import Desk
from igtool.serve.errors import LOG
from igtool.serve.readers import Readers
from igtool.settings import Settings
from igtool.tiers import Tiers, freshness

_KEPT_S = 15.0
_DAY_S = 86_400.0
_MOST_LABELS = 200
"""Rows of one metric; more would be a mistake of ours, and they would stay with whoever collects them."""


class WorkspaceStanding(Collector):
    """The gauges of one workspace."""

    def __init__(self, settings: Settings, readers: Readers, desk: Desk) -> None:
        self._settings = settings
        self._readers = readers
        self._desk = desk
        self._clock = Clock()
        self._lock = threading.Lock()
        self._kept: tuple[float, list[GaugeMetricFamily]] = (-_KEPT_S, [])

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: what there is shows when it is collected."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All gauges; a store that cannot be read is told by ``igtool_readable`` and leaves its own out."""
        with self._lock:
            if time.monotonic() - self._kept[0] >= _KEPT_S:
                self._kept = (time.monotonic(), self._read())
            return iter(self._kept[1])

    def _read(self) -> list[GaugeMetricFamily]:
        readable: dict[tuple[str, ...], float] = {}
        found = [self._of_index()]
        for name, read in (("lake", self._of_lake), ("journal", self._of_journal)):
            try:
                found += read()
                readable[name,] = 1
            except IgtoolError as error:
                LOG.warning("metrics without the %s: %s", name, error)
                readable[name,] = 0
        is_running = float(is_locked(self._settings.data / "lake.lock"))
        return [
            *found,
            _gauge("readable", "Whether a store could be read.", ("store",), readable),
            _gauge("run_under_way", "Whether a run writes to the lake now.", (), {(): is_running}),
        ]

    def _of_index(self) -> GaugeMetricFamily:
        index = self._desk.standing.index
        there = {("tables",): self._desk.standing.snapshot, ("index",): index.snapshot if index else None}
        known = {labels: float(value) for labels, value in there.items() if value is not None}
        return _gauge("snapshot", "Commit of the lake that tables and index are of.", ("of",), known)

    def _of_lake(self) -> list[GaugeMetricFamily]:
        return self._readers.read(self._of_tables)

    def _of_tables(self, lake: Lake) -> list[GaugeMetricFamily]:
        tiers = freshness(lake, self._clock.moment(), Tiers.of(self._settings))
        coverage: dict[tuple[str, ...], float] = {}
        for row in lake.rows("from coverage"):
            for name, share in row.items():
                if name.endswith("_score") and share is not None:
                    coverage[row["platform"], name.removesuffix("_score")] = share
        creators = {(): float(lake.value("select count(*) from creators"))}
        runs = lake.rows("select status, count(*) as runs from runs group by all")
        slow = lake.rows(
            "select provider, model, quantile_cont(latency_s, 0.5) as median, quantile_cont(latency_s, 0.95) as p95 "
            "from llm_answers where answered_at >= ? and latency_s is not null group by all",
            (self._clock.moment() - timedelta(seconds=_DAY_S),),
        )
        return [
            _gauge(
                "llm_seconds_last_day",
                "Seconds of answers of language models in 24 hours, of those that are in the tables.",
                ("provider", "model", "quantile"),
                _quantiles(slow, "provider", "model"),
            ),
            _gauge("creators", "Creators.", (), creators),
            _gauge("accounts", "Accounts of a tier.", ("tier",), {(one.tier,): one.accounts for one in tiers}),
            _gauge(
                "accounts_fresh",
                "Accounts of a tier that were looked at within its cadence.",
                ("tier",),
                {(one.tier,): one.fresh for one in tiers},
            ),
            _gauge(
                "overdue_hours",
                "Median hours by which the others are overdue.",
                ("tier",),
                {(one.tier,): one.overdue_median_h for one in tiers if one.overdue_median_h is not None},
            ),
            _gauge("coverage_share", "Share of accounts whose field is filled.", ("platform", "field"), coverage),
            _gauge("runs", "Runs by how they ended.", ("status",), {(row["status"],): row["runs"] for row in runs}),
        ]

    def _of_journal(self) -> list[GaugeMetricFamily]:
        since = self._clock.now() - _DAY_S
        with Journal(self._settings.cache, writable=False) as journal:
            jobs = Queue(journal).counts()
            requests = Ledger(journal).usage(since)
            calls = ModelLedger(journal).usage(since)
            waiting = {(): float(Ledger(journal).answer_count())}
            slow = Ledger(journal).seconds(since)
            talks = ConversationQueue(journal).counts()
        by_source, by_call, cost = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        for row in requests:
            by_source[row["source"], row["outcome"]] += row["requests"]
            cost[row["source"],] += row["cost_usd"]
        for row in calls:
            by_call[row["provider"], row["model"], row["outcome"]] += row["calls"]
            cost[row["provider"],] += row["cost_usd"]
        in_state, dead = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        for row in jobs:
            in_state[row["source"], row["kind"], row["state"]] += row["jobs"]
            dead[row["source"],] += row["jobs"] if row["state"] == DEAD else 0
        dead["conversations",] += talks.get(DEAD, 0)
        busy = {(): float(sum(row["jobs"] for row in jobs if row["state"] == LEASED))}
        return [
            _gauge("queue_jobs", "Jobs of live sources.", ("source", "kind", "state"), in_state),
            _gauge("dead_letters", "Jobs that wait for a person.", ("source",), dead),
            _gauge("jobs_under_way", "Jobs that a worker has now.", (), busy),
            _gauge("answers_waiting", "Answers on their way from the journal into the tables.", (), waiting),
            *self._of_conversations(talks),
            _gauge(
                "platform_seconds_last_day",
                "Seconds of answers of platforms in 24 hours.",
                ("source", "quantile"),
                _quantiles(slow, "source"),
            ),
            _gauge(
                "platform_requests_last_day",
                "Requests to platforms in 24 hours, by outcome.",
                ("source", "outcome"),
                by_source,
            ),
            _gauge(
                "llm_calls_last_day",
                "Calls to language models in 24 hours, by outcome.",
                ("provider", "model", "outcome"),
                by_call,
            ),
            _gauge("cost_usd_last_day", "US dollars spent in 24 hours.", ("source",), cost),
        ]

    def _of_conversations(self, counts: Mapping[str, Any]) -> list[GaugeMetricFamily]:
        states = {(state,): float(counts.get(state, 0)) for state in (WAITING, UNSURE, DONE, MOVING, DEAD)}
        oldest = counts.get("oldest_waiting_at")
        age_s = max(0.0, self._clock.now() - float(oldest)) if oldest is not None else 0.0
        return [
            _gauge("conversations", "Conversations of the journal by state.", ("state",), states),
            _gauge("conversation_wait_seconds", "How long the oldest one has waited to be read.", (), {(): age_s}),
        ]


class WorkerStanding(Collector):
    """How busy the threads are that read conversations: a busy second a second is all that one can do."""

    def __init__(self, busy_s: Mapping[str, float]) -> None:
        self._busy_s = busy_s

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Nothing: what there is shows when it is collected."""
        return iter(())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The one counter."""
        found = CounterMetricFamily("igtool_worker_busy_seconds", "Seconds of work.", labels=("thread",))
        for name, seconds in self._busy_s.items():
            found.add_metric([name], seconds)
        yield found


def _quantiles(rows: Sequence[Mapping[str, Any]], *names: str) -> dict[tuple[str, ...], float]:
    return {
        (*(str(row[name]) for name in names), quantile): float(row[column])
        for row in rows
        for quantile, column in (("0.5", "median"), ("0.95", "p95"))
    }


def _gauge(name: str, what: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(f"igtool_{name}", what, labels=labels)
    for given, value in sorted(values.items(), key=lambda item: -float(item[1]))[:_MOST_LABELS]:
        found.add_metric([str(label) for label in given], float(value))
    return found
