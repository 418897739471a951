"""Where people are in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from igtool import models
from igtool.errors import ConfigError
from igtool.model_entries import RECOMMENDED
from igtool.vision.boxes import Box, Pixels, overlaps
from igtool.vision.families import FAMILIES, Family, Found, Numbers, Size, UnreadableError
from igtool.vision.sessions import Session, Tensor, Wish, open_session

_PICTURE_RANK = 4
_SIZES_INPUT = "orig_target_sizes"
_MOST_BOXES = 1000
_SMALLEST_SIDE = 1.0
_SHA_DIGITS = 12


@dataclass(frozen=True)
class DetectorOptions:
    """``score``: the least that counts, by default that of the family. ``batch_size``: pictures in one run."""

    device: Wish = "auto"
    threads: int = 2
    batch_size: int = 8
    score: float | None = None


class PersonDetector:
    """Finds people in pictures of any sizes.

    ``model`` names the weights: it is to be stored beside what comes out. ``size``: width and height of what the model
    is given, ``score``: the least that counts. ``session.fallback`` tells why it does not run on the device that was
    wished for.
    """

    def __init__(
        self, session: Session, family: str, options: DetectorOptions | None = None, size: Size | None = None
    ) -> None:
        """``size`` is that of the input where the file does not say it. Raises ConfigError for a file that has none."""
        self.session = session
        self.model = session.path.stem
        self._family: Family = FAMILIES[family]
        self._name = family
        self._options = options or DetectorOptions()
        pictures = [name for name, shape in session.inputs.items() if len(shape) == _PICTURE_RANK]
        if len(pictures) != 1 or not session.inputs.keys() <= {*pictures, _SIZES_INPUT}:
            raise self._wrong(f"its inputs are {', '.join(session.inputs)}")
        self._input = pictures[0]
        count, _, height, width = session.inputs[self._input]
        told = (width, height) if width and height else size
        if told is None:
            raise self._wrong("its file takes any size: `igtool models add PATH --input-size WIDTHxHEIGHT` tells one")
        self.size: Size = told
        self._fixed = count
        # What each of the 256 values of a colour becomes.
        scaled = [
            (np.arange(256) - mean) / by for mean, by in zip(self._family.mean, self._family.deviation, strict=True)
        ]
        self._values = np.array(scaled, dtype=np.float32)
        self._image = _pillow()
        self.score = self._family.score if self._options.score is None else self._options.score

    @classmethod
    def open(cls, folder: Path, wanted: str = RECOMMENDED, options: DetectorOptions | None = None) -> PersonDetector:
        """The detector ``wanted`` of the folder of models.

        Raises ConfigError naming the command that gets one where there is none, IntegrityError for a damaged file.
        """
        options = options or DetectorOptions()
        model = models.usable(wanted, folder, "detector")
        session = open_session(model.path(folder), device=options.device, threads=options.threads)
        detector = cls(session, model.family or "", options, model.input_size)
        detector.model = f"{model.name}+{(model.sha256 or '')[:_SHA_DIGITS]}"
        return detector

    def detect(self, pictures: Sequence[Pixels]) -> list[list[Box]]:
        """The people in each of ``pictures``, the best first. Raises ConfigError for a model that does not fit."""
        step = self._fixed or self._options.batch_size
        found: list[list[Box]] = []
        for start in range(0, len(pictures), step):
            found += self._detected(pictures[start : start + step])
        return found

    def _detected(self, pictures: Sequence[Pixels]) -> list[list[Box]]:
        """The people of one run."""
        width, height = self.size
        given = np.zeros((self._fixed or len(pictures), 3, height, width), dtype=self.session.types[self._input])
        places = [self.fitted(pixels, given[row]) for row, pixels in enumerate(pictures)]
        inputs: dict[str, Tensor] = {self._input: given}
        if _SIZES_INPUT in self.session.inputs:
            # Boxes come out in pixels of the input, as those of the other families.
            inputs[_SIZES_INPUT] = np.tile(np.array([[width, height]], dtype=np.int64), (len(given), 1))
        read = self._read(self.session.run(inputs), len(pictures))
        return [
            _boxes(self._best(one), place, pixels) for one, place, pixels in zip(read, places, pictures, strict=True)
        ]

    def _read(self, outputs: dict[str, Tensor], count: int) -> list[Found]:
        """What the model says of each of ``count`` pictures."""
        # A number that is none is below every threshold, and would look like a picture without people.
        sound = all(np.isfinite(np.sum(output, dtype=np.float64)) for output in outputs.values())
        try:
            with np.errstate(all="ignore"):
                found = [self._family.read(outputs, row, self.size, self.score) for row in range(count if sound else 0)]
        except (UnreadableError, IndexError) as error:
            raise self._wrong(str(error)) from error
        if not sound or not all(np.isfinite(one.boxes).all() for one in found):
            raise self._wrong("it gives numbers that are none (NaN): it is damaged, or not for this device")
        return found

    def fitted(self, pixels: Pixels, given: Tensor) -> Numbers:
        """Write ``pixels`` into ``given`` as the family wants it; how much wider and higher, and moved by what."""
        width, height = self.size
        family = self._family
        wide, high = width, height
        if family.fit != "stretch":
            scale = min(width / pixels.shape[1], height / pixels.shape[0])
            wide = min(width, max(1, round(pixels.shape[1] * scale)))
            high = min(height, max(1, round(pixels.shape[0] * scale)))
        left, top = ((width - wide) // 2, (height - high) // 2) if family.fit == "centre" else (0, 0)
        drawn = self._image.fromarray(pixels).resize((wide, high), self._image.Resampling.BILINEAR, reducing_gap=2.0)
        colours = np.asarray(drawn)[:, :, ::-1] if family.is_bgr else np.asarray(drawn)
        for channel, values in enumerate(self._values):
            given[channel] = values[family.border]
            given[channel, top : top + high, left : left + wide] = values[colours[:, :, channel]]
        return np.array([wide / pixels.shape[1], high / pixels.shape[0], left, top], dtype=np.float32)

    def _best(self, found: Found) -> Found:
        """``found`` with the best first, and one box where several are of the same person."""
        order = np.argsort(-found.scores, kind="stable")[:_MOST_BOXES]
        boxes, scores = found.boxes[order], found.scores[order]
        if self._family.overlap is None:
            return Found(boxes, scores)
        kept: list[int] = []
        left = np.ones(len(boxes), dtype=bool)
        for place in range(len(boxes)):
            if left[place]:
                kept.append(place)
                left &= overlaps(boxes[place], boxes) <= self._family.overlap
        return Found(boxes[kept], scores[kept])

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(
            f"{self.session.path} does not answer as a detector of the family {self._name}: {why}. See models/README.md"
        )


def _pillow() -> ModuleType:
    """The package that makes pictures smaller."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError("pictures need the package pillow: `pip install 'igtool[vision]'`, then again") from error
    return Image


def _boxes(found: Found, place: Numbers, pixels: Pixels) -> list[Box]:
    """``found`` in pixels of the picture."""
    scale, moved = place[:2], place[2:]
    limit = np.array([pixels.shape[1], pixels.shape[0]], dtype=np.float32)
    low = np.clip((found.boxes[:, :2] - moved) / scale, 0, limit)
    high = np.clip((found.boxes[:, 2:] - moved) / scale, 0, limit)
    return [
        Box(*map(float, [*first, *last, score]))
        for first, last, score in zip(low, high, np.clip(found.scores, 0, 1), strict=True)
        if (last - first).min() >= _SMALLEST_SIDE
    ]
