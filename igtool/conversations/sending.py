"""Conversations sent to a running server: as fast as it takes them, and again what it did not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from igtool.clock import Clock
from igtool.errors import ConfigError, IgtoolError, Interrupted, RateLimitedError, UsageError
from igtool.http.answers import NetworkError, RefusedAnswer, Response
from igtool.http.client import Client
from igtool.settings import Settings

PATH = "/api/v1/conversations/bulk"
_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_OK, _LIMITED, _SERVER_FAILED = 202, 429, 500
_FORBIDDEN = (401, 403)

Document = dict[str, Any]


class Sender:
    """Sends to one server. Close it in the end.

    Raises ConfigError for an address or key that cannot be used, RateLimitedError for a server that does not answer
    after several tries, UsageError for one that does not take conversations.
    """

    def __init__(
        self, url: str, settings: Settings, clock: Clock | None = None, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._url = url.rstrip("/") + PATH
        self._clock = clock or Clock()
        self._stopping = stopping
        self._most_s = settings.max_wait_s
        key = settings.server_key.get_secret_value() if settings.server_key is not None else ""
        self._headers = {"Content-Type": "application/x-ndjson"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._client = Client(timeout_s=settings.timeout_s, private_urls=(self._url,), secrets=(key,) if key else ())

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, given: Sequence[tuple[Document, str]]) -> list[Document]:
        """What the server says of each conversation, which comes with its idempotency key."""
        lines = [msgspec.json.encode({**one, "idempotency_key": key}) for one, key in given]
        body = b"\n".join(lines)
        answer = self._answered(body)
        if answer.status != _OK:
            raise self._refused(answer)
        try:
            results: list[Document] = msgspec.json.decode(answer.body)["results"]
        except (msgspec.DecodeError, TypeError, KeyError) as error:
            raise UsageError(f"{self._url} answers, but not as an igtool server does") from error
        if len(results) != len(given):
            raise UsageError(f"{self._url} answered for {len(results)} of {len(given)} conversations")
        return results

    def _answered(self, body: bytes) -> Response:
        """The answer, waited for where the server asks for it or fails."""
        tries, waited_s = 0, 0.0
        while True:
            if self._stopping():
                raise Interrupted("stopped; what was sent is accepted, and the same command sends the rest")
            try:
                answer = self._client.post(self._url, body, self._headers)
                if answer.status < _SERVER_FAILED and answer.status != _LIMITED:
                    return answer
                words = f"{self._url} answers with the status {answer.status}"
            except NetworkError as error:
                answer, words = None, str(error)
            except RefusedAnswer as error:
                raise UsageError(f"{self._url} cannot be sent to: {error}") from error
            if answer is not None and answer.status == _LIMITED:
                wait_s = _retry_after(answer)
            elif tries < len(_WAITS_S):
                wait_s, tries = _WAITS_S[tries], tries + 1
            else:
                raise RateLimitedError(f"{words}: the same command goes on later, and sends nothing twice")
            waited_s += wait_s
            if waited_s > self._most_s:
                raise RateLimitedError(f"{words} for {waited_s:.0f} s: the same command goes on later")
            self._clock.sleep(wait_s, self._stopping)

    def _refused(self, answer: Response) -> IgtoolError:
        if answer.status in _FORBIDDEN:
            return ConfigError(f"{self._url} refuses the key: set IGTOOL_SERVER_KEY to one that it takes")
        shown = answer.body[:300].decode("utf-8", "replace")
        return UsageError(f"{self._url} does not take conversations (status {answer.status}): {shown}")


def _retry_after(answer: Response) -> float:
    """Seconds that a server asks to wait."""
    header = answer.headers.get("retry-after", "")
    return float(header) if header.isdecimal() else _WAITS_S[0]
