"""Data files held against the catalog and against the SHA-256 of their commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from igtool.integrity.catalog import CatalogFile
from igtool.journal import LakeFile
from igtool.lake_files import described

_TAIL = 8
_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Checked:
    """A file with what is wrong with it, None if nothing is; ``adopted``: its SHA-256, which no commit had noted."""

    file: CatalogFile
    problem: str | None = None
    adopted: LakeFile | None = None


def check_files(
    folder: Path, files: Iterable[CatalogFile], recorded: Mapping[str, LakeFile], *, quick: bool = False
) -> list[Checked]:
    """Of each file of the lake in ``folder`` whether it has its size, its footer and, unless ``quick``, its bytes."""
    return [_check(folder, file, recorded.get(file.path), quick=quick) for file in files]


def _check(folder: Path, file: CatalogFile, known: LakeFile | None, *, quick: bool) -> Checked:
    path = folder / file.path
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return Checked(file, "is missing")
    except OSError as error:
        return Checked(file, f"cannot be read: {error.strerror}")
    if size != file.size or (known is not None and size != known.size):
        return Checked(file, f"has {size} bytes and had {file.size} when it was written")
    if problem := _footer_problem(path, file):
        return Checked(file, problem)
    if quick:
        return Checked(file)
    try:
        found = described(folder, path)
    except OSError as error:
        return Checked(file, f"cannot be read: {error.strerror}")
    if known is not None:
        return Checked(file, None if found == known else "differs from what was written (SHA-256)")
    problem = _unreadable(path, file)
    return Checked(file, problem, None if problem else found)


def _footer_problem(path: Path, file: CatalogFile) -> str | None:
    """The end of the file: length of the footer and the word that closes it."""
    try:
        with path.open("rb") as opened:
            opened.seek(-_TAIL, 2)
            tail = opened.read(_TAIL)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if tail[4:] != _MAGIC or int.from_bytes(tail[:4], "little") != file.footer_size:
        return "has another footer than when it was written"
    return None


def _unreadable(path: Path, file: CatalogFile) -> str | None:
    """What is wrong with a file whose checksum a crash lost: all of it is read."""
    try:
        with pq.ParquetFile(path) as opened:
            rows = sum(batch.num_rows for batch in opened.iter_batches())
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"cannot be read: {error}"
    return None if rows == file.rows else f"has {rows} rows and the catalog says {file.rows}"
