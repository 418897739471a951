"""People in pictures: the arithmetic of each family, and the default detector on real photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REALDATA, needs_realdata
from tiny_detector import SIDE, tiny_detector

from igtool import models
from igtool.errors import ConfigError, IntegrityError
from igtool.model_entries import RECOMMENDED
from igtool.model_files import AddOptions, add
from igtool.vision.boxes import Box, overlaps
from igtool.vision.detector import DetectorOptions, PersonDetector
from igtool.vision.families import FAMILIES
from igtool.vision.sessions import open_session

Array = np.ndarray[Any, Any]
CPU = DetectorOptions(device="cpu", threads=1)
REAL = models.SHIPPED.parent
needs_nanodet = pytest.mark.skipif(
    not (REAL / "nanodet.onnx").is_file(),
    reason="models/nanodet.onnx is not here: `igtool models add nanodet` gets it",
)


def made(tmp_path: Path, family: str, answers: dict[str, Array], **how: Any) -> PersonDetector:
    """A detector that always answers so."""
    path = tiny_detector(tmp_path / f"my-{family}.onnx", answers, **how)
    return PersonDetector(open_session(path, device="cpu"), family, how.get("options", CPU), how.get("told"))


def picture(width: int, height: int) -> Array:
    """A grey picture."""
    return np.full((height, width, 3), 128, np.uint8)


def sides(boxes: list[Box]) -> list[list[float]]:
    """Left, top, right and bottom."""
    return [pytest.approx([box.left, box.top, box.right, box.bottom], abs=1e-3) for box in boxes]


def distances(*steps: float, bins: int = 11) -> Array:
    """Logits of four distributions, each over the two whole steps around its mean."""
    logits = np.full((4, bins), -40.0, np.float32)
    for side, step in enumerate(steps):
        low, part = int(step), step % 1
        logits[side, low] = np.log(1 - part)
        if part:
            logits[side, low + 1] = np.log(part)
    return logits.reshape(-1)


# The families ----------------------------------------------------------------------------------------------------


def nanodet(people: dict[tuple[int, int], tuple[float, tuple[float, ...]]]) -> dict[str, Array]:
    """Answers of NanoDet over 64x64: by stride and cell the score and the four steps of a person."""
    answers: dict[str, Array] = {}
    for stride in (8, 16, 32):
        cells = (SIDE // stride) ** 2
        classes, steps = np.full((cells, 80), 0.01, np.float32), np.zeros((cells, 44), np.float32)
        classes[0, 5] = 0.99  # a bus
        for (of, cell), (score, person) in people.items():
            if of == stride:
                classes[cell, 0], steps[cell] = score, distances(*person)
        answers |= {f"b{stride}": steps, f"a{stride}": classes}
    return answers


def test_nanodet_measures_from_the_middle_of_a_cell(tmp_path: Path) -> None:
    """Cell 6 of stride 16 is column 2 of row 1, so its middle is at 40, 24; steps of 1.5, 1, 0.25 and 0.5."""
    detector = made(tmp_path, "nanodet", nanodet({(16, 6): (0.9, (1.5, 1, 0.25, 0.5))}))
    (boxes,) = detector.detect([picture(SIDE, SIDE)])
    assert sides(boxes) == [[40 - 24, 24 - 16, 40 + 4, 24 + 8]]
    assert boxes[0].score == pytest.approx(0.9)


def test_the_centre_of_a_wide_picture(tmp_path: Path) -> None:
    """128x32 is halved and stands 24 rows down: the box goes back the same way, and not past the edge."""
    detector = made(tmp_path, "nanodet", nanodet({(16, 6): (0.9, (1.5, 1, 0.25, 0.5))}))
    (boxes,) = detector.detect([picture(128, 32)])
    assert sides(boxes) == [[(40 - 24) * 2, 0, (40 + 4) * 2, (24 + 8 - 24) * 2]]


def test_one_box_a_person(tmp_path: Path) -> None:
    """Of boxes that overlap by more than a half the best is left, whatever the stride; those beside it stay."""
    people = {
        (16, 5): (0.6, (1.0, 1.0, 1.0, 1.0)),
        (8, 18): (0.8, (1.5, 1.5, 2.0, 2.0)),
        (8, 45): (0.5, (1.0, 1.0, 1.0, 1.0)),
        (8, 60): (0.39, (1.0, 1.0, 1.0, 1.0)),
    }
    (boxes,) = made(tmp_path, "nanodet", nanodet(people)).detect([picture(SIDE, SIDE)])
    assert [round(box.score, 2) for box in boxes] == [0.8, 0.5]
    lower = made(tmp_path, "nanodet", nanodet(people), options=DetectorOptions(device="cpu", score=0.3))
    assert [round(box.score, 2) for box in lower.detect([picture(SIDE, SIDE)])[0]] == [0.8, 0.5, 0.39]


def test_nanodet_plus_measures_from_the_corner_of_a_cell(tmp_path: Path) -> None:
    """One output, four strides; the cell 64 + 6 is again column 2 of row 1 of stride 16."""
    answer = np.full((64 + 16 + 4 + 1, 80 + 32), 0.01, np.float32)
    answer[64 + 6, 0], answer[64 + 6, 80:] = 0.7, distances(1, 0.5, 1.5, 2, bins=8)
    (boxes,) = made(tmp_path, "nanodet-plus", {"output": answer}).detect([picture(SIDE * 2, SIDE)])
    assert sides(boxes) == [[(32 - 16) * 2, 16 - 8, (32 + 24) * 2, 16 + 32]]


def test_yolox_decoded_or_not(tmp_path: Path) -> None:
    """Cells and logarithms, or pixels: the same box; what is certain to be there and a person counts."""
    raw = np.zeros((64 + 16 + 4, 85), np.float32)
    raw[64 + 6] = [0.25, 0.5, np.log(1.5), np.log(2), 0.9, 0.8, *np.zeros(79)]
    raw[3, 4:6] = 0.9, 0.2
    decoded = raw.copy()
    for start, columns, stride in ((0, 8, 8), (64, 4, 16), (80, 2, 32)):
        cells = np.arange(columns**2)
        part = decoded[start : start + columns**2]
        part[:, 0] = (part[:, 0] + cells % columns) * stride
        part[:, 1] = (part[:, 1] + cells // columns) * stride
        part[:, 2:4] = np.exp(part[:, 2:4]) * stride
    for answer in (raw, decoded):
        (boxes,) = made(tmp_path, "yolox", {"output": answer}).detect([picture(SIDE, SIDE // 2)])
        # The centre is at 36, 24: the lower half of the box is below the picture, which fills the upper half.
        assert sides(boxes) == [[36 - 12, 24 - 16, 36 + 12, 32]]
        assert boxes[0].score == pytest.approx(0.72)


def test_an_export_that_is_told_sizes(tmp_path: Path) -> None:
    """D-FINE's own: labels, boxes in pixels of the size that it was told, scores; people only, also side by side."""
    answers = {
        "labels": np.array([0, 2, 0, 0], np.int64),
        "boxes": np.array([[0.25, 0, 0.5, 0.5], [0, 0, 1, 1], [0.3, 0, 0.5, 0.5], [0, 0, 0.1, 0.1]], np.float32),
        "scores": np.array([0.9, 0.8, 0.7, 0.3], np.float32),
    }
    (boxes,) = made(tmp_path, "dfine", answers, shares="boxes").detect([picture(200, 100)])
    assert sides(boxes) == [[50, 0, 100, 50], [60, 0, 100, 50]]


