"""A tiny real encoder as a folder: token vectors that a matrix mixes, over a vocabulary of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

DIMENSION = 16
WORDS = ("query", "passage", "street", "food", "football", "goals", "makeup", "skincare", "travel", "beach", "music")
MANIFEST = f'name = "tiny"\ndimension = {DIMENSION}\nmax_tokens = 12\n'


def tiny_encoder(folder: Path, manifest: str = MANIFEST, *, quantized: bool = False, seed: int = 1) -> Path:
    """A folder with the three files; ``quantized``: dynamically, in 8 bits."""
    folder.mkdir(parents=True, exist_ok=True)
    words = Tokenizer(WordLevel({"[UNK]": 0} | {word: at for at, word in enumerate(WORDS, 1)}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.save(str(folder / "tokenizer.json"))
    onnx.save(_model(seed), folder / "model.onnx")
    if quantized:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(folder / "model.onnx", folder / "model.onnx")
    (folder / "encoder.toml").write_text(manifest, encoding="utf-8")
    return folder


def _model(seed: int) -> onnx.ModelProto:
    """Vectors of tokens, from the vector of each and the masked mean of all, so that padding would show."""
    numbers = np.random.default_rng(seed)
    table = numpy_helper.from_array(numbers.normal(size=(len(WORDS) + 1, DIMENSION)).astype(np.float32), "table")
    mixing = numpy_helper.from_array(numbers.normal(size=(DIMENSION, DIMENSION)).astype(np.float32), "mixing")
    last = numpy_helper.from_array(np.array([-1], dtype=np.int64), "last")
    second = numpy_helper.from_array(np.array([1], dtype=np.int64), "second")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["tokens", "column"], ["shown"]),
        helper.make_node("ReduceSum", ["shown", "second"], ["sum"]),
        helper.make_node("Add", ["shown", "sum"], ["joined"]),
        helper.make_node("MatMul", ["joined", "mixing"], ["mixed"]),
        helper.make_node("Tanh", ["mixed"], ["last_hidden_state"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", DIMENSION])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], [table, mixing, last, second])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
