"""Tiny ONNX files that answer like detectors: what they say is told to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, Any]
SIDE = 64
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "int64": TensorProto.INT64}


def tiny_detector(path: Path, answers: dict[str, Array], **how: Any) -> Path:
    """Write a detector that gives each of ``answers`` (without the number of pictures) for every picture.

    ``how``: ``size`` (width, height) or None for any, ``batch`` where it takes only so many pictures, ``dtype`` of
    pictures, ``shares``: the answer that is multiplied by ``orig_target_sizes``, as D-FINE's export does.
    """
    width, height = how.get("size", (SIDE, SIDE)) or ("width", "height")
    count = how.get("batch", "pictures")
    pictures = helper.make_tensor_value_info("images", _TYPES[how.get("dtype", "float32")], [count, 3, height, width])
    inputs, known = [pictures], []
    nodes = [helper.make_node("Shape", ["images"], ["count"], start=0, end=1)]
    if how.get("shares"):
        inputs.append(helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, [count, 2]))
        known.append(numpy_helper.from_array(np.array([1]), "second"))
        nodes += [
            helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
            helper.make_node("Concat", ["sizes", "sizes"], ["sides"], axis=1),
            helper.make_node("Unsqueeze", ["sides", "second"], ["rows"]),
        ]
    outputs = []
    for name, answer in answers.items():
        ones = np.ones(answer.ndim, dtype=np.int64)
        known += [numpy_helper.from_array(answer[None], f"{name}_told"), numpy_helper.from_array(ones, f"{name}_ones")]
        nodes.append(helper.make_node("Concat", ["count", f"{name}_ones"], [f"{name}_shape"], axis=0))
        spread = f"{name}_spread" if name == how.get("shares") else name
        nodes.append(helper.make_node("Expand", [f"{name}_told", f"{name}_shape"], [spread]))
        if spread != name:
            nodes.append(helper.make_node("Mul", [spread, "rows"], [name]))
        outputs.append(helper.make_tensor_value_info(name, _TYPES[str(answer.dtype)], [count, *answer.shape]))
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
