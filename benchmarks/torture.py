"""Kill the main job at random moments and compare its tables with those of an undisturbed run, row for row."""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.schema import TABLES

ROOT = Path(__file__).parents[1]
DIARY = {"runs", "link_log"}
"""Tables that tell when things were done; they differ from run to run by design."""


def command(workspace: Path, creators: Path, source: Path) -> list[str]:
    """The main job as a user starts it, in a workspace of its own."""
    base = [sys.executable, "-c", "from igtool.cli import main; main()", "--workspace", str(workspace)]
    return [*base, "enrich", str(creators), "--source", str(source)]


def tables(workspace: Path) -> dict[str, list[str]]:
    """Every row of every table as text, sorted; a row that is there twice is twice in it."""
    with Lake(workspace / "data", writable=False) as lake:
        return {
            name: sorted(repr(row) for row in lake.rows(f"from {quote(name)}")) for name in TABLES if name not in DIARY
        }


def files(workspace: Path) -> dict[str, bytes]:
    """The filled list and its provenance, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted((workspace / "data" / "export").glob("*.csv"))}


def campaign(kills: int, seed: int, creators: Path, source: Path, folder: Path) -> tuple[int, int]:
    """Kill the job ``kills`` times at moments drawn over its whole length; (finished runs, differing runs).

    A killed job is started again in the same workspace until it ends by itself; then its tables are compared
    and the next workspace begins.
    """
    chance = random.Random(seed)
    undisturbed = folder / "undisturbed"
    began = time.monotonic()
    code = subprocess.run(command(undisturbed, creators, source), capture_output=True, check=False).returncode
    length = time.monotonic() - began
    if code not in {0, 8}:
        raise SystemExit(f"the undisturbed run ended with {code}")
    expected, expected_files = tables(undisturbed), files(undisturbed)
    print(f"undisturbed: {length:.1f} s, {sum(map(len, expected.values()))} rows in {len(expected)} tables")
    finished = differing = killed = 0
    while killed < kills:
        workspace = folder / f"run{finished}"
        while True:
            process = subprocess.Popen(
                command(workspace, creators, source), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                moment = chance.uniform(0.05, length) if killed < kills else None
                _, errors = process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                killed += 1
                continue
            if process.returncode not in {0, 8}:
                raise SystemExit(f"a resumed run ended with {process.returncode}: {errors.decode()}")
            break
        finished += 1
        found, found_files = tables(workspace), files(workspace)
        wrong = [name for name in expected if expected[name] != found[name]]
        wrong += [name for name in expected_files if expected_files[name] != found_files.get(name)]
        differing += bool(wrong)
        print(f"finished {finished}: {killed} kills so far, differing: {wrong or 'none'}", flush=True)
        shutil.rmtree(workspace)
    return finished, differing


def main() -> None:
    """Run the campaign on the example, or on a list and source of one's own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20261001)
    parser.add_argument("--creators", type=Path, default=ROOT / "examples" / "creators.csv")
    parser.add_argument("--source", type=Path, default=ROOT / "examples" / "raw")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finished, differing = campaign(given.kills, given.seed, given.creators, given.source, Path(folder))
    print(f"{given.kills} kills over {finished} runs: {differing} runs differ from the undisturbed one")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
