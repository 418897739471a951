"""Countries by their names, as platforms show them to people."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from igtool import vocabulary

_FILE = Path(vocabulary.__file__).parent / "countries.toml"
_SIGNS = re.compile(r"[^\w&]+")


def code_of(name: str | None) -> str | None:
    """The ISO 3166-1 alpha-2 code of the country that is called ``name`` in English; None for any other text."""
    return _codes().get(_folded(name)) if name else None


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    listed = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {_folded(name): code for code, names in listed.items() for name in names}


def _folded(name: str) -> str:
    """``name`` without case, accents, points and apostrophes; "&" is "and"."""
    return " ".join(_SIGNS.sub(" ", vocabulary.fold(name)).replace("&", " and ").split())
