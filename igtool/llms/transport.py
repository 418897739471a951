"""What an SDK sends goes through igtool's HTTP client: the same bounds, address guard and silence about keys."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import httpcore2
import httpx2

from igtool.http import Client, NetworkError, RefusedAnswer, Response, redacted
from igtool.llms.base import ProviderOptions

_SENT = frozenset({"authorization", "content-type", "accept", "x-goog-api-key", "x-server-timeout"})
_SENT_START = "x-goog-upload-"
_UNPACKED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_FIRST_ERROR = 400


class Refused(httpx2.TransportError):
    """An answer or address that igtool's HTTP client does not take; trying again does not help."""


class Transport(httpx2.BaseTransport):
    """Sends requests for an SDK; used by many threads at once.

    The host and port of ``base_url`` may be on this machine or in a private network: the user named them.
    ``timeout_s`` and ``max_bytes`` are for one answer, and those of the options where they are not given. Of the
    headers that an SDK sets only those that the provider needs are sent: none that describe this machine, and no
    credential where the user gave no key. Raises httpx2.ReadTimeout, httpx2.NetworkError and Refused.
    """

    def __init__(
        self, base_url: str, options: ProviderOptions, *, timeout_s: float | None = None, max_bytes: int | None = None
    ) -> None:
        self._base_url = base_url
        self._options = options
        self._secrets = (options.api_key,) if options.api_key else ()
        self._timeout_s = timeout_s or options.timeout_s
        self._max_bytes = max_bytes or options.max_answer_bytes
        self._idle: list[Client] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to ``request``, complete."""
        client = self._taken()
        try:
            answer = self._asked(client, request)
        except RefusedAnswer as refusal:
            raise Refused(str(refusal), request=request) from refusal
        except NetworkError as error:
            late = isinstance(error.__cause__, httpcore2.TimeoutException)
            raise (httpx2.ReadTimeout if late else httpx2.NetworkError)(str(error), request=request) from error
        finally:
            self._given_back(client)
        headers = {name: value for name, value in answer.headers.items() if name not in _UNPACKED}
        # JSON is UTF-8 (RFC 8259); packages fail on a body that is not in the encoding that its header names.
        headers["content-type"] = headers.get("content-type", "").partition(";")[0]
        return httpx2.Response(answer.status, headers=headers, content=self._shown(answer), request=request)

    def close(self) -> None:
        """Close all connections; those in use once they are free."""
        with self._lock:
            self._is_closed = True
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()

    def _asked(self, client: Client, request: httpx2.Request) -> Response:
        fields = self._fields(request.headers)
        if request.method == "GET":
            return client.get(str(request.url), fields)
        if request.method == "POST":
            return client.post(str(request.url), request.read(), fields)
        raise RefusedAnswer("bad-method", f"{request.method} is not sent")

    def _fields(self, headers: Mapping[str, str]) -> dict[str, str]:
        fields = {name: headers[name] for name in headers if name in _SENT or name.startswith(_SENT_START)}
        if not self._secrets:
            fields.pop("authorization", None)
            fields.pop("x-goog-api-key", None)
        return fields

    def _shown(self, answer: Response) -> bytes:
        """The body; an error's without the key, which some providers repeat."""
        if answer.status < _FIRST_ERROR:
            return answer.body
        return redacted(answer.body.decode("utf-8", "replace"), self._secrets).encode()

    def _taken(self) -> Client:
        """A client for one thread; the one that was used last, so that few connections are kept open."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Client(
            timeout_s=self._timeout_s,
            max_bytes=self._max_bytes,
            allow_loopback=self._options.allow_loopback,
            private_urls=(self._base_url,),
            secrets=self._secrets,
        )

    def _given_back(self, client: Client) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(client)
                return
        client.close()
