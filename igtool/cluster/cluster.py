"""A stage over its pending rows under Ray Data.

The run reads the lake and commits; processes of Ray get pieces and give back what the stage made of them. Whatever
happens to those, each piece comes back once: Ray does again what a killed process had, and a piece is known by its
number.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from igtool.cluster.packing import block as block_of
from igtool.cluster.packing import output_of, packed
from igtool.cluster.running import check_installed, running
from igtool.cluster.site import TOKEN, Job, Site
from igtool.encoders.known import Noting, Texts
from igtool.errors import ConfigError, RateLimitedError
from igtool.files import replaced
from igtool.pieces import Piece
from igtool.portrait.spaces import spaces_of
from igtool.stages.base import BatchStage, Context, Output

_AHEAD = 2
"""Pieces for each process that are on their way at a time."""
_END_S = 30.0


@dataclass(frozen=True)
class ClusterOptions:
    """Where and how.

    ``address`` of a cluster, None to start Ray on this machine; ``actors``: processes of a stage, None for one a
    processor; ``gpus`` of each where it runs a model; ``processors`` of this machine and ``memory_mb`` for pieces on
    their way: of a Ray of our own.
    """

    address: str | None = None
    actors: int | None = None
    gpus: float = 0.0
    processors: int = 2
    memory_mb: int = 512


class Cluster:
    """Runs stages under Ray Data, until it is closed. Ray is started by the first stage that has work.

    Raises ConfigError where Ray is not installed.
    """

    def __init__(self, site: Site, options: ClusterOptions) -> None:
        check_installed()
        self._site = site
        self._options = options
        self._stack = ExitStack()
        self._ray: Any = None

    def close(self) -> None:
        """Stop the Ray that was started, or leave the cluster."""
        self._ray = None
        self._stack.close()

    def takes(self, stage: BatchStage) -> bool:
        """Whether ``stage`` is run here; else it asks somebody, or is none that travels, and the run does it itself."""
        if stage.elsewhere is None:
            return False
        return "encoder" not in stage.elsewhere or self._site.encoder is not None

    def map(
        self, stage: BatchStage, pieces: Iterable[Piece], context: Context, *, at_most: int
    ) -> Generator[tuple[pa.Table, Output]]:
        """``head`` of each of the pieces, of which there are ``at_most``, with what the stage made of it, as they come.

        Raises what the stage raises, ConfigError for a cluster that cannot run it, RateLimitedError (the same command
        goes on) where Ray gives up.
        """
        ray = self.start()
        job = Job(stage, self._site, _words(context) if "words" in (stage.elsewhere or ()) else None)
        flow = _Flow(ray, job, min(at_most, self._actors(ray, stage)), self._gpus(stage))
        try:
            for piece in pieces:
                flow.send(piece)
                while flow.is_full or flow.has_more:
                    yield flow.take()
            flow.finish()
            while flow.waiting:
                yield flow.take()
        finally:
            flow.close()

    def start(self) -> Any:
        """The module ``ray``, connected; what `map` does first. Raises ConfigError."""
        if self._ray is None:
            options = self._options
            with replaced(self._site.cache / TOKEN) as file:
                file.write(self._site.token.encode())
            self._stack.callback((self._site.cache / TOKEN).unlink, missing_ok=True)
            processors = max(options.processors, options.actors or 0)
            self._ray = self._stack.enter_context(
                running(options.address, processors=processors, memory_mb=options.memory_mb)
            )
        return self._ray

    def _gpus(self, stage: BatchStage) -> float:
        return self._options.gpus if {"encoder", "pictures"} & set(stage.elsewhere or ()) else 0.0

    def _actors(self, ray: Any, stage: BatchStage) -> int:
        """How many processes run the stage. Raises ConfigError where the GPUs that they need are not there."""
        there = ray.cluster_resources()
        most, gpus = max(1, int(there.get("CPU", 1))), self._gpus(stage)
        if gpus:
            most = min(most, math.floor(there.get("GPU", 0) / gpus))
        if most < 1:
            raise ConfigError(
                f"{stage.name} is to have {gpus:g} GPUs a process (ray_gpus), and this Ray has {there.get('GPU', 0):g}"
            )
        return min(most, self._options.actors or most)


def _words(context: Context) -> Texts:
    """Vectors of our own vocabulary: asked for here, where that is charged, and once."""
    noting = Noting(context.encoder())
    spaces_of(noting)
    return noting.noted()


class _Flow:
    """Pieces on their way through one Dataset, which is read by a thread. ``waiting``: those that are, by number."""

    def __init__(self, ray: Any, job: Job, actors: int, gpus: float) -> None:
        from igtool.cluster.actors import Feed

        self.waiting: dict[int, tuple[pa.Table, Any]] = {}
        self._ray, self._stage = ray, job.stage.name
        self._most = _AHEAD * actors + 2
        self._sent = 0
        self._here = ray.get_runtime_context().get_node_id()
        self._feed = ray.remote(Feed).options(num_cpus=0, label_selector={"ray.io/node-id": self._here}).remote()
        self._answers: queue.Queue[tuple[int, pa.Buffer] | BaseException | None] = queue.Queue()
        self._dataset = self._made(job, actors, gpus)
        self._thread = threading.Thread(target=self._read, name="ray-data", daemon=True)
        self._thread.start()

    def _made(self, job: Job, actors: int, gpus: float) -> Any:
        """The Dataset, from pending rows to what was made of them."""
        from igtool.cluster.actors import Pieces, Worker

        data = self._ray.data
        context = data.DataContext.get_current()
        before = {name: getattr(context, name) for name in _DATA_SETTINGS}
        try:
            for name, value in _DATA_SETTINGS.items():
                setattr(context, name, value)
            read = data.read_datasource(
                Pieces(self._feed),
                override_num_blocks=1,
                num_cpus=0,
                label_selector={"ray.io/node-id": self._here},
            )
            return read.map_batches(
                Worker,
                fn_constructor_args=(job, self._feed),
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=1,
                num_gpus=gpus or None,
                compute=data.ActorPoolStrategy(size=actors),
            )
        finally:
            for name, value in before.items():
                setattr(context, name, value)

    def _read(self) -> None:
        """Everything that comes out, for `take`; None after the last."""
        try:
            for block in self._dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for number, content in zip(block.column("piece"), block.column("content"), strict=True):
                    self._answers.put((number.as_py(), content.as_buffer()))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answers are taken
            self._answers.put(error)
        self._answers.put(None)

    @property
    def is_full(self) -> bool:
        """Whether enough is on its way."""
        return len(self.waiting) >= self._most

    @property
    def has_more(self) -> bool:
        """Whether an answer is there."""
        return bool(self.waiting) and not self._answers.empty()

    def send(self, piece: Piece) -> None:
        """Put a piece on its way."""
        reference = self._ray.put(block_of(self._sent, packed(piece.rows)))
        self.waiting[self._sent] = (piece.head, reference)
        self._feed.give.remote(self._sent, [reference])
        self._sent += 1

    def finish(self) -> None:
        """There are no more pieces."""
        self._feed.finish.remote(self._sent)

    def take(self) -> tuple[pa.Table, Output]:
        """The next answer with the head of its piece; waits for it. Raises what the stage raised."""
        while True:
            answer = self._answers.get()
            if answer is None or isinstance(answer, BaseException):
                raise RateLimitedError(
                    f"Ray gave up in {self._stage} ({_short(answer)}): what was finished is stored and the same "
                    "command goes on; with --engine local it goes on in this process"
                ) from answer
            number, content = answer
            head, _ = self.waiting.pop(number, (None, None))
            if head is not None:  # a piece that was worked on twice may come back twice
                self._feed.drop.remote(number)
                return head, output_of(content)

    def close(self) -> None:
        """Let the Dataset come to its end, and wait for that where nothing is on its way."""
        with suppress(Exception):  # Ray may be gone
            self.finish()
            if not self.waiting:
                self._thread.join(_END_S)
                self._ray.kill(self._feed)


_DATA_SETTINGS = {
    "target_max_block_size": 1,  # a row is a piece, and none waits for others
    "target_min_block_size": 1,
    "enable_progress_bars": False,
    "print_on_execution_start": False,
    "enable_auto_log_stats": False,
}


def _short(error: BaseException | None) -> str:
    lines = str(error or "it stopped").strip().splitlines()
    return f"{type(error).__name__}: {lines[-1][:200]}" if error is not None and lines else "it stopped"
