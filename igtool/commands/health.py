"""Is everything in order: ``status``, ``doctor``, ``verify``, ``rejects``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from igtool.commands.base import JSON, command, workspace_of
from igtool.commands.completion import complete_stages
from igtool.console import print_json, print_rows


@command("status")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option("--every", type=click.FloatRange(0.2), default=5.0, show_default=True, help="Seconds between two looks.")
@click.option("--check", "is_check", is_flag=True, help="Only what breaks a rule of the settings; code 8 if any does.")
@JSON
@click.pass_context
def status_command(context: click.Context, watch: bool, every: float, is_check: bool, as_json: bool) -> None:
    """What is stored, what is under way, what waits until when, and how the last runs went."""
    from igtool.commands.standing import check, print_status, watch_status

    settings = workspace_of(context).settings
    if is_check:
        check(settings, as_json=as_json)
    elif watch:
        watch_status(settings, every)
    else:
        print_status(settings, as_json=as_json)


@command("doctor")
@click.option("--offline", is_flag=True, help="Leave out what needs the network.")
@click.option("--source", multiple=True, help="Live sources to look at [sources].")
@JSON
@click.pass_context
def doctor_command(context: click.Context, offline: bool, source: tuple[str, ...], as_json: bool) -> None:
    """Check that every part works, and say how to mend what does not.

    Each live source gets one small request, which also shows whether a rate limit has cleared.
    """
    from dataclasses import asdict

    from igtool.commands.standing import model_checks, source_checks
    from igtool.errors import ConfigError
    from igtool.health import doctor

    settings = workspace_of(context, sources=source or None).settings
    checks = [*doctor(settings), *model_checks(settings), *source_checks(settings, offline=offline)]
    if as_json:
        print_json({"command": "doctor", "rows": [asdict(check) for check in checks]})
    else:
        print_rows([{"": "ok" if c.ok else "FAIL", "check": c.name, "detail": c.detail, "fix": c.fix} for c in checks])
    broken = [check.name for check in checks if not check.ok]
    if broken:
        raise ConfigError(f"not in order: {', '.join(broken)}")


@command("verify")
@click.option("--quick", is_flag=True, help="Sizes and footers instead of every byte, and some of the pictures.")
@click.option("--repair", "is_repair", is_flag=True, help="Make anew what can be, and say what is lost.")
@click.option(
    "--from",
    "source",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --repair: take damaged files from this backup.",
)
@JSON
@click.pass_context
def verify_command(context: click.Context, quick: bool, is_repair: bool, source: Path | None, as_json: bool) -> None:
    """Compare everything that is stored with what was written; code 5 if anything is damaged.

    Read are all files of the lake, its catalog, the journal, the search index, models and pictures, each against its
    SHA-256, then which rows of the tables must have which others.
    """
    from igtool.commands.checking import run_repair, run_verify
    from igtool.errors import UsageError

    if source is not None and not is_repair:
        raise UsageError("--from goes with --repair")
    settings = workspace_of(context).settings
    if is_repair:
        run_repair(settings, source, quick=quick, as_json=as_json)
    else:
        run_verify(settings, quick=quick, as_json=as_json)


@command("rejects")
@click.option("--stage", shell_complete=complete_stages, help="Only of this stage: list, import, normalize, …")
@click.option("--reason", help="Only with this reason.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows at most.")
@JSON
@click.pass_context
def rejects_command(context: click.Context, stage: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """What did not make it, where it was, and why."""
    rows = (
        workspace_of(context)
        .sql(
            "select stage, reason, path, line, detail, item_id from rejects where stage = coalesce(?, stage) "
            "and reason = coalesce(?, reason) order by stage, reason, path, line, item_id limit ?",
            (stage, reason, limit),
        )
        .to_pylist()
    )
    if as_json:
        print_json({"command": "rejects", "rows": rows})
    else:
        print_rows(rows, ("stage", "reason", "path", "line", "detail"))
