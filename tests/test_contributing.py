"""CONTRIBUTING.md does what it says: its blocks, followed to the letter in a copy, make a platform."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def copied(folder: Path) -> Path:
    """A copy of what git knows or would take, with the environment of this process as ``.venv``."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_symlink() | (ROOT / name).exists()]
    subprocess.run(["tar", "-cf", folder / "tree.tar", "-T-"], cwd=ROOT, input="\n".join(names), text=True, check=True)
    copy = folder / "igtool"
    copy.mkdir()
    subprocess.run(["tar", "-xf", folder / "tree.tar"], cwd=copy, check=True)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


def follow(copy: Path, kind: str, target: str, text: str) -> None:
    """Do what one block says: run it, add it to the end of a table, or write it to a file."""
    if kind == "sh":
        environment = os.environ | {"PYTHONPATH": str(copy)}
        script = ["bash", "-e", "-c", text]
        done = subprocess.run(script, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return
    path, _, table = target.partition(" ")
    file = copy / path
    if table:
        code = file.read_text()
        begin = re.search(rf"^{table}\b[^\n]*{{$", code, re.MULTILINE)
        assert begin is not None
        end = code.index("\n}\n", begin.end()) + 1
        file.write_text(code[:end] + text + code[end:])
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.mark.slow
def test_a_platform_is_added_by_doing_what_the_page_says(tmp_path: Path) -> None:
    """The contract test named there passes, and the main job fills a list with the new platform's answer."""
    copy = copied(tmp_path)
    page = PAGE.read_text()
    blocks = BLOCK.findall(page[page.index("## Add a platform") : page.index("## Add an encoder")])
    assert len(blocks) > 6
    for kind, target, text in blocks:
        assert target or kind == "sh", text
        follow(copy, kind, target, text)
    with (copy / "garden" / "data" / "export" / "creators_enriched.csv").open(newline="") as file:
        lola, nobody = csv.DictReader(file)
    assert lola["GENRE"] == "Gardening"
    assert lola["Details"].startswith("Moss, ferns and slow mornings")
    assert "@garden.example" not in lola["Details"]
    assert not nobody["GENRE"]
    asked = [sys.executable, "-c", "from igtool.cli import main; main()", "--workspace", "garden", "sql", "--json"]
    query = "select followers_count, item_count from accounts, (select count(*) as item_count from content_items)"
    found = subprocess.run(
        [*asked, query],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"followers_count": 1204' in found.stdout
    assert '"item_count": 2' in found.stdout


def test_the_files_that_the_page_names_are_there() -> None:
    """No advice leads to a file that was moved."""
    page = PAGE.read_text()
    named = set(re.findall(r"`((?:igtool|tests|docs|benchmarks|checks)/[\w/.]+\.\w+)`", page))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
