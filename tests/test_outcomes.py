"""What an answer means, by status and body: JSON errors, pages, and bodies that are neither."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import msgspec
import pytest
from conftest import REALDATA, needs_realdata
from hypothesis import given, settings
from hypothesis import strategies as st

from igtool.platforms.base import Refused, outcome_of
from igtool.platforms.outcomes import Verdict, decoded, judge, one_line, unmarked

OUTCOMES = {"ok", "not_found", "private", "rate_limited", "auth", "blocked", "transient", "invalid"}
WAIT = "Please wait a few minutes before you try again."
STATUSES = (0, 100, 200, 204, 206, 301, 304, 400, 401, 402, 403, 404, 408, 410, 418, 425, 429, 451, 500, 503, 520, 999)


def fail(message: str, **more: Any) -> bytes:
    """An error as Instagram writes it."""
    return json.dumps({"message": message, "status": "fail", **more}).encode()


def page(head: str = "", body: str = "", title: str = "Instagram") -> bytes:
    """An HTML page."""
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def graph(code: int | None, message: str = "words", **more: Any) -> bytes:
    """An error of the Graph API."""
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AbC", **more}
    return json.dumps({"error": error}).encode()


def google(code: int, *reasons: str, message: str = "words", **more: Any) -> bytes:
    """An error of Google."""
    return json.dumps(
        {"error": {"code": code, "message": message, "errors": [{"reason": reason} for reason in reasons], **more}}
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b'{"data": {"user": {"id": "1"}}}', "ok"),
        (200, b'\xef\xbb\xbf {"items": []}\r\n', "ok"),
        (200, b'{"data": {"user": null}}', "not_found"),
        (200, fail("Not authorized to view user"), "private"),
        (200, fail("login_required"), "auth"),
        (204, b"", "transient"),
        (200, b" \r\n\t", "transient"),
        (200, b"\xef\xbb\xbf", "transient"),
        (200, b'{"data": {"us', "transient"),
        (200, b"{error}", "transient"),
        (200, b'{"data": NaN}', "transient"),
        (200, b"for (;;);{}", "transient"),
        (200, bytes(range(256)), "transient"),
        (200, b"[]", "invalid"),
        (200, b'"text"', "invalid"),
        (200, b"null", "invalid"),
        (200, b"42", "invalid"),
        (200, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid"),
        (200, b'{"biography": "caf\xe9"}', "invalid"),
        (301, b"", "invalid"),
        (304, b"", "invalid"),
        (400, b"", "invalid"),
        (400, fail("checkpoint_required"), "blocked"),
        (400, fail(WAIT), "rate_limited"),
        (401, b"", "auth"),
        (401, fail("Unauthorized"), "auth"),
        (401, fail("checkpoint_required"), "auth"),
        (402, b"", "auth"),
        (403, b"", "blocked"),
        (403, b'{"anything": 1}', "blocked"),
        (403, fail("words nobody knows"), "blocked"),
        (403, fail("login_required"), "auth"),
        (403, page(title="Forbidden"), "blocked"),
        (404, b"", "not_found"),
        (404, b"{}", "not_found"),
        (404, fail("User not found"), "not_found"),
        (404, fail("checkpoint_required"), "blocked"),
        (410, b"{}", "not_found"),
        (408, b"{}", "transient"),
        (425, b"{}", "transient"),
        (418, b"{}", "invalid"),
        (451, b"", "invalid"),
        (422, b'{"detail": [{"msg": "missing"}]}', "invalid"),
        (500, page(title="Login"), "transient"),
        (502, b"<html>Bad gateway", "transient"),
        (503, fail(WAIT), "rate_limited"),
        (520, b"error code: 520", "transient"),
        (599, fail("checkpoint_required"), "transient"),
    ],
)
def test_status_and_body_give_an_outcome(status: int, body: bytes, outcome: str) -> None:
    """Each rule of `judge` for JSON and for what is neither JSON nor a page."""
    assert judge(status, body).outcome == outcome


@pytest.mark.parametrize("body", [b"", b"{}", b"null", page(title="Login"), fail("checkpoint_required"), b"\xff"])
def test_429_is_always_a_rate_limit(body: bytes) -> None:
    """Whatever comes with 429, it is a rate limit."""
    assert judge(429, body).outcome == "rate_limited"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
@pytest.mark.parametrize(
    "body",
    [
        fail(WAIT),
        fail(WAIT, require_login=True),
        fail(WAIT.upper(), require_login=True, igweb_rollout=True),
        fail("Try again in a few minutes.", error_type="rate_limit_error"),
        page(body=f"<h1>Error</h1><p>{WAIT}</p>"),
        page(body="<p>Please wait a few&nbsp;minutes\nbefore you try again.</p>"),
        page(body="<p>Please wait a few\u00a0minutes before you try again.</p>"),
        f"\ufeff<html><body>{WAIT}".encode("utf-16-le"),
        b"\n\n" + WAIT.encode(),
    ],
    ids=range(9),
)
def test_a_request_to_wait_is_a_rate_limit(status: int, body: bytes) -> None:
    """The request to wait a few minutes counts at any status, in any dress; a 401 is a rate limit only so."""
    assert judge(status, body).outcome == "rate_limited"


def test_401_with_the_words_in_another_shape_is_a_rate_limit() -> None:
    """At 401 the words count wherever they stand, and a login page without them is no rate limit."""
    assert judge(401, json.dumps({"error": {"detail": WAIT}}).encode()).outcome == "rate_limited"
    assert judge(401, page(title="Login", body="Log in")).outcome == "auth"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (page(title="Login • Instagram"), "auth"),
        (page('<meta property="og:url" content="https://www.instagram.com/accounts/login/">'), "auth"),
        (page("<link rel='canonical' href='https://www.instagram.com/accounts/login/'>"), "auth"),
        (page('<meta http-equiv="refresh" content="0; url=/accounts/login/?next=/someone/">'), "auth"),
        (page('<script>window.location.href = "https://www.instagram.com/accounts/login/";</script>'), "auth"),
        (page(body='<form action="/accounts/login/ajax/" method="post"></form>'), "auth"),
        (page(body="<input type='password'>"), "auth"),
        (page(body='<INPUT NAME="enc_password" TYPE="password">'), "auth"),
        (page(body='<script>{"entry_data": {"LoginAndSignupPage": [{"captcha": {}}]}}</script>'), "auth"),
        (page(body='<script>{"page_logging":{"name":"loginPage","params":{}}}</script>'), "auth"),
        (page('<meta property="al:ios:url" content="instagram://mainfeed" />'), "auth"),
        (page(title="Challenge"), "blocked"),
        (page(title="Just a moment..."), "blocked"),
        (page(body='<form action="/challenge/12/ab/" method="post"></form>'), "blocked"),
        (page('<script>location.replace("/challenge/?next=/x/")</script>'), "blocked"),
        (page(body='<script>{"entry_data":{"Challenge":[{}]}}</script>'), "blocked"),
        (page(body="We suspect automated behavior on your account"), "blocked"),
        (page(body='<div class="g-recaptcha"></div>'), "blocked"),
        (page(body="Suspicious activity. <input type=password>"), "blocked"),
        (page('<meta property="og:type" content="profile" />'), "invalid"),
        (page('<meta content="instagram://user?username=someone" property="al:ios:url">'), "invalid"),
        (page(body='{"entry_data":{"ProfilePage":[{"graphql":{"user":{}}}]}}'), "invalid"),
        (page('<meta property="og:type" content="profile" />', f"bio: {WAIT}"), "invalid"),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_pages_that_tell(body: bytes, outcome: str, status: int) -> None:
    """A login page, a challenge and a profile shown as a page are told by their structure, at 200 as at 404."""
    assert judge(status, body) == Verdict(outcome, judge(status, body).words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        page(title="Page not found • Instagram"),
        page(title="Page not found", body='<form action="/accounts/login/"></form>'),
        page(body='<script>{"page_logging":{"name":"httpErrorPage"}}</script><input type="password">'),
        page(body='<a href="/accounts/login/" class="loginLink">Log in</a> This page isn\'t available'),
        page(body='<script src="/es6/LoginAndSignupPage.js"></script><script src="/es6/Challenge.js"></script>'),
        page(body='{"routes":{"\\/checkpoint\\/":1,"\\/accounts\\/login":1}}'),
        b"\xef\xbb\xbf  <html>",
        b"<",
        "\ufeff<html>nobody".encode("utf-16-le"),
        b"<!DOCTYPE html><title>caf\xe9\xff</title>",
        b"<html>" + b"\0" * 1000,
    ],
    ids=range(11),
)
@pytest.mark.parametrize("status", [200, 404, 410])
def test_other_pages_may_be_those_of_unknown_users(body: bytes, status: int) -> None:
    """A page without a sign of login, challenge or profile is `not_found`, and only after a second look."""
    verdict = judge(status, body)
    assert (verdict.outcome, verdict.is_sure) == ("not_found", False)


def test_a_page_from_an_api_tells_nothing_of_an_account() -> None:
    """Where no account has a page, a page is a fault in between; a wall or a login stays one."""
    assert judge(200, page(title="Portal"), has_pages=False) == Verdict(
        "transient", "an HTML page instead of data: Portal"
    )
    assert judge(404, page(title="404"), has_pages=False).outcome == "transient"
    assert judge(404, b"{}", has_pages=False).outcome == "not_found"
    assert judge(200, page(title="Login"), has_pages=False).outcome == "auth"
    assert judge(200, page(title="Challenge"), has_pages=False).outcome == "blocked"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        *((graph(code), "rate_limited") for code in (4, 17, 32, 613, 80001, 80002, 80014)),
        *((graph(code), "auth") for code in (190, 102, 10, 200, 299)),
        *((graph(code), "transient") for code in (1, 2)),
        (graph(110, "Invalid user id", error_subcode=2207013), "not_found"),
        (graph(100, error_subcode=2207013), "not_found"),
        (graph(24, error_user_msg="The user with username: x cannot be found."), "not_found"),
        (graph(100, "Unsupported get request. Object with ID '1' does not exist", error_subcode=33), "auth"),
        (graph(100), "invalid"),
        (graph(300), "invalid"),
        (graph(80015), "invalid"),
        (graph(368), "blocked"),
        (graph(4242), "invalid"),
        (graph(4242, is_transient=True), "transient"),
        (graph(4, error_subcode=2207013), "rate_limited"),
        (json.dumps({"error": {"type": "OAuthException", "code": 190}}).encode(), "auth"),
        (json.dumps({"error": {"type": "IGApiException", "message": "x"}}).encode(), "invalid"),
    ],
)
def test_graph_errors_are_told_by_their_code(body: bytes, outcome: str) -> None:
    """Code and subcode of a Graph API error decide, not the numbers that Google uses."""
    assert outcome_of(body) == outcome
    assert judge(400, body).outcome == outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (google(403, "quotaExceeded"), "rate_limited"),
        (google(403, "rateLimitExceeded"), "rate_limited"),
        (google(403, "forbidden", message="you exceeded your quota"), "auth"),
        (google(403, message="you exceeded your quota"), "auth"),
        (google(403, "playlistItemsNotAccessible"), "private"),
        (google(403, "channelForbidden"), "private"),
        (google(404, "channelNotFound"), "not_found"),
        (google(404, "playlistNotFound"), "not_found"),
        (google(404, "videoNotFound"), "not_found"),
        (google(400, "invalidChannelId"), "invalid"),
        (google(400, "invalidPageToken"), "invalid"),
        (google(400, "keyInvalid"), "auth"),
        (google(400, "badRequest", details=[{"@type": "x"}, {"reason": "API_KEY_INVALID"}]), "auth"),
        (google(400, "badRequest", details="of another kind"), "invalid"),
        (google(429, "RATE_LIMIT_EXCEEDED"), "rate_limited"),
        (google(503, "backendError"), "transient"),
        (b'{"error": {"code": 403, "message": "no", "errors": null}}', "auth"),
    ],
)
def test_google_errors_are_told_by_their_reason(body: bytes, outcome: str) -> None:
    """Google's 403 is a quota only if a reason says so; other reasons tell private, missing and bad keys."""
    assert outcome_of(body) == outcome
    assert judge(json.loads(body)["error"]["code"], body).outcome == outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"status": "fail"}', "invalid"),
        (b'{"require_login": true, "status": "fail"}', "auth"),
        (fail("consent_required"), "blocked"),
        (fail("Oops, an error occurred."), "transient"),
        (b'{"message": "Something went wrong", "status": "ko"}', "transient"),
        (fail("x", error_type="y"), "invalid"),
        (b'{"message": "Welcome", "status": "ok", "user": {}}', "ok"),
        (b'{"status": "ok"}', "ok"),
        (b'{"status": 5}', "ok"),
    ],
)
def test_instagram_errors_without_known_words(body: bytes, outcome: str) -> None:
    """A failure is one without a message too, and a message alone is none."""
    assert outcome_of(body) == outcome


