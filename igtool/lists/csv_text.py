"""Delimited text read so that it can be written again byte for byte.

The csv module forgets quoting and line ends, and one open quote makes it swallow the rest of a file. Here a record
keeps where it stands in the text, so that a copy changes single cells and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

DELIMITERS = ",;\t|"
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LINE_END = re.compile(r"\r\n|\n|\r")
_QUOTED = re.compile(r' *+"([^"]*+(?:""[^"]*+)*+)"')
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_SAMPLE = 30


class Record(NamedTuple):
    """One record: ``text[start:end]`` without its line end, which is ``text[end:stop]``; ``line`` from 1.

    ``raw`` are the cells as they stand in the text, quotes and all; None for a record without quotes.
    """

    line: int
    start: int
    end: int
    stop: int
    cells: tuple[str, ...]
    raw: tuple[str, ...] | None = None


@dataclass
class Oddities:
    """What was odd: slug to how often, and to the first five lines."""

    counts: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, slug: str, line: int | None = None) -> None:
        """Count ``slug`` once more."""
        self.counts[slug] = self.counts.get(slug, 0) + 1
        first = self.lines.setdefault(slug, [])
        if line is not None and len(first) < 5:
            first.append(line)


@dataclass(frozen=True)
class Decoded:
    """The text of a file, and what it takes to get the same bytes back."""

    text: str
    encoding: str
    bom: bytes = b""

    def encode(self, text: str) -> tuple[bytes, str]:
        """``text`` in this encoding, and its name; UTF-8 with a mark where a character does not exist in it."""
        try:
            return self.bom + text.encode(self.encoding, _errors(self.encoding)), self.encoding
        except UnicodeEncodeError:
            return text.encode("utf-8-sig", "surrogateescape"), "utf-8"


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding == "utf-8" else "strict"


def decode(data: bytes) -> Decoded:
    """``data`` as text: by its byte order mark, else UTF-8, UTF-16 by its zero bytes, Windows-1252, Latin-1.

    Mostly valid UTF-8 stays UTF-8: its broken bytes become lone surrogates, which ``Decoded.encode`` turns back.
    Raises UnicodeDecodeError for broken UTF-16.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return Decoded(data[len(bom) :].decode(encoding, _errors(encoding)), encoding, bom)
    for parity, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = _zero_share(data[parity:4000:2]), _zero_share(data[1 - parity : 4000 : 2])
        if len(data) % 2 == 0 and zeros > 0.3 and others < 0.1:
            return Decoded(data.decode(encoding), encoding)
    text = data.decode("utf-8", "surrogateescape")
    broken = len(_ESCAPED_BYTES.findall(text))
    if 10 * broken <= len(data) - len(text):
        return Decoded(text, "utf-8")
    try:
        return Decoded(data.decode("cp1252"), "cp1252")
    except UnicodeDecodeError:
        return Decoded(data.decode("latin-1"), "latin-1")


def _zero_share(data: bytes) -> float:
    return data.count(0) / max(len(data), 1)


@dataclass(frozen=True)
class CsvText:
    """A file of delimited text: its records, and the blank lines between them only in the text."""

    source: Decoded
    delimiter: str
    records: tuple[Record, ...]
    odd: Oddities

    def raw_cells(self, record: Record) -> list[str]:
        """The cells of ``record`` as they stand in the text; joined by the delimiter they are the record again."""
        if record.raw is not None:
            return list(record.raw)
        return self.source.text[record.start : record.end].split(self.delimiter)

    def quoted(self, cell: str) -> str:
        """``cell`` as it is written here: in quotes only where it must be."""
        return quoted(cell, self.delimiter)


def quoted(cell: str, delimiter: str) -> str:
    """``cell`` in quotes, inner ones doubled, if it holds the delimiter, a quote or a line end (RFC 4180)."""
    if delimiter in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def read_csv(source: Decoded) -> CsvText:
    """All records of ``source``; lines without any text are counted as ``blank-line`` and are no records."""
    text = source.text
    named = _SEPARATOR_LINE.match(text)
    start = named.end() if named else 0
    delimiter = named[1] if named else _delimiter(text)
    odd = Oddities()
    if named:
        odd.add("separator-line", 1)
    records = tuple(_Lexer(text, delimiter, start, odd).records())
    if _ESCAPED_BYTES.search(text):
        records = tuple(_readable(record, odd) for record in records)
    for record in records:
        if any("\0" in cell for cell in record.cells):
            odd.add("nul", record.line)
    ends = {text[record.end : record.stop] for record in records} - {""}
    if len(ends) > 1:
        odd.add("mixed-line-ends")
    return CsvText(source, delimiter, records, odd)


