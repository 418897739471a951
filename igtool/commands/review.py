"""``igtool review``: tags that are not sure, shown to a person; thresholds fitted to what people said."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.base import JSON, Command, Group, main, workspace_of
from igtool.commands.tags import BY, record
from igtool.console import print_json, print_rows, say
from igtool.text import harmless

if TYPE_CHECKING:
    from igtool.reviews.calibrate import Fit, Quality
    from igtool.reviews.words import Word
    from igtool.vocabulary.categories import TagVocabulary
    from igtool.workspace import Workspace

_LISTED = ("id", "handle", "tag", "confidence", "why")
_KEYS = "y: right · n: wrong · TAG: what is right instead · none: nothing of the kind · s: later · q: stop"
LIMIT = click.option(
    "-n", "--n", "limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="So many at most."
)
ONLY_LIST = click.option("--list", "only_list", is_flag=True, help="List them; ask nothing.")
CATEGORY = click.option("--category", "categories", multiple=True, help="Only this category; may be repeated.")


@main.group("review", cls=Group, invoke_without_command=True)
@CATEGORY
@LIMIT
@BY
@ONLY_LIST
@JSON
@click.pass_context
def review_group(context: click.Context, /, as_json: bool, **asked: Any) -> None:
    """Look at tags that are not sure, the most informative first.

    In a terminal each picture is drawn and you say what is right; else, and with --list, they are listed.
    """
    from igtool.reviews.queue import standing, waiting
    from igtool.vocabulary import tags

    if context.invoked_subcommand is not None:
        return
    workspace = workspace_of(context)
    vocabulary = tags.load(workspace.settings.workspace)
    categories = [vocabulary.category(one).slug for one in asked["categories"]]
    with workspace.reader() as lake:
        counts, rows = standing(lake), waiting(lake, categories, asked["limit"])
    _show(Showing(workspace, "queue", asked["reviewer"], asked["only_list"]), rows, counts, as_json=as_json)


@review_group.command("sample", cls=Command)
@LIMIT
@click.option("--seed", type=int, default=1, show_default=True, help="Another one draws others.")
@BY
@ONLY_LIST
@JSON
@click.pass_context
def review_sample_command(context: click.Context, /, limit: int, seed: int, as_json: bool, **asked: Any) -> None:
    """Look at random pictures, to measure how good tags are: `review calibrate` validates with them."""
    from igtool.reviews.queue import sampled, standing
    from igtool.vocabulary import tags

    workspace = workspace_of(context)
    with workspace.reader() as lake:
        counts = standing(lake)
        rows = sampled(lake, tags.load(workspace.settings.workspace), limit, seed)
    _show(Showing(workspace, "random", asked["reviewer"], asked["only_list"]), rows, counts, as_json=as_json)


@review_group.command("say", cls=Command)
@click.argument("item", metavar="ID")
@click.argument("answer", type=click.Choice(["approve", "edit", "flag"]))
@click.option("--to", "corrected", metavar="TAG", help="With edit: the right tag of the category; none if none fits.")
@BY
@click.pass_context
def review_say_command(
    context: click.Context, item: str, answer: str, corrected: str | None, reviewer: str | None
) -> None:
    """Say what is right of one tag of a picture, by its id in `igtool review --list`."""
    from igtool.errors import UsageError
    from igtool.reviews.queue import one_waiting

    workspace = workspace_of(context)
    with workspace.reader() as lake:
        row = one_waiting(lake, item)
    if row is None:
        raise UsageError(f"there is no tag with the id {item!r:.40}: `igtool review --list` shows those that wait")
    if (answer == "edit") != (corrected is not None):
        raise UsageError("--to names the right tag of an edit: `igtool review say ID edit --to TAG`")
    record(workspace, [_word(row, answer, corrected, reviewer, "queue")], "review say")
    say("recorded")


@review_group.command("calibrate", cls=Command)
@click.option("--write", "writes", is_flag=True, help="Write what was found into tags.toml of the workspace.")
@JSON
@click.pass_context
def review_calibrate_command(context: click.Context, writes: bool, as_json: bool) -> None:
    """Fit thresholds and temperatures of tags to what people said, and measure on other labels how much that helps."""
    from igtool.reviews import calibrate
    from igtool.vocabulary import tags

    workspace = workspace_of(context)
    folder = workspace.settings.workspace
    with workspace.reader() as lake:
        fits = calibrate.fit(tags.load(folder), calibrate.labels(lake))
    written = calibrate.write(folder / tags.OWN, fits) if writes else 0
    if as_json:
        print_json({"command": "review calibrate", "rows": [_fit_row(one) for one in fits], "written": written})
        return
    print_rows([_fit_row(one) for one in fits], title="tags with labels")
    found = sum(one.reason is None for one in fits)
    if writes:
        say(f"{written} tags are written into {folder / tags.OWN}: `igtool run tag` applies them")
    elif found:
        say("nothing is written: add --write to keep this")


def _fit_row(one: Fit) -> dict[str, Any]:
    return {
        "tag": ":".join(one.key),
        "labels": f"{one.calibration} + {one.validation}",
        "temperature": one.temperature,
        "threshold": one.threshold,
        "precision": _share(one.before, "precision"),
        "then": _share(one.after, "precision"),
        "recall": _share(one.before, "recall"),
        "then ": _share(one.after, "recall"),
        "not fitted because": one.reason,
    }


def _share(quality: Quality | None, name: str) -> str:
    """Right of how many; the share where there are enough."""
    if quality is None:
        return ""
    share = quality.precision if name == "precision" else quality.recall
    of = quality.assigned if name == "precision" else quality.wanted
    return f"{quality.right} of {of}" + (f" ({share:.0%})" if share is not None else "")


@dataclass(frozen=True)
class Showing:
    """Where tags are shown, how they came up (``queue``, ``random``), to whom, and whether nothing is asked."""

    workspace: Workspace
    how: str
    reviewer: str | None
    only_list: bool


def _show(showing: Showing, rows: list[dict[str, Any]], counts: dict[str, Any], *, as_json: bool) -> None:
    """The tags, listed or asked about."""
    from igtool.reviews.queue import in_words

    if as_json:
        print_json({"command": "review", "rows": rows, "standing": counts})
        return
    say(in_words(counts))
    if showing.only_list or not sys.stdin.isatty() or not rows:
        print_rows([_listed(row) for row in rows], _LISTED, title="" if rows else "tags that wait")
        return
    words = _ask(showing, rows)
    if words:
        record(showing.workspace, words, "review")
    say(f"{len(words)} recorded")


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    confidence = row["confidence_score"]
    return {
        **row,
        "tag": f"{row['category']}:{row['tag'] or 'none'}",
        "confidence": "" if confidence is None else f"{confidence:.2f}",
        "why": row["reasoning"],
    }


def _ask(showing: Showing, rows: Sequence[dict[str, Any]]) -> list[Word]:
    """What the person in front of the terminal says of each, until they stop."""
    from igtool.vocabulary import tags

    vocabulary = tags.load(showing.workspace.settings.workspace)
    words: list[Word] = []
    for place, row in enumerate(rows, 1):
        _draw(showing.workspace, row["sha256"])
        told = _listed(row)
        say(f"\n{place} of {len(rows)}  @{row['handle']}  {told['tag']}  {told['confidence']}\n{told['why'] or ''}")
        answer = _answer(row, vocabulary)
        if answer == "q":
            break
        if answer != "s":
            kind = {"y": "approve", "n": "flag"}.get(answer, "edit")
            words.append(_word(row, kind, answer if kind == "edit" else None, showing.reviewer, showing.how))
    return words


def _answer(row: dict[str, Any], vocabulary: TagVocabulary) -> str:
    """What is typed, asked again until it is one of the keys or a tag of the category."""
    from igtool.errors import UsageError

    while True:
        answer = str(click.prompt(_KEYS, err=True)).strip().lower()
        if answer in ("y", "s", "q", "none") or (answer == "n" and row["tag"] is not None):
            return answer
        try:
            return vocabulary.tag(row["category"], answer).slug
        except UsageError as error:
            say(str(error))


def _word(row: dict[str, Any], answer: str, corrected: str | None, reviewer: str | None, how: str) -> Word:
    from igtool.reviews.words import NOBODY, Word

    told: Any = answer
    return Word(
        row["creator_id"],
        row["category"],
        row["tag"],
        told,
        sha256=row["sha256"],
        corrected=None if corrected == "none" else corrected,
        reviewer=reviewer or NOBODY,
        sampled=how,
        confidence=row["confidence_score"],
        model=row["model_used"],
    )


def _draw(workspace: Workspace, sha256: str) -> None:
    """Draw a picture in the terminal, and say where it lies."""
    from igtool.pictures.reading import Unreadable, read_kept
    from igtool.pictures.store import PictureStore
    from igtool.reviews.drawing import drawn

    store = PictureStore(workspace.settings.cache / "images")
    found = read_kept(store, [sha256], at_most=256)[sha256]
    sys.stderr.write(f"\n{harmless(found.detail) if isinstance(found, Unreadable) else drawn(found)}\n")
    say(str(store.path(sha256)))
