"""How near the pictures of every creator are in style to one picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from igtool.errors import UsageError
from igtool.lake import Lake
from igtool.lake_sql import literal

_BEST = 3
"""Pictures of a creator that count: those that are nearest."""


def creators_alike(lake: Lake, vector: NDArray[np.float32], model: str) -> dict[str, float]:
    """How near each creator with vectors of ``model`` is to the ``vector`` of a picture, 0-1.

    The mean cosine of the three nearest pictures, or of as many as there are; below 0 counts as 0. Every vector is
    compared. Raises UsageError where there are none.
    """
    query = f"""
        select creator_id, vector from (
            select distinct l.creator_id, m.sha256 from media m join creator_links l using (account_id)
        ) join image_vectors using (sha256) where model = {literal(model)} and dimension = {len(vector)}
    """
    creators, cosines = [], []
    with lake.stream(query, batch="from (select 1)") as batches:
        for batch in batches:
            found = np.frombuffer(b"".join(batch.column("vector").to_pylist()), dtype="<f2")
            cosines.append(found.astype(np.float32).reshape(-1, len(vector)) @ vector)
            creators.append(batch.column("creator_id"))
    if not creators:
        raise UsageError("no picture has a vector to be compared with yet: `igtool run image_vectors` makes them")
    coded = pa.chunked_array(creators).combine_chunks().dictionary_encode()
    near = _means(coded.indices.to_numpy(), np.concatenate(cosines))
    return dict(zip(coded.dictionary.to_pylist(), np.clip(near, 0.0, 1.0).round(6).tolist(), strict=True))


def _means(codes: NDArray[np.int32], cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of the largest three values of each code from 0 up."""
    order = np.lexsort((-cosines, codes))
    codes, cosines = codes[order], cosines[order]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    best = place < _BEST
    total = np.bincount(codes[best], weights=cosines[best])
    return np.asarray(total / np.bincount(codes[best]))
