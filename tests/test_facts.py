"""Measured facts, on invented pictures whose colours, poses and sharpness are known."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_people import SIZE, SKIN, Body, head, mirrored_face, mirrored_outline, mirrored_pose

from igtool.vision.boxes import Box, Pixels
from igtool.vision.cielab import Colour, colour_of, distance, lab, lightness
from igtool.vision.facts import Facts, Seen, face_of, facts_of, subject_of
from igtool.vision.framing import brightness, chroma, framing_of, sharpness
from igtool.vision.garments import garments_of
from igtool.vision.hair import Hair, hair_of, head_region
from igtool.vision.hair_tags import hair_tags
from igtool.vision.landmarks import Pose

HAIR = {
    "black": (38, 36, 35),
    "brunette": (88, 62, 46),
    "blonde": (186, 160, 118),
    "redhead": (136, 78, 52),
    "grey": (168, 167, 163),
    "coloured": (60, 110, 190),
}
"""Hair of each tag as sRGB."""


def lab_of(rgb: tuple[int, int, int]) -> np.ndarray:
    """CIELAB of one colour."""
    return lab(np.array([[rgb]], dtype=np.uint8))[0, 0]


def near(colour: Colour | None, rgb: tuple[int, int, int], within: float = 2.0) -> bool:
    """Whether a measured colour is that of ``rgb``."""
    found = None if colour is None else np.array([colour.lightness, colour.a, colour.b])
    return found is not None and float(distance(found, lab_of(rgb))) < within


# Colours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.74, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((3, 3, 3), (0.82, 0, 0)),
    ],
)
def test_cielab_of_known_colours(rgb: tuple[int, int, int], expected: tuple[float, float, float]) -> None:
    """The primaries, white, black and greys have the values that tables of sRGB under D65 give."""
    assert lab_of(rgb) == pytest.approx(expected, abs=0.02)
    assert lightness(np.array([[rgb]], dtype=np.uint8))[0, 0] == pytest.approx(expected[0], abs=0.02)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.tuples(*[st.integers(0, 255)] * 3))
def test_lightness_follows_light(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    """What is lighter in all three channels has a higher L*, and L* stays within 0 and 100."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    low_l, high_l = lab_of(tuple(low.tolist()))[0], lab_of(tuple(high.tolist()))[0]
    assert -0.01 <= low_l <= high_l + 1e-4 <= 100.02


def test_the_colour_of_a_part() -> None:
    """The median pixel is told, with how many there were and how far they are from it; of no pixels there is none."""
    values = np.zeros((1, 4, 3), dtype=np.float32)
    values[0, :, 0] = [10, 20, 30, 90]
    part = np.ones((1, 4), dtype=np.bool_)
    used = part.copy()
    used[0, 3] = False
    assert colour_of(values, part, used) == Colour(20, 0, 0, 0.75, 10)
    assert colour_of(values, part, ~part) is None
    assert Colour(50, 0, 10, 1, 0).hue == pytest.approx(90)
    assert Colour(50, 3, 4, 1, 0).chroma == pytest.approx(5)


# Hair ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", HAIR)
def test_hair_has_its_colour_and_its_tag(tag: str) -> None:
    """Hair of a known colour is measured to within 2, confirmed beside the face, and makes its tag the surest."""
    pixels, face, outline = head(HAIR[tag])
    hair = hair_of(pixels, face, outline)
    assert near(hair.colour, HAIR[tag])
    assert hair.is_confirmed
    scores = hair_tags(hair)
    assert max(scores, key=lambda name: scores[name]) == tag
    assert scores[tag] > 0.5  # type: ignore[index]


@pytest.mark.parametrize("skin", [(235, 200, 180), SKIN, (140, 95, 70), (75, 50, 40)])
def test_skin_of_any_tone_leaves_hair_as_it_is(skin: tuple[int, int, int]) -> None:
    """The colour of the same hair is the same beside any skin: skin is only left out."""
    pixels, face, outline = head(HAIR["black"], skin=skin)
    assert near(hair_of(pixels, face, outline).colour, HAIR["black"])


def test_a_bald_head_has_no_hair_colour() -> None:
    """Where all is skin the colour is not told."""
    assert hair_of(*head(None)) == Hair(None, "covered_or_bald")


def test_a_hat_is_not_hair() -> None:
    """A navy hat over blonde hair is told apart; over no hair it is measured, but not confirmed and so below 0.6."""
    assert hair_of(*head(HAIR["blonde"], hat=(20, 25, 60))).unsure == "crown_and_sides_differ"
    hair = hair_of(*head(None, hat=(30, 30, 32)))
    assert not hair.is_confirmed
    assert max(hair_tags(hair).values(), default=0) < 0.6


