"""``igtool tenant``: who may ask the server, and with which keys."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.console import print_json, print_rows, say

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 366 * 86_400


@main.group("tenant")
def tenant_group() -> None:
    """Who may ask `igtool serve`: tenants and their API keys (docs/tenants.md)."""


@tenant_group.command("add", cls=Command)
@click.argument("name")
@click.option("--curator", is_flag=True, help="May also review tags, decide links, forget creators, see e-mails.")
@JSON
@click.pass_context
def add_command(context: click.Context, name: str, curator: bool, as_json: bool) -> None:
    """Add a tenant and print its API key, once: igtool keeps a hash of it."""
    from igtool.journal.tenants import CURATE, FORGET
    from igtool.tenants import open_book

    with open_book(workspace_of(context).settings) as book:
        key = book.add(name, (CURATE, FORGET) if curator else (), now=time.time())
    _print_key("tenant add", name, key, as_json=as_json)


@tenant_group.command("rotate", cls=Command)
@click.argument("name")
@click.option("--grace", default="0", metavar="DURATION", help="The keys before work so long: 30m, 24h, 7d [0].")
@JSON
@click.pass_context
def rotate_command(context: click.Context, name: str, grace: str, as_json: bool) -> None:
    """Print a new API key of a tenant; the ones before end now, or after --grace."""
    from igtool.tenants import open_book

    grace_s = _seconds(grace)
    with open_book(workspace_of(context).settings) as book:
        key = book.rotate(name, grace_s=grace_s, now=time.time())
    _print_key("tenant rotate", name, key, as_json=as_json)


@tenant_group.command("revoke", cls=Command)
@click.argument("name")
@click.argument("key_id", required=False)
@click.pass_context
def revoke_command(context: click.Context, name: str, key_id: str | None) -> None:
    """End a key of a tenant, or all of them; a running server refuses it within a second."""
    from igtool.tenants import open_book

    with open_book(workspace_of(context).settings) as book:
        ended = book.revoke(name, key_id, now=time.time())
    say(f"revoked: {', '.join(ended)}")


@tenant_group.command("remove", cls=Command)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it; without this it only says what would be done.")
@click.pass_context
def remove_command(context: click.Context, name: str, yes: bool) -> None:
    """Remove a tenant with its keys, lists, notes, hidden creators, searches and conversations.

    What it did stays in the audit log.
    """
    from igtool.errors import UsageError
    from igtool.tenants import remove_tenant

    if not yes:
        raise UsageError(f"this takes away everything that {name} kept: igtool tenant remove {name} --yes")
    is_done = remove_tenant(workspace_of(context).settings, name, now=time.time())
    say(f"{name} is removed" + ("" if is_done else "; its rows go when the run that is going on ends"))


@tenant_group.command("list", cls=Command)
@JSON
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """The tenants, with their rights and the ids and states of their keys."""
    from igtool.journal import Journal
    from igtool.journal.tenants import TenantBook

    now = time.time()
    with Journal(workspace_of(context).settings.cache, writable=False) as journal:
        book = TenantBook(journal)
        tenants, keys = book.tenants(), book.all_keys()
    rows: list[dict[str, Any]] = [
        {
            "tenant": key.tenant_id,
            "rights": "curator" if tenants[key.tenant_id].rights else "reader",
            "key_id": key.key_id,
            "state": key.state(now),
            "added_at": _time(key.added_at),
            "ends_at": _time(key.revoked_at or key.expires_at),
        }
        for key in keys
    ]
    if as_json:
        print_json({"command": "tenant list", "rows": rows})
    else:
        print_rows(rows, title="tenants")


def _print_key(command: str, name: str, key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"command": command, "tenant": name, "key_id": key.split("_")[1], "key": key})
    else:
        click.echo(key)
    say(f"the key of {name}, shown this once: send it as `Authorization: Bearer KEY`")


def _seconds(text: str) -> float:
    """Seconds of ``30m``, ``24h`` or ``7d``; a bare number is seconds. Raises UsageError."""
    from igtool.errors import UsageError

    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip().lower())
    seconds = int(found[1]) * _UNITS[found[2] or "s"] if found else -1
    if not 0 <= seconds <= _LONGEST_S:
        raise UsageError(f"--grace {text}: a duration is 0, 30m, 24h or 7d, a year at most")
    return float(seconds)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)
