"""``igtool mcp``: tools for assistants."""

from __future__ import annotations

import rich_click as click

from igtool.commands.base import command, workspace_of


@command("mcp")
@click.option(
    "--tenant", default="local", show_default=True, metavar="NAME", help="Whose lists, notes and rights count."
)
@click.pass_context
def mcp_command(context: click.Context, tenant: str) -> None:
    """Give an assistant search, show, sql and status as tools: the Model Context Protocol on stdin and stdout.

    Needs the extra mcp. An assistant starts it by itself: docs/assistants.md says how. Everything reads only.
    """
    from igtool.serve.stdio import talk

    talk(workspace_of(context).settings, tenant)
