"""Archives and backups that somebody made to do harm: nothing is written elsewhere, and time and memory have bounds."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from stored_people import make_workspace, state

from igtool.backups.making import make_backup
from igtool.backups.manifest import NAME, SETTINGS, _checksum, opened
from igtool.backups.restoring import restore
from igtool.errors import IntegrityError
from igtool.journal.sqlite_files import change
from igtool.platforms import files, unpacking
from igtool.platforms.files import Document, Unreadable, read_documents
from igtool.platforms.unpacking import unpacked
from igtool.settings import Settings

ONE = b'{"id": "1", "username": "anna"}'


def archive(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of these members, under any names."""
    with zipfile.ZipFile(path, "w", how) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def reasons(path: Path) -> list[str]:
    """What is wrong with what was read."""
    return [item.reason for item in read_documents(path) if isinstance(item, Unreadable)]


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    """Up, absolute, of Windows, with a NUL, a drive, a link: the content is read in place and nothing is written."""
    link = zipfile.ZipInfo("link.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    place = tmp_path / "in"
    place.mkdir()
    names = (
        "../up.json",
        "/etc/up.json",
        r"..\..\up.json",
        r"C:\up.json",
        "a/../../b.json",
        "con.json",
        "x" * 60_000 + ".json",
    )
    path = archive(place / "all.zip", *((name, ONE) for name in names), (link, b"../../etc/passwd"))
    before = sorted(tmp_path.rglob("*"))
    found = list(read_documents(path))
    assert sum(isinstance(item, Document) for item in found) == len(names)
    assert [item.reason for item in found if isinstance(item, Unreadable)] == ["not-json"]
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path / "up.json").exists()


def test_archives_in_archives_are_not_opened(tmp_path: Path) -> None:
    """A zip in a zip is a reject, so that nesting multiplies nothing."""
    inner = archive(tmp_path / "inner.zip", ("a.json", ONE)).read_bytes()
    assert reasons(archive(tmp_path / "outer.zip", ("inner.zip", inner), ("a.json", ONE))) == ["unsupported-file-type"]


def overlapping(count: int, content: bytes) -> bytes:
    """A zip whose ``count`` members are all the same bytes of the file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("member0.json", content)
        (first,) = made.infolist()
        for number in range(1, count):
            other = zipfile.ZipInfo("member0.json")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(other, name, getattr(first, name))
            other.comment = str(number).encode()
            made.filelist.append(other)
    return file.getvalue()


def test_members_that_lie_over_each_other_have_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 members of the same bytes come to an end after what one archive of its size may hold."""
    monkeypatch.setattr(files, "MAX_FILE", 200_000)
    monkeypatch.setattr(files, "MAX_RATIO", 2)
    path = tmp_path / "many.zip"
    path.write_bytes(overlapping(300, b'{"a": "' + b"x" * 10_000 + b'"}'))
    found = list(read_documents(path))
    assert len(found) < 40
    assert isinstance(found[-1], Unreadable)
    assert (found[-1].reason, "unpacked archive" in found[-1].detail) == ("too-large", True)


