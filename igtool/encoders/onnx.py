"""Any encoder that is a folder: ``model.onnx``, ``tokenizer.json`` and ``encoder.toml`` (docs/embeddings.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from igtool.encoders.base import Encoder, EncoderOptions, Vectors, unit
from igtool.errors import ConfigError, IntegrityError
from igtool.inference import NoCudaError, load

_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_QUANTIZED = b"DynamicQuantizeLinear"
_BATCH_TOKENS = 4096
_RANK_OF_TOKENS = 3


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``encoder.toml``: how texts go into the model, and what comes out.

    ``pooling``: ``mean`` or ``cls`` of the vectors of tokens, or ``none`` where the model gives one vector a text.
    ``output``: the name of the model's output, by default its first. ``sha256``: of model.onnx.
    """

    name: str
    dimension: int
    pooling: Literal["mean", "cls", "none"] = "mean"
    normalize: bool = True
    max_tokens: int = 256
    query_prefix: str = ""
    document_prefix: str = ""
    output: str | None = None
    version: str | None = None
    sha256: str | None = None


class Onnx(Encoder):
    """A model of ONNX Runtime, on the processor or on CUDA.

    ``model`` is ``onnx/NAME@VERSION+SHA``, the last the beginning of the SHA-256 of model.onnx and of what
    encoder.toml says of the model: who changes any of it has another model.

    A text has the same vector in any batch. A model that is quantised dynamically measures the range of whatever it is
    given, so a neighbour or padding changes all numbers: such a model is given one text at a time, and threads work
    side by side. Others get texts of about equal length together, the padding of which is masked. Raises ConfigError
    for a folder that is no encoder, IntegrityError where model.onnx is not what encoder.toml says.
    """

    family: ClassVar[str] = "onnx"

    def __init__(self, options: EncoderOptions | None = None) -> None:
        super().__init__(options)
        self._folder = self.options.folder
        self._manifest = _manifest(self._folder / "encoder.toml")
        content = _content(self._folder / "model.onnx")
        digest = hashlib.sha256(content).hexdigest()
        if self._manifest.sha256 not in (None, digest):
            raise IntegrityError(
                f"{self._folder / 'model.onnx'} is not the file that encoder.toml names (SHA-256 {digest}): "
                "get it again, or mend `sha256` if it was changed on purpose"
            )
        self._alone = _QUANTIZED in content and self.options.device == "cpu"
        self.dimension = self._manifest.dimension
        known = hashlib.sha256(digest.encode() + msgspec.json.encode(self._manifest)).hexdigest()[:12]
        version = f"@{self._manifest.version}" if self._manifest.version else ""
        self.model = f"{self.family}/{self._manifest.name}{version}+{known}"

    def embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        """Vectors of shape (len(texts), dimension)."""
        prefix = self._manifest.query_prefix if is_query else self._manifest.document_prefix
        encodings = self._tokenizer.encode_batch([prefix + text for text in texts])
        batches = _batches([len(encoding.ids) for encoding in encodings], 1 if self._alone else _BATCH_TOKENS)
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)

        def fill(rows: list[int]) -> None:
            vectors[rows] = self._run([encodings[row] for row in rows])

        with ThreadPoolExecutor(self.options.threads if self.options.device == "cpu" else 1) as pool:
            for _ in pool.map(fill, batches):
                pass
        return unit(vectors) if self._manifest.normalize else vectors

    def _run(self, encodings: Sequence[Any]) -> Any:
        """Pooled vectors of one batch."""
        longest = max(len(encoding.ids) for encoding in encodings)
        inputs = {
            name: np.array([_padded(getattr(encoding, field), longest) for encoding in encodings], dtype=np.int64)
            for name, field in (
                ("input_ids", "ids"),
                ("attention_mask", "attention_mask"),
                ("token_type_ids", "type_ids"),
            )
        }
        session, output, names = self._session
        (found,) = session.run([output], {name: inputs[name] for name in names})
        found = np.asarray(found, dtype=np.float32)
        if self._manifest.pooling == "cls":
            found = found[:, 0]
        elif self._manifest.pooling == "mean":
            mask = inputs["attention_mask"][:, :, None].astype(np.float32)
            found = (found * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1e-9)
        if found.shape[1:] != (self.dimension,):
            raise self._wrong(f"gives vectors of {found.shape[-1]} numbers, encoder.toml says {self.dimension}")
        if not np.isfinite(found).all():
            raise self._wrong("gives numbers that are none (NaN): it is damaged, or not for this device")
        return found

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"the encoder {self._folder / 'model.onnx'} {what}")

    @cached_property
    def _tokenizer(self) -> Any:
        path = self._folder / "tokenizer.json"
        _content(path)
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the package raises nothing narrower
            raise ConfigError(f"{path} is no tokenizer that the package tokenizers reads: {error}") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._manifest.max_tokens)
        return tokenizer

    @cached_property
    def _session(self) -> tuple[Any, str, list[str]]:
        """The loaded model, the name of its output, and the names of its inputs."""
        try:
            # One thread a text: threads work on texts side by side.
            session = load(self._folder / "model.onnx", self.options.device, 1, "the encoder")
        except NoCudaError as error:
            raise ConfigError(f"encoder_device is cuda, and {error}; or set encoder_device to cpu") from error
        names = [each.name for each in session.get_inputs()]
        if unknown := set(names) - _INPUTS:
            raise self._wrong(f"wants inputs that no tokenizer gives: {', '.join(sorted(unknown))}")
        return session, self._output(session), names

    def _output(self, session: Any) -> str:
        """The name of the output that encoder.toml means, which has to fit its pooling."""
        there = {each.name: each for each in session.get_outputs()}
        name = self._manifest.output or next(iter(there))
        if name not in there:
            raise self._wrong(f"has no output {name!r}; there are: {', '.join(there)}")
        if (len(there[name].shape) == _RANK_OF_TOKENS) == (self._manifest.pooling == "none"):
            raise self._wrong(
                f"gives {there[name].shape} as {name}, which pooling = {self._manifest.pooling!r} is not for"
            )
        return str(name)


def _manifest(path: Path) -> Manifest:
    try:
        return msgspec.toml.decode(_content(path), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} does not describe an encoder: {error}; see docs/embeddings.md") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the encoder onnx has no {path} ({error.strerror}): set encoder_folder to a folder with model.onnx, "
            "tokenizer.json and encoder.toml; see docs/embeddings.md"
        ) from error


def _batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Rows in batches of at most ``most_tokens`` tokens with padding, at least one row each; the longest first."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= most_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def _padded(values: Sequence[int], length: int) -> list[int]:
    return [*values, *[0] * (length - len(values))]
