"""Conversations over both stores: accepted once, analysed, found by time, moved, deleted; and what is refused."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conversation_runs import one_encoder

from igtool import outbox
from igtool.conversations.analyzing import analyze_conversations
from igtool.conversations.checking import MOST_RAW, MOST_TEXT, InvalidSchema, KeyConflict
from igtool.conversations.reception import Reception, error_body, limit_body
from igtool.conversations.worker import Worker
from igtool.errors import LockedError
from igtool.files import WriterLock
from igtool.journal import Journal
from igtool.journal.conversations import CRASHES, TRIES, Analysed, ConversationQueue
from igtool.lake import Lake
from igtool.pipeline import run_stages
from igtool.session import open_session
from igtool.settings import load
from igtool.throttle import KEYS, SlidingWindow, Throttle

BAD, GOOD, PLAIN = "Worst customer service ever, on hold for two hours", "Thank you, great job!", "When do you open?"
EVER = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}


@pytest.fixture(scope="module", autouse=True)
def _one_encoder() -> Iterator[None]:
    """One engine for the module."""
    with one_encoder():
        yield


@pytest.fixture
def workspace(tmp_path: Path, empty_lake: Path) -> Path:
    """A folder with an empty lake."""
    shutil.copytree(empty_lake, tmp_path / "data")
    return tmp_path


@pytest.fixture
def reception(workspace: Path) -> Iterator[Reception]:
    """A reception over it."""
    with Reception(load(workspace)) as opened:
        yield opened


def said(text: str, day: int, hour: int = 10, **more: Any) -> dict[str, Any]:
    """A conversation of January 2026."""
    return {"text": text, "timestamp": f"2026-01-{day:02}T{hour:02}:30:00Z", **more}


def work(reception: Reception) -> Worker:
    """Everything that waits is read."""
    worker = Worker(reception.settings, reception.shelf)
    worker.finish_all()
    return worker


def queue(workspace: Path) -> ConversationQueue:
    """The journal's conversations, for one test."""
    return ConversationQueue(Journal(workspace / "cache", writable=False, shared=True))


def ids(document: dict[str, Any]) -> list[str]:
    """Those that were found."""
    return [one["conversation_id"] for one in document["insights"]]


def test_the_first_versions_shapes_to_the_letter(reception: Reception, workspace: Path) -> None:
    """What is accepted, and what is said of it, has exactly the documented keys, with ``model`` added inside."""
    accepted = reception.accept(said(BAD, 5, author="ann", raw_data={"n": [1, None, "\0"]}))
    assert list(accepted) == ["status", "conversation_id", "message"]
    assert accepted["status"] == "accepted"
    assert accepted["conversation_id"].startswith("conv_")
    work(reception)
    found = reception.insights(EVER)
    assert list(found) == ["insights", "metadata"]
    assert found["metadata"] == {"total_count": 1, "returned_count": 1, **EVER}
    (one,) = found["insights"]
    assert list(one) == ["conversation_id", "timestamp", "text", "grok_analysis"]
    assert (one["timestamp"], one["text"]) == ("2026-01-05T10:30:00Z", BAD)
    assert set(one["grok_analysis"]) == {"sentiment_score", "clusters", "confidence", "reasoning", "model"}
    assert one["grok_analysis"]["sentiment_score"] < -0.5
    assert "bad_support" in one["grok_analysis"]["clusters"]
    json.dumps(found)


def test_both_stores_are_one(reception: Reception, workspace: Path) -> None:
    """Insights, trends and status are the same before, while and after conversations go to the lake."""
    for day in range(1, 7):
        reception.accept(said((BAD, GOOD, PLAIN)[day % 3], day, hour=day % 2))
    work(reception)
    filters = [{}, {"limit": "2"}, {"sentiment": "negative"}, {"sentiment": "neutral", "min_confidence": "5e-1"}]
    filters.append({"start_time": "2026-01-02T00:30:00Z", "end_time": "2026-01-04T00:30:00Z"})

    def everything() -> list[Any]:
        return [*[reception.insights(EVER | one) for one in filters], reception.trends(TREND)]

    before = everything()
    assert [one["metadata"]["total_count"] for one in before[:4]] == [6, 6, 2, 2]
    assert before[1]["metadata"]["returned_count"] == 2
    assert [one["timestamp"][:10] for one in before[4]["insights"]] == ["2026-01-04", "2026-01-03", "2026-01-02"]
    with Journal(workspace / "cache", writable=True) as journal, Lake(workspace / "data", writable=True) as lake:
        rows = ConversationQueue(journal).moving(4)
        assert everything() == before
        outbox._store(lake, [(json.loads(row), json.loads(result)) for _, row, result in rows])
        assert everything() == before  # in both stores
        assert outbox.hand_over(lake, journal) == 6  # as after a kill in between
        assert everything() == before
        assert lake.value("select count(*) from conversations") == 6


