"""The vocabulary as an encoder sees it, and where in a text it was met."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from igtool import vocabulary, zero_shot
from igtool.encoders.base import Encoder
from igtool.vocabulary import fold

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Spaces:
    """Prototypes and words of niches and styles, and words of kinds of content."""

    vocabulary: vocabulary.Vocabulary
    niches: zero_shot.Prototypes
    styles: zero_shot.Prototypes
    niche_words: zero_shot.WordIndex
    style_words: zero_shot.WordIndex
    kind_words: zero_shot.WordIndex


@lru_cache(maxsize=2)
def spaces_of(encoder: Encoder) -> Spaces:
    """The vocabulary as this encoder sees it; about 200 short texts are encoded, once per process."""
    words = vocabulary.load()
    return Spaces(
        words,
        zero_shot.prototypes(words.niches, words.background, encoder, zero_shot.load_head(encoder.model)),
        zero_shot.prototypes(words.styles, words.background, encoder),
        zero_shot.WordIndex(words.niches),
        zero_shot.WordIndex(words.styles),
        zero_shot.WordIndex(words.kinds),
    )


def quote_of(text: str, phrase: str) -> str | None:
    """The exact part of ``text`` that reads as the folded ``phrase``, or None."""
    wanted = phrase.split()
    matches = list(_WORD.finditer(text))
    folded = [fold(match.group()) for match in matches]
    for start in range(len(folded) - len(wanted) + 1):
        if folded[start : start + len(wanted)] == wanted:
            return text[matches[start].start() : matches[start + len(wanted) - 1].end()]
    return None
