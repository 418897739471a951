"""The vocabulary files and what their loader refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from igtool import vocabulary
from igtool.errors import ConfigError
from igtool.vocabulary import fold, load, read, tokens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped vocabulary that a test may spoil."""
    for file in Path(vocabulary.__file__).parent.glob("*.toml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_every_label_is_complete() -> None:
    """Each niche and style has words, two names and prototypes; each niche has kinds of brand."""
    words = load()
    assert 35 <= len(words.niches) <= 45
    assert 8 <= len(words.styles) <= 10
    for label in (*words.niches.values(), *words.styles.values()):
        assert 2 <= len(label.prototypes) <= 4, label.slug
        assert len(label.words) >= 8, label.slug
        assert label.label_es, label.slug
    assert all(niche.brands for niche in words.niches.values())


def test_generic_categories() -> None:
    """Categories that say nothing are known whatever their case and accents; others are not generic."""
    words = load()
    assert words.is_generic("PUBLIC FIGURE")
    assert words.is_generic("Figura Publica")
    assert not words.is_generic("Restaurant")


def test_family_and_conflicts() -> None:
    """A family holds ancestors and descendants; a conflict holds in both directions."""
    words = load()
    assert {"sports", "soccer"} <= words.family("sports")
    assert words.family("soccer") == {"soccer", "sports"}
    assert words.conflict("soccer", "beauty")
    assert words.conflict("beauty", "soccer")


def test_fold() -> None:
    """Accents and case go, ñ stays, in both Unicode forms."""
    assert fold("MONTAÑA Fútbol N\u0303andú") == "montaña futbol ñandu"
    assert tokens("#Ropa, moda; d'été 2024!") == ["ropa", "moda", "d", "ete", "2024"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("niches", 'related = ["nowhere"]', "related 'nowhere'"),
        ("niches", 'parent = "nowhere"', "parent 'nowhere'"),
        ("niches", 'conflicts = ["nowhere"]', "conflicts 'nowhere'"),
        ("niches", 'parent = "chess"', "parent 'chess'"),
        ("niches", 'words = ["lesbian"]', "never makes"),
        ("styles", 'words = ["musulmán"]', "never makes"),
        ("niches", 'colour = "red"', "unknown field"),
        ("niches", 'words = "red"', "must be a list"),
        ("niches", "words = [", "cannot be read"),
    ],
)
def test_refused(folder: Path, name: str, text: str, message: str) -> None:
    """A wrong reference, a denied word, an unknown field and broken TOML are told with the file's name."""
    with (folder / f"{name}.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[chess]\nlabel = "Chess"\nprototypes = ["A game of chess."]\n{text}\n')
    with pytest.raises(ConfigError, match=rf"{name}\.toml.*{message}"):
        read(folder)


@pytest.mark.parametrize("slug", ["religion", "sexual_orientation", "ethnicity", "health", "height", "gender"])
def test_denied_niches_fail_to_load(folder: Path, slug: str) -> None:
    """A niche that names a denied inference stops the program."""
    with (folder / "niches.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[{slug}]\nlabel = "Something"\nprototypes = ["A sentence."]\n')
    with pytest.raises(ConfigError, match="never makes"):
        read(folder)


def test_circle_of_parents(folder: Path) -> None:
    """Two niches that are each other's parent are refused."""
    with (folder / "niches.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[one]\nlabel="One"\nprototypes=["x"]\nparent="two"\n[two]\nlabel="Two"\nprototypes=["x"]\nparent="one"\n'
        )
    with pytest.raises(ConfigError, match="own ancestor"):
        read(folder)
