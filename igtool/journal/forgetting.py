"""Whom it takes to forget still: written down before anything goes, in plain words until everything is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from igtool.journal.store import Journal

GOING, EMPTYING = "going", "emptying"
"""``emptying``: everything is gone but unused bytes of files, and nobody is named any more."""


class Forgetting:
    """The people of a journal who are being forgotten, oldest first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def begin(self, person: dict[str, Any]) -> int:
        """Write down whom; the number under which it stands. On disk when this returns."""
        with self._journal.transaction() as cursor:
            cursor.execute("insert into forgetting (person, state) values (?, ?)", (json.dumps(person), GOING))
            return int(cursor.lastrowid or 0)

    def under_way(self) -> list[tuple[int, dict[str, Any]]]:
        """Number and person of each; the person is empty where only unused bytes are left."""
        rows = self._journal.read("select number, person from forgetting order by number")
        return [(int(number), json.loads(person)) for number, person in rows]

    def count(self) -> int:
        """How many there are; works on a journal of an older version too."""
        there = self._journal.read("select 1 from sqlite_master where name = 'forgetting'")
        return int(self._journal.read("select count(*) from forgetting")[0][0]) if there else 0

    def emptying(self, number: int) -> None:
        """Everything of them is gone: their names as well."""
        with self._journal.transaction() as cursor:
            cursor.execute("update forgetting set person = '{}', state = ? where number = ?", (EMPTYING, number))

    def done(self, number: int) -> None:
        """Nothing is left."""
        with self._journal.transaction() as cursor:
            cursor.execute("delete from forgetting where number = ?", (number,))


class Waiting:
    """What of a person waits in a journal; ``names`` and ``in_path`` tell whether a text and a path names them."""

    def __init__(self, journal: Journal, names: Callable[[str], bool], in_path: Callable[[str], bool]) -> None:
        self._journal = journal
        self._names = names
        self._in_path = in_path

    def counts(self, handles: Iterable[tuple[str, str]], items: Collection[str]) -> dict[str, int]:
        """Rows that `drop` would delete, by table."""
        found = {"jobs": self._jobs(handles), "source_files": self._files(), "llm_under_way": self._calls(items)}
        return {name: len(rows) for name, rows in found.items() if rows}

    def drop(self, handles: Iterable[tuple[str, str]], items: Collection[str], texts: Collection[int]) -> None:
        """Delete jobs of ``handles``, calls about ``items``, vectors of ``texts`` and files whose path names them.

        ``texts``: the first 60 bits of the SHA-256 of each.
        """
        gone = {
            "delete from jobs where job_id = ?": self._jobs(handles),
            "delete from source_files where lake_id = ? and source = ? and path = ?": self._files(),
            "delete from llm_under_way where call_id = ?": self._calls(items),
            "delete from text_vectors where substr(text_sha256, 1, 15) = ?": [(f"{one:015x}",) for one in texts],
        }
        with self._journal.transaction() as cursor:
            for query, rows in gone.items():
                cursor.executemany(query, rows)

    def drop_conversations(self, authors: Collection[str]) -> int:
        """Delete conversations that one of ``authors`` wrote and that are not in the lake yet; how many."""
        rows = self._journal.read("select conversation_id, row ->> 'author' from conversations")
        gone = [(one,) for one, author in rows if author and author.strip().lower().removeprefix("@") in authors]
        with self._journal.transaction() as cursor:
            cursor.executemany("delete from conversation_keys where conversation_id = ?", gone)
            cursor.executemany("delete from conversations where conversation_id = ?", gone)
        return len(gone)

    def _jobs(self, handles: Iterable[tuple[str, str]]) -> list[tuple[Any, ...]]:
        of = set(handles)
        rows = self._journal.read("select job_id, platform, handle, kind, coalesce(target, '') from jobs")
        return [
            (job,)
            for job, platform, handle, kind, target in rows
            if (platform, handle.lower()) in of
            or (platform, target.lower()) in of
            or (kind == "search" and self._names(handle))
        ]

    def _files(self) -> list[tuple[Any, ...]]:
        rows = self._journal.read("select lake_id, source, path from source_files")
        return [row for row in rows if self._in_path(f"{row[1]}/{row[2]}")]

    def _calls(self, items: Collection[str]) -> list[tuple[Any, ...]]:
        rows = self._journal.read("select call_id, item_id from llm_under_way")
        return [(call,) for call, item in rows if item.partition("|")[0] in items]