def test_a_picture_without_colours_tells_none() -> None:
    """In black and white, and under blue light, the colour of hair is not told."""
    pixels, face, outline = head(HAIR["redhead"])
    grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert hair_of(grey, face, outline).unsure == "no_colours"
    blue = (pixels * np.array([0.3, 0.5, 1])).astype(np.uint8)
    assert hair_of(blue, face, outline).unsure == "no_colours"


def test_small_and_hidden_heads_tell_nothing() -> None:
    """A face of 20 pixels, a head without an outline, and patchwork have no hair colour."""
    pixels, face, outline = head(HAIR["brunette"])
    small = replace(face, points=face.points / 8)
    assert head_region(small) is None
    assert hair_of(pixels, small, outline).unsure == "face_too_small"
    assert hair_of(pixels, face, replace(outline, values=outline.values * 0)).unsure == "no_outline"
    stripes = pixels.copy()
    stripes[:, ::6][outline.values[:, ::6] > 0] = 0
    stripes[:, 1::6][outline.values[:, 1::6] > 0] = 255
    stripes[:, 2::6][outline.values[:, 2::6] > 0] = 255
    stripes[ellipse_of_the_face()] = SKIN
    assert hair_of(stripes, face, outline).unsure == "uneven"


def ellipse_of_the_face() -> np.ndarray:
    """Pixels of an invented face."""
    down, across = np.mgrid[:SIZE, :SIZE]
    return ((across - 200) / 42) ** 2 + ((down - 212) / 60) ** 2 <= 1


def test_what_is_outside_the_picture_is_no_hair() -> None:
    """Cut at the brows, the black around the picture is not taken for black hair."""
    pixels, face, outline = head(HAIR["blonde"])
    cut_off = 175
    lower = replace(face, points=face.points - np.array([0, cut_off], dtype=np.float32))
    moved = replace(outline, region=replace(outline.region, y=outline.region.y - cut_off))
    hair = hair_of(pixels[cut_off:], lower, moved)
    assert hair.colour is None or near(hair.colour, HAIR["blonde"])


@pytest.mark.parametrize("tag", ["blonde", "black", "coloured"])
def test_a_mirrored_head_has_the_same_hair(tag: str) -> None:
    """Mirrored, a head has the same hair colour to within one."""
    pixels, face, outline = head(HAIR[tag])
    one = hair_of(pixels, face, outline)
    other = hair_of(np.ascontiguousarray(pixels[:, ::-1]), mirrored_face(face, SIZE), mirrored_outline(outline, SIZE))
    assert one.colour is not None
    assert other.colour is not None
    assert (other.colour.lightness, other.colour.a, other.colour.b) == pytest.approx(
        (one.colour.lightness, one.colour.a, one.colour.b), abs=1
    )


@given(st.floats(0, 100), st.floats(-80, 80), st.floats(-80, 80), st.floats(0, 60), st.booleans())
def test_scores_of_hair_are_chances(light: float, a: float, b: float, spread: float, confirmed: bool) -> None:
    """Any colour gives scores between 0 and 1 that sum to at most 1, lower where hair is uneven or unconfirmed."""
    scores = hair_tags(Hair(Colour(light, a, b, 1, spread), is_confirmed=confirmed))
    assert all(0 <= score <= 1 for score in scores.values())
    assert sum(scores.values()) <= 1.001
    surer = hair_tags(Hair(Colour(light, a, b, 1, 0), is_confirmed=True))
    assert all(scores[tag] <= surer[tag] + 1e-9 for tag in scores)


def test_unknown_hair_has_no_scores() -> None:
    """Where the colour is not told there is no score, not even a small one."""
    assert hair_tags(Hair(None, "uneven")) == {}


# Garments --------------------------------------------------------------------------------------------------------

RED, BLUE = (190, 40, 40), (40, 60, 150)


def dressed() -> tuple[Pixels, Pose]:
    """A body in a red shirt and blue trousers before a green wall."""
    pose = Body(arm_gap=60).pose()
    pixels = np.full((512, 512, 3), (90, 140, 90), dtype=np.uint8)
    person = pose.outline.values > 0.5
    rows = np.arange(512)[:, None]
    pixels[person & (rows < 240)] = RED
    pixels[person & (rows >= 240)] = BLUE
    return pixels, pose


def test_garments_have_their_colours() -> None:
    """Shirt and trousers are told apart, and mirrored they are the same."""
    pixels, pose = dressed()
    garments = garments_of(pixels, pose)
    assert near(garments.upper, RED, 0.5)
    assert near(garments.lower, BLUE, 0.5)
    mirrored = garments_of(np.ascontiguousarray(pixels[:, ::-1]), mirrored_pose(pose, 512))
    assert near(mirrored.upper, RED, 0.5)
    assert near(mirrored.lower, BLUE, 0.5)


