"""Finds plugins by entry point: a family and a name lead to a class."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any

from igtool.errors import ConfigError

_SHOWN = {"llms": "provider of language models"}
"""What one plugin of a family is called in messages."""


def names(family: str) -> list[str]:
    """The names of the plugins of ``family``, sorted."""
    return sorted(point.name for point in entry_points(group=f"igtool.{family}"))


def load(family: str, name: str) -> Any:
    """The plugin ``name`` of ``family`` (``encoders``). Raises ConfigError naming those that there are."""
    found = {point.name: point for point in entry_points(group=f"igtool.{family}")}
    shown = _SHOWN.get(family, family.removesuffix("s"))
    if name not in found:
        there = ", ".join(sorted(found)) or "none; run `make setup`"
        raise ConfigError(f"there is no {shown} {name!r}; there are: {there}")
    try:
        return found[name].load()
    except ImportError as error:
        raise ConfigError(f"the {shown} {name} misses a package: {error}") from error


@lru_cache(maxsize=2)
def encoder(name: str, options: Hashable = None) -> Any:
    """The encoder ``name``, made once per process: its engine, and what is encoded with it, take seconds to load."""
    return load("encoders", name)(options)
