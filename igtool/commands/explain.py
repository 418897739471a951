"""``igtool explain``: what an exit code, an error or a slug means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click
from click.shell_completion import CompletionItem

from igtool.commands.base import JSON, command
from igtool.console import print_json, print_rows

if TYPE_CHECKING:
    from igtool.explaining import Explanation


RETRYABLE = {
    True: "It can pass: the same command may succeed later.",
    False: "The same command fails again unless something is changed.",
}


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from igtool.explaining import explanations

    return [CompletionItem(name) for name in sorted({e.name for e in explanations()}) if name.startswith(incomplete)]


@command("explain")
@click.argument("name", required=False, metavar="CODE|ERROR|SLUG", shell_complete=_complete)
@JSON
def explain_command(name: str | None, as_json: bool) -> None:
    """Say what an exit code, an error or a slug means (7, LockedError, broken-json), and what to do.

    Without a name it lists all of them.
    """
    from dataclasses import asdict

    from igtool.explaining import explain, explanations

    found = list(explanations()) if name is None else explain(name)
    if as_json:
        print_json({"command": "explain", "rows": [asdict(one) for one in found]})
    elif name is None:
        print_rows([{"kind": one.kind, "name": one.name, "meaning": one.meaning} for one in found])
    else:
        click.echo("\n\n".join(map(_text, found)))


def _text(found: Explanation) -> str:
    lines = [f"{found.name}: {found.kind}", "", found.meaning]
    if found.do:
        lines.append(found.do)
    if found.exit_code is not None and found.name != str(found.exit_code):
        lines.append(f"Exit code {found.exit_code}.")
    if found.is_retryable is not None:
        lines.append(RETRYABLE[found.is_retryable])
    return "\n".join(lines).rstrip()
