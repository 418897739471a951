"""Creator lists: read from CSV, JSON or the command line, and written back with empty cells filled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from igtool.errors import UsageError
from igtool.files import replaced, storage_error
from igtool.lists.columns import HandleColumn, first_is_data, handle_columns, platform_column
from igtool.lists.csv_text import CsvText, Decoded, Oddities, Record, decode, quoted, read_csv
from igtool.lists.handles import UNSUPPORTED, parse_platform
from igtool.lists.json_text import read_json
from igtool.lists.rows import ListRow as ListRow
from igtool.lists.rows import RowReader
from igtool.text import spreadsheet_safe

MAX_BYTES = 2**30
"""The largest list that is read: it is held in memory several times over."""

COMMAND_LINE = "command line"
"""The name of a list of handles that were typed."""

FORGOTTEN = "forgotten"
"""The reason of a row about somebody who was forgotten, and all that is written of it."""

_JSON_SUFFIXES = {".json", ".jsonl", ".ndjson"}
_CSV_SUFFIXES = {".csv", ".tsv", ".tab", ".txt"}
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "a SQLite database",
}


@dataclass(frozen=True)
class CreatorList:
    """A list as it was read: every record is a row, usable or not.

    ``columns`` are the names as written in the file. ``odd`` counts what was odd by slug, ``odd_lines`` holds the
    first five lines of each. ``encoding`` and ``delimiter`` are those of the file (UTF-8 and comma without one).
    """

    name: str
    path: Path | None
    rows: tuple[ListRow, ...]
    columns: tuple[str, ...]
    handle_column: str | None
    oddities: Oddities = field(repr=False)
    csv: CsvText | None = field(default=None, repr=False)
    has_header: bool = True

    @property
    def odd(self) -> dict[str, int]:
        """What was odd: slug to how often."""
        return self.oddities.counts

    @property
    def odd_lines(self) -> dict[str, list[int]]:
        """What was odd: slug to its first five lines."""
        return self.oddities.lines

    @property
    def delimiter(self) -> str:
        """What separates cells when the list is written."""
        return self.csv.delimiter if self.csv else ","

    @property
    def encoding(self) -> str:
        """The encoding in which the list is written."""
        return self.csv.source.encoding if self.csv else "utf-8"

    def column_index(self, column: str) -> int | None:
        """Place of ``column``: the exact name, else the first that differs in case and spaces only."""
        found = self._places.get(column)
        return self._loose_places.get(_loose(column)) if found is None else found

    def cell(self, row: ListRow, column: str) -> str:
        """Text of the row's cell in ``column``; empty when the row or the list has no such cell."""
        index = self.column_index(column)
        return row.cells[index] if index is not None and index < len(row.cells) else ""

    def row_json(self, row: ListRow) -> str:
        """The original row as a JSON object, column name to cell text; cells without a name are ``column N``."""
        names = [*self._names, *(f"column {n + 1}" for n in range(len(self.columns), len(row.cells)))]
        return json.dumps(dict(zip(names, row.cells, strict=False)), ensure_ascii=False)

    def coverage(self, column: str, fills: Mapping[int, Mapping[str, str]] | None = None) -> tuple[int, int]:
        """How many usable rows have a value in ``column``, and how many there are.

        ``fills`` (row number to cells) count as if they were written.
        """
        usable = [row for row in self.rows if row.reason is None]
        fills = fills or {}
        filled = sum(
            bool(self.cell(row, column).strip() or fills.get(row.number, {}).get(column, "").strip()) for row in usable
        )
        return filled, len(usable)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in reversed(list(enumerate(self.columns)))}

    @cached_property
    def _loose_places(self) -> dict[str, int]:
        return {_loose(name): place for place, name in reversed(list(enumerate(self.columns)))}

    @cached_property
    def _names(self) -> list[str]:
        """Column names made distinct and not empty."""
        names: dict[str, None] = {}
        for place, column in enumerate(self.columns):
            name = base = column if column.strip() else f"column {place + 1}"
            count = 1
            while name in names:
                count += 1
                name = f"{base} ({count})"
            names[name] = None
        return list(names)


def _loose(name: str) -> str:
    return "".join(name.casefold().split())


