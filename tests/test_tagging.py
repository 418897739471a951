"""Scores of tags, and what is decided of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igtool.tagging.deciding import DOUBT, SURE, Decision, Opinion, Spoken, decide
from igtool.tagging.rules import by_rule
from igtool.tagging.scores import Reading, ZeroShot, log_odds, probability, readings
from igtool.vision.prompts import PromptVectors, wanted_prompts
from igtool.vocabulary import tags
from igtool.vocabulary.categories import Key

WORDS = tags.shipped()
NOW = datetime(2026, 10, 1, tzinfo=UTC)
HAIR, SETTING = WORDS.categories["hair"], WORDS.categories["setting"]


def prompts(near: dict[Key, int], scale: float = 10.0) -> PromptVectors:
    """Vectors of all prompts: those of a tag on an axis of its own, all else on the last one."""
    texts = wanted_prompts(WORDS)
    axis = {text: place for key, place in near.items() for text in WORDS.tags[key].prompts}
    vectors = np.eye(8, dtype=np.float32)[[axis.get(text, 7) for text in texts]]
    return PromptVectors({text: row for row, text in enumerate(texts)}, vectors, scale, 0.0, "w")


def reading(tag: str, confidence: float) -> Reading:
    """What a method says of a tag, ``category:tag``."""
    category, _, slug = tag.partition(":")
    return Reading(WORDS.tags[category, slug], confidence, confidence, "zero_shot", "seen")


def states(*found: Reading, spoken: Spoken | None = None, opinions: Any = ()) -> dict[str, str]:
    """What becomes of tags."""
    decided = decide(WORDS, found, "m", dict(opinions), spoken or Spoken({}, {}))
    return {":".join(one.key): one.state for one in decided}


def test_where_a_creator_has_one_of_the_tags_they_share_what_is_likely() -> None:
    """The softmax over tags and backgrounds of the category, told by hand."""
    vector = np.array([0.6, 0.8, 0, 0, 0, 0, 0, 0], dtype=np.float32)
    scores = ZeroShot(WORDS, prompts({("hair", "blonde"): 0, ("hair", "black"): 1})).scores(HAIR, vector)
    logits = [6.0, 8.0] + [0.0] * (4 + len(HAIR.background))
    whole = sum(map(math.exp, logits))
    assert scores["hair", "blonde"] == pytest.approx(math.exp(6) / whole)
    assert scores["hair", "black"] == pytest.approx(math.exp(8) / whole)
    assert sum(scores.values()) < 1


def test_tags_that_go_together_do_not_take_from_each_other() -> None:
    """Each is held against the background alone."""
    vector = np.array([0.7, 0.7, 0, 0, 0, 0, 0, 0.14], dtype=np.float32)
    scores = ZeroShot(WORDS, prompts({("setting", "beach"): 0, ("setting", "pool"): 1})).scores(SETTING, vector)
    against = math.log(len(SETTING.background)) + 1.4
    assert scores["setting", "beach"] == pytest.approx(scores["setting", "pool"])
    assert log_odds(scores["setting", "beach"]) == pytest.approx(7 - against, abs=1e-3)


def test_where_encoder_and_rule_speak_both_count() -> None:
    """The mean of their log-odds; a tag that only one may speak of has that one's word."""
    found = {one.tag.slug: one for one in readings(HAIR, {("hair", "blonde"): 0.9}, {("hair", "blonde"): 0.5})}
    assert found["blonde"].score == pytest.approx(probability(log_odds(0.9) / 2), abs=1e-6)
    assert found["blonde"].method == "both"
    assert list(readings(SETTING, {}, {("setting", "beach"): 0.9})) == []


@given(score=st.floats(0, 1), temperature=st.floats(0.05, 50))
def test_a_temperature_keeps_the_order_and_the_middle(score: float, temperature: float) -> None:
    """What is likelier than not stays so."""
    confidence = probability(log_odds(score) / temperature)
    assert 0 <= confidence <= 1
    assert (confidence >= 0.5) == (score >= 0.5) or abs(score - 0.5) < 1e-6


@pytest.mark.parametrize(
    ("confidence", "state"),
    [(0.95, "assigned"), (0.65, "assigned"), (0.55, "waiting"), (0.35, "waiting"), (0.25, None)],
)
def test_the_threshold_assigns_and_what_is_not_sure_waits(confidence: float, state: str | None) -> None:
    """0.60 until calibrated; what is surely not there leaves nothing."""
    assert states(reading("setting:beach", confidence)) == ({"setting:beach": state} if state else {})


