"""Faces, poses and outlines: the arithmetic by hand-made numbers, and MediaPipe's models where their files are."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given
from hypothesis import strategies as st

from igtool import models
from igtool.errors import ConfigError, IntegrityError
from igtool.models import Model
from igtool.vision import ssd
from igtool.vision.boxes import Box, Pixels, common_area, overlap
from igtool.vision.landmarks import FaceDetector, PoseEstimator, Silhouette, pose_region, refined
from igtool.vision.regions import Outline, Region, around, cut, in_picture, whole
from igtool.vision.tflite import TfLite

MODELS = Path(__file__).parents[1] / "models"
FAR, NEAR = MODELS / "face_detection_full_range_sparse.tflite", MODELS / "face_detection_short_range.tflite"
POSE, POINTS = MODELS / "pose_detection.tflite", MODELS / "pose_landmark_full.tflite"
SELFIE = MODELS / "selfie_segmentation.tflite"
needs_models = pytest.mark.skipif(
    not all(path.is_file() for path in (FAR, NEAR, POSE, POINTS, SELFIE)),
    reason="MediaPipe's files are not in models/: `igtool models add` gets them",
)
IMAGES = REALDATA / "images"


def picture(name: str) -> Pixels:
    """A photograph of the real data, upright and at most 1,024 pixels a side."""
    from PIL import Image, ImageOps

    with Image.open(IMAGES / name) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((1024, 1024))
    return np.asarray(upright)


def noise(height: int, width: int) -> Pixels:
    """A picture in which every pixel is its own."""
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


# Boxes and anchors -----------------------------------------------------------------------------------------------


def test_boxes_overlap_as_by_hand() -> None:
    """Two squares of 4 that share 2 have a sixth in common; apart they share nothing."""
    assert common_area(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == 2
    assert overlap(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == pytest.approx(2 / 6)
    assert overlap(Box(0, 0, 2, 2), Box(3, 3, 4, 4)) == 0
    assert overlap(Box(1, 1, 1, 1), Box(1, 1, 1, 1)) == 0


@pytest.mark.parametrize(
    ("layout", "count"), [(ssd.SHORT_RANGE_FACE, 896), (ssd.FULL_RANGE_FACE, 2304), (ssd.POSE, 2254)]
)
def test_there_is_an_anchor_for_each_answer(layout: ssd.Layout, count: int) -> None:
    """There are as many anchors as the graphs say boxes (num_boxes), all inside the picture."""
    centres = ssd.anchors(layout)
    assert centres.shape == (count, 2)
    assert centres.min() > 0
    assert centres.max() < 1


def test_anchors_stand_in_the_order_of_the_answers() -> None:
    """Rows from the top, cells from the left, layers of one stride together in each cell."""
    far = ssd.anchors(ssd.FULL_RANGE_FACE) * 192
    assert far[0] == pytest.approx([2, 2])
    assert far[1] == pytest.approx([6, 2])
    assert far[48] == pytest.approx([2, 6])
    near = ssd.anchors(ssd.SHORT_RANGE_FACE) * 128
    assert near[[0, 1, 2]].tolist() == pytest.approx(np.array([[4, 4], [4, 4], [12, 4]]))
    assert near[[512, 517, 518]].tolist() == pytest.approx(np.array([[8, 8], [8, 8], [24, 8]]))


def test_an_answer_is_read_from_its_anchor() -> None:
    """Centre, size and keypoints count from the anchor; what is unsure is left out, the surest comes first."""
    layout = ssd.FULL_RANGE_FACE
    centres = ssd.anchors(layout)
    raw, logits = np.zeros((1, 2304, 16), dtype=np.float32), np.full((1, 2304, 1), -1000, dtype=np.float32)
    raw[0, 49, :6] = [10, -4, 40, 20, 1, 2]
    logits[0, 49], logits[0, 100], logits[0, 0] = 1.0, 1000, 0.3
    found = ssd.decode(raw, logits, centres, layout)
    assert found.scores == pytest.approx([1, 1 / (1 + math.exp(-1))])
    assert found.boxes[1] * 192 == pytest.approx([6 + 10 - 20, 6 - 4 - 10, 6 + 10 + 20, 6 - 4 + 10], abs=1e-4)
    assert found.keypoints[1, 0] * 192 == pytest.approx([7, 8], abs=1e-4)
    assert len(ssd.decode(raw, np.full_like(logits, -9), centres, layout)) == 0


def test_boxes_of_one_thing_become_one() -> None:
    """Overlapping boxes and their keypoints are averaged by score, under the best score; another thing stays."""
    boxes = np.array([[0, 0, 0.4, 0.4], [0.1, 0, 0.5, 0.4], [0.6, 0.6, 0.9, 0.9]], dtype=np.float32)
    keypoints = np.array([[[0.2, 0.2]], [[0.3, 0.2]], [[0.7, 0.7]]], dtype=np.float32)
    found = ssd.merged(ssd.Found(boxes, keypoints, np.array([0.9, 0.6, 0.7], dtype=np.float32)))
    assert found.scores == pytest.approx([0.9, 0.7])
    assert found.boxes[0] == pytest.approx([0.04, 0, 0.44, 0.4], abs=1e-6)
    assert found.keypoints[0, 0] == pytest.approx([0.24, 0.2], abs=1e-6)
    assert found.boxes[1] == pytest.approx(boxes[2])


def test_a_box_of_no_size_ends() -> None:
    """A box that overlaps nothing, not even itself, comes out once."""
    nothing = np.zeros((2, 4), dtype=np.float32)
    found = ssd.merged(ssd.Found(nothing, np.zeros((2, 1, 2), np.float32), np.array([0.9, 0.8], np.float32)))
    assert len(found) == 2


# Squares ---------------------------------------------------------------------------------------------------------


@given(
    st.tuples(*[st.floats(-500, 500)] * 2),
    st.floats(1, 2000),
    st.floats(-math.pi, math.pi),
    st.tuples(*[st.floats(-1, 2)] * 2),
)
def test_points_go_into_a_square_and_back(
    centre: tuple[float, float], side: float, angle: float, point: tuple[float, float]
) -> None:
    """The way out of a turned square undoes the way in, to a hundredth of a thousandth of the square."""
    region = Region(*centre, side, angle)
    assert region.inside(region.points(np.array([point])))[0] == pytest.approx(point, abs=1e-5 + 1e-3 / side)


def test_a_square_turns_clockwise() -> None:
    """Turned by a quarter, the middle of the upper side lies on the right."""
    assert Region(50, 50, 20, math.pi / 2).points(np.array([[0.5, 0.0]]))[0] == pytest.approx([60, 50], abs=1e-4)


def test_the_whole_of_a_square_picture_is_itself() -> None:
    """Cut out in its own size a picture stays as it is; turned by a quarter it is turned the other way."""
    pixels = noise(32, 32)
    assert (cut(pixels, whole(pixels), 32) == pixels).all()
    turned = cut(pixels, Region(16, 16, 32, math.pi / 2), 32)
    assert np.abs(turned.astype(int) - np.rot90(pixels).astype(int)).max() <= 1


def test_what_is_outside_is_black_or_repeated() -> None:
    """A wide picture in its square has black bars, or bars of its own edge."""
    pixels = np.full((20, 40, 3), 200, dtype=np.uint8)
    pixels[0] = 90
    assert cut(pixels, whole(pixels), 40)[:10].max() == 0
    assert cut(pixels, whole(pixels), 40, repeat_edges=True)[2, 20].tolist() == [90] * 3
    assert in_picture(pixels, whole(pixels), 40).sum() == 20 * 40
    assert cut(pixels, Region(500, 500, 10), 8, repeat_edges=True).max() == 0


def test_small_is_averaged() -> None:
    """A fine chequerboard made eight times smaller is grey everywhere, neither black nor white."""
    board = np.repeat(np.indices((64, 64)).sum(axis=0)[..., None] % 2 * 255, 3, axis=2).astype(np.uint8)
    small = cut(board, whole(board), 8)
    assert abs(small.astype(int) - 127).max() <= 2


def test_a_far_square_costs_no_memory() -> None:
    """A square a thousand times larger than the picture is cut without its area being laid out."""
    pixels = noise(64, 64)
    assert cut(pixels, Region(32, 32, 64_000, 0.3), 32, repeat_edges=True).shape == (32, 32, 3)


def test_an_outline_lands_where_it_was_seen() -> None:
    """A blob in a turned square is put back to its place in the picture, and cut from there into any other square."""
    values = np.zeros((64, 64), dtype=np.float32)
    values[28:36, 44:52] = 1
    outline = Outline(values, Region(100, 80, 128, 0.5))
    (x, y) = outline.region.points(np.array([[0.75, 0.5]]))[0]
    mask = outline.mask(160, 200)
    rows, columns = np.nonzero(mask > 0.5)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((x, y), abs=0.6)
    assert (mask > 0.5).sum() == pytest.approx(16 * 16, rel=0.1)
    other = outline.cut(Region(float(x), float(y), 32), 32)
    assert other[16, 16] == pytest.approx(1)
    assert other[0, 0] == 0
    assert Outline(values, Region(-900, -900, 10)).mask(50, 50).max() == 0


# Poses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "angle"), [((100, 40), 0), ((160, 100), 90), ((100, 160), 180), ((40, 100), -90), ((142, 58), 45)]
)
def test_a_body_is_turned_upright(end: tuple[float, float], angle: float) -> None:
    """The square lies around the hips, 2.5 times as wide as the body reaches, its top where the body points."""
    region = pose_region(np.array([[100, 100], end, [0, 0], [0, 0]]))
    assert (region.x, region.y) == (100, 100)
    assert region.side == pytest.approx(2.5 * math.hypot(end[0] - 100, end[1] - 100))
    assert abs(math.degrees(region.angle)) == pytest.approx(abs(angle), abs=0.1)
    top = region.points(np.array([[0.5, 0.1]]))[0] - [100, 100]
    assert top / np.hypot(*top) == pytest.approx(
        (np.array(end) - 100) / math.hypot(end[0] - 100, end[1] - 100), abs=1e-3
    )


def test_a_heatmap_moves_points_that_it_is_sure_of() -> None:
    """A point goes to the mean of the heat around it; without heat, and outside the picture, it stays."""
    heat = np.full((64, 64, 3), -20, dtype=np.float32)
    heat[30, 33, 0], heat[30, 34, 0] = 10, 10
    points = np.array([[32 / 64, 31 / 64], [0.2, 0.2], [1.2, 0.5]], dtype=np.float32)
    moved = refined(points, heat)
    assert moved[0] * 64 == pytest.approx([33.5, 30], abs=1e-3)
    assert (moved[1:] == points[1:]).all()


# The real models -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces() -> FaceDetector:
    """Both face models."""
    return FaceDetector(FAR, NEAR)


@pytest.fixture(scope="module")
def poses() -> PoseEstimator:
    """Both pose models."""
    return PoseEstimator(POSE, POINTS)


@needs_models
@needs_realdata
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("people/obama.jpg", 1),
        ("people/bus.jpg", 2),
        ("negatives/chelsea.png", 0),
        ("negatives/coffee.png", 0),
        ("exif_orientation/Portrait_6.jpg", 0),
        ("edge_cases/pil_sample_cmyk.jpg", 0),
    ],
)
def test_faces_are_those_of_people(faces: FaceDetector, name: str, count: int) -> None:
    """People's faces are found; a cat, a cup, a digit and a letter, which one look takes for a face, are none."""
    assert len(faces.detect(picture(name))) == count


