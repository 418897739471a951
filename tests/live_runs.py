"""What tests of live fetching share: a clock that jumps, one source's worker on a bare journal, whole runs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from platform_server import PlatformServer, Record
from platform_server.server import KEYS

from igtool import registry
from igtool.clock import Clock, ScaledClock
from igtool.errors import IgtoolError
from igtool.fetching.keeping import RawFolder
from igtool.fetching.plan import FetchOptions
from igtool.fetching.recorder import Recorder
from igtool.fetching.run import Fetcher, FetchReport
from igtool.fetching.sources import policy_of, reach_of, sources_of
from igtool.fetching.worker import Worker
from igtool.http import Client
from igtool.journal import Journal
from igtool.journal.ledger import Claimant, Ledger
from igtool.journal.queue import Queue, Wanted, owner_name
from igtool.pacing import Pace
from igtool.platforms.live import PROFILE
from igtool.session import Session, open_session
from igtool.settings import Settings

SOURCES = {"web": "instagram_web", "graph": "instagram_graph", "tikhub": "tikhub", "youtube": "youtube"}
"""The source that asks each platform of the server."""
SECRETS = tuple(key for keys in KEYS.values() for key in keys)
RUN = "run-1"
FACTOR = 5_000.0


class JumpingClock(Clock):
    """Sleeping takes no time and moves the clock; ``slept`` holds each wait."""

    def __init__(self) -> None:
        super().__init__()
        self._at = time.time()
        self.slept: list[float] = []

    def now(self) -> float:
        """The time, which passes in sleep only."""
        return self._at

    def sleep(self, seconds: float, stopping: Callable[[], bool] = lambda: False) -> None:
        """Move on by ``seconds`` unless the sleeper was asked to stop."""
        if not stopping() and seconds > 0:
            self.slept.append(seconds)
            self._at += seconds


@dataclass
class Ran:
    """What a worker left behind.

    ``jobs``: (handle, kind) to the entry of the queue. ``requests`` and ``answers``: rows of the ledger, in order.
    ``text``: everything that stands in the journal. ``waits``: the times of sleep.
    """

    trouble: IgtoolError | None
    jobs: dict[tuple[str, str], dict[str, Any]]
    requests: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    paces: dict[tuple[str, str], Pace]
    text: str
    waits: list[float]
    spent_s: float

    def state(self, handle: str, kind: str = PROFILE) -> str:
        """How a job stands."""
        return str(self.jobs[handle, kind]["state"])

    def reason(self, handle: str, kind: str = PROFILE) -> str:
        """Why."""
        return str(self.jobs[handle, kind]["reason"])


@cache
def _empty_journal() -> bytes:
    """The file of a journal that is new; to make one takes longer than most tests."""
    with TemporaryDirectory() as folder:
        with Journal(Path(folder), writable=True):
            pass
        return (Path(folder) / "journal.sqlite").read_bytes()


@dataclass
class Bench:
    """One source's worker on a journal of its own, without a lake, against ``server``."""

    server: PlatformServer
    folder: Path
    platform: str
    settings: dict[str, Any] = field(default_factory=dict)
    options: FetchOptions = field(default_factory=lambda: FetchOptions(()))
    clock: JumpingClock = field(default_factory=JumpingClock)

    def work(self, handles: Sequence[str] = (), run: str = RUN) -> Ran:
        """Let it fetch ``handles``, and what is left of an earlier call, until it ends by itself."""
        given = self.server.settings() | {"timeout_s": 20.0, "youtube_api_keys": KEYS["youtube"][0]} | self.settings
        settings = Settings(workspace=self.folder, **given)
        source = registry.load("sources", SOURCES[self.platform])(settings)
        began = self.clock.now()
        if not settings.cache.exists():
            settings.cache.mkdir(parents=True)
            (settings.cache / "journal.sqlite").write_bytes(_empty_journal())
        with (
            Journal(self.folder / "cache", writable=True) as journal,
            Client(timeout_s=settings.timeout_s, max_bytes=settings.max_answer_mb << 20, allow_loopback=True) as client,
        ):
            journal._connection.execute("pragma synchronous = off")  # nobody pulls the plug here
            ledger, queue = Ledger(journal), Queue(journal)
            wanted = (Wanted(source.platform, handle, PROFILE, source.name) for handle in handles)
            queue.enqueue(wanted, run=run, now=began)
            claimant = Claimant(source.name, policy_of(source, settings), run, owner_name(), settings.max_cost_usd)
            reach = reach_of(settings, self.options)
            recorder = Recorder(source, claimant, ledger, queue, self.clock, reach, rng=random.Random(7))
            trouble: IgtoolError | None = None
            try:
                Worker(recorder, client).run()
            except IgtoolError as error:
                trouble = error
            return self._left(journal, ledger, queue, trouble, began)

    def _left(self, journal: Journal, ledger: Ledger, queue: Queue, trouble: IgtoolError | None, began: float) -> Ran:
        jobs = {(entry["handle"], entry["kind"]): entry for entry in queue.entries(limit=10_000)}
        names = ("source", "key", "endpoint", "at", "units", "outcome", "status")
        rows = journal.read(f"select {', '.join(names)} from requests order by request_id")
        answers = [answer.__dict__ for answer in ledger.answers(most=10_000, most_bytes=1 << 40)]
        tables = ("requests", "paces", "jobs", "answers")
        text = "\n".join(repr(row) for table in tables for row in journal.read(f"select * from {table}"))
        requests = [dict(zip(names, row, strict=True)) for row in rows]
        return Ran(trouble, jobs, requests, answers, ledger.paces(), text, self.clock.slept, self.clock.now() - began)


