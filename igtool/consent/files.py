"""A file of consents, one a row, as forms and spreadsheets give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from igtool.consent.records import Given, moment_of
from igtool.errors import UsageError
from igtool.files import storage_error
from igtool.lists.csv_text import decode, read_csv

_LARGEST_BYTES = 64 << 20
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "account": ("account", "handle", "account_id", "creator"),
    "category": ("category",),
    "adult": ("adult", "declared_adult", "is_adult"),
    "evidence": ("evidence", "proof"),
    "granted_at": ("granted_at", "date", "when"),
}
_ODD = ("stray-quote", "text-after-quote", "nul", "broken-utf-8")
"""What a list of creators may have and a file of consents may not."""
_YES = frozenset({"yes", "y", "true", "1", "x", "si", "sí"})
_NO = frozenset({"no", "n", "false", "0", ""})


def read_consents(path: Path) -> list[Given]:
    """The consents in a CSV file: columns account (or handle), category, adult, evidence and granted_at.

    ``granted_at`` is asked for so that a file that is imported every night does not bring back what was revoked since.
    Raises UsageError naming file and line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if len(data) > _LARGEST_BYTES:
        raise UsageError(f"{path} is larger than {_LARGEST_BYTES >> 20} MiB: cut it in several files")
    try:
        text = read_csv(decode(data))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    for oddity in _ODD:
        if oddity in text.odd.counts:
            line = next(iter(text.odd.lines[oddity]), 1)
            raise UsageError(f"{path}, line {line}: {oddity.replace('-', ' ')}; nothing was recorded")
    records = text.records
    if not records:
        raise UsageError(f"{path} is empty: it needs a header with {', '.join(_COLUMNS)}, and one consent a row")
    places = _places(records[0].cells, path)
    return [
        _given(record.cells, places, len(records[0].cells), f"{path}, line {record.line}: ") for record in records[1:]
    ]


def _places(header: Sequence[str], path: Path) -> dict[str, int]:
    names = [cell.strip().lower() for cell in header]
    places = {}
    for key, known in _COLUMNS.items():
        there = [names.index(name) for name in known if name in names]
        if not there:
            raise UsageError(f"{path} has no column {' or '.join(known)}; it has: {', '.join(names) or 'none'}")
        places[key] = there[0]
    return places


def _given(cells: Sequence[str], places: Mapping[str, int], width: int, where: str) -> Given:
    if len(cells) != width:
        raise UsageError(f"{where}{len(cells)} cells where the header has {width}; nothing was recorded")
    told = {key: cells[place].strip() for key, place in places.items()}
    if told["adult"].lower() not in _YES | _NO:
        raise UsageError(f"{where}adult is {told['adult']!r}: write yes or no; nothing was recorded")
    try:
        granted_at = moment_of(told["granted_at"])
    except UsageError as error:
        raise UsageError(f"{where}granted_at: {error}; nothing was recorded") from error
    is_adult = told["adult"].lower() in _YES
    return Given(told["account"], told["category"], told["evidence"], is_adult, granted_at, where)
