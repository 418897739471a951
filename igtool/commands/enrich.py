"""``igtool enrich``: what the main job says before, during and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igtool.commands.asking import print_tally
from igtool.commands.base import called
from igtool.console import print_json, print_rows, say
from igtool.errors import FinishedWithRejects, Interrupted, UsageError, first_of
from igtool.workspace import Workspace

if TYPE_CHECKING:
    from igtool.enrich import EnrichOptions, Summary
    from igtool.lists.creator_list import CreatorList
    from igtool.outlay import Outlay


def run_enrich(
    workspace: Workspace,
    creators: Sequence[str],
    input_path: Path | None,
    given: dict[str, Any],
    stopping: Callable[[], bool],
) -> None:
    """Run the main job and print its summary. Raises FinishedWithRejects when items are in ``rejects``."""
    from igtool.enrich import enrich
    from igtool.session import open_session

    chosen = read_creators(creators, input_path, given["platform"])
    options = _options(workspace, chosen, given)
    if given["dry_run"]:
        _print_plan(workspace, chosen, options, as_json=given["as_json"])
        return
    told = ", ".join([*map(str, options.sources), *(options.fetch.sources if options.fetch else ())])
    say(f"{chosen.name}: {len(chosen.rows)} rows; raw answers from {told or 'what is already stored'}")
    try:
        with open_session(workspace.settings, f"enrich {chosen.name}", stopping) as session:
            session.told = say
            summary = enrich(session, chosen, options)
    except Interrupted as error:
        raise Interrupted(f"{error}\ngo on with the same command: it starts where this one stopped") from error
    _print_summary(workspace, summary, as_json=given["as_json"])
    troubles = [summary.fetched.error if summary.fetched is not None else None, summary.trouble]
    trouble = first_of([one for one in troubles if one is not None])
    if trouble is not None:
        raise trouble
    if summary.rejected:
        raise FinishedWithRejects(
            f"finished; {summary.rejected} items were rejected: `igtool rejects` says which and why"
        )


def _options(workspace: Workspace, chosen: CreatorList, given: dict[str, Any]) -> EnrichOptions:
    """The options of the main job; a source is a live one if it is called like one, else a path of dumps."""
    from igtool import registry
    from igtool.commands.fetching import fetch_options
    from igtool.enrich import EnrichOptions
    from igtool.fetching.keeping import RawFolder
    from igtool.fill import parse_fill

    live = set(registry.names("sources"))
    named = workspace.settings.sources
    asked = [name for name in named if name in live]
    paths = [Path(name).expanduser() for name in named if name not in live]
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"--source {path}: there is no such file or folder, nor a live source of that name "
                f"(those are {', '.join(sorted(live))})"
            )
    if not named and (beside := _beside(chosen)) is not None:
        paths = [beside]
    return EnrichOptions(
        sources=tuple(paths),
        fetch=fetch_options(given, asked) if asked else None,
        raw_folder=RawFolder(given["raw_dir"], given["file_limit"]) if given["raw_dir"] else None,
        told=say,
        output=given["output"],
        fill=parse_fill(given["fill"]),
        limit=given["limit"],
        force=given["force"],
    )


def read_creators(creators: Sequence[str], input_path: Path | None, platform: str | None) -> CreatorList:
    """The list: a file if the only argument names one or looks like one, else handles. Raises UsageError."""
    from igtool.lists.creator_list import from_handles, read_list

    if input_path is not None and creators:
        raise UsageError("give the list once: as --input or as an argument, not both")
    if input_path is None and not creators:
        raise UsageError("no account is named: give a list (for example creators.csv) or handles (for example @name)")
    if input_path is not None:
        return read_list(input_path, platform=platform)
    if len(creators) == 1 and _names_a_file(creators[0]):
        return read_list(Path(creators[0]), platform=platform)
    return from_handles(list(creators), platform=platform)


def _names_a_file(text: str) -> bool:
    path = Path(text)
    try:
        return path.suffix.lower() in {".csv", ".tsv", ".txt", ".json", ".jsonl"} or path.exists()
    except (OSError, ValueError):  # too long, or a zero byte: no file can have this name
        return False


def _beside(chosen: CreatorList) -> Path | None:
    """The folder ``raw`` beside the list, when there is one: where dumps are looked for without ``--source``."""
    if chosen.path is None:
        return None
    raw = chosen.path.parent / "raw"
    return raw if raw.is_dir() else None


def _print_plan(workspace: Workspace, chosen: CreatorList, options: EnrichOptions, *, as_json: bool) -> None:
    usable = sum(row.reason is None for row in chosen.rows)
    plan = {
        "rows": len(chosen.rows),
        "usable": usable,
        "rejected": len(chosen.rows) - usable,
        "handle_column": chosen.handle_column,
        "sources": [*map(str, options.sources), *(options.fetch.sources if options.fetch else ())],
        "fill": dict(options.fill),
        "odd": dict(chosen.odd),
    }
    asked = _asked(workspace, chosen, options)
    outlay = _outlay(workspace, chosen, options)
    if as_json:
        told = asdict(outlay) if outlay is not None else None
        print_json({"command": "enrich", "dry_run": True, **plan, **asked, "language_model": told})
        return
    print_rows([{"plan": name, "value": str(value)} for name, value in plan.items()])
    if asked:
        print_rows([{"accounts": step, "count": count} for step, count in asked["accounts"].items()])
        print_rows(asked["requests"], title="\nat most")
    if outlay is not None:
        print_rows(outlay.rows(), title=f"\nlanguage model: {outlay.provider} {outlay.model}")
        say(f"prices: {outlay.prices}")
    say("nothing was asked or written")


def _outlay(workspace: Workspace, chosen: CreatorList, options: EnrichOptions) -> Outlay | None:
    """What a language model would cost; None without one. Of whom nothing is stored yet only a range is known."""
    from igtool.asking.encoding import open_encoder
    from igtool.asking.opening import provider_name
    from igtool.enrich import wanted_handles
    from igtool.known_handles import GIVEN, accounts_meant
    from igtool.outlay import outlay

    if provider_name(workspace.settings) is None:
        return None
    encoder = open_encoder(workspace.settings)
    wanted = wanted_handles(chosen, options.limit)
    try:
        reader = workspace.reader()
    except UsageError:
        return outlay(workspace.settings, None, encoder, further=len(wanted))
    with reader as lake:
        places = ([platform for platform, _ in wanted], [handle for _, handle in wanted])
        known = lake.value(f"select count(*) from ({accounts_meant(GIVEN)})", places)
        return outlay(workspace.settings, lake, encoder, further=len(wanted) - known)


def _asked(workspace: Workspace, chosen: CreatorList, options: EnrichOptions) -> dict[str, Any]:
    """What live sources would be asked; empty without any."""
    from igtool.enrich import wanted_handles
    from igtool.fetching.outlook import outlook
    from igtool.fetching.sources import sources_of

    if options.fetch is None:
        return {}
    sources = sources_of(workspace.settings, options.fetch.sources)
    with outlook(workspace.settings, sources, options.fetch) as seen:
        plan = seen.plan(wanted_handles(chosen, options.limit))
        rows = [
            {**asdict(one), "duration": one.shown_duration, "finish_at": seen.finish_at(one)}
            for one in seen.estimates(plan)
        ]
        return {"accounts": plan.counts(), "requests": rows, "coverage": seen.expected_coverage()}


def _print_summary(workspace: Workspace, summary: Summary, *, as_json: bool) -> None:
    stages = [asdict(counts) for counts in summary.stages]
    files = [str(path) for path in summary.files]
    if as_json:
        print_json(
            {
                "command": "enrich",
                "run_id": summary.run_id,
                "rows": stages,
                "list": summary.status,
                "coverage": [asdict(column) for column in summary.coverage],
                "files": files,
                "notes": summary.notes,
                "language_model": asdict(summary.asked) if summary.asked is not None else None,
                "seconds": round(summary.seconds, 2),
            }
        )
        return
    print_rows(stages)
    print_rows([{"list rows": status, "count": count} for status, count in summary.status.items()])
    print_rows(
        [
            {"column": c.column, "from": c.field, "filled before": c.before, "after": c.after, "of": c.total}
            for c in summary.coverage
        ]
    )
    if summary.asked is not None:
        print_tally(summary.asked)
    for note in summary.notes:
        say(f"note: {note}")
    for file in files:
        say(f"wrote {file}")
    say(f"done in {summary.seconds:.1f} s; now try:")
    program = called(workspace.settings.workspace)
    for command, does in summary.commands:
        say(f"  {command.replace('igtool', program, 1)}   # {does}")
