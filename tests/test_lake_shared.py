"""Several machines at one lake: no commit is lost or made twice, whoever dies; and the commands work there."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import forget_world as world
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from conftest import contents
from postgres_server import MISSING, POSTGRES, Bucket, Machine, Postgres, lose, machines, overwrite, postgres, s3

from igtool import lake_postgres
from igtool.cli import main
from igtool.errors import ConfigError, LockedError, RateLimitedError
from igtool.journal import Journal
from igtool.lake import Lake
from igtool.places import LakePlace
from igtool.settings import load

pytestmark = [pytest.mark.slow, pytest.mark.skipif(POSTGRES is None, reason=MISSING)]
EXAMPLES = Path(__file__).parents[1] / "examples"
COMMITS = 100

WRITER = """
import pickle, sys
from igtool.journal import Journal
from igtool.lake import Lake
place, name, commits = pickle.load(sys.stdin.buffer)
with (
    Journal(place.folder.parent / "cache", writable=True) as journal,
    Lake(place, writable=True, on_files=journal.record_lake_files) as lake,
):
    print("ready", flush=True)
    for number in range(commits):
        with lake.transaction():
            seen = int(lake.value("select command from runs") or 0) + 1
            lake.merge("runs", [{"run_id": "counter", "command": str(seen)}])
            rows = [{"answer_id": f"{name}-{number}-{n}"} for n in range(30 if number % 25 == 0 else 1)]
            lake.append_new("raw_responses", [*rows, {"answer_id": f"both-{number}", "body": name}])
        print(number, flush=True)
"""


@dataclass
class World:
    """Two machines, a server that both reach, and a folder that both mount."""

    machines: list[Machine]
    server: Postgres
    bucket: Bucket


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """Everything that is not the workspace."""
    with machines() as found:
        addresses = sorted({one.address for one in found} - {"127.0.0.1"})
        with postgres(addresses) as server, s3() as bucket:
            yield World(found, server, bucket)


@pytest.fixture
def place(shared: World, tmp_path: Path) -> LakePlace:
    """An empty place in a folder that all machines mount, as this machine sees it."""
    server = shared.server
    return LakePlace(tmp_path / "here" / "data", server.new_catalog(), server.password, str(tmp_path / "files"))


def writer(place: LakePlace, machine: Machine, folder: Path, name: str, commits: int) -> subprocess.Popen[bytes]:
    """A process on ``machine``, with a workspace of its own, that is ready to write."""
    catalog = str(place.catalog).replace("127.0.0.1", machine.address)
    there = replace(place, folder=folder / name / "data", catalog=catalog)
    process = subprocess.Popen(
        [*machine.command, sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps((there, name, commits)))
    process.stdin.close()
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_two_machines_write_and_a_third_writer_dies_and_no_commit_is_lost(
    shared: World, place: LakePlace, tmp_path: Path
) -> None:
    """Each reads a number and stores it plus one, and keys that the others store too: as if one after the other."""
    Lake(place, writable=True).close()
    names = [("one", shared.machines[0]), ("two", shared.machines[1]), ("killed", shared.machines[1])]
    with ExitStack() as opened:
        one, two, killed = [
            opened.enter_context(writer(place, machine, tmp_path, name, COMMITS)) for name, machine in names
        ]
        assert killed.stdout is not None
        said = list(itertools.islice(killed.stdout, COMMITS // 5))
        os.kill(killed.pid, signal.SIGKILL)
        told = len(said) + len(killed.stdout.readlines())
        for process in (one, two):
            assert process.stdout is not None
            assert len(process.stdout.readlines()) == COMMITS
            assert process.wait() == 0
        assert killed.wait() == -signal.SIGKILL
    with Lake(place, writable=False) as lake:
        made = int(lake.value("select command from runs"))
        assert made in (2 * COMMITS + told, 2 * COMMITS + told + 1)
        keys = [row["answer_id"] for row in lake.rows("select answer_id from raw_responses")]
        assert len(keys) == len(set(keys))
        assert {f"both-{n}" for n in range(COMMITS)} <= set(keys)
        assert {f"{name}-{n}-0" for name in ("one", "two") for n in range(COMMITS)} <= set(keys)
        noted: set[str] = set()
        for name in ("one", "two", "killed"):
            with Journal(tmp_path / name / "cache", writable=False) as journal:
                noted |= set(journal.lake_files(lake.lake_id))
        unnoted = set(lake.live_files()) - noted
        assert len(unnoted) <= 3, "those of the one commit after which the writer was killed"


def test_who_waits_too_long_is_told_who_writes(
    place: LakePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 7, as for two processes in one workspace, with machine and process; readers are let in."""
    Lake(place, writable=True).close()
    other = replace(place, folder=tmp_path / "other" / "data")
    monkeypatch.setattr(lake_postgres, "PATIENCE_S", 0.0)
    with Lake(place, writable=True) as one, Lake(other, writable=True) as two:
        with one.catalog.writing():
            with pytest.raises(LockedError, match=rf"by igtool .* {os.getpid()}:"), two.transaction():
                pass
            assert two.value("select count(*) from accounts") == 0
        with two.transaction():
            two.append("raw_responses", [{"answer_id": "a"}])
        assert one.value("select count(*) from raw_responses") == 1


