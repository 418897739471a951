"""Kills of a run that asks a language model: SIGKILL at random moments and at chosen steps, and what it cost.

A process that has loaded everything forks one child for each run, so that a kill costs a tenth of a second and not
two. The child is the command ``run describe``, on invented creators and with an encoder that costs nothing, against
the scripted server as a process of its own. After each kill the stores say which answers are kept; none of these may
be asked for again, and no more than what was under way may be lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from igtool.journal import Journal
from igtool.journal.models import ModelLedger
from igtool.lake import Lake
from tests.llm_people import Cheap, creators, store, vector_row
from tests.llm_server.asks import prompt_id

ROOT = Path(__file__).parents[1]
STEPS = (
    "ModelLedger.enter",
    "ModelLedger.end",
    "ModelLedger.delete_answers",
    "Lake.append_new",
    "Runner._store",
    "Runner._commit",
    "OpenAI.complete",
)
BATCH_STEPS = ("ModelLedger.enter", "ModelLedger.name_batch", "ModelLedger.end", "OpenAI.submit", "OpenAI.results")
_COMPARED = "select creator_id, description, claim_count, llm_answer_id, content_ids from descriptions order by 1"


# --- the process that forks ----------------------------------------------------------------------------------------


def serve_runs() -> None:
    """Read jobs from standard input, a line of JSON each; fork a run for each and say how it ended.

    Nothing here may start a thread: a child would wait for ever for what a thread held.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import openai  # noqa: F401 - takes a second, once

    from igtool import registry
    from igtool.asking import asker
    from igtool.asking.batches import Batches
    from igtool.language import identify
    from igtool.llms.prices import from_table
    from igtool.pipeline import describe_stage, run_stages
    from igtool.portrait import spaces_of
    from igtool.settings import Settings

    cheap = Cheap()
    spaces_of(cheap)
    describe_stage(Settings(provider="openai"))
    from_table("openai", "gpt-4o-mini")
    identify("whatever is loaded here is not loaded by each child")
    registry.encoder = lambda *_: cheap
    asker.Batches = partial(Batches, poll_s=0.02)
    for line in sys.stdin:
        job = json.loads(line)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _run(job, run_stages)
        print(json.dumps({"status": _awaited(child, job["after_s"])}), flush=True)


def _run(job: dict[str, Any], run_stages: Callable[..., None]) -> None:
    """The command ``run describe`` in this process, to its end or to the step at which it kills itself."""
    from igtool.errors import IgtoolError
    from igtool.session import open_session
    from igtool.settings import load

    code = 1
    try:
        if job["step"]:
            _kill_at(job["step"], job["count"], before=job["before"])
        settings = load(Path(job["workspace"]), **job["settings"])
        with open_session(settings, "run describe", lambda: False) as session:
            run_stages(session, ["describe"])
            code = session.trouble.exit_code if session.trouble is not None else 0
    except IgtoolError as error:
        print(error, file=sys.stderr)
        code = error.exit_code
    finally:
        os._exit(code)


def _kill_at(step: str, count: int, *, before: bool) -> None:
    """Have this process killed at the ``count``-th call of a method, before or after what it does."""
    from igtool.llms.openai import OpenAI
    from igtool.runner import Runner

    owners: dict[str, Any] = {one.__name__: one for one in (ModelLedger, Lake, Runner, OpenAI)}
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


def _awaited(child: int, after_s: float | None) -> int:
    """How a child ended, killed after so many seconds; a signal is negative."""
    ends = time.monotonic() + (after_s if after_s is not None else 600)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
            ends = float("inf")
        time.sleep(0.002)


# --- the campaign --------------------------------------------------------------------------------------------------


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process with pipes, ended with the block."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            assert started.stdin is not None
            started.stdin.close()


def told(started: subprocess.Popen[str], line: str | None = None) -> str:
    """The next line that a process says, after it was told one."""
    assert started.stdin is not None
    assert started.stdout is not None
    if line is not None:
        started.stdin.write(line + "\n")
        started.stdin.flush()
    return started.stdout.readline().strip()


def prepare(workspace: Path, count: int) -> None:
    """A workspace with invented creators and their vectors."""
    people, cheap = creators(count), Cheap()
    vectors = cheap.encode([one.bio for one in people]).tolist()
    with Lake(workspace / "data", writable=True) as lake:
        store(lake, people)
        with lake.transaction():
            rows = zip(people, vectors, strict=True)
            lake.merge("embeddings", [vector_row(one.account_id, vector) for one, vector in rows])


