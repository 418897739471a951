"""Downloads of pictures: one at a time, at a polite pace, from addresses that are checked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from igtool.errors import ConfigError
from igtool.http.answers import NetworkError, RefusedAnswer
from igtool.http.client import Client

Outcome = Literal["not_found", "blocked", "refused", "rate_limited", "transient"]
LATER: frozenset[Outcome] = frozenset({"rate_limited", "transient"})
"""What another run tries again; the others stay until the platform tells another address."""

_OK, _TOO_MANY, _SERVER_ERRORS = 200, 429, 500
_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({401, 403})
_TRIES = 2
_RETRY_WAIT_S = 2.0
_STRIKES = 5
"""So many broken answers in a row, and a host is left alone for the rest of the run."""


@dataclass(frozen=True)
class Missed:
    """Why there is no picture: ``reason`` is a slug, ``detail`` a sentence without the address's query."""

    outcome: Outcome
    reason: str
    detail: str


@dataclass
class PictureFetcher:
    """Fetches picture and video files, these with a client of their own. ``per_second``: to all hosts together.

    A host that asks for a pause (429), or breaks ``_STRIKES`` times in a row, is not asked again in this run.
    """

    client: Client
    per_second: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    video_client: Client | None = None
    _next: float = 0.0
    _strikes: Counter[str] = field(default_factory=Counter)
    _closed: dict[str, Missed] = field(default_factory=dict)

    def fetch(self, url: str) -> bytes | Missed:
        """The bytes at ``url``, or why there are none."""
        return self._fetched(url, self.client, "image/*")

    def fetch_video(self, url: str) -> bytes | Missed:
        """The same for a video, at the same pace."""
        return self._fetched(url, self.video_client or self.client, "video/*")

    def _fetched(self, url: str, client: Client, accept: str) -> bytes | Missed:
        host = urlsplit(url).hostname or ""
        for attempt in range(_TRIES):
            if host in self._closed:
                return self._closed[host]
            self._wait(_RETRY_WAIT_S if attempt else 0.0)
            answer = self._asked(url, host, client, accept)
            if isinstance(answer, bytes) or answer.outcome != "transient":
                self._strikes[host] = 0
                return answer
            self._strikes[host] += 1
            if self._strikes[host] >= _STRIKES:
                self._closed[host] = answer
        return answer

    def _wait(self, least: float) -> None:
        pause = max(self._next - self.clock(), least)
        if pause > 0:
            self.sleep(pause)
        self._next = self.clock() + 1 / self.per_second

    def _asked(self, url: str, host: str, client: Client, accept: str) -> bytes | Missed:
        try:
            answer = client.get(url, {"Accept": accept})
        except NetworkError as error:
            return Missed("transient", "network", f"{host}: {error.__cause__ or 'no complete answer'}")
        except RefusedAnswer as refusal:
            return Missed("refused", refusal.reason, f"{host}: {refusal.reason}")
        except ConfigError:
            return Missed("refused", "bad-address", f"{host or 'no host'}: not an address that can be asked")
        if answer.status == _OK:
            return answer.body
        if answer.status == _TOO_MANY:
            self._closed[host] = Missed("rate_limited", "rate-limited", f"{host} asks for a pause")
            return self._closed[host]
        told = f"{host}: status {answer.status}"
        if answer.status in _GONE:
            return Missed("not_found", "not-found", told)
        if answer.status in _FORBIDDEN:
            return Missed("blocked", "forbidden", f"{told}; addresses of pictures expire: fetch the account again")
        if answer.status >= _SERVER_ERRORS:
            return Missed("transient", "server-error", told)
        return Missed("refused", "bad-status", told)
