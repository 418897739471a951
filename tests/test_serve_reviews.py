"""Curators over HTTP: tags and pairs of accounts wait, are decided, and wait no more, also while a run writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import NOW
from serving import Serving, serving
from tag_world import RED, TagWorld

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.outbox import hand_over

_TAG = {"creator_id": "c_anna", "category": "setting", "method": "zero_shot", "state": "waiting", "analyzed_at": NOW}
_PAIR = {"rule": "model", "confidence_score": 0.6, "verdict": "review", "evidence": "names are alike"}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, empty_lake: Path) -> Path:
    """Anna with two accounts that may be one person's, and a picture whose tags wait."""
    folder = tmp_path_factory.mktemp("reviewed")
    shutil.copytree(empty_lake, folder / "data")
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        world = TagWorld(folder / "cache", lake, journal, "anna", "anna_films")
        (picture,) = world.shows("anna", RED)
        pair = {"account_a": "instagram:anna", "account_b": "instagram:anna_films"}
        with lake.transaction():
            lake.merge(
                "image_tags",
                [
                    _TAG | {"sha256": picture, "tag": tag, "confidence_score": score}
                    for tag, score in (("beach", 0.55), ("mountains", 0.4))
                ],
            )
            lake.merge("link_pairs", [{**_PAIR, **pair, "platform_a": "instagram", "platform_b": "instagram"}])
    return folder


@pytest.fixture(scope="module")
def shared(untouched: Path) -> Iterator[Serving]:
    """It is served, and no test changes it."""
    with serving(untouched) as opened:
        yield opened


@pytest.fixture
def place(untouched: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(untouched, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def served(place: Path) -> Iterator[Serving]:
    """It is served."""
    with serving(place) as opened:
        yield opened


def waiting(served: Serving, what: str = "reviews") -> list[dict[str, Any]]:
    """What waits."""
    answer = served.get(f"/api/v1/{what}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["waiting"]
    return found


def test_a_tag_is_approved_while_a_run_writes_and_the_stage_obeys(served: Serving, place: Path) -> None:
    """It waits no more at once; when the lake is free the word is there, and the stage makes the tag the creator's."""
    with Lake(place / "data", writable=True):
        beach, mountains = waiting(served)
        assert (beach["tag"], mountains["tag"], beach["handle"]) == ("beach", "mountains", "anna")
        assert served.client.post(f"/api/v1/reviews/{beach['id']}", json={"answer": "approve"}).status_code == 200
        assert [one["tag"] for one in waiting(served)] == ["mountains"]
    word = {"answer": "edit", "to": "none"}
    assert served.client.post(f"/api/v1/reviews/{mountains['id']}", json=word).json()["status"] == "recorded"
    assert waiting(served) == []
    with Journal(place / "cache", writable=True) as journal, Lake(place / "data", writable=True) as lake:
        hand_over(lake, journal)
        said = lake.rows("select tag, decision, reviewer, sampled from reviews order by tag")
        world = TagWorld(place / "cache", lake, journal)
        world.run()
        assert world.pictures("anna")[beach["sha256"], "setting:beach"] == "assigned"
    assert [(one["tag"], one["decision"], one["reviewer"], one["sampled"]) for one in said] == [
        ("beach", "approve", "local", "queue"),
        ("mountains", "edit", "local", "queue"),
    ]
    assert waiting(served) == []


def test_a_pair_is_decided_once(served: Serving, place: Path) -> None:
    """It waits no more at once; deciding it again is told; `resolve` finds the decision."""
    with Lake(place / "data", writable=True):
        (pair,) = waiting(served, "links/waiting")
        assert served.client.post(f"/api/v1/links/{pair['pair_id']}", json={"verdict": "together"}).status_code == 200
        assert waiting(served, "links/waiting") == []
    with Journal(place / "cache", writable=True) as journal, Lake(place / "data", writable=True) as lake:
        hand_over(lake, journal)
        assert [one["verdict"] for one in lake.rows("from link_decisions")] == ["together"]
        assert [one["action"] for one in lake.rows("from link_log")] == ["together"]
    again = served.client.post(f"/api/v1/links/{pair['pair_id']}", json={"verdict": "together"})
    assert (again.status_code, "decided to be together already" in again.json()["details"]) == (400, True)


def test_a_picture_is_shown_and_nothing_else(served: Serving, place: Path) -> None:
    """By its hash, as what it is; no other file, whatever is asked for."""
    (shown, *_) = waiting(served)
    answer = served.get(f"/api/v1/pictures/{shown['sha256']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    folder = place / "cache" / "images" / "00"
    folder.mkdir()
    (folder / ("0" * 64)).write_text("<html><script>alert(1)</script>")
    assert served.get(f"/api/v1/pictures/{'0' * 64}").status_code == 404
    assert served.get(f"/api/v1/pictures/{'1' * 64}").status_code == 404
    assert served.get("/api/v1/pictures/..%2F..%2Figtool.toml").status_code in (400, 404)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("reviews/nothing", {"answer": "approve"}, 404, "no tag with the id"),
        ("reviews/{tag}", {"answer": "edit"}, 400, "names the right tag"),
        ("reviews/{tag}", {"answer": "approve", "to": "beach"}, 400, "names the right tag"),
        ("reviews/{tag}", {"answer": "edit", "to": "moonbase"}, 400, "moonbase"),
        ("reviews/{tag}", {"answer": "edit", "to": "beach"}, 400, "approve it"),
        ("reviews/{tag}", {"answer": "maybe"}, 400, "answer"),
        ("links/nothing", {"verdict": "apart"}, 400, "there is no pair"),
        ("links/{pair}", {"verdict": "maybe"}, 400, "verdict"),
    ],
)
def test_bad_words_are_refused(shared: Serving, path: str, body: Any, status: int, said: str) -> None:
    """With what is wrong, and nothing is written."""
    tag, pair = waiting(shared)[0]["id"], waiting(shared, "links/waiting")[0]["pair_id"]
    answer = shared.client.post("/api/v1/" + path.format(tag=tag, pair=pair), json=body)
    assert (answer.status_code, said in answer.json()["details"]) == (status, True), answer.text
    assert shared.server.services.saying.waiting == ()
