"""All tables that are made of raw answers, made anew, and held against what they were."""

from __future__ import annotations

from dataclasses import dataclass

from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES
from igtool.session import Session
from igtool.stages.normalize import Normalize


@dataclass(frozen=True)
class Rebuilt:
    """A table before and after: rows and a hash of all cells, whatever the order of the rows."""

    table: str
    rows_before: int
    rows: int
    hash_before: str
    hash: str

    @property
    def is_same(self) -> bool:
        """Whether every cell is what it was."""
        return (self.rows_before, self.hash_before) == (self.rows, self.hash)


def rebuild(session: Session) -> list[Rebuilt]:
    """Empty the tables of `normalize` in one commit and make them again from ``raw_responses``.

    A run that is interrupted goes on as any other. Raises UsageError where answers are gone that rows are made of, and
    what `Runner.run` raises.
    """
    lake, stage = session.lake, Normalize()
    if answers_are_gone(lake):
        raise UsageError(
            "answers that rows are made of are gone (retention in the settings, or damage): made anew, these rows "
            "would be lost. `igtool run normalize --force` reads the answers that are there"
        )
    tables = [table for name in stage.writes for table in (name, TABLES[name].states) if table]
    before = {table: table_hash(lake, table) for table in tables}
    session.journal.record_stage(lake.lake_id, stage.name, "", 0)  # first: what is emptied must count as not done
    with lake.transaction():
        for table in tables:
            lake.execute(f"delete from {quote(table)}")
        for table in ("stage_rows", "rejects"):
            lake.execute(f"delete from {quote(table)} where stage = ?", (stage.name,))
    session.runner().run([stage])
    after = {table: table_hash(lake, table) for table in tables}
    return [
        Rebuilt(table, before[table][0], after[table][0], before[table][1], after[table][1]) for table in sorted(tables)
    ]


def answers_are_gone(lake: Lake) -> bool:
    """Whether accounts or items rest on answers that are no longer there."""
    return any(
        bool(
            lake.value(
                f"select exists (select 1 from {name} t anti join raw_responses r on t.answer_id = r.answer_id "
                "where t.answer_id is not null)"
            )
        )
        for name in ("account_states", "content_items")
    )


def table_hash(lake: Lake, name: str) -> tuple[int, str]:
    """The number of rows of a table, and the sum of the MD5 of each row's cells: 32 hexadecimal digits."""
    columns = ", ".join(quote(column) for column in TABLES[name].column_names)
    row = lake.rows(
        "select count(*) as n, coalesce(sum(md5_number_lower(cells)) % 18446744073709551616, 0)::varchar as low, "
        "coalesce(sum(md5_number_upper(cells)) % 18446744073709551616, 0)::varchar as high "
        f"from (select to_json(struct_pack({columns}))::varchar as cells from {quote(name)})"
    )[0]
    return row["n"], f"{int(row['high']):016x}{int(row['low']):016x}"