@needs_models
@needs_realdata
def test_small_faces_are_found_in_the_boxes_of_people(faces: FaceDetector) -> None:
    """Faces too small for the whole picture are found where a detector saw people."""
    pixels = picture("people/coco_000000040083.jpg")
    people = [Box(38, 111, 213, 286), Box(258, 139, 398, 293)]
    assert len(faces.detect(pixels)) < len(faces.detect(pixels, people)) == 2


@needs_models
@needs_realdata
def test_a_face_is_where_it_is(faces: FaceDetector) -> None:
    """Eyes, nose and mouth of an official portrait lie in the box and in their order, mirrored where it is mirrored."""
    pixels = picture("people/obama.jpg")
    for shown, is_mirrored in ((pixels, False), (pixels[:, ::-1], True)):
        (face,) = faces.detect(shown)
        right_eye, left_eye, nose, mouth, right_ear, left_ear = face.points
        assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1] < face.box.bottom
        middle = pixels.shape[1] - nose[0] if is_mirrored else nose[0]
        assert middle == pytest.approx(445, abs=12)


@needs_models
@needs_realdata
def test_a_pose_is_where_it_is(poses: PoseEstimator) -> None:
    """Most keypoints of the skier of COCO are within a fifth of the torso of where people put them."""
    pixels = picture("people/coco_000000000785.jpg")
    pose = poses.estimate(pixels, Box(280.8, 44.7, 499.5, 391.4))
    assert pose is not None
    told = json.loads((IMAGES / "people" / "coco_annotations.json").read_text())["annotations"]
    truth = np.array(next(each["keypoints"] for each in told if each["id"] == 442619)).reshape(17, 3)[:, :2]
    torso = math.dist(truth[5:7].mean(axis=0), truth[11:13].mean(axis=0))
    landmarks = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
    off = np.hypot(*(pose.points[landmarks, :2] - truth).T)
    assert (off < 0.2 * torso).sum() >= 15
    mask = pose.outline.mask(*pixels.shape[:2])
    assert mask[150, 370] > 0.9
    assert mask[150, 100] == 0