def test_an_export_of_transformers(tmp_path: Path) -> None:
    """Logits and centres with sizes, as shares of the picture."""
    logits = np.full((3, 80), -9.0, np.float32)
    logits[0, 0], logits[1, 7], logits[2, 0] = 2.0, 9.0, 0.1
    answers = {"logits": logits, "pred_boxes": np.array([[0.5, 0.5, 0.2, 0.4]] * 3, np.float32)}
    (boxes,) = made(tmp_path, "rtdetr", answers).detect([picture(200, 100)])
    assert sides(boxes) == [[80, 30, 120, 70]]
    assert boxes[0].score == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_how_each_family_is_fed(tmp_path: Path, family: str) -> None:
    """Order and scale of colours, place and border are those of the training."""
    detector = made(tmp_path, family, {"labels": np.zeros(1, np.int64)})
    given = np.zeros((3, SIDE, SIDE), np.float32)
    pixels = np.tile(np.array([250, 130, 10], np.uint8), (10, 20, 1))
    detector.fitted(pixels, given)
    middle, above, below = given[:, 32, 32], given[:, 5, 32], given[:, 60, 32]
    grey = [(10 - 103.53) / 57.375, (130 - 116.28) / 57.12, (250 - 123.675) / 58.395]
    black = [-103.53 / 57.375, -116.28 / 57.12, -123.675 / 58.395]
    shares = [250 / 255, 130 / 255, 10 / 255]
    expected = {
        "nanodet": (grey, black, black),
        "nanodet-plus": (grey, grey, grey),
        "yolox": ([114] * 3, [10, 130, 250], [114] * 3),
        "dfine": (shares, shares, shares),
        "rtdetr": (shares, shares, shares),
    }[family]
    for found, wanted in zip((middle, above, below), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)


