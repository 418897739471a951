"""Small, exact rules for text that people read in a spreadsheet or a terminal."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
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


def harmless(text: str) -> str:
    """``text`` with a space for each character that a terminal obeys, or that turns the order of others around.

    Lines stay. These are the controls of ISO 6429 (C0, C1) and of bidirectional text.
    """
    return _OBEYED.sub(" ", text)


def spelt(text: str) -> str:
    """JSON ``text`` with those characters as escapes: the same document, which no terminal obeys."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def spreadsheet_safe(cell: str) -> str:
    """``cell`` so that a spreadsheet shows it instead of running it.

    A leading apostrophe marks text in every common spreadsheet; source: OWASP "CSV Injection".
    """
    return "'" + cell if _FORMULA.match(cell) else cell
