"""What each operation of a graph model is in ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from igtool.errors import ConfigError
from igtool.graph_model.reading import Node, Tensor
from igtool.graph_model.steps import Steps

TO_ROWS, TO_CHANNELS = [0, 2, 3, 1], [0, 3, 1, 2]
"""From channels first to rows first, and back."""
_PLANE = 2
_MOST_KNOWN = 1 << 24
"""Numbers of a tensor that is computed here."""


def folded(node: Node, known: list[Tensor]) -> Tensor | None:
    """What ``node`` gives for inputs that are known beforehand; None where it is not one that is computed here."""
    if node.op == "SparseToDense":
        places, shape, values, default = known
        if math.prod(shape.tolist()) > _MOST_KNOWN:
            raise ValueError(f"{node.name:.80} is impossibly large")
        dense = np.full(shape.tolist(), default, dtype=default.dtype)
        for place, value in zip(places.reshape(-1, dense.ndim), np.broadcast_to(values, len(places)), strict=True):
            dense[tuple(place)] = value
        return dense
    if node.op in ("Add", "AddV2"):
        first, second = known
        return np.asarray(first + second)
    return known[0] if node.op == "Identity" else None


def translate(node: Node, inputs: list[str], made: Steps) -> None:
    """Append to ``made`` what ``node`` is in ONNX. Raises ConfigError for an operation that is not known."""
    operation = _OPERATIONS.get(node.op)
    if operation is None:
        raise ConfigError(f"the graph model has an operation that cannot be converted: {node.op} ({node.name:.80})")
    operation(node, inputs, made)


def _same(op: str) -> Callable[[Node, list[str], Steps], None]:
    """An operation that ONNX has under the name ``op``, without attributes."""

    def append(node: Node, inputs: list[str], made: Steps) -> None:
        made.add(op, inputs, node.name)

    return append


def _constant(node: Node, name: str, made: Steps) -> Tensor:
    """An input that has to be known beforehand."""
    if name not in made.constants:
        raise ConfigError(f"the graph model computes {name:.80}, which has to be known for {node.op} ({node.name:.80})")
    return made.constants[name]


def _whole(node: Node, name: str, made: Steps) -> list[int]:
    return [int(each) for each in np.atleast_1d(_constant(node, name, made)).tolist()]


def _placeholder(node: Node, _: list[str], made: Steps) -> None:
    made.inputs[node.name] = node.shape()


def _leaky_relu(node: Node, inputs: list[str], made: Steps) -> None:
    made.add("LeakyRelu", inputs, node.name, alpha=node.number("alpha", 0.2))


def _transpose(node: Node, inputs: list[str], made: Steps) -> None:
    made.add("Transpose", inputs[:1], node.name, perm=_whole(node, inputs[1], made))


def _concat(node: Node, inputs: list[str], made: Steps) -> None:
    made.add("Concat", inputs[:-1], node.name, axis=_whole(node, inputs[-1], made)[0])


def _split(node: Node, inputs: list[str], made: Steps) -> None:
    sizes = _whole(node, inputs[1], made)
    lengths = made.known(f"{node.name}/lengths", np.array(sizes, dtype=np.int64))
    made.add("Split", [inputs[0], lengths], node.name, axis=_whole(node, inputs[2], made)[0])
    made.steps[-1].outputs = [node.name, *(f"{node.name}:{place}" for place in range(1, len(sizes)))]


def _reshape(node: Node, inputs: list[str], made: Steps) -> None:
    # In ONNX 0 stands for as many as before: the number of pictures.
    shape = [0, *_whole(node, inputs[1], made)[1:]]
    made.add("Reshape", [inputs[0], made.known(f"{node.name}/shape", np.array(shape, dtype=np.int64))], node.name)


def _pad(node: Node, inputs: list[str], made: Steps) -> None:
    places = np.reshape(_constant(node, inputs[1], made), (-1, 2))
    sizes = made.known(f"{node.name}/pads", places.T.reshape(-1).astype(np.int64))
    value = _constant(node, inputs[2], made) if len(inputs) > _PLANE else np.float32(0)
    filling = made.known(f"{node.name}/value", np.asarray(value, dtype=np.float32).reshape(()))
    made.add("Pad", [inputs[0], sizes, filling], node.name)


def _in_channels(node: Node, name: str, made: Steps) -> tuple[str, str]:
    """``name`` with channels first, and the name under which the result has to come so that the rest fits."""
    if node.text("data_format", "NHWC") == "NCHW":
        return name, node.name
    return made.add("Transpose", [name], f"{node.name}/channels", perm=TO_CHANNELS), f"{node.name}/result"


def _back(node: Node, result: str, made: Steps) -> None:
    if result != node.name:
        made.add("Transpose", [result], node.name, perm=TO_ROWS)


def _window(node: Node, name: str) -> list[int]:
    """Height and width of the attribute ``name``."""
    numbers = node.numbers(name) or [1, 1, 1, 1]
    return numbers[2:4] if node.text("data_format", "NHWC") == "NCHW" else numbers[1:3]


def _padding(node: Node) -> dict[str, str | list[int]]:
    kind = node.text("padding", "VALID")
    if kind == "VALID":
        return {"pads": [0, 0, 0, 0]}
    if kind == "SAME":
        return {"auto_pad": "SAME_UPPER"}
    raise ConfigError(f"the graph model has a padding that cannot be converted: {kind} ({node.name:.80})")


def _convolution(node: Node, inputs: list[str], made: Steps) -> None:
    kernel = _constant(node, inputs[1], made)
    source, result = _in_channels(node, inputs[0], made)
    weights = made.known(f"{node.name}/weights", np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    made.add(
        "Conv",
        [source, weights],
        result,
        kernel_shape=list(kernel.shape[:2]),
        strides=_window(node, "strides"),
        dilations=_window(node, "dilations"),
        **_padding(node),
    )
    _back(node, result, made)


def _largest(node: Node, inputs: list[str], made: Steps) -> None:
    source, result = _in_channels(node, inputs[0], made)
    sizes, strides = _window(node, "ksize"), _window(node, "strides")
    made.add("MaxPool", [source], result, kernel_shape=sizes, strides=strides, **_padding(node))
    _back(node, result, made)


def _resize(node: Node, inputs: list[str], made: Steps) -> None:
    if node.flag("align_corners"):
        raise ConfigError(f"the graph model resizes by aligned corners, which is not converted ({node.name:.80})")
    source, result = _in_channels(node, inputs[0], made)
    size = made.known(f"{node.name}/size", np.array(_whole(node, inputs[1], made), dtype=np.int64))
    way = "half_pixel" if node.flag("half_pixel_centers") else "asymmetric"
    inputs = [source, "", "", size]
    made.add("Resize", inputs, result, axes=[2, 3], mode="linear", coordinate_transformation_mode=way)
    _back(node, result, made)


_OPERATIONS: dict[str, Callable[[Node, list[str], Steps], None]] = {
    "Add": _same("Add"),
    "AddV2": _same("Add"),
    "ConcatV2": _concat,
    "Conv2D": _convolution,
    "Identity": _same("Identity"),
    "LeakyRelu": _leaky_relu,
    "MaxPool": _largest,
    "Pad": _pad,
    "PadV2": _pad,
    "Placeholder": _placeholder,
    "Relu": _same("Relu"),
    "Reshape": _reshape,
    "ResizeBilinear": _resize,
    "Sigmoid": _same("Sigmoid"),
    "SplitV": _split,
    "Transpose": _transpose,
}
