"""``igtool list``, ``note``, ``hide`` and ``unhide``: what a person keeps about creators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rich_click as click

from igtool.commands.base import JSON, Command, command, main, workspace_of
from igtool.commands.completion import complete_lists
from igtool.commands.keeping import keep
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.journal.said import Change
    from igtool.lake import Lake

HANDLES = click.argument("handles", nargs=-1, required=True, metavar="HANDLE…")


def _named(lake: Lake, handles: Sequence[str]) -> list[str]:
    from igtool.notes import creators_named

    return list(dict.fromkeys(one for handle in handles for one in creators_named(lake, handle, say)))


@main.group("list")
def list_group() -> None:
    """Lists of creators, for `igtool search --list NAME`."""


@list_group.command("add", cls=Command)
@click.argument("name", shell_complete=complete_lists)
@HANDLES
@click.pass_context
def list_add_command(context: click.Context, name: str, handles: tuple[str, ...]) -> None:
    """Put creators on a list; it is made if it is not there."""
    from igtool.notes import mine, on_list

    creators: list[str] = []
    there: set[str] = set()

    def changes(lake: Lake) -> list[Change]:
        creators[:] = _named(lake, handles)
        there.update(row["creator_id"] for row in mine(lake, "tenant_lists") if row["list_name"] == name.strip())
        return [on_list(name, creators, datetime.now(UTC))]

    keep(context, "list add", changes)
    new = len(set(creators) - there)
    say(f"{new} added to {name}" + (f", {len(creators) - new} were on it" if len(creators) > new else ""))


@list_group.command("remove", cls=Command)
@click.argument("name", shell_complete=complete_lists)
@HANDLES
@click.pass_context
def list_remove_command(context: click.Context, name: str, handles: tuple[str, ...]) -> None:
    """Take creators off a list."""
    from igtool.notes import mine, off_list, with_former

    creators: list[str] = []
    there: set[str] = set()

    def changes(lake: Lake) -> list[Change]:
        creators[:] = _named(lake, handles)
        there.update(row["creator_id"] for row in mine(lake, "tenant_lists") if row["list_name"] == name)
        return [off_list(name, with_former(lake, creators))]

    keep(context, "list remove", changes)
    gone = len(there.intersection(creators))
    say(f"{gone} taken off {name}" + (f", {len(creators) - gone} were not put on it" if len(creators) > gone else ""))


@list_group.command("show", cls=Command)
@click.argument("name", required=False, shell_complete=complete_lists)
@JSON
@click.pass_context
def list_show_command(context: click.Context, name: str | None, as_json: bool) -> None:
    """The lists, those given to `igtool enrich` too; with NAME, who is on it."""
    from igtool.errors import UsageError
    from igtool.notes import kept

    with workspace_of(context).reader() as lake:
        lists = kept(lake).lists
        if name is not None and name not in lists:
            raise UsageError(f"there is no list {name!r}; there are: {', '.join(sorted(lists)) or 'none'}")
        rows = (
            [{"list": one, "creators": len(members)} for one, members in sorted(lists.items())]
            if name is None
            else lake.rows(
                "select creator_id, canonical_handle as handle, name, total_followers_count as followers from creators "
                "where creator_id in (select unnest(?::varchar[])) order by followers desc nulls last, creator_id",
                (lists[name],),
            )
        )
    if as_json:
        print_json({"command": "list show", "rows": rows})
    else:
        print_rows(rows, title="lists" if name is None else name)


@command("note")
@click.argument("handle")
@click.argument("text")
@click.pass_context
def note_command(context: click.Context, handle: str, text: str) -> None:
    """Note something about a creator; `igtool search --note WORD` finds it."""
    from igtool.notes import noting

    keep(context, "note", lambda lake: [noting(_named(lake, [handle]), text, datetime.now(UTC))])


@command("hide")
@HANDLES
@click.option("--reason", help="Why, for later.")
@click.pass_context
def hide_command(context: click.Context, handles: tuple[str, ...], reason: str | None) -> None:
    """Let creators appear in no search until `igtool unhide`."""
    from igtool.notes import hiding

    keep(context, "hide", lambda lake: [hiding(_named(lake, handles), reason, datetime.now(UTC))])


@command("unhide")
@HANDLES
@click.pass_context
def unhide_command(context: click.Context, handles: tuple[str, ...]) -> None:
    """Let hidden creators appear in searches again."""
    from igtool.notes import showing, with_former

    keep(context, "unhide", lambda lake: [showing(with_former(lake, _named(lake, handles)))])
