"""Genres of creator lists, told apart."""

from __future__ import annotations

import csv
import hashlib
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import example, given
from hypothesis import strategies as st

from igtool.errors import ConfigError
from igtool.genres import GenreNames, load, read, split_genres
from igtool.health import doctor
from igtool.settings import Settings
from igtool.vocabulary import fold, tokens

NAMES = tuple(load().niches)
KNOWN = st.sampled_from(NAMES)
INVENTED = st.text(alphabet="bqxzwkj", min_size=2, max_size=12)
"""Names that no vocabulary word is in."""


def letters(text: str) -> Counter[str]:
    """Folded letters and digits, counted; a picture such as ™ is none, whatever it shows."""
    composed = unicodedata.normalize("NFC", text)
    return Counter(letter for character in composed if character.isalnum() for letter in fold(character))


def plain(names: tuple[str, ...] | list[str]) -> list[str]:
    """Names without case, accents and signs."""
    return ["".join(tokens(name)) for name in names]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SportsSoccer", "Sports|Soccer"),
        ("BooksLifestyleModeling", "Books|Lifestyle|Modeling"),
        ("SportsfamilyJournalists", "Sports|Family|Journalists"),
        ("Entertainment and MusicSoccer", "Entertainment and Music|Soccer"),
        ("EntertainmentandMusicFood&Drink", "Entertainment and Music|Food & Drink"),
        ("ModelingModelFashion Model", "Modeling|Model|Fashion Model"),
        ("FunnyVideoGamingActors", "Funny|Video Gaming|Actors"),
        ("DIYTVFood", "DIY|TV|Food"),
        ("TravelFilm, Music & BooksArt", "Travel|Film, Music & Books|Art"),
        ("Cinema & Actors/actressesYoga", "Cinema & Actors/actresses|Yoga"),
        ("sportssoccer", "Sports|Soccer"),
        ("ModaViajesCocinaDeportesFútbol", "Moda|Viajes|Cocina|Deportes|Fútbol"),
        ("Moda y bellezaComida y bebida", "Moda y belleza|Comida y bebida"),
        ("Moda & BellezaVideojuegos", "Moda & belleza|Videojuegos"),
        ("FUTBOL", "Fútbol"),
    ],
)
def test_glued_names(text: str, names: str) -> None:
    """Names are found though nothing stands between them, the longest where one holds another."""
    found = split_genres(text)
    assert found.names == tuple(names.split("|"))
    assert (found.unknown, found.rest) == ((), "")


@pytest.mark.parametrize(
    ("text", "names", "rest"),
    [
        ("Food\nHealth & Fitness\n", "Food|Health & Fitness", ""),
        ("Music, Dance; Art/Yoga | Pets #Travel", "Music|Dance|Art|Yoga|Pets|Travel", ""),
        ("Fashion ⚽ Soccer", "Fashion|Soccer", ""),
        ("moda viajes cocina", "Moda|Viajes|Cocina", ""),
        ("Fashion & Soccer and Pets", "Fashion|Soccer|Pets", "and"),
        ("- Music\n- Dance", "Music|Dance", ""),
        ("SportsSoccer\nTravel", "Sports|Soccer|Travel", ""),
        ("Men's Fashion, Yoga", "Mens Fashion|Yoga", ""),
        ("n/a", "", "n a"),
        ("", "", ""),
    ],
)
def test_separated_names(text: str, names: str, rest: str) -> None:
    """Signs separate, and spaces and joining words do where nothing else does; what is no name is the rest."""
    found = split_genres(text)
    assert "|".join(found.names) == names
    assert found.rest == rest
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("text", "names", "unknown"),
    [
        ("SoccerFalconryTaxidermy", "Soccer|Falconry|Taxidermy", "Falconry|Taxidermy"),
        ("SoccerBonsai GrowingTravel", "Soccer|Bonsai Growing|Travel", "Bonsai Growing"),
        ("Music, McFolk Art, Travel", "Music|McFolk Art|Travel", "McFolk Art"),
        ("Folk Music", "Folk Music", "Folk Music"),
        ("Carpet, Musicology", "Carpet|Musicology", "Carpet|Musicology"),
        ("carpet", "carpet", "carpet"),
        ("旅行美食", "旅行美食", "旅行美食"),
    ],
)
def test_unknown_names_stay_as_written(text: str, names: str, unknown: str) -> None:
    """What the vocabulary does not know ends at signs, or at capitals in glued text, and is never cut within a word."""
    found = split_genres(text)
    assert "|".join(found.names) == names
    assert "|".join(found.unknown) == unknown


def test_niches_of_names() -> None:
    """Known names mean niches, each once, in order; names of health and the like mean none."""
    assert split_genres("SoccerEntertainment and MusicFútbol").niches == ("soccer", "music", "entertainment")
    assert split_genres("Health\nReligion").niches == ()


