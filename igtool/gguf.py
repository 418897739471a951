"""The header of a GGUF model file, read and checked before any native code sees the file.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any

from igtool.errors import ConfigError
from igtool.files import storage_error

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_TENSORS = 100_000
_MOST_ENTRIES = 100_000
_MOST_ITEMS = 1 << 22
"""Of one list; the largest vocabularies have some 300,000 tokens."""
_LONGEST_TEXT = 1 << 24
_MOST_DIMENSIONS = 4
_PROJECTOR = "clip"
_MOST_LAYERS, _MOST_CONTEXT = 1_000, 1 << 28
_OF_PROJECTOR = {"block_count": _MOST_LAYERS, "attention.head_count": 1_000, "image_size": 16_384, "patch_size": 1_024}
_ALIGNMENT = 32

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9

_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""By type of tensor: numbers a block, bytes a block. A newer type is left to the engine."""

_SPECIAL = frozenset({2, 3, 4})
"""Types of tokens that an engine may recognise inside a text: unknown, control, defined by the user."""
_LOOKS_SPECIAL = re.compile(
    r"<[|｜].+[|｜]>|</?s>|<(?:start|end)_of_[a-z_]+>|\[/?[A-Z_]+\]|<[^<>\s]*(?:EOT|eot_id|im_end)[^<>\s]*>"
)
"""Engines take such tokens for control tokens although a file calls them plain."""


@dataclass(frozen=True)
class Header:
    """What a model file says of itself. ``metadata`` holds plain values and lists by their names."""

    version: int
    tensors: int
    metadata: Mapping[str, Any]

    @property
    def context_tokens(self) -> int | None:
        """The longest text the model was trained on, in tokens."""
        found = self.metadata.get(f"{self.metadata['general.architecture']}.context_length")
        return found if isinstance(found, int) and found > 0 else None

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The texts that the engine takes for control tokens wherever they stand, longest first."""
        texts = self._items("tokenizer.ggml.tokens", str)
        types = self._items("tokenizer.ggml.token_type", int)
        special = {
            text
            for text, kind in zip_longest(texts, types[: len(texts)])
            if (kind in _SPECIAL or _LOOKS_SPECIAL.fullmatch(text)) and len(text.strip()) > 1
        }
        return tuple(sorted(special, key=lambda text: (-len(text), text)))

    def _items(self, name: str, kind: type) -> list[Any]:
        """The list ``name``; empty where it is missing or holds anything else than ``kind``."""
        found = self.metadata.get(name)
        return found if isinstance(found, list) and all(isinstance(item, kind) for item in found) else []


def read_header(path: Path, *, is_projector: bool = False) -> Header:
    """The header of the model file ``path``, with every length and place in it checked against the file.

    ``is_projector``: it is not a language model, but what makes tokens of pictures for one.

    Raises ConfigError for what is no GGUF file, a cut-off one, one of a version or kind that cannot be run; and
    StorageError for a file that may not be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < len(_MAGIC):
                raise _unusable(path, "it is empty" if not size else "it is no GGUF file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _read(_Reader(content, size), _check_projector if is_projector else _check_sizes)
    except _NotGguf as error:
        raise _unusable(path, str(error)) from error
    except FileNotFoundError as error:
        raise ConfigError(f"there is no model file {path}: see `igtool models list`") from error
    except OSError as error:
        raise storage_error(error, path) from error


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} cannot be used as a model: {why}. Get the file again, then `igtool models add PATH`")


class _NotGguf(Exception):  # noqa: N818 - becomes a ConfigError with the file's name
    """Why a file is no model that can be run."""


