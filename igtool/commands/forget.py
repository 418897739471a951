"""``igtool forget``: people removed from everything, and kept out."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.erase import Forgotten, Wish
    from igtool.settings import Settings

_UNCLEAN = (
    "everything is removed from the tables, but another process reads them, so bytes of it are left in files: "
    "end that process (or wait until it rests) and run `igtool forget --resume`"
)


@main.command("forget", cls=Command)
@click.argument("handles", nargs=-1, metavar="[HANDLE…]")
@click.option("--creator", "creators", multiple=True, metavar="ID", help="A creator by id; may be repeated.")
@click.option("--from-file", type=click.Path(path_type=Path), metavar="FILE.csv", help="All accounts of a list.")
@click.option("--platform", help="instagram, youtube or another, for handles that do not say theirs.")
@click.option("--account-only", is_flag=True, help="Only the account, not the others of its creator.")
@click.option("--dry-run", is_flag=True, help="List what would go, by table; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--resume", "is_resuming", is_flag=True, help="Finish what was killed or hindered; name nobody.")
@click.option("--list", "is_listing", is_flag=True, help="Say how many people are forgotten; there are no names.")
@click.option("--undo", "undone", metavar="HANDLE", help="Let somebody be fetched and stored again.")
@JSON
@click.pass_context
def forget_command(context: click.Context, /, handles: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Remove people from everything that is stored, and keep them out.

    HANDLE is a handle (one that nobody has now means who had it last), instagram:HANDLE, or an account id; all
    accounts that were linked to it as one creator go.
    They leave raw answers, tables and their older versions, the journal, answers of language models, pictures, the
    search index, exports and logs. A keyed hash stays, so that no later run fetches or imports them. Files of your own
    are not touched. It cannot be undone; a killed command is finished by running it again.
    """
    settings = workspace_of(context).settings
    if given["is_listing"]:
        _list(settings, as_json=as_json)
    elif given["undone"]:
        _undo(settings, given["undone"], given["platform"], as_json=as_json)
    elif given["is_resuming"]:
        from igtool.erase import resume

        _print(resume(settings), as_json=as_json)
    else:
        _forget(settings, _wish(handles, given), given, as_json=as_json)


def _wish(handles: tuple[str, ...], given: dict[str, Any]) -> Wish:
    """Whom the options mean. Raises UsageError."""
    from igtool.erase import Wish
    from igtool.errors import UsageError
    from igtool.lists.creator_list import read_list

    names = [*handles, *given["creators"]]
    if given["from_file"] is not None:
        rows = read_list(given["from_file"], platform=given["platform"]).rows
        names += [f"{row.platform}:{row.handle}" for row in rows if row.reason is None]
    if not names:
        raise UsageError("nobody is named: give handles, --creator ID or --from-file FILE.csv")
    return Wish(tuple(names), given["platform"], given["account_only"])


def _forget(settings: Settings, wish: Wish, given: dict[str, Any], *, as_json: bool) -> None:
    from igtool.erase import forget, preview
    from igtool.errors import UsageError

    if given["dry_run"]:
        _print(preview(settings, wish), as_json=as_json, is_dry=True)
        return
    if not given["yes"] and not sys.stdin.isatty():
        raise UsageError("this removes people for good, and cannot be undone: add --yes where nobody can be asked")
    if not given["yes"]:
        _print(preview(settings, wish), as_json=False, is_dry=True)
        click.confirm("forget them?", abort=True, err=True)
    _print(forget(settings, wish), as_json=as_json)


def _print(done: Forgotten, *, as_json: bool, is_dry: bool = False) -> None:
    """What went, or would go. Raises LockedError where bytes are left."""
    from igtool.errors import LockedError

    rows = [{"table": name, "rows": count} for name, count in sorted(done.rows.items())]
    if as_json:
        print_json({"command": "forget", "dry_run": is_dry, **asdict(done), "rows": rows})
    else:
        if rows:
            print_rows(rows)
        _say(done, is_dry=is_dry)
    if not done.is_clean:
        raise LockedError(_UNCLEAN)


def _say(done: Forgotten, *, is_dry: bool) -> None:
    for renamed in done.renamed:
        say(renamed)
    if done.already:
        say(f"forgotten already: {', '.join(done.already)}")
    if not done.people:
        say("nothing to forget")
        return
    said = "would be forgotten, with" if is_dry else "forgotten, with"
    say(f"{done.people} {'person' if done.people == 1 else 'people'} {said} {done.files} files")
    if done.sources:
        shown = ", ".join(done.sources[:10]) + (f" and {len(done.sources) - 10} more" if len(done.sources) > 10 else "")
        say(f"your own files are not touched; these hold or held them: {shown}")


def _list(settings: Settings, *, as_json: bool) -> None:
    from igtool.erase import forgotten_count
    from igtool.health import forgetting

    count, under_way = forgotten_count(settings), forgetting(settings)
    if as_json:
        print_json({"command": "forget", "forgotten": count, "under_way": under_way})
        return
    say(f"{count} people are forgotten; who they are is not known")
    if under_way:
        say(f"{under_way} are not wholly forgotten yet: `igtool forget --resume` finishes it")


def _undo(settings: Settings, name: str, platform: str | None, *, as_json: bool) -> None:
    from igtool.erase import undo
    from igtool.errors import UsageError

    count = undo(settings, name, platform)
    if not count:
        raise UsageError(f"nobody {name!r} was forgotten: check the handle, and --platform if you gave one")
    if as_json:
        print_json({"command": "forget", "undone": count})
    else:
        say(f"{name} may be fetched and imported again; what was removed does not come back by itself")
