"""``igtool serve``: pages and the JSON API on this machine."""

from __future__ import annotations

import rich_click as click

from igtool.commands.base import command, workspace_of
from igtool.console import say


@command("serve")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to serve on; others than this machine's own need an API key.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8700, show_default=True, help="0 takes a free one.")
@click.option("--open", "is_opened", is_flag=True, help="Show the address in the browser.")
@click.pass_context
def serve_command(context: click.Context, host: str, port: int, is_opened: bool) -> None:
    """Pages for the browser and a JSON API, until Ctrl-C; runs may go on meanwhile.

    Search, creators, lists, reviews and the state of the workspace are at the address that it prints. Only this
    machine can ask, until `igtool tenant add NAME` makes API keys: docs/tenants.md. Routes of the API are in
    /openapi.json and docs/server.md.
    """
    from igtool.serve.addresses import is_loopback
    from igtool.serve.running import serve

    def ready(address: str) -> None:
        click.echo(address)
        say("open it in a browser; serving until Ctrl-C, and /openapi.json lists what programs can ask")
        if not is_loopback(host):
            say("this is plain HTTP, which others on the way can read, keys included: put TLS in front of it")
        if is_opened:
            import webbrowser

            webbrowser.open(address)

    serve(workspace_of(context).settings, host, port, ready)
