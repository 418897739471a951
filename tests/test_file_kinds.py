"""Tables become one document a record, pages are told by their kind, and nothing in either is lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import zstandard
from conftest import REALDATA, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.platforms import csv_rows
from igtool.platforms.csv_rows import any_columns, column_names, split_rows
from igtool.platforms.files import Document, Unreadable, read_documents

Flaw = tuple[str, int | None]
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".xz": lzma.compress,
}
TABLE = b"name,likes\nada,5\n"
WAIT = b"<html><body>Please wait a few minutes before you try again.</body></html>"


def write(folder: Path, name: str, data: bytes) -> Path:
    """A file in ``folder``."""
    path = folder / name
    path.write_bytes(data)
    return path


def rows(source: Path) -> list[dict[str, str]]:
    """The records of a source that must be read without a flaw, whatever its columns."""
    found = list(read_documents(source, knows=any_columns))
    assert not [item for item in found if isinstance(item, Unreadable)]
    return [json.loads(item.body) for item in found if isinstance(item, Document)]


def outcome(source: Path) -> list[dict[str, str] | Flaw]:
    """Records, and for flaws their reason and line, in order."""
    found = read_documents(source, knows=any_columns)
    return [json.loads(item.body) if isinstance(item, Document) else (item.reason, item.line) for item in found]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_delimiter_and_line_end(tmp_path: Path, delimiter: str, end: str) -> None:
    """The delimiter is seen from the text; cells keep quotes, line ends, spaces and emptiness."""
    tags, read = ('"a;b"', "a;b") if delimiter == "|" else ('"a"|"b"', 'a|"b"')
    lines = [["id", "text", "tags"], ["1", f'"two{end}lines, ""so"""', " x "], ["2", "", tags]]
    path = write(tmp_path, "t.csv", end.join(delimiter.join(line) for line in lines).encode())
    assert rows(path) == [
        {"id": "1", "text": f'two{end}lines, "so"', "tags": " x "},
        {"id": "2", "text": "", "tags": read},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_every_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    """With and without byte order mark, the same text comes out."""
    text = "nombre,año,población\n" + "Íñigo – “él”,2020,España\n" * 3
    assert rows(write(tmp_path, name, text.encode(encoding)))[0] == {
        "nombre": "Íñigo – “él”",
        "año": "2020",
        "población": "España",
    }


def test_a_few_broken_bytes_cost_only_themselves(tmp_path: Path) -> None:
    """In UTF-8 text a byte that is none becomes U+FFFD, and the other records stay as they are."""
    data = b"a,b\n" + "ñandú,ñ\n".encode() * 20 + b"x\xff,y\n"
    found = rows(write(tmp_path, "t.csv", data))
    assert found[0] == {"a": "ñandú", "b": "ñ"}
    assert found[-1] == {"a": "x\ufffd", "b": "y"}


def test_names_of_columns() -> None:
    """Names lose the space around, empty ones are numbered, and all of them differ."""
    assert column_names([" Name", "authentic\n", "", "Name ", "Name", "Name#2", "column_3"]) == [
        "Name",
        "authentic",
        "column_3",
        "Name#2",
        "Name#3",
        "Name#2#2",
        "column_3#2",
    ]


def test_records_of_other_widths(tmp_path: Path) -> None:
    """Cells beyond the header are kept under names of their own; cells that are not there are left out."""
    assert rows(write(tmp_path, "t.csv", b"a,extra_1\n1,2,3,4\n5\n")) == [
        {"a": "1", "extra_1": "2", "extra_1#2": "3", "extra_2": "4"},
        {"a": "5"},
    ]


@pytest.mark.parametrize("packing", PACK)
def test_packed_tables(tmp_path: Path, packing: str) -> None:
    """A packed table is read as what is in it."""
    assert rows(write(tmp_path, f"t.csv{packing}", PACK[packing](TABLE))) == [{"name": "ada", "likes": "5"}]


def test_tables_and_pages_in_an_archive(tmp_path: Path) -> None:
    """Members of an archive are read by their own kind."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a.csv", TABLE)
        archive.writestr("b.html", WAIT)
        archive.writestr("c.tsv.gz", gzip.compress(TABLE.replace(b",", b"\t")))
    assert outcome(tmp_path) == [
        {"name": "ada", "likes": "5"},
        ("html-rate_limited", None),
        {"name": "ada", "likes": "5"},
    ]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.csv", b"", "empty-file"),
        ("t.csv", b"\xef\xbb\xbf\n \n", "empty-file"),
        ("t.csv", b"a,b\n\n", "empty-file"),
        ("t.csv", b"handle\nada\n", "not-a-table"),
        ("t.csv", b"PK\x03\x04\x14\0,\x08\0\0\0\n,\n", "not-a-table"),
        ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not-a-table"),
        ("t.csv", b"abc,17.14.11,A title,748374,False\nabd,17.15.11,B,3,True\n", "no-header"),
        ("t.csv", b"0,1,2\na,b,c\n", "no-header"),
        ("t.csv", b"\xff\xfe\x41", "not-utf8"),
        ("t.csv", b"," * 2000 + b"\n" + b"," * 2000, "too-large"),
        ("t.csv", b"a," + b"x" * 2**16 + b"\n1,2\n", "too-large"),
        ("t.csv", b"\n" * 2**17 + TABLE, "too-large"),
        ("t.csv", WAIT, "html-rate_limited"),
        ("t.csv.gz", gzip.compress(TABLE * 99, mtime=0)[:-15], "broken-archive"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    """What cannot be read as a table says why, and the files after it are read."""
    write(tmp_path, name, data)
    write(tmp_path, "z.csv", TABLE)
    *flaws, last = outcome(tmp_path)
    assert {flaw[0] for flaw in flaws if isinstance(flaw, tuple)} == {reason}
    assert last == {"name": "ada", "likes": "5"}


def test_unknown_columns_are_one_flaw(tmp_path: Path) -> None:
    """A table that no shape reads, as a list of creators, is refused once, by the names of its columns."""
    path = write(tmp_path, "list.csv", b"Rank,Handle\n" + b"1,@ada\n" * 4000)
    (flaw,) = read_documents(path, knows=lambda names: "likes" in names)
    assert isinstance(flaw, Unreadable)
    assert (flaw.reason, flaw.detail) == ("unknown-columns", "no kind of dump has the columns Rank, Handle")
    (document,) = read_documents(write(tmp_path, "t.csv", TABLE), knows=lambda names: "likes" in names)
    assert isinstance(document, Document)


def test_records_that_are_none(tmp_path: Path) -> None:
    """A header in the middle, a row of empty cells and a row that is too wide are refused with their lines."""
    data = b'sep=;\n"a\nb";c\n1;2\n\n ;\n"a\nb";c\n' + b";" * 2000 + b"\n3;4\n"
    assert outcome(write(tmp_path, "t.csv", data)) == [
        {"a\nb": "1", "c": "2"},
        ("empty-row", 6),
        ("repeated-header", 7),
        ("empty-row", 9),
        {"a\nb": "3", "c": "4"},
    ]
    wide = write(tmp_path, "wide.csv", TABLE + b"x" + b",y" * 2000)
    assert outcome(wide) == [{"name": "ada", "likes": "5"}, ("too-large", 3)]


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record beyond the limit costs itself, a table that unpacks without end is stopped."""
    monkeypatch.setattr(csv_rows, "_BLOCK", 64)
    monkeypatch.setattr(csv_rows, "_LOOK_AHEAD", 16)
    monkeypatch.setattr(csv_rows, "MAX_RECORD", 200)
    data = TABLE + b"big," + b"x" * 999 + b'\nbob,6\n"long\n' + b"y\n" * 300 + b'",1\neve,7\n'
    found = outcome(write(tmp_path, "t.csv", data))
    assert found[:3] == [{"name": "ada", "likes": "5"}, ("too-large", 3), {"name": "bob", "likes": "6"}]
    assert found[-1] == {"name": "eve", "likes": "7"}
    monkeypatch.setattr("igtool.platforms.files.MAX_FILE", 1000)
    monkeypatch.setattr("igtool.platforms.files.MAX_RATIO", 2)
    *_, last = outcome(write(tmp_path, "bomb.csv.gz", gzip.compress(TABLE + b"a,1\n" * 9999)))
    assert last == ("too-large", None)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cells=st.lists(
        st.lists(st.text(alphabet='ab"\n\r,; é\0', max_size=9), min_size=2, max_size=4), min_size=1, max_size=9
    ),
    block=st.sampled_from([24, 50, 400]),
)
def test_what_was_written_is_read_whatever_the_blocks(cells: list[list[str]], block: int) -> None:
    """Cells come back as they were written, with the line of each record, wherever blocks of the file are cut."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["one", "two", "three"], *cells])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "_BLOCK", block)
        found = list(split_rows(io.BufferedReader(io.BytesIO(text.getvalue().encode()))))  # type: ignore[arg-type]
    assert [piece.position for piece in found] == list(range(len(cells)))
    for piece, wanted in zip(found, cells, strict=True):
        if piece.body is None:
            assert not "".join(wanted).strip()
        else:
            assert list(json.loads(piece.body).values()) == wanted


def test_an_open_quote_swallows_nothing(tmp_path: Path) -> None:
    """A cell that opens a quote and never closes it costs no record, over many blocks."""
    plain = b"".join(b"n%d,%d\n" % (number, number) for number in range(90_000))
    data = TABLE + b'"open,1\n' + plain + b'x"y,2\n,\n'
    *found, last = outcome(write(tmp_path, "t.csv", data))
    assert len(found) == 90_003
    assert found[:3] == [{"name": "ada", "likes": "5"}, {"name": '"open', "likes": "1"}, {"name": "n0", "likes": "0"}]
    assert found[-1] == {"name": 'x"y', "likes": "2"}
    assert last == ("empty-row", 90_005)


class Endless(io.RawIOBase):
    """A table without end."""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Always as much as was asked for."""
        data = b"ada,x\n" * (len(buffer) // 6)
        buffer[: len(data)] = data
        return len(data)


def test_a_table_is_streamed() -> None:
    """Records come out before the end of the file is known, so it need not fit into memory."""
    with io.BufferedReader(Endless(), 6 * 2**12) as file:
        found = list(islice(split_rows(file), 120_000))
    assert found[-1].position == 119_999
    assert {piece.flaw.reason for piece in found if piece.flaw} == {"repeated-header"}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=80) | st.text(alphabet='ab,;"\n\r <\0', max_size=60).map(str.encode))
