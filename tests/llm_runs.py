"""What tests of asking share: one provider on a bare journal and lake, against the scripted server, run after run."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from live_runs import JumpingClock
from llm_people import Cheap
from llm_server import KEY, Ask, LlmServer, Record
from llm_server.behaviours import Made
from llm_server.replies import Reply
from pydantic import BaseModel, ConfigDict, Field

from igtool import registry
from igtool.asking import Asker, Tally, opening
from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.journal import Journal
from igtool.journal.models import CallLimits, ModelLedger
from igtool.lake import Lake
from igtool.llms.base import Message, Prompt, Provider, ProviderOptions
from igtool.llms.openai import OpenAI
from igtool.llms.prices import Price
from igtool.llms.questions import Answered, Question, Result, Unusable, WrongAnswer, read_model
from igtool.pipeline import run_passes
from igtool.progress import Progress, StageCounts
from igtool.session import Session
from igtool.settings import load

PRICE = Price(1.0, 0.5, 4.0, "invented")
INSTRUCTION = "Say in one word what the creator's text is about, and in which mood it is written."
MOODS = ("glad", "sad", "angry")


class Ticking(JumpingClock):
    """Sleeping takes no time, but no two looks at the clock show the same time."""

    def now(self) -> float:
        """The time."""
        self._at += 1e-5
        return super().now()


class Mood(BaseModel):
    """The answer to the small question of these tests."""

    model_config = ConfigDict(extra="ignore")

    word: str = Field(max_length=60)
    mood: str
    sure: int = Field(ge=0, le=10)


def check(text: str) -> Mood:
    """The answer as an object. Raises WrongAnswer."""
    found: Mood = read_model(Mood, text)
    if found.mood not in MOODS:
        raise WrongAnswer("llm-unknown-label", f"mood {found.mood[:40]!r} is not one of: {', '.join(MOODS)}")
    return found


def schema() -> dict[str, Any]:
    """The JSON schema of the answer."""
    made = Mood.model_json_schema()
    made["properties"]["mood"]["enum"] = list(MOODS)
    return made


SCHEMA = schema()


def question(text: str, *, item: str | None = None, version: str = "1", shorter: bool = False, **more: Any) -> Question:
    """A question about ``text``; with ``shorter`` it can be asked with half of it, again and again."""
    messages = (Message("system", INSTRUCTION), Message("user", text))
    prompt = Prompt(messages, "mood", SCHEMA, **{"max_tokens": 64} | more)

    def half() -> Question | None:
        words = text.split()
        if len(words) < 2:
            return None
        return question(" ".join(words[: len(words) // 2]), item=item or text, version=version, shorter=True, **more)

    return Question("mood", item or text, version, prompt, check, half if shorter else lambda: None)


def questions(count: int, start: int = 0, **more: Any) -> list[Question]:
    """``count`` questions of which no two are alike."""
    return [question(f"text number {number} of these tests", **more) for number in range(start, start + count)]


@dataclass(frozen=True)
class Asked:
    """What a run left behind: ``calls`` are its rows of the ledger, (outcome, tokens, cost) in order."""

    results: list[Result]
    tally: Tally
    trouble: IgtoolError | None
    calls: list[tuple[str | None, int, float]]
    waits: list[float]

    @property
    def answered(self) -> list[Any]:
        """The checked answers; None where there is none."""
        return [one.value if isinstance(one, Answered) else None for one in self.results]

    @property
    def reasons(self) -> list[str | None]:
        """Why there is no answer: a slug; None for one that was answered or is pending."""
        return [one.reason if isinstance(one, Unusable) else None for one in self.results]

    @property
    def pending(self) -> int:
        """Questions that were left for the next run."""
        return sum(one is None for one in self.results)

    @property
    def outcomes(self) -> list[str | None]:
        """How the calls ended."""
        return [outcome for outcome, _, _ in self.calls]

    @property
    def spent(self) -> float:
        """What the ledger charged."""
        return sum(cost for _, _, cost in self.calls)


@contextmanager
def stores(folder: Path, empty_lake: Path) -> Iterator[tuple[Journal, Lake]]:
    """A journal and a lake for many tests: opening them takes longer than most of these."""
    shutil.copytree(empty_lake, folder / "data")
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        journal._connection.execute("pragma synchronous = off")  # nobody pulls the plug here
        lake.execute("set threads = 1")  # of so few rows a second one only costs
        yield journal, lake


def emptied(journal: Journal, lake: Lake) -> None:
    """Forget every call, batch and answer."""
    with journal.transaction() as cursor:
        for table in ("llm_calls", "llm_answers", "llm_batches"):
            cursor.execute(f"delete from {table}")
    with lake.transaction():
        lake.execute("delete from llm_answers")


@dataclass
class Room:
    """A journal and a lake in which one run after the other asks ``server``; waiting takes no time."""

    server: LlmServer
    journal: Journal
    lake: Lake
    price: Price = PRICE
    kind: type[Provider] = OpenAI
    model: str = "gpt-4o-mini"
    timeout_s: float = 10.0
    clock: Clock = field(default_factory=Ticking)

    def asker(self, limits: CallLimits | None = None, **more: Any) -> Asker:
        """The asker of a new run."""
        options = ProviderOptions(api_key=KEY, base_url=self.server.url, timeout_s=self.timeout_s)
        return Asker(
            provider=more.pop("provider", None) or self.kind(self.model, options),
            price=self.price,
            ledger=ModelLedger(self.journal),
            lake=self.lake,
            run=uuid.uuid4().hex,
            limits=limits or CallLimits(),
            clock=self.clock,
            **{"concurrency": 4} | more,
        )

    def ask(self, asked: Sequence[Question], limits: CallLimits | None = None, **more: Any) -> Asked:
        """One run from its beginning to its end."""
        asker = self.asker(limits, **more)
        waits = getattr(self.clock, "slept", [])
        before = len(waits)
        try:
            results = list(asker.ask(asked))
        finally:
            asker.close()
        return Asked(results, asker.tally, asker.trouble, self.calls(asker.run), waits[before:])

    def calls(self, run: str) -> list[tuple[str | None, int, float]]:
        """Outcome, tokens and cost of each call of a run, in order."""
        return self.journal.read(
            "select outcome, tokens, cost_usd from llm_calls where run = ? order by call_id", (run,)
        )

    def rows(self, query: str = "from llm_answers order by answered_at, answer_id") -> list[dict[str, Any]]:
        """Rows of the lake."""
        return self.lake.rows(query)

    def told(self) -> list[Record]:
        """What the server was asked."""
        return [one for one in self.server.requests if one.endpoint == "chat"]


def asked_for(record: Record) -> str:
    """The text that a request was about."""
    return str(record.data["messages"][1]["content"])


class RawServer(LlmServer):
    """A server that may be told word for word what it says: ``raw`` gives a model's text, a whole reply, or None."""

    raw: Callable[[Ask], str | Reply | None] = staticmethod(lambda _: None)

    def _line(self, ask: Ask) -> Reply:
        said = self.raw(ask)
        if said is None:
            return super()._line(ask)
        reply = said if isinstance(said, Reply) else Made(ask, {}).reply(said)
        self._note(ask, "raw", reply)
        return reply


