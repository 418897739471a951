"""Identity measured: how right it is on splits that nothing was fitted on, and how fast at a million accounts.

    python -m benchmarks.identity quality ../shared/realdata/identity [--split test]
    python -m benchmarks.identity scale [--accounts 1000000] [--increment 1000]

Prints JSON lines. ``quality`` takes legislators with look-alikes, and an invented world of another seed than the one
that was fitted on. ``scale`` makes an invented world, runs the stage over it, adds accounts, and runs it again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.identity_data import Labelled
from benchmarks.identity_measure import intervals, measure, resolved, runner
from benchmarks.identity_world import world
from benchmarks.results import Peer, emit
from igtool.arrow import arrow_schema
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.schema import TABLES
from igtool.stages.resolve import Resolve

_BLOCK = 100_000


def main() -> None:
    """One part of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    quality = parts.add_parser("quality")
    quality.add_argument("folder", type=Path)
    quality.add_argument("--split", choices=("dev", "test"), default="test")
    scale = parts.add_parser("scale")
    scale.add_argument("--accounts", type=int, default=1_000_000)
    scale.add_argument("--increment", type=int, default=1_000)
    given = parser.parse_args()
    if given.part == "quality":
        _quality(given.folder, given.split)
    else:
        _scale(given.accounts, given.increment)


def _tell(**line: Any) -> None:
    print(json.dumps(line, default=float), flush=True)


def _quality(folder: Path, split: str) -> None:
    from benchmarks.identity_train import labelled_sets

    for name, found in labelled_sets(folder, split).items():
        made = resolved(found.accounts)
        told: dict[str, tuple[float, float]] = {}
        for method, creators in {"igtool": made.creators, **_baselines(found)}.items():
            made.creators = creators
            result = measure(found, made)
            _tell(
                set=name,
                split=split,
                method=method,
                accounts=len(found.accounts),
                persons=len(set(found.owners.values())),
                lookalikes=len(found.lookalikes),
                **{key: round(value, 4) for key, value in vars(result).items() if key not in ("pairs", "lookalikes")},
                linked_pairs=result.pairs,
                linked_lookalikes=result.lookalikes,
                intervals=intervals(found, made) if method == "igtool" else None,
            )
            told[method] = (result.precision, result.recall)
        for place, kind in enumerate(("precision", "recall")):
            peers = [Peer(other, "", both[place]) for other, both in told.items() if other != "igtool"]
            data = f"{name}, split {split}, {len(found.accounts):,} accounts and {len(found.lookalikes)} look-alikes"
            value = told["igtool"][place]
            emit(f"identity, {kind}", value, "share", n=len(found.accounts), better="higher", data=data, peers=peers)
        for line in _by_rule(found, made.pairs):
            _tell(set=name, split=split, **line)


