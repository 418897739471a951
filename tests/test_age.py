"""The safety check of age: right on the safe side, and silent about everything but its verdict."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from invented_people import head
from numpy.typing import NDArray

from igtool.errors import ConfigError
from igtool.vision.age import AgeCheck, picture_verdict
from igtool.vision.boxes import Box
from igtool.vision.landmarks import Face

PIXELS, FACE, _ = head((90, 60, 40))


@dataclass
class Estimator:
    """An estimator that answers as it is told, one answer after the other."""

    answers: list[Any]
    inputs: Mapping[str, tuple[int | None, ...]] = field(default_factory=lambda: {"face": (None, 3, 64, 64)})
    outputs: Mapping[str, tuple[int | None, ...]] = field(default_factory=lambda: {"age": (None, 1)})
    seen: list[NDArray[Any]] = field(default_factory=list)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """The next answer."""
        self.seen.append(inputs["face"])
        return {"age": np.array([self.answers[(len(self.seen) - 1) % len(self.answers)]])}


def verdict(*answers: Any, error_years: float = 5) -> bool | None:
    """What is said where the estimator answers so."""
    return AgeCheck(Estimator(list(answers)), error_years=error_years).may_be_minor(PIXELS, FACE)


@pytest.mark.parametrize(("years", "expected"), [(8, True), (24.9, True), (29.9, True), (30.1, False), (60, False)])
def test_the_doubt_is_on_the_safe_side(years: float, expected: bool) -> None:
    """Who looks younger than 25 and the estimator's error may be under age."""
    assert verdict([years]) is expected


def test_a_larger_error_asks_for_more() -> None:
    """The less an estimator is right, the older somebody has to look."""
    assert verdict([31], error_years=5) is False
    assert verdict([31], error_years=8) is True


def test_the_younger_look_decides() -> None:
    """The picture and its mirror image are both looked at, and one young look is enough."""
    assert verdict([45], [20]) is True
    assert verdict([20], [45]) is True
    estimator = Estimator([[40]])
    AgeCheck(estimator, error_years=1).may_be_minor(PIXELS, FACE)
    first, second = estimator.seen
    assert first.shape == (1, 3, 64, 64)
    assert (first[..., ::-1] == second).all()
    assert 0 <= first.min() < first.max() <= 1


def test_chances_of_years_are_read() -> None:
    """An answer of a chance a year counts as its mean."""
    chances = np.zeros(101)
    chances[[40, 42]] = 3
    assert verdict(chances) is False
    chances[[40, 42]] = 0
    assert verdict(chances) is None


def test_pictures_may_go_in_with_channels_last() -> None:
    """An estimator may take rows before channels."""
    estimator = Estimator([[50]], {"face": (None, 48, 48, 3)})
    assert AgeCheck(estimator, error_years=5).may_be_minor(PIXELS, FACE) is False
    assert estimator.seen[0].shape == (1, 48, 48, 3)


@pytest.mark.parametrize("answer", [[float("nan")], [float("inf")], [], [-1.0, 2.0]])
def test_no_number_is_no_verdict(answer: list[float]) -> None:
    """An estimator that gives no number gives no permission."""
    assert verdict(answer) is None


def test_a_small_face_has_no_verdict() -> None:
    """A face of 39 pixels is not asked about."""
    estimator = Estimator([[50]])
    small = Face(Box(100, 100, 139, 150, 0.9), FACE.points)
    assert AgeCheck(estimator, error_years=5).may_be_minor(PIXELS, small) is None
    assert estimator.seen == []


def test_only_the_verdict_leaves(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """The estimated number is neither kept, nor logged, nor printed; the answer is a truth value."""
    caplog.set_level(logging.DEBUG)
    check = AgeCheck(Estimator([[47.25]]), error_years=5)
    before = {name: value for name, value in vars(check).items() if name != "_estimator"}
    assert type(check.may_be_minor(PIXELS, FACE)) is bool
    assert {name: value for name, value in vars(check).items() if name != "_estimator"} == before
    assert "47" not in caplog.text + "".join(capfd.readouterr()) + repr(before)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ({"face": (1, 3, 64, 64), "more": (1,)}, {"age": (1, 1)}, "takes face, more"),
        ({"face": (1, 3, 64, 64)}, {"age": (1, 1), "embedding": (1, 512)}, "gives age, embedding"),
        ({"face": (1, 3, 64, 48)}, {"age": (1, 1)}, "square RGB pictures"),
        ({"face": (1, 1, 64, 64)}, {"age": (1, 1)}, "square RGB pictures"),
        ({"face": (1, 3, None, None)}, {"age": (1, 1)}, "square RGB pictures"),
        ({"face": (1, 3)}, {"age": (1, 1)}, "one picture"),
    ],
)
def test_other_models_are_refused(inputs: Any, outputs: Any, words: str) -> None:
    """A model with more inputs or outputs, a face vector for one, or for other pictures is no age estimator."""
    with pytest.raises(ConfigError, match=words):
        AgeCheck(Estimator([], inputs, outputs), error_years=5)


@pytest.mark.parametrize("error", [-1, 100, float("nan")])
def test_an_impossible_error_is_refused(error: float) -> None:
    """The error of an estimator is 0 to 99 years."""
    with pytest.raises(ConfigError, match="is no mean error"):
        AgeCheck(Estimator([]), error_years=error)


@pytest.mark.parametrize(
    ("verdicts", "people", "expected"),
    [
        ([], 0, False),
        ([False], 1, False),
        ([False, True], 2, True),
        ([None, True], 2, True),
        ([None, False], 2, None),
        ([False], 2, None),
        ([], 1, None),
    ],
)
def test_a_picture_is_as_safe_as_its_least_safe_person(
    verdicts: list[bool | None], people: int, expected: bool | None
) -> None:
    """One possible minor is enough, and whoever has no verdict leaves the picture without one."""
    assert picture_verdict(verdicts, people) is expected
