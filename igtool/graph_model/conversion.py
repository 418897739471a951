"""From the two files of a graph model to the bytes of an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np

from igtool.errors import ConfigError, IntegrityError
from igtool.graph_model.operations import folded, translate
from igtool.graph_model.reading import GraphModel, read
from igtool.graph_model.steps import Step, Steps
from igtool.graph_model.tidying import tidy

_OPSET, _FORMAT = 18, 8
"""Versions of the operations and of the file format: those of ONNX 1.13, which every later runtime reads."""
_FOREIGN = (ValueError, TypeError, IndexError, KeyError)
"""What numpy says of shapes that do not fit each other."""


def convert(topology: bytes, weights: bytes) -> bytes:
    """The ONNX file of the graph model whose JSON file is ``topology`` and whose weights are ``weights``.

    Its inputs and outputs have the names of the graph model, and any number of pictures goes in at once. Raises
    ConfigError for an operation that is not known and where the package onnx is missing, IntegrityError for damaged
    files.
    """
    model = read(topology, weights)
    try:
        made = _translated(model)
        tidy(made)
    except _FOREIGN as error:
        raise IntegrityError(f"the graph model does not fit together: {error}") from error
    return _written(made)


def _translated(model: GraphModel) -> Steps:
    """All operations in ONNX; those whose inputs are known beforehand are computed."""
    made = Steps(outputs=model.outputs)
    there: set[str] = set()
    for node in model.nodes:
        inputs = [name.removesuffix(":0") for name in node.input if not name.startswith("^")]
        missing = [name for name in inputs if name not in there and name not in made.constants]
        if missing:
            raise IntegrityError(f"the graph model takes {missing[0]:.80} before it is there ({node.name:.80})")
        if node.op == "Const":
            made.constants[node.name] = model.weights[node.name]
            continue
        known = [made.constants[name] for name in inputs if name in made.constants]
        value = folded(node, known) if inputs and len(known) == len(inputs) else None
        if value is not None:
            made.constants[node.name] = value
            continue
        before = len(made.steps)
        translate(node, inputs, made)
        there.update(made.inputs, *(step.outputs for step in made.steps[before:]))
    if not made.outputs or not there.issuperset(made.outputs):
        raise IntegrityError("the graph model does not make what it says comes out of it")
    return made


def _written(made: Steps) -> bytes:
    """The bytes of the ONNX file. What the package onnx would choose by its own version is told to it."""
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as error:
        raise ConfigError(
            "converting a graph model needs the package onnx: `pip install 'igtool[vision]'`, then again"
        ) from error
    types = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
    constants = []
    for name, value in made.constants.items():
        wide = value.astype("<i8") if value.dtype.kind == "i" else np.ascontiguousarray(value)
        constants.append(helper.make_tensor(name, types[wide.dtype.kind], value.shape, wide.tobytes(), raw=True))
    nodes = [helper.make_node(step.op, step.inputs, step.outputs, **_loose(step)) for step in made.steps]
    inputs, outputs = (
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pictures", *shape[1:]])
            for name, shape in end.items()
        ]
        for end in (made.inputs, made.outputs)
    )
    graph = helper.make_graph(nodes, "graph_model", inputs, outputs, constants)
    versions = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=_FORMAT, producer_name="igtool")
    try:
        checker.check_model(model)
    except checker.ValidationError as error:
        raise IntegrityError(f"the graph model gives no valid ONNX file: {error}") from error
    return bytes(model.SerializeToString(deterministic=True))


def _loose(step: Step) -> dict[str, Any]:
    """The attributes as the package onnx declares its parameters."""
    return dict(step.attributes)