def test_any_bytes_are_documents_or_flaws(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """No content escapes as an exception or as nothing, be it called a table or a page."""
    for name in ("any.csv", "any.tsv.xz", "any.html"):
        packed = lzma.compress(data) if name.endswith(".xz") else data
        found = list(read_documents(write(tmp_path_factory.getbasetemp(), name, packed), knows=any_columns))
        assert found
        for item in found:
            if isinstance(item, Document):
                json.loads(item.body)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (WAIT, "html-rate_limited"),
        (b"\n <!DOCTYPE html>\n<title>Login \xe2\x80\xa2 Instagram</title>", "html-auth"),
        (b'<html><form action="/challenge/1/"></form></html>', "html-blocked"),
        (b"<html>\n<title>Page not found</title>\n</html>", "html-not_found"),
        (b'<html><meta property="og:type" content="profile"></html>', "html-page"),
        (b"<html>\nplain caf\xe9</html>", "html-not_found"),
        ("<html><title>Just a moment…</title></html>".encode("utf-16"), "html-blocked"),
    ],
)
@pytest.mark.parametrize("name", ["p.html", "p.HTM", "p.json", "p.jsonl", "p.gz"])
def test_pages_are_told_by_their_kind(tmp_path: Path, name: str, page: bytes, reason: str) -> None:
    """A page where data was expected is one flaw that says what the platform wanted, whatever the file's name."""
    path = write(tmp_path, name, gzip.compress(page) if name.endswith(".gz") else page)
    ((found, _),) = outcome(path)
    assert found == reason


