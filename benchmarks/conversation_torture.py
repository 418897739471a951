"""Kills of processes that accept conversations and read them: SIGKILL at random moments and at chosen steps.

Two processes at a time accept the same conversations under the same keys, read them, with a language model where they
are unsure (the scripted server), and take them to the lake, which sometimes somebody else holds. Once all is done every
conversation that was ever accepted is in the lake once, was analysed once, and no prompt was paid for twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.llm_torture import process, told
from igtool.conversations.reception import Reception
from igtool.files import WriterLock
from igtool.lake import Lake
from igtool.settings import load

STEPS = (
    "ConversationQueue.accept",
    "ConversationQueue.lease",
    "ConversationQueue.hand_on",
    "ConversationQueue.finish",
    "ConversationQueue.moving",
    "ConversationQueue.moved",
    "ModelLedger.enter",
    "ModelLedger.end",
    "Lake.append_new",
    "OpenAI.complete",
)
_SAID = ("Thank you, great job", "On hold for two hours and nobody answers", "When do you open", "It is what it is")
_EVER = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-12-31T00:00:00Z", "limit": "1000"}


# --- the process that forks ----------------------------------------------------------------------------------------


def serve_runs() -> None:
    """Read jobs from standard input, a line of JSON each; fork its processes and say how they ended.

    Nothing here may start a thread: a child would wait for ever for what a thread held.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import duckdb
    import openai  # noqa: F401 - takes a second, once

    from igtool import registry
    from igtool.conversations.worker import Worker
    from igtool.llms.prices import from_table
    from igtool.stages.insights import _analyzer
    from tests.llm_people import Cheap

    cheap = Cheap()
    registry.encoder = lambda *_: cheap
    _analyzer(cheap)
    from_table("openai", "gpt-4o-mini")
    connect = duckdb.connect
    trusting = {"allow_unsigned_extensions": "true", "threads": "1"}  # else 100 MB are hashed for each connection
    duckdb.connect = lambda *given, config=None, **more: connect(*given, config=trusting | (config or {}), **more)
    for line in sys.stdin:
        job = json.loads(line)
        sys.stdout.flush()
        children = []
        for given in job["processes"]:
            child = os.fork()
            if child == 0:
                _run({**job, **given}, Worker)
            children.append((child, given["after_s"]))
        print(json.dumps({"statuses": _awaited(children)}), flush=True)


def _run(job: dict[str, Any], worker_class: Any) -> None:
    """Accept, read and move in this process, to its end or to the step at which it kills itself."""
    code = 1
    try:
        if job["step"]:
            _kill_at(job["step"], job["count"], before=job["before"])
        settings = load(Path(job["workspace"]), **job["settings"])
        log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with Reception(settings) as reception:
            worker = worker_class(settings, reception.shelf)
            reception.arrived = worker.wake
            worker.start()
            for place, number in enumerate(job["numbers"]):
                given = {"text": f"{_SAID[number % 4]}, number {number}", "timestamp": "2026-06-01T12:00:00Z"}
                taken = reception.accept(given, key=f"k{number}")
                os.write(log, f"{number} {taken['conversation_id']}\n".encode())
                if place % 8 == 7:
                    worker.move(least=1)
            while (counts := reception.counts())["waiting"] + counts["unsure"]:
                time.sleep(0.01)
            worker.stop()
            worker.move(least=1)
        code = 0
    except BaseException as error:
        print(type(error).__name__, error, worker.troubles, file=sys.stderr)
        raise
    finally:
        os._exit(code)


def _kill_at(step: str, count: int, *, before: bool) -> None:
    """Have this process killed at the ``count``-th call of a method, before or after what it does."""
    from igtool.journal.conversations import ConversationQueue
    from igtool.journal.models import ModelLedger
    from igtool.llms.openai import OpenAI

    owners: dict[str, Any] = {one.__name__: one for one in (ConversationQueue, ModelLedger, Lake, OpenAI)}
    owner, _, name = step.partition(".")
    real = getattr(owners[owner], name)
    left = [count]

    def counted(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owners[owner], name, counted)


def _awaited(children: list[tuple[int, float | None]]) -> list[int]:
    """How children ended, each killed after its time; a signal is negative."""
    began = time.monotonic()
    statuses: dict[int, int] = {}
    while len(statuses) < len(children):
        for child, after_s in children:
            if child in statuses:
                continue
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                statuses[child] = os.waitstatus_to_exitcode(status)
            elif time.monotonic() - began >= (120 if after_s is None else after_s):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    return [statuses[child] for child, _ in children]


# --- the campaign --------------------------------------------------------------------------------------------------


@dataclass
class Campaign:
    """Runs in one workspace, and what was seen of them."""

    workspace: Path
    runs: subprocess.Popen[str]
    settings: dict[str, Any]
    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seen: int = 0

    def run(self, processes: list[dict[str, Any]], *, is_locked: bool) -> None:
        """Processes at once; then what readers see must be whole, and no less than before."""
        usual = {"step": None, "count": 0, "before": False, "after_s": None}
        job = {"workspace": str(self.workspace), "log": str(self.workspace / "accepted"), "settings": self.settings}
        job["processes"] = [{**usual, **one} for one in processes]
        with ExitStack() as stack:
            if is_locked:
                lock = WriterLock(self.workspace / "data" / "lake.lock", "the lake")
                stack.callback(lock.release)
            statuses = json.loads(told(self.runs, json.dumps(job)))["statuses"]
        for one, status in zip(job["processes"], statuses, strict=True):
            if status == -signal.SIGKILL:
                self.kills[one["step"] or "moment"] += 1
            elif status:
                self.wrong.append(f"a process ended with {status}")

    def look(self, reception: Reception) -> None:
        """Readers of both stores see each conversation once, and never fewer."""
        found = reception.insights(_EVER)
        ids = [one["conversation_id"] for one in found["insights"]]
        total = found["metadata"]["total_count"]
        if len(set(ids)) != len(ids) or len(ids) != min(total, 1000) or total < self.seen:
            self.wrong.append(
                f"readers saw {len(set(ids))} different ones of {len(ids)}, total {total}, {self.seen} before"
            )
        self.seen = total


