"""Single values of payloads: counts, ids, times, tags. Each rule is here once, whatever the shape."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from igtool.counts import parse_count
from igtool.platforms.addresses import emails as emails
from igtool.platforms.addresses import links as links
from igtool.platforms.addresses import without_emails as without_emails
from igtool.platforms.sponsored import SPONSORED_TAGS, is_marked, marked

MAX_COUNT = 2**63 - 1
_LATEST = 4_102_444_800
"""2100-01-01 in Unix seconds: a later time is an error of unit."""
_EARLIEST_FINE = 946_684_800
"""2000-01-01: before it no platform had posts, so a number is milliseconds or microseconds only if it is later."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Letters with the marks that belong to them (Python's \w leaves the vowel signs of Indic and Thai scripts out),
# and the joiners of Persian and Hindi. Emoji end a tag.
_WORD = (
    r"\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u109f\u1780-\u17d3"
    r"\u200c\u200d"
)
# The sign comes first, so that the search runs from sign to sign.
_HASHTAG = re.compile(rf"#(?<![{_WORD}&/#]#)([{_WORD}]+)")
_MENTION = re.compile(rf"@(?<![{_WORD}./@]@)([{_WORD}][{_WORD}.]*)")
_DURATION = re.compile(r"P(?:#W)?(?:#D)?(?:T(?:#H)?(?:#M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?".replace("#", r"(\d{1,9})"))
_DIGITS = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_DAY = re.compile(r"(?:19|20)\d{6}", re.ASCII)
_TRENDING = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)", re.ASCII)

_UNIT_WORDS = {
    timedelta(seconds=1): "second seconds sec segundo segundos segon segons seconde secondes sekunde sekunden secondi",
    timedelta(minutes=1): "minute minutes min mins minuto minutos minut minuts minuten minuti",
    timedelta(hours=1): "hour hours hr hrs hora horas hores heure heures stunde stunden ora ore uur",
    timedelta(days=1): "day days día días dia dias dies jour jours tag tage tagen giorno giorni dag dagen",
    timedelta(weeks=1): """week weeks semana semanas setmana setmanes semaine semaines woche wochen settimana settimane
        weken""",
    timedelta(days=30.436875): "month months mes meses mês mesos mois monat monate monaten mese mesi maand maanden",
    timedelta(days=365.2425): "year years año años ano anos any anys an ans jahr jahre jahren anno anni jaar",
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split()}
_AMOUNT = rf"(\d{{1,4}}|an?|une?|una|uma|um|eine[mnr]?) ({'|'.join(_UNITS)})"
_AGO = re.compile(rf"\b(?:{_AMOUNT} (?:ago|atrás|fa|geleden)|(?:hace|há|fa|il y a|vor) {_AMOUNT})\b")
_LONGEST_AGO = 80
_LONGEST_PAST = timedelta(days=50 * 365)


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


def count(value: Number, flags: list[str], most: int = MAX_COUNT) -> int | None:
    """``value`` as a count, or None when it is unknown.

    Numbers, whole floats and what ``parse_count`` reads are counts; blank text is unknown. A negative one is None
    with the flag ``negative-count`` (platforms write -1 for hidden), one over ``most`` (``counts.MOST`` has it per
    metric) with ``impossible-count``; what is no number, or needs more than 64 bits, with ``bad-count``.
    """
    if type(value) is not int:
        if value is None:
            return None
        if isinstance(value, MongoNumber):
            return count(value.value, flags, most)
        whole = _whole(value)
        if whole is None:
            if not isinstance(value, str) or value.strip():
                flags.append("bad-count")
            return None
        value = whole
    if 0 <= value <= most:
        return value
    flags.append("negative-count" if -MAX_COUNT <= value < 0 else _over(value))
    return None


def _over(value: int) -> str:
    return "impossible-count" if 0 < value <= MAX_COUNT else "bad-count"


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
    if type(value) is str:
        return value.strip() or None
    if isinstance(value, MongoNumber):
        return identifier(value.value)
    return str(value) if type(value) is int else None


def handle(value: str | None) -> str | None:
    """``value`` as a handle: lower case, without @ and spaces around; None when nothing is left."""
    return (value.strip().lstrip("@").lower() or None) if value else None