def test_a_directory_that_does_not_fit_into_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an archive with too many names only the end is looked at, also where the sizes are those of zip64."""
    path = archive(tmp_path / "many.zip", *((f"{number}.json", ONE) for number in range(50)))
    assert reasons(path) == []
    monkeypatch.setattr(unpacking, "MAX_DIRECTORY", 1000)
    assert reasons(path) == ["too-large"]
    data = path.read_bytes()
    end = data.rfind(b"PK\x05\x06")
    size, offset = struct.unpack_from("<II", data, end + 12)
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 50, 50, size, offset)
    wide += struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    path.write_bytes(data[:end] + wide + data[end : end + 12] + b"\xff" * 8 + data[end + 20 :])
    assert reasons(path) == ["too-large"]
    monkeypatch.undo()
    assert reasons(path) == []


@pytest.mark.parametrize("seed", range(4))
def test_broken_archives_are_rejects(tmp_path: Path, seed: int) -> None:
    """Whatever bytes of a zip are changed: it is read or refused with a reason, and never an error of Python."""
    chance = random.Random(seed)
    whole = archive(
        tmp_path / "whole.zip", ("á.json", ONE), ("b.jsonl", ONE * 9), ("c.csv", b"a,b\n1,2\n")
    ).read_bytes()
    path = tmp_path / "broken.zip"
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 8, 14, 99, 128, 255))
        path.write_bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        assert all(isinstance(item, Document | Unreadable) for item in read_documents(path))


def peak(read: Callable[[], object]) -> int:
    """Bytes of Python's own that ``read`` took at most."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_packed_zeros_stop_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB of zeros in a few KB, in each way of packing, also in a zip: refused, with a few MB of memory."""
    monkeypatch.setattr(files, "MAX_FILE", 1 << 20)
    monkeypatch.setattr("igtool.platforms.documents.MAX_FILE", 1 << 20)
    monkeypatch.setattr("igtool.platforms.documents.MAX_DOCUMENT", 1 << 16)
    zeros = b" " * 50_000_000
    packed = {".xz": lzma.compress(zeros, preset=0), ".zst": zstandard.compress(zeros)}
    for ending, data in packed.items():
        for name, content in ((f"a.json{ending}", data), (f"in{ending}.zip", b"")):
            path = tmp_path / name
            path.write_bytes(content) if content else archive(path, (f"a.json{ending}", data))
            assert peak(lambda path=path: reasons(path)) < 20_000_000  # type: ignore[misc]
            assert reasons(path) == ["too-large"]
    del zeros


def test_headers_that_ask_for_memory_are_refused(tmp_path: Path) -> None:
    """A window of 2 GiB (zst), a dictionary of 4 GiB (xz, zip with LZMA): refused before anything is taken."""
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=28))
    frame = wide.compressobj()
    (tmp_path / "a.json.zst").write_bytes(frame.compress(ONE * 9) + frame.flush())
    (tmp_path / "b.jsonl.xz").write_bytes(lzma.compress(ONE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]))
    archive(tmp_path / "c.zip", ("a.json", ONE), how=zipfile.ZIP_LZMA)
    assert [(item.path, item.reason) for item in read_documents(tmp_path) if isinstance(item, Unreadable)] == [
        ("a.json.zst", "broken-archive"),
        ("b.jsonl.xz", "broken-archive"),
        ("c.zip!a.json", "broken-archive"),
    ]


@pytest.mark.parametrize("padding", [b"", bytes(4), bytes(400)])
def test_streams_of_xz_are_read_as_one(padding: bytes) -> None:
    """Several streams with padding between and behind them; one that is cut or followed by anything else is broken."""
    parts = [random.Random(n).randbytes(30_000) for n in range(3)]
    packed = padding.join(lzma.compress(part) for part in parts) + padding
    assert unpacked(io.BytesIO(packed), ".xz", None).read() == b"".join(parts)
    assert unpacked(io.BytesIO(b""), ".xz", None).read() == b""
    for broken in (lzma.compress(parts[0])[:-3000], packed + b"rest"):
        with pytest.raises(unpacking.BROKEN):
            unpacked(io.BytesIO(broken), ".xz", None).read()


# --- backups of somebody else --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A workspace that is only read."""
    return make_workspace(tmp_path_factory.mktemp("made") / "w")


@pytest.fixture
def backup(settings: Settings, tmp_path: Path) -> Path:
    """A sound backup of it."""
    return make_backup(settings, tmp_path / "backup").folder


