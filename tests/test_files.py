"""Files, folders and archives become documents; every file is accounted for."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from conftest import REALDATA, let_others_in, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.errors import StorageError, UsageError
from igtool.platforms import documents
from igtool.platforms.files import Document, Unreadable, read_documents, read_files

ONE = b'{"a": 1}'
TWO = b'{"b": [2, "\\u00e9"]}'
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".xz": lzma.compress,
}


def bodies(source: Path) -> list[bytes]:
    """The bodies of a source that must be read without a flaw."""
    found = list(read_documents(source))
    assert not [item for item in found if isinstance(item, Unreadable)]
    return [item.body for item in found if isinstance(item, Document)]


def flaws(source: Path) -> dict[str, str]:
    """Path to reason of what could not be read."""
    return {item.path: item.reason for item in read_documents(source) if isinstance(item, Unreadable)}


def write(folder: Path, name: str, data: bytes) -> Path:
    """A file in ``folder``, with the folders above it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("lines.jsonl", ONE + b"\n" + TWO + b"\n"),
        ("lines.ndjson", b"\r\n".join([ONE, b"", TWO])),
        ("mongoexport.json", ONE + b"\n" + TWO + b"\n"),
        ("list.json", b"[" + ONE + b" ,\n " + TWO + b"]\n"),
        ("pretty_list.jsonl", b"[\n" + ONE + b",\n" + TWO + b"\n]"),
        ("glued.json", ONE + TWO),
        ("bom.jsonl", b"\xef\xbb\xbf" + ONE + b"\n" + TWO),
        ("bom.json", b"\xef\xbb\xbf[" + ONE + b"," + TWO + b"]"),
        ("utf16.json", f"[{ONE.decode()}, {TWO.decode()}]".encode("utf-16")),
        ("utf16.jsonl", f"{ONE.decode()}\n{TWO.decode()}".encode("utf-16")),
    ],
)
def test_every_way_to_hold_two_documents(tmp_path: Path, name: str, data: bytes) -> None:
    """Lines, lists, mongoexport, documents one after another, with and without byte order mark: the same two."""
    assert bodies(write(tmp_path, name, data)) == [ONE, TWO]


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("inner", ["a.json", "a.jsonl", "a"])
def test_packed_files(tmp_path: Path, packing: str, inner: str) -> None:
    """gz, zst and xz around lines are read as what is in them; `dump.gz` counts as JSON."""
    data = PACK[packing](ONE + b"\n") + PACK[packing](TWO)
    assert bodies(write(tmp_path, inner + packing, data)) == [ONE, TWO]


def test_pretty_documents_one_after_another(tmp_path: Path) -> None:
    """Indented documents without anything between them are told apart; brackets in strings do not count."""
    values = [{"a": {"b": "}{]["}}, {"c": 'quote \\" {'}]
    text = "\n".join(json.dumps(value, indent=2) for value in values)
    assert [json.loads(body) for body in bodies(write(tmp_path, "x.json", text.encode()))] == values


def test_a_list_of_objects_is_split_without_being_written_anew(tmp_path: Path) -> None:
    r"""Elements keep their bytes: spaces, escapes, big numbers, and lone surrogates as they are."""
    parts = [rb'{"a" :  1.50, "s":"\ud800 \u0041"}', rb'{"n": 123456789012345678901234567890}']
    assert bodies(write(tmp_path, "x.json", b"[ " + parts[0] + b" ,\n" + parts[1] + b" ]")) == parts


def test_a_list_of_other_things_stays_whole(tmp_path: Path) -> None:
    """A list that does not hold objects is one document."""
    assert bodies(write(tmp_path, "x.json", b" [1, 2] ")) == [b"[1, 2]"]


def test_document_says_where_it_is_from(tmp_path: Path) -> None:
    """Path, position, time of change and the handle in the file name come with each document."""
    path = write(tmp_path, "sub/posts(@Some.Name)_p1.jsonl", ONE + b"\n\n" + TWO)
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    first, second = read_documents(tmp_path)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert first.path == second.path == "sub/posts(@Some.Name)_p1.jsonl"
    assert (first.index, second.index) == (0, 2)
    assert first.observed_at == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert first.subject == "some.name"


