"""The stages of this version in order, and what follows from them: the index and the exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from igtool.errors import UsageError
from igtool.export import export_tables
from igtool.schema import EXPORTED
from igtool.search.build import build_index, index_is_current
from igtool.session import Session, open_session
from igtool.settings import Settings
from igtool.stages.analyze import Analyze
from igtool.stages.base import Stage
from igtool.stages.drift import Drift
from igtool.stages.embed import Embed, EmbedOptions
from igtool.stages.normalize import Normalize
from igtool.stages.resolve import Resolve

NAMES = (Normalize.name, Drift.name, Embed.name, Resolve.name, Analyze.name, "index", "export")
_INDEXED = ("accounts", "content_items", "creators", "creator_links", "embeddings", "profiles", "niches")


def stages_of(settings: Settings, names: Sequence[str] = ()) -> list[Stage]:
    """The named stages with their options, all of them if none is named."""
    stages: list[Stage] = [Normalize(), Drift(), Embed(EmbedOptions(encoder=settings.encoder)), Resolve(), Analyze()]
    return [stage for stage in stages if not names or stage.name in names]


def run_stages(session: Session, names: Sequence[str] = (), *, force: bool = False) -> None:
    """Bring the named stages up to date, all of them if none is named; ``force`` does their items again.

    Raises UsageError for a name that is none of ``NAMES``, before anything is run.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"there is no stage {name!r}; there are: {', '.join(NAMES)}")
    session.runner().run(stages_of(session.settings, names), force=force)
    session.stop_if_asked("the stages")
    if not names or "index" in names:
        update_index(session, force=force)
    if not names or "export" in names:
        _export(session)
    session.lake.upkeep()


def _export(session: Session) -> None:
    settings = session.settings
    export_tables(session.lake, session.journal, settings.data / "export", with_emails=settings.export_emails)


def update_index(session: Session, *, force: bool = False) -> None:
    """Build the search index if a table it shows changed since it was built."""
    counts = session.progress.of("index")
    folder = session.settings.data / "index"
    lake, journal = session.lake, session.journal
    creators = lake.value("select count(*) from creators")
    state = journal.stage_state(lake.lake_id, "index")
    current = state is not None and state[1] <= lake.snapshot and not lake.changed_since(state[1]) & set(_INDEXED)
    if current and state is not None and not force and index_is_current(folder, state[0]):
        counts.skipped = creators
        return
    snapshot = lake.snapshot
    version = f"{lake.lake_id[:8]}-{snapshot}"
    if force:  # beside the index of the same snapshot
        version += f"-{session.progress.run_id}"
    with session.progress.stage("index", creators):
        build_index(lake, folder, version=version)
        session.progress.advance(creators)
    journal.record_stage(lake.lake_id, "index", version, snapshot)
    if state is None:
        counts.new = creators
    else:
        counts.updated = creators


def export_now(settings: Settings, stopping: Callable[[], bool]) -> list[Path]:
    """Bring the Parquet files in ``data/export`` up to date; all of them, written now or before."""
    folder = settings.data / "export"
    with open_session(settings, "export", stopping) as session:
        _export(session)
    return [folder / f"{name}.parquet" for name in EXPORTED]
