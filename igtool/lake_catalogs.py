"""The catalog of the lake: an SQLite file beside the data, or a database that machines share (`lake_postgres`)."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import duckdb

from igtool.errors import IntegrityError
from igtool.files import make_file, replaced
from igtool.journal import compact
from igtool.journal.sqlite_files import alone, check_seal, entered, left, seal, seal_state, sealed_as
from igtool.lake_migrations import KEPT, keep_before, read_marker, write_marker
from igtool.places import LakePlace
from igtool.schema import SCHEMA_VERSION

CATALOG = "catalog.sqlite"
COPY = "catalog.copy.sqlite"
"""The catalog as its last writer left it, byte for byte: all files that it names are still there for days."""
_SNAPSHOT = "select max(snapshot_id) as snapshot from ducklake_snapshot"


class Catalog(ABC):
    """What differs between the places that a catalog may be in; one for each open lake."""

    extensions: tuple[str, ...] = ()
    """Of DuckDB, that it takes."""
    address: str
    """What DuckLake is told after ``ducklake:``."""
    options = ""
    """What DuckLake is told besides; begins with a comma."""

    def __init__(self, place: LakePlace, *, writable: bool) -> None:
        self.place = place
        self.is_writable = writable

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - nothing is to be done by default
        """Make ``connection``, in which no lake is attached yet, fit for this catalog."""

    @abstractmethod
    def told(self) -> str:
        """Where it is, when it is open, without secrets."""

    @abstractmethod
    def opening(self) -> AbstractContextManager[bool]:
        """A block in which the catalog is looked at before it is opened: whether nobody else in this process has it."""

    @abstractmethod
    def known(self) -> dict[str, Any]:
        """``lake_id`` and ``schema_version`` of the lake; 0 and a new id where there is none."""

    @abstractmethod
    def note(self, lake_id: str, version: int) -> None:
        """Say which lake this is from now on."""

    def check_before(self, version: int, *, is_alone: bool) -> None:  # noqa: B027
        """Look at a catalog of ``version`` before it is opened; of an older one a copy is kept, where that can be."""

    def check_after(self, snapshot: int) -> None:  # noqa: B027
        """Look at it when it is open. Raises IntegrityError where it is older than it was."""

    def writing(self) -> AbstractContextManager[None]:
        """A block in which nobody else writes; it may be entered again inside of itself. Raises LockedError."""
        return nullcontext()

    def check_writing(self) -> None:  # noqa: B027
        """Raises LockedError where the right of `writing` was lost."""

    @abstractmethod
    def close(self, *, is_done: bool) -> None:
        """After the connection was closed; ``is_done``: by who wrote for long and has ended well."""

    @abstractmethod
    def compact(self) -> bool:
        """While the connection is closed: leave nothing deleted in it. False where others hinder that."""


class SqliteCatalog(Catalog):
    """A file in the folder of the lake: one process writes, and holds the file lock of the lake for that."""

    extensions = ("sqlite_scanner",)

    def __init__(self, place: LakePlace, *, writable: bool) -> None:
        super().__init__(place, writable=writable)
        self.path = place.folder / CATALOG
        self.address = f"sqlite:{self.path}"
        self.options = ", META_BUSY_TIMEOUT 30000" + (", META_JOURNAL_MODE 'WAL'" if writable else "")
        self._is_entered = False

    def told(self) -> str:
        """See `Catalog.told`."""
        return f"SQLite, {self.path}"

    @contextmanager
    def opening(self) -> Iterator[bool]:
        """See `Catalog.opening`: nothing in this process opens it in the block."""
        with alone(self.path) as is_alone:
            yield is_alone
            if self.is_writable:
                make_file(self.path)
            entered(self.path)
            self._is_entered = True

    def known(self) -> dict[str, Any]:
        """See `Catalog.known`. Raises IntegrityError, ConfigError."""
        return read_marker(self.place.folder)

    def note(self, lake_id: str, version: int) -> None:
        """See `Catalog.note`. Raises StorageError."""
        write_marker(self.place.marker, lake_id, version)

    def check_before(self, version: int, *, is_alone: bool) -> None:
        """See `Catalog.check_before`. Raises IntegrityError, StorageError."""
        if self.is_writable and version and is_alone:
            check_seal(self.path)
        if 0 < version < SCHEMA_VERSION:
            keep_before(self.place.folder, version)

    def check_after(self, snapshot: int) -> None:
        """See `Catalog.check_after`."""
        check_age(self.place.folder, snapshot)

    def close(self, *, is_done: bool) -> None:
        """Seal it."""
        if not self._is_entered:
            return
        self._is_entered = False
        left(self.path)
        with alone(self.path) as is_alone:
            if is_done and is_alone:
                seal_catalog(self.place.folder)

    def compact(self) -> bool:
        """See `Catalog.compact`: copies of it go."""
        (self.place.folder / COPY).unlink(missing_ok=True)
        shutil.rmtree(self.place.folder / KEPT, ignore_errors=True)
        with alone(self.path, own=1) as is_alone:
            return is_alone and compact(self.path)


def catalog_of(place: LakePlace, *, writable: bool) -> Catalog:
    """The catalog that ``place`` names."""
    if place.catalog is None:
        return SqliteCatalog(place, writable=writable)
    from igtool.lake_postgres import PostgresCatalog

    return PostgresCatalog(place, writable=writable)


def seal_catalog(folder: Path) -> None:
    """Seal the catalog that was closed, and keep a copy of it. Raises StorageError."""
    path = folder / CATALOG
    if seal(path, told=_SNAPSHOT) or (not (folder / COPY).exists() and seal_state(path) == "sealed"):
        with replaced(folder / COPY) as copy, path.open("rb") as file:
            shutil.copyfileobj(file, copy)


def check_age(folder: Path, snapshot: int) -> None:
    """Raises IntegrityError where the catalog, which is at ``snapshot``, is older than when it was sealed."""
    told = sealed_as(folder / CATALOG) or {}
    if snapshot < int(told.get("snapshot", snapshot)):
        raise IntegrityError(
            f"the catalog {folder / CATALOG} is an older one (commit {snapshot}, there were {told['snapshot']}): "
            "`igtool verify --repair` puts the copy of the newest in place"
        )
