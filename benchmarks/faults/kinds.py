"""How a scene is broken: each kind is a function that injects about so many faults and leaves the rest to `Attempt`."""

from __future__ import annotations

import random
import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.faults import torn
from benchmarks.faults.attempt import Attempt
from benchmarks.faults.hostile import hostile
from benchmarks.faults.judge import Tally
from benchmarks.faults.stage import Stage
from benchmarks.faults.starved import clocks, full_disks, io_errors
from benchmarks.faults.steps import Step

_STOPPED = frozenset({130, 143, -signal.SIGTERM})
_MOST_KILLS = 3
"""So many random kills at most come before a run is left to end."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault. ``share``: which part of the faults of a scene are of it; 0 for those with a fixed number."""

    name: str
    inject: Callable[[Stage, Tally, int, random.Random], None]
    share: float = 0.0


def random_kills(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """SIGKILL at moments drawn over the whole run, up to three times before it may end."""
    left = wanted
    while left > 0:
        attempt = Attempt(stage, tally)
        for _ in range(min(left, chance.randint(1, _MOST_KILLS))):
            after_s = chance.uniform(0.01, stage.length_s)
            left -= 1
            attempt.kill({"after_s": after_s, "signal": signal.SIGKILL}, None, f"SIGKILL after {after_s:.3f} s")
        attempt.finish()


def stops(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """SIGTERM at moments drawn over the whole run; what it finishes before it ends counts."""
    for _ in range(wanted):
        attempt = Attempt(stage, tally)
        after_s = chance.uniform(0.01, stage.length_s)
        (ended,) = stage.run([attempt.workspace], [{"after_s": after_s, "signal": signal.SIGTERM}])
        attempt.what = f"{stage.scene.name}, SIGTERM after {after_s:.3f} s"
        tally.count_exit(ended.code, ended.said, _STOPPED | stage.scene.exits, attempt.what)
        if ended.seconds > after_s:
            attempt.broke()
        else:
            tally.missed += 1
        attempt.finish()


def failpoints(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """SIGKILL before or after a durable step: every place of the product in turn, then others of its steps."""
    for step, before in chosen(stage.steps, wanted, chance):
        attempt, log = Attempt(stage, tally), stage.folder / "steps"
        log.unlink(missing_ok=True)
        what = f"killed {'before' if before else 'after'} step {step.number}, {step.kind} at {step.place}"
        ended = attempt.kill(None, {"log": str(log), "kill_at": step.number, "before": before}, what)
        if ended.code == -signal.SIGKILL:
            tally.places.add(f"{step.kind} {step.place}")
        attempt.finish()


def chosen(steps: Sequence[Step], wanted: int, chance: random.Random) -> list[tuple[Step, bool]]:
    """Which steps to die at, before (True) or after: one of each kind and place first, then the next of each."""
    by_place: dict[tuple[str, str], list[tuple[Step, bool]]] = defaultdict(list)
    for step in steps:
        by_place[step.kind, step.place] += [(step, True), (step, False)]
    queues = list(by_place.values())
    for queue in queues:
        chance.shuffle(queue)
    chance.shuffle(queues)
    found: list[tuple[Step, bool]] = []
    while len(found) < wanted and any(queues):
        found += [queue.pop() for queue in queues if queue]
    return found[:wanted]


def torn_writes(stage: Stage, tally: Tally, wanted: int, chance: random.Random) -> None:
    """SIGKILL at a step, and what was written and never synced is cut, zeroed or undone, as a power cut may."""
    for step, before in chosen(stage.steps, wanted, chance):
        attempt, log = Attempt(stage, tally), stage.folder / "steps"
        log.unlink(missing_ok=True)
        (ended,) = stage.run([attempt.workspace], watch={"log": str(log), "kill_at": step.number, "before": before})
        lost = torn.lose_unsynced(stage.template, attempt.workspace, log, chance)
        attempt.what = f"{stage.scene.name}, power cut at step {step.number}, {step.kind} at {step.place}: {lost}"
        if ended.code == -signal.SIGKILL and lost:
            attempt.broke()
        else:
            tally.missed += 1
            attempt.died(ended.code == -signal.SIGKILL)
        attempt.finish(repairs=True)


def crowds(stage: Stage, tally: Tally, wanted: int, _: random.Random) -> None:
    """Two and eight processes of the same command at once: one works, the others wait or end with code 7."""
    for count in (2, 8)[: max(1, wanted)]:
        attempt = Attempt(stage, tally)
        attempt.what = f"{stage.scene.name}, {count} processes"
        ended = stage.run([attempt.workspace] * count)
        for one in ended:
            tally.count_exit(one.code, one.said, stage.scene.exits | {7}, attempt.what)
        if not any(one.code in stage.scene.exits for one in ended):
            tally.details.append(f"{attempt.what}: none of them did the work")
            tally.unexpected += 1
        tally.injected += count - 1
        attempt.finish()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("failpoint", failpoints, 0.5),
        Kind("kill", random_kills, 0.25),
        Kind("stop", stops, 0.1),
        Kind("torn", torn_writes, 0.15),
        Kind("processes", crowds),
        Kind("clock", clocks),
        Kind("disk-full", full_disks),
        Kind("io-error", io_errors),
        Kind("hostile", hostile),
    )
}
