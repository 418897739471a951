"""Answers as rows of the lake, and, where the user wants, as files that ``import`` reads back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from igtool.files import replaced
from igtool.journal.ledger import StoredAnswer

Row = dict[str, Any]


def raw_row(answer: StoredAnswer) -> Row:
    """A row of ``raw_responses``; bytes that are no text are kept readable."""
    return {
        "answer_id": answer.answer_id,
        "source": answer.source,
        "endpoint": answer.endpoint,
        "subject": answer.subject,
        "status": answer.status,
        "outcome": answer.outcome,
        "body": answer.body.decode("utf-8-sig", "backslashreplace").replace("\0", "\\0"),
        "sha256": answer.sha256,
        "fetched_at": datetime.fromtimestamp(answer.fetched_at, UTC),
    }


@dataclass
class RawFolder:
    """Writes answers as ``FOLDER/<platform>/<handle>/<endpoint>(<handle>)_<number>_<time>.json``.

    An answer about several accounts lies in a folder ``several`` and names none.

    ``most``: files for each account, at most; None for no limit. What is no data (``…_error``) is not written. A
    name that is already there holds the same answer, so that a run that died writes none twice.
    """

    folder: Path
    most: int | None = None
    _counts: Counter[Path] = field(default_factory=Counter)

    def write(self, answers: Iterable[StoredAnswer]) -> None:
        """Write those of ``answers`` that are data. Raises StorageError."""
        for answer in answers:
            if not answer.endpoint.endswith("_error"):
                self._write(answer)

    def _write(self, answer: StoredAnswer) -> None:
        subject = quote(answer.subject or "several", safe="").replace("%", "_").strip(".") or "_"
        place = self.folder / answer.platform / subject
        if place not in self._counts:
            self._counts[place] = sum(1 for _ in place.glob("*.json"))
        moment = datetime.fromtimestamp(answer.fetched_at, UTC)
        kind = answer.endpoint.replace(".", "_")
        named = f"{kind}({subject})" if answer.subject else kind
        name = f"{named}_{answer.answer_id[:8]}_{moment:%Y%m%dT%H%M%S}Z.json"
        if (place / name).exists() or (self.most is not None and self._counts[place] >= self.most):
            return
        with replaced(place / name) as file:
            file.write(answer.body)
        self._counts[place] += 1
