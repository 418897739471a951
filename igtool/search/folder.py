"""Where an index lives: versions beside each other, one of them in use, each with a manifest of its files.

::

    <folder>/current            name of the version in use
    <folder>/<version>/         manifest.json and the files it names
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from igtool.errors import IntegrityError, StorageError, UsageError
from igtool.files import fsync, make_folder, replaced, storage_error

INDEX_FORMAT = 3
"""Raised when the files change shape; an index of another format is built again."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CURRENT = "current"
_MANIFEST = "manifest.json"
_BUILDING = ".building-"
_OF_THE_DISK = re.compile(r"os error \d+|io::Error")
"""tantivy tells what the disk did as a ValueError."""
_READ_EACH_TIME = 32 << 20
"""Files up to this size are read and compared whenever an index is opened; of larger ones size and time of change, and
their bytes only if these differ: those of a million creators have 3.4 GB, which takes seconds."""


def is_version(name: str) -> bool:
    """Whether ``name`` can be a version: a plain file name."""
    return bool(_VERSION.fullmatch(name)) and name != _CURRENT


@contextmanager
def written(folder: Path, version: str) -> Iterator[Path]:
    """An empty folder that becomes ``folder/version``, and the one in use, when the block ends.

    The block leaves ``contents.json`` there: what the manifest says besides files. The version before stays, older ones
    go. Raises UsageError (a version that is no file name), StorageError.
    """
    if not is_version(version):
        raise UsageError(f"the index version {version!r} is no plain file name: use letters, digits, . _ -")
    before = current_name(folder)
    try:
        make_folder(folder)
        _remove(folder, keep={version, before})
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=folder))
        try:
            yield building
            _put_in_place(building, folder / version)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        with replaced(folder / _CURRENT) as file:
            file.write(f"{version}\n".encode())
        _remove(folder, keep={version, before})
    except OSError as error:
        raise storage_error(error, folder) from error
    except ValueError as error:
        if _OF_THE_DISK.search(str(error)) is None:
            raise
        raise StorageError(
            f"cannot write the search index in {folder} ({error}): check free space, then run it again"
        ) from error


def write_manifest(folder: Path, contents: Mapping[str, Any]) -> dict[str, Any]:
    """Store ``contents`` with the size, SHA-256 and time of change of every file of ``folder``."""
    files = {path.relative_to(folder).as_posix(): _described(path) for path in _files(folder)}
    manifest = {"format": INDEX_FORMAT, **contents, "files": files}
    with replaced(folder / _MANIFEST) as file:
        file.write(json.dumps({**manifest, "checksum": _checksum(manifest)}, indent=1).encode())
    return manifest


def _files(folder: Path) -> list[Path]:
    """Files of an index, without the locks that a reader may leave."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def _described(path: Path) -> dict[str, Any]:
    state = path.stat()
    return {"bytes": state.st_size, "sha256": _sha256(path), "changed_ns": state.st_mtime_ns}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _put_in_place(building: Path, target: Path) -> None:
    """Force all files to disk, then rename the folder. A damaged or unfinished ``target`` is replaced."""
    for path in _files(building):
        fsync(path)
    for path in (building, *(path for path in building.rglob("*") if path.is_dir())):
        fsync(path)
    if target.exists():
        remove(target)
    building.rename(target)
    fsync(target.parent)


def discard(folder: Path) -> None:
    """Delete every index of ``folder``, the one in use too: the next search makes it anew. Raises StorageError."""
    try:
        (folder / _CURRENT).unlink(missing_ok=True)
        if folder.is_dir():
            _remove(folder, keep=set())
    except OSError as error:
        raise storage_error(error, folder) from error


def remove(version: Path) -> None:
    """Delete the folder of a version, by whose manifest it is known for one: that goes last. Raises OSError.

    What a killed process leaves of it is found and deleted by the next one.
    """
    for path in version.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MANIFEST:
            path.unlink()
    fsync(version)
    shutil.rmtree(version)


def _remove(folder: Path, keep: set[str | None]) -> None:
    """Delete versions that are neither in use nor the one before, and what killed builds left."""
    for path in folder.iterdir():
        if _is_ours(path) and path.name not in keep:
            remove(path)


def unused(folder: Path) -> list[Path]:
    """Folders of versions that are not in use, and of builds that were killed; for who alone builds."""
    current = current_name(folder)
    return sorted(path for path in folder.glob("*") if _is_ours(path) and path.name != current)


def _is_ours(path: Path) -> bool:
    """Whether it is the folder of a version, of a build, or the empty one that a killed deletion left."""
    if not path.is_dir() or path.is_symlink():
        return False
    return path.name.startswith(_BUILDING) or (path / _MANIFEST).is_file() or not any(path.iterdir())


def current_name(folder: Path) -> str | None:
    """The version in use; None when there is none."""
    try:
        name = (folder / _CURRENT).read_text().strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise storage_error(error, folder / _CURRENT) from error
    return name if _VERSION.fullmatch(name) else None


def index_is_current(folder: Path, version: str) -> bool:
    """Whether ``version`` is the index in use and every file of it is whole."""
    if current_name(folder) != version:
        return False
    try:
        checked_manifest(folder / version)
    except IntegrityError:
        return False
    return True


def current_index(folder: Path) -> Path:
    """The folder of the index in use. Raises UsageError when there is none."""
    name = current_name(folder)
    if name is None:
        raise UsageError(f"there is no search index in {folder}: run `igtool run index`")
    return folder / name


def checked_manifest(path: Path, *, thoroughly: bool = False) -> dict[str, Any]:
    """The manifest of the index at ``path``, after its files were compared with what was built.

    Small files are read; large ones if their size or time of change is not what it was, or ``thoroughly`` (1.5 GB/s).
    Raises IntegrityError when anything is missing, changed or of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_bytes())
        form = manifest["format"]
        wrong = [] if manifest["checksum"] == _checksum(manifest) else [_MANIFEST]
        wrong += [name for name, entry in manifest["files"].items() if not _is_whole(path / name, entry, thoroughly)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"the search index {path} is damaged or incomplete ({error}): run `igtool run index`"
        ) from error
    if form != INDEX_FORMAT:
        raise IntegrityError(f"the search index {path} has format {form}, not {INDEX_FORMAT}: run `igtool run index`")
    if wrong:
        raise IntegrityError(f"the search index {path} is damaged ({', '.join(wrong)}): run `igtool run index`")
    return manifest


def _is_whole(path: Path, entry: Mapping[str, Any], thoroughly: bool) -> bool:
    state = path.stat()
    if state.st_size != entry["bytes"]:
        return False
    as_built = state.st_mtime_ns == entry["changed_ns"] and state.st_size > _READ_EACH_TIME
    return (as_built and not thoroughly) or _sha256(path) == entry["sha256"]
