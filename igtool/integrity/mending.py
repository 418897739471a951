"""Damaged stores mended as files, while nobody writes: each step leaves them as good as before, or better.

What is damaged is moved to ``damaged/<time>`` beside its store, never deleted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from igtool.backups.manifest import Backup
from igtool.errors import IgtoolError, IntegrityError
from igtool.files import fsync, replaced
from igtool.integrity.catalog import CatalogFile, catalog_files, catalog_snapshot
from igtool.integrity.files import Checked, check_files
from igtool.integrity.origins import MAKERS, origin_of
from igtool.journal import Journal, LakeFile
from igtool.journal.sqlite_files import change, problems_of, rows_of, salvage, sealed_as
from igtool.lake_catalogs import CATALOG, COPY
from igtool.lake_migrations import read_marker, write_marker
from igtool.lake_stores import FolderStore
from igtool.schema import TABLES

DAMAGED = "damaged"
BEGUN = "repair.json"
"""In the folder of the lake while a repair is under way."""
Outcome = Literal["restored", "made anew", "moved aside", "lost", "left"]
_FOUND_ANEW = frozenset({"source_files", "stage_states", "lake_files", "text_vectors", "sqlite_sequence", "searches"})
_BY_FILE = (
    "ducklake_data_file", "ducklake_file_column_stats", "ducklake_file_variant_stats", "ducklake_file_partition_value",
    "ducklake_delete_file",
)  # fmt: skip


@dataclass(frozen=True)
class Mended:
    """What became of one damaged thing; ``is_lost``: something of it cannot be had again."""

    store: str
    name: str
    outcome: Outcome
    detail: str
    is_lost: bool = False


@dataclass
class Place:
    """Where damaged files of a store go in this repair."""

    folder: Path
    label: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}")

    def aside(self, path: Path) -> Path:
        """Move ``path`` away, if it is there; where it would lie now."""
        target = self.folder / DAMAGED / self.label / path.relative_to(self.folder)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            path.replace(target)
            fsync(path.parent)
        return target


def mend_marker(data: Path, journal: Path, backup: Backup | None) -> Mended:
    """Write `lake.json` anew, with the id that the journal has its checksums under."""
    found: list[tuple[object, ...]] = []
    with suppress(IgtoolError):
        found = rows_of(journal, "select lake_id from lake_files group by 1 order by count(*) desc limit 1")
    known = str(found[0][0]) if found else backup.manifest.lake_id if backup else None
    Place(data).aside(data / "lake.json")
    lake_id = known or hashlib.sha256(str(data).encode()).hexdigest()[:32]
    write_marker(data / "lake.json", lake_id, 1)  # every step of an upgrade may be done again
    return Mended("marker", "lake.json", "made anew", f"lake {lake_id[:8]}" + ("" if known else ", a new id"))


def mend_catalog(data: Path, backup: Backup | None) -> Mended:
    """Put the newest whole copy of the catalog in its place. Raises IntegrityError where there is none."""
    path, told = data / CATALOG, sealed_as(data / CATALOG) or {}
    place = Place(data)
    candidates = [data / COPY]
    if backup is not None:
        taken = data / f".{CATALOG}.taken"
        backup.copy_out(f"data/{CATALOG}", taken)
        candidates.append(taken)
    whole = {_commit_of(one): one for one in reversed(candidates) if _is_whole(one, told)}
    if not whole:
        raise IntegrityError(
            f"the catalog {path} is damaged and no copy of it is whole: `igtool verify --repair --from DIR` takes that "
            f"of a backup. The data files in {data / 'main'} stay as they are"
        )
    snapshot = max(whole)
    for ending in ("-wal", "-shm", ".seal"):
        place.aside(path.with_name(path.name + ending))
    shutil.copyfile(whole[snapshot], data / f".{CATALOG}.copied")
    place.aside(path)
    with replaced(path) as file, (data / f".{CATALOG}.copied").open("rb") as source:
        shutil.copyfileobj(source, file)
    for left in data.glob(f".{CATALOG}.*"):
        left.unlink()
    newest = told.get("snapshot")
    if newest == snapshot:
        return Mended("catalog", CATALOG, "restored", f"commit {snapshot}, the newest that was sealed")
    return Mended("catalog", CATALOG, "restored", f"commit {snapshot}; what was committed later is lost", is_lost=True)


def _is_whole(path: Path, told: dict[str, object]) -> bool:
    if not path.exists() or problems_of(path):
        return False
    try:
        if catalog_snapshot(path) == told.get("snapshot"):
            same = path.name != COPY or hashlib.sha256(path.read_bytes()).hexdigest() == told["sha256"]
        else:
            same = True
        catalog_files(path.parent, path)
    except IgtoolError:
        return False
    return same


def _commit_of(path: Path) -> int:
    try:
        return catalog_snapshot(path)
    except IgtoolError:
        return -1


def mend_journal(cache: Path) -> Mended:
    """Move the journal away, and take over what can be read of it into a new one: what nothing else knows."""
    path, place = cache / "journal.sqlite", Place(cache)
    moved = place.aside(path)
    for ending in ("-wal", "-shm", ".seal"):
        place.aside(path.with_name(path.name + ending))
    Journal(cache, writable=False, shared=True).close()  # the lock is ours already
    taken = salvage(moved, path, _is_wanted) if moved.exists() else {}
    rows = ", ".join(f"{count} {name}" for name, count in sorted(taken.items())) or "no rows"
    return Mended("journal", path.name, "made anew", f"taken over: {rows}; the old one is {moved}", is_lost=True)


def _is_wanted(table: str, row: Mapping[str, object]) -> bool:
    """What is found anew stays out; of answers those whose bytes are what came."""
    if table in _FOUND_ANEW:
        return False
    if table == "answers":
        body = row["body"]
        return isinstance(body, bytes) and hashlib.sha256(body).hexdigest() == row["sha256"]
    return "row" not in row or _is_json(row["row"])


def _is_json(text: object) -> bool:
    try:
        return isinstance(json.loads(str(text)), dict)
    except ValueError:
        return False


# Data files ------------------------------------------------------------------------------------------------------


@dataclass
class MendedFiles:
    """What became of damaged data files: ``tables`` lost rows; ``answers``: those rows of them that are right."""

    done: list[Mended] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    answers: list[pa.Table] = field(default_factory=list)


def mend_files(
    data: Path, damaged: Sequence[Checked], recorded: dict[str, LakeFile], backup: Backup | None
) -> MendedFiles:
    """Put files back from the backup, and take those that it lacks out of the catalog, in one transaction."""
    result, place, lost = MendedFiles(), Place(data), []
    for one in damaged:
        if backup is not None and _put_back(data, one.file, recorded.get(one.file.path), backup, place):
            result.done.append(Mended("lake", one.file.path, "restored", "from the backup"))
        else:
            lost.append(one.file)
    if not lost:
        return result
    result.answers = [rows for file in lost if (rows := _right_answers(data, file)) is not None]
    gone = _with_others(data, lost)
    note_begun(data, (begun(data) or set()) | {file.table for file in gone})  # before the catalog lets go of them
    change(data / CATALOG, [statement for file in gone for statement in _taken_out(file)])
    for file in gone:
        place.aside(data / file.path)
        result.tables.add(file.table)
        result.done.append(_told(file, result.answers))
    return result


def _put_back(data: Path, file: CatalogFile, known: LakeFile | None, backup: Backup, place: Place) -> bool:
    """Whether the backup has this file as it was written; then it is in its place."""
    name = f"data/{file.path}"
    entry = backup.manifest.files.get(name)
    if entry is None or entry.bytes != file.size or (known is not None and entry.sha256 != known.sha256):
        return False
    place.aside(data / file.path)
    backup.copy_out(name, data / file.path)
    return True


def _with_others(data: Path, lost: Iterable[CatalogFile]) -> list[CatalogFile]:
    """What goes: damaged data files, those whose deleted rows would come back, and what deletes from either."""
    numbers = {file.data_file_id for file in lost}
    return [file for file in catalog_files(data) if file.data_file_id in numbers]


def _taken_out(file: CatalogFile) -> list[tuple[str, tuple[object, ...]]]:
    if file.kind != "data":
        return []
    statements: list[tuple[str, tuple[object, ...]]] = [
        (f"delete from {table} where data_file_id = ?", (file.data_file_id,)) for table in _BY_FILE
    ]
    fewer = "update ducklake_table_stats set record_count = max(0, record_count - ?) where table_id = ?"
    return [*statements, (fewer, (file.rows, file.table_id))]


def _told(file: CatalogFile, answers: Sequence[pa.Table]) -> Mended:
    where = f"{file.rows} rows of {file.table}"
    if file.kind == "delete":
        return Mended("lake", file.path, "moved aside", f"what deleted {where}")
    match origin_of(file.table):
        case "derived":
            makers = ", ".join(MAKERS[file.table]) or "all stages"
            return Mended("lake", file.path, "made anew", f"{where}, by {makers}")
        case "source" if file.table == "raw_responses" and answers:
            kept = sum(table.num_rows for table in answers)
            return Mended("lake", file.path, "lost", f"{where}, of which {kept} could be read", is_lost=True)
        case _:
            return Mended("lake", file.path, "lost", f"{where}; only a backup has them", is_lost=True)


def _right_answers(data: Path, file: CatalogFile) -> pa.Table | None:
    """Rows of a damaged file of answers whose body has the SHA-256 that it came with, and that nothing deletes."""
    deletes = any(one.kind == "delete" and one.data_file_id == file.data_file_id for one in catalog_files(data))
    if file.table != "raw_responses" or file.kind != "data" or deletes:
        return None
    found: list[pa.Table] = []
    with suppress(pa.ArrowException, OSError, ValueError), pq.ParquetFile(data / file.path) as opened:
        for number in range(opened.num_row_groups):
            with suppress(pa.ArrowException, OSError, ValueError):
                found.append(_right(opened.read_row_group(number)))
    return pa.concat_tables(found) if found else None


def _right(rows: pa.Table) -> pa.Table:
    bodies, told = rows.column("body").to_pylist(), rows.column("sha256").to_pylist()
    keep = [
        body is not None and hashlib.sha256(body.encode()).hexdigest() == sha
        for body, sha in zip(bodies, told, strict=True)
    ]
    return rows.filter(pa.array(keep, pa.bool_()))


def live_now(data: Path, recorded: dict[str, LakeFile]) -> list[Checked]:
    """Live files as they are now, with every byte read. Raises as `catalog_files`."""
    return check_files(FolderStore(data), [file for file in catalog_files(data) if file.is_live], recorded)


def begun(data: Path) -> set[str] | None:
    """Tables that a repair which was killed had yet to make anew; None where none was killed."""
    try:
        return {name for name in json.loads((data / BEGUN).read_bytes()) if name in TABLES}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        return set()


def note_begun(data: Path, tables: Iterable[str]) -> None:
    """Note which tables are to be made anew, until `note_done`."""
    with replaced(data / BEGUN) as file:
        file.write(json.dumps(sorted(tables)).encode())


def note_done(data: Path) -> None:
    """The repair is done."""
    (data / BEGUN).unlink(missing_ok=True)
    fsync(data)


def marker_is_whole(data: Path) -> bool:
    """Whether `lake.json` can be read."""
    try:
        read_marker(data)
    except IntegrityError:
        return False
    return (data / "lake.json").exists()
