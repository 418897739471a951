"""A stream of bytes split into JSON documents, whatever way they were put into the file; pages are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from typing import Any, BinaryIO, NamedTuple

import msgspec

from igtool.platforms import html_pages
from igtool.platforms.json_text import WHITESPACE, Malformed, check, decode, encoded

MAX_FILE = 512 * 2**20
"""A file that is not read line by line is held in memory: 512 MiB leaves room for it on a small machine."""

MAX_DOCUMENT = 64 * 2**20
"""The largest payloads seen are under 1 MiB; a document above 64 MiB is a mistake or an attack."""

MAX_RATIO = 100
"""JSON shrinks 5 to 50 times; compressed lines that grow more than this, beyond MAX_FILE, are a bomb."""

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_PAGE = re.compile(rb"<[a-zA-Z!?]")
_PAGE_SIZE = 2**18
"""How much of a page is looked at; what tells its kind is near its top."""
_PAGE_END = re.compile(rb"</html", re.IGNORECASE)
_JSON_LINE = re.compile(rb'\{\s*"')
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Piece(NamedTuple):
    """One document, or why there is none: exactly one of ``body`` and ``flaw`` is set.

    ``position`` is the line - 1 in a file of lines, else the position among the documents of the file.
    """

    position: int
    body: bytes | None
    flaw: Malformed | None = None
    line: int | None = None


def split(file: BufferedReader[Any], *, lines: bool, limit: int | None = None) -> Iterator[Piece]:
    """The documents of ``file``, in order; bodies are UTF-8, sound JSON, without white space around.

    Read are: one document; documents one after another; a list of objects (split without being written anew); and
    one document a line, which is streamed. ``lines`` says that the file's name promises lines; without it they
    are seen by a first line that is a whole object. ``limit`` bounds the bytes of a streamed file. Each flaw has
    a reason of ``json_text.check``, ``too-large``, or ``html-<outcome>`` for a page.
    """
    stream: BinaryIO = file
    if file.peek(2)[:2] in _UTF16_BOMS:
        stream = _as_utf8(file)
    elif file.peek(3)[:3] == _UTF8_BOM:
        file.read(3)
    first = stream.readline(MAX_DOCUMENT + 1)
    if (lines and first.strip(WHITESPACE) not in (b"{", b"[")) or _is_object(first):
        yield from _lines(first, stream, limit)
    else:
        yield from _whole(first + stream.read(MAX_FILE + 1 - len(first)))


def _as_utf8(stream: BufferedReader[Any]) -> BytesIO:
    data = stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise too_large("file", MAX_FILE)
    try:
        return BytesIO(encoded(data.decode("utf-16")))
    except UnicodeDecodeError as error:
        raise Malformed("not-utf8", f"byte {error.start} is not UTF-16, which its first bytes announce") from error


def _is_object(line: bytes) -> bool:
    if not line.lstrip(WHITESPACE).startswith(b"{"):
        return False
    try:
        check(line)
    except Malformed:
        return False
    return True


def page_flaw(start: bytes) -> Malformed | None:
    """What kind of HTML page begins with ``start``, as a flaw ``html-<outcome>``; None when it is no page."""
    return _page(start) if _PAGE.match(start[:_PAGE_SIZE].lstrip(WHITESPACE)) else None


def _page(start: bytes | bytearray) -> Malformed:
    outcome, words = html_pages.read(bytes(start))
    return Malformed("html-page" if outcome == "invalid" else f"html-{outcome}", " ".join(words.split()))


def _lines(first: bytes, stream: BinaryIO, limit: int | None) -> Iterator[Piece]:
    """One document a line; a bad line is one flaw, and so is a page of many lines; the next line is read."""
    found, page, opened = False, bytearray(), 0
    for index, line in _numbered(first, stream, limit):
        body = line.strip(WHITESPACE)
        if page and not _JSON_LINE.match(body):
            page += line[: max(_PAGE_SIZE - len(page), 0)]
        else:
            if page:
                yield Piece(opened, None, _page(page), opened + 1)
                page = bytearray()
            if len(line) > MAX_DOCUMENT:
                found = True
                yield Piece(index, None, too_large("line", MAX_DOCUMENT), index + 1)
            elif body:
                found = True
                try:
                    check(body)
                    yield Piece(index, body)
                except Malformed as flaw:
                    if _PAGE.match(body):
                        page += line[:_PAGE_SIZE]
                        opened = index
                    else:
                        yield Piece(index, None, flaw, index + 1)
        if page and _PAGE_END.search(line):
            yield Piece(opened, None, _page(page), opened + 1)
            page = bytearray()
    if page:
        yield Piece(opened, None, _page(page), opened + 1)
    if not found:
        raise Malformed("empty-file", "there is nothing in it")


def _numbered(line: bytes, stream: BinaryIO, limit: int | None) -> Iterator[tuple[int, bytes]]:
    """Each line with its number from 0; of a line above MAX_DOCUMENT only the beginning."""
    index, read = 0, 0
    while line:
        read += len(line)
        if limit is not None and read > limit:
            raise too_large("unpacked file", limit)
        yield index, line
        if len(line) > MAX_DOCUMENT:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_DOCUMENT)
        index += 1
        line = stream.readline(MAX_DOCUMENT + 1)


def _whole(data: bytes) -> Iterator[Piece]:
    """A list of documents, one document, or several one after another."""
    if len(data) > MAX_FILE:
        raise too_large("file", MAX_FILE)
    data = data.strip(WHITESPACE)
    if _PAGE.match(data):
        raise _page(data[:_PAGE_SIZE])
    try:
        yield from _values(data, 0)
    except Malformed as flaw:
        spans = _spans(data) if flaw.reason == "broken-json" else []
        if not spans or spans[0] == (0, len(data)):
            raise
    else:
        return
    index = 0
    for start, end in spans:
        try:
            for piece in _values(data[start:end], index):
                index = piece.position + 1
                yield piece
        except Malformed as flaw:
            yield Piece(index, None, flaw, data.count(b"\n", 0, start) + 1)
            index += 1
    end = spans[-1][1]
    if data[end:].strip(WHITESPACE):
        rest = Malformed("broken-json", f"no document begins at byte {end}, or it does not end")
        yield Piece(index, None, rest, data.count(b"\n", 0, end) + 1)


def _values(data: bytes, index: int) -> Iterator[Piece]:
    """The objects of a list, else ``data`` as it is. Raises Malformed before the first piece."""
    check(data)
    if not data.startswith(b"["):
        yield _piece(index, data)
        return
    parts, repaired = decode(_LIST, data)
    if not parts or not bytes(parts[0]).startswith(b"{"):
        yield _piece(index, data)
        return
    position = 1
    for offset, part in enumerate(parts):
        body = bytes(part)
        if repaired:  # the repair keeps offsets, so the text as it was is at the same place
            while data[position] in b" \t\r\n,":
                position += 1
            body = data[position : position + len(body)]
            position += len(body)
        yield _piece(index + offset, body)


def _piece(index: int, body: bytes) -> Piece:
    if len(body) > MAX_DOCUMENT:
        return Piece(index, None, too_large("document", MAX_DOCUMENT))
    return Piece(index, body)


def _spans(data: bytes) -> list[tuple[int, int]]:
    """Where the objects and lists at the top begin and end, as far as brackets and quotes match."""
    spans: list[tuple[int, int]] = []
    depth = start = end = 0
    for token in _TOKEN.finditer(data):
        text = token[0]
        if text in (b"{", b"["):
            if depth == 0:
                start = token.start()
                if data[end:start].strip(WHITESPACE):
                    break
            depth += 1
        elif depth == 0 or text == b'"':  # a closing bracket or a string at the top, or a string without end
            break
        elif text in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                end = token.end()
                spans.append((start, end))
    return spans


def too_large(what: str, limit: int) -> Malformed:
    """The flaw of a thing that has more than ``limit`` bytes."""
    return Malformed("too-large", f"the {what} is larger than {limit // 2**20} MiB")
