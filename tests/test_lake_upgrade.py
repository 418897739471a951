"""A lake of the schema before: opened by this version it keeps its rows, and normalize goes over it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOW, contents

import igtool.lake
import igtool.lake_catalogs
from igtool.encoders.base import Encoder
from igtool.errors import Interrupted
from igtool.journal import Journal, migrations
from igtool.journal.sqlite_files import rows_of
from igtool.lake import Lake
from igtool.lake_migrations import STEPS
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
        lake.execute("alter table schedule_overrides drop column is_watched")  # of version 12
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


def test_steps_are_numbered_without_gaps_up_to_this_version() -> None:
    """A new version of the tables comes with a step that names it."""
    assert [step.version for step in STEPS] == list(range(1, SCHEMA_VERSION + 1))
    assert [number for number, _, _ in migrations.STEPS] == list(range(1, migrations.VERSION + 1))


def as_of(folder: Path, version: int) -> None:
    """Make the lake in ``folder`` one of ``version``: without what later versions brought."""
    with Lake(folder, writable=True) as lake:
        for view in VIEWS:
            lake.execute(f"drop view if exists {quote(view)}")
        for brought, names in BROUGHT.items():
            for name in names if brought > version else ():
                lake.execute(f"drop table if exists {name}")
    marker = folder / "lake.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": version}))


BROUGHT = {
    2: ("schedule_overrides",),
    3: ("account_states", "drift", "column_fill"),
    4: ("llm_answers", "descriptions"),
    5: ("text_vectors", "embedding_models", "link_pairs", "tenant_lists", "tenant_notes", "search_log"),
    6: ("media", "image_facts", "reviews", "consents", "declarations", "creator_tag_history"),
    8: ("image_verdicts",),
    9: ("tenant_searches", "audit_log"),
}
"""Tables by the version that brought them."""


_OLDEST, _NEWEST = 1, SCHEMA_VERSION - 1


@pytest.mark.parametrize(
    "version",
    [_OLDEST, *(pytest.param(one, marks=pytest.mark.slow) for one in range(_OLDEST + 1, _NEWEST)), _NEWEST],
)
def test_a_lake_of_every_version_is_brought_up_to_date(tmp_path: Path, empty_lake: Path, version: int) -> None:
    """It has all tables and its rows, and a copy of its catalog from before, which opens as it was."""
    folder = tmp_path / "data"
    shutil.copytree(empty_lake, folder)
    with Lake(folder, writable=True) as lake, lake.transaction():
        lake.append("watchlist", [{"watch_id": "w", "list_name": "l", "handle": "lola"}])
    as_of(folder, version)
    with Lake(folder, writable=True) as lake:
        for table in TABLES.values():
            assert set(lake.arrow(f"from {quote(table.name)}").column_names) == set(table.column_names)
        assert lake.value("select handle from watchlist") == "lola"
    kept = folder / "upgrades" / f"schema-{version}"
    assert json.loads((kept / "lake.json").read_text())["schema_version"] == version
    names = {name for (name,) in rows_of(kept / "catalog.sqlite", _TABLES_NOW)}
    assert "watchlist" in names
    assert not names & {name for brought, them in BROUGHT.items() if brought > version for name in them}


def test_an_older_lake_takes_up_months_and_upkeep_merges_within_each(tmp_path: Path, empty_lake: Path) -> None:
    """Rows from before stay; later ones go to a file for each month, which upkeep makes one of many."""
    folder = tmp_path / "data"
    shutil.copytree(empty_lake, folder)

    def put(lake: Lake, number: int) -> None:
        rows = [
            {"content_id": f"instagram:{number}/{place}", "observed_at": NOW + timedelta(days=31 * (place % 2))}
            for place in range(20)
        ]
        with lake.transaction():
            lake.merge("content_items", rows)

    with Lake(folder, writable=True) as lake:
        lake.execute("alter table content_items reset partitioned by")
        put(lake, 0)
    marker = folder / "lake.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": 10}))
    with Lake(folder, writable=True) as lake:
        for number in range(1, 5):
            put(lake, number)
        before = [Path(name).parts[2:-1] for name in lake.live_files() if "/content_items/" in name]
        lake.upkeep(least_commits=1)
        after = [Path(name).parts[2:-1] for name in lake.live_files() if "/content_items/" in name]
        assert lake.value("select count(*) from content_items") == 100
    months = {folder for folder in before if folder}
    assert len(months) == 2
    assert sorted(before) == sorted([(), *(4 * list(months))])
    assert sorted(after) == sorted([(), *months])


_TABLES_NOW = "select table_name from ducklake_table where end_snapshot is null"


@pytest.mark.parametrize("killed_in", ["keep_before", "widen", "write_marker"])
def test_a_killed_upgrade_is_finished_by_the_next(
    tmp_path: Path, empty_lake: Path, killed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, within and after the commit: the rows are there, and the tables are those of this version."""
    folder = tmp_path / "data"
    shutil.copytree(empty_lake, folder)
    grow_older(folder)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(igtool.lake if killed_in == "widen" else igtool.lake_catalogs, killed_in, killed)
        with pytest.raises(KeyboardInterrupt):
            Lake(folder, writable=True)
    with Lake(folder, writable=True) as lake:
        assert lake.value("select count(*) from account_states") == 1
        assert lake.value("select count(*) from accounts") == 1
    assert json.loads((folder / "lake.json").read_text())["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("version", range(1, migrations.VERSION))
def test_a_journal_of_every_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """It has every table of a new one, keeps its rows, and a copy from before lies beside."""
    with Journal(tmp_path / "new", writable=True) as new:
        expected = new.read("select type, name, sql from sqlite_master order by 1, 2")
    path = tmp_path / "old" / "journal.sqlite"
    path.parent.mkdir()
    statements = "".join(sql for number, _, sql in migrations.STEPS if number <= version)
    with closing(sqlite3.connect(path)) as old:
        old.executescript(statements)
        old.execute("insert into stage_states values ('l', 'normalize', 's', 3)")
        old.execute(f"pragma user_version = {version}")
        old.commit()
    with Journal(tmp_path / "old", writable=True) as journal:
        assert journal.read("select type, name, sql from sqlite_master order by 1, 2") == expected
        assert journal.stage_state("l", "normalize") == ("s", 3)
    kept = tmp_path / "old" / "upgrades" / f"journal-{version}.sqlite"
    assert rows_of(kept, "pragma user_version") == [(version,)]
    assert rows_of(kept, "select count(*) from stage_states") == [(1,)]
