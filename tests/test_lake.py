"""The lake keeps what is committed, once per key, and notices damage."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from postgres_server import overwrite

from igtool import schema
from igtool.errors import ConfigError, IntegrityError, LockedError, StorageError, UsageError
from igtool.integrity.catalog import files_of
from igtool.integrity.files import check_files
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import META, quote
from igtool.places import LakePlace
from igtool.views import VIEWS

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


def account(number: int, *, followers: int = 1, observed_at: datetime = NOW, answer: str = "a") -> dict[str, object]:
    """A row of ``accounts`` with few columns filled."""
    return {
        "account_id": f"instagram:{number}",
        "platform": "instagram",
        "handle": f"invented{number}",
        "followers_count": followers,
        "observed_at": observed_at,
        "answer_id": answer,
    }


def test_all_tables_and_views_exist_in_a_new_lake(lake: Lake) -> None:
    """A new lake has every table and view of schema.py, with its columns and types."""
    rows = lake.rows("select table_name, column_name, data_type from duckdb_columns() where database_name = 'lake'")
    found = {(r["table_name"], r["column_name"]): r["data_type"] for r in rows}
    for table in schema.TABLES.values():
        for column in table.columns:
            expected = column.type.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")
            assert found[table.name, column.name] == expected
    for view in VIEWS:
        assert lake.rows(f"from {quote(view)}") == []


def test_merge_keeps_the_newest_row_whatever_the_order(lake: Lake) -> None:
    """Within a batch and between batches the greater (observed_at, answer_id) stays."""
    old, new = NOW - timedelta(days=1), NOW
    with lake.transaction():
        lake.merge("accounts", [account(1, followers=20, observed_at=new), account(1, followers=10, observed_at=old)])
        lake.merge("accounts", [account(2, followers=20, observed_at=new)])
    with lake.transaction():
        lake.merge("accounts", [account(2, followers=10, observed_at=old)])
        lake.merge("accounts", [account(1, followers=30, observed_at=new, answer="b")])
    rows = lake.rows("select account_id, followers_count from accounts order by 1")
    assert [(r["account_id"], r["followers_count"]) for r in rows] == [("instagram:1", 30), ("instagram:2", 20)]


def test_append_new_inserts_each_key_once(lake: Lake) -> None:
    """A second append of the same keys, or of a key twice, adds nothing."""
    rows = [{"answer_id": "x", "body": "{}"}, {"answer_id": "x", "body": "{}"}, {"answer_id": "y", "body": "{}"}]
    with lake.transaction():
        assert lake.append_new("raw_responses", rows) == 2
    with lake.transaction():
        assert lake.append_new("raw_responses", rows) == 0
    assert lake.value("select count(*) from raw_responses") == 2


def test_a_key_that_is_null_is_refused_and_nothing_is_stored(lake: Lake) -> None:
    """DuckLake would take a NULL key silently; the lake does not, and rolls the commit back."""

    def store() -> None:
        with lake.transaction():
            lake.merge("accounts", [account(1)])
            lake.merge("accounts", [{"platform": "instagram"}])

    with pytest.raises(IntegrityError, match="account_id"):
        store()
    assert lake.value("select count(*) from accounts") == 0


def test_replace_leaves_exactly_the_given_rows(lake: Lake) -> None:
    """Rows that are gone go, changed rows change, and equal rows make no commit at all."""
    first = [{"creator_id": f"c_{n}", "name": f"n{n}", "platforms": ["instagram"]} for n in range(3)]
    second = [{**first[0], "name": "renamed"}, first[1], {"creator_id": "c_9", "name": None, "platforms": []}]
    for rows in (first, second):
        with lake.transaction():
            lake.replace("creators", rows)
    stored = lake.rows("select creator_id, name from creators order by 1")
    assert [(r["creator_id"], r["name"]) for r in stored] == [("c_0", "renamed"), ("c_1", "n1"), ("c_9", None)]
    snapshot = lake.snapshot
    with lake.transaction():
        lake.replace("creators", second)
    assert lake.snapshot == snapshot


def test_text_with_nul_and_emoji_comes_back_as_it_was(lake: Lake) -> None:
    """What a person typed survives storage byte for byte."""
    bio = "a\0b \u202e 👩‍👩‍👧 ' \" ; drop table accounts"
    with lake.transaction():
        lake.merge("accounts", [{**account(1), "bio": bio}])
    lake.upkeep(least_commits=0)
    assert lake.value("select bio from accounts") == bio


def test_changed_since_names_tables_with_changed_rows_only(lake: Lake) -> None:
    """Upkeep and other tables do not count as a change; states count as well as what is made of them."""
    before = lake.snapshot
    with lake.transaction():
        lake.merge("accounts", [account(n) for n in range(100)])
    after = lake.snapshot
    lake.upkeep(least_commits=0)
    assert lake.changed_since(before) == {"accounts", "account_states"}
    assert lake.changed_since(after) == set()


def test_a_file_whose_checksum_a_crash_lost_is_read(lake: Lake) -> None:
    """Without a recorded checksum the file is read and, when sound, its checksum given back."""
    with lake.transaction():
        lake.merge("accounts", [account(n) for n in range(100)])
    files = files_of(lake)
    assert all(one.problem is None and one.adopted for one in check_files(lake.store, files, {}))
    with lake.store.open(files[0].path) as file:
        content = bytearray(file.read())
    content[4:60] = bytes(56)
    overwrite(lake.place, files[0].path, bytes(content))
    assert "cannot be read" in str(check_files(lake.store, files, {})[0].problem)


def test_a_second_writer_is_refused_with_the_process_id(lake: Lake, tmp_path: Path) -> None:
    """Both stores name the process that holds them; readers are let in."""
    with pytest.raises(LockedError, match=str(os.getpid())):
        Lake(lake.place, writable=True)
    with pytest.raises(LockedError, match=str(os.getpid())):
        Journal(tmp_path / "cache", writable=True)
    with Lake(lake.place, writable=False) as reader:
        assert reader.value("select count(*) from accounts") == 0


def test_a_reader_cannot_write(lake: Lake) -> None:
    """SQL of a user runs on a lake that is opened for reading only."""
    with Lake(lake.place, writable=False) as reader, pytest.raises(UsageError, match="read-only"):
        reader.query("delete from accounts")


def test_a_lake_that_is_not_there_says_how_to_make_one(new_place: LakePlace) -> None:
    """Reading before the first run is a usage error, not an empty answer."""
    with pytest.raises(UsageError, match="igtool enrich"):
        Lake(new_place, writable=False)


def test_an_older_lake_is_brought_up_to_date_by_a_writer(tmp_path: Path) -> None:
    """Missing tables and columns are added; a reader says what to do; no row is lost."""
    folder = tmp_path / "data"
    with Lake(folder, writable=True) as lake:
        with lake.transaction():
            lake.merge("accounts", [account(1)])
        lake.execute("alter table accounts drop column country")
        lake.execute("drop table niches")
    marker = folder / "lake.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": 0}))
    with pytest.raises(ConfigError, match="older igtool"):
        Lake(folder, writable=False)
    with Lake(folder, writable=True) as lake:
        assert lake.rows("select handle, country from accounts") == [{"handle": "invented1", "country": None}]
        assert lake.rows("from niches") == []
    marker.write_text(json.dumps({"lake_id": "x", "schema_version": 99}))
    with pytest.raises(ConfigError, match="newer igtool"):
        Lake(folder, writable=True)


@pytest.mark.parametrize(("name", "content"), [("lake.json", b"{"), ("catalog.sqlite", b"not a database" * 100)])
def test_a_damaged_catalog_is_an_integrity_error(tmp_path: Path, name: str, content: bytes) -> None:
    """Damage is told from absence."""
    folder = tmp_path / "data"
    with Lake(folder, writable=True):
        pass
    (folder / name).write_bytes(content)
    with pytest.raises(IntegrityError):
        Lake(folder, writable=True)


def test_a_folder_without_permission_is_a_storage_error(tmp_path: Path) -> None:
    """A file where the folder should be cannot be written to, whoever runs the test."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageError):
        Lake(tmp_path / "data", writable=True)


