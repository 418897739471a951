"""The pages are true: links lead somewhere, commands and options exist, and what the tutorial shows is printed."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from documented import ROOT, Command, commands_of, queries_of, same

from igtool.cli import main

PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")})
TUTORIAL, QUESTIONS = ROOT / "docs" / "tutorial.md", ROOT / "docs" / "howto" / "sql.md"
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")


def links(page: Path) -> Iterator[str]:
    """Where the links and pictures of a page lead, but for other sites; examples in code are no links."""
    text = _INLINE.sub("", _FENCE.sub("", page.read_text()))
    for link in _LINK.finditer(text):
        target = link[1] or link[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """What may stand after # in a link to ``page``: its headings as the forge spells them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    """Files and headings that pages name are there."""
    broken = []
    for page in PAGES:
        for target in links(page):
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def written_commands(page: Path) -> Iterator[str]:
    """Commands in blocks of code, one a line, and those within sentences."""
    text = page.read_text()
    blocks = [*_FENCE.findall(text), *re.findall(r"^ {4}.+$", text, re.MULTILINE)]
    for block in blocks:
        yield from re.findall(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(igtool .+)$", block, re.MULTILINE)
    yield from re.findall(r"`(igtool [^`\n]+)`", text)


def unknown(written: str) -> str | None:
    """The first word of a command line that igtool does not know: a command, or an option."""
    words = re.split(r"\s+(?:#|&&|\|\|?|>|;|…)|;", written)[0].replace("…", "").split()[1:]
    commands: list[click.Command] = [main]
    options = {"--help", *_options(main)}
    while words:
        word = words.pop(0)
        if isinstance(commands[0], click.Group) and re.fullmatch(r"[a-z]+(?:\|[a-z]+)*", word):
            found = [commands[0].get_command(click.Context(main), name) for name in word.split("|")]
            if None in found:
                return word
            commands = [command for command in found if command]
            options.update(*map(_options, commands))
        elif (option := re.match(r"--[a-z][a-z-]*", word.strip("[]()"))) and option[0] not in options:
            return option[0]
        elif word == "--workspace":
            words = words[1:]
    return None


def _options(command: click.Command) -> list[str]:
    return [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]


def test_every_command_of_the_pages_exists() -> None:
    """No page names a command or an option that is not there."""
    wrong = [
        f"{page.relative_to(ROOT)}: {written}: {word}"
        for page in PAGES
        for written in written_commands(page)
        if (word := unknown(written))
    ]
    assert wrong == []


def test_a_page_that_is_wrong_is_found() -> None:
    """The checks above can fail: an option, a command, and a line of output that are not so."""
    assert unknown("igtool search food --limit 3") == "--limit"
    assert unknown("igtool list shwo") == "shwo"
    assert unknown("igtool tenant add|remove NAME --yes") is None
    assert same(["one 3 d old", "…", "last"], "one  17 d old\ntwo\nlast\n")
    assert not same(["one", "two"], "one\ntwo\nthree\n")


def test_there_are_twenty_questions() -> None:
    """The page of queries holds what its title says, each with an answer."""
    queries = queries_of(QUESTIONS)
    assert len(queries) == 20
    assert all(query.says for query in queries)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Command, str]]]:
    """Commands of the tutorial with what they print, run in order in a new workspace, which is the current folder."""
    workspace = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(ROOT / "examples", workspace / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        patch.delenv("IGTOOL_EMBEDDING_ITEMS")
        yield [(command, command.run()) for command in commands_of(TUTORIAL)]


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tutorial: list[tuple[Command, str]]) -> None:
    """Every command of the tutorial, from nothing to the shortlist."""
    assert len(tutorial) > 15
    for command, printed in tutorial:
        assert same(command.says, printed), f"{command.text}\n{printed}"


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tutorial: list[tuple[Command, str]]) -> None:
    """What the README shows after the first command ends well on the example."""
    shown = re.findall(r"^ {4}\.venv/bin/(igtool .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(shown) > 5
    commands = [Command(text) for text in shown]
    printed = [command.run() for command in commands]
    assert [(one.text, one.code) for one in commands] == [(text, 0) for text in shown], printed


@pytest.mark.slow
def test_the_python_of_the_search_page_runs(
    tutorial: list[tuple[Command, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the page on searches shows for programs finds somebody on the example."""
    page = (ROOT / "docs" / "search.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("query", queries_of(QUESTIONS), ids=lambda query: shlex.split(query.text)[-1].split()[0])
def test_the_questions_have_the_answers_of_the_page(tutorial: list[tuple[Command, str]], query: Command) -> None:
    """Each of the twenty queries runs after the tutorial and prints what stands below it."""
    printed = query.run()
    assert same(query.says, printed), f"{query.text}\n{printed}"
