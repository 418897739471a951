"""Real servers on loopback for a lake that grows: PostgreSQL of the system, and one that speaks S3 (moto)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from igtool.places import LakePlace, StoreAccess

POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
MISSING = "PostgreSQL is not installed here (Debian: postgresql): /usr/lib/postgresql/*/bin/postgres"
_USER = "nobody"  # PostgreSQL does not run as root
_PASSWORD = "secret canary of the catalog"
_PATIENCE_S = 30.0
_NUMBERS = count(1)


@dataclass(frozen=True)
class Postgres:
    """A server on loopback; ``folder`` holds its files."""

    folder: Path
    port: int

    password: str = _PASSWORD

    def new_catalog(self, template: str = "template1") -> str:
        """Keywords of a new database, empty or a copy of the database ``template`` that nobody is connected to."""
        name = f"lake{os.getpid()}_{next(_NUMBERS)}"
        self.sql(f"create database {name} template {template}")
        return f"host=127.0.0.1 port={self.port} dbname={name} user=igtool"

    def sql(self, query: str, database: str = "postgres") -> str:
        """What psql prints for ``query``."""
        return self._client("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query, database).decode()

    def dump(self, database: str) -> bytes:
        """What pg_dump writes."""
        return self._client("pg_dump", "--inserts", database)

    def _client(self, program: str, *arguments: str) -> bytes:
        assert POSTGRES is not None
        command = [str(POSTGRES.with_name(program)), "-h", "127.0.0.1", "-p", str(self.port), "-U", "igtool"]
        env = {"PGPASSWORD": self.password, "PATH": os.environ["PATH"]}
        return subprocess.run([*command, *arguments], env=env, check=True, capture_output=True).stdout


@dataclass(frozen=True)
class Machine:
    """What a command begins with to run there, and the address of this machine as seen from there."""

    command: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Bucket:
    """An S3 server on loopback."""

    endpoint: str

    def new_path(self) -> str:
        """The setting ``data_path`` for an empty folder of a bucket."""
        return f"s3://lakes/{os.getpid()}-{next(_NUMBERS)}/it's a lake"

    def objects(self, data_path: str) -> dict[str, bytes]:
        """Every object under ``data_path``, by its key."""
        client = self.client()
        prefix = data_path.removeprefix("s3://lakes/") + "/"
        found = client.get_paginator("list_objects_v2").paginate(Bucket="lakes", Prefix=prefix)
        keys = [one["Key"] for page in found for one in page.get("Contents", ())]
        return {key: client.get_object(Bucket="lakes", Key=key)["Body"].read() for key in keys}

    @property
    def access(self) -> StoreAccess:
        """What igtool is told of it."""
        return StoreAccess("invented", "canary-of-the-store", None, "eu-west-1", self.endpoint, path_style=True)

    def client(self) -> Any:
        """A client of boto3."""
        return client_of(self.access)


def client_of(access: StoreAccess) -> Any:
    """A client of boto3."""
    import boto3  # type: ignore[import-untyped]

    return boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.key_id,
        aws_secret_access_key=access.secret,
    )


def overwrite(place: LakePlace, name: str, content: bytes) -> None:
    """Make a data file of a lake hold ``content``, behind its back."""
    if place.data_path and place.data_path.startswith("s3://"):
        bucket, _, prefix = place.data_path.removeprefix("s3://").partition("/")
        client_of(place.access).put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)
    else:
        path = Path(place.data_path or place.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def lose(place: LakePlace, name: str) -> None:
    """Delete a data file of a lake, behind its back."""
    if place.data_path and place.data_path.startswith("s3://"):
        bucket, _, prefix = place.data_path.removeprefix("s3://").partition("/")
        client_of(place.access).delete_object(Bucket=bucket, Key=f"{prefix}/{name}")
    else:
        (Path(place.data_path or place.folder) / name).unlink()


def _as_other_user() -> list[str]:
    """What a command begins with that may not run as root."""
    return ["setpriv", f"--reuid={_USER}", "--clear-groups", "--regid=nogroup"] if os.geteuid() == 0 else []


@contextmanager
def machines() -> Iterator[list[Machine]]:
    """Two network namespaces that see nothing but this one; where there can be none, two names for this one."""
    names = [f"igtool{os.getpid()}{letter}" for letter in "ab"]
    made = []
    try:
        try:
            for number, name in enumerate(names, 1):
                host, guest, net = (
                    f"igh{os.getpid() % 10_000}{number}",
                    f"igg{os.getpid() % 10_000}{number}",
                    f"10.203.{number}",
                )
                _ip("netns", "add", name)
                made.append(name)
                _ip("link", "add", host, "type", "veth", "peer", "name", guest, "netns", name)
                _ip("addr", "add", f"{net}.1/24", "dev", host)
                _ip("link", "set", host, "up")
                _ip("-n", name, "addr", "add", f"{net}.2/24", "dev", guest)
                _ip("-n", name, "link", "set", guest, "up")
        except (OSError, subprocess.CalledProcessError):
            yield [Machine((), "127.0.0.1")] * 2
        else:
            yield [Machine(("ip", "netns", "exec", name), f"10.203.{n}.1") for n, name in enumerate(names, 1)]
    finally:
        for name in made:
            _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def postgres(listening_on: Sequence[str] = ()) -> Iterator[Postgres]:
    """A server of its own, with checks of passwords, that is ended with the block."""
    assert POSTGRES is not None
    folder = Path(tempfile.mkdtemp(prefix="igtool-postgres-"))
    try:
        (folder / "password").write_text(_PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, _USER)
        options = ["-A", "scram-sha-256", "-U", "igtool", f"--pwfile={folder / 'password'}", "-E", "UTF8", "--no-sync"]
        initdb = [str(POSTGRES.with_name("initdb")), "-D", str(folder / "data"), "--locale=C", *options]
        subprocess.run([*_as_other_user(), *initdb], check=True, capture_output=True, cwd="/")
        with (folder / "data" / "pg_hba.conf").open("a") as rights:
            rights.writelines(f"host all igtool {one}/24 scram-sha-256\n" for one in listening_on)
        port = _free_port()
        listening = [
            "-h",
            ",".join(["127.0.0.1", *listening_on]),
            "-p",
            str(port),
            "-k",
            "",
            "-c",
            "max_connections=60",
            "-c",
            "fsync=off",
        ]
        server = subprocess.Popen(
            [*_as_other_user(), str(POSTGRES), "-D", str(folder / "data"), *listening],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        try:
            opened = Postgres(folder / "data", port)
            _wait(lambda: opened.sql("select 1") == "1\n", server)
            yield opened
        finally:
            server.send_signal(2)  # fast: who is connected is cut off
            server.wait(_PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def s3() -> Iterator[Bucket]:
    """A server in a process of its own, with one bucket, that is ended with the block."""
    port = _free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        bucket = Bucket(f"http://127.0.0.1:{port}")
        client = bucket.client()
        _wait(lambda: bool(_made(client)), server)
        yield bucket
    finally:
        server.terminate()
        server.wait(_PATIENCE_S)


def _made(client: Any) -> bool:
    client.create_bucket(Bucket="lakes", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(is_up: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if is_up():
                return
        except Exception:
            if server.poll() is not None or time.monotonic() > ends:
                raise
        time.sleep(0.05)
