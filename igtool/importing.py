"""Raw dumps into the lake: each answer once, each file once, what cannot be read with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from igtool import language
from igtool.errors import Interrupted
from igtool.forgotten.tombstones import REASON, Tombstones
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.platforms.base import outcome_of
from igtool.platforms.files import UNREADABLE, Document, SourceFile, Unreadable, read_files
from igtool.progress import Progress, StageCounts
from igtool.runner import reject_rows
from igtool.stages.base import Reject, Row

_COMMIT_ANSWERS = 5_000
_COMMIT_BYTES = 32 << 20


@dataclass
class _Batch:
    """Answers and rejects on their way into one commit, and the files that it completes."""

    answers: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    ended: list[SourceFile] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        return len(self.answers) + len(self.rejects) >= _COMMIT_ANSWERS or self.size >= _COMMIT_BYTES


@dataclass
class Importer:
    """Imports one source. A file that is unchanged since it was read is not read again."""

    lake: Lake
    journal: Journal
    source: Path
    progress: Progress
    stopping: Callable[[], bool]

    def __post_init__(self) -> None:
        self.place = str(self.source.resolve())
        self.counts: StageCounts = self.progress.of("import")
        self.batch = _Batch()
        self.refused_before: list[str] = []
        self.has_live = False
        self.tombstones = Tombstones(self.lake)

    def run(self) -> None:
        """Read what is new. Raises UsageError (no such source), StorageError, Interrupted."""
        files = read_files(self.source)
        imported = self.journal.imported_files(self.lake.lake_id, self.place)
        waiting = [file for file in files if imported.get(file.path) != (file.size, file.mtime_ns)]
        self.counts.skipped += len(files) - len(waiting)
        if not waiting:
            return
        rows = self.lake.rows(
            "select item_id from rejects where stage = 'import' and starts_with(item_id, ?)", (f"{self.place}:",)
        )
        self.refused_before = [row["item_id"] for row in rows]
        self.has_live = bool(self.lake.rows("select 1 from raw_responses where source <> 'files' limit 1"))
        language.load_ahead()
        with self.progress.stage("import", len(waiting)):
            for file in waiting:
                if self._read(file):
                    self.batch.ended.append(file)
                else:
                    self.progress.advance(1)
            self._commit()

    def _read(self, file: SourceFile) -> bool:
        """Whether that is done for good: what the system did not let be read is tried again the next time."""
        self.batch.begun.append(file.path)
        is_done = True
        for found in file.documents():
            if isinstance(found, Unreadable):
                is_done = is_done and found.reason != UNREADABLE
                self.batch.rejects.append(self._refused(found))
            elif (answer := self._screened(found)) is None:
                self.batch.rejects.append(self._left_out(found))
            else:
                self.batch.answers.append(answer)
                self.batch.size += len(found.body)
            if self.batch.full:
                self._commit()
        return is_done

    def _screened(self, found: Document) -> Row | None:
        """The answer without people who were forgotten, under the id that it has with them; None: it is about one."""
        row = self.tombstones.screened(_answer(found))
        if row is not None and self.tombstones.in_path(found.path):
            row["endpoint"] = "files"
        return row

    def _left_out(self, found: Document | Unreadable) -> Reject:
        """A reject that does not say what it is about."""
        name = self.tombstones.masked(f"{self.place}:{found.path}#{found.index}")
        return Reject(name, REASON, "an answer about somebody who was forgotten")

    def _refused(self, found: Unreadable) -> Reject:
        if self.tombstones.in_path(found.path):
            return self._left_out(found)
        path = str(self.source / found.path) if self.source.is_dir() else str(self.source)
        if "!" in found.path and not self.source.is_dir():
            path += found.path[found.path.index("!") :]
        return Reject(f"{self.place}:{found.path}#{found.index}", found.reason, found.detail, path, found.line)

    def _unknown(self, answers: list[Row]) -> list[Row]:
        """Those that a live source has not brought already: ``fetch --raw-dir`` writes what is stored anyway."""
        if not answers or not self.has_live:
            return answers
        known = self.lake.rows(
            "select sha256, subject from raw_responses where source <> 'files' and sha256 in (select unnest(?))",
            ([answer["sha256"] for answer in answers],),
        )
        pairs = {(row["sha256"], row["subject"]) for row in known}
        return [answer for answer in answers if (answer["sha256"], answer["subject"]) not in pairs]

    def _outdated(self, begun: list[str]) -> list[str]:
        """Rejects of an earlier reading of the files that are read anew."""
        anew = set(begun)
        start = len(self.place) + 1
        paths = {item: item[start:].rpartition("#")[0] for item in self.refused_before}
        return [item for item, path in paths.items() if path in anew or path.partition("!")[0] in anew]

    def _commit(self) -> None:
        """Store the batch in one lake commit, and only then call its files done."""
        batch, self.batch = self.batch, _Batch()
        read = len(batch.answers)
        batch.answers = self._unknown(batch.answers)
        if batch.answers or batch.rejects or batch.begun:
            with self.lake.transaction():
                self.lake.delete("rejects", "item_id", self._outdated(batch.begun))
                stored = self.lake.append_new("raw_responses", batch.answers) if batch.answers else 0
                self.lake.merge("rejects", reject_rows("import", batch.rejects))
            self.counts.new += stored
            self.counts.skipped += read - stored
            self.counts.failed += len(batch.rejects)
        ended = [file for file in batch.ended if not self.tombstones.in_path(file.path)]  # else read again each time
        done = [(file.path, file.size, file.mtime_ns) for file in ended]
        self.journal.record_imported(self.lake.lake_id, self.place, done)
        self.progress.advance(len(batch.ended))
        if self.stopping():
            raise Interrupted(f"stopped in import after {self.counts.new} new answers; all of them are stored")


def import_source(lake: Lake, journal: Journal, source: Path, progress: Progress, stopping: Callable[[], bool]) -> None:
    """Import everything new in ``source``: a folder, file or archive of JSON dumps."""
    Importer(lake, journal, source, progress, stopping).run()


def _answer(document: Document) -> Row:
    digest = hashlib.sha256(document.body)
    identity = hashlib.sha256((document.subject or "").encode() + b"\0" + digest.digest())
    answer: dict[str, Any] = {
        "answer_id": identity.hexdigest(),
        "source": "files",
        "endpoint": document.path,
        "subject": document.subject,
        "outcome": outcome_of(document.body),
        "body": document.body.decode(),
        "sha256": digest.hexdigest(),
        "fetched_at": document.observed_at,
    }
    return answer
