"""Pages whose commands are run.

A ```console block holds `$ command` lines, each followed by what it prints; a ```sql block is a query for `igtool sql`,
and the ```text block after it what that prints.

    python tests/documented.py WORKSPACE PAGE...     # write what they print now into the pages

In a block `…` alone on a line stands for any lines that were left out; ```console head=5 keeps the first five lines of
each output when a page is refreshed.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from igtool.cli import main

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```console(?: head=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"^```sql\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_CHANGING = (
    (re.compile(r"\d+ \w+ old"), "N old"),
    (re.compile(r"\d{8}T\d{6}\.\d+-\d+"), "RUN"),
    (re.compile(r"in \d+\.\d s"), "in N s"),
    (re.compile(r"\d+(?:\.\d+)? [GM]B"), "N GB"),
)
"""What differs from day to day and machine to machine: age, run id, seconds, sizes of disks."""
_LEFT_OUT = "…"


@dataclass
class Command:
    """A command of a page, with the lines that the page says it prints; `head` is how many a refresh keeps."""

    text: str
    says: list[str] = field(default_factory=list)
    head: int | None = None
    code: int | None = None
    """How it ended, once it was run."""

    def run(self) -> str:
        """What it prints, both streams, in the current folder. igtool runs in this process, all else in a shell."""
        if self.text.startswith("igtool "):
            # One stream for both: which line came first is what a reader sees.
            printed = io.StringIO()
            with redirect_stdout(printed), redirect_stderr(printed):
                try:
                    main(shlex.split(self.text, comments=True)[1:], prog_name="igtool")
                except SystemExit as end:
                    self.code = int(end.code or 0)
            return printed.getvalue()
        done = subprocess.run(
            ["bash", "-c", self.text],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        self.code = done.returncode
        return done.stdout


def commands_of(page: Path) -> list[Command]:
    """Every command of the console blocks of ``page``, in order."""
    return [command for block in _BLOCK.finditer(page.read_text()) for command in _commands(block)]


def queries_of(page: Path) -> list[Command]:
    """Every query of ``page`` as a command, in order."""
    found = _QUERY.finditer(page.read_text())
    return [Command(_asking(query[1]), (query[2] or "").splitlines()) for query in found]


def _asking(query: str) -> str:
    return f"igtool sql {shlex.quote(query)}"


def _commands(block: re.Match[str]) -> Iterator[Command]:
    head = int(block[1]) if block[1] else None
    command: Command | None = None
    for line in block[2].splitlines():
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(line[2:], head=head)
        elif command and not command.says and command.text.count('"') % 2:
            command.text += "\n" + line
        elif command:
            command.says.append(line)
    if command:
        yield command


def same(says: list[str], printed: str) -> bool:
    """Whether ``printed`` reads as the page says, but for what differs from day to day."""
    pattern = "".join(r"(?:.*\n)*" if line == _LEFT_OUT else re.escape(line) + r"\n" for line in _steady(says))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _steady(lines_of(printed)))) is not None


def lines_of(printed: str) -> list[str]:
    """Lines without blanks at their ends; empty lines are left out, as a table ends with one or not."""
    return [line.rstrip() for line in printed.splitlines() if line.strip()]


def _steady(lines: list[str]) -> list[str]:
    steady = []
    for line in lines:
        for pattern, word in _CHANGING:
            line = pattern.sub(word, line)
        steady.append(" ".join(line.split()))
    return [line for line in steady if line]


def refresh(page: Path) -> None:
    """Run the commands of ``page`` in the current folder and write what they print into it."""

    def renewed(block: re.Match[str]) -> str:
        lines = []
        for command in _commands(block):
            printed = lines_of(command.run())
            lines += [f"$ {command.text}", *printed[: command.head]]
            lines += [_LEFT_OUT] if command.head and len(printed) > command.head else []
        info = f" head={block[1]}" if block[1] else ""
        return f"```console{info}\n" + "".join(f"{line}\n" for line in lines) + "```"

    def answered(query: re.Match[str]) -> str:
        lines = lines_of(Command(_asking(query[1])).run())
        return f"```sql\n{query[1]}```\n\n```text\n" + "".join(f"{line}\n" for line in lines) + "```\n"

    page.write_text(_QUERY.sub(answered, _BLOCK.sub(renewed, page.read_text())))


if __name__ == "__main__":
    given = [Path(name).resolve() for name in sys.argv[2:]]
    os.chdir(sys.argv[1])
    for name in given:
        refresh(name)
