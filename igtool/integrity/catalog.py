"""The catalog of the lake, read as the SQLite file that it is: which files hold which tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from igtool.errors import IntegrityError
from igtool.journal.sqlite_files import rows_of
from igtool.lake_files import CATALOG

_FILES = """
    select '{kind}', f.{id}, f.data_file_id, t.table_id, t.table_name, 'main/' || t.path || f.path, f.{rows},
           f.file_size_bytes, f.footer_size, f.end_snapshot is null and t.end_snapshot is null
    from ducklake_{kind}_file f
    join (select table_id, table_name, path, end_snapshot, max(begin_snapshot) from ducklake_table group by table_id) t
    using (table_id) order by 1, 2
"""


@dataclass(frozen=True)
class CatalogFile:
    """A data file (``kind`` data) or one of deleted rows (delete), as the catalog has it.

    ``path`` is relative to the lake; ``data_file_id`` is its own number, or that of the file whose rows it deletes.
    ``is_live``: the newest snapshot reads it.
    """

    kind: str
    file_id: int
    data_file_id: int
    table_id: int
    table: str
    path: str
    rows: int
    size: int
    footer_size: int
    is_live: bool


def catalog_files(folder: Path, catalog: Path | None = None) -> list[CatalogFile]:
    """Every file that the catalog of the lake in ``folder``, or ``catalog``, names.

    Raises IntegrityError, LockedError, StorageError.
    """
    path = catalog or folder / CATALOG
    found = []
    for kind, key, rows in (("data", "data_file_id", "record_count"), ("delete", "delete_file_id", "delete_count")):
        for row in rows_of(path, _FILES.format(kind=kind, id=key, rows=rows)):
            try:
                size, footer = int(row[7]), int(row[8])
                one = CatalogFile(
                    row[0], row[1], row[2], row[3], str(row[4]), str(row[5]), int(row[6]), size, footer, bool(row[9])
                )
            except (TypeError, ValueError) as error:
                raise IntegrityError(f"the catalog {path} is damaged: it has no sense in {row[5]!r:.200}") from error
            found.append(one)
    return found


def catalog_snapshot(catalog: Path) -> int:
    """Number of the newest commit that a catalog knows. Raises IntegrityError, LockedError, StorageError."""
    value = rows_of(catalog, "select max(snapshot_id) from ducklake_snapshot")[0][0]
    if not isinstance(value, int):
        raise IntegrityError(f"the catalog {catalog} is damaged: it knows no commit")
    return value


def check_paths(catalog: Path) -> None:
    """Raises IntegrityError where ``catalog``, of which nobody knows who wrote it, names files outside of its lake.

    Also for programs in it: DuckLake makes neither triggers nor views of SQLite.
    """
    kinds = ("data_file", "delete_file", "table", "schema")
    query = " union all ".join(f"select path, path_is_relative from ducklake_{kind}" for kind in kinds)
    for path, is_relative in rows_of(catalog, query):
        parts = PurePosixPath(str(path)).parts
        if not is_relative or ".." in parts or "/" in parts:
            raise IntegrityError(
                f"the catalog {catalog} names {path!r:.200}, which is outside of the lake: nothing is read"
            )
    if rows_of(catalog, "select 1 from sqlite_master where type in ('trigger', 'view') limit 1"):
        raise IntegrityError(
            f"the catalog {catalog} holds triggers or views, which igtool never makes: nothing is read"
        )


def scheduled(folder: Path) -> set[str]:
    """Paths, relative to the lake, of files that are to be deleted. Raises as `catalog_files`."""
    return {
        str(path) if is_relative else Path(path).relative_to(folder).as_posix()
        for path, is_relative in rows_of(
            folder / CATALOG, "select path, path_is_relative from ducklake_files_scheduled_for_deletion"
        )
        if is_relative or Path(path).is_relative_to(folder)
    }
