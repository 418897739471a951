"""Data files held against the catalog and against the SHA-256 of their commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from igtool.integrity.catalog import CatalogFile
from igtool.journal import LakeFile
from igtool.lake_stores import Store

_TAIL = 8
_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Checked:
    """A file with what is wrong with it, None if nothing is; ``adopted``: its SHA-256, which no commit had noted."""

    file: CatalogFile
    problem: str | None = None
    adopted: LakeFile | None = None


def check_files(
    store: Store, files: Iterable[CatalogFile], recorded: Mapping[str, LakeFile], *, quick: bool = False
) -> list[Checked]:
    """Of each file of the lake whether it has its size, its footer and, unless ``quick``, its bytes.

    Of an object store ``quick`` looks at sizes alone.
    """
    return [_check(store, file, recorded.get(file.path), quick=quick) for file in files]


def _check(store: Store, file: CatalogFile, known: LakeFile | None, *, quick: bool) -> Checked:
    try:
        size = store.size(file.path)
    except FileNotFoundError:
        return Checked(file, "is missing")
    except OSError as error:
        return Checked(file, f"cannot be read: {error.strerror}")
    if size != file.size or (known is not None and size != known.size):
        return Checked(file, f"has {size} bytes and had {file.size} when it was written")
    if (store.is_near or not quick) and (problem := _footer_problem(store, file)):
        return Checked(file, problem)
    if quick:
        return Checked(file)
    try:
        found = store.described(file.path)
    except OSError as error:
        return Checked(file, f"cannot be read: {error.strerror}")
    if known is not None:
        return Checked(file, None if found == known else "differs from what was written (SHA-256)")
    problem = _unreadable(store, file)
    return Checked(file, problem, None if problem else found)


def _footer_problem(store: Store, file: CatalogFile) -> str | None:
    """The end of the file: length of the footer and the word that closes it."""
    try:
        with store.open(file.path) as opened:
            opened.seek(-_TAIL, 2)
            tail = opened.read(_TAIL)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if tail[4:] != _MAGIC or int.from_bytes(tail[:4], "little") != file.footer_size:
        return "has another footer than when it was written"
    return None


def _unreadable(store: Store, file: CatalogFile) -> str | None:
    """What is wrong with a file whose checksum a crash lost: all of it is read."""
    try:
        with store.open(file.path) as source, pq.ParquetFile(source) as opened:
            rows = sum(batch.num_rows for batch in opened.iter_batches())
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"cannot be read: {error}"
    return None if rows == file.rows else f"has {rows} rows and the catalog says {file.rows}"
