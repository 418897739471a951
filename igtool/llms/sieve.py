"""Lets through of a model's prose what may be said, and counts the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from igtool.vocabulary import fold

_COPIED_WORDS = 10
"""So many words of the instruction in a row are a leak of it, not an answer."""
_ENDS = ".!?…\"'”»)"
_SENTENCE_END = re.compile(r"(?<=\w\w[.!?…])\s+(?=[^\W\d_a-z])")
_LINK = re.compile(r"https?:|www\.|\b\w+\.(?:com|net|org|io|ly|me)\b|[<>{}`|]|\[[^\]]*\]\(", re.IGNORECASE)
_HANDLE = re.compile(r"@[\w.]+")
_FIGURE = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_FEWEST_WORDS = 3
"""Less is no prose."""


class Sieve:
    """For answers to one prompt: ``instruction``, and the ``sources`` that it showed.

    ``is_denied`` tells what is never said. ``refused`` counts sentences and claims that were dropped.
    """

    def __init__(self, instruction: str, sources: Iterable[str], is_denied: Callable[[str], bool]) -> None:
        shown = " ".join(sources)
        self._handles = {handle.lower().strip(".") for handle in _HANDLE.findall(shown)}
        self._figures = set(_FIGURE.findall(shown))
        self._instruction = " ".join(_WORD.findall(fold(instruction)))
        self._is_denied = is_denied
        self.refused = 0

    def prose(self, text: str) -> str | None:
        """``text`` without what may not be said and a last sentence that was cut off; None if too little stays."""
        sentences = _SENTENCE_END.split(text)
        if len(sentences) > 1 and sentences[-1][-1:] not in _ENDS:
            sentences.pop()
        said = " ".join(sentence.strip() for sentence in sentences if self.lets(sentence))
        return said if len(_WORD.findall(said)) >= _FEWEST_WORDS else None

    def lets(self, text: str) -> bool:
        """Whether ``text`` may be said.

        It must hold a word, name nothing that is never inferred, lead nowhere, and hold no figure or handle that was
        not shown: these are made up. Words of the instruction in a row are a leak.
        """
        said = _WORD.findall(fold(text))
        leaks = any(part in self._instruction for part in _runs(said, _COPIED_WORDS))
        passes = (
            bool(_LETTERS.search(text))
            and not leaks
            and not _LINK.search(text)
            and not self._is_denied(text)
            and {handle.lower().strip(".") for handle in _HANDLE.findall(text)} <= self._handles
            and set(_FIGURE.findall(text)) <= self._figures
        )
        self.refused += not passes
        return passes


def _runs(words: Sequence[str], size: int) -> Iterable[str]:
    return (" ".join(words[start : start + size]) for start in range(len(words) - size + 1))
