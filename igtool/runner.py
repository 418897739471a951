"""Runs stages: finds what is pending, feeds batches, commits rows and rejects together, loses no item."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter

import pyarrow as pa

from igtool.errors import IgtoolError, Interrupted
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.progress import Progress, StageCounts
from igtool.stages.base import Context, Output, Reject, Row, Stage


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


def signature(stage: Stage) -> str:
    """What makes all items of a stage pending again when it changes: version and options."""
    return f"{stage.version}|{sorted(asdict(stage.options).items())}"


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

    ``on_batch`` is called after each commit with the stage. ``stopping`` says whether the user asked to stop; the
    batch at hand is still finished and committed.
    """

    lake: Lake
    journal: Journal
    context: Context
    progress: Progress
    batch_size: int | None = None
    on_batch: Callable[[Stage], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False

    def run(self, stages: Iterable[Stage], *, force: bool = False) -> None:
        """Bring the tables of ``stages`` up to date. Raises Interrupted between batches when asked to stop."""
        for stage in in_order(stages):
            self._run_stage(stage, force=force)

    def _run_stage(self, stage: Stage, *, force: bool) -> None:
        counts = self.progress.of(stage.name)
        if not force and self._complete(stage):
            counts.skipped = self.lake.value("select count(*) from stage_rows where stage = ?", (stage.name,))
            return
        self._find_wanted(stage)
        orphans = self._drop_orphans(stage)
        pending, known = self._find_pending(stage, force=force or (stage.whole and orphans))
        done = self.lake.value("select count(*) from stage_rows where stage = ?", (stage.name,))
        counts.skipped = done - known
        with self.progress.stage(stage.name, pending):
            if pending or (stage.whole and orphans):
                self._run_batches(stage, pending, counts)
        self.journal.record_stage(self.lake.lake_id, stage.name, signature(stage), self.lake.snapshot)

    def _complete(self, stage: Stage) -> bool:
        """Whether nothing that ``stage`` reads changed since it last had nothing pending."""
        state = self.journal.stage_state(self.lake.lake_id, stage.name)
        if state is None or state[0] != signature(stage) or state[1] > self.lake.snapshot:
            return False
        return not (self.lake.changed_since(state[1]) & set(stage.reads))

    def _find_wanted(self, stage: Stage) -> None:
        """Make the temporary table ``wanted``: every item that should exist, with the fingerprint of its input."""
        salt = hashlib.md5(signature(stage).encode(), usedforsecurity=False).hexdigest()
        self.lake.execute(
            "create or replace temp table wanted as "
            f"select item_id, md5(fingerprint || ?) as fingerprint from ({stage.keys})",
            (salt,),
        )

    def _find_pending(self, stage: Stage, *, force: bool) -> tuple[int, int]:
        """Make the temporary table ``pending``; how many items are in it, and how many of those are not new."""
        self.lake.execute(
            """
            create or replace temp table pending as
            select row_number() over (order by w.item_id) as number, w.item_id, w.fingerprint,
                   s.item_id is not null as known
            from wanted w left join (from stage_rows where stage = ?) s on s.item_id = w.item_id
            where ? or s.fingerprint is distinct from w.fingerprint
            """,
            (stage.name, force),
        )
        counted = self.lake.rows("select count(*) as items, count(*) filter (known) as known from pending")[0]
        return counted["items"], counted["known"]

    def _drop_orphans(self, stage: Stage) -> bool:
        """Remove what was made of items that are gone; whether there were any."""
        gone = [
            row["item_id"]
            for row in self.lake.rows(
                "select s.item_id from stage_rows s anti join wanted w on w.item_id = s.item_id where s.stage = ?",
                (stage.name,),
            )
        ]
        if not gone:
            return False
        with self.lake.transaction():
            self._forget(stage, gone)
            for table in ("stage_rows", "rejects"):
                self.lake.execute(
                    f"delete from {table} where stage = ? and item_id in (select unnest(?::varchar[]))",
                    (stage.name, gone),
                )
        return True

    def _forget(self, stage: Stage, items: Sequence[str]) -> None:
        if not stage.whole:
            for table in stage.writes:
                self.lake.delete(table, stage.key, items)

    def _run_batches(self, stage: Stage, total: int, counts: StageCounts) -> None:
        size = total if stage.whole else self.batch_size or stage.batch_size
        for start in [0] if stage.whole else range(0, total, size):
            if self.stopping():
                raise Interrupted(f"stopped in {stage.name} after {start} of {total} items; all of them are stored")
            self._run_batch(stage, start, size, counts)

    def _run_batch(self, stage: Stage, start: int, size: int, counts: StageCounts) -> None:
        chosen = "from wanted" if stage.whole else f"from pending where number > {start} and number <= {start + size}"
        self.lake.execute(f"create or replace temp view batch as select item_id, fingerprint {chosen}")
        items = self.lake.rows(
            "select b.item_id, b.fingerprint, coalesce(p.known, true) as known, p.item_id is not null as pending "
            "from batch b left join pending p using (item_id) order by 1"
        )
        rows = self.lake.arrow(stage.rows)
        output = _process(stage, rows, self.context)
        _check(stage, [item["item_id"] for item in items], output)
        with self.lake.transaction():
            self._store(stage, items, output)
        pending = [item for item in items if item["pending"]]
        rejected = {reject.item_id for reject in output.rejects}
        counts.failed += sum(item["item_id"] in rejected for item in pending)
        counts.updated += sum(item["known"] and item["item_id"] not in rejected for item in pending)
        counts.new += sum(not item["known"] and item["item_id"] not in rejected for item in pending)
        self.progress.advance(len(pending))
        self.on_batch(stage)

    def _store(self, stage: Stage, items: list[Row], output: Output) -> None:
        known = [item["item_id"] for item in items if item["known"]]
        self._forget(stage, known)
        for table in stage.writes:
            rows = list(output.tables.get(table, ()))
            if stage.whole and table not in stage.appends:
                self.lake.replace(table, rows)
            elif rows:
                self.lake.merge(table, rows)
        if known:
            self.lake.execute(
                "delete from rejects where stage = ? and item_id in (select unnest(?::varchar[]))",
                (stage.name, known),
            )
        if output.rejects:
            self.lake.merge("rejects", reject_rows(stage.name, output.rejects))
        done = [{"stage": stage.name, "item_id": i["item_id"], "fingerprint": i["fingerprint"]} for i in items]
        self.lake.merge("stage_rows", done)


def _process(stage: Stage, rows: pa.Table, context: Context) -> Output:
    """The stage's output; a batch that fails is tried item by item, so that one bad item costs only itself."""
    try:
        return stage.process(rows, context)
    except (IgtoolError, MemoryError):
        raise
    except Exception as error:
        if stage.whole:
            raise
        if rows.num_rows == 1:
            item = rows.column("item_id")[0].as_py()
            return Output(rejects=[Reject(item, "stage-error", f"{type(error).__name__}: {error}"[:500])])
    output = Output()
    for number in range(rows.num_rows):
        one = _process(stage, rows.slice(number, 1), context)
        for table, made in one.tables.items():
            output.tables[table] = [*output.tables.get(table, ()), *made]
        output.done += one.done
        output.rejects += one.rejects
    return output


def _check(stage: Stage, items: list[str], output: Output) -> None:
    """Every item came out exactly once. Raises IgtoolError: anything else is a bug in the stage."""
    came_out = sorted([*output.done, *(reject.item_id for reject in output.rejects)])
    if came_out != items:
        lost = sorted(set(items) - set(came_out))[:3]
        raise IgtoolError(
            f"the stage {stage.name} took {len(items)} items and gave {len(came_out)} back (lost: {lost}): "
            "this is a bug in igtool, nothing of the batch was stored"
        )
