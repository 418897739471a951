"""Faces, poses and outlines of people, by MediaPipe's models: where they are, never whose they are.

A face is a box with six points, used to find hair and to frame a picture. Nothing here describes or compares faces.
The steps and numbers are those of MediaPipe's graphs at 85c0cdc7 (github.com/google-ai-edge/mediapipe), each named
where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igtool.vision import ssd
from igtool.vision.boxes import Box, Floats, Pixels, Rectangle, common_area, overlap
from igtool.vision.regions import Outline, Region, around, cut, whole
from igtool.vision.tflite import TfLite

POINTS = 33
"""Landmarks of a pose, numbered as in mediapipe/modules/pose_landmark/pose_landmark_topology.svg."""
_ALL_POINTS = 39
_SEEN_FROM = 0.5
"""A pose of a lower score is none: tensors_to_pose_landmarks_and_segmentation.pbtxt."""
_POSE_SIZE = 256
_HEATMAP = 64
_KERNEL = 7
_SURE_FROM = 0.5
"""kernel_size of that graph, and min_confidence_to_refine's default of RefineLandmarksFromHeatmapCalculator."""
_ROI_SCALE = 1.25
"""mediapipe/modules/pose_landmark/pose_detection_to_roi.pbtxt."""
_HEAD_SHARE = 0.45
"""Of a person's box, from the top, the part that is searched for a face that was too small in the whole picture: a
standing person is seven to eight heads high."""
_SMALLER = 0.6
"""Only a square smaller than this share of the picture shows more of a head than the picture did."""
_SECOND_LOOK = 3.0
"""Side of the square that a face is looked at again in, in sides of its box: about how large a face stands in a
portrait."""


