"""Arrays that ship in one ``.npz`` file: weights of heads, and vectors that were computed once."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file raises, here or when its arrays are looked into."""


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays in ``path`` by name, never unpickled. Raises one of ``BROKEN``."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:  # np.load leaves a broken file open
        return {name: stored[name] for name in stored.files}
