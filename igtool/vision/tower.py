"""Pictures to vectors, with the image tower of SigLIP or CLIP that `igtool models export` wrote. No torch is needed.

The file tells in its metadata how pictures are made smaller; colours are scaled inside of it. Vectors of texts lie
beside it (`igtool.vision.prompts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from igtool import models
from igtool.errors import ConfigError
from igtool.model_entries import RECOMMENDED, Model
from igtool.vision.boxes import Floats, Pixels
from igtool.vision.prompts import PromptVectors
from igtool.vision.sessions import Session, Wish, open_session

KIND = "tower"
NOTED = "igtool.tower"
"""Under which the metadata of the ONNX file tell the `Manifest`, as JSON."""
INPUT, OUTPUT = "pictures", "vectors"
SIZES, DIMENSIONS = (8, 1024), (2, 8192)

Precision = Literal["fp32", "fp16", "int8"]

_BATCH = 64
"""Pictures in one run on CUDA."""
_NOT_ON_CUDA = (
    "a tower in int8 runs on the processor: `igtool models export SOURCE --precision fp16` makes one for CUDA"
)
_SHA_DIGITS = 12
_NOT_ONE = 0.01
"""By how much the length of a vector may differ from 1: half precision gives .001."""


class Manifest(msgspec.Struct, frozen=True):
    """What a tower says of itself.

    ``size``: width and height of what it is given. ``fit``: a picture is squashed to that, or its shorter side becomes
    ``shorter`` pixels and the middle is cut out. ``weights``: SHA-256 of the weights it was made from; its prompts name
    the same. ``precision``: what it computes in.
    """

    size: int
    dimension: int
    weights: str
    fit: Literal["squash", "crop"] = "squash"
    resample: Literal["bicubic", "bilinear"] = "bicubic"
    shorter: int = 0
    precision: Precision = "fp32"


class Tower:
    """Gives pictures their vectors.

    ``model`` names the weights: it is to be stored beside what comes out. ``dimension``: numbers in a vector.
    ``fallback`` tells why it does not run on the device that was wished for, else None.

    On the processor a picture has the same vector bit for bit in any company: each runs alone, on one of ``threads``,
    which is also the fastest (docs/benchmarks.md). On CUDA ``batch`` of them run together, while the next are made
    ready.
    """

    def __init__(self, session: Session, *, threads: int = 2, batch: int = _BATCH) -> None:
        """Raises ConfigError for a file that is no tower."""
        self.session = session
        self.model = session.path.stem
        self.fallback = session.fallback
        self.manifest = _manifest(session)
        self.dimension = self.manifest.dimension
        self._batch = batch
        self._shrink = _Shrink(self.manifest)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tower")

    @classmethod
    def open(
        cls, folder: Path, wanted: str = RECOMMENDED, *, device: Wish = "auto", threads: int = 2, batch: int = _BATCH
    ) -> Tower:
        """The tower ``wanted`` of the folder of models.

        Raises ConfigError naming the command that makes one where there is none, or for a file that is no tower;
        IntegrityError for a damaged file.
        """
        model = _installed(folder, wanted)
        if model is None:
            raise ConfigError(
                f"there is no model that makes vectors of pictures (kind {KIND}) in {folder}: "
                "`igtool models export SOURCE` makes one of SigLIP or CLIP (docs/pictures.md)"
            )
        # Threads work on pictures side by side.
        session = open_session(model.path(folder), device=device, threads=1)
        if session.device == "cuda" and _manifest(session).precision == "int8":
            session = replace(open_session(session.path, device="cpu", threads=1), fallback=_NOT_ON_CUDA)
        tower = cls(session, threads=threads, batch=batch)
        tower.model = _name(model)
        return tower

    @cached_property
    def prompts(self) -> PromptVectors:
        """Vectors of texts to compare pictures with. Raises ConfigError where they are missing, or of another model."""
        path = prompts_path(self.session.path)
        prompts = PromptVectors.read(path)
        if (prompts.weights, prompts.dimension) != (self.manifest.weights, self.dimension):
            raise ConfigError(
                f"{path} holds texts of another model than {self.session.path.name}: "
                f"`igtool models prompts SOURCE --name {path.name.removesuffix(models.PROMPTS)}` writes its own"
            )
        return prompts

    def encode(self, pictures: Sequence[Pixels]) -> Floats:
        """The vectors of ``pictures``, shape (pictures, dimension), each of length 1.

        Raises ConfigError for a model that does not fit.
        """
        if self.session.device == "cpu":
            rows = list(self._pool.map(self._alone, pictures))
            return np.concatenate(rows) if rows else np.empty((0, self.dimension), dtype=np.float32)
        vectors = np.empty((len(pictures), self.dimension), dtype=np.float32)
        ready = self._made_ready(pictures[: self._batch])
        for start in range(0, len(pictures), self._batch):
            given, stop = ready, start + self._batch
            ready = self._made_ready(pictures[stop : stop + self._batch])
            vectors[start:stop] = self._run(np.stack([each.result() for each in given]))
        return vectors

    def _alone(self, pixels: Pixels) -> Floats:
        return self._run(self._shrink(pixels)[None])

    def _made_ready(self, pictures: Sequence[Pixels]) -> list[Future[Pixels]]:
        return [self._pool.submit(self._shrink, pixels) for pixels in pictures]

    def _run(self, given: Pixels) -> Floats:
        """The vectors of one run."""
        found = np.asarray(self.session.run({INPUT: given}, [OUTPUT])[OUTPUT], dtype=np.float32)
        if found.shape != (len(given), self.dimension):
            raise _wrong(self.session, f"it gives {found.shape} for {len(given)} pictures")
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        if not (np.abs(lengths - 1) < _NOT_ONE).all():
            raise _wrong(self.session, "its vectors are no numbers (NaN) or not of length 1: it is damaged")
        vectors: Floats = found / lengths
        return vectors


def towers_model(folder: Path, wanted: str = RECOMMENDED) -> str | None:
    """What `Tower.open` would have as ``model``, told without opening it; None where no tower is installed.

    Raises ConfigError for a list of models that cannot be read.
    """
    model = _installed(folder, wanted)
    return _name(model) if model else None


def read_prompts(folder: Path, wanted: str = RECOMMENDED) -> PromptVectors | None:
    """The texts of the tower that `Tower.open` would open; None where no tower is installed. Raises ConfigError."""
    model = _installed(folder, wanted)
    return PromptVectors.read(prompts_path(model.path(folder))) if model else None


def prompts_path(tower: Path) -> Path:
    """Where the texts of the file ``tower`` lie."""
    return tower.with_suffix(models.PROMPTS)


class _Shrink:
    """Makes a picture as large as the tower wants it, as the original does: with Pillow, from 8 bits to 8 bits."""

    def __init__(self, manifest: Manifest) -> None:
        try:
            from PIL import Image
        except ImportError as error:
            raise ConfigError("pictures need the package pillow: `pip install 'igtool[vision]'`, then again") from error
        self._image = Image
        self._filter = Image.Resampling.BICUBIC if manifest.resample == "bicubic" else Image.Resampling.BILINEAR
        self._manifest = manifest

    def __call__(self, pixels: Pixels) -> Pixels:
        size = self._manifest.size
        box = middle(pixels.shape[1], pixels.shape[0], self._manifest) if self._manifest.fit == "crop" else None
        image = self._image.fromarray(pixels)
        return np.asarray(image.resize((size, size), self._filter, box=box))


def middle(width: int, height: int, manifest: Manifest) -> tuple[float, float, float, float]:
    """The part of a picture that is left when its shorter side is made ``shorter`` and the middle cut out.

    Left, top, right and bottom in pixels of the picture: the rest is never computed, however long it is. Rounded as
    ``get_resize_output_image_size`` and ``center_crop`` of transformers do.
    """
    shorter, size = manifest.shorter, manifest.size
    least = min(width, height)
    sides = []
    for side in (width, height):
        resized = shorter if side == least else int(shorter * side / least)
        start = (resized - size) // 2
        sides.append((start * side / resized, (start + size) * side / resized))
    (left, right), (top, bottom) = sides
    return left, top, min(right, width), min(bottom, height)


def _installed(folder: Path, wanted: str) -> Model | None:
    """The model to open; None where nobody named one and there is none."""
    found = [model for model in models.known(folder).values() if model.kind == KIND and model.path(folder).is_file()]
    return models.usable(wanted, folder, KIND) if found or wanted != RECOMMENDED else None


def _name(model: Model) -> str:
    return f"{model.name}+{(model.sha256 or 'unknown')[:_SHA_DIGITS]}"


def _manifest(session: Session) -> Manifest:
    """What the file says of itself. Raises ConfigError where that is nothing, or absurd."""
    told = session.engine.get_modelmeta().custom_metadata_map.get(NOTED)
    if told is None:
        raise _wrong(session, "its metadata do not tell how pictures go into it")
    try:
        manifest = msgspec.json.decode(told, type=Manifest)
    except msgspec.DecodeError as error:
        raise _wrong(session, f"its metadata cannot be read: {error}") from error
    size, dimension = manifest.size, manifest.dimension
    if not SIZES[0] <= size <= SIZES[1] or not DIMENSIONS[0] <= dimension <= DIMENSIONS[1]:
        raise _wrong(session, f"pictures of {size} pixels and vectors of {dimension} numbers cannot be")
    if manifest.fit == "crop" and not size <= manifest.shorter <= 2 * size:
        raise _wrong(session, f"{size} pixels cannot be cut out of {manifest.shorter}")
    _check_shapes(session, size, dimension)
    return manifest


def _check_shapes(session: Session, size: int, dimension: int) -> None:
    takes: dict[str, Any] = {name: (shape[1:], session.types[name]) for name, shape in session.inputs.items()}
    if takes != {INPUT: ((size, size, 3), np.dtype(np.uint8))}:
        raise _wrong(session, f"its inputs are {dict(session.inputs)}, and {size} pixels of 8 bits are to go in")
    given = session.outputs.get(OUTPUT)
    if given is None or len(given) != len(("picture", "number")) or given[1] not in (None, dimension):
        raise _wrong(session, f"its outputs are {dict(session.outputs)}, and {dimension} numbers are to come out")


def _wrong(session: Session, why: str) -> ConfigError:
    return ConfigError(f"{session.path} is no tower that can be used: {why}. `igtool models export SOURCE` makes one")
