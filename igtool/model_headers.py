"""Whether a model file is what its name says, told cheaply and before any native code sees it."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from pathlib import Path

from igtool.errors import ConfigError
from igtool.files import storage_error
from igtool.gguf import read_header

_TFLITE, _TFLITE_AT = b"TFL3", 4
_SMALLEST_TFLITE = 32
_GRAPH, _VERSION = 7, 1
"""Fields of an ONNX file: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, ModelProto."""
_NEWEST_VERSION = 100
_MOST_FIELDS = 10_000
_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_NUMBER = 10


def check_header(path: Path, name: str) -> None:
    """Read the beginning, and of an ONNX file the structure, of ``path``, which is to be called ``name``.

    Raises ConfigError for what is no model of the form that ``name`` ends with, or a cut-off one; StorageError.
    """
    if name.endswith(".gguf"):
        read_header(path)
        return
    check: Callable[[mmap.mmap], str | None] = _tflite_fault if name.endswith(".tflite") else _onnx_fault
    try:
        with path.open("rb") as file:
            fault: str | None = "it is empty"
            if file.seek(0, 2):
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    fault = check(content)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no model file {path}: see `igtool models list`") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if fault:
        raise ConfigError(
            f"{path} cannot be used as {name}: {fault}. Get the file again, then `igtool models add PATH`"
        )


def _tflite_fault(content: mmap.mmap) -> str | None:
    if len(content) < _SMALLEST_TFLITE or content[_TFLITE_AT : _TFLITE_AT + len(_TFLITE)] != _TFLITE:
        return "it is no TensorFlow Lite file"
    if int.from_bytes(content[:_TFLITE_AT], "little") > len(content) - _TFLITE_AT:
        return "its root lies outside of it, so the copy is not complete"
    return None


def _onnx_fault(content: mmap.mmap) -> str | None:
    """Walk over the fields of the whole, which fill the file exactly, and look for a graph among them."""
    place, fields, version = 0, set(), 0
    for _ in range(_MOST_FIELDS):
        if place == len(content):
            break
        try:
            tag, place = _number(content, place)
            field, form = tag >> 3, tag & 7
            if form in (_NUMBER, _BYTES):
                value, place = _number(content, place)
                version = value if field == _VERSION else version
                place += value if form == _BYTES else 0
            elif form in (_EIGHT_BYTES, _FOUR_BYTES):
                place += 8 if form == _EIGHT_BYTES else 4
            else:
                return "it is no ONNX file"
        except ValueError:
            return "it is no ONNX file"
        fields.add(field)
        if place > len(content):
            whole = _GRAPH in fields and 1 <= version <= _NEWEST_VERSION
            return f"only {len(content):,} of its {place:,} bytes are there" if whole else "it is no ONNX file"
    if _GRAPH not in fields or not 1 <= version <= _NEWEST_VERSION:
        return "it is no ONNX file"
    return None


def _number(content: mmap.mmap, place: int) -> tuple[int, int]:
    """The number of variable length at ``place``, and the place after it."""
    value = 0
    for length, byte in enumerate(content[place : place + _LONGEST_NUMBER]):
        value |= (byte & 0x7F) << (7 * length)
        if byte < 0x80:
            return value, place + length + 1
    raise ValueError("no number")