@dataclass(frozen=True, eq=False)
class Face:
    """Where a face is: its box, and the points right eye, left eye, nose tip, mouth, right ear, left ear (6, 2).

    Right and left are the person's. Boxes reach from about the middle of the forehead to the chin.
    """

    box: Box
    points: Floats

    @property
    def score(self) -> float:
        """How sure it is that this is a face, 0 to 1."""
        return self.box.score


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the parts of a body are.

    ``points`` (33, 3): x and y in pixels of the picture, which may lie outside it, and depth in pixels relative to the
    hips, smaller is nearer. ``visibility`` (33,): 0 to 1, whether a point is in the picture and not hidden.
    ``score``: whether there is a person at all. ``outline``: of this person alone.
    """

    points: Floats
    visibility: Floats
    score: float
    outline: Outline

    @property
    def region(self) -> Region:
        """The square in which the person was looked at, turned so that they stand upright in it."""
        return self.outline.region


class FaceDetector:
    """Finds faces: with the model ``far`` (full_range) in the whole picture, with ``near`` (short_range) from near.

    What looks like a face in the whole picture is looked at again in a square of its own and has to be seen there by
    the other model too: patterns that one takes for a face at one size, the other seldom does at another.
    """

    def __init__(self, far: Path, near: Path, threads: int = 1) -> None:
        self._far = _Detector(far, ssd.FULL_RANGE_FACE, threads)
        self._near = _Detector(near, ssd.SHORT_RANGE_FACE, threads)

    def detect(self, pixels: Pixels, people: Sequence[Rectangle] = ()) -> list[Face]:
        """The faces in the picture, the surest first; heads of ``people`` too that are small in the whole picture."""
        square = whole(pixels)
        faces = _faces(self._far, pixels, square)
        for person in people:
            head = _head(person)
            if head.side < _SMALLER * square.side and not any(_is_inside(face.box, person) for face in faces):
                faces += _faces(self._near, pixels, head)
        kept: list[Face] = []
        for face in sorted(faces, key=lambda face: -face.score):
            seen = self._again(pixels, face)
            if seen and all(overlap(seen.box, other.box) < ssd.SAME_FROM for other in kept):
                kept.append(seen)
        return sorted(kept, key=lambda face: -face.score)

    def _again(self, pixels: Pixels, face: Face) -> Face | None:
        """The same face from near, with the lower of both scores; None where it is no face from near."""
        near = _faces(self._near, pixels, around(face.box, _SECOND_LOOK))
        best = max(near, key=lambda other: overlap(face.box, other.box), default=None)
        if best is None or overlap(face.box, best.box) < ssd.SAME_FROM:
            return None
        return replace(best, box=replace(best.box, score=min(best.score, face.score)))


class PoseEstimator:
    """Finds the pose and the outline of one person."""

    def __init__(self, detector: Path, landmarks: Path, threads: int = 1) -> None:
        self._detector = _Detector(detector, ssd.POSE, threads)
        size = _POSE_SIZE
        outputs = [(1, _ALL_POINTS * 5), (1, 1), (1, size, size, 1)]
        outputs += [(1, _HEATMAP, _HEATMAP, _ALL_POINTS), (1, _ALL_POINTS * 3)]
        self._landmarks = TfLite(landmarks, (1, size, size, 3), outputs, threads)

    def estimate(self, pixels: Pixels, box: Rectangle | None = None) -> Pose | None:
        """The pose of the person in ``box``, or of the surest one in the picture; None where none is seen."""
        for region in self._regions(pixels, box):
            pose = self._in(pixels, region)
            if pose.score >= _SEEN_FROM:
                return pose
        return None

    def _regions(self, pixels: Pixels, box: Rectangle | None) -> list[Region]:
        """Squares around the person to try, the best first: turned upright by the detector, then the plain box."""
        search = whole(pixels) if box is None else around(box, _ROI_SCALE)
        regions = [pose_region(search.points(points)) for points in self._detector.see(pixels, search).keypoints]
        if box is None:
            return regions[:1]
        return [*sorted(regions, key=lambda region: -_likeness(region, search))[:1], search]

    def _in(self, pixels: Pixels, region: Region) -> Pose:
        """What the model sees in one square.

        It was made for squares with repeated edges: pose_landmark_by_roi_cpu.pbtxt leaves the border mode open, which
        GetBorderMode in mediapipe/calculators/tensor/image_to_tensor_utils.cc takes for that.
        """
        seen = cut(pixels, region, _POSE_SIZE, repeat_edges=True)
        raw, score, outline, heatmap, _ = self._landmarks.run(_scaled(seen))
        points = raw.reshape(_ALL_POINTS, 5)[:POINTS]
        inside = refined(points[:, :2] / np.float32(_POSE_SIZE), heatmap[0, :, :, :POINTS])
        depth = points[:, 2:3] * np.float32(region.side / _POSE_SIZE)
        return Pose(
            np.concatenate([region.points(inside), depth], axis=1),
            _sigmoid(points[:, 3]),
            float(score[0, 0]),
            Outline(_sigmoid(outline[0, :, :, 0]), region),
        )


class Silhouette:
    """Tells people from what is behind them; made for people within two metres of the camera."""

    _SIZE = 256

    def __init__(self, path: Path, threads: int = 1) -> None:
        shape = (1, self._SIZE, self._SIZE)
        self._model = TfLite(path, (*shape, 3), [(*shape, 1)], threads)

    def outline(self, pixels: Pixels, box: Rectangle | None = None) -> Outline:
        """The people in the square around ``box``, or in the whole picture.

        The model sees 0 to 1: mediapipe/modules/selfie_segmentation/selfie_segmentation_cpu.pbtxt.
        """
        region = whole(pixels) if box is None else around(box, _ROI_SCALE)
        (found,) = self._model.run(_scaled(cut(pixels, region, self._SIZE, repeat_edges=True)))
        return Outline(found[0, :, :, 0], region)

    def mask(self, pixels: Pixels, box: Rectangle | None = None) -> Floats:
        """How surely each pixel (height, width) belongs to a person, 0 to 1; outside the square around ``box`` 0."""
        return self.outline(pixels, box).mask(*pixels.shape[:2])


def pose_region(points: NDArray[Any]) -> Region:
    """The square to look for landmarks in, from the detector's points: middle of the hips, edge of the whole body.

    As AlignmentPointsRectsCalculator and RectTransformationCalculator make it with the options of
    mediapipe/modules/pose_landmark/pose_detection_to_roi.pbtxt: the line from the first to the second points up.
    """
    (x, y), (end_x, end_y) = points[:2].tolist()
    angle = math.pi / 2 - math.atan2(y - end_y, end_x - x)
    side = max(1.0, 2 * math.hypot(end_x - x, end_y - y) * _ROI_SCALE)
    return Region(x, y, side, math.remainder(angle, 2 * math.pi))


def refined(inside: Floats, heatmap: Floats) -> Floats:
    """Points (n, 2), 0 to 1, moved to the mean of what the heatmap (rows, columns, n) says around them.

    Where it says little they stay: RefineLandmarksFromHeatMap in
    mediapipe/calculators/util/refine_landmarks_from_heatmap_calculator.cc.
    """
    rows, columns = heatmap.shape[:2]
    moved = inside.copy()
    for number, (x, y) in enumerate(inside.tolist()):
        column, row = int(x * columns), int(y * rows)
        if not (x >= 0 and y >= 0 and column < columns and row < rows):
            continue
        top, left = max(0, row - _KERNEL // 2), max(0, column - _KERNEL // 2)
        window = _sigmoid(heatmap[top : row + _KERNEL // 2 + 1, left : column + _KERNEL // 2 + 1, number])
        if window.max() >= _SURE_FROM:
            weights = window / window.sum()
            at_row, at_column = np.mgrid[: window.shape[0], : window.shape[1]]
            moved[number] = (
                (left + (weights * at_column).sum()) / columns,
                (top + (weights * at_row).sum()) / rows,
            )
    return moved


class _Detector:
    """One of MediaPipe's detectors, with the anchors it answers for."""

    def __init__(self, path: Path, layout: ssd.Layout, threads: int) -> None:
        self._layout, self._anchors = layout, ssd.anchors(layout)
        answers = [(1, len(self._anchors), 4 + 2 * layout.keypoints), (1, len(self._anchors), 1)]
        self._model = TfLite(path, (1, layout.size, layout.size, 3), answers, threads)

    def see(self, pixels: Pixels, region: Region) -> ssd.Found:
        """What is in the square, each thing once. The model sees -1 to 1: output_tensor_float_range of the graphs."""
        values = _scaled(cut(pixels, region, self._layout.size)) * np.float32(2) - np.float32(1)
        raw, logits = self._model.run(values)
        return ssd.merged(ssd.decode(raw, logits, self._anchors, self._layout))


