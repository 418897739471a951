"""The image tower as one ONNX file: colours scaled, vectors of length 1, in the wanted precision. Imports torch."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AttentionInterface

from igtool.errors import ConfigError
from igtool.tower_export.original import Original, features
from igtool.tower_export.smoothing import smooth
from igtool.vision.tower import INPUT, NOTED, OUTPUT, Manifest, Precision

OPSET = 20
_FUSED = "igtool_fused"
_MOST_PICTURES = 4096
_LARGEST_FILE = 2_000_000_000
"""What one file of ONNX can hold, but for what is not weights."""


class ImageTower(torch.nn.Module):
    """Pictures of 8 bits, (pictures, size, size, 3), to vectors of length 1 in 32 bits."""

    def __init__(self, original: Original, precision: Precision, pictures: Any) -> None:
        super().__init__()
        self.model = original.model if precision == "fp32" else copy.deepcopy(original.model)
        self.is_half = precision == "fp16"
        if precision == "int8":
            smooth(original, self.model, pictures)
        elif self.is_half:
            # The attention is one operation, for which CUDA has a kernel of its own.
            AttentionInterface.register(_FUSED, _fused)
            self.model = self.model.half()
            self.model.set_attn_implementation(_FUSED)
        factor = 1 / (255 * torch.from_numpy(original.deviation))
        shift = -torch.from_numpy(original.mean / original.deviation)
        self.register_buffer("factor", factor.float().reshape(1, 3, 1, 1))
        self.register_buffer("shift", shift.float().reshape(1, 3, 1, 1))

    def forward(self, pictures: Any) -> Any:
        """The vectors."""
        planes = pictures.permute(0, 3, 1, 2).float() * self.factor + self.shift
        vectors = features(
            self.model.get_image_features(pixel_values=planes.half() if self.is_half else planes)
        ).float()
        return vectors / vectors.norm(dim=-1, keepdim=True)


def write_graph(original: Original, manifest: Manifest, pictures: Any, path: Path) -> None:
    """Write the tower as ``path``. Raises ConfigError for one that is too large for a file.

    ``pictures``: some of the tower's size, (pictures, size, size, 3), to see how large its numbers get.
    """
    tower = ImageTower(original, manifest.precision, pictures).eval()
    vision = sum(each.numel() * each.element_size() for each in tower.model.vision_model.parameters())
    if vision > _LARGEST_FILE:
        raise ConfigError(
            f"the tower has {vision / 1e9:.1f} GB of weights, and an ONNX file holds 2: try --precision fp16"
        )
    raw = path.with_suffix(".raw.onnx") if manifest.precision == "int8" else path
    given = torch.zeros((2, manifest.size, manifest.size, 3), dtype=torch.uint8)
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            tower,
            (given,),
            raw,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("count", min=1, max=_MOST_PICTURES)},),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
        if manifest.precision == "int8":
            _quantize(raw, path)
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {NOTED: msgspec.json.encode(manifest).decode()})
    onnx.save(model, path)


def _quantize(raw: Path, path: Path) -> None:
    """Weights in 7 of 8 bits by channel, activations in 8 by what they happen to be.

    With the eighth bit, sums overflow on processors that have no VNNI (onnxruntime.ai/docs: "U8S8"): silently.
    """
    model = onnx.load(raw)
    del model.graph.value_info[:]  # some shapes in there are of before the exporter turned the weights around
    quantize_dynamic(
        model,
        path,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
    raw.unlink()


def _fused(module: Any, query: Any, key: Any, value: Any, mask: Any, **how: Any) -> tuple[Any, None]:  # noqa: ARG001
    """Attention as one operation of ONNX Runtime, as transformers calls it."""
    heads, width = query.shape[1], query.shape[3]
    rows = [each.transpose(1, 2).flatten(2) for each in (query, key, value)]
    found = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        rows,
        {"num_heads": heads, "scale": float(how["scaling"])},
        dtype=query.dtype,
        shape=rows[0].shape,
        version=1,
    )
    return found.unflatten(2, (heads, width)), None


@contextmanager
def _quiet() -> Iterator[None]:
    """What the packages say to their developers stays unsaid."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)
