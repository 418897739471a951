"""Where the data files of the lake lie: a folder, or a prefix of an object store. Names are relative to it."""

from __future__ import annotations

import hashlib
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

from igtool.errors import ConfigError, IntegrityError
from igtool.files import fsync, replaced, storage_error
from igtool.journal import LakeFile
from igtool.lake_errors import translated
from igtool.lake_sql import META, literal
from igtool.places import LakePlace, StoreAccess

if TYPE_CHECKING:
    from igtool.lake_files import LakeFiles

_OWNER = "igtool-lake.json"
"""Beside the data files that lie elsewhere than their catalog: whose they are."""
_LARGEST_OBJECT = "128MB"
"""An object is read as a whole to hash it."""
_COARSE_S = 2.0
"""Times of change lag behind the clock by a tick, on some file systems by so much."""

_NO_FILE = 1 << 62
"""Numbers from here on are of no file that the catalog knows."""


class Store(ABC):
    """What differs between places of data files."""

    extensions: tuple[str, ...] = ()
    """Of DuckDB, that it takes."""
    url: str
    """What DuckLake is told as its DATA_PATH."""
    largest: str | None = None
    """How large data files are to become, as DuckLake takes it; None: as it likes."""
    is_near = True
    """Whether a part of a file is had without reading all of it."""

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - nothing is to be done by default
        """Make ``connection`` fit for these files, and use it from now on."""

    @abstractmethod
    def claim(self, lake_id: str, *, is_new: bool) -> None:
        """See that the files are those of this lake. Raises ConfigError where they are another one's."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file. Raises FileNotFoundError, OSError."""

    @abstractmethod
    def open(self, name: str) -> io.BufferedIOBase:
        """A file, to be read. Raises FileNotFoundError, OSError."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Every data file that is there, named by a catalog or not, with its bytes."""

    @abstractmethod
    def remove(self, names: Iterable[str], lake: LakeFiles) -> None:
        """Delete files that ``lake``, whose catalog does not name them, is the only one to write."""

    def sync_since(self, began: float) -> None:  # noqa: B027 - an object that was put stays
        """Make sure that what was written since then (seconds since 1970) stays, before a commit names it.

        DuckLake writes files within its transaction and syncs none. Raises StorageError.
        """

    def kept(self, names: Iterable[str]) -> list[LakeFile]:
        """New files when they are sure to stay, with their SHA-256."""
        return [self.described(name) for name in names]

    def described(self, name: str) -> LakeFile:
        """A file with its size and SHA-256."""
        with self.open(name) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return LakeFile(name, file.seek(0, io.SEEK_END), digest)