TREND = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-31T00:00:00Z"}


def test_trends_are_by_hour_and_cluster(reception: Reception, workspace: Path) -> None:
    """Counts of an hour by sentiment and cluster sum up; times before 1970 have hours too."""
    for text in (BAD, BAD + "!", GOOD):
        reception.accept(said(text, 5))
    reception.accept({"text": PLAIN, "timestamp": "1969-12-31T23:59:59.5Z"})
    work(reception)
    (hour,) = reception.trends(TREND)["trends"]
    assert (hour["hour"], hour["count"]) == ("2026-01-05T10:00:00Z", 3)
    assert hour["sentiments"] == {"positive": 1, "negative": 2, "neutral": 0}
    assert {"cluster": "on_hold", "count": 2} in [{k: one[k] for k in ("cluster", "count")} for one in hour["clusters"]]
    old = {"start_time": "1969-12-31T00:00:00Z", "end_time": "1970-01-01T00:00:00Z"}
    assert [one["hour"] for one in reception.trends(old)["trends"]] == ["1969-12-31T23:00:00Z"]


def test_a_session_moves_what_is_done_and_its_stage_has_nothing_left(reception: Reception, workspace: Path) -> None:
    """Whoever opens a session takes them along; the stage insights knows that they are read, others it still reads."""
    one = reception.accept(said(BAD, 1, author="ann"))["conversation_id"]
    work(reception)
    waiting = reception.accept(said(GOOD, 2))["conversation_id"]
    with open_session(reception.settings, "test", lambda: False) as session:
        run_stages(session, ["insights"])
        assert (session.progress.of("insights").skipped, session.progress.of("insights").new) == (1, 0)
        row = session.lake.rows("select * exclude raw_data from conversations")
        assert row == [
            {
                "conversation_id": one,
                "author": "ann",
                "text": BAD,
                "said_at": datetime(2026, 1, 1, 10, 30, tzinfo=UTC),
                "source": "api",
                "tenant_id": "local",
            }
        ]
        analyze_conversations(session, [{"text": PLAIN, "said_at": datetime(2026, 1, 3, tzinfo=UTC)}])
    assert reception.status(waiting)["status"] == "accepted"
    assert reception.insights(EVER)["metadata"]["total_count"] == 2


def test_an_idempotency_key_is_used_once(reception: Reception, workspace: Path) -> None:
    """The same key gives the same answer, before and after it is in the lake; another body is refused, not taken."""
    first = reception.accept(said(BAD, 1), key="a")
    assert reception.accept(said(BAD, 1), key="a") == first
    assert reception.accept({"text": BAD, "timestamp": "2026-01-01T11:30:00+01:00"}, key="a") == first  # the same time
    for other in (said(GOOD, 1), said(BAD, 2), said(BAD, 1, author="b"), said(BAD, 1, raw_data={"a": 1})):
        with pytest.raises(KeyConflict) as caught:
            reception.accept(other, key="a")
        assert error_body(caught.value)["error"] == "idempotency_conflict"
    assert reception.accept(said(BAD, 1), key="b") != first
    assert reception.accept(said(BAD, 1), key="a", tenant_id="other") != first
    assert reception.accept(said(BAD, 1))["conversation_id"] != reception.accept(said(BAD, 1))["conversation_id"]
    worker = work(reception)
    assert worker.move(least=1)
    assert reception.accept(said(BAD, 1), key="a") == first
    assert reception.counts()["total"] == {"accepted": 5, "analysed": 5, "moved": 5, "deleted": 0}


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({}, "Missing required field: text"),
        ({"author": "x", "colour": 1}, "Missing required field: text"),
        ([], "The body must be a JSON object"),
        ({"text": None}, "Field text must be a string"),
        ({"text": " \n"}, "Field text must not be empty"),
        ({"text": "x" * (MOST_TEXT + 1)}, "Field text must have at most 100000 characters"),
        ({"text": "x", "colour": 1}, "Unknown field: colour"),
        ({"text": "x", "author": 7}, "Field author must be a string"),
        ({"text": "x", "raw_data": []}, "Field raw_data must be an object"),
        (
            {"text": "x", "raw_data": {"a": "x" * MOST_RAW}},
            "Field raw_data must have at most 100000 characters as JSON",
        ),
        ({"text": "x", "timestamp": "2999-01-01T00:00:00Z"}, "Field timestamp lies in the future"),
        *(
            (
                {"text": "x", "timestamp": wrong},
                "Field timestamp must be a time of RFC 3339 such as 2026-01-31T12:00:00Z",
            )
            for wrong in (
                *("yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z", 1767225600, ""),
                *(
                    "2026-01-31T25:00:00Z",
                    "2026-02-30T00:00:00Z",
                    "0001-01-01T00:00:00+23:00",
                    "２０26-01-31T12:00:00Z",
                ),
            )
        ),
    ],
)
def test_what_is_no_conversation(reception: Reception, given: Any, details: str) -> None:
    """Each is refused with a body that names the field, and nothing is stored."""
    with pytest.raises(InvalidSchema) as caught:
        reception.accept(given)
    assert error_body(caught.value) == {"error": "invalid_schema", "details": details}
    assert reception.counts() == {}


