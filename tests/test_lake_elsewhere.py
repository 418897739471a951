"""What tests hold of the lake in a folder holds of one with its catalog in PostgreSQL, its files in S3, or both."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import test_lake
import test_lake_merge
import test_lake_stream
from postgres_server import MISSING, POSTGRES, Bucket, Postgres, overwrite, postgres, s3

from igtool.lake import Lake
from igtool.places import LakePlace

pytestmark = [pytest.mark.slow, pytest.mark.skipif(POSTGRES is None, reason=MISSING)]

for _module in (test_lake, test_lake_merge, test_lake_stream):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and {"lake", "place", "new_place"} & set(inspect.signature(_test).parameters):
            globals().setdefault(_name, _test)
assert len([name for name in globals() if name.startswith("test_")]) > 20


_EVERYWHERE = {
    "test_merge_keeps_the_newest_row_whatever_the_order",
    "test_append_new_inserts_each_key_once",
    "test_a_second_writer_is_refused_with_the_process_id",
    "test_a_killed_writer_leaves_nothing_half_done",
    "test_a_lake_that_is_not_there_says_how_to_make_one",
}
"""Run for each of the two places alone; all others where both are elsewhere."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test with the places that it is for."""
    if "elsewhere" in metafunc.fixturenames:
        kinds = ["postgres+s3", *(["postgres", "sqlite+s3"] if metafunc.function.__name__ in _EVERYWHERE else [])]
        metafunc.parametrize("elsewhere", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """PostgreSQL on loopback."""
    with postgres() as opened:
        yield opened


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """An S3 server on loopback."""
    with s3() as opened:
        yield opened


@pytest.fixture(scope="module")
def elsewhere(
    request: pytest.FixtureRequest, server: Postgres, bucket: Bucket
) -> Callable[[Path, str | None], LakePlace]:
    """Makes a new place of the lake; the second argument is a database to copy."""

    def made(folder: Path, template: str | None = None) -> LakePlace:
        place = LakePlace(folder)
        if "postgres" in request.param:
            keywords = server.new_catalog(template or "template1")
            place = replace(place, catalog=keywords, password=server.password)
        if "s3" in request.param:
            return replace(place, data_path=bucket.new_path(), access=bucket.access)
        return replace(place, data_path=str(folder.with_name("it's files")))

    return made


@pytest.fixture(scope="module")
def template(elsewhere: Callable[..., LakePlace], tmp_path_factory: pytest.TempPathFactory) -> tuple[LakePlace, str]:
    """An empty lake to make copies of, and its id."""
    place = elsewhere(tmp_path_factory.mktemp("template") / "data")
    with Lake(place, writable=True) as lake:
        return place, lake.lake_id


@pytest.fixture
def new_place(elsewhere: Callable[..., LakePlace], tmp_path: Path) -> LakePlace:
    """Where there is no lake yet."""
    return elsewhere(tmp_path / "data")


@pytest.fixture
def place(elsewhere: Callable[..., LakePlace], template: tuple[LakePlace, str], tmp_path: Path) -> LakePlace:
    """Where an empty lake lies."""
    original, lake_id = template
    if original.catalog is None:
        shutil.copytree(original.folder, tmp_path / "data")
        made = elsewhere(tmp_path / "data")
    else:
        made = elsewhere(tmp_path / "data", original.catalog.partition("dbname=")[2].split()[0])
    overwrite(made, "igtool-lake.json", json.dumps({"lake_id": lake_id}).encode())
    return made