def test_a_writer_whose_lock_was_lost_commits_nothing(shared: World, place: LakePlace) -> None:
    """Where the server cut the connection of the lock, somebody else may write: the commit is not made."""
    cut = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"

    def write() -> None:
        with lake.transaction():
            lake.append("raw_responses", [{"answer_id": "a"}])
            shared.server.sql(cut)

    with Lake(place, writable=True) as lake:
        with pytest.raises(LockedError, match="lost"):
            write()
        assert lake.value("select count(*) from raw_responses") == 0


def test_places_that_do_not_fit_are_refused(shared: World, place: LakePlace, tmp_path: Path) -> None:
    """Files of another lake, another password, a server or a bucket that is not there: an error that says so."""
    Lake(place, writable=True).close()
    second = replace(place, folder=tmp_path / "b" / "data", catalog=shared.server.new_catalog())
    with pytest.raises(ConfigError, match="another lake"):
        Lake(second, writable=True)
    with pytest.raises(ConfigError, match="data_path"):
        Lake(replace(place, folder=tmp_path / "c" / "data", data_path=None), writable=True)
    with pytest.raises(ConfigError, match="catalog_password") as refused:
        Lake(replace(place, password="a wrong canary"), writable=False)
    assert "canary" not in str(refused.value)
    with pytest.raises(RateLimitedError, match="does not answer"):
        Lake(replace(place, catalog=re.sub(r"port=\d+", "port=1", str(place.catalog))), writable=False)
    gone = replace(place, folder=tmp_path / "d" / "data", catalog=None, access=shared.bucket.access)
    with pytest.raises(ConfigError, match="object store"):
        Lake(replace(gone, data_path="s3://nobodys/lake"), writable=True)


# Commands ---------------------------------------------------------------------------------------------------------