@given(st.text() | st.lists(KNOWN | INVENTED | st.text(max_size=4)).map("".join))
@example("ßport\u0301SoccerßArt")
@example("SoccerﬁTravel and ")
@example("Ｍｕｓｉｃ½Art")
def test_every_letter_is_kept(text: str) -> None:
    """Whatever the cell, names and rest hold its letters and digits, each as often as the cell does."""
    found = split_genres(text)
    assert letters(" ".join((*found.names, found.rest))) == letters(text)
    assert all(name.strip() for name in found.names)
    assert set(found.unknown) <= set(found.names)


@given(st.lists(KNOWN | INVENTED, min_size=2, max_size=8), st.sampled_from(["\n", "; ", " | "]))
def test_separated_text_comes_back(names: list[str], separator: str) -> None:
    """Splitting separated names gives these names."""
    assert plain(split_genres(separator.join(names)).names) == plain(names)


@given(st.lists(KNOWN, max_size=6))
def test_splitting_twice_changes_nothing(names: list[str]) -> None:
    """The names of a glued cell, written on lines, split into the same names and niches."""
    once = split_genres("".join(names))
    again = split_genres("\n".join(once.names))
    assert (again.names, again.niches) == (once.names, once.niches)


@example(["Cine y TV", "DJs"])
@given(st.lists(KNOWN, min_size=1, max_size=8))
@example(["TV", "Shows"])
@example(["DIY", "TV Host"])
def test_glued_names_come_back(names: list[str]) -> None:
    """Glued names come back, or where two of them are a longer name, fewer that are all known (TV, Shows: TV Shows)."""
    found = split_genres("".join(names))
    assert found.unknown == ()
    assert plain(found.names) == plain(names) or len(found.names) < len(names)


def test_long_cells() -> None:
    """Thousands of glued names are told apart; beyond the limit the text is the rest, not lost."""
    assert split_genres("SportsSoccer" * 800).names == ("Sports", "Soccer") * 800
    long = split_genres("Soccer" * 2000)
    assert set(long.names[:-1]) == {"Soccer"}
    assert letters(" ".join((*long.names, long.rest))) == letters("Soccer" * 2000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[niches]\nsoccerr = ['Soccer']", "'soccerr' is not a niche"),
        ("[names]\nmusic = ['Music']", r"unknown table \[names\]"),
        ("[niches]\nmusic = ['&']", "music must be a list of names"),
        ("[niches]\nmusic = 'Music'", "music must be a list of names"),
        ("[niches]\nmusic = ['Música', 'musica']", "keep one"),
        ("[niches]\nmusic = ['Music']\n[other]\nnames = ['Music']", "remove it from"),
        ("[niches", "cannot be read as TOML"),
    ],
)
def test_broken_vocabulary(tmp_path: Path, text: str, message: str) -> None:
    """A broken file is refused with its entry and the fix."""
    path = tmp_path / "genres.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read(path)


def test_spelling_variants(tmp_path: Path) -> None:
    """A name with & is read with "and", one with y with &, and gives the spelling that was found."""
    path = tmp_path / "genres.toml"
    path.write_text("[niches]\nfood = ['Food & Drink', 'Pan y vino']", encoding="utf-8")
    assert set(read(path).niches) == {"Food & Drink", "Food and Drink", "Pan y vino", "Pan & vino"}


@needs_realdata
def test_real_list() -> None:
    """On the half that the vocabulary was not written on, cells that hold their topics' letters give the topics."""
    folder = REALDATA / "influencers"
    with (folder / "starngage_spain_2026.csv").open(encoding="utf-8", newline="") as file:
        topics = {row["handle"].lower(): row["topics"] or "" for row in csv.DictReader(file)}
    with (folder / "spain_top4000__Influencers.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = {(row["Instagram Handle"] or "").strip().lower(): row["GENRE"] or "" for row in csv.DictReader(file)}
    right = []
    for handle in sorted(cells.keys() & topics.keys()):
        is_test = int(hashlib.sha256(handle.removeprefix("@").encode()).hexdigest(), 16) % 2
        # One topic holds a comma, by which the truth separates topics.
        true = plain(topics[handle].replace("Film, Music", "Film Music").split(","))
        if is_test and cells[handle] and letters(cells[handle]) == letters(topics[handle]):
            right.append(plain(split_genres(cells[handle]).names) == true)
    assert len(right) > 1000
    assert sum(right) / len(right) > 0.985


def test_doctor_reads_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how many names there are, and a broken file fails it with what to do."""

    def broken() -> GenreNames:
        raise ConfigError("genres.toml: 'Art' and 'art' differ in case or accents only: keep one")

    good = {check.name: check for check in doctor(Settings(workspace=tmp_path))}["vocabulary"]
    assert (good.ok, good.detail.split(",")[0]) == (True, f"{len(load().niches)} names of genres")
    monkeypatch.setattr("igtool.genres.load", broken)
    bad = {check.name: check for check in doctor(Settings(workspace=tmp_path))}["vocabulary"]
    assert not bad.ok
    assert "keep one" in bad.detail
    assert bad.fix == "mend the file it names"
