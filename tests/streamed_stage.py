"""A streamed stage for tests, in a module of its own: workers import it by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from igtool.arrow import Rows, arrow_table
from igtool.errors import UsageError
from igtool.schema import TABLES
from igtool.stages.base import BatchStage, Context, Need, Output, Reject

_SIGNALS = {"die": signal.SIGKILL, "interrupt": signal.SIGINT}


class Capitals(BatchStage):
    """Bodies in capitals, as names of creators. What a body says is also done: see ``process``."""

    name: ClassVar[str] = "capitals"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("raw_responses",)
    writes: ClassVar[tuple[str, ...]] = ("creators",)
    key: ClassVar[str] = "creator_id"
    keys: ClassVar[str] = "select answer_id as item_id, sha256 as fingerprint from raw_responses"
    rows: ClassVar[str] = (
        "select b.item_id, b.fingerprint, b.known, r.body from raw_responses r join batch b on b.item_id = r.answer_id"
    )
    batch_size: ClassVar[int] = 10
    streamed: ClassVar[bool] = True
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset()

    def process(self, batch: pa.Table, context: Context) -> Output:
        """``crash`` is an error, ``refuse`` an error of igtool, ``empty`` a reject.

        ``die N`` and ``interrupt N`` are signals to every process that reads it but N; ``once PATH`` kills the first
        one, which leaves the file ``PATH``.
        ``where`` gives the process that made the row: the only one that is no pure function.
        """
        output = Output()
        rows = []
        for item, body in zip(batch.column("item_id").to_pylist(), batch.column("body").to_pylist(), strict=True):
            word, _, rest = body.partition(" ")
            if word == "crash":
                raise ValueError("a poisoned row")
            if word == "refuse":
                raise UsageError("this cannot go on: mend it")
            if word in _SIGNALS and os.getpid() != int(rest):
                os.kill(os.getpid(), _SIGNALS[word])
            if word == "once" and not Path(rest).exists():
                Path(rest).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "empty":
                output.rejects.append(Reject(item, "empty", "there is nothing in it"))
                continue
            rows.append({"creator_id": item, "name": str(os.getpid()) if word == "where" else body.upper()})
            output.done.append(item)
        output.tables["creators"] = self.given(rows)
        return output

    def given(self, rows: list[dict[str, str]]) -> Rows:
        """The rows as the stage gives them back."""
        return arrow_table(TABLES["creators"], rows)


class CapitalsAsDicts(Capitals):
    """The same, with rows that name only what they know."""

    def given(self, rows: list[dict[str, str]]) -> Rows:
        """The rows as they are."""
        return rows
