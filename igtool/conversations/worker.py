"""Reads conversations that were accepted: all of them with the trained head, unsure ones with a language model too."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from igtool.asking import Asker
from igtool.asking.answers import Stored
from igtool.asking.encoding import open_encoder
from igtool.asking.opening import open_asker, provider_name, questions_at_once
from igtool.clock import Clock
from igtool.errors import IgtoolError
from igtool.journal import Journal
from igtool.journal.conversations import UNSURE, Analysed, ConversationQueue, Leased
from igtool.journal.queue import WAITING, owner_name
from igtool.llms.questions import Question, Result
from igtool.outbox import hand_over_now
from igtool.pipeline import insights_stage
from igtool.runner import fingerprint_of
from igtool.settings import Settings
from igtool.stages.base import Context, Output, Reject
from igtool.stages.insights import CHARACTERS, HEAD, Insights
from igtool.throttle import SlidingWindow
from igtool.workers import process

READ_AT_ONCE = 64
_REST_S = 30.0
"""A language model that could not be asked is tried again after so long."""
_LOOK_S = 1.0
"""So often it is looked for what other processes accepted."""
_GIVE_BACK_S = 2.0
_MOVE_S = 5.0
_MOVE_FROM = 2_000
"""So many that are done go to the lake at once, fewer after ``_MOVE_AFTER_S``."""
_MOVE_AFTER_S = 300.0
_MOVE_COMMITS = 20
"""Of a move: some seconds, for which others wait."""
_PRUNE_S = _UPKEEP_S = 3_600.0
_KEYS_S = 7 * 86_400.0
"""Idempotency keys are known for so long."""

Ask = Callable[[Sequence[Question]], list[Result]]


@dataclass
class Figures:
    """What a worker did since it was made, and the seconds it was busy with it: ``reading`` and ``asking``."""

    analysed: int = 0
    failed: int = 0
    busy_s: dict[str, float] = field(default_factory=lambda: {"reading": 0.0, "asking": 0.0})


class Worker:
    """Works on the conversations of one journal, in threads of its own (``start``) or in the caller's (``finish_all``).

    Several processes may: each conversation is one's at a time, and a process that dies gives back what it had. With a
    language model no question is paid twice, also where a process was killed before the answer came: such a
    conversation is read without the model, and its reject ``llm-lost`` says so. ``shelf``: where stored answers are
    looked up. ``troubles``: why reading, asking or moving does not work now, if that is so.
    """

    def __init__(
        self,
        settings: Settings,
        shelf: Stored,
        *,
        clock: Clock | None = None,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.figures = Figures()
        self.troubles: dict[str, IgtoolError] = {}
        self._settings = settings
        self._shelf = shelf
        self._clock = clock or Clock()
        self._told = told
        mine = f"{owner_name()}/{uuid.uuid4().hex[:12]}"
        self._owner = {state: f"{mine}-{state}" for state in (WAITING, UNSURE)}
        self._stage = insights_stage(settings)
        self._head = Insights()
        self._throttle = SlidingWindow(settings.conversation_calls_per_second)
        self._asker: Asker | None = None
        self._asker_day = ""
        self._rests_until = self._pruned_at = self._kept_up_at = 0.0
        self._wake = {name: threading.Event() for name in (WAITING, UNSURE)}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    # --- threads ---

    def start(self) -> None:
        """Work until ``stop``."""
        loops: list[tuple[str, Callable[[], None]]] = [("reading", self._keep_reading), ("moving", self._keep_moving)]
        if self._stage.reader is not None:
            loops.append(("asking", self._keep_asking))
        self._stop.clear()
        self._threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in loops]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something was accepted."""
        self._wake[WAITING].set()

    def stop(self) -> None:
        """End after what is under way; what is left waits for the next worker."""
        self._stop.set()
        for event in self._wake.values():
            event.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def finish_all(
        self, stopping: Callable[[], bool] = lambda: False, told: Callable[[int], None] = lambda _: None
    ) -> None:
        """Work here until nothing is left that can be done now; ``told`` hears after each batch how many are left."""
        with self._journal() as journal:
            queue = ConversationQueue(journal)
            queue.give_back(now=self._clock.now())
            try:
                while not stopping() and (self._read(queue) or self._ask(queue, journal, stopping)):
                    told(queue.left())
            finally:
                self._close_asker()
                for owner in self._owner.values():
                    queue.give_back(now=self._clock.now(), owner=owner)

    def _keep_reading(self) -> None:
        given_back = 0.0

        def turn(queue: ConversationQueue, journal: Journal) -> bool:  # noqa: ARG001 - as the other one
            nonlocal given_back
            if self._clock.now() - given_back >= _GIVE_BACK_S:
                given_back = self._clock.now()
                queue.give_back(now=given_back)
            return self._read(queue)

        self._keep_on(WAITING, turn)

    def _keep_asking(self) -> None:
        self._keep_on(UNSURE, lambda queue, journal: self._ask(queue, journal, self._stop.is_set))

    def _keep_on(self, state: str, turn: Callable[[ConversationQueue, Journal], bool]) -> None:
        """Take turns until the end; after one with nothing to do wait for something new."""
        while not self._stop.is_set():
            with self._noting(state), self._journal() as journal:
                queue = ConversationQueue(journal)
                try:
                    while not self._stop.is_set():
                        self._wake[state].clear()
                        if not turn(queue, journal):
                            self._wake[state].wait(_LOOK_S)
                finally:
                    if state == UNSURE:
                        self._close_asker()
                    queue.give_back(now=self._clock.now(), owner=self._owner[state])
            self._stop.wait(_LOOK_S)

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """An error ends what is in the block and not the thread: nobody else would read what comes."""
        try:
            yield
        except IgtoolError as error:
            self._note(what, error)
        except Exception as error:  # noqa: BLE001 - the boundary of the thread: it is told, and tried again
            self._note(what, IgtoolError(f"a bug in igtool: {type(error).__name__}: {error}"))

    def _note(self, what: str, error: IgtoolError) -> None:
        if str(error) != str(self.troubles.get(what)):
            self._told(str(error))
        self.troubles[what] = error

    def _keep_moving(self) -> None:
        while not self._stop.wait(_MOVE_S):
            with self._noting("moving"):
                self.move()
                self.troubles.pop("moving", None)

    def move(self, *, least: int = _MOVE_FROM) -> bool:
        """Whether some of what is done went to the lake: if it is ``least`` or more, or old, and nobody else writes."""
        now = self._clock.now()
        with self._journal() as journal:
            queue = ConversationQueue(journal)
            if now - self._pruned_at > _PRUNE_S:
                queue.prune_keys(now - _KEYS_S)
                self._pruned_at = now
            if not queue.is_worth_moving(least, now - _MOVE_AFTER_S):
                return False
        is_due = now - self._kept_up_at > _UPKEEP_S
        is_moved = hand_over_now(self._settings, commits=_MOVE_COMMITS, upkeep=is_due)
        if is_moved and is_due:
            self._kept_up_at = now
        return is_moved

    def _journal(self) -> Journal:
        return Journal(self._settings.cache, writable=False, shared=True)

    # --- reading ---

    def _read(self, queue: ConversationQueue) -> bool:
        """Read the next conversations with the head; False where none wait."""
        leased = queue.lease(WAITING, READ_AT_ONCE, owner=self._owner[WAITING], now=self._clock.now())
        if not leased:
            return False
        began = time.monotonic()
        reader = self._stage.reader
        unsure: list[str] = []
        if reader is not None and reader.always:
            unsure = [one.conversation_id for one in leased]
        else:
            output = self._analyse(self._head, leased, None)
            if reader is not None:
                unsure = [one for one, variant in output.variants.items() if variant == HEAD]
            self._store(queue, WAITING, leased, output, set(unsure))
        if unsure:
            queue.hand_on(unsure, owner=self._owner[WAITING])
            self._wake[UNSURE].set()
        self.troubles.pop(WAITING, None)
        self.figures.busy_s["reading"] += time.monotonic() - began
        return True

    def _ask(self, queue: ConversationQueue, journal: Journal, stopping: Callable[[], bool]) -> bool:
        """Read the next unsure conversations with the language model; False where none can be read now."""
        now = self._clock.now()
        asker = self._asker_of(journal, stopping) if now >= self._rests_until else None
        if asker is None:
            return self._give_up(queue, now)
        leased = queue.lease(UNSURE, self._at_once(asker), owner=self._owner[UNSURE], now=now)
        if not leased:
            return False
        began = time.monotonic()
        output = self._analyse(self._stage, leased, asker.ask)
        self._store(queue, UNSURE, leased, output, set(output.postponed))
        if output.postponed:
            queue.postpone(output.postponed, owner=self._owner[UNSURE], until=self._clock.now() + _LOOK_S)
        if asker.trouble is not None:
            self._rest(asker.trouble)
        else:
            self.troubles.pop(UNSURE, None)
        self.figures.busy_s["asking"] += time.monotonic() - began
        return not output.postponed

    def _give_up(self, queue: ConversationQueue, now: float) -> bool:
        """Read with the head alone what waited too long for a model that cannot be asked."""
        late = now - self._settings.conversation_max_wait_s
        leased = queue.lease(UNSURE, READ_AT_ONCE, owner=self._owner[UNSURE], now=now, accepted_before=late)
        if leased:
            self._store(queue, UNSURE, leased, self._analyse(self._head, leased, None), set())
        return bool(leased)

    def _analyse(self, stage: Insights, leased: Sequence[Leased], ask: Ask | None) -> Output:
        rows = pa.table(
            {
                "item_id": pa.array([one.conversation_id for one in leased], type=pa.string()),
                "text": pa.array([one.text[:CHARACTERS] for one in leased], type=pa.string()),
            }
        )
        context = Context(encoder=lambda: open_encoder(self._settings), clock=lambda: datetime.now(UTC), ask=ask)
        return process(stage, rows, context)

    def _store(
        self, queue: ConversationQueue, state: str, leased: Sequence[Leased], output: Output, left: set[str]
    ) -> None:
        """Keep what was made of ``leased``, but for those that are ``left``; what has no insight has failed."""
        texts = {one.conversation_id: one.text for one in leased}
        made = output.tables.get("insights", [])
        rows = made.to_pylist() if isinstance(made, pa.Table) else made
        insights = {row["conversation_id"]: row for row in rows}
        rejects = {reject.item_id: reject for reject in output.rejects}
        done = [
            self._analysed(insights[one], texts[one], output.variants.get(one), rejects.get(one))
            for one in texts
            if one in insights and one not in left
        ]
        failed = [(one, rejects[one].detail) for one in texts if one in rejects and one not in insights]
        now = self._clock.now()
        self.figures.analysed += queue.finish(done, owner=self._owner[state], now=now)
        if failed:
            queue.fail(failed, owner=self._owner[state], now=now)
            self.figures.failed += len(failed)

    def _analysed(self, insight: dict[str, Any], text: str, variant: str | None, reject: Reject | None) -> Analysed:
        own = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # as the stage's keys have it
        refused = {name: value for name, value in asdict(reject).items() if name != "item_id"} if reject else None
        done = {"fingerprint": fingerprint_of(self._head, own), "variant": variant}
        result = json.dumps({"insight": insight, "done": done, "reject": refused}, ensure_ascii=False)
        return Analysed(insight["conversation_id"], insight["sentiment"], insight["confidence_score"], result)

    # --- the language model ---

    def _asker_of(self, journal: Journal, stopping: Callable[[], bool]) -> Asker | None:
        """What asks the model of the settings; None without one, and where it cannot be opened. A day is a run."""
        if provider_name(self._settings) is None:
            return None
        day = f"{datetime.fromtimestamp(self._clock.now(), UTC):%Y-%m-%d}"
        if self._asker is not None and day != self._asker_day:
            self._close_asker()
        if self._asker is None:
            try:
                self._asker = open_asker(
                    self._settings, journal, self._shelf, f"conversations {day}", stopping=stopping, told=self._told
                )
            except IgtoolError as error:
                self._rest(error)
                return None
            if self._asker is not None:
                self._asker.asks_lost = False
                self._asker.throttle = self._throttle
            self._asker_day = day
        return self._asker

    def _at_once(self, asker: Asker) -> int:
        """Few enough that the answers of some seconds are stored together, enough that no call waits for others."""
        soon = 2 * max(asker.concurrency, self._settings.conversation_calls_per_second)
        return min(soon, questions_at_once(self._settings, asker.provider))

    def _rest(self, error: IgtoolError) -> None:
        """Ask nothing for a while, then with a new asker."""
        self._note(UNSURE, error)
        self._rests_until = self._clock.now() + _REST_S
        self._close_asker()

    def _close_asker(self) -> None:
        if self._asker is not None:
            self._asker.close()
            self._asker = None