@pytest.mark.parametrize(
    ("given", "details"),
    [
        ({"start_time": None}, "Missing required parameter: start_time"),
        ({"end_time": None}, "Missing required parameter: end_time"),
        ({"end_time": "2019-01-01T00:00:00Z"}, "Parameter start_time must not be after end_time"),
        ({"start_time": "2026"}, "Parameter start_time must be a time of RFC 3339 such as 2026-01-31T12:00:00Z"),
        (
            {"end_time": "2026-01-31T12:00:00 01:00"},
            "Parameter end_time must be a time of RFC 3339 such as 2026-01-31T12:00:00Z "
            "(in an address + is written %2B)",
        ),
        *(
            ({"limit": one}, "Parameter limit must be a whole number from 1 to 1000")
            for one in ("0", "1001", "ten", "-1", "")
        ),
        *(
            ({"min_confidence": one}, "Parameter min_confidence must be a number from 0 to 1")
            for one in ("2", "nan", "-1", "1e", "")
        ),
        ({"sentiment": "angry"}, "Parameter sentiment must be one of: positive, negative, neutral"),
        ({"colour": "red"}, "Unknown parameter: colour"),
    ],
)
def test_what_cannot_be_asked(reception: Reception, given: dict[str, str | None], details: str) -> None:
    """Each is refused with a body that names the parameter."""
    asked = {name: value for name, value in (EVER | given).items() if value is not None}
    with pytest.raises(InvalidSchema) as caught:
        reception.insights(asked)
    assert error_body(caught.value) == {"error": "invalid_schema", "details": details}
    with pytest.raises(InvalidSchema, match="31 days"):
        reception.trends(EVER)


def test_texts_of_all_kinds_come_through(reception: Reception, workspace: Path) -> None:
    """What text may hold is stored and told; what no store takes is replaced."""
    texts = [
        "¡qué vergüenza! 😡",
        "a\nb\t\u2028",
        "\ud800 lone",
        "nul \0 nul",
        "'; drop table conversations; --",
        "x" * MOST_TEXT,
    ]
    for day, text in enumerate(texts, start=1):
        reception.accept(said(text, day, author=text[:9], raw_data={text[:9]: text[:9]}))
    worker = work(reception)
    before = reception.insights(EVER)
    assert [one["text"] for one in before["insights"]][::-1] == [
        *texts[:2], "? lone", "nul \ufffd nul", *texts[4:]
    ]  # fmt: skip
    assert worker.move(least=1)
    assert reception.insights(EVER) == before


def test_lines_are_taken_one_by_one(reception: Reception) -> None:
    """A line that is refused says why and costs no other; keys count within and between calls."""
    lines = [
        said(BAD, 1, idempotency_key="a"),
        {},
        said(BAD, 1, idempotency_key="a"),
        said(GOOD, 1, idempotency_key="a"),
    ]
    found = reception.accept_lines([*lines, said(GOOD, 1), said(GOOD, 1, idempotency_key=7), InvalidSchema("not JSON")])
    assert (found["accepted"], found["refused"]) == (3, 4)
    first = found["results"][0]["conversation_id"]
    assert found["results"][:4] == [
        {"line": 1, "conversation_id": first, "is_new": True},
        {"line": 2, "error": "invalid_schema", "details": "Missing required field: text"},
        {"line": 3, "conversation_id": first, "is_new": False},
        {
            "line": 4,
            "error": "idempotency_conflict",
            "details": "Idempotency-Key was used before for another conversation",
        },
    ]
    assert found["results"][5]["details"] == "Field idempotency_key must be a string"
    assert found["results"][6]["details"] == "not JSON"


