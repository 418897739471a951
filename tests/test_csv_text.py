"""Delimited text: the same records as the csv module, and the same bytes back."""

import csv
import io
import json

import pytest
from conftest import REALDATA
from hypothesis import given
from hypothesis import strategies as st

from igtool.lists.csv_text import CsvText, Decoded, decode, quoted, read_csv

SPECTRUM = REALDATA / "hard_inputs" / "csv-spectrum"
CELLS = st.text(alphabet=st.sampled_from("ab,;\t|\"'\r\n @.é😀 "), max_size=8)


def read(text: str) -> CsvText:
    """The records of ``text``."""
    return read_csv(Decoded(text, "utf-8"))


def cells(text: str) -> list[tuple[str, ...]]:
    """The cells of the records of ``text``."""
    return [record.cells for record in read(text).records]


def copied(parsed: CsvText) -> str:
    """The text put together again from raw cells, line ends, and what lies between records."""
    pieces, at = [], 0
    for record in parsed.records:
        pieces.append(parsed.source.text[at : record.start])
        pieces.append(parsed.delimiter.join(parsed.raw_cells(record)))
        at = record.end
    return "".join([*pieces, parsed.source.text[at:]])


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=8),
    st.sampled_from(["\r\n", "\n", "\r"]),
)
def test_agrees_with_csv_module(rows: list[list[str]], end: str) -> None:
    """Well-formed text gives the records that the csv module gives, whatever the cells hold."""
    width = len(rows[0])
    table = [["name"] * width, *([*row, *[""] * width][:width] for row in rows)]
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    assert [list(row) for row in cells(file.getvalue())] == table


@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=6))
def test_minimal_quoting_is_read_back(rows: list[list[str]]) -> None:
    """What ``quoted`` writes the csv module reads back."""
    text = "\n".join(",".join(quoted(cell, ",") for cell in row) for row in rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows


@given(st.text(alphabet=st.sampled_from('ab,;\t|"\r\n '), max_size=60))
def test_any_text_comes_back(text: str) -> None:
    """Any text, however broken, is made of its records again, character for character."""
    assert copied(read(text)) == text


@given(st.binary(max_size=80))
def test_any_bytes_come_back(data: bytes) -> None:
    """Any bytes that are not broken UTF-16 are written again as they were."""
    try:
        source = decode(data)
    except UnicodeDecodeError:
        return
    assert source.encode(source.text)[0] == data


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="../shared/realdata is not here")
@pytest.mark.parametrize(
    "name", ["comma_in_quotes", "empty", "empty_crlf", "newlines", "simple", "simple_crlf", "utf8"]
)
def test_csv_spectrum(name: str) -> None:
    """The CSV acid tests give the cells of their JSON."""
    header, *rows = cells((SPECTRUM / "csvs" / f"{name}.csv").read_bytes().decode())
    expected = json.loads((SPECTRUM / "json" / f"{name}.json").read_text(encoding="utf-8"))
    assert [dict(zip(header, row, strict=True)) for row in rows] == expected


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="../shared/realdata is not here")
def test_csv_spectrum_quotes_inside_cells() -> None:
    """A quote inside a cell is text (the telephone number was replaced in the JSON only)."""
    header, row = cells((SPECTRUM / "csvs" / "location_coordinates.csv").read_bytes().decode())
    expected = json.loads((SPECTRUM / "json" / "location_coordinates.json").read_text(encoding="utf-8"))
    assert dict(zip(header[1:], row[1:], strict=True)).items() <= expected.items()


def test_lines_are_physical() -> None:
    """A record's line is the line of the file on which it starts, past line breaks in cells and blank lines."""
    parsed = read('a,b\r\n"1\n2\r3",x\r\n\r\n \nc,d\re,f')
    assert [record.line for record in parsed.records] == [1, 2, 7, 8]
    assert parsed.odd.counts == {"blank-line": 2, "mixed-line-ends": 1}
    assert parsed.odd.lines["blank-line"] == [5, 6]


@pytest.mark.parametrize(
    ("text", "expected", "odd"),
    [
        ('a,b\n"x" y,2\n', ("x y", "2"), "text-after-quote"),
        ('a,b\n"x,2\nu,3\n', ('"x', "2"), "stray-quote"),
        ('a,b\n"x,2\nu,3\nv "w",4\n', ('"x', "2"), "stray-quote"),
        ('a,b\nx,"open\n', ("x", '"open'), "stray-quote"),
        ('a,b\nx,"one\ntwo "three" four"\n', ("x", 'one\ntwo three" four"'), "text-after-quote"),
    ],
)
def test_broken_quotes(text: str, expected: tuple[str, ...], odd: str) -> None:
    """A quote that is never closed is text and swallows no other record; text after a quote is kept."""
    parsed = read(text)
    assert parsed.records[1].cells[:2] == expected
    assert parsed.odd.counts == {odd: 1}
    assert parsed.odd.lines == {odd: [2]}
    assert copied(parsed) == text


