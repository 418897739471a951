"""Names and texts of strangers are shown, queried and logged as what they are, and are never obeyed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.cli import main
from igtool.console import logging_to, print_json, print_rows, say
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import literal, quote
from igtool.text import harmless, one_line, spreadsheet_safe

OBEYED = (
    "\x1b]0;owned\x07",  # sets the title of the window
    "\x1b[2J\x1b[1;1Hnothing to see",  # clears the screen
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",  # a link that shows another text
    "\x9b31mred",  # the same as ESC [ in one byte
    "\x1bP0;1|17/ab\x1b\\",  # defines keys
    "over\rwritten",
    "back\b\b\b\bspace",
    "gpj.\u202egnp.exe",  # turned around from here
    "\u2066isolated\u2069",
    "[bold red]markup[/] [link=https://evil.example]x[/link] \\",
    "'; drop table accounts; --",
    '"; drop table accounts; --',
    '"quoted" ""twice"" \'once\' $$ /* */ -- ;',
    "=cmd|' /C calc'!A0",
    "%s%n{0}{__class__}",
    "../../etc/passwd",
)
CONTROLS = {chr(n) for n in (*range(32), *range(127, 160))} - {"\n", "\t"} | set(
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
)
CONTROLS |= set("\u2066\u2067\u2068\u2069\u2028\u2029")
ANYTHING = st.one_of(st.sampled_from(OBEYED), st.text(min_size=1, max_size=40))
IN_TURN = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_harmless(shown: str) -> None:
    """Nothing in what was shown gives orders to a terminal."""
    assert not CONTROLS & set(shown)


@IN_TURN
@given(text=ANYTHING, other=ANYTHING)
def test_nothing_on_the_console_gives_orders(text: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Messages, titles, names of columns and cells; markup is shown and not followed."""
    say(text)
    print_rows([{text: other, "second": [other]}], title=other)
    print_rows([], title=text)
    shown = capsys.readouterr()
    check_harmless(shown.out)
    check_harmless(shown.err)
    for mark in ("[bold red]", "[link="):
        assert mark not in text or mark in shown.out + shown.err


@IN_TURN
@given(text=ANYTHING, other=ANYTHING)
def test_json_says_the_same_and_gives_no_orders(text: str, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs nothing is lost: what a terminal would obey is written as an escape of JSON."""
    print_json({"rows": [{text: other}]})
    shown = capsys.readouterr().out
    check_harmless(shown)
    assert json.loads(shown) == {"rows": [{text.encode("utf-8", "replace").decode(): other}]}


def test_an_entry_of_a_log_is_one_line(tmp_path: Path) -> None:
    """What an entry quotes cannot begin another entry."""
    log = tmp_path / "log"
    with logging_to(log, verbose=False):
        for text in OBEYED:
            logging.getLogger("igtool").info("%s", f"{text}\n2026-01-01T00:00:00Z all is well")
    lines = log.read_text().split("\n")
    assert len(lines) == len(OBEYED) + 1
    check_harmless("".join(lines))


@IN_TURN
@given(
    name=ANYTHING.filter(lambda text: "\0" not in text),
    value=st.text(max_size=30).filter(lambda text: "\0" not in text),
)
def test_names_in_sql_are_names_and_values_are_values(name: str, value: str) -> None:
    """Whatever a column is called, it is that column; a literal is that text."""
    with duckdb.connect() as connection:
        made = connection.execute(f"select {literal(value)} as {quote(name)}")
        assert [column[0] for column in made.description] == [name]
        assert made.fetchall() == [(value,)]


@IN_TURN
@given(text=ANYTHING)
def test_cells_that_igtool_writes_are_no_formulas(text: str) -> None:
    """What fills a cell of a list never begins as a formula does, with or without space before it."""
    cell = spreadsheet_safe(one_line(text))
    assert cell.lstrip()[:1] not in set("=+-@\t\r")
    assert cell.removeprefix("'") == one_line(text) or cell == one_line(text)


def test_harmless_keeps_lines_and_all_writing() -> None:
    """Emoji, accents, other scripts and line ends stay as they are."""
    kept = "añ 日本語 👩‍🍳 עברית\n\tdone"
    assert harmless(kept) == kept


@pytest.mark.slow
def test_hostile_names_go_through_the_commands(lake: Lake, journal: Journal, tmp_path: Path) -> None:
    """Lists, handles, queries that are called like attacks: kept as they are, shown harmless, and nothing breaks."""
    lake.merge(
        "creators",
        [{"creator_id": f"c_{n}", "name": text, "canonical_handle": f"h{n}"} for n, text in enumerate(OBEYED)],
    )
    before = lake.value("select count(*) from creators")
    lake.close()
    journal.close()
    run = CliRunner()
    for number, text in list(enumerate(OBEYED))[::3]:
        for words in (
            ("list", "add", text, f"h{number}"), ("list", "show", text), ("show", text), ("show", f"h{number}"),
            ("sql", f"select {literal(text)} as {quote(text)}"), ("rejects", "--stage", text),
            ("note", f"h{number}", text),
        ):  # fmt: skip
            result = run.invoke(main, ["--workspace", str(tmp_path), *words])
            assert result.exit_code in (0, 2, 3, 5), (words, result.output, result.exception)
            if words[0] != "rejects" and result.exit_code != 2:
                check_harmless(result.output)
    with Lake(tmp_path / "data", writable=False) as again:
        assert again.value("select count(*) from creators") == before
        assert [row["name"] for row in again.rows("from creators order by cast(creator_id[3:] as int)")] == list(OBEYED)
