"""ONNX models of pictures, opened: the right bytes, on the device that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igtool import models
from igtool.errors import ConfigError, IntegrityError
from igtool.inference import Device, NoCudaError, load

Wish = Literal["auto", "cpu", "cuda"]
"""``auto``: CUDA if it is there."""
Tensor = NDArray[Any]

_TYPES = {"tensor(float)": "f4", "tensor(float16)": "f2", "tensor(uint8)": "u1"}
_WORDS = 500


@dataclass(frozen=True)
class Session:
    """A model that is loaded.

    ``inputs`` and ``outputs``: shapes by name, None for any number. ``types``: of the inputs. ``device``: what it runs
    on. ``fallback``: why not on the device that was wished for, to be said to the user. ``engine``: the session of
    ONNX Runtime, for what is not done here.
    """

    path: Path
    device: Device
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    types: Mapping[str, np.dtype[Any]]
    engine: Any
    fallback: str | None = None

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The ``outputs``, by default all, by name. Raises ConfigError naming the file for inputs it does not take."""
        names = list(outputs or self.outputs)
        try:
            found = self.engine.run(names, dict(inputs))
        except Exception as error:  # ONNX Runtime's exceptions have no common class but this one
            raise ConfigError(f"the model {self.path} does not run: {error!s:.{_WORDS}}") from error
        return dict(zip(names, found, strict=True))


def open_session(path: Path, *, device: Wish = "auto", threads: int = 2) -> Session:
    """The model of the file ``path``, checked and loaded.

    Where CUDA is wished for and is not there the processor is used, and ``fallback`` tells why. Raises IntegrityError
    for other bytes than the lists of models beside the file name, ConfigError for a file that is missing or broken.
    """
    fix = _checked(path)
    wanted: Device = "cpu" if device == "cpu" else "cuda"
    fallback = None
    try:
        try:
            engine = load(path, wanted, threads, "the model")
        except NoCudaError as error:
            wanted = "cpu"
            fallback = f"{path.name} runs on the processor: {error}" if device == "cuda" else None
            engine = load(path, wanted, threads, "the model")
    except ConfigError as error:
        outside = ". Its weights lie in another file: export it as one file" if "external" in str(error).lower() else ""
        raise ConfigError(f"{error}{outside}. {fix}") from error
    inputs = {each.name: _shape(each) for each in engine.get_inputs()}
    types = {each.name: np.dtype(_TYPES.get(each.type, "i8")) for each in engine.get_inputs()}
    outputs = {each.name: _shape(each) for each in engine.get_outputs()}
    return Session(path, wanted, inputs, outputs, types, engine, fallback)


def _checked(path: Path) -> str:
    """What gets the file anew. Raises ConfigError where it is not there, IntegrityError for wrong bytes."""
    folder = path.parent
    listed = [model for model in models.known(folder).values() if model.file == path.name]
    name = listed[-1].name if listed else None
    again = f"`igtool models add {name if name and listed[-1].source else 'PATH'}`"
    fix = f"`igtool models remove {name}`, then {again} gets it again" if name else f"{again} adds another one"
    if not path.is_file():
        raise ConfigError(f"there is no model file {path}: {again} gets it")
    if listed and models.state(listed[-1], folder) == "damaged":
        raise IntegrityError(f"{path} has not the bytes that the list of models names (SHA-256). {fix}")
    return fix


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in value.shape)
