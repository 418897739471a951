"""Vectors of pictures as they are stored, and of which pictures they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 512
"""Pixels of the longer side at which an image encoder gets its pictures: it makes them smaller itself."""
FACELESS = "f.framing is distinct from 'close_up' and f.may_be_minor is not true"
"""Of which pictures vectors are kept, as a condition on ``image_facts`` f: never where a face fills the picture, nor
where somebody may be under age."""

_STORED = np.dtype("<f2")


def stored(vector: NDArray[Any]) -> bytes:
    """A vector as the cell of ``image_vectors``."""
    return vector.astype(_STORED).tobytes()


def vector_of(cell: bytes) -> NDArray[np.float32]:
    """The vector of a cell of ``image_vectors``."""
    return np.frombuffer(cell, dtype=_STORED).astype(np.float32)
