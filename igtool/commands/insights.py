"""``igtool insights``: files of conversations in, what they say out."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from igtool.commands.asking import MODEL, MONEY, model_settings
from igtool.commands.base import JSON, Command, Stop, main, workspace_of
from igtool.commands.live import with_options
from igtool.console import print_json, print_rows, say

if TYPE_CHECKING:
    from igtool.conversations.ingest import Ingested
    from igtool.conversations.reception import Reception
    from igtool.errors import IgtoolError
    from igtool.settings import Settings

_SAID = 10
"""Refused rows that are said on the terminal."""
_FIRST, _LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"


@main.group("insights")
def insights_group() -> None:
    """What conversations say: sentiment and topics."""


@insights_group.command("ingest", cls=Command)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--url", help="A running server that takes them, such as http://127.0.0.1:8000; by default this folder.")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column is text, author, timestamp or key (an id of the row); others are kept in raw_data.",
)
@click.option(
    "--no-analyze", is_flag=True, help="Only accept them: a server of this folder, or the next time, reads them."
)
@with_options(MODEL, MONEY)
@JSON
@click.pass_context
def ingest_command(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    url: str | None,
    columns: tuple[str, ...],
    no_analyze: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Take conversations out of CSV files or JSON lines and read them.

    Customer Support on Twitter is known by its header. What was taken is not taken twice: the same command goes on
    where it stopped.
    """
    from igtool.conversations.ingest import ingest, to_journal, to_server
    from igtool.conversations.reception import Reception
    from igtool.conversations.sending import Sender
    from igtool.errors import FinishedWithRejects

    settings = workspace_of(context, **model_settings(given)).settings
    chosen, stop = _columns(columns), Stop()
    done: list[Ingested] = []
    trouble: IgtoolError | None = None
    analysed = left = 0
    with stop.listening(), ExitStack() as stack:
        if url is not None:
            sender = stack.enter_context(closing(Sender(url, settings, stopping=stop)))
            done += [ingest(path, chosen, to_server(sender), stop) for path in files]
        else:
            reception = stack.enter_context(Reception(settings))
            done += [ingest(path, chosen, to_journal(reception, path.name), stop) for path in files]
            if not no_analyze:
                analysed, trouble = _read(settings, reception, stop)
            left = _left(reception)
    _print_ingested(done, analysed, left, as_json=as_json)
    if trouble is not None:
        raise trouble
    if refused := sum(one.refused_count for one in done):
        raise FinishedWithRejects(f"{refused} rows were refused: the reasons are above, and in --json")


def _columns(given: tuple[str, ...]) -> dict[str, str]:
    from igtool.conversations.files import FIELDS
    from igtool.errors import UsageError

    chosen = {}
    for one in given:
        name, sign, column = one.partition("=")
        if not sign or name not in FIELDS or not column:
            raise UsageError(f"--map {one}: it must be FIELD=COLUMN, where FIELD is one of: {', '.join(FIELDS)}")
        chosen[name] = column
    return chosen


def _read(settings: Settings, reception: Reception, stop: Stop) -> tuple[int, IgtoolError | None]:
    """Read what was accepted; how many those were, and why not all of them, if so."""
    from igtool.conversations.worker import Worker
    from igtool.errors import Interrupted

    worker = Worker(settings, reception.shelf, told=say)
    worker.finish_all(stop, lambda left: say(f"{left} left to read") if left and left % 1024 < 64 else None)
    if stop():
        raise Interrupted("stopped; everything that was accepted and read is stored, and the same command goes on")
    while worker.move(least=1):
        pass  # each time as much as others wait for
    return worker.figures.analysed, next(iter(worker.troubles.values()), None)


def _left(reception: Reception) -> int:
    counts = reception.counts()
    return int(counts.get("waiting", 0) + counts.get("unsure", 0))


def _print_ingested(done: list[Ingested], analysed: int, left: int, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"command": "insights ingest", "rows": [asdict(one) for one in done], "analysed": analysed, "left": left}
        )
        return
    print_rows([{name: value for name, value in asdict(one).items() if name != "refused"} for one in done])
    for one in done:
        if one.without_time:
            say(f"{one.file}: {one.without_time} rows name no time and have that of now; --map timestamp=COLUMN")
        for refused in one.refused[:_SAID]:
            say(f"{one.file}, line {refused['line']}: {refused['reason']}")
    say(f"{analysed} analysed, {left} wait to be" if left else f"{analysed} analysed")


@insights_group.command("list", cls=Command)
@click.option("--start", metavar="TIME", help="From this time on: 2026-01-31T12:00:00Z.")
@click.option("--end", metavar="TIME", help="Until this time.")
@click.option("--sentiment", type=click.Choice(["positive", "negative", "neutral"]), help="Only with this sentiment.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Only at least so sure.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The newest so many.")
@JSON
@click.pass_context
def list_command(context: click.Context, /, as_json: bool, **given: Any) -> None:
    """The newest insights, those on their way into the tables too."""
    from igtool.conversations.reception import Reception

    asked = {"start_time": given["start"] or _FIRST, "end_time": given["end"] or _LAST, "limit": str(given["limit"])}
    asked |= {"sentiment": given["sentiment"]} if given["sentiment"] else {}
    asked |= {"min_confidence": f"{given['min_confidence']:f}"} if given["min_confidence"] is not None else {}
    with Reception(workspace_of(context).settings) as reception:
        found = reception.insights(asked)
    rows = [{**one, **one["grok_analysis"]} for one in found["insights"]]
    for row in rows:
        del row["grok_analysis"]
    if as_json:
        print_json({"command": "insights list", "rows": rows, "metadata": found["metadata"]})
        return
    print_rows(rows, ("timestamp", "sentiment_score", "confidence", "clusters", "text"), title="insights")
    if found["metadata"]["total_count"] > len(rows):
        say(f"{len(rows)} of {found['metadata']['total_count']}")


@insights_group.command("failed", cls=Command)
@click.option("--retry", is_flag=True, help="Have them read again.")
@JSON
@click.pass_context
def failed_command(context: click.Context, retry: bool, as_json: bool) -> None:
    """Conversations that could not be read, with the reason."""
    from igtool.journal import Journal
    from igtool.journal.conversations import ConversationQueue

    settings = workspace_of(context).settings
    with Journal(settings.cache, writable=False, shared=retry) as journal:
        queue = ConversationQueue(journal)
        rows = queue.dead_letters()
        if retry:
            say(f"{queue.retry()} are read again, by a server of this folder or the next `igtool insights ingest`")
    if as_json:
        print_json({"command": "insights failed", "rows": rows})
    else:
        print_rows(rows, title="failed")