def rewritten(backup: Path, change_it: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and make its checksum that of the change."""
    path = backup / NAME
    content = json.loads(path.read_bytes())
    del content["checksum"]
    change_it(content)
    path.write_text(json.dumps({**content, "checksum": _checksum(content)}))


@pytest.mark.parametrize(
    "name",
    [
        *("../up", "data/../../up", "/etc/up", "//up", "data//x", "./data/x", "data", "data/", "", ".", "data/a\0b"),
        *(".env", ".git/hooks/post-checkout", "igtool/cli.py", "Makefile", "models/evil.gguf", "data/.."),
    ],
)
def test_a_backup_names_only_what_backups_hold(backup: Path, name: str) -> None:
    """Paths that lead out, and files beside the data, which somebody might start: the backup is refused as a whole."""
    rewritten(backup, lambda content: content["files"].update({name: next(iter(content["files"].values()))}))
    with pytest.raises(IntegrityError, match=r"leads out|nothing that a backup holds"):
        opened(backup)


@pytest.mark.parametrize(
    "entry",
    [
        {"sha256": "../../../etc/passwd"}, {"sha256": "é" * 64}, {"sha256": 7}, {"bytes": "9"}, {"bytes": -1},
        {"changed_ns": 1 << 80}, {"changed_ns": None}, {"more": 1},
    ],
)  # fmt: skip
def test_entries_without_sense_are_damage(backup: Path, entry: dict[str, Any]) -> None:
    """Sums, sizes and times that cannot be, and fields that nobody knows."""
    rewritten(backup, lambda content: next(iter(content["files"].values())).update(entry))
    with pytest.raises(IntegrityError, match="damaged"):
        opened(backup)


@pytest.mark.parametrize(
    "change_it", [{"lake_id": 5}, {"snapshot": "x"}, {"schema_version": None}, {"files": [1]}, {"x": 1}]
)
def test_manifests_without_sense_are_damage(backup: Path, change_it: dict[str, Any]) -> None:
    """Fields of another type, and fields that nobody knows."""
    rewritten(backup, lambda content: content.update(change_it))
    with pytest.raises(IntegrityError, match="damaged"):
        opened(backup)


def test_what_is_no_file_is_not_read(backup: Path, tmp_path: Path) -> None:
    """A pipe in the place of a file does not make a restore wait for ever, and a link to another file is damage."""
    made = opened(backup)
    places = {made.path(name) for name in made.manifest.files if name not in SETTINGS}
    pipe, link = sorted(places)[:2]
    for place in (pipe, link):
        place.unlink()
    os.mkfifo(pipe)
    link.symlink_to("/etc/hostname")
    assert len(made.damaged()) >= 2
    with pytest.raises(IntegrityError, match="nothing was changed"):
        restore(backup, tmp_path / "new", may_replace=False)


def test_a_catalog_cannot_lead_elsewhere(backup: Path, settings: Settings, tmp_path: Path) -> None:
    """Data files outside of the lake are refused; what a stranger's catalog wants deleted is not deleted."""
    made = opened(backup)
    place = made.path("data/catalog.sqlite")
    whole = place.read_bytes()
    precious = tmp_path / "precious"
    precious.write_text("mine")

    def put(statement: str, *values: object) -> None:
        place.write_bytes(whole)
        change(place, [(statement, values)])
        found = hashlib.sha256(place.read_bytes()).hexdigest()
        target = backup / "files" / found[:2] / found
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(place.read_bytes())
        size = target.stat().st_size
        rewritten(backup, lambda c: c["files"]["data/catalog.sqlite"].update({"sha256": found, "bytes": size}))

    for number, statement in enumerate(
        (
            "update ducklake_data_file set path = '/etc/passwd', path_is_relative = 0",
            "update ducklake_table set path = '../../../'",
            "create trigger evil after insert on ducklake_snapshot begin delete from ducklake_table; end",
        )
    ):
        put(statement)
        with pytest.raises(IntegrityError, match=r"outside of the lake|triggers"):
            restore(backup, tmp_path / f"new{number}", may_replace=False)
    put(
        "insert into ducklake_files_scheduled_for_deletion (data_file_id, path, path_is_relative, schedule_start) "
        "values (1, ?, 0, '2020-01-01 00:00:00+00')",
        str(precious),
    )
    restored = restore(backup, tmp_path / "new", may_replace=False)
    from igtool.lake import Lake

    with Lake(restored.workspace / "data", writable=True) as lake:
        lake.upkeep(least_commits=0)
    assert precious.read_text() == "mine"
    assert state(settings.model_copy(update={"workspace": restored.workspace}), ("accounts",)) == state(
        settings, ("accounts",)
    )
