"""The source ``files``: raw dumps in a folder, a file or an archive, as documents.

Read are ``.json``, ``.jsonl``, ``.ndjson``, ``.csv`` and ``.tsv``, each also inside ``.gz``, ``.zst`` or ``.xz``, and
``.zip`` of these; ``.html`` is recognised. Every file is accounted for: documents come out, or an Unreadable with a
reason.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import msgspec

from igtool.errors import UsageError
from igtool.files import storage_error
from igtool.platforms.base import knows as known_columns
from igtool.platforms.csv_rows import Knows, split_rows
from igtool.platforms.documents import MAX_FILE, MAX_RATIO, Piece, split
from igtool.platforms.json_text import Malformed
from igtool.platforms.unpacking import BROKEN, Allowance, checked_archive, unpacked
from igtool.platforms.values import handle

READ = ".json, .jsonl, .ndjson, .csv, .tsv (also packed as .gz, .zst, .xz), .zip and .html"
_PACKED = (".gz", ".zst", ".xz")
_KINDS = {
    ".json": "whole",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "table",
    ".tsv": "table",
    ".html": "whole",  # a saved answer of an address may be called so and be JSON; else the kind of page is told
    ".htm": "whole",
}
_BUFFER = 2**18
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUBJECT = re.compile(r"\(@?([\w.-]+)\)_")
_FETCHED = re.compile(r"_(\d{8}T\d{6})Z?\.", re.ASCII)
UNREADABLE = "unreadable-file"
"""Reason of what the system does not let be read; all other reasons are about the bytes."""
_HIDDEN = re.compile(r"(?:^|/)(?:\.[^./]|__MACOSX/)")
_WANTED = "give a folder, file or archive of JSON dumps; pictures need --creator"


class Document(msgspec.Struct, frozen=True):
    """One JSON document as it stands in a file; of a table, one record as an object (see ``csv_rows``).

    ``path`` is relative to the source, with ``/``, and ``archive.zip!member`` inside an archive. ``index`` counts
    from 0: the line in a file of lines, the record in a table, else the position in the file. ``body`` is sound JSON
    in UTF-8 without a byte order mark. ``observed_at`` (UTC) is the time in a name that ends like
    ``_20261001T081500.json``, else that of the last change of the file. ``subject`` is the handle in a file name like
    ``posts(some.name)_1.json``, for dumps that do not name their user; else None.
    """

    path: str
    index: int
    body: bytes
    observed_at: datetime
    subject: str | None


class Unreadable(msgspec.Struct, frozen=True):
    """A file, or a part of one, that gave no document.

    Reasons: ``broken-json``, ``not-json``, ``not-utf8``, ``empty-file``, ``too-large``, ``too-deep``,
    ``broken-archive``, ``unreadable-file``, ``unsupported-file-type``, ``link-outside``, ``html-<outcome>`` for a
    page, and those of ``csv_rows.split_rows``. ``line`` counts from 1.
    """

    path: str
    index: int
    reason: str
    detail: str
    line: int | None = None


class _Format(NamedTuple):
    kind: str
    packing: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source. ``path``, ``size`` (bytes) and ``mtime_ns`` together tell whether it changed."""

    path: str
    size: int
    mtime_ns: int
    location: Path
    flaw: Malformed | None = None

    def documents(self, knows: Knows = known_columns) -> Iterator[Document | Unreadable]:
        """What is in the file, in order; when the iterator has ended, the file has been read to its end.

        A table whose columns ``knows`` refuses is one Unreadable.
        """
        if self.flaw is not None:
            return iter([Unreadable(self.path, 0, self.flaw.reason, self.flaw.detail)])
        packed = self.location.name.lower().endswith(".zip")
        return _guarded(self.path, self._members(knows) if packed else self._plain(knows))

    def _plain(self, knows: Knows) -> Iterator[Document | Unreadable]:
        found = _format(self.location.name)
        if found is None:
            raise _unsupported(self.location.name)
        with self.location.open("rb", buffering=_BUFFER) as file:
            pieces = _pieces(file, found, self.size, knows)
            yield from _named(pieces, self.path, _moment(self.mtime_ns))

    def _members(self, knows: Knows) -> Iterator[Document | Unreadable]:
        found, left = False, Allowance(max(MAX_FILE, MAX_RATIO * self.size))
        with self.location.open("rb") as file, zipfile.ZipFile(checked_archive(file)) as archive:
            for member in sorted(archive.infolist(), key=lambda info: info.filename):
                if member.is_dir() or _HIDDEN.search(member.filename):
                    continue
                found = True
                left.check()
                path = f"{self.path}!{member.filename}"
                yield from _guarded(path, self._member(archive, member, path, knows, left))
        if not found:
            raise Malformed("empty-file", "there is no file in the archive")

    def _member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str, knows: Knows, left: Allowance
    ) -> Iterator[Document | Unreadable]:
        name = PurePosixPath(member.filename).name
        found = _format(name)
        if found is None:
            raise _unsupported(name)
        if member.flag_bits & 1:
            raise Malformed("broken-archive", "it is encrypted: unpack it first")
        if member.compress_type == zipfile.ZIP_LZMA:  # its header asks for memory, and nothing bounds that
            raise Malformed("broken-archive", "it is packed with LZMA, which no dump is: unpack it first")
        try:
            observed_at = datetime(*member.date_time, tzinfo=UTC)
        except ValueError:
            observed_at = _moment(self.mtime_ns)
        with archive.open(member) as file:
            pieces = _pieces(file, found, max(member.compress_size, 1), knows, left)
            yield from _named(pieces, path, observed_at)


