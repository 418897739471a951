"""The portraits of a batch of creators, from their facts and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from igtool import zero_shot
from igtool.description import Description
from igtool.encoders.base import Encoder
from igtool.portrait.portrait import Portrait
from igtool.portrait.spaces import spaces_of

CONTENT_FIELDS = ("ig_captions", "yt_content")
"""Fields of ``embeddings`` that stand for items; the others stand for name and biography."""


def portraits_of(batch: pa.Table, encoder: Encoder) -> list[Portrait]:
    """The portrait of each row of ``batch``: rows of `igtool.facts.FACTS`, with ``described`` where it is known."""
    spaces = spaces_of(encoder)
    owners, is_content, vectors = _vectors(batch, encoder)
    niche_z = zero_shot.evidence(spaces.niches, vectors, owners, is_content, batch.num_rows)
    style_z = zero_shot.evidence(spaces.styles, vectors, owners, is_content, batch.num_rows)
    portraits = []
    for row, facts in enumerate(batch.drop_columns(["vectors"]).to_pylist()):
        stored = facts.get("description")
        described = Description.from_json(stored) if stored else None
        portraits.append(Portrait(facts, spaces, niche_z[row], style_z[row], described))
    return portraits


def _vectors(batch: pa.Table, encoder: Encoder) -> tuple[Any, Any, Any]:
    """Row number, whether it stands for items, and vector of each embedding that this encoder made."""
    lists = batch.column("vectors").combine_chunks()
    structs = lists.flatten()
    owners = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    models, fields, vectors = structs.field("model"), structs.field("field"), structs.field("vector")
    sizes = vectors.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    ours = (np.array(models.to_pylist(), dtype=object) == encoder.model) & (sizes == encoder.dimension)
    is_content = np.isin(np.array(fields.to_pylist(), dtype=object), CONTENT_FIELDS)
    chosen = vectors.filter(pa.array(ours, type=pa.bool_())).flatten().to_numpy(zero_copy_only=False)
    return owners[ours], is_content[ours], chosen.reshape(-1, encoder.dimension).astype(np.float32)
