"""Bytes become pictures: of every kind, upright, in the colours that were meant, and kept without metadata."""

from __future__ import annotations

import subprocess
import sys
import warnings
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import EVERY_KIND, PIXELS, exif, frames, picture_file, srgb, swapped_profile, turned
from PIL import Image, ImageOps

from igtool.errors import ConfigError
from igtool.vision.kinds import sniff
from igtool.vision.pictures import NotAPicture, read_picture
from igtool.vision.stored import stored_form

IMAGES = REALDATA / "images"
PRIVATE = (b"Exif", b"GPS", b"eXIf", b"EXIF", b"xmp", b"ns.adobe.com", b"8BIM", b"ICC_PROFILE", b"iCCP", b"somebody")
"""Bytes of which none is in a picture that is kept."""


def apart(one: Any, other: Any) -> float:
    """The mean distance of two pictures, in levels of 255."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def as_pillow_reads(data: bytes) -> Any:
    """The first frame upright, on white, as Pillow alone makes it."""
    with warnings.catch_warnings(), Image.open(BytesIO(data)) as image:
        warnings.simplefilter("ignore")
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB"))


# Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_kind_is_read_as_pillow_reads_it(name: str) -> None:
    """No pixel differs from what Pillow makes of the same file, which knows no 16 bits of grey as RGB."""
    picture = read_picture(EVERY_KIND[name])
    expected = as_pillow_reads(EVERY_KIND[name])
    if name == "16 bits":
        expected = np.repeat(PIXELS[..., :1], 3, axis=2)
    assert picture.pixels.shape == expected.shape == (picture.height, picture.width, 3)
    assert apart(picture.pixels, expected) == 0
    assert picture.kind == sniff(EVERY_KIND[name]) or (name, picture.kind) == ("mpo", "mpo")


def test_pixels_are_one_block_that_nobody_writes_to() -> None:
    """What is handed on to models has the form they need, and is the same for all of them."""
    for data in EVERY_KIND.values():
        pixels = read_picture(data, at_most=40).pixels
        assert pixels.flags.c_contiguous
        assert not pixels.flags.writeable
        assert pixels.dtype == np.uint8


def test_the_name_of_a_kind_is_told_by_the_bytes() -> None:
    """Kinds that are not read are known by their beginning too."""
    beginnings = {
        b"\xff\xd8\xff\xe0": "jpeg",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "heif",
        b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif": "avif",
        b"\0\0\0\x14ftypmif1\0\0\0\0mif1": "heif",
        b"\0\0\0\x18ftypisom\0\0\0\0mp42avc1": None,
        b"II*\0": "tiff",
        b"\0\0\1\0": "ico",
        b"\xff\x0a": "jxl",
        b"8BPS": "psd",
        b"BMW is a maker of cars": None,
        b'<?xml version="1.0"?>\n<svg>': "svg",
        b"RIFF....WAVE": None,
    }
    assert {beginning: sniff(beginning) for beginning in beginnings} == beginnings


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_undone(orientation: int) -> None:
    """A lossless file comes out pixel for pixel, and both sides are told upright."""
    data = picture_file("PNG", turned(orientation), exif=exif(orientation))
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, PIXELS)
    assert (picture.width, picture.height) == (64, 48)
    kept = stored_form(data)
    assert np.array_equal(read_picture(kept.content).pixels, PIXELS)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(value: int) -> None:
    """Only 1 to 8 mean anything."""
    assert np.array_equal(read_picture(picture_file("PNG", exif=exif(value))).pixels, PIXELS)


@needs_realdata
@pytest.mark.parametrize("scene", ["Landscape", "Portrait"])
@pytest.mark.parametrize("at_most", [None, 640, 300])
def test_photographs_of_all_orientations_are_equal(scene: str, at_most: int | None) -> None:
    """Photographs with EXIF 1, 2, 4, 5, 6 and 8 are the same upright picture, also after they were kept."""
    first = read_picture((IMAGES / f"exif_orientation/{scene}_1.jpg").read_bytes(), at_most=at_most)
    for orientation in (2, 4, 5, 6, 8):
        data = (IMAGES / f"exif_orientation/{scene}_{orientation}.jpg").read_bytes()
        picture = read_picture(data, at_most=at_most)
        kept = read_picture(stored_form(data).content, at_most=at_most)
        assert picture.pixels.shape == first.pixels.shape
        assert apart(picture.pixels, first.pixels) < 4  # each file was compressed on its own
        assert apart(picture.pixels[:, ::-1], first.pixels) > 20  # and a mirrored one would be seen
        assert apart(kept.pixels, picture.pixels) < 1


@needs_realdata
@pytest.mark.parametrize("folder", ["people", "negatives", "near_duplicates"])
def test_photographs_are_read_as_pillow_reads_them(folder: str) -> None:
    """The fast decoder gives the same pixels; two photographs with a profile of their own differ by a little."""
    for path in sorted((IMAGES / folder).glob("*.[jp][pn]g")):
        data = path.read_bytes()
        limit = 2 if path.name in ("bus.jpg", "coco_000000000785.jpg") else 0
        assert apart(read_picture(data).pixels, as_pillow_reads(data)) <= limit, path.name


def test_packages_are_loaded_when_a_picture_is_read() -> None:
    """Starting any command does not wait for what reads pictures."""
    modules = "igtool.vision.pictures, igtool.vision.stored, igtool.vision.likeness"
    words = f"import sys, {modules}; print([name for name in ('PIL', 'simplejpeg') if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True, text=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("package", ["PIL.Image", "simplejpeg"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """With what to install; no picture is called broken for it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"pip install 'igtool\[vision\]'"):
        read_picture(EVERY_KIND["jpeg"])
    with pytest.raises(ConfigError):
        stored_form(EVERY_KIND["png"])