def moment(value: Number, flags: list[str]) -> datetime | None:
    """A time in any absolute form, in UTC; None with the flag ``bad-time`` when it is none or not in 1970-2100.

    Unix seconds; milliseconds or microseconds where the number is too large for seconds and the time after 1999;
    the same as text; ISO 8601 and RFC 3339 texts (UTC where they name no zone). Blank text is unknown.
    """
    if type(value) is int and 0 <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if not _DIGITS.fullmatch(value) or _DAY.fullmatch(value):
            return _written(value, flags)
        value = float(value) if "." in value else int(value)
    if isinstance(value, MongoNumber):
        return moment(value.value, flags)
    if value is None:
        return None
    found = None if isinstance(value, bool) else _unix(value)
    if found is None:
        flags.append("bad-time")
    return found


iso_moment = moment


def _unix(value: float) -> datetime | None:
    if 0 <= value < _LATEST:
        return datetime.fromtimestamp(value, UTC)
    if _EARLIEST_FINE * 1_000 <= value < _LATEST * 1_000:
        return _EPOCH + timedelta(milliseconds=value)
    if _EARLIEST_FINE * 1_000_000 <= value < _LATEST * 1_000_000:
        return _EPOCH + timedelta(microseconds=value)
    return None


def _written(text: str, flags: list[str]) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(text.removesuffix(" UTC"))
        found = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
        if 1970 <= found.year < 2100:
            return found
    except (ValueError, OverflowError):
        pass
    flags.append("bad-time")
    return None


def trending_date(value: str | None, flags: list[str]) -> datetime | None:
    """The day of a ``YY.DD.MM`` date, as the public lists of trending videos write it; else as ``moment``."""
    match = _TRENDING.fullmatch(value.strip()) if value else None
    if match is None:
        return moment(value, flags)
    year, day, month = map(int, match.groups())
    try:
        return datetime(2000 + year, month, day, tzinfo=UTC)
    except ValueError:
        flags.append("bad-time")
        return None


def ago(text: str | None, observed_at: datetime, flags: list[str]) -> datetime | None:
    """The time that ``7 days ago`` or ``hace 3 semanas`` meant at ``observed_at``, with the flag ``approximate-time``.

    Rounded down: displays drop what is over a whole unit, so the time is cut to the minute, hour or day.
    None with ``bad-time`` for any other text; words around it (``Streamed 2 weeks ago``) do not matter.
    """
    if not text or not text.strip():
        return None
    match = _AGO.search(text[:_LONGEST_AGO].lower())
    if match is None:
        flags.append("bad-time")
        return None
    number, word = next((match[i], match[i + 1]) for i in (1, 3) if match[i + 1])
    unit = _UNITS[word]
    amount = int(number) if number.isdigit() else 1
    then = observed_at.astimezone(UTC) - min(amount * unit, _LONGEST_PAST)
    flags.append("approximate-time")
    if unit >= timedelta(days=1):
        return then.replace(hour=0, minute=0, second=0, microsecond=0)
    return then.replace(minute=then.minute if unit < timedelta(hours=1) else 0, second=0, microsecond=0)


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
    return list(dict.fromkeys(map(str.lower, _HASHTAG.findall(text))))


def mentions(text: str | None) -> list[str]:
    """The @names of ``text``: lower case, without @, each once, in order. E-mail addresses are none."""
    if not text or "@" not in text:
        return []
    return list(dict.fromkeys([name.rstrip(".").lower() for name in _MENTION.findall(text)]))


def is_sponsored(declared: bool | None, tags: Collection[str], text: str | None) -> bool | None:
    """Whether the platform, a tag or words call it advertising; None when neither a mark nor a text is known."""
    return _sponsored(declared, tags, text, text is not None and is_marked(text))


def are_sponsored(
    declared: Sequence[bool | None], tags: Sequence[Collection[str]], texts: Sequence[str | None]
) -> list[bool | None]:
    """``is_sponsored`` for each item of a batch, ten times as fast."""
    return list(map(_sponsored, declared, tags, texts, marked(texts)))


def _sponsored(declared: bool | None, tags: Collection[str], text: str | None, is_marked: bool) -> bool | None:
    if declared or is_marked or not SPONSORED_TAGS.isdisjoint(tags):
        return True
    return None if declared is None and text is None else False


def distinct(values: Iterable[str | None]) -> list[str]:
    """The values that are there, each once, in order."""
    return [value for value in dict.fromkeys(values) if value]


def either(*values: bool | None) -> bool | None:
    """True when one is, None when none is known, else False."""
    return True if any(values) else (None if values.count(None) == len(values) else False)


def country_code(value: str | None) -> str | None:
    """An ISO 3166-1 alpha-2 code in upper case; None for anything else."""
    code = (value or "").strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
