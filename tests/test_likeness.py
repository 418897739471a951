"""Copies of a picture are found, other pictures are not, and many are grouped in a moment."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.vision.likeness import DIGITS, NEAR, distance, fingerprint, near, same_scene
from igtool.vision.pictures import Pixels, read_picture

IMAGES = REALDATA / "images"


def scene(seed: int, width: int = 320, height: int = 240) -> Pixels:
    """A picture of blobs of light, other for each seed."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    light = np.zeros((height, width))
    for _ in range(25):
        x, y, size, strength = random.uniform((0, 0, 0.05, -1), (1, 1, 0.3, 1))
        light += strength * np.exp(-((across - x) ** 2 + (down - y) ** 2) / size**2)
    light = 255 * (light - light.min()) / (light.max() - light.min())
    return np.repeat(light.astype(np.uint8)[..., None], 3, axis=2)


def print_of(pixels: Pixels) -> str:
    """Its fingerprint, which it has."""
    found = fingerprint(np.ascontiguousarray(pixels))
    assert found
    return found


def real(name: str) -> str:
    """The fingerprint of a real photograph."""
    return print_of(read_picture((IMAGES / name).read_bytes(), at_most=640).pixels)


# One picture -----------------------------------------------------------------------------------------------------


def test_a_fingerprint_is_text_of_hexadecimal_digits() -> None:
    """31 hashes, the first of them of the whole picture: the number of parts is part of what is stored."""
    found = print_of(scene(1))
    assert len(found) == 31 * DIGITS
    assert set(found) <= set("0123456789abcdef")


def test_a_hash_is_the_same_everywhere() -> None:
    """Whole numbers are summed: a stored hash can be compared with one that another machine makes."""
    across = np.arange(64, dtype=np.uint8) * 4
    pixels = np.repeat(np.tile(across, (48, 1))[..., None], 3, axis=2)
    pixels[:24, :32] = 250
    assert print_of(pixels)[:DIGITS] == "4dcc002201cc0022"


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_nothing_has_no_fingerprint(level: int) -> None:
    """One colour, or hardly more than one, is a copy of nothing."""
    flat = np.full((90, 160, 3), level, np.uint8)
    assert fingerprint(flat) is None
    assert fingerprint(flat ^ np.random.default_rng(0).integers(0, 2, flat.shape, dtype=np.uint8)) is None


def test_empty_parts_are_like_no_others() -> None:
    """A part that shows nothing has no hash, and two pictures are not alike for having such parts."""
    pixels = np.full((200, 200, 3), 255, np.uint8)
    pixels[:, :45] = scene(1, 45, 200)
    found = print_of(pixels)
    empty = "0" * DIGITS
    assert empty in [found[at : at + DIGITS] for at in range(0, len(found), DIGITS)]
    one, other = digits(0x0123_4567_89AB_CDEF) + empty * 30, digits(0xFEDC_BA98_7654_3210 ^ 0xFF00) + empty * 30
    assert near([one, other], threshold=20) == [0, 1]
    assert distance(one, other) > 20


def test_a_mirrored_picture_is_the_same_picture() -> None:
    """The hash of the one follows from that of the other, but for what rounding does."""
    for seed in range(20):
        pixels = scene(seed)
        assert distance(print_of(pixels), print_of(pixels[:, ::-1])) == 0
        assert distance(print_of(pixels)[:DIGITS], print_of(pixels[:, ::-1])[:DIGITS]) <= 2


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda pixels: pixels[::2, ::2], 2),
        (lambda pixels: (pixels * 0.6).astype(np.uint8), 2),
        (lambda pixels: np.minimum(pixels.astype(int) + 40, 255).astype(np.uint8), 6),
        (lambda pixels: pixels[12:-12, 16:-16], NEAR),
        (lambda pixels: pixels[:216, 32:], NEAR),
        (lambda pixels: pixels[:, 40:], NEAR),
        (lambda pixels: np.pad(pixels, ((24, 24), (32, 32), (0, 0)), constant_values=255), NEAR),
        (lambda pixels: np.pad(pixels, ((40, 40), (0, 0), (0, 0))), NEAR),
    ],
    ids=["smaller", "darker", "brighter", "cropped", "a corner cut", "a side cut", "framed", "bars"],
)
def test_a_changed_copy_is_found(change: object, most: int) -> None:
    """And found from the copy as well as from the original, mirrored or not."""
    assert callable(change)
    for seed in range(20):
        pixels = scene(seed)
        copy = change(pixels)
        for other in (copy, copy[:, ::-1]):
            assert distance(print_of(pixels), print_of(other)) <= most
            assert distance(print_of(other), print_of(pixels)) <= most


def test_other_pictures_are_not_copies() -> None:
    """Of 40 scenes no two are near."""
    prints = [print_of(scene(seed)) for seed in range(40)]
    assert min(distance(one, other) for one, other in combinations(prints, 2)) > NEAR