def test_a_tenant_sees_its_own(reception: Reception, workspace: Path) -> None:
    """Neither status, insights, trends nor deletion reach another tenant's conversation, in either store."""
    one = reception.accept(said(BAD, 1), tenant_id="a")["conversation_id"]
    worker = work(reception)
    for _ in range(2):
        assert reception.status(one, tenant_id="b") is None
        assert reception.delete(one, tenant_id="b") is None
        assert reception.insights(EVER, tenant_id="b")["insights"] == reception.insights(EVER)["insights"] == []
        assert reception.trends(TREND)["trends"] == []
        assert ids(reception.insights(EVER, tenant_id="a")) == [one]
        assert reception.status(one, tenant_id="a")["status"] == "analyzed"
        worker.move(least=1)


def test_deleting_before_it_is_in_the_lake(reception: Reception, workspace: Path) -> None:
    """Waiting or done, nothing of it is left; its key may be used again and is another conversation."""
    waiting = reception.accept(said(BAD, 1), key="a")["conversation_id"]
    assert reception.delete(waiting) == {
        "status": "deleted",
        "conversation_id": waiting,
        "message": "Conversation deleted",
    }
    assert reception.delete(waiting) is None
    done = reception.accept(said(GOOD, 1), key="a")["conversation_id"]
    work(reception)
    assert reception.delete(done)["message"] == "Conversation deleted"
    assert reception.status(done) is None
    assert reception.insights(EVER)["insights"] == []
    assert reception.accept(said(PLAIN, 1), key="a")["conversation_id"]
    assert reception.counts()["deletions"] == 0


def test_deleting_from_a_lake_that_somebody_writes(reception: Reception, workspace: Path) -> None:
    """Readers are not shown it at once; its rows, the answers about it too, go when the lake is written next."""
    one, other = (reception.accept(said(BAD, day), key=str(day))["conversation_id"] for day in (1, 2))
    worker = work(reception)
    assert worker.move(least=1)
    with Lake(workspace / "data", writable=True) as lake, lake.transaction():
        lake.append("llm_answers", [{"answer_id": name, "item_id": name, "prompt": "{}"} for name in (one, other)])
        deleted = reception.delete(one)
        assert deleted["message"] == "Conversation deleted; its rows go when the lake is free"
        assert reception.status(one) is reception.delete(one) is None
        assert ids(reception.insights(EVER)) == [other]
        assert reception.trends(TREND)["metadata"]["total_count"] == 1
        again = reception.accept(said(GOOD, 3), key="1")["conversation_id"]  # not the id that is to be deleted
        assert again != one
    with open_session(reception.settings, "test", lambda: False) as session:
        for table, column in outbox._HOLDING.items():
            assert session.lake.value(f"select count(*) from {table} where {column} = ?", (one,)) == 0
        assert session.lake.value("select count(*) from llm_answers") == 1
    assert reception.counts()["deletions"] == 0
    assert reception.delete(other)["message"] == "Conversation deleted"  # now at once
    with Lake(workspace / "data", writable=False) as lake:
        assert lake.value("select count(*) from conversations") == 0


def test_deleting_what_is_being_read_or_moved(reception: Reception, workspace: Path) -> None:
    """What a worker makes of it is dropped; what is moved meanwhile is deleted after the move."""
    one = reception.accept(said(BAD, 1))["conversation_id"]
    conversations = queue(workspace)
    conversations.lease("waiting", 9, owner="me", now=9e9)
    assert reception.status(one)["status"] == "analyzing"
    assert reception.delete(one)
    assert conversations.finish([Analysed(one, "neutral", 1.0, "{}")], owner="me", now=0) == 0
    assert reception.status(one) is None
    two = reception.accept(said(BAD, 1))["conversation_id"]
    work(reception)
    with Journal(workspace / "cache", writable=True) as journal, Lake(workspace / "data", writable=True) as lake:
        rows = ConversationQueue(journal).moving(9)
        reception.delete(two)
        outbox._store(lake, [(json.loads(row), json.loads(result)) for _, row, result in rows])
        assert reception.insights(EVER)["insights"] == []
        outbox.hand_over(lake, journal)
        assert lake.value("select count(*) from conversations") == 0
    conversations._journal.close()


