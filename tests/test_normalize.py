"""The stage normalize: a batch of raw answers in, rows and rejects out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from igtool.arrow import arrow_schema
from igtool.platforms.base import PARSER_VERSION, versions
from igtool.schema import TABLES
from igtool.stages.base import Context, Output
from igtool.stages.normalize import Normalize
from igtool.workers import HEAD

PAYLOADS = Path(__file__).parent / "payloads"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWERS = {
    "a1": "instagram/web_profile_info/with_posts.json",
    "a2": "youtube/channel_list/two_channels.json",
    "a3": "youtube/video_list/three_videos.json",
    "a4": "instagram/web_profile_info/no_such_user.json",
    "a5": "errors/instagram/please_wait.json",
    "a6": "instagram/web_profile_info/no_username.json",
    "a7": "instagram/web_profile_info/odd_values.json",
}


def context() -> Context:
    """A context whose parts must not be used."""

    def no_encoder() -> Any:
        raise AssertionError("normalize needs no encoder")

    def no_clock() -> datetime:
        raise AssertionError("normalize must not look at the clock")

    return Context(encoder=no_encoder, clock=no_clock)


def batch(answers: dict[str, str], **columns: list[Any]) -> pa.Table:
    """What the runner hands over for those payload files."""
    size = len(answers)
    given = {
        "item_id": list(answers),
        "body": [(PAYLOADS / path).read_text(encoding="utf-8") for path in answers.values()],
        "subject": [None] * size,
        "fetched_at": [WHEN] * size,
        "endpoint": list(answers.values()),
    }
    types = {"subject": pa.string(), "fetched_at": pa.timestamp("us", tz="UTC")}
    return pa.table({name: pa.array(columns.get(name, data), types.get(name)) for name, data in given.items()})


def run(table: pa.Table) -> Output:
    """What the stage makes of a batch."""
    return Normalize().process(table, context())


def rows(output: Output, table: str) -> list[dict[str, Any]]:
    """The rows of one table."""
    made = output.tables[table]
    return made.to_pylist() if isinstance(made, pa.Table) else list(made)


def test_every_item_comes_out_once() -> None:
    """Each answer is done or rejected, never both; not_found is done without rows."""
    output = run(batch(ANSWERS))
    assert sorted([*output.done, *(reject.item_id for reject in output.rejects)]) == list(ANSWERS)
    assert output.done == ["a1", "a4"]
    assert not any(row["answer_id"] == "a4" for name in output.tables for row in rows(output, name))


def test_rejects_say_why_and_where() -> None:
    """A reject has the reason, the words of the platform or the field, and the path of the answer."""
    rejects = {reject.item_id: reject for reject in run(batch(ANSWERS)).rejects}
    assert {item: reject.reason for item, reject in rejects.items()} == {
        "a2": "partly-read",
        "a3": "partly-read",
        "a5": "error-rate_limited",
        "a6": "missing-field",
        "a7": "partly-read",
    }
    assert rejects["a5"].detail.startswith("Please wait")
    assert rejects["a6"].detail == "data.user.username"
    assert rejects["a2"].path == ANSWERS["a2"]


def test_a_partly_read_answer_keeps_its_rows() -> None:
    """What could be read of an answer is in the tables although the rest is rejected."""
    output = run(batch({"a2": ANSWERS["a2"]}))
    assert len(rows(output, "accounts")) == 2
    assert "items[2].snippet" in output.rejects[0].detail


def test_rows_carry_their_origin() -> None:
    """Each row names its answer, its shape with both versions, and the UTC time at which it was true."""
    output = run(batch(ANSWERS))
    assert set(output.tables) == set(Normalize.writes)
    for name, made in output.tables.items():
        assert isinstance(made, pa.Table)
        assert made.schema == arrow_schema(TABLES[TABLES[name].states or name])
        assert made.num_rows
        for row in rows(output, name):
            assert row["answer_id"] in ANSWERS
            assert row["observed_at"] == WHEN
            if "shape" in row:
                assert row["parser_version"] == 100 * PARSER_VERSION + versions()[row["shape"]]
    assert Normalize.version == PARSER_VERSION


def test_variants_name_what_read_each_answer() -> None:
    """Each answer has the variant of its shape, those without a shape share another; all are current ones."""
    output = run(batch(ANSWERS))
    assert list(output.variants) == list(ANSWERS)
    assert output.variants["a1"].rpartition("@")[0] == rows(output, "accounts")[0]["shape"]
    assert output.variants["a4"] == output.variants["a5"]
    assert output.variants["a4"].startswith("none@")
    assert set(output.variants.values()) <= Normalize().variants()


def test_order_of_the_batch_does_not_matter() -> None:
    """Rows of an answer are the same wherever it stands in the batch, and a second run gives equal rows."""
    forward, backward = run(batch(ANSWERS)), run(batch(dict(reversed(ANSWERS.items()))))
    assert forward == run(batch(ANSWERS))
    assert forward.variants == backward.variants
    for name in Normalize.writes:
        assert len(rows(forward, name)) > 1
        assert sorted(map(str, rows(forward, name))) == sorted(map(str, rows(backward, name)))


def test_a_slice_of_a_batch_is_read_as_it_is() -> None:
    """Bodies are read at their offset: a part of a larger batch, and one in several chunks, give the same rows."""
    whole = batch(ANSWERS)
    parts = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 3), whole.slice(5)])
    assert run(parts) == run(whole)
    alone = run(batch({"a2": ANSWERS["a2"]}))
    assert run(whole.slice(1, 1)) == alone


def test_subject_reaches_the_parser() -> None:
    """The handle of the file name is used when the body names none."""
    output = run(batch({"a6": ANSWERS["a6"]}, subject=["from.file"]))
    assert rows(output, "accounts")[0]["handle"] == "from.file"


@pytest.mark.parametrize("body", ["", None, "\0", "[]"])
def test_bodies_that_are_nothing(body: str | None) -> None:
    """An empty, missing or meaningless body is a reject."""
    output = run(batch({"x": ANSWERS["a1"]}, body=[body]))
    assert [reject.item_id for reject in output.rejects] == ["x"]
    assert not output.done


def test_sql_runs_over_the_lake_tables() -> None:
    """`keys` and `rows` are SQL over the declared columns of raw_responses, and give what `process` reads."""
    import duckdb

    columns = ", ".join(f"{column.name} {column.type}" for column in TABLES["raw_responses"].columns)
    with duckdb.connect() as connection:
        connection.execute(f"create table raw_responses ({columns})")
        connection.execute(
            "insert into raw_responses (answer_id, body, endpoint, fetched_at) values ('k', '{}', 'f.json', ?)",
            (WHEN,),
        )
        connection.execute(f"create view batch as select *, false as known from ({Normalize.keys})")
        table = connection.execute(Normalize.rows).to_arrow_table()
    assert set(HEAD) <= set(table.column_names)
    output = run(table)
    assert [(reject.item_id, reject.reason, reject.path) for reject in output.rejects] == [
        ("k", "unknown-shape", "f.json")
    ]
