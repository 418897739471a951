"""Single values of payloads: counts, ids, times, tags. Each rule is here once, whatever the shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from igtool.counts import parse_count

MAX_COUNT = 2**63 - 1
_LATEST = 4_102_444_800
"""2100-01-01 in Unix seconds: a later time is an error of unit."""

# Letters with the marks that belong to them (Python's \w leaves the vowel signs of Indic and Thai scripts out),
# and the joiners of Persian and Hindi. Emoji end a tag.
_WORD = (
    r"\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u109f\u1780-\u17d3"
    r"\u200c\u200d"
)
_HASHTAG = re.compile(rf"(?<![{_WORD}&/#])#([{_WORD}]+)")
_MENTION = re.compile(rf"(?<![{_WORD}./@])@([{_WORD}][{_WORD}.]*)")
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")

_SPONSORED = {
    "en": "ad ads advert advertisement advertising sponsored spon paidad paidpartnership paidpromotion",
    "es": "publi publicidad anuncio patrocinado patrocinada colaboracionpagada colaboraciónpagada",
    "ca": "publicitat",
    "de": "werbung anzeige gesponsert bezahltewerbung bezahltepartnerschaft",
    "fr": "publicité publicite sponsorisé sponsorisée partenariatrémunéré collaborationcommerciale",
    "it": "adv pubblicità pubblicita sponsorizzato",
    "pt": "publipost publicidade patrocinado parceriapaga",
    "nl": "advertentie reclame betaaldepartnerschap",
    "other": "reklam annons reklama реклама 広告 광고 협찬",
}
SPONSORED_TAGS = frozenset(" ".join(_SPONSORED.values()).split())
"""Hashtags by which advertising is declared, per language, lower case."""


class MongoNumber(msgspec.Struct, frozen=True):
    """A number as mongoexport writes it (MongoDB Extended JSON v2)."""

    long: str | int | None = msgspec.field(name="$numberLong", default=None)
    int_: str | int | None = msgspec.field(name="$numberInt", default=None)
    double: str | float | None = msgspec.field(name="$numberDouble", default=None)

    @property
    def value(self) -> str | float | None:
        """The number, or its digits."""
        return next((value for value in (self.long, self.int_, self.double) if value is not None), None)


Number = int | float | str | bool | MongoNumber | None
"""Whatever a platform or a dump tool puts where a number belongs."""


def count(value: Number, flags: list[str]) -> int | None:
    """``value`` as a count, or None when it is unknown.

    Numbers, whole floats and what ``parse_count`` reads are counts. A negative one is None with the flag
    ``negative-count`` (platforms write -1 for hidden); what is no number, or needs more than 64 bits, is None
    with the flag ``bad-count``.
    """
    if type(value) is not int:
        if value is None:
            return None
        if isinstance(value, MongoNumber):
            return count(value.value, flags)
        whole = _whole(value)
        if whole is None:
            flags.append("bad-count")
            return None
        value = whole
    if 0 <= value <= MAX_COUNT:
        return value
    flags.append("negative-count" if -MAX_COUNT <= value < 0 else "bad-count")
    return None


def _whole(value: float | str | bool) -> int | None:
    """The integer that ``value`` stands for, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < 20:
            return int(value)
        number = parse_count(value.strip().removeprefix("-"))
        return -number if number is not None and value.strip().startswith("-") else number
    return int(value) if value.is_integer() else None


def identifier(value: Number) -> str | None:
    """``value`` as an id: exact digits, never a float; None when there is none."""
    if isinstance(value, MongoNumber):
        value = value.value
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if type(value) is int else None


def handle(value: str | None) -> str | None:
    """``value`` as a handle: lower case, without @ and spaces around; None when nothing is left."""
    return (value.strip().lstrip("@").lower() or None) if value else None


def moment(value: Number, flags: list[str]) -> datetime | None:
    """Unix seconds as a UTC time; None with the flag ``bad-time`` when it is none or lies outside 1970-2100."""
    if value is None:
        return None
    odd: list[str] = []
    seconds = count(value, odd)
    if seconds is not None and seconds < _LATEST:
        return datetime.fromtimestamp(seconds, UTC)
    flags.append("bad-time")
    return None


def iso_moment(value: str | None, flags: list[str]) -> datetime | None:
    """An ISO 8601 text as a UTC time (UTC is assumed where it names no zone); else None with ``bad-time``."""
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        flags.append("bad-time")
        return None


def duration_s(value: str | None, flags: list[str]) -> float | None:
    """An ISO 8601 duration (``PT1M3S``) in seconds; None with ``bad-duration`` when it is none."""
    if not value:
        return None
    match = _DURATION.fullmatch(value)
    if not match or not any(match.groups()):
        flags.append("bad-duration")
        return None
    weeks, days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def hashtags(text: str | None) -> list[str]:
    """The #tags of ``text``: lower case, without #, each once, in order."""
    if not text or "#" not in text:
        return []
    return list(dict.fromkeys(tag.lower() for tag in _HASHTAG.findall(text)))


def mentions(text: str | None) -> list[str]:
    """The @names of ``text``: lower case, without @, each once, in order. E-mail addresses are none."""
    if not text or "@" not in text:
        return []
    names = (name.rstrip(".").lower() for name in _MENTION.findall(text))
    return list(dict.fromkeys(name for name in names if name))


def is_sponsored(declared: bool | None, tags: list[str], text: str | None) -> bool | None:
    """Whether the platform or a tag marks it as advertising; None when neither mark nor text is known."""
    if declared or not SPONSORED_TAGS.isdisjoint(tags):
        return True
    return None if declared is None and text is None else False


def distinct(values: Iterable[str | None]) -> list[str]:
    """The values that are there, each once, in order."""
    return [value for value in dict.fromkeys(values) if value]


def either(*values: bool | None) -> bool | None:
    """True when one is, None when none is known, else False."""
    return True if any(values) else (None if all(value is None for value in values) else False)


def country_code(value: str | None) -> str | None:
    """An ISO 3166-1 alpha-2 code in upper case; None for anything else."""
    code = (value or "").strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
