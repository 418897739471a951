"""``igtool tag`` and ``igtool review``: what they write down, show and refuse, in a workspace of its own."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import NOW
from tag_world import GREEN, RED, TagWorld

from igtool.cli import main
from igtool.journal import Journal
from igtool.lake import Lake

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with Ana, of whom two pictures may be black and white, and Bea without pictures."""
    folder = tmp_path_factory.mktemp("tags")
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        world = TagWorld(folder, lake, journal, "ana", "bea")
        world.shows("ana", RED, GREEN, chroma=3.5)
        (folder / "images").rename(folder / "cache" / "images")
        world.run()
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(filled, tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def call(folder: Path) -> Call:
    """Runs igtool in this process."""
    return lambda *words: CliRunner().invoke(main, ["--workspace", str(folder), *words])


def rows(result: Result) -> Any:
    """Those of a JSON document."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["rows"]


def test_a_correction_is_there_at_once_and_in_the_history(call: Call) -> None:
    """Said, shown with its reason, taken back; `show --tags` and `tag show` say the same."""
    (tag,) = rows(call("tag", "correct", "ana", "setting:kitchen", "--by", "rosa", "--json"))
    assert (tag["category"], tag["tag"], tag["approved_by"], tag["reasoning"]) == (
        "setting", "kitchen", "rosa", "rosa said so",
    )  # fmt: skip
    assert rows(call("tag", "correct", "ana", "setting:kitchen", "--wrong", "--json")) == []
    shown = call("show", "ana", "--tags", "--history")
    assert "local said that it is wrong" in shown.stdout
    history = json.loads(call("tag", "show", "ana", "--history", "--json").stdout)["history"]
    assert [one["state_after"] is None for one in history] == [True, False]
    assert history == json.loads(call("show", "ana", "--tags", "--history", "--json").stdout)["history"]
    assert call("show", "ana", "--history").exit_code == 2


def test_a_tag_that_is_withheld_is_said(call: Call) -> None:
    """With consent alone, which lets nobody else say it; the creator's own word is shown."""
    said = ("consent", "grant", "ana", "--category", "build", "--adult", "--evidence", "a form")
    assert call(*said).exit_code == 0
    result = call("tag", "correct", "ana", "build:athletic", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["rows"], document["withheld"][0]["tag"]) == (0, [], "build:athletic")
    assert "is written down and not shown" in result.stderr
    own = json.loads(call("tag", "correct", "ana", "build:athletic", "--own", "--json").stdout)
    assert ([row["tag"] for row in own["rows"]], own["withheld"]) == (["athletic"], [])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("correct", "ana", "kitchen"), "'kitchen' is no tag: write CATEGORY:TAG"),
        (("correct", "ana", "setting:kitchn"), "did you mean kitchen"),
        (("correct", "ana", "religion:any"), "never infers religion"),
        (("correct", "ana", "build:slim", "--own"), "igtool consent grant HANDLE --category build"),
        (("correct", "ana", "hair:blonde"), "igtool consent declare HANDLE --field adult"),
        (("correct", "nobody", "setting:kitchen"), "there is no creator 'nobody'"),
        (("show", "nobody"), "there is no creator 'nobody'"),
        (("import", "none.csv"), "there is no file none.csv"),
    ],
)
def test_what_cannot_be_said_ends_with_2_and_says_why(call: Call, words: tuple[str, ...], says: str) -> None:
    """And what to type instead."""
    result = call("tag", *words)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_own_corrections_are_taken_from_a_file_all_or_none(call: Call, tmp_path: Path) -> None:
    """A wrong row is named with its line, and then nothing is taken."""
    path = tmp_path / "own.csv"
    path.write_text("account,category,tag,right\ninstagram:ana,hair,blonde,yes\ninstagram:bea,hair,blnd,yes\n")
    result = call("tag", "import", str(path))
    assert result.exit_code == 2
    assert "own.csv, line 3:" in result.stderr.replace("\n", "")
    assert rows(call("tag", "show", "ana", "--json")) == []
    path.write_text("account,category,tag,right\ninstagram:ana,hair,blonde,yes\nbea,hair,grey,yes\n")
    assert call("tag", "import", str(path)).exit_code == 0
    assert [rows(call("tag", "show", one, "--json"))[0]["tag"] for one in ("ana", "bea")] == ["blonde", "grey"]


def test_the_queue_is_listed_and_answered_by_id(call: Call) -> None:
    """Until nothing waits; an id that is none, and an edit without the right tag, are told."""
    document = json.loads(call("review", "--json").stdout)
    assert document["standing"]["waiting"] == len(document["rows"]) == 2
    first, second = (row["id"] for row in document["rows"])
    assert "2 tags wait for a person" in call("status").stderr
    assert "black_and_white" in call("review", "--list").stdout
    assert call("review", "say", first, "approve").exit_code == 0
    assert call("review", "say", second, "edit").exit_code == 2
    assert call("review", "say", second, "edit", "--to", "artwork").exit_code == 0
    assert json.loads(call("review", "--json").stdout)["rows"] == []
    assert call("review", "say", "0" * 12, "approve").exit_code == 2
    assert call("review", "--category", "religion").exit_code == 2
    assert len(json.loads(call("review", "sample", "-n", "3", "--json").stdout)["rows"]) == 3


def test_calibrate_says_what_is_missing_and_writes_nothing(call: Call, folder: Path) -> None:
    """With two labels there is nothing to fit."""
    (row,) = json.loads(call("review", "--json", "-n", "1").stdout)["rows"]
    call("review", "say", row["id"], "approve")
    (found,) = rows(call("review", "calibrate", "--write", "--json"))
    assert found["tag"] == "composition:black_and_white"
    assert "where 30 are needed" in found["not fitted because"]
    assert not (folder / "tags.toml").exists()


@pytest.mark.slow
def test_in_a_terminal_each_picture_is_drawn_and_answers_are_taken(folder: Path) -> None:
    """What is no tag is asked again; what was said is stored when the person stops."""
    command = [sys.executable, "-c", "from igtool.cli import main; main()", "--workspace", str(folder), "review"]
    terminal, inside = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, env=environment)
    os.close(inside)
    answers = iter(["bogus", "artwork", "n"])
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 1 << 16)
        except OSError:
            break
        if shown.rstrip().endswith(b"stop:"):
            os.write(terminal, f"{next(answers)}\n".encode())
            shown += b" "
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    text = shown.decode()
    assert text.count("▀") > 1000
    assert "composition has no tag 'bogus'" in text
    assert "2 recorded" in text
    with Lake(folder / "data", writable=False) as lake:
        told = lake.rows("select decision, corrected_tag from reviews order by 1")
        assert told == [{"decision": "edit", "corrected_tag": "artwork"}, {"decision": "flag", "corrected_tag": None}]
        assert lake.value("select max(reviewed_at) from reviews") > NOW
