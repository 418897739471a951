"""``igtool watch``: the accounts that the schedule looks at, besides those of the lists that `enrich` was given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.commands.completion import complete_lists
from igtool.commands.keeping import keep
from igtool.console import print_json, print_rows, say
from igtool.lists.handles import SITES

if TYPE_CHECKING:
    from igtool.journal.said import Change
    from igtool.lake import Lake
    from igtool.watchlist import Unwatched

HANDLES = click.argument("handles", nargs=-1, required=True, metavar="HANDLE…")
PLATFORM = click.option("--platform", type=click.Choice(list(SITES)), help="Platform of bare handles [instagram].")


@main.group("watch")
def watch_group() -> None:
    """Which accounts `igtool schedule` looks at (docs/schedule.md)."""


@watch_group.command("add", cls=Command)
@HANDLES
@PLATFORM
@click.option(
    "--list", "name", default="watched", show_default=True, shell_complete=complete_lists, help="On which list."
)
@click.pass_context
def watch_add_command(context: click.Context, handles: tuple[str, ...], platform: str | None, name: str) -> None:
    """Let the schedule look at accounts, also at those that were removed; `igtool search --list` finds them."""
    from igtool.lists.creator_list import from_handles
    from igtool.watchlist import watching

    creators, new = from_handles(list(handles), platform=platform), 0

    def changes(lake: Lake) -> Sequence[Change]:
        nonlocal new
        new, made = watching(lake, creators, name, datetime.now(UTC))
        return made

    keep(context, "watch add", changes)
    known = len({(row.platform, row.handle) for row in creators.rows}) - new
    say(f"{new} added to {name}" + (f", {known} were on it" if known else ""))


@watch_group.command("remove", cls=Command)
@HANDLES
@PLATFORM
@click.pass_context
def watch_remove_command(context: click.Context, handles: tuple[str, ...], platform: str | None) -> None:
    """Let the schedule look at accounts no more, until `igtool watch add`.

    They go from lists made by `igtool watch add`. A list that is a file stays as its file is, and all that is stored of
    them stays: `igtool forget` is what removes a person.
    """
    from igtool.lists.creator_list import from_handles
    from igtool.watchlist import unwatching

    creators = from_handles(list(handles), platform=platform)
    found: list[Unwatched] = []

    def changes(lake: Lake) -> Sequence[Change]:
        found[:], made = unwatching(lake, creators, datetime.now(UTC))
        return made

    keep(context, "watch remove", changes)
    for one in found:
        gone = f"; off {', '.join(one.off)}" if one.off else ""
        stays = f"; still on {', '.join(one.still_on)} (a list is as its file is)" if one.still_on else ""
        say(f"{one.handle}: the schedule does not look at it any more{gone}{stays}")
    say("what is stored stays: igtool forget removes a person")


@watch_group.command("list", cls=Command)
@click.option("--list", "name", shell_complete=complete_lists, help="Only this list.")
@JSON
@click.pass_context
def watch_list_command(context: click.Context, name: str | None, as_json: bool) -> None:
    """The accounts of all lists, and those that were removed: whether each is looked at, and when it was seen last."""
    from igtool.watchlist import watched

    with workspace_of(context).reader() as lake:
        rows = watched(lake, name)
    if as_json:
        print_json({"command": "watch list", "rows": rows})
    else:
        print_rows(rows, title="watched" if name is None else name)
