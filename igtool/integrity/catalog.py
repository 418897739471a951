"""The catalog of the lake: which files hold which tables. One in SQLite is read as the file that it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from igtool.errors import IntegrityError
from igtool.journal.sqlite_files import rows_of
from igtool.lake import Lake
from igtool.lake_catalogs import CATALOG
from igtool.lake_sql import META

_FILES = """
    select '{kind}', f.{id}, f.data_file_id, table_id, t.table_name, 'main/' || t.path || f.path, f.{rows},
           f.file_size_bytes, f.footer_size, f.end_snapshot is null and t.end_snapshot is null
    from {meta}ducklake_{kind}_file f
    join {meta}ducklake_table t using (table_id)
    where (table_id, t.begin_snapshot) in (select table_id, max(begin_snapshot) from {meta}ducklake_table group by 1)
    order by 1, 2
"""
_KINDS = (("data", "data_file_id", "record_count"), ("delete", "delete_file_id", "delete_count"))


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
    return _found(str(path), lambda query: rows_of(path, query), "")


def files_of(lake: Lake) -> list[CatalogFile]:
    """As `catalog_files`, of a lake that is open. Raises IntegrityError, RateLimitedError."""
    return _found(str(lake.place.catalog), lambda query: lake.execute(query).fetchall(), f"{META}.")


def data_path_of(folder: Path) -> str:
    """Where the catalog of the lake in ``folder`` says that its files are."""
    return str(rows_of(folder / CATALOG, "select max(value) from ducklake_metadata where key = 'data_path'")[0][0])


def _found(path: str, ask: Callable[[str], list[tuple[Any, ...]]], meta: str) -> list[CatalogFile]:
    found = []
    for kind, key, rows in _KINDS:
        for row in ask(_FILES.format(kind=kind, id=key, rows=rows, meta=meta)):
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
