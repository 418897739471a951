"""Plain Parquet snapshots of the tables in ``data/export``, for any other tool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from igtool.errors import StorageError
from igtool.files import fsync, make_folder
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import EXPORTED, TABLES

_PERSONAL = {"accounts": ("emails",)}
"""Columns that stay here unless the user wants them in the files."""
_VIEWS = {"embeddings": "current_embeddings"}
"""Tables of which only what is in use goes out."""


def export_tables(
    lake: Lake, journal: Journal, folder: Path, tables: Iterable[str] = EXPORTED, *, with_emails: bool = False
) -> list[str]:
    """Write ``folder/TABLE.parquet`` for each table that changed since its last export; names of those written.

    Each file is replaced as a whole. Rows are sorted by key, so that equal tables give equal rows in order.
    E-mail addresses are left out but ``with_emails``.
    """
    make_folder(folder)
    written = []
    for name in tables:
        path = folder / f"{name}.parquet"
        hidden = () if with_emails else _PERSONAL.get(name, ())
        version = "|".join([str(path.resolve()), *hidden])
        state = journal.stage_state(lake.lake_id, f"export {name}")
        fresh = state is not None and state[0] == version and state[1] <= lake.snapshot
        if fresh and state is not None and path.exists() and name not in lake.changed_since(state[1]):
            continue
        snapshot = lake.snapshot
        _write(lake, name, path, hidden)
        journal.record_stage(lake.lake_id, f"export {name}", version, snapshot)
        written.append(name)
    return written


def _write(lake: Lake, name: str, path: Path, hidden: Sequence[str]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    shown = f"* exclude ({', '.join(map(quote, hidden))})" if hidden else "*"
    keys = ", ".join(quote(key) for key in TABLES[name].key)
    source = quote(_VIEWS.get(name, name))
    target = str(temporary).replace("'", "''")
    try:
        lake.execute(
            f"copy (select {shown} from {source} order by {keys}) to '{target}' (format parquet, compression zstd)"
        )
        temporary.chmod(0o600)
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
