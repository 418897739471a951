"""What a table is, and how one is written down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column: DuckDB type and what it holds."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class Table:
    """One table: of two rows with the same ``key`` the one with the greater ``newest`` tuple stays.

    ``partition``: expressions by whose values rows go into files of their own. By the month of *observation*: a commit
    then writes one file, for what it holds was seen together. By the month of publication it writes one for each of
    ten years' months (docs/growth.md has the figures).
    ``row_group``: rows of a row group of its files. A reader holds some row groups at once, so few where rows are
    large: answers of 65 KB read 64 at a time take 0.2 GB, by default 2 GB and more. A writer holds some too.
    ``states``: the table of what each answer told, of which a row here is the sum (``igtool.lake_sql.summed``).
    """

    name: str
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    newest: tuple[str, ...] = ()
    partition: str | None = None
    row_group: int | None = None
    states: str | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in stored order."""
        return tuple(column.name for column in self.columns)


def table(
    name: str,
    doc: str,
    key: str,
    columns: str,
    *,
    newest: str = "",
    partition: str | None = None,
    row_group: int | None = None,
    states: str | None = None,
) -> Table:
    """Read a table from lines of ``name type -- meaning``."""
    parsed = []
    for line in filter(str.strip, columns.splitlines()):
        definition, meaning = line.split("--")
        column, column_type = definition.split()
        parsed.append(Column(column, column_type, meaning.strip()))
    return Table(name, doc, tuple(key.split()), tuple(parsed), tuple(newest.split()), partition, row_group, states)