def campaign(kills: int, seed: int, *, at_once: int = 24) -> dict[str, Any]:
    """Kill processes ``kills`` times, each run with ``at_once`` new conversations; what it came to."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        workspace = Path(name) / "workspace"
        (workspace / "data").mkdir(parents=True)
        log = Path(name) / "asked"
        server = process("tests.llm_server", "--latency", "0.01", "--log", str(log))
        with server as answering, process("benchmarks.conversation_torture", "--serve-runs") as runs:
            address = told(answering)
            settings = {
                "provider": "openai",
                "chat_model": "gpt-4o-mini",
                "openai_base_url": f"{address}/v1",
                "openai_api_key": "invented-key",
                "conversation_calls_per_second": 1000,
                "llm_concurrency": 8,
            }
            one = Campaign(workspace, runs, settings)
            with Reception(load(workspace)) as reception:
                accepted = _runs(one, reception, chance, kills, at_once)
        return _came_to(one, log, accepted) | {"seed": seed}


def _runs(one: Campaign, reception: Reception, chance: random.Random, kills: int, at_once: int) -> int:
    """All runs, the last one undisturbed; how many conversations there are."""
    count = 0
    length_s = 1.0
    while one.kills.total() < kills and not one.wrong:
        numbers = list(range(max(0, count - at_once), count + at_once))  # old ones too, under their keys
        count += at_once
        both = [_draw(chance, length_s) | {"numbers": chance.sample(numbers, len(numbers))} for _ in range(2)]
        one.run(both, is_locked=chance.random() < 0.25)
        one.look(reception)
    one.run([{"numbers": list(range(count))}], is_locked=False)
    one.look(reception)
    return count


def _draw(chance: random.Random, length_s: float) -> dict[str, Any]:
    """Where to kill: at a random moment, or at a step."""
    if chance.random() < 0.4:
        return {"after_s": chance.uniform(0.0, length_s)}
    step = chance.choice(STEPS)
    most = 20 if step in ("ConversationQueue.accept", "OpenAI.complete", "ModelLedger.enter") else 3
    return {"step": step, "count": chance.randint(1, most), "before": chance.random() < 0.5}


def _came_to(one: Campaign, log: Path, count: int) -> dict[str, Any]:
    """What is in the stores, held against what was accepted and paid."""
    told_of = {tuple(line.split()) for line in (one.workspace / "accepted").read_text().splitlines()}
    found = held(one.workspace, log, {said for _, said in told_of})
    return {
        "kills": one.kills.total(),
        "at": dict(one.kills),
        "conversations": count,
        "accepted_once": found["accepted"] == count == found["stored"] == len(told_of),
        **found,
        "wrong": one.wrong,
    }


def held(workspace: Path, log: Path, told_of: set[str]) -> dict[str, Any]:
    """What the stores and the ``log`` of the scripted server have of conversations, of which ``told_of`` were accepted.

    All of them have different texts, and nothing of them is left to be done.
    """
    with Lake(workspace / "data", writable=False) as lake:
        stored = [row["conversation_id"] for row in lake.rows("select conversation_id from conversations")]
        analysed = [row["conversation_id"] for row in lake.rows("select conversation_id from insights")]
        texts = lake.value("select count(distinct text) from conversations")
        lost = lake.value("select count(*) from rejects where reason = 'llm-lost'")
        read = lake.value("select count(*) from insights where prompt_version is not null")
    with Reception(load(workspace)) as reception:
        counts = reception.counts()
    lines = log.read_text().splitlines() if log.exists() else []
    paid = Counter(record["prompt"] for record in map(json.loads, lines) if record["is_paid"])
    return {
        "accepted": counts["total"]["accepted"],
        "stored": len(stored),
        "lost": len(told_of - set(stored)),
        "stored_twice": len(stored) - texts + len(stored) - len(set(stored)),
        "without_insight": len(set(stored) - set(analysed)),
        "analysed_twice": counts["total"]["analysed"] - len(set(analysed)) + len(analysed) - len(set(analysed)),
        "left_in_journal": counts["waiting"] + counts["unsure"] + counts["done"] + counts["moving"] + counts["dead"],
        "paid": paid.total(),
        "paid_twice": sum(number - 1 for number in paid.values()),
        "read_by_model": read,
        "lost_under_way": lost,
    }


BAD = ("lost", "stored_twice", "without_insight", "analysed_twice", "left_in_journal", "paid_twice", "wrong")


def main() -> None:
    """Run a campaign and print what it came to as a line of JSON; exit 1 if anything was lost, done or paid twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--serve-runs", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_runs:
        serve_runs()
        return
    found = campaign(given.kills, given.seed, at_once=given.at_once)
    print(json.dumps({"benchmark": "conversation torture", **found}))
    sys.exit(any(found[name] for name in BAD) or not found["accepted_once"])


if __name__ == "__main__":
    main()
