"""A tiny invented graph model of TensorFlow.js, and what numpy says that it gives.

The reference follows the definitions of TensorFlow's operations with plain loops, and shares no code with igtool.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def text(value: str) -> dict[str, str]:
    """An attribute that is text."""
    return {"s": base64.b64encode(value.encode()).decode()}


def whole(*values: int) -> dict[str, Any]:
    """An attribute that is a list of whole numbers, which the format writes as text."""
    return {"list": {"i": [str(value) for value in values]}}


class Graph:
    """Collects operations and weights, and computes what comes out as it goes."""

    def __init__(self, picture: Array) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.weights: list[tuple[dict[str, Any], bytes]] = []
        self.values: dict[str, Array] = {"picture": picture}
        self.outputs: dict[str, Array] = {}
        sizes = [{"size": str(size)} for size in (1, *picture.shape[1:])]
        self.nodes.append({"name": "picture", "op": "Placeholder", "attr": {"shape": {"shape": {"dim": sizes}}}})

    def known(self, name: str, value: Any, quantization: dict[str, Any] | None = None) -> str:
        """A weight; its value is what is left of it after it was stored."""
        array = np.asarray(value)
        dtype = "int32" if array.dtype.kind == "i" else "float32"
        stored = array.astype(dtype)
        if quantization:
            scale, least = quantization.get("scale", 1.0), quantization.get("min", 0.0)
            number = (array - least) / scale if "scale" in quantization else array
            stored = (np.round(number) if "scale" in quantization else number).astype(quantization["dtype"])
        entry = {"name": name, "shape": list(array.shape), "dtype": dtype}
        if quantization:
            entry["quantization"] = {"original_dtype": dtype, **quantization}
        self.weights.append((entry, stored.astype(stored.dtype.newbyteorder("<")).tobytes()))
        self.nodes.append({"name": name, "op": "Const", "attr": {"dtype": {"type": f"DT_{dtype.upper()}"}}})
        back = stored.astype(dtype)
        self.values[name] = back * scale + least if quantization and "scale" in quantization else back
        return name

    def add(self, op: str, name: str, inputs: Sequence[str], values: Sequence[Array], **attributes: Any) -> str:
        """An operation and what it gives."""
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        for place, value in enumerate(values):
            self.values[name if place == 0 else f"{name}:{place}"] = value
        return name

    def out(self, name: str, source: str) -> None:
        """Let ``source`` leave the graph as ``name``."""
        self.add("Identity", name, [source], [self.values[source]])
        self.outputs[name] = self.values[source]

    def files(self) -> tuple[bytes, bytes]:
        """The JSON file and the file of weights."""
        outputs = {
            f"{name}:0": {
                "name": f"{name}:0",
                "tensorShape": {"dim": [{"size": str(n)} for n in (1, *value.shape[1:])]},
            }
            for name, value in self.outputs.items()
        }
        document = {
            "format": "graph-model",
            "signature": {"inputs": {}, "outputs": outputs},
            "modelTopology": {"node": self.nodes, "library": {}, "versions": {}},
            "weightsManifest": [{"paths": ["tiny.bin"], "weights": [entry for entry, _ in self.weights]}],
        }
        return json.dumps(document).encode(), b"".join(content for _, content in self.weights)


# What the operations are -----------------------------------------------------------------------------------------


def convolved(rows: Array, kernel: Array, stride: int, dilation: int, same: bool) -> Array:
    """Conv2D with rows before channels; ``same``: borders of zeros, the larger half after."""
    reach = (kernel.shape[0] - 1) * dilation + 1
    count, height, width, _ = rows.shape
    if same:
        borders = [max((-(-size // stride) - 1) * stride + reach - size, 0) for size in (height, width)]
        rows = np.pad(rows, [(0, 0), *((each // 2, each - each // 2) for each in borders), (0, 0)])
        height, width = rows.shape[1:3]
    down, across = (height - reach) // stride + 1, (width - reach) // stride + 1
    found = np.zeros((count, down, across, kernel.shape[3]), np.float32)
    for y in range(down):
        for x in range(across):
            window = rows[:, y * stride : y * stride + reach : dilation, x * stride : x * stride + reach : dilation]
            found[:, y, x] = np.tensordot(window, kernel, axes=([1, 2, 3], [0, 1, 2]))
    return found


def largest(rows: Array, size: int, stride: int) -> Array:
    """MaxPool with rows before channels, without borders."""
    down, across = ((side - size) // stride + 1 for side in rows.shape[1:3])
    found = np.zeros((rows.shape[0], down, across, rows.shape[3]), np.float32)
    for y in range(down):
        for x in range(across):
            window = rows[:, y * stride : y * stride + size, x * stride : x * stride + size]
            found[:, y, x] = window.max(axis=(1, 2))
    return found


def resized(rows: Array, height: int, width: int) -> Array:
    """ResizeBilinear with rows before channels, between the middles of pixels."""
    for axis, size in ((1, height), (2, width)):
        at = np.clip((np.arange(size) + 0.5) * rows.shape[axis] / size - 0.5, 0, rows.shape[axis] - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, rows.shape[axis] - 1)
        part = (at - low).astype(np.float32).reshape([-1 if place == axis else 1 for place in range(4)])
        rows = rows.take(low, axis) * (1 - part) + rows.take(high, axis) * part
    return rows


# The model -------------------------------------------------------------------------------------------------------

TO_ROWS, TO_CHANNELS = (0, 2, 3, 1), (0, 3, 1, 2)


def spread(*shape: int) -> Array:
    """Numbers between -1 and 1 that are the same everywhere."""
    return ((np.arange(np.prod(shape)) * 37 % 101 - 50) / 50).astype(np.float32).reshape(shape)


def turned(graph: Graph, name: str, source: str, order: tuple[int, ...]) -> str:
    """A Transpose."""
    graph.known(f"{name}/perm", np.array(order))
    return graph.add("Transpose", name, [source, f"{name}/perm"], [graph.values[source].transpose(order)])


def convolution(graph: Graph, name: str, source: str, kernel: Array, **how: Any) -> str:
    """Conv2D and its bias, with rows before channels, as converters write them."""
    stride, dilation, same = how.get("stride", 1), how.get("dilation", 1), how.get("same", False)
    graph.known(f"{name}/kernel", kernel, how.get("quantization"))
    value = convolved(graph.values[source], graph.values[f"{name}/kernel"], stride, dilation, same)
    attributes = {
        "padding": text("SAME" if same else "VALID"),
        "data_format": text("NHWC"),
        "strides": whole(1, stride, stride, 1),
        "dilations": whole(1, dilation, dilation, 1),
    }
    graph.add("Conv2D", name, [source, f"{name}/kernel"], [value], **attributes)
    bias = np.linspace(-1, 1, kernel.shape[3], dtype=np.float32)
    graph.known(f"{name}/bias", bias, {"dtype": "float16"})
    return graph.add("Add", f"{name}/sum", [name, f"{name}/bias"], [value + graph.values[f"{name}/bias"]])


def bordered(graph: Graph, name: str, source: str, filling: float | None = None) -> str:
    """Pad with zeros, or PadV2 with ``filling``, by one pixel, with channels before rows."""
    graph.known(f"{name}/paddings", np.array([[0, 0], [0, 0], [1, 1], [1, 1]]))
    inputs = [source, f"{name}/paddings"]
    if filling is not None:
        inputs.append(graph.known(f"{name}/filling", np.float32(filling)))
    sizes = [(0, 0), (0, 0), (1, 1), (1, 1)]
    value = np.pad(graph.values[source], sizes, constant_values=filling or 0.0)
    return graph.add("Pad" if filling is None else "PadV2", name, inputs, [value])


def leaky(graph: Graph, name: str, source: str) -> str:
    """LeakyRelu."""
    value = graph.values[source]
    return graph.add("LeakyRelu", name, [source], [np.where(value > 0, value, 0.1 * value)], alpha={"f": 0.1})


def tiny_graph(pictures: int = 1, *, quantization: dict[str, Any] | None = None, **how: Any) -> Graph:
    """A graph with every operation that is converted; ``how`` is of its first convolution."""
    graph = Graph(spread(pictures, 3, 9, 12))
    kernel = spread(3, 3, 3, 4)
    source = "picture" if how.get("same") else bordered(graph, "border", "picture")
    rows = turned(graph, "rows", source, TO_ROWS)
    one = leaky(graph, "one", turned(graph, "back", convolution(
        graph, "first", rows, kernel, quantization=quantization, **how), TO_CHANNELS))  # fmt: skip
    rows = turned(graph, "rows_of_border", bordered(graph, "nothing", one, -np.inf), TO_ROWS)
    value = largest(graph.values[rows], 3, 1)
    pool = {"ksize": whole(1, 3, 3, 1), "strides": whole(1, 1, 1, 1), "padding": text("VALID")}
    pooled = turned(graph, "pooled", graph.add("MaxPool", "pool", [rows], [value], **pool), TO_CHANNELS)
    axis = graph.known("axis", np.array(1))
    both = graph.add(
        "ConcatV2", "both", [one, pooled, axis], [np.concatenate([graph.values[one], value.transpose(TO_CHANNELS)], 1)]
    )
    _upscaled(graph, both)
    _ends(graph, both)
    return graph


def _upscaled(graph: Graph, both: str) -> None:
    """The whole in another size, with channels before rows around it, added to itself."""
    rows = turned(graph, "rows_of_both", both, TO_ROWS)
    size = graph.known("size", np.array([7, 5]))
    value = resized(graph.values[rows], 7, 5)
    how = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
    larger = turned(graph, "larger", graph.add("ResizeBilinear", "resize", [rows, size], [value], **how), TO_CHANNELS)
    twice = graph.add("Add", "twice", [larger, larger], [graph.values[larger] * 2])
    graph.out("Identity", twice)


def _ends(graph: Graph, both: str) -> None:
    """Channels split, some as probabilities, in a shape that is computed from what is known."""
    value = graph.values[both]
    graph.known("lengths", np.array([6, 2]))
    graph.add("SplitV", "split", [both, "lengths", "axis"], [value[:, :6], value[:, 6:]])
    graph.add("Sigmoid", "sigmoid", ["split"], [1 / (1 + np.exp(-value[:, :6]))])
    for name, source, channels in (("shares", "sigmoid", 6), ("raw", "split:1", 2)):
        graph.known(f"{name}/places", np.zeros((0, 1), dtype=np.int32))
        graph.known(f"{name}/length", np.array([3]))
        graph.known(f"{name}/values", np.zeros(0, dtype=np.int32))
        graph.known(f"{name}/default", np.array(0))
        graph.known(f"{name}/wanted", np.array([1, channels, -1]))
        sparse = [f"{name}/{part}" for part in ("places", "length", "values", "default")]
        graph.add("SparseToDense", f"{name}/zeros", sparse, [np.zeros(3, dtype=np.int32)])
        shape = graph.add("AddV2", f"{name}/shape", [f"{name}/wanted", f"{name}/zeros"], [np.array([1, channels, -1])])
        flat = graph.values[source].reshape(len(value), channels, -1)
        graph.add("Reshape", f"{name}/flat", [source, shape], [flat])
        graph.out(f"Identity_{channels}", turned(graph, f"{name}/cells", f"{name}/flat", (0, 2, 1)))