def read_list(path: Path, *, platform: str | None = None) -> CreatorList:
    """The list in ``path``: CSV with any common delimiter and encoding, a JSON array of objects, or JSON Lines.

    ``platform`` holds for rows that do not say theirs; else Instagram. Raises UsageError for a file that is
    missing, empty, too large, no text, without rows, or without a column that can hold handles; StorageError for
    one that may not be read.
    """
    platform = _known_platform(platform)
    try:
        source = decode(_read(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is broken UTF-16 at byte {error.start}: save it as UTF-8") from error
    if not source.text.strip(" \t\r\n\0"):
        raise UsageError(f"{path} is empty: a list needs a header and at least one creator")
    if _is_json(path, source.text):
        return _from_json(path, source.text, platform)
    return _from_csv(path, source, platform)


def from_handles(handles: Sequence[str], *, platform: str | None = None) -> CreatorList:
    """A list of handles or profile addresses, as given on the command line.

    Raises UsageError for none at all and for one that cannot be a handle.
    """
    platform = _known_platform(platform)
    texts = [handles] if isinstance(handles, str) else list(handles)
    if not texts:
        raise UsageError("no handle was given: name a list file, or handles such as @name")
    reader = RowReader(("handle",), [HandleColumn(0, None)], None, platform, Oddities())
    for text in texts:
        row = reader.add(None, (text,))
        if row.reason == UNSUPPORTED.reason:
            raise UsageError(f"{text[:60]!r} is not on Instagram or YouTube: only those two are supported")
        if row.reason is not None:
            raise UsageError(
                f"{text[:60]!r} cannot be a handle: give @name or a profile address, for example "
                "https://www.instagram.com/name"
            )
    return CreatorList(COMMAND_LINE, None, tuple(reader.rows), ("handle",), "handle", reader.odd)


def without_forgotten(creators: CreatorList, is_forgotten: Callable[[str, str], bool]) -> CreatorList:
    """``creators`` with rows that say nothing for those whose (platform, handle) ``is_forgotten``."""
    place = creators.column_index(creators.handle_column or "") or 0
    rows = []
    for row in creators.rows:
        if row.platform is not None and row.handle is not None and is_forgotten(row.platform, row.handle):
            cells = tuple(FORGOTTEN if n == place else "" for n in range(max(len(row.cells), place + 1)))
            rows.append(ListRow(row.number, row.line, None, None, cells, FORGOTTEN))
        else:
            rows.append(row)
    return replace(creators, rows=tuple(rows))


def _known_platform(platform: str | None) -> str | None:
    found = parse_platform(platform) if platform else None
    if platform and not isinstance(found, str):
        raise UsageError(f"platform {platform!r} is not known: use instagram or youtube")
    return found if isinstance(found, str) else None


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name the list file in it, and give raw dumps as SOURCE")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}: check the name of the list") from error
    except OSError as error:
        raise storage_error(error, path) from error
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is no file name: {error}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES:,} bytes: split it into several lists")
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise UsageError(f"{path} is {what}, not text: save the list as CSV")
    return data


def _is_json(path: Path, text: str) -> bool:
    suffix = path.suffix.lower()
    if suffix in _JSON_SUFFIXES or suffix in _CSV_SUFFIXES:
        return suffix in _JSON_SUFFIXES
    return text.lstrip().startswith(("[{", "{", "[\n", "[\r"))


def _from_json(path: Path, text: str, platform: str | None) -> CreatorList:
    records = read_json(text, str(path))
    columns = tuple(dict.fromkeys(column for record in records for column in record.cells))
    table = [tuple(record.cells.get(column, "") for column in columns) for record in records]
    reader = _row_reader(path, columns, table, platform, Oddities())
    reader.header = None
    for record, cells in zip(records, table, strict=True):
        reader.add(record.line, cells, record.reason)
    return _finished(path, columns, reader)


def _from_csv(path: Path, source: Decoded, platform: str | None) -> CreatorList:
    csv = read_csv(source)
    odd = Oddities(dict(csv.odd.counts), {slug: list(lines) for slug, lines in csv.odd.lines.items()})
    if source.encoding in {"cp1252", "latin-1"}:
        odd.add("not-utf-8")
    if not csv.records:
        raise UsageError(f"{path} is empty: a list needs a header and at least one creator")
    first = csv.records[0]
    has_header = not first_is_data(first.cells)
    columns = first.cells if has_header else tuple(f"column {n + 1}" for n in range(len(first.cells)))
    records = csv.records[has_header:]
    if not records:
        raise UsageError(f"{path} has a header and no rows: add at least one creator")
    if not has_header:
        odd.add("no-header", first.line)
    reader = _row_reader(path, columns, [record.cells for record in records], platform, odd)
    reader.header = first.cells if has_header else None
    for record in records:
        reader.add(record.line, record.cells)
    return _finished(path, columns, reader, csv, has_header=has_header)


def _row_reader(
    path: Path, columns: Sequence[str], table: Sequence[Sequence[str]], platform: str | None, odd: Oddities
) -> RowReader:
    found = handle_columns(columns, table)
    if not found:
        names = ", ".join(" ".join(column.split()) or "(no name)" for column in columns[:20])
        raise UsageError(
            f"{path} has no column that can hold handles; its columns are: {names}. Name one "
            "username or handle, with values like @name or a profile address"
        )
    return RowReader(tuple(columns), found, platform_column(columns), platform, odd)


