"""Generated pages and pinned versions are what they should be."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_references_are_what_the_code_says() -> None:
    """The pages made from tables, commands, settings and errors are refreshed with `python docs/generate.py`."""
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    for name, page in pages.items():
        assert (ROOT / "docs" / name).read_text() == page(), name


def test_every_reason_of_a_reject_is_given_somewhere() -> None:
    """No text explains a slug that the code does not give any more."""
    page = (ROOT / "docs" / "errors.md").read_text()
    rows = page[page.index("## Reasons of rejects") : page.index("## Oddities")].splitlines()
    slugs = [row for row in rows if row.startswith("| `")]
    assert len(slugs) > 40
    assert [row for row in slugs if not row.endswith("` |")] == []


def test_constraints_pin_every_version_and_name_no_host() -> None:
    """One exact version a line for everything that is installed, and no address."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.+!]+", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [name for names in project["project"]["optional-dependencies"].values() for name in names]
    wanted = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=!\[;]", name)[0].strip().lower().replace("_", "-") for name in wanted}
    assert names <= pinned


def test_everything_installed_here_is_pinned_to_its_version() -> None:
    """A new machine gets what was tested: no package, of igtool or of a dependency, is left to chance."""
    pinned = dict(line.lower().replace("_", "-").split("==") for line in (ROOT / "constraints.txt").read_text().split())
    # What follows a plus tells for which machine it was built: torch has one for the processor alone.
    installed = {d.name.lower().replace("_", "-"): d.version.lower().split("+")[0] for d in distributions()}
    tools = {"pip", "igtool", "setuptools", "wheel"}  # those that a new environment brings, and ourselves
    assert {name: pinned.get(name) for name in installed if name not in tools} == {
        name: version for name, version in installed.items() if name not in tools
    }
