"""A workspace opened for writing: both stores, progress, and the right to stop between batches."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from igtool.asking import Asker, Tally
from igtool.asking.encoding import Charged, Errand, encoder_options, open_encoder
from igtool.asking.opening import open_asker, provider_name
from igtool.asking.pictures import PictureAsker, open_picture_asker, picture_model_name
from igtool.cluster import Cluster, ClusterOptions, Site
from igtool.consent.removal import SWEPT_AFTER, keep_swept
from igtool.embedded import adopt
from igtool.encoders.base import Encoder
from igtool.errors import IgtoolError, Interrupted, first_of
from igtool.http.client import Client
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.llms.questions import Question, Result
from igtool.outbox import hand_over
from igtool.pictures.fetching import PictureFetcher
from igtool.pictures.gathering import PictureDesk
from igtool.pictures.store import PictureStore
from igtool.progress import Progress
from igtool.retention import snapshot_days
from igtool.runner import Runner
from igtool.search.log import store_searches
from igtool.settings import Settings
from igtool.settling import settle
from igtool.shards import Shard
from igtool.stages.base import Context, PictureAsk, Stage
from igtool.stages.embed import Embed
from igtool.stages.images import Images
from igtool.stages.normalize import Normalize
from igtool.vision.keyframes import VideoLimits
from igtool.vision.looking import Eyes
from igtool.vision.tower import Tower
from igtool.vocabulary import tags
from igtool.vocabulary.categories import Category


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
    shard: Shard | None = None

    @cached_property
    def asker(self) -> Asker | None:
        """What asks the language model of the settings; None without one. Raises ConfigError."""
        run = self.progress.run_id
        return open_asker(self.settings, self.journal, self.lake, run, stopping=self.stopping, told=self.told)

    @cached_property
    def picture_asker(self) -> PictureAsker | None:
        """What asks the model of the settings about pictures; None without one. Raises ConfigError."""
        run = self.progress.run_id
        return open_picture_asker(self.settings, self.journal, self.lake, run, stopping=self.stopping, told=self.told)

    def _askers(self) -> list[Asker]:
        """Those that were opened."""
        about_pictures: PictureAsker | None = vars(self).get("picture_asker")
        opened = (vars(self).get("asker"), about_pictures.asker if about_pictures is not None else None)
        return [asker for asker in opened if asker is not None]

    @property
    def tally(self) -> Tally | None:
        """What asking language models came to, about texts and pictures; None when none was to be asked."""
        tallies = [asker.tally for asker in self._askers()]
        return sum(tallies[1:], tallies[0]) if tallies else None

    @property
    def trouble(self) -> IgtoolError | None:
        """Why asking a language model had to stop, if it did; of several reasons the one that needs a person first."""
        troubles = [asker.trouble for asker in self._askers()]
        return first_of([one for one in troubles if one is not None])

    @cached_property
    def pictures(self) -> PictureDesk:
        """What pictures are fetched with, and where they are kept."""
        settings = self.settings
        most_bytes = (settings.picture_max_mb * 1_000_000, settings.video_max_mb * 1_000_000)
        client, video_client = (
            Client(timeout_s=settings.timeout_s, max_bytes=most, allow_loopback=settings.allow_loopback)
            for most in most_bytes
        )
        fetcher = PictureFetcher(client, settings.pictures_per_second, video_client=video_client)
        store, limits = PictureStore(settings.cache / "images"), VideoLimits(max_bytes=most_bytes[1])
        return PictureDesk(store, fetcher.fetch, fetcher.fetch_video, limits)

    @cached_property
    def eyes(self) -> Eyes:
        """The models that look at pictures. Raises ConfigError naming the commands that get what is missing."""
        eyes = Eyes(
            self.settings.workspace / "models", device=self.settings.picture_device, threads=self.settings.processes
        )
        if eyes.fallback:
            self.told(eyes.fallback)
        return eyes

    @cached_property
    def tower(self) -> Tower:
        """The image encoder. Raises ConfigError naming the command that gets one."""
        settings = self.settings
        tower = Tower.open(settings.workspace / "models", device=settings.picture_device, threads=settings.processes)
        if tower.fallback:
            self.told(tower.fallback)
        return tower

    @cached_property
    def cluster(self) -> Cluster | None:
        """Where stages are computed, if not in this process. Raises ConfigError where its package is missing."""
        settings = self.settings
        if settings.engine != "ray":
            return None
        workspace = settings.workspace.resolve()
        is_paid, options = isinstance(self.encoder(), Charged), encoder_options(settings)
        site = Site(
            workspace=workspace,
            models=workspace / "models",
            cache=workspace / "cache",
            encoder=None if is_paid else settings.encoder,
            encoder_options=replace(options, api_key=None, threads=1, folder=options.folder.resolve()),
            picture_device=settings.picture_device,
            token=secrets.token_hex(16),
        )
        given = ClusterOptions(
            address=settings.ray_address,
            actors=settings.ray_actors,
            gpus=settings.ray_gpus,
            processors=settings.processes,
            memory_mb=settings.ray_memory_mb,
        )
        return Cluster(site, given)

    def close_cluster(self) -> None:
        """Stop what `cluster` started, if that was used."""
        cluster: Cluster | None = vars(self).get("cluster")
        if cluster is not None:
            cluster.close()

    def _ask(self, questions: Sequence[Question]) -> list[Result]:
        return self.asker.ask(questions) if self.asker is not None else [None] * len(questions)

    def _about_pictures(self) -> PictureAsk | None:
        """What a stage asks about pictures with; nothing is opened or refused before it is used."""
        name = picture_model_name(self.settings)
        return PictureAsk(name, self._ask_about_pictures, self._may_ask) if name is not None else None

    def _ask_about_pictures(self, questions: Sequence[Question]) -> list[Result]:
        return self.picture_asker.ask(questions) if self.picture_asker is not None else [None] * len(questions)

    def _may_ask(self, category: Category) -> bool:
        return self.picture_asker is not None and self.picture_asker.may_ask(category)

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
                tower=lambda: self.tower,
                ask_about_pictures=self._about_pictures(),
            ),
            progress=self.progress,
            batch_size=self.settings.stage_batch_size,
            on_batch=committed,
            stopping=self.stopping,
            after=self._settle,
            scratch=self.settings.cache / "pieces",
            processes=self.settings.processes,
            cluster=self.cluster,
            shard=self.shard,
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
        Lake(settings.lake, writable=True, offline=settings.offline, on_files=journal.record_lake_files) as lake,
    ):
        lake.snapshot_days = snapshot_days(settings.retention)
        progress = Progress(settings.data / "progress.json", run_id)

        def encoder() -> Encoder:
            return open_encoder(settings, Errand(run_id, stopping, session.told))

        session = Session(settings, lake, journal, progress, stopping, encoder, started_at)
        try:
            store_searches(lake, journal)
            hand_over(lake, journal)
            yield session
            _close_askers(session)
        except Interrupted:
            _close_askers(session)
            _record_run(session, command, "interrupted")
            progress.finish("interrupted")
            raise
        except BaseException:
            progress.finish("failed")
            raise
        finally:
            session.close_cluster()
        _record_run(session, command, "finished")
        progress.finish("finished")


def _close_askers(session: Session) -> None:
    """Store what language models answered, if any were asked."""
    with ExitStack() as stack:
        for asker in session._askers():
            stack.callback(asker.close)


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
