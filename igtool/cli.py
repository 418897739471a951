"""The command line: parses, calls, prints. Results on stdout, messages on stderr."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import rich_click as click

from igtool.commands import asking as _asking  # noqa: F401 - registers its commands
from igtool.commands import audit as _audit  # noqa: F401 - registers its commands
from igtool.commands import backup as _backup  # noqa: F401 - registers its commands
from igtool.commands import completion as _completion  # noqa: F401 - registers its command
from igtool.commands import consent as _consent  # noqa: F401 - registers its commands
from igtool.commands import demo as _demo  # noqa: F401 - registers its command
from igtool.commands import drift as _drift  # noqa: F401 - registers its command
from igtool.commands import explain as _explain  # noqa: F401 - registers its command
from igtool.commands import export as _export  # noqa: F401 - registers its command
from igtool.commands import forget as _forget  # noqa: F401 - registers its command
from igtool.commands import health as _health  # noqa: F401 - registers its commands
from igtool.commands import init as _init  # noqa: F401 - registers its command
from igtool.commands import insights as _insights  # noqa: F401 - registers its commands
from igtool.commands import link as _link  # noqa: F401 - registers its commands
from igtool.commands import mcp as _mcp  # noqa: F401 - registers its command
from igtool.commands import models as _models  # noqa: F401 - registers its commands
from igtool.commands import notes as _notes  # noqa: F401 - registers its commands
from igtool.commands import review as _review  # noqa: F401 - registers its commands
from igtool.commands import schedule as _schedule  # noqa: F401 - registers its commands
from igtool.commands import search as _search  # noqa: F401 - registers its command
from igtool.commands import serve as _serve  # noqa: F401 - registers its command
from igtool.commands import tags as _tags  # noqa: F401 - registers its commands
from igtool.commands import tenants as _tenants  # noqa: F401 - registers its commands
from igtool.commands import towers as _towers  # noqa: F401 - registers its commands
from igtool.commands import tune as _tune  # noqa: F401 - registers its command
from igtool.commands import watch as _watch  # noqa: F401 - registers its commands
from igtool.commands.asking import MODEL, MONEY, PICTURES, model_settings, print_tally
from igtool.commands.base import FORCE, JSON, Command, Stop, command, main, workspace_of
from igtool.commands.completion import complete_stages
from igtool.commands.live import CHOICE, KEEPING, PACE, REACH, SHARD, live_settings, with_options
from igtool.commands.tags import show_tags
from igtool.console import cell, logging_to, print_json, print_rows, say
from igtool.errors import FinishedWithRejects
from igtool.lists.handles import SITES

__all__ = ["main"]


@command("enrich")
@click.argument("creators", nargs=-1, metavar="CSV|HANDLE…")
@click.option("-i", "--input", "input_path", type=click.Path(path_type=Path), help="The list, instead of the argument.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The filled list [data/export/creators_enriched.csv]."
)
@click.option("--source", multiple=True, help="A path of raw JSON dumps, or live sources in order, with commas.")
@click.option("--platform", type=click.Choice(list(SITES)), help="Platform of bare handles [instagram].")
@click.option("--fill", multiple=True, metavar="COLUMN=FIELD", help="Fill a column, for example GENRE=primary_niche.")
@click.option("--limit", type=click.IntRange(min=0), help="Only the first rows of the list.")
@with_options(REACH, CHOICE, PACE, KEEPING, MODEL, PICTURES)
@click.option("--dry-run", is_flag=True, help="Say what would be done; ask and write nothing.")
@click.option("--stage-batch-size", type=click.IntRange(1, 100_000), help="Items a stage takes at once.")
@click.option("-v", "--verbose", is_flag=True, help="Say each wait and each committed batch on stderr.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Write them here.")
@click.option("-f", "--force", is_flag=True, help="Ask and analyse again, whatever is stored.")
@JSON
@click.pass_context
def enrich_command(context: click.Context, /, creators: tuple[str, ...], input_path: Path | None, **given: Any) -> None:
    """Fill a creator list and make its creators searchable."""
    from igtool.commands.enrich import run_enrich

    settings = {"stage_batch_size": given["stage_batch_size"], **live_settings(given), **model_settings(given)}
    workspace = workspace_of(context, sources=tuple(given["source"]) or None, **settings)
    stop = Stop()
    with stop.listening(), logging_to(given["log_file"], verbose=given["verbose"]):
        run_enrich(workspace, creators, input_path, given, stop)


@command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.option(
    "--creator", metavar="HANDLE", help="PATH… are pictures or videos of this account (`import images DIR` too)."
)
@JSON
@click.pass_context
def import_command(context: click.Context, paths: tuple[Path, ...], creator: str | None, as_json: bool) -> None:
    """Take raw dumps into the database: folders, JSON, JSONL, gz, zst, xz, zip. With --creator, pictures and videos."""
    from igtool.given_pictures import take_pictures
    from igtool.importing import import_source
    from igtool.pipeline import run_stages
    from igtool.session import open_session

    if creator is not None and paths[0] == Path("images") and not paths[0].exists():
        paths = paths[1:]
    workspace, stop = workspace_of(context), Stop()
    with stop.listening(), open_session(workspace.settings, "import", stop) as session:
        session.told = say
        if creator is not None:
            take_pictures(session, paths, creator)
        else:
            for path in paths:
                import_source(session.lake, session.journal, path, session.progress, stop)
            run_stages(session, ["normalize"])
        counts = list(session.progress.counts.values())
    _print_stages("import", counts, as_json=as_json)
    _raise_rejects(counts)


@command("run")
@click.argument("stages", nargs=-1, metavar="STAGE…", shell_complete=complete_stages)
@FORCE
@click.option("--rebuild", is_flag=True, help="Make the tables of normalize anew, and say whether they are the same.")
@with_options(MODEL, PICTURES, MONEY, SHARD)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    help="Where normalize, embed, analyze and tag are computed [local].",
)
@JSON
@click.pass_context
def run_command(
    context: click.Context, /, stages: tuple[str, ...], force: bool, rebuild: bool, as_json: bool, **given: Any
) -> None:
    """Run stages by name (all if none is named).

    They are normalize, drift, embed, resolve, analyze, describe (asks a language model), embed_style, insights, images
    (downloads pictures), picture_facts, body (where it is turned on), image_vectors, image_verdicts (asks a language
    model), tag, index, export.
    """
    if rebuild:
        _rebuild(context, stages, as_json=as_json)
        return
    from igtool.pipeline import run_stages
    from igtool.session import open_session

    workspace, stop = workspace_of(context, engine=given["engine"], **model_settings(given)), Stop()
    with stop.listening(), open_session(workspace.settings, f"run {' '.join(stages)}".strip(), stop) as session:
        session.told, session.shard = say, given["shard"]
        run_stages(session, stages, force=force)
        counts, tally, trouble = list(session.progress.counts.values()), session.tally, session.trouble
    _print_stages("run", counts, as_json=as_json)
    if tally is not None:
        print_tally(tally)
    if trouble is not None:
        raise trouble
    _raise_rejects(counts)


def _rebuild(context: click.Context, stages: tuple[str, ...], *, as_json: bool) -> None:
    from dataclasses import asdict

    from igtool.errors import UsageError
    from igtool.rebuild import rebuild
    from igtool.session import open_session

    if stages != ("normalize",):
        raise UsageError("--rebuild is for one stage: igtool run normalize --rebuild; other stages take --force")
    workspace, stop = workspace_of(context), Stop()
    with stop.listening(), open_session(workspace.settings, "run normalize --rebuild", stop) as session:
        found = rebuild(session)
    rows = [asdict(each) | {"is_same": each.is_same} for each in found]
    if as_json:
        print_json({"command": "run", "rows": rows})
    else:
        print_rows(rows)


def _print_stages(name: str, counts: list[Any], *, as_json: bool) -> None:
    from dataclasses import asdict

    rows = [asdict(count) for count in counts]
    if as_json:
        print_json({"command": name, "rows": rows})
    else:
        print_rows(rows)


def _raise_rejects(counts: list[Any]) -> None:
    failed = sum(count.failed for count in counts)
    if failed:
        raise FinishedWithRejects(f"{failed} items were rejected: `igtool rejects` says which and why")


@command("show")
@click.argument("handle")
@click.option("--as-of", metavar="DATE", help="What was known then: 2026-01-31 (its end, UTC) or 2026-01-31T18:00.")
@click.option("--tags", "only_tags", is_flag=True, help="Only the tags, with their reasons.")
@click.option("--history", is_flag=True, help="With --tags: every change of them.")
@JSON
@click.pass_context
def show_command(
    context: click.Context, handle: str, as_of: str | None, only_tags: bool, history: bool, as_json: bool
) -> None:
    """Everything about one creator, and where it came from."""
    from igtool.commands.show import print_creator, print_earlier
    from igtool.errors import UsageError

    if (history and not only_tags) or (only_tags and as_of is not None):
        raise UsageError("--history goes with --tags, and --tags without --as-of: igtool show HANDLE --tags --history")
    if only_tags:
        show_tags(workspace_of(context), handle, history=history, as_json=as_json, command="show")
        return
    found = workspace_of(context).show(handle, as_of)
    if as_json:
        print_json({"command": "show", "rows": found})
    for creator in [] if as_json else found:
        (print_creator if as_of is None else print_earlier)(creator)


@command("sql")
@click.argument("query", required=False)
@JSON
@click.pass_context
def sql_command(context: click.Context, query: str | None, as_json: bool) -> None:
    """Query the tables; without QUERY reads it from stdin, or lists the tables."""
    text = query or ("" if sys.stdin.isatty() else sys.stdin.read())
    if not text.strip():
        text = (
            "select table_name, count(*) as columns from duckdb_columns() where database_name = 'lake' "
            "and schema_name = 'main' group by all order by 1"
        )
    rows = workspace_of(context).sql(text).to_pylist()
    if as_json:
        print_json({"command": "sql", "rows": rows})
    else:
        print_rows(rows)


@main.group("config")
def config_group() -> None:
    """Settings: defaults < igtool.toml < .env < environment < flags."""


@config_group.command("show", cls=Command)
@JSON
@click.pass_context
def config_show_command(context: click.Context, as_json: bool) -> None:
    """Every setting with its value and its environment name."""
    from igtool.settings import environment_names

    settings = workspace_of(context).settings
    rows = [
        {
            "setting": name,
            "value": cell(getattr(settings, name)),
            "environment": ", ".join(environment_names(name)),
            "meaning": info.description,
        }
        for name, info in type(settings).model_fields.items()
    ]
    if as_json:
        print_json({"command": "config show", "rows": rows})
    else:
        print_rows(rows)
