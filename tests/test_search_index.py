"""Search: the index on disk is built beside the old one, switched at once, and never read when damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from search_tables import NOW, PEOPLE, Given, Tables, add_person, add_vector, find, handles, killed_build, search

from igtool.errors import ConfigError, IntegrityError, LockedError, StorageError, UsageError
from igtool.lake import Lake
from igtool.search.build import build_index, renew_index
from igtool.search.filters import Filters
from igtool.search.folder import current_index, discard, index_is_current, written
from igtool.search.query import Index
from igtool.search.tables import texts_of


def test_empty_database(tmp_path: Path) -> None:
    """No creators make an index that answers every search with nothing."""
    assert build_index(Tables(), tmp_path, version="v1").creators == 0
    result = search(tmp_path, "travel in Spain", filters=Filters(niche="any"), encoder=Given(), now=NOW)
    assert result.results == []


def test_creators_without_accounts_or_text(tmp_path: Path) -> None:
    """A creator of whom nothing is known is indexed, scores 0 and has unknown age."""
    tables = Tables()
    tables.add("creators", [{"creator_id": "c"}])
    build_index(tables, tmp_path, version="v1")
    (hit,) = search(tmp_path, "travel", encoder=Given(), now=NOW).results
    assert (hit.final_score, hit.data_age_days, hit.reasons, hit.platforms) == (0, None, [], [])


def test_same_version_is_built_once(tmp_path: Path) -> None:
    """Building the version in use does nothing and says so."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    build_index(tables, tmp_path, version="v1")
    before = current_index(tmp_path).stat().st_mtime_ns
    result = build_index(Tables(), tmp_path, version="v1")
    assert (result.skipped, result.creators) == (True, 1)
    assert current_index(tmp_path).stat().st_mtime_ns == before


def test_older_versions_go_but_one(tmp_path: Path) -> None:
    """After a switch the version before stays, older ones and leftovers of killed builds are deleted."""
    (tmp_path / ".building-left").mkdir()
    for version in ("v1", "v2", "v3"):
        build_index(Tables(), tmp_path, version=version)
        assert current_index(tmp_path).name == version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "v2", "v3"]


def test_two_models_are_refused(tmp_path: Path) -> None:
    """Embeddings of two models make no index; the error names them and the fix."""
    tables = Tables()
    tables.add("embeddings", [{"embedding_id": m, "model": m, "vector": [1.0]} for m in ("one", "two")])
    with pytest.raises(ConfigError, match=r"one, two.*igtool run embed --force"):
        build_index(tables, tmp_path, version="v1")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("vectors", [([1.0, 0.0], [1.0]), ([float("nan")], [1.0]), ([], [])])
def test_broken_vectors_are_refused(tmp_path: Path, vectors: tuple[list[float], ...]) -> None:
    """Vectors of several sizes, without numbers or with NaN make no index, and nothing is left behind."""
    tables = Tables()
    for number, vector in enumerate(vectors):
        add_person(tables, PEOPLE[0], creator=f"c{number}", handle=f"h{number}")
        add_vector(tables, f"instagram:h{number}", "ig_bio", "m", vector)
    with pytest.raises(IntegrityError, match="ig_bio"):
        build_index(tables, tmp_path, version="v1")
    assert not any(tmp_path.iterdir())


def test_tables_that_change_meanwhile(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A creator that comes while the index is built, when queries count on the order of all, makes no index."""

    def changed(*asked: Any) -> Any:
        with lake.transaction():
            lake.execute("insert into creators (creator_id) values ('a')")
        return texts_of(*asked)

    with lake.transaction():
        lake.execute("insert into creators (creator_id) values ('b')")
    folder = tmp_path / "index"
    renew_index(lake, folder, label="first")
    monkeypatch.setattr("igtool.search.build.texts_of", changed)
    with pytest.raises(LockedError, match="changed while"):
        renew_index(lake, folder, label="second", force=True)
    monkeypatch.undo()
    assert Index(folder).columns.count == 1
    assert renew_index(lake, folder, label="third", force=True).creators == 2


@pytest.mark.parametrize("version", ["", "..", "a/b", "current", ".x", "a\n"])
def test_version_must_be_a_file_name(tmp_path: Path, version: str) -> None:
    """A version that is no plain file name is refused."""
    with pytest.raises(UsageError, match="version"):
        build_index(Tables(), tmp_path, version=version)


def test_missing_index(tmp_path: Path) -> None:
    """Without an index the error says how to make one."""
    with pytest.raises(UsageError, match="igtool run index"):
        search(tmp_path, "x", encoder=None, now=NOW)


def flip(path: Path) -> None:
    """One bit of the file is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [flip, Path.unlink, lambda path: path.write_bytes(b"")], ids=["bit", "gone", "empty"])
