"""A lake of the schema before: opened by this version it keeps its rows, and normalize goes over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOW, contents

from igtool.encoders.base import Encoder
from igtool.errors import Interrupted
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.schema import SCHEMA_VERSION, TABLES
from igtool.stages.base import Context
from igtool.stages.normalize import Normalize
from igtool.views import VIEWS

_OLD_TABLES = {
    "accounts": """
        account_id VARCHAR, platform VARCHAR, platform_user_id VARCHAR, handle VARCHAR, display_name VARCHAR,
        bio VARCHAR, category VARCHAR, profile_image_url VARCHAR, external_url VARCHAR, links VARCHAR[],
        followers_count BIGINT, following_count BIGINT, posts_count BIGINT, view_count BIGINT, is_verified BOOLEAN,
        is_private BOOLEAN, is_business BOOLEAN, language VARCHAR, country VARCHAR, country_source VARCHAR,
        created_at TIMESTAMPTZ, flags VARCHAR[], answer_id VARCHAR, parser_version BIGINT, observed_at TIMESTAMPTZ
    """,
    "content_items": """
        content_id VARCHAR, platform VARCHAR, account_id VARCHAR, type VARCHAR, url VARCHAR,
        title_or_caption VARCHAR, description VARCHAR, hashtags VARCHAR[], mentions VARCHAR[],
        published_at TIMESTAMPTZ, like_count BIGINT, comment_count BIGINT, view_count BIGINT, play_count BIGINT,
        duration_s DOUBLE, media_urls VARCHAR[], is_sponsored BOOLEAN, language VARCHAR, flags VARCHAR[],
        answer_id VARCHAR, parser_version BIGINT, observed_at TIMESTAMPTZ
    """,
    "creators": """
        creator_id VARCHAR, name VARCHAR, canonical_handle VARCHAR, profile_image_url VARCHAR,
        total_followers_count BIGINT, account_count BIGINT, platforms VARCHAR[], country VARCHAR, language VARCHAR,
        first_seen_at TIMESTAMPTZ
    """,
    "stage_rows": "stage VARCHAR, item_id VARCHAR, fingerprint VARCHAR",
}
"""The tables of schema 2 that have grown since, as it made them."""
_NEW_TABLES = ("account_states", "drift", "column_fill")


def body(followers: int) -> str:
    """An answer about one account with one post."""
    node = {"id": "5", "edge_media_to_caption": {"edges": []}, "edge_media_preview_like": {"count": followers}}
    user = {"id": "1", "username": "lola.invented", "biography": "hola@lola.example", "full_name": "Lola"}
    user |= {"edge_followed_by": {"count": followers}, "edge_owner_to_timeline_media": {"edges": [{"node": node}]}}
    return json.dumps({"data": {"user": user}})


ANSWERS = [
    {"answer_id": f"a{n}", "source": "files", "endpoint": "f", "body": body(n), "fetched_at": NOW + timedelta(days=n)}
    for n in range(1, 4)
]


def insert(lake: Lake, table: str, row: dict[str, object]) -> None:
    """One row, put in by plain SQL as any version would."""
    places = ", ".join("?" for _ in row)
    lake.execute(f"insert into {table} ({', '.join(row)}) values ({places})", list(row.values()))


def grow_older(folder: Path) -> None:
    """Make the lake in ``folder`` one of schema 2, with what its normalize made of ``ANSWERS``."""
    with Lake(folder, writable=True) as lake:
        for view in VIEWS:
            lake.execute(f"drop view if exists {quote(view)}")
        for name in (*_OLD_TABLES, *_NEW_TABLES):
            lake.execute(f"drop table {name}")
        for name, columns in _OLD_TABLES.items():
            lake.execute(f"create table {name} ({columns})")
        with lake.transaction():
            lake.append("raw_responses", ANSWERS)
            origin = {"answer_id": "a3", "parser_version": 2, "observed_at": NOW + timedelta(days=3)}
            account = {"account_id": "instagram:1", "platform": "instagram", "handle": "lola.invented"}
            insert(lake, "accounts", {**account, "bio": "hola@lola.example", "followers_count": 3, **origin})
            insert(lake, "content_items", {"content_id": "instagram:5", "account_id": "instagram:1", **origin})
            insert(lake, "creators", {"creator_id": "c_1", "name": "Lola", "language": "es"})
            for answer in ANSWERS:
                item = {"stage": "normalize", "item_id": answer["answer_id"], "fingerprint": "of version 2"}
                insert(lake, "stage_rows", item)
    marker = folder / "lake.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": 2}))


def no_encoder() -> Encoder:
    """Nothing here embeds."""
    raise AssertionError("no text was to be embedded")


def runner(lake: Lake, journal: Journal, folder: Path, size: int = 10) -> Runner:
    """A runner that commits so many answers at a time."""
    progress = Progress(folder / "progress.json", "test", bars=False)
    return Runner(lake, journal, Context(no_encoder, lambda: NOW), progress, batch_size=size)


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Lake]:
    """An old lake, opened by this version."""
    grow_older(tmp_path / "old")
    with Lake(tmp_path / "old", writable=True) as lake:
        yield lake


def test_an_old_lake_keeps_its_rows_and_gets_the_new_columns(upgraded: Lake) -> None:
    """Every table has all of today's columns; what was stored stands in the same columns as before."""
    assert json.loads((upgraded.folder / "lake.json").read_text())["schema_version"] == SCHEMA_VERSION
    for table in TABLES.values():
        found = upgraded.arrow(f"from {table.name}").column_names
        assert sorted(found) == sorted(table.column_names)
    for view in VIEWS:
        upgraded.rows(f"from {quote(view)}")
    (account,) = upgraded.rows("from accounts")
    assert (account["handle"], account["followers_count"], account["parser_version"]) == ("lola.invented", 3, 2)
    assert (account["is_profile"], account["emails"], account["filled_from"]) == (None, None, None)
    (creator,) = upgraded.rows("from creators")
    assert (creator["name"], creator["language"], creator["country_source"]) == ("Lola", "es", None)
    assert upgraded.value("select count(*) from stage_rows where variant is null") == 3


def test_normalize_makes_an_old_lake_what_a_new_one_would_be(upgraded: Lake, journal: Journal, tmp_path: Path) -> None:
    """All answers are read again, and the tables are those of a lake that was filled by this version."""
    runner(upgraded, journal, tmp_path).run([Normalize()])
    with Lake(tmp_path / "new", writable=True) as new:
        with new.transaction():
            new.append("raw_responses", ANSWERS)
        runner(new, journal, tmp_path).run([Normalize()])
        expected = contents(new)
    for name in (*Normalize.writes, "account_states", "stage_rows", "raw_responses"):
        assert expected[name]
        columns = ", ".join(map(quote, TABLES[name].column_names))
        assert sorted(repr(row) for row in upgraded.rows(f"select {columns} from {name}")) == expected[name]


def test_an_upgrade_that_is_interrupted_doubles_no_account(upgraded: Lake, journal: Journal, tmp_path: Path) -> None:
    """While some answers are read again and others not yet, an account is there once, and is not an older one."""
    reading = runner(upgraded, journal, tmp_path, size=1)
    reading.stopping = lambda: True
    while True:
        try:
            reading.run([Normalize()])
            break
        except Interrupted:
            query = "select account_id, followers_count from accounts"
            assert upgraded.rows(query) == [{"account_id": "instagram:1", "followers_count": 3}]
    assert upgraded.value("select emails[1] from accounts") == "hola@lola.example"
