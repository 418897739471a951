"""Pictures that the user has: files of a folder, taken in for one account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from igtool.errors import UsageError
from igtool.files import storage_error
from igtool.lake import Lake
from igtool.notes import account_named
from igtool.pictures.gathering import Gathered, Row
from igtool.progress import StageCounts
from igtool.runner import reject_rows
from igtool.session import Session
from igtool.stages.base import Reject

_COMMIT = 50
_NAME = "import"


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """The files at ``paths`` and in folders there, but for hidden ones, by name. Raises UsageError, StorageError."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}")
        try:
            inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        except OSError as error:
            raise storage_error(error, path) from error
        found += [one for one in inside if one.is_file() and not one.name.startswith(".")]
    return found


def take_pictures(session: Session, paths: Sequence[Path], handle: str) -> StageCounts:
    """Keep the pictures at ``paths`` for the account ``handle``; what is no picture is a row of ``rejects``.

    A file that was taken before is skipped. Raises UsageError (no such account or path), StorageError, Interrupted.
    """
    account_id = account_named(session.lake, handle)
    counts = session.progress.of(_NAME)
    files = picture_files(paths)
    most_bytes = session.settings.picture_max_mb * 1_000_000
    known = session.lake.rows("from media where account_id = ?", (account_id,))
    gathered = Gathered(session.pictures, datetime.now(UTC), known)
    gathered.rows = known
    with session.progress.stage(_NAME, len(files)):
        for start in range(0, len(files), _COMMIT):
            session.stop_if_asked(f"{start} of {len(files)} pictures")
            part = files[start : start + _COMMIT]
            rows = [gathered.give(_read(path, most_bytes), account_id) for path in part]
            _store(session.lake, part, rows, counts)
            session.progress.advance(len(part))
    return counts


def _store(lake: Lake, files: Sequence[Path], rows: Sequence[Row | None], counts: StageCounts) -> None:
    """``rows``: None for a file that is known."""
    names = [str(path.resolve()) for path in files]
    refused = [
        Reject(name, row["reason"], f"the file {name} is not taken as a picture")
        for name, row in zip(names, rows, strict=True)
        if row is not None and row["outcome"] == "refused"
    ]
    taken = [row for row in rows if row is not None and row["outcome"] != "refused"]
    with lake.transaction():
        lake.execute("delete from rejects where stage = ? and item_id in (select unnest(?::varchar[]))", (_NAME, names))
        lake.append("rejects", reject_rows(_NAME, refused))
        lake.merge("media", taken)
    counts.failed += len(refused)
    counts.new += len(taken)
    counts.skipped += len(rows) - len(refused) - len(taken)


def _read(path: Path, most_bytes: int) -> bytes:
    """At most one byte more than is taken, by which it is too large."""
    try:
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    except OSError as error:
        raise storage_error(error, path) from error
