"""Proportions of bodies: right on known ones, silent on all others, and never without permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_people import Body, mirrored_pose

from igtool.vision.body import BodyFacts, Ratio, body_facts, silhouette_of
from igtool.vision.boxes import Box
from igtool.vision.landmarks import Pose

PICTURE = np.zeros((512, 512, 3), dtype=np.uint8)
RATIOS = [field.name for field in fields(BodyFacts) if field.name not in ("silhouette", "unmeasured")]


def measured(pose: Pose, *others: Box) -> BodyFacts:
    """Proportions, allowed."""
    return body_facts(PICTURE, pose, others, allowed=True)


class Untouchable:
    """Fails the test as soon as anything of it is read."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read without permission")


def test_without_permission_nothing_is_looked_at() -> None:
    """Not allowed, neither picture nor pose is read; what is merely true-like is no permission."""
    for allowed in (False, None, 1, "yes"):
        facts = body_facts(Untouchable(), Untouchable(), (), allowed=allowed)  # type: ignore[arg-type]
        assert facts == BodyFacts(unmeasured="not_allowed")


def test_known_proportions_are_measured() -> None:
    """The ratios of an invented body come out within one standard deviation, each with an error above 0."""
    facts = measured(Body().pose())
    expected = {"shoulder_to_hip": 90 / 84, "waist_to_hip": 60 / 84}
    expected["leg_to_torso"] = 180 / 120
    assert facts.unmeasured is None
    for name, value in expected.items():
        ratio: Ratio = getattr(facts, name)
        assert abs(ratio.value - value) < min(ratio.error, 0.05)
        assert 0 < ratio.error < 0.4 * ratio.value


@settings(max_examples=40)
@given(st.floats(70, 110), st.floats(45, 80), st.floats(60, 110), st.floats(150, 210))
def test_proportions_follow_the_body(shoulders: float, waist: float, hips: float, leg: float) -> None:
    """Any upright body is measured to within its error, and its mirror image has the same proportions."""
    body = Body(shoulders=shoulders, waist=min(waist, hips), hips=hips, leg=leg, arm_gap=70)
    facts = measured(body.pose())
    assert facts.unmeasured is None
    assert facts.waist_to_hip is not None
    assert facts.leg_to_torso is not None
    assert abs(facts.waist_to_hip.value - body.waist / body.hips) < max(facts.waist_to_hip.error, 0.04)
    assert facts.leg_to_torso.value == pytest.approx(leg / 120, abs=0.01)
    mirrored = measured(mirrored_pose(body.pose(), 512))
    for name in RATIOS:
        assert getattr(mirrored, name).value == pytest.approx(getattr(facts, name).value, abs=0.02)


def test_what_is_less_sure_has_a_larger_error() -> None:
    """A softer outline and less visible points make the errors larger, not the values."""
    sharp, soft = measured(Body().pose()), measured(Body(soft=12).pose())
    assert sharp.waist_to_hip is not None
    assert soft.waist_to_hip is not None
    assert soft.waist_to_hip.error > 1.5 * sharp.waist_to_hip.error
    assert soft.waist_to_hip.value == pytest.approx(sharp.waist_to_hip.value, abs=0.05)
    pose = Body().pose()
    dim = measured(replace(pose, visibility=np.full(33, 0.82, dtype=np.float32)))
    assert dim.leg_to_torso is not None
    assert sharp.leg_to_torso is not None
    assert dim.leg_to_torso.error > sharp.leg_to_torso.error


def moved(**places: tuple[float, float]) -> Pose:
    """An invented body with some landmarks elsewhere: ``p25=(x, y)``."""
    pose = Body().pose()
    points = pose.points.copy()
    for name, place in places.items():
        points[int(name[1:]), :2] = place
    return replace(pose, points=points)


def hidden() -> Pose:
    """A body with a hidden knee."""
    pose = Body().pose()
    visibility = pose.visibility.copy()
    visibility[25] = 0.6
    return replace(pose, visibility=visibility)


def leaning() -> Pose:
    """A body whose torso is bent to the side."""
    pose = Body().pose()
    points = pose.points.copy()
    points[:23, 0] += 60
    return replace(pose, points=points)


@pytest.mark.parametrize(
    ("pose", "why"),
    [
        (lambda: Body(leg=400).pose(), "cut_off"),
        (hidden, "hidden"),
        (lambda: moved(p25=(330, 250), p26=(180, 250), p27=(330, 340), p28=(180, 340)), "not_standing"),
        (leaning, "not_standing"),
        (lambda: moved(p27=(278, 250), p28=(234, 250)), "not_standing"),
        (lambda: Body(depth=120).pose(), "not_frontal"),
        (lambda: Body(arm_gap=2).pose(), "arms_at_body"),
        (lambda: Body(soft=60).pose(), "outline_unsure"),
    ],
)
def test_other_bodies_are_not_measured(pose: Callable[[], Pose], why: str) -> None:
    """Cut off, hidden, seated, bent, in profile, with arms at the body or a vague outline: None, and why."""
    facts = measured(pose())
    assert facts.unmeasured == why
    assert [getattr(facts, name) for name in RATIOS] == [None] * len(RATIOS)


def test_who_is_behind_others_is_not_measured() -> None:
    """A box of somebody else over the body ends it; one beside it does not."""
    assert measured(Body().pose(), Box(250, 200, 400, 400)).unmeasured == "overlapped"
    assert measured(Body().pose(), Box(400, 200, 500, 400)).unmeasured is None


def test_no_outline_no_proportions() -> None:
    """Where the person is not in the outline nothing is measured."""
    pose = Body().pose()
    empty = replace(pose, outline=replace(pose.outline, values=pose.outline.values * 0))
    assert measured(empty).unmeasured == "outline_unsure"


def test_height_and_lengths_are_not_told() -> None:
    """Only ratios are told: nothing has a length."""
    assert RATIOS == ["shoulder_to_hip", "waist_to_hip", "leg_to_torso"]


@pytest.mark.parametrize(
    ("shoulders", "waist", "shape"),
    [
        ((1.0, 0.05), (0.95, 0.03), "straight"),
        ((1.0, 0.05), (0.7, 0.03), "narrow_waist"),
        ((1.5, 0.1), (0.7, 0.03), "wider_above"),
        ((0.6, 0.1), (0.95, 0.03), "wider_below"),
        ((1.25, 0.01), (0.95, 0.03), None),
        ((1.0, 0.05), (0.8, 0.03), None),
        ((1.0, 0.4), (0.95, 0.03), None),
        ((1.0, 0.0), (0.95, 0.0), "straight"),
    ],
)
def test_a_shape_is_told_where_it_is_sure(
    shoulders: tuple[float, float], waist: tuple[float, float], shape: str | None
) -> None:
    """By its ratios; near a limit, or with large errors, there is none."""
    assert silhouette_of(Ratio(*shoulders), Ratio(*waist)) == shape


def test_a_mirrored_body_has_the_same_shape() -> None:
    """And one that is not measured has none."""
    body = Body(shoulders=60, waist=80, hips=110, arm_gap=70)
    assert measured(body.pose()).silhouette == measured(mirrored_pose(body.pose(), 512)).silhouette == "wider_below"
    assert measured(hidden()).silhouette is None