@dataclass
class Campaign:
    """Runs against one server.

    ``twice``: answers that were in the stores and were paid for again; with batches any answer that was. ``lost``: paid
    for and not stored when the process was killed.
    """

    folder: Path
    runs: subprocess.Popen[str]
    log: Path
    settings: dict[str, Any]
    concurrency: int
    kills: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    lost: int = 0
    most_lost: int = 0
    _read: int = 0

    def paid(self) -> list[str]:
        """The prompts that were paid for since the last call."""
        lines = self.log.read_text().splitlines()
        new, self._read = lines[self._read :], len(lines)
        return [record["prompt"] for record in map(json.loads, new) if record["is_paid"]]

    def run(self, workspace: Path, **how: Any) -> int:
        """One run; its status."""
        job = {"workspace": str(workspace), "step": None, "count": 0, "before": False, "after_s": None}
        job |= {"settings": self.settings} | how
        status: int = json.loads(told(self.runs, json.dumps(job)))["status"]
        return status

    def stored(self, workspace: Path) -> set[str]:
        """The prompts whose answers are kept."""
        with Journal(workspace / "cache", writable=False) as journal:
            rows = ModelLedger(journal).oldest_answers(1_000_000)
        if (workspace / "data" / "lake.json").exists():
            with Lake(workspace / "data", writable=False) as lake:
                rows += lake.rows("select prompt from llm_answers")
        return {_asked(row["prompt"]) for row in rows}

    def to_its_end(self, workspace: Path, chance: random.Random, kills: int, length_s: float, batch: bool) -> None:
        """Run until it ends by itself, killed ``kills`` times before that."""
        known: set[str] = set()
        times: Counter[str] = Counter()
        for number in range(kills + 1):
            how = self._draw(chance, length_s, batch=batch) if number < kills else {}
            status = self.run(workspace, **how)
            paid = self.paid()
            times.update(paid)
            self.twice += len(known.intersection(paid)) if not batch else 0
            stored = self.stored(workspace)
            if status == -signal.SIGKILL:
                self.kills[how["step"] or "moment"] += 1
                lost = 0 if batch else len(set(paid) - stored)
                self.lost, self.most_lost = self.lost + lost, max(self.most_lost, lost)
            elif status:
                raise SystemExit(f"a run ended with {status}")
            else:
                break
            known = stored
        self.twice += sum(count - 1 for count in times.values()) if batch else 0

    def _draw(self, chance: random.Random, length_s: float, *, batch: bool) -> dict[str, Any]:
        """Where to kill: at a random moment, or at a step."""
        if chance.random() < 0.5:
            return {"step": None, "after_s": chance.uniform(0.0, length_s)}
        step = chance.choice(BATCH_STEPS if batch else STEPS)
        most = 2 if batch or step.startswith(("Runner", "Lake")) else 30
        return {"step": step, "count": chance.randint(1, most), "before": chance.random() < 0.5}


def _asked(prompt: str) -> str:
    """The name of a stored prompt in the server's log."""
    return prompt_id("\n".join(one["content"] for one in json.loads(prompt) if one["role"] != "system"))


def campaign(kills: int, count: int, seed: int, *, concurrency: int = 16, batch: bool = False) -> dict[str, Any]:
    """Kill runs over ``count`` creators ``kills`` times; what it came to."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder / "empty", count)
        server = process("tests.llm_people", "--latency", "0.02", "--log", str(folder / "log"))
        with server as answering, process("benchmarks.llm_torture", "--serve-runs") as runs:
            settings = {
                "provider": "openai",
                "chat_model": "gpt-4o-mini",
                "openai_base_url": f"{told(answering)}/v1",
                "openai_api_key": "invented-key",
                "llm_concurrency": concurrency,
                "llm_batch": batch,
                "stage_batch_size": max(8, count // 3),
            }
            one = Campaign(folder, runs, folder / "log", settings, concurrency)
            return _campaign(one, folder, chance, kills, batch=batch) | {"creators": count, "seed": seed}


def _campaign(one: Campaign, folder: Path, chance: random.Random, kills: int, *, batch: bool) -> dict[str, Any]:
    shutil.copytree(folder / "empty", folder / "undisturbed")
    began = time.monotonic()
    one.to_its_end(folder / "undisturbed", chance, 0, 0.0, batch)
    length_s = time.monotonic() - began
    expected = _tables(folder / "undisturbed")
    finished = differing = doubled = 0
    while sum(one.kills.values()) < kills:
        workspace = folder / f"run{finished}"
        shutil.copytree(folder / "empty", workspace)
        left = kills - sum(one.kills.values())
        one.to_its_end(workspace, chance, min(left, chance.randint(1, 6)), length_s, batch)
        finished += 1
        found = _tables(workspace)
        differing += found["descriptions"] != expected["descriptions"]
        doubled += len(found["answers"]) - len(set(found["answers"]))
        shutil.rmtree(workspace)
    return {
        "kills": sum(one.kills.values()),
        "at": dict(one.kills),
        "finished": finished,
        "differing": differing,
        "doubled_rows": doubled,
        "paid_twice": one.twice,
        "lost_under_way": one.lost,
        "most_lost_at_a_kill": one.most_lost,
        "concurrency": one.concurrency,
        "batch": batch,
    }


def _tables(workspace: Path) -> dict[str, list[str]]:
    """What was made of the answers, and which there are."""
    with Lake(workspace / "data", writable=False) as lake:
        answers = [row["answer_id"] for row in lake.rows("select answer_id from llm_answers")]
        return {"descriptions": [repr(row) for row in lake.rows(_COMPARED)], "answers": answers}


def main() -> None:
    """Run a campaign and print what it came to as a line of JSON; exit 1 if anything was lost or paid twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--creators", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--batch", action="store_true", help="with batches")
    parser.add_argument("--serve-runs", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_runs:
        serve_runs()
        return
    found = campaign(given.kills, given.creators, given.seed, batch=given.batch)
    print(json.dumps({"benchmark": "language model torture", **found}))
    bad = found["differing"] or found["doubled_rows"] or found["paid_twice"]
    sys.exit(bool(bad or found["most_lost_at_a_kill"] > found["concurrency"]))


if __name__ == "__main__":
    main()
