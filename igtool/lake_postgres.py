"""The catalog of the lake in a PostgreSQL database, which several machines write to, one commit after the other.

DuckLake alone notices two writers that change the same rows, but not two that insert the same key. So a writer holds
an advisory lock from before its transaction begins until its files are noted. The lock is of a transaction of its own:
it ends with the connection, when the process dies too.
"""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

from igtool.errors import ConfigError, IgtoolError, LockedError
from igtool.lake_catalogs import Catalog
from igtool.lake_errors import translated
from igtool.lake_migrations import write_marker
from igtool.lake_sql import literal
from igtool.places import LakePlace
from igtool.schema import SCHEMA_VERSION

PATIENCE_S = 600.0
_LOOK_S = (0.01, 0.05)
_VACUUM_WAITS_MS = 5_000
_LOCK = 0x6967746F6F6C
_SERVER = "lake_server"
_MARKER = "igtool_lake"
_LIVELY = "connect_timeout=10 keepalives_idle=15 keepalives_interval=5 keepalives_count=3"
"""A machine that vanished is noticed, and its lock ends, after half a minute."""
_OURS = "n.nspname = current_schema() and (c.relname like 'ducklake\\_%' or c.relname = 'igtool_lake')"


class PostgresCatalog(Catalog):
    """See the module."""

    extensions = ("postgres_scanner",)
    _connection: duckdb.DuckDBPyConnection

    def __init__(self, place: LakePlace, *, writable: bool) -> None:
        super().__init__(place, writable=writable)
        name = f"application_name='igtool {socket.gethostname()[:30]} {os.getpid()}'"
        self._keywords = f"{place.catalog} {_LIVELY} {name}"
        self.address = f"postgres:{self._keywords}"
        self.options = ", META_SECRET 'lake_catalog'"
        self._lock: duckdb.DuckDBPyConnection | None = None
        self._depth = 0

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attach the server itself. Raises ConfigError (it lets us not in), RateLimitedError (it does not answer)."""
        given = f", password {literal(self.place.password)}" if self.place.password else ""
        connection.execute(f"create or replace secret lake_catalog (type postgres{given})")
        address = literal(f"{self._keywords} options='-c lock_timeout={_VACUUM_WAITS_MS}'")
        mode = "" if self.is_writable else ", read_only"
        with translated(self.place.folder):
            connection.execute(f"attach {address} as {_SERVER} (type postgres, secret lake_catalog{mode})")
        self._connection = connection

    def told(self) -> str:
        """See `Catalog.told`: with what the server is, and whether the way to it is encrypted."""
        query = (
            "select current_setting('server_version'), coalesce((select ssl from pg_stat_ssl where pid = "
            "pg_backend_pid()), false)"
        )
        version, is_encrypted = self._rows(query)[0]
        return f"PostgreSQL {version}, {self.place.catalog}, {'TLS' if is_encrypted else 'not encrypted'}"

    @contextmanager
    def opening(self) -> Iterator[bool]:
        """See `Catalog.opening`: there is nothing to take care of."""
        yield True

    def known(self) -> dict[str, Any]:
        """See `Catalog.known`; it is noted beside the workspace's files. Raises ConfigError (a newer igtool's lake)."""
        there = self._rows(f"select coalesce(to_regclass('{_MARKER}')::text, '')")[0][0]
        rows = self._rows(f"select lake_id, schema_version from {_MARKER}") if there else []
        if not rows:
            return {"lake_id": uuid.uuid4().hex, "schema_version": 0}
        lake_id, version = str(rows[0][0]), int(rows[0][1])
        if version > SCHEMA_VERSION:
            newer = f"was written by a newer igtool (schema {version}, this one has {SCHEMA_VERSION})"
            raise ConfigError(f"the lake of the catalog {self.place.catalog} {newer}: upgrade igtool")
        if not self.place.marker.exists():
            write_marker(self.place.marker, lake_id, version)
        return {"lake_id": lake_id, "schema_version": version}

    def note(self, lake_id: str, version: int) -> None:
        """See `Catalog.note`."""
        for statement in (
            f"create table if not exists {_MARKER} (lake_id text not null, schema_version int not null)",
            f"delete from {_MARKER}",
            f"insert into {_MARKER} values ({literal(lake_id)}, {int(version)})",
        ):
            self._execute(statement)
        write_marker(self.place.marker, lake_id, version)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Catalog.writing`."""
        if self._depth == 0:
            self._lock = self._locked()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and self._lock is not None:
                _ended(self._lock)
                self._lock = None

    def check_writing(self) -> None:
        """See `Catalog.check_writing`."""
        if self._lock is None:
            return
        try:
            self._lock.execute(f"from postgres_query({literal(_SERVER)}, 'select 1')").fetchall()
        except duckdb.Error as error:
            raise LockedError("the connection to the catalog was lost: run the same command again") from error

    def _locked(self) -> duckdb.DuckDBPyConnection:
        """A connection that holds the lock in a transaction. It asks again and again: DuckDB waits with all its CPU."""
        lock = self._connection.cursor()
        try:
            with translated(self.place.folder):
                lock.execute("begin")
                self._wait(lock)
        except BaseException:
            _ended(lock)
            raise
        return lock

    def _wait(self, lock: duckdb.DuckDBPyConnection) -> None:
        ends = time.monotonic() + PATIENCE_S
        asked = f"from postgres_query({literal(_SERVER)}, 'select pg_try_advisory_xact_lock({_LOCK})')"
        while not lock.execute(asked).fetchall()[0][0]:
            if time.monotonic() > ends:
                raise LockedError(f"the lake is being written by {self._holder()}: wait until it is done, or stop it")
            time.sleep(random.uniform(*_LOOK_S))  # noqa: S311 - so that nobody always comes second

    def _holder(self) -> str:
        """Who has the lock: program, machine and process."""
        query = (
            "select a.application_name from pg_locks l join pg_stat_activity a using (pid) where l.granted and "
            f"l.locktype = 'advisory' and (l.classid::bigint << 32) + l.objid::bigint = {_LOCK}"
        )
        with suppress(IgtoolError):
            return ", ".join(str(row[0]) for row in self._rows(query)) or "nobody any more"
        return "another process"

    def close(self, *, is_done: bool) -> None:  # noqa: ARG002 - PostgreSQL keeps its own files in order
        """See `Catalog.close`."""
        self._lock = None
        self._depth = 0

    def compact(self) -> bool:
        """See `Catalog.compact`: every table is written anew, and so are PostgreSQL's samples of values.

        What PostgreSQL keeps besides (its log of changes until that is used again, archives of it, dumps) is its own.
        """
        from igtool.extensions import load_extension

        with duckdb.connect() as connection:
            for name in self.extensions:
                load_extension(connection, name)
            self.prepare(connection)
            names = "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on"
            tables = [
                str(row[0]) for row in self._rows(f"{names} n.oid = c.relnamespace where c.relkind = 'r' and {_OURS}")
            ]
            try:
                for table in tables:
                    self._execute(f"vacuum (full, analyze) {table}", is_alone=True)
                self._execute("vacuum full pg_catalog.pg_statistic", is_alone=True)
            except LockedError:
                return False
            return True

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query that PostgreSQL runs."""
        with translated(self.place.folder):
            return self._connection.execute(f"from postgres_query({literal(_SERVER)}, {literal(query)})").fetchall()

    def _execute(self, statement: str, *, is_alone: bool = False) -> None:
        """Let PostgreSQL run a statement; ``is_alone``: one that may not be in a transaction."""
        how = ", use_transaction => false" if is_alone else ""
        with translated(self.place.folder):
            self._connection.execute(f"call postgres_execute({literal(_SERVER)}, {literal(statement)}{how})")


def _ended(lock: duckdb.DuckDBPyConnection) -> None:
    """End a transaction, and its lock with it. DuckDB aborts the process when it closes one whose server is gone."""
    with suppress(duckdb.Error):
        lock.execute("rollback")
    lock.close()
