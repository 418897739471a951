"""Rows put into the tables of the lake: appended, merged by key, replaced, deleted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from igtool import lake_sql
from igtool.arrow import Rows, arrow_table
from igtool.errors import IntegrityError
from igtool.lake_sql import quote, same, typed
from igtool.schema import TABLES, Table, written

_VECTOR_ROWS = 2048
"""DuckDB makes no row groups of fewer rows by itself."""


class LakeTables(ABC):
    """Ways to write rows, over a connection that its subclass has."""

    @abstractmethod
    def execute(self, query: str, parameters: Sequence[object] = ()) -> Any:
        """Run ``query`` with bound ``parameters``."""

    @abstractmethod
    def arrow(self, query: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of ``query`` as an Arrow table."""

    @abstractmethod
    def value(self, query: str, parameters: Sequence[object] = ()) -> Any:
        """The first cell of the result of ``query``."""

    @abstractmethod
    def _name_incoming(self, rows: pa.Table | None) -> None:
        """Make ``rows`` the view ``incoming``; without any there is no such view."""

    @contextmanager
    def incoming_rows(self, rows: pa.Table) -> Iterator[None]:
        """``rows`` under the name ``incoming`` while the block runs."""
        self._name_incoming(rows)
        try:
            yield
        finally:
            self._name_incoming(None)

    def append(self, name: str, rows: Rows) -> None:
        """Insert rows whose keys are not in the table: nothing is looked up."""
        with self._incoming(TABLES[name], rows) as columns:
            self.execute(f"insert into {quote(name)} by name select {columns} from incoming")

    def append_new(self, name: str, rows: Rows) -> int:
        """Insert the rows whose key is not in the table yet; how many those were.

        What is known is left out before the rows go in: a join would melt small row groups into large ones.
        """
        table = TABLES[name]
        new = self._distinct(table, arrow_table(table, rows))
        with self.incoming_rows(new):
            new = _without(new, self.arrow(lake_sql.known(table)))
        if new.num_rows:
            with self.incoming_rows(_in_row_groups(table, new)):
                self.execute(f"insert into {quote(name)} by name select {typed(table)} from incoming")
        return int(new.num_rows)

    def merge(self, name: str, rows: Rows) -> None:
        """Insert or update by key; with a ``newest`` rule an older row never replaces a newer one.

        Rows of a table that is made of states are states.
        """
        table = TABLES[name]
        if table.states:
            self._merge_states(table, written(name), rows)
            return
        with self._incoming(table, rows) as columns:
            self._merge(table, columns)

    def _merge(self, table: Table, columns: str) -> None:
        """Merge ``incoming`` into a table of which keys and what tells the newer row are read, and nothing else."""
        name = quote(table.name)
        self.execute(f"create or replace temp table matched as {lake_sql.matched(table)}")
        source = f"select {columns} from incoming s"
        if self.value("select count(*) from temp.matched"):
            self.execute(f"delete from {name} where rowid in (select target from temp.matched where not is_stale)")
            source += f" anti join (from temp.matched where is_stale) t on {same(table.key)}"
        self.execute(f"insert into {name} by name {source}")

    def _merge_states(self, table: Table, states: Table, rows: Rows) -> None:
        with self._incoming(states, rows) as columns:
            self.execute(f"create or replace temp table touched as {lake_sql.touched(states)}")
            self._merge(states, columns)
            others = f"anti join temp.touched using ({quote(table.key[0])})"
            self.execute(f"insert into {quote(table.name)} by name select {columns} from incoming {others}")
        self.sum_up(table.name)

    def sum_up(self, name: str) -> None:
        """Make the rows of ``name`` anew whose keys are in the temporary table ``touched``."""
        table = TABLES[name]
        if table.states and self.value("select count(*) from temp.touched"):
            key = quote(table.key[0])
            self.execute(f"delete from {quote(name)} where {key} in (from temp.touched)")
            self.execute(f"insert into {quote(name)} by name {lake_sql.summed(table, TABLES[table.states])}")

    def replace(self, name: str, rows: Rows) -> None:
        """Make the table hold exactly ``rows``; rows that are already there as they are stay untouched."""
        table = TABLES[name]
        unchanged = same(table.column_names, "is not distinct from")
        with self._incoming(table, rows) as columns:
            self.execute(f"create or replace temp table replacement as select {columns} from incoming")
        self.execute(
            f"delete from {quote(name)} where rowid in "
            f"(select t.rowid from {quote(name)} t anti join replacement s on {unchanged})"
        )
        self.execute(
            f"insert into {quote(name)} by name select s.* from temp.replacement s "
            f"anti join {quote(name)} t on {same(table.key)}"
        )
        self.execute("drop table temp.replacement")

    def delete(self, name: str, column: str, values: Sequence[str]) -> None:
        """Delete the rows, and the states of rows, whose ``column`` is one of ``values``."""
        if not values:
            return
        table = TABLES[name]
        among = f"where {quote(column)} in (select unnest(?::varchar[]))"
        if table.states:
            key, states = quote(table.key[0]), quote(table.states)
            query = f"select {key} from {states} {among} union select {key} from {quote(name)} {among}"
            self.execute(f"create or replace temp table touched as {query}", (list(values), list(values)))
            self.execute(f"delete from {states} {among}", (list(values),))
            self.sum_up(name)
        else:
            self.execute(f"delete from {quote(name)} {among}", (list(values),))

    def delete_rows(self, name: str, keys: Rows) -> None:
        """Delete the rows that have these keys; of a table that is not made of states."""
        table = TABLES[name]
        with self._incoming(table, keys):
            self.execute(f"create or replace temp table matched as {lake_sql.matched(table)}")
            self.execute(f"delete from {quote(name)} where rowid in (select target from temp.matched)")

    @contextmanager
    def _incoming(self, table: Table, rows: Rows) -> Iterator[str]:
        """The view ``incoming`` of ``rows``, newest per key, and SQL for its columns with the types of ``table``."""
        with self.incoming_rows(_in_row_groups(table, self._distinct(table, arrow_table(table, rows)))):
            yield typed(table)

    def _distinct(self, table: Table, rows: pa.Table) -> pa.Table:
        """The newest row of each key. Raises IntegrityError for a key without a value."""
        for key in table.key:
            if rows.column(key).null_count:
                raise IntegrityError(f"a row for {table.name} has no {key}: this is a bug in the stage that made it")
        with self.incoming_rows(rows):
            if not self.value(lake_sql.doubled(table)):
                return rows
            return _without(rows, self.arrow(lake_sql.outdone(table)))


def _without(rows: pa.Table, places: pa.Table) -> pa.Table:
    """``rows`` but those whose ``place`` is named."""
    if not places.num_rows:
        return rows
    keep = np.ones(rows.num_rows, dtype=bool)
    keep[places.column("place").to_numpy()] = False
    return rows.filter(pa.array(keep))


def _in_row_groups(table: Table, rows: pa.Table) -> pa.Table:
    """``rows`` in batches of the size of a row group, which ends where a batch does, if it is smaller than DuckDB's."""
    if not table.row_group or table.row_group >= _VECTOR_ROWS:
        return rows
    return pa.Table.from_batches(rows.combine_chunks().to_batches(max_chunksize=table.row_group), rows.schema)
