"""Exports a tower with its texts, and checks that the files say what the original says."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from igtool import models
from igtool.errors import ConfigError
from igtool.model_entries import RECOMMENDED, Model, check
from igtool.model_files import AddOptions, add
from igtool.models import Told, untold
from igtool.tower_export.source import Source
from igtool.vision.boxes import Floats, Pixels
from igtool.vision.prompts import PromptVectors
from igtool.vision.sessions import open_session
from igtool.vision.tower import KIND, Precision, Tower, prompts_path

if TYPE_CHECKING:
    from igtool.tower_export.original import Original

_LEAST_COSINE: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.98}
"""Of the file's vectors with those of the original. Below, the export failed, or the weights bear no such precision."""
_CHECKED = 8
_PACKAGES = ("torch", "transformers", "onnx", "onnxscript", "sentencepiece")


@dataclass(frozen=True)
class Exported:
    """A tower that was exported. ``cosine``: the least of its vectors with those of the original."""

    model: Model
    cosine: float
    texts: int


def export(
    source: Source,
    folder: Path,
    texts: Sequence[str],
    *,
    name: str | None = None,
    precision: Precision = "int8",
    told: Told = untold,
) -> Exported:
    """Write the tower of ``source`` and the vectors of ``texts`` into the folder of models, and note it there.

    ``told`` hears how many texts are done. Raises ConfigError for a model that cannot be exported, a name that is
    taken, or vectors that differ from those of the original; StorageError.
    """
    name = name or f"{source.name}-{precision}"
    check(Model(name, f"{name}.onnx", KIND, licence=source.licence, made_from=source.made_from))
    if name in models.known(folder) or (folder / f"{name}.onnx").exists():
        raise ConfigError(f"there is a model {name} already: give another --name, or `igtool models remove {name}`")
    with _foreign():
        original = _module("original").Original(source)
        manifest = original.manifest(precision)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as scratch:
            path = Path(scratch) / f"{name}.onnx"
            pictures = made_pictures(manifest.size)
            _module("graph").write_graph(original, manifest, np.stack(pictures), path)
            cosine = _agreement(path, original, pictures)
            if cosine < _LEAST_COSINE[precision]:
                raise ConfigError(
                    f"in {precision} the vectors of {source.told} come out with a cosine of {cosine:.4f} with those of "
                    f"the original, and {_LEAST_COSINE[precision]} is the least: try another --precision"
                )
            prompts = _vectors(source, original, texts, told)
            _check_comparable(source, prompts, manifest.dimension)
            prompts.write(prompts_path(folder / path.name))
            options = AddOptions(name=name, kind=KIND, licence=source.licence, made_from=source.made_from)
            model, _ = add(str(path), folder, options)
    return Exported(model, cosine, len(texts))


def export_prompts(
    source: Source, folder: Path, texts: Sequence[str], *, name: str | None = None, told: Told = untold
) -> Path:
    """Write the vectors of ``texts`` beside the tower ``name``, or the one that is used; gives the file.

    Raises ConfigError where the tower is of other weights than ``source``.
    """
    tower = Tower.open(folder, name or RECOMMENDED, device="cpu", threads=1)
    if tower.manifest.weights != source.weights:
        raise ConfigError(
            f"{tower.session.path} was made from other weights (SHA-256 {tower.manifest.weights}) than those of "
            f"{source.told} ({source.weights}): its texts would not fit"
        )
    path = prompts_path(tower.session.path)
    with _foreign():
        _vectors(source, _module("original").Original(source), texts, told).write(path)
    return path


def _vectors(source: Source, original: Original, texts: Sequence[str], told: Told) -> PromptVectors:
    parts: list[Floats] = []
    for part in original.text_vectors(texts):
        parts.append(part)
        told(sum(map(len, parts)), len(texts))
    rows = {text: row for row, text in enumerate(texts)}
    return PromptVectors(rows, np.concatenate(parts), original.scale, original.bias, source.weights, source.told)


def _check_comparable(source: Source, texts: PromptVectors, dimension: int) -> None:
    """Raises ConfigError where texts have vectors of another length than pictures."""
    if texts.dimension != dimension:
        raise ConfigError(
            f"{source.told} gives {texts.dimension} numbers for a text and {dimension} for a picture: they cannot be "
            "compared, so it is no model that can be used"
        )


def _agreement(path: Path, original: Original, pictures: list[Pixels]) -> float:
    """The least cosine of the file's vectors with those of the original."""
    tower = Tower(open_session(path, device="cpu", threads=1))
    return float((tower.encode(pictures) * original.vectors(pictures)).sum(axis=1).min())


def made_pictures(size: int) -> list[Pixels]:
    """Patches of colours, from coarse to fine: to see what a tower does, where no photographs are."""
    from PIL import Image

    random = np.random.default_rng(7)
    made = []
    for cells in np.linspace(2, max(3, size // 4), _CHECKED).astype(int):
        patches = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        made.append(np.asarray(Image.fromarray(patches).resize((size, size), Image.Resampling.BICUBIC)))
    return made


def _module(name: str) -> ModuleType:
    """A module of this package that imports torch. Raises ConfigError naming the extra."""
    try:
        for package in _PACKAGES:
            importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"exporting a model needs the package {error.name}: `pip install 'igtool[export]'` brings it"
        ) from error
    return importlib.import_module(f"igtool.tower_export.{name}")


@contextmanager
def _foreign() -> Iterator[None]:
    """What the packages warn their developers of is nothing that a user can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
