"""What a creator is about: with what a language model said of it, or without."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from igtool import vocabulary
from igtool.facts import FACTS, FACTS_KEYS
from igtool.portrait import portraits_of
from igtool.stages.base import BatchStage, Context, Need, Output, Row

_ROWS = f"""
    with facts as ({FACTS})
    select facts.*, d.description, d.provider || '/' || d.model as described_by, d.prompt_version
    from facts left join descriptions d on d.creator_id = facts.item_id
    order by facts.item_id
"""

_KEYS = f"""
    with known as ({FACTS_KEYS})
    select item_id, md5(concat_ws(' ', fingerprint, d.llm_answer_id, d.described_at)) as fingerprint
    from known left join descriptions d on d.creator_id = known.item_id
"""


@dataclass(frozen=True)
class AnalyzeOptions:
    """Options of the stage."""

    vocabulary_sha256: str = field(default_factory=vocabulary.fingerprint)
    """What niches and styles there are; an edited vocabulary analyses everything again."""


class Analyze(BatchStage):
    """One row of ``profiles`` and of ``niches`` a creator, from its accounts, newest 50 items, vectors and lists.

    Each field names its method: ``zero-shot`` (`igtool.zero_shot`), ``words`` (vocabulary words), ``list`` (genres
    of a creator list), ``model`` (a language model, `igtool.stages.describe`), several joined by ``+``, ``sql``
    (counts and times), ``extraction`` (quoted from the texts), ``rule`` (from niche and language) or ``none`` (NULL).
    Ethnicity, height, health, religion, orientation, gender and looks are never inferred.
    """

    name: ClassVar[str] = "analyze"
    version: ClassVar[int] = 4
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
    writes: ClassVar[tuple[str, ...]] = ("profiles", "niches")
    key: ClassVar[str] = "creator_id"
    most_at_once = 8_000
    elsewhere: ClassVar[frozenset[Need] | None] = frozenset({"words"})
    Options: ClassVar[type] = AnalyzeOptions
    keys = _KEYS
    rows = _ROWS

    def process(self, batch: pa.Table, context: Context) -> Output:
        """Rows of both tables for each creator."""
        encoder = context.encoder()
        profiles: list[Row] = []
        niches: list[Row] = []
        for portrait in portraits_of(batch, encoder):
            made_by = {"model": portrait.facts["described_by"] or encoder.model}
            profiles.append(portrait.profile() | made_by | {"prompt_version": portrait.facts["prompt_version"]})
            niches.append(portrait.niche() | made_by)
        return Output({"profiles": profiles, "niches": niches}, batch.column("item_id").to_pylist())
