"""``igtool serve``: the JSON API on this machine."""

from __future__ import annotations

import rich_click as click

from igtool.commands.base import command, workspace_of
from igtool.console import say


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="An address of this machine alone.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8700, show_default=True, help="0 takes a free one.")
@click.option("--open", "is_opened", is_flag=True, help="Show the address in the browser.")
@click.pass_context
def serve_command(context: click.Context, host: str, port: int, is_opened: bool) -> None:
    """Answer searches and questions about creators over HTTP, until Ctrl-C; runs may go on meanwhile.

    Only this machine can ask: there are no API keys yet. Routes are in /openapi.json and docs/server.md.
    """
    from igtool.serve.running import serve

    def ready(address: str) -> None:
        click.echo(address)
        say("serving until Ctrl-C; /openapi.json lists what can be asked")
        if is_opened:
            import webbrowser

            webbrowser.open(address)

    serve(workspace_of(context).settings, host, port, ready)