def test_hidden_garments_have_no_colour() -> None:
    """Without knees there is no lower garment, without shoulders no upper one, and none where there is no person."""
    pixels, pose = dressed()
    for hidden, part in (([25], "lower"), ([11], "upper")):
        visibility = pose.visibility.copy()
        visibility[hidden] = 0.1
        garments = garments_of(pixels, replace(pose, visibility=visibility))
        assert getattr(garments, part) is None
        assert (garments.upper is None) != (garments.lower is None)
    nobody = replace(pose, outline=replace(pose.outline, values=pose.outline.values * 0))
    assert garments_of(pixels, nobody).upper is None


def test_a_shirt_is_measured_where_it_is_cut_off() -> None:
    """In a portrait that ends at the ribs the shirt has its colour, not the black below the picture."""
    pixels, pose = dressed()
    garments = garments_of(pixels[:180], pose)
    assert near(garments.upper, RED, 0.5)
    assert garments.lower is None


# Framing, sharpness, brightness ----------------------------------------------------------------------------------


def posed(lowest: float) -> Pose:
    """A body in a picture that ends at a row: what is below it lies outside."""
    pose = Body().pose()
    return replace(pose, visibility=np.where(pose.points[:, 1] < lowest, 0.95, 0.05).astype(np.float32))


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [(512, "full_body"), (400, "three_quarter"), (300, "half_body"), (200, "portrait"), (100, "close_up")],
)
def test_framing_is_the_lowest_part_that_is_shown(lowest: int, expected: str) -> None:
    """A picture that ends at the feet, thighs, hips, chest or chin is called by that, mirrored too."""
    pose = posed(lowest)
    assert framing_of(lowest, 512, None, pose) == expected
    assert framing_of(lowest, 512, None, mirrored_pose(pose, 512)) == expected


def test_points_outside_the_picture_are_not_shown() -> None:
    """A landmark that the model believes to see below the edge does not count."""
    pose = Body().pose()
    assert framing_of(300, 512, None, pose) == "half_body"


@pytest.mark.parametrize(
    ("height", "expected"),
    [(150, "close_up"), (235, "close_up"), (330, "portrait"), (600, "half_body"), (900, "three_quarter")],
)
def test_framing_without_a_pose_goes_by_the_face(height: int, expected: str) -> None:
    """With only a face, what is below it in heights of the face tells how much of a standing person there is."""
    _, face, _ = head(HAIR["black"])
    face = replace(face, box=Box(100, 100, 200, 200))
    assert framing_of(height, 400, face, None) == expected
    assert framing_of(2000, 400, face, None) == "full_body"
    assert framing_of(2000, 400, face, None, Box(0, 0, 400, 280)) == "portrait"


def test_nobody_and_legs_alone_have_no_framing() -> None:
    """Without a person, and where only legs are in the picture, there is no framing."""
    assert framing_of(300, 300, None, None) == "none"
    pose = Body().pose()
    legs = replace(pose, visibility=np.where(pose.points[:, 1] > 230, 0.95, 0.05).astype(np.float32))
    assert framing_of(512, 512, None, legs) == "none"


def test_sharpness_tells_blur() -> None:
    """Fine noise is sharp, its mean over 9 by 9 pixels is not, one tone is 0; size and mirroring change nothing."""
    sharp = np.random.default_rng(2).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    window = np.lib.stride_tricks.sliding_window_view(sharp, (9, 9), axis=(0, 1))
    blurred = window.mean(axis=(-1, -2)).astype(np.uint8)
    assert sharpness(sharp) > 0.9
    assert sharpness(blurred) < 0.5
    assert sharpness(np.full((50, 50, 3), 99, np.uint8)) == 0
    assert sharpness(np.ascontiguousarray(sharp[:, ::-1])) == pytest.approx(sharpness(sharp))
    assert sharpness(sharp[:2, :2]) == 0
    mixed = np.concatenate([sharp, np.full_like(sharp, 99)], axis=1)
    assert sharpness(mixed, Box(300, 0, 600, 300)) < 0.05 < sharpness(mixed, Box(0, 0, 300, 300))


def test_chroma_tells_grey_from_colour() -> None:
    """Grey of any lightness has none; saturated red as CIELAB has it."""
    grey = np.linspace(0, 255, 9600).astype(np.uint8).reshape(100, 96, 1).repeat(3, axis=2)
    assert chroma(grey) == pytest.approx(0, abs=0.02)
    assert chroma(np.full((100, 70, 3), (255, 0, 0), np.uint8)) == pytest.approx(104.55, abs=0.1)
    assert chroma(np.full((1, 1, 3), 90, np.uint8)) == pytest.approx(0, abs=0.02)


