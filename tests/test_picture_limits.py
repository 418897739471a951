"""What is no picture is told why: no crash, no warning, and no more memory than it is worth."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import EVERY_KIND, PIXELS, frames, jpeg_of, picture_file, png_chunk, png_of

from igtool.vision.kinds import Reason
from igtool.vision.pictures import DEFAULT_LIMITS, Limits, NotAPicture, Picture, checked, read_picture
from igtool.vision.stored import stored_form

EDGE_CASES = REALDATA / "images/edge_cases"
EXPECTED = {
    "astronaut_grey_small.DERIVED.jpg": (64, 64),
    "astronaut_progressive.DERIVED.jpg": (512, 512),
    "broken.png": "truncated",
    "broken_exif_dpi.jpg": (100, 100),
    "decompression_bomb.gif": "decompression-bomb",
    "decompression_bomb.ico": "unsupported-kind",
    "exif.png": (512, 512),
    "exif_gps.jpg": (8, 8),
    "hopper.jpg": (128, 128),
    "hopper.webp": (128, 128),
    "hopper_16bit_qtables.jpg": (128, 128),
    "hopper_bad_exif.jpg": (500, 500),
    "hopper_gray.jpg": (128, 128),
    "hopper_orientation_2.jpg": (128, 128),
    "hopper_orientation_5.jpg": (128, 128),
    "hopper_orientation_6.jpg": (128, 128),
    "hopper_orientation_6.webp": (128, 128),
    "hopper_orientation_8.jpg": (128, 128),
    "icc-after-SOF.jpg": (10, 10),
    "invalid-exif.jpg": (200, 200),
    "junk_jpeg_header.jpg": (1024, 768),
    "multiple_exif.jpg": (1, 1),
    "pil_sample_cmyk.jpg": (100, 100),
    "pil_sample_rgb.jpg": (100, 100),
    "sugarshack.mpo": (640, 480),
    "transparent.webp": (200, 150),
    "truncated_app14.jpg": (100, 100),
    "truncated_jpeg.jpg": "truncated",
}
"""Width and height, or the reason why it is no picture."""

JPEG, PNG, WEBP, GIF = (EVERY_KIND[name] for name in ("jpeg", "png", "webp", "gif"))
LARGEST_GROWTH = 60_000
"""In KB of the process that reads the bombs: buffers and libraries, and not one of the pictures they pretend to be."""


def outcome(data: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int] | str:
    """Width and height, or the reason why it is no picture; the same whether it is read or kept."""
    ways = (
        lambda: read_picture(data, limits),
        lambda: read_picture(data, limits, at_most=50),
        lambda: read_picture(stored_form(data, limits).content, limits),
    )
    results = {_outcome(way) for way in ways}
    assert len(results) == 1
    return results.pop()


def _outcome(read: Callable[[], Picture]) -> tuple[int, int] | str:
    try:
        picture = read()
    except NotAPicture as refused:
        return refused.reason if refused.detail else "nothing was said"
    return picture.width, picture.height


@needs_realdata
def test_the_table_names_every_real_file() -> None:
    """A new file in the folder gets an expectation."""
    assert {path.name for path in EDGE_CASES.iterdir()} == set(EXPECTED)


@needs_realdata
@pytest.mark.parametrize("name", EXPECTED)
def test_every_hard_file_is_a_picture_or_told_why_not(name: str) -> None:
    """Files that broke other programs."""
    assert outcome((EDGE_CASES / name).read_bytes()) == EXPECTED[name]


def webp_canvas(width: int, height: int) -> bytes:
    """An animated WebP that says it has so many pixels."""
    whole = picture_file("WEBP", **frames())
    place = whole.index(b"VP8X") + 12
    return whole[:place] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + whole[place + 6 :]


def avif_of(width: int, height: int) -> bytes:
    """An AVIF that says it has so many pixels."""
    return re.sub(
        rb"(ispe\0{4}).{8}", lambda m: m[1] + struct.pack(">II", width, height), EVERY_KIND["avif"], flags=re.S
    )


def swelling(kind: bytes, before: bytes) -> bytes:
    """A PNG chunk of 200 KB that unpacks to 200 MB."""
    return png_chunk(kind, before + zlib.compress(bytes(200_000_000), 1))


def many_passes() -> bytes:
    """A progressive JPEG whose last pass is there 200 times."""
    whole = EVERY_KIND["progressive"]
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * 200 + whole[-2:]


REFUSED: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "no bytes": (lambda: b"", "empty"),
    "a web page": (lambda: b"\xef\xbb\xbf\r\n <!DOCTYPE html><html><body>Log in</body></html>", "html"),
    "a web page without doctype": (lambda: b"<HTML><head><title>429</title>", "html"),
    "XHTML": (lambda: b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "html"),
    "JSON": (lambda: b'{"message": "Please wait a few minutes"}', "not-a-picture"),
    "a video": (lambda: b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + bytes(500), "not-a-picture"),
    "a PDF": (lambda: b"%PDF-1.7" + bytes(500), "not-a-picture"),
    "a JPEG packed once more": (lambda: b"\x1f\x8b\x08" + zlib.compress(JPEG), "not-a-picture"),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), "not-a-picture"),
    "one byte": (lambda: b"\xff", "not-a-picture"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), "unsupported-kind"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported-kind"),
    "TIFF": (lambda: picture_file("TIFF"), "unsupported-kind"),
    "a JPEG of 12 bits": (lambda: JPEG.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "unsupported-kind"),
    "an arithmetic JPEG": (lambda: JPEG.replace(b"\xff\xc0", b"\xff\xc9"), "unsupported-kind"),
    "a packed BMP": (lambda: EVERY_KIND["bmp"][:30] + b"\1" + EVERY_KIND["bmp"][31:], "unsupported-kind"),
    "50 MB": (lambda: JPEG + bytes(50_000_000), "too-large-bytes"),
    "20,000 pixels wide": (lambda: picture_file("PNG", np.zeros((2, 20_000, 3), np.uint8)), "too-many-pixels"),
    "60 megapixels": (lambda: jpeg_of(9000, 6700)[:-2] + bytes(300_000) + b"\xff\xd9", "too-many-pixels"),
    "a PNG of 30 megapixels": (lambda: png_of(6000, 5000, png_chunk(b"IDAT", bytes(90_000))), "too-many-pixels"),
    "a JPEG of 65,500 pixels": (lambda: jpeg_of(65_500, 65_500), "decompression-bomb"),
    "a PNG of 2 thousand million pixels": (lambda: png_of(2**31 - 1, 2**31 - 1), "decompression-bomb"),
    "a WebP with a huge canvas": (lambda: webp_canvas(16_384, 16_384), "decompression-bomb"),
    "an AVIF of 60,000 pixels": (lambda: avif_of(60_000, 60_000), "decompression-bomb"),
    "a GIF whose frame is larger than it": (
        lambda: GIF[: GIF.index(b",\0\0\0\0") + 5] + b"\xff\xff\xff\xff" + GIF[GIF.index(b",\0\0\0\0") + 9 :],
        "decompression-bomb",
    ),
    "a JPEG of 200 passes": (many_passes, "decompression-bomb"),
    "half a JPEG": (lambda: JPEG[: len(JPEG) // 2], "truncated"),
    "a JPEG without its end": (lambda: JPEG[:-2], "truncated"),
    "half a PNG": (lambda: PNG[: len(PNG) // 2], "truncated"),
    "half a WebP": (lambda: WEBP[: len(WEBP) // 2], "truncated"),
    "half a GIF": (lambda: GIF[: len(GIF) // 2][:900], "truncated"),
    "half an AVIF": (lambda: EVERY_KIND["avif"][: len(EVERY_KIND["avif"]) // 2], "truncated"),
    "half a BMP": (lambda: EVERY_KIND["bmp"][:4000], "truncated"),
    "a beginning": (lambda: b"\xff\xd8\xff\xe0", "truncated"),
    "no pixels": (lambda: jpeg_of(0, 40), "broken"),
    "a JPEG of nothing": (lambda: b"\xff\xd8\xff\xd9", "broken"),
    "a JPEG with an impossible table": (
        lambda: JPEG[: JPEG.index(b"\xff\xc4") + 5] + b"\xff" * 16 + JPEG[JPEG.index(b"\xff\xc4") + 21 :],
        "broken",
    ),
    "a PNG that packs nothing": (lambda: png_of(640, 480), "truncated"),
    "a PNG with a wrong sum": (lambda: PNG.replace(b"IDAT", b"IDAT\0", 1)[:-1], "truncated"),
    "a PNG that is noise": (
        lambda: PNG[:33] + png_chunk(b"IDAT", b"\1" * 99) + png_chunk(b"IEND", b""),
        "broken",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_told_why(name: str) -> None:
    """Each with the reason that stands in the table of rejects."""
    make, reason = REFUSED[name]
    assert outcome(make()) == reason


@pytest.mark.parametrize(
    "data",
    [
        PNG[:33] + png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(9_000_000))) + PNG[33:],
        PNG[:33] + png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(9_000_000))) + PNG[33:],
        PNG[:33] + png_chunk(b"iTXt", bytes(9)) * 2000 + PNG[33:],
        JPEG[:2] + b"\xff\xe5\xff\xff" + bytes(65_533) + JPEG[2:],
        JPEG[:2] + b"\xff\xfe\0\2" * 2000 + JPEG[2:],
        JPEG + b"\0\0\0\x18ftypmp42" + bytes(3000),
    ],
    ids=["zTXt that swells", "iCCP that swells", "2,000 texts", "empty segment", "2,000 comments", "video behind it"],
)
def test_what_is_not_the_picture_does_no_harm(data: bytes) -> None:
    """It is left out before anything unpacks it, and the picture is there."""
    assert outcome(data) == (PIXELS.shape[0], PIXELS.shape[1]) or outcome(data) == (64, 48)


def test_a_name_is_never_believed(tmp_path: Path) -> None:
    """A PNG that is called JPEG is a PNG: only bytes are looked at."""
    (tmp_path / "photo.jpg").write_bytes(EVERY_KIND["apng"])
    data = (tmp_path / "photo.jpg").read_bytes()
    assert (read_picture(data).kind, stored_form(data).kind) == ("png", "png")


def test_limits_can_be_narrower() -> None:
    """Bytes, pixels and sides are all the caller's choice."""
    for limits, reason in (
        (replace(DEFAULT_LIMITS, max_bytes=100), "too-large-bytes"),
        (replace(DEFAULT_LIMITS, max_pixels=100), "too-many-pixels"),
        (replace(DEFAULT_LIMITS, max_side=63), "too-many-pixels"),
    ):
        assert outcome(JPEG, limits) == reason
    assert outcome(PNG, replace(DEFAULT_LIMITS, max_other_pixels=100)) == "too-many-pixels"
    assert outcome(PNG, replace(DEFAULT_LIMITS, max_pixels=100)) == (64, 48)


