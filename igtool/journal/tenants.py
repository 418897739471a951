"""Tenants and their API keys. Each change is one transaction with its entry of the audit log.

A key is ``igt_<key_id>_<secret>``, of which the journal has the id and SHA-256 of the whole. A slow hash is for
passwords, which can be guessed: the secret is 32 random bytes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from igtool.errors import UsageError
from igtool.journal.audit import Entry, append
from igtool.journal.store import Journal

LOCAL = "local"
"""Whom everything belongs to where there are no tenants, and on the command line."""
CURATE, FORGET = "curate", "forget"
"""Rights besides reading and keeping lists and the like: to judge shared data, and to forget creators."""
KEY = re.compile(r"igt_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Tenant:
    """Somebody with keys of their own; ``added_at`` is in seconds since 1970."""

    tenant_id: str
    rights: frozenset[str]
    added_at: float


@dataclass(frozen=True)
class Key:
    """An API key as it is known: never the key itself. Times are in seconds since 1970."""

    key_id: str
    tenant_id: str
    sha256: bytes
    added_at: float
    expires_at: float | None
    revoked_at: float | None

    def state(self, now: float) -> str:
        """``live``, ``ending`` (at ``expires_at``), ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is None:
            return "live"
        return "ending" if self.expires_at > now else "expired"

    def is_live(self, now: float) -> bool:
        """Whether it opens anything."""
        return self.state(now) in ("live", "ending")


def digest_of(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class TenantBook:
    """The tenants of a journal; for a writer of it, or who holds it ``shared``."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def tenants(self) -> dict[str, Tenant]:
        """All tenants by name."""
        rows = self._journal.read("select tenant_id, rights, added_at from tenants order by 1")
        return {name: Tenant(name, frozenset(rights.split()), added_at) for name, rights, added_at in rows}

    def all_keys(self) -> list[Key]:
        """All keys, the newest of each tenant first."""
        return [
            Key(*row)
            for row in self._journal.read(
                "select key_id, tenant_id, sha256, added_at, expires_at, revoked_at from tenant_keys "
                "order by tenant_id, added_at desc, key_id"
            )
        ]

    def has_live_key(self, now: float) -> bool:
        """Whether anybody could get in."""
        return any(key.is_live(now) for key in self.all_keys())

    def add(self, name: str, rights: Sequence[str], *, now: float) -> str:
        """The key of the new tenant ``name``, which nobody can tell again. Raises UsageError."""
        if not _NAME.fullmatch(name) or name == LOCAL:
            raise UsageError(
                f"{name!r} is no name for a tenant: 1 to 40 of a-z, 0-9 and -, not first -, and not {LOCAL}"
            )
        with self._journal.transaction() as cursor:
            if cursor.execute("select 1 from tenants where tenant_id = ?", (name,)).fetchone():
                raise UsageError(f"there is a tenant {name} already: `igtool tenant rotate {name}` gives it a new key")
            cursor.execute("insert into tenants values (?, ?, ?)", (name, " ".join(sorted(rights)), now))
            key_id, key = _new_key(cursor, name, now)
            detail = {"tenant": name, "rights": sorted(rights), "key_id": key_id}
            append(cursor, Entry(LOCAL, LOCAL, "tenant.add", detail), now=now)
        return key

    def rotate(self, name: str, *, grace_s: float, now: float) -> str:
        """A new key of the tenant ``name``; those before it end after ``grace_s``. Raises UsageError."""
        with self._journal.transaction() as cursor:
            _known(cursor, name)
            ended = cursor.execute(
                "update tenant_keys set expires_at = min(coalesce(expires_at, ?1), ?1) where tenant_id = ?2 "
                "and revoked_at is null and coalesce(expires_at, ?3 + 1) > ?3 returning key_id",
                (now + grace_s, name, now),
            ).fetchall()
            key_id, key = _new_key(cursor, name, now)
            detail = {"tenant": name, "key_id": key_id, "ending": sorted(one for (one,) in ended), "grace_s": grace_s}
            append(cursor, Entry(LOCAL, LOCAL, "tenant.rotate", detail), now=now)
        return key

    def revoke(self, name: str, key_id: str | None, *, now: float) -> list[str]:
        """Ids of the keys that open nothing from now on: the one named, or all of the tenant. Raises UsageError."""
        with self._journal.transaction() as cursor:
            _known(cursor, name)
            ended = cursor.execute(
                "update tenant_keys set revoked_at = ?1 where tenant_id = ?2 and revoked_at is null "
                "and (?3 is null or key_id = ?3) returning key_id",
                (now, name, key_id),
            ).fetchall()
            if not ended:
                which = f"key {key_id}" if key_id is not None else "key"
                raise UsageError(f"{name} has no {which} that was not revoked before: `igtool tenant list` shows them")
            found = sorted(one for (one,) in ended)
            append(cursor, Entry(LOCAL, LOCAL, "tenant.revoke", {"tenant": name, "key_ids": found}), now=now)
        return found

    def remove(self, name: str, *, now: float) -> None:
        """There is no tenant ``name`` any more, and no key of it. Raises UsageError."""
        with self._journal.transaction() as cursor:
            _known(cursor, name)
            cursor.execute("delete from tenant_keys where tenant_id = ?", (name,))
            cursor.execute("delete from tenants where tenant_id = ?", (name,))
            append(cursor, Entry(LOCAL, LOCAL, "tenant.remove", {"tenant": name}), now=now)


def _known(cursor: sqlite3.Cursor, name: str) -> None:
    there = [one for (one,) in cursor.execute("select tenant_id from tenants order by 1").fetchall()]
    if name not in there:
        raise UsageError(f"there is no tenant {name!r}; there are: {', '.join(there) or 'none'}")


def _new_key(cursor: sqlite3.Cursor, name: str, now: float) -> tuple[str, str]:
    """(id, key) of a new key of a tenant."""
    key_id = secrets.token_hex(6)
    key = f"igt_{key_id}_{secrets.token_urlsafe(32)}"
    cursor.execute("insert into tenant_keys values (?, ?, ?, ?, null, null)", (key_id, name, digest_of(key), now))
    return key_id, key