def workspace(shared: World, folder: Path) -> Path:
    """A workspace whose settings name both servers; the secrets are in .env."""
    server, bucket = shared.server, shared.bucket
    folder.mkdir()
    lines = {
        "catalog": f"postgres:{server.new_catalog()}",
        "data_path": bucket.new_path(),
        "s3_endpoint": bucket.endpoint,
        "s3_region": bucket.access.region,
        "processes": 1,
    }
    (folder / "igtool.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items()))
    keys = {
        "PGPASSWORD": server.password,
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": bucket.access.secret,
    }
    (folder / ".env").write_text("".join(f"{name}={json.dumps(value)}\n" for name, value in keys.items()))
    return folder


def igtool(place: Path, *arguments: str, code: int = 0) -> Any:
    """One command in this process; what it prints as JSON, if it does."""
    result = CliRunner().invoke(main, ["--workspace", str(place), *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert "canary" not in result.output, "a secret is shown"
    return json.loads(result.stdout) if "--json" in arguments else result.output


def tables_of(folder: Path) -> dict[str, list[str]]:
    """Every row of every table."""
    with Lake(load(folder).lake, writable=False) as lake:
        return contents(lake)


def test_the_main_job_gives_the_same_tables_there(shared: World, tmp_path: Path) -> None:
    """The example: row for row as in a folder; then every command that looks at it works, or says what does instead."""
    here, there = tmp_path / "here", workspace(shared, tmp_path / "there")
    for folder in (here, there):
        igtool(folder, "enrich", str(EXAMPLES / "creators.csv"), code=8)
    assert tables_of(there) == tables_of(here)
    assert not list((there / "data").rglob("main")), "no data file lies in the workspace"
    assert igtool(there, "verify", "--json")["rows"] == []
    told = {row["name"]: row for row in igtool(there, "doctor", "--json")["rows"]}
    assert "PostgreSQL" in told["catalog"]["detail"]
    assert "s3://" in told["data files"]["detail"]
    assert all(told[name]["ok"] for name in ("catalog", "data files", "lake", "extensions"))
    for words in (["status"], ["gc"], ["export"], ["sql", "select count(*) from accounts"], ["config", "show"]):
        igtool(there, *words, "--json")
    for words in (["backup", str(tmp_path / "b")], ["restore", str(tmp_path / "b")], ["verify", "--repair"]):
        assert "docs/postgres-s3.md" in igtool(there, *words, code=3)
    secrets = (shared.server.password.encode(), b"canary-of-the-store")
    for path in there.rglob("*"):
        if path.is_file() and path.name != ".env":
            assert not any(one in path.read_bytes() for one in secrets), path


def test_verify_names_what_is_damaged_there_and_gc_deletes_what_nothing_names(shared: World, tmp_path: Path) -> None:
    """A changed object, a missing one, and one of a commit that never was."""
    place = workspace(shared, tmp_path / "w")
    world.write_inputs(place)
    igtool(place, "enrich", str(place / "list.csv"), "--source", str(place / "raw"))
    lake = load(place).lake
    overwrite(lake, "main/accounts/of-a-killed-commit.parquet", b"x" * 9)
    found = {row["what"]: row for row in igtool(place, "gc", "--json")["rows"]}
    assert found["data files of commits that never were"]["bytes"] == 9
    assert igtool(place, "verify", "--json")["rows"] == []
    with Lake(lake, writable=False) as opened:
        first, *_, last = opened.live_files()
        with opened.store.open(first) as file:
            content = bytearray(file.read())
    content[len(content) // 3] ^= 1
    overwrite(lake, first, bytes(content))
    lose(lake, last)
    result = CliRunner().invoke(main, ["--workspace", str(place), "verify", "--json"])
    assert result.exit_code == 5
    assert {row["name"] for row in json.loads(result.stdout)["rows"]} >= {first, last}


def test_forget_leaves_no_byte_in_the_bucket_and_in_the_tables_of_the_catalog(shared: World, tmp_path: Path) -> None:
    """As of a folder, every mark is there before; afterwards none is, and others stay."""
    place = workspace(shared, tmp_path / "w")
    world.write_inputs(place)
    igtool(place, "enrich", str(place / "list.csv"), "--source", str(place / "raw"))
    assert elsewhere(shared, place)
    count = igtool(place, "sql", "select count(*) as n from accounts", "--json")["rows"][0]["n"]
    told = igtool(place, "forget", world.HANDLE, "--yes", "--json")
    assert told["is_clean"]
    assert elsewhere(shared, place) == []
    assert world.holders(place) == []
    assert igtool(place, "sql", "select count(*) as n from accounts", "--json")["rows"][0]["n"] == count - 1
    assert igtool(place, "verify", "--json")["rows"] == []


def elsewhere(shared: World, place: Path) -> list[str]:
    """What holds a mark: objects in their bytes and rows, tables of the catalog in their files and rows."""
    lake = load(place).lake
    objects = shared.bucket.objects(str(lake.data_path))
    texts = dict(objects)
    for name, content in objects.items():
        if name.endswith(".parquet"):
            path = place.parent / "object.parquet"
            path.write_bytes(content)
            texts[f"{name} (rows)"] = str(pq.read_table(path).to_pylist()).encode()
    database = str(lake.catalog).partition("dbname=")[2].split()[0]
    shared.server.sql("checkpoint")
    number = shared.server.sql(f"select oid from pg_database where datname = '{database}'").strip()
    for path in (shared.server.folder / "base" / number).iterdir():
        texts[f"PostgreSQL {path.name}"] = path.read_bytes()
    texts["PostgreSQL (rows)"] = shared.server.dump(database)
    return [
        f"{name}: {mark}"
        for name, text in texts.items()
        for mark in world.MARKS
        if mark.lower().encode() in text.lower()
    ]


def test_a_lake_is_moved_there(shared: World, tmp_path: Path) -> None:
    """Every row of every table; what is in the folder stays; a second time, or to a lake with rows, is refused."""
    place = workspace(shared, tmp_path / "w")
    world.write_inputs(place)
    settings = (place / "igtool.toml").read_text()
    (place / "igtool.toml").unlink()
    assert "nowhere to move" in igtool(place, "move", code=3)
    igtool(place, "enrich", str(place / "list.csv"), "--source", str(place / "raw"))
    before = tables_of(place)
    (place / "igtool.toml").write_text(settings)
    moved = igtool(place, "move", "--json")
    assert {row["table"] for row in moved["rows"]} >= {"accounts", "raw_responses", "runs"}
    assert tables_of(place) == before
    assert igtool(place, "verify", "--json")["rows"] == []
    assert "not empty" in igtool(place, "move", code=2)
    igtool(place, "run")
    assert {name: rows for name, rows in tables_of(place).items() if rows != before[name]} == {}
