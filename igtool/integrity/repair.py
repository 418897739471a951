"""``igtool verify --repair``: stores are mended as files, then what is derived is made anew, and what is lost is named.

Each step is whole or not there, so a killed repair is gone on with by the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

import pyarrow as pa

from igtool.backups.manifest import Backup, opened
from igtool.disposal import let_stay
from igtool.errors import ConfigError, FinishedWithRejects, UsageError
from igtool.files import WriterLock
from igtool.integrity.checking import Report
from igtool.integrity.mending import (
    Mended,
    MendedFiles,
    Place,
    begun,
    live_now,
    marker_is_whole,
    mend_catalog,
    mend_files,
    mend_journal,
    mend_marker,
    note_begun,
    note_done,
)
from igtool.integrity.origins import MAKERS, origin_of
from igtool.journal import Journal
from igtool.lake_migrations import read_marker
from igtool.lake_sql import quote
from igtool.pipeline import run_stages
from igtool.rebuild import answers_are_gone, rebuild
from igtool.search.folder import discard
from igtool.session import Session, open_session
from igtool.settings import Settings
from igtool.stages.normalize import Normalize

Told = Callable[[str], None]


def repair(
    settings: Settings,
    report: Report,
    source: Path | None = None,
    *,
    stopping: Callable[[], bool] = lambda: False,
    told: Told = lambda _: None,
) -> list[Mended]:
    """Mend what ``report`` found, with the backup in ``source`` if there is one; what became of each thing.

    Raises LockedError (a run is under way), IntegrityError (the catalog is lost and there is no copy, or a backup of
    another lake), and what running stages raises.
    """
    settings.lake.check_usual("`--repair`", "restore its parts from their backups (docs/postgres-s3.md)")
    stores = report.stores()
    backup = opened(source.expanduser().resolve()) if source is not None else None
    done: list[Mended] = []
    data = settings.data.resolve()
    before = begun(data)
    files = MendedFiles()
    if stores & {"marker", "catalog", "journal", "lake"}:
        with ExitStack() as locks:
            for path, what in (
                (settings.data / "lake.lock", "the lake"),
                (settings.cache / "journal.lock", "the journal"),
            ):
                locks.callback(WriterLock(path, what).release)
            note_begun(data, before or ())
            done += _mend_databases(settings, stores, backup)
            files = _mend_files(settings, backup)
            done += files.done
    done += _discard(settings, report)
    broken = {finding.name for finding in report.damage if finding.store == "tables"}
    if done or broken or before is not None:
        files.tables |= before or set()
        done += _made_anew(settings, files, broken, stopping, told)
    note_done(data)
    return done


def _mend_databases(settings: Settings, stores: set[str], backup: Backup | None) -> list[Mended]:
    data, cache = settings.data.resolve(), settings.cache.resolve()
    done = []
    if "marker" in stores and not marker_is_whole(data):
        done.append(mend_marker(data, cache / "journal.sqlite", backup))
    if backup is not None and backup.manifest.lake_id != read_marker(data)["lake_id"]:
        raise UsageError(f"the backup {backup.folder} is of another lake: name the one of this workspace")
    if "catalog" in stores:
        done.append(mend_catalog(data, backup))
    if "journal" in stores:
        done.append(mend_journal(cache))
    return done


def _mend_files(settings: Settings, backup: Backup | None) -> MendedFiles:
    data = settings.data.resolve()
    lake_id = str(read_marker(data)["lake_id"])
    with Journal(settings.cache, writable=False, shared=True) as journal:  # the lock is ours already
        recorded = journal.lake_files(lake_id)
        files = live_now(data, recorded)
        journal.record_lake_files(lake_id, [one.adopted for one in files if one.adopted is not None])
    damaged = [one for one in files if one.problem]
    return mend_files(data, damaged, recorded, backup) if damaged else MendedFiles()


def _discard(settings: Settings, report: Report) -> list[Mended]:
    """What can be had again by other means: the index at the next search, pictures from where they came."""
    done = []
    for finding in report.damage:
        if finding.store == "index":
            discard(settings.data / "index")
            done.append(Mended("index", finding.name, "made anew", "from the tables"))
        elif finding.store == "pictures":
            path = settings.cache / "images" / finding.name[:2] / finding.name
            Place(settings.cache.resolve()).aside(path.resolve())
            detail = "`igtool run images --force` asks for it again"
            done.append(Mended("pictures", finding.name, "moved aside", detail, is_lost=True))
        elif finding.store == "models":
            done.append(Mended("models", finding.name, "left", f"type: {finding.fix}"))
    return done


def _made_anew(
    settings: Settings, files: MendedFiles, broken: set[str], stopping: Callable[[], bool], told: Told
) -> list[Mended]:
    """Run the stages whose tables lost rows, or hold rows that lead nowhere, and everything that follows from them."""
    derived = {table for table in files.tables | broken if origin_of(table) == "derived"}
    done = [
        Mended("tables", table, "left", "its rows lead nowhere, and nothing tells them again", is_lost=True)
        for table in sorted(broken - derived)
    ]
    with open_session(settings, "verify --repair", stopping) as session:
        session.told = told
        session.journal.forget_stages()
        session.journal.forget_files()
        _take_in(session, files.answers)
        with session.lake.transaction():
            let_stay(session.lake)
        stages = {stage for table in derived for stage in MAKERS[table]}
        done += _set_back(session, stages, derived)
        with suppress(FinishedWithRejects):
            try:
                run_stages(session)
            except ConfigError as error:
                told(f"a stage could not run: {error}. `igtool run` goes on from here")
    return done


def _take_in(session: Session, answers: Iterable[pa.Table]) -> None:
    for rows in answers:
        with session.lake.transaction():
            session.lake.append_new("raw_responses", rows)


def _set_back(session: Session, stages: set[str], derived: set[str]) -> list[Mended]:
    """Make all items of ``stages`` pending; those of normalize are made here, if all answers are there."""
    if not stages:
        return []
    if Normalize.name in stages and not answers_are_gone(session.lake):
        rebuild(session)
        stages = stages - {Normalize.name}
    kept = []
    if Normalize.name in stages:
        detail = "its answers are older than the settings keep them: rows of those are not made again"
        kept.append(Mended("tables", ", ".join(sorted(derived)), "lost", detail, is_lost=True))
    with session.lake.transaction():
        for table in ("stage_rows", "rejects"):
            session.lake.execute(
                f"delete from {quote(table)} where stage in (select unnest(?::varchar[]))", (sorted(stages),)
            )
    return kept
