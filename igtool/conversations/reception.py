"""What a server does with conversations: accepts, tells what they say, deletes. Every answer is a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from igtool.clock import Clock
from igtool.conversations.checking import (
    InvalidSchema,
    KeyConflict,
    new_conversation,
    shown_time,
    wanted,
    wanted_trends,
)
from igtool.conversations.intake import Intake, QueueFull, Room
from igtool.conversations.reading import Reading, Shelf, analysis, trends
from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.journal.conversations import MOVING, UNSURE, ConversationQueue, NewConversation, Taken, decoded
from igtool.journal.queue import DEAD, DONE
from igtool.notes import LOCAL
from igtool.outbox import hand_over_now, moment
from igtool.settings import Settings
from igtool.throttle import Throttle

Document = dict[str, Any]

ACCEPTED = "Conversation accepted for analysis"
CONFLICT = "Idempotency-Key was used before for another conversation"


class Reception:
    """For any number of threads. Close it in the end.

    ``throttle`` says which clients come too often, ``room`` how many conversations may wait; ``arrived`` is called when
    something new was accepted.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        self._intake = Intake(settings.cache, self._clock.now)
        self.room = Room(settings.cache, settings.conversation_queue_limit)
        self.shelf = Shelf(settings)
        self._reading = Reading(settings, self.shelf)
        self.throttle = Throttle(settings.conversation_requests_per_second)
        self.arrived: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Write what was accepted, and release the stores."""
        self._intake.close()
        self.shelf.close()

    def __enter__(self) -> Reception:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- accepting ---

    def accept(self, given: Any, *, key: str | None = None, tenant_id: str = LOCAL) -> Document:
        """That a conversation was accepted: it is on disk, and survives whatever happens to this process.

        The same ``key`` with the same conversation gives the same answer again. Raises InvalidSchema, KeyConflict,
        QueueFull, and what the journal raises.
        """
        new = new_conversation(given, now=self._now(), tenant_id=tenant_id, key=key)
        self.room.take(1)
        (taken,) = self.take([new])
        if taken.is_conflict:
            raise KeyConflict(CONFLICT)
        return accepted(taken)

    def accept_lines(self, lines: Sequence[Any], *, tenant_id: str = LOCAL) -> Document:
        """What became of each of ``lines``: conversations that may have an ``idempotency_key``, or InvalidSchema.

        Raises QueueFull, with none of them accepted, and what the journal raises.
        """
        now = self._now()
        checked = [_checked(line, now, tenant_id) for line in lines]
        new = [one for one in checked if isinstance(one, NewConversation)]
        self.room.take(len(new))
        taken = iter(self.take(new))
        results = [_result(next(taken) if isinstance(one, NewConversation) else one) for one in checked]
        refused = sum("error" in one for one in results)
        return {
            "status": "accepted",
            "accepted": len(results) - refused,
            "refused": refused,
            "results": [{"line": place, **one} for place, one in enumerate(results, start=1)],
        }

    def take(self, given: Sequence[NewConversation]) -> list[Taken]:
        """What became of each, on disk, however many wait. Raises what the journal raises."""
        if not given:
            return []
        taken = self._intake.put(given)
        if any(one.is_new for one in taken):
            self.arrived()
        return taken

    # --- telling ---

    def status(self, conversation_id: str, *, tenant_id: str = LOCAL) -> Document | None:
        """How one conversation stands, with what it says once that is known; None where the tenant has none such."""
        with Journal(self.settings.cache, writable=False) as journal:
            found = ConversationQueue(journal).entry(conversation_id, tenant_id)
        if found is None:
            row = self._reading.one(conversation_id, tenant_id)
            return None if row is None else _status(row["conversation_id"], "analyzed", row["said_at"], analysis(row))
        state = _shown_state(found)
        said = analysis(decoded(found["result"])["insight"]) if found["result"] is not None else None
        document = _status(conversation_id, state, moment(found["said_at"]), said)
        document["accepted_at"] = shown_time(datetime.fromtimestamp(int(found["accepted_at"]), UTC))
        return document | ({"reason": found["reason"]} if state == "failed" else {})

    def insights(self, given: Mapping[str, str], *, tenant_id: str = LOCAL) -> Document:
        """The newest insights of a time, in the shape of the first version. Raises InvalidSchema."""
        count, rows = self._reading.insights(wanted(given, tenant_id))
        insights = [
            {
                "conversation_id": row["conversation_id"],
                "timestamp": shown_time(row["said_at"]),
                "text": row["text"],
                "grok_analysis": analysis(row),
            }
            for row in rows
        ]
        period = {name: given[name] for name in ("start_time", "end_time")}
        return {"insights": insights, "metadata": {"total_count": count, "returned_count": len(insights), **period}}

    def trends(self, given: Mapping[str, str], *, tenant_id: str = LOCAL) -> Document:
        """How many conversations an hour, of which sentiment, and about what. Raises InvalidSchema."""
        rows = trends(self._reading.hours(wanted_trends(given, tenant_id)))
        period = {name: given[name] for name in ("start_time", "end_time")}
        return {"trends": rows, "metadata": {"total_count": sum(row["count"] for row in rows), **period}}

    def counts(self) -> Document:
        """Conversations of the journal by state, and totals, for status and metrics; empty where there were none."""
        with Journal(self.settings.cache, writable=False) as journal:
            return ConversationQueue(journal).counts()

    # --- deleting ---

    def delete(self, conversation_id: str, *, tenant_id: str = LOCAL) -> Document | None:
        """That a conversation is deleted, with what it says; None where the tenant has none such.

        Nobody is shown it any more. What the lake has of it goes now if nobody else writes it, else with the next
        commit of whoever does.
        """
        with Journal(self.settings.cache, writable=False, shared=True) as journal:
            is_gone = ConversationQueue(journal).delete(
                conversation_id,
                tenant_id,
                now=self._clock.now(),
                is_in_lake=lambda: self._reading.one(conversation_id, tenant_id) is not None,
            )
        if is_gone is None:
            return None
        is_gone = is_gone or hand_over_now(self.settings)
        message = "Conversation deleted" if is_gone else "Conversation deleted; its rows go when the lake is free"
        return {"status": "deleted", "conversation_id": conversation_id, "message": message}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)


def accepted(taken: Taken) -> Document:
    """What a client is told."""
    return {"status": "accepted", "conversation_id": taken.conversation_id, "message": ACCEPTED}


def error_body(error: UsageError) -> Document:
    """What a client is told of what it gave. The status is 409 for a KeyConflict, else 400."""
    return {
        "error": "idempotency_conflict" if isinstance(error, KeyConflict) else "invalid_schema",
        "details": str(error),
    }


def limit_body(retry_after: int) -> Document:
    """What a client is told that comes too often, with the status 429 and the same number as Retry-After."""
    return {"error": "rate_limit_exceeded", "retry_after": retry_after}


def full_body(error: QueueFull) -> Document:
    """What a client is told while too many conversations wait, with the status 503 and the same as Retry-After."""
    return {"error": "queue_full", "details": str(error), "retry_after": error.retry_after}


def missing_body(conversation_id: str) -> Document:
    """What a client is told of a conversation that there is not, or that is another tenant's, with the status 404."""
    return {"error": "not_found", "details": f"There is no conversation {conversation_id[:100]}"}


