"""DuckDB's errors as ours: what failed, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from igtool.errors import ConfigError, IntegrityError, LockedError, StorageError
from igtool.journal.sqlite_files import seal_state

_UNREADABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
_OF_PARQUET = (
    "no magic bytes", "corrupt", "parquet", "invalid string encoding", "decompression", "invalid unicode",
    "inlined data from ducklake", "failed to load ducklake",
)  # fmt: skip


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """DuckDB's errors as ours."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        lowered = text.lower()
        if any(sign in lowered for sign in ("no space left", "disk is full", "disk i/o error", "file too large")):
            raise StorageError(
                f"no space left in {place}: free some space, then run the same command again (nothing is lost)"
            ) from error
        if "permission denied" in lowered or "readonly database" in lowered or "read-only file system" in lowered:
            raise StorageError(f"no permission in {place}: check its owner and mode ({text})") from error
        if "database is locked" in lowered:
            raise LockedError(f"{place} is locked by another process: run the same command again later") from error
        if "catalog version" in lowered or "ducklake version" in lowered:
            raise ConfigError(f"{place} was written by another DuckLake version: {text}") from error
        damaged = (
            "malformed",
            "not a database",
            "no such file",
            "cannot open file",
            "too small to be a parquet",
        )
        # What reads Parquet raises these for bytes that make no sense; a query by itself never does.
        is_unreadable = type(error) is duckdb.Error or isinstance(error, _UNREADABLE)
        is_unreadable = is_unreadable or any(sign in lowered for sign in (*damaged, *_OF_PARQUET))
        if is_unreadable or seal_state(place / "catalog.sqlite") == "damaged":
            raise IntegrityError(f"the lake in {place} is damaged: run `igtool verify` ({text})") from error
        raise