def test_open_quote_keeps_all_records() -> None:
    """One stray quote early in a long file costs no record."""
    rows = [f'name {n},"place {n}, x",{n}' for n in range(200)]
    rows[5] = '"name 5,place,5'
    assert len(cells("a,b,c\n" + "\n".join(rows))) == 201
    rows[5] = 'name 5,place,"5'
    assert len(cells("a,b,c\n" + "\n".join(rows))) == 201


def test_space_before_quote() -> None:
    """Spaces before a quote do not make its commas split the cell."""
    assert cells('a,b\n1, "x, y"\n')[1] == ("1", "x, y")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter(delimiter: str) -> None:
    """Each delimiter is found even where the others are frequent in the cells."""
    rows = ["handle", "followers", "note"], ["@a", "15", '"x,y;z\tw|v"'], ["@b", "25", '"p,q;r\ts|t"']
    assert read("\n".join(delimiter.join(row) for row in rows)).delimiter == delimiter


def test_decimal_commas_do_not_delimit() -> None:
    """Commas in every row but the header are part of the cells."""
    assert read("handle;rate\n@a;1,5\n@b;2,5\n").delimiter == ";"


def test_separator_line() -> None:
    """The line ``sep=;`` that spreadsheets write names the delimiter and is no record."""
    parsed = read("sep=;\r\nhandle;a\r\n@x;1,2\r\n")
    assert (parsed.delimiter, len(parsed.records), parsed.records[0].line) == (";", 2, 2)
    assert copied(parsed).startswith("sep=;\r\n")


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        ("ñ,é".encode(), "utf-8", "ñ,é"),
        ("ñ,é".encode("utf-8-sig"), "utf-8", "ñ,é"),
        ("ñ,é".encode("utf-16"), "utf-16-le", "ñ,é"),
        (b"\xfe\xff" + "ñ,é".encode("utf-16-be"), "utf-16-be", "ñ,é"),
        ("handle,name".encode("utf-16-le"), "utf-16-le", "handle,name"),
        ("ñ,é€".encode("cp1252"), "cp1252", "ñ,é€"),
        (b"\xf1,\x81", "latin-1", "ñ,\x81"),
    ],
)
def test_encodings(data: bytes, encoding: str, text: str) -> None:
    """Each encoding is found, with or without a byte order mark, and gives its bytes back."""
    source = decode(data)
    assert (source.encoding, source.text) == (encoding, text)
    assert source.encode(source.text) == (data, encoding)


def test_broken_byte_in_utf8() -> None:
    """A broken byte in a file of UTF-8 is shown as U+FFFD, counted, and written back as it was."""
    data = b"name,city\n" + "ñandú,Málaga\n".encode() * 10 + b"x\xff,y\n"
    source = decode(data)
    parsed = read_csv(source)
    assert parsed.records[-1].cells == ("x\ufffd", "y")
    assert parsed.odd.counts == {"broken-utf-8": 1}
    assert source.encode(copied(parsed))[0] == data


def test_missing_character_is_written_as_utf8() -> None:
    """Text that the encoding cannot hold is written as UTF-8 with a mark."""
    assert decode(b"\xf1").encode("ñ😀") == ("\ufeffñ😀".encode(), "utf-8")


@pytest.mark.parametrize(
    "cell",
    ["x" * 3_000_000, '""' * 1_000_000, "a,\n" * 200_000, 'a"' * 500_000, ',"' * 300_000],
    ids=["letters", "doubled", "lines", "quotes", "openings"],
)
def test_huge_cells(cell: str) -> None:
    """A cell of megabytes is read whole, and no kind of content makes reading slower than linear."""
    text = f'handle,bio\n@a,"{cell}"\n@b,"x"\n'
    assert copied(read(text)) == text


def test_zero_bytes_are_kept() -> None:
    """A NUL stays in its cell and is counted."""
    parsed = read("a,b\nx\0,y\n")
    assert parsed.records[1].cells == ("x\0", "y")
    assert parsed.odd.lines == {"nul": [2]}