@needs_models
@needs_realdata
def test_where_nobody_is_there_is_no_pose(poses: PoseEstimator) -> None:
    """A cup has no pose, neither in the whole picture nor in a box."""
    pixels = picture("negatives/coffee.png")
    assert poses.estimate(pixels) is None
    assert poses.estimate(pixels, Box(100, 50, 400, 350)) is None


@needs_models
@needs_realdata
def test_the_outline_of_a_head(faces: FaceDetector) -> None:
    """Face and hair are inside, the curtain is not, and nothing is told outside the box."""
    pixels = picture("people/obama.jpg")
    (face,) = faces.detect(pixels)
    mask = Silhouette(SELFIE).mask(pixels, around_twice(face.box))
    x, y = face.points[2].astype(int)
    assert mask[y, x] > 0.95
    assert mask[y, 20] < 0.05
    assert mask[-1].max() == 0


def around_twice(box: Box) -> Box:
    """A box of twice the size."""
    region = around(box, 2)
    half = region.side / 2
    return Box(region.x - half, region.y - half, region.x + half, region.y + half)


@needs_models
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3000), (3000, 2), (1200, 1600)])
def test_odd_pictures_are_survived(faces: FaceDetector, poses: PoseEstimator, height: int, width: int) -> None:
    """One pixel, a line, a column and a large picture are seen without a crash, with boxes of no size as well."""
    pixels = noise(height, width)
    nothing = Box(0, 0, 0, 0)
    assert faces.detect(pixels, [nothing, Box(-50, -50, width + 50, height + 50)]) == []
    assert poses.estimate(pixels, nothing) is None
    assert Silhouette(SELFIE).mask(pixels, nothing).shape == (height, width)


