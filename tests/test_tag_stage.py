"""The stages of tags: from pictures to tags of creators, within what consent and the safety check allow."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import contents
from consent_world import agree, say_adult
from tag_world import BLUE, GREEN, GREY, RED, WORDS, TagWorld

from igtool.consent.removal import keep_swept, sweep
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.vocabulary import tags

FOOD, BEACH = ("composition", "food"), ("setting", "beach")
BLONDE, BLACK = ("hair", "blonde"), ("hair", "black")
SLIM = ("build", "slim")


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> TagWorld:
    """Ana, Bea and Cleo, without pictures yet."""
    return TagWorld(tmp_path, lake, journal, "ana", "bea", "cleo")


def test_what_enough_pictures_show_is_a_tag_of_the_creator(world: TagWorld) -> None:
    """Three red pictures are enough of food, two are not; grey ones show nothing."""
    world.sees({FOOD: RED, BEACH: BLUE})
    world.shows("ana", RED, RED, RED, GREY)
    world.shows("bea", RED, RED, size=64)
    world.run()
    (tag,) = world.lake.rows("from creator_tags")
    assert (tag["creator_id"], tag["category"], tag["tag"], tag["images_analyzed"]) == ("c_ana", *FOOD, 3)
    assert tag["model_used"] == world.tower.model
    assert tag["confidence_score"] > 0.9
    assert "3 of 4 pictures" in tag["reasoning"]
    assert sorted(world.pictures("bea").values()) == ["assigned", "assigned"]


def test_running_twice_changes_nothing(world: TagWorld) -> None:
    """Neither tags nor history; and a clean run of the same gives the same."""
    world.sees({FOOD: RED})
    world.shows("ana", RED, RED, RED)
    world.run()
    before = contents(world.lake)
    world.clock += timedelta(days=1)
    progress = world.run()
    assert contents(world.lake) == before
    assert progress.of("tag").skipped == 1
    assert progress.of("image_vectors").skipped == 3


def test_without_a_tower_rules_speak(world: TagWorld) -> None:
    """Framing, the number of people and greyness are measured; hair only where it is described."""
    world.shows("ana", RED, GREEN, BLUE, framing="full_body", chroma=0.5)
    say_adult(world.lake, "instagram:bea")
    world.shows("bea", RED, GREEN, BLUE, size=64, hair_scores=json.dumps({"blonde": 0.9}))
    world.run()
    assert world.tags("ana") == {
        "composition:black_and_white": pytest.approx(0.97, abs=0.01),
        "composition:full_length": 0.9,
    }
    assert world.tags("bea") == {"hair:blonde": 0.9}


# The verdict of the safety check, whether they declared to be adult and agreed to build, and what is told.
ETHICS = {
    "ana": (True, True, True, {FOOD}),
    "bea": (None, False, False, {FOOD}),
    "cleo": (None, True, True, {FOOD, BLONDE}),
    "dora": (False, False, False, {FOOD, BLONDE}),
    "ella": (False, True, False, {FOOD, BLONDE}),
    "fay": (False, True, True, {FOOD, BLONDE, SLIM}),
}


def test_nothing_is_told_of_a_person_that_may_not_be(tmp_path: Path, lake: Lake, journal: Journal) -> None:
    """The table of docs/ethics.md: by verdict of the safety check, declared adulthood and consent."""
    world = TagWorld(tmp_path, lake, journal, *ETHICS)
    world.sees({FOOD: RED, BLONDE: RED, SLIM: RED})
    for place, (name, (minor, is_adult, agreed, _)) in enumerate(ETHICS.items()):
        world.shows(name, RED, RED, RED, size=32 + 8 * place, may_be_minor=minor)
        if is_adult:
            say_adult(lake, f"instagram:{name}")
        if agreed:
            agree(lake, f"instagram:{name}", "build")
    world.run()
    for name, (*_, told) in ETHICS.items():
        assert {tuple(tag.split(":")) for tag in world.tags(name)} == told, name
        assert {tuple(tag.split(":")) for _, tag in world.pictures(name)} == told, name
    assert sweep(lake, WORDS) == {}


def test_of_several_people_nobody_is_described(world: TagWorld) -> None:
    """Who of them the creator is would be a guess, and the others agreed to nothing."""
    world.sees({FOOD: RED, BLONDE: RED})
    world.shows("ana", RED, RED, RED, may_be_minor=False, persons_count=2)
    world.run()
    assert set(world.tags("ana")) == {"composition:food"}


def test_no_vector_is_kept_of_a_face_or_of_somebody_who_may_be_under_age(world: TagWorld) -> None:
    """What such pictures show besides is told all the same."""
    world.sees({FOOD: RED})
    world.shows("ana", RED, RED, RED, framing="close_up")
    world.shows("bea", RED, RED, RED, size=64, may_be_minor=True)
    kept = world.shows("cleo", RED, size=96)
    world.run()
    assert [row["sha256"] for row in world.lake.rows("from image_vectors")] == kept
    assert set(world.tags("ana")) >= {"composition:food"}
    assert set(world.tags("bea")) == {"composition:food"}


def test_a_verdict_that_comes_later_takes_tags_and_vector_away(world: TagWorld) -> None:
    """Facts that are measured anew count at once, and the sweep leaves nothing either."""
    world.sees({BLONDE: RED})
    found = world.shows("ana", RED, RED, RED, may_be_minor=False)
    world.run()
    assert world.tags("ana")
    later = {"persons_count": 1, "framing": "half_body", "may_be_minor": True}
    with world.lake.transaction():
        rows = [{"sha256": one, **later, "analyzed_at": world.clock + timedelta(days=1)} for one in found]
        world.lake.merge("image_facts", rows)
    keep_swept(world.lake, world.journal, WORDS)
    assert world.tags("ana") == {}
    world.run()
    assert world.lake.rows("from image_vectors") == world.lake.rows("from image_tags") == []
    assert world.lake.rows("from creator_tag_history") == []


def test_of_tags_that_never_go_together_the_surest_stays(world: TagWorld) -> None:
    """Four pictures say blonde, three black: the share counts, and what speaks against it is told."""
    world.sees({BLONDE: RED, BLACK: BLUE})
    world.shows("ana", RED, RED, RED, RED, BLUE, BLUE, BLUE, may_be_minor=False)
    world.run()
    (tag,) = world.lake.rows("from creator_tags")
    assert tag["tag"] == "blonde"
    assert tag["confidence_score"] == pytest.approx(4 / 7, abs=0.01)
    assert "3 speak against it" in tag["reasoning"]


def test_every_change_is_in_the_history(world: TagWorld) -> None:
    """A tag comes, changes as a picture is added, and goes with a person's word; each with its reason."""
    world.sees({FOOD: RED})
    world.shows("ana", RED, RED, RED)
    world.run()
    world.clock += timedelta(days=1)
    world.shows("ana", RED, size=64)
    world.run()
    world.clock += timedelta(days=1)
    world.hears("ana", "composition:food", "flag", reviewer="rosa")
    world.run()
    rows = world.lake.rows("from creator_tag_history order by changed_at")
    told = [(row["state_before"] is None, row["state_after"] is None) for row in rows]
    assert told == [(True, False), (False, False), (False, True)]
    assert json.loads(rows[1]["state_after"])["images_analyzed"] == 4
    assert rows[2]["reason"] == "rosa said that it is wrong"


