"""What kind of page an HTML answer is, told by its structure rather than by words that any script may hold.

Instagram's pages name every bundle and route they could load, so "login", "challenge" and "checkpoint" are in all
of them. What tells are the title, the metadata, forms, where a script sends the browser, and the page's own name.
"""

from __future__ import annotations

import html
import re

from igtool.platforms.base import Outcome

_WINDOW = 200_000
"""Bytes that are looked at; everything that tells is near the top."""

_TITLE = re.compile(rb"<title[^<>]{0,200}>([^<]{0,300})", re.IGNORECASE)
_TAG = re.compile(rb"<(?:meta|link|form|input)\s[^<>]*>")
_SENT_TO = re.compile(rb"location[.a-z]{0,20}\s{0,20}[=(]\s{0,20}[\"']([^\"'<>]{0,300})")
_PAGE_NAME = re.compile(
    rb'"(?:entry_data|page_logging)"\s{0,20}:\s{0,20}\{\s{0,20}(?:"name"\s{0,20}:\s{0,20})?"([a-z0-9_]{1,60})"'
)
_ENTRY = re.compile(
    rb'"((?:login|landing|signup|challenge|checkpoint|httperror)[a-z]{0,30})"\s{0,20}:\s{0,20}\[\s{0,20}\{'
)
_PROFILES = (b'"edge_followed_by"', b'"profilepage":[{"graphql"')
_PASSWORD = re.compile(rb"(?:type|name)\s*=\s*[\"']?(?:enc_)?password\b")
_IS_PROFILE = re.compile(rb"content\s*=\s*[\"']?profile\b")
_SPACE = re.compile(rb"(?:\s|\xc2\xa0|&nbsp;|&#160;|&#xa0;|\\[nrt])+")

_WAIT = (b"wait a few minutes", b"few minutes before you try again", b"try again in a few minutes")
_WALLS = (b"/challenge/", b"/checkpoint/", b"/accounts/suspended")
_WALL_TITLES = (b"just a moment", b"attention required", b"security check", b"checkpoint", b"challenge")
_WALL_WORDS = (
    b"suspicious activity",
    b"unusual activity",
    b"unusual traffic",
    b"unusual login",
    b"automated behavio",  # behavior, behaviour
    b"confirm it's you",
    b"confirm it&#39;s you",
    b"confirm it&#039;s you",
    b"you are human",
    b"you're human",
    b"not a robot",
    b"challenge_required",
    b"checkpoint_required",
    b"checkpoint_url",
    b'class="g-recaptcha"',
    b'class="h-captcha"',
)
_LOGIN_PAGES = frozenset({b"loginpage", b"loginandsignuppage", b"signuppage", b"landingpage", b"unifiedhome", b"home"})


def asks_to_wait(body: bytes) -> bool:
    """Whether ``body`` (of any kind) asks to wait a few minutes, as Instagram does with 401 and 429."""
    return _waits(_low(body))


def read(body: bytes) -> tuple[Outcome, str]:
    """What an HTML page means, and a line for a person that quotes its title.

    ``invalid``: it holds the profile, but as a page; ``blocked``: a challenge or checkpoint; ``rate_limited``: it
    asks to wait; ``auth``: a login page, or the home page that visitors get; ``not_found``: anything else.
    """
    match = _TITLE.search(body[:_WINDOW].replace(b"\0", b""))
    title = html.unescape(match[1].decode("utf-8", "replace")).strip() if match else ""
    outcome, seen = _kind(_low(body), title.lower().encode())
    return outcome, f"{seen}: {title}" if title else seen


def _kind(low: bytes, title: bytes) -> tuple[Outcome, str]:
    tags = _TAG.findall(low)
    places = b"\n".join([*tags, *_SENT_TO.findall(low)])
    pages = {*_PAGE_NAME.findall(low), *_ENTRY.findall(low)}
    if _is_profile(low, tags):
        return "invalid", "the profile as an HTML page instead of data"
    if _waits(low):
        return "rate_limited", "a page that asks to wait a few minutes"
    if _is_wall(low, title, places, pages):
        return "blocked", "a challenge or checkpoint page"
    if b"httperrorpage" in pages or b"page not found" in title:
        return "not_found", "a page that says there is none"
    if _is_login(title, places, pages):
        return "auth", "a login page"
    return "not_found", "an HTML page instead of data"


def _is_profile(low: bytes, tags: list[bytes]) -> bool:
    return (
        any(b"instagram://user?username=" in tag for tag in tags)
        or any(b"og:type" in tag and _IS_PROFILE.search(tag) for tag in tags)
        or any(part in low for part in _PROFILES)
    )


def _is_wall(low: bytes, title: bytes, places: bytes, pages: set[bytes]) -> bool:
    return (
        any(part in places for part in _WALLS)
        or any(part in title for part in _WALL_TITLES)
        or any(name.startswith((b"challenge", b"checkpoint")) for name in pages)
        or any(words in low for words in _WALL_WORDS)
    )


def _is_login(title: bytes, places: bytes, pages: set[bytes]) -> bool:
    """A link to the login page is on every page for visitors, so only forms, metadata and redirects count."""
    return (
        not pages.isdisjoint(_LOGIN_PAGES)
        or title.startswith((b"login", b"log in"))
        or b"/accounts/login" in places
        or b"instagram://mainfeed" in places
        or _PASSWORD.search(places) is not None
    )


def _waits(low: bytes) -> bool:
    if b"few" not in low:
        return False
    text = _SPACE.sub(b" ", low)
    return any(words in text for words in _WAIT)


def _low(body: bytes) -> bytes:
    """The first bytes in lower case; without the NULs that UTF-16 puts between ASCII letters."""
    return body[:_WINDOW].replace(b"\0", b"").lower()
