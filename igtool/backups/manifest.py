"""What is in a backup, and its files by name."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from igtool.errors import ConfigError, IntegrityError, UsageError
from igtool.files import fsync, replaced, storage_error

NAME = "igtool-backup.json"
FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 28
"""Of the manifest, which is read into memory: a million pictures take 200 MB."""
SETTINGS = ("igtool.toml", "tags.toml", "models/models.local.toml", "models/models.toml")
"""Files that a backup may hold besides those of data/ and cache/."""


@dataclass(frozen=True)
class Entry:
    """One file: its size, SHA-256 and time of change in nanoseconds."""

    bytes: int
    sha256: str
    changed_ns: int


@dataclass(frozen=True)
class Manifest:
    """A backup: of which lake at which commit, when (UTC, ISO 8601), by what, its files by path, what was left out."""

    lake_id: str
    snapshot: int
    schema_version: int
    igtool: str
    made_at: str
    files: Mapping[str, Entry] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files.values())


@dataclass(frozen=True)
class Backup:
    """A backup in a folder."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """Where the bytes of the file ``name`` are. Raises KeyError for one that is not in it."""
        return place_of(self.folder, self.manifest.files[name].sha256)

    def damaged(self) -> list[str]:
        """Files whose bytes are missing or are not what they were, one sentence each: every byte is read."""
        return [
            f"{name} ({self.path(name).name}) {problem}"
            for name, entry in sorted(self.manifest.files.items())
            if (problem := _problem(self.path(name), entry))
        ]

    def copy_out(self, name: str, target: Path) -> None:
        """Put the file ``name`` to ``target``, whole and on disk, with its time of change.

        Raises IntegrityError where its bytes are not what they were, StorageError.
        """
        entry = self.manifest.files[name]
        if problem := _problem(self.path(name), entry):
            raise IntegrityError(
                f"{name} in the backup {self.folder} {problem}: make a new backup, or take another one"
            )
        try:
            with replaced(target) as file, self.path(name).open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
            set_changed(target, entry.changed_ns)
        except OSError as error:
            raise storage_error(error, target) from error


def set_changed(path: Path, changed_ns: int) -> None:
    """Give a file its time of change, which seals and the index know it by."""
    os.utime(path, ns=(changed_ns, changed_ns))
    fsync(path)


def place_of(folder: Path, sha256: str) -> Path:
    """Where a backup in ``folder`` has the bytes with this SHA-256."""
    return folder / "files" / sha256[:2] / sha256


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _problem(path: Path, entry: Entry) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "is no file"
        if path.stat().st_size != entry.bytes:
            return f"has {path.stat().st_size} bytes instead of {entry.bytes}"
        return None if sha256_of(path) == entry.sha256 else "is not what it was (SHA-256)"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        raise storage_error(error, path) from error


def write(folder: Path, manifest: Manifest) -> None:
    """Make ``manifest`` that of the backup in ``folder``. Raises StorageError."""
    content = asdict(manifest) | {"format": FORMAT}
    with replaced(folder / NAME) as file:
        file.write(json.dumps({**content, "checksum": _checksum(content)}, indent=1).encode())


def opened(folder: Path) -> Backup:
    """The backup in ``folder``; its files are not read yet.

    Raises UsageError where there is none, IntegrityError for a damaged manifest, ConfigError for one of a newer igtool.
    """
    path = folder / NAME
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise IntegrityError(f"the manifest {path} is too large to be one")
        content = json.loads(path.read_bytes())
        told = content.pop("checksum")
        form = content["format"]
        if told != _checksum(content):
            raise IntegrityError(f"the manifest {path} is damaged: its checksum differs")
        if form > FORMAT:
            raise ConfigError(f"the backup {folder} was made by a newer igtool ({content['igtool']}): upgrade igtool")
        return Backup(folder, _manifest(content))
    except FileNotFoundError as error:
        raise UsageError(f"there is no backup in {folder}: `igtool backup DIR` makes one") from error
    except OSError as error:
        raise storage_error(error, path) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"the manifest {path} is damaged: {error}") from error


def _manifest(content: dict[str, Any]) -> Manifest:
    del content["format"]
    files = {_plain(name): Entry(**entry) for name, entry in content.pop("files").items()}
    for entry in files.values():
        if not isinstance(entry.sha256, str) or not _SHA256.fullmatch(entry.sha256):
            raise ValueError(f"{entry.sha256!r:.80} is no SHA-256")
        if not all(isinstance(one, int) and 0 <= one < 1 << 63 for one in (entry.bytes, entry.changed_ns)):
            raise ValueError(f"{entry!r:.200} has no size and time")
    left_out = tuple(map(str, content.pop("left_out")))
    made = Manifest(files=files, left_out=left_out, **content)
    texts, numbers = (made.lake_id, made.igtool, made.made_at), (made.snapshot, made.schema_version)
    if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, int) for one in numbers):
        raise ValueError("it has no sense")
    return made


def _plain(name: str) -> str:
    """``name`` if it is one that backups hold: this one may come from somebody else, and a folder may hold programs."""
    path = PurePosixPath(name)
    if ".." in path.parts or path.as_posix() != name or "\0" in name:
        raise ValueError(f"{name!r:.200} leads out of the workspace")
    if name not in SETTINGS and (len(path.parts) < 2 or path.parts[0] not in ("data", "cache")):
        raise ValueError(f"{name!r:.200} is nothing that a backup holds")
    return name


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
