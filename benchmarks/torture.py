"""The fault campaign: break igtool in every way that there is, run it again, and compare with an undisturbed run.

    python -m benchmarks.torture --kills 1000 --rounds 9 --mutations 10000 --write-docs
    python -m benchmarks.torture --from MONDAY.jsonl TUESDAY.jsonl --write-docs     # of runs of some faults each

One line of JSON for each scene and kind of fault on standard output, a table at the end on standard error. The exit
code is 1 if anything was lost, doubled, paid for twice, silently wrong, or ended in a way that igtool does not name.
What is injected and compared, and what it does not show: docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.faults import corruption, table
from benchmarks.faults.campaign import Plan, run, shown
from benchmarks.faults.judge import Tally
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.scenes import SCENES

STORES = ("corruption", "touched")
"""Kinds of faults of whole stores, which are in no scene."""


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60, help="processes that are ended, over all scenes")
    parser.add_argument(
        "--rounds", type=float, default=0.25, help="other faults of each kind in each scene, or in one of"
    )
    parser.add_argument("--mutations", type=int, default=100, help="changes of single files, and as many `touched`")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--faults", nargs="+", choices=[*KINDS, *STORES], default=[*KINDS, *STORES])
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--minutes", type=float, default=600.0, help="begin nothing new after so long")
    parser.add_argument("--folder", type=Path, help="where workspaces are made [the folder of temporary files]")
    parser.add_argument(
        "--from", dest="known", type=Path, nargs="+", help="run nothing: make one table of what runs have printed"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/reliability.md")
    return parser.parse_args(arguments)


def campaign(given: argparse.Namespace, folder: Path) -> list[Tally]:
    """All faults that were asked for; each tally is printed as it is done."""
    began = time.monotonic()
    kinds = [kind for kind in given.faults if kind in KINDS]
    plan = Plan(given.scenes, kinds, given.kills, given.rounds, given.seed, given.minutes)
    tallies = run(plan, folder, shown) if kinds else []
    for kind in [kind for kind in given.faults if kind in STORES and given.mutations]:
        left = given.minutes - (time.monotonic() - began) / 60
        if left > 0:
            (folder / kind).mkdir()
            span = {"touched": kind == "touched", "first": given.seed, "minutes": left}
            found = corruption.campaign(folder / kind, given.mutations, **span)
            for tally in found:
                shown(tally)
            tallies += found
    return tallies


def measured(given: argparse.Namespace) -> tuple[list[Tally], list[str]]:
    """The tallies, and what they were made with: seed, machine, time."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="igtool-torture-", dir=given.folder) as name:
        tallies = campaign(given, Path(name))
    minutes = (time.monotonic() - began) / 60
    about = (
        f"{datetime.now(UTC):%Y-%m-%d}, seed {given.seed}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {minutes:.0f} minutes"
    )
    sys.stdout.write(json.dumps({"benchmark": "torture", "about": about}) + "\n")
    return tallies, [about]


def main() -> None:
    """Run the campaign, print its table, and write it into the docs if that was asked for."""
    given = parsed()
    tallies, about = measured(given) if given.known is None else table.read(given.known)
    made = table.markdown(tallies, about)
    sys.stderr.write(made + "\n")
    for one in tallies:
        for detail in one.details:
            sys.stderr.write(f"{one.scene}, {one.kind}: {detail}\n")
    if given.write_docs:
        table.write(made)
    sys.exit(not all(one.is_clean for one in tallies) or not any(one.injected for one in tallies))


if __name__ == "__main__":
    main()
