"""Conversations from Python: stored and read at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from igtool.errors import UsageError
from igtool.notes import LOCAL
from igtool.pipeline import insights_stage
from igtool.session import Session

_LONGEST = 100_000
_FIELDS = frozenset({"conversation_id", "author", "text", "said_at", "raw_data", "source"})

Row = dict[str, Any]


def analyze_conversations(session: Session, conversations: Sequence[str | Mapping[str, Any]]) -> list[Row]:
    """Store ``conversations`` and read them; their rows of ``insights``, in order.

    Each is a text, or has ``text`` and perhaps ``conversation_id``, ``author``, ``said_at`` (UTC), ``raw_data`` and
    ``source``. Without an id it gets one of what it holds, so that the same one is stored once. What a language model
    could not be asked about now has no row yet and is left out. Raises UsageError naming the first that cannot be used.
    """
    rows = [_row(place, conversation) for place, conversation in enumerate(conversations, start=1)]
    if rows:
        with session.lake.transaction():
            session.lake.merge("conversations", rows)
    session.runner().run([insights_stage(session.settings)])
    ids = [row["conversation_id"] for row in rows]
    found = session.lake.rows("from insights where conversation_id in (select unnest(?::varchar[]))", (ids,))
    by_id = {row["conversation_id"]: row for row in found}
    return [by_id[one] for one in ids if one in by_id]


def _row(place: int, given: str | Mapping[str, Any]) -> Row:
    conversation = {"text": given} if isinstance(given, str) else dict(given)
    if unknown := sorted(set(conversation) - _FIELDS):
        raise UsageError(
            f"conversation {place}: there is no field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}"
        )
    text = conversation.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        raise UsageError(f"conversation {place}: text must be a text of 1 to {_LONGEST} characters")
    said_at = conversation.get("said_at")
    if said_at is not None and not isinstance(said_at, datetime):
        raise UsageError(f"conversation {place}: said_at must be a datetime, not {type(said_at).__name__}")
    if said_at is not None and said_at.tzinfo is None:
        said_at = said_at.replace(tzinfo=UTC)
    raw = json.dumps(conversation.get("raw_data") or {}, ensure_ascii=False, default=str)
    name = json.dumps([conversation.get("author"), text, said_at and said_at.isoformat()])
    return {
        "conversation_id": conversation.get("conversation_id")
        or f"conv_{hashlib.sha256(name.encode()).hexdigest()[:16]}",
        "author": conversation.get("author"),
        "text": text.encode("utf-8", "replace").decode(),
        "said_at": said_at,
        "raw_data": raw,
        "source": conversation.get("source"),
        "tenant_id": LOCAL,
    }
