"""Search: an index that is renewed where little changed answers as one that is built from nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_tables import SEEN, Given, Tables, find, killed_build

from igtool.encoders.base import unit
from igtool.search import build, vectors
from igtool.search.build import build_index
from igtool.search.filters import Filters
from igtool.search.query import Index

WORDS = ("train", "food", "hats", "gardens", "boats", "chess", "songs", "maps")
COUNT = 100


def crowd(changed: dict[int, int], gone: frozenset[int] = frozenset(), more: int = 0) -> Tables:
    """A hundred invented creators: some changed (to another seed), some gone, some new."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("creators", "creator_links", "accounts", "embeddings")
    }
    for number in sorted(set(range(COUNT + more)) - gone):
        seed = changed.get(number, 0)
        random = np.random.default_rng((number, seed))
        creator, account, handle = f"c{number:03d}", f"instagram:{number}", f"p{number}s{seed}"
        bio = " ".join(random.choice(WORDS, 5)) + f" unique{number}x{seed}"
        followers, vector = int(random.integers(100, 100_000)), unit(random.standard_normal(8)).tolist()
        rows["creators"].append({"creator_id": creator, "canonical_handle": handle, "name": handle, "country": "ES"})
        rows["creator_links"].append({"account_id": account, "creator_id": creator})
        told = {
            "platform": "instagram",
            "handle": handle,
            "bio": bio,
            "followers_count": followers,
            "observed_at": SEEN,
        }
        rows["accounts"].append({"account_id": account, "answer_id": str(seed), **told})
        made = {"owner_id": account, "field": "ig_bio", "model": "numbers", "text_sha256": str(seed), "vector": vector}
        rows["embeddings"].append({"embedding_id": account, **made})
    tables = Tables()
    for name, many in rows.items():
        tables.add(name, many)
    return tables


def answers(index: Index) -> list[Any]:
    """Ids, scores and reasons of many searches."""
    vector = " ".join("0.35" for _ in range(8))
    asked = [find(index, word, limit=200) for word in (*WORDS, "train food", "unique7x0", "unique7x1", '"unique3x1"')]
    asked.append(find(index, vector, encoder=Given(), limit=200, literal=True))
    asked.append(find(index, "", filters=Filters(min_followers=50_000), limit=200))
    return [[(hit.creator_id, hit.final_score, hit.parts, hit.reasons) for hit in result.results] for result in asked]


@pytest.mark.parametrize(
    ("changed", "gone", "more"), [({7: 1, 3: 1}, {50}, 1), ({}, {1, 2}, 0), ({}, set(), 3), ({99: 4}, set(), 0)]
)
def test_renewed_index_equals_a_clean_build(tmp_path: Path, changed: dict[int, int], gone: set[int], more: int) -> None:
    """After changes, removals and additions the renewed index gives the very answers of one built from nothing."""
    build_index(crowd({}), tmp_path / "renewed", version="v1")
    tables = crowd(changed, frozenset(gone), more)
    renewed = build_index(tables, tmp_path / "renewed", version="v2")
    assert renewed.renewed == len(changed) + more
    assert build_index(tables, tmp_path / "clean", version="v1").renewed is None
    one, other = Index(tmp_path / "renewed"), Index(tmp_path / "clean")
    assert json.dumps(answers(one)) == json.dumps(answers(other))
    assert (renewed.creators, renewed.vectors) == (COUNT - len(gone) + more, {"ig_bio": COUNT - len(gone) + more})


def test_renewed_again_and_again(tmp_path: Path) -> None:
    """Renewals upon renewals still equal a clean build; when a fifth of the rows is unused, it is built anew."""
    build_index(crowd({}), tmp_path / "renewed", version="v0")
    changed: dict[int, int] = {}
    kinds = []
    for step in range(1, 8):
        changed |= dict.fromkeys(range(4 * step, 4 * step + 4), step)
        kinds.append(build_index(crowd(changed), tmp_path / "renewed", version=f"v{step}").renewed)
    assert None in kinds
    assert kinds.count(4) >= 5
    build_index(crowd(changed), tmp_path / "clean", version="v")
    assert json.dumps(answers(Index(tmp_path / "renewed"))) == json.dumps(answers(Index(tmp_path / "clean")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    ["_copy", "_renew_columns", "_add_texts", "_renew_vectors", "add_vectors", "_files", "_put_in_place", "replaced"],
)
def test_killed_renewal_leaves_the_old_index(tmp_path: Path, step: str) -> None:
    """A renewal killed at any step changes no answer; the next one renews, and answers as a clean build."""
    build_index(crowd({}), tmp_path / "renewed", version="v1")
    before = json.dumps(answers(Index(tmp_path / "renewed")))
    killed_build(
        tmp_path / "renewed", step, "from test_search_renewal import *; tables = crowd({7: 1}, frozenset({50}), 1)"
    )
    assert json.dumps(answers(Index(tmp_path / "renewed"))) == before
    tables = crowd({7: 1}, frozenset({50}), 1)
    assert build_index(tables, tmp_path / "renewed", version="v2").renewed == 2
    assert build_index(tables, tmp_path / "clean", version="v1").renewed is None
    assert json.dumps(answers(Index(tmp_path / "renewed"))) == json.dumps(answers(Index(tmp_path / "clean")))
    assert sorted(path.name for path in (tmp_path / "renewed").iterdir()) == ["current", "v1", "v2"]


def test_much_change_is_a_clean_build(tmp_path: Path) -> None:
    """Above 5 % nothing is taken over."""
    build_index(crowd({}), tmp_path, version="v1")
    assert build_index(crowd(dict.fromkeys(range(6), 1)), tmp_path, version="v2").renewed is None


def test_compressed_vectors_are_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors added to a compressed field are found like those that were there, and unused ones are not."""
    monkeypatch.setattr(vectors, "FLAT_LIMIT", 1_000)
    random = np.random.default_rng(1)
    many = unit(random.standard_normal((6_000, 16)))
    vectors.write_vectors(tmp_path, "ig_bio", np.arange(5_000), many[:5_000])
    vectors.add_vectors(tmp_path, "ig_bio", np.arange(5_000, 6_000), many[5_000:])
    alive = np.ones(6_000, dtype=bool)
    alive[:200] = False
    leg = vectors.VectorLeg(tmp_path, "ig_bio", alive)
    for wanted in (5_500, 300):
        truth = np.argsort(-(many @ many[wanted]) - 9 * alive)[:10]
        assert len(set(truth.tolist()) & set(leg.top(many[wanted], alive, 10).tolist())) >= 9
    assert leg.exact(many[5_500], np.array([5_500, 100])) == pytest.approx([1, np.nan], abs=0.01, nan_ok=True)


def test_damaged_base_is_not_renewed(tmp_path: Path) -> None:
    """What is damaged is not built upon."""
    build_index(crowd({}), tmp_path, version="v1")
    path = tmp_path / "v1" / "tokens.u32"
    path.write_bytes(path.read_bytes()[:-4])
    assert build_index(crowd({7: 1}), tmp_path, version="v2").renewed is None


def test_the_base_is_never_changed(tmp_path: Path) -> None:
    """Renewing leaves every byte of the index before as it was."""
    build_index(crowd({}), tmp_path, version="v1")
    build_index(crowd({7: 1}), tmp_path, version="v2")
    assert build.checked_manifest(tmp_path / "v1", thoroughly=True)["creators"] == COUNT
