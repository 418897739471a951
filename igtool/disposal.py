"""``igtool gc``: rows past their time, and files that nothing needs any more."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from igtool.errors import UsageError
from igtool.files import is_locked, storage_error
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_migrations import KEPT
from igtool.lake_sql import quote
from igtool.retention import TIMES, days_of, snapshot_days
from igtool.search.folder import remove, unused
from igtool.settings import Settings

_OLD_COPIES_DAYS = 30
_OLD_REPORTS_DAYS = 7
_DAY_S = 86_400.0
_SAMPLED_BY_WEEK = "raw_responses"


@dataclass(frozen=True)
class Freed:
    """What went, or would go: so many rows or files, and bytes of disk; of rows the bytes are those of all tables."""

    what: str
    items: int
    bytes: int


def collect(settings: Settings, *, dry_run: bool = False, now: datetime | None = None) -> list[Freed]:
    """Apply the retention of the settings and delete what nothing needs; with ``dry_run`` only say so.

    Killed at any time, it is gone on with by the next call. Raises UsageError (no lake), LockedError, StorageError.
    """
    at = now or datetime.now(UTC)
    if not settings.lake.is_made:
        raise UsageError(f"there is no creator database in {settings.workspace.resolve()}: there is nothing to delete")
    try:
        if dry_run:
            with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
                found = [
                    *_rows(lake, _cutoffs(settings, at)),
                    _orphans(lake),
                    *_freed_files(settings, lake, dry_run=True),
                ]
        else:
            found = _collected(settings, at)
    except OSError as error:
        raise storage_error(error, settings.workspace) from error
    return [one for one in found if one.items or one.bytes]


def _collected(settings: Settings, at: datetime) -> list[Freed]:
    with (
        Journal(settings.cache, writable=True) as journal,
        Lake(settings.lake, writable=True, offline=settings.offline, on_files=journal.record_lake_files) as lake,
    ):
        lake.snapshot_days = snapshot_days(settings.retention)
        files = [_orphans(lake), *_freed_files(settings, lake, dry_run=False)]
        lake.remove_orphans()
        before, cutoffs = sum(lake.store.sizes().values()), _cutoffs(settings, at)
        rows = _rows(lake, cutoffs)
        if rows:
            with lake.transaction():
                for name, cutoff in cutoffs.items():
                    lake.execute(f"delete from {quote(name)} where {quote(TIMES[name])} < ?", (cutoff,))
                _settle(lake)
            lake.purge([*cutoffs, "stage_rows", "insights"])
        else:
            lake.upkeep(least_commits=1)
        after = sum(lake.store.sizes().values())
    return [*rows, Freed("data files", 0, max(0, before - after)), *files]


def _cutoffs(settings: Settings, at: datetime) -> dict[str, datetime]:
    """Table to the time before which its rows go; of answers whole weeks, which samples are drawn from."""
    cutoffs = {name: at - timedelta(days=days_of(text)) for name, text in settings.retention.items() if name in TIMES}
    if _SAMPLED_BY_WEEK in cutoffs:
        last = cutoffs[_SAMPLED_BY_WEEK]
        monday = (last - timedelta(days=last.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
        cutoffs[_SAMPLED_BY_WEEK] = monday
    return cutoffs


def _rows(lake: Lake, cutoffs: dict[str, datetime]) -> list[Freed]:
    """Rows of each table that go."""
    counts = {
        name: int(lake.value(f"select count(*) from {quote(name)} where {quote(TIMES[name])} < ?", (cutoff,)))
        for name, cutoff in cutoffs.items()
    }
    return [Freed(f"rows of {name}", count, 0) for name, count in counts.items() if count]


def _settle(lake: Lake) -> None:
    """What is made of answers that went stays; what conversations that went say goes with them."""
    let_stay(lake)
    gone = "not in (select conversation_id from conversations)"
    lake.execute(f"delete from insights where conversation_id {gone}")
    lake.execute(f"delete from stage_rows where stage = 'insights' and item_id {gone}")


def let_stay(lake: Lake) -> None:
    """Forget that answers which are gone were read: else what was made of them would go in the next run."""
    lake.execute(
        "delete from stage_rows where stage = 'normalize' and item_id not in (select answer_id from raw_responses)"
    )
    weeks = (
        "select distinct source || '|' || strftime(make_timestamp(epoch_us(fetched_at)), '%G-W%V') from raw_responses"
    )
    lake.execute(f"delete from stage_rows where stage = 'drift' and item_id not in ({weeks})")


# Files -----------------------------------------------------------------------------------------------------------


def _files(settings: Settings, lake: Lake) -> list[tuple[str, list[Path]]]:
    """What nothing needs, by kind."""
    data, cache = settings.data, settings.cache
    found = [
        ("indexes that are not in use", [] if is_locked(data / "index" / "index.lock") else unused(data / "index")),
        ("pictures that no table names", _pictures(lake, cache / "images")),
        ("what killed processes left", list(_left(settings))),
        ("copies from before upgrades, damaged files", list(_old(settings))),
        ("reports of errors", list(_reports())),
    ]
    return [(what, paths) for what, paths in found if paths]


def _orphans(lake: Lake) -> Freed:
    found = lake.orphans()
    return Freed("data files of commits that never were", len(found), sum(found.values()))


def _freed_files(settings: Settings, lake: Lake, *, dry_run: bool) -> list[Freed]:
    return [_freed(what, paths, dry_run=dry_run) for what, paths in _files(settings, lake)]


def _pictures(lake: Lake, folder: Path) -> list[Path]:
    used = {row["sha256"] for row in lake.rows("select distinct sha256 from media where sha256 is not null")}
    return [path for path in folder.glob("??/*") if path.name not in used]


def _left(settings: Settings) -> Iterator[Path]:
    """Half-written files; whoever writes holds the locks that we hold, but for downloads of models."""
    yield from (settings.cache / "pieces").glob("*")
    yield from (settings.data / "spill").glob("*")
    yield from settings.workspace.glob(".restoring")
    for folder in (settings.data, settings.data / "export", settings.cache):
        yield from folder.glob(".*.tmp")
    for path in (settings.workspace / "models").glob(".*"):
        if path.suffix in (".tmp", ".part") and _age_days(path) > 1:
            yield path


def _old(settings: Settings) -> Iterator[Path]:
    for folder in (settings.data, settings.cache):
        for kept in (KEPT, "damaged"):
            yield from (path for path in (folder / kept).glob("*") if _age_days(path) > _OLD_COPIES_DAYS)


def _reports() -> Iterator[Path]:
    for path in Path(tempfile.gettempdir()).glob("igtool-error-*.txt"):
        state = path.lstat()
        if state.st_uid == os.getuid() and _age_days(path) > _OLD_REPORTS_DAYS:
            yield path


def _age_days(path: Path) -> float:
    return (time.time() - path.lstat().st_mtime) / _DAY_S


def _freed(what: str, paths: Iterable[Path], *, dry_run: bool) -> Freed:
    count = size = 0
    for path in paths:
        count, size = count + 1, size + _size(path)
        if dry_run:
            continue
        if path.is_dir() and not path.is_symlink():
            remove(path)
        else:
            path.unlink(missing_ok=True)
    return Freed(what, count, size)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    if path.is_dir() and not path.is_symlink():
        return sum(one.lstat().st_size for one in path.rglob("*") if one.is_file())
    return path.lstat().st_size if path.exists() else 0
