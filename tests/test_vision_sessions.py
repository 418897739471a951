"""Models of pictures are opened with the right bytes, on the device that is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from tiny_detector import tiny_detector

from igtool import inference
from igtool.errors import ConfigError, IntegrityError
from igtool.model_files import AddOptions, add
from igtool.vision.sessions import open_session


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A detector that was added to a folder of models."""
    given = tiny_detector(tmp_path / "tiny.onnx", {"scores": np.arange(4, dtype=np.float32)})
    (tmp_path / "models").mkdir()
    model, _ = add(str(given), tmp_path / "models", AddOptions(kind="detector", family="yolox"))
    return model.path(tmp_path / "models")


def test_a_session_tells_what_goes_in_and_comes_out(path: Path) -> None:
    """Names, shapes and types; what comes out is found by its name."""
    session = open_session(path, device="cpu", threads=1)
    assert (session.device, session.fallback) == ("cpu", None)
    assert session.inputs == {"images": (None, 3, 64, 64)}
    assert session.types == {"images": np.dtype(np.float32)}
    assert session.outputs == {"scores": (None, 4)}
    found = session.run({"images": np.zeros((2, 3, 64, 64), np.float32)})
    assert found["scores"].tolist() == [[0, 1, 2, 3]] * 2


def test_a_graphics_card_that_is_not_there(path: Path) -> None:
    """Wished for, it is told why the processor is used; wished for only if there is one, nothing is."""
    wished = open_session(path, device="cuda")
    assert wished.device == "cpu"
    assert "tiny.onnx runs on the processor: this ONNX Runtime has no CUDA" in str(wished.fallback)
    assert (open_session(path, device="auto").device, open_session(path).fallback) == ("cpu", None)


def test_a_graphics_card_that_cannot_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX Runtime for CUDA on a machine without: nothing is printed, the reason is told, the processor is used."""
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("no libcudnn"))  # noqa: T201 - as it does
    made = onnxruntime.InferenceSession

    def start(*given: object, providers: list[str], **more: object) -> object:
        if providers == ["CUDAExecutionProvider"]:
            raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient")
        return made(*given, providers=providers, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", start)
    session = open_session(path, device="cuda")
    assert (session.device, "a graphics card, its driver" in str(session.fallback)) == ("cpu", True)
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *given, **more: made(str(path)))
    with pytest.raises(inference.NoCudaError, match="could not be used"):
        inference.load(path, "cuda", 1, "the model")


def test_other_bytes_are_damage(path: Path) -> None:
    """A file that is not the one that was added is not opened, and the commands that get it again are named."""
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"!")
    with pytest.raises(IntegrityError, match=r"SHA-256.*igtool models remove tiny`, then `igtool models add PATH`"):
        open_session(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x08\x08\x12\x06igtool"])
def test_a_broken_file(tmp_path: Path, content: bytes) -> None:
    """It is named with what to do."""
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.onnx does not load.*`igtool models add PATH`"):
        open_session(tmp_path / "broken.onnx", device="cpu")


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    """The command that gets it is named, by its own name if it is known."""
    with pytest.raises(ConfigError, match=r"no model file .*own\.onnx: `igtool models add PATH`"):
        open_session(tmp_path / "own.onnx")
    with pytest.raises(ConfigError, match=r"no model file .*nanodet\.onnx: `igtool models add nanodet`"):
        open_session(tmp_path / "nanodet.onnx")


def test_a_known_file_with_other_bytes(tmp_path: Path) -> None:
    """A model of the shipped list is held to its sum wherever it lies."""
    tiny_detector(tmp_path / "nanodet.onnx", {"scores": np.zeros(4, np.float32)})
    with pytest.raises(IntegrityError, match="`igtool models remove nanodet`, then `igtool models add nanodet`"):
        open_session(tmp_path / "nanodet.onnx")


def test_weights_in_another_file(tmp_path: Path) -> None:
    """What newer exporters do by default is named as the reason."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["images", "weight"], ["scores"])],
        "split",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 600])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 600])],
        [helper.make_tensor("weight", TensorProto.FLOAT, [600], np.ones(600, np.float32).tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="split.data")
    (tmp_path / "split.data").unlink()
    with pytest.raises(ConfigError, match="Its weights lie in another file: export it as one file"):
        open_session(tmp_path / "split.onnx", device="cpu")


def test_inputs_that_do_not_fit(path: Path) -> None:
    """What the model does not take is told with its file."""
    with pytest.raises(ConfigError, match=r"tiny\.onnx does not run"):
        open_session(path, device="cpu").run({"images": np.zeros((2, 1, 64, 64), np.float32)})


def test_a_list_that_names_the_file_twice(path: Path) -> None:
    """The user's own entry counts."""
    shipped = {"kind": "detector", "family": "dfine", "file": "tiny.onnx", "sha256": "0" * 64}
    lines = [f"{name} = {json.dumps(value)}" for name, value in shipped.items()]
    (path.parent / "models.toml").write_text("\n".join(["[other]", *lines]))
    assert open_session(path, device="cpu").path == path
