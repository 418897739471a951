"""Creator lists written as JSON: an array of objects, or one object after another (JSON Lines)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from igtool.errors import UsageError

_SPACE = re.compile(r"[ \t\r\n]*")
_AFTER_ELEMENT = re.compile(r"[ \t\r\n]*([,\]])[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_UNREAD = 500


class JsonRecord(NamedTuple):
    """One element: the line on which it starts, its fields as text, and why it is unusable (a slug) or None."""

    line: int
    cells: dict[str, str]
    reason: str | None


class _Number(str):
    """A number as it is written in the file."""


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def read_json(text: str, name: str) -> list[JsonRecord]:
    """Every element of the list in ``text``, in order; ``name`` is the file's name for messages.

    Texts are taken as cells, numbers as they are written, true and false in words, null as empty, anything nested
    as JSON. An element that is a text is a handle. What is no object is kept in a field ``json`` with the reason
    ``not-an-object``, a line of JSON Lines that cannot be read with ``bad-json``. Raises UsageError for a broken
    array, and when nothing in the text is JSON.
    """
    start = _skip(text, 0)
    lines = _Lines(text)
    try:
        records = list(_array(text, start + 1, lines) if text[start : start + 1] == "[" else _lines(text, start, lines))
    except (ValueError, RecursionError) as error:
        line = lines.at(error.pos) if isinstance(error, json.JSONDecodeError) else lines.line
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{name} is not a JSON list, line {line}: {what}. Repair it, or save it as CSV") from error
    if not any(record.reason is None for record in records):
        raise UsageError(f'{name} holds no JSON object: a list looks like [{{"handle": "name"}}, …]')
    return records


class _Lines:
    """Line numbers of rising positions, in linear time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self.line = 1

    def at(self, position: int) -> int:
        """The line, from 1, that holds ``position``."""
        self.line += self._text.count("\n", self._position, position)
        self._position = max(self._position, position)
        return self.line


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _array(text: str, position: int, lines: _Lines) -> Iterator[JsonRecord]:
    position = _skip(text, position)
    if text[position : position + 1] == "]":
        return
    while True:
        value, end = _DECODER.raw_decode(text, position)
        yield _record(value, lines.at(position))
        match = _AFTER_ELEMENT.match(text, end)
        if match is None:
            raise json.JSONDecodeError("expected , or ] after an element", text, end)
        position = match.end()
        if match[1] == "]":
            break
    if position < len(text):
        raise json.JSONDecodeError("text after the end of the array", text, position)


def _lines(text: str, position: int, lines: _Lines) -> Iterator[JsonRecord]:
    while position < len(text):
        line = lines.at(position)
        try:
            value, end = _DECODER.raw_decode(text, position)
            yield _record(value, line)
        except json.JSONDecodeError:
            found = text.find("\n", position)
            end = found if found >= 0 else len(text)
            yield JsonRecord(line, {"json": _clean(text[position : min(end, position + _LONGEST_UNREAD)])}, "bad-json")
        position = _skip(text, end)


def _record(value: Any, line: int) -> JsonRecord:
    if isinstance(value, dict):
        return JsonRecord(line, {_clean(key): _cell(cell) for key, cell in value.items()}, None)
    if isinstance(value, str) and not isinstance(value, _Number):
        return JsonRecord(line, {"handle": _clean(value)}, None)
    return JsonRecord(line, {"json": _cell(value)[:_LONGEST_UNREAD]}, "not-an-object")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return _clean(value) if isinstance(value, str) else _clean(_written(value))


def _written(value: Any) -> str:
    """``value`` as JSON text, numbers as they were."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_written(str(key))}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _clean(text: str) -> str:
    """``text`` without lone surrogates, which no file in UTF-8 can hold."""
    return _SURROGATE.sub("\ufffd", text)