def test_brightness_is_mean_lightness() -> None:
    """Black is 0, white is 1, the grey of L* 50 is half; a picture of one pixel has one too."""
    for value, expected in ((0, 0), (255, 1), (119, 0.5)):
        assert brightness(np.full((100, 70, 3), value, np.uint8)) == pytest.approx(expected, abs=0.01)
        assert brightness(np.full((1, 1, 3), value, np.uint8)) == pytest.approx(expected, abs=0.01)


# Together --------------------------------------------------------------------------------------------------------


def test_the_subject_is_alone_or_stands_out() -> None:
    """One person is the subject, two alike have none, and who is three times as large stands out."""
    small, large = Box(0, 0, 10, 10), Box(20, 0, 40, 20)
    assert subject_of([]) is None
    assert subject_of([small]) == small
    assert subject_of([small, large]) == large
    assert subject_of([small, Box(20, 0, 32, 12)]) is None


def test_a_face_belongs_to_the_box_that_it_is_in() -> None:
    """The largest face inside a person's box is theirs, one beside it is not."""
    _, face, _ = head(HAIR["black"])
    small = replace(face, box=Box(190, 190, 200, 200))
    assert face_of(Box(100, 100, 300, 400), [small, face]) is face
    assert face_of(Box(0, 0, 50, 50), [small, face]) is None


def test_facts_of_one_person() -> None:
    """A portrait has its counts, framing and hair; mirrored it has the same."""
    pixels, face, outline = head(HAIR["blonde"])
    facts = facts_of(pixels, [Box(20, 100, 380, 400)], [face], Seen(face, None, outline), may_describe=True)
    assert (facts.people_count, facts.faces_count, facts.framing) == (1, 1, "portrait")
    assert near(facts.hair, HAIR["blonde"])
    assert facts.upper_garment is facts.lower_garment is None
    mirrored = facts_of(
        np.ascontiguousarray(pixels[:, ::-1]),
        [Box(20, 100, 380, 400)],
        [mirrored_face(face, SIZE)],
        Seen(mirrored_face(face, SIZE), None, mirrored_outline(outline, SIZE)),
        may_describe=True,
    )
    assert near(mirrored.hair, HAIR["blonde"])
    assert mirrored.framing == facts.framing
    assert mirrored.brightness == pytest.approx(facts.brightness, abs=0.002)


def test_nobody_is_picked_out_of_a_group() -> None:
    """Of two people alike no colours are told, though the models saw them: who the creator is, is not inferred."""
    pixels, face, outline = head(HAIR["blonde"])
    people = [Box(20, 100, 200, 400), Box(200, 100, 380, 400)]
    facts = facts_of(pixels, people, [face], Seen(face, Body().pose(), outline), may_describe=True)
    assert facts.people_count == 2
    assert facts.hair is None
    assert facts.hair_scores == {}
    assert facts.upper_garment is None


def test_an_empty_picture_has_no_person_facts() -> None:
    """Without people there is no framing and no colour, whatever a pose model believes to see."""
    pixels = np.full((512, 512, 3), 128, dtype=np.uint8)
    facts = facts_of(pixels, [], [], Seen(None, Body().pose(), None), may_describe=True)
    assert (facts.people_count, facts.framing, facts.hair, facts.upper_garment) == (0, "none", None, None)


def test_who_may_not_be_described_is_not() -> None:
    """Where somebody may be under age nothing of hair and garments is told; counts and framing are the picture's."""
    pixels, face, outline = head(HAIR["blonde"])
    seen = Seen(face, Body().pose(), outline)
    facts = facts_of(pixels, [Box(20, 100, 380, 400)], [face], seen, may_describe=False)
    assert (facts.hair, facts.hair_scores, facts.upper_garment, facts.lower_garment) == (None, {}, None, None)
    assert (facts.people_count, facts.faces_count) == (1, 1)


def test_a_close_up_counts_its_face() -> None:
    """Where the detector sees no body, a face is a person, and its hair is measured."""
    pixels, face, outline = head(HAIR["grey"])
    facts = facts_of(pixels, [], [face], Seen(face, None, outline), may_describe=True)
    assert facts.people_count == 1
    assert near(facts.hair, HAIR["grey"])


def test_only_these_facts_are_told() -> None:
    """The facts are a closed list: nothing about skin, ethnicity, height, health or age is among them."""
    told: list[Any] = [field.name for field in fields(Facts)]
    assert told == [
        "people_count",
        "faces_count",
        "framing",
        "sharpness",
        "brightness",
        "chroma",
        "hair",
        "hair_scores",
        "upper_garment",
        "lower_garment",
    ]
