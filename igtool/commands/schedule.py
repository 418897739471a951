"""``igtool schedule``: what is due, the daemon, and what a schedule can reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from igtool.commands.base import JSON, Command, Stop, main, workspace_of
from igtool.commands.live import PACE, Duration, live_settings, with_options
from igtool.console import logging_to, print_json, print_rows, say
from igtool.errors import Interrupted, UsageError
from igtool.lists.handles import SITES

BACKFILL = click.option(
    "--backfill", type=click.IntRange(0), default=100, show_default=True, help="Never seen accounts a cycle, at most."
)
_SHORTEST_S, _LONGEST_S = 60.0, 365 * 86_400.0
SOURCE = click.option("--source", multiple=True, help="Live sources in order, with commas or repeated [sources].")

_SIMULATED = (
    *("tier", "creators", "accounts", "looks_wanted", "looks_attained", "attained_share"),
    *("fresh_end_share", "overdue_p95_h", "waiting_end"),
)


@main.group("schedule")
def schedule_group() -> None:
    """Look at every account as often as it is worth: by how recently and how often it posts."""


@schedule_group.command("plan", cls=Command)
@SOURCE
@BACKFILL
@click.option("--limit", type=click.IntRange(min=1), help="Accounts at most.")
@JSON
@click.pass_context
def plan_command(
    context: click.Context, source: tuple[str, ...], backfill: int, limit: int | None, as_json: bool
) -> None:
    """What is due, and what it costs in requests, quota units, money and time."""
    from igtool.commands.scheduling import plan_document

    found = plan_document(workspace_of(context, sources=source or None), limit, backfill)
    if as_json:
        print_json({"command": "schedule plan", **found})
        return
    print_rows(found["rows"], title="due")
    print_rows(found["sources"], title="\nat most")
    print_rows(found["tiers"], title="\nhow fresh each tier is")


@schedule_group.command("run", cls=Command)
@click.option("--once", "is_once", is_flag=True, help="One cycle over everything that is due; for cron.")
@click.option("--daemon", "is_daemon", is_flag=True, help="Cycle after cycle, until it is stopped.")
@SOURCE
@BACKFILL
@click.option("--limit", type=click.IntRange(min=1), help="Accounts a cycle, at most.")
@with_options(PACE)
@click.option("-v", "--verbose", is_flag=True, help="Say each wait and commit on stderr.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Write them here.")
@JSON
@click.pass_context
def run_schedule_command(context: click.Context, /, is_once: bool, is_daemon: bool, **given: Any) -> None:
    """Fetch what is due, the most active accounts first, then bring tables and index up to date."""
    from igtool.commands.scheduling import run_daemon, run_once

    if is_once == is_daemon:
        raise UsageError("say how: `igtool schedule run --once` (for cron) or `igtool schedule run --daemon`")
    workspace = workspace_of(context, sources=given["source"] or None, **live_settings(given))
    stop = Stop()
    with stop.listening(), logging_to(given["log_file"], verbose=given["verbose"]):
        if is_daemon:
            run_daemon(workspace, given["backfill"], stop)
        else:
            run_once(workspace, given["limit"], given["backfill"], stop, as_json=given["as_json"])
        if stop():
            raise Interrupted("stopped; every answer is stored, and the next cycle goes on")


@schedule_group.command("simulate", cls=Command)
@click.option("--creators", type=click.IntRange(1, 10_000_000), default=1_000_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True)
@click.option("--youtube-keys", type=click.IntRange(1, 1000), help="API keys [those that are set, else 1].")
@click.option("--tikhub", is_flag=True, help="Ask Instagram through tikhub as well.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the invented creators.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path), help="Write an SVG here.")
@JSON
@click.pass_context
def simulate_command(context: click.Context, /, plot_path: Path | None, as_json: bool, **given: Any) -> None:
    """What the schedule can keep fresh with invented creators under your settings and quotas."""
    from igtool.commands.scheduling import simulate_document

    found = simulate_document(workspace_of(context), given, plot_path)
    if as_json:
        print_json({"command": "schedule simulate", **found})
        return
    print_rows(found["rows"], _SIMULATED, title="tiers")
    print_rows(found["sources"], title="\nsources")
    if plot_path:
        say(f"wrote {plot_path}")


@schedule_group.command("set", cls=Command)
@click.argument("handles", nargs=-1, required=True, metavar="HANDLE…")
@click.option("--platform", type=click.Choice(list(SITES)), help="Platform of bare handles [instagram].")
@click.option("--every", type=Duration(), help="Time between two looks, for example 6h, whatever its tier is.")
@click.option("--priority", type=click.IntRange(-100, 100), help="A higher one goes first; tiers have 30, 20 and 10.")
@click.option("--clear", "is_cleared", is_flag=True, help="Back to tier and posting rate.")
@click.pass_context
def set_command(
    context: click.Context,
    handles: tuple[str, ...],
    platform: str | None,
    every: float | None,
    priority: int | None,
    is_cleared: bool,
) -> None:
    """Say how often, or how early, accounts are looked at; it goes before tier and posting rate."""
    from igtool.commands.scheduling import set_overrides

    if is_cleared == (every is not None or priority is not None):
        raise UsageError("say what: --every 6h, --priority 50, or --clear")
    if every is not None and not _SHORTEST_S <= every <= _LONGEST_S:
        raise UsageError("--every is a time from one minute (1m) to a year (365d)")
    count = set_overrides(workspace_of(context), handles, platform, every, priority)
    say(f"{count} accounts are {'back in their tiers' if is_cleared else 'set'}")