def test_data_under_the_name_of_a_page(tmp_path: Path) -> None:
    """An answer that a browser saved as .html is read; text that is neither is refused."""
    assert rows(write(tmp_path, "p.html", b'{"a": "b"}')) == [{"a": "b"}]
    assert outcome(write(tmp_path, "p.htm", b"Not found")) == [("not-json", None)]
    assert outcome(write(tmp_path, "p.html", b"")) == [("empty-file", None)]


def test_pages_between_lines(tmp_path: Path) -> None:
    """A page among lines is one flaw at its first line, and the documents after it are read, even if it breaks off."""
    page = b"<!DOCTYPE html>\n<html>\n{x: 1}\n</html>\n"
    cut = b"<html>\n<title>Login</title>\n"
    path = write(tmp_path, "p.jsonl", b'{"a": 1}\n' + page + b'{"a": 2}\n' + cut + b'{"a": 3}\n' + b"<html>")
    assert outcome(path) == [
        {"a": 1},
        ("html-not_found", 2),
        {"a": 2},
        ("html-auth", 7),
        {"a": 3},
        ("html-not_found", 10),
    ]


@needs_realdata
def test_csv_spectrum() -> None:
    """Each file of the csv-spectrum suite gives what the suite expects, but for a number that was made over in one."""
    suite = REALDATA / "hard_inputs" / "csv-spectrum"
    tables = sorted((suite / "csvs").glob("*.csv"))
    assert len(tables) == 8
    for table in tables:
        expected = json.loads((suite / "json" / f"{table.stem}.json").read_text())
        wanted = [expected] if isinstance(expected, dict) else expected
        found = rows(table)
        for row in (*found, *wanted):
            row.pop("Contact Phone Number", None)
        assert found == wanted, table.name