def _checked(line: Any, now: datetime, tenant_id: str) -> NewConversation | UsageError:
    if isinstance(line, UsageError):
        return line
    key = line.get("idempotency_key") if isinstance(line, Mapping) else None
    given = {name: value for name, value in line.items() if name != "idempotency_key"} if key is not None else line
    if key is not None and not isinstance(key, str):
        return InvalidSchema("Field idempotency_key must be a string")
    try:
        return new_conversation(given, now=now, tenant_id=tenant_id, key=key)
    except InvalidSchema as error:
        return error


def _result(one: Taken | UsageError) -> Document:
    if isinstance(one, UsageError):
        return error_body(one)
    if one.is_conflict:
        return error_body(KeyConflict(CONFLICT))
    return {"conversation_id": one.conversation_id, "is_new": one.is_new}


def _shown_state(found: Mapping[str, Any]) -> str:
    if found["state"] in (DONE, MOVING):
        return "analyzed"
    if found["state"] == DEAD:
        return "failed"
    return "analyzing" if found["owner"] is not None or found["state"] == UNSURE else "accepted"


def _status(conversation_id: str, state: str, said_at: datetime, said: Document | None) -> Document:
    document = {"conversation_id": conversation_id, "status": state, "timestamp": shown_time(said_at)}
    return document | ({"grok_analysis": said} if said is not None else {})
