"""Every call to a language model and what it cost, answers until they are in the lake, and batches under way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igtool.journal.ledger import spent_in
from igtool.journal.queue import owner_name
from igtool.journal.store import Journal

_WINDOW_S = 60.0
UNDER_WAY = "under way"


@dataclass(frozen=True)
class CallLimits:
    """What a provider may be asked in a minute, and what a run may spend; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_cost_usd: float | None = None


@dataclass(frozen=True)
class Bound:
    """The most that a call can take, tokens of prompt and answer, and cost; entered before it is made.

    ``asked``: the keys of the answer and of the item, where it is to be known that this was asked if no answer comes.
    """

    tokens: int
    cost_usd: float
    asked: tuple[str, str] | None = None


@dataclass(frozen=True)
class Entered:
    """Calls that may be made now, for the first of those that were asked for.

    ``wait_until`` (seconds since 1970) is when the next one fits the rate; ``spent_usd`` what the run has spent when
    the next one would go over the limit.
    """

    call_ids: tuple[int, ...]
    wait_until: float | None = None
    spent_usd: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a call ended: ``tokens`` and ``cost_usd`` as the provider told them; ``row`` of the answer, if there is one.

    ``answer_id`` is the key of the row, a JSON object of the table ``llm_answers``.
    """

    call_id: int
    outcome: str
    tokens: int
    cost_usd: float
    answer_id: str | None = None
    row: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Batch:
    """Prompts that were handed in together. ``asked``: name of each to its answer id and its call.

    ``batch_id`` is None when the process ended before it was known.
    """

    label: str
    provider: str
    model: str
    batch_id: str | None
    asked: dict[str, tuple[str, int]]
    submitted_at: float


class ModelLedger:
    """The calls of a journal. Each method that changes anything is one transaction."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def enter(
        self,
        provider: tuple[str, str],
        bounds: Sequence[Bound],
        *,
        run: str,
        limits: CallLimits,
        now: float,
        label: Batch | None = None,
    ) -> Entered:
        """Enter as many of ``bounds``, in order, as limits allow, for ``provider`` (name and model).

        A call that is under way counts with its highest cost, also when its process was killed: it may have been paid.
        ``label``: a batch that is entered with its calls, all of them or none.
        """
        with self._journal.transaction() as cursor:
            window = _window(cursor, provider[0], limits, now)
            spent = spent_in(cursor, run) if limits.max_cost_usd is not None else 0.0
            ids: list[int] = []
            wait = over = None
            for bound in bounds:
                if limits.max_cost_usd is not None and spent + bound.cost_usd > limits.max_cost_usd + 1e-9:
                    over = spent
                    break
                if label is None and (wait := _fits_at(window, bound.tokens, limits, now)) > now:
                    break
                wait = None
                row = (*provider, now, bound.tokens, bound.cost_usd, run)
                cursor.execute(
                    "insert into llm_calls (provider, model, at, tokens, cost_usd, run) values (?, ?, ?, ?, ?, ?)", row
                )
                ids.append(int(cursor.lastrowid or 0))
                if bound.asked is not None:
                    under_way = (ids[-1], *bound.asked, owner_name())
                    cursor.execute("insert into llm_under_way values (?, ?, ?, ?)", under_way)
                spent += bound.cost_usd
                window.insert(0, (now, bound.tokens))
            if label is not None and ids:
                asked = {n: (key, ids[at]) for at, (n, (key, _)) in enumerate(label.asked.items()) if at < len(ids)}
                cursor.execute(
                    "insert into llm_batches values (?, ?, ?, null, ?, ?)",
                    (label.label, label.provider, label.model, json.dumps(asked), label.submitted_at),
                )
            return Entered(tuple(ids), wait, over)

    def end(
        self,
        ended: Iterable[Ended],
        *,
        now: float,
        batch: str | None = None,
        vectors: tuple[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        """Store how calls ended, with their answers; and that ``batch`` is done with.

        ``vectors``: a model, and what it made of texts by their SHA-256.
        """
        with self._journal.transaction() as cursor:
            for call in ended:
                cursor.execute(
                    "update llm_calls set outcome = ?, tokens = ?, cost_usd = ?, at = max(at, ?) where call_id = ?",
                    (call.outcome, call.tokens, call.cost_usd, now, call.call_id),
                )
                cursor.execute("delete from llm_under_way where call_id = ?", (call.call_id,))
                if call.answer_id is not None and call.row is not None:
                    cursor.execute(
                        "insert or ignore into llm_answers values (?, ?)", (call.answer_id, json.dumps(call.row))
                    )
            if batch is not None:
                cursor.execute("delete from llm_batches where label = ?", (batch,))
            if vectors is not None:
                rows = [(vectors[0], sha256, vector) for sha256, vector in vectors[1].items()]
                cursor.executemany("insert or ignore into text_vectors values (?, ?, ?)", rows)

    def under_way(self, answer_ids: Iterable[str]) -> dict[tuple[str, str], str]:
        """(answer_id, item_id) of calls that were entered with both and have not ended, to the process that made them.

        Of a process that is gone such a call may have been paid for.
        """
        rows = self._journal.read(
            "select answer_id, item_id, owner from llm_under_way where answer_id in (select value from json_each(?))",
            (json.dumps(list(answer_ids)),),
        )
        return {(answer_id, item_id): owner for answer_id, item_id, owner in rows}

    def batches(self, provider: tuple[str, str]) -> list[Batch]:
        """The batches of ``provider`` (name and model) whose results are not stored yet, oldest first."""
        rows = self._journal.read(
            "select label, provider, model, batch_id, asked, submitted_at from llm_batches "
            "where provider = ? and model = ? order by submitted_at, label",
            provider,
        )
        return [
            Batch(label, name, model, batch_id, {k: (v[0], v[1]) for k, v in json.loads(asked).items()}, at)
            for label, name, model, batch_id, asked, at in rows
        ]

    def name_batch(self, label: str, batch_id: str) -> None:
        """Remember the id that the provider gave a batch."""
        with self._journal.transaction() as cursor:
            cursor.execute("update llm_batches set batch_id = ? where label = ?", (batch_id, label))

    def answers(self, answer_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Those of ``answer_ids`` that are here, as rows of the table ``llm_answers``."""
        rows = self._journal.read(
            "select answer_id, row from llm_answers where answer_id in (select value from json_each(?))",
            (json.dumps(list(answer_ids)),),
        )
        return {answer_id: json.loads(row) for answer_id, row in rows}

    def oldest_answers(self, most: int) -> list[dict[str, Any]]:
        """Rows that are not in the lake yet, in the order in which they came."""
        rows = self._journal.read("select row from llm_answers order by rowid limit ?", (most,))
        return [json.loads(row) for (row,) in rows]

    def delete_answers(self, answer_ids: Iterable[str]) -> None:
        """Forget answers that are in the lake."""
        with self._journal.transaction() as cursor:
            cursor.executemany("delete from llm_answers where answer_id = ?", ((one,) for one in answer_ids))

    def vectors(self, model: str, hashes: Iterable[str]) -> dict[str, bytes]:
        """What ``model`` made of the texts with these SHA-256, as far as it is here."""
        rows = self._journal.read(
            "select text_sha256, vector from text_vectors "
            "where model = ? and text_sha256 in (select value from json_each(?))",
            (model, json.dumps(list(hashes))),
        )
        return dict(rows)

    def vector_hashes(self, model: str, most: int, after: int = 0) -> list[tuple[int, str]]:
        """Number and SHA-256 of texts whose vectors by ``model`` are here, in the order in which they came.

        ``after``: only those with a greater number.
        """
        query = "select rowid, text_sha256 from text_vectors where model = ? and rowid > ? order by rowid limit ?"
        return [(number, sha256) for number, sha256 in self._journal.read(query, (model, after, most))]

    def delete_vectors(self, model: str, hashes: Iterable[str]) -> None:
        """Forget vectors that are in the lake."""
        with self._journal.transaction() as cursor:
            query = "delete from text_vectors where model = ? and text_sha256 = ?"
            cursor.executemany(query, ((model, sha256) for sha256 in hashes))

    def spent(self, run: str) -> float:
        """US dollars that a run spent on language models, calls under way at their highest price."""
        rows = self._journal.read("select coalesce(sum(cost_usd), 0) from llm_calls where run = ?", (run,))
        return float(rows[0][0])

    def usage(self, since: float) -> list[dict[str, Any]]:
        """Calls since a time, by provider, model and outcome: how many, tokens and cost."""
        rows = self._journal.read(
            f"select provider, model, coalesce(outcome, '{UNDER_WAY}'), count(*), sum(tokens), sum(cost_usd) "
            "from llm_calls where at >= ? group by 1, 2, 3 order by 1, 2, 3",
            (since,),
        )
        names = ("provider", "model", "outcome", "calls", "tokens", "cost_usd")
        return [dict(zip(names, row, strict=True)) for row in rows]


def _window(cursor: Any, provider: str, limits: CallLimits, now: float) -> list[tuple[float, int]]:
    """Time and tokens of the last minute's calls, newest first; nothing where no limit asks for them."""
    if limits.requests_per_minute is None and limits.tokens_per_minute is None:
        return []
    query = "select at, tokens from llm_calls where provider = ? and at > ? order by at desc"
    return list(cursor.execute(query, (provider, now - _WINDOW_S)))


def _fits_at(window: Sequence[tuple[float, int]], tokens: int, limits: CallLimits, now: float) -> float:
    """When a call of so many tokens fits the limits; ``window`` holds the last minute's calls, newest first."""
    fits = now
    if limits.requests_per_minute is not None and len(window) >= limits.requests_per_minute:
        fits = window[limits.requests_per_minute - 1][0] + _WINDOW_S
    if limits.tokens_per_minute is not None:
        room = limits.tokens_per_minute - tokens
        for at, used in window:  # a call that alone is over the limit goes when nothing else is in the window
            room -= used
            if room < 0:
                return max(fits, at + _WINDOW_S)
    return fits
