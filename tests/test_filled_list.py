"""The filled copy of a creator list: empty cells change, and nothing else."""

import csv
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import NOW, needs_realdata
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igtool.errors import StorageError
from igtool.fill import FIELDS, LIST_GENRES, Filling, fill_list, parse_fill, write_filling
from igtool.lake import Lake
from igtool.lists.columns import genre_text
from igtool.lists.creator_list import CreatorList, from_handles, read_list, write_filled
from igtool.text import spreadsheet_safe

INFLUENCERS = Path(__file__).parents[2] / "shared" / "realdata" / "influencers"
Make = Callable[..., CreatorList]


def filled(creators: CreatorList, tmp_path: Path, fills: dict[int, dict[str, str]], columns: list[str]) -> str:
    """The text of the filled copy."""
    path = tmp_path / "out" / "filled.csv"
    write_filled(creators, fills, columns, path)
    return path.read_bytes().decode(creators.encoding)


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        ("one\ntwo\nthree\n", ["one", "two", "three"]),
        ("@one,Ana One,Spain\n@two,Leo Two,Chile\n", ["one", "two"]),
        ("https://instagram.com/one\nhttps://instagram.com/two\n", ["one", "two"]),
        ("one,1.2M\ntwo,800K\n", ["one", "two"]),
        ("@only\n", ["only"]),
    ],
)
def test_list_without_header(make: Make, tmp_path: Path, text: str, handles: list[str]) -> None:
    """A first record that is a creator is kept as a row, and its line is no header in the copy either."""
    creators = make(text)
    assert [row.handle for row in creators.rows] == handles
    assert creators.odd == {"no-header": 1}
    lines = filled(creators, tmp_path, {1: {"GENRE": "art"}}, ["GENRE"]).splitlines()
    original = text.splitlines()
    assert lines == [original[0] + ",art", *(line + "," for line in original[1:])]


def test_only_empty_cells_change(make: Make, tmp_path: Path) -> None:
    """Empty, blank and missing cells are filled; values, quoting, order and line ends stay."""
    creators = make(
        'Handle,"Genre ",Details,"x"\r\n@a,"",  ,"q ""r"""\n"@b",Kept,"two\nlines",\r\n\r\n@c\r#N/A,,,1\n@e,,,'
    )
    fills = {n: {"GENRE": "a,b", "details": 'say "x"', "x": "="} for n in range(1, 6)}
    assert filled(creators, tmp_path, fills, ["GENRE", "details"]) == (
        'Handle,"Genre ",Details,"x"\r\n'
        '@a,"a,b","say ""x""","q ""r"""\n'
        '"@b",Kept,"two\nlines",\r\n'
        "\r\n"
        '@c,"a,b","say ""x"""\r'
        '#N/A,"a,b","say ""x""",1\n'
        '@e,"a,b","say ""x""",'
    )


def test_appended_columns(make: Make, tmp_path: Path) -> None:
    """New columns stand at the right of every record, behind cells that have no header."""
    creators = make("handle,n\n@a,1\n@b\n@c,3,extra\n\n@d,4,,\n")
    text = filled(creators, tmp_path, {1: {"New": "x", "Other one": "y"}}, ["New", "new", "Other one"])
    assert text == ("handle,n,,New,Other one\n@a,1,,x,y\n@b,,,,\n@c,3,extra,,\n\n@d,4,,,\n")
    assert [len(record) for record in csv.reader(io.StringIO(text)) if record] == [5] * 5


def test_written_values_do_not_run(make: Make, tmp_path: Path) -> None:
    """Values that a spreadsheet would run get an apostrophe; the user's own do not."""
    creators = make("handle,own,GENRE\n@a,=1+1,\n@b,,\n@c,,\n")
    fills = {1: {"GENRE": "=cmd|x"}, 2: {"GENRE": "@x"}, 3: {"GENRE": "\tx"}}
    assert filled(creators, tmp_path, fills, ["GENRE"]) == "handle,own,GENRE\n@a,=1+1,'=cmd|x\n@b,,'@x\n@c,,'\tx\n"


def test_value_outside_the_encoding(make: Make, tmp_path: Path) -> None:
    """A value that the file's encoding lacks makes the copy UTF-8, which is noted."""
    creators = make("handle,name,GENRE\n@a,Ñandú,\n".encode("cp1252"))
    path = tmp_path / "out.csv"
    assert write_filled(creators, {1: {"GENRE": "art 🎨 \ud800"}}, ["GENRE"], path) == "utf-8"
    assert path.read_bytes() == "\ufeffhandle,name,GENRE\n@a,Ñandú,art 🎨 ?\n".encode()
    assert creators.odd == {"not-utf-8": 1, "written-as-utf-8": 1}


