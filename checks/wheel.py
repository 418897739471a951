"""Builds sdist and wheel and tries the wheel in empty environments, with each extra alone.

    python -m checks.wheel [--quick] [--extra NAME …] [--dist DIR]

In each environment: the version, every module, the doctor, the demo (without a network where the system lets one be
taken away), and what the extra promises. `--quick` is the default install and the extra mcp. Nothing outside a
temporary folder is changed, but for DIR, which gets both files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from checks.promises import PROMISES

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
QUICK = ("", "mcp")
RESOLVED_ONLY = ("gpu",)
"""Too big to install here; that there is a set of versions which fits is looked at."""

_LEAST_SETUPTOOLS = 77
"""As in pyproject.toml."""

_MODULES = """
import importlib, pkgutil, sys, igtool
from igtool.errors import ConfigError
missing = []
for module in pkgutil.walk_packages(igtool.__path__, "igtool."):
    try:
        importlib.import_module(module.name)
    except (ConfigError, ImportError) as error:
        missing.append(module.name)
print(*missing)
"""
_MODELS = """
from pathlib import Path
from igtool import models
assert "nanodet" in models.known(Path("nowhere")), "the models that come with igtool are not there"
"""
_NEED_EXTRAS = ("igtool.cluster.actors", "igtool.serve.stdio", "igtool.tower_export.", "igtool.vision.video_process")
"""Modules that only the commands of an extra import, and that miss its packages at once."""


class WheelError(Exception):
    """The wheel does not do what it should."""


def main() -> None:
    """Build, look into the wheel, and try it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only the default install and the extra mcp")
    parser.add_argument("--extra", action="append", help="only these extras; an empty name is the default install")
    parser.add_argument("--dist", type=Path, help="put sdist and wheel there, and try nothing")
    given = parser.parse_args()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = given.extra or (QUICK if given.quick else ("", *sorted(extras)))
    with tempfile.TemporaryDirectory(prefix="igtool-wheel-") as scratch:
        files = build(Path(scratch))
        check_contents(files[-1])
        if given.dist is not None:
            given.dist.mkdir(parents=True, exist_ok=True)
            for file in files:
                print(shutil.copy(file, given.dist))
            return
        for extra in wanted:
            began = time.monotonic()
            try_extra(files[-1], extra, Path(scratch))
            print(f"{extra or 'default'}: in order, {time.monotonic() - began:.0f} s", flush=True)


def build(scratch: Path) -> tuple[Path, Path]:
    """The sdist, made of what git knows or would take, and the wheel, made of the sdist."""
    tree, out = scratch / "tree", scratch / "dist"
    out.mkdir()
    listed = _output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name, follow_symlinks=False)
    python = _builder(scratch)
    sdist = "import sys, setuptools.build_meta as b; b.build_sdist(sys.argv[1])"
    _run([python, "-c", sdist, out], cwd=tree)
    (source,) = out.glob("*.tar.gz")
    _run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source])
    (wheel,) = out.glob("*.whl")
    return source, wheel


def can_build() -> bool:
    """Whether the setuptools of this Python is new enough."""
    try:
        return int(version("setuptools").split(".")[0]) >= _LEAST_SETUPTOOLS
    except PackageNotFoundError:
        return False


def _builder(scratch: Path) -> Path:
    """This Python where it can build, else one of its own."""
    if can_build():
        return Path(sys.executable)
    python = _environment(scratch / "builder")
    _run([python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, "setuptools"])
    return python


def check_contents(wheel: Path) -> None:
    """Every file of the package is in the wheel, and nothing else but what describes it."""
    package = ROOT / "igtool"
    there = set()
    for folder, names, files in os.walk(package, followlinks=True):
        names[:] = [name for name in names if name != "__pycache__"]
        there |= {str((Path(folder) / file).relative_to(ROOT)) for file in files if not file.endswith(".pyc")}
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    described = {name for name in packed if ".dist-info/" in name}
    if there != packed - described:
        raise WheelError(f"missing: {sorted(there - packed)}; too much: {sorted(packed - described - there)}")
    if not any(name.endswith("licenses/LICENSE") for name in described):
        raise WheelError("the wheel has no licence")


def try_extra(wheel: Path, extra: str, scratch: Path) -> None:
    """Install the wheel with ``extra`` into an empty environment and use it. Raises WheelError."""
    requirement = f"{wheel}[{extra}]" if extra else str(wheel)
    place = scratch / f"with-{extra or 'nothing'}"
    python = _environment(place)
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS]
    if extra in RESOLVED_ONLY:
        _run([*install, "--dry-run", requirement])
        return
    if extra == "export":
        _run([*install, "torch"])  # by itself: the build for the processor alone, where there is one
    _run([*install, requirement])
    igtool, work = place / "bin" / "igtool", place / "work"
    work.mkdir()
    _run([igtool, "--version"])
    missing = _output([python, "-c", _MODULES], cwd=work).split()
    if missing := [name for name in missing if not name.startswith(_NEED_EXTRAS)]:
        raise WheelError(f"{extra or 'default'}: these modules cannot be imported: {', '.join(missing)}")
    _run([python, "-c", _MODELS], cwd=work)
    _offline([igtool, "doctor", "--offline"], work)
    _offline([igtool, "demo", "demo"], work)
    _offline([igtool, "--workspace", "demo", "search", "vegan recipes"], work)
    if extra:
        (work / "promise.py").write_text(PROMISES[extra])
        _offline([python, "promise.py"], work)
    shutil.rmtree(place)


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def _offline(command: Sequence[str | Path], folder: Path) -> None:
    """Run ``command`` where no network is, if the system can make such a place for this user."""
    apart = ["unshare", "--user", "--map-root-user", "--net"]
    can = shutil.which("unshare") and subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0
    _run([*(apart if can else ()), *command], cwd=folder)


def _run(command: Sequence[str | Path], cwd: Path | None = None) -> None:
    _output(command, cwd)


def _output(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """What ``command`` prints. Raises WheelError with all of it when it ends with a code other than 0."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("IGTOOL_", "PYTHON"))}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise WheelError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        main()
    except WheelError as error:
        sys.exit(str(error))