@pytest.mark.parametrize("name", sorted(set(EVERY_KIND) - {"gif"}))
def test_a_file_that_ends_too_early_is_never_a_picture(name: str) -> None:
    """Wherever it is cut; but for a GIF, whose first frame may be whole before its end."""
    data = EVERY_KIND[name]
    end = len(data) if name != "mpo" else data.index(b"\xff\xd8\xff", 2)
    for cut in np.linspace(1, end - 1, 40, dtype=int):
        with pytest.raises(NotAPicture):
            read_picture(data[:cut])
        with pytest.raises(NotAPicture):
            read_picture(stored_form(data[:cut]).content)


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    """A process that reads a dozen of them grows by less than any one pretends to be."""
    bombs = [make() for name, (make, reason) in REFUSED.items() if reason == "decompression-bomb"]
    bombs += [png_of(64, 48, swelling(b"zTXt", b"Comment\0\0")), png_of(64, 48, swelling(b"iCCP", b"p\0\0"))]
    bombs += [picture_file("BMP")[:18] + struct.pack("<ii", 60_000, 60_000) + picture_file("BMP")[26:]]
    for number, data in enumerate(bombs):
        (tmp_path / f"{number}").write_bytes(data)
    (tmp_path / "script.py").write_text(
        """
import sys
from pathlib import Path
from igtool.vision.pictures import NotAPicture, Picture, read_picture
from igtool.vision.stored import stored_form

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)

for name in sys.argv[2:]:
    read_picture(Path(name).read_bytes())
before = peak()
for path in sorted(Path(sys.argv[1]).glob("[0-9]*")):
    for work in (read_picture, stored_form):
        try:
            work(path.read_bytes())
        except NotAPicture:
            pass
print(peak() - before)
"""
    )
    warm = []
    for name in ("jpeg", "png", "webp", "gif", "avif", "bmp"):
        warm.append(tmp_path / f"warm-{name}")
        warm[-1].write_bytes(EVERY_KIND[name])
    grown = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "script.py", tmp_path, *warm],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    assert int(grown) < LARGEST_GROWTH


