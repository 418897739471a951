"""Where a model to export comes from: a folder, or a name on the hub. Its weights are safetensors, never pickles."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from igtool.errors import ConfigError, IntegrityError, RateLimitedError
from igtool.files import storage_error
from igtool.models import Told, sha256_of, untold

WEIGHTS = "model.safetensors"
_NEEDED = ("config.json", WEIGHTS)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
_ON_HUB = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,100}))?")
_FETCHED = ["*.json", "merges.txt", "*.model", WEIGHTS, "README.md"]
_NEVER_FETCHED = ["*/*", "*.bin", "*.py"]
_CARD_LICENCE = re.compile(r"^license:\s*([A-Za-z0-9][A-Za-z0-9.+-]{0,60})\s*$", re.MULTILINE)
_LONGEST_CARD = 1 << 20
_MISSING, _BROKEN, _TOO_MANY = (401, 403, 404), 500, 429
_WORDS = 300


@dataclass(frozen=True)
class SourceOptions:
    """``cache``: keeps what comes from the hub. ``sha256``: that the weights must have. ``licence``: to be noted.

    ``endpoint``: the address of the hub, by default that of its package.
    """

    cache: Path
    offline: bool = True
    sha256: str | None = None
    licence: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class Source:
    """A model that lies in ``folder``.

    ``name``: what to call it. ``told``: what to type to mean it again. ``weights``: SHA-256 of its weights.
    """

    folder: Path
    name: str
    told: str
    weights: str
    licence: str
    made_from: str


def find_source(told: str, options: SourceOptions, telling: Told = untold) -> Source:
    """The model that ``told`` means: a folder, else a name on the hub with or without ``@revision``.

    Raises ConfigError for what is none, has no safetensors, or would need the network while igtool is offline;
    IntegrityError for other weights than those of ``sha256``; RateLimitedError where the hub does not answer.
    """
    path = Path(told).expanduser()
    if told and path.is_dir():
        folder, name, again, made_from = path, path.resolve().name, told, f"the folder {path.resolve().name}"
    elif (match := _ON_HUB.fullmatch(told)) is not None:
        folder = _from_hub(match[1], match[2], options)
        name, again = match[1].split("/")[1], f"{match[1]}@{folder.name}"
        made_from = f"{match[1]} at {folder.name}"
    else:
        raise ConfigError(
            f"{told!r} is no folder, and no name on the hub as google/siglip2-base-patch16-224 is: a folder has "
            f"{' and '.join(_NEEDED)}, and the files of the tokenizer"
        )
    _check_files(folder, told)
    weights = _summed(folder / WEIGHTS, telling)
    if options.sha256 not in (None, weights):
        raise IntegrityError(f"the weights {folder / WEIGHTS} have the SHA-256 {weights} instead of {options.sha256}")
    made_from = f"{made_from}, weights {weights}, exported by igtool"
    return Source(folder, name, again, weights, options.licence or _licence(folder), made_from)


def _check_files(folder: Path, told: str) -> None:
    """Raises ConfigError where the folder does not hold a model in one file of safetensors."""
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if not missing:
        return
    why = f"{' and '.join(missing)} are not there" if len(missing) > 1 else f"{missing[0]} is not there"
    if WEIGHTS in missing and (folder / f"{WEIGHTS}.index.json").is_file():
        why = f"its weights lie in several files, and only one, {WEIGHTS}, is read"
    elif WEIGHTS in missing and any(path.suffix in _PICKLES for path in folder.iterdir()):
        why = (
            f"its weights are no safetensors. Other forms can run code when they are read, so they never are: {WEIGHTS}"
        )
        why += " is needed"
    raise ConfigError(f"{told} cannot be exported: {why}")


def _summed(path: Path, telling: Told) -> str:
    try:
        with path.open("rb") as file:
            return sha256_of(file, telling, path.stat().st_size)
    except OSError as error:
        raise storage_error(error, path) from error


def _licence(folder: Path) -> str:
    """What the card of the model says, where there is one."""
    try:
        with (folder / "README.md").open("rb") as file:
            card = file.read(_LONGEST_CARD).decode(errors="replace")
    except OSError:
        return "unknown"
    found = _CARD_LICENCE.search(card)
    return found[1] if found else "unknown"


def _from_hub(name: str, revision: str | None, options: SourceOptions) -> Path:
    """The files of ``name``, kept in the cache; the folder is called as its revision. Nothing of it runs."""
    if options.offline:
        raise ConfigError(
            f"{name} is no folder here; it would have to come from the hub, and igtool is offline: get it into a "
            "folder and give that, or set offline = false in igtool.toml (IGTOOL_OFFLINE=false)"
        )
    # Read by the package when it is imported. Its other way to get files keeps things outside of the workspace.
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(options.cache)}
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                cache_dir=options.cache,
                allow_patterns=_FETCHED,
                ignore_patterns=_NEVER_FETCHED,
                token=False,
                endpoint=options.endpoint,
            )
        )
    except Exception as error:
        # Of the package, of its client, of the system: they have no common class but this one.
        raise _not_got(name, error) from error


def _not_got(name: str, error: Exception) -> ConfigError | RateLimitedError:
    told: BaseException | None = error
    while told is not None and not hasattr(told, "response"):
        told = told.__cause__ or told.__context__
    status = getattr(getattr(told, "response", None), "status_code", None)
    if status in _MISSING:
        return ConfigError(f"the hub has no {name} in this revision, or not without an account (status {status})")
    if status is not None and status != _TOO_MANY and status < _BROKEN:
        return ConfigError(f"the hub does not give {name}: status {status}")
    words = str(error).splitlines()[0][:_WORDS] if str(error) else type(error).__name__
    return RateLimitedError(f"{name} could not be got from the hub: {words}. The same command goes on later")
