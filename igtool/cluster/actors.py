"""What runs in other processes of Ray: the feed of pieces, and workers that do a stage's work. Imports ray."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask

from igtool.cluster.packing import PIECES, answer_of, block, unpacked
from igtool.cluster.site import Job, Kit
from igtool.errors import IgtoolError
from igtool.stages.base import Context
from igtool.workers import process

_DONE = "done"
_TRIES = 3
"""Of a piece whose process dies. Ray would try for ever, and by then it is the piece that kills it."""


class Feed:
    """Hands pieces out by number, as often as they are asked for, and waits for those that the run has yet to read.

    It holds references alone; the pieces lie in the object store and belong to the run.
    """

    def __init__(self) -> None:
        self._pieces: dict[int, Any] = {}
        self._tries: Counter[int] = Counter()
        self._count: int | None = None
        self._changed = asyncio.Condition()

    async def give(self, number: int, references: list[Any]) -> None:
        """Piece ``number`` is there. Its reference comes in a list, or Ray would bring what it stands for."""
        async with self._changed:
            self._pieces[number] = references
            self._changed.notify_all()

    async def drop(self, number: int) -> None:
        """What was made of piece ``number`` has arrived: nobody needs it any more."""
        async with self._changed:
            self._pieces[number] = []
            self._tries.pop(number, None)

    async def tried(self, number: int) -> int:
        """How often somebody began with piece ``number``, this time included."""
        self._tries[number] += 1
        return self._tries[number]

    async def finish(self, count: int) -> None:
        """There are no more than ``count`` pieces."""
        async with self._changed:
            self._count = count
            self._changed.notify_all()

    async def piece(self, number: int) -> Any:
        """The reference of piece ``number`` in a list, an empty one if nobody needs it; ``done`` after the last."""
        async with self._changed:
            await self._changed.wait_for(lambda: number in self._pieces or self._is_over(number))
            return self._pieces.get(number, _DONE)

    def _is_over(self, number: int) -> bool:
        return self._count is not None and number >= self._count


class Pieces(Datasource):
    """The pending rows of a stage for Ray Data: one block a piece, in order, as the run reads them.

    A reader that is killed is started anew and reads the same again: what has arrived since is an empty block.
    """

    def __init__(self, feed: Any) -> None:
        self._feed = feed

    def get_name(self) -> str:
        """What Ray's own logs call it."""
        return "Pending"

    def estimate_inmemory_data_size(self) -> int | None:
        """Nobody knows before it was read."""
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:  # noqa: ARG002 - Ray's signature
        """One: the run reads the lake, one piece after the other."""
        feed = self._feed
        told = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
        return [ReadTask(lambda: _read(feed), told)]


def _read(feed: Any) -> Iterator[pa.Table]:
    number = 0
    while (found := ray.get(feed.piece.remote(number))) != _DONE:
        yield ray.get(found[0]) if found else PIECES.empty_table()
        number += 1


def _deadly(job: Job, rows: pa.Table) -> IgtoolError:
    first, last = (rows.column("item_id")[place].as_py() for place in (0, -1))
    return IgtoolError(
        f"{job.stage.name} killed its process {_TRIES} times over the {rows.num_rows} items from {first} to {last} (or "
        "the machine has too little memory): what was finished is stored; a smaller stage_batch_size narrows it down"
    )


class Worker:
    """Runs one stage; what that needs is loaded with the first piece, and once. Errors travel back as answers."""

    def __init__(self, job: Job, feed: Any) -> None:
        self._job, self._feed = job, feed
        self._context: Context | None = None

    def __call__(self, pieces: pa.Table) -> pa.Table:
        """What the stage made of each of ``pieces``."""
        made = [
            block(number.as_py(), self._answer(number.as_py(), content.as_buffer()))
            for number, content in zip(pieces.column("piece"), pieces.column("content"), strict=True)
        ]
        return pa.concat_tables([PIECES.empty_table(), *made])

    def _answer(self, number: int, content: pa.Buffer) -> bytes:
        rows = unpacked(content)
        if ray.get(self._feed.tried.remote(number)) > _TRIES:
            return answer_of(_deadly(self._job, rows))
        try:
            if self._context is None:
                self._context = Kit(self._job).context()
            return answer_of(process(self._job.stage, rows, self._context))
        except Exception as error:  # noqa: BLE001 - it is raised again where the piece came from
            return answer_of(error)
