"""``igtool audit``: who did what through the server, and whether the log of it is whole."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, main, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.journal import Journal
    from igtool.journal.audit import Logged
    from igtool.lake import Lake


@main.group("audit")
def audit_group() -> None:
    """The audit log: searches, changes through the server, tenants, keys, settings (docs/tenants.md)."""


@audit_group.command("list", cls=Command)
@click.option("--tenant", help="Only entries of this tenant.")
@click.option("--action", help="Only this action, such as search, or tenant for all that begin so.")
@click.option("--since", metavar="TIME", help="Only from this time on: 2026-01-31 or 2026-01-31T18:00, UTC.")
@click.option(
    "-n", "most", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The newest so many."
)
@JSON
@click.pass_context
def list_command(
    context: click.Context, tenant: str | None, action: str | None, since: str | None, most: int, as_json: bool
) -> None:
    """Entries of the audit log, the newest first, those on their way into the tables too."""
    from igtool.auditing import entries_of

    first = _microseconds(since)
    newest: deque[Logged] = deque(maxlen=most)
    with _stores(context) as (lake, journal):
        newest.extend(
            entry
            for entry in entries_of(lake, journal)
            if (tenant is None or entry.tenant_id == tenant)
            and (action is None or f"{entry.action}.".startswith(f"{action}."))
            and entry.at >= first
        )
    rows = [_shown(entry) for entry in reversed(newest)]
    if as_json:
        print_json({"command": "audit list", "rows": rows})
    else:
        for row in rows:
            row["detail"] = json.dumps(row["detail"], ensure_ascii=False) if row["detail"] is not None else "forgotten"
        print_rows(rows, ("entry_number", "logged_at", "tenant_id", "actor", "action", "detail"), title="audit log")


@audit_group.command("verify", cls=Command)
@click.option("--head", metavar="HASH", help="Also check that the entry with this hash, noted earlier, is still there.")
@JSON
@click.pass_context
def verify_command(context: click.Context, head: str | None, as_json: bool) -> None:
    """Check numbers, hashes and details of all entries; prints the newest hash, to be noted elsewhere.

    Who owns the files could cut off the end of the log, or write a new one: only a hash that is kept elsewhere tells.
    """
    from igtool.auditing import verify
    from igtool.errors import IntegrityError

    with _stores(context) as (lake, journal):
        found = verify(lake, journal, head.strip().lower() if head is not None else None)
    if as_json:
        print_json({"command": "audit verify", "is_whole": found.is_whole, **asdict(found)})
    elif found.is_whole:
        click.echo(found.head)
        told = f", {found.forgotten} with forgotten details" if found.forgotten else ""
        say(f"{found.entries} entries, nothing changed or taken out{told}; note the hash elsewhere for --head")
    if not found.is_whole:
        raise IntegrityError(f"the audit log is not what was written: {found.problem}")


@contextmanager
def _stores(context: click.Context) -> Iterator[tuple[Lake | None, Journal]]:
    from igtool.journal import Journal
    from igtool.lake import Lake

    settings = workspace_of(context).settings
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(settings.cache, writable=False))
        there = settings.lake.is_made
        lake = Lake(settings.lake, writable=False, offline=settings.offline) if there else None
        yield stack.enter_context(lake) if lake is not None else None, journal


def _microseconds(since: str | None) -> int:
    """The time that is meant, since 1970. Raises UsageError."""
    from igtool.errors import UsageError

    try:
        at = datetime.fromisoformat(since.strip()) if since is not None else datetime(1970, 1, 1, tzinfo=UTC)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {since}: write it as 2026-01-31 or 2026-01-31T18:00") from error


def _shown(entry: Logged) -> dict[str, Any]:
    return {
        "entry_number": entry.number,
        "logged_at": datetime.fromtimestamp(entry.at / 1_000_000, UTC),
        "tenant_id": entry.tenant_id,
        "actor": entry.actor,
        "action": entry.action,
        "detail": json.loads(entry.detail) if entry.detail is not None else None,
        "chain_sha256": entry.chain_sha256.hex(),
    }