def asks(server: PlatformServer, handle: str, endpoint: str | None = None) -> list[Record]:
    """The requests about ``handle``, without those that a redirect led to the server's other origin."""
    found = [one for one in server.requests if handle in one.handles and not one.is_elsewhere]
    return [one for one in found if endpoint in (None, one.endpoint)]


def questions_twice(server: PlatformServer) -> list[Any]:
    """What was asked more than once."""
    seen: set[Any] = set()
    return [one.question for one in server.requests if one.question in seen or seen.add(one.question)]


@dataclass
class House:
    """A workspace whose runs are whole: a session with lake and journal, all sources, time ``factor`` times as fast."""

    server: PlatformServer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    factor: float = FACTOR

    def __post_init__(self) -> None:
        self.clock = ScaledClock(self.factor, time.time())

    def made(self) -> Settings:
        """The settings of a run."""
        return Settings(workspace=self.folder, **(self.server.settings() | {"timeout_s": 20.0} | self.settings))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of a run."""
        with open_session(self.made(), "fetch", lambda: False) as opened:
            yield opened

    def fetch(
        self, sources: str, wanted: Sequence[tuple[str, str]], raw_dir: Path | None = None, **options: Any
    ) -> FetchReport:
        """One run from beginning to end. ``options``: fields of FetchOptions."""
        names = tuple(sources.split(","))
        with self.session() as session:
            raw = RawFolder(raw_dir) if raw_dir else None
            found = sources_of(session.settings, names)
            fetcher = Fetcher(session, found, FetchOptions(names, **options), self.clock, raw)
            return fetcher.run(wanted)

    def jobs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(handle, kind) to the entry of the queue."""
        with Journal(self.folder / "cache", writable=False) as journal:
            entries = Queue(journal).entries(limit=10_000)
        return {(entry["handle"], entry["kind"]): entry for entry in entries}

    def state(self, handle: str, kind: str = PROFILE) -> str:
        """How a job stands."""
        return str(self.jobs()[handle, kind]["state"])

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of the lake."""
        with self.session() as session:
            return session.lake.rows(query)

    def requests(self) -> list[dict[str, Any]]:
        """The ledger, in order."""
        with Journal(self.folder / "cache", writable=False) as journal:
            names = ("source", "key", "endpoint", "at", "units", "outcome", "status")
            rows = journal.read(f"select {', '.join(names)} from requests order by request_id")
        return [dict(zip(names, row, strict=True)) for row in rows]


def instagram(*handles: str) -> list[tuple[str, str]]:
    """Wanted accounts of Instagram."""
    return [("instagram", handle) for handle in handles]


def youtube(*handles: str) -> list[tuple[str, str]]:
    """Wanted accounts of YouTube."""
    return [("youtube", handle) for handle in handles]
