"""Which behaviour is played for which request, and the pace that a platform itself enforces."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from .behaviour import Behaviour
from .requests import Ask


@dataclass
class Script:
    """Behaviours in order for requests that match; with ``forever`` the last one is played again and again.

    A filter that is None matches everything. ``skip``: so many matching requests are answered decently first.
    """

    behaviours: tuple[str, ...]
    platform: str | None = None
    endpoint: str | None = None
    handle: str | None = None
    key: str | None = None
    skip: int = 0
    forever: bool = False
    played: int = 0
    _user_id: str = field(default="", repr=False)

    def matches(self, ask: Ask) -> bool:
        """Whether ``ask`` is one of those that the script is for."""
        return (
            self.platform in (None, ask.platform)
            and self.endpoint in (None, ask.endpoint)
            and self.key in (None, ask.key)
            and (self.handle is None or self._user_id in {person.user_id for person in ask.people})
        )


class Scripts:
    """All scripts. The first one that matches and is not at its end plays. Used by many threads."""

    def __init__(self, known: Mapping[str, Behaviour]) -> None:
        self._known = known
        self._scripts: list[Script] = []
        self._lock = threading.Lock()

    def add(self, script: Script) -> None:
        """Take a script. Raises ValueError for a behaviour that is unknown or cannot be played there."""
        for name in script.behaviours:
            if name not in self._known:
                raise ValueError(f"no behaviour is called {name!r}")
            if not self._known[name].suits(script.platform, script.endpoint):
                raise ValueError(f"{name} cannot be played at {script.platform or '*'}/{script.endpoint or '*'}")
        if not script.behaviours:
            raise ValueError("a script needs a behaviour")
        with self._lock:
            self._scripts.append(script)

    def clear(self) -> None:
        """Forget all scripts."""
        with self._lock:
            self._scripts.clear()

    def next(self, ask: Ask) -> tuple[str, int]:
        """The name of the behaviour for ``ask``, and how often its script has played before."""
        with self._lock:
            for script in self._scripts:
                turn = max(script.played - script.skip, 0)
                last = len(script.behaviours) - 1
                if not script.matches(ask) or (turn > last and not script.forever):
                    continue
                name = script.behaviours[min(turn, last)]
                if script.played >= script.skip and not self._known[name].suits(ask.platform, ask.endpoint):
                    continue
                script.played += 1
                return ("ok", 0) if script.played <= script.skip else (name, turn)
        return "ok", 0


class Limiter:
    """At most ``requests`` in any ``seconds`` per platform and key: a true sliding window over arrivals.

    What exceeds it is counted in ``violations`` and takes no place in the window. ``scale``: how many seconds of
    the client's clock pass in one real second; it is what the client is told to wait that is scaled.
    """

    def __init__(self, requests: int, seconds: float, scale: float = 1.0) -> None:
        self.requests, self.seconds, self.scale = requests, seconds, scale
        self.violations = 0
        self._taken: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def refuse(self, ask: Ask, at: float) -> float | None:
        """Seconds (of the client's clock) to wait, or None when the request is within the limit."""
        with self._lock:
            taken = self._taken[ask.platform, ask.key]
            while taken and at - taken[0] >= self.seconds:
                taken.popleft()
            if len(taken) < self.requests:
                taken.append(at)
                return None
            self.violations += 1
            return (taken[0] + self.seconds - at) * self.scale
