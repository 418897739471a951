"""One scene made ready: its workspace, its undisturbed run, and the means to run it again, whole or broken."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.child import Job
from benchmarks.faults.judge import Tally
from benchmarks.faults.scenes import Scene
from benchmarks.faults.servers import Forks, Servers
from benchmarks.faults.steps import Step, steps_of
from benchmarks.faults.tables import State

_RECOVERIES = 3
"""A damaged workspace is repaired, and the command given again: that many runs at most until all is well."""

_REPAIR = ["verify", "--repair"]
_ADVICE = ((5, "", _REPAIR), (3, "igtool queue accept-clock", ["queue", "accept-clock"]))
"""What an exit code with such a text asks of who runs igtool."""

HUNG = -1_000
"""In place of the exit code of a process that did not end."""


@dataclass(frozen=True)
class Ended:
    """How one process ended: exit code or negative signal, seconds, and what it printed."""

    code: int
    seconds: float
    said: str


@dataclass
class Stage:
    """A scene with its servers. ``length_s``, ``steps`` and ``bytes`` are those of the undisturbed run."""

    scene: Scene
    folder: Path
    forks: Forks
    servers: Servers
    expected: State = field(default_factory=lambda: State(tables={}, wrong=[]))
    questions: Counter[str] = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)
    length_s: float = 0.0
    bytes: int = 0

    @property
    def template(self) -> Path:
        """The workspace before the command."""
        return self.folder / "prepared"

    def make_ready(self) -> None:
        """Prepare the workspace and run it undisturbed. Raises SystemExit where that does not work."""
        given = {"scene": self.scene.name, "workspace": str(self.template), "world": self.servers.world}
        self._must(self.run_job(Job("prepare", given, str(self.folder / "said"), self._variables())))
        workspace, log = self.copied(), self.folder / "undisturbed.steps"
        before = self.servers.asked()
        (ended,) = self.run([workspace], watch={"log": str(log)})
        self._must(ended)
        self.questions = self.servers.asked() - before
        self.steps = steps_of(log)
        self.bytes = size_of(workspace)
        self.expected = self.state(workspace)
        shutil.rmtree(workspace)
        workspace = self.copied()
        (ended,) = self.run([workspace])  # as fast as a run that is not watched
        self.length_s = ended.seconds
        again = Tally(self.scene.name, "undisturbed")
        again.compare(self.expected, self.state(workspace), "a second undisturbed run")
        if not again.is_clean:
            raise SystemExit(f"{self.scene.name} differs from run to run: {again.details}")
        shutil.rmtree(workspace)

    def _must(self, ended: Ended) -> None:
        if ended.code not in self.scene.exits:
            raise SystemExit(f"{self.scene.name}: undisturbed it ended with {ended.code}: {ended.said[-3000:]}")

    def copied(self) -> Path:
        """A new copy of the prepared workspace; always at the same place, which commands have in their tables."""
        workspace = self.folder / "workspace"
        shutil.rmtree(workspace, ignore_errors=True)
        shutil.copytree(self.template, workspace, symlinks=True, dirs_exist_ok=True)  # it may be a mounted one
        return workspace

    def job(self, workspace: Path, said: Path, **more: Any) -> Job:
        """The command of the scene on ``workspace``."""
        given = self.scene.given(workspace, self.servers.world | more.pop("world", {}))
        environment = self._variables() | more.pop("environment", {})
        return Job(self.scene.program, given, str(said), environment, **more)

    def run(
        self, workspaces: Sequence[Path], ends: Sequence[dict[str, Any] | None] | None = None, **more: Any
    ) -> list[Ended]:
        """The command, as many processes at once as there are workspaces named; ``ends`` sends them signals."""
        said = [self.folder / f"said{place}" for place in range(len(workspaces))]
        for path in said:
            path.unlink(missing_ok=True)
        jobs = [self.job(workspace, path, **dict(more)) for workspace, path in zip(workspaces, said, strict=True)]
        told = self.forks.run(jobs, ends or [None] * len(jobs))
        codes = [HUNG if place in told["hung"] else code for place, code in enumerate(told["statuses"])]
        ended = zip(codes, told["seconds"], said, strict=True)
        return [Ended(code, seconds, _read(path)) for code, seconds, path in ended]

    def run_job(self, job: Job) -> Ended:
        """Any job, to its end."""
        Path(job.said).unlink(missing_ok=True)
        told = self.forks.run([job], [None])
        return Ended(told["statuses"][0], told["seconds"][0], _read(Path(job.said)))

    def state(self, workspace: Path) -> State:
        """What the workspace holds, read in a process of its own; where that fails, that is what is wrong."""
        into = self.folder / "state.json"
        into.unlink(missing_ok=True)
        given = {"scene": self.scene.name, "workspace": str(workspace), "into": str(into)}
        ended = self.run_job(Job("state", given, str(self.folder / "said-state"), self._variables()))
        if ended.code:
            return State(tables={}, wrong=[f"cannot be read: exit {ended.code}: {ended.said[-1500:]}"])
        found: State = json.loads(into.read_text())
        return found

    def stored(self, workspace: Path) -> set[str]:
        """The prompts whose answers are kept."""
        into = self.folder / "stored.json"
        given = {"workspace": str(workspace), "into": str(into)}
        ended = self.run_job(Job("stored", given, str(self.folder / "said-stored"), self._variables()))
        return set(json.loads(into.read_text())) if ended.code == 0 else set()

    def recover(self, workspace: Path, tally: Tally, what: str, *, repairs: bool = False) -> bool:
        """Run the command undisturbed until it ends well, and do in between what it says must be done.

        With ``repairs`` that may be mending damage that it names.
        """
        for _ in range(_RECOVERIES):
            (ended,) = self.run([workspace])
            wanted = next((then for code, sign, then in _ADVICE if ended.code == code and sign in ended.said), None)
            if wanted is not None and (repairs or wanted != _REPAIR):
                given = {"workspace": str(workspace), "arguments": wanted}
                mended = self.run_job(Job("igtool", given, str(self.folder / "said-repair"), self._variables()))
                if not tally.count_exit(mended.code, mended.said, frozenset({0, 5, 8}), f"{what}, {wanted[0]}"):
                    return False
                continue
            return tally.count_exit(ended.code, ended.said, self.scene.exits, f"{what}, run again")
        tally.unexpected += 1
        tally.details.append(f"{what}: still not well after {_RECOVERIES} times")
        return False

    def _variables(self) -> dict[str, str]:
        return self.scene.variables(self.servers.world)


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take on a file system with pages of 4 KB, those elsewhere not counted."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files)


def _read(path: Path) -> str:
    return path.read_bytes()[-200_000:].decode(errors="replace") if path.exists() else ""
