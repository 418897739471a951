"""What tests share: an empty lake with its journal, and the real data if it is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from igtool.journal import Journal
from igtool.lake import Lake

REALDATA = Path(__file__).parents[2] / "shared" / "realdata"
needs_realdata = pytest.mark.skipif(not REALDATA.is_dir(), reason="../shared/realdata is not here")
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


def let_others_in(folder: Path) -> None:
    """Allow every user to enter ``folder``, which pytest made for its own user only."""
    for place in (folder, *folder.parents):
        if place.name.startswith(("pytest-", "popen-", "test_")):
            place.chmod(0o755)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A writable journal in an empty folder."""
    with Journal(tmp_path / "cache", writable=True) as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path, journal: Journal) -> Iterator[Lake]:
    """A writable lake in an empty folder, recording its files in the journal."""
    with Lake(tmp_path / "data", writable=True, on_files=journal.record_lake_files) as opened:
        yield opened
