"""The two files of a graph model, read and checked."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from igtool.errors import IntegrityError

Tensor = NDArray[Any]

_TYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1"}
_STORED = {"float16": "<f2", "uint8": "|u1", "uint16": "<u2"}
_MOST_NODES = 20_000
_MOST_NUMBERS = 1 << 28
"""Of one weight: 1 GiB in 32 bits."""


class Quantization(msgspec.Struct, frozen=True):
    """How a weight is stored: in half precision, or as small integers times ``scale`` plus ``min``."""

    dtype: str
    scale: float = 1.0
    min: float = 0.0


class Weight(msgspec.Struct, frozen=True):
    """A line of the list of weights."""

    name: str
    shape: list[int]
    dtype: str
    quantization: Quantization | None = None


class _Group(msgspec.Struct, frozen=True):
    weights: list[Weight]


class _Items(msgspec.Struct, frozen=True):
    i: list[int | str] = []


class _Dimension(msgspec.Struct, frozen=True):
    size: int | str = -1


class _Shape(msgspec.Struct, frozen=True):
    dim: list[_Dimension] = []

    def sizes(self) -> list[int]:
        return [int(each.size) for each in self.dim]


class Attribute(msgspec.Struct, frozen=True):
    """A value of an operation; 64-bit numbers come as text, and text comes in base64."""

    s: str | None = None
    i: int | str | None = None
    f: float | None = None
    b: bool | None = None
    list: _Items | None = None
    shape: _Shape | None = None


class Node(msgspec.Struct, frozen=True):
    """An operation: its name is also that of its first output."""

    name: str
    op: str
    input: list[str] = []
    attr: dict[str, Attribute] = {}

    def number(self, name: str, default: float = 0.0) -> float:
        """The attribute ``name`` with a fraction."""
        found = self.attr.get(name)
        return default if found is None or found.f is None else found.f

    def flag(self, name: str) -> bool:
        """The attribute ``name`` as yes or no."""
        found = self.attr.get(name)
        return bool(found and found.b)

    def text(self, name: str, default: str) -> str:
        """The attribute ``name`` as text."""
        found = self.attr.get(name)
        return default if found is None or found.s is None else base64.b64decode(found.s).decode("ascii")

    def numbers(self, name: str) -> list[int]:
        """The attribute ``name`` as whole numbers."""
        found = self.attr.get(name)
        return [int(each) for each in found.list.i] if found and found.list else []

    def shape(self) -> list[int]:
        """The shape of an input of the whole graph."""
        found = self.attr.get("shape")
        return found.shape.sizes() if found and found.shape else []


class _Topology(msgspec.Struct, frozen=True):
    node: list[Node]


class _Output(msgspec.Struct, frozen=True, rename="camel"):
    tensor_shape: _Shape = _Shape()


class _Signature(msgspec.Struct, frozen=True):
    outputs: dict[str, _Output] = {}


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    model_topology: _Topology
    weights_manifest: list[_Group]
    signature: _Signature = _Signature()


@dataclass(frozen=True)
class GraphModel:
    """The operations in an order in which they can be computed, the weights and the shapes of outputs by name."""

    nodes: Sequence[Node]
    weights: dict[str, Tensor]
    outputs: dict[str, list[int]]


def read(topology: bytes, weights: bytes) -> GraphModel:
    """The graph model of the JSON file ``topology`` and the file ``weights``.

    Raises IntegrityError for what is no graph model, or for weights that do not belong to it.
    """
    try:
        document = msgspec.json.decode(topology, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"the graph model cannot be read: {error}") from error
    nodes = document.model_topology.node
    if len(nodes) > _MOST_NODES:
        raise IntegrityError(f"the graph model has {len(nodes):,} operations, and {_MOST_NODES:,} are the most")
    listed = [weight for group in document.weights_manifest for weight in group.weights]
    outputs = {name.removesuffix(":0"): told.tensor_shape.sizes() for name, told in document.signature.outputs.items()}
    return GraphModel(nodes, _weights(listed, weights), dict(sorted(outputs.items())))


def _weights(listed: Sequence[Weight], content: bytes) -> dict[str, Tensor]:
    """The weights by name, as the graph computes with them."""
    found: dict[str, Tensor] = {}
    place = 0
    for weight in listed:
        kept = weight.quantization
        stored = _STORED.get(kept.dtype) if kept else _TYPES.get(weight.dtype)
        if stored is None or weight.dtype not in _TYPES:
            raise IntegrityError(f"the weight {weight.name!r:.80} of the graph model is of an unknown type")
        count = math.prod(weight.shape)
        if min(weight.shape, default=1) < 0 or count > _MOST_NUMBERS:
            raise IntegrityError(f"the weight {weight.name!r:.80} of the graph model has an impossible shape")
        end = place + count * np.dtype(stored).itemsize
        if end > len(content):
            raise IntegrityError(f"the weights of the graph model end before {weight.name!r:.80}")
        numbers = np.frombuffer(content, stored, count, place).reshape(weight.shape).astype(_TYPES[weight.dtype])
        if kept and (kept.scale, kept.min) != (1.0, 0.0):
            numbers = (numbers * np.float32(kept.scale) + np.float32(kept.min)).astype(_TYPES[weight.dtype])
        found[weight.name] = numbers
        place = end
    if place != len(content):
        raise IntegrityError(f"the weights of the graph model have {len(content) - place:,} bytes too many")
    return found
