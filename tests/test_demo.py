"""``igtool demo``, and the notebook over what it makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient

from igtool.cli import main
from igtool.errors import UsageError
from igtool.examples import copy_example

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `igtool demo` ran, in a process of its own, with settings that would cost money."""
    folder = tmp_path_factory.mktemp("demo")
    program = [sys.executable, "-W", "error", "-c", "from igtool.cli import main; main()", "demo"]
    settings = {"IGTOOL_PROVIDER": "openai", "IGTOOL_SOURCES": "youtube", "IGTOOL_PICTURES": "true"}
    environment = os.environ | settings | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


@pytest.mark.slow
def test_the_demo_fills_a_list_and_names_commands_that_work(demo: Path) -> None:
    """It asks nobody, whatever the settings say, and what it says to try next works as it stands there."""
    said = (demo / "stderr").read_text()
    assert (demo / "igtool-demo" / "data" / "export" / "report.html").is_file()
    named = [line.split("#")[0].strip() for line in said.splitlines() if line.startswith("  igtool ")]
    assert len(named) >= 5
    called = {"PATH": f"{demo}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    script = demo / "igtool"
    script.write_text(f"#!{sys.executable}\nfrom igtool.cli import main\nmain()\n")
    script.chmod(0o755)
    for command in named:
        run = ["bash", "-c", command]
        done = subprocess.run(run, cwd=demo, env=os.environ | called, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.slow
def test_the_notebook_runs_over_the_demo(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, in a kernel of its own; the growth that it draws has three points."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(demo)}}).execute()
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "<svg" in shown
    assert shown.count("<circle") == 3
    assert "matched words" in shown


def test_the_notebook_is_kept_without_outputs() -> None:
    """No output, no count of runs: a change of the notebook shows in a diff."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_the_example_is_copied_once_and_over_nothing_of_others(tmp_path: Path) -> None:
    """A second copy changes nothing that was done in the folder; a folder with anything else in it is left alone."""
    creators = copy_example(tmp_path / "new")
    assert creators.read_bytes() == (ROOT / "examples" / "creators.csv").read_bytes()
    copied = {path.relative_to(tmp_path / "new") for path in creators.parent.rglob("*") if path.is_file()}
    raw = {path.relative_to(ROOT / "examples") for path in (ROOT / "examples" / "raw").rglob("*") if path.is_file()}
    assert copied == raw | {Path("creators.csv"), Path("igtool.toml")}
    (tmp_path / "new" / "igtool.toml").write_text("# mine")
    copy_example(tmp_path / "new")
    assert (tmp_path / "new" / "igtool.toml").read_text() == "# mine"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        copy_example(tmp_path / "theirs")
    assert CliRunner().invoke(main, ["demo", str(tmp_path / "theirs")]).exit_code == UsageError.exit_code
