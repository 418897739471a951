"""Delimited text as documents: each record an object from the name of its column to the text of its cell.

The reader of creator lists cuts the text into records. It is given a block at a time, so that a file of any length
needs the memory of one block.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from io import BufferedReader
from typing import Any

import msgspec

from igtool.lists.csv_text import CsvText, Decoded, Record, decode, read_csv
from igtool.platforms.documents import Piece, page_flaw, too_large
from igtool.platforms.json_text import Malformed

Knows = Callable[[Collection[str]], bool]
"""Whether records with columns of these names can give rows."""

MAX_COLUMNS = 2000
"""The widest dumps seen have 37; a spreadsheet that was saved with all its empty columns has 16,384."""

MAX_RECORD = 4 * 2**20
"""Characters of a record: the longest fields of the platforms have 5,000, whole answers in a cell under 1 MiB."""

_BLOCK = 2**19
_HEADER = 2**16
_LOOK_AHEAD = 2**18
"""How far a quoted cell may reach once quotes in its block do not pair; beyond it, the quote opens nothing."""

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
_VALUE = re.compile(r"[-+]?\d[\d.,:/%-]*[kKmMbB]?|true|false|https?://\S*", re.IGNORECASE | re.ASCII)
_ERRORS = {"utf-8": "surrogateescape", "cp1252": "replace"}
"""What becomes of bytes that do not fit; read_csv makes U+FFFD of escaped ones. Broken UTF-16 cannot be mended."""
_LINE_END = re.compile(r"\r\n|\n|\r")


def any_columns(_names: Collection[str]) -> bool:
    """True: every record is worth reading."""
    return True


def split_rows(file: BufferedReader[Any], *, limit: int | None = None, knows: Knows = any_columns) -> Iterator[Piece]:
    """The records of ``file`` below its header, in order; ``position`` counts records, ``line`` is that of flaws.

    A body has the columns in their order and the cells as they are, "" for an empty one. A name that is there
    before becomes ``name#2``, an empty one ``column_5``; cells beyond the header are ``extra_1`` and so on, and
    cells that a short record lacks are not in the body. Bytes that do not fit the encoding become U+FFFD.

    Raises Malformed for the file: ``empty-file``, ``not-a-table`` (binary, or one column), ``no-header``,
    ``unknown-columns`` (``knows`` refuses them all at once), ``not-utf8`` (broken UTF-16), ``too-large`` (more
    than ``limit`` bytes, or a header without end), or ``html-`` for a page. Flaws of a record: ``empty-row``,
    ``repeated-header``, ``too-large``.
    """
    texts = _texts(file, limit)
    text = next(texts, "")
    sample = read_csv(Decoded(text[:_HEADER], "utf-8"))
    header = _header(sample, whole=len(text) <= _HEADER)
    bodies = _Bodies(header.cells)
    if not knows(bodies.names):
        raise Malformed("unknown-columns", f"no kind of dump has the columns {_listed(bodies.names)}")
    below = header.line + max(1, _line_ends(text[header.start : header.stop]))
    found = False
    rows = _Rows(texts, sample.delimiter, len(header.cells))
    for position, record in enumerate(rows.records(text[header.stop :], below)):
        found = True
        if isinstance(record, int):
            yield Piece(position, None, too_large("record", MAX_RECORD), record)
        else:
            yield bodies.piece(position, record)
    if not found:
        raise Malformed("empty-file", "there is nothing below the header")


def column_names(header: Sequence[str]) -> list[str]:
    """A name for each column, all different: without the space around, ``name#2`` where it was there before."""
    names: dict[str, None] = {}
    for place, cell in enumerate(header, 1):
        stem = name = cell.strip() or f"column_{place}"
        copies = 1
        while name in names:
            copies += 1
            name = f"{stem}#{copies}"
        names[name] = None
    return list(names)


def _texts(file: BufferedReader[Any], limit: int | None) -> Iterator[str]:
    """The text of ``file`` in blocks; its first block tells the encoding."""
    data = file.read(_BLOCK)
    flaw = page_flaw(data)
    if flaw is not None:
        raise flaw
    read = 0
    try:
        source = _source(data)
        decoder = codecs.getincrementaldecoder(source.encoding)(_ERRORS.get(source.encoding, "strict"))
        start = len(source.bom)
        while data:
            read += len(data)
            if limit is not None and read > limit:
                raise too_large("unpacked file", limit)
            yield decoder.decode(data[start:])
            data, start = file.read(_BLOCK), 0
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Malformed("not-utf8", f"it is not sound {error.encoding.upper()}: {error.reason}") from error