def _finished(
    path: Path, columns: tuple[str, ...], reader: RowReader, csv: CsvText | None = None, *, has_header: bool = True
) -> CreatorList:
    column = columns[reader.handles[0].index]
    return CreatorList(path.name, path, tuple(reader.rows), columns, column, reader.odd, csv, has_header)


def write_filled(
    creators: CreatorList,
    fills: Mapping[int, Mapping[str, str]],
    columns_to_fill: Sequence[str],
    path: Path,
) -> str:
    """Write the list to ``path`` with ``fills`` (row number to cells) in its empty cells; the encoding it got.

    A file from CSV is copied byte for byte, its quoting and line ends too; JSON and handles become CSV. Only empty
    cells of ``columns_to_fill`` change; a column that is not there is appended to every record. Values are written
    so that a spreadsheet does not run them. Where the file's encoding lacks a character, UTF-8 is written and
    ``odd`` counts ``written-as-utf-8``. ``path`` is replaced as a whole. Raises StorageError.
    """
    csv = creators.csv or _as_csv(creators)
    data, encoding = csv.source.encode(_filled_text(creators, csv, fills, columns_to_fill))
    if encoding != csv.source.encoding:
        creators.odd["written-as-utf-8"] = 1
    with replaced(path) as file:
        file.write(data)
    return encoding


def _as_csv(creators: CreatorList) -> CsvText:
    """The list as comma-separated text, UTF-8, LF."""
    records: list[Record] = []
    pieces: list[str] = []
    start = 0
    for line, cells in enumerate([creators.columns, *(row.cells for row in creators.rows)], start=1):
        raw = tuple(quoted(cell, ",") for cell in cells)
        if raw == ("",):  # a line without any character would not be a record
            raw = ('""',)
        text = ",".join(raw)
        end = start + len(text)
        pieces.append(text + "\n")
        records.append(Record(line, start, end, end + 1, cells, raw))
        start = end + 1
    return CsvText(Decoded("".join(pieces), "utf-8"), ",", tuple(records), Oddities())


def _filled_text(
    creators: CreatorList, csv: CsvText, fills: Mapping[int, Mapping[str, str]], columns_to_fill: Sequence[str]
) -> str:
    places, new = _places(creators, csv.records, columns_to_fill)
    width = max(places.values(), default=-1) + 1 if new else 0
    forgotten = {row.number: row.cells for row in creators.rows if row.reason == FORGOTTEN}
    text, copied = csv.source.text, 0
    pieces: list[str] = []
    for number, record in enumerate(csv.records, start=0 if creators.has_header else 1):
        if number in forgotten:
            pieces += (text[copied : record.start], csv.delimiter.join(forgotten[number]))
            copied = record.end
            continue
        if number == 0:
            values = {places[name]: name for name in new}
        else:
            filled = fills.get(number, {})
            values = {places[name]: _safe(value) for name, value in filled.items() if name in places and value.strip()}
        if values or new:
            pieces += (text[copied : record.start], _changed(csv, record, values, width))
            copied = record.end
    pieces.append(text[copied:])
    return "".join(pieces)


def _places(
    creators: CreatorList, records: Iterable[Record], columns_to_fill: Sequence[str]
) -> tuple[dict[str, int], list[str]]:
    """Where each column to fill is, and the names of those that are appended.

    They go behind the longest record, so that no cell without a header is taken for theirs.
    """
    places: dict[str, int] = {}
    new: dict[str, str] = {}
    for name in columns_to_fill:
        place = creators.column_index(name)
        if place is None:
            new.setdefault(_loose(name), name)
        else:
            places[name] = place
    if new:
        width = max(_filled_width(record.cells) for record in records)
        behind = max(width, len(creators.columns))
        order = {loose: behind + n for n, loose in enumerate(new)}
        places |= {name: order[_loose(name)] for name in columns_to_fill if _loose(name) in order}
    return places, list(new.values())


def _filled_width(cells: Sequence[str]) -> int:
    """How many cells there are up to the last one with text."""
    return next((n for n in range(len(cells), 0, -1) if cells[n - 1].strip()), 0)


def _safe(value: str) -> str:
    return spreadsheet_safe(value.encode("utf-8", "replace").decode())


def _changed(csv: CsvText, record: Record, values: Mapping[int, str], width: int) -> str:
    """The raw text of ``record`` with ``values`` in its empty cells, padded to ``width`` cells."""
    raw = csv.raw_cells(record)
    changed = False
    for place, value in values.items():
        if place >= len(record.cells) or not record.cells[place].strip():
            raw += [""] * (place + 1 - len(raw))
            raw[place] = csv.quoted(value)
            changed = True
    if len(raw) < width:
        raw += [""] * (width - len(raw))
        changed = True
    return csv.delimiter.join(raw) if changed else csv.source.text[record.start : record.end]
