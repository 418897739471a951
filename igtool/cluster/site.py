"""What travels to a process of Ray besides rows, and the context of stages that is made of it there.

No key of anybody travels: a process that is given this can ask nothing that costs, and fetches nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from igtool import __version__, registry
from igtool.encoders.base import Encoder, EncoderOptions
from igtool.encoders.known import Known, Texts
from igtool.errors import ConfigError
from igtool.pictures.fetching import Missed
from igtool.pictures.gathering import PictureDesk
from igtool.pictures.store import PictureStore
from igtool.stages.base import BatchStage, Context
from igtool.vision.looking import Eyes
from igtool.vision.sessions import Wish
from igtool.vision.tower import Tower

TOKEN = "ray.token"  # noqa: S105 - the name of a file
"""In ``cache/`` while a run goes on: a process that finds it there sees the same workspace."""


@dataclass(frozen=True)
class Site:
    """The workspace as processes of Ray see it: folders of models and pictures, the encoder without its key.

    ``encoder`` is None where texts are sent to somebody who is paid: that is done by the run itself alone. ``token``
    is what stands in the file ``TOKEN``.
    """

    workspace: Path
    models: Path
    cache: Path
    encoder: str | None
    encoder_options: EncoderOptions
    picture_device: Wish
    token: str
    version: str = __version__


@dataclass(frozen=True)
class Job:
    """A stage with what it needs where it runs; ``words``: vectors of our own vocabulary."""

    stage: BatchStage
    site: Site
    words: Texts | None = field(default=None, repr=False)


class Kit:
    """The context of a stage on this machine; models are loaded when they are first used, and once.

    Raises ConfigError where this machine is not like that of the run: another igtool, or another workspace.
    """

    def __init__(self, job: Job) -> None:
        self._site, self._words = job.site, job.words
        node = platform.node()
        if job.site.version != __version__:
            raise ConfigError(
                f"{node} has igtool {__version__} and the run {job.site.version}: install the same on every node"
            )
        if "pictures" in (job.stage.elsewhere or ()) and _token(job.site) != job.site.token:
            raise ConfigError(
                f"{node} does not see the workspace {job.site.workspace}: share the folder between the nodes, at the "
                f"same path, or run the stage {job.stage.name} with --engine local"
            )

    def context(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Context:
        """What stages are given."""
        store = PictureStore(self._site.cache / "images")
        return Context(
            encoder=lambda: self._encoder,
            clock=clock,
            pictures=PictureDesk(store, lambda _: Missed("refused", "not-here", "pictures are fetched by the run")),
            eyes=lambda: self._eyes,
            tower=lambda: self._tower,
        )

    @cached_property
    def _encoder(self) -> Encoder:
        if self._words is not None:
            return Known(self._words)
        if self._site.encoder is None:
            _refuse()
        made: Encoder = registry.encoder(self._site.encoder, self._site.encoder_options)
        return made

    @cached_property
    def _eyes(self) -> Eyes:
        return Eyes(self._site.models, device=self._site.picture_device, threads=1)

    @cached_property
    def _tower(self) -> Tower:
        return Tower.open(self._site.models, device=self._site.picture_device, threads=1)


def _token(site: Site) -> str | None:
    try:
        return (site.cache / TOKEN).read_text()
    except OSError:
        return None


def _refuse() -> NoReturn:
    raise ConfigError("the encoder is paid for: only the run itself asks it")
