"""What MediaPipe's detectors say, read: anchors, boxes with keypoints, and one box for many of the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.vision.boxes import Floats, overlaps

SAME_FROM = 0.3
"""Boxes that overlap more are one thing: min_suppression_threshold of both detectors' graphs."""
_LARGEST_LOGIT = 100.0
"""score_clipping_thresh of both detectors' graphs."""


@dataclass(frozen=True)
class Layout:
    """How one of the detectors lays out its answers.

    ``strides``: pixels between anchors, layer by layer; ``per_layer``: anchors a cell and layer, two where the graph
    interpolates a scale (interpolated_scale_aspect_ratio is 1 unless it says 0). ``least``: min_score_thresh.
    """

    size: int
    strides: tuple[int, ...]
    per_layer: int
    keypoints: int
    least: float


SHORT_RANGE_FACE = Layout(128, (8, 16, 16, 16), 2, 6, 0.5)
"""mediapipe/modules/face_detection/face_detection_short_range.pbtxt at 85c0cdc7: faces within about two metres."""
FULL_RANGE_FACE = Layout(192, (4,), 1, 6, 0.6)
"""mediapipe/modules/face_detection/face_detection_full_range.pbtxt at 85c0cdc7: faces within about five metres."""
POSE = Layout(224, (8, 16, 32, 32, 32), 2, 4, 0.5)
"""mediapipe/modules/pose_detection/pose_detection_cpu.pbtxt at 85c0cdc7."""


@dataclass(frozen=True)
class Found:
    """What a detector saw, the surest first, 0 to 1 inside the square it was given.

    ``boxes`` (n, 4) as left, top, right, bottom; ``keypoints`` (n, k, 2); ``scores`` (n,).
    """

    boxes: Floats
    keypoints: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)


def anchors(layout: Layout) -> Floats:
    """The centre of each anchor (n, 2), 0 to 1, in the order of the model's answers.

    As SsdAnchorsCalculator makes them with fixed_anchor_size, where every anchor is 1 wide and high: layers of the
    same stride share a grid, row by row (mediapipe/calculators/tflite/ssd_anchors_calculator.cc).
    """
    grids = []
    for stride, layers in groupby(layout.strides):
        cells = -(-layout.size // stride)
        y, x = np.mgrid[:cells, :cells].reshape(2, -1)
        grid = (np.stack([x, y], axis=1) + 0.5) / cells
        grids.append(np.repeat(grid, len(list(layers)) * layout.per_layer, axis=0))
    return np.concatenate(grids).astype(np.float32)


def decode(raw: NDArray[Any], logits: NDArray[Any], centres: Floats, layout: Layout) -> Found:
    """What of the raw answers (n, 4 + 2k) has at least the layout's least score, the surest first.

    As TensorsToDetectionsCalculator with reverse_output_order: centre x, y, width, height, then keypoints x, y, in
    pixels from the centre of the anchor (mediapipe/calculators/tensor/tensors_to_detections_calculator.cc).
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1).astype(np.float64), -_LARGEST_LOGIT, _LARGEST_LOGIT)))
    rows = np.flatnonzero(scores >= layout.least)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    values = raw.reshape(len(scores), -1)[rows] / layout.size
    middle = values[:, :2] + centres[rows]
    half = values[:, 2:4] / 2
    points = values[:, 4:].reshape(len(rows), layout.keypoints, 2) + centres[rows, None]
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return Found(boxes.astype(np.float32), points.astype(np.float32), scores[rows].astype(np.float32))


def merged(found: Found) -> Found:
    """One box for each thing: the mean of all boxes that overlap its surest one, weighted by score; that one's score.

    The weighted non-maximum suppression of NonMaxSuppressionCalculator
    (mediapipe/calculators/util/non_max_suppression_calculator.cc), after BlazeFace, arXiv 1907.05047, section 3.
    """
    left = np.arange(len(found))
    boxes, keypoints, scores = [], [], []
    while len(left):
        alike = overlaps(found.boxes[left[0]], found.boxes[left]) > SAME_FROM
        alike[0] = True
        group = left[alike]
        weights = found.scores[group] / found.scores[group].sum()
        boxes.append(weights @ found.boxes[group])
        keypoints.append(np.tensordot(weights, found.keypoints[group], axes=1))
        scores.append(found.scores[left[0]])
        left = left[~alike]
    return _stacked(boxes, keypoints, scores, found)


def _stacked(boxes: Sequence[Any], keypoints: Sequence[Any], scores: Sequence[Any], like: Found) -> Found:
    if not boxes:
        return like
    return Found(
        np.stack(boxes).astype(np.float32),
        np.stack(keypoints).astype(np.float32),
        np.array(scores, dtype=np.float32),
    )