@pytest.mark.parametrize("name", ["plain.json", "report(1).json", "()_x.json", "(a b)_x.json"])
def test_names_without_a_handle(tmp_path: Path, name: str) -> None:
    """Only a name of the form xxx(username)_ gives a subject."""
    (document,) = read_documents(write(tmp_path, name, ONE))
    assert isinstance(document, Document)
    assert document.subject is None


def test_zip_members(tmp_path: Path) -> None:
    """Members are read in order of name, packed ones too, each with its own date; others are refused by name."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("b/two.json", (2024, 5, 6, 7, 8, 10)), TWO)
        archive.writestr("a(user)_1.json.gz", gzip.compress(ONE))
        archive.writestr("../escape.json", ONE)
        archive.writestr("__MACOSX/._two.json", b"junk")
        archive.writestr(".hidden.json", b"junk")
        archive.writestr("picture.png", b"junk")
        archive.writestr("broken.json", b'{"a"')
    found = list(read_documents(tmp_path))
    documents_ = [item for item in found if isinstance(item, Document)]
    assert [item.path for item in documents_] == [
        "all.zip!../escape.json",
        "all.zip!a(user)_1.json.gz",
        "all.zip!b/two.json",
    ]
    assert documents_[2].observed_at == datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC)
    assert documents_[1].subject == "user"
    assert flaws(tmp_path) == {
        "all.zip!picture.png": "unsupported-file-type",
        "all.zip!broken.json": "broken-json",
    }
    assert not (tmp_path.parent / "escape.json").exists()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.json", b'{"a": ', "broken-json"),
        ("a.json", b"{error}", "broken-json"),
        ("a.json", b'{"a": 1} trailing', "broken-json"),
        ("a.json", b'{"a": "no end', "broken-json"),
        ("a.json", b'{"a": NaN}', "broken-json"),
        ("a.json", b'{"a": 1}}', "broken-json"),
        ("a.json", b"<!DOCTYPE html><html></html>", "html-not_found"),
        ("a.json", b"<.>", "not-json"),
        ("a.json", b"\x89PNG\r\n", "not-utf8"),
        ("a.json", '{"a": "café"}'.encode("latin-1"), "not-utf8"),
        ("a.json", b"\xff\xfe{", "not-utf8"),
        ("a.json", b"", "empty-file"),
        ("a.json", b"\xef\xbb\xbf \n", "empty-file"),
        ("a.jsonl", b"\n\n", "empty-file"),
        ("a.json", b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        ("a.jsonl", b'{"a":' * 100_000, "too-deep"),
        ("a.json.gz", gzip.compress(ONE * 999, mtime=0)[:-20], "broken-archive"),
        ("a.json.gz", ONE, "broken-archive"),
        ("a.json.xz", lzma.compress(ONE)[:-8], "broken-archive"),
        ("a.json.zst", b"\x28\xb5\x2f\xfd" + b"x" * 20, "broken-archive"),
        ("a.zip", b"PK\x03\x04 no archive", "broken-archive"),
        ("a.zip", b"PK\x05\x06" + bytes(18), "empty-file"),
    ],
)
def test_flaws_have_their_reason(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """What cannot be read says why, in one slug, and does not stop the files after it."""
    write(tmp_path, name, data)
    write(tmp_path, "z.json", TWO)
    found = list(read_documents(tmp_path))
    assert {item.reason for item in found if isinstance(item, Unreadable)} == {reason}
    assert [item.body for item in found if isinstance(item, Document)][-1] == TWO


def test_a_bad_line_costs_only_itself(tmp_path: Path) -> None:
    """In a file of lines the line number of a bad one is told and the others are read."""
    path = write(tmp_path, "x.jsonl", ONE + b"\n{broken\n" + b'{"c": "\xff"}\n' + TWO)
    found = list(read_documents(path))
    assert [(item.reason, item.line) for item in found if isinstance(item, Unreadable)] == [
        ("broken-json", 2),
        ("not-utf8", 3),
    ]
    assert [item.body for item in found if isinstance(item, Document)] == [ONE, TWO]


def test_each_flaw_of_a_file_has_its_own_index(tmp_path: Path) -> None:
    """A bad first line and the end of a cut archive are two flaws that can be told apart."""
    packed = gzip.compress(b"{broken\n" + random.Random(1).randbytes(400_000).hex().encode())[:-30]
    found = list(read_documents(write(tmp_path, "x.jsonl.gz", packed)))
    assert [item.reason for item in found if isinstance(item, Unreadable)] == ["broken-json", "broken-archive"]
    assert len({item.index for item in found}) == 2


def test_a_cut_file_keeps_what_was_whole(tmp_path: Path) -> None:
    """Of indented documents one after another, those before the cut are read and the rest is refused."""
    path = write(tmp_path, "x.json", b'{\n"a": 1\n}\n{\n"b": 2')
    document, flaw = read_documents(path)
    assert isinstance(document, Document)
    assert isinstance(flaw, Unreadable)
    assert (document.body, flaw.reason, flaw.line) == (b'{\n"a": 1\n}', "broken-json", 3)


def test_nothing_in_a_folder_is_passed_over_silently(tmp_path: Path) -> None:
    """Files of other types are refused one by one; only hidden ones are left out."""
    for name in ("notes.txt", "table.xlsx", "page.pdf", "noending", "dump.tar.gz", "x.json", ".hidden.json"):
        write(tmp_path, name, ONE)
    write(tmp_path, ".git/x.json", ONE)
    os.mkfifo(tmp_path / "pipe.json")
    assert flaws(tmp_path) == dict.fromkeys(
        ["dump.tar.gz", "noending", "notes.txt", "page.pdf", "pipe.json", "table.xlsx"], "unsupported-file-type"
    )
    assert [file.path for file in read_files(tmp_path) if file.flaw is None] == ["x.json"]


def test_links(tmp_path: Path) -> None:
    """A link to a file inside is read; one that leads out, one to nowhere and one in a circle are not followed."""
    outside = write(tmp_path, "outside/secret.json", ONE)
    inside = tmp_path / "inside"
    write(inside, "real/a.json", TWO)
    (inside / "link.json").symlink_to(inside / "real/a.json")
    (inside / "out.json").symlink_to(outside)
    (inside / "outfolder").symlink_to(outside.parent)
    (inside / "circle").symlink_to(inside)
    (inside / "nowhere.json").symlink_to(inside / "gone.json")
    found = list(read_documents(inside))
    assert [item.path for item in found if isinstance(item, Document)] == ["link.json", "real/a.json"]
    assert flaws(inside) == {
        "nowhere.json": "unreadable-file",
        "out.json": "link-outside",
        "outfolder": "link-outside",
    }


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is read, under a path that can be stored."""
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.json"))).write_bytes(ONE)
    (document,) = read_documents(tmp_path)
    assert isinstance(document, Document)
    assert (document.path, document.body) == ("caf\\xe9.json", ONE)


