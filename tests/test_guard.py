"""Which categories may be computed: the whole truth table, and that no way leads around consent."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.vision.guard import UNSAID, Standing, allowed
from igtool.vocabulary import tags
from igtool.vocabulary.categories import Category

WORDS = tags.shipped()
CATEGORIES = list(WORDS.categories.values())
HAIR, SETTING, BUILD, AGE = (WORDS.categories[name] for name in ("hair", "setting", "build", "age_band"))
ADULT = Standing(is_declared_adult=True)
AGREED = Standing.of(["build"])
CLAIMED = Standing(is_declared_adult=False, consented=frozenset({"build"}))
"""Agreed without declaring to be an adult."""

TABLE = {
    # standing, verdict: what may be computed
    (UNSAID, True): {"setting"},
    (ADULT, True): {"setting"},
    (AGREED, True): {"setting"},
    (CLAIMED, True): {"setting"},
    (UNSAID, None): {"setting"},
    (ADULT, None): {"setting", "hair"},
    (AGREED, None): {"setting", "hair"},
    (CLAIMED, None): {"setting"},
    (UNSAID, False): {"setting", "hair"},
    (ADULT, False): {"setting", "hair"},
    (AGREED, False): {"setting", "hair", "build"},
    (CLAIMED, False): {"setting", "hair"},
}


@pytest.mark.parametrize(("standing", "verdict"), list(TABLE))
def test_truth_table(standing: Standing, verdict: bool | None) -> None:
    """Every case of who said what and what the safety check found."""
    assert allowed([HAIR, SETTING, BUILD, AGE], standing, verdict) == TABLE[standing, verdict]


def test_the_table_has_every_case() -> None:
    """No combination is left out."""
    assert set(TABLE) == set(product([UNSAID, ADULT, AGREED, CLAIMED], [True, False, None]))


def test_a_possibly_under_age_person_gets_no_tag_at_all() -> None:
    """Of all categories only those about the picture are left."""
    left = allowed(CATEGORIES, Standing.of([one.slug for one in CATEGORIES]), may_be_minor=True)
    assert left == {"setting", "activity", "composition"}


def test_agreeing_to_one_category_is_not_agreeing_to_another() -> None:
    """Who agreed to build did not agree to the age band."""
    assert "age_band" not in allowed(CATEGORIES, AGREED, may_be_minor=False)


NAMES = st.sampled_from([*WORDS.categories, *WORDS.denied, "", "anything"])
STANDINGS = st.builds(Standing, st.booleans(), st.frozensets(NAMES))


@given(
    category=st.sampled_from(CATEGORIES),
    slug=NAMES,
    kind=st.sampled_from(["consent", "denied", "", "OPEN"]),
    about=st.sampled_from(["person", "picture", ""]),
    standing=STANDINGS,
    verdict=st.none() | st.booleans(),
)
def test_no_input_yields_what_was_not_agreed_to(
    category: Category, slug: str, kind: str, about: str, standing: Standing, verdict: bool | None
) -> None:
    """Whatever a category calls itself: unless it is open it needs consent, a declared adult and a clear verdict."""
    odd = replace(category, slug=slug, tag_class=kind, about=about)  # type: ignore[arg-type]
    if allowed([odd], standing, verdict):
        assert slug in standing.consented
        assert standing.is_declared_adult
        assert verdict is False


@given(standing=STANDINGS, verdict=st.none() | st.booleans())
def test_less_certainty_never_allows_more(standing: Standing, verdict: bool | None) -> None:
    """Without a verdict, or with a bad one, no more is allowed than with a good one; the same without words."""
    best = allowed(CATEGORIES, standing, may_be_minor=False)
    found = allowed(CATEGORIES, standing, verdict)
    assert found <= best
    assert allowed(CATEGORIES, UNSAID, verdict) <= found
    assert found <= set(WORDS.categories)


def test_what_is_read_from_the_view() -> None:
    """No row is nothing said; a row without categories is a declared adult."""
    assert Standing.of(None) == UNSAID
    assert Standing.of([]) == ADULT