# Colours ---------------------------------------------------------------------------------------------------------


def test_transparency_becomes_white() -> None:
    """Of a picture that is half transparent, half of each colour is left; of all that is transparent, white."""
    for level, expected in ((0, 255), (255, 100), (128, 177)):
        pixels = np.dstack([np.full((16, 16, 3), 100, np.uint8), np.full((16, 16), level, np.uint8)])
        for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
            read = read_picture(picture_file(form, pixels, mode="RGBA", **options)).pixels
            assert np.abs(read.astype(int) - expected).max() <= 1


def test_colours_of_a_profile_are_those_that_were_meant() -> None:
    """A red of a device whose red is blue is blue, whichever the file; and stays so when it is kept."""
    pixels = np.full((32, 32, 3), (250, 20, 20), np.uint8)
    for form in ("JPEG", "PNG", "WEBP", "AVIF"):
        data = picture_file(form, pixels, icc_profile=swapped_profile())
        for at_most in (None, 8):
            red, green, blue = read_picture(data, at_most=at_most).pixels.mean(axis=(0, 1))
            assert blue > 200 > 60 > max(red, green), form
        red, green, blue = read_picture(stored_form(data).content).pixels.mean(axis=(0, 1))
        assert blue > 200 > 60 > max(red, green), form


def test_a_profile_that_is_srgb_changes_nothing() -> None:
    """Most profiles are sRGB: then the file is kept as it was coded."""
    data = picture_file("JPEG", icc_profile=srgb())
    assert np.array_equal(read_picture(data).pixels, read_picture(picture_file("JPEG")).pixels)
    assert stored_form(data).content == stored_form(picture_file("JPEG")).content


@pytest.mark.parametrize("profile", [b"x", bytes(200), srgb()[:150], srgb()[:-100] + bytes(100)])
def test_a_profile_that_is_none_changes_nothing(profile: bytes) -> None:
    """As in a browser, the picture is there and its colours are taken for sRGB, or nearly."""
    expected = read_picture(picture_file("JPEG")).pixels
    assert apart(read_picture(picture_file("JPEG", icc_profile=profile)).pixels, expected) < 8


def test_a_profile_of_grey_or_print_does_not_touch_colour_pictures() -> None:
    """The colour space of a profile has to be that of the picture."""
    for space in (b"GRAY", b"CMYK"):
        profile = srgb()[:16] + space + srgb()[20:]
        data = picture_file("JPEG", icc_profile=profile)
        assert np.array_equal(read_picture(data).pixels, read_picture(picture_file("JPEG")).pixels)


