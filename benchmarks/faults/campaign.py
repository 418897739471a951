"""All scenes under all kinds of faults, two scenes side by side."""

from __future__ import annotations

import json
import random
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.judge import Tally
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.scenes import SCENES
from benchmarks.faults.servers import Forks, Servers
from benchmarks.faults.stage import Stage

LONGEST = ("repair", "forget", "enrich", "upgrade", "gc", "llm-batch")
"""Scenes that take longest come first, so that both lanes end together."""


@dataclass(frozen=True)
class Plan:
    """What to do: about ``kills`` processes that are ended over all ``scenes``, ``rounds`` of other kinds in each."""

    scenes: Sequence[str] = tuple(SCENES)
    kinds: Sequence[str] = tuple(KINDS)
    kills: int = 1_000
    rounds: float = 4.0
    seed: int = 1
    minutes: float = 600.0
    lanes: int = 2

    def wanted(self, scene: str, kind: str) -> int:
        """How many faults of a kind in a scene; parts of one are spread over the scenes."""
        share = KINDS[kind].share
        if not share:
            place = list(SCENES).index(scene) + list(KINDS).index(kind)
            return int(place * self.rounds + self.rounds) - int(place * self.rounds)
        shares = sum(KINDS[name].share for name in self.kinds)
        exact = self.kills * share / shares / len(self.scenes)
        return int(exact) + (random.Random(f"{self.seed} {scene} {kind}").random() < exact % 1)


def run(plan: Plan, folder: Path, told: Callable[[Tally], None]) -> list[Tally]:
    """The tallies, in the order of scenes and kinds; ``told`` hears of each as it is done."""
    ends = time.monotonic() + plan.minutes * 60
    lanes = threading.local()
    opened: list[Forks] = []
    lock = threading.Lock()

    def done(scene: str) -> list[Tally]:
        if time.monotonic() >= ends:
            return []
        if not hasattr(lanes, "forks"):
            lanes.forks = Forks(folder / "errors", {})
            opened.append(lanes.forks)
        tallies = []
        for tally in _scene(plan, scene, folder / scene, lanes.forks, ends):
            with lock:
                told(tally)
            tallies.append(tally)
        return tallies

    order = sorted(plan.scenes, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    with ThreadPoolExecutor(plan.lanes) as pool:
        found = dict(zip(order, pool.map(done, order), strict=True))
    for forks in opened:
        forks.close()
    return [tally for scene in plan.scenes for tally in found[scene]]


def _scene(plan: Plan, name: str, folder: Path, forks: Forks, ends: float) -> list[Tally]:
    """All kinds in one scene. A scene that cannot be made ready is a bug, and is told as one."""
    folder.mkdir(parents=True)
    found = []
    servers = Servers(SCENES[name].servers, folder)
    try:
        stage = Stage(SCENES[name], folder, forks, servers)
        try:
            stage.make_ready()
        except SystemExit as error:
            return [Tally(name, "undisturbed", unexpected=1, details=[str(error)])]
        for kind in plan.kinds:
            wanted = plan.wanted(name, kind)
            if not wanted or time.monotonic() >= ends:
                continue
            tally = Tally(name, kind)
            try:
                KINDS[kind].inject(stage, tally, wanted, random.Random(f"{plan.seed} {name} {kind}"))
            except Exception:  # noqa: BLE001 - the other scenes go on; what the harness could not do is told
                tally.unexpected += 1
                tally.details.append(f"the campaign failed: {traceback.format_exc()}")
            found.append(tally)
    finally:
        servers.close()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def shown(tally: Tally) -> None:
    """One line of JSON for a scene and a kind."""
    sys.stdout.write(json.dumps({"benchmark": "torture", **tally.shown()}) + "\n")
    sys.stdout.flush()
