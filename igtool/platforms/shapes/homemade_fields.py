"""Single values of a payload whose keys have many names: looked up by column, read leniently."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from igtool.lists.handles import is_missing
from igtool.platforms import values
from igtool.platforms.base import Top
from igtool.platforms.shapes.homemade_names import NO, YES, fold
from igtool.platforms.values import MongoNumber, Number

NO_TIME_ZONE = "no-time-zone"
"""The flag of a time without a zone; it is taken as UTC, which is what the usual libraries for collecting write."""

_SCALAR = msgspec.json.Decoder(Number)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*", re.IGNORECASE)
_DAY_AND_MONTH = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?)?", re.ASCII)
_SECONDS = re.compile(r"\d{1,6}(?:\.\d{1,9})?", re.ASCII)


class Fields:
    """The values of one object; the names that are asked for are folded, and the first with a value counts."""

    def __init__(self, *layers: Top) -> None:
        self._raw: dict[str, msgspec.Raw] = {}
        for layer in layers:
            for key, raw in layer.items():
                self._raw.setdefault(fold(key), raw)

    def value(self, names: Sequence[str]) -> int | float | str | bool | None:
        """A number, a text that is not blank, or a boolean."""
        return next(iter(self.each(names)), None)

    def each(self, names: Sequence[str]) -> list[int | float | str | bool]:
        """The values of all names that have one."""
        found = (_scalar(self._raw[name]) for name in names if name in self._raw)
        return [value for value in found if value is not None]

    def text(self, names: Sequence[str]) -> str | None:
        """A text, without white space around."""
        return next(iter(self.texts(names)), None)

    def texts(self, names: Sequence[str]) -> list[str]:
        """The texts of all names that have one; whole numbers as their digits."""
        return [str(value).strip() for value in self.each(names) if isinstance(value, str) or type(value) is int]

    def listed(self, names: Sequence[str]) -> list[str] | None:
        """The texts of a list, or of a list of objects with an address, or a single text; None without any."""
        for name in names:
            if name in self._raw:
                entries = entries_of(self._raw[name])
                found = [_scalar(keys_of(entry).get("url", entry)) for entry in entries or [self._raw[name]]]
                texts = values.distinct(text.strip() for text in found if isinstance(text, str))
                if texts:
                    return texts
        return None

    def objects(self, names: Sequence[str]) -> list[tuple[str, msgspec.Raw]]:
        """The entries of all lists with an object in them, and where each stands: ``posts[3]``."""
        return [
            (f"{name}[{position}]", entry)
            for name in names
            if name in self._raw and any(map(_is_object, entries := entries_of(self._raw[name])))
            for position, entry in enumerate(entries)
        ]

    def layer(self, names: Sequence[str]) -> Top | None:
        """The first of these that is an object with keys."""
        return next((keys for name in names if name in self._raw and (keys := keys_of(self._raw[name]))), None)

    def count(self, names: Sequence[str], flags: list[str]) -> int | None:
        """A count; a word for "no value" is none, without a flag."""
        value = self.value(names)
        if isinstance(value, str) and value.strip() != "0" and is_missing(value):
            return None
        return values.count(value, flags)

    def flag(self, names: Sequence[str]) -> bool | None:
        """A boolean, also as a word or as 0 and 1; None for anything else."""
        word = fold(str(self.value(names)))
        return True if word in YES else False if word in NO else None

    def moment(self, names: Sequence[str], flags: list[str], *, day_first: bool | None = None) -> datetime | None:
        """A time; see ``moment``."""
        value = self.value(names)
        return None if isinstance(value, bool) else moment(value, flags, day_first=day_first)

    def seconds(self, names: Sequence[str], flags: list[str]) -> float | None:
        """A duration: seconds, or ISO 8601."""
        value = self.value(names)
        if isinstance(value, str):
            return float(value) if _SECONDS.fullmatch(value) else values.duration_s(value, flags)
        return float(value) if value is not None and not isinstance(value, bool) and 0 <= value < 1e6 else None


def keys_of(raw: msgspec.Raw) -> Top:
    """The keys of an object; none when it is no object."""
    try:
        return _KEYS.decode(raw)
    except msgspec.ValidationError:
        return {}


def entries_of(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The entries of a list; none when it is no list."""
    try:
        return _LIST.decode(raw)
    except msgspec.ValidationError:
        return []


def _is_object(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def _scalar(raw: msgspec.Raw) -> int | float | str | bool | None:
    try:
        value = _SCALAR.decode(raw)
    except msgspec.ValidationError:
        return None
    if isinstance(value, MongoNumber):
        value = value.value
    return None if isinstance(value, str) and not value.strip() else value


def moment(value: float | str | None, flags: list[str], *, day_first: bool | None = None) -> datetime | None:
    """A time in any absolute form, in UTC.

    A text without a zone is UTC and gets the flag ``no-time-zone``. ``03/04/2025`` is read with the day first when
    ``day_first`` (Spanish), with the month first when that is False; when it is None and both could be, it is
    unknown, with the flag ``bad-time``.
    """
    if not isinstance(value, str):
        return values.moment(value, flags)
    text = value.strip()
    parts = _DAY_AND_MONTH.fullmatch(text)
    if parts:
        first, _, second, year, *clock = parts.groups(default="0")
        if day_first is None and int(first) <= 12 and int(second) <= 12 and first != second:
            flags.append("bad-time")
            return None
        is_day_first = int(first) > 12 or (day_first is not False and int(second) <= 12)
        day, month = (first, second) if is_day_first else (second, first)
        hour, minute, second = clock
        text = f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}"
    found = values.moment(text, flags)
    if found is not None and not text.replace(".", "").isdigit() and not _ZONE.search(text[10:]):
        flags.append(NO_TIME_ZONE)
    return found


def has_any(columns: Collection[str], names: Sequence[str]) -> bool:
    """Whether one of the folded ``columns`` has one of the names."""
    return not set(names).isdisjoint(columns)
