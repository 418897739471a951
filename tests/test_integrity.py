"""Damage anywhere is found and named, what can be made again is, and what cannot is said."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from stored_people import answer_row, copied, flip_a_bit, in_place, make_workspace, state

from igtool.auditing import move_entries
from igtool.backups.making import make_backup
from igtool.cli import main
from igtool.errors import IntegrityError
from igtool.integrity.catalog import catalog_files
from igtool.integrity.checking import verify
from igtool.integrity.origins import MAKERS, unknown_tables
from igtool.integrity.references import REFERENCES, broken
from igtool.integrity.repair import repair
from igtool.journal import Journal
from igtool.journal.audit import AuditLog, Entry
from igtool.journal.sqlite_files import rows_of
from igtool.journal.tenants import LOCAL
from igtool.lake import Lake
from igtool.pipeline import NAMES
from igtool.schema import TABLES
from igtool.settings import Settings

TABLES_OF_ALL = ("accounts", "account_states", "content_items", "metric_snapshots", "creators", "niches", "embeddings")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workspace with something in every store, which tests only copy."""
    return make_workspace(tmp_path_factory.mktemp("made") / "w")


@pytest.fixture
def settings(made: Settings, tmp_path: Path) -> Settings:
    """A copy to damage."""
    return copied(made, tmp_path / "w")


def file_of(settings: Settings, table: str) -> Path:
    """The newest data file of a table."""
    files = catalog_files(settings.data.resolve())
    return settings.data / [f.path for f in files if f.table == table and f.kind == "data" and f.is_live][-1]


def test_every_table_has_an_origin_and_its_makers_are_stages() -> None:
    """Repair knows of each table whether it can be made again, and by which stages."""
    assert unknown_tables() == set()
    assert {stage for stages in MAKERS.values() for stage in stages} <= set(NAMES)


def test_references_name_tables_and_columns_that_exist() -> None:
    """A renamed column is noticed here and not by a user."""
    for reference in REFERENCES:
        assert reference.column in TABLES[reference.table].column_names


def test_a_whole_workspace_has_nothing_wrong(settings: Settings) -> None:
    """Both ways of looking find nothing, and have looked at every store."""
    for quick in (False, True):
        report = verify(settings, quick=quick)
        assert report.findings == []
        assert min(report.counts[what] for what in ("lake files", "index files", "pictures")) > 0


