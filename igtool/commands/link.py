"""``igtool link``: which accounts are one creator, why, and what people decide about it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, Stop, main, workspace_of
from igtool.console import print_json, print_rows, say
from igtool.text import one_line

if TYPE_CHECKING:
    from igtool.session import Session

REASON = click.option("--reason", default="", help="Why, for the log.")
BY = click.option("--by", default=None, help="Who decides [the name of the user].")
_ANSWERS = {"y": "yes", "n": "no", "s": "skip", "q": "quit"}


@main.group("link")
def link_group() -> None:
    """Which accounts are one creator: look, decide, take back."""


@contextmanager
def _session(context: click.Context, command: str) -> Iterator[Session]:
    from igtool.session import open_session

    workspace, stop = workspace_of(context), Stop()
    with stop.listening(), open_session(workspace.settings, f"link {command}", stop) as session:
        yield session


def _who(name: str | None) -> str:
    """``name``, else that of the user who runs this."""
    try:
        return name or getpass.getuser()
    except (OSError, KeyError):
        return "a person"


def _told(command: str, log_id: str, *, as_json: bool) -> None:
    """Say what was written down, and how to take it back."""
    if as_json:
        print_json({"command": f"link {command}", "log_id": log_id})
    else:
        say(f"decided; `igtool link undo {log_id}` takes it back, `igtool run` brings niches and the index up to date")


@link_group.command("review", cls=Command)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Pairs at most.")
@BY
@JSON
@click.pass_context
def review_command(context: click.Context, limit: int, by: str | None, as_json: bool) -> None:
    """Pairs of accounts that may be one creator: asks about each on a terminal, else lists them."""
    from igtool import linking

    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        with workspace_of(context).reader() as lake:
            rows = linking.waiting(lake, limit)
        if as_json:
            print_json({"command": "link review", "rows": rows})
        else:
            print_rows([_line(row) for row in rows])
            say(f"{len(rows)} pairs: `igtool link accept PAIR` or `igtool link reject PAIR` decides one")
        return
    with _session(context, "review") as session:
        said = linking.ask_each(session, linking.waiting(session.lake, limit), _ask, by=_who(by))
    say(f"{said['yes']} linked, {said['no']} kept apart, {said['skip']} left for later")


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A pair as a person reads it in a table."""
    return {
        "pair": row["pair_id"],
        "one": f"{row['platform_a']}:{row['handle_a'] or row['account_a']}",
        "other": f"{row['platform_b']}:{row['handle_b'] or row['account_b']}",
        "chance": row["confidence_score"],
        "for": row["evidence"],
        "against": row["doubt"],
    }


def _ask(row: dict[str, Any]) -> str:
    line = _line(row)
    say(f"\n{line['one']} ({one_line(row['name_a'] or '', 60)})\n{line['other']} ({one_line(row['name_b'] or '', 60)})")
    say(f"  for: {one_line(line['for'] or '', 200)}\n  against: {line['against']}\n  chance: {line['chance']:.0%}")
    answer = click.prompt("one creator?", type=click.Choice(list(_ANSWERS)), default="s", err=True)
    return _ANSWERS[answer]


@link_group.command("accept", cls=Command)
@click.argument("pair")
@REASON
@BY
@JSON
@click.pass_context
def accept_command(context: click.Context, pair: str, reason: str, by: str | None, as_json: bool) -> None:
    """Decide that a pair of `igtool link review` is one creator."""
    from igtool import linking

    with _session(context, "accept") as session:
        log_id = linking.accept(session, pair, by=_who(by), reason=reason)
    _told("accept", log_id, as_json=as_json)


@link_group.command("reject", cls=Command)
@click.argument("pair")
@REASON
@BY
@JSON
@click.pass_context
def reject_command(context: click.Context, pair: str, reason: str, by: str | None, as_json: bool) -> None:
    """Decide that a pair of `igtool link review` is two creators."""
    from igtool import linking

    with _session(context, "reject") as session:
        log_id = linking.reject(session, pair, by=_who(by), reason=reason)
    _told("reject", log_id, as_json=as_json)


@link_group.command("pin", cls=Command)
@click.argument("one")
@click.argument("other")
@REASON
@BY
@JSON
@click.pass_context
def pin_command(context: click.Context, one: str, other: str, reason: str, by: str | None, as_json: bool) -> None:
    """Decide that two accounts are one creator; each is a handle, platform:handle or an account id."""
    from igtool import linking

    with _session(context, "pin") as session:
        log_id = linking.pin(session, one, other, by=_who(by), reason=reason)
    _told("pin", log_id, as_json=as_json)


@link_group.command("split", cls=Command)
@click.argument("one")
@click.argument("other", required=False)
@REASON
@BY
@JSON
@click.pass_context
def split_command(
    context: click.Context, one: str, other: str | None, reason: str, by: str | None, as_json: bool
) -> None:
    """Decide that an account is not of its creator, or not together with OTHER."""
    from igtool import linking

    with _session(context, "split") as session:
        log_id = linking.split(session, one, other, by=_who(by), reason=reason)
    _told("split", log_id, as_json=as_json)


@link_group.command("undo", cls=Command)
@click.argument("log_id")
@BY
@JSON
@click.pass_context
def undo_command(context: click.Context, log_id: str, by: str | None, as_json: bool) -> None:
    """Take back an entry of `igtool link log`: a decision, or a merge or split that a rule made."""
    from igtool import linking

    with _session(context, "undo") as session:
        entry = linking.undo(session, log_id, by=_who(by))
    if as_json:
        print_json({"command": "link undo", "log_id": entry})
    else:
        say(f"undone; the log says so in {entry}")


@link_group.command("show", cls=Command)
@click.argument("handle")
@JSON
@click.pass_context
def show_link_command(context: click.Context, handle: str, as_json: bool) -> None:
    """The accounts of a creator, and what links each of them."""
    from igtool import linking

    with workspace_of(context).reader() as lake:
        rows = linking.shown(lake, handle, say)
    _printed("show", rows, as_json=as_json)


@link_group.command("log", cls=Command)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Entries at most.")
@JSON
@click.pass_context
def log_command(context: click.Context, limit: int, as_json: bool) -> None:
    """Merges, splits and decisions, the newest first."""
    from igtool import linking

    with workspace_of(context).reader() as lake:
        rows = linking.log(lake, limit)
    _printed("log", rows, as_json=as_json)


def _printed(command: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"command": f"link {command}", "rows": rows})
    else:
        print_rows(rows)
