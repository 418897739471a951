"""A tiny tower whose vectors can be told by hand: the colours of a picture's four quarters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from igtool import models
from igtool.model_entries import Model
from igtool.vision.prompts import PromptVectors
from igtool.vision.tower import INPUT, KIND, NOTED, OUTPUT, Manifest, prompts_path, towers_model

Vector = np.ndarray[Any, Any]
SIZE, DIMENSION = 16, 13
WEIGHTS = "5e" * 32
_GREY, _ALWAYS = 127.5, 0.05
"""Colours are told from grey; a picture of grey alone has a vector too."""


def write_tower(
    folder: Path,
    prompts: Mapping[str, Vector] | None = None,
    *,
    name: str = "tiny-tower",
    also: Iterable[str] = (),
    scale: float = 50.0,
    bias: float = 0.0,
) -> str:
    """Put a tower into the folder of models, where `Tower.open` finds it; gives what it has as ``model``.

    ``prompts``: vectors of texts, of any length (`colour`, `halves`); ``also``: texts that get a vector which fits no
    picture. With none of both there is no file of prompts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = tiny_tower(folder / f"{name}.onnx")
    content = path.read_bytes()
    told: dict[str, Any] = {
        "kind": KIND,
        "licence": "MIT",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }
    models.note(Model(name, path.name, **told), folder)
    vectors: dict[str, Vector | None] = dict.fromkeys(also) | dict(prompts or {})
    if vectors:
        write_prompts(path, vectors, scale=scale, bias=bias)
    return str(towers_model(folder, name))


def write_prompts(
    tower: Path,
    vectors: Mapping[str, Vector | None],
    *,
    scale: float = 50.0,
    bias: float = 0.0,
    weights: str = WEIGHTS,
) -> Path:
    """Write the vectors of texts beside ``tower``; a text with None gets one that fits no picture."""
    nothing = np.zeros(DIMENSION, dtype=np.float32)
    nothing[-1] = -1
    rows = np.stack([nothing if vector is None else vector for vector in vectors.values()]).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    texts = {text: row for row, text in enumerate(vectors)}
    PromptVectors(texts, rows, scale, bias, weights, "tiny").write(prompts_path(tower))
    return prompts_path(tower)


def colour(red: int, green: int, blue: int) -> Vector:
    """The vector of a picture of one colour, 0 to 255."""
    return halves((red, green, blue), (red, green, blue))


def halves(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Vector:
    """The vector of a picture whose upper and lower half have one colour each."""
    parts = [[top, top, bottom, bottom] for top, bottom in zip(upper, lower, strict=True)]
    vector = np.append((np.array(parts, dtype=np.float32).reshape(-1) - _GREY) / 255, np.float32(_ALWAYS))
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def tiny_tower(path: Path, **how: Any) -> Path:
    """Write the ONNX file alone.

    ``how``: ``noted``: what its metadata tell instead of the truth (None: nothing), ``factor`` by which vectors are
    multiplied, ``taken``: the type of pictures, ``rank``: axes of what comes out, and fields of the `Manifest`.
    """
    manifest = Manifest(**{"size": SIZE, "dimension": DIMENSION, "weights": WEIGHTS, **how.get("fields", {})})
    noted = how.get("noted", msgspec.json.encode(manifest).decode())
    shape = ["pictures", SIZE, SIZE, 3]
    given = helper.make_tensor_value_info(INPUT, how.get("taken", TensorProto.UINT8), shape)
    after: list[int | str] = ["pictures", DIMENSION, 1][: how.get("rank", 2)]
    told = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, after)
    pads = np.array([0, 0, 0, 1])
    known = {"grey": np.float32(_GREY), "whole": np.float32(255), "always": np.float32(_ALWAYS), "pads": pads}
    known |= {"factor": np.float32(how.get("factor", 1)), "last": np.array([-1])}
    nodes = [
        helper.make_node("Cast", [INPUT], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["quarters"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["quarters"], ["row"]),
        helper.make_node("Sub", ["row", "grey"], ["centred"]),
        helper.make_node("Div", ["centred", "whole"], ["scaled"]),
        helper.make_node("Pad", ["scaled", "pads", "always"], ["padded"]),
        helper.make_node("LpNormalization", ["padded"], ["unit"], axis=1, p=2),
        helper.make_node("Mul", ["unit", "factor"], ["long"]),
        helper.make_node("Unsqueeze", ["long", "last"], [OUTPUT])
        if how.get("rank") == 3
        else helper.make_node("Identity", ["long"], [OUTPUT]),
    ]
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in known.items()]
    graph = helper.make_graph(nodes, "tiny", [given], [told], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if noted is not None:
        helper.set_model_props(model, {NOTED: noted})
    onnx.save(model, path)
    return path
