"""Error messages of Instagram, its Graph API, Google and TikHub, told from payloads by structure and classified."""

from __future__ import annotations

from typing import Any

import msgspec

from igtool.platforms.base import Outcome, Top

_WORDS: tuple[tuple[str, Outcome], ...] = (
    ("wait a few minutes", "rate_limited"),  # HTTP 401 and 429: "Please wait a few minutes before you try again."
    ("in a few minutes", "rate_limited"),
    ("rate limit", "rate_limited"),
    ("rate_limit", "rate_limited"),
    ("too many", "rate_limited"),
    ("throttled", "rate_limited"),
    ("checkpoint", "blocked"),
    ("challenge", "blocked"),
    ("feedback_required", "blocked"),
    ("consent_required", "blocked"),
    ("login", "auth"),
    ("not authorized", "private"),
    ("private", "private"),
    ("not found", "not_found"),
    ("not_found", "not_found"),
    ("server error", "transient"),
    ("error occurred", "transient"),
    ("went wrong", "transient"),
    ("try again later", "transient"),
)
"""What a message of Instagram contains, in the order in which it is looked for."""

_REASONS: dict[str, Outcome] = {
    "quotaExceeded": "rate_limited",
    "dailyLimitExceeded": "rate_limited",
    "rateLimitExceeded": "rate_limited",
    "userRateLimitExceeded": "rate_limited",
    "RATE_LIMIT_EXCEEDED": "rate_limited",
    "keyInvalid": "auth",
    "keyExpired": "auth",
    "authError": "auth",
    "accessNotConfigured": "auth",
    "ipRefererBlocked": "auth",
    "forbidden": "auth",
    "insufficientPermissions": "auth",
    "API_KEY_INVALID": "auth",
    "API_KEY_SERVICE_BLOCKED": "auth",
    "API_KEY_HTTP_REFERRER_BLOCKED": "auth",
    "API_KEY_IP_ADDRESS_BLOCKED": "auth",
    "SERVICE_DISABLED": "auth",
    "BILLING_DISABLED": "auth",
    "CONSUMER_INVALID": "auth",
    "CONSUMER_SUSPENDED": "auth",
    "channelClosed": "not_found",
    "channelSuspended": "not_found",
    "channelNotFound": "not_found",
    "playlistNotFound": "not_found",
    "videoNotFound": "not_found",
    "notFound": "not_found",
    "channelForbidden": "private",
    "playlistForbidden": "private",
    "playlistItemsNotAccessible": "private",
    "invalidChannelId": "invalid",
    "invalidPageToken": "invalid",
    "invalidFilters": "invalid",
    "backendError": "transient",
    "internalError": "transient",
}
"""``error.errors[].reason`` of the YouTube Data API v3 (its page "Errors"), and ``error.details[].reason`` of Google's
newer error model (``google.rpc.ErrorReason``)."""

_GRAPH_CODES: dict[int, Outcome] = {
    **dict.fromkeys((4, 17, 32, 341, 613, *range(80000, 80015)), "rate_limited"),
    **dict.fromkeys((3, 10, 102, 104, 190, *range(200, 300)), "auth"),
    **dict.fromkeys((-2, -1, 1, 2), "transient"),
    110: "not_found",
    368: "blocked",
}
"""``error.code`` of the Graph API; sources: its pages "Error Handling" and "Rate Limits"."""

_GRAPH_SUBCODES: dict[int, Outcome] = {
    2207013: "not_found",  # "The user with username: … cannot be found."
    33: "auth",  # "Object with ID … does not exist": the id is our own, from the settings
}
"""``error.error_subcode`` of the Graph API where it says more than the code."""

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
    errors: list[_Reason] | None = None
    details: msgspec.Raw = msgspec.Raw()


class _GraphError(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    code: int | None = None
    error_subcode: int | None = None
    is_transient: bool | None = None
    error_user_msg: str | None = None
    fbtrace_id: str | None = None


class _Inner(msgspec.Struct):
    code: int | None = None
    message: str | None = None


_INNER = msgspec.json.Decoder(_Inner)
_GOOGLE = msgspec.json.Decoder(_GoogleError)
_DETAILS = msgspec.json.Decoder(list[_Reason])
_GRAPH = msgspec.json.Decoder(_GraphError)
_FIELDS: dict[str, msgspec.json.Decoder[Any]] = {
    "message": msgspec.json.Decoder(str | None),
    "status": msgspec.json.Decoder(str | None),
    "type": msgspec.json.Decoder(str | None),
    "error_type": msgspec.json.Decoder(str | None),
    "require_login": msgspec.json.Decoder(bool | None),
    "authenticated": msgspec.json.Decoder(bool | None),
    "errors": msgspec.json.Decoder(list[_Said] | None),
}
_TELLTALES = frozenset({"message", "errors", "authenticated", "location", "require_login"})
_FAILED = frozenset({"fail", "ko"})
_LONGEST_INNER = 4_000
"""An envelope around an error is short; a longer ``data`` is a payload and is not decoded twice."""


def instagram(top: Top) -> tuple[Outcome, str] | None:
    """``{"message", "status": "fail"}``, a challenge redirection, ``authenticated: false``, GraphQL ``errors``."""
    if top.keys().isdisjoint(_TELLTALES) and ("status" not in top or bytes(top["status"]) != b'"fail"'):
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
    if said.get("status") not in _FAILED and not errors:
        return None
    low = f"{words or ''} {said.get('error_type') or ''}".lower()
    found = next((outcome for part, outcome in _WORDS if part in low), None)
    return found or ("auth" if said.get("require_login") else "invalid"), words or said.get(
        "error_type"
    ) or "status fail"


def graph(top: Top) -> tuple[Outcome, str] | None:
    """``{"error": {"message", "type", "code", "error_subcode", "fbtrace_id"}}`` of the Graph API."""
    error = _graph_error(top)
    if error is None:
        return None
    words = error.error_user_msg or error.message or f"code {error.code}"
    code, subcode = error.code or 0, error.error_subcode or 0
    known = _GRAPH_CODES.get(code)
    if known == "rate_limited":
        return known, words
    known = _GRAPH_SUBCODES.get(subcode) or known
    if known is None and "cannot be found" in words.lower():
        known = "not_found"
    return known or ("transient" if error.is_transient else "invalid"), words


def _graph_error(top: Top) -> _GraphError | None:
    """The error, when it is one of the Graph API: it has a trace id, or a type that is an exception's name."""
    if "error" not in top:
        return None
    try:
        error = _GRAPH.decode(top["error"])
    except msgspec.DecodeError:
        return None
    return error if error.fbtrace_id or (error.type or "").endswith("Exception") else None


def google(top: Top) -> tuple[Outcome, str] | None:
    """``{"error": {"code", "message", "errors": [{"reason"}], "details": [{"reason"}]}}``.

    403 is a quota only when a reason says so, whatever the message.
    """
    if "error" not in top or "items" in top or _graph_error(top) is not None:
        return None
    try:
        error = _GOOGLE.decode(top["error"])
    except msgspec.DecodeError:
        return None
    if error.code is None:
        return None
    reasons = (_REASONS.get(entry.reason or "") for entry in (*_details(error), *(error.errors or ())))
    return next((known for known in reasons if known), None) or _by_code(error.code), error.message or ""


def _details(error: _GoogleError) -> list[_Reason]:
    """``error.details``, which holds objects of many types; none when one of them is of another kind."""
    try:
        return _DETAILS.decode(error.details)
    except msgspec.DecodeError:
        return []


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


FAILURES = (instagram, graph, google, tikhub)
