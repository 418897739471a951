"""A file of consents, one a row, as forms and spreadsheets give them."""

from __future__ import annotations

from pathlib import Path

from igtool.consent.records import Given, moment_of
from igtool.errors import UsageError
from igtool.lists.strict_csv import is_yes, read_rows

_COLUMNS = {
    "account": ("account", "handle", "account_id", "creator"),
    "category": ("category",),
    "adult": ("adult", "declared_adult", "is_adult"),
    "evidence": ("evidence", "proof"),
    "granted_at": ("granted_at", "date", "when"),
}


def read_consents(path: Path) -> list[Given]:
    """The consents in a CSV file: columns account (or handle), category, adult, evidence and granted_at.

    ``granted_at`` is asked for so that a file that is imported every night does not bring back what was revoked since.
    Raises UsageError naming file and line.
    """
    found = []
    for told, where in read_rows(path, _COLUMNS):
        is_adult = is_yes(told["adult"], "adult", where)
        try:
            granted_at = moment_of(told["granted_at"])
        except UsageError as error:
            raise UsageError(f"{where}granted_at: {error}; nothing was recorded") from error
        found.append(Given(told["account"], told["category"], told["evidence"], is_adult, granted_at, where))
    return found
