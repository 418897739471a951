"""What the schedule reaches under which quotas, how long simulating it takes, and how fast tiers are worked out.

    .venv/bin/python -m benchmarks.simulate [--days 30] [--creators 5000 ...] [--plot docs/schedule.svg]

Prints Markdown tables. Each scenario runs in a process of its own, whose peak memory is told. The tables of the last
part are made by SQL: 1,000,000 accounts and 5,000,000 content items in a lake.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results import emit
from igtool.charts import grouped, percent
from igtool.lake import Lake
from igtool.schedule.plot import plot
from igtool.schedule.scenario import INSTAGRAM_WEB, TIKHUB, YOUTUBE, Scenario, Simulated
from igtool.schedule.simulate import simulate
from igtool.tiers import Tiers, due_accounts, freshness

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
MOST_SOURCES = (INSTAGRAM_WEB, TIKHUB, replace(YOUTUBE, keys=3))
AMPLE = (
    replace(TIKHUB, name="instagram", requests_per_minute=60_000, pause_s=0, answer_s=0.006),
    replace(YOUTUBE, keys=40, requests_per_minute=3_000, pause_s=0, answer_s=0.02),
)


def scenarios(days: int, sizes: list[int]) -> list[tuple[str, Scenario]]:
    """What is simulated, by title."""
    largest = Scenario(creators=max(sizes), days=days)
    return [
        *((f"{grouped(size)} creators, default quotas", Scenario(creators=size, days=days)) for size in sizes),
        (f"{grouped(largest.creators)} creators, 10 YouTube keys", largest.with_keys("youtube", 10)),
        (
            f"{grouped(largest.creators // 10)} creators, with tikhub and 3 YouTube keys",
            replace(largest, creators=largest.creators // 10, sources=MOST_SOURCES),
        ),
        (f"{grouped(largest.creators)} creators, with tikhub and 3 keys", replace(largest, sources=MOST_SOURCES)),
        (f"{grouped(largest.creators)} creators, sources without a practical limit", replace(largest, sources=AMPLE)),
    ]


def timed(scenario: Scenario) -> tuple[Simulated, float, float]:
    """The result, seconds, and peak memory of this process in MB."""
    start = time.perf_counter()
    result = simulate(scenario)
    return result, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def table(rows: list[list[str]]) -> None:
    """Rows as a Markdown table; the first is the head."""
    for number, row in enumerate(rows):
        print("| " + " | ".join(row) + " |")
        if number == 0:
            print("|---" * len(row) + "|")
    print()


def hours(value: float | None) -> str:
    """Hours for a person."""
    return "–" if value is None else f"{value:.1f} h"


def report(title: str, result: Simulated, seconds: float, megabytes: float) -> None:
    """Both tables of one scenario."""
    print(f"### {title}\n\nSimulated in {seconds:.1f} s, {megabytes:.0f} MB.\n")
    rows = [
        [
            *("tier", "accounts", "looks wanted", "attainable", "attained", "attained ÷ attainable"),
            *("fresh on the last day", "fresh on average", "late on average", "late p95", "waiting at the end"),
        ]
    ]
    for tier in result.tiers:
        counts = [grouped(value) for value in (tier.accounts, tier.wanted, tier.attainable, tier.attained)]
        shares = [percent(s) for s in (tier.attained_share, tier.fresh_end_share, tier.fresh_mean_share)]
        late = [hours(tier.overdue_mean_h), hours(tier.overdue_p95_h)]
        rows.append([tier.tier, *counts, *shares, *late, grouped(tier.waiting)])
    table(rows)
    rows = [["source", "looks", "requests", "units", "US dollars", "used of what it allows"]]
    for source in result.sources:
        counts = [grouped(value) for value in (source.looks, source.requests, source.units, source.cost_usd)]
        rows.append([source.name, *counts, percent(source.utilisation_share)])
    table(rows)


def tier_speed() -> None:
    """Seconds for tiers, cadences and due accounts of a large lake."""
    with tempfile.TemporaryDirectory() as folder, Lake(Path(folder) / "data", writable=True) as lake:
        now = "timestamptz '2026-10-01 12:00:00+00'"
        with lake.transaction():
            lake.execute(
                "insert into accounts (account_id, platform, handle, observed_at) select 'instagram:' || i, "
                f"'instagram', 'creator.' || i, {now} - to_hours((random() * 400)::int) from range(1000000) t(i)"
            )
            lake.execute(
                "insert into creator_links (account_id, creator_id) "
                "select 'instagram:' || i, 'creator' || (i / 1.3)::int from range(1000000) t(i)"
            )
            lake.execute(
                "insert into content_items (content_id, account_id, published_at) select 'instagram:p' || i, "
                f"'instagram:' || (random() * 1000000)::int, {now} - to_minutes((random() ** 3 * 525600)::int) "
                "from range(5000000) t(i)"
            )
        rows = [["what", "seconds, 3 runs"]]
        for name, work in (
            ("freshness of every tier", lambda: freshness(lake, NOW, Tiers())),
            ("the first 10,000 due accounts", lambda: due_accounts(lake, NOW, Tiers(), 10_000)),
            ("all due accounts", lambda: due_accounts(lake, NOW, Tiers())),
        ):
            rows.append([name, ", ".join(f"{seconds_of(work):.2f}" for _ in range(3))])
    print("### Tiers of 1,000,000 accounts from 5,000,000 items\n")
    table(rows)


def seconds_of(work: object) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


def main() -> None:
    """Simulate, print, draw."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--creators", type=int, nargs="+", default=[5_000, 10_000, 100_000, 1_000_000])
    options.add_argument("--plot", type=Path)
    options.add_argument("--no-lake", action="store_true")
    chosen = options.parse_args()
    spawn = multiprocessing.get_context("spawn")
    for title, scenario in scenarios(chosen.days, sorted(chosen.creators)):
        with ProcessPoolExecutor(1, spawn) as alone:
            result, seconds, megabytes = alone.submit(timed, scenario).result()
        report(title, result, seconds, megabytes)
        emit("simulate, time", seconds, "s", n=1, better="lower", data=f"{title}, {chosen.days} days")
        emit("simulate, memory", megabytes, "MB", n=1, better="lower", data=f"{title}, {chosen.days} days")
        if chosen.plot and scenario == Scenario(creators=max(chosen.creators), days=chosen.days):
            chosen.plot.write_text(plot(result))
    if not chosen.no_lake:
        tier_speed()


if __name__ == "__main__":
    main()
