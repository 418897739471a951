"""``igtool fetch`` and ``igtool queue``: what they say before, during and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igtool.commands.enrich import read_creators
from igtool.console import print_json, print_rows, say
from igtool.errors import FinishedWithRejects, Interrupted, UsageError
from igtool.shards import Shard
from igtool.workspace import Workspace

if TYPE_CHECKING:
    from igtool.fetching.outlook import Outlook
    from igtool.fetching.plan import FetchOptions, Plan
    from igtool.fetching.run import FetchReport

_STEPS = {
    "ask": "to be asked",
    "go_on": "gone on with, from an earlier run",
    "again": "tried again",
    "fresh": "stored and young enough",
    "known": "known already (--only-new)",
    "not_found": "were not found lately (--retry-failed asks again)",
    "failed": "failed lately (--retry-failed asks again)",
    "dead": "dead letters (`igtool queue list`)",
    "no_source": "no source for their platform",
}


def fetch_options(given: dict[str, Any], sources: Sequence[str]) -> FetchOptions:
    """The options of a fetch from the flags of a command."""
    from igtool.fetching.plan import FetchOptions

    shard: Shard | None = given.get("shard")
    return FetchOptions(
        sources=tuple(sources),
        since=given["since"],
        only_new=given["only_new"],
        force=bool(given["force"]),
        force_handles=frozenset(handle.removeprefix("@").lower() for handle in given["force_handle"]),
        retry_failed=given["retry_failed"],
        searches=tuple(words for words in dict.fromkeys(given.get("search", ())) if shard is None or shard.has(words)),
        search_pages=given.get("search_pages", 1),
    )


def run_fetch(
    workspace: Workspace,
    creators: Sequence[str],
    input_path: Path | None,
    given: dict[str, Any],
    stopping: Callable[[], bool],
) -> None:
    """Fetch and print what came of it. Raises what stopped a source, FinishedWithRejects for dead letters."""
    from igtool.enrich import wanted_handles
    from igtool.fetching.keeping import RawFolder
    from igtool.fetching.outlook import outlook
    from igtool.fetching.run import Fetcher
    from igtool.fetching.sources import sources_of
    from igtool.session import open_session

    settings = workspace.settings
    sources = sources_of(settings, settings.sources)
    options = fetch_options(given, settings.sources)
    only_searches = options.searches and not creators and input_path is None
    chosen = None if only_searches else read_creators(creators, input_path, given["platform"])
    shard: Shard | None = given["shard"]
    wanted = [
        one
        for one in (wanted_handles(chosen, given["limit"]) if chosen else [])
        if shard is None or shard.has(one[1].lower())
    ]
    name = chosen.name if chosen else "search"
    if given["dry_run"]:
        with outlook(settings, sources, options) as seen:
            print_estimates(seen, seen.plan(wanted), as_json=given["as_json"])
        return
    raw = RawFolder(given["raw_dir"], given["file_limit"]) if given["raw_dir"] else None
    with open_session(settings, f"fetch {name}", stopping) as session:
        session.shard = shard
        fetcher = Fetcher(session, sources, options, raw_folder=raw, told=say)
        plan = fetcher.plan(wanted)
        say(f"{name}: {_sentence(plan.counts(), len(options.searches))}")
        report = fetcher.run(wanted)
        if not stopping():
            from igtool.pipeline import run_stages  # its packages are not held in memory during the night

            run_stages(session, ["normalize"])
    print_report(report, as_json=given["as_json"])
    if report.error is not None:
        raise report.error
    if stopping():
        raise Interrupted("stopped; every answer is stored, and the same command goes on where this one stopped")
    lost = report.states.get("dead", 0) + report.states.get("failed", 0)
    if lost:
        raise FinishedWithRejects(f"{lost} jobs did not end well: `igtool queue list` says which and why")


def _sentence(steps: dict[str, int], searches: int) -> str:
    said = [f"{count} {_STEPS[step]}" for step, count in steps.items()]
    said += [f"{searches} searches, and the accounts that they find"] if searches else []
    return "; ".join(said) or "no account to ask for"


def print_estimates(seen: Outlook, plan: Plan, *, as_json: bool) -> None:
    """What a fetch would do: accounts by step, then requests, units, money and time for each source."""
    from dataclasses import asdict

    found = seen.estimates(plan)
    coverage = seen.expected_coverage()
    rows = [{**asdict(one), "duration": one.shown_duration, "finish_at": seen.finish_at(one)} for one in found]
    if as_json:
        print_json({"command": "fetch", "dry_run": True, "accounts": plan.counts(), "rows": rows, "coverage": coverage})
        return
    print_rows([{"accounts": _STEPS[step], "count": count} for step, count in plan.counts().items()])
    shown = ("source", "accounts", "requests", "units", "cost_usd", "duration", "finish_at")
    print_rows(rows, shown, title="\nat most")
    if coverage:
        print_rows(coverage, title="\nwhat earlier runs found")
    say("nothing was asked")


def print_report(report: FetchReport, *, as_json: bool, command: str = "fetch") -> None:
    """What a fetch did."""
    if as_json:
        print_json(
            {
                "command": command,
                "accounts": report.steps,
                "rows": [{"state": state, "jobs": jobs} for state, jobs in report.states.items()],
                "requests": report.requests,
                "answers": report.answers,
                "cost_usd": report.cost_usd,
                "stopped": [str(error) for error in report.troubles.values()],
            }
        )
        return
    print_rows([{"jobs": state, "count": count} for state, count in report.states.items()])
    spent = f", ${report.cost_usd:.4f}" if report.cost_usd else ""
    say(f"{report.requests} requests, {report.answers} answers stored{spent}")
    for error in report.troubles.values():
        if error is not report.error:  # that one ends the command, with these words
            say(f"stopped: {error}")
    if report.states.get("waiting"):
        say(f"{report.states['waiting']} jobs wait: the same command goes on")


def list_queue(workspace: Workspace, states: Sequence[str], reason: str | None, limit: int) -> list[dict[str, Any]]:
    """Rows of the queue for a person. Raises UsageError for an unknown state."""
    from igtool.journal import Journal
    from igtool.journal.queue import ENDED, LEASED, WAITING, Queue

    unknown = set(states) - {*ENDED, WAITING, LEASED}
    if unknown:
        raise UsageError(f"there is no state {min(unknown)!r}; there are: {', '.join((WAITING, LEASED, *ENDED))}")
    with Journal(workspace.settings.cache, writable=False) as journal:
        rows = Queue(journal).entries(states, reason, limit)
    for row in rows:
        for name in ("due_at", "ended_at"):
            row[name] = datetime.fromtimestamp(row[name], UTC) if row[name] else None
    return rows


def change_queue(
    workspace: Workspace, action: str, jobs: Sequence[int], reason: str | None, *, everything: bool
) -> int:
    """Retry or drop jobs by id, by reason, or all that failed or are dead. Raises UsageError when none is named."""
    from igtool.clock import Clock
    from igtool.journal import Journal
    from igtool.journal.queue import DEAD, FAILED, Queue

    if not jobs and reason is None and not everything:
        raise UsageError(f"which jobs? name ids (`igtool queue list` shows them), --reason TEXT or --all to {action}")
    with Journal(workspace.settings.cache, writable=False, shared=True) as journal:
        queue = Queue(journal)
        chosen = list(jobs)
        if reason is not None or everything:
            chosen += [row["job_id"] for row in queue.entries((FAILED, DEAD), reason, limit=10_000_000)]
        count = queue.retry(chosen, now=Clock().now()) if action == "retry" else queue.drop(chosen)
    if jobs and not count:
        raise UsageError(
            f"nothing to {action}: there is no such job, or it waits or is under way; `igtool queue list` shows ids"
        )
    return count
