"""What a program that uses igtool gets: its types, and everything that the wheel has to bring."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import igtool

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the campaigns stand beside the package

from checks import wheel  # noqa: E402
from checks.promises import PROMISES  # noqa: E402

PROGRAM = """
from pathlib import Path
from typing import assert_type, Any

import igtool
from igtool.enrich import EnrichOptions, Summary
from igtool.errors import IgtoolError, LockedError
from igtool.search.answer import SearchResult
from igtool.search.filters import make_filters
from igtool.workspace import Workspace

workspace = igtool.open(Path("creators"))
assert_type(workspace, Workspace)
assert_type(igtool.__version__, str)
try:
    summary = workspace.enrich("creators.csv", EnrichOptions(sources=(Path("raw"),), limit=10))
except LockedError as error:
    assert_type(error.exit_code, int)
    raise SystemExit(error.exit_code) from error
except IgtoolError as error:
    assert_type(error.advice, str)
    raise
assert_type(summary, Summary)
assert_type(summary.status, dict[str, int])
found = workspace.search("vegan cooking", make_filters(country=["ES"]), limit=5)
assert_type(found, SearchResult)
assert_type([hit.handle for hit in found.results], list[str | None])
assert_type(workspace.show("somebody"), list[dict[str, Any]])
workspace.sql("select 1 where ? > 0", [1]).to_pylist()
workspace.enrich(5)  # type: ignore[arg-type]
"""


@pytest.mark.slow
def test_a_typed_program_is_checked_against_the_types_of_igtool(tmp_path: Path) -> None:
    """Mypy in its strict mode, from outside the repository; the last line would be an unused exception otherwise."""
    assert Path(igtool.__file__).with_name("py.typed").is_file()
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", "program.py"],
        cwd=tmp_path, env={"MYPYPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not wheel.can_build(), reason="setuptools is older than 77; `make wheel-test` gets a newer one")
def test_the_wheel_holds_everything_that_the_package_does(tmp_path: Path) -> None:
    """Built from the sdist, with all data, and nothing of tests; a file that is left out is noticed."""
    source, built = wheel.build(tmp_path)
    wheel.check_contents(built)
    assert source.name.startswith(f"igtool-{igtool.__version__}")
    with pytest.raises(wheel.WheelError, match=r"missing: .*py\.typed"):
        wheel.check_contents(without(built, "igtool/py.typed"))


def without(built: Path, name: str) -> Path:
    """The wheel without one of its files."""
    less = built.with_name("less.whl")
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(less, "w") as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry, old.read(entry))
    return less


def test_every_extra_is_tried() -> None:
    """What an extra promises is known to the campaign, or it is only resolved."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == set(PROMISES) | set(wheel.RESOLVED_ONLY)
    assert project["version"] == igtool.__version__
