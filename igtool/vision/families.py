"""How each family of detectors is fed, and how its answers are read.

Every family is what its makers publish or export; nothing here is tuned to pictures of ours. The class of people is
the first one of COCO, on which all of them are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
Size = tuple[int, int]
"""Width and height."""
Outputs = Mapping[str, NDArray[Any]]

_PERSON = 0
_COCO_CLASSES = 80
_SIDES = 4
_STRIDES = (8, 16, 32, 64)
_STANDARD_MEAN, _STANDARD_DEVIATION = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
"""Of ImageNet, for blue, green and red from 0 to 255."""


class UnreadableError(ValueError):
    """The answer of a detector is not one of its family; the message tells why."""


@dataclass(frozen=True)
class Found:
    """Of one picture: left, top, right and bottom of boxes in pixels of what the detector was given, and scores."""

    boxes: Numbers
    scores: Numbers


Read = Callable[[Outputs, int, Size, float], Found]
"""Reads the answer of one picture, the place of which is told: what has at least a score, any size of input."""


@dataclass(frozen=True)
class Family:
    """``fit``: a picture keeps its shape and stands in the centre or in the upper left corner, or is stretched.

    ``border``: the value around it. ``mean`` and ``deviation``: taken from the values 0 to 255 and divided by, in the
    order of colours ``is_bgr``. ``score``: the least that counts by default. ``overlap``: of two boxes that share more
    than that of their union, the better one counts; None where the model sees to that itself.
    """

    read: Read
    fit: Literal["centre", "corner", "stretch"]
    score: float
    overlap: float | None = None
    is_bgr: bool = False
    border: int = 0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (255.0, 255.0, 255.0)


def read_nanodet(outputs: Outputs, picture: int, size: Size, score: float) -> Found:
    """NanoDet 0.x: for each of three strides classes and distances of each cell, measured from its middle."""
    by_cells: dict[int, list[NDArray[Any]]] = {}
    for output in outputs.values():
        by_cells.setdefault(output.shape[1], []).append(output[picture])
    found = []
    for stride in _STRIDES:
        columns, rows = -(-size[0] // stride), -(-size[1] // stride)
        if (pair := by_cells.get(columns * rows)) is None:
            continue
        classes, distances = _classes_first(pair)
        places = (_grid(columns, rows) + 0.5) * stride
        found.append(_from_distances(classes[:, _PERSON], distances, places, np.float32(stride), score))
    if len(found) != len(by_cells):
        raise UnreadableError(f"its outputs have {sorted(by_cells)} cells, which is no grid over {size[0]}x{size[1]}")
    return Found(np.concatenate([one.boxes for one in found]), np.concatenate([one.scores for one in found]))


def _classes_first(pair: list[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of the two outputs of a stride that with classes, then that with distances, which are of four sides."""
    widths = [each.shape[-1] for each in pair]
    classes = [place for place, width in enumerate(widths) if width == _COCO_CLASSES or width % _SIDES]
    if len(pair) != len(("classes", "distances")) or len(classes) != 1:
        raise UnreadableError(f"outputs of {widths} numbers a cell are no classes and distances")
    return pair[classes[0]], pair[1 - classes[0]]


