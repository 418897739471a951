"""Keyed hashes of the names of forgotten people, and what comes in held to them.

A tombstone is HMAC-SHA-256 of ``platform:handle`` or ``platform:id`` with a secret of the workspace, which lies beside
the lake in ``tombstones.key``. Who has the tables without the key cannot guess names; who has both can try one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from igtool.errors import IntegrityError
from igtool.files import replaced, storage_error
from igtool.forgotten.answers import platforms_of, without_person
from igtool.forgotten.naming import Named, lowered, path_words
from igtool.lake import Lake

REASON = "forgotten"
"""The slug of what is left out because a person was forgotten."""

_KEY_BYTES = 32
_CANDIDATE = re.compile(
    r'"[\w-]*(?:name|handle|id|pk|value|url|author|user|owner|channel)"\s*:\s*"?@?([\w.-]{1,64})["\s,}]'
    r"|@([\w.-]{1,64})"
    r"|\.(?:com|be|tv)\\?/(?:(?:c|user|channel)\\?/)?@?([\w.-]{1,64})",
    re.IGNORECASE,
)


class Tombstones:
    """Who is not to be fetched or stored, of the lake as it was when this was made."""

    def __init__(self, lake: Lake) -> None:
        """Raises IntegrityError where there are tombstones and their key is gone."""
        rows = lake.rows("select platform, tombstone from tombstones")
        self._known = {row["tombstone"] for row in rows}
        self._platforms = sorted({row["platform"] for row in rows})
        self._key = read_key(lake.folder, is_needed=bool(rows))

    def __bool__(self) -> bool:
        return bool(self._known)

    def has(self, platform: str | None, name: str | None) -> bool:
        """Whether ``name``, a handle or an id, is that of a forgotten person; platform None: on any."""
        if not self._known or not name:
            return False
        platforms = self._platforms if platform is None else [platform]
        plain = name.strip().lower().removeprefix("@")
        return any(digest(self._key, one, plain) in self._known for one in platforms)

    def in_path(self, path: str) -> bool:
        """Whether a part of a file name is a name of theirs."""
        return bool(self._known) and any(self.has(None, word) for word in path_words(path))

    def screened(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """A row of ``raw_responses`` as it may be stored: without forgotten people; None where nothing is left."""
        if not self._known:
            return row
        body, subject = row["body"], row["subject"]
        found = {part for match in _CANDIDATE.finditer(body) for part in match.groups() if part}
        hits = {name for name in (*found, *([subject] if subject else ())) if self.has(None, name.strip("."))}
        if not hits:
            return row
        platforms = platforms_of(body, subject)
        hits = {name for name in hits if not platforms or any(self.has(one, name.strip(".")) for one in platforms)}
        if not hits:
            return row
        names = lowered(name.strip(".") for name in hits)
        raw_ids = frozenset(name for name in hits if name.isdigit() or name.startswith("UC"))
        left = without_person(body, subject, Named(names - lowered(raw_ids), raw_ids))
        if left is None:
            return None
        return row if left == body else {**row, "body": left, "sha256": hashlib.sha256(left.encode()).hexdigest()}

    def masked(self, text: str) -> str:
        """What stands for ``text`` where it may not be stored; the same for the same text."""
        return f"{REASON}:{digest(self._key, 'text', text)[:32]}"


def digest(key: bytes, platform: str, name: str) -> str:
    """The tombstone of a handle or id on a platform."""
    return hmac.digest(key, f"{platform}:{name}".lower().encode("utf-8", "surrogatepass"), "sha256").hex()


def rows_for(folder: Path, names: Iterable[tuple[str, str]], group: str, now: datetime) -> list[dict[str, Any]]:
    """Rows of ``tombstones`` for (platform, handle or id) pairs of one person; the key is made where there is none."""
    key = read_key(folder, is_needed=False) or _made(folder)
    found = sorted({(platform, digest(key, platform, name)) for platform, name in names})
    return [{"tombstone": one, "platform": p, "person_id": group, "forgotten_at": now} for p, one in found]


def lifted(lake: Lake, platform: str | None, names: Sequence[str]) -> int:
    """Delete the tombstones of the people who have one of ``names``; how many people those were."""
    key = read_key(lake.folder, is_needed=False)
    platforms = [row["platform"] for row in lake.rows("select distinct platform from tombstones")]
    chosen = [digest(key, one, name) for one in platforms if platform in (None, one) for name in lowered(names)]
    query = "select distinct person_id from tombstones where tombstone in (select unnest(?::varchar[]))"
    people = [row["person_id"] for row in lake.rows(query, (chosen,))] if chosen else []
    if people:
        with lake.transaction():
            lake.delete("tombstones", "person_id", people)
    return len(people)


def read_key(folder: Path, *, is_needed: bool) -> bytes:
    """The secret of the workspace; empty where there is none. Raises IntegrityError, StorageError."""
    path = folder / "tombstones.key"
    try:
        key = bytes.fromhex(path.read_text())
    except FileNotFoundError:
        key = b""
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged: restore it from a backup of data/") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if is_needed and len(key) != _KEY_BYTES:
        raise IntegrityError(
            f"{path} is missing, without which nobody knows who was forgotten: restore it from a backup of data/"
        )
    return key


def _made(folder: Path) -> bytes:
    path, key = folder / "tombstones.key", secrets.token_bytes(_KEY_BYTES)
    with replaced(path) as file:
        file.write(key.hex().encode())
    return key
