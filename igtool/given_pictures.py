"""Pictures that the user has: files of a folder, taken in for one account; of videos a few stills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from igtool.settings import Settings
from igtool.stages.base import Reject
from igtool.vision import keyframes
from igtool.vision.kinds import video_container

_COMMIT = 50
_NAME = "import"
_BEGINNING = 4096
"""Bytes by which a video is told from a picture."""


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
    """Keep the pictures, and stills of the videos, at ``paths`` for the account ``handle``.

    What is neither is a row of ``rejects``; so are videos where PyAV is missing, which is told once. A file that was
    taken before is skipped. Raises UsageError (no such account or path), StorageError, Interrupted.
    """
    account_id = account_named(session.lake, handle)
    counts = session.progress.of(_NAME)
    files = picture_files(paths)
    known = session.lake.rows("from media where account_id = ?", (account_id,))
    gathered = Gathered(session.pictures, datetime.now(UTC), known)
    gathered.rows = known
    taker = _Taker(gathered, account_id, session.settings)
    with session.progress.stage(_NAME, len(files)):
        for start in range(0, len(files), _COMMIT):
            session.stop_if_asked(f"{start} of {len(files)} pictures")
            part = files[start : start + _COMMIT]
            had_all = not taker.left_videos
            _store(session.lake, part, [taker.take(path) for path in part], counts)
            if had_all and taker.left_videos:
                session.told(f"videos are left: {keyframes.NEEDED}")
            session.progress.advance(len(part))
    return counts


@dataclass
class _Taker:
    """Makes rows of ``media`` of files. ``left_videos``: whether there were some that could not be read."""

    gathered: Gathered
    account_id: str
    settings: Settings
    left_videos: bool = False

    def take(self, path: Path) -> list[Row] | Reject:
        """The rows of a file, none if it is known; or why it is not taken."""
        name = str(path.resolve())
        if video_container(_read(path, _BEGINNING)) is None:
            row = self.gathered.give(_read(path, self.settings.picture_max_mb * 1_000_000), self.account_id)
            rows, what = ([] if row is None else [row]), "a picture"
        elif keyframes.is_installed():
            data = _read(path, self.settings.video_max_mb * 1_000_000)
            rows, what = self.gathered.give_video(data, self.account_id), "a video"
        else:
            self.left_videos = True
            return Reject(name, "unsupported-kind", f"{name} is a video: {keyframes.NEEDED}")
        refused = next((row["reason"] for row in rows if row["outcome"] == "refused"), None)
        return rows if refused is None else Reject(name, refused, f"the file {name} is not taken as {what}")


def _store(lake: Lake, files: Sequence[Path], found: Sequence[list[Row] | Reject], counts: StageCounts) -> None:
    names = [str(path.resolve()) for path in files]
    refused = [one for one in found if isinstance(one, Reject)]
    taken = [one for one in found if not isinstance(one, Reject)]
    with lake.transaction():
        lake.execute("delete from rejects where stage = ? and item_id in (select unnest(?::varchar[]))", (_NAME, names))
        lake.append("rejects", reject_rows(_NAME, refused))
        lake.merge("media", [row for rows in taken for row in rows])
    counts.failed += len(refused)
    counts.new += sum(bool(rows) for rows in taken)
    counts.skipped += sum(not rows for rows in taken)


def _read(path: Path, most_bytes: int) -> bytes:
    """At most one byte more than is taken, by which it is too large."""
    try:
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    except OSError as error:
        raise storage_error(error, path) from error
