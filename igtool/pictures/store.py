"""``cache/images``: every picture once, named by the SHA-256 of its bytes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from igtool.errors import IntegrityError
from igtool.files import replaced, storage_error

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PictureStore:
    """The folder of picture files; a file is written as a whole or not at all, and never changed."""

    folder: Path

    def path(self, sha256: str) -> Path:
        """Where the picture ``sha256`` lies or would lie. Raises ValueError for what is no SHA-256."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r:.80} is no SHA-256")
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether its file is there."""
        return self.path(sha256).is_file()

    def put(self, sha256: str, content: bytes) -> None:
        """Keep ``content``, whose SHA-256 that is; the bytes are on disk afterwards. Raises StorageError."""
        path = self.path(sha256)
        if not path.is_file():
            with replaced(path) as file:
                file.write(content)

    def read(self, sha256: str) -> bytes:
        """The bytes of a picture. Raises IntegrityError where its file is missing, StorageError."""
        path = self.path(sha256)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise IntegrityError(f"the picture {path} is missing: `igtool run images --force` gets it again") from error
        except OSError as error:
            raise storage_error(error, path) from error

    def remove(self, sha256: str) -> bool:
        """Delete a picture; whether it was there. Raises StorageError."""
        path = self.path(sha256)
        was_there = path.is_file()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, path) from error
        return was_there

    def keep_only(self, used: Collection[str]) -> int:
        """Delete every file that is none of ``used``, what a killed process left half-written too; how many went.

        Only for who alone writes here. Raises StorageError.
        """
        gone = [path for path in self.folder.glob("*/*") if path.name not in used]
        try:
            for path in gone:
                path.unlink()
        except OSError as error:
            raise storage_error(error, self.folder) from error
        return len(gone)
