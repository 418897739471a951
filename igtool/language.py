"""Which language a text is written in, for one text or for many at once.

The model is py3langid's (BSD): a finite automaton reads the UTF-8 bytes, some of its states stand for a feature (a
group of bytes that is telling), and naive Bayes weighs the features met. py3langid walks one text at a time in
Python; here numpy takes one step in thousands of texts at once, which is ten times as fast.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy takes 0.1 s to import, and most commands identify nothing
    import numpy as np

    Ints = np.ndarray[Any, np.dtype[np.int32]]
    Floats = np.ndarray[Any, np.dtype[np.float32]]

MIN_LETTERS = 20
"""Shorter texts are guesses: "Madrid" is a word of every language."""

MAX_CHARACTERS = 80
"""More text costs time in proportion. Of 26,432 labelled snippets of 20 to 160 letters 94.9 % are right (of 160
characters 95.0 %); on 933 real captions and descriptions 98 % of the answers are those for 160 characters."""

MIN_CONFIDENCE = 0.2
"""Below it the identifier is guessing among many: lists of cities and brands come out under 0.15."""

_MAX_BYTES = 4 * MAX_CHARACTERS
_ADDRESSES = re.compile(r"(?:https?://|www\.|@)\S+")
_ENOUGH_LETTERS = re.compile(rf"[\W\d_]*(?:[^\W\d_][\W\d_]*){{{MIN_LETTERS}}}")
_NOT_ASCII_LETTERS = bytes(byte for byte in range(256) if not (byte < 128 and chr(byte).isalpha()))
_NO_LANGUAGE = "zxx"
_LOADING = threading.Lock()
_MISTAKEN = frozenset({"an", "la", "oc", "vo", "wa"})
"""Languages of few people that it takes their large neighbours for: Spanish captions came out as Aragonese."""

_RARER = frozenset({"af", "gl", "lb", "ms"})
"""Languages that claim many texts of a neighbour with far more speakers (Dutch, Spanish and Portuguese, German,
Indonesian), and are too large to leave out."""

_RARER_BY = 3.0
"""Their handicap, as a logarithm: one text in twenty. The model holds all languages for equally frequent. Chosen on one
half of 52,754 labelled texts of 20 to 160 letters (descriptions of Debian's packages, messages of Django and Sphinx);
on the other half Spanish is right in 94.5 % instead of 90.1, Portuguese in 95.0 instead of 91.7, Galician in 83.7
instead of 92.2."""

_FEW = 48
"""So many texts are walked one by one: numpy takes a step in all of them no faster than Python in each."""

_STEPS_AT_ONCE = 1 << 18
"""Bytes of text per batch; what a batch needs besides the model is 30 times as much."""

_TEXTS_AT_ONCE = 1 << 12
_ROWS_AT_ONCE = 128
"""Texts whose features are added up at once: their rows of the table stay in the cache of a core."""

_STATE_BITS = 17
_WEIGHT_UNIT = 128
"""Weights and table are whole numbers, of this unit and of 1/255 of the table's range. No sum of _MAX_BYTES of them
reaches 2^24 (640 x 89 x 255 is 0.87 of it), so 32-bit floats add them without rounding, in any order: the answer
for a text depends neither on its batch nor on the machine."""


def identify(text: str | None) -> str | None:
    """The ISO 639-1 code of ``text``, or None when it has too few letters or the identifier cannot tell.

    Links, @names and hosts of e-mail addresses say nothing about the language and are left out. Equal
    texts have equal answers: nothing is random and nothing is learnt. Of many texts ask identify_all.
    """
    return identify_all((text,))[0]


def identify_all(texts: Sequence[str | None]) -> list[str | None]:
    """What ``identify`` answers for each of ``texts``, in their order, at a tenth of its time for a thousand."""
    telling = {text: _telling_bytes(text) for text in dict.fromkeys(texts) if text}
    words = {part for part in telling.values() if part}
    if not words:
        return [None] * len(texts)
    with _LOADING:
        identifier = _identifier()
    codes = identifier.codes_of(words)
    # The model knows sentences: a Title Like This is of no language until it is written small. Of 67 real English
    # titles of videos in doubt this finds 41, and takes 3 for another language.
    small = {part: part.lower() for part in words if codes[part] is None}
    if small:
        again = identifier.codes_of(set(small.values()))
        codes.update({part: again[lower] for part, lower in small.items()})
    return [codes.get(telling[text] or b"") if text else None for text in texts]


def load_ahead() -> None:
    """Begin to load the identifier beside other work: unpacking its model leaves a second core to others."""

    def load() -> None:
        with _LOADING:
            _identifier()

    threading.Thread(target=load, daemon=True).start()


def _telling_bytes(text: str) -> bytes | None:
    """The part of ``text`` that is identified, as the model was trained on it; None with too few letters."""
    words = text[: 2 * MAX_CHARACTERS]
    if "@" in words or "://" in words or "www." in words:
        words = _ADDRESSES.sub(" ", words)
    words = words[:MAX_CHARACTERS]
    # As py3langid prepares its texts.
    same = words.lower() if words.isupper() else words
    encoded = (same if same.isascii() else unicodedata.normalize("NFC", same)).encode("utf-8", "surrogatepass")
    # Counting the ASCII letters at the beginning takes a fifth of what the expression takes, and does for most texts.
    beginning = encoded[: 2 * MIN_LETTERS].translate(None, _NOT_ASCII_LETTERS)
    if len(beginning) < MIN_LETTERS and not _ENOUGH_LETTERS.match(words):
        return None
    return encoded[:_MAX_BYTES]


@lru_cache(maxsize=1)
def _identifier() -> _Identifier:
    """The identifier limited to languages with a two-letter code; loading it takes 0.7 s and leaves 45 MB."""
    import numpy as np
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    kept = [i for i, code in enumerate(model.nb_classes) if len(code) == 2 or code == _NO_LANGUAGE]
    kept = [i for i in kept if model.nb_classes[i] not in _MISTAKEN]
    codes = [model.nb_classes[i] for i in kept]
    handicap = np.array([_RARER_BY * (code in _RARER) for code in codes], dtype=np.float32)
    # States are numbered anew, those that stand for a feature first: its number is then its row of the table.
    feature_of = np.array(model.tk_output)
    order = np.argsort(feature_of < 0, kind="stable")
    number_of = np.empty(len(order), dtype=np.int32)
    number_of[order] = np.arange(len(order))
    moves = np.frombuffer(model.tk_nextmove, dtype=np.uint32).reshape(-1, 256)
    # A quarter of all bytes are in no feature: from every state they lead where byte 255 leads, which UTF-8 lacks.
    used = np.flatnonzero((moves != moves[:, 255:]).any(axis=0))
    column_of = np.full(256, len(used), dtype=np.int32)
    column_of[used] = np.arange(len(used))
    table, unit = _in_whole_numbers(model.nb_ptc, kept)
    return _Identifier(
        codes=[None if code == _NO_LANGUAGE else code for code in codes],
        aliases=[(i, codes.index(code)) for i, code in enumerate(codes) if codes.index(code) != i],
        start=int(number_of[0]),
        column_of=column_of,
        row_of=np.array(model.tk_row, dtype=np.int32)[order] * (len(used) + 1),
        moves=number_of[moves[:, [*used, 255]]].ravel(),
        table=table[feature_of[order[: np.count_nonzero(feature_of >= 0)]]],
        unit=unit / _WEIGHT_UNIT,
        prior=np.asarray(model.nb_pc, dtype=np.float32)[kept] - handicap,
        weight_of=np.rint(np.log1p(np.arange(_MAX_BYTES + 1)) * _WEIGHT_UNIT).astype(np.float32),
    )


def _in_whole_numbers(chances: Any, columns: list[int]) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], float]:
    """``columns`` of the logarithms ``chances`` as 0 to 255, and what 1 of it is; only differences will count."""
    import numpy as np

    lowest, highest = float(chances.min()), float(chances.max())
    unit = (highest - lowest) / 255
    table = np.empty((len(chances), len(columns)), dtype=np.uint8)
    for start in range(0, len(table), 1 << 13):  # a part at a time: as 32-bit floats the whole takes 45 MB
        part = chances[start : start + (1 << 13), columns].astype(np.float32)
        table[start : start + len(part)] = np.rint((part - lowest) / unit)
    return table, unit


@dataclass(frozen=True)
class _Identifier:
    """An automaton over bytes, and how much each of its features speaks for each language."""

    codes: list[str | None]
    aliases: list[tuple[int, int]]
    """A language in two scripts is two in the model: the second and the first."""
    start: int
    column_of: Ints
    row_of: Ints
    """Per state where its row begins in ``moves``; many states share a row."""
    moves: Ints
    table: np.ndarray[Any, np.dtype[np.uint8]]
    """Per state that stands for a feature, and per language, how much it speaks for it."""
    unit: float
    """What 1 of a weight times 1 of the table is as a logarithm of a probability."""
    prior: Floats
    weight_of: Floats
    """Per count of a feature its weight, log(1 + count), in whole numbers."""

    def codes_of(self, texts: Collection[bytes]) -> dict[bytes, str | None]:
        """Each text with its language, or None where it is in doubt."""
        answers: dict[bytes, str | None] = {}
        waiting = sorted(texts, key=len, reverse=True)
        while waiting:
            size = min(_TEXTS_AT_ONCE, _STEPS_AT_ONCE // len(waiting[0]))
            batch, waiting = waiting[:size], waiting[size:]
            met = self._met_one_by_one(batch) if len(batch) <= _FEW else self._met_in_step(batch)
            answers.update(zip(batch, self._decided(self._scores(met, len(batch)), batch), strict=True))
        return answers

    def _met_one_by_one(self, texts: list[bytes]) -> Ints:
        """Number of the text and state, in one number, for every feature met on the way through ``texts``."""
        import numpy as np

        moves, columns, rows = self.moves.data, self.column_of.data, self.row_of.data
        met = []
        for number, text in enumerate(texts):
            state = self.start
            for byte in text:
                state = moves[rows[state] + columns[byte]]
                if state < len(self.table):
                    met.append(number << _STATE_BITS | state)
        return np.array(met, dtype=np.int32)

    def _met_in_step(self, texts: list[bytes]) -> Ints:
        """What _met_one_by_one gives, in another order; the longest of ``texts`` must come first."""
        import numpy as np

        lengths = np.array([len(text) for text in texts])
        starts = np.cumsum(lengths) - lengths
        columns = self.column_of.take(np.frombuffer(b"".join(texts), dtype=np.uint8))
        longer = np.searchsorted(-lengths, -np.arange(lengths[0])).tolist()
        states = np.full((len(longer), len(texts)), self.start, dtype=np.int32)
        state = states[0]
        for step, count in enumerate(longer):
            move = self.row_of.take(state[:count])
            move += columns.take(starts[:count] + step)
            state = self.moves.take(move, out=states[step, :count], mode="clip")
        telling = states < len(self.table)
        states += np.arange(len(texts), dtype=np.int32) << _STATE_BITS
        return states[telling]

    def _scores(self, met: Ints, text_count: int) -> Floats:
        """Per text and language the sum of what the features say, in whole numbers; all zero without features."""
        import numpy as np

        met.sort()
        is_first = np.ones(len(met), dtype=bool)
        np.not_equal(met[1:], met[:-1], out=is_first[1:])
        first = np.flatnonzero(is_first)
        distinct = met[first]
        weights = self.weight_of.take(np.diff(first, append=len(met)))
        states = distinct & ((1 << _STATE_BITS) - 1)
        per_text = np.bincount(distinct >> _STATE_BITS, minlength=text_count)
        starts = np.cumsum(per_text) - per_text
        scores = np.zeros((text_count, self.table.shape[1]), dtype=np.float32)
        by_count = np.argsort(per_text)
        room = np.empty((_ROWS_AT_ONCE * per_text[by_count[-1]], self.table.shape[1]), dtype=np.float32)
        for begin in range(0, text_count if len(met) else 0, _ROWS_AT_ONCE):
            texts = by_count[begin : begin + _ROWS_AT_ONCE]
            width = np.arange(per_text[texts[-1]])
            places = starts[texts, None] + width
            weight = weights.take(places, mode="clip")
            weight *= width < per_text[texts, None]
            rows = room[: places.size]
            rows[...] = self.table.take(states.take(places.ravel(), mode="clip"), axis=0)
            scores[texts] = np.matmul(weight[:, None, :], rows.reshape(*places.shape, -1))[:, 0]
        return scores

    def _decided(self, scores: Floats, texts: list[bytes]) -> list[str | None]:
        """The likeliest language per text, None below MIN_CONFIDENCE; the square root is py3langid's calibration."""
        import numpy as np

        scores *= np.float32(self.unit)
        scores += self.prior
        scores *= (np.array([len(text) for text in texts], dtype=np.float32) ** -0.5)[:, None]
        scores -= scores.max(axis=1, keepdims=True)
        chances = np.exp(scores, out=scores)
        total = chances.sum(axis=1)
        for second, first in self.aliases:
            chances[:, first] += chances[:, second]
        best = chances.argmax(axis=1)
        sure = chances[np.arange(len(texts)), best] >= MIN_CONFIDENCE * total
        return [self.codes[i] if certain else None for i, certain in zip(best.tolist(), sure.tolist(), strict=True)]