# Any bytes -------------------------------------------------------------------------------------------------------

KNOWN = st.sampled_from(list(EVERY_KIND.values()))


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A picture file of any kind, damaged in up to four places."""
    data = bytearray(draw(KNOWN))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data) - 1))
        piece = draw(st.binary(max_size=8))
        behind = draw(st.sampled_from([place, place + len(piece), place + 1, place + 100]))
        data[place:behind] = piece
        data = data or bytearray(b"\0")
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.tuples(KNOWN, st.binary(max_size=300)).map(lambda t: t[0][:12] + t[1])))
def test_any_bytes_are_a_picture_or_told_why_not(data: bytes) -> None:
    """No other exception and no warning."""
    read_or_refused(data)


@settings(max_examples=400, deadline=None)
@given(changed())
def test_any_damage_is_got_over_or_told(data: bytes) -> None:
    """No other exception and no warning; what is kept reads as the file did, and is its own stored form."""
    read_or_refused(data)


def read_or_refused(data: bytes) -> None:
    """Read and keep ``data``, and see that both agree: to the pixel, if the file is kept as it was coded."""
    outcomes = []
    for at_most in (20, None):
        try:
            picture = read_picture(data, at_most=at_most)
            outcomes.append(True)
        except NotAPicture:
            outcomes.append(False)
    try:
        kept = stored_form(data)
        again = read_picture(kept.content)
    except NotAPicture:
        assert outcomes == [False, False]
        return
    assert outcomes == [True, True]
    assert again.pixels.shape == picture.pixels.shape
    assert stored_form(kept.content) == kept
    content = checked(data)
    if content.pieces and content.orientation == 1 and not content.profile:
        assert np.array_equal(again.pixels, picture.pixels)