@needs_realdata
@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("instagram/errors/checkpoint_challenge-done.json", 200, "blocked"),
        ("instagram/errors/checkpoint_challenge.json", 400, "blocked"),
        ("instagram/errors/ig_400_challenge_required.json", 400, "blocked"),
        ("instagram/errors/ig_401_please_wait.json", 401, "rate_limited"),
        ("instagram/errors/ig_429_please_wait_no_login.json", 429, "rate_limited"),
        ("instagram/errors/ig_429_please_wait_no_login.json", 403, "rate_limited"),
        ("instagram/errors/login-error.json", 200, "auth"),
        ("instagram/errors/medias-error_not_json.json", 200, "transient"),
        ("instagram/html/home.html", 200, "auth"),
        ("instagram/html/profile-additional-data.html", 200, "invalid"),
        ("instagram/graphql_user_null.json", 200, "not_found"),
        ("instagram/web_profile_info__rdj.json", 200, "ok"),
        ("instagram/tikhub/error_200_inner_400.json", 200, "invalid"),
        ("instagram/tikhub/error_400_detail.json", 400, "invalid"),
        ("youtube/errors/error_response.json", 400, "auth"),
        ("youtube/errors/yt_403_quotaExceeded.json", 403, "rate_limited"),
        ("youtube/data_api_v3/error_permission_resp.json", 403, "auth"),
    ],
)
def test_real_answers(name: str, status: int, outcome: str) -> None:
    """What platforms really sent is classified as a person would."""
    assert judge(status, (REALDATA / name).read_bytes()).outcome == outcome