def test_of_tags_that_never_go_together_the_surer_keeps_its_place() -> None:
    """The other waits, and both are not sure."""
    found = (reading("composition:selfie", 0.8), reading("composition:mirror_selfie", 0.9))
    decided = decide(WORDS, found, "m", {})
    assert {one.key[1]: (one.state, one.is_unsure) for one in decided} == {
        "selfie": ("waiting", True),
        "mirror_selfie": ("assigned", True),
    }
    (waiting,) = (one for one in decided if one.state == "waiting")
    assert "against it: composition:mirror_selfie (0.90)" in waiting.reasoning


def test_a_model_is_heard_about_what_is_likelier_than_not_and_not_sure() -> None:
    """Neither about what is sure, nor about what is a person's to say."""
    said = {"setting": Opinion({"beach": 0.05, "pool": 0.05, "park": 0.95}, "waves", "ollama:m")}
    found = (reading("setting:beach", 0.65), reading("setting:pool", 0.9), reading("setting:park", 0.4))
    decided: dict[str, Decision] = {one.key[1]: one for one in decide(WORDS, found, "m", said)}
    assert (decided["beach"].state, decided["beach"].method, decided["beach"].model) == ("refused", "model", "ollama:m")
    assert (decided["pool"].state, decided["pool"].method) == ("assigned", "zero_shot")
    assert (decided["park"].state, decided["park"].method) == ("waiting", "zero_shot")
    assert decided["beach"].first == 0.65


def review(tag: str | None, decision: str, minutes: int, **told: Any) -> dict[str, Any]:
    """A row of ``reviews`` about hair."""
    row = {"category": "hair", "tag": tag, "decision": decision, "corrected_tag": None, "reviewer": "rosa"}
    return {**row, "is_own_correction": False, "reviewed_at": NOW + timedelta(minutes=minutes), **told}


def test_the_last_word_holds_and_a_creators_own_before_all() -> None:
    """Whatever the order of the rows."""
    rows = [
        review("blonde", "approve", 1),
        review("blonde", "flag", 2),
        review("black", "approve", 0, is_own_correction=True, reviewer="ana"),
        review("black", "flag", 5),
    ]
    for order in (rows, rows[::-1]):
        spoken = Spoken.of(order)
        assert dict(spoken.right) == {("hair", "black"): "ana"}
        assert dict(spoken.wrong) == {("hair", "blonde"): "rosa"}


def test_an_edit_puts_the_right_tag_in_the_place_of_the_wrong_one() -> None:
    """Also where nobody held it likely; None of the category fits leaves none."""
    spoken = Spoken.of([review("blonde", "edit", 1, corrected_tag="grey")])
    assert states(reading("hair:blonde", 0.9), spoken=spoken) == {"hair:blonde": "refused", "hair:grey": "assigned"}
    spoken = Spoken.of([review("blonde", "edit", 1)])
    assert states(reading("hair:blonde", 0.9), spoken=spoken) == {"hair:blonde": "refused"}


def test_what_a_person_says_outdoes_what_never_goes_with_it() -> None:
    """However sure the encoder is."""
    spoken = Spoken.of([review("grey", "approve", 1)])
    assert states(reading("hair:blonde", 0.99), spoken=spoken) == {"hair:blonde": "refused", "hair:grey": "assigned"}


@given(st.dictionaries(st.sampled_from(sorted(WORDS.tags)), st.floats(0, 1), max_size=20))
def test_what_is_assigned_never_contradicts_itself(confidences: dict[Key, float]) -> None:
    """And everything between surely and surely not is accounted for, whatever the order."""
    found = [Reading(WORDS.tags[key], sure, sure, "zero_shot", "") for key, sure in confidences.items()]
    decided = decide(WORDS, found, "m", {})
    assert sorted(decided, key=lambda one: one.key) == sorted(
        decide(WORDS, found[::-1], "m", {}), key=lambda one: one.key
    )
    assert {one.key for one in decided} == {key for key, sure in confidences.items() if sure >= DOUBT}
    given_tags = {one.key for one in decided if one.state == "assigned"}
    assert not any(WORDS.tags[key].conflicts & given_tags for key in given_tags)
    assert all(one.is_unsure for one in decided if one.confidence < SURE)


def test_rules_say_what_facts_say_and_nothing_more() -> None:
    """Framing, people, greyness and hair; without facts nothing."""
    facts = {"framing": "close_up", "persons_count": 3, "chroma": 0.0, "hair_scores": '{"grey": 0.6}'}
    assert by_rule(facts) == {
        ("hair", "grey"): 0.6,
        ("composition", "close_up"): 0.9,
        ("composition", "full_length"): 0.05,
        ("composition", "group"): 0.7,
        ("composition", "black_and_white"): pytest.approx(0.98, abs=0.01),
    }
    assert by_rule(None) == {}
    assert set(by_rule({**facts, "chroma": None, "hair_scores": None})) <= set(WORDS.tags)
