"""Behaviours that are a status, headers and a body: errors in every dress."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from .behaviour import (
    BLOCKED,
    DONE,
    INVALID,
    LIMITED,
    NOT_FOUND,
    PRIVATE,
    STOPPED,
    TRANSIENT,
    UNSURE,
    Behaviour,
    Expected,
)
from .exchange import Exchange
from .instagram import LOGIN_PAGE, UNKNOWN_PAGE, envelope, graph_error
from .requests import POSTS, PROFILE, Reply
from .youtube import google_error

WAIT = "Please wait a few minutes before you try again."
_HTML = "text/html; charset=utf-8"
_CHALLENGE_PAGE = (
    b"<!DOCTYPE html><html><head><title>Challenge</title></head><body>"
    b'<a href="/challenge/1234/abcd/">Confirm that it is you</a><script>{"checkpoint_required": true}</script></body>'
)
_WAIT_PAGE = b"<!DOCTYPE html><html><body><h1>Error</h1><p>Please wait a few minutes before you try again.</p></body>"
_HOME_PAGE = (
    b'<!DOCTYPE html><html class="no-js not-logged-in client-root"><head><title>Instagram</title></head><body>'
    b'<script>{"viewer":null,"LoginAndSignupPage":[{"captcha":{"enabled":false}}]}</script>'
    b'<a href="/accounts/login/">Log in</a></body></html>'
)
_PROFILE_PAGE = (
    b"<!DOCTYPE html><html><head><title>Somebody (@somebody)</title></head><body><script>window._sharedData = "
    b'{"entry_data":{"ProfilePage":[{"graphql":{"user":{"id":"7","username":"somebody","edge_followed_by":'
    b'{"count":5}}}}]}};</script></body></html>'
)


def answers(status: int, body: Any = b"", kind: str | None = None, **headers: str) -> Callable[[Exchange], None]:
    """A play that always answers the same. ``body``: bytes, or what is to be written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["content-type"] = kind or "application/json; charset=utf-8"
    return lambda exchange: exchange.answer(Reply(status, body=content, headers=named))


def _fail(message: str, **more: Any) -> dict[str, Any]:
    return {"message": message, "status": "fail", **more}


def _echo(status: int) -> Callable[[Exchange], None]:
    """An error that repeats the key in its body and in a header."""

    def play(exchange: Exchange) -> None:
        words = f"something about {exchange.ask.key} is wrong"
        exchange.answer(Reply(status, {"error": {"message": words}}, headers={"x-echo": exchange.ask.key}))

    return play


def _html(status: int, body: bytes) -> Callable[[Exchange], None]:
    return answers(status, body, _HTML)


def _limited(retry_after: str | None) -> Callable[[Exchange], None]:
    return answers(429, _fail("Too many requests"), **({"retry_after": retry_after} if retry_after else {}))


def _limited_until(seconds: float) -> Callable[[Exchange], None]:
    """429 with a date that lies so far from now."""

    def play(exchange: Exchange) -> None:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        exchange.answer(Reply(429, _fail("Too many requests"), headers={"retry-after": moment}))

    return play


def _with_headers(**headers: str) -> Callable[[Exchange], None]:
    """The decent answer with further headers."""

    def play(exchange: Exchange) -> None:
        reply = exchange.plain(exchange.ask)
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        exchange.answer(reply)

    return play


def _inner(code: int, message: str | None) -> Callable[[Exchange], None]:
    """TikHub's way to fail with status 200."""
    data = {"code": code, "message": message, "data": None}
    return lambda exchange: exchange.answer(Reply(200, envelope(exchange.ask, data)))


def _web(play: Callable[[Exchange], None], expected: Expected) -> Behaviour:
    return Behaviour(play, expected, platforms=("web",))


def _graph(number: int, words: str, expected: Expected, status: int = 400, subcode: int | None = None) -> Behaviour:
    return Behaviour(answers(status, graph_error(number, words, subcode)), expected, platforms=("graph",))