def in_time(is_so: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until ``is_so``."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"it did not happen within {seconds:g} s"
        time.sleep(0.005)


@dataclass(frozen=True)
class Told:
    """What a run of stages came to. ``counts``: new, updated, skipped and failed items of ``describe``."""

    tally: Tally
    trouble: IgtoolError | None
    counts: tuple[int, int, int, int]


@dataclass
class Studio:
    """A workspace of invented creators, opened once for many runs, whose language model is ``server``.

    Waiting takes no time.
    """

    server: LlmServer
    folder: Path
    clock: Clock = field(default_factory=Ticking)

    def __enter__(self) -> Self:
        self.journal = Journal(self.folder / "cache", writable=True)
        self.lake = Lake(self.folder / "data", writable=True, on_files=self.journal.record_lake_files)
        self.lake.execute("set threads = 1")  # of so few rows a second one only costs
        self.journal._connection.execute("pragma synchronous = off")  # nobody pulls the plug here
        return self

    def __exit__(self, *_: object) -> None:
        self.lake.close()
        self.journal.close()

    @contextmanager
    def session(self, **settings: Any) -> Iterator[Session]:
        """A session of a run; ``settings`` go before the usual ones."""
        given = {
            "provider": "openai",
            "chat_model": "gpt-4o-mini",
            "openai_base_url": self.server.url,
            "openai_api_key": KEY,
            "llm_concurrency": 4,
        }
        loaded = load(self.folder, **(given | settings))
        progress = Progress(self.folder / "data" / "progress.json", uuid.uuid4().hex, bars=False)
        stopping, now = (lambda: False), datetime.now(UTC)
        session = Session(loaded, self.lake, self.journal, progress, stopping, lambda: ENCODER, now)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(opening, "Asker", partial(Asker, clock=self.clock))
            try:
                yield session
            finally:
                asker = vars(session).get("asker")
                if asker is not None:
                    asker.close()

    def run(self, *names: str, force: bool = False, **settings: Any) -> Told:
        """Bring ``describe``, or the stages that are named, up to date."""
        with self.session(**settings) as session:
            run_passes(session, session.runner(), names or ("describe",), force=force)
            done = session.progress.counts.get("describe", StageCounts("describe"))
            counts = (done.new, done.updated, done.skipped, done.failed)
            tally = session.asker.tally if session.asker is not None else Tally()
            return Told(tally, session.trouble, counts)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of the lake."""
        return self.lake.rows(query)

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.lake.value(f"select count(*) from {table}"))

    def change(self, *statements: str, **tables: Sequence[dict[str, Any]]) -> None:
        """Change the lake by hand: SQL first, then rows merged into tables."""
        with self.lake.transaction():
            for statement in statements:
                self.lake.execute(statement)
            for name, rows in tables.items():
                self.lake.merge(name, list(rows))

    def prompts(self) -> list[str]:
        """What the server was asked, in order."""
        return [asked_for(record) for record in self.server.requests if record.endpoint == "chat"]


ENCODER = Cheap()


def quick(patch: pytest.MonkeyPatch) -> None:
    """Let commands in this process wait for nothing: no real encoder, no pauses, one thread for a few rows."""
    real = Lake.reconnect

    def reconnect(self: Lake) -> None:
        real(self)
        self._connection.execute("set threads = 1")

    patch.setattr(Lake, "reconnect", reconnect)
    patch.setattr(registry, "encoder", lambda *_: ENCODER)
    patch.setattr(opening, "Asker", partial(Asker, clock=Ticking()))
