"""Graph models of TensorFlow.js as ONNX: the same numbers, the same bytes each time, and a word for what is wrong."""

from __future__ import annotations

import builtins
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_graph_model import Graph, tiny_graph

from igtool.errors import ConfigError, IntegrityError
from igtool.graph_model import convert

TINY_SHA256 = "e132793318dda5e3e2c4ff3f3bc0416633b1588e28ce8def96ffe032f807503c"


def computed(content: bytes, picture: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """What ONNX Runtime makes of it."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, {"picture": picture}), strict=True))


def compare(graph: Graph, content: bytes) -> None:
    """Every output as numpy says, within what 32 bits allow."""
    found = computed(content, graph.values["picture"])
    assert found.keys() == graph.outputs.keys()
    for name, expected in graph.outputs.items():
        assert found[name].shape == expected.shape
        assert np.allclose(found[name], expected, rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"stride": 2},
        {"dilation": 2},
        {"same": True},
        {"same": True, "stride": 2},
        {"quantization": {"dtype": "float16"}},
        {"quantization": {"dtype": "uint8", "scale": 0.02, "min": -3.1}},
        {"quantization": {"dtype": "uint16", "scale": 0.0001, "min": -3.1}},
    ],
)
def test_the_numbers_are_those_of_the_graph_model(how: dict[str, Any]) -> None:
    """Borders, strides, gaps and stored precisions: what comes out is what the definitions of the operations say."""
    graph = tiny_graph(**how)
    compare(graph, convert(*graph.files()))


def test_several_pictures_at_once() -> None:
    """A graph for one picture takes three, and each has the numbers it has alone."""
    graph = tiny_graph(pictures=3)
    compare(graph, convert(*graph.files()))


def test_nothing_needless_is_left() -> None:
    """Layouts that cancel, borders and biases are joined: only what computes remains, with two turns at the ends."""
    counts = Counter(node.op_type for node in onnx.load_from_string(convert(*tiny_graph().files())).graph.node)
    assert (counts["Pad"], counts["Transpose"], counts["Add"], counts["Conv"]) == (0, 2, 1, 1)


def test_the_bytes_are_always_the_same() -> None:
    """The sum of what is made can be pinned: it depends on no version of a package and on no chance."""
    content = convert(*tiny_graph().files())
    assert convert(*tiny_graph().files()) == content
    assert hashlib.sha256(content).hexdigest() == TINY_SHA256


def changed(change: Callable[[dict[str, Any]], object]) -> tuple[bytes, bytes]:
    """The files of a graph model of which ``change`` altered the JSON."""
    topology, weights = tiny_graph().files()
    document = json.loads(topology)
    change(document)
    return json.dumps(document).encode(), weights


def node(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The operation ``name``."""
    found: dict[str, Any] = next(each for each in document["modelTopology"]["node"] if each["name"] == name)
    return found


def weight(document: dict[str, Any], place: int) -> dict[str, Any]:
    """An entry of the list of weights."""
    found: dict[str, Any] = document["weightsManifest"][0]["weights"][place]
    return found


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda it: node(it, "sigmoid").update(op="Erf"), ConfigError, r"cannot be converted: Erf \(sigmoid\)"),
        (lambda it: node(it, "first")["attr"].update(padding={"s": "RVhQTElDSVQ="}), ConfigError, "padding.*EXPLICIT"),
        (lambda it: node(it, "resize")["attr"].update(align_corners={"b": True}), ConfigError, "aligned corners"),
        (lambda it: node(it, "rows").update(input=["border", "picture"]), ConfigError, "has to be known"),
        (lambda it: node(it, "sigmoid").update(input=["nowhere"]), IntegrityError, "takes nowhere before it is there"),
        (lambda it: it["modelTopology"]["node"].reverse(), IntegrityError, "before it is there"),
        (lambda it: it["signature"].update(outputs={}), IntegrityError, "what it says comes out"),
        (lambda it: weight(it, 0).update(shape=[-4, -2]), IntegrityError, "impossible shape"),
        (lambda it: weight(it, 0).update(shape=[1 << 40]), IntegrityError, "impossible shape"),
        (lambda it: weight(it, 0).update(dtype="string"), IntegrityError, "unknown type"),
        (lambda it: weight(it, 0).update(shape=[5, 2]), IntegrityError, "end before"),
        (lambda it: weight(it, 0).update(shape=[2, 2]), IntegrityError, "16 bytes too many"),
        (lambda it: it.pop("modelTopology"), IntegrityError, "modelTopology"),
        (lambda it: it["modelTopology"].update(node=[{}] * 3), IntegrityError, "cannot be read"),
        (lambda it: node(it, "rows/perm").update(name="lost"), IntegrityError, "does not fit together"),
        (
            lambda it: it["modelTopology"].update(node=[{"name": "n", "op": "Relu"}] * 20_001),
            IntegrityError,
            "20,000 are the most",
        ),
    ],
)
def test_what_is_wrong_is_told(change: Callable[[dict[str, Any]], object], kind: type[Exception], words: str) -> None:
    """What is not known is a matter of configuration and named; what does not fit together is damage."""
    with pytest.raises(kind, match=words):
        convert(*changed(change))


def test_what_is_no_graph_model() -> None:
    """Any other bytes are refused, whatever they are."""
    for topology in (b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"modelTopology": {"node": 3}}'):
        with pytest.raises(IntegrityError):
            convert(topology, b"")


def test_without_the_package_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that brings it is named."""
    original = builtins.__import__

    def refusing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(ConfigError, match=r"igtool\[vision\]"):
        convert(*tiny_graph().files())
