"""Which behaviour is played for which request."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from .asks import Ask
from .behaviours import known


@dataclass
class Script:
    """Behaviours in order for requests that match; with ``forever`` the last one is played again and again.

    ``endpoint``, ``model``: only these; ``containing``: only bodies with this text; None matches everything.
    ``skip``: so many matching requests are answered decently first. ``per_prompt``: every prompt goes through the
    behaviours on its own. ``one_in``: only every so-manieth prompt, chosen by its hash.
    """

    behaviours: tuple[str, ...]
    endpoint: str | None = None
    containing: str | None = None
    model: str | None = None
    skip: int = 0
    forever: bool = False
    per_prompt: bool = False
    one_in: int = 1
    _played: Counter[str] = field(default_factory=Counter, repr=False)

    def matches(self, ask: Ask) -> bool:
        """Whether ``ask`` is one of those that the script is for."""
        return (
            (ask.is_single if self.endpoint is None else self.endpoint == ask.endpoint)
            and self.model in (None, ask.model)
            and (self.containing is None or self.containing in ask.text or self.containing in ask.system)
            and (self.one_in <= 1 or int(ask.prompt or "0", 16) % self.one_in == 0)
        )

    def next(self, ask: Ask) -> str | None:
        """The behaviour for ``ask``, which matches; None once the script is at its end."""
        whose = ask.prompt if self.per_prompt else ""
        turn = self._played[whose] - self.skip
        last = len(self.behaviours) - 1
        if turn > last and not self.forever:
            return None
        self._played[whose] += 1
        return "ok" if turn < 0 else self.behaviours[min(turn, last)]


class Scripts:
    """All scripts. The first one that matches and is not at its end plays. Used by several threads."""

    def __init__(self) -> None:
        self._scripts: list[Script] = []
        self._lock = threading.Lock()

    def add(self, script: Script) -> None:
        """Take a script. Raises ValueError for a behaviour that is unknown."""
        unknown = [name for name in script.behaviours if not known(name)]
        if unknown or not script.behaviours:
            raise ValueError(f"no behaviour is called {unknown[0]!r}" if unknown else "a script needs a behaviour")
        with self._lock:
            self._scripts.append(script)

    def clear(self) -> None:
        """Forget all scripts."""
        with self._lock:
            self._scripts.clear()

    def next(self, ask: Ask) -> str:
        """The name of the behaviour for ``ask``."""
        with self._lock:
            for script in self._scripts:
                name = script.next(ask) if script.matches(ask) else None
                if name is not None:
                    return name
        return "ok"