def _readable(record: Record, odd: Oddities) -> Record:
    """``record`` with U+FFFD for bytes that are not UTF-8; the text keeps them."""
    cells = tuple(_ESCAPED_BYTES.sub("\ufffd", cell) for cell in record.cells)
    if cells == record.cells:
        return record
    odd.add("broken-utf-8", record.line)
    return record._replace(cells=cells)


def _delimiter(text: str) -> str:
    """The delimiter under which most of the first records have as many cells as the header, more than one."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        widths: list[int] = []
        for record in _Lexer(text, delimiter, 0).records():
            widths.append(len(record.cells))
            if len(widths) == _SAMPLE:
                break
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _line_ends(text: str, start: int, end: int) -> int:
    """How many line ends, CRLF being one, are in ``text[start:end]``."""
    return text.count("\n", start, end) + text.count("\r", start, end) - text.count("\r\n", start, end)


class _Lexer:
    """Cuts ``text`` from ``start`` into records, in time linear in its length."""

    def __init__(self, text: str, delimiter: str, start: int, odd: Oddities | None = None) -> None:
        self.text = text
        self.delimiter = delimiter
        self.position = start
        self.odd = odd if odd is not None else Oddities()
        self.line = 1 + _line_ends(text, 0, start)
        self.width: int | None = None
        self._plain = re.compile(f"[^{re.escape(delimiter)}\r\n]*+")

    def records(self) -> Iterator[Record]:
        """The records in order; the first one says how many cells to expect."""
        text, size, delimiter = self.text, len(self.text), self.delimiter
        while self.position < size:
            start = self.position
            found = _LINE_END.search(text, start)
            end, stop = found.span() if found else (size, size)
            line = text[start:end]
            if '"' in line:
                yield self._with_quotes(start)
                continue
            self.position = stop
            if line.strip() or delimiter in line:
                yield Record(self.line, start, end, stop, self._expect(tuple(line.split(delimiter))))
            else:
                self.odd.add("blank-line", self.line)
            self.line += 1

    def _expect(self, cells: tuple[str, ...]) -> tuple[str, ...]:
        if self.width is None:
            self.width = len(cells)
        return cells

    def _with_quotes(self, start: int) -> Record:
        """The record at ``start``, whose first line holds a quote."""
        first_line, position = self.line, start
        cells: list[str] = []
        raw: list[str] = []
        while True:
            value, end = self._cell(position, start)
            cells.append(value)
            raw.append(self.text[position:end])
            if self.text[end : end + 1] != self.delimiter:
                break
            position = end + 1
        found = _LINE_END.match(self.text, end)
        self.position = found.end() if found else end
        self.line += _line_ends(self.text, start, self.position)
        return Record(first_line, start, end, self.position, self._expect(tuple(cells)), tuple(raw))

    def _cell(self, position: int, record_start: int) -> tuple[str, int]:
        """The value of the cell at ``position``, and where its raw text ends."""
        plain = self._plain.match(self.text, position)
        plain_end = plain.end() if plain else position
        match = _QUOTED.match(self.text, position)
        if match:
            value = match[1].replace('""', '"') if '""' in match[1] else match[1]
            follows = self._plain.match(self.text, match.end())
            junk = follows[0] if follows else ""
            if not junk.strip():
                return value + junk, match.end() + len(junk)
            if self.text[position] == '"' and not self._is_stray(match, record_start):
                self._odd("text-after-quote", position, record_start)
                return value + junk, match.end() + len(junk)
        cell = self.text[position:plain_end]
        if cell.lstrip(" ").startswith('"'):
            self._odd("stray-quote", position, record_start)
        return cell, plain_end

    def _is_stray(self, match: re.Match[str], record_start: int) -> bool:
        """Whether a quote that seems to close lines later, amid text, opens nothing.

        It is so when the lines of both quotes are whole records by themselves.
        """
        opening, closing = match.span(1)
        if not _LINE_END.search(self.text, opening, closing):
            return False
        lines = self._line_around(opening, record_start), self._line_around(closing, opening)
        return all(line.count(self.delimiter) + 1 >= (self.width or 1) for line in lines)

    def _line_around(self, position: int, low: int) -> str:
        """The physical line at ``position``, which does not start before ``low``."""
        start = max(low, *(self.text.rfind(end, low, position) + 1 for end in "\r\n"))
        found = _LINE_END.search(self.text, position)
        return self.text[start : found.start() if found else len(self.text)]

    def _odd(self, slug: str, position: int, record_start: int) -> None:
        """Count ``slug``; the line is looked for only while it is kept, since a record may be one long line."""
        kept = len(self.odd.lines.get(slug, ())) < 5
        self.odd.add(slug, self.line + _line_ends(self.text, record_start, position) if kept else None)
