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
_NEVER_CHANGED = (
    "ducklake_data_file", "ducklake_delete_file", "ducklake_file_column_stats", "ducklake_column", "ducklake_table",
)  # fmt: skip
_NUMBERS = ("row_id", "data_file_id", "delete_file_id", "table_id", "column_id", "begin_snapshot")


@dataclass(frozen=True)
class _Row:
    """A row of the catalog: the commit that ended it (None: it holds; 0: such rows do not end), and what it says."""

    ended_by: Any
    says: dict[str, Any]


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


def changed_tables(catalog: Path, sealed: Path) -> list[str]:
    """Tables of a catalog with rows that no commit changed and that say something else than in its sealed copy.

    A row of DuckLake never changes but for the commit that ends it. Without a commit since the copy no row that still
    holds comes or goes either. Raises IntegrityError, LockedError, StorageError.
    """
    last = catalog_snapshot(sealed)
    is_same_commit = catalog_snapshot(catalog) == last
    names = (
        "select name from sqlite_master where type = 'table' and name glob 'ducklake_inlined_data_[0-9]*' order by 1"
    )
    found = []
    for name in [*_NEVER_CHANGED, *(str(row[0]) for row in rows_of(sealed, names))]:
        before, now = _rows(sealed, name), _rows(catalog, name)
        is_changed = any(_is_changed(before[key], now[key], last) for key in before.keys() & now.keys())
        if is_changed or (is_same_commit and _holding(before) != _holding(now)):
            found.append(name)
    return found


def _rows(catalog: Path, name: str) -> dict[tuple[Any, ...], _Row]:
    """The rows of a table by what numbers them."""
    columns = [str(row[0]) for row in rows_of(catalog, "select name from pragma_table_info(?)", (name,))]
    found = {}
    for row in rows_of(catalog, f'select * from "{name}"'):
        one = dict(zip(columns, row, strict=True))
        key = tuple(one.pop(column, None) for column in _NUMBERS)
        found[key] = _Row(one.pop("end_snapshot", 0), one)
    return found


def _is_changed(before: _Row, now: _Row, last: int) -> bool:
    """Whether a row differs by more than that a commit after ``last`` ended it."""
    is_ended_since = before.ended_by is None and isinstance(now.ended_by, int) and now.ended_by > last
    return before.says != now.says or not (before.ended_by == now.ended_by or is_ended_since)


def _holding(rows: dict[tuple[Any, ...], _Row]) -> set[tuple[Any, ...]]:
    return {key for key, row in rows.items() if row.ended_by is None}
