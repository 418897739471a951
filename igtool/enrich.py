"""The main job: a creator list in, a filled list, tables, an index and a report out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from igtool.creator_list import CreatorList
from igtool.export import export_tables
from igtool.fill import FIELDS, Filling, fill_list, write_filling
from igtool.importing import import_source
from igtool.lake import Lake
from igtool.pipeline import STAGES, update_index
from igtool.progress import StageCounts
from igtool.session import Session
from igtool.stages.base import Stage
from igtool.watchlist import store_list


@dataclass(frozen=True)
class EnrichOptions:
    """What one run of the main job is asked to do."""

    source: Path | None = None
    output: Path | None = None
    fill: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    force: bool = False


@dataclass
class Summary:
    """What a run did: counts per stage, rows of the list by status, and the files it wrote."""

    run_id: str
    started_at: datetime
    stages: list[StageCounts] = field(default_factory=list)
    filling: Filling | None = None
    before: dict[str, int] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

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
    summary = Summary(session.progress.run_id, session.started_at)
    folder = session.settings.data / "export"
    output = options.output or folder / "creators_enriched.csv"
    summary.before = {column: creators.coverage(column)[0] for column, _ in options.fill}
    store_list(session, creators)
    filler = _Filler(session.lake, creators, options, output)
    if options.source is not None:
        import_source(session.lake, session.journal, options.source, session.progress, session.stopping)
    else:
        summary.notes.append("no source of raw answers was given: only answers that are already stored were used")
    session.runner(filler.after_batch).run([stage() for stage in STAGES], force=options.force)
    session.stop_if_asked("analyze")
    summary.filling = filler.write()
    update_index(session)
    session.stop_if_asked("index")
    export_tables(session.lake, session.journal, folder)
    session.lake.upkeep()
    summary.files = [output, output.with_suffix(".provenance.csv"), folder / "report.html"]
    summary.stages = list(session.progress.counts.values())
    summary.seconds = time.monotonic() - began
    return summary


@dataclass
class _Filler:
    """Keeps the filled list up to date while stages run, at a bounded share of the time."""

    lake: Lake
    creators: CreatorList
    options: EnrichOptions
    output: Path
    took_s: float = 0.0
    ended_at: float = 0.0

    def after_batch(self, stage: Stage) -> None:
        """Write if ``stage`` makes a field that is filled; a list that takes long is written less often."""
        tables = {"creators", *(FIELDS[name].table for _, name in self.options.fill)}
        if tables & set(stage.writes) and time.monotonic() - self.ended_at >= 5 * self.took_s:
            self.write()

    def write(self) -> Filling:
        """Write the filled list and its provenance from what is stored now."""
        began = time.monotonic()
        filling = fill_list(self.lake, self.creators, self.options.fill, limit=self.options.limit)
        write_filling(self.creators, filling, self.options.fill, self.output)
        self.ended_at = time.monotonic()
        self.took_s = self.ended_at - began
        return filling
