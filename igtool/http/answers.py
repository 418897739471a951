"""What a request ends in: an answer, no complete answer, or one that is not taken; and texts without secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, quote_plus

_SHORTEST = 4
"""Shorter secrets are left alone: replacing them would blot out half of any text."""

_PARAMETERS = "key|access_token|token|api_key|apikey|client_secret|signature|sig|appsecret_proof|password"
_PARAMETER = re.compile(
    # A name within a longer one (page_token) is another parameter; %3F and %3D are ? and = of a URL inside a URL.
    rf"((?:(?<![a-z_-])|(?<=%3f))(?:{_PARAMETERS})(?:=|%3d))(?:(?!%26)[^&#\s\"'<>\\])+",
    re.IGNORECASE,
)
_USER = re.compile(r"(//|(?<=[a-z]:)/)[^/?#\s@\"'<>]*@", re.IGNORECASE)
"""A path that was given as an address has lost one of its slashes."""
_HIDDEN = "***"


@dataclass(frozen=True)
class Response:
    """A complete answer of any status.

    ``headers``: names in lower case, values of the same name joined with commas; cookies are left out. ``body``:
    unpacked, never larger than the client allows. ``url``: the last address, with ``***`` for secrets.
    ``seconds``: from the call to the last byte, redirects included.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    seconds: float


class NetworkError(Exception):
    """No complete answer: refused, reset, timed out, half a body, bad protocol. Worth another try."""


class RefusedAnswer(Exception):  # noqa: N818 - the peer did answer; we do not take it
    """An answer, or an address, that is not taken; trying again does not help.

    ``reason`` is ``too-large``, ``too-many-redirects``, ``forbidden-address``, ``bad-encoding`` or ``bad-redirect``.
    """

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


def redacted(text: str, secrets: Sequence[str]) -> str:
    """``text`` with ``***`` for each of ``secrets`` (of 4 characters and more), as written or as in a URL.

    Values of query parameters that are secrets by their name (``key``, ``access_token``…), and a user with password
    in front of a host, are replaced as well.
    """
    known = _pattern(tuple(secrets))
    if known is not None:
        text = known.sub(_HIDDEN, text)
    return _USER.sub(rf"\1{_HIDDEN}@", _PARAMETER.sub(rf"\1{_HIDDEN}", text))


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of ``secrets``, longest first so that one that begins like another leaves no rest of it."""
    forms = {
        form
        for secret in secrets
        if len(secret) >= _SHORTEST
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    }
    return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None
