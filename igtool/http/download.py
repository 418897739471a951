"""A large file, written to disk as it arrives and continued where an earlier attempt ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, cast

import httpcore2
import httpx2

from igtool.http.answers import RefusedAnswer, Response
from igtool.http.bodies import too_large
from igtool.http.client import Client

_OK, _PARTIAL, _BEYOND = 200, 206, 416
_PIECE = 1 << 20
"""So many bytes must arrive within the time limit, again and again: a line that drips is given up."""


class Download(Client):
    """Like `Client`, but a body of status 200 or 206 goes to a file.

    ``timeout_s`` is for the headers, then for each MiB; ``max_bytes`` for the whole file. ``told`` gets the bytes
    that are there and those of the whole, 0 if unknown.
    """

    def __init__(
        self, max_bytes: int, told: Callable[[int, int], None], timeout_s: float = 60, *, allow_loopback: bool = False
    ) -> None:
        super().__init__(timeout_s=timeout_s, max_bytes=max_bytes, allow_loopback=allow_loopback)
        self._told = told
        self._file: IO[bytes] | None = None
        self._start = 0

    def fetch(self, url: str, file: IO[bytes]) -> Response:
        """The answer at ``url`` without its body, which is in ``file`` if the status is 200.

        What ``file`` holds already is taken for the beginning, and only the rest is asked for where the server can do
        that; whether both belong together is for the caller to check. Raises what ``get`` raises and OSError.
        """
        self._file = file
        self._start = file.seek(0, 2)
        answer = self.get(url, {"Accept-Encoding": "identity"})
        if answer.status == _BEYOND and self._start:
            file.seek(0)
            file.truncate()
            self._start = 0
            answer = self.get(url, {"Accept-Encoding": "identity"})
        if answer.status == _PARTIAL:
            return Response(_OK, answer.headers, answer.body, answer.url, answer.seconds)
        return answer

    @contextmanager
    def _asked(
        self, target: httpx2.URL, fields: dict[str, tuple[str, str]], body: bytes | None = None
    ) -> Iterator[httpcore2.Response]:
        """As the client asks; the wish for the rest of the file goes along wherever a redirect leads."""
        wish = {"range": ("Range", f"bytes={self._start}-")} if self._start else {}
        with super()._asked(target, fields | wish, body) as answer:
            yield answer

    def _body(self, answer: httpcore2.Response, headers: Mapping[str, str]) -> bytes:
        if self._file is None or answer.status not in (_OK, _PARTIAL):
            return super()._body(answer, headers)
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise RefusedAnswer("bad-encoding", "the file comes packed, which was not asked for")
        if headers.get("content-type", "").startswith("text/html"):
            raise RefusedAnswer(
                "bad-encoding", "a web page comes and no file: the address of the file itself is needed"
            )
        if answer.status == _OK:
            self._file.seek(0)
            self._file.truncate()
            self._start = 0
        elif not headers.get("content-range", "").startswith(f"bytes {self._start}-"):
            raise RefusedAnswer("bad-encoding", "another part of the file comes than was asked for")
        length = headers.get("content-length", "")
        self._write(self._file, answer, self._start + int(length) if length.isdecimal() else 0)
        return b""

    def _write(self, file: IO[bytes], answer: httpcore2.Response, whole: int) -> None:
        """Write the body behind what is in ``file``, of which ``whole`` bytes are expected if that is known."""
        if whole > self._max_bytes:
            raise too_large(self._max_bytes)
        done = renewed = self._start
        for chunk in cast("Iterable[bytes]", answer.stream):
            done += len(chunk)
            if done > self._max_bytes:
                raise too_large(self._max_bytes)
            file.write(chunk)
            self._told(done, whole)
            if done - renewed >= _PIECE:
                self._deadline.start(self._timeout_s)
                renewed = done
