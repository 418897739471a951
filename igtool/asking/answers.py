"""Answers of language models as they are stored: looked up before anything is asked, kept before anything is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from igtool.asking.crew import Job
from igtool.journal.models import Ended, ModelLedger
from igtool.lake import Lake
from igtool.llms.base import Completion, Provider
from igtool.llms.prices import Price
from igtool.llms.questions import messages_of

Row = dict[str, Any]
_DRAINED = 1_000


class Stored(Protocol):
    """Where answers that were moved out of the journal are looked up: a lake, or whatever reads one."""

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The result of ``query`` as dicts by column name."""
        ...


@dataclass
class Tally:
    """What asking came to. ``cached``: answers that were there already; ``asked``: answers that were paid for."""

    asked: int = 0
    cached: int = 0
    repaired: int = 0
    unusable: int = 0
    postponed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        mine, theirs = asdict(self), asdict(other)
        return Tally(**{name: count + theirs[name] for name, count in mine.items()})


class Answers:
    """The answers of a workspace: in the journal until they are in the lake. ``tally``: of those that came now.

    Without a lake to write to they stay in the journal, for whoever writes it next.
    """

    def __init__(self, ledger: ModelLedger, lake: Stored) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._lake = lake
        self._pending: list[Ended] = []

    def stored(self, keys: Sequence[str], *, is_new: bool = False) -> dict[str, Row]:
        """Those of ``keys`` that were answered before, as rows of ``llm_answers``; ``is_new``: since `drain`."""
        found = self._ledger.answers(keys)
        if len(found) < len(keys) and not is_new:
            # One text and not a list: DuckDB looks for pandas at each element of a list.
            query = "from llm_answers where answer_id in (select unnest(string_split(?, ' ')))"
            found |= {row["answer_id"]: row for row in self._lake.rows(query, (" ".join(keys),))}
        return found

    def failed(self, call_id: int, outcome: str) -> None:
        """Note that a call ended without an answer: nothing is charged."""
        self._pending.append(Ended(call_id, outcome, 0, 0.0))

    def came(
        self, provider: Provider, job: Job, completion: Completion, latency_s: float, price: Price, now: float
    ) -> Row:
        """Note an answer, to be stored with its charge; its row."""
        row: Row = {
            "answer_id": job.key,
            "kind": job.question.kind,
            "item_id": job.question.item_id,
            "provider": provider.name,
            "model": provider.model,
            "schema_version": job.question.version,
            "prompt": json.dumps(messages_of(job.prompt), ensure_ascii=False),
            "answer": completion.text,
            "alternatives": json.dumps(completion.tokens, ensure_ascii=False) if completion.tokens else None,
            "outcome": completion.finish,
            "input_tokens_count": completion.input_tokens,
            "cached_tokens_count": completion.cached_tokens,
            "output_tokens_count": completion.output_tokens,
            "cost_usd": price.of(completion),
            "latency_s": round(latency_s, 3),
            "answered_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        }
        tokens = completion.input_tokens + completion.output_tokens
        self._pending.append(Ended(job.call_id, completion.finish, tokens, row["cost_usd"], job.key, row))
        self.tally.asked += 1
        self.tally.input_tokens += completion.input_tokens
        self.tally.output_tokens += completion.output_tokens
        self.tally.cost_usd += row["cost_usd"]
        return row

    def store(self, now: float, *, batch: str | None = None) -> None:
        """Everything noted, in one transaction; and that ``batch`` is done with."""
        if self._pending or batch is not None:
            self._ledger.end(self._pending, now=now, batch=batch)
            self._pending = []

    def drain(self) -> None:
        """Move answers from the journal to the lake, where absent."""
        if not isinstance(self._lake, Lake) or not self._lake.is_writable:
            return
        while rows := self._ledger.oldest_answers(_DRAINED):
            with self._lake.transaction():
                self._lake.append_new("llm_answers", [_lake_row(row) for row in rows])
            self._ledger.delete_answers(row["answer_id"] for row in rows)


def _lake_row(row: Row) -> Row:
    return {**row, "answered_at": datetime.fromisoformat(row["answered_at"])}
