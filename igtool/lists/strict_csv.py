"""A CSV file of which every row counts: one that cannot be read whole is refused, with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from igtool.errors import UsageError
from igtool.files import read_whole
from igtool.lists.csv_text import CsvText, decode, read_csv

YES = frozenset({"yes", "y", "true", "1", "x", "si", "sí"})
NO = frozenset({"no", "n", "false", "0", ""})
_LARGEST_MB = 64
_ODD = ("stray-quote", "text-after-quote", "nul", "broken-utf-8")
"""What a list of creators may have and such a file may not."""


def read_rows(path: Path, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[dict[str, str], str]]:
    """The cells of each row by the keys of ``columns``, and file and line as the beginning of a message.

    ``columns`` gives the names that each may have in the file. Raises UsageError naming file and line, StorageError.
    """
    records = _text(path).records
    if not records:
        raise UsageError(f"{path} is empty: it needs a header with {', '.join(columns)}, and one row each below")
    header = [cell.strip().lower() for cell in records[0].cells]
    places = {}
    for key, known in columns.items():
        there = [header.index(name) for name in known if name in header]
        if not there:
            raise UsageError(f"{path} has no column {' or '.join(known)}; it has: {', '.join(header) or 'none'}")
        places[key] = there[0]
    for record in records[1:]:
        where = f"{path}, line {record.line}: "
        if len(record.cells) != len(header):
            raise UsageError(
                f"{where}{len(record.cells)} cells where the header has {len(header)}; nothing was recorded"
            )
        yield {key: record.cells[place].strip() for key, place in places.items()}, where


def is_yes(text: str, column: str, where: str) -> bool:
    """Whether a cell says yes. Raises UsageError for one that says neither yes nor no."""
    if text.lower() not in YES | NO:
        raise UsageError(f"{where}{column} is {text!r}: write yes or no; nothing was recorded")
    return text.lower() in YES


def _text(path: Path) -> CsvText:
    try:
        text = read_csv(decode(read_whole(path, _LARGEST_MB)))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    for oddity in _ODD:
        if oddity in text.odd.counts:
            line = next(iter(text.odd.lines[oddity]), 1)
            raise UsageError(f"{path}, line {line}: {oddity.replace('-', ' ')}; nothing was recorded")
    return text
