"""DuckDB's errors as ours: what failed, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from igtool.errors import ConfigError, IgtoolError, IntegrityError, LockedError, RateLimitedError, StorageError
from igtool.journal.sqlite_files import seal_state

_UNREADABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
_OF_LAKE = (
    "no magic bytes", "corrupt", "parquet", "invalid string encoding", "decompression", "invalid unicode",
    "inlined data from ducklake", "failed to load ducklake", "ducklake type", "unrecognized nested type",
    "information from ducklake", "from an unsuccessful query result", "failed to cast value: timestamp field value",
)  # fmt: skip
_UNTOLD = ("failed to probe ducklake metadata", "failed to initialize ducklake")
"""What it read or wrote before failed, and it does not say why."""
_REFUSED = (
    "authentication failed", "no password supplied", "no pg_hba.conf entry", "permission denied for", "does not exist",
    "could not translate host name", "certificate", "ssl",
)  # fmt: skip
_OF_POSTGRES = (
    "postgres", "server closed the connection", "terminating connection", "could not receive data", "lost connection",
)  # fmt: skip
_OF_STORE = ("http get", "http head", "http put", "http post", "http error", "httpexception", "s3://")
_STORE_REFUSED = ("403", "401", "301", "(400", "nosuchbucket", "accessdenied", "invalidaccesskeyid", "signature")


def _of_network(error: duckdb.Error) -> IgtoolError | None:
    """What a catalog or a store on the network made of a query; None where it is about something else."""
    text = str(error).strip()
    lowered, first = text.lower(), " ".join(text.split())[:400]
    if "canceling statement due to lock timeout" in lowered or "transaction conflict" in lowered:
        return LockedError(f"others write to the same lake: run the same command again ({first})")
    if any(sign in lowered for sign in _OF_POSTGRES):
        if any(sign in lowered for sign in _REFUSED):
            return ConfigError(f"the catalog lets igtool not in: see catalog and catalog_password ({first})")
        if any(sign in lowered for sign in ("connect", "server", "shut")):
            return RateLimitedError(f"the catalog does not answer: run the same command again later ({first})")
    if isinstance(error, duckdb.HTTPException) or any(sign in lowered for sign in _OF_STORE):
        if any(sign in lowered for sign in _STORE_REFUSED):
            return ConfigError(f"the object store refuses: see data_path and the s3_ settings ({first})")
        if "404" in lowered:
            return IntegrityError(f"an object of the lake is missing: run `igtool verify` ({first})")
        if isinstance(error, (duckdb.HTTPException, duckdb.IOException)):
            return RateLimitedError(f"the object store does not answer: run the same command again later ({first})")
    return None


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """DuckDB's errors as ours."""
    try:
        yield
    except duckdb.Error as error:
        if (known := _of_network(error)) is not None:
            raise known from error
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
        is_unreadable = is_unreadable or any(sign in lowered for sign in (*damaged, *_OF_LAKE))
        if is_unreadable or seal_state(place / "catalog.sqlite") == "damaged":
            raise IntegrityError(f"the lake in {place} is damaged: run `igtool verify` ({text})") from error
        if any(sign in lowered for sign in _UNTOLD):
            raise StorageError(
                f"cannot use the catalog in {place}: run it again, and `igtool verify` if that fails too ({text})"
            ) from error
        raise