def _source(data: bytes) -> Decoded:
    """How ``data``, the first bytes of a file, are encoded; told by whole lines where there is more."""
    if len(data) == _BLOCK:
        data = data[: data.rfind(b"\n") + 1] or data
        data = data[: len(data) // 2 * 2]  # UTF-16 has two bytes a character
    return decode(data)


def _header(sample: CsvText, *, whole: bool) -> Record:
    """The first record, when it names columns."""
    if not sample.records:
        if whole:
            raise Malformed("empty-file", "there is nothing in it")
        raise too_large("run of blank lines before the header", _HEADER)
    header = sample.records[0]
    if _CONTROL.search("".join(header.cells)):
        raise Malformed("not-a-table", "it is binary: there are control characters in its first line")
    if header.stop == len(sample.source.text) and not whole:
        raise too_large("first line", _HEADER)
    if len(header.cells) > MAX_COLUMNS:
        raise _too_wide(len(header.cells))
    if len(header.cells) == 1:
        raise Malformed("not-a-table", f"it has one column, {header.cells[0].strip()[:60]!r}, where a dump has several")
    values = sum(_VALUE.fullmatch(cell.strip()) is not None for cell in header.cells)
    if 5 * values >= len(header.cells):
        raise Malformed("no-header", f"its first line holds values, not names of columns: {_listed(header.cells)}")
    return header


def _too_wide(width: int) -> Malformed:
    return Malformed("too-large", f"it has {width:,} columns; {MAX_COLUMNS:,} is the limit")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(" ".join(name[:40].split()) for name in names[:20]) + (", …" if len(names) > 20 else "")


class _Rows:
    """Cuts the text below a header into records, block after block."""

    def __init__(self, texts: Iterator[str], delimiter: str, width: int) -> None:
        self.texts = texts
        # Two lines that tell the reader of each block what the header told: the delimiter, and how many cells.
        self.preface = f"sep={delimiter}\n{delimiter * (width - 1)}\n"

    def records(self, text: str, line: int) -> Iterator[Record | int]:
        """The records of ``text``, which begins at ``line``, and of what follows; of a too large one its line."""
        last = False
        while not last:
            following = next(self.texts, None)
            last = following is None
            text += following or ""
            block = read_csv(Decoded(self.preface + text, "utf-8"))
            offset = line - 3  # the block counts from 1, and has the preface on top
            count = len(block.records) if last else _settled(block)
            for record in block.records[1:count]:
                yield record._replace(line=record.line + offset)
            if count < len(block.records):
                rest = block.records[count]
                text, line = block.source.text[rest.start :], rest.line + offset
            else:  # only blank lines; a line end may be cut in two
                line += _line_ends(text.removesuffix("\r"))
                text = "\r" if text.endswith("\r") else ""
            if len(text) > MAX_RECORD:
                yield line
                line += _line_ends(text) + 1
                text = self._next_line()

    def _next_line(self) -> str:
        """What follows the next line end in the texts to come."""
        for text in self.texts:
            found = _LINE_END.search(text)
            if found:
                return text[found.end() :]
        return ""


def _settled(block: CsvText) -> int:
    """How many records of ``block`` stay as they are, whatever follows: not the last one, which may go on.

    Where a quote opened nothing, its other half may be still to come, as far as _LOOK_AHEAD away.
    """
    count = len(block.records) - 1
    if "stray-quote" in block.odd.counts:
        sure = len(block.source.text) - _LOOK_AHEAD
        count = min(count, bisect_left(block.records, sure, key=lambda record: record.start))
    return max(count, 1)


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


class _Bodies:
    """Makes records into documents."""

    def __init__(self, header: Sequence[str]) -> None:
        self.header = tuple(header)
        self.names = column_names(header)
        self.wider: dict[int, list[str]] = {}

    def piece(self, position: int, record: Record) -> Piece:
        """The record as a document, or why it is none."""
        cells = record.cells
        if cells == self.header:
            return Piece(position, None, Malformed("repeated-header", "the header stands here again"), record.line)
        if not any(map(str.strip, cells)):
            return Piece(position, None, Malformed("empty-row", "all of its cells are empty"), record.line)
        if record.end - record.start > MAX_RECORD:
            return Piece(position, None, too_large("record", MAX_RECORD), record.line)
        if len(cells) > MAX_COLUMNS:
            return Piece(position, None, _too_wide(len(cells)), record.line)
        names = self.names if len(cells) <= len(self.names) else self._wider(len(cells))
        return Piece(position, msgspec.json.encode(dict(zip(names, cells, strict=False))))

    def _wider(self, width: int) -> list[str]:
        """The names for a record with more cells than the header has."""
        if width not in self.wider:
            extra = (f"extra_{number}" for number in range(1, width - len(self.header) + 1))
            self.wider[width] = column_names([*self.header, *extra])
        return self.wider[width]
