"""A search as a form of a page sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from igtool.serve.api.search import Asked
from igtool.serve.pages.forms import SAID


class Typed(Asked):
    """A search as a form sends it: a field that was left empty asks for nothing."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        kept = {}
        for name, value in given.items():
            cells = [one for one in value if str(one).strip()] if isinstance(value, list) else value
            if name != SAID and cells not in ("", []) and str(cells).strip():
                kept[name] = cells
        return kept
