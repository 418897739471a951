"""What whoever asks keeps: lists, notes, hidden creators, saved searches. For JSON routes and for pages alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from igtool import notes
from igtool.errors import UsageError
from igtool.journal.audit import Entry
from igtool.journal.said import Change, Said
from igtool.lake import Lake
from igtool.serve.api.base import Services
from igtool.serve.callers import Caller
from igtool.serve.errors import NotThere, no_such

Row = dict[str, Any]
Answer = TypeVar("Answer")

MOST_SEARCHES = 1_000
"""Saved searches of one tenant."""
_ABOUT = """
    select creator_id, canonical_handle as handle, name, platforms, total_followers_count as followers_count
    from creators where creator_id in (select unnest(?::varchar[])) order by 5 desc nulls last, 1
"""


@dataclass(frozen=True)
class Keeper:
    """What one caller keeps, and changes of it. Every change is on disk, and seen, when a method returns."""

    services: Services
    caller: Caller

    # --- lists ---

    def lists(self) -> dict[str, list[str]]:
        """Name to creator ids."""
        return self._read(lambda lake, waiting: notes.kept(lake, self._tenant, waiting=waiting)).lists

    def list_names(self) -> list[str]:
        """Names of all lists, in order; without reading who is on them."""
        return self._read(lambda lake, waiting: notes.list_names(lake, self._tenant, waiting))

    def members(self, name: str) -> list[str]:
        """Creator ids on a list. Raises NotThere."""
        lists = self.lists()
        if name not in lists:
            raise NotThere(no_such("list", name, sorted(lists)[:50]) if lists else f"there is no list {name[:60]!r}")
        return lists[name]

    def put_on_list(self, name: str, creators: Sequence[str]) -> int:
        """How many of ``creators``, given by handle or id, were not on the list. Raises UsageError, NotThere."""
        name = notes.worded(name, "list", notes.NAME)
        ids = self.named(creators)
        new = [one for one in ids if one not in self.lists().get(name, ())]
        if new:
            self._say([notes.on_list(name, new, _now(), self._tenant)], "list.add", list=name, creators=new)
        return len(new)

    def take_off_list(self, name: str, creators: Sequence[str]) -> int:
        """How many of ``creators``, given by handle or id, were on the list. Raises NotThere."""
        members = set(self.members(name))
        gone = [one for one in self.named(creators) if one in members]
        if gone:
            self._say([notes.off_list(name, self._former(gone), self._tenant)], "list.remove", list=name, creators=gone)
        return len(gone)

    def drop_list(self, name: str) -> int:
        """How many were on the list that is no more. Raises NotThere."""
        members = self.members(name)
        self._say([notes.off_list(name, self._former(members), self._tenant)], "list.delete", list=name)
        if name in self.lists():
            raise UsageError(f"the list {name[:60]!r} was given to `igtool enrich`: what a run was asked for stays")
        return len(members)

    def shown(self, creators: Sequence[str]) -> list[Row]:
        """creator_id, handle, name, platforms, followers_count of creators, the largest first."""
        return self.services.readers.read(lambda lake: lake.rows(_ABOUT, (list(creators),)))

    # --- notes ---

    def notes(self, creator: str | None = None) -> list[Row]:
        """note_id, creator_id, note, noted_at, the newest first; about one creator, or all. Raises NotThere."""
        ids = self.named([creator]) if creator is not None else None
        rows = self._mine("tenant_notes")
        found = [
            {"note_id": _note_id(row)} | {name: row[name] for name in ("creator_id", "note", "noted_at")}
            for row in rows
            if ids is None or row["creator_id"] in ids
        ]
        return sorted(found, key=lambda row: (row["noted_at"], row["note_id"]), reverse=True)

    def note(self, creator: str, text: str) -> None:
        """Note ``text`` about a creator. Raises NotThere, UsageError."""
        ids = self.named([creator])
        self._say([notes.noting(ids, text, _now(), self._tenant)], "note.add", creators=ids)

    def drop_note(self, note_id: str) -> None:
        """Take a note away. Raises NotThere."""
        row = next((row for row in self._mine("tenant_notes") if _note_id(row) == note_id), None)
        if row is None:
            raise NotThere(f"there is no note {note_id[:60]!r}")
        changes = [notes.without_note(one, row["noted_at"], self._tenant) for one in self._former([row["creator_id"]])]
        self._say(changes, "note.delete", creators=[row["creator_id"]])

    # --- hidden creators ---

    def hidden(self) -> list[Row]:
        """creator_id, reason, hidden_at, the newest first."""
        rows = [
            {name: row[name] for name in ("creator_id", "reason", "hidden_at")} for row in self._mine("tenant_hidden")
        ]
        return sorted(rows, key=lambda row: (row["hidden_at"], row["creator_id"]), reverse=True)

    def hide(self, creator: str, reason: str | None = None) -> None:
        """Let a creator appear in no search. Raises NotThere, UsageError."""
        ids = self.named([creator])
        self._say([notes.hiding(ids, reason, _now(), self._tenant)], "hide", creators=ids)

    def unhide(self, creator: str) -> None:
        """Let a hidden creator appear again. Raises NotThere."""
        ids = self.named([creator])
        if not {row["creator_id"] for row in self.hidden()}.intersection(ids):
            raise NotThere(f"{creator[:60]!r} is not hidden")
        self._say([notes.showing(self._former(ids), self._tenant)], "unhide", creators=ids)

    # --- saved searches ---

    def searches(self) -> list[Row]:
        """name, request, saved_at, by name."""
        rows = [
            {"name": row["search_name"], "request": json.loads(row["request"]), "saved_at": row["saved_at"]}
            for row in self._mine("tenant_searches")
        ]
        return sorted(rows, key=lambda row: str(row["name"]))

    def search(self, name: str) -> Row:
        """A saved search. Raises NotThere."""
        found = {row["name"]: row for row in self.searches()}
        if name not in found:
            raise NotThere(f"there is no saved search {name[:60]!r}")
        return found[name]

    def save_search(self, name: str, request: Row) -> None:
        """Keep a search under a name; another one of that name is no more. Raises UsageError."""
        names = {row["name"] for row in self.searches()}
        if len(names) >= MOST_SEARCHES and name.strip() not in names:
            raise UsageError(f"{MOST_SEARCHES:,} searches are saved: delete one before")
        self._say([notes.saving(name, request, _now(), self._tenant)], "search.save", search=name.strip())

    def drop_search(self, name: str) -> None:
        """Forget a saved search. Raises NotThere."""
        self.search(name)
        self._say([notes.without_search(name, self._tenant)], "search.delete", search=name)

    # --- all of them ---

    def named(self, creators: Sequence[str]) -> list[str]:
        """Ids of creators that are given by handle or id. Raises NotThere, UsageError where several have the handle."""
        return self.services.readers.read(lambda lake: list(dict.fromkeys(_one(lake, name) for name in creators)))

    @property
    def _tenant(self) -> str:
        return self.caller.tenant_id

    def _former(self, creators: Sequence[str]) -> list[str]:
        return self.services.readers.read(lambda lake: notes.with_former(lake, creators))

    def _mine(self, table: str) -> list[Row]:
        return self._read(lambda lake, waiting: notes.mine(lake, table, self._tenant, waiting))

    def _read(self, ask: Callable[[Lake, Sequence[Said]], Answer]) -> Answer:
        """What ``ask`` says, of the lake and of what waits for it."""
        waiting = self.services.saying.waiting
        return self.services.readers.read(lambda lake: ask(lake, waiting))

    def _say(self, changes: Sequence[Change], action: str, **detail: Any) -> None:
        self.services.saying.say(changes, Entry(self._tenant, self.caller.actor, action, detail))


def _one(lake: Lake, name: str) -> str:
    try:
        found = notes.creators_named(lake, name)
    except UsageError as error:
        raise NotThere(str(error)) from error
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} creators have the handle {name[:60]!r}: name one by its id, {', '.join(found[:5])}"
        )
    return found[0]


def _note_id(row: Row) -> str:
    told = f"{row['creator_id']}|{row['noted_at'].isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _now() -> datetime:
    return datetime.now(UTC)
