"""The original model, in torch: how it wants pictures and texts, and what it makes of them. Imports torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPModel,
    SiglipImageProcessorPil,
    SiglipModel,
)

from igtool.errors import ConfigError
from igtool.tower_export.source import WEIGHTS, Source
from igtool.vision.boxes import Floats
from igtool.vision.tower import DIMENSIONS, SIZES, Manifest, Precision

_FAMILIES: dict[str, Any] = {
    "siglip": (SiglipModel, SiglipImageProcessorPil),  # SigLIP 2 of a fixed size is of this kind too
    "clip": (CLIPModel, CLIPImageProcessorPil),
}
_FILTERS: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
_PIXEL = 1 / 255
_BATCH = 32
"""Texts at once."""
_WORDS = 300


class Original:
    """SigLIP or CLIP from ``source``, in 32 bits on the processor.

    ``mean`` and ``deviation``: of the colours, 0 to 1. Raises ConfigError for another kind of model, or weights that do
    not fit its configuration.
    """

    def __init__(self, source: Source) -> None:
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self._source = source
        self._family = _family(source.folder)
        kind, processor = _FAMILIES[self._family]
        given = {"local_files_only": True}
        self.model = self._loaded(kind)
        self._pictures = _read(
            source, "preprocessor_config.json", lambda: processor.from_pretrained(source.folder, **given)
        )
        self._texts = _read(source, "the tokenizer", lambda: AutoTokenizer.from_pretrained(source.folder, **given))
        self.mean = np.array(self._pictures.image_mean, dtype=np.float64)
        self.deviation = np.array(self._pictures.image_std, dtype=np.float64)

    def _loaded(self, kind: Any) -> Any:
        """The model. Of weights that lack some the package would make up the rest."""
        model, told = _read(
            self._source,
            WEIGHTS,
            lambda: kind.from_pretrained(
                self._source.folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            ),
        )
        lacking = [*told["missing_keys"], *told["mismatched_keys"]]
        if lacking:
            raise ConfigError(
                f"{self._source.told} cannot be exported: {WEIGHTS} does not fit config.json; {len(lacking)} of its "
                f"parts are missing or of another size, {lacking[0]} among them"
            )
        return model.eval()

    @property
    def scale(self) -> float:
        """By what a cosine is multiplied."""
        return float(self.model.logit_scale.exp())

    @property
    def bias(self) -> float:
        """What is added then."""
        return float(self.model.logit_bias) if hasattr(self.model, "logit_bias") else 0.0

    def manifest(self, precision: Precision) -> Manifest:
        """How pictures go into it. Raises ConfigError for a way that `igtool.vision.tower` does not have."""
        told = self._pictures
        filtered = _FILTERS.get(int(told.resample))
        is_plain = told.do_resize and told.do_rescale and told.do_normalize and (self.deviation > 0).all()
        if filtered is None or not is_plain or abs(told.rescale_factor - _PIXEL) > _PIXEL * 1e-6:
            raise self._wrong(f"pictures are made ready in a way that is not known: {told.to_dict()}")
        side = int(self.model.config.vision_config.image_size)
        if not SIZES[0] <= side <= SIZES[1]:
            raise self._wrong(f"pictures of {side} pixels are not read")
        dimension = int(self.vectors(np.zeros((1, side, side, 3), dtype=np.uint8)).shape[1])
        if not DIMENSIONS[0] <= dimension <= DIMENSIONS[1]:
            raise self._wrong(f"vectors of {dimension} numbers are not read")
        shorter = self._shorter(side)
        fit: Literal["crop", "squash"] = "crop" if shorter else "squash"
        return Manifest(side, dimension, self._source.weights, fit, filtered, shorter, precision)

    def _shorter(self, side: int) -> int:
        """What the shorter side becomes before the middle is cut out, 0 where a picture is squashed."""
        told = self._pictures
        size = {name: value for name, value in dict(told.size).items() if value}
        crop = dict(told.crop_size) if getattr(told, "do_center_crop", None) else {}
        cut = {crop.get("height", side), crop.get("width", side)} == {side}
        shorter = int(size.get("shortest_edge", 0))
        if cut and size.keys() == {"shortest_edge"} and crop and side <= shorter <= 2 * side:
            return shorter
        if cut and size == {"height": side, "width": side}:
            return 0
        raise self._wrong(f"the model takes {side} pixels, and there is a size of {size} with a crop of {crop}")

    def vectors(self, pictures: Any) -> Floats:
        """The vectors of pictures that have the model's size, (pictures, size, size, 3) of 8 bits."""
        with torch.inference_mode():
            return _unit(features(self.model.get_image_features(pixel_values=self.planes(pictures))))

    def planes(self, pictures: Any) -> Any:
        """Pictures that have the model's size as it takes them: (pictures, 3, size, size), colours scaled."""
        scaled = (np.asarray(pictures) * _PIXEL - self.mean) / self.deviation
        return torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))

    def text_vectors(self, texts: Sequence[str]) -> Iterator[Floats]:
        """The vectors of ``texts``, some at a time.

        SigLIP has learnt from texts in lower case that fill 64 tokens, padding read as if it were text:
        https://huggingface.co/docs/transformers/model_doc/siglip. What is longer is cut off.
        """
        most = int(self.model.config.text_config.max_position_embeddings)
        is_siglip = self._family == "siglip"
        fill = "max_length" if is_siglip else True
        for start in range(0, len(texts), _BATCH):
            part = [text.lower() if is_siglip else text for text in texts[start : start + _BATCH]]
            given = self._texts(part, padding=fill, truncation=True, max_length=most, return_tensors="pt")
            names = ("input_ids",) if is_siglip else ("input_ids", "attention_mask")
            with torch.inference_mode():
                yield _unit(features(self.model.get_text_features(**{name: given[name] for name in names})))

    def _wrong(self, why: str) -> ConfigError:
        return ConfigError(f"{self._source.told} cannot be exported: {why}")


def features(found: Any) -> Any:
    """The vectors in what the package gives."""
    return found if isinstance(found, torch.Tensor) else found.pooler_output


def _unit(found: Any) -> Floats:
    vectors = found.to(torch.float32).numpy()
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ConfigError("the model gives vectors that are no numbers, or nothing: its weights are damaged")
    return np.asarray(vectors / lengths, dtype=np.float32)


def _family(folder: Path) -> str:
    """The kind of model. Raises ConfigError naming those that can be exported."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / 'config.json'} cannot be read: {error!s:.{_WORDS}}") from error
    if kind == "siglip2":
        raise ConfigError(
            f"{folder.name} is a SigLIP 2 that takes pictures of any shape (NaFlex); take one of a fixed size, as "
            "google/siglip2-base-patch16-224"
        )
    if kind not in _FAMILIES:
        raise ConfigError(f"{folder.name} is a model of the kind {kind!r:.60}; there are: {', '.join(_FAMILIES)}")
    return str(kind)


def _read(source: Source, what: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # of any file: the package raises what it happens to
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{source.told} cannot be exported: {what} cannot be read: {words:.{_WORDS}}") from error
