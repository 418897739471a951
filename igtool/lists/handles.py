"""What a cell says about an account: a handle, a profile address, or nothing that can be used."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

INSTAGRAM = "instagram"
YOUTUBE = "youtube"

_OTHERS = "tiktok twitter x facebook fb twitch snapchat linkedin pinterest threads kick telegram reddit"
"""Platforms that lists name and igtool does not know."""
_CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{22}")
_INVISIBLE = re.compile("[\0\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MISSING_WORDS = "- -- --- – — . .. ... ? # 0 n/a na none null nan nil tbd unknown ninguno no"
_MISSING = frozenset(["", *_MISSING_WORDS.split()])
_SHEET_ERROR = re.compile(
    r"#(?:n/?[ad]|[¡¿]?(?:name|nombre|ref|value|valor|null|nulo|div/0|num|error|spill|calc)[!?]?)"
)
_URL = re.compile(r"(?:(?:https?:)?//)?([\w.-]+\.[a-z]{2,})(?::\d+)?(?:/([^?#]*))?(?:[?#].*)?", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_AT_LINE = re.compile(r"^[ \t]*([@＠][\w.·-]{1,30})[ \t]*$", re.MULTILINE)
_INSTAGRAM_PAGE_WORDS = "p reel reels tv explore accounts direct s share about developer legal web stories"
_INSTAGRAM_PAGES = frozenset(_INSTAGRAM_PAGE_WORDS.split())
_YOUTUBE_PAGE_WORDS = "watch playlist shorts results feed embed live hashtag redirect v clip post t c user channel"
_YOUTUBE_PAGES = frozenset(_YOUTUBE_PAGE_WORDS.split())


class Account(NamedTuple):
    """An account as a list names it: lower case, without @; a YouTube channel id keeps its case."""

    platform: str
    handle: str


@dataclass(frozen=True)
class NoAccount:
    """Why a cell names no account: ``no-handle``, ``bad-handle`` or ``unsupported-platform``."""

    reason: str


NO_HANDLE = NoAccount("no-handle")
BAD_HANDLE = NoAccount("bad-handle")
UNSUPPORTED = NoAccount("unsupported-platform")


def _first(parts: Sequence[str]) -> str:
    return parts[0] if parts else ""


def _instagram(parts: Sequence[str]) -> str:
    if len(parts) > 1 and parts[0].lower() in {"_u", "stories"} and parts[1].lower() != "highlights":
        parts = parts[1:]
    return "" if not parts or parts[0].lower() in _INSTAGRAM_PAGES else parts[0]


def _youtube(parts: Sequence[str]) -> str:
    if len(parts) > 1 and parts[0].lower() in {"c", "user"}:
        return parts[1]
    if len(parts) > 1 and parts[0].lower() == "channel":
        return parts[1] if _CHANNEL_ID.fullmatch(parts[1]) else ""
    return "" if not parts or parts[0].lower() in _YOUTUBE_PAGES else parts[0]


@dataclass(frozen=True)
class Site:
    """How people write accounts of one platform.

    ``words``: what it is called, also before a colon (``ig:name``). ``alphabet``: what a handle may be. ``hosts``:
    where its profiles have addresses; ``handle_in`` gives the handle out of the parts of such a path, "" where it is
    none of a profile.
    """

    words: str
    alphabet: re.Pattern[str]
    hosts: tuple[str, ...]
    handle_in: Callable[[Sequence[str]], str] = _first


SITES = {
    INSTAGRAM: Site(
        words="instagram ig insta",
        alphabet=re.compile(r"(?=.*[A-Za-z0-9_])[A-Za-z0-9._]{1,30}"),
        hosts=("instagram.com", "instagr.am"),
        handle_in=_instagram,
    ),
    YOUTUBE: Site(
        words="youtube yt youtuber",
        alphabet=re.compile(r"(?=.*\w)[\w.·-]{3,30}"),
        hosts=("youtube.com",),
        handle_in=_youtube,
    ),
}
"""The platforms whose accounts a list may name."""

_NAMED = {word: platform for platform, site in SITES.items() for word in site.words.split()}
_PREFIX = re.compile(rf"({'|'.join(sorted(_NAMED, key=len, reverse=True))})\s*[:：]\s*(?=[^\s/])(.+)", re.IGNORECASE)
_PLATFORM = (
    dict.fromkeys(_OTHERS.split(), "")
    | _NAMED
    | {host.replace(".", ""): platform for platform, site in SITES.items() for host in site.hosts}
)


def parse_handle(cell: str, platform: str | None = None) -> Account | NoAccount:
    """The account that ``cell`` names: ``@name``, ``name``, ``ig:name`` or a profile address.

    An address says the platform itself; else it is ``platform``, else Instagram, but a bare channel id
    (``UC`` and 22 characters) without ``platform`` is YouTube's. Handles are checked against the platform's
    alphabet: Instagram ``[A-Za-z0-9._]{1,30}``, YouTube 3 to 30 letters of any script, digits and ``._-·``
    (https://support.google.com/youtube/answer/11585688).
    """
    text = cleaned(cell)
    if is_missing(text):
        return NO_HANDLE
    prefix = _PREFIX.fullmatch(text)
    if prefix:
        return parse_handle(prefix[2], _PLATFORM[prefix[1].lower()])
    address = _address(text)
    if address is not None:
        return address
    name = text.removeprefix("@")
    if platform is None and text == name and _CHANNEL_ID.fullmatch(name):
        platform = YOUTUBE
    return _checked(platform or INSTAGRAM, name)


def cleaned(cell: str) -> str:
    """``cell`` without invisible characters, spaces around, and the apostrophe that marks text in spreadsheets."""
    text = _INVISIBLE.sub("", cell).strip().replace("＠", "@")
    return text[1:].lstrip() if text.startswith("'") else text


def is_missing(cell: str) -> bool:
    """Whether ``cell`` is empty or stands for "no value": ``-``, ``N/A``, ``#N/A``, ``#NAME?``."""
    text = cell.strip().lower()
    return text in _MISSING or bool(_SHEET_ERROR.fullmatch(text))


def lines_with_handle(cell: str) -> list[str]:
    """The lines of ``cell`` that consist of ``@handle`` and nothing else."""
    return _AT_LINE.findall(_INVISIBLE.sub("", cell).replace("\r", "\n")) if "@" in cell or "＠" in cell else []


def is_profile_address(cell: str) -> bool:
    """Whether ``cell`` is the address of a profile on one of ``SITES``."""
    return isinstance(_address(cleaned(cell)), Account)


def parse_platform(cell: str) -> str | NoAccount | None:
    """The platform that ``cell`` names; None when it names none that is known.

    Of several the first that igtool can read; only others, such as TikTok, are ``unsupported-platform``.
    """
    words = [re.sub(r"[^a-z]", "", word) for word in re.split(r"[\s,;/&|+]+", cleaned(cell).lower())]
    known = [_PLATFORM[word] for word in [*words, "".join(words)] if word in _PLATFORM]
    if not known:
        return None
    return next((platform for platform in known if platform), UNSUPPORTED)


def _address(text: str) -> Account | NoAccount | None:
    """The account of a profile address; None when ``text`` is no address."""
    if _OTHER_SCHEME.match(text) and not text.lower().startswith("http"):
        return BAD_HANDLE
    match = _URL.fullmatch(text)
    has_scheme = text.lower().startswith(("http:", "https:", "//"))
    if match is None:
        return BAD_HANDLE if has_scheme or "://" in text else None
    host = match[1].lower().rstrip(".")
    parts = [unquote(part).strip() for part in (match[2] or "").split("/") if part.strip()]
    for platform, site in SITES.items():
        if any(_is_host(host, one) for one in site.hosts):
            return _checked(platform, site.handle_in(parts).removeprefix("@"))
    if _is_host(host, "youtu.be"):
        return BAD_HANDLE
    return UNSUPPORTED if has_scheme or match[2] is not None else None


def _is_host(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _checked(platform: str, name: str) -> Account | NoAccount:
    """The account, if ``name`` is in the platform's alphabet."""
    name = unicodedata.normalize("NFC", name)
    if platform == YOUTUBE and _CHANNEL_ID.fullmatch(name):
        return Account(YOUTUBE, name)
    return Account(platform, name.lower()) if SITES[platform].alphabet.fullmatch(name) else BAD_HANDLE