def test_what_a_person_says_goes_before_all_pictures(world: TagWorld) -> None:
    """Of pictures, and of the creator; a creator's own word before everybody's, whenever it came."""
    world.sees({FOOD: RED, BEACH: BLUE})
    found = world.shows("ana", RED, RED, RED, BLUE)
    for one in found[:2]:
        world.hears("ana", "composition:food", "flag", sha256=one)
    world.hears("ana", "setting:kitchen", is_own=True)
    world.run()
    assert world.tags("ana") == {"setting:kitchen": 1.0}
    states = world.pictures("ana")
    assert [states[one, "composition:food"] for one in found[:3]] == ["refused", "refused", "assigned"]
    world.clock += timedelta(days=1)
    world.hears("ana", "setting:kitchen", "flag", reviewer="rosa")
    world.hears("ana", "composition:food", "edit", corrected="interior", sha256=found[2], reviewer="rosa")
    world.run()
    assert world.tags("ana") == {"setting:kitchen": 1.0, "composition:interior": 1.0}
    (tag,) = world.lake.rows("from creator_tags where tag = 'interior'")
    assert (tag["approved_by"], tag["model_used"], tag["images_analyzed"]) == ("rosa", None, 1)


def test_the_last_word_of_several_that_cannot_all_be_right_holds(world: TagWorld) -> None:
    """Hair has one colour."""
    for tag in ("blonde", "brunette", "black"):
        world.clock += timedelta(minutes=1)
        world.hears("ana", f"hair:{tag}", is_own=True)
    world.run()
    assert world.tags("ana") == {"hair:black": 1.0}
    assert sweep(world.lake, WORDS) == {}


def test_words_follow_a_creator_who_is_merged(world: TagWorld) -> None:
    """What was said of the one that went counts for the one that has its accounts."""
    world.hears("ana", "setting:kitchen")
    with world.lake.transaction():
        link = {"account_id": "instagram:ana", "creator_id": "c_bea", "rule": "pinned"}
        world.lake.merge("creator_links", [link])
        world.lake.merge("creator_forwards", [{"creator_id": "c_ana", "survivor_id": "c_bea"}])
    world.run()
    assert world.tags("bea") == {"setting:kitchen": 1.0}
    assert world.tags("ana") == {}


def test_a_changed_vocabulary_makes_all_tags_anew(world: TagWorld, tmp_path: Path) -> None:
    """A threshold that nothing reaches leaves none; vectors are not made again."""
    world.sees({FOOD: RED})
    world.shows("ana", RED, RED, RED)
    world.run()
    (tmp_path / "tags.toml").write_text("[composition.tags.food]\nthreshold = 0.9999\ntemperature = 5.0\n")
    world.vocabulary = tags.load(tmp_path)
    progress = world.run()
    assert world.tags("ana") == {}
    assert progress.of("tag").updated == 1
    assert progress.of("image_vectors").skipped == 3


def test_a_picture_that_is_missing_is_a_reject_and_the_rest_goes_on(world: TagWorld) -> None:
    """The creator keeps what the other pictures show; and loses all when none is shown any more."""
    world.sees({FOOD: RED})
    found = world.shows("ana", RED, RED, RED, RED)
    world.desk.store.remove(found[0])
    progress = world.run()
    assert progress.of("image_vectors").failed == 1
    (reject,) = world.lake.rows("from rejects")
    assert (reject["item_id"], reject["reason"]) == (found[0], "file-missing")
    assert set(world.tags("ana")) == {"composition:food"}
    with world.lake.transaction():
        world.lake.execute("delete from media")
    world.run()
    left = [len(world.lake.rows(f"from {name}")) for name in ("image_vectors", "image_tags", "creator_tags")]
    assert left == [0, 0, 0]