@pytest.mark.parametrize(
    "name", ["manifest.json", "creators.arrow", "ig_bio.vectors.npy", "tokens.u32", "tantivy/meta.json"]
)
def test_damage_is_said_and_repaired(tmp_path: Path, name: str, harm: Callable[[Path], object]) -> None:
    """A changed, missing or empty file is never searched silently, and the same version is built again."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    add_vector(tables, "instagram:luna.viaja", "ig_bio", "numbers", [1.0] + [0.0] * 7)
    build_index(tables, tmp_path, version="v1")
    harm(current_index(tmp_path) / name)
    assert not index_is_current(tmp_path, "v1")
    with pytest.raises(IntegrityError, match="igtool run index"):
        Index(tmp_path)
    assert not build_index(tables, tmp_path, version="v1").skipped
    assert handles(search(tmp_path, "viajes", encoder=None, now=NOW)) == ["luna.viaja"]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A place that cannot be written is a storage error."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        build_index(Tables(), tmp_path / "file" / "index", version="v1")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Internal error: 'No space left on device (os error 28)'", StorageError),
        ("An index writer was killed.. A worker thread encountered an error (io::Error most likely)", StorageError),
        ("no such field", ValueError),
    ],
)
def test_what_tantivy_says_of_the_disk_has_a_name(tmp_path: Path, said: str, kind: type[Exception]) -> None:
    """Its words for a full disk, as a run on one had them, become an error that says what to do."""
    with pytest.raises(kind), written(tmp_path, "v1"):
        raise ValueError(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", ["write_columns", "KeywordWriter", "_files", "_put_in_place", "replaced"])
def test_killed_build_leaves_the_old_index(tmp_path: Path, step: str) -> None:
    """A build killed at any step leaves the old index in use; the next build finishes and cleans up."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    build_index(tables, tmp_path, version="v1")
    killed_build(tmp_path, step, "from search_tables import *; tables = Tables(); add_person(tables, PEOPLE[1])")
    assert handles(search(tmp_path, "", encoder=None, now=NOW)) == ["luna.viaja"]
    add_person(tables, PEOPLE[1])
    assert not build_index(tables, tmp_path, version="v2").skipped
    assert len(search(tmp_path, "", encoder=None, now=NOW).results) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "v1", "v2"]


def test_what_a_killed_deletion_leaves_is_deleted_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names people who are being forgotten, so that not even half of an index may stay."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    build_index(tables, tmp_path, version="v0")
    count, left = len(list(tmp_path.rglob("*"))), 0

    def killed(real: Callable[..., None], *given: Any, **named: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        real(*given, **named)

    assert count > 5
    for step in range(count):
        build_index(tables, tmp_path, version=f"v{step}")
        left = step
        with monkeypatch.context() as patch:
            for name in ("unlink", "rmdir"):
                patch.setattr(os, name, partial(killed, getattr(os, name)))
            with pytest.raises(KeyboardInterrupt):
                discard(tmp_path)
        discard(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_open_index_outlives_the_switch(tmp_path: Path) -> None:
    """An index that is open keeps answering after newer ones replaced and deleted it."""
    tables = Tables()
    add_person(tables, PEOPLE[0])
    build_index(tables, tmp_path, version="v1")
    opened = Index(tmp_path)
    for version in ("v2", "v3"):
        build_index(tables, tmp_path, version=version)
    assert not (tmp_path / "v1").exists()
    assert handles(find(opened, "viajes", encoder=None, now=NOW)) == ["luna.viaja"]


def test_importing_the_package_and_filters_is_cheap() -> None:
    """The command line can use the package and its filters without loading numpy, faiss or tantivy."""
    code = "import sys, igtool.search.filters; print([m for m in ('numpy', 'faiss', 'tantivy') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