def _by_rule(found: Labelled, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How often each rule's pairs, as far as nothing speaks against them, are of one person."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for pair in pairs:
        rule = pair["rule"] if pair["verdict"] == "link" else f"{pair['verdict']}: {pair['doubt'] or 'uncertain'}"
        counts[rule][0] += 1
        counts[rule][1] += found.owners[pair["account_a"]] == found.owners[pair["account_b"]]
    return [
        {"rule": rule, "pairs": n, "right_share": round(right / n, 4)} for rule, (n, right) in sorted(counts.items())
    ]


def _baselines(found: Labelled) -> dict[str, dict[str, str]]:
    """Accounts joined by any equal value: handle (letters and digits) or website; and by display name too."""
    made = {}
    for name, columns in (
        ("handle or website", ("handle", "external_url")),
        ("handle, website or name", ("handle", "external_url", "display_name")),
    ):
        parent = {row["account_id"]: row["account_id"] for row in found.accounts}

        def root(one: str, parent: dict[str, str] = parent) -> str:
            while parent[one] != one:
                one = parent[one]
            return one

        for column in columns:
            by_value: dict[str, list[str]] = defaultdict(list)
            for row in found.accounts:
                value = "".join(letter for letter in (row.get(column) or "").lower() if letter.isalnum())
                if value:
                    by_value[value].append(row["account_id"])
            for members in by_value.values():
                for one, other in combinations(members, 2):
                    parent[root(one)] = root(other)
        made[name] = {account: root(account) for account in parent}
    return made


def _scale(accounts: int, increment: int) -> None:
    invented = world(accounts + increment, seed=3)
    owners = invented.owners
    _tell(
        machine=platform.machine(),
        cores=os.cpu_count(),
        duckdb=duckdb.__version__,
        accounts=accounts,
        persons=len(set(owners.values())),
    )
    schema = arrow_schema(TABLES["account_states"])
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
            rows = invented.accounts
            late = rows[accounts // 2 : accounts // 2 + increment]  # some belong to persons that are there already
            early = rows[: accounts // 2] + rows[accounts // 2 + increment :]
            for start in range(0, len(early), _BLOCK):
                with lake.transaction():
                    lake.merge("accounts", pa.Table.from_pylist(early[start : start + _BLOCK], schema=schema))
            del rows, early, invented
            runs = runner(lake, journal, folder)
            _timed("everything", lambda: runs.run([Resolve()]), f"{accounts:,} invented accounts")
            _tell(
                creators=lake.value("select count(*) from creators"),
                pairs=lake.value("select count(*) from link_pairs"),
            )
            _pairwise(lake, owners)
            lake.execute("create temp table before as select account_id, creator_id from creator_links")
            with lake.transaction():
                lake.merge("accounts", pa.Table.from_pylist(late, schema=schema))
            _timed("increment", lambda: runs.run([Resolve()]), f"{increment:,} accounts more than {accounts:,}")
            _untouched(lake)


def _timed(what: str, work: Any, data: str) -> None:
    """Wall and processor time, and how many others wanted a processor meanwhile."""
    started, used = time.perf_counter(), time.process_time()
    work()
    for name, value, unit in (
        ("time", time.perf_counter() - started, "s"),
        ("processor", time.process_time() - used, "s"),
        ("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB"),
    ):
        emit(f"resolve, {name}", value, unit, n=1, better="lower", data=data, packages=["splink"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    _tell(
        part=what,
        seconds=round(time.perf_counter() - started, 2),
        cpu_seconds=round(time.process_time() - used, 2),
        load=os.getloadavg()[0],
        peak_gib=round(peak, 2),
    )


def _pairwise(lake: Lake, owners: dict[str, int]) -> None:
    """Precision and recall over all pairs, by counting."""
    table = pa.table({"account_id": list(owners), "person": list(owners.values())})
    with lake.incoming_rows(table):
        (row,) = lake.rows(
            """
            with l as (select creator_id, person from creator_links join incoming using (account_id)),
            agreed as (select count(*) as n from l group by creator_id, person),
            made as (select count(*) as n from l group by creator_id),
            true_ones as (select count(*) as n from l group by person)
            select (select sum(n * (n - 1)) from agreed) / (select sum(n * (n - 1)) from made) as precision,
                   (select sum(n * (n - 1)) from agreed) / (select sum(n * (n - 1)) from true_ones) as recall
            """
        )
    _tell(part="pairwise", **row)
    for name, value in row.items():
        emit(f"resolve, pairwise {name}", value, "share", n=len(owners), better="higher", data="invented world, seed 3")


def _untouched(lake: Lake) -> None:
    """How many accounts changed their creator, and how many of these share no key with what came."""
    (row,) = lake.rows(
        """
        with moved as (
            select b.account_id, b.creator_id from before b join creator_links l using (account_id)
            where l.creator_id <> b.creator_id
        )
        select (select count(*) from moved) as moved,
               (select count(*) from creator_links anti join before using (account_id)) as added,
               (select count(*) from moved anti join temp.focus using (account_id)) as moved_without_a_shared_key
        """
    )
    _tell(part="ids", **row)


if __name__ == "__main__":
    main()