DAMAGE: dict[str, tuple[str, Callable[[bytearray], None]]] = {
    "a flipped bit": ("lake", flip_a_bit),
    "a truncated file": ("lake", lambda content: content.__delitem__(slice(-100, None))),
    "an empty file": ("lake", lambda content: content.clear()),
    "zeros": ("lake", lambda content: content.__setitem__(slice(20, 60), bytes(40))),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_of_a_data_file_is_named(settings: Settings, name: str) -> None:
    """The file and its table are told, and the code is 5."""
    path = file_of(settings, "accounts")
    in_place(path, DAMAGE[name][1])
    (finding,) = verify(settings).damage
    assert path.name in finding.name
    assert "accounts" in finding.problem
    result = CliRunner().invoke(main, ["--workspace", str(settings.workspace), "verify"])
    assert result.exit_code == 5
    assert "verify --repair" in result.output


def test_a_missing_and_two_swapped_files_are_named(settings: Settings) -> None:
    """Also where sizes and footers are those of the other file."""
    file_of(settings, "niches").unlink()
    first, second = file_of(settings, "accounts"), file_of(settings, "account_states")
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    named = " ".join(finding.name for finding in verify(settings).damage)
    assert all(part in named for part in ("main/niches", "main/accounts", "main/account_states"))


@pytest.mark.parametrize("name", ["data/catalog.sqlite", "cache/journal.sqlite", "data/lake.json"])
def test_damage_of_a_database_is_found_and_mended_without_loss(settings: Settings, name: str) -> None:
    """A bit anywhere in it, which SQLite itself would not see; tables are afterwards what they were."""
    before = state(settings, TABLES_OF_ALL)
    in_place(settings.workspace / name, flip_a_bit)
    report = verify(settings)
    assert report.stores() & {"catalog", "journal", "marker"}
    with pytest.raises(IntegrityError, match="verify --repair"):
        (Journal(settings.cache, writable=True) if "journal" in name else Lake(settings.data, writable=True)).close()
    repair(settings, report)
    assert verify(settings).damage == []
    assert state(settings, TABLES_OF_ALL) == before


def _raw_change(settings: Settings, statement: str) -> None:
    """A change of the catalog as no program makes it that knows DuckLake; its log is folded in."""
    with closing(sqlite3.connect(settings.data / "catalog.sqlite")) as connection:
        assert connection.execute(statement).rowcount
        connection.commit()
        connection.execute("pragma wal_checkpoint(truncate)")


@pytest.mark.parametrize(
    "statement",
    [
        "update ducklake_file_column_stats set max_value = '1' where rowid = 1",
        "update {runs} set begin_snapshot = begin_snapshot + 1",
        "delete from {runs}",
        "update {runs} set end_snapshot = begin_snapshot",
        "update ducklake_data_file set end_snapshot = begin_snapshot + 1 where end_snapshot is null",
    ],
)
def test_rows_of_a_catalog_that_no_commit_changed_are_damage(settings: Settings, statement: str) -> None:
    """Its seal says nothing of a file with a new time of change; its copy does, also after further commits."""
    before = state(settings, TABLES_OF_ALL)
    inlined = rows_of(
        settings.data / "catalog.sqlite",
        "select i.table_name from ducklake_inlined_data_tables i join ducklake_table using (table_id) "
        "where ducklake_table.table_name = 'runs'",
    )
    _raw_change(settings, statement.format(runs=inlined[-1][0]))
    report = verify(settings)
    assert [finding.store for finding in report.damage] == ["catalog"]
    assert "no commit changed" in report.damage[0].problem
    repair(settings, report)
    assert verify(settings).damage == []
    assert state(settings, TABLES_OF_ALL) == before


def test_a_catalog_whose_writer_was_killed_is_no_damage(settings: Settings) -> None:
    """Commits, upkeep and what they end are told from changes."""
    copy, seal = settings.data / "catalog.copy.sqlite", settings.data / "catalog.sqlite.seal"
    kept = copy.read_bytes(), seal.read_bytes()
    with Lake(settings.data, writable=True) as lake:
        with lake.transaction():
            lake.append_new("raw_responses", [answer_row(99)])
            lake.execute("delete from runs")
            lake.execute("delete from niches")
        lake.upkeep(least_commits=0)
    copy.write_bytes(kept[0])
    seal.write_bytes(kept[1])
    (note,) = [finding for finding in verify(settings).findings if finding.store == "catalog"]
    assert (note.is_damage, "was killed" in note.problem) == (False, True)


@pytest.mark.slow
def test_an_older_catalog_is_noticed(settings: Settings, tmp_path: Path) -> None:
    """One that was put back by hand: whole, and not what was committed last."""
    shutil.copy2(settings.data / "catalog.sqlite", tmp_path / "older")
    with Lake(settings.data, writable=True) as lake, lake.transaction():
        lake.append_new("raw_responses", [answer_row(99)])
    shutil.copy2(tmp_path / "older", settings.data / "catalog.sqlite")
    assert "older one" in verify(settings).damage[0].problem
    with pytest.raises(IntegrityError, match="older one"):
        Lake(settings.data, writable=True)
    repair(settings, verify(settings))
    with Lake(settings.data, writable=False) as lake:
        assert lake.value("select count(*) from raw_responses") == 9


def test_a_changed_audit_log_is_noted(settings: Settings) -> None:
    """Who changes an entry through the tables damages no file: its chain tells, and where to look."""
    with Journal(settings.cache, writable=True) as journal, Lake(settings.data, writable=True) as lake:
        AuditLog(journal).write([(1.0, Entry(LOCAL, LOCAL, "list.add", {"list": "one"}))] * 3)
        move_entries(lake, journal)
        lake.execute("update audit_log set detail = '{}' where entry_number = 2")
    (note,) = verify(settings).findings
    assert (note.store, note.name, note.fix, note.is_damage) == ("audit log", "entry 2", "igtool audit verify", False)


def test_derived_files_are_made_anew(settings: Settings) -> None:
    """All tables that lost a file have every cell that they had."""
    before = state(settings, TABLES_OF_ALL)
    in_place(file_of(settings, "metric_snapshots"), flip_a_bit)
    file_of(settings, "niches").unlink()
    done = repair(settings, verify(settings))
    assert not any(one.is_lost for one in done)
    assert verify(settings).damage == []
    assert state(settings, TABLES_OF_ALL) == before


def test_answers_that_can_still_be_read_are_kept_and_the_rest_is_named(settings: Settings) -> None:
    """A damaged file of sources: its loss is told with table and rows, what is made of it stays."""
    before = state(settings, ("accounts", "content_items"))
    path = file_of(settings, "watchlist")
    in_place(file_of(settings, "raw_responses"), flip_a_bit)
    in_place(path, flip_a_bit)
    done = repair(settings, verify(settings))
    lost = {one.name: one.detail for one in done if one.is_lost}
    assert any("50 rows of watchlist" in detail for detail in lost.values())
    assert any("8 rows of raw_responses" in detail for detail in lost.values())
    assert verify(settings).damage == []
    assert state(settings, ("accounts", "content_items")) == before


def test_a_backup_gives_back_what_is_lost(settings: Settings, tmp_path: Path) -> None:
    """With --from nothing is lost that the backup has."""
    tables = (*TABLES_OF_ALL, "raw_responses", "watchlist")
    before = state(settings, tables)
    make_backup(settings, tmp_path / "backup")
    in_place(file_of(settings, "raw_responses"), flip_a_bit)
    file_of(settings, "watchlist").unlink()
    done = repair(settings, verify(settings), tmp_path / "backup")
    assert {one.outcome for one in done} == {"restored"}
    assert verify(settings).damage == []
    assert state(settings, tables) == before


@pytest.mark.slow
def test_a_damaged_index_and_picture_are_told(settings: Settings) -> None:
    """The index is made anew; the picture goes aside."""
    picture = next((settings.cache / "images").glob("??/*"))
    in_place(picture, flip_a_bit)
    in_place(next((settings.data / "index").glob("*/words.arrow")), flip_a_bit)
    assert verify(settings).stores() == {"index", "pictures"}
    repair(settings, verify(settings))
    assert verify(settings).damage == []
    assert not picture.exists()


def test_rows_that_lead_nowhere_are_found(settings: Settings) -> None:
    """Every kind of reference is asked for, and keys that are there twice."""
    with Lake(settings.data, writable=True) as lake:
        assert list(broken(lake)) == []
        with lake.transaction():
            lake.append("insights", [{"conversation_id": "nobody"}])
            lake.append(
                "tenant_notes", [{"tenant_id": "local", "creator_id": "gone", "noted_at": answer_row(1)["fetched_at"]}]
            )
            lake.execute("insert into creators select * from creators limit 1")
            lake.execute("update raw_responses set body = '{}' where answer_id = 'a1'")
        found = {(one.table, one.is_damage) for one in broken(lake)}
    assert found == {("insights", True), ("tenant_notes", False), ("creators", True), ("raw_responses", True)}


def test_a_damaged_journal_keeps_what_can_be_read(settings: Settings) -> None:
    """What nothing else knows comes along; the old file stays beside."""
    with Journal(settings.cache, writable=True) as journal, journal.transaction() as cursor:
        cursor.execute("insert into tenants values ('north', 'read', 1.0)")
    in_place(settings.cache / "journal.sqlite", lambda content: content.__setitem__(slice(24, 28), b"\1\2\3\4"))
    repair(settings, verify(settings))
    assert list((settings.cache / "damaged").rglob("journal.sqlite"))
    assert rows_of(settings.cache / "journal.sqlite", "select tenant_id from tenants") == [("north",)]
    assert rows_of(settings.cache / "journal.sqlite", "select count(*) from lake_files")[0][0] > 0


@pytest.mark.slow
def test_sixty_mutations_are_found_or_change_nothing(settings: Settings) -> None:
    """Wherever one bit or a stretch of bytes changes: verify names it, or every answer is the same."""
    drawn, told = random.Random(20261001), state(settings, TABLES_OF_ALL)
    stores = [settings.data / "catalog.sqlite", settings.cache / "journal.sqlite", settings.data / "lake.json"]
    paths = [*stores, *sorted((settings.data / "main").rglob("*.parquet"))]
    for number in range(60):
        path = paths[number % len(paths)]
        content, before = path.read_bytes(), path.stat()
        in_place(path, lambda changed: _mutate(changed, drawn))
        if path.read_bytes() != content:
            assert verify(settings).damage or state(settings, TABLES_OF_ALL) == told, f"{path} mutation {number}"
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _mutate(content: bytearray, drawn: random.Random) -> None:
    """One of four kinds of damage."""
    at = drawn.randrange(len(content))
    match drawn.randrange(4):
        case 0:
            content[at] ^= 1 << drawn.randrange(8)
        case 1:
            del content[at:]
        case 2:
            content[at : at + 64] = bytes(len(content[at : at + 64]))
        case _:
            content[at : at + 16] = drawn.randbytes(16)


def test_who_reads_a_damaged_file_gets_a_named_error(settings: Settings) -> None:
    """Without verify: whatever DuckDB says of a footer that makes no sense, it is damage and no bug."""
    path = file_of(settings, "accounts")
    start = -8 - int.from_bytes(path.read_bytes()[-8:-4], "little")
    in_place(path, lambda content: content.__setitem__(slice(start, start + 16), b"\xf3" * 16))
    with pytest.raises(IntegrityError, match="igtool verify"):
        state(settings, ("accounts",))


@pytest.mark.slow
def test_a_killed_repair_is_gone_on_with(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the catalog let go of damaged files: verify says so, and the same command makes them anew."""
    before = state(settings, TABLES_OF_ALL)
    file_of(settings, "niches").unlink()
    in_place(file_of(settings, "metric_snapshots"), flip_a_bit)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("igtool.integrity.repair.open_session", killed)
        with pytest.raises(KeyboardInterrupt):
            repair(settings, verify(settings))
    assert verify(settings).stores() == {"repair"}
    repair(settings, verify(settings))
    assert verify(settings).damage == []
    assert state(settings, TABLES_OF_ALL) == before
