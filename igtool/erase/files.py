"""Files of the workspace that may name a person: pictures, exports, reports, logs, what killed processes left.

Files of the user, wherever they are, stay as they are: dumps, lists, backups, and whatever lies in folders of theirs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from igtool.export import export_tables
from igtool.files import replaced, storage_error
from igtool.integrity.mending import DAMAGED
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pictures.store import PictureStore
from igtool.schema import EXPORTED
from igtool.search.folder import discard
from igtool.settings import Settings

_TEXTS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".html", ".txt", ".md", ".log", ".tmp", ".svg"})
_LOGS = frozenset({".log"})
_MOST_BYTES = 1 << 30
"""A larger file of ours is deleted unread."""


def remove(settings: Settings, lake: Lake, journal: Journal, names: Callable[[str], bool]) -> int:
    """Delete or make anew every file that may name the person; how many there were. Raises StorageError."""
    try:
        discard(settings.data / "index")
        used = {row["sha256"] for row in lake.rows("select distinct sha256 from media where sha256 is not null")}
        count = PictureStore(settings.cache / "images").keep_only(used)
        for folder in (settings.cache / "pieces", settings.data / "spill", settings.data / DAMAGED):
            shutil.rmtree(folder, ignore_errors=True)
        exports = settings.data / "export"
        again = [name for name in EXPORTED if (exports / f"{name}.parquet").is_file()]
        if again:
            export_tables(lake, journal, exports, again, with_emails=settings.export_emails)
        return count + sum(_cleared(path, names) for path in _ours(settings, again))
    except OSError as error:
        raise storage_error(error, settings.data) from error


def moved_aside(settings: Settings) -> list[str]:
    """Folders with what was there before an `igtool restore`, which may hold anybody: theirs who restored."""
    return [f"{path.name}/ (what a restore moved aside)" for path in sorted(settings.workspace.glob("replaced-*"))]


def named(settings: Settings, names: Callable[[str], bool]) -> list[Path]:
    """The files of ours that would be deleted or written without lines that name the person; pictures are not read."""
    return [path for path in _ours(settings, EXPORTED) if _is_concerned(path, names)]


def _ours(settings: Settings, exported: Iterable[str]) -> Iterator[Path]:
    """Exports but those that are made anew, and texts that igtool wrote beside its stores."""
    tables = {f"{name}.parquet" for name in exported}
    for path in sorted((settings.data / "export").rglob("*")):
        if path.is_file() and path.name not in tables:
            yield path
    for folder in (settings.data, settings.cache):
        yield from (path for path in sorted(folder.glob("*")) if path.is_file() and _is_loose(path))
    for pattern in ("*.log", "igtool-error-*.txt"):
        yield from sorted(settings.workspace.glob(pattern))


def _is_loose(path: Path) -> bool:
    return path.suffix in _TEXTS and path.name not in ("lake.json", "lake.shared.json")


def _is_concerned(path: Path, names: Callable[[str], bool]) -> bool:
    """Whether a file names the person. What cannot be read as text may: it was made from the tables."""
    if path.suffix not in _TEXTS or path.stat().st_size > _MOST_BYTES or path.name == "report.html":
        return True
    return names(_text(path))


def _cleared(path: Path, names: Callable[[str], bool]) -> bool:
    """Delete a file that names the person; a log keeps its other lines."""
    if not _is_concerned(path, names):
        return False
    if path.suffix not in _LOGS or path.stat().st_size > _MOST_BYTES:
        path.unlink()
        return True
    lines = _text(path).splitlines(keepends=True)
    with replaced(path) as file:
        file.writelines(line.encode("utf-8", "replace") for line in lines if not names(line))
    return True


def _text(path: Path) -> str:
    data = path.read_bytes()
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return data.decode("utf-16" if is_wide else "utf-8", "replace")