def _faces(detector: _Detector, pixels: Pixels, region: Region) -> list[Face]:
    found = detector.see(pixels, region)
    faces = []
    for box, points, score in zip(found.boxes, found.keypoints, found.scores, strict=True):
        (left, top), (right, bottom) = region.points(box.reshape(2, 2)).tolist()
        faces.append(Face(Box(left, top, right, bottom, float(score)), region.points(points)))
    return faces


def _scaled(pixels: Pixels) -> Floats:
    """A picture as the models take it: one of a batch, 0 to 1."""
    return pixels[None].astype(np.float32) / np.float32(255)


def _head(person: Rectangle) -> Region:
    """The square that a person's head is in, whether they fill the picture or are far away."""
    width, height = person.right - person.left, person.bottom - person.top
    side = max(width, height * _HEAD_SHARE)
    return Region((person.left + person.right) / 2, person.top + side * 0.4, side)


def _is_inside(box: Rectangle, person: Rectangle) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return person.left <= x <= person.right and person.top <= y <= person.bottom


def _likeness(region: Region, other: Region) -> float:
    """Intersection over union of two squares as if they were not turned."""
    first, second = (
        Box(each.x - each.side / 2, each.y - each.side / 2, each.x + each.side / 2, each.y + each.side / 2)
        for each in (region, other)
    )
    common = common_area(first, second)
    return common / max(region.side**2 + other.side**2 - common, 1e-9)


def _sigmoid(values: NDArray[Any]) -> Floats:
    return (1 / (1 + np.exp(-np.clip(values.astype(np.float64), -60, 60)))).astype(np.float32)
