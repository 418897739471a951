"""The stage image_verdicts: what is asked of a vision model, once, and what its word changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from consent_world import agree
from tag_world import RED, WORDS, TagWorld

from igtool.consent.removal import sweep
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.llms.questions import Answered, Question, Result, Unusable, WrongAnswer
from igtool.stages.base import PictureAsk
from igtool.stages.image_verdicts import ImageVerdicts, ImageVerdictsOptions
from igtool.vocabulary.categories import Category

Says = Callable[[Question], str | None]


class Model:
    """Answers as ``says``; None is no answer. Remembers what it was asked."""

    def __init__(self, says: Says, may_ask: Callable[[Category], bool] = lambda _: True) -> None:
        self.says, self.asked = says, list[Question]()
        self.asking = PictureAsk("ollama:eye", self.ask, may_ask)

    def ask(self, questions: Sequence[Question]) -> list[Result]:
        """Checked as every answer is."""
        return [self._result(question) for question in questions]

    def _result(self, question: Question) -> Result:
        self.asked.append(question)
        answer = self.says(question)
        if answer is None:
            return None
        try:
            return Answered(question, question.check(answer), {"answer_id": f"a{len(self.asked)}"})
        except WrongAnswer as error:
            return Unusable(error.reason, str(error))


def verdict(present: bool, confidence: float = 0.9) -> Says:
    """Of every tag that is asked about."""

    def says(question: Question) -> str:
        schema = json.dumps(question.prompt.schema)
        slugs = json.loads(schema)["properties"]["tags"]["items"]["properties"]["tag"]["enum"]
        seen = [{"tag": slug, "present": present, "confidence": confidence} for slug in slugs]
        return json.dumps({"tags": seen, "reason": "a plate"})

    return says


@pytest.fixture
def world(tmp_path: Path, lake: Lake, journal: Journal) -> TagWorld:
    """Ana, whose three pictures may be black and white, and are of the full length for sure."""
    world = TagWorld(tmp_path, lake, journal, "ana")
    world.shows("ana", RED, RED, RED, framing="full_body", chroma=3.5)
    world.run()
    return world


def ask(world: TagWorld, model: Model) -> None:
    """One pass: ask, then take what was said."""
    stage = ImageVerdicts(ImageVerdictsOptions("ollama:eye"), WORDS)
    world.run([stage], ask_about_pictures=model.asking)
    world.run()


def test_only_what_is_not_sure_is_asked_and_only_once(world: TagWorld) -> None:
    """One question a picture and category; a second run asks nothing."""
    model = Model(verdict(present=True))
    ask(world, model)
    assert len(model.asked) == 3
    assert {question.kind for question in model.asked} == {"tag:composition"}
    assert all("black_and_white" in str(one.prompt.schema) for one in model.asked)
    assert not any("full_length" in str(one.prompt.schema) for one in model.asked)
    assert world.tags("ana") == {"composition:black_and_white": 0.9, "composition:full_length": 0.9}
    world.clock += timedelta(days=1)
    ask(world, model)
    assert len(model.asked) == 3
    (tag,) = world.lake.rows("from creator_tags where tag = 'black_and_white'")
    assert tag["model_used"] == "ollama:eye"
    assert {row["method"] for row in world.lake.rows("from image_tags where tag = 'black_and_white'")} == {"model"}


def test_what_a_model_denies_is_no_tag(world: TagWorld) -> None:
    """And does not wait for a person."""
    ask(world, Model(verdict(present=False)))
    assert world.tags("ana") == {"composition:full_length": 0.9}
    assert set(world.pictures("ana").values()) == {"assigned", "refused"}


def test_what_a_model_is_not_sure_of_waits_for_a_person(world: TagWorld) -> None:
    """As before it was asked."""
    ask(world, Model(verdict(present=True, confidence=0.55)))
    assert sorted(world.pictures("ana").values()) == ["assigned"] * 3 + ["waiting"] * 3


def test_what_could_not_be_asked_stays_pending_and_tags_stay(world: TagWorld) -> None:
    """A budget that is reached costs no tag; the next run asks."""
    before = world.tags("ana")
    ask(world, Model(lambda _: None))
    assert world.tags("ana") == before
    model = Model(verdict(present=True))
    ask(world, model)
    assert len(model.asked) == 3


def test_an_answer_that_cannot_be_used_is_a_reject(world: TagWorld) -> None:
    """The tag is what it was before anybody was asked."""
    before = world.pictures("ana")
    ask(world, Model(lambda _: "I see a dog"))
    assert {row["reason"] for row in world.lake.rows("from rejects")} == {"llm-invalid-json"}
    assert world.lake.rows("from image_verdicts") == []
    assert world.pictures("ana") == before


def test_nothing_is_asked_that_a_person_has_told(world: TagWorld) -> None:
    """It would be paid for and not heard."""
    for row in world.lake.rows("from image_tags where tag = 'black_and_white'"):
        world.hears("ana", "composition:black_and_white", "flag", sha256=row["sha256"])
    world.run()
    model = Model(verdict(present=True))
    ask(world, model)
    assert model.asked == []


def test_a_category_that_may_not_be_asked_is_left_to_a_person(world: TagWorld, tmp_path: Path, lake: Lake) -> None:
    """Here: one that needs consent, and a model elsewhere; nothing of it is shown."""
    world.sees({("build", "slim"): RED, ("build", "athletic"): RED})
    agree(lake, "instagram:ana", "build")
    found = world.shows("ana", RED, RED, RED, size=64, may_be_minor=False)
    world.run()
    assert any(sha in found and tag.startswith("build:") for sha, tag in world.pictures("ana"))
    model = Model(verdict(present=True), may_ask=lambda category: not category.needs_consent)
    ask(world, model)
    assert "tag:build" not in {question.kind for question in model.asked}
    here = Model(verdict(present=True))
    world.run([ImageVerdicts(ImageVerdictsOptions("local:eye"), WORDS)], ask_about_pictures=here.asking)
    assert "tag:build" in {question.kind for question in here.asked}
    assert all(one.prompt.stays_here for one in here.asked if one.kind == "tag:build")


def test_verdicts_go_with_the_consent_they_rest_on(world: TagWorld) -> None:
    """As everything that was inferred."""
    row = {"item_id": "c_ana|s|build", "creator_id": "c_ana", "sha256": "s", "category": "build"}
    with world.lake.transaction():
        world.lake.merge("image_verdicts", [row])
    assert sweep(world.lake, WORDS) == {"image_verdicts": 1}
