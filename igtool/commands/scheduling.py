"""What ``igtool schedule`` does behind its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from igtool.commands.enrich import read_creators
from igtool.commands.fetching import print_report
from igtool.console import print_json, say
from igtool.errors import FinishedWithRejects
from igtool.workspace import Workspace


def plan_document(workspace: Workspace, limit: int | None, backfill: int) -> dict[str, Any]:
    """Due accounts by tier, what each source takes for them, and the freshness of the tiers."""
    from igtool.fetching.plan import FetchOptions, estimate
    from igtool.fetching.sources import policy_of, sources_of
    from igtool.journal import Journal
    from igtool.journal.queue import Queue
    from igtool.schedule.plan import by_tier, due_now, left_alone
    from igtool.tiers import Tiers, freshness

    settings = workspace.settings
    sources = sources_of(settings, settings.sources)
    tiers, now = Tiers.of(settings), datetime.now(UTC)
    with workspace.reader() as lake, Journal(settings.cache, writable=False) as journal:
        left = left_alone(Queue(journal), now)
        platforms = sorted({source.platform for source in sources})
        due = due_now(lake, now, tiers, limit=limit, backfill=backfill, platforms=platforms, left=left)
        fresh = freshness(lake, now, tiers)
    bounds = FetchOptions(settings.sources).bounds(settings)
    rows = []
    for source in {source.platform: source for source in reversed(sources)}.values():
        handles = [(one.platform, one.handle) for one in due if one.platform == source.platform]
        found = estimate(source, handles, bounds, policy_of(source, settings))
        rows.append({**asdict(found), "duration": found.shown_duration})
    shares = [{**asdict(one), "fresh_share": one.fresh_share} for one in fresh]
    return {"rows": by_tier(due), "sources": rows, "tiers": shares}


def run_once(
    workspace: Workspace, limit: int | None, backfill: int, stopping: Callable[[], bool], *, as_json: bool
) -> None:
    """One cycle. Raises what stopped a source; FinishedWithRejects for jobs that did not end well."""
    from igtool.clock import Clock
    from igtool.fetching.sources import sources_of
    from igtool.schedule.run import run_cycle
    from igtool.session import open_session

    sources = sources_of(workspace.settings, workspace.settings.sources)
    with open_session(workspace.settings, "schedule run --once", stopping) as session:
        cycle = run_cycle(session, sources, limit=limit, backfill=backfill, clock=Clock())
    if cycle.report is None:
        if as_json:
            print_json({"command": "schedule run", "rows": [], "next_due_at": cycle.next_due_at})
        say(f"nothing is due; the next account is due at {cycle.next_due_at or 'no time: none is stored'}")
        return
    print_report(cycle.report, as_json=as_json, command="schedule run")
    if cycle.report.error is not None:
        raise cycle.report.error
    lost = cycle.report.states.get("dead", 0) + cycle.report.states.get("failed", 0)
    if lost:
        raise FinishedWithRejects(f"{lost} jobs did not end well: `igtool queue list` says which and why")


def run_daemon(workspace: Workspace, backfill: int, stopping: Callable[[], bool]) -> None:
    """Cycles until the user stops them. Raises what needs a person."""
    from igtool.schedule.run import Daemon

    Daemon(workspace.settings, workspace.settings.sources, backfill, stopping, say).run()


def simulate_document(workspace: Workspace, given: dict[str, Any], plot_path: Path | None) -> dict[str, Any]:
    """The result of a simulation under the settings of the workspace; writes its plot if one is wanted."""
    from igtool.files import replaced
    from igtool.schedule.plot import plot
    from igtool.schedule.scenario import INSTAGRAM_WEB, TIKHUB, YOUTUBE, Scenario
    from igtool.schedule.simulate import simulate
    from igtool.tiers import Tiers

    settings = workspace.settings
    web = replace(
        INSTAGRAM_WEB,
        requests_per_minute=settings.rate_limit or INSTAGRAM_WEB.requests_per_minute,
        batch_size=INSTAGRAM_WEB.batch_size if settings.batch_size is None else settings.batch_size,
        batch_pause_s=INSTAGRAM_WEB.batch_pause_s if settings.batch_pause_s is None else settings.batch_pause_s,
    )
    named = settings.youtube_api_keys.get_secret_value() if settings.youtube_api_keys else ""
    keys = given["youtube_keys"] or max(1, len([key for key in named.split(",") if key.strip()]))
    sources = (web, replace(YOUTUBE, keys=keys), *((TIKHUB,) if given["tikhub"] else ()))
    scenario = Scenario(given["creators"], given["days"], sources=sources, tiers=Tiers.of(settings), seed=given["seed"])
    result = simulate(scenario)
    if plot_path is not None:
        with replaced(plot_path) as file:
            file.write(plot(result).encode())
    return {"rows": result.rows(), "sources": result.source_rows(), "attained_share": result.attained_share}


def set_overrides(
    workspace: Workspace, handles: Sequence[str], platform: str | None, every_s: float | None, priority: int | None
) -> int:
    """Store what the user says about accounts, or forget it when both values are None; how many accounts."""
    from igtool.session import open_session

    chosen = [row for row in read_creators(list(handles), None, platform).rows if row.reason is None]
    now = datetime.now(UTC)
    with open_session(workspace.settings, "schedule set", lambda: False) as session, session.lake.transaction():
        alone = session.lake.rows("select platform, handle from schedule_overrides where not is_watched")
        for row in chosen:
            session.lake.execute(
                "delete from schedule_overrides where platform = ? and handle = ?",
                (row.platform, str(row.handle).lower()),
            )
        rows = [
            {
                "platform": row.platform,
                "handle": str(row.handle).lower(),
                "priority": priority,
                "every_h": None if every_s is None else every_s / 3_600,
                "is_watched": False if {"platform": row.platform, "handle": str(row.handle).lower()} in alone else None,
                "set_at": now,
            }
            for row in chosen
        ]
        is_set = every_s is not None or priority is not None
        session.lake.merge("schedule_overrides", [row for row in rows if is_set or row["is_watched"] is False])
    return len(chosen)