# Less than all of it ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    at_most=st.integers(1, 800),
    form=st.sampled_from(["JPEG", "PNG"]),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
)
def test_no_side_is_longer_than_wanted(width: int, height: int, at_most: int, form: str, mode: str) -> None:
    """And none is smaller than two thirds of it, if the picture has as much; the whole size is told."""
    mode = "RGB" if form == "PNG" else mode
    data = picture_file(form, np.full((height, width, 3), 99, np.uint8), mode=mode)
    picture = read_picture(data, at_most=at_most)
    longest = max(picture.pixels.shape[:2])
    assert (picture.width, picture.height) == (width, height)
    assert min(max(width, height), -(-2 * at_most // 3)) <= longest <= min(max(width, height), at_most)
    assert abs(picture.pixels.shape[0] - height * longest / max(width, height)) <= 1
    assert np.abs(picture.pixels.astype(int) - 99).max() <= 3


@pytest.mark.parametrize("at_most", [2000, 900, 640, 400, 224, 100])
def test_a_smaller_picture_shows_the_same(at_most: int) -> None:
    """A JPEG decoded at a fraction is the whole one made smaller."""
    whole = np.kron(PIXELS, np.ones((32, 32, 1), np.uint8))
    data = picture_file("JPEG", whole, quality=95)
    read = read_picture(data, at_most=at_most).pixels
    expected = np.asarray(Image.fromarray(whole).resize((read.shape[1], read.shape[0]), Image.Resampling.BOX))
    assert apart(read, expected) < 2


# What is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_KIND)
def test_what_is_kept_shows_the_same(name: str) -> None:
    """Lossless files lose nothing, upright JPEG and WebP neither; the rest is within what JPEG costs."""
    data = EVERY_KIND[name]
    kept, before = stored_form(data), read_picture(data).pixels
    difference = apart(read_picture(kept.content).pixels, before)
    assert kept.kind == sniff(kept.content)
    if name in ("jpeg", "webp", "animated webp", "avif"):
        assert kept.kind == "jpeg"
        assert 0 < difference < 3
    else:
        assert difference == 0


@pytest.mark.parametrize("name", EVERY_KIND)
def test_nothing_else_is_kept(name: str) -> None:
    """No byte of EXIF, place, XMP, profile or comment, no second frame, and nothing behind the end."""
    kept = stored_form(EVERY_KIND[name] + (b"" if name == "avif" else b"by somebody")).content
    assert [word for word in PRIVATE if word in kept] == []
    with Image.open(BytesIO(kept)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform",
                                   "progressive", "progression", "transparency", "background", "loop"}  # fmt: skip


@pytest.mark.parametrize("name", EVERY_KIND)
def test_what_is_kept_is_its_own_stored_form(name: str) -> None:
    """Keeping twice is keeping once, and the same bytes give the same file."""
    kept = stored_form(EVERY_KIND[name])
    assert stored_form(kept.content) == kept == stored_form(EVERY_KIND[name])


@needs_realdata
def test_no_place_on_earth_is_kept() -> None:
    """A photograph with GPS in its EXIF is kept without it, and with the same pixels."""
    data = (IMAGES / "edge_cases/exif_gps.jpg").read_bytes()
    with Image.open(BytesIO(data)) as image:
        assert image.getexif().get_ifd(0x8825)
    kept = stored_form(data).content
    assert [word for word in PRIVATE if word in kept] == []
    with Image.open(BytesIO(kept)) as image:
        assert not image.getexif().get_ifd(0x8825)
    assert np.array_equal(read_picture(kept).pixels, read_picture(data).pixels)


@needs_realdata
def test_every_real_picture_is_kept_clean() -> None:
    """Of all real pictures: no metadata is left, and the kept file is its own stored form."""
    kept_files = 0
    for path in sorted(IMAGES.glob("*/*")):
        try:
            kept = stored_form(path.read_bytes())
        except NotAPicture:
            continue
        kept_files += 1
        assert [word for word in PRIVATE if word in kept.content] == [], path.name
        assert stored_form(kept.content) == kept, path.name
    assert kept_files > 50


def test_an_animation_shows_its_first_frame() -> None:
    """Also where later frames are quite other pictures."""
    for form in ("GIF", "WEBP", "PNG", "AVIF", "MPO"):
        read = read_picture(picture_file(form, **frames())).pixels
        assert apart(read, PIXELS) < 12 < 60 < apart(read, 255 - PIXELS), form
