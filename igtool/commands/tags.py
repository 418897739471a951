"""``igtool tag``: tags of creators, what changed in them, and corrections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, Stop, main, workspace_of
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.reviews.words import Word
    from igtool.workspace import Workspace

_SHOWN = ("handle", "tag", "confidence", "approved by", "pictures", "made by", "why")
_CHANGED = ("handle", "changed", "tag", "before", "after", "why")
_WITHHELD = (
    "a tag that needs consent is there only where a picture shows it too, or where it is the creator's own word "
    "(--own); see docs/ethics.md"
)
_OUTDONE = "another word, of the creator or a later one, goes before it"
BY = click.option("--by", "reviewer", metavar="NAME", help="Who says so [local].")


@main.group("tag")
def tag_group() -> None:
    """Tags of creators, from pictures and from people (docs/pictures.md)."""


@tag_group.command("show", cls=Command)
@click.argument("handle")
@click.option("--history", is_flag=True, help="Every change, with its reason.")
@JSON
@click.pass_context
def tag_show_command(context: click.Context, handle: str, history: bool, as_json: bool) -> None:
    """The tags of a creator: how sure each is, on what it rests, and why."""
    show_tags(workspace_of(context), handle, history=history, as_json=as_json, command="tag show")


def show_tags(
    workspace: Workspace, handle: str, *, history: bool, as_json: bool, command: str, words: Sequence[Word] = ()
) -> None:
    """Print the tags of a creator, and with ``history`` what changed in them; ``words`` were just said of them."""
    tags, changed = workspace.tags(handle)
    withheld = _withheld(workspace, words, tags)
    for one in withheld:
        say(f"{one['tag']} is written down and not shown: {one['why']}")
    if as_json:
        more = {"history": changed} if history else {"withheld": withheld} if words else {}
        print_json({"command": command, "rows": tags, **more})
        return
    print_rows([_tag(row) for row in tags], _SHOWN, title=f"tags of {handle}")
    if history:
        print_rows([_change(row) for row in changed], _CHANGED, title="\nwhat changed")


def _withheld(workspace: Workspace, words: Sequence[Word], tags: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The tags that ``words`` say are right and that are not among ``tags``, each with the reason."""
    from igtool.vocabulary import tags as vocabularies
    from igtool.vocabulary.categories import slug_of

    shown = {(row["category"], row["tag"]) for row in tags}
    vocabulary = vocabularies.load(workspace.settings.workspace) if words else None
    found = []
    for word in words:
        category = vocabulary.category(word.category) if vocabulary is not None else None
        if category is None or word.tag is None or word.answer != "approve":
            continue
        key = (category.slug, slug_of(word.tag))
        if key not in shown:
            found.append({"tag": ":".join(key), "why": _WITHHELD if category.needs_consent else _OUTDONE})
    return found


def _tag(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "handle": row["handle"],
        "tag": f"{row['category']}:{row['tag']}",
        "confidence": f"{row['confidence_score']:.2f}",
        "approved by": row["approved_by"],
        "pictures": row["images_analyzed"],
        "made by": row["model_used"] or "a person",
        "why": row["reasoning"],
    }


def _change(row: dict[str, Any]) -> dict[str, Any]:
    before, after = (json.loads(row[name] or "null") for name in ("state_before", "state_after"))
    return {
        "handle": row["handle"],
        "changed": row["changed_at"],
        "tag": f"{row['category']}:{row['tag']}",
        "before": "not there" if before is None else f"{before['confidence_score']:.2f}",
        "after": "gone" if after is None else f"{after['confidence_score']:.2f}",
        "why": row["reason"],
    }


@tag_group.command("correct", cls=Command)
@click.argument("handle")
@click.argument("tags", nargs=-1, required=True, metavar="CATEGORY:TAG…")
@click.option("--wrong", is_flag=True, help="They do not have these tags; else they have them.")
@click.option("--own", is_flag=True, help="It is the creator's own word, which goes before everybody's.")
@BY
@JSON
@click.pass_context
def tag_correct_command(
    context: click.Context, /, handle: str, tags: tuple[str, ...], as_json: bool, **said: Any
) -> None:
    """Say what is right of a creator: it goes before all that pictures show, now and in every run."""
    from igtool.errors import UsageError
    from igtool.notes import creators_named
    from igtool.reviews.words import NOBODY, Word

    workspace = workspace_of(context)
    with workspace.reader() as lake:
        creators = creators_named(lake, handle)
    if len(creators) > 1:
        raise UsageError(f"{handle!r} is the handle of {len(creators)} creators: say which, {' or '.join(creators)}")
    words = []
    for one in tags:
        category, _, tag = one.partition(":")
        if not tag:
            raise UsageError(f"{one!r} is no tag: write CATEGORY:TAG, for example hair:blonde")
        told = {"reviewer": said["reviewer"] or NOBODY, "is_own": said["own"]}
        words.append(Word(creators[0], category, tag, "flag" if said["wrong"] else "approve", **told))
    record(workspace, words, "tag correct")
    show_tags(workspace, handle, history=False, as_json=as_json, command="tag correct", words=words)


@tag_group.command("import", cls=Command)
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE.csv")
@BY
@click.pass_context
def tag_import_command(context: click.Context, path: Path, reviewer: str | None) -> None:
    """Take creators' own corrections from a CSV file, all of them or none.

    Its columns are account (or handle), category, tag, and right (yes or no).
    """
    from dataclasses import replace

    from igtool.notes import account_named
    from igtool.reviews.words import NOBODY, read_corrections

    workspace, words = workspace_of(context), []
    corrections = read_corrections(path, reviewer or NOBODY)
    with workspace.reader() as lake:
        for account, word in corrections:
            creator = lake.value(
                "select creator_id from creator_links where account_id = ?", (account_named(lake, account),)
            )
            words.append(replace(word, creator_id=creator))
    say(f"{record(workspace, words, 'tag import')} recorded")


def record(workspace: Workspace, words: Sequence[Word], command: str) -> int:
    """Write down what was said and bring tags up to date; how many words are new."""
    from igtool.pipeline import run_stages
    from igtool.reviews.words import say as write_down
    from igtool.session import open_session
    from igtool.stages.tag import Tag
    from igtool.vocabulary import tags

    stop = Stop()
    vocabulary = tags.load(workspace.settings.workspace)
    with stop.listening(), open_session(workspace.settings, command, stop) as session:
        session.told = say
        new = write_down(session.lake, vocabulary, words, datetime.now(UTC))
        run_stages(session, [Tag.name])
    return new
