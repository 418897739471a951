"""Files of conversations: CSV (Customer Support on Twitter by its header, others by columns) and JSON lines."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from igtool.conversations.checking import InvalidSchema, shown_time
from igtool.errors import UsageError
from igtool.files import storage_error

FIELDS = ("text", "author", "timestamp", "key")
TWCS = ("tweet_id", "author_id", "inbound", "created_at", "text")
"""Columns of Customer Support on Twitter (kaggle.com/thoughtvector), which may have others before and behind."""

_TWITTER_TIME = "%a %b %d %H:%M:%S %z %Y"
_OTHER_TIMES = (_TWITTER_TIME, "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M:%S%z")
_USUAL = {"text": ("text",), "author": ("author",), "timestamp": ("timestamp", "created_at"), "key": ()}
_DELIMITERS = ",;\t|"
_PROBE = 1 << 16
_EPOCH = re.compile(r"\d{10}(\d{3})?")
_WHOLE = re.compile(r"(\d+)\.0")
_LONGEST = 1 << 20
"""Characters of a cell; a quote that is never closed makes cells of the rest of a file."""


@dataclass(frozen=True)
class Line:
    """A conversation of a file as a client would send it, with an idempotency key; or the ``error`` in its place.

    ``line``: where it begins, from 1.
    """

    line: int
    given: dict[str, Any]
    key: str
    error: str | None = None


def read_conversations(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[Line]:
    """The conversations of ``path`` in order, each under a key that is the same whenever the file is read.

    ``columns``: field (text, author, timestamp, key) to the column or name that holds it; all others go into
    ``raw_data``. The key is that of the platform where ``key`` is named, else made of the row and, of equal rows, of
    their number. Raises UsageError for a file that cannot be read so, and StorageError.
    """
    reader = _json_lines if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows
    try:
        with path.open(newline="", encoding=_encoding(path), errors="replace") as file:
            yield from reader(file, path.name, dict(columns or {}))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except OSError as error:
        raise storage_error(error, path) from error


def _encoding(path: Path) -> str:
    """UTF-8, UTF-16 by its mark, or what Windows writes."""
    with path.open("rb") as file:
        start = file.read(_PROBE)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8-sig" if error.start > len(start) - 4 else "cp1252"
    return "utf-8-sig"


def _csv_rows(file: IO[str], name: str, columns: dict[str, str]) -> Iterator[Line]:
    first = file.readline(_PROBE)
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    chosen = None if set(TWCS) <= set(header) and not columns else _columns(header, name, columns)
    taken: Counter[str] = Counter()
    csv.field_size_limit(_LONGEST)
    rows = csv.reader(file, delimiter=_delimiter(first))
    while True:
        line = rows.line_num + 2
        try:
            cells = next(rows, None)
        except csv.Error as error:
            yield Line(line, {}, "", f"{error}: is there a quote that is never closed?")
            continue
        if cells is None:
            return
        row = {column: cell for column, cell in zip(header, cells, strict=False) if cell.strip()}
        if row:
            yield _twcs(line, row) if chosen is None else _mapped(line, row, chosen, taken)


def _json_lines(file: IO[str], name: str, columns: dict[str, str]) -> Iterator[Line]:
    taken: Counter[str] = Counter()
    del name
    for number, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            row = msgspec.json.decode(text.encode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError) as error:
            yield Line(number, {}, "", f"this is not JSON: {error}"[:200])
            continue
        if not isinstance(row, dict):
            yield Line(number, {}, "", "this is JSON, but not an object")
            continue
        chosen = {**{field: names[0] for field, names in _USUAL.items() if names}, "key": "idempotency_key", **columns}
        if "created_at" in row and "timestamp" not in row and "timestamp" not in columns:
            chosen["timestamp"] = "created_at"
        yield _mapped(number, row, chosen, taken)


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _columns(header: Sequence[str], name: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Field to column. Raises UsageError for one that is not there."""
    names = [column.strip() for column in header]
    for field, column in columns.items():
        if column not in header:
            raise UsageError(f"{name} has no column {column!r} for {field}; it has: {', '.join(names)}")
    usual = {field: next((one for one in known if one in header), None) for field, known in _USUAL.items()}
    chosen = {field: column for field, column in {**usual, **columns}.items() if column is not None}
    if "text" not in chosen:
        raise UsageError(f"which column of {name} is the text? --map text=COLUMN; it has: {', '.join(names)}")
    return chosen


def _twcs(line: int, row: dict[str, Any]) -> Line:
    """A tweet of Customer Support on Twitter: its id is the key, and what it answers is kept."""
    raw: dict[str, Any] = {"tweet_id": row.get("tweet_id"), "inbound": row.get("inbound") == "True"}
    for name in ("response_tweet_id", "in_response_to_tweet_id"):
        if (value := row.get(name)) is not None:
            whole = _WHOLE.fullmatch(value)
            raw[name] = whole[1] if whole else value
    given = {"text": row.get("text"), "author": row.get("author_id"), "raw_data": raw}
    return _line(line, given, row.get("created_at"), f"twcs:{row.get('tweet_id')}")


def _mapped(line: int, row: dict[str, Any], chosen: Mapping[str, str], taken: Counter[str]) -> Line:
    """A row of any other file."""
    others = {name: value for name, value in row.items() if name not in chosen.values()}
    inner = others.pop("raw_data", None)
    raw = (
        {**inner, **others} if isinstance(inner, dict) else others | ({"raw_data": inner} if inner is not None else {})
    )
    given = {field: row.get(chosen.get(field, "")) for field in ("text", "author")} | {"raw_data": raw}
    stamp = row.get(chosen.get("timestamp", ""))
    key = row.get(chosen.get("key", ""))
    if key is None:
        said = json.dumps([given, str(stamp)], sort_keys=True, default=str)
        digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
        taken[digest] += 1
        key = f"row:{digest}:{taken[digest]}"
    return _line(line, given, stamp, str(key))


def _line(line: int, given: dict[str, Any], stamp: Any, key: str) -> Line:
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(author := given.get("author"), int):
        given["author"] = str(author)
    if stamp not in (None, ""):
        try:
            given["timestamp"] = shown_time(_time(str(stamp).strip()))
        except InvalidSchema as error:
            return Line(line, given, key, str(error))
    return Line(line, given, key)


def _time(text: str) -> datetime:
    """A time as files have it, UTC where it names no zone. Raises InvalidSchema."""
    found: datetime | None = None
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
    if found is None and _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    for form in _OTHER_TIMES if found is None else ():
        with suppress(ValueError):
            found = datetime.strptime(text, form)  # noqa: DTZ007 - each of them has %z
            break
    with suppress(ValueError, OverflowError):
        if found is not None:
            return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    raise InvalidSchema(f"{text[:40]!r} is no time; times are like 2026-01-31T12:00:00Z or as Twitter writes them")
