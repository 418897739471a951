"""What waits for a person, what they say, and thresholds fitted to it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from conftest import NOW
from consent_world import agree, say_adult
from tag_world import GREEN, RED, WORDS, TagWorld

from igtool.errors import UsageError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.reviews import calibrate
from igtool.reviews.calibrate import LEAST, Label, fit, split
from igtool.reviews.drawing import drawn
from igtool.reviews.queue import one_waiting, sampled, standing, waiting
from igtool.reviews.words import Word, read_corrections
from igtool.tagging.scores import probability
from igtool.vocabulary import tags

FOOD = ("composition", "food")


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> TagWorld:
    """Ana and Bea, without pictures yet."""
    return TagWorld(tmp_path, lake, journal, "ana", "bea")


def unsure(world: TagWorld, **confidences: float) -> None:
    """Tags of one picture of Ana, ``category__tag``, as they come out of the stage."""
    rows = []
    for name, confidence in confidences.items():
        category, _, tag = name.partition("__")
        state = "assigned" if confidence >= 0.6 else "waiting"
        row = {"creator_id": "c_ana", "sha256": "a" * 64, "category": category, "tag": tag, "state": state}
        rows.append({**row, "confidence_score": confidence, "score": confidence, "method": "rule", "is_unsure": True})
    with world.lake.transaction():
        world.lake.merge("image_tags", rows)


def test_the_most_informative_come_first_and_tags_take_turns(world: TagWorld) -> None:
    """Nearest to one half; the sure ones do not wait, nor what a person has told."""
    with world.lake.transaction():
        base = {"creator_id": "c_ana", "category": "setting", "method": "rule", "is_unsure": True, "state": "waiting"}
        rows = [
            ("a", "beach", 0.50),
            ("b", "beach", 0.52),
            ("c", "pool", 0.58),
            ("d", "pool", 0.40),
            ("e", "park", 0.69),
        ]
        made = [{**base, "sha256": sha, "tag": tag, "confidence_score": sure} for sha, tag, sure in rows]
        made[-1]["state"] = "assigned"
        made.append({**base, "sha256": "f", "tag": "gym", "confidence_score": 0.95, "state": "assigned"})
        made.append({**base, "sha256": "g", "tag": "home", "confidence_score": 1.0, "method": "person"})
        world.lake.merge("image_tags", made)
    assert [(row["tag"], row["sha256"]) for row in waiting(world.lake)] == [
        ("beach", "a"), ("pool", "c"), ("park", "e"), ("beach", "b"), ("pool", "d"),
    ]  # fmt: skip
    assert waiting(world.lake, ["hair"]) == []
    assert len(waiting(world.lake, ["setting"], 2)) == 2
    first = waiting(world.lake)[0]
    assert first["handle"] == "ana"
    found = one_waiting(world.lake, first["id"])
    assert found is not None
    assert (found["sha256"], found["tag"]) == ("a", "beach")
    assert one_waiting(world.lake, "0" * 12) is None


def test_a_review_takes_the_tag_off_the_queue(world: TagWorld) -> None:
    """And the creator has what was approved."""
    world.shows("ana", RED, GREEN, chroma=3.5)
    world.run()
    assert len(waiting(world.lake)) == standing(world.lake)["waiting"] == 2
    assert standing(world.lake)["unsure_pictures"] == standing(world.lake)["pictures"] == 2
    row = waiting(world.lake)[0]
    world.hears("ana", "composition:black_and_white", sha256=row["sha256"], reviewer="rosa")
    world.run()
    assert len(waiting(world.lake)) == 1
    (tag,) = world.lake.rows("from creator_tags")
    assert (tag["tag"], tag["approved_by"]) == ("black_and_white", "rosa")
    assert standing(world.lake)["by_person"] == 1


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (Word("c_ana", "ethnicity", "x", "approve"), "never infers ethnicity"),
        (Word("c_ana", "hiar", "blonde", "approve"), "did you mean hair"),
        (Word("c_ana", "setting", "beech", "approve"), "did you mean beach"),
        (Word("c_ana", "setting", "beach", "edit", corrected="beach"), "approve it"),
        (Word("c_ana", "setting", None, "flag"), "no tag to flag"),
        (Word("c_ana", "setting", "beach", "approve", corrected="pool"), "no answer here"),
        (Word("c_ana", "setting", "beach", "maybe"), "no answer here"),  # type: ignore[arg-type]
        (Word("c_ana", "setting", "beach", "approve", sha256="f" * 64), "has no picture ffffffffffffffff"),
        (Word("c_ana", "hair", "blonde", "approve"), "did not declare to be an adult"),
        (Word("c_ana", "build", "slim", "approve", is_own=True), "needs the creator's consent"),
        (Word("c_ana", "setting", "beach", "approve", reviewer=" "), "name of the reviewer"),
    ],
)
def test_a_word_that_cannot_be_taken_is_refused_and_nothing_is_written(world: TagWorld, word: Word, says: str) -> None:
    """With what to do instead; others that came with it are not written either."""
    from igtool.reviews.words import say

    with pytest.raises(UsageError, match=says):
        say(world.lake, WORDS, [Word("c_ana", "setting", "beach", "approve"), word], NOW)
    assert world.lake.rows("from reviews") == []


def test_a_person_may_be_described_by_themselves_or_with_their_consent(world: TagWorld) -> None:
    """Their own word on what is open; what needs consent with consent."""
    world.hears("ana", "hair:blonde", is_own=True)
    agree(world.lake, "instagram:bea", "build")
    world.hears("bea", "build:slim")
    world.run()
    assert (world.tags("ana"), world.tags("bea")) == ({"hair:blonde": 1.0}, {"build:slim": 1.0})


def test_the_random_sample_is_of_everything_that_may_be_told(world: TagWorld) -> None:
    """Also of pictures without any tag; drawn the same again, and not what was looked at."""
    world.shows("ana", RED, GREEN)
    world.shows("bea", RED, size=64, persons_count=2)
    every = sampled(world.lake, WORDS, 10_000)
    about_pictures = {slug for slug, one in WORDS.categories.items() if one.about == "picture"}
    assert {row["category"] for row in every} == about_pictures
    assert len(every) == 3 * len(about_pictures)
    say_adult(world.lake, "instagram:ana")
    with_person = {(row["handle"], row["category"]) for row in sampled(world.lake, WORDS, 10_000)}
    assert ("ana", "hair") in with_person
    assert ("bea", "hair") not in with_person
    assert ("ana", "build") not in with_person
    drawn_now = sampled(world.lake, WORDS, 3)
    assert sampled(world.lake, WORDS, 3) == drawn_now != sampled(world.lake, WORDS, 3, seed=2)
    row = drawn_now[0]
    world.hears(row["handle"], f"{row['category']}:", sha256=row["sha256"], sampled="random")
    assert row["id"] not in {one["id"] for one in sampled(world.lake, WORDS, 10_000)}


def labelled(count: int, *, factor: float, seed: int = 1, is_random: bool = False) -> list[Label]:
    """Labels whose scores are ``factor`` times too sure of themselves in log-odds; one a creator."""
    random = np.random.default_rng(seed)
    odds = random.normal(0, 1.5, count)
    right = random.random(count) < 1 / (1 + np.exp(-odds))
    return [
        Label(FOOD, f"c{seed}_{place}", probability(factor * one), bool(is_right), is_random)
        for place, (one, is_right) in enumerate(zip(odds.tolist(), right.tolist(), strict=True))
    ]


def test_the_temperature_of_scores_that_are_too_sure_is_found(world: TagWorld) -> None:
    """Three times too sure is divided by three; precision and recall are told of other labels, before and after."""
    given = labelled(4000, factor=3.0) + labelled(1000, factor=3.0, seed=2, is_random=True)
    (found,) = fit(WORDS, given)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert (found.calibration, found.validation) == (4000, 1000)
    assert found.after is not None
    before, after = found.before, found.after
    assert before.wanted == after.wanted
    assert 2 * after.right / (after.assigned + after.wanted) > 2 * before.right / (before.assigned + before.wanted)


def test_labels_of_one_creator_are_never_in_both_parts(world: TagWorld) -> None:
    """With random labels, and without."""
    mixed = [Label(FOOD, f"c{n % 70}", 0.5, n % 2 == 0, n % 70 < 20) for n in range(300)]
    for given in (mixed, [label for label in mixed if not label.is_random]):
        parts = [{label.creator_id for label in part} for part in split(given)]
        assert all(parts)
        assert not parts[0] & parts[1]


def test_with_too_few_labels_nothing_is_fitted_and_no_share_is_told() -> None:
    """Nor where all labels say the same."""
    (few,) = fit(WORDS, labelled(40, factor=1.0))
    assert few.reason is not None
    assert f"where {LEAST} are needed" in few.reason
    assert (few.before.precision, few.after) == (None, None)
    same = [Label(FOOD, f"c{n}", 0.5, is_right=True, is_random=False) for n in range(300)]
    (found,) = fit(WORDS, same)
    assert found.reason == "all labels for calibration are right"


def test_what_is_fitted_is_written_when_asked_and_changes_the_tags(world: TagWorld, tmp_path: Path) -> None:
    """Into tags.toml of the workspace, whose other lines stay; the vocabulary loads with it."""
    path = tmp_path / "tags.toml"
    path.write_text('# mine\n[hair]\nlabel = "colour of hair"\n')
    fits = fit(WORDS, labelled(2000, factor=2.0))
    assert calibrate.write(path, fits) == 1
    found = tags.load(tmp_path).tags[FOOD]
    assert (found.temperature, found.threshold) == (fits[0].temperature, fits[0].threshold)
    text = path.read_text()
    assert text.startswith('# mine\n[hair]\nlabel = "colour of hair"\n')
    calibrate.write(path, fits)
    assert path.read_text() == text
    assert tomllib.loads(text)["composition"]["tags"]["food"]["threshold"] == fits[0].threshold


def test_labels_come_from_what_people_said(world: TagWorld) -> None:
    """Approved is right; flagged, edited away, or none of the category is wrong; what was corrected to is right."""
    found = world.shows("ana", RED, GREEN, chroma=3.5, framing="full_body")
    world.run()
    world.hears("ana", "composition:black_and_white", "flag", sha256=found[0])
    world.hears("ana", "composition:full_length", "approve", sha256=found[0], sampled="random")
    world.hears("ana", "composition:", "approve", sha256=found[1], sampled="random")
    world.run()
    told = {(label.key[1], label.is_right, label.is_random) for label in calibrate.labels(world.lake)}
    assert told == {
        ("black_and_white", False, False),
        ("full_length", True, True),
        ("black_and_white", False, True),
        ("full_length", False, True),
    }


def test_own_corrections_in_a_file(tmp_path: Path) -> None:
    """A row each; a wrong cell is told with its line."""
    path = tmp_path / "own.csv"
    path.write_text("handle;category;tag;right\n@ana;hair;blonde;yes\nbea;setting;gym;no\n")
    told = [(account, one.category, one.tag, one.answer, one.is_own) for account, one in read_corrections(path)]
    assert told == [("@ana", "hair", "blonde", "approve", True), ("bea", "setting", "gym", "flag", True)]
    path.write_text("handle;category;tag;right\n@ana;hair;blonde;perhaps\n")
    with pytest.raises(UsageError, match=r"own\.csv, line 2: right is 'perhaps'"):
        read_corrections(path)
    path.write_text("handle;category;tag\n")
    with pytest.raises(UsageError, match="no column right"):
        read_corrections(path)


def test_a_picture_is_drawn_in_its_proportions() -> None:
    """Two pixels a character, in its colours, and colours end with the line."""
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:20] = RED
    lines = drawn(pixels, columns=8, rows=10).split("\n")
    assert [line.count("▀") for line in lines] == [8, 8]
    assert lines[0].startswith("\x1b[38;2;250;10;10;48;2;250;10;10m▀")
    assert "0;0;0" in lines[1]
    assert all(line.endswith("\x1b[0m") for line in lines)