def test_a_file_that_goes_away_is_refused(tmp_path: Path) -> None:
    """A file that was listed and cannot be opened is an Unreadable, not a crash."""
    path = write(tmp_path, "a.json", ONE)
    (file,) = read_files(tmp_path)
    path.unlink()
    (flaw,) = file.documents()
    assert isinstance(flaw, Unreadable)
    assert flaw.reason == "unreadable-file"


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large documents, files and unpacked files are refused; what is within the limits is read."""
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 100)
    monkeypatch.setattr(documents, "MAX_FILE", 1000)
    monkeypatch.setattr("igtool.platforms.files.MAX_FILE", 1000)
    monkeypatch.setattr("igtool.platforms.files.MAX_RATIO", 2)
    large = json.dumps({"x": "y" * 200}).encode()
    write(tmp_path, "document.json", b"[" + ONE + b"," + large + b"]")
    write(tmp_path, "lines.jsonl", ONE + b"\n" + large + b"\n" + TWO)
    write(tmp_path, "whole.json", b"[" + b" " * 2000 + b"]")
    write(tmp_path, "bomb.json.gz", gzip.compress(b"[" + b" " * 9_999_999 + b"]"))
    write(tmp_path, "lines_bomb.jsonl.gz", gzip.compress((ONE + b"\n") * 5_000))
    write(tmp_path, "long.jsonl", (ONE + b"\n") * 500)
    assert set(flaws(tmp_path).values()) == {"too-large"}
    assert set(flaws(tmp_path)) == {
        "document.json",
        "lines.jsonl",
        "whole.json",
        "bomb.json.gz",
        "lines_bomb.jsonl.gz",
    }
    read = [item for item in read_documents(tmp_path) if isinstance(item, Document)]
    assert [item.body for item in read if item.path == "lines.jsonl"] == [ONE, TWO]
    assert sum(item.path == "long.jsonl" for item in read) == 500


def test_order_and_skipping(tmp_path: Path) -> None:
    """Files come in the order of their paths, and those that are known by path, size and time are left out."""
    for name in ("b/x.json", "a.json", "b.json", "a/z.json", "a/A.json"):
        write(tmp_path, name, ONE)
    files = read_files(tmp_path)
    assert [file.path for file in files] == ["a/A.json", "a/z.json", "a.json", "b/x.json", "b.json"]
    known = {(file.path, file.size, file.mtime_ns) for file in files[:4]}
    rest = list(read_documents(tmp_path, skip=lambda *key: key in known))
    assert [item.path for item in rest] == ["b.json"]
    write(tmp_path, "a.json", TWO)
    assert len(list(read_documents(tmp_path, skip=lambda *key: key in known))) == 2


def test_sources_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing path, an empty folder, a folder without JSON and a single file of another type say the fix."""
    (tmp_path / "empty").mkdir()
    write(tmp_path, "tables/a.xlsx", b"x")
    for source in ("missing", "empty", "tables", "tables/a.xlsx", "tables/a.xlsx/x"):
        with pytest.raises(UsageError, match=r"give a folder|igtool reads"):
            read_files(tmp_path / source)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, to whom nothing is forbidden."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_source_that_may_not_be_read(tmp_path: Path) -> None:
    """A folder without read permission is a StorageError; a file or folder inside without it is refused."""
    top = tmp_path / "top"
    write(top, "closed.json", ONE).chmod(0)
    write(top, "open.json", TWO)
    (top / "folder").mkdir(mode=0)
    let_others_in(tmp_path)
    with as_nobody():
        assert flaws(top) == {"closed.json": "unreadable-file", "folder": "unreadable-file"}
    top.chmod(0)
    with as_nobody(), pytest.raises(StorageError, match="permission"):
        read_files(top)
    top.chmod(0o755)
    (top / "folder").chmod(0o755)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3),
        min_size=1,
        max_size=5,
    ),
    indent=st.sampled_from([None, 1]),
    way=st.sampled_from(["list", "glued", "lines"]),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[dict[str, object]], indent: int | None, way: str
) -> None:
    """Documents put into one file as a list, glued, or one a line come back equal, whatever is in them."""
    texts = [json.dumps(value, indent=None if way == "lines" else indent) for value in values]
    text = {"list": "[" + ",".join(texts) + "]", "glued": " ".join(texts), "lines": "\n".join(texts)}[way]
    path = write(tmp_path_factory.getbasetemp(), f"round.{'jsonl' if way == 'lines' else 'json'}", text.encode())
    assert [json.loads(body) for body in bodies(path)] == values


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=60) | st.text(alphabet='{}[]",: \\u1\n', max_size=40).map(str.encode))
def test_any_bytes_are_documents_or_flaws(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No content of a file escapes as an exception or as nothing; what comes out is sound JSON."""
    for name in ("any.json", "any.jsonl", "any.json.gz", "any.zip"):
        found = list(read_documents(write(tmp_path_factory.getbasetemp(), name, data)))
        assert found
        for item in found:
            if isinstance(item, Document):
                json.loads(item.body)


@needs_realdata
def test_real_packed_file() -> None:
    """A real .json.xz of instaloader is one document."""
    path = REALDATA / "instagram/instaloader/2019-07-09_12-00-00_UTC.DERIVED.json.xz"
    assert set(json.loads(bodies(path)[0])) == {"node", "instaloader"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("profile_20261001T081500.json", datetime(2026, 10, 1, 8, 15, tzinfo=UTC)),
        ("posts(some.name)_20261001T081500Z.jsonl.gz", datetime(2026, 10, 1, 8, 15, tzinfo=UTC)),
        ("profile_20261341T081500.json", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2018-05-01_00-00-00_UTC.json", datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_time_in_a_name_counts_before_that_of_the_file(tmp_path: Path, name: str, expected: datetime) -> None:
    """Copies and checkouts lose file times; a name of that form keeps when the answer was fetched."""
    path = write(tmp_path, name, gzip.compress(ONE) if name.endswith(".gz") else ONE)
    os.utime(path, (1577836800, 1577836800))
    (document,) = read_documents(path)
    assert isinstance(document, Document)
    assert document.observed_at == expected