# Batches and edges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ({"batch": 1}, CPU),
        ({"batch": 2}, CPU),
        ({}, DetectorOptions(device="cpu", batch_size=2)),
        ({"dtype": "float16"}, CPU),
        ({"size": None, "told": (SIDE, SIDE)}, CPU),
    ],
)
def test_any_number_of_pictures(tmp_path: Path, how: dict[str, Any], options: DetectorOptions) -> None:
    """Three pictures of three sizes, however many the model takes at once: each has its own boxes, in order."""
    answers = nanodet({(16, 6): (0.9, (1.5, 1, 0.25, 0.5))})
    detector = made(tmp_path, "nanodet", answers, options=options, **how)
    found = detector.detect([picture(64, 64), picture(128, 128), picture(32, 32)])
    assert [sides(boxes)[0].expected for boxes in found] == [[16, 8, 44, 32], [32, 16, 88, 64], [8, 4, 22, 16]]
    assert detector.detect([]) == []


def test_boxes_stay_within_the_picture(tmp_path: Path) -> None:
    """One over all edges is cut, one beside the picture is none, and a picture of one pixel is no trouble."""
    people = {(8, 0): (0.9, (10.0, 10.0, 10.0, 10.0)), (8, 63): (0.8, (0.0, 0.0, 0.5, 0.5))}
    detector = made(tmp_path, "nanodet", nanodet(people))
    (boxes,) = detector.detect([picture(64, 32)])
    assert sides(boxes) == [[0, 0, 64, 32]]
    for boxes in detector.detect([picture(1, 1), picture(3000, 2), picture(2, 3000)]):
        assert all(0 <= box.left < box.right <= 3000 and 0 <= box.top < box.bottom <= 3000 for box in boxes)


def test_overlap_is_of_both_together() -> None:
    """A half shared of two equal boxes is a third of both; nothing shared is nothing, and nothing is divided by."""
    first = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]], np.float32)
    assert overlaps(first, others) == pytest.approx([1, 1 / 3, 0, 0])


@pytest.mark.parametrize(
    ("family", "answers", "words"),
    [
        ("nanodet", {"a": np.zeros((64, 80), np.float32)}, "no classes and distances"),
        ("nanodet", {"a": np.zeros((64, 80), np.float32), "b": np.zeros((64, 43), np.float32)}, "no classes and dist"),
        ("nanodet", {"a": np.zeros((63, 80), np.float32), "b": np.zeros((63, 44), np.float32)}, "no grid over 64x64"),
        ("nanodet-plus", {"a": np.zeros((84, 112), np.float32)}, "four strides over 64x64"),
        ("yolox", {"a": np.zeros((85, 85), np.float32)}, "three strides over 64x64"),
        ("yolox", {"a": np.zeros(4, np.float32), "b": np.zeros(4, np.float32)}, "the outputs a, b instead of 1"),
        ("dfine", {"scores": np.zeros(4, np.float32)}, "its outputs are scores"),
        ("rtdetr", {"logits": np.full((1, 80), np.nan, np.float32), "pred_boxes": np.zeros((1, 4), np.float32)}, "NaN"),
        ("rtdetr", {"logits": np.ones((1, 80), np.float32), "pred_boxes": np.full((1, 4), np.inf, np.float32)}, "NaN"),
    ],
)
def test_an_answer_of_another_family(tmp_path: Path, family: str, answers: dict[str, Array], words: str) -> None:
    """A file under the wrong family, or one that computes nonsense, is named with the reason."""
    with pytest.raises(ConfigError, match=rf"{family}\.onnx does not answer.*{words}"):
        made(tmp_path, family, answers).detect([picture(64, 64)])


