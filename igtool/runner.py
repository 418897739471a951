"""Runs stages: finds what is pending, feeds batches, commits rows and rejects together, loses no item."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from igtool.arrow import arrow_schema
from igtool.cluster import Cluster
from igtool.errors import IgtoolError, Interrupted
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.pieces import cut, read_batches, with_heads
from igtool.progress import Progress, StageCounts
from igtool.schema import TABLES
from igtool.shards import Shard
from igtool.stages.base import BatchStage, Context, JointStage, Output, Reject, Row, Stage
from igtool.workers import Workers, process

_BATCH_S = 5.0
"""Work of one batch, where a stage takes more or fewer items at once: a user who stops a run waits for it."""

_COMMIT_ITEMS = 5_000
"""A commit of a streamed stage: it costs as much as parsing some hundred answers, and larger ones only take memory."""

_COMMIT_S = 10.0
"""Work elsewhere is stored this often: it may take long for each item, and what is not stored is done again."""

_ALONE = 1_000
"""So few items are done before other processes have started."""


def in_order(stages: Iterable[Stage]) -> list[Stage]:
    """Stages so that each comes after those that write what it reads."""
    by_name = {stage.name: stage for stage in stages}
    needs = {
        stage.name: {
            other.name for other in by_name.values() if other is not stage and set(other.writes) & set(stage.reads)
        }
        for stage in by_name.values()
    }
    return [by_name[name] for name in TopologicalSorter(needs).static_order()]


def _salt(stage: Stage) -> str:
    """What makes all items of a stage pending again when it changes: version and options."""
    return f"{stage.version}|{sorted(asdict(stage.options).items())}"


def signature(stage: Stage) -> str:
    """What makes some items of a stage pending again when it changes: also its variants."""
    variants = stage.variants()
    return _salt(stage) if variants is None else f"{_salt(stage)}|{sorted(variants)}"


def wanted_query(stage: Stage, shard: Shard | None = None) -> tuple[str, tuple[str, ...]]:
    """SQL with its values: every item that should exist, with the fingerprint of its input, stage and options.

    ``mine``: whether it falls into the shard, if there is one.
    """
    salt = hashlib.md5(_salt(stage).encode(), usedforsecurity=False).hexdigest()
    mine = shard.condition(stage.subject) if shard else "true"
    return f"select item_id, md5(fingerprint || ?) as fingerprint, {mine} as mine from ({stage.keys})", (salt,)


def fingerprint_of(stage: Stage, own: str) -> str:
    """The fingerprint of an item of ``stage`` whose input has the fingerprint ``own``."""
    salt = hashlib.md5(_salt(stage).encode(), usedforsecurity=False).hexdigest()
    return hashlib.md5(f"{own}{salt}".encode(), usedforsecurity=False).hexdigest()


def pending_items(lake: Lake, stage: Stage) -> list[str]:
    """The items that a run of ``stage`` would work on now."""
    query, parameters = wanted_query(stage)
    rows = lake.rows(
        f"select w.item_id from ({query}) w left join (from stage_rows where stage = ?) s using (item_id) "
        "where s.fingerprint is distinct from w.fingerprint order by 1",
        (*parameters, stage.name),
    )
    return [row["item_id"] for row in rows]


def reject_rows(stage: str, rejects: Iterable[Reject]) -> list[Row]:
    """Rejects as rows of the table ``rejects``; text that cannot be stored is made storable."""
    return [
        {
            name: _storable(value) if isinstance(value, str) else value
            for name, value in {"stage": stage, **asdict(r)}.items()
        }
        for r in rejects
    ]


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass
class Runner:
    """Runs stages over one lake.

    ``on_batch`` is called after each commit with the stage, ``after`` when a stage is up to date. ``stopping`` says
    whether the user asked to stop; the batch at hand is still finished and committed. Streamed stages run in
    ``processes`` other processes, which exchange files in ``scratch``; with a ``cluster`` what that takes runs there.
    With a ``shard`` only items that fall into it are worked on, and a stage counts as up to date when none is pending
    in any.
    """

    lake: Lake
    journal: Journal
    context: Context
    progress: Progress
    batch_size: int | None = None
    on_batch: Callable[[Stage], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    after: Callable[[Stage], None] = lambda _: None
    scratch: Path | None = None
    processes: int = 1
    cluster: Cluster | None = None
    shard: Shard | None = None

    def run(self, stages: Iterable[Stage], *, force: bool = False) -> None:
        """Bring the tables of ``stages`` up to date. Raises Interrupted between batches when asked to stop."""
        for stage in in_order(stages):
            if self._run_stage(stage, force=force):
                self.after(stage)

    def _run_stage(self, stage: Stage, *, force: bool) -> bool:
        """Whether the stage is up to date now."""
        counts = self.progress.of(stage.name)
        if not force and self._complete(stage):
            counts.skipped = self._done(stage)
            return True
        self._find_wanted(stage)
        gone = self._find_gone(stage)
        pending, known = self._find_pending(stage, force=force)
        self.lake.execute("drop table wanted")  # of a million items it takes as much memory as their rows
        counts.skipped = self._done(stage) - known
        with self.progress.stage(stage.name, pending):
            if isinstance(stage, JointStage):
                if pending or gone:
                    self._run_joint(stage, pending, known, counts)
            elif isinstance(stage, BatchStage) and pending and not self._run_batches(stage, pending, counts):
                return False
        if self.shard is not None and self._is_left_to_others(stage):
            return False
        self.journal.record_stage(self.lake.lake_id, stage.name, signature(stage), self.lake.snapshot)
        return True

    def _is_left_to_others(self, stage: Stage) -> bool:
        """Whether another shard still has items to do or to remove."""
        query, parameters = wanted_query(stage)
        gone = self.lake.value(
            f"select count(*) from stage_rows anti join ({query}) using (item_id) where stage = ? and {stage.ours}",
            (*parameters, stage.name),
        )
        return bool(gone or pending_items(self.lake, stage))

    def _done(self, stage: Stage) -> int:
        query = f"select count(*) from stage_rows where stage = ? and {stage.ours}"
        return int(self.lake.value(query, (stage.name,)))

    def _complete(self, stage: Stage) -> bool:
        """Whether nothing that ``stage`` reads changed since it last had nothing pending."""
        state = self.journal.stage_state(self.lake.lake_id, stage.name)
        if stage.timely or state is None or state[0] != signature(stage) or state[1] > self.lake.snapshot:
            return False
        return not (self.lake.changed_since(state[1]) & set(stage.reads))

    def _find_wanted(self, stage: Stage) -> None:
        """Make the temporary table ``wanted``: every item that should exist, with the fingerprint of its input."""
        query, parameters = wanted_query(stage, self.shard)
        self.lake.execute(f"create or replace temp table wanted as {query}", parameters)

    def _find_pending(self, stage: Stage, *, force: bool) -> tuple[int, int]:
        """Make the temporary table ``pending``; how many items are in it, and how many of those are not new."""
        variants = stage.variants()
        number = "0" if stage.streamed else "row_number() over (order by w.item_id)"
        self.lake.execute(
            f"""
            create or replace table memory.pending as
            select {number} as number, w.item_id, w.fingerprint,
                   s.item_id is not null as known
            from wanted w left join (from stage_rows where stage = ?) s on s.item_id = w.item_id
            where w.mine and (? or s.fingerprint is distinct from w.fingerprint
                or (? and s.variant not in (select unnest(?::varchar[]))))
            """,
            (stage.name, force, variants is not None, sorted(variants or ())),
        )
        counted = self.lake.rows("select count(*) as items, count(*) filter (known) as known from memory.pending")[0]
        return counted["items"], counted["known"]

    def _find_gone(self, stage: Stage) -> int:
        """Make the table ``memory.gone`` of items that are no longer there, and remove what was made of them."""
        mine = self.shard.condition("item_id") if self.shard else "true"
        self.lake.execute(
            "create or replace table memory.gone as "
            f"select item_id from stage_rows anti join wanted using (item_id) "
            f"where stage = ? and {stage.ours} and {mine}",
            (stage.name,),
        )
        gone = [row["item_id"] for row in self.lake.rows("from memory.gone")]
        if gone and isinstance(stage, BatchStage):
            with self.lake.transaction():
                self._forget(stage, gone)
                for table in ("stage_rows", "rejects"):
                    self._delete(table, stage, gone)
        return len(gone)

    def _forget(self, stage: Stage, items: Sequence[str]) -> None:
        for table in stage.writes:
            if table not in stage.appends:
                self.lake.delete(table, stage.key, items)

    def _run_joint(self, stage: JointStage, pending: int, known: int, counts: StageCounts) -> None:
        """Everything that changed in one transaction, with the record that it was done."""
        with self.lake.transaction():
            stage.relate(self.lake, self.context)
            self.lake.execute(
                "delete from stage_rows where stage = ? and item_id in "
                "(select item_id from memory.gone union all select item_id from memory.pending where known)",
                (stage.name,),
            )
            self.lake.execute(
                "insert into stage_rows by name select ? as stage, item_id, fingerprint from memory.pending",
                (stage.name,),
            )
        counts.updated += known
        counts.new += pending - known
        self.progress.advance(pending)
        self.on_batch(stage)

    def _run_batches(self, stage: BatchStage, total: int, counts: StageCounts) -> bool:
        """Work on everything pending; False when something had to be postponed."""
        if stage.streamed or (self.cluster is not None and self.cluster.takes(stage)):
            self._run_stream(stage, total, counts)
            return True
        size = self.batch_size or stage.batch_size
        start = postponed = 0
        while start < total:
            self._stop_if_asked(stage, start, total)
            size = min(size, total - start)
            left, seconds = self._run_batch(stage, start, size, counts)
            start += size
            postponed += left
            if left == size:  # nobody of them could be asked: nobody else can
                break
            size = self.batch_size or next_size(stage, size, seconds)
        if postponed:
            self._stop_if_asked(stage, total - postponed, total)
        return not postponed

    def _stop_if_asked(self, stage: Stage, done: int, total: int) -> None:
        if self.stopping():
            raise Interrupted(f"stopped in {stage.name} after {done} of {total} items; all of them are stored")

    def _run_batch(self, stage: BatchStage, start: int, size: int, counts: StageCounts) -> tuple[int, float]:
        """One batch, read, processed and committed; how many of its items were postponed, and seconds of the work."""
        chosen = f"from memory.pending where number > {start} and number <= {start + size}"
        self.lake.execute(f"create or replace temp view batch as select item_id, fingerprint {chosen}")
        items = self.lake.arrow(
            "select b.item_id, b.fingerprint, coalesce(p.known, true) as known, p.item_id is not null as pending "
            "from batch b left join memory.pending p using (item_id) order by 1"
        )
        rows = self.lake.arrow(stage.rows)
        began = time.monotonic()
        output = process(stage, rows, self.context)
        seconds = time.monotonic() - began
        self._commit(stage, items, output, counts)
        return len(output.postponed), seconds

    def _run_stream(self, stage: BatchStage, total: int, counts: StageCounts) -> None:
        """All pending rows in pieces, done in any order; a commit as soon as enough of them are done."""
        done, most = 0, self.batch_size or _COMMIT_ITEMS
        heads: list[pa.Table] = []
        made, began = Output(), time.monotonic()
        with ExitStack() as stack:
            for head, output in self._pieces_done(stage, total, stack):
                heads.append(head)
                made.add(output)
                is_late = not stage.streamed and time.monotonic() - began > _COMMIT_S
                if is_late or sum(part.num_rows for part in heads) >= most:
                    done += self._commit(stage, pa.concat_tables(heads), made, counts)
                    heads, made, began = [], Output(), time.monotonic()
                    self._stop_if_asked(stage, done, total)
            if heads:
                self._commit(stage, pa.concat_tables(heads), made, counts)

    def _pieces_done(self, stage: BatchStage, total: int, stack: ExitStack) -> Iterator[tuple[pa.Table, Output]]:
        """The head of each piece with what the stage made of it: here when it is little, else in other processes."""
        size = self.batch_size or stage.batch_size
        if not stage.streamed:
            pieces = read_batches(self.lake, stage, total, size)
        else:
            rows = stack.enter_context(self.lake.stream(stage.rows, batch="from memory.pending"))
            pieces = with_heads(cut(rows, size))
        if self.cluster is not None and self.cluster.takes(stage):
            at_most = total if stage.streamed else -(-total // size)
            made = self.cluster.map(stage, pieces, self.context, at_most=at_most)
            stack.callback(made.close)
            return made
        if self.scratch is None or self.processes < 2 or total < _ALONE:
            return ((piece.head, process(stage, piece.rows, self.context)) for piece in pieces)
        stack.enter_context(self.lake.one_thread())
        workers = stack.enter_context(Workers(stage, self.scratch, self.processes))
        return workers.map((piece.rows for piece in pieces), self.context)

    def _commit(self, stage: BatchStage, items: pa.Table, output: Output, counts: StageCounts) -> int:
        """Store what was made of ``items`` in one commit; how many those were."""
        _check(stage, items.column("item_id").to_pylist(), output)
        if output.postponed:
            postponed = pa.array(output.postponed, type=pa.string())
            items = items.filter(pc.invert(pc.is_in(items.column("item_id"), postponed)))
        with self.lake.transaction():
            self._store(stage, items, output)
        if "pending" in items.column_names:
            items = items.filter(items.column("pending"))
        rejected = pa.array([reject.item_id for reject in output.rejects], type=pa.string())
        accepted = items.filter(pc.invert(pc.is_in(items.column("item_id"), rejected)))
        updated = pc.sum(accepted.column("known")).as_py() or 0
        counts.failed += items.num_rows - accepted.num_rows
        counts.updated += updated
        counts.new += accepted.num_rows - updated
        self.progress.advance(items.num_rows)
        self.on_batch(stage)
        return int(items.num_rows)

    def _store(self, stage: BatchStage, items: pa.Table, output: Output) -> None:
        known = items.filter(items.column("known")).column("item_id").to_pylist()
        self._forget(stage, known)
        for table in stage.writes:
            rows = output.tables.get(table, ())
            if table in stage.appends:
                self.lake.append_new(table, rows)
            elif len(rows):
                self.lake.merge(table, rows)
        if known:
            for table in ("stage_rows", "rejects"):
                self._delete(table, stage, known)
        if output.rejects:
            self.lake.append("rejects", reject_rows(stage.name, output.rejects))
        self.lake.append("stage_rows", _stage_rows(stage, items, output))

    def _delete(self, table: str, stage: Stage, items: Sequence[str]) -> None:
        self.lake.execute(
            f"delete from {table} where stage = ? and item_id in (select unnest(?::varchar[]))",
            (stage.name, items),
        )


def next_size(stage: BatchStage, size: int, seconds: float) -> int:
    """Items of the batch after one of ``size``: twice as many while that is quick, half as many where it is long."""
    if seconds < _BATCH_S / 2:
        return min(size * 2, max(stage.most_at_once, stage.batch_size))
    return max(size // 2, stage.batch_size) if seconds > _BATCH_S * 2 else size


def _stage_rows(stage: Stage, items: pa.Table, output: Output) -> pa.Table:
    """What was done, as rows of ``stage_rows``."""
    ids = items.column("item_id")
    variants = [output.variants.get(item) for item in ids.to_pylist()] if output.variants else [None] * len(ids)
    cells = [pa.repeat(stage.name, len(ids)), ids, items.column("fingerprint"), pa.array(variants, type=pa.string())]
    return pa.table(cells, schema=arrow_schema(TABLES["stage_rows"]))


def _check(stage: Stage, items: list[str], output: Output) -> None:
    """Every item came out exactly once. Raises IgtoolError: anything else is a bug in the stage."""
    came_out = sorted([*output.done, *output.postponed, *(reject.item_id for reject in output.rejects)])
    if came_out != sorted(items):
        lost = sorted(set(items) - set(came_out))[:3]
        raise IgtoolError(
            f"the stage {stage.name} took {len(items)} items and gave {len(came_out)} back (lost: {lost}): "
            "this is a bug in igtool, nothing of the batch was stored"
        )