def test_a_killed_writer_leaves_nothing_half_done(place: LakePlace) -> None:
    """SIGKILL inside a transaction: the next writer gets in at once and sees only whole commits."""
    script = """
import os, pickle, signal, sys
from igtool.lake import Lake
lake = Lake(pickle.load(sys.stdin.buffer), writable=True)
with lake.transaction():
    lake.merge("accounts", [{"account_id": f"a:{n}", "observed_at": None, "answer_id": "x"} for n in range(500)])
with lake.transaction():
    lake.merge("accounts", [{"account_id": f"b:{n}", "observed_at": None, "answer_id": "x"} for n in range(500)])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    given = pickle.dumps(place)
    assert subprocess.run([sys.executable, "-c", script], input=given, check=False).returncode == -9
    with Lake(place, writable=True) as lake:
        assert lake.value("select count(*) from accounts where account_id like 'a:%'") == 500
        assert lake.value("select count(*) from accounts where account_id like 'b:%'") == 0


def test_large_work_spills_into_the_workspace(lake: Lake) -> None:
    """Nothing is written outside of it, also when memory is short; an apostrophe in its path is no harm."""
    assert lake.value("select current_setting('temp_directory')") == str(lake.folder / "spill")
    with Lake(lake.folder / "it's" / "data", writable=True) as other:
        assert other.value("select count(*) from accounts") == 0


def test_every_file_of_upkeep_has_its_checksum(lake: Lake, journal: Journal) -> None:
    """Flushed, merged and rewritten files are forced to disk and noted like those of a commit."""
    for number in range(3):
        with lake.transaction():
            lake.merge("accounts", [account(number)])
    lake.upkeep(least_commits=0)
    assert set(lake.live_files()) <= set(journal.lake_files(lake.lake_id))
    with lake.transaction():
        lake.delete("accounts", "account_id", ["instagram:1"])
    lake.purge(["accounts", "account_states"])
    assert set(lake.live_files()) <= set(journal.lake_files(lake.lake_id))


def test_a_purge_drops_also_what_a_clock_that_was_ahead_dated(lake: Lake) -> None:
    """A clock set right again would else keep a forgotten person for as long as it was ahead."""
    with lake.transaction():
        lake.merge("accounts", [account(1)])
    lake.execute(f"update {META}.ducklake_snapshot set snapshot_time = now() + interval 1 year")
    with lake.transaction():
        lake.delete("accounts", "account_id", ["instagram:1"])
    lake.purge(["accounts"])
    assert lake.value(f"select count(*) from {META}.ducklake_snapshot") == 1