def test_a_file_that_takes_something_else(tmp_path: Path) -> None:
    """No size of pictures, or no pictures: told when it is opened."""
    with pytest.raises(ConfigError, match="--input-size"):
        made(tmp_path, "yolox", {"output": np.zeros((84, 85), np.float32)}, size=None)
    path = tiny_detector(tmp_path / "other.onnx", {"boxes": np.zeros((1, 4), np.float32)}, shares="boxes")
    session = open_session(path, device="cpu")
    without = type(session)(**{**vars(session), "inputs": {"words": (None, 16)}})
    with pytest.raises(ConfigError, match="its inputs are words"):
        PersonDetector(without, "dfine")


def test_the_folder_leads_to_it(tmp_path: Path) -> None:
    """By recommendation or name, with its family and size; its weights are named; damage is refused."""
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(ConfigError, match=r"no model of the kind detector .*igtool models add nanodet"):
        PersonDetector.open(folder)
    given = tiny_detector(tmp_path / "mine.onnx", nanodet({(16, 6): (0.9, (1, 1, 1, 1))}), size=None)
    model, _ = add(str(given), folder, AddOptions(kind="detector", family="nanodet", input_size=(SIDE, SIDE)))
    for wanted in (RECOMMENDED, "mine"):
        detector = PersonDetector.open(folder, wanted, CPU)
        assert detector.model == f"mine+{str(model.sha256)[:12]}"
        assert sides(detector.detect([picture(64, 64)])[0]) == [[24, 8, 56, 40]]
    (folder / "mine.onnx").write_bytes((folder / "mine.onnx").read_bytes() + b"\x08\x08")
    with pytest.raises(IntegrityError, match="igtool models remove mine"):
        PersonDetector.open(folder)


# The default detector on photographs -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> PersonDetector:
    """NanoDet."""
    return PersonDetector.open(REAL, "nanodet", CPU)


def photograph(name: str) -> Array:
    """An upright photograph."""
    from PIL import Image, ImageOps

    with Image.open(REALDATA / "images" / name) as opened:
        return np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))


@needs_realdata
@needs_nanodet
def test_people_are_counted_in_photographs(real: PersonDetector) -> None:
    """One person in each portrait, nobody in what is no person."""
    labels = [json.loads(line) for line in (REALDATA / "images" / "labels.jsonl").read_text().splitlines()]
    alone = [label for label in labels if label["file"].startswith("people/") and label["tags"] == "suit"]
    nobody = [label for label in labels if label["persons"] == 0]
    assert (len(alone), len(nobody)) >= (3, 7)
    chosen = alone + nobody
    found = real.detect([photograph(label["file"]) for label in chosen])
    assert [len(boxes) for boxes in found] == [label["persons"] for label in chosen]


@needs_realdata
@needs_nanodet
def test_boxes_are_where_people_are(real: PersonDetector) -> None:
    """Four of the five people that COCO marks in a crowded photograph, each overlapped by a half at least."""
    labels = [json.loads(line) for line in (REALDATA / "images" / "labels.jsonl").read_text().splitlines()]
    (label,) = [label for label in labels if label["file"].endswith("000000197388.jpg")]
    marked = np.array(label["boxes"], np.float32)
    marked[:, 2:] += marked[:, :2]
    (boxes,) = real.detect([photograph(label["file"])])
    found = np.array([[box.left, box.top, box.right, box.bottom] for box in boxes], np.float32)
    assert sum(overlaps(one, found).max() >= 0.5 for one in marked) >= 4


@needs_realdata
@needs_nanodet
def test_a_mirrored_photograph_has_mirrored_boxes(real: PersonDetector) -> None:
    """A box is moved by less than a twentieth of the width: nothing is turned or shifted on the way."""
    pixels = photograph("people/astronaut.png")
    (box,), (other,) = real.detect([pixels, np.ascontiguousarray(pixels[:, ::-1])])
    width = pixels.shape[1]
    assert [width - other.right, other.top, width - other.left, other.bottom] == pytest.approx(
        [box.left, box.top, box.right, box.bottom], abs=width / 20
    )