@needs_models
def test_threads_do_not_disturb_each_other(faces: FaceDetector, poses: PoseEstimator) -> None:
    """Eight pictures seen by four threads come out as seen one after the other."""
    pictures = [noise(200, 160 + 4 * step) for step in range(8)]

    def seen(pixels: Pixels) -> tuple[int, bool, float]:
        found = Silhouette(SELFIE).mask(pixels)
        return len(faces.detect(pixels)), poses.estimate(pixels) is None, float(found.sum())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(seen, pictures)) == [seen(pixels) for pixels in pictures]


@needs_models
def test_loading_says_nothing_on_standard_error() -> None:
    """LiteRT's notice is held back; what others write meanwhile comes through."""
    code = f"""
import os
from pathlib import Path
import numpy as np
import ai_edge_litert.interpreter as litert
from igtool.vision.landmarks import Silhouette
class Interpreter(litert.Interpreter):
    def allocate_tensors(self):
        super().allocate_tensors()
        os.write(2, b"another thread\\n")
litert.Interpreter = Interpreter
for _ in range(2):
    Silhouette(Path({str(SELFIE)!r})).mask(np.zeros((9, 9, 3), np.uint8))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "another thread\n" * 2
    assert done.stdout == ""


# Files that are no models ----------------------------------------------------------------------------------------

SHAPE = (1, 8, 8, 3)


def test_a_missing_file_names_its_command(tmp_path: Path) -> None:
    """Making an estimator reads nothing; the first picture tells what is missing and how to get it."""
    with pytest.raises(ConfigError, match=r"none\.tflite is not there: `igtool models list`"):
        TfLite(tmp_path / "none.tflite", SHAPE, []).run(np.zeros(SHAPE, np.float32))


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", b"\x1c\0\0\0TFL3" + bytes(64), bytes(5000)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, a web page, a header alone and zeros raise ConfigError naming the file, and crash nothing."""
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.tflite is no model that LiteRT reads"):
        TfLite(path, SHAPE, []).run(np.zeros(SHAPE, np.float32))


@needs_models
def test_half_a_model_is_refused(tmp_path: Path) -> None:
    """A file that was cut off raises ConfigError."""
    path = tmp_path / "half.tflite"
    path.write_bytes(NEAR.read_bytes()[:100_000])
    with pytest.raises(ConfigError, match="is no model that LiteRT reads"):
        FaceDetector(path, path).detect(noise(20, 20))


@needs_models
def test_another_model_is_refused() -> None:
    """A model that takes or gives something else is told from the one that is meant."""
    with pytest.raises(ConfigError, match=r"short_range\.tflite is another model: it takes"):
        FaceDetector(NEAR, NEAR).detect(noise(20, 20))


def test_other_bytes_than_listed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose SHA-256 is not the listed one raises IntegrityError before LiteRT sees it."""
    path = tmp_path / "face.tflite"
    path.write_bytes(b"TFL3")
    listed = {"face": Model("face", "face.tflite", sha256="0" * 64)}
    monkeypatch.setattr(models, "known", lambda folder: listed)
    with pytest.raises(IntegrityError, match="`igtool models add face` gets it again"):
        TfLite(path, SHAPE, []).run(np.zeros(SHAPE, np.float32))


def test_importing_is_cheap() -> None:
    """The modules import without Pillow, LiteRT and ONNX Runtime, which only a picture needs."""
    code = (
        "import sys, igtool.vision.facts, igtool.vision.body, igtool.vision.age\n"
        "print(sorted({'PIL', 'ai_edge_litert', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