class _Reader:
    """Reads values one after the other, never past the end."""

    def __init__(self, content: mmap.mmap, size: int) -> None:
        self._content = content
        self.size = size
        self.place = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self.place + count
        if end > self.size:
            raise _NotGguf("it ends in the middle of its header, so the copy is not complete")
        found = self._content[self.place : end]
        self.place = end
        return found

    def number(self, form: str) -> Any:
        """The next number, of the form of `struct`."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))[0]

    def text(self) -> str:
        """The next text; what is not UTF-8 in it is replaced."""
        length = self.number("Q")
        if length > _LONGEST_TEXT:
            raise _NotGguf("a text in its header is impossibly long")
        return self.take(length).decode("utf-8", "replace")

    def value(self) -> Any:
        """The next value of the metadata, after its type."""
        kind = self.number("I")
        if kind == _TEXT:
            return self.text()
        if kind == _LIST:
            return self._items()
        return self.number(self._form(kind))

    def _items(self) -> list[Any]:
        kind, count = self.number("I"), self.number("Q")
        if count > _MOST_ITEMS:
            raise _NotGguf("a list in its header is impossibly long")
        if kind == _TEXT:
            return [self.text() for _ in range(count)]
        form = f"<{count}{self._form(kind)}"
        return list(struct.unpack(form, self.take(struct.calcsize(form))))

    @staticmethod
    def _form(kind: int) -> str:
        if kind not in _SCALARS:
            raise _NotGguf("its header holds a value of an unknown type")
        return _SCALARS[kind]


def _read(reader: _Reader, check: Callable[[Mapping[str, Any]], None]) -> Header:
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise _NotGguf("it is no GGUF file")
    version = reader.number("I")
    if version not in _VERSIONS:
        wanted = " and ".join(map(str, _VERSIONS))
        raise _NotGguf(f"it is of version {version} of the format, and {wanted} are understood")
    tensors, entries = reader.number("Q"), reader.number("Q")
    if tensors > _MOST_TENSORS or entries > _MOST_ENTRIES:
        raise _NotGguf("its header counts impossibly many parts")
    metadata = {reader.text(): reader.value() for _ in range(entries)}
    if not isinstance(metadata.get("general.architecture"), str):
        raise _NotGguf("it does not say what kind of model it is")
    parts = metadata.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        raise _NotGguf(f"it is one of {parts} parts; a model in one file is needed")
    check(metadata)
    _check_tensors(reader, tensors, metadata.get("general.alignment", _ALIGNMENT))
    return Header(version, tensors, metadata)


def _check_sizes(metadata: Mapping[str, Any]) -> None:
    """Raises for numbers that end the engine, and with it this process, instead of being refused by it."""
    kind = metadata["general.architecture"]
    for name, most in (("block_count", _MOST_LAYERS), ("context_length", _MOST_CONTEXT)):
        found = metadata.get(f"{kind}.{name}")
        if not isinstance(found, int) or not 1 <= found <= most:
            raise _NotGguf(f"it is no language model: {name} is {found!r:.20}")
    if metadata.get(f"{kind}.expert_count") and not metadata.get(f"{kind}.expert_used_count"):
        raise _NotGguf("it has experts and does not say how many are used")


def _check_projector(metadata: Mapping[str, Any]) -> None:
    """Raises for what makes no tokens of pictures, and for numbers that end the engine."""
    if metadata["general.architecture"] != _PROJECTOR:
        raise _NotGguf("it is no projector for pictures (a file mmproj-….gguf)")
    for name, most in _OF_PROJECTOR.items():
        found = metadata.get(f"{_PROJECTOR}.vision.{name}")
        if not isinstance(found, int) or not 1 <= found <= most:
            raise _NotGguf(f"it is no projector for pictures: {name} is {found!r:.20}")


def _check_tensors(reader: _Reader, count: int, alignment: Any) -> None:
    """Raises where a tensor would not lie within the file."""
    if not count:
        raise _NotGguf("it holds no weights")
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise _NotGguf("its alignment is no power of two")
    needed = 0
    for _ in range(count):
        reader.text()
        dimensions = reader.number("I")
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise _NotGguf("a tensor in it has an impossible shape")
        shape = [reader.number("Q") for _ in range(dimensions)]
        kind, offset = reader.number("I"), reader.number("Q")
        if min(shape) < 1 or offset % alignment:
            raise _NotGguf("a tensor in it has an impossible shape or place")
        numbers, size = _BLOCKS.get(kind, (1, 0))
        if shape[0] % numbers:
            raise _NotGguf("a tensor in it has an impossible shape")
        needed = max(needed, offset + prod(shape) // numbers * size)
    whole = -(-reader.place // alignment) * alignment + needed
    if whole > reader.size:
        raise _NotGguf(f"only {reader.size:,} of its {whole:,} bytes are there, so the copy is not complete")
