"""The journal remembers what is finished, per lake, and tells damage from absence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from igtool.errors import IntegrityError
from igtool.journal import Journal, LakeFile
from igtool.journal.ledger import Ledger
from igtool.journal.queue import Queue
from igtool.journal.sqlite_files import rows_of


def test_what_is_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    """Imported files, stage states and checksums, each for its own lake."""
    with Journal(tmp_path, writable=True) as journal:
        journal.record_imported("lake", "dumps", [("a.json", 3, 7), ("b.json", 4, 8)])
        journal.record_imported("lake", "dumps", [("a.json", 5, 9)])
        journal.record_stage("lake", "embed", "1|[]", 12)
        journal.record_lake_files("lake", [LakeFile("main/a.parquet", 10, "ff")])
    with Journal(tmp_path, writable=False) as journal:
        assert journal.imported_files("lake", "dumps") == {"a.json": (5, 9), "b.json": (4, 8)}
        assert journal.imported_files("other", "dumps") == {}
        assert journal.stage_state("lake", "embed") == ("1|[]", 12)
        assert journal.stage_state("other", "embed") is None
        assert journal.lake_files("lake") == {"main/a.parquet": LakeFile("main/a.parquet", 10, "ff")}


def test_it_is_durable_by_its_settings(tmp_path: Path) -> None:
    """Write-ahead log and full synchronisation: a commit survives a power cut."""
    with Journal(tmp_path, writable=True) as journal:
        assert journal._connection.execute("pragma journal_mode").fetchone() == ("wal",)
        assert journal._connection.execute("pragma synchronous").fetchone() == (2,)


def test_reading_without_a_journal_makes_none(tmp_path: Path) -> None:
    """A reader leaves the folder as it is."""
    with Journal(tmp_path / "cache", writable=False) as journal:
        assert journal.imported_files("lake", "dumps") == {}
    assert not (tmp_path / "cache").exists()


def test_a_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    """A flipped bit may make a column's name one that Python cannot read."""
    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table jobs (handle text)")
        connection.execute("pragma writable_schema = on")
        schema = b"create table jobs (h\xedndle text)".hex()
        connection.execute(f"update sqlite_schema set sql = cast(x'{schema}' as text)")
        connection.commit()
    with pytest.raises(IntegrityError, match="is damaged"):
        rows_of(path, "select * from jobs")
    with pytest.raises(IntegrityError, match="is damaged"):
        rows_of(path, "select cast(x'ed6e' as text)")


def test_a_damaged_journal_says_what_to_do(tmp_path: Path) -> None:
    """It can be made anew without losing data; a newer one is not touched."""
    (tmp_path / "journal.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(IntegrityError, match="verify --repair"):
        Journal(tmp_path, writable=True)
    (tmp_path / "journal.sqlite").unlink()
    with Journal(tmp_path, writable=True):
        pass
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("pragma user_version = 99")
    connection.close()
    with pytest.raises(IntegrityError, match="newer"):
        Journal(tmp_path, writable=True)


def test_a_journal_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """What it knew stays, and the tables of live data are there, also for a reader."""
    with Journal(tmp_path, writable=True) as journal:
        journal.record_stage("lake", "embed", "1|[]", 12)
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        for table in ("requests", "paces", "jobs", "answers"):
            connection.execute(f"drop table {table}")
        connection.execute("pragma user_version = 1")
    connection.close()
    with Journal(tmp_path, writable=False) as journal:
        assert journal.stage_state("lake", "embed") == ("1|[]", 12)
        assert Queue(journal).counts() == []
        assert Ledger(journal).answer_count() == 0