def test_handles_are_written_as_csv(tmp_path: Path) -> None:
    """Handles from the command line become a CSV."""
    creators = from_handles(["@one", "https://youtube.com/@two"])
    assert creators.name == "command line"
    assert [row.line for row in creators.rows] == [None, None]
    text = filled(creators, tmp_path, {2: {"bio": "x;y"}}, ["bio"])
    assert text == "handle,bio\n@one,\nhttps://youtube.com/@two,x;y\n"


def test_coverage(make: Make) -> None:
    """Coverage counts usable rows with a value, before and after a fill."""
    creators = make("handle,GENRE\n@a,x\n@b, \n#N/A,z\n@d\n")
    assert creators.coverage("genre") == (1, 3)
    assert creators.coverage("GENRE", {1: {"GENRE": "q"}, 4: {"GENRE": "w"}}) == (2, 3)
    assert creators.coverage("none") == (0, 3)


def test_failed_write_leaves_the_old_copy(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a storage error with the fix; the copy from before stays whole and nothing is left behind."""
    creators = make("handle,GENRE\n@a,\n")
    path = tmp_path / "out" / "filled.csv"
    write_filled(creators, {}, ["GENRE"], path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"no space left .*filled\.csv: free some space"):
        write_filled(creators, {1: {"GENRE": "x"}}, ["GENRE"], path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["filled.csv"]


TEXT = st.text(alphabet=st.sampled_from("ab,;\"'=\r\n é"), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6), st.booleans(), st.data())
def test_copy_reads_back(
    tmp_path: Path, rows: list[tuple[str, str, str]], all_quoted: bool, data: st.DataObject
) -> None:
    """The csv module reads from the copy: own values as they were, fills in empty cells, nothing else."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL)
    writer.writerow(["handle", "a", "b", "c"])
    writer.writerows([f"@name{n}", *row] for n, row in enumerate(rows))
    path = tmp_path / "list.csv"
    path.write_bytes(file.getvalue().encode())
    fills = {n: {"b": data.draw(TEXT), "new": data.draw(TEXT)} for n in range(1, len(rows) + 1)}
    written = filled(read_list(path), tmp_path, fills, ["b", "new"])
    header, *records = csv.reader(io.StringIO(written, newline=""))
    assert header == ["handle", "a", "b", "c", "new"]
    expected = []
    for n, (a, b, c) in enumerate(rows):
        b_fill, new = (spreadsheet_safe(value) if value.strip() else "" for value in fills[n + 1].values())
        expected.append([f"@name{n}", a, b if b.strip() or not b_fill else b_fill, c, new])
    assert records == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(make: Make, tmp_path: Path, encoding: str, delimiter: str) -> None:
    """Lists from any spreadsheet are read, and the copy is in the same encoding with the same delimiter."""
    text = "Name ;@name;GENRE\r\nÁlvaro Ñ;@alvaro;\r\nZoë;@zoe;x\r\n".replace(";", delimiter)
    creators = make(text.encode(encoding))
    assert [creators.cell(row, "name") for row in creators.rows] == ["Álvaro Ñ", "Zoë"]
    path = tmp_path / "out.csv"
    write_filled(creators, {1: {"GENRE": "canción"}}, ["GENRE"], path)
    assert path.read_bytes() == text.replace(f"@alvaro{delimiter}", f"@alvaro{delimiter}canción").encode(encoding)


def test_json_is_written_as_csv(make: Make, tmp_path: Path) -> None:
    """A JSON list is written as CSV with its columns in order of appearance."""
    creators = make('[{"handle": "one", "bio": "a, \\"b\\""}, {"handle": "two", "GENRE": "x"}]', "list.json")
    text = filled(creators, tmp_path, {1: {"GENRE": "art"}, 2: {"GENRE": "no"}}, ["GENRE", "Details"])
    assert text == 'handle,bio,GENRE,Details\none,"a, ""b""",art,\ntwo,,x,\n'


@pytest.mark.parametrize(
    ("headers", "cells", "text"),
    [
        (("Name", "GENRE", "Details"), ("Music", "SportsSoccer", "Chef"), "SportsSoccer"),
        (("Topics", "Genre "), ("Food, Travel", ""), "Food, Travel"),
        (("Topics", "Genre "), ("Food, Travel", "Art"), "Art"),
        (("Category_1", "Category_2", "Category_3"), ("Music", "", "Dance"), "Music\nDance"),
        (("Categoría", "Género"), ("Cocina", "Mujer"), "Cocina"),
        (("handle", "Género"), ("@a", "Mujer"), ""),
        (("handle", "Temas"), ("@a", "#N/A"), ""),
        (("handle", "Nicho"), ("@a",), ""),
        (("handle", "bio"), ("@a", "Music"), ""),
    ],
)
def test_genres_of_a_record(headers: tuple[str, ...], cells: tuple[str, ...], text: str) -> None:
    """They are read from the likeliest column that has text, and a gender is none."""
    assert genre_text(headers, cells) == text


GENRES = 'handle,GENRE,TOPICS\n@a,SportsSoccer,\n@b,Food,mine\n@c,,\nnot a handle!,Art,\n@d,"Art\nTravel",\n@e,Art,\n'
PAIRS = (("GENRE", LIST_GENRES), ("TOPICS", LIST_GENRES), ("Bio", "bio"))


def test_genres_of_the_list(make: Make, lake: Lake) -> None:
    """Glued genres are told apart in the asked column for every usable row, known or not; no cell of the user goes."""
    lake.append("accounts", [{"account_id": "1", "platform": "instagram", "handle": "a", "observed_at": NOW}])
    creators = make(GENRES, "my.csv")
    filling = fill_list(lake, creators, PAIRS, limit=4, started_at=NOW)
    assert {number: [cell.value for cell in cells] for number, cells in filling.cells.items()} == {
        1: ["Sports, Soccer"],
        2: [],
        3: [],
        5: ["Art, Travel"],
    }
    (cell,) = filling.cells[5]
    assert (cell.column, cell.field, cell.source, cell.method, cell.at) == (
        "TOPICS", "list_genres", "my.csv", "list", NOW.isoformat(),
    )  # fmt: skip
    assert list(filling.status.values()) == [
        "enriched", "no_answer", "no_answer", "rejected", "no_answer", "not_asked",
    ]  # fmt: skip


def test_genres_in_the_filled_copy(make: Make, lake: Lake, tmp_path: Path) -> None:
    """The copy holds them beside the user's own cells, and their provenance names the list."""
    creators = make(GENRES, "my.csv")
    filling: Filling = fill_list(lake, creators, PAIRS, limit=None, started_at=NOW)
    write_filling(creators, filling, PAIRS, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "handle,GENRE,TOPICS,Bio", '@a,SportsSoccer,"Sports, Soccer",', "@b,Food,mine,", "@c,,,",
        "not a handle!,Art,,", '@d,"Art', 'Travel","Art, Travel",', "@e,Art,Art,",
    ]  # fmt: skip
    with (tmp_path / "out.provenance.csv").open(encoding="utf-8", newline="") as file:
        told = [row for row in csv.DictReader(file) if row["column"]]
    assert [(row["line"], row["field"], row["source"], row["method"]) for row in told] == [
        (line, "list_genres", "my.csv", "list") for line in ("2", "6", "8")
    ]


def test_a_renamed_account_fills_the_row_with_its_former_handle(make: Make, lake: Lake) -> None:
    """A list need not follow renames; but whoever has the handle now goes before who had it once."""
    now = [("1", "anna.studio", "Renamed"), ("2", "bea", "Has it now"), ("3", "bea.old", "Had it once")]
    then = [("1", "anna"), ("1", "anna.studio"), ("2", "bea"), ("3", "bea")]
    seen = {"platform": "instagram", "observed_at": NOW}
    lake.append("accounts", [seen | {"account_id": i, "handle": handle, "bio": bio} for i, handle, bio in now])
    lake.append(
        "account_states",
        [seen | {"account_id": i, "handle": handle, "answer_id": str(n)} for n, (i, handle) in enumerate(then)],
    )
    filling = fill_list(lake, make("handle,Bio\n@Anna,\n@bea,\n"), (("Bio", "bio"),), limit=None, started_at=NOW)
    assert [cell.value for cells in filling.cells.values() for cell in cells] == ["Renamed", "Has it now"]


def test_no_column_gets_the_genres_unasked() -> None:
    """They are a field like any other, and an empty column stays empty unless the user names it."""
    assert LIST_GENRES in FIELDS
    assert LIST_GENRES not in dict(parse_fill([])).values()
    assert dict(parse_fill(["TOPICS=list_genres"]))["TOPICS"] == LIST_GENRES


@needs_realdata
def test_real_list_filled(tmp_path: Path) -> None:
    """In the list of 2,700 every value is kept, every empty cell of the filled columns gets its fill."""
    creators = read_list(INFLUENCERS / "spain_top4000__Influencers.csv")
    assert creators.coverage("GENRE") == (2335, 2689)
    fills = {row.number: {"GENRE": "Art, crafts", "Details": f"+{row.number}", "New": "n"} for row in creators.rows}
    path = tmp_path / "filled.csv"
    write_filled(creators, fills, ["GENRE", "Details", "New"], path)
    with path.open(encoding="utf-8", newline="") as file:
        header, *records = csv.reader(file)
    assert header == [*creators.columns, "New"]
    for row, record in zip(creators.rows, records, strict=True):
        values = dict(zip(header, record, strict=True))
        own = dict(zip(creators.columns, row.cells, strict=True))
        assert values["GENRE"] == (own["GENRE"] if own["GENRE"].strip() else "Art, crafts")
        assert values["Details"] == (own["Details"] if own["Details"].strip() else f"'+{row.number}")
        assert {name: values[name] for name in own if name not in {"GENRE", "Details"}} == {
            name: cell for name, cell in own.items() if name not in {"GENRE", "Details"}
        }
