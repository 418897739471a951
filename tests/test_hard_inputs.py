"""Hostile text goes through the whole job: stored as it is, or refused with a reason."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import REALDATA, needs_realdata

from igtool.cli import main
from igtool.lake import Lake
from igtool.platforms.base import parse
from igtool.platforms.files import Document, Unreadable, read_documents
from igtool.text import one_line, spreadsheet_safe

FORMULA = {"=", "+", "-", "@", "\t", "\r"}
SUITE = REALDATA / "hard_inputs" / "JSONTestSuite"
SUITE_FILES = sorted(SUITE.rglob("*.json"))
OWN = [
    "=cmd|' /C calc'!A0",
    "a\0b",
    "\u202eright to left",
    "👩‍👩‍👧",
    "'; drop table accounts; --",
    "<script>alert(1)</script>",
]


def strings() -> list[str]:
    """Our own hostile strings; the big list of naughty strings and the csv-spectrum files where they are there."""
    listed = REALDATA / "hard_inputs" / "blns.json"
    tables = sorted((REALDATA / "hard_inputs" / "csv-spectrum" / "csvs").glob("*.csv"))
    texts = [table.read_bytes().decode() for table in tables]
    return OWN + (json.loads(listed.read_text()) if listed.exists() else []) + texts


def profile(number: int, text: str) -> str:
    """A profile with the text as name, biography and caption; lone surrogates stay escapes."""
    post = {
        "__typename": "GraphImage",
        "id": str(9_000_000 + number),
        "shortcode": f"S{number}",
        "taken_at_timestamp": 1_790_000_000,
        "edge_media_to_caption": {"edges": [{"node": {"text": text}}]},
        "edge_media_preview_like": {"count": 10**30 if number == 0 else 5},
    }
    user = {
        "id": str(number + 1),
        "username": f"invented{number}",
        "full_name": text,
        "biography": text,
        "edge_followed_by": {"count": 100 + number},
        "edge_follow": {"count": 1},
        "edge_owner_to_timeline_media": {"count": 1, "edges": [{"node": post}]},
    }
    return json.dumps({"data": {"user": user}})


def run(folder: Path, *arguments: str) -> int:
    """The exit code of a command in the workspace ``folder``."""
    return CliRunner().invoke(main, ["--workspace", str(folder), *arguments], catch_exceptions=False).exit_code


def dump(folder: Path, texts: list[str]) -> str:
    """A file of profiles with ``texts``, then one with a text cut in two and one that is nested without end."""
    lines = [profile(number, text) for number, text in enumerate([*texts, "cut \ud83d here"])]
    lines.append('{"data": ' + "[" * 100_000 + "]" * 100_000 + "}")
    (folder / "dumps.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder / "dumps.jsonl")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the rows of a profile for each string."""
    folder = tmp_path_factory.mktemp("stored")
    assert run(folder, "import", dump(folder, strings())) == 8
    return folder


