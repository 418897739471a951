"""The portraits of a batch of creators, from their facts and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from igtool.description import Description
from igtool.encoders.base import Encoder
from igtool.portrait.portrait import Portrait
from igtool.portrait.spaces import spaces_of
from igtool.zero_shot import Scores


def portraits_of(batch: pa.Table, encoder: Encoder) -> list[Portrait]:
    """The portrait of each row of ``batch``: rows of `igtool.facts.FACTS`, with ``described`` where it is known."""
    spaces = spaces_of(encoder)
    owners, vectors = _vectors(batch, encoder)
    niche_z = _by_owner(spaces.niches.z_scores(vectors), owners, batch.num_rows)
    style_z = _by_owner(spaces.styles.z_scores(vectors), owners, batch.num_rows)
    portraits = []
    for row, facts in enumerate(batch.drop_columns(["vectors"]).to_pylist()):
        stored = facts.get("description")
        described = Description.from_json(stored) if stored else None
        portraits.append(Portrait(facts, spaces, niche_z[row], style_z[row], described))
    return portraits


def _vectors(batch: pa.Table, encoder: Encoder) -> tuple[Any, Any]:
    """Row number and vector of each embedding that this encoder made, shapes (n,) and (n, dimension)."""
    lists = batch.column("vectors").combine_chunks()
    structs = lists.flatten()
    owners = np.repeat(np.arange(len(lists)), lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    models, vectors = structs.field("model"), structs.field("vector")
    sizes = vectors.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    ours = (np.array(models.to_pylist(), dtype=object) == encoder.model) & (sizes == encoder.dimension)
    chosen = vectors.filter(pa.array(ours, type=pa.bool_())).flatten().to_numpy(zero_copy_only=False)
    return owners[ours], chosen.reshape(-1, encoder.dimension).astype(np.float32)


def _by_owner(z: Scores, owners: Any, rows: int) -> list[Scores | None]:
    """Sum of each row's standardised vectors over the root of their number; None for a row without one.

    Fields are taken as independent witnesses, so two that agree say more than one (Stouffer's method).
    """
    total = np.zeros((rows, z.shape[1]))
    np.add.at(total, owners, z)
    counts = np.bincount(owners, minlength=rows)
    return [total[row] / np.sqrt(counts[row]) if counts[row] else None for row in range(rows)]
