"""``igtool completion``: what makes a shell complete commands, options, stages and lists."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import CompletionItem, get_completion_class

from igtool.commands.base import command, main

STAGES = (
    "normalize", "drift", "embed", "resolve", "analyze", "describe", "embed_style", "insights", "images",
    "picture_facts", "body", "image_vectors", "image_verdicts", "tag", "index", "export",
)  # fmt: skip
"""The names of `igtool.pipeline`, which takes too long to import for a key press; a test compares them."""

_LISTS = """
    select distinct list_name from (
        select list_name from tenant_lists where tenant_id = 'local' union all select list_name from watchlist
    ) where starts_with(list_name, ?) order by 1 limit 100
"""

_PLACES = {
    "bash": "add to ~/.bashrc: source <(igtool completion bash)",
    "zsh": "add to ~/.zshrc, after compinit: source <(igtool completion zsh)",
    "fish": "igtool completion fish > ~/.config/fish/completions/igtool.fish",
}


@command("completion")
@click.argument("shell", type=click.Choice(list(_PLACES)))
def completion_command(shell: str) -> None:
    """Print what makes a shell complete commands, options, stages and names of lists.

    For bash add `source <(igtool completion bash)` to ~/.bashrc, for zsh `source <(igtool completion zsh)` to ~/.zshrc
    after compinit; for fish `igtool completion fish > ~/.config/fish/completions/igtool.fish`.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"click completes nothing in {shell}")
    click.echo(kind(main, {}, "igtool", "_IGTOOL_COMPLETE").source())
    click.echo(f"# {_PLACES[shell]}")  # last: the first line tells zsh what the file is


def complete_stages(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of stages that begin so."""
    return [CompletionItem(name) for name in STAGES if name.startswith(incomplete)]


def complete_lists(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the workspace's own lists that begin so; none where there is no workspace that can be read."""
    from igtool.commands.base import workspace_of
    from igtool.errors import IgtoolError

    context.obj = context.find_root().params.get("workspace")  # nothing is run, so nobody has set it
    try:
        rows = workspace_of(context).sql(_LISTS, (incomplete,))
    except IgtoolError:
        return []
    return [CompletionItem(name) for name in rows.column(0).to_pylist()]