@needs_realdata
def test_no_real_error_is_taken_for_data() -> None:
    """Every error body at hand is something else than ok, with words, at each status that it may come with."""
    folders = ("instagram/errors", "instagram/html", "youtube/errors")
    bodies = [path.read_bytes() for folder in folders for path in (REALDATA / folder).iterdir()]
    verdicts = [judge(status, body) for body in bodies for status in (200, 400, 401, 403, 429, 500)]
    assert len(bodies) == 11
    assert all(verdict.outcome not in ("ok", "not_found") and verdict.words for verdict in verdicts)


@given(st.sampled_from(STATUSES), st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"<{text}".encode()))
@settings(max_examples=300, deadline=None)
def test_every_answer_has_an_outcome(status: int, body: bytes) -> None:
    """Any status with any bytes gives one outcome of the closed set, and words fit for a terminal."""
    verdict = judge(status, body)
    assert verdict.outcome in OUTCOMES
    assert len(verdict.words) <= 300
    assert verdict.words.isprintable()
    assert verdict.outcome == "ok" or verdict.words
    assert verdict.is_sure or verdict.outcome == "not_found"


def test_words_are_one_bounded_line() -> None:
    """A title or message cannot move the cursor of a terminal or fill the screen."""
    verdict = judge(400, fail("checkpoint\n\x1b[2J\u202e" + "x" * 5000))
    assert verdict.words.startswith("checkpoint [2J")
    assert 290 < len(verdict.words) <= 300
    assert not re.search(r"[\x00-\x1f\u202e]", verdict.words)
    assert one_line(" a\r\n b\0 ") == "a b"
    assert judge(200, page(title="Tom &amp; Jerry")).words == "an HTML page instead of data: Tom & Jerry"


