"""What may be given as a conversation and asked of insights; whatever else comes is refused with the reason."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from igtool.errors import UsageError
from igtool.journal.conversations import NewConversation
from igtool.outbox import microseconds_of

MOST_TEXT = 100_000
MOST_AUTHOR = 1_000
MOST_RAW = 100_000
"""Characters of raw_data as JSON."""
MOST_KEY = 255
MOST_LIMIT, USUAL_LIMIT = 1_000, 100
MOST_TREND = timedelta(days=31)
AHEAD = timedelta(minutes=5)
"""A clock that is further ahead than this is wrong."""
SENTIMENTS = ("positive", "negative", "neutral")

_FIELDS = frozenset({"text", "author", "timestamp", "raw_data"})
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)
KEY = rf"^[!-~]([ -~]{{0,{MOST_KEY - 2}}}[!-~])?$"
"""What an Idempotency-Key looks like."""
_KEY = re.compile(KEY)
SOMETHING = r"[^\s\u001c-\u001f\u0085\ufeff]"
"""What a text has to have one of; spelt out, as JSON Schema's idea of white space is not Python's."""
_SAYS_ANYTHING = re.compile(SOMETHING)
_SAYS = "must be a time of RFC 3339 such as 2026-01-31T12:00:00Z"


class InvalidSchema(UsageError):  # noqa: N818 - what clients are told
    """What was given does not have the shape that it must have; the message says which part, and how it must be."""


class KeyConflict(UsageError):  # noqa: N818 - as above
    """An idempotency key was used before, for something else."""


@dataclass(frozen=True)
class Period:
    """From ``start`` to ``end``, both of them included, of one tenant's conversations."""

    start: datetime
    end: datetime
    tenant_id: str


@dataclass(frozen=True)
class Wanted:
    """Which insights are asked for, the newest ``limit`` of them."""

    period: Period
    limit: int = USUAL_LIMIT
    min_confidence: float | None = None
    sentiment: str | None = None


def decoded_body(body: bytes) -> Any:
    """The value of a body that is JSON. Raises InvalidSchema."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidSchema(f"The body is not JSON: {error}"[:200]) from error


def new_conversation(
    given: Any, *, now: datetime, tenant_id: str, key: str | None = None, source: str = "api"
) -> NewConversation:
    """What is to be stored of a conversation as a client sends it. Raises InvalidSchema."""
    if not isinstance(given, Mapping):
        raise InvalidSchema("The body must be a JSON object")
    if "text" not in given:
        raise InvalidSchema("Missing required field: text")
    if unknown := sorted(str(name) for name in given if name not in _FIELDS):
        raise InvalidSchema(f"Unknown field: {unknown[0][:100]}")
    text = _text(given, "text", MOST_TEXT)
    if text is None or not _SAYS_ANYTHING.search(text):
        raise InvalidSchema("Field text must not be empty")
    author, raw = _text(given, "author", MOST_AUTHOR), _raw(given.get("raw_data"))
    stamp = given.get("timestamp")
    said_at = None if stamp is None else time_of(stamp, "Field timestamp")
    if said_at is not None and said_at > now + AHEAD:
        raise InvalidSchema("Field timestamp lies in the future")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidSchema(f"Idempotency-Key must be 1 to {MOST_KEY} visible ASCII characters")
    body = hashlib.sha256(json.dumps([text, author, said_at and said_at.isoformat(), raw]).encode()).digest()
    named = None if key is None else hashlib.sha256(f"{tenant_id}\0{key}".encode()).digest()
    chosen = _id() if named is None else f"conv_{hashlib.sha256(named).hexdigest()[:24]}"
    at = microseconds_of(said_at or now)
    row = {"conversation_id": chosen, "author": author, "text": text, "said_at": at, "raw_data": raw}
    row |= {"source": source, "tenant_id": tenant_id}
    return NewConversation(chosen, _id(), tenant_id, at, json.dumps(row, ensure_ascii=False), body, named)


def wanted(given: Mapping[str, str], tenant_id: str) -> Wanted:
    """What the parameters of a request ask for. Raises InvalidSchema."""
    _only(given, {"start_time", "end_time", "limit", "min_confidence", "sentiment"})
    period = _period(given, tenant_id)
    limit, least, sentiment = given.get("limit"), given.get("min_confidence"), given.get("sentiment")
    if limit is not None and not (re.fullmatch("[0-9]{1,4}", limit, re.ASCII) and 1 <= int(limit) <= MOST_LIMIT):
        raise InvalidSchema(f"Parameter limit must be a whole number from 1 to {MOST_LIMIT}")
    if sentiment is not None and sentiment not in SENTIMENTS:
        raise InvalidSchema(f"Parameter sentiment must be one of: {', '.join(SENTIMENTS)}")
    return Wanted(period, USUAL_LIMIT if limit is None else int(limit), _confidence(least), sentiment)


def wanted_trends(given: Mapping[str, str], tenant_id: str) -> Period:
    """The time that trends are asked for. Raises InvalidSchema."""
    _only(given, {"start_time", "end_time"})
    period = _period(given, tenant_id)
    if period.end - period.start > MOST_TREND:
        raise InvalidSchema(f"Trends are of at most {MOST_TREND.days} days from start_time to end_time")
    return period


def time_of(given: Any, name: str) -> datetime:
    """A time of RFC 3339, in UTC. Raises InvalidSchema, which begins with ``name``."""
    if isinstance(given, str) and _RFC3339.fullmatch(given):
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(given.upper()).astimezone(UTC)
    hint = ""
    if isinstance(given, str) and _LOST_PLUS.search(given) and _RFC3339.fullmatch(_LOST_PLUS.sub("+", given)):
        hint = " (in an address + is written %2B)"
    raise InvalidSchema(f"{name} {_SAYS}{hint}")


def shown_time(at: datetime) -> str:
    """A UTC time as clients get it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _only(given: Mapping[str, str], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise InvalidSchema(f"Unknown parameter: {unknown[0][:100]}")


def _period(given: Mapping[str, str], tenant_id: str) -> Period:
    times = []
    for name in ("start_time", "end_time"):
        if name not in given:
            raise InvalidSchema(f"Missing required parameter: {name}")
        times.append(time_of(given[name], f"Parameter {name}"))
    if times[0] > times[1]:
        raise InvalidSchema("Parameter start_time must not be after end_time")
    return Period(times[0], times[1], tenant_id)


def _confidence(given: str | None) -> float | None:
    if given is None:
        return None
    if _NUMBER.fullmatch(given) and 0 <= float(given) <= 1:
        return float(given)
    raise InvalidSchema("Parameter min_confidence must be a number from 0 to 1")


def _text(given: Mapping[str, Any], name: str, most: int) -> str | None:
    """A field that is text, storable; None where there is none."""
    value = given.get(name)
    if value is None and name != "text":
        return None
    if not isinstance(value, str):
        raise InvalidSchema(f"Field {name} must be a string")
    if len(value) > most:
        raise InvalidSchema(f"Field {name} must have at most {most} characters")
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _raw(value: Any) -> str:
    """``raw_data`` as JSON."""
    if value is None:
        return "{}"
    if not isinstance(value, Mapping):
        raise InvalidSchema("Field raw_data must be an object")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if len(text) > MOST_RAW:
        raise InvalidSchema(f"Field raw_data must have at most {MOST_RAW} characters as JSON")
    return text.encode("utf-8", "replace").decode()


def _id() -> str:
    return f"conv_{uuid.uuid4().hex[:24]}"
