"""Error messages of Instagram, Google and TikHub, told from payloads by structure and classified."""

from __future__ import annotations

from typing import Any

import msgspec

from igtool.platforms.base import Outcome, Top

_WORDS: tuple[tuple[str, Outcome], ...] = (
    ("wait a few minutes", "rate_limited"),  # HTTP 401 and 429: "Please wait a few minutes before you try again."
    ("rate limit", "rate_limited"),
    ("too many", "rate_limited"),
    ("throttled", "rate_limited"),
    ("checkpoint", "blocked"),
    ("challenge", "blocked"),
    ("feedback_required", "blocked"),
    ("login", "auth"),
    ("not authorized", "private"),
    ("private", "private"),
    ("not found", "not_found"),
    ("server error", "transient"),
    ("try again later", "transient"),
)
"""What a message of Instagram contains, in the order in which it is looked for."""

_REASONS: dict[str, Outcome] = {
    "quotaExceeded": "rate_limited",
    "dailyLimitExceeded": "rate_limited",
    "rateLimitExceeded": "rate_limited",
    "userRateLimitExceeded": "rate_limited",
    "keyInvalid": "auth",
    "keyExpired": "auth",
    "authError": "auth",
    "accessNotConfigured": "auth",
    "channelClosed": "not_found",
    "channelSuspended": "not_found",
    "backendError": "transient",
}
"""``error.errors[].reason`` of the YouTube Data API v3; source: its page "Errors"."""

_CODES: dict[int, Outcome] = {
    401: "auth",
    402: "auth",  # TikHub: the balance is used up
    403: "auth",
    404: "not_found",
    410: "not_found",
    429: "rate_limited",
}


class _Said(msgspec.Struct):
    message: str | None = None


class _Reason(msgspec.Struct):
    reason: str | None = None


class _GoogleError(msgspec.Struct):
    code: int | None = None
    message: str | None = None
    errors: list[_Reason] = []


class _Inner(msgspec.Struct):
    code: int | None = None
    message: str | None = None


_INNER = msgspec.json.Decoder(_Inner)
_GOOGLE = msgspec.json.Decoder(_GoogleError)
_FIELDS: dict[str, msgspec.json.Decoder[Any]] = {
    "message": msgspec.json.Decoder(str | None),
    "status": msgspec.json.Decoder(str | None),
    "type": msgspec.json.Decoder(str | None),
    "require_login": msgspec.json.Decoder(bool | None),
    "authenticated": msgspec.json.Decoder(bool | None),
    "errors": msgspec.json.Decoder(list[_Said] | None),
}
_TELLTALES = frozenset({"message", "errors", "authenticated", "location"})
_LONGEST_INNER = 4_000
"""An envelope around an error is short; a longer ``data`` is a payload and is not decoded twice."""


def instagram(top: Top) -> tuple[Outcome, str] | None:
    """``{"message", "status": "fail"}``, a challenge redirection, ``authenticated: false``, GraphQL ``errors``."""
    if top.keys().isdisjoint(_TELLTALES):
        return None
    try:
        said = {name: decoder.decode(top[name]) for name, decoder in _FIELDS.items() if name in top}
    except msgspec.DecodeError:
        return None
    if said.get("type") == "CHALLENGE_REDIRECTION":
        return "blocked", "challenge redirection"
    if said.get("authenticated") is False:
        return "auth", "not authenticated"
    errors = [entry.message for entry in said.get("errors") or () if entry.message]
    words = said.get("message") or next(iter(errors), None)
    if words is None or (said.get("status") != "fail" and not errors):
        return None
    low = words.lower()
    found = next((outcome for part, outcome in _WORDS if part in low), None)
    return found or ("auth" if said.get("require_login") else "invalid"), words


def google(top: Top) -> tuple[Outcome, str] | None:
    """``{"error": {"code", "message", "errors": [{"reason"}]}}``."""
    if "error" not in top or "items" in top:
        return None
    try:
        error = _GOOGLE.decode(top["error"])
    except msgspec.DecodeError:
        return None
    if error.code is None:
        return None
    reasons = (_REASONS.get(entry.reason or "") for entry in error.errors)
    return next((known for known in reasons if known), None) or _by_code(error.code), error.message or ""


def tikhub(top: Top) -> tuple[Outcome, str] | None:
    """``{"detail": {"code"}}`` with HTTP 400, or HTTP 200 with ``data.code`` at 400 or above."""
    if "detail" in top and len(top) == 1:
        inner = top["detail"]
    elif "data" in top and ("router" in top or "request_id" in top):
        inner = top["data"]
    else:
        return None
    if len(memoryview(inner)) > _LONGEST_INNER:
        return None
    try:
        said = _INNER.decode(inner)
    except msgspec.DecodeError:
        return None
    if said.code is None or said.code < 400:
        return None
    return _by_code(said.code), said.message or f"code {said.code}"


def _by_code(code: int) -> Outcome:
    return _CODES.get(code) or ("transient" if code >= 500 else "invalid")


FAILURES = (instagram, google, tikhub)
