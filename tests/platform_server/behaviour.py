"""What a hostile behaviour is, and what a polite client makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .exchange import Exchange
from .requests import PLATFORMS, POSTS, PROFILE, REELS, SEARCH, VIDEOS

ANY = "*"
EVERYWHERE = (PROFILE, POSTS, REELS, VIDEOS, SEARCH)


@dataclass(frozen=True)
class Expected:
    """What a client is expected to do.

    ``outcome``: what the answer means, of DESIGN's closed set. ``once`` and ``always``: the state of the job when
    the behaviour was played one time and decent answers follow, and when it is played without end: ``done``,
    ``not_found``, ``private``, ``failed`` (after its tries), ``dead`` (a dead letter) or ``waiting``. ``source``:
    what becomes of the source: ``goes_on``, ``waits`` or ``stops``. ``asks``: requests until the state of
    ``always``, where that is fixed. ``reason``: the slug of a refused answer, or why the pages end. ``ANY``: every
    end is right as long as there is one and the run goes on.
    """

    outcome: str
    once: str
    always: str
    source: str = "goes_on"
    asks: int | None = None
    reason: str = ""

    def because(self, reason: str, asks: int | None = None) -> Expected:
        """The same with a reason."""
        return replace(self, reason=reason, asks=asks or self.asks)


DONE = Expected("ok", "done", "done", asks=1)
LIMITED = Expected("rate_limited", "done", "waiting", "waits")
TRANSIENT = Expected("transient", "done", "failed", asks=3)
STOPPED = Expected("auth", "waiting", "waiting", "stops", asks=1)
BLOCKED = Expected("blocked", "waiting", "waiting", "stops", asks=1)
INVALID = Expected("invalid", "dead", "dead", asks=1)
NOT_FOUND = Expected("not_found", "not_found", "not_found", asks=1)
UNSURE = Expected("not_found", "done", "not_found", asks=2)
PRIVATE = Expected("private", "private", "private", asks=1)
UNCLEAR = Expected(ANY, ANY, ANY)


@dataclass(frozen=True)
class Behaviour:
    """One way to answer; it is played only on requests of ``platforms`` for ``endpoints``."""

    play: Callable[[Exchange], None]
    expected: Expected
    platforms: tuple[str, ...] = PLATFORMS
    endpoints: tuple[str, ...] = EVERYWHERE

    def suits(self, platform: str | None, endpoint: str | None) -> bool:
        """Whether it can be played there; None stands for any."""
        return (platform is None or platform in self.platforms) and (endpoint is None or endpoint in self.endpoints)
