"""A safety check: whether somebody in a picture may be under age. Only the verdict leaves this module.

No estimator comes with igtool, because none that may be used freely was good enough. The one of SSR-Net that npm
packages carry (161 kB, trained on IMDB-WIKI, which is for academic research only) says about 30 of a man of 70 and of a
woman of 78. Others tell ethnicity along with age, or make a face vector on the way, and are out for that. Without one,
person tags need declared adulthood.

Any ONNX file can be set that takes one RGB picture of a face, 0 to 1, as (1, 3, n, n) or (1, n, n, 3), and gives one
number, or one chance for each year from 0; whatever else it needs belongs into the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from igtool.errors import ConfigError
from igtool.vision.boxes import Floats, Pixels
from igtool.vision.landmarks import Face
from igtool.vision.regions import around, cut

ADULT_FROM = 25.0
"""Years: who looks younger is treated as possibly under age, as shops do that ask for a proof of age ("Challenge 25").
"""
_LEAST_FACE = 40.0
"""Pixels a side of a face box: smaller faces tell no age."""
_CROP = 1.4
"""Of a face box: the whole head, as faces are cut for age estimators."""
_CHANNELS = 3
_RANK = 4


class Estimator(Protocol):
    """An opened ONNX model: shapes of inputs and outputs by name, None for any number, and a way to run it."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | None, ...]]: ...  # noqa: D102
    @property
    def outputs(self) -> Mapping[str, tuple[int | None, ...]]: ...  # noqa: D102
    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]: ...  # noqa: D102


class AgeCheck:
    """Says of a face whether its owner may be under age, and nothing more.

    ``error_years`` is how far the estimator is off on average; who looks younger than 25 years and that is treated as
    possibly under age. Raises ConfigError for a model that is no such estimator.
    """

    def __init__(self, estimator: Estimator, *, error_years: float) -> None:
        if not 0 <= error_years < 100:
            raise ConfigError(f"{error_years} years is no mean error of an age estimator: 0 to 99 can be")
        shapes = list(estimator.inputs.items())
        if len(shapes) != 1 or len(estimator.outputs) != 1 or len(shapes[0][1]) != _RANK:
            raise ConfigError(
                "the age estimator has to take one picture and to give one answer; this model takes "
                f"{', '.join(estimator.inputs)} and gives {', '.join(estimator.outputs)}"
            )
        self._input, shape = shapes[0]
        self._is_channels_first = shape[1] == _CHANNELS
        side = shape[2]
        if side is None or shape[3 if self._is_channels_first else 1] != side or _CHANNELS not in (shape[1], shape[3]):
            raise ConfigError(f"the age estimator takes {shape}: it has to take square RGB pictures of one size")
        self._side = side
        self._estimator = estimator
        self._limit = ADULT_FROM + error_years

    def may_be_minor(self, pixels: Pixels, face: Face) -> bool | None:
        """True where ``face`` may be of somebody under age, False where it is surely not; None where nothing is known.

        None, a face that is too small for a verdict or an estimator that gives no number, is no permission: it counts
        like no estimator at all. The younger of the picture and its mirror image decides.
        """
        if min(face.box.right - face.box.left, face.box.bottom - face.box.top) < _LEAST_FACE:
            return None
        seen = cut(pixels, around(face.box, _CROP), self._side).astype(np.float32) / np.float32(255)
        looks = [self._looks(seen), self._looks(seen[:, ::-1])]
        return None if any(np.isnan(looks)) else min(looks) < self._limit

    def _looks(self, seen: Floats) -> float:
        """Apparent years, NaN where the answer is none. The number stays in this module."""
        values = np.moveaxis(seen, -1, 0) if self._is_channels_first else seen
        (found,) = self._estimator.run({self._input: np.ascontiguousarray(values)[None]}).values()
        answers = np.asarray(found, dtype=np.float64).ravel()
        if not len(answers) or not np.isfinite(answers).all():
            return float("nan")
        if len(answers) == 1:
            return float(answers[0])
        total = answers.sum()
        return float(answers @ np.arange(len(answers)) / total) if total > 0 and answers.min() >= 0 else float("nan")


def picture_verdict(verdicts: Sequence[bool | None], people_count: int) -> bool | None:
    """The verdict on a picture with ``people_count`` people, from those on its faces.

    True as soon as one may be under age; None where somebody has no verdict, as from behind; False for surely nobody.
    """
    if any(verdict is True for verdict in verdicts):
        return True
    return None if None in verdicts or len(verdicts) < people_count else False
