"""``igtool move``: the tables of the lake in data/, copied to where the settings say that the lake lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from igtool.errors import ConfigError, IntegrityError, UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.places import LakePlace
from igtool.schema import TABLES
from igtool.search.folder import discard
from igtool.settings import Settings

_PART_BYTES = 64_000_000


@dataclass(frozen=True)
class Moved:
    """Rows that were copied, by table, and the catalog and the data files as they are named."""

    rows: dict[str, int]
    catalog: str
    data_path: str


def move(settings: Settings) -> Moved:
    """Copy all tables in one commit; data/ stays as it is, but for the search index, which is of the old lake.

    It is done again from the beginning when it was killed.

    Raises ConfigError (the settings name no other place), UsageError (nothing is in data/, something is there),
    LockedError (something writes here or there), StorageError, IntegrityError, RateLimitedError.
    """
    if settings.lake.catalog is None:
        raise ConfigError("there is nowhere to move to: set catalog, and data_path, first (docs/postgres-s3.md)")
    source = LakePlace(settings.data)
    if not source.is_made:
        raise UsageError(f"there is no lake in {settings.data.resolve()}: there is nothing to move")
    with (
        Journal(settings.cache, writable=True) as journal,
        Lake(source, writable=False, offline=settings.offline) as old,
        Lake(settings.lake, writable=True, offline=settings.offline, on_files=journal.record_lake_files) as new,
    ):
        if filled := [name for name in TABLES if new.value(f"select 1 from {quote(name)} limit 1")]:
            raise UsageError(
                f"the lake there is not empty ({', '.join(filled[:3])}): name an empty database and prefix"
            )
        with new.transaction():
            for name in TABLES:
                for rows in _parts(old, name):
                    new.append(name, rows)
            rows = {name: _count(new, name) for name in TABLES}
            if lost := [name for name, count in rows.items() if count != _count(old, name)]:
                raise IntegrityError(f"rows of {', '.join(lost)} did not arrive: nothing was changed, try again")
        discard(settings.data / "index")
        return Moved({name: count for name, count in rows.items() if count}, new.catalog.told(), new.store.url)


def _parts(lake: Lake, name: str) -> Iterator[pa.Table]:
    """The rows of a table in parts that fit into memory and make files of a good size."""
    part: list[pa.RecordBatch] = []
    for batch in lake.batches(f"from {quote(name)}"):
        part.append(batch)
        if sum(one.nbytes for one in part) >= _PART_BYTES:
            yield pa.Table.from_batches(part)
            part = []
    if part:
        yield pa.Table.from_batches(part)


def _count(lake: Lake, name: str) -> int:
    return int(lake.value(f"select count(*) from {quote(name)}"))
