"""Threads that make calls, and nothing else."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass

from igtool.errors import IgtoolError
from igtool.llms.base import Completion, Prompt, Provider, ProviderError
from igtool.llms.questions import Question

Reply = Completion | ProviderError | IgtoolError
"""An answer, or why there is none; an IgtoolError ends the asking of everything."""


@dataclass
class Job:
    """One question on its way: ``prompt`` is what is sent next, its answer is stored under ``key``."""

    place: int
    question: Question
    prompt: Prompt
    key: str
    repairs: int = 0
    tries: int = 0
    call_id: int = 0
    began_at: float = 0.0


class Crew:
    """Calls side by side. The threads die with the process: a call that is under way then is as good as lost."""

    def __init__(self, provider: Provider, size: int) -> None:
        self._provider = provider
        self._todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Job, Reply, float]] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (job := self._todo.get()) is not None:
            began = time.monotonic()
            reply: Reply
            try:
                reply = self._provider.complete(job.prompt)
            except (ProviderError, IgtoolError) as error:
                reply = error
            except Exception as error:  # noqa: BLE001 - without an answer the thread that asks waits for ever
                reply = ProviderError("invalid", f"a bug in this provider: {type(error).__name__}: {error}"[:300])
            self._done.put((job, reply, time.monotonic() - began))

    def give(self, job: Job) -> None:
        """Have ``job`` asked."""
        self._todo.put(job)

    def take(self, patience_s: float) -> list[tuple[Job, Reply, float]]:
        """The jobs that ended, with what came and after how many seconds; waits for the first one."""
        taken: list[tuple[Job, Reply, float]] = []
        try:
            job, reply, seconds = self._done.get(timeout=patience_s) if patience_s > 0 else self._done.get_nowait()
            while True:
                taken.append((job, reply, seconds))
                job, reply, seconds = self._done.get_nowait()
        except queue.Empty:
            return taken

    def dismiss(self) -> None:
        """Let the threads end after the calls that they are at."""
        for _ in self._threads:
            self._todo.put(None)
