"""``igtool consent``: what creators agreed to, what they say of themselves, and taking all of it back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, Stop, main, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.lake import Lake
    from igtool.session import Session
    from igtool.vocabulary.categories import TagVocabulary

EVIDENCE = click.option("--evidence", required=True, help="Where and how they said so, in words.")
_SHOWN = ("account", "category", "state", "granted_at", "revoked_at", "evidence")
_SAID = ("account", "field", "text", "declared_at", "withdrawn_at", "evidence")


@main.group("consent")
def consent_group() -> None:
    """What creators agreed to have inferred of them, and what they say of themselves."""


@contextmanager
def _session(context: click.Context, command: str) -> Iterator[tuple[Session, TagVocabulary]]:
    from igtool.session import open_session
    from igtool.vocabulary import tags

    workspace, stop = workspace_of(context), Stop()
    vocabulary = tags.load(workspace.settings.workspace)
    with stop.listening(), open_session(workspace.settings, f"consent {command}", stop) as session:
        yield session, vocabulary


@consent_group.command("grant", cls=Command)
@click.argument("handle")
@click.option(
    "--category", "categories", multiple=True, required=True, help="Category they agreed to; may be repeated."
)
@click.option("--adult", is_flag=True, help="They declared to be an adult. Without it no consent counts.")
@EVIDENCE
@click.option("--granted-at", metavar="DATE", help="When they agreed [now].")
@JSON
@click.pass_context
def grant_command(
    context: click.Context, /, handle: str, categories: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Write down that the owner of an account agreed to have a category inferred.

    HANDLE is one account: where several have the handle, instagram:HANDLE or an account id.
    """
    from igtool.consent.records import Given, grant, moment_of

    granted_at = moment_of(given["granted_at"]) if given["granted_at"] else None
    with _session(context, "grant") as (session, vocabulary):
        words = [Given(handle, one, given["evidence"], given["adult"], granted_at) for one in categories]
        new = grant(session.lake, vocabulary, words, datetime.now(UTC))
        _print_recorded("grant", session.lake, new, as_json=as_json, account=handle)


@consent_group.command("import", cls=Command)
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE.csv")
@JSON
@click.pass_context
def import_consents_command(context: click.Context, path: Path, as_json: bool) -> None:
    """Write down the consents of a CSV file, all of them or none.

    Its columns are account (or handle), category, adult (yes or no), evidence and granted_at. Importing a file again
    changes nothing, and does not bring back what was revoked since.
    """
    from igtool.consent.files import read_consents
    from igtool.consent.records import grant

    words = read_consents(path)
    with _session(context, "import") as (session, vocabulary):
        new = grant(session.lake, vocabulary, words, datetime.now(UTC))
        _print_recorded("import", session.lake, new, as_json=as_json)


def _print_recorded(command: str, lake: Lake, new: int, *, as_json: bool, account: str | None = None) -> None:
    """How many consents are new, and which do not stand."""
    from igtool.consent.records import listed

    rows, _ = listed(lake, account)
    if as_json:
        print_json({"command": f"consent {command}", "recorded": new, "rows": rows})
        return
    idle = sum(row["state"] != "stands" for row in rows)
    say(f"{new} recorded" + (f"; {idle} do not stand: `igtool consent list` says why" if idle else ""))


@consent_group.command("declare", cls=Command)
@click.argument("handle")
@click.option("--field", required=True, help="adult, or what igtool never infers: ethnicity, height.")
@click.option("--text", required=True, help="Their own words.")
@EVIDENCE
@JSON
@click.pass_context
def declare_command(context: click.Context, handle: str, field: str, text: str, evidence: str, as_json: bool) -> None:
    """Write down what a creator says of themselves, which nothing ever infers."""
    from igtool.consent.records import Declared, declare, listed

    with _session(context, "declare") as (session, vocabulary):
        declare(session.lake, vocabulary, Declared(handle, field, text, evidence), datetime.now(UTC))
        rows = listed(session.lake, handle)[1]
    if as_json:
        print_json({"command": "consent declare", "rows": rows})
    else:
        say("recorded")


@consent_group.command("list", cls=Command)
@click.argument("handle", required=False)
@JSON
@click.pass_context
def list_consents_command(context: click.Context, handle: str | None, as_json: bool) -> None:
    """Consents, whether each stands and why not, and what creators say of themselves."""
    from igtool.consent.records import listed

    with workspace_of(context).reader() as lake:
        consents, declarations = listed(lake, handle)
    if as_json:
        print_json({"command": "consent list", "rows": consents, "declarations": declarations})
        return
    print_rows([_named(row) for row in consents], _SHOWN, title="consents")
    print_rows([_named(row) for row in declarations], _SAID, title="declarations")


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a person reads it in a table."""
    handle = f"{row['platform']}:{row['handle']}" if row["handle"] else row["account_id"]
    return {**row, "account": handle}


@consent_group.command("revoke", cls=Command)
@click.argument("handle")
@click.option("--category", "categories", multiple=True, help="Only this category; may be repeated.")
@click.option("--field", "fields", multiple=True, help="Only this declaration; adult takes all consents along.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_context
def revoke_command(
    context: click.Context, handle: str, categories: tuple[str, ...], fields: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Take back what a creator agreed to or declared, and remove all that was derived of it.

    Without options everything. Removed are rows of every table, older versions of them in files, and the search index,
    which the next search makes anew. It is written down also where nothing was agreed to.
    """
    from igtool.consent.removal import Stores, TakenBack, revoke
    from igtool.errors import LockedError, UsageError

    if not yes and not sys.stdin.isatty():
        raise UsageError("this removes what was derived, and cannot be undone: add --yes where nobody can be asked")
    if not yes:
        what = ", ".join((*categories, *fields)) or "everything"
        click.confirm(f"take back {what} of {handle}, and remove what was derived of it?", abort=True, err=True)
    with _session(context, "revoke") as (session, vocabulary):
        stores = Stores(session.lake, session.journal, session.settings.data / "index")
        removed = revoke(stores, vocabulary, handle, TakenBack(categories, fields), datetime.now(UTC))
    if as_json:
        print_json({"command": "consent revoke", **asdict(removed)})
    else:
        rows = ", ".join(f"{count} of {table}" for table, count in sorted(removed.rows.items())) or "nothing"
        say(f"{removed.words} taken back for {', '.join(removed.accounts)}; rows removed: {rows}")
    if not removed.is_clean:
        raise LockedError(
            "everything is removed from the tables, but another process reads them, so bytes of it are left in files: "
            "end that process and run the same command again"
        )
