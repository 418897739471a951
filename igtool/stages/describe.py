"""Creators described by a language model, where that is worth its price."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

import pyarrow as pa

from igtool import vocabulary
from igtool.description import VERSION, PromptOptions, question_for
from igtool.facts import FACTS
from igtool.llms.questions import Answered, Result
from igtool.portrait import Portrait, portraits_of
from igtool.stages.base import BatchStage, Context, Output, Reject, Row

NEWEST = 20
"""So many of the newest items tell whether a creator has changed."""


@dataclass(frozen=True)
class DescribeOptions:
    """What makes all descriptions pending when it changes: who is asked, how, and for what."""

    provider: str = ""
    model: str = ""
    always: bool = False
    """Ask everybody's niche and style, also where they are certain."""
    uncertain_below: float = 0.7
    """Confidence in the niche below which it is asked for; not of a small model, which knows less than the rules."""
    shown: PromptOptions = field(default_factory=PromptOptions)
    prompt_version: str = VERSION
    vocabulary_sha256: str = field(default_factory=vocabulary.fingerprint)


@dataclass(frozen=True)
class Renewal:
    """When a creator who was described is asked about again.

    A ``new_share`` of the newest items is new, the content vector moved by ``new_distance`` (cosine), or name,
    category or biography changed; and ``again_days`` have gone by, ``long_tail_days`` where the newest item is older
    than ``active_days``.
    """

    new_share: float = 0.3
    new_distance: float = 0.08
    again_days: float = 14.0
    long_tail_days: float = 60.0
    active_days: float = 30.0


def _inputs(renewal: Renewal, among: str = "") -> str:
    """SQL: the table ``inputs``, one row for each creator, ``among`` those of a condition on ``creator_id``.

    ``input`` is what a creator is described for: what its description was made for, while nothing material changed
    since then; else what there is now.
    """
    again = (
        f"if(newest_at >= now() - to_days(1) * {renewal.active_days}, {renewal.again_days}, {renewal.long_tail_days})"
    )
    new = "len(list_filter(i.content_ids, lambda one: not list_contains(d.content_ids, one)))"
    # DuckDB takes the NULL inside a NULL list that comes from a file for one of every list beside it.
    then = "list_resize(d.content_vector, len(d.content_vector))"
    moved = f"if(len(i.content_vector) = len(d.content_vector), list_cosine_distance(i.content_vector, {then}), 0)"
    return f"""
        linked as (select creator_id, account_id from creator_links {among}),
        own as (
            select l.creator_id,
                   md5(string_agg(concat_ws(' ', a.display_name, a.category, a.bio), ' ' order by a.account_id)) as own
            from linked l join accounts a using (account_id) group by l.creator_id
        ),
        posted as (
            select l.creator_id, max(c.published_at) as newest_at,
                   list(c.content_id order by c.published_at desc nulls last, c.content_id)[1:{NEWEST}] as content_ids
            from linked l join content_items c using (account_id) group by l.creator_id
        ),
        pictured as (
            select l.creator_id, min_by(e.vector, e.embedding_id) as content_vector
            from linked l join current_embeddings e on e.owner_id = l.account_id
            where e.field in ('ig_captions', 'yt_content') group by l.creator_id
        ),
        known as (
            select own.creator_id, own.own, newest_at, coalesce(content_ids, []) as content_ids, content_vector
            from own left join posted using (creator_id) left join pictured using (creator_id)
        ),
        inputs as (
            select i.creator_id, i.content_ids, i.content_vector,
                   if(d.creator_id is not null and not (
                          d.described_at <= now() - to_seconds(86400 * ({again}))
                          and (i.own <> split_part(d.input, '.', 1)
                               or {new} > {renewal.new_share} * greatest(len(i.content_ids), 1)
                               or coalesce({moved}, 0) > {renewal.new_distance})
                      ),
                      d.input,
                      i.own || '.' || md5(concat_ws(' ', array_to_string(i.content_ids, ' '), hash(i.content_vector)))
                   ) as input
            from known i left join descriptions d using (creator_id)
        )
    """