def read_files(source: Path) -> list[SourceFile]:
    """The files of ``source`` (a folder with all below it, a file, or an archive), sorted by path.

    Hidden files and folders are left out. A link that leads out of the folder is not followed. A file that
    cannot be read is in the list, and says why when its documents are asked for.

    Raises UsageError when there is no such path or nothing in it can hold JSON, and StorageError when it may not
    be read.
    """
    try:
        status = source.stat()
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(source):
                files = list(_walk(source))
        else:
            files = [_one(source, _text(source.name), status)]
    except FileNotFoundError as error:
        raise UsageError(f"there is no {source}: {_WANTED}") from error
    except NotADirectoryError as error:
        raise UsageError(f"{source} leads through a file: {_WANTED}") from error
    except OSError as error:
        raise storage_error(error, source) from error
    if not any(file.flaw is None or file.flaw.reason != "unsupported-file-type" for file in files):
        raise UsageError(f"nothing in {source} can hold JSON dumps: igtool reads {READ}")
    return files


def read_documents(
    source: Path,
    *,
    skip: Callable[[str, int, int], bool] = lambda _path, _size, _mtime_ns: False,
    knows: Knows = known_columns,
) -> Iterator[Document | Unreadable]:
    """The documents of all files of ``source`` for which ``skip(path, size, mtime_ns)`` is false.

    A table whose columns ``knows`` refuses is one Unreadable.

    Raises as ``read_files`` does.
    """
    for file in read_files(source):
        if not skip(file.path, file.size, file.mtime_ns):
            yield from file.documents(knows)


def _walk(root: Path) -> Iterator[SourceFile]:
    """All files below ``root``, depth first, by name; folders that may not be listed as flawed files."""
    inside = root.resolve()
    waiting = [root]
    while waiting:
        place = waiting.pop()
        path = _text(place.relative_to(root).as_posix())
        try:
            status = place.lstat()
            if stat.S_ISLNK(status.st_mode):
                if not place.resolve().is_relative_to(inside):
                    yield SourceFile(path, 0, 0, place, Malformed("link-outside", "it leads out of the folder"))
                    continue
                status = place.stat()
                if stat.S_ISDIR(status.st_mode):
                    continue  # the folder is read at its own place
            if stat.S_ISDIR(status.st_mode) or place == root:
                names = sorted((name for name in place.iterdir() if name.name[:1] != "."), reverse=True)
                waiting += names
            else:
                yield _one(place, path, status)
        except OSError as error:
            yield SourceFile(path, 0, 0, place, Malformed(UNREADABLE, error.strerror or str(error)))


def _one(place: Path, path: str, status: os.stat_result) -> SourceFile:
    readable = stat.S_ISREG(status.st_mode) and (_format(place.name) is not None or place.name.lower().endswith(".zip"))
    flaw = None if readable else _unsupported(place.name)
    return SourceFile(path, status.st_size, status.st_mtime_ns, place, flaw)


def _format(name: str) -> _Format | None:
    """How to read a file of that name; None when igtool does not. ``dump.gz`` counts as packed JSON."""
    *_, inner, last = ["", "", *PurePosixPath(name.lower()).suffixes]
    ending, packing = (inner or ".json", last) if last in _PACKED else (last, "")
    return _Format(_KINDS[ending], packing) if ending in _KINDS else None


def _pieces(file: IO[bytes], found: _Format, size: int, knows: Knows, left: Allowance | None = None) -> Iterator[Piece]:
    """The documents of a file; ``left`` is what its archive may still come to, if it is in one."""
    limit = max(MAX_FILE, MAX_RATIO * size) if left or found.packing else None
    stream = unpacked(file, found.packing, left)
    if found.kind == "table":
        return split_rows(stream, limit=limit, knows=knows)
    return split(stream, lines=found.kind == "lines", limit=limit)


def _named(pieces: Iterator[Piece], path: str, observed_at: datetime) -> Iterator[Document | Unreadable]:
    name = _SUBJECT.search(path.rpartition("/")[2])
    subject = handle(name[1]) if name else None
    observed_at = _fetched_at(path) or observed_at
    for index, body, flaw, line in pieces:
        if body is not None:
            yield Document(path, index, body, observed_at, subject)
        elif flaw is not None:
            yield Unreadable(path, index, flaw.reason, flaw.detail, line)


def _fetched_at(path: str) -> datetime | None:
    """When it was fetched, by a name like ``profile_20261001T081500.json``: copies keep the name, not the time."""
    found = _FETCHED.search(path.rpartition("/")[2])
    try:
        return datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def _guarded(path: str, found: Iterator[Document | Unreadable]) -> Iterator[Document | Unreadable]:
    """``found``; an error of the disk, of an unpacker or of the text ends it with an Unreadable."""
    index = -1
    try:
        for item in found:
            index = item.index
            yield item
    except Malformed as flaw:
        yield Unreadable(path, index + 1, flaw.reason, flaw.detail)
    except BROKEN as error:
        yield Unreadable(path, index + 1, "broken-archive", str(error) or "it ends too early")
    except OSError as error:
        yield Unreadable(path, index + 1, UNREADABLE, error.strerror or str(error))


def _text(name: str) -> str:
    r"""A file name that can be stored: bytes that are not UTF-8 are written as ``\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _unsupported(name: str) -> Malformed:
    kind = PurePosixPath(name).suffix or "a file without an ending"
    return Malformed("unsupported-file-type", f"igtool does not read {kind}; it reads {READ}")


def _moment(mtime_ns: int) -> datetime:
    """A file time as UTC; the epoch where it lies outside what a datetime can say."""
    try:
        return _EPOCH + timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return _EPOCH