@needs_realdata
@pytest.mark.parametrize(
    "name",
    [
        "youtube/trending/USvideos_full_columns.csv",
        "youtube/trending/US_videos_mojibake.csv",
        "youtube/trending/USvideos_slim.csv",
        "youtube/channels_labelled/Global_YouTube_Statistics.csv",
        "instagram/graphql_posts_flat__joebiden.csv",
        "influencers/hypeauditor_instagram_sep2022.csv",
        "influencers/starngage_spain_2026.csv",
    ],
)
def test_real_tables(name: str) -> None:
    """Real tables are read without a flaw, record for record and cell for cell as the csv module reads them."""
    with (REALDATA / name).open(newline="", encoding="utf-8-sig") as file:
        header, *wanted = csv.reader(file)
    found = rows(REALDATA / name)
    assert [list(row.values()) for row in found] == wanted
    assert list(found[0]) == column_names(header)


@needs_realdata
def test_a_real_list_with_spacer_rows() -> None:
    """Of the list of creators each row is a record or an empty row, line breaks inside cells and all."""
    found = outcome(REALDATA / "influencers/spain_top4000__Influencers.csv")
    assert len(found) == 2700
    assert [item for item in found if isinstance(item, tuple)] == [("empty-row", 483)]


@needs_realdata
def test_real_pages() -> None:
    """Pages that Instagram sent instead of data are told by what they are."""
    found = {item.path: item for item in read_documents(REALDATA / "instagram" / "html")}
    reasons = {path: item.reason for path, item in found.items() if isinstance(item, Unreadable)}
    assert reasons == {"home.html": "html-auth", "profile-additional-data.html": "html-page"}
