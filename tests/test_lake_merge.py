"""Merging rows into the lake does what a dictionary would do, in whatever order rows come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from conftest import NOW
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from igtool.arrow import arrow_schema, arrow_table
from igtool.lake import Lake
from igtool.schema import PROVENANCE, TABLES, TOLD_WITH

Row = dict[str, Any]

MOMENTS = st.sampled_from([None, NOW - timedelta(days=1), NOW])
ANSWERS = st.sampled_from(["a", "b", "c"])
EXAMPLES = settings(
    max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
"""Examples are small as they come; making a failing one smaller would take minutes of transactions."""


class Undone(Exception):  # noqa: N818 - it ends a transaction and is no failure
    """Ends a transaction without a commit."""


@contextmanager
def undone(lake: Lake) -> Iterator[None]:
    """A transaction that is never committed."""
    with suppress(Undone), lake.transaction():
        yield
        raise Undone


def rank(row: Row, columns: Iterable[str]) -> tuple[Any, ...]:
    """What is greater for a newer row; NULL is older than anything."""
    return tuple((row[column],) if row[column] is not None else () for column in columns)


@st.composite
def batches(draw: st.DrawFn, rows: st.SearchStrategy[Row], identity: Sequence[str]) -> list[list[Row]]:
    """Up to four batches of rows; rows of equal ``identity`` are equal, and come in any batch, also twice in one."""
    pool = draw(st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: tuple(row[c] for c in identity)))
    return draw(st.lists(st.lists(st.sampled_from(pool), min_size=1, max_size=6), min_size=1, max_size=4))


ITEMS = st.fixed_dictionaries(
    {
        "content_id": st.sampled_from(["1", "2", "3"]),
        "answer_id": st.none() | ANSWERS,
        "observed_at": MOMENTS,
        "like_count": st.none() | st.integers(0, 9),
        "hashtags": st.none() | st.lists(st.sampled_from("xy"), max_size=2),
    }
)


@EXAMPLES
@given(given_batches=batches(ITEMS, ("content_id", "answer_id", "observed_at")), is_committed=st.booleans())
def test_merge_is_the_newest_row_of_each_key(shared: Lake, given_batches: list[list[Row]], is_committed: bool) -> None:
    """Keys doubled in a batch, NULL in what tells the newer row, any order: the greatest (observed_at, answer_id)."""
    newest: dict[str, Row] = {}
    for row in (row for batch in given_batches for row in batch):
        columns = TABLES["content_items"].newest
        if row["content_id"] not in newest or rank(newest[row["content_id"]], columns) < rank(row, columns):
            newest[row["content_id"]] = row
    expected = [newest[key] for key in sorted(newest)]
    query = "select content_id, answer_id, observed_at, like_count, hashtags from content_items order by content_id"
    assert merged(shared, "content_items", given_batches, query, is_committed) == expected
    assert merged(shared, "content_items", given_batches[::-1], query, is_committed) == expected


def merged(lake: Lake, table: str, given_batches: list[list[Row]], query: str, is_committed: bool) -> list[Row]:
    """What ``query`` gives after merging the batches, the first of them in a commit of its own or not at all."""
    rest = given_batches
    if is_committed:
        with lake.transaction():
            lake.merge(table, given_batches[0])
        rest = given_batches[1:]
    with undone(lake):
        for batch in rest:
            lake.merge(table, batch)
        found = lake.rows(query)
    if is_committed:
        with lake.transaction():
            for name in filter(None, (table, TABLES[table].states)):
                lake.execute(f"delete from {name}")
    return found


STATES = st.fixed_dictionaries(
    {
        "account_id": st.sampled_from(["1", "2"]),
        "answer_id": ANSWERS,
        "is_profile": st.booleans(),
        "observed_at": MOMENTS,
        "shape": st.sampled_from(["profile", "post", "other"]),
        "parser_version": st.none() | st.just(301),
        "bio": st.none() | st.sampled_from(["p", "q"]),
        "language": st.none() | st.sampled_from(["es", "en"]),
        "followers_count": st.none() | st.integers(0, 3),
        "flags": st.lists(st.sampled_from("xy"), max_size=1),
    }
).map(lambda row: row if row["bio"] else {**row, "language": None})
TOLD = ("bio", "language", "followers_count")


def account_of(states: Sequence[Row]) -> Row:
    """One account made of its states: per shape the newest counts, per column the newest that tells it."""
    order = (*TABLES["account_states"].newest, "answer_id")
    by_age = sorted(states, key=lambda row: rank(row, order), reverse=True)
    shapes: dict[str, Row] = {}
    for row in by_age:
        shapes.setdefault(row["shape"], row)
    newest = by_age[0]
    account = {"account_id": newest["account_id"], **{c: newest[c] for c in PROVENANCE}}
    filled = {}
    for column in TOLD:
        told = [row for row in shapes.values() if row[TOLD_WITH.get(column, column)] is not None]
        account[column] = told[0][column] if told else None
        if told and told[0]["answer_id"] != newest["answer_id"]:
            filled[column] = told[0]["answer_id"]
    account["filled_from"] = filled or None
    return account


def accounts_of(given_batches: Iterable[Iterable[Row]]) -> list[Row]:
    """The accounts that the batches of states make: of one answer's states the newest counts."""
    states: dict[tuple[str, str], Row] = {}
    for row in (row for batch in given_batches for row in batch):
        key = (row["account_id"], row["answer_id"])
        newest = TABLES["account_states"].newest
        if key not in states or rank(states[key], newest) < rank(row, newest):
            states[key] = row
    ids = sorted({account for account, _ in states})
    return [account_of([row for key, row in states.items() if key[0] == account]) for account in ids]


