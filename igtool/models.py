"""Model files: which are known, where they lie, and how they get there with the right bytes.

``models/models.toml`` comes with igtool; ``models.local.toml`` in the workspace's folder of models notes what the
user added and is never replaced by a newer igtool.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

from igtool.errors import ConfigError
from igtool.files import replaced, storage_error
from igtool.model_entries import KINDS, LANGUAGE, RECOMMENDED, Model, Npm, Packages, Wheel, check, check_kind

SHIPPED = Path(__file__).with_name("known_models.toml").resolve()
"""In a checkout ``models/models.toml``: the file there is a link to it."""
SHIPPED_AS = "models.toml"
LOCAL = "models.local.toml"
PROMPTS = ".prompts.npz"
"""How the name of the file ends that holds the texts of a tower (`igtool.vision.prompts`), instead of ``.onnx``."""
STEP = 8 << 20
"""Bytes read or written at once."""

_GB = 1_000_000_000

Told = Callable[[int, int], None]
"""Gets the bytes that are there and those of the whole, 0 where they are not known."""


def untold(done: int, whole: int) -> None:
    """Tells nobody."""


# Which there are -------------------------------------------------------------------------------------------------


def known(folder: Path) -> dict[str, Model]:
    """Every known model by name: those that come with igtool, then those the user added, which go before.

    Raises ConfigError for a file of models that does not fit.
    """
    found = _read(SHIPPED, is_local=False)
    if (folder / SHIPPED_AS).resolve() != SHIPPED:
        found |= _read(folder / SHIPPED_AS, is_local=False)
    return found | _read(folder / LOCAL, is_local=True)


def find(wanted: str, folder: Path, kind: str = LANGUAGE) -> Path:
    """The file of the model ``wanted``: ``RECOMMENDED``, a known name, the name of a file in ``folder``, or a path.

    Raises ConfigError naming the command that gets it, or for a model of another kind.
    """
    models = known(folder)
    if wanted == RECOMMENDED or wanted in models:
        return usable(wanted, folder, kind).path(folder)
    for path in (folder / wanted, *(folder / f"{wanted}{ending}" for ending in KINDS[kind]), Path(wanted).expanduser()):
        if path.is_file():
            for model in models.values():
                if model.path(folder).resolve() == path.resolve():
                    check_kind(model, kind)
            return path
    there = ", ".join(model.name for model in models.values() if model.kind == kind) or "none"
    raise ConfigError(f"there is no model {wanted!r}; known are: {there}. `igtool models add PATH|URL|NAME` adds one")


def usable(wanted: str, folder: Path, kind: str) -> Model:
    """The known model ``wanted`` of ``kind``, or of ``RECOMMENDED`` the one to use, whose file is there.

    Raises ConfigError naming the command that gets it, or for a model of another kind.
    """
    models = known(folder)
    if wanted == RECOMMENDED:
        return _chosen(models, folder, kind)
    model = named(wanted, models)
    check_kind(model, kind)
    if not model.path(folder).is_file():
        raise ConfigError(f"the file of the model {wanted} is not in {folder}: `igtool models add {wanted}` gets it")
    return model


def known_as(wanted: str, folder: Path) -> str:
    """The name under which answers of the model ``wanted`` are kept: a known name, else that of its file."""
    with suppress(ConfigError):
        path = find(wanted, folder).resolve()
        names = [model.name for model in known(folder).values() if model.path(folder).resolve() == path]
        return names[-1] if names else path.stem
    return wanted


def _chosen(models: Mapping[str, Model], folder: Path, kind: str) -> Model:
    """The model to use where the user named none."""
    of_kind = [model for model in models.values() if model.kind == kind]
    there = [model for model in of_kind if model.path(folder).is_file()]
    if there:
        return min(there, key=lambda model: not model.recommended)
    names = [f"`igtool models add {model.name}` ({_described(model)})" for model in of_kind]
    what = "" if kind == LANGUAGE else f" of the kind {kind}"
    raise ConfigError(
        f"there is no model{what} in {folder} yet. One of these gets one: {', '.join(names) or 'none is known'}"
    )


def _described(model: Model) -> str:
    size = model.size or 0
    shown = "" if not size else f"{size / 1e9:.1f} GB, " if size > _GB else f"{size / 1e6:.1f} MB, "
    return f"{shown}{model.licence}" + ("" if model.url else ", from a package index")


def _read(path: Path, *, is_local: bool) -> dict[str, Model]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return {name: _model(path, name, fields, is_local=is_local) for name, fields in content.items()}


def _model(path: Path, name: str, fields: Any, *, is_local: bool) -> Model:
    """One entry. Raises ConfigError saying what does not fit."""
    try:
        given: dict[str, Any] = {
            field: kind(**fields.pop(field))
            for field, kind in (("packages", Packages), ("wheel", Wheel), ("npm", Npm))
            if field in fields
        }
        if "input_size" in fields:
            given["input_size"] = tuple(fields.pop("input_size"))
        model = Model(name, **fields, **given, is_local=is_local)
        check(model)
    except (TypeError, AttributeError, ConfigError) as error:
        raise ConfigError(f"{path}: the entry {name!r} does not fit: {error}") from error
    return model


# What the user added ---------------------------------------------------------------------------------------------


def note(model: Model, folder: Path) -> None:
    """Note ``model`` among those that the user added, in place of one of its name. Raises StorageError."""
    _write({**_read(folder / LOCAL, is_local=True), model.name: replace(model, is_local=True)}, folder)


def named(name: str, models: Mapping[str, Model]) -> Model:
    """The model ``name`` of ``models``. Raises ConfigError naming those that there are."""
    if name not in models:
        raise ConfigError(f"there is no model {name!r}; there are: {', '.join(models) or 'none'}")
    return models[name]


def remove(name: str, folder: Path) -> bool:
    """Delete the file of the model ``name``, with its texts if it has some, and take back the note of it.

    Gives whether there was a file. Raises ConfigError for an unknown name, StorageError.
    """
    path = named(name, known(folder)).path(folder)
    was_there = path.is_file()
    try:
        path.unlink(missing_ok=True)
        path.with_suffix(PROMPTS).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    local = _read(folder / LOCAL, is_local=True)
    if local.pop(name, None) is not None:
        _write(local, folder)
    return was_there


def _write(models: Mapping[str, Model], folder: Path) -> None:
    lines = ["# Models that were added with `igtool models add`."]
    for model in models.values():
        told: dict[str, object] = {"kind": model.kind, "file": model.file, "url": model.url, "sha256": model.sha256}
        told |= {"size": model.size, "licence": model.licence, "made_from": model.made_from}
        told |= {"family": model.family, "input_size": model.input_size}
        lines += ["", f"[{json.dumps(model.name)}]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in told.items() if value is not None]
    with replaced(folder / LOCAL) as file:
        file.write("\n".join([*lines, ""]).encode())


# Whether the bytes are right -------------------------------------------------------------------------------------

State = Literal["ok", "damaged", "unknown", "missing"]


def state(model: Model, folder: Path, told: Told = untold) -> State:
    """Whether the file of ``model`` has the bytes it should: every byte is read.

    ``unknown``: it is there, but nobody told its SHA-256. Raises StorageError.
    """
    path = model.path(folder)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if model.size not in (None, size):
                return "damaged"
            if model.sha256 is None:
                return "unknown"
            return "ok" if sha256_of(file, told, size) == model.sha256 else "damaged"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise storage_error(error, path) from error


def sha256_of(file: IO[bytes], told: Told, whole: int) -> str:
    """The SHA-256 of what is left of ``file``."""
    summed, done = hashlib.sha256(), 0
    while piece := file.read(STEP):
        summed.update(piece)
        done += len(piece)
        told(done, whole)
    return summed.hexdigest()