@needs_realdata
def test_real_copies_are_found() -> None:
    """Of a photograph: mirrored and squeezed ones; one that is turned by a quarter of a right angle is not."""
    original = real("near_duplicates/ukbench00120.jpg")
    assert distance(original, real("near_duplicates/ukbench00120_hflip.jpg")) <= 2
    assert distance(original, real("near_duplicates/ukbench00120_resize.jpg")) <= 2
    assert distance(original, real("near_duplicates/ukbench00120_rotation.jpg")) > NEAR


@needs_realdata
def test_real_photographs_are_not_copies() -> None:
    """Of people and of things: no two are near."""
    names = [f"{path.parent.name}/{path.name}" for path in sorted(IMAGES.glob("[pn]e*/*.[jp][pn]g"))]
    names = [name for name in names if "near_duplicates" not in name and "obama_partial" not in name]
    prints = [real(name) for name in names]
    assert len(prints) == 18
    assert near(prints) == list(range(18))


@needs_realdata
@pytest.mark.parametrize("scene_name", ["Landscape", "Portrait"])
def test_orientations_are_copies_of_each_other(scene_name: str) -> None:
    """A photograph that was stored in six ways is one picture."""
    prints = [real(f"exif_orientation/{scene_name}_{number}.jpg") for number in (1, 2, 4, 5, 6, 8)]
    assert near(prints) == [0] * 6


# Many pictures ---------------------------------------------------------------------------------------------------


def digits(value: int) -> str:
    """A hash of its own."""
    return f"{value:016x}"


def test_the_first_one_stands_for_its_copies() -> None:
    """Pictures come best first; what is a copy stands for no other, so a chain of small steps does not join."""
    one, step, further = 0x1234_5678_9ABC_DEF0, 0xFF, 0xFFFF
    chain = [digits(one), digits(one ^ step), digits(one ^ further)]
    assert near(chain, threshold=8) == [0, 0, 2]
    assert near([chain[1], chain[0], chain[2]], threshold=8) == [0, 0, 0]


def test_what_has_no_fingerprint_is_no_copy() -> None:
    """Not of another one without, either."""
    assert near([None, digits(5), None, digits(5)]) == [0, 1, 2, 1]
    assert near([None, None]) == [0, 1]
    assert near([]) == []


def test_lengths_do_not_mix() -> None:
    """A hash of a whole picture and a fingerprint of all parts are two things."""
    with pytest.raises(ValueError, match="of one length"):
        near([digits(5), digits(5) * 31])
    with pytest.raises(ValueError, match="of one length"):
        near([digits(5) * 2])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1)), max_size=300), st.integers(0, 12))
def test_grouping_is_what_comparing_one_by_one_gives(drawn: list[tuple[int, int]], threshold: int) -> None:
    """Blocks and early ends change nothing."""
    random = np.random.default_rng(0)
    bases = [int(value) for value in random.integers(1, 2**63, 6)]
    prints = [digits(bases[base] ^ (noise & noise >> 1 & noise >> 2 & noise >> 3)) for base, noise in drawn]
    expected: list[int] = []
    for place, one in enumerate(prints):
        earlier = (k for k in range(place) if expected[k] == k and distance(prints[k], one) <= threshold)
        expected.append(next(earlier, place))
    assert near(prints, threshold) == expected


def test_blocks_do_not_lose_copies() -> None:
    """Among more pictures than are compared at once, each copy is found, wherever its original is."""
    random = np.random.default_rng(1)
    values = [int(value) for value in random.integers(1, 2**63, 6000)]
    for copy, original in ((5999, 0), (4500, 4400), (130, 127), (1, 0), (5000, 4096)):
        values[copy] = values[original] ^ 0b101
    found = near([digits(value) for value in values], threshold=2)
    assert {place: first for place, first in enumerate(found) if place != first} == {
        5999: 0, 4500: 4400, 130: 127, 1: 0, 5000: 4096,
    }  # fmt: skip


def test_many_equal_pictures_are_no_burden() -> None:
    """50,000 times the same picture, and 5,000 different ones, take seconds at most."""
    began = time.process_time()
    assert set(near([digits(77)] * 50_000)) == {0}
    near([digits(int(value)) for value in np.random.default_rng(2).integers(1, 2**63, 5000)], threshold=2)
    assert time.process_time() - began < 5


def test_vectors_that_point_the_same_way_are_one_scene() -> None:
    """The first one stands for the others here too; a vector of zeros is like none."""
    vectors = np.array([[1, 0], [0.6, 0.8], [0.995, 0.0998], [0, 0], [0, 0]], dtype=np.float16)
    assert same_scene(vectors, 0.99) == [0, 1, 0, 3, 4]
    assert same_scene(vectors, 0.5) == [0, 0, 0, 3, 4]
    assert same_scene(np.empty((0, 4), np.float32), 0.9) == []
