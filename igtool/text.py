"""Small, exact rules for text that people read in a spreadsheet or a terminal."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPACES = re.compile(r"\s+")
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\x00-\x1f]")


def one_line(text: str, limit: int = 500) -> str:
    """``text`` as a single line of at most ``limit`` characters, cut at a word with ``…``."""
    flat = _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()
    if len(flat) <= limit:
        return flat
    cut = flat[: limit - 1]
    while cut and unicodedata.combining(flat[len(cut)]):
        cut = cut[:-1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit // 2 else cut).rstrip() + "…"


def spreadsheet_safe(cell: str) -> str:
    """``cell`` so that a spreadsheet shows it instead of running it.

    A leading apostrophe marks text in every common spreadsheet; source: OWASP "CSV Injection".
    """
    return "'" + cell if _FORMULA.match(cell) else cell
