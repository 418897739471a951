"""A world for fetchers in virtual time: a clock that nobody waits for, a scripted platform, and processes that die."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.fetching.paging import Bounds
from igtool.fetching.plan import FetchOptions, enqueue, make_plan
from igtool.fetching.recorder import Reach, Recorder
from igtool.fetching.worker import Worker
from igtool.http import NetworkError, RefusedAnswer, Response
from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Grant, Ledger
from igtool.journal.queue import ENDED, Queue
from igtool.pacing import Limit, Policy
from igtool.platforms.live import POSTS, PROFILE, Call, Item, Key, Page, Source, Start, Task
from igtool.settings import Settings

BEGAN = datetime(2026, 10, 1, 12, tzinfo=UTC).timestamp()
PACE = Policy(limits=(Limit(3, 20.0),), jitter_s=(1.0, 2.0), batch_size=4, batch_pause_s=300.0)
FINAL = frozenset({"ok", "private", "404", "invalid", "refused"})
"""Answers after which the same thing is not asked again of the same source."""


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class VirtualClock(Clock):
    """A clock on which waiting takes no time; a wait that is negative, or a wait without end, fails the test."""

    def __init__(self, now: float = BEGAN, days: float = 120) -> None:
        super().__init__()
        self.time, self.end = now, now + days * 86_400
        self.waits = 0

    def now(self) -> float:
        """Virtual seconds since 1970."""
        return self.time

    def sleep(self, seconds: float, stopping: Callable[[], bool] = lambda: False) -> None:
        """Let the time pass at once."""
        assert seconds >= 0
        self.waits += 1
        assert self.waits < 20_000, "it waits again and again"
        self.time += 0.0 if stopping() else seconds
        assert self.time < self.end, "it waits without end"


class ScriptedSource(Source):
    """A platform whose answers say themselves what page they are."""

    name = "first"
    platform = "instagram"
    kinds: ClassVar[tuple[str, ...]] = (PROFILE, POSTS)
    is_partial = True
    policy = PACE
    cost_usd = 0.01

    def keys(self) -> tuple[Key, ...]:
        """One key without a secret."""
        return (Key("-"),)

    def call(self, tasks: Sequence[Task], key: Key) -> Call:
        """The request, whose address says what is asked for."""
        (task,) = tasks
        return Call(
            f"{self.name}.{task.kind}",
            f"{self.name}|{task.handle}|{task.kind}|{task.cursor or ''}",
            cost_usd=self.cost_usd,
        )

    def page(self, task: Task, body: bytes) -> Page:
        """The page as the body says it."""
        said = json.loads(body)
        return Page(
            items=tuple(Item(one) for one in said["ids"]),
            cursor=said["next"],
            more=said["more"],
            candidates=tuple(said["candidates"]),
            is_private=said["closed"],
            follow={POSTS: Start("target", "a")} if said["kind"] == PROFILE else {},
        )


class SecondSource(ScriptedSource):
    """Another way of asking the same platform."""

    name = "second"
    is_partial = False


@dataclass(frozen=True)
class Deed:
    """What the platform does at one request, and where the process dies meanwhile, if it does."""

    answer: str = "ok"
    dies: str = ""


@dataclass
class Asked:
    """One request that reached the platform; ``is_recorded``: it is in the journal what came of it."""

    source: str
    handle: str
    kind: str
    cursor: str
    at: float
    answer: str
    is_recorded: bool = False


@dataclass(frozen=True)
class PostsPage:
    """What the platform shows at one cursor."""

    ids: tuple[str, ...] = ("p1", "p2")
    next: str | None = None
    more: bool | None = None
    candidates: tuple[str, ...] = ()


@dataclass
class World:
    """Runs of ``igtool fetch``, one after the other, against a platform that follows ``script`` and is good after it.

    ``events``: ("claim" or "end", source, time) of each right to ask and of each answer that was recorded, in order.
    """

    folder: Path
    script: list[Deed] = field(default_factory=list)
    pages: Mapping[str, PostsPage] = field(default_factory=dict)
    latency_s: float = 0.5
    policy: Policy = PACE
    usual: str = "ok"
    max_cost_usd: float | None = None
    source_types: Sequence[type[ScriptedSource]] = (ScriptedSource,)
    bounds: Bounds = Bounds(4)  # noqa: RUF009 - frozen
    seed: int = 7
    asked: list[Asked] = field(default_factory=list)
    events: list[tuple[str, str, float]] = field(default_factory=list)
    troubles: list[IgtoolError] = field(default_factory=list)
    runs: int = 0
    deed: Deed = Deed()

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.rng = random.Random(self.seed)
        self.script = list(self.script)
        self.sources = [kind(Settings()) for kind in self.source_types]

    def until_ended(self, handles: Sequence[str]) -> None:
        """Run it again and again, each time with the list in another order, until every job has ended."""
        order = list(handles)
        for _ in range(60):
            try:
                self.run(order)
            except Killed:
                self.clock.time += self.rng.choice([0.0, 5.0, 600.0])
            else:
                self.clock.time += 7 * 3_600  # failed jobs are due again
            if self.waiting() == 0:
                return
            self.rng.shuffle(order)
        raise AssertionError("sixty runs did not end every job")

    def run(self, handles: Sequence[str]) -> None:
        """One process, from its first look at the journal to its end. Raises Killed."""
        self.runs += 1
        with Journal(self.folder, writable=True) as journal:
            queue, ledger = Queue(journal), _DyingLedger(journal, self)
            now = self.clock.now()
            ledger.check_clock(now)
            queue.release_dead(now=now)
            wanted = [("instagram", handle) for handle in handles]
            plan = make_plan(
                wanted,
                frozenset({"instagram"}),
                queue.standings(wanted, PROFILE),
                {},
                FetchOptions(tuple(source.name for source in self.sources)),
                now=now,
                default_every_s=365 * 86_400,
            )
            run = f"run-{self.runs}"
            enqueue(queue, plan, self.sources, run=run, now=now, retry_failed=False)
            self._work(queue, ledger, run)

    def _work(self, queue: Queue, ledger: Ledger, run: str) -> None:
        closed: set[str] = set()
        while True:
            due = [one for one in self.sources if one.name not in closed and queue.next_due(run, one.name) is not None]
            if not due:
                return
            try:
                self._worker(due[0], queue, ledger, run).run()
            except IgtoolError as trouble:
                self.troubles.append(trouble)
                closed.add(due[0].name)

    def _worker(self, source: ScriptedSource, queue: Queue, ledger: Ledger, run: str) -> Worker:
        recorder = Recorder(
            source=source,
            claimant=Claimant(source.name, self.policy, run, f"{dead_pid()}:{self.runs}", self.max_cost_usd),
            ledger=ledger,
            queue=queue,
            clock=self.clock,
            reach=Reach({POSTS: self.bounds}),
            others=self.sources[self.sources.index(source) + 1 :],
            rng=self.rng,
        )
        return Worker(recorder, self)  # type: ignore[arg-type] - it plays the client

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """What the platform answers now."""
        self.deed = self.script.pop(0) if self.script else Deed(self.usual)
        if self.deed.dies == "before":
            raise Killed
        source, handle, kind, cursor = url.split("|")
        share = self.rng.random()
        self.clock.time += self.latency_s * share
        self.asked.append(Asked(source, handle, kind, cursor, self.clock.time, self.deed.answer))
        self.clock.time += self.latency_s * (1 - share)
        if self.deed.dies == "asked":
            raise Killed
        return self._answer(handle, kind, cursor, url)

    def _answer(self, handle: str, kind: str, cursor: str, url: str) -> Response:
        name, _, number = self.deed.answer.partition(" ")
        if name == "network":
            raise NetworkError("the line is dead")
        if name == "refused":
            raise RefusedAnswer("too-large", "more than anybody reads")
        shown = self.pages.get(cursor, PostsPage()) if kind == POSTS else PostsPage(("p0",), "a")
        said = {"handle": handle, "kind": kind, "cursor": cursor, "closed": name == "private"}
        said |= {"ids": shown.ids, "next": shown.next, "more": shown.more, "candidates": shown.candidates}
        bodies = {"ok": json.dumps(said), "private": json.dumps(said), "html": _HTML, "invalid": "[1]", "empty": ""}
        headers = {"retry-after": number} if number else {}
        return Response(
            int(name) if name.isdigit() else 200, headers, bodies.get(name, "{}").encode(), url, self.latency_s
        )

    # -- what can be said of it afterwards ----------------------------------------------------------------------

    def jobs(self) -> dict[tuple[str, str], str]:
        """(handle, kind) to its state."""
        with Journal(self.folder, writable=False) as journal:
            return {(row["handle"], row["kind"]): row["state"] for row in Queue(journal).entries(limit=10_000)}

    def waiting(self) -> int:
        """How many jobs have not ended, or failed and will be tried again."""
        return sum(state not in ENDED or state == "failed" for state in self.jobs().values())

    def outbox(self) -> Counter[tuple[str, str, str]]:
        """(handle, kind, cursor) to how many good answers are kept."""
        with Journal(self.folder, writable=False) as journal:
            found = Ledger(journal).answers(most=10_000, most_bytes=1 << 30)
        said = [json.loads(one.body) for one in found if one.outcome in ("ok", "private")]
        return Counter((one["handle"], one["kind"], one["cursor"]) for one in said)


class _DyingLedger(Ledger):
    """A ledger that notes when it was asked, and dies where the script says."""

    def __init__(self, journal: Journal, world: World) -> None:
        super().__init__(journal)
        self.world = world

    def claim(self, claimant: Claimant, *args: Any, **kwargs: Any) -> Any:
        found = super().claim(claimant, *args, **kwargs)
        if isinstance(found, Grant):
            self.world.events.append(("claim", claimant.source, kwargs["now"]))
        return found

    def record(self, claimant: Claimant, grant: Grant, **kwargs: Any) -> None:
        world, change = self.world, kwargs.pop("pace")

        def dying(pace: Any) -> Any:
            if world.deed.dies == "inside":
                raise Killed
            return change(pace)

        super().record(claimant, grant, pace=dying, **kwargs)
        world.asked[-1].is_recorded = True
        world.events.append(("end", claimant.source, world.clock.now()))
        if world.deed.dies == "recorded":
            raise Killed


@lru_cache(maxsize=1)
def dead_pid() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


_HTML = "<!DOCTYPE html><html><head><title>Example</title></head><body><p>Nothing of note.</p></body></html>"