def test_leases(reception: Reception, workspace: Path) -> None:
    """One worker has a conversation; a dead one gives it back; what brings processes down comes alone, then never."""
    for day in (1, 2):
        reception.accept(said(BAD, day))
    conversations = queue(workspace)
    assert len(conversations.lease("waiting", 1, owner="1:gone", now=9e9)) == 1
    assert len(conversations.lease("waiting", 9, owner="1:gone", now=9e9)) == 1
    assert conversations.lease("waiting", 9, owner="other", now=9e9) == []
    for crash in range(1, CRASHES):
        assert conversations.give_back(now=9e9) > 0
        assert len(conversations.lease("waiting", 9, owner="1:gone", now=9e9)) == (2 if crash < 3 else 1)
    assert conversations.give_back(now=9e9) == 1
    (letter,) = conversations.dead_letters()
    assert letter["reason"] == f"{CRASHES} processes died while they read it"
    assert reception.status(letter["conversation_id"])["status"] == "failed"
    conversations._journal.close()


def test_what_fails_again_and_again_is_a_dead_letter(reception: Reception, workspace: Path) -> None:
    """Three failures; the reason is told; it can be retried."""
    one = reception.accept(said(BAD, 1))["conversation_id"]
    conversations = queue(workspace)
    for now in range(0, 1000 * TRIES, 1000):
        assert conversations.lease("waiting", 9, owner="me", now=now)
        conversations.fail([(one, "it is cursed")], owner="me", now=now)
    assert conversations.lease("waiting", 9, owner="me", now=9e9) == []
    assert (reception.status(one)["status"], reception.status(one)["reason"]) == ("failed", "it is cursed")
    assert reception.counts()["dead"] == 1
    assert conversations.retry() == 1
    conversations._journal.close()
    work(reception)
    assert reception.status(one)["status"] == "analyzed"


def test_a_worker_in_threads(reception: Reception, workspace: Path) -> None:
    """What is accepted while it runs is read; what it has when it is stopped waits for the next one."""
    worker = Worker(reception.settings, reception.shelf)
    reception.arrived = worker.wake
    worker.start()
    given = [reception.accept(said(BAD, 1))["conversation_id"] for _ in range(5)]
    for _ in range(4_000):
        if not reception.counts()["waiting"]:
            break
        time.sleep(0.005)
    worker.stop()
    assert {reception.status(one)["status"] for one in given} == {"analyzed"}
    assert worker.figures.analysed == 5
    assert worker.troubles == {}


def test_a_brief_writer_is_waited_for(tmp_path: Path) -> None:
    """Who finds the lock held for a moment takes it afterwards; one held for long is refused at once."""
    path = tmp_path / "lake.lock"
    brief = WriterLock(path, "the lake", briefly=True)
    threading.Timer(0.05, brief.release).start()
    WriterLock(path, "the lake").release()
    long = WriterLock(path, "the lake")
    with pytest.raises(LockedError, match="wait until it is done"):
        WriterLock(path, "the lake", briefly=True)
    long.release()


def test_the_throttle_lets_exactly_so_many_through() -> None:
    """No more than allowed of a key in any window, whatever others do; when to come again is told; keys are bounded."""
    now = [100.0]
    throttle = Throttle(3, 2.0, now=lambda: now[0])
    let_through: list[float] = []
    for step in range(400):
        now[0] = 100 + step / 20
        if throttle.refused("a") is None:
            let_through.append(now[0])
        assert throttle.refused(f"b{step}") is None
    assert len(let_through) == 30
    assert all(later - first >= 2 for first, later in zip(let_through, let_through[3:], strict=False))
    now[0] = 200.0
    assert [throttle.refused("a") for _ in range(4)] == [None, None, None, 2]
    now[0] = 201.5
    assert throttle.refused("a") == 1
    now[0] = 202.0
    assert throttle.refused("a") is None
    assert limit_body(2) == {"error": "rate_limit_exceeded", "retry_after": 2}
    for number in range(KEYS + 5):
        throttle.refused(f"c{number}")
    assert len(throttle) == KEYS


def test_a_window_tells_room_and_time() -> None:
    """Room is what was not taken within the window; the next time is when the oldest leaves it."""
    window = SlidingWindow(2, 10.0)
    window.take(0.0)
    window.take(4.0)
    assert (window.room(5.0), window.free_at(5.0)) == (0, 10.0)
    assert (window.room(10.0), window.free_at(10.0)) == (1, 10.0)
