"""A workspace opened for writing: both stores, progress, and the right to stop between batches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property

from igtool.asking import Asker, Tally
from igtool.asking.encoding import Charged, Errand, open_encoder
from igtool.asking.opening import open_asker, provider_name
from igtool.consent.removal import SWEPT_AFTER, keep_swept
from igtool.embedded import adopt
from igtool.encoders.base import Encoder
from igtool.errors import IgtoolError, Interrupted
from igtool.http.client import Client
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.llms.questions import Question, Result
from igtool.pictures.fetching import PictureFetcher
from igtool.pictures.gathering import PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.runner import Runner
from igtool.search.log import store_searches
from igtool.settings import Settings
from igtool.settling import settle
from igtool.stages.base import Context, Stage
from igtool.stages.embed import Embed
from igtool.stages.images import Images
from igtool.stages.normalize import Normalize
from igtool.vision.looking import Eyes
from igtool.vocabulary import tags


@dataclass
class Session:
    """A workspace opened for writing by this process, with the means to run stages."""

    settings: Settings
    lake: Lake
    journal: Journal
    progress: Progress
    stopping: Callable[[], bool]
    encoder: Callable[[], Encoder]
    started_at: datetime
    told: Callable[[str], None] = lambda _: None

    @cached_property
    def asker(self) -> Asker | None:
        """What asks the language model of the settings; None without one. Raises ConfigError."""
        run = self.progress.run_id
        return open_asker(self.settings, self.journal, self.lake, run, stopping=self.stopping, told=self.told)

    @property
    def tally(self) -> Tally | None:
        """What asking a language model came to; None when none was to be asked."""
        asker: Asker | None = vars(self).get("asker")
        return asker.tally if asker is not None else None

    @property
    def trouble(self) -> IgtoolError | None:
        """Why asking a language model had to stop, if it did."""
        asker: Asker | None = vars(self).get("asker")
        return asker.trouble if asker is not None else None

    @cached_property
    def pictures(self) -> PictureDesk:
        """What pictures are fetched with, and where they are kept."""
        settings = self.settings
        client = Client(
            timeout_s=settings.timeout_s,
            max_bytes=settings.picture_max_mb * 1_000_000,
            allow_loopback=settings.allow_loopback,
        )
        fetcher = PictureFetcher(client, settings.pictures_per_second)
        return PictureDesk(PictureStore(settings.cache / "images"), fetcher.fetch)

    @cached_property
    def eyes(self) -> Eyes:
        """The models that look at pictures. Raises ConfigError naming the commands that get what is missing."""
        eyes = Eyes(
            self.settings.workspace / "models", device=self.settings.picture_device, threads=self.settings.processes
        )
        if eyes.fallback:
            self.told(eyes.fallback)
        return eyes

    def _ask(self, questions: Sequence[Question]) -> list[Result]:
        return self.asker.ask(questions) if self.asker is not None else [None] * len(questions)

    def runner(self, on_batch: Callable[[Stage], None] = lambda _: None) -> Runner:
        """A runner over this workspace."""

        def committed(stage: Stage) -> None:
            if isinstance(stage, Embed) and isinstance(encoder := self.encoder(), Charged):
                encoder.drain(self.lake)
            on_batch(stage)

        return Runner(
            lake=self.lake,
            journal=self.journal,
            context=Context(
                encoder=self.encoder,
                clock=lambda: datetime.now(UTC),
                ask=self._ask if provider_name(self.settings) is not None else None,
                pictures=self.pictures,
                eyes=lambda: self.eyes,
            ),
            progress=self.progress,
            batch_size=self.settings.stage_batch_size,
            on_batch=committed,
            stopping=self.stopping,
            after=self._settle,
            scratch=self.settings.cache / "pieces",
            processes=self.settings.processes,
        )

    def _settle(self, stage: Stage) -> None:
        if stage.name == Normalize.name:
            settle(self.lake, self.journal, datetime.now(UTC))
        elif isinstance(stage, Embed) and stage.name == Embed.name:
            adopt(self.lake, self.journal, stage.options.model)
        elif stage.name == Images.name:
            used = self.lake.rows("select distinct sha256 from media where sha256 is not null")
            self.pictures.store.keep_only({row["sha256"] for row in used})
        elif SWEPT_AFTER.intersection(stage.writes):
            keep_swept(self.lake, self.journal, tags.load(self.settings.workspace))

    def stop_if_asked(self, after: str) -> None:
        """Raises Interrupted when the user asked to stop."""
        if self.stopping():
            raise Interrupted(f"stopped after {after}; everything finished so far is stored")


@contextmanager
def open_session(settings: Settings, command: str, stopping: Callable[[], bool]) -> Iterator[Session]:
    """A session that holds both stores; at its end the run is recorded in ``runs``.

    Raises LockedError, ConfigError, IntegrityError, StorageError.
    """
    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%S.%f}-{os.getpid()}"

    with (
        Journal(settings.cache, writable=True) as journal,
        Lake(settings.data, writable=True, offline=settings.offline, on_files=journal.record_lake_files) as lake,
    ):
        progress = Progress(settings.data / "progress.json", run_id)

        def encoder() -> Encoder:
            return open_encoder(settings, Errand(run_id, stopping, session.told))

        session = Session(settings, lake, journal, progress, stopping, encoder, started_at)
        try:
            store_searches(lake, journal)
            yield session
            _close_asker(session)
        except Interrupted:
            _close_asker(session)
            _record_run(session, command, "interrupted")
            progress.finish("interrupted")
            raise
        except BaseException:
            progress.finish("failed")
            raise
        _record_run(session, command, "finished")
        progress.finish("finished")


def _close_asker(session: Session) -> None:
    """Store what a language model answered, if one was asked."""
    asker = vars(session).get("asker")
    if asker is not None:
        asker.close()


def _record_run(session: Session, command: str, status: str) -> None:
    row = {
        "run_id": session.progress.run_id,
        "command": command,
        "status": status,
        "stages": json.dumps({c.stage: asdict(c) for c in session.progress.counts.values()}),
        "started_at": session.started_at,
        "finished_at": datetime.now(UTC),
    }
    with session.lake.transaction():
        session.lake.merge("runs", [row])