class Describe(BatchStage):
    """One row of ``descriptions`` a creator that has any text, from the answer of a language model.

    The model is asked for prose, and for niche and style where they are uncertain without it. Who was described is
    asked about again when `Renewal` says so. An answer that cannot be used after all repairs is a reject.
    """

    name: ClassVar[str] = "describe"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = (
        "creators",
        "creator_links",
        "accounts",
        "account_states",
        "content_items",
        "embeddings",
        "embedding_models",
        "watchlist",
        "descriptions",
    )
    writes: ClassVar[tuple[str, ...]] = ("descriptions",)
    key: ClassVar[str] = "creator_id"
    timely: ClassVar[bool] = True
    Options: ClassVar[type] = DescribeOptions

    def __init__(self, options: Any = None, renewal: Renewal | None = None, batch_size: int = 64) -> None:
        super().__init__(options)
        self.batch_size = batch_size
        inputs = _inputs(renewal or Renewal())
        self.keys = f"with {inputs} select creator_id as item_id, input as fingerprint from inputs"
        inputs = _inputs(renewal or Renewal(), "where creator_id in (select item_id from batch)")
        self.rows = f"""
            with facts as ({FACTS}), {inputs}
            select facts.*, inputs.input, inputs.content_ids, inputs.content_vector
            from facts left join inputs on inputs.creator_id = facts.item_id
            order by facts.item_id
        """

    def process(self, batch: pa.Table, context: Context) -> Output:
        """One row a creator; those that could not be asked about are postponed."""
        own = ("content_vector", "content_ids", "input")
        told = batch.select(["item_id", *own]).to_pylist()
        portraits = portraits_of(batch.drop_columns(["content_vector"]), context.encoder())
        silent = [row["item_id"] for row, portrait in zip(told, portraits, strict=True) if not portrait.says_something]
        asked = [(row, portrait) for row, portrait in zip(told, portraits, strict=True) if portrait.says_something]
        # Questions of one kind after each other: a model keeps what it computed of their common beginning.
        asked.sort(key=lambda pair: (self.labelled(pair[1]), pair[0]["item_id"]))
        questions = [question_for(p.facts, self.options.shown, labelled=self.labelled(p)) for _, p in asked]
        results = context.ask(questions) if context.ask is not None else [None] * len(questions)
        output = Output({"descriptions": []}, done=silent)
        for (row, _), result in zip(asked, results, strict=True):
            self._take(output, row, result, context.clock())
        return output

    def labelled(self, portrait: Portrait) -> bool:
        """Whether niche and style are asked for."""
        is_worth_it = portrait.certainty < self.options.uncertain_below and not self.options.shown.is_brief
        return bool(self.options.always or is_worth_it)

    def _take(self, output: Output, row: Row, result: Result, now: datetime) -> None:
        if result is None:
            output.postponed.append(row["item_id"])
        elif not isinstance(result, Answered):
            output.rejects.append(Reject(row["item_id"], result.reason, result.detail))
        else:
            rows = output.tables["descriptions"]
            assert isinstance(rows, list)  # noqa: S101 - made above
            rows.append(self._row(row, result, now))
            output.done.append(row["item_id"])

    def _row(self, row: Row, answered: Answered, now: datetime) -> Row:
        described = answered.value
        return {
            "creator_id": row["item_id"],
            "description": described.to_json(),
            "claim_count": described.claims,
            "ungrounded_count": described.ungrounded,
            "llm_answer_id": answered.row["answer_id"],
            "provider": self.options.provider,
            "model": self.options.model,
            "prompt_version": self.options.prompt_version,
            "input": row["input"],
            "content_ids": row["content_ids"],
            "content_vector": row["content_vector"],
            "described_at": now,
        }