def read_nanodet_plus(outputs: Outputs, picture: int, size: Size, score: float) -> Found:
    """NanoDet-Plus: one output of all cells of four strides, classes before distances from their corner."""
    (found,) = _only(outputs, 1)
    grids = [(stride, -(-size[0] // stride), -(-size[1] // stride)) for stride in _STRIDES]
    places = np.concatenate([_grid(columns, rows) * stride for stride, columns, rows in grids])
    strides = np.concatenate([np.full(columns * rows, stride, np.float32) for stride, columns, rows in grids])
    numbers = found[picture]
    if len(numbers) != len(places) or numbers.shape[-1] <= _COCO_CLASSES:
        raise UnreadableError(f"an output of {found.shape} is not that of four strides over {size[0]}x{size[1]}")
    return _from_distances(numbers[:, _PERSON], numbers[:, _COCO_CLASSES:], places, strides, score)


def _from_distances(
    scores: NDArray[Any], distances: NDArray[Any], places: Numbers, strides: Any, score: float
) -> Found:
    """Boxes whose four sides are the means of distributions over whole steps of the stride (arXiv 2006.04388)."""
    kept = np.flatnonzero(scores >= score)
    steps = distances.shape[-1] // _SIDES
    if steps * _SIDES != distances.shape[-1]:
        raise UnreadableError(f"{distances.shape[-1]} numbers a cell are not those of four sides")
    numbers = distances[kept].astype(np.float32).reshape(-1, _SIDES, steps)
    weights = np.exp(numbers - numbers.max(axis=-1, keepdims=True, initial=-np.inf))
    means = (weights / weights.sum(axis=-1, keepdims=True)) @ np.arange(steps, dtype=np.float32)
    sides = means * np.broadcast_to(strides, scores.shape)[kept, None]
    boxes = np.concatenate([places[kept] - sides[:, :2], places[kept] + sides[:, 2:]], axis=1)
    return Found(boxes, scores[kept].astype(np.float32))


def read_yolox(outputs: Outputs, picture: int, size: Size, score: float) -> Found:
    """YOLOX: of each cell of three strides centre, size, certainty that there is something, and classes.

    Centres and sizes are in cells, the sizes as logarithms, unless they were exported in pixels already, which shows:
    the last centres then lie near the lower right corner instead of some cells off their place.
    """
    (found,) = _only(outputs, 1)
    numbers = found[picture].astype(np.float32)
    grids = [(stride, -(-size[0] // stride), -(-size[1] // stride)) for stride in _STRIDES[:3]]
    places = np.concatenate([_grid(columns, rows) for _, columns, rows in grids])
    strides = np.concatenate([np.full((columns * rows, 1), stride, np.float32) for stride, columns, rows in grids])
    if len(numbers) != len(places) or numbers.shape[-1] <= _SIDES + 1:
        raise UnreadableError(f"an output of {found.shape} is not that of three strides over {size[0]}x{size[1]}")
    scores = numbers[:, _SIDES] * numbers[:, _SIDES + 1 + _PERSON]
    centres, extents = numbers[:, :2], numbers[:, 2:_SIDES]
    if np.median(np.abs(centres / strides - places)) > np.median(np.abs(centres)):
        centres, extents = (centres + places) * strides, np.exp(extents) * strides
    kept = np.flatnonzero(scores >= score)
    return Found(_from_centres(centres[kept], extents[kept]), scores[kept])


def read_transformer(outputs: Outputs, picture: int, size: Size, score: float) -> Found:
    """D-FINE and RT-DETR: ``labels``, ``boxes``, ``scores`` of their own exports, or ``logits`` and ``pred_boxes``.

    The latter are what exports of the package transformers give: centres and sizes as shares of the picture.
    """
    if {"labels", "boxes", "scores"} <= outputs.keys():
        scores = outputs["scores"][picture].astype(np.float32)
        kept = np.flatnonzero((outputs["labels"][picture] == _PERSON) & (scores >= score))
        return Found(outputs["boxes"][picture][kept].astype(np.float32), scores[kept])
    if not {"logits", "pred_boxes"} <= outputs.keys():
        raise UnreadableError(
            f"its outputs are {', '.join(outputs)}: neither labels, boxes, scores nor logits, pred_boxes"
        )
    scores = 1 / (1 + np.exp(-outputs["logits"][picture][:, _PERSON].astype(np.float32)))
    kept = np.flatnonzero(scores >= score)
    shares = outputs["pred_boxes"][picture][kept].astype(np.float32) * np.array([*size, *size], dtype=np.float32)
    return Found(_from_centres(shares[:, :2], shares[:, 2:]), scores[kept])


def _from_centres(centres: Numbers, extents: Numbers) -> Numbers:
    return np.concatenate([centres - extents / 2, centres + extents / 2], axis=1)


def _grid(columns: int, rows: int) -> Numbers:
    """Column and row of each cell, row by row."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2).astype(np.float32)


def _only(outputs: Outputs, count: int) -> list[NDArray[Any]]:
    if len(outputs) != count:
        raise UnreadableError(f"it has the outputs {', '.join(outputs)} instead of {count}")
    return list(outputs.values())


FAMILIES: Mapping[str, Family] = {
    # Thresholds of the deployments in the makers' own repositories, at RangiLyu/nanodet, demo_ncnn; sizes and colours
    # from config/legacy_v0.x_configs/nanodet-g.yml and config/nanodet-plus-m_416.yml.
    "nanodet": Family(
        read_nanodet, "centre", 0.4, 0.5, is_bgr=True, mean=_STANDARD_MEAN, deviation=_STANDARD_DEVIATION
    ),
    "nanodet-plus": Family(
        read_nanodet_plus, "stretch", 0.4, 0.5, is_bgr=True, mean=_STANDARD_MEAN, deviation=_STANDARD_DEVIATION
    ),
    # Megvii-BaseDetection/YOLOX, demo/ONNXRuntime/onnx_inference.py.
    "yolox": Family(read_yolox, "corner", 0.3, 0.45, is_bgr=True, border=114, deviation=(1.0, 1.0, 1.0)),
    # Peterande/D-FINE, tools/inference/onnx_inf.py; lyuwenyu/RT-DETR, references/deploy/rtdetrv2_onnxruntime.py.
    "dfine": Family(read_transformer, "stretch", 0.4),
    "rtdetr": Family(read_transformer, "stretch", 0.6),
}
