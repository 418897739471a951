"""What partitions of `content_items` cost and save: commits, files, upkeep, reading. Prints a JSON line for each kind.

    python -m benchmarks.partitions [--commits 20] [--accounts 2500]

Invented accounts with twelve items each, posted from days to ten years ago; every commit is seen half a month after
the one before. ``none``; ``published``: by month of publication; ``observed``: by month of observation, as igtool has
it. After the commits: upkeep, the first commit's accounts seen again, upkeep. Seconds of processor time of this process
(what waits for the disk is not in them), files that hold the newest state, MB.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.lake import items
from benchmarks.results import Peer, emit
from igtool import schema
from igtool.lake import Lake

TABLE = "content_items"
KINDS = {
    "none": None,
    "published": "year(published_at), month(published_at)",
    "observed": "year(observed_at), month(observed_at)",
}
NOW = datetime(2026, 10, 1, tzinfo=UTC)
_ITEMS = 12
_QUERIES = {
    "newest items": f"select count(*), sum(like_count) from {TABLE} where published_at >= '2026-09-01'",
    "one account": f"from {TABLE} where account_id = 'instagram:a77'",
    "all accounts": f"select account_id, max(published_at) from {TABLE} group by 1",
}


def seen(start: int, accounts: int, at: datetime) -> pa.Table:
    """The items of accounts ``start`` and on: ages from a posting rate of each account's own."""
    rows = items(np.arange(start * _ITEMS, (start + accounts) * _ITEMS), at)
    between = 10 ** np.random.default_rng(start).normal(0.8, 0.65, accounts)  # days
    ages = np.minimum(np.outer(between, np.arange(1, _ITEMS + 1)).ravel(), 3_650)
    moments = [NOW - timedelta(days=float(age)) for age in ages]
    place = rows.schema.get_field_index("published_at")
    return rows.set_column(place, rows.schema.field(place), pa.array(moments, rows.schema.field(place).type))


def _files(lake: Lake) -> list[str]:
    return [name for name in lake.live_files() if f"/{TABLE}/" in name]


def run(kind: str, commits: int, accounts: int) -> dict[str, Any]:
    """One kind of partitions, in this process."""
    schema.TABLES[TABLE] = dataclasses.replace(schema.TABLES[TABLE], partition=KINDS[kind])
    result: dict[str, Any] = {"kind": kind, "commits": commits, "rows_a_commit": accounts * _ITEMS}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        result[f"{name}, s"] = round(time.process_time() - began, 3)

    with tempfile.TemporaryDirectory() as place, Lake(Path(place) / "data", writable=True) as lake:

        def commit(rows: pa.Table) -> None:
            with lake.transaction():
                lake.merge(TABLE, rows)

        moments = [NOW - timedelta(days=15 * (commits - number)) for number in range(commits)]
        parts = [seen(number * accounts, accounts, at) for number, at in enumerate(moments)]
        timed("all commits", lambda: [commit(part) for part in parts])
        result["files"] = len(_files(lake))
        timed("upkeep", lambda: lake.upkeep(least_commits=1))
        result["files after upkeep"] = len(_files(lake))
        again = seen(0, accounts, NOW)
        timed("seen again", lambda: commit(again))
        timed("upkeep again", lambda: lake.upkeep(least_commits=1))
        result["files at the end"] = len(_files(lake))
        result["mb"] = round(sum((lake.folder / name).stat().st_size for name in _files(lake)) / 1e6, 1)
        for name, query in _QUERIES.items():
            timed(name, lambda query=query: lake.execute(query).fetchall())
    return result


def main() -> None:
    """Each kind in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=20)
    parser.add_argument("--accounts", type=int, default=2_500, help="of a commit")
    parser.add_argument("--kind", choices=KINDS)
    given = parser.parse_args()
    if given.kind:
        print(json.dumps(run(given.kind, given.commits, given.accounts)))
        return
    found = {}
    for kind in KINDS:
        size = ["--commits", str(given.commits), "--accounts", str(given.accounts)]
        command = [sys.executable, "-m", "benchmarks.partitions", "--kind", kind, *size]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(told, end="", flush=True)
        found[kind] = json.loads(told)
    data = f"{given.commits} commits of {given.accounts * _ITEMS:,} content items"
    for name in ("all commits, s", "upkeep, s", "files", "files after upkeep", *(f"{one}, s" for one in _QUERIES)):
        what, _, unit = name.partition(", ")
        peers = [Peer(f"partitions: {kind}", "", one[name]) for kind, one in found.items() if kind != "observed"]
        emit(
            f"partitions, {what}", found["observed"][name], unit or "files", n=1, better="lower", data=data, peers=peers
        )


if __name__ == "__main__":
    main()