ACCOUNTS = f"select account_id, {', '.join((*PROVENANCE, *TOLD))}, filled_from from accounts order by account_id"
"""What ``account_of`` models."""


def read(rows: list[Row]) -> list[Row]:
    """Rows with ``filled_from`` as a dictionary of the columns that the model knows."""
    for row in rows:
        filled = json.loads(row["filled_from"] or "{}")
        row["filled_from"] = {name: answer for name, answer in filled.items() if name in TOLD} or None
    return rows


@EXAMPLES
@given(
    given_batches=batches(STATES, ("account_id", "answer_id", "is_profile", "observed_at")), is_committed=st.booleans()
)
@pytest.mark.slow
def test_accounts_are_made_of_their_states(shared: Lake, given_batches: list[list[Row]], is_committed: bool) -> None:
    """Each column is what the newest answer that tells it says, whatever order states are merged in."""
    expected = accounts_of(given_batches)
    assert read(merged(shared, "accounts", given_batches, ACCOUNTS, is_committed)) == expected
    assert read(merged(shared, "accounts", given_batches[::-1], ACCOUNTS, is_committed)) == expected


def test_what_the_newest_answer_leaves_open_is_not_taken_from_an_older_one(lake: Lake) -> None:
    """A bio of unknown language has none, although an older bio had one; and so it is with provenance."""
    old = {
        "account_id": "1",
        "answer_id": "a",
        "is_profile": True,
        "shape": "x",
        "bio": "Hola a todos",
        "language": "es",
    }
    old |= {"observed_at": NOW - timedelta(days=1), "parser_version": 301}
    new = {
        **old,
        "answer_id": "b",
        "shape": "y",
        "bio": "!",
        "language": None,
        "observed_at": NOW,
        "parser_version": None,
    }
    with lake.transaction():
        lake.merge("accounts", [old, new])
    (account,) = lake.rows("from accounts")
    assert {column: account[column] for column in new} == new


@EXAMPLES
@given(states=batches(STATES, ("account_id", "answer_id")), gone=st.lists(ANSWERS, max_size=2))
@pytest.mark.slow
def test_accounts_forget_what_a_deleted_answer_told(shared: Lake, states: list[list[Row]], gone: list[str]) -> None:
    """After deleting by answer, accounts are as if those answers had never come."""
    with undone(shared):
        for batch in states:
            shared.merge("accounts", batch)
        shared.delete("accounts", "answer_id", gone)
        found = read(shared.rows(ACCOUNTS))
    assert found == accounts_of([[row for row in batch if row["answer_id"] not in gone] for batch in states])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One lake for all examples: each leaves it empty."""
    with Lake(tmp_path_factory.mktemp("shared") / "data", writable=True) as lake:
        yield lake


@pytest.mark.parametrize("how", ["append", "append_new", "merge", "replace"])
def test_columns_go_by_name(lake: Lake, how: str) -> None:
    """A table whose columns are stored in another order, as in a lake that was upgraded, gets each value right."""
    table = TABLES["content_items"]
    lake.execute("drop view if exists engagement")
    lake.execute("drop table content_items")
    columns = ", ".join(f'"{column.name}" {column.type}' for column in reversed(table.columns))
    lake.execute(f"create table content_items ({columns})")
    row = {"content_id": "c", "account_id": "a", "platform": "instagram", "like_count": 1, "comment_count": 2}
    with lake.transaction():
        getattr(lake, how)("content_items", [row])
    (stored,) = lake.rows("from content_items")
    assert {name: cell for name, cell in stored.items() if cell is not None} == row


def test_rows_may_come_as_arrow(lake: Lake) -> None:
    """Arrow of several chunks is stored as dicts are, and of doubled keys across its chunks the newest stays."""
    table = TABLES["content_items"]
    rows = [{"content_id": str(n % 70), "observed_at": NOW + timedelta(seconds=n), "view_count": n} for n in range(140)]
    chunks = [arrow_table(table, rows[start : start + 33]) for start in range(0, 140, 33)]
    with lake.transaction():
        lake.merge("content_items", pa.concat_tables([arrow_schema(table).empty_table(), *chunks]))
    assert [row["view_count"] for row in lake.rows("from content_items order by view_count")] == list(range(70, 140))
