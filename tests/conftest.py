"""What tests share: an empty lake with its journal, and the real data if it is there."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from platform_server import PlatformServer

from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.lists.creator_list import CreatorList, read_list
from igtool.schema import TABLES

REALDATA = Path(__file__).parents[2] / "shared" / "realdata"
needs_realdata = pytest.mark.skipif(not REALDATA.is_dir(), reason="../shared/realdata is not here")
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


# A shell starts what runs behind it with SIGINT ignored, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def contents(lake: Lake) -> dict[str, list[str]]:
    """Every row of every table as text, sorted, but for the two that tell when something was done."""
    names = set(TABLES) - {"runs", "link_log"}
    return {name: sorted(repr(row) for row in lake.rows(f"from {quote(name)}")) for name in sorted(names)}


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their parameter and not by what they hold: packed ones hold the time they were made."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., CreatorList]:
    """Reads a creator list from text or bytes."""

    def read(content: str | bytes, name: str = "list.csv", platform: str | None = None) -> CreatorList:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_list(path, platform=platform)

    return read


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


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new lake to make copies of: that takes a third of the time."""
    folder = tmp_path_factory.mktemp("empty") / "data"
    Lake(folder, writable=True).close()
    return folder


@pytest.fixture
def lake(tmp_path: Path, journal: Journal, empty_lake: Path) -> Iterator[Lake]:
    """A writable lake in an empty folder, recording its files in the journal."""
    shutil.copytree(empty_lake, tmp_path / "data")
    with Lake(tmp_path / "data", writable=True, on_files=journal.record_lake_files) as opened:
        yield opened


@pytest.fixture
def platform() -> Iterator[PlatformServer]:
    """All platforms, played by a server on loopback that can be told to behave badly."""
    with PlatformServer() as opened:
        yield opened