def test_only_the_top_of_a_page_is_looked_at() -> None:
    """A page of 20 MB costs no more memory than a small multiple of what is looked at."""
    body = page() + b" " * 20_000_000 + b'<input type="password">'
    tracemalloc.start()
    verdict = judge(200, body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict.outcome == "not_found"
    assert peak < 3_000_000


@pytest.mark.parametrize(
    "part", [b"<meta ", b"<title>", b"location", b'"entry_data":{', b"&nbsp;", b"few ", b'"login":[']
)
def test_patterns_do_not_blow_up(part: bytes) -> None:
    """A page made of beginnings of what is looked for is judged in one pass, not in a square of its length."""
    assert judge(200, b"<html>" + part * (200_000 // len(part))).outcome == "not_found"


def test_decoded_takes_what_json_may_be_and_refuses_the_rest() -> None:
    """A byte order mark and lone surrogates are taken; what is no JSON is Refused with its slug."""
    decoder = msgspec.json.Decoder(dict[str, str])
    assert decoded(decoder, b'\xef\xbb\xbf{"a": "\\ud83d"}\n') == {"a": "\ufffd"}
    assert unmarked(b"\xef\xbb\xbf\t{} ") == b"{}"
    for body, reason in (
        (b"", "empty-file"),
        (b"{", "broken-json"),
        (b"<p>", "not-json"),
        (b'{"a":"\xff"}', "not-utf8"),
    ):
        with pytest.raises(Refused) as refusal:
            decoded(decoder, body)
        assert refusal.value.reason == reason
    with pytest.raises(msgspec.ValidationError):
        decoded(decoder, b"[1]")
