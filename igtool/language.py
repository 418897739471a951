"""Which language a text is written in."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import Any

MIN_LETTERS = 20
"""Shorter texts are guesses: "Madrid" is a word of every language."""

MAX_CHARACTERS = 160
"""More text costs time in proportion. On 597 real captions and descriptions the answer equals that for the whole
text in 97 % of cases (80 characters: 96 %, 300: 99 %)."""

MIN_CONFIDENCE = 0.2
"""Below it the identifier is guessing among many: lists of cities and brands come out under 0.15."""

_ADDRESSES = re.compile(r"(?:https?://|www\.|@)\S+")
_ENOUGH_LETTERS = re.compile(rf"[\W\d_]*(?:[^\W\d_][\W\d_]*){{{MIN_LETTERS}}}")
_NO_LANGUAGE = "zxx"
_LOADING = threading.Lock()
_MISTAKEN = frozenset({"an", "la", "oc", "vo", "wa"})
"""Languages of few people that it takes their large neighbours for: Spanish captions came out as Aragonese."""


def identify(text: str | None) -> str | None:
    """The ISO 639-1 code of ``text``, or None when it has too few letters or the identifier cannot tell.

    Links, @names and hosts of e-mail addresses say nothing about the language and are left out. Equal
    texts have equal answers: nothing is random and nothing is learnt.
    """
    if not text:
        return None
    words = text[: 2 * MAX_CHARACTERS]
    if "@" in words or "://" in words or "www." in words:
        words = _ADDRESSES.sub(" ", words)
    words = words[:MAX_CHARACTERS]
    if not _ENOUGH_LETTERS.match(words):
        return None
    with _LOADING:
        identifier = _identifier()
    code, confidence = identifier.classify(words)
    return code if confidence >= MIN_CONFIDENCE and code != _NO_LANGUAGE else None


def load_ahead() -> None:
    """Begin to load the identifier beside other work: unpacking its model leaves a second core to others."""

    def load() -> None:
        with _LOADING:
            _identifier()

    threading.Thread(target=load, daemon=True).start()


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The identifier limited to languages with a two-letter code; loading it takes 0.7 s."""
    import numpy as np
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    labels = [code for code in identifier.labels if len(code) == 2 or code == _NO_LANGUAGE]
    identifier.set_languages([code for code in labels if code not in _MISTAKEN])
    # Its table is 16-bit and column by column; numpy multiplies 32-bit rows four times as fast, for 47 MB.
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc, dtype=np.float32)
    return identifier
