"""What waits in the journal for the lake: moved there, or deleted there, by whoever writes the lake next.

That is conversations, and what people said through the server. Moving a conversation again changes nothing: what the
lake has stays as it is. Deletions come after moves, so that what was deleted while it was moved is gone as well.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from igtool.auditing import move_entries
from igtool.changes import store_said
from igtool.errors import LockedError
from igtool.journal import Journal
from igtool.journal.conversations import ConversationQueue, decoded
from igtool.lake import Lake
from igtool.settings import Settings

MOST = 1_000
"""Conversations of a commit; readers compare so many ids while they are moved."""

_STAGE = "insights"
"""The stage that would read these conversations if it were not done."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOLDING = {
    "conversations": "conversation_id",
    "insights": "conversation_id",
    "llm_answers": "item_id",
    "stage_rows": "item_id",
    "rejects": "item_id",
}
"""Tables with rows about a conversation, and the column that names it."""


def hand_over(lake: Lake, journal: Journal, *, commits: int | None = None) -> int:
    """Make the changes that people said, move every conversation that is done, delete what is to be deleted.

    How many conversations were moved. ``commits``: at most so many, of `MOST` conversations each, for who must not take
    long.
    """
    store_said(lake, journal)
    if commits != 0:
        move_entries(lake, journal)
    queue = ConversationQueue(journal)
    count = 0
    while (commits is None or commits > 0) and (rows := queue.moving(MOST)):
        _store(lake, [(decoded(row), decoded(result)) for _, row, result in rows])
        queue.moved(one for one, _, _ in rows)
        count += len(rows)
        commits = None if commits is None else commits - 1
    if gone := queue.deletions():
        with lake.transaction():
            for table, column in _HOLDING.items():
                lake.delete(table, column, gone)
        queue.drop_deletions(gone)
    return count


def hand_over_now(settings: Settings, *, commits: int = 0, upkeep: bool = False) -> bool:
    """As `hand_over`, with so many commits besides deletions; False, and nothing done, while another process writes.

    Who comes meanwhile waits a moment.
    """
    try:
        with (
            Journal(settings.cache, writable=True, briefly=True) as journal,
            Lake(
                settings.lake,
                writable=True,
                offline=settings.offline,
                on_files=journal.record_lake_files,
                briefly=True,
            ) as lake,
        ):
            hand_over(lake, journal, commits=commits)
            if upkeep:
                lake.upkeep()
    except LockedError:
        return False
    return True


def moment(microseconds: int) -> datetime:
    """A time of the journal's conversations."""
    return EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(at: datetime) -> int:
    """A time as the journal has it."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _store(lake: Lake, moved: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """One commit: conversations, what they say, and that the stage has nothing left to do about them."""
    done, rejects = [], []
    for row, result in moved:
        row["said_at"] = moment(row["said_at"])
        done.append({"stage": _STAGE, "item_id": row["conversation_id"], **result["done"]})
        if result["reject"] is not None:
            rejects.append({"stage": _STAGE, "item_id": row["conversation_id"], **result["reject"]})
    with lake.transaction():
        lake.append_new("conversations", [row for row, _ in moved])
        lake.append_new("insights", [result["insight"] for _, result in moved])
        lake.append_new("stage_rows", done)
        if rejects:
            lake.append_new("rejects", rejects)
