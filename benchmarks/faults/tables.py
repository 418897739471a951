"""What a workspace holds, in a form in which two of them can be compared row for row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from igtool.errors import IgtoolError
from igtool.integrity.checking import verify
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES
from igtool.settings import load

DIARY = frozenset({"runs", "link_log", "audit_log"})
"""Tables that tell when and how often things were done; they differ from run to run by design."""

Rows = list[tuple[str, str]]
"""Key (the content, where the key is left out) and content of each row; a row that is there twice is twice in it."""


class State(TypedDict):
    """``tables``: rows by name. ``wrong``: what is not as it must be, by words, whatever the undisturbed run says."""

    tables: dict[str, Rows]
    wrong: list[str]


@dataclass(frozen=True)
class Compared:
    """What of a lake is compared: ``tables`` (none: all but the diary and ``left_out_tables``).

    Columns that are ``left_out`` are not; with ``moments`` those that tell a time are, else not: who asks somebody has
    other times each time.
    """

    tables: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    left_out_tables: frozenset[str] = frozenset()
    moments: bool = True

    def rows(self, workspace: Path) -> dict[str, Rows]:
        """The rows, sorted."""
        with Lake(workspace / "data", writable=False) as lake:
            names = self.tables or tuple(name for name in TABLES if name not in DIARY | self.left_out_tables)
            return {name: sorted(self._of(name, lake.rows(f"from {quote(name)}"))) for name in names}

    def _of(self, name: str, rows: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str]]:
        table = TABLES[name]
        out = set(self.left_out)
        if not self.moments:
            out |= {column.name for column in table.columns if column.type == "TIMESTAMPTZ"}
        key = [column for column in table.key if column not in out]
        for row in rows:
            content = repr({column: value for column, value in row.items() if column not in out})
            yield repr([row[column] for column in key]) if key else content, content


def state_of(workspace: Path, compared: Compared) -> State:
    """Tables, the exported list, and what `igtool verify` says."""
    tables = compared.rows(workspace)
    lists = sorted((workspace / "data" / "export").glob("*.csv"))
    tables["exports"] = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in lists]
    return State(tables=tables, wrong=damage(workspace))


def damage(workspace: Path) -> list[str]:
    """What `igtool verify` names, and pictures whose bytes are not those of their name."""
    try:
        report = verify(load(workspace, processes=1))
    except IgtoolError as error:
        return [f"verify: {error}"]
    return [f"verify: {one.problem}" for one in report.damage]
