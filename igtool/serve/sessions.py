"""Sessions of browsers: a cookie that nobody can guess, a token that every change has to carry, and who logged in.

A cookie alone is nobody's: what it opens is here, in memory, until it ends, is logged out, or the server stops. The
token against forged requests is made of the cookie and a secret of this process, so that visitors who never log in
take no room.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.types import Scope

from igtool.serve.addresses import Headers

COOKIE = "igtool_session"
LASTS_S = 12 * 3600
MOST = 4_096
"""Sessions that are kept; of more the one that was opened first ends."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Session:
    """Who logged in, with which key, until when (`time.monotonic`)."""

    tenant_id: str
    key_id: str
    until: float


class Sessions:
    """Those of one server; for one thread."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def meet(self, scope: Scope, headers: Headers) -> None:
        """Note in the state of a request its cookie (``session``, None without one) and ``is_https``.

        A proxy in front may say that the browser speaks https; who lies about it harms himself alone.
        """
        forwarded = headers.get("x-forwarded-proto", [""])[-1].strip().lower()
        is_https = scope.get("scheme") == "https" or forwarded == "https"
        scope["state"] |= {"is_https": is_https, "session": _given(headers, _name(is_https=is_https))}

    def of(self, token: str | None) -> Session | None:
        """The session that a cookie opens, if it does."""
        if token is None:
            return None
        session = self._sessions.get(_digest(token))
        if session is not None and session.until <= time.monotonic():
            del self._sessions[_digest(token)]
            return None
        return session

    def open(self, tenant_id: str, key_id: str) -> str:
        """The cookie of a new session."""
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = Session(tenant_id, key_id, time.monotonic() + LASTS_S)
        while len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return token

    def close(self, token: str | None) -> None:
        """End a session."""
        if token is not None:
            self._sessions.pop(_digest(token), None)

    def csrf(self, token: str) -> str:
        """The token that changes have to carry in the session of a cookie."""
        return hmac.new(self._secret, token.encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, token: str | None, given: str) -> bool:
        """Whether ``given`` is that token; in constant time."""
        there = self.csrf(token) if token is not None else ""
        return token is not None and hmac.compare_digest(there.encode(), given.encode("utf-8", "replace"))

    def __len__(self) -> int:
        return len(self._sessions)


def cookie(token: str, *, is_https: bool) -> str:
    """The header that sets the cookie ``token``; an empty one takes it away."""
    more = "; Secure" if is_https else ""
    ends = "" if token else "; Max-Age=0"
    return f"{_name(is_https=is_https)}={token}; Path=/; HttpOnly; SameSite=Strict{more}{ends}"


def _name(*, is_https: bool) -> str:
    """Browsers take a name that begins with ``__Host-`` over https alone, and of no other host or path."""
    return f"__Host-{COOKIE}" if is_https else COOKIE


def _given(headers: Headers, name: str) -> str | None:
    for text in headers.get("cookie", []):
        try:
            found = SimpleCookie(text[:8_192]).get(name)
        except CookieError:
            continue
        if found is not None and _TOKEN.fullmatch(found.value):
            return found.value
    return None


def _digest(token: str) -> bytes:
    """What is kept of a cookie, so that looking it up tells nothing of others by its time."""
    return hashlib.sha256(token.encode()).digest()
