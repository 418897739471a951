"""Live data: ``fetch``, ``queue``, and the options that every command that asks a platform shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rich_click as click

from igtool.commands.base import JSON, Command, Stop, command, main, workspace_of
from igtool.console import logging_to, print_json, print_rows, say
from igtool.errors import UsageError
from igtool.lists.handles import SITES
from igtool.shards import Shard

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


class Duration(click.ParamType[float]):
    """Seconds, or a number with ``s``, ``m``, ``h`` or ``d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The duration in seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?", str(value).strip())
        if not match:
            self.fail(f"{value!r} is no duration: give seconds, or for example 30m, 4h, 2d", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class Rate(click.ParamType[float]):
    """Requests a minute, or ``N/s``, ``N/min``, ``N/h``, ``N/d``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The rate in requests a minute."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|m|min|h|d))?", str(value).strip())
        if not match or not float(match[1]):
            self.fail(f"{value!r} is no rate: give requests a minute, or for example 200/h", param, ctx)
        return float(match[1]) * 60 / _UNITS[match[2] or "min"]


class Since(click.ParamType[datetime]):
    """A day, or a duration that is counted back from now."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment in UTC."""
        if isinstance(value, datetime):
            return value
        with suppress(ValueError, OverflowError):
            parsed = datetime.fromisoformat(str(value))
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        with suppress(click.BadParameter, ValueError, OverflowError):
            return datetime.now(UTC) - timedelta(seconds=Duration().convert(value, param, ctx))
        words = f"{value!r} is no time: give a day (2026-10-01) or how long ago (90d)"
        raise click.BadParameter(words, ctx=ctx, param=param)


class ShardOf(click.ParamType[Shard]):
    """A shard, as ``2/8``."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        """The shard."""
        try:
            return value if isinstance(value, Shard) else Shard.parse(str(value))
        except UsageError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from error


SHARD = (
    click.option(
        "--shard",
        type=ShardOf(),
        metavar="N/COUNT",
        help="Only what falls into this part, for example 2/8: several machines share the work (docs/scale.md).",
    ),
)
PACE = (
    click.option("-r", "--rate-limit", type=Rate(), help="Requests a minute to each source, or N/h [source's own]."),
    click.option(
        "-b", "--batch-size", type=click.IntRange(0), help="Requests before a source rests; 0: never [source's own]."
    ),
    click.option("--batch-pause", type=Duration(), help="How long it rests, for example 30m [source's own]."),
    click.option("--max-wait", type=Duration(), help="Give up after waiting so long for a rate limit [4h]."),
    click.option("--max-cost", type=click.FloatRange(0), help="US dollars that this run may spend."),
)
REACH = (
    click.option("--post-pages", type=click.IntRange(0, 1000), help="Pages of posts, the profile's included [1]."),
    click.option("--reel-pages", type=click.IntRange(0, 1000), help="Pages of reels [0]."),
    click.option("--page-size", type=click.IntRange(1, 50), help="Items a page [source's own]."),
    click.option("--items-limit", type=click.IntRange(1), help="Items of one kind after which no page is asked for."),
    click.option("--since", type=Since(), help="Nothing older: a day (2026-10-01) or a duration (90d)."),
)
CHOICE = (
    click.option("--only-new", is_flag=True, help="Only accounts of which nothing is known."),
    click.option("--force-handle", multiple=True, metavar="HANDLE", help="Ask for this one whatever is stored."),
    click.option("--retry-failed", is_flag=True, help="Also what was not found, failed, or is a dead letter."),
)
KEEPING = (
    click.option("--raw-dir", type=click.Path(file_okay=False, path_type=Path), help="Also write answers as files."),
    click.option("--file-limit", type=click.IntRange(1), help="Files for each account in --raw-dir, at most."),
)
_SETTINGS = {
    "rate_limit": "rate_limit",
    "batch_size": "batch_size",
    "batch_pause": "batch_pause_s",
    "max_wait": "max_wait_s",
    "max_cost": "max_cost_usd",
    "post_pages": "post_pages",
    "reel_pages": "reel_pages",
    "page_size": "page_size",
    "items_limit": "items_limit",
}


def with_options(*groups: tuple[Callable[..., Any], ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds the options of ``groups`` to a command."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return add


def live_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The flags among ``given`` that replace settings, by the names of those."""
    return {setting: given.get(flag) for flag, setting in _SETTINGS.items()}


@command("fetch")
@click.argument("creators", nargs=-1, metavar="CSV|HANDLE…")
@click.option("-i", "--input", "input_path", type=click.Path(path_type=Path), help="The list, instead of the argument.")
@click.option("--source", multiple=True, help="Live sources in order, with commas or repeated [sources].")
@click.option("--platform", type=click.Choice(list(SITES)), help="Platform of bare handles [instagram].")
@click.option("--limit", type=click.IntRange(min=0), help="Only the first rows of the list.")
@click.option(
    "--search", multiple=True, metavar="WORDS", help="Ask for what a search finds (youtube: 100 units a page)."
)
@click.option("--search-pages", type=click.IntRange(1, 10), default=1, show_default=True, help="Pages of each search.")
@click.option("-f", "--force", is_flag=True, help="Ask for all of them, whatever is stored.")
@with_options(REACH, CHOICE, PACE, KEEPING, SHARD)
@click.option("--dry-run", is_flag=True, help="Say what would be asked, how long it takes and what it costs.")
@click.option("-v", "--verbose", is_flag=True, help="Say each wait and commit on stderr.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Write them here.")
@JSON
@click.pass_context
def fetch_command(context: click.Context, /, creators: tuple[str, ...], input_path: Path | None, **given: Any) -> None:
    """Ask live platforms for accounts, politely; what is stored and young enough is not asked again.

    The answers go into the database. Run it again at any time: it goes on where it stopped.
    """
    from igtool.commands.fetching import run_fetch

    workspace = workspace_of(context, sources=given["source"] or None, **live_settings(given))
    stop = Stop()
    with stop.listening(), logging_to(given["log_file"], verbose=given["verbose"]):
        run_fetch(workspace, creators, input_path, given, stop)


@main.group("queue")
def queue_group() -> None:
    """What is to be asked, what went wrong for good, and how to try again."""


@queue_group.command("list", cls=Command)
@click.option("--state", multiple=True, help="waiting, leased, done, private, not_found, failed, dead [failed, dead].")
@click.option("--reason", help="Only with this text in the reason.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Rows at most.")
@JSON
@click.pass_context
def queue_list_command(
    context: click.Context, state: tuple[str, ...], reason: str | None, limit: int, as_json: bool
) -> None:
    """The jobs that failed or are dead letters, with the reason."""
    from igtool.commands.fetching import list_queue

    rows = list_queue(workspace_of(context), state or ("failed", "dead"), reason, limit)
    if as_json:
        print_json({"command": "queue list", "rows": rows})
    else:
        print_rows(rows)


@queue_group.command("retry", cls=Command)
@click.argument("jobs", nargs=-1, type=click.IntRange(1, 2**63 - 1), metavar="JOB…")
@click.option("--reason", help="All dead letters and failed jobs with this text in the reason.")
@click.option("--all", "everything", is_flag=True, help="All dead letters and failed jobs.")
@click.pass_context
def queue_retry_command(context: click.Context, jobs: tuple[int, ...], reason: str | None, everything: bool) -> None:
    """Let jobs wait again; the next fetch of their accounts, or the schedule, asks them."""
    from igtool.commands.fetching import change_queue

    count = change_queue(workspace_of(context), "retry", jobs, reason, everything=everything)
    say(f"{count} jobs wait again; `igtool fetch` or `igtool schedule run --once` asks them")


@queue_group.command("drop", cls=Command)
@click.argument("jobs", nargs=-1, type=click.IntRange(1, 2**63 - 1), metavar="JOB…")
@click.option("--reason", help="All dead letters and failed jobs with this text in the reason.")
@click.option("--all", "everything", is_flag=True, help="All dead letters and failed jobs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def queue_drop_command(
    context: click.Context, jobs: tuple[int, ...], reason: str | None, everything: bool, yes: bool
) -> None:
    """Forget jobs; stored answers stay."""
    from igtool.commands.fetching import change_queue

    if not yes and (jobs or reason is not None or everything):
        click.confirm("forget these jobs?", abort=True, err=True)
    count = change_queue(workspace_of(context), "drop", jobs, reason, everything=everything)
    say(f"{count} jobs are forgotten")


@queue_group.command("accept-clock", cls=Command)
@click.pass_context
def queue_accept_clock_command(context: click.Context) -> None:
    """Make the ledger agree with the clock, after the clock was wrong and is right now."""
    from igtool.clock import Clock
    from igtool.journal import Journal
    from igtool.journal.ledger import Ledger

    with Journal(workspace_of(context).settings.cache, writable=True) as journal:
        Ledger(journal).accept_clock(Clock().now())
    say("the ledger agrees with the clock")
