"""SQL text that the lake is made of: identifiers quoted, keys compared. Values are bound."""

from __future__ import annotations

from collections.abc import Iterable

from igtool.schema import PROVENANCE, TOLD_WITH, Table

META = "__ducklake_metadata_lake"
"""Where the tables of DuckLake's catalog are."""


def quote(identifier: str) -> str:
    """``identifier`` for use in SQL text."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a value in SQL text, for the queries of stages, which are made before they are run."""
    return "'" + text.replace("'", "''") + "'"


def same(columns: Iterable[str], operator: str = "=") -> str:
    """A comparison of ``columns`` of t with those of s."""
    return " and ".join(f"t.{quote(column)} {operator} s.{quote(column)}" for column in columns)


def typed(table: Table) -> str:
    """The columns of ``table`` from rows in which JSON is text."""
    return ", ".join(
        f"{quote(c.name)}::json as {quote(c.name)}" if c.type == "JSON" else quote(c.name) for c in table.columns
    )


def matched(table: Table) -> str:
    """The rows t of ``table`` that rows s of ``incoming`` have the keys of: ``target``, keys, ``is_stale``.

    ``is_stale``: t is newer by the ``newest`` columns, of which NULL is older than anything.
    """
    keys = ", ".join(f"s.{quote(column)}" for column in table.key)
    stale = f"{_rank(table, 's')} < {_rank(table, 't')}" if table.newest else "false"
    return (
        f"select t.rowid as target, {keys}, {stale} as is_stale from incoming s "
        f"join {quote(table.name)} t on {same(table.key)}"
    )


def known(table: Table) -> str:
    """``place`` (from 0) of the rows of ``incoming`` whose key is in ``table``."""
    numbered = f"select {_names(table.key)}, row_number() over () - 1 as place from incoming"
    return f"select s.place from ({numbered}) s semi join {quote(table.name)} t on {same(table.key)}"


def doubled(table: Table) -> str:
    """How many rows of ``incoming`` have the key of another one."""
    return f"select count(*) - count(distinct row({_names(table.key)})) from incoming"


def outdone(table: Table) -> str:
    """``place`` (from 0) of the rows of ``incoming`` that a newer one of the same key, or one further up, replaces.

    Only keys are sorted out: windows over whole rows would carry all their texts along.
    """
    order = ", ".join([*(f"{quote(column)} desc nulls last" for column in table.newest), "place"])
    return (
        f"select place from (select {_names(dict.fromkeys([*table.key, *table.newest]))}, "
        "row_number() over () - 1 as place from incoming) "
        f"qualify row_number() over (partition by {_names(table.key)} order by {order}) > 1"
    )


def touched(states: Table) -> str:
    """``account_id`` of the incoming states of what has others, stored or incoming."""
    key = quote(states.key[0])
    return (
        f"select {key} from incoming group by {key} having count(*) > 1 "
        f"union select {key} from incoming semi join {quote(states.name)} using ({key})"
    )


def summed(table: Table, states: Table) -> str:
    """The rows of ``table`` for the keys in ``touched``: per column the newest value that is known.

    An answer says nothing of a column that its shape lacks; of what its shape has, NULL means none. So of each
    shape only the newest answer counts, and a column that it lacks is filled from the next one.
    """
    key, newest = quote(table.key[0]), _rank(states, "n")
    filled, chosen = [], []
    for column in states.column_names:
        told = f"filter (n.{quote(TOLD_WITH.get(column, column))} is not null)"
        if column in PROVENANCE:
            chosen.append(f"arg_max_null(n.{quote(column)}, {newest}) as {quote(column)}")
        elif column not in table.key:
            chosen.append(f"arg_max_null(n.{quote(column)}, {newest}) {told} as {quote(column)}")
            filled.append(f"row('{column}', arg_max_null(n.answer_id, {newest}) {told})")
    others = f"list_filter([{', '.join(filled)}], pair -> pair[2] <> arg_max_null(n.answer_id, {newest}))"
    return f"""
        with n as (
            select s.* from {quote(states.name)} s semi join temp.touched using ({key})
            qualify row_number() over (partition by {key}, shape order by {_rank(states, "s")} desc) = 1
        ),
        told as (select {key}, {", ".join(chosen)}, {others} as others from n group by {key})
        select * exclude (others),
               case when len(others) > 0 then to_json(map_from_entries(others)) end as filled_from
        from told
    """


def _rank(table: Table, alias: str) -> str:
    """What is greater for a newer row of ``table``; NULL is older than anything, and the last word is its key's."""
    columns = dict.fromkeys([*table.newest, *table.key[1:]])
    return f"row({', '.join(f'{alias}.{quote(c)} is not null, {alias}.{quote(c)}' for c in columns)})"


def _names(columns: Iterable[str]) -> str:
    return ", ".join(quote(column) for column in columns)