def _google(status: int, reason: str, expected: Expected) -> Behaviour:
    return Behaviour(answers(status, google_error(status, reason, f"words on {reason}")), expected, ("youtube",))


def _tikhub(play: Callable[[Exchange], None], expected: Expected) -> Behaviour:
    return Behaviour(play, expected, platforms=("tikhub",))


_STATUSES = {
    "status-204": Behaviour(answers(204), TRANSIENT),
    "status-304": Behaviour(answers(304), INVALID),
    "status-400": Behaviour(answers(400, _fail("bad request")), INVALID),
    "status-401": Behaviour(answers(401, _fail("unauthorized")), STOPPED),
    "status-402": Behaviour(answers(402, {"detail": {"code": 402, "message": "balance used up"}}), STOPPED),
    "status-403": Behaviour(answers(403), BLOCKED),
    "status-404": Behaviour(answers(404, {}), NOT_FOUND),
    "status-404-empty": Behaviour(answers(404), NOT_FOUND),
    "status-405": Behaviour(answers(405, {}), INVALID),
    "status-408": Behaviour(answers(408), TRANSIENT),
    "status-410": Behaviour(answers(410), NOT_FOUND),
    "status-414": Behaviour(answers(414), INVALID),
    "status-418": Behaviour(answers(418, {}), INVALID),
    "status-425": Behaviour(answers(425), TRANSIENT),
    "status-451": Behaviour(answers(451, {}), INVALID),
    "status-500": Behaviour(answers(500, {}), TRANSIENT),
    "status-500-html": Behaviour(_html(500, b"<html><body>Oops</body></html>"), TRANSIENT),
    "status-502": Behaviour(_html(502, b"<html><body>Bad gateway</body></html>"), TRANSIENT),
    "status-503": Behaviour(answers(503), TRANSIENT),
    "status-503-retry-after": Behaviour(answers(503, retry_after="30"), TRANSIENT),
    "status-504": Behaviour(answers(504), TRANSIENT),
    "status-520": Behaviour(answers(520, b"error code: 520", "text/plain"), TRANSIENT),
}
_LIMITS = {
    "status-429": Behaviour(_limited(None), LIMITED),
    "status-429-empty": Behaviour(answers(429), LIMITED),
    "status-429-html": Behaviour(_html(429, b"<html><body>Slow down</body></html>"), LIMITED),
    "status-429-seconds": Behaviour(_limited("20"), LIMITED),
    "status-429-zero": Behaviour(_limited("0"), LIMITED),
    "status-429-negative": Behaviour(_limited("-30"), LIMITED),
    "status-429-fraction": Behaviour(_limited("1.5"), LIMITED),
    "status-429-ten-years": Behaviour(_limited("315360000"), LIMITED),
    "status-429-too-many-digits": Behaviour(_limited("9" * 400), LIMITED),
    "status-429-garbage": Behaviour(_limited("in a while"), LIMITED),
    "status-429-date": Behaviour(_limited_until(20), LIMITED),
    "status-429-date-ten-years": Behaviour(_limited_until(315_360_000), LIMITED),
    "status-429-date-past": Behaviour(_limited_until(-86_400), LIMITED),
    "status-429-date-garbage": Behaviour(_limited("Thu, 42 Foo 2026 25:61:61 GMT"), LIMITED),
}
_INSTAGRAM = {
    "wait-401-login": _web(answers(401, _fail(WAIT, require_login=True)), LIMITED),
    "wait-401": _web(answers(401, _fail(WAIT)), LIMITED),
    "wait-401-html": _web(_html(401, _WAIT_PAGE), LIMITED),
    "wait-401-loud": _web(answers(401, _fail(WAIT.upper(), require_login=True, igweb_rollout=True)), LIMITED),
    "wait-200-html": _web(_html(200, _WAIT_PAGE), LIMITED),
    "wait-500": _web(answers(500, _fail(WAIT)), LIMITED),
    "login-required-403": _web(answers(403, _fail("login_required", logout_reason=1)), STOPPED),
    "not-authenticated-200": _web(answers(200, {"authenticated": False, "user": True, "status": "ok"}), STOPPED),
    "checkpoint-400": _web(answers(400, _fail("checkpoint_required", checkpoint_url="/challenge/1/x/")), BLOCKED),
    "challenge-400": _web(answers(400, _fail("challenge_required", challenge={"url": "/challenge/"})), BLOCKED),
    "challenge-200": _web(answers(200, {"type": "CHALLENGE_REDIRECTION", "location": "/", "status": "ok"}), BLOCKED),
    "feedback-400": _web(answers(400, _fail("feedback_required", spam=True)), BLOCKED),
    "private-403": _web(answers(403, _fail("Not authorized to view user")), PRIVATE),
    "html-200-home": _web(_html(200, _HOME_PAGE), STOPPED),
    "html-200-login": _web(_html(200, LOGIN_PAGE), STOPPED),
    "html-200-challenge": _web(_html(200, _CHALLENGE_PAGE), BLOCKED),
    "html-200-profile": _web(_html(200, _PROFILE_PAGE), INVALID),
    "html-200-unknown": _web(_html(200, UNKNOWN_PAGE), UNSURE),
    "html-404-unknown": _web(_html(404, UNKNOWN_PAGE), UNSURE),
    "html-404-login": _web(_html(404, LOGIN_PAGE), STOPPED),
}
_GRAPH = {
    "graph-4-app-limit": _graph(4, "(#4) Application request limit reached", LIMITED, 403),
    "graph-17-user-limit": _graph(17, "(#17) User request limit reached", LIMITED),
    "graph-32-page-limit": _graph(32, "(#32) Page request limit reached", LIMITED),
    "graph-613-limit": _graph(613, "(#613) Calls to this api have exceeded the rate limit", LIMITED),
    "graph-80002-limit": _graph(80_002, "There have been too many calls to this Instagram account", LIMITED),
    "graph-190-expired": _graph(190, "Error validating access token: Session has expired", STOPPED, 401, 463),
    "graph-10-permission": _graph(10, "(#10) Application does not have permission for this action", STOPPED, 403),
    "graph-200-permission": _graph(200, "(#200) Requires business permission", STOPPED, 403),
    "graph-1-unknown": _graph(1, "An unknown error occurred", TRANSIENT, 500),
    "graph-2-service": _graph(2, "An unexpected error has occurred. Please retry your request later.", TRANSIENT),
    "graph-100-parameter": _graph(100, "(#100) Param is not valid", INVALID),
    "graph-110-no-user": _graph(110, "Invalid user id", NOT_FOUND, subcode=2_207_013),
    "graph-368-blocked": _graph(368, "The action is deemed abusive or is otherwise disallowed", BLOCKED),
    "graph-usage-95": Behaviour(
        _with_headers(x_app_usage='{"call_count":95,"total_time":20,"total_cputime":10}'),
        DONE.because("slower"),
        ("graph",),
    ),
    "graph-usage-garbage": Behaviour(
        _with_headers(x_app_usage='{"call_count":"many"', x_business_use_case_usage="[1,2"), DONE, ("graph",)
    ),
}
_GOOGLE = {
    "google-403-quota": _google(403, "quotaExceeded", LIMITED),
    "google-403-daily": _google(403, "dailyLimitExceeded", LIMITED),
    "google-403-rate": _google(403, "rateLimitExceeded", LIMITED),
    "google-403-user-rate": _google(403, "userRateLimitExceeded", LIMITED),
    "google-403-forbidden": _google(403, "forbidden", STOPPED),
    "google-403-not-configured": _google(403, "accessNotConfigured", STOPPED),
    "google-403-no-reason": Behaviour(
        answers(403, {"error": {"code": 403, "message": "Permission denied"}}), STOPPED, ("youtube",)
    ),
    "google-400-key": _google(400, "keyInvalid", STOPPED),
    "google-400-parameter": _google(400, "invalidParameter", INVALID),
    "google-404-channel": _google(404, "channelNotFound", NOT_FOUND),
    "google-500-backend": _google(500, "backendError", TRANSIENT),
}
_TIKHUB = {
    "tikhub-inner-400": _tikhub(_inner(400, "execution error"), INVALID),
    "tikhub-inner-404": _tikhub(_inner(404, "User not found"), NOT_FOUND),
    "tikhub-inner-429": _tikhub(_inner(429, "Too many requests"), LIMITED),
    "tikhub-inner-500": _tikhub(_inner(500, "upstream failed"), TRANSIENT),
    "tikhub-detail-400": _tikhub(answers(400, {"detail": {"code": 400, "router": "/x", "params": {}}}), INVALID),
    "tikhub-detail-401": _tikhub(answers(401, {"detail": {"code": 401, "message": "Invalid API token"}}), STOPPED),
    "tikhub-detail-422": _tikhub(answers(422, {"detail": [{"loc": ["query"], "msg": "missing"}]}), INVALID),
}
_WITH_KEY = ("graph", "tikhub", "youtube")
_ECHOES = {
    "echo-key-400": Behaviour(_echo(400), INVALID, _WITH_KEY),
    "echo-key-401": Behaviour(_echo(401), STOPPED, _WITH_KEY),
    "echo-key-429": Behaviour(_echo(429), LIMITED, _WITH_KEY),
    "echo-key-500": Behaviour(_echo(500), TRANSIENT, _WITH_KEY),
}
_API_PAGES = {
    "api-html-200": Behaviour(_html(200, UNKNOWN_PAGE), TRANSIENT, _WITH_KEY),
    "api-html-404": Behaviour(_html(404, UNKNOWN_PAGE), TRANSIENT, _WITH_KEY),
    "api-html-login": Behaviour(_html(200, LOGIN_PAGE), STOPPED, _WITH_KEY),
    "api-html-wait": Behaviour(_html(200, _WAIT_PAGE), LIMITED, _WITH_KEY),
}
_BODIES = {
    "set-cookie": Behaviour(_with_headers(set_cookie="sid=invented; Path=/"), DONE),
    "body-empty": Behaviour(answers(200), TRANSIENT),
    "body-spaces": Behaviour(answers(200, b" \r\n\t "), TRANSIENT),
    "body-null": Behaviour(answers(200, None), INVALID),
    "body-list": Behaviour(answers(200, []), INVALID),
    "body-text": Behaviour(answers(200, "text"), INVALID),
    "body-number": Behaviour(answers(200, 42), INVALID),
    "body-object-empty": Behaviour(answers(200, {}), INVALID, endpoints=(PROFILE, POSTS)),
    "body-cut": Behaviour(answers(200, b'{"data":{"user":{"id":"12","usern'), TRANSIENT),
    "body-garbage": Behaviour(answers(200, b"{error}"), TRANSIENT),
    "body-binary": Behaviour(answers(200, bytes(range(256)) * 8, "application/octet-stream"), TRANSIENT),
    "body-utf-16": Behaviour(answers(200, '{"data":{"user":null}}'.encode("utf-16")), TRANSIENT),
    "body-nan": Behaviour(answers(200, b'{"data":NaN,"status":"ok"}'), TRANSIENT),
    "body-deep": Behaviour(answers(200, b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), INVALID),
    "body-many-keys": Behaviour(answers(200, {f"key{n}": n for n in range(20_000)}), INVALID),
}
BEHAVIOURS = _STATUSES | _LIMITS | _INSTAGRAM | _GRAPH | _GOOGLE | _TIKHUB | _ECHOES | _API_PAGES | _BODIES
