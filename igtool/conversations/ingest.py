"""Whole files of conversations: into the journal of this workspace, or to a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from igtool.clock import Clock
from igtool.conversations.checking import InvalidSchema, new_conversation
from igtool.conversations.files import Line, read_conversations
from igtool.conversations.reception import CONFLICT, Reception
from igtool.conversations.sending import Sender
from igtool.errors import Interrupted
from igtool.journal.conversations import NewConversation
from igtool.notes import LOCAL

AT_ONCE = 200
_SHOWN = 1_000
_KNOWN = """
    select conversation_id, text from conversations
    where conversation_id in (select unnest(string_split(?, ' ')))
"""

Take = Callable[[Sequence[Line]], "list[Outcome]"]


@dataclass(frozen=True)
class Outcome:
    """What became of a line: ``error`` says why it was refused."""

    is_new: bool = False
    error: str | None = None


@dataclass
class Ingested:
    """What became of the rows of a file; the first of the ``refused`` ones with line and reason.

    ``without_time``: those that were taken and name no time, so that now is theirs.
    """

    file: str
    rows: int = 0
    accepted: int = 0
    known: int = 0
    without_time: int = 0
    refused_count: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: Line, outcome: Outcome) -> None:
        """Count a line."""
        self.rows += 1
        if outcome.error is not None:
            self.refused_count += 1
            if len(self.refused) < _SHOWN:
                self.refused.append({"line": line.line, "reason": outcome.error})
        elif outcome.is_new:
            self.accepted += 1
            self.without_time += "timestamp" not in line.given
        else:
            self.known += 1


def ingest(
    path: Path, columns: Mapping[str, str], take: Take, stopping: Callable[[], bool] = lambda: False
) -> Ingested:
    """What became of each conversation of ``path``, given to ``take`` in parts. Doing it again changes nothing.

    Raises Interrupted, what `read_conversations` raises, and what ``take`` raises.
    """
    done = Ingested(path.name)
    for part in _parts(read_conversations(path, columns)):
        if stopping():
            raise Interrupted(f"stopped after {done.rows} rows of {path.name}; the same command goes on")
        sound = [line for line in part if line.error is None]
        outcomes = dict(zip((line.line for line in sound), take(sound) if sound else (), strict=True))
        for line in part:
            done.add(line, outcomes.get(line.line) or Outcome(error=line.error))
    return done


def to_journal(reception: Reception, source: str) -> Take:
    """Takes lines for the workspace of ``reception``."""
    clock = Clock()

    def take(lines: Sequence[Line]) -> list[Outcome]:
        now = datetime.fromtimestamp(clock.now(), UTC)
        checked = [_checked(line, now, source) for line in lines]
        new = [one for one in checked if isinstance(one, NewConversation)]
        there = {
            row["conversation_id"]: row["text"]
            for row in reception.shelf.rows(_KNOWN, (" ".join(one.conversation_id for one in new),))
        }
        taken = iter(reception.take([one for one in new if one.conversation_id not in there]))
        outcomes = []
        for line, one in zip(lines, checked, strict=True):
            if isinstance(one, InvalidSchema):
                outcomes.append(Outcome(error=str(one)))
            elif one.conversation_id in there:
                is_same = there[one.conversation_id] == line.given["text"]
                outcomes.append(Outcome(error=None if is_same else CONFLICT))
            else:
                found = next(taken)
                outcomes.append(Outcome(found.is_new, CONFLICT if found.is_conflict else None))
        return outcomes

    return take


def to_server(sender: Sender) -> Take:
    """Takes lines for a running server."""

    def take(lines: Sequence[Line]) -> list[Outcome]:
        results = sender.send([(line.given, line.key) for line in lines])
        return [
            Outcome(bool(one.get("is_new", True)), one.get("details") if "error" in one else None) for one in results
        ]

    return take


def _checked(line: Line, now: datetime, source: str) -> NewConversation | InvalidSchema:
    try:
        return new_conversation(line.given, now=now, tenant_id=LOCAL, key=line.key, source=source)
    except InvalidSchema as error:
        return error


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    iterator = iter(lines)
    while part := list(islice(iterator, AT_ONCE)):
        yield part