def some() -> list[str]:
    """Our own, every eighth of the others, and all that a spreadsheet might obey."""
    return [text for n, text in enumerate(strings()) if n % 8 == 0 or n < len(OWN) or text[:1] in FORMULA]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after the main job over a list of some of them: all would take half a minute to embed."""
    folder = tmp_path_factory.mktemp("hard")
    source = dump(folder, some())
    handles = "".join(f"invented{number}\n" for number in range(len(some())))
    (folder / "list.csv").write_text("username\n" + handles)
    assert run(folder, "enrich", str(folder / "list.csv"), "--source", source) == 8
    return folder


def test_every_string_is_stored_as_it_was_written(stored: Path) -> None:
    """Biography, name and caption come back character for character."""
    with Lake(stored / "data", writable=False) as lake:
        stored = {row["handle"]: row for row in lake.rows("from accounts")}
        captions = {
            row["handle"]: row["title_or_caption"]
            for row in lake.rows("select handle, title_or_caption from content_items join accounts using (account_id)")
        }
    for number, text in enumerate(strings()):
        handle = f"invented{number}"
        assert (stored[handle]["bio"] or "") == text
        assert (captions[handle] or "") == text


def test_what_cannot_be_stored_is_mended_and_flagged_or_refused(stored: Path) -> None:
    """A lone surrogate is replaced and flagged, a number beyond 64 bits is NULL, endless nesting is a reject."""
    with Lake(stored / "data", writable=False) as lake:
        (mended,) = lake.rows("from accounts where list_contains(flags, 'repaired-surrogates')")
        assert mended["bio"] == "cut \ufffd here"
        (item,) = lake.rows("from content_items where content_id = 'instagram:9000000'")
        assert item["like_count"] is None
        assert "bad-count" in item["flags"]
        reasons = [row["reason"] for row in lake.rows("select reason from rejects")]
    assert reasons == ["too-deep"]


def test_no_filled_cell_runs_in_a_spreadsheet(workspace: Path) -> None:
    """Values that begin like a formula are written as text, on one line of at most 500 characters."""
    with (workspace / "data/export/creators_enriched.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(some())
    for row in rows:
        for cell in (row["GENRE"], row["Details"]):
            assert cell[:1] not in FORMULA
            assert "\n" not in cell
            assert len(cell) <= 501


@pytest.mark.parametrize("text", strings())
def test_no_string_runs_in_a_spreadsheet(text: str) -> None:
    """Each of them, as the cells of a filled list are written."""
    cell = spreadsheet_safe(one_line(text))
    assert cell[:1] not in FORMULA
    assert "\n" not in cell
    assert len(cell) <= 501


def test_the_report_shows_markup_as_text(workspace: Path) -> None:
    """A script in a biography is text in the report."""
    page = (workspace / "data/export/report.html").read_text()
    assert "<script" not in page


def parsed(items: list[Document | Unreadable]) -> list[str]:
    """The reason of each flaw and of each document, none of which holds an answer of a platform."""
    reasons = []
    for item in items:
        if isinstance(item, Unreadable):
            reasons.append(item.reason)
        else:
            found = parse(item.body, subject=None, observed_at=item.observed_at)
            assert found.reason
            assert not found.accounts
            assert not found.content_items
            reasons.append(found.reason)
    return reasons


@pytest.mark.parametrize("path", SUITE_FILES, ids=lambda path: path.stem)
def test_json_test_suite_as_files(path: Path) -> None:
    """Of JSONTestSuite every y_ is a document, every n_ is refused; all get a reason from file to parser."""
    items = list(read_documents(path))
    assert items
    refused = any(isinstance(item, Unreadable) for item in items)
    assert refused == (path.name[:2] == "n_") or path.name[:2] not in ("n_", "y_")
    assert all(parsed(items))


@pytest.mark.parametrize("path", SUITE_FILES, ids=lambda path: path.stem)
def test_json_test_suite_as_lines(path: Path, tmp_path: Path) -> None:
    """The same between two lines: a y_ is a document, an n_ is refused, and neither costs the line after it."""
    data = path.read_bytes()
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'{"first": 1}\n' + data + b'\n{"last": 1}\n')
    first, *items, last = read_documents(lines)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert (first.body, last.body) == (b'{"first": 1}', b'{"last": 1}')
    assert all(parsed(items))
    if b"\n" not in data.strip(b" \t\r\n") and data.strip(b" \t\r\n"):
        (item,) = items
        assert isinstance(item, Unreadable) == (path.name[:2] == "n_") or path.name[:2] not in ("n_", "y_")


@needs_realdata
def test_every_json_test_file_becomes_rows_or_rejects(tmp_path: Path) -> None:
    """No file of the JSON test suite is lost, whatever is in it."""
    command = ["--workspace", str(tmp_path), "import", str(SUITE), "--json"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 8
    with Lake(tmp_path / "data", writable=False) as lake:
        refused = {row["path"] for row in lake.rows("select path from rejects where stage = 'import'")}
    counts = {row["stage"]: row for row in json.loads(result.stdout)["rows"]}
    files = {str(path) for path in SUITE_FILES}
    assert len(files) > 200
    assert refused <= files
    read = counts["import"]["new"] + counts["import"]["skipped"]
    assert read >= len(files - refused)
