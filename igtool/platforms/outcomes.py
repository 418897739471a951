"""What an answer means: from HTTP status and body to one outcome of the closed set (DESIGN §4).

The rules here hold for every platform. A source that knows more (where a redirect led, which words its API uses)
overrides ``Source.judge`` and falls back on ``judge``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from igtool.platforms import html_pages
from igtool.platforms.base import Outcome, Refused, outcome_of, parse
from igtool.platforms.json_text import WHITESPACE, Malformed, check, decode

T = TypeVar("T")

_WORDS = 300
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = frozenset({408, 425})
"""Request Timeout and Too Early (RFC 9110, RFC 8470): the same request may well succeed."""


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    ``words``: the platform's own words or what was seen, for a person: one line of at most 300 characters, without
    control characters. ``is_sure``: False for an HTML page that may or may not be that of an unknown user; it is
    ``not_found`` only when a second, spaced look sees the same.
    """

    outcome: Outcome
    words: str = ""
    is_sure: bool = True


@dataclass(frozen=True)
class _Said:
    """What a body says by itself, whatever its status; ``kind`` is what it is."""

    kind: Literal["empty", "object", "value", "page", "broken", "unusable"]
    outcome: Outcome
    words: str


def judge(status: int, body: bytes, *, has_pages: bool = True) -> Verdict:
    """The outcome of an answer by its status and body.

    A rate limit told in words is one at any status; 5xx is ``transient`` otherwise. ``has_pages``: whether the
    platform shows HTML pages for accounts; for an API that has none, a page says nothing about an account: it is
    ``transient``, but for a challenge, a login page or a request to wait.
    """
    said = _said(unmarked(body))
    words = said.words or f"HTTP {status}"
    if status == 429 or said.outcome == "rate_limited":
        return Verdict("rate_limited", words)
    if 200 <= status < 300:
        return _found(said, words, has_pages=has_pages)
    if status in (404, 410):
        return _missing(said, words, has_pages=has_pages)
    if status == 401:
        return Verdict("rate_limited" if html_pages.asks_to_wait(body) else "auth", words)
    if status >= 500 or status in _AGAIN:
        return Verdict("transient", words)
    return Verdict(_refusal(status, said), words)


def unmarked(body: bytes) -> bytes:
    """``body`` without a UTF-8 byte order mark and without whitespace around: JSON as it can be decoded and kept."""
    return body.removeprefix(_BOM).strip(WHITESPACE)


def decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """``body`` as the type of ``decoder``; lone surrogates are repaired.

    Raises Refused (with the slug of ``json_text.check``) when it is no JSON, and msgspec.ValidationError when it is
    sound JSON of another type: what ``Source.page`` may raise.
    """
    try:
        return decode(decoder, unmarked(body))[0]
    except Malformed as error:
        raise Refused(error.reason, error.detail) from error


def one_line(text: str) -> str:
    """``text`` on one line, without control characters, at most 300 characters long."""
    line = " ".join(text[: 4 * _WORDS].split())
    return "".join(char for char in line if char.isprintable())[:_WORDS]


def _found(said: _Said, words: str, *, has_pages: bool) -> Verdict:
    """The outcome at a status 2xx."""
    if said.kind == "page":
        return _page(said, words, has_pages=has_pages)
    return Verdict("ok") if said.outcome == "ok" else Verdict(said.outcome, words)


def _missing(said: _Said, words: str, *, has_pages: bool) -> Verdict:
    """The outcome at 404 and 410: a body that speaks of a block, a login or a private account is believed."""
    if said.kind in ("page", "broken"):
        return _page(said, words, has_pages=has_pages)
    return Verdict(said.outcome if said.outcome in ("auth", "blocked", "private") else "not_found", words)


def _page(said: _Said, words: str, *, has_pages: bool) -> Verdict:
    """The outcome of an HTML page, or of another text that is no JSON, at a status that would allow an account."""
    if said.outcome not in ("not_found", "transient"):
        return Verdict(said.outcome, words)
    return Verdict("not_found", words, is_sure=False) if has_pages else Verdict("transient", words)


def _refusal(status: int, said: _Said) -> Outcome:
    """The outcome at 402, 403, the other 4xx, and at what is left over (1xx, 3xx)."""
    if not 400 <= status < 500:
        return "invalid"
    if status == 402:
        return "auth"
    if status == 403:  # words that are not known say nothing, and a wall is the safer reading
        told = said.kind == "object" and said.outcome not in ("ok", "invalid")
        return said.outcome if told else "blocked"
    if said.kind == "page":
        return said.outcome if said.outcome in ("auth", "blocked") else "invalid"
    return said.outcome if said.kind == "object" and said.outcome != "ok" else "invalid"


def _said(body: bytes) -> _Said:
    """What ``body`` (without byte order mark) is and says."""
    if not body:
        return _Said("empty", "transient", "an empty body")
    if body.startswith(b"<") or (body.startswith(_UTF_16) and b"<" in body[:200]):
        outcome, words = html_pages.read(body)
        return _Said("page", outcome, one_line(words))
    try:
        check(body)
    except Malformed as error:
        if html_pages.asks_to_wait(body):
            return _Said("broken", "rate_limited", _opening(body))
        is_json = error.reason == "too-deep" or (error.reason == "not-utf8" and body.startswith((b"{", b"[")))
        if is_json:  # the next answer will be no better
            return _Said("unusable", "invalid", one_line(error.detail))
        return _Said("broken", "transient", one_line(error.detail))
    if not body.startswith(b"{"):
        return _Said("value", "invalid", f"JSON, but no object: {_opening(body)}"[:_WORDS])
    outcome = outcome_of(body)
    words = "" if outcome == "ok" else parse(body, observed_at=_ANY_TIME).detail
    return _Said("object", outcome, one_line(words) or _opening(body))


def _opening(body: bytes) -> str:
    return one_line(body[: 4 * _WORDS].decode("utf-8", "replace"))