class FolderStore(Store):
    """Files of this machine, or of a file system that several machines mount: 1.5 GB/s are hashed."""

    def __init__(self, root: Path, *, is_elsewhere: bool = False) -> None:
        self.root = root
        self.url = f"{root}/"
        self._is_elsewhere = is_elsewhere
        self._synced: frozenset[Path] = frozenset()
        """Data files of the last moments, which are never changed, that are on disk."""

    def claim(self, lake_id: str, *, is_new: bool) -> None:
        """See `Store.claim`; files beside their catalog are its own. Raises ConfigError, StorageError."""
        if not self._is_elsewhere:
            return
        path = self.root / _OWNER
        found = path.read_bytes() if path.exists() else None
        if _is_claimed(found, lake_id, self.url, is_new=is_new):
            return
        with replaced(path) as file:
            file.write(_claim(lake_id))

    def size(self, name: str) -> int:
        """See `Store.size`."""
        return (self.root / name).stat().st_size

    def open(self, name: str) -> io.BufferedIOBase:
        """See `Store.open`."""
        return (self.root / name).open("rb")

    def sizes(self) -> dict[str, int]:
        """See `Store.sizes`: the folder may also hold exports."""
        there = (self.root / "main").rglob("*.parquet")
        return {path.relative_to(self.root).as_posix(): path.stat().st_size for path in there}

    def remove(self, names: Iterable[str], lake: LakeFiles) -> None:  # noqa: ARG002 - an object store needs it
        """See `Store.remove`."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def sync_since(self, began: float) -> None:
        """See `Store.sync_since`: files and their names."""
        since, seen = began - _COARSE_S, set()
        for name, _, files in os.walk(self.root / "main"):
            folder = Path(name)
            try:
                if folder.stat().st_mtime < since:
                    continue
                new = [path for path in (folder / file for file in files) if path.stat().st_mtime >= since]
                seen.update(new)
                if unsynced := [path for path in new if path not in self._synced]:
                    for path in unsynced:
                        fsync(path)
                    fsync(folder)
                    fsync(folder.parent)
            except OSError as error:
                raise storage_error(error, folder) from error
        self._synced = frozenset(seen)

    def kept(self, names: Iterable[str]) -> list[LakeFile]:
        """See `Store.kept`."""
        files = []
        for name in names:
            path = self.root / name
            if path not in self._synced:
                fsync(path)
                fsync(path.parent)
            files.append(self.described(name))
        return files


class BucketStore(Store):
    """Objects under a prefix of a bucket. An object that was put is durable; it is read back to hash what is there."""

    extensions = ("httpfs",)
    largest = _LARGEST_OBJECT
    is_near = False
    _connection: duckdb.DuckDBPyConnection

    def __init__(self, url: str, access: StoreAccess, folder: Path) -> None:
        self.url = f"{url}/"
        self._access = access
        self._folder = folder

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """See `Store.prepare`. Raises ConfigError where there is no key."""
        access = self._access if self._access.key_id else _of_machine(self._access)
        options: dict[str, str | None] = {
            "key_id": access.key_id,
            "secret": access.secret,
            "session_token": access.session_token,
            "region": access.region,
            "url_style": "path" if access.path_style else "vhost",
        }
        is_plain = False
        if access.endpoint:
            parts = urlsplit(access.endpoint)
            options["endpoint"], is_plain = parts.netloc, parts.scheme == "http"
        told = "".join(f", {name} {literal(value)}" for name, value in options.items() if value)
        connection.execute(
            f"create or replace secret lake_files (type s3{told}, use_ssl {not is_plain}, scope {literal(self.url)})"
        )
        self._connection = connection

    def claim(self, lake_id: str, *, is_new: bool) -> None:
        """See `Store.claim`. Raises ConfigError, RateLimitedError."""
        try:
            with self.open(_OWNER) as file:
                found: bytes | None = file.read()
        except FileNotFoundError:
            found = None
        if not _is_claimed(found, lake_id, self.url, is_new=is_new):
            query = f"copy (select {literal(lake_id)} as lake_id) to {literal(self.url + _OWNER)} (format json)"
            self._ask(query)

    def size(self, name: str) -> int:
        """See `Store.size`."""
        rows = self._ask(f"select size from read_blob({literal(self.url + name)})")
        if not rows:
            raise FileNotFoundError(name)
        return int(rows[0][0])

    def open(self, name: str) -> io.BufferedIOBase:
        """See `Store.open`: the whole object, in memory."""
        rows = self._ask(f"select content from read_blob({literal(self.url + name)})")
        if not rows:
            raise FileNotFoundError(name)
        return io.BytesIO(rows[0][0])

    def sizes(self) -> dict[str, int]:
        """See `Store.sizes`."""
        pattern = literal(f"{self.url}main/**/*.parquet")
        rows = self._ask(f"select filename, size from read_blob({pattern})")
        return {str(name).removeprefix(self.url): int(size) for name, size in rows}

    def remove(self, names: Iterable[str], lake: LakeFiles) -> None:
        """See `Store.remove`: DuckDB deletes objects for DuckLake alone, so they are put on its list."""
        rows = [f"({_NO_FILE + n}, {literal(name)}, true, timestamptz '1970-01-01')" for n, name in enumerate(names)]
        if not rows:
            return
        columns = "(data_file_id, path, path_is_relative, schedule_start)"
        lake.execute(f"insert into {META}.ducklake_files_scheduled_for_deletion {columns} values {', '.join(rows)}")
        lake.execute("call ducklake_cleanup_old_files('lake', older_than => timestamptz '1971-01-01')")

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor, translated(self._folder):
            try:
                return cursor.execute(query).fetchall()
            except duckdb.Error as error:
                if _is_absent(error):
                    return []
                raise


def store_of(place: LakePlace) -> Store:
    """The data files that ``place`` names."""
    if place.data_path is None:
        return FolderStore(place.folder, is_elsewhere=place.catalog is not None)
    if place.data_path.startswith("s3://"):
        return BucketStore(place.data_path, place.access, place.folder)
    return FolderStore(Path(place.data_path), is_elsewhere=True)


def check_data_path(known: object) -> None:
    """Raises ConfigError where a lake whose data path was ``known`` to be in a store is opened without that setting."""
    if "://" in str(known):
        raise ConfigError(
            f"the data files of this lake are in {known}: set data_path, as it was when they were written"
        )


def _is_absent(error: duckdb.Error) -> bool:
    text = str(error)
    return "No files found" in text or ("404" in text and "NoSuchBucket" not in text)


def _claim(lake_id: str) -> bytes:
    return json.dumps({"lake_id": lake_id}).encode()


def _is_claimed(found: bytes | None, lake_id: str, url: str, *, is_new: bool) -> bool:
    """Whether the files are this lake's; False where they are nobody's yet. Raises ConfigError."""
    if found is None:
        if is_new:
            return False
        raise ConfigError(
            f"the data files of this lake are not in {url}: mend data_path, or move them (docs/postgres-s3.md)"
        )
    try:
        known: Mapping[str, object] = json.loads(found)
        owner = known["lake_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f'{url}{_OWNER} is damaged: write {{"lake_id": {json.dumps(lake_id)}}} there') from error
    if owner != lake_id:
        raise ConfigError(
            f"the files in {url} are of another lake ({str(owner)[:8]}): name a place that nothing else uses"
        )
    return True


def _of_machine(access: StoreAccess) -> StoreAccess:
    """The key that the AWS profile or the role of this machine gives. Raises ConfigError."""
    try:
        import boto3  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            "there is no key of the object store: set s3_key_id and s3_secret in .env (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY), or install igtool[s3] for profiles and roles"
        ) from error
    session = boto3.Session()
    found = session.get_credentials()
    if found is None:
        raise ConfigError(
            "there is no key of the object store: set s3_key_id and s3_secret in .env (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY), or a profile or role of AWS"
        )
    key = found.get_frozen_credentials()
    region = access.region or session.region_name
    return StoreAccess(key.access_key, key.secret_key, key.token, region, access.endpoint, access.path_style)
