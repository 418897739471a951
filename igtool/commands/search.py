"""``igtool search``: ranked creators with their reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from igtool.commands.base import JSON, command, workspace_of
from igtool.commands.completion import complete_lists
from igtool.commands.live import with_options
from igtool.console import print_json, print_rows, say
from igtool.counts import format_count

FILTERS = (
    click.option("--platform", help="instagram or youtube; counts are then those of the accounts there."),
    click.option("--followers", metavar="RANGE", help="For example 10k..500k, 10k.. or ..500k."),
    click.option("--niche", multiple=True, help="Primary or secondary niche; several with commas: one is enough."),
    click.option("--style", multiple=True, help="Content style."),
    click.option("--language", multiple=True, help="ISO 639-1 code or name, for example es."),
    click.option("--country", multiple=True, help="ISO 3166-1 code or name, for example ES,MX."),
    click.option("--activity", help="active, slowing or dormant, by the newest item."),
    click.option("--engagement", metavar="RANGE", help="Likes and comments by followers, for example 2%..8%."),
    click.option("--growth", metavar="RANGE", help="Followers won in 30 days, for example 5%.. or ..0%."),
    click.option("--verified", is_flag=True, help="Only verified accounts."),
    click.option("--tag", multiple=True, metavar="CATEGORY:TAG", help="For example hair:blonde."),
    click.option("--match", help="all or any of the tags [all]."),
    click.option("--approved", is_flag=True, help="Only tags count that a person approved."),
    click.option(
        *("--list", "lists"),
        multiple=True,
        metavar="NAME",
        shell_complete=complete_lists,
        help="Only creators on this list, or one of several.",
    ),
    click.option("--note", metavar="TEXT", help="Only creators with a note that holds this."),
)


@command("search")
@click.argument("query", nargs=-1)
@with_options(FILTERS)
@click.option("--like", metavar="@HANDLE|TEXT", help="Near in meaning to a creator, or to a text.")
@click.option("--image", type=click.Path(path_type=Path), help="Pictures in the style of this one; no faces.")
@click.option("--literal", is_flag=True, help="Take the query as words only: no filters are read out of it.")
@click.option("--sort", default="relevance", show_default=True, help="relevance, quality, followers or growth.")
@click.option("-k", "--k", "limit", type=int, default=10, show_default=True, help="Results at most, up to 1000.")
@click.option("--explain", is_flag=True, help="Show what each score is made of.")
@JSON
@click.pass_context
def search_command(
    context: click.Context, /, query: tuple[str, ...], as_json: bool, explain: bool, **given: Any
) -> None:
    """Find creators by free text and filters, with reasons.

    "vegan recipes in Spain under 500k followers" is read as a text and two filters, which are shown. "Quoted words"
    must stand one after the other, word* is the beginning of a word, @handle names a creator. Without a text, filters
    alone; without both, everyone by quality.
    """
    from igtool.search.answer import Query
    from igtool.search.filters import make_filters

    asked = {name: given.pop(name) for name in ("like", "literal", "sort", "limit")}
    image = given.pop("image")
    given["tags"] = given.pop("tag")
    filters = make_filters(**{name: value for name, value in given.items() if value is not False})
    workspace = workspace_of(context)
    alike = workspace.searcher.alike(image) if image is not None else None
    result = workspace.searcher.search(Query(" ".join(query), filters, alike=alike, **asked))
    document = result.document(explain=explain)
    if as_json:
        print_json(document)
        return
    _say_understood(document)
    print_rows(
        [_row(found) for found in document["results"]], title="" if document["results"] else "creators that match"
    )
    if explain:
        print_rows([_explained(found) for found in document["results"]], title="points of each score (input on 0-1)")


def _say_understood(document: dict[str, Any]) -> None:
    used = ", ".join(f"{name} = {_shown(value)}" for name, value in document["filters"].items())
    if used:
        read = ", ".join(f"“{piece['text']}”" for piece in document["understood"])
        say(f"filters: {used}" + (f" (read from {read}; --literal switches this off)" if read else ""))
    for one in document["notes"]:
        say(one)
    for word, taken in document["corrected"].items():
        say(f"nobody says {word!r}: searched for {taken!r}")


def _shown(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _row(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "score": f"{found['final_score']:.3f}",
        "handle": found["handle"],
        "name": found["name"],
        "followers": format_count(found["followers_count"]),
        "niche": found["primary_niche"],
        "because": "; ".join(found["reasons"]),
        "data": "" if found["data_age_days"] is None else f"{found['data_age_days']} d old",
    }


def _explained(found: dict[str, Any]) -> dict[str, Any]:
    parts = {
        name: "" if found["inputs"][name] is None else f"{part:.3f} ({found['inputs'][name]:.2f})"
        for name, part in found["parts"].items()
    }
    return {"handle": found["handle"], "score": f"{found['final_score']:.3f}", **parts}
